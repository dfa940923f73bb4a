package lua

import (
	"bytes"
	"errors"
	"fmt"
)

// Limits of one file of literals.
const (
	maxDepth  = 64
	maxValues = 1_000_000
)

// value is a literal of Lua. Of a table keys and values go together; the key
// of a value without one is "".
type value struct {
	table  bool
	text   string // of strings; words and numbers as written
	keys   []string
	values []value
}

func (v value) field(key string) value {
	for i, k := range v.keys {
		if k == key {
			return v.values[i]
		}
	}
	return value{}
}

// parse reads assignments of literals to variables, "name = {…}", and reads
// over everything else of a program. It keeps to the top level: what stands in
// functions or conditions looks the same but does not matter in files that a
// program wrote.
func parse(data []byte) (map[string]value, error) {
	p := parser{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	vars := map[string]value{}
	word := ""
	for {
		if err := p.blank(); err != nil {
			return vars, err
		}
		c, ok := p.peek()
		switch {
		case !ok:
			return vars, nil
		case c == '=' && word != "" && !p.at("=="):
			p.i++
			v, err := p.value(0)
			if err != nil {
				return vars, err
			}
			vars[word] = v
			word = ""
		case wordByte(c):
			word = p.word()
		case c == '"' || c == '\'' || c == '{' || p.long() >= 0:
			if _, err := p.value(0); err != nil {
				return vars, err
			}
			word = ""
		default:
			p.i++
			word = ""
		}
	}
}

type parser struct {
	data []byte
	i, n int
}

var errEnd = errors.New("the file ends inside a value")

func (p *parser) peek() (byte, bool) {
	if p.i < len(p.data) {
		return p.data[p.i], true
	}
	return 0, false
}

func (p *parser) at(s string) bool { return bytes.HasPrefix(p.data[p.i:], []byte(s)) }

// blank goes over blanks and comments.
func (p *parser) blank() error {
	for p.i < len(p.data) {
		switch {
		case p.data[p.i] <= ' ':
			p.i++
		case p.at("--"):
			p.i += 2
			if p.long() >= 0 {
				if _, err := p.longString(); err != nil {
					return err
				}
				continue
			}
			fallthrough
		case p.i == 0 && p.at("#"):
			n := bytes.IndexByte(p.data[p.i:], '\n')
			if n < 0 {
				n = len(p.data) - p.i
			}
			p.i += n
		default:
			return nil
		}
	}
	return nil
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.'
}

func (p *parser) word() string {
	start := p.i
	for p.i < len(p.data) && wordByte(p.data[p.i]) {
		p.i++
	}
	return string(p.data[start:p.i])
}

// long is the level of the long bracket, "[[" or "[==[", that begins here, or -1.
func (p *parser) long() int {
	if c, _ := p.peek(); c != '[' {
		return -1
	}
	n := 0
	for p.i+1+n < len(p.data) && p.data[p.i+1+n] == '=' {
		n++
	}
	if p.i+1+n < len(p.data) && p.data[p.i+1+n] == '[' {
		return n
	}
	return -1
}

func (p *parser) longString() (string, error) {
	level := p.long()
	end := append(append([]byte{']'}, bytes.Repeat([]byte{'='}, level)...), ']')
	p.i += level + 2
	n := bytes.Index(p.data[p.i:], end)
	if n < 0 {
		return "", errEnd
	}
	s := p.data[p.i : p.i+n]
	p.i += n + len(end)
	return string(bytes.TrimPrefix(s, []byte("\n"))), nil
}

func (p *parser) quoted() (string, error) {
	quote := p.data[p.i]
	p.i++
	var b []byte
	for ; p.i < len(p.data); p.i++ {
		switch c := p.data[p.i]; c {
		case quote:
			p.i++
			return string(b), nil
		case '\n':
			return "", errors.New("a string does not end on its line")
		case '\\':
			if p.i++; p.i < len(p.data) {
				switch c = p.data[p.i]; c {
				case 'n':
					c = '\n'
				case 't':
					c = '\t'
				}
				b = append(b, c)
			}
		default:
			b = append(b, c)
		}
	}
	return "", errEnd
}

func (p *parser) value(depth int) (value, error) {
	if depth > maxDepth {
		return value{}, fmt.Errorf("nested deeper than the limit of %d", maxDepth)
	}
	if p.n++; p.n > maxValues {
		return value{}, fmt.Errorf("more than the limit of %d values", maxValues)
	}
	if err := p.blank(); err != nil {
		return value{}, err
	}
	c, ok := p.peek()
	switch {
	case !ok:
		return value{}, errEnd
	case c == '"' || c == '\'':
		s, err := p.quoted()
		return value{text: s}, err
	case p.long() >= 0:
		s, err := p.longString()
		return value{text: s}, err
	case c == '{':
		p.i++
		return p.tableOf(depth)
	case wordByte(c):
		return value{text: p.word()}, nil
	}
	p.i++ // an operator: what it makes of the values nobody wants
	return value{}, nil
}

func (p *parser) tableOf(depth int) (value, error) {
	t := value{table: true}
	for {
		if err := p.blank(); err != nil {
			return t, err
		}
		c, ok := p.peek()
		key := ""
		switch {
		case !ok:
			return t, errEnd
		case c == '}':
			p.i++
			return t, nil
		case c == ',' || c == ';':
			p.i++
			continue
		case c == '[' && p.long() < 0:
			p.i++
			k, err := p.value(depth + 1)
			if err != nil {
				return t, err
			}
			if err := p.blank(); err != nil {
				return t, err
			}
			if c, _ := p.peek(); c != ']' {
				return t, errors.New("a key does not end")
			}
			p.i++
			key = k.text
			if err := p.blank(); err != nil {
				return t, err
			}
			if c, _ := p.peek(); c != '=' {
				return t, errors.New("a key has no value")
			}
			p.i++
		case wordByte(c):
			word := p.word()
			if err := p.blank(); err != nil {
				return t, err
			}
			if c, _ := p.peek(); c != '=' || p.at("==") {
				t.keys, t.values = append(t.keys, ""), append(t.values, value{text: word})
				continue
			}
			p.i++
			key = word
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return t, err
		}
		t.keys, t.values = append(t.keys, key), append(t.values, v)
	}
}
