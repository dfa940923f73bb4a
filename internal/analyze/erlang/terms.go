package erlang

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of one file of terms.
const (
	maxDepth = 64
	maxTerms = 1_000_000
)

type termKind uint8

const (
	word termKind = iota // atom, variable, number
	text                 // string, binary
	tuple
	list // list, map: of a map the keys and values in turn
)

// term is an Erlang or Elixir term.
type term struct {
	kind termKind
	text string
	list []term
}

// string is the content of a string or binary; "" for anything else.
func (t term) string() string {
	if t.kind == text {
		return t.text
	}
	return ""
}

// get is the value of a key in a list of pairs, or in Elixir's "key: value".
func (t term) get(key string) term {
	for i, e := range t.list {
		if e.kind == tuple && len(e.list) == 2 && e.list[0].kind <= text && e.list[0].text == key {
			return e.list[1]
		}
		if e.kind == word && e.text == key+":" && i+1 < len(t.list) {
			return t.list[i+1]
		}
	}
	return term{}
}

// parse reads the terms of a file, each with a period behind it (Erlang), or
// one (Elixir). It takes literals only, and returns what it read before an
// error.
func parse(data []byte, elixir bool) ([]term, error) {
	p := parser{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), elixir: elixir}
	var all []term
	for {
		p.blank()
		if p.i >= len(p.data) {
			return all, nil
		}
		t, err := p.term(0)
		if err != nil {
			return all, fmt.Errorf("line %d: %w", 1+bytes.Count(p.data[:min(p.i, len(p.data))], []byte("\n")), err)
		}
		all = append(all, t)
		p.blank()
		if p.i < len(p.data) && p.data[p.i] == '.' {
			p.i++
		}
	}
}

type parser struct {
	data   []byte
	i      int
	n      int
	elixir bool
}

func (p *parser) blank() {
	for p.i < len(p.data) {
		c := p.data[p.i]
		switch {
		case c <= ' ':
			p.i++
		case c == '%' && !p.elixir, c == '#' && p.elixir:
			n := bytes.IndexByte(p.data[p.i:], '\n')
			if n < 0 {
				n = len(p.data) - p.i
			}
			p.i += n
		default:
			return
		}
	}
}

var errEnd = errors.New("the file ends inside a term")

func (p *parser) at(s string) bool { return bytes.HasPrefix(p.data[p.i:], []byte(s)) }

func (p *parser) term(depth int) (term, error) {
	if depth > maxDepth {
		return term{}, fmt.Errorf("nested deeper than the limit of %d", maxDepth)
	}
	if p.n++; p.n > maxTerms {
		return term{}, fmt.Errorf("more than the limit of %d terms", maxTerms)
	}
	p.blank()
	if p.i >= len(p.data) {
		return term{}, errEnd
	}
	c := p.data[p.i]
	switch {
	case c == '{':
		p.i++
		return p.sequence(tuple, '}', depth)
	case c == '[':
		p.i++
		return p.sequence(list, ']', depth)
	case c == '#' && p.at("#{"), c == '%' && p.at("%{"):
		p.i += 2
		return p.sequence(list, '}', depth)
	case c == '<' && p.at("<<"):
		return p.binary(depth)
	case c == '"':
		s, err := p.quoted()
		for err == nil && !p.elixir { // strings side by side are one
			if p.blank(); p.i >= len(p.data) || p.data[p.i] != '"' {
				break
			}
			var more string
			more, err = p.quoted()
			s += more
		}
		kind := text
		if p.elixir && p.i < len(p.data) && p.data[p.i] == ':' && !p.at("::") { // "key": value
			p.i++
			s, kind = s+":", word
		}
		return term{kind: kind, text: s}, err
	case c == '\'':
		s, err := p.quoted()
		return term{kind: word, text: s}, err
	case c == ':' && p.elixir:
		p.i++
		if p.i < len(p.data) && p.data[p.i] == '"' {
			s, err := p.quoted()
			return term{kind: word, text: s}, err
		}
		return p.word()
	case c == '~' && p.elixir, c == '$', c == '-', c == '+', nameByte(c):
		return p.word()
	}
	return term{}, fmt.Errorf("unexpected %q", c)
}

func nameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '@' || c >= utf8.RuneSelf
}

// word reads an atom, a variable or a number; a key in Elixir keeps its colon.
func (p *parser) word() (term, error) {
	start := p.i
	if c := byteAt(p.data, p.i); c == '-' || c == '+' || c == '~' {
		p.i++
	} else if c == '$' { // a character
		p.i = min(p.i+2, len(p.data))
		return term{text: string(p.data[start:p.i])}, nil
	}
	number := byteAt(p.data, p.i) >= '0' && byteAt(p.data, p.i) <= '9'
	for p.i < len(p.data) {
		c := p.data[p.i]
		if !nameByte(c) && !(c == '#' && number) {
			digit := p.i+1 < len(p.data) && p.data[p.i+1] >= '0' && p.data[p.i+1] <= '9'
			if !(c == '.' && number && digit) && !(p.elixir && (c == '?' || c == '!')) {
				break
			}
		}
		p.i++
	}
	if p.i == start {
		return term{}, errEnd
	}
	if p.elixir && p.i < len(p.data) && p.data[p.i] == ':' {
		p.i++
	} else if p.elixir && p.i < len(p.data) && p.data[p.i] == '.' { // an alias: Elixir.Module
		for p.i < len(p.data) && (nameByte(p.data[p.i]) || p.data[p.i] == '.') {
			p.i++
		}
	}
	return term{text: string(p.data[start:p.i])}, nil
}

func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// sequence reads the elements up to the closing bracket. A function or
// anything else that is no literal is an error.
func (p *parser) sequence(kind termKind, end byte, depth int) (term, error) {
	t := term{kind: kind}
	for {
		p.blank()
		if p.i >= len(p.data) {
			return t, errEnd
		}
		switch c := p.data[p.i]; {
		case c == end:
			p.i++
			return t, nil
		case c == ',' || c == '|':
			p.i++
			continue
		case c == '=' && p.at("=>"), c == ':' && p.at(":="):
			p.i += 2
			continue
		}
		e, err := p.term(depth + 1)
		if err != nil {
			return t, err
		}
		t.list = append(t.list, e)
	}
}

// binary reads <<"text">>, <<"text"/utf8>> and <<1,2,3>>.
func (p *parser) binary(depth int) (term, error) {
	p.i += 2
	var b strings.Builder
	for {
		p.blank()
		switch {
		case p.i >= len(p.data):
			return term{}, errEnd
		case p.at(">>"):
			p.i += 2
			return term{kind: text, text: b.String()}, nil
		case p.data[p.i] == ',':
			p.i++
		case p.data[p.i] == '/' || p.data[p.i] == ':': // type or size of a segment
			p.i++
			if _, err := p.word(); err != nil {
				return term{}, err
			}
		default:
			t, err := p.term(depth + 1)
			if err != nil {
				return term{}, err
			}
			if n, err := strconv.ParseUint(t.text, 10, 8); t.kind == word && err == nil {
				b.WriteByte(byte(n))
			} else {
				b.WriteString(t.text)
			}
		}
	}
}

// quoted reads a string or a quoted atom with its escapes.
func (p *parser) quoted() (string, error) {
	quote := p.data[p.i]
	p.i++
	start := p.i
	for ; p.i < len(p.data); p.i++ {
		if c := p.data[p.i]; c == '\\' {
			p.i++
		} else if c == quote {
			raw := p.data[start:p.i]
			p.i++
			return unescape(raw), nil
		}
	}
	return "", errEnd
}

func unescape(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			b = append(b, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 's':
			b = append(b, ' ')
		case 'x': // \x{HEX} or two digits
			digits := raw[i+1:]
			if len(digits) > 0 && digits[0] == '{' {
				if end := bytes.IndexByte(digits, '}'); end > 0 {
					if r, err := strconv.ParseUint(string(digits[1:end]), 16, 32); err == nil {
						b = utf8.AppendRune(b, rune(r))
						i += end + 1
						continue
					}
				}
			} else if len(digits) >= 2 {
				if r, err := strconv.ParseUint(string(digits[:2]), 16, 8); err == nil {
					b = utf8.AppendRune(b, rune(r))
					i += 2
					continue
				}
			}
			b = append(b, c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
