package content

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Expression is a regular expression to look for, in the dialect of Python's
// re: look-around and back references are understood. Name is "" for one
// without.
type Expression struct {
	Name string
	Text string
}

// Defaults are the expressions that a 1_0 configuration has for secrets. They
// are part of that interface: rows name them whole, and the ids by which
// allowlists tell rows are digests of that.
func Defaults() []Expression {
	return []Expression{
		{"AWS_ACCESS_KEY", `(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*`},
		{"AWS_SECRET_KEY", `(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=]).*`},
		{"PRIV_KEY", `(?i)-+BEGIN(.*)PRIVATE KEY-+`},
		{"DOCKER_AUTH", `(?i).*"auth": *".+"`},
		{"API_KEY", `(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*`},
	}
}

// ParseExpression reads NAME=EXPRESSION. Where the text before the first
// equals sign is no name (letters, digits, "_", "-", "."), all is expression.
func ParseExpression(s string) Expression {
	name, text, ok := strings.Cut(s, "=")
	for i := range len(name) {
		c := name[i] | 0x20
		ok = ok && (c >= 'a' && c <= 'z' || name[i] >= '0' && name[i] <= '9' || name[i] == '_' || name[i] == '-' || name[i] == '.')
	}
	if !ok || name == "" || text == "" {
		return Expression{Text: s}
	}
	return Expression{Name: name, Text: text}
}

func (e Expression) label() string {
	if e.Name != "" {
		return e.Name
	}
	return fmt.Sprintf("%.60q", e.Text)
}

// Check reports why an expression cannot be used.
func (e Expression) Check() error {
	_, err := compile(e)
	return err
}

// Limits of matching. Expressions without look-around and back references take
// linear time; the others are tried only on lines that pass a linear test, and
// may backtrack for so long.
const (
	maxExpression = 64 << 10               // bytes of an expression
	maxLine       = 64 << 10               // bytes of a line that backtracking is tried on
	lineTime      = 100 * time.Millisecond // of backtracking on one line
	fileTime      = time.Second            // of backtracking on one file
	maxSlowFiles  = 16                     // of a layer that may use up their time

	limitTime = "expression time"
	limitLine = "line length"
)

// expression is an Expression that is ready to match.
type expression struct {
	Expression
	// literals, in lower case: every line that matches has one of them. nil
	// where none are known.
	literals [][]byte
	// linear is the expression, or, with back, one that matches whatever the
	// expression does, and more. It may be nil with back.
	linear *regexp.Regexp
	back   *regexp2.Regexp
}

func compile(e Expression) (*expression, error) {
	if e.Text == "" {
		return nil, fmt.Errorf("expression %s is empty", e.label())
	}
	if len(e.Text) > maxExpression {
		return nil, fmt.Errorf("expression %s has %d bytes, more than the limit of %d", e.label(), len(e.Text), maxExpression)
	}
	c := &expression{Expression: e}
	text, plain := rewrite(e.Text, false)
	if plain {
		if re, err := regexp.Compile(`\A(?:` + text + `)`); err == nil {
			c.linear = re
		}
	}
	if c.linear == nil {
		re, err := regexp2.Compile(`\A(?:`+text+`)`, regexp2.None)
		if err != nil {
			return nil, fmt.Errorf("expression %s does not compile: %w", e.label(), err)
		}
		re.MatchTimeout = lineTime
		c.back = re
		wider, _ := rewrite(e.Text, true)
		if linear, err := regexp.Compile(`\A(?:` + wider + `)`); err == nil {
			c.linear = linear
		}
	}
	if c.linear != nil {
		if tree, err := syntax.Parse(c.linear.String(), syntax.Perl); err == nil {
			c.literals = required(tree.Simplify())
		}
	}
	return c, nil
}

// match tells whether a line matches, or names the limit for which it cannot.
func (e *expression) match(line []byte, w *work) (ok bool, limit string) {
	if e.linear != nil && !e.linear.Match(line) {
		return false, ""
	}
	switch {
	case e.back == nil:
		return true, ""
	case len(line) > maxLine:
		return false, limitLine
	case w.spent || w.back > fileTime:
		return false, limitTime
	}
	start := time.Now()
	ok, err := e.back.MatchString(string(line))
	w.back += time.Since(start)
	if err != nil {
		return false, limitTime
	}
	return ok, ""
}

// rewrite spells Python's dialect as the other engines do. plain says that
// there is neither look-around nor a back reference nor an
// atomic group in it. With wider, these are replaced by what
// matches more: look-around by nothing, a back reference by anything.
func rewrite(s string, wider bool) (out string, plain bool) {
	var b strings.Builder
	plain = true
	for i := 0; i < len(s); {
		rest := s[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			switch {
			case rest[1] == 'Z':
				b.WriteString(`\z`)
			case rest[1] >= '1' && rest[1] <= '9':
				plain = false
				n := 2
				for n < len(rest) && n < 3 && rest[n] >= '0' && rest[n] <= '9' {
					n++
				}
				if wider {
					b.WriteString(`(?:.*)`)
				} else {
					b.WriteString(rest[:n])
				}
				i += n
				continue
			default:
				b.WriteString(rest[:2])
			}
			i += 2
		case rest[0] == '[':
			n := classLen(rest)
			b.WriteString(rest[:n])
			i += n
		case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
			plain = false
			n := 3
			if rest[2] == '<' {
				n = 4
			}
			if wider {
				i += groupLen(rest)
				b.WriteString(`(?:)`)
				continue
			}
			b.WriteString(rest[:n])
			i += n
		case strings.HasPrefix(rest, "(?P="):
			plain = false
			end := strings.IndexByte(rest, ')')
			if end < 0 {
				end = len(rest) - 1
			}
			if wider {
				b.WriteString(`(?:.*)`)
			} else {
				b.WriteString(`\k<` + rest[4:max(4, end)] + `>`)
			}
			i += end + 1
		case strings.HasPrefix(rest, "(?P<"):
			b.WriteString("(?<")
			i += 4
		case strings.HasPrefix(rest, "(?>"):
			plain = false
			if wider {
				b.WriteString("(?:")
			} else {
				b.WriteString("(?>")
			}
			i += 3
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return b.String(), plain
}

// classLen is the length of the bracket expression that s begins with.
func classLen(s string) int {
	i := 1
	if i < len(s) && s[i] == '^' {
		i++
	}
	if i < len(s) && s[i] == ']' {
		i++
	}
	for i < len(s) {
		switch s[i] {
		case '\\':
			i++
		case ']':
			return i + 1
		}
		i++
	}
	return len(s)
}

// groupLen is the length of the group that s begins with.
func groupLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '[':
			i += classLen(s[i:]) - 1
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
