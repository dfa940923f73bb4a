package python

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a TOML lock file.
const (
	maxTOMLDepth = 32      // nesting of values
	maxTOMLKeys  = 16      // dots of a key
	maxTOMLItems = 200_000 // elements of one array or table
)

// tomlVisitor is told what a TOML document says, from top to bottom.
type tomlVisitor struct {
	// table begins [path] or, with array, another [[path]].
	table func(path []string, array bool)
	// wants says whether pair will look at the value of a key. Values that
	// nobody wants are read over.
	wants func(key string) bool
	// pair is a key of the table begun last. The value is a string, a bool,
	// a []any, a map[string]any; nil stands for numbers and dates.
	pair func(key string, value any)
}

// scanTOML reads a TOML 1.0 document without keeping it: a lock file lists
// every archive of every package, and of that nothing is wanted. It takes
// what writers of lock files write, and does not check that keys are unique.
func scanTOML(data []byte, v tomlVisitor) error {
	r := tomlReader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	for {
		r.blank(true)
		if r.i >= len(r.data) {
			return nil
		}
		if r.data[r.i] == '[' {
			r.i++
			array := r.skip('[')
			path, err := r.key()
			if err != nil {
				return err
			}
			if !r.skip(']') || array && !r.skip(']') {
				return r.errorf("table header does not end")
			}
			v.table(path, array)
		} else {
			path, err := r.key()
			if err != nil {
				return err
			}
			if !r.skip('=') {
				return r.errorf("no = after a key")
			}
			key := strings.Join(path, ".")
			keep := v.wants(key)
			value, err := r.value(keep, 0)
			if err != nil {
				return err
			}
			if keep {
				v.pair(key, value)
			}
		}
		r.blank(false)
		if r.i < len(r.data) && r.data[r.i] != '\n' {
			return r.errorf("something stands after a value")
		}
	}
}

type tomlReader struct {
	data []byte
	i    int
}

func (r *tomlReader) errorf(format string, args ...any) error {
	line := 1 + bytes.Count(r.data[:min(r.i, len(r.data))], []byte("\n"))
	return fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
}

// blank goes over blanks and comments, and with lines over line ends, too.
func (r *tomlReader) blank(lines bool) {
	for r.i < len(r.data) {
		switch c := r.data[r.i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' && lines:
			r.i++
		case c == '#':
			n := bytes.IndexByte(r.data[r.i:], '\n')
			if n < 0 {
				n = len(r.data) - r.i
			}
			r.i += n
		default:
			return
		}
	}
}

func (r *tomlReader) skip(c byte) bool {
	if r.i < len(r.data) && r.data[r.i] == c {
		r.i++
		return true
	}
	return false
}

// key reads a dotted key and the blanks round it.
func (r *tomlReader) key() ([]string, error) {
	var path []string
	for {
		r.blank(false)
		if r.i >= len(r.data) {
			return nil, r.errorf("the file ends in a key")
		}
		var part string
		if c := r.data[r.i]; c == '"' || c == '\'' {
			s, err := r.text(true)
			if err != nil {
				return nil, err
			}
			part = s
		} else {
			start := r.i
			for r.i < len(r.data) && bareKey(r.data[r.i]) {
				r.i++
			}
			if r.i == start {
				return nil, r.errorf("unexpected %q", c)
			}
			part = string(r.data[start:r.i])
		}
		if path = append(path, part); len(path) > maxTOMLKeys {
			return nil, r.errorf("a key has more than the limit of %d parts", maxTOMLKeys)
		}
		r.blank(false)
		if !r.skip('.') {
			return path, nil
		}
	}
}

func bareKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// value reads a value; without keep it returns nil.
func (r *tomlReader) value(keep bool, depth int) (any, error) {
	if depth > maxTOMLDepth {
		return nil, r.errorf("nested deeper than the limit of %d", maxTOMLDepth)
	}
	r.blank(false)
	if r.i >= len(r.data) {
		return nil, r.errorf("the file ends before a value")
	}
	switch r.data[r.i] {
	case '"', '\'':
		s, err := r.text(keep)
		if err != nil || !keep {
			return nil, err
		}
		return s, nil
	case '[':
		return r.array(keep, depth)
	case '{':
		return r.inline(keep, depth)
	}
	start := r.i
	for r.i < len(r.data) && strings.IndexByte(",]}#\r\n", r.data[r.i]) < 0 {
		r.i++
	}
	switch word := string(bytes.TrimSpace(r.data[start:r.i])); word {
	case "":
		return nil, r.errorf("no value after =")
	case "true", "false":
		return word == "true", nil
	}
	return nil, nil
}

func (r *tomlReader) array(keep bool, depth int) (any, error) {
	r.i++
	var list []any
	for n := 0; ; n++ {
		r.blank(true)
		if r.skip(']') {
			return list, nil
		}
		if n == maxTOMLItems {
			return nil, r.errorf("more than the limit of %d elements", maxTOMLItems)
		}
		v, err := r.value(keep, depth+1)
		if err != nil {
			return nil, err
		}
		if keep {
			list = append(list, v)
		}
		r.blank(true)
		if !r.skip(',') && (r.i >= len(r.data) || r.data[r.i] != ']') {
			return nil, r.errorf("array does not end")
		}
	}
}

func (r *tomlReader) inline(keep bool, depth int) (any, error) {
	r.i++
	var table map[string]any
	if keep {
		table = map[string]any{}
	}
	for n := 0; ; n++ {
		r.blank(true) // TOML 1.1 lets lines end here
		if r.skip('}') {
			return table, nil
		}
		if n == maxTOMLItems {
			return nil, r.errorf("more than the limit of %d elements", maxTOMLItems)
		}
		path, err := r.key()
		if err != nil {
			return nil, err
		}
		if !r.skip('=') {
			return nil, r.errorf("no = after a key")
		}
		v, err := r.value(keep, depth+1)
		if err != nil {
			return nil, err
		}
		if keep {
			table[strings.Join(path, ".")] = v
		}
		r.blank(true)
		if !r.skip(',') && (r.i >= len(r.data) || r.data[r.i] != '}') {
			return nil, r.errorf("inline table does not end")
		}
	}
}

var errTOMLString = errors.New("string does not end")

// text reads a string of any of the four kinds.
func (r *tomlReader) text(keep bool) (string, error) {
	quote := r.data[r.i]
	delim := []byte{quote, quote, quote}
	long := bytes.HasPrefix(r.data[r.i:], delim)
	if long {
		r.i += 3
		r.skip('\r')
		r.skip('\n')
	} else {
		r.i++
	}
	start, escaped := r.i, false
	for ; r.i < len(r.data); r.i++ {
		c := r.data[r.i]
		switch {
		case c == '\\' && quote == '"':
			escaped = true
			r.i++
		case c == '\n' && !long:
			return "", r.errorf("%w", errTOMLString)
		case c == quote && (!long || bytes.HasPrefix(r.data[r.i:], delim)):
			raw := r.data[start:r.i]
			r.i++
			if long {
				r.i += 2
				for n := 0; n < 2 && r.skip(quote); n++ { // up to two quotes may stand before the end
					raw = r.data[start : start+len(raw)+1]
				}
			}
			if !keep {
				return "", nil
			}
			if escaped {
				return unescapeTOML(raw), nil
			}
			return string(raw), nil
		}
	}
	return "", r.errorf("%w", errTOMLString)
}

// unescapeTOML resolves the escapes of a basic string; unknown ones stay.
func unescapeTOML(raw []byte) string {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			b = append(b, c)
			continue
		}
		i++
		digits := 0
		switch c = raw[i]; c {
		case 'b':
			b = append(b, '\b')
		case 't':
			b = append(b, '\t')
		case 'n':
			b = append(b, '\n')
		case 'f':
			b = append(b, '\f')
		case 'r':
			b = append(b, '\r')
		case 'e':
			b = append(b, 0x1b)
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		case ' ', '\t', '\r', '\n': // a line that goes on
			for i+1 < len(raw) && (raw[i+1] == ' ' || raw[i+1] == '\t' || raw[i+1] == '\r' || raw[i+1] == '\n') {
				i++
			}
		default:
			b = append(b, c)
		}
		if digits > 0 && i+digits < len(raw) {
			if n, err := strconv.ParseUint(string(raw[i+1:i+1+digits]), 16, 32); err == nil {
				b = utf8.AppendRune(b, rune(n))
				i += digits
			}
		}
	}
	return string(b)
}
