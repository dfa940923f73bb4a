package ocaml

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds how deep brackets nest.
const maxDepth = 100

var errString = errors.New("the file ends inside a string")

// scan reads a file in opam's format and gives each every string of a field
// at the top; level is how many braces (what is said of a value) are round it.
// The fields of a section have its name before theirs: "url.checksum".
func scan(data []byte, each func(field string, level int, s string)) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	field, word, section := "", "", ""
	var open []byte
	level := 0
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case c == '#':
			n := bytes.IndexByte(data[i:], '\n')
			if n < 0 {
				n = len(data) - i
			}
			i += n
		case c == '(' && bytes.HasPrefix(data[i:], []byte("(*")):
			n := bytes.Index(data[i:], []byte("*)"))
			if n < 0 {
				return errors.New("the file ends inside a comment")
			}
			i += n + 2
		case c == '"':
			s, n, err := str(data[i:])
			if err != nil {
				return err
			}
			if field != "" {
				each(field, level, s)
			}
			i += n
			word = ""
		case c == '[' || c == '(' || c == '{':
			if len(open) == 0 && c == '{' && word != "" {
				section, field = word+".", ""
			} else if c == '{' {
				level++
			}
			if open = append(open, c); len(open) > maxDepth {
				return fmt.Errorf("nested deeper than the limit of %d", maxDepth)
			}
			word = ""
			i++
		case c == ']' || c == ')' || c == '}':
			if len(open) == 0 {
				return fmt.Errorf("unexpected %q", c)
			}
			if len(open) == 1 && section != "" {
				section, field = "", ""
			} else if open[len(open)-1] == '{' {
				level--
			}
			open = open[:len(open)-1]
			word = ""
			i++
		case c == ':' && word != "" && (len(open) == 0 || len(open) == 1 && section != ""):
			field, word = section+word, ""
			i++
		case wordByte(c):
			n := 1
			for i+n < len(data) && wordByte(data[i+n]) {
				n++
			}
			word = string(data[i : i+n])
			i += n
		default:
			i++
		}
	}
	if len(open) > 0 {
		return errors.New("the file ends inside brackets")
	}
	return nil
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '+'
}

// str reads a string, of one or three quotes, and says how long it is.
func str(data []byte) (string, int, error) {
	if bytes.HasPrefix(data, []byte(`"""`)) {
		n := bytes.Index(data[3:], []byte(`"""`))
		if n < 0 {
			return "", 0, errString
		}
		return string(data[3 : 3+n]), n + 6, nil
	}
	var b strings.Builder
	for i := 1; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			if i++; i < len(data) {
				switch c = data[i]; c {
				case 'n':
					c = '\n'
				case 't':
					c = '\t'
				case '\n': // the line goes on
					for i+1 < len(data) && (data[i+1] == ' ' || data[i+1] == '\t') {
						i++
					}
					continue
				}
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errString
}
