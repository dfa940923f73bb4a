package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// MaxPattern is the length of the longest regular expression or pattern, in
// bytes.
const MaxPattern = 16 << 10

// Pattern is one pattern of the policy language. Text after "regexp:" is a
// regular expression anchored at the start only; otherwise "*" stands for any
// run of characters but newlines, and the rest for itself, anchored at both
// ends.
type Pattern struct {
	text  string
	re    *regexp.Regexp // nil: parts count
	parts []string       // the text between the stars
}

// ParsePattern reads a pattern.
func ParsePattern(s string) (Pattern, error) {
	if len(s) > MaxPattern {
		return Pattern{}, fmt.Errorf("pattern is longer than %d bytes (limit MaxPattern)", MaxPattern)
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\r\n\f\v"), "regexp:"); ok {
		re, err := CompileStart(rest)
		if err != nil {
			return Pattern{}, err
		}
		return Pattern{text: s, re: re}, nil
	}
	return Pattern{text: s, parts: strings.Split(s, "*")}, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern matches s.
func (p Pattern) Match(s string) bool {
	if p.re != nil {
		return p.re.MatchString(s)
	}
	if len(p.parts) <= 1 {
		return s == p.text
	}
	if strings.Contains(s, "\n") {
		return p.matchLines(s)
	}
	return matchParts(p.parts, s)
}

// matchParts finds every part at its first place: without newlines nothing
// can be gained by a later one.
func matchParts(parts []string, s string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// matchLines matches a text with newlines, which a star does not cross.
func (p Pattern) matchLines(s string) bool {
	quoted := make([]string, len(p.parts))
	for i, part := range p.parts {
		quoted[i] = regexp.QuoteMeta(part)
	}
	re, err := regexp.Compile(`\A` + strings.Join(quoted, ".*") + `\z`)
	return err == nil && re.MatchString(s)
}

// CompileStart compiles a regular expression that matches at the start of a
// text, not necessarily to its end. Expressions with look-around or back
// references are refused with an error that says so: the engine runs in
// linear time and has neither.
func CompileStart(s string) (*regexp.Regexp, error) {
	if len(s) > MaxPattern {
		return nil, fmt.Errorf("regular expression is longer than %d bytes (limit MaxPattern)", MaxPattern)
	}
	translated := translate(s)
	// On its own first: "a)(b" is no expression, "(?:a)(b)" is one.
	if _, err := syntax.Parse(translated, syntax.Perl); err != nil {
		if word := lookAround(s); word != "" {
			return nil, fmt.Errorf("regular expression uses %s, which expressions in policies cannot", word)
		}
		return nil, fmt.Errorf("regular expression does not compile: %w", err)
	}
	return regexp.Compile(`\A(?:` + translated + `)`)
}

// translate rewrites what the original's dialect (Python's re) spells
// differently: \Z is the end of the text.
func translate(s string) string {
	if !strings.Contains(s, `\Z`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if s[i+1] == 'Z' {
				b.WriteString(`\z`)
			} else {
				b.WriteString(s[i : i+2])
			}
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func lookAround(s string) string {
	for i := 0; i+1 < len(s); i++ {
		switch {
		case s[i] == '\\':
			if s[i+1] >= '1' && s[i+1] <= '9' {
				return "a back reference (" + s[i:i+2] + ")"
			}
			i++
		case strings.HasPrefix(s[i:], "(?="), strings.HasPrefix(s[i:], "(?!"):
			return "look-ahead (" + s[i:i+3] + ")"
		case strings.HasPrefix(s[i:], "(?<="), strings.HasPrefix(s[i:], "(?<!"):
			return "look-behind (" + s[i:i+4] + ")"
		case strings.HasPrefix(s[i:], "(?P="):
			return "a back reference ((?P=)"
		}
	}
	return ""
}
