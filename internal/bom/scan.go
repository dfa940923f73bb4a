package bom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// scanner reads JSON (RFC 8259) from a stream, value by value, driven by its
// caller. It differs from encoding/json in what hostile or broken documents
// meet: a key twice in one object, a value of the wrong type and too deep
// nesting are errors that name the place, and nothing is kept that nobody
// asked for. null stands for an absent value of any type.
type scanner struct {
	r        *bufio.Reader
	path     []step
	maxDepth int
	names    map[string]string // interned keys
	buf      []byte            // of the string being read
	rec      []byte            // of the value being recorded
	record   bool
}

// step is one step of the way to the value being read.
type step struct {
	key   string
	index int // of an array; -1 in an object
}

func newScanner(r *bufio.Reader, maxDepth int) *scanner {
	return &scanner{r: r, maxDepth: maxDepth, names: make(map[string]string)}
}

// where is the place of the current value: "components[3].purl".
func (s *scanner) where() string {
	var b strings.Builder
	for _, st := range s.path {
		switch {
		case st.index >= 0:
			fmt.Fprintf(&b, "[%d]", st.index)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			key := st.key
			if len(key) > 64 {
				key = key[:64] + "…"
			}
			b.WriteString(strings.ToValidUTF8(key, "\uFFFD"))
		}
		if b.Len() > 512 {
			b.WriteString("…")
			break
		}
	}
	if b.Len() == 0 {
		return "document"
	}
	return b.String()
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", s.where(), fmt.Errorf(format, args...))
}

// fail turns an error of the underlying reader into one that tells the place.
func (s *scanner) fail(err error) error {
	if errors.Is(err, io.EOF) {
		return s.errorf("the document ends too early")
	}
	return s.errorf("%w", err)
}

func (s *scanner) next() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil && s.record {
		s.rec = append(s.rec, c)
	}
	return c, err
}

func (s *scanner) back() {
	_ = s.r.UnreadByte() // only after a successful next
	if s.record {
		s.rec = s.rec[:len(s.rec)-1]
	}
}

// peek is the first byte of the next token, which stays unread.
func (s *scanner) peek() (byte, error) {
	for {
		c, err := s.next()
		if err != nil {
			return 0, s.fail(err)
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			s.back()
			return c, nil
		}
	}
}

// end makes sure that nothing follows the value.
func (s *scanner) end() error {
	for {
		c, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.fail(err)
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return errors.New("something follows the end of the document")
		}
	}
}

func kindOf(c byte) string {
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	}
	return strconv.QuoteRune(rune(c))
}

// open reads the first byte of a value of the wanted kind; ok is false for null.
func (s *scanner) open(want byte) (ok bool, err error) {
	c, err := s.peek()
	if err != nil {
		return false, err
	}
	if c == want {
		_, err := s.next()
		return true, err
	}
	if c == 'n' {
		return false, s.literal("null")
	}
	return false, s.errorf("want %s, found %s", kindOf(want), kindOf(c))
}

func (s *scanner) push(st step) error {
	if len(s.path) >= s.maxDepth {
		return s.errorf("%w", &LimitError{"levels of nesting", int64(s.maxDepth)})
	}
	s.path = append(s.path, st)
	return nil
}

// object calls field for each key of an object; field must read the value.
func (s *scanner) object(field func(key string) error) error {
	ok, err := s.open('{')
	if err != nil || !ok {
		return err
	}
	if err := s.push(step{index: -1}); err != nil {
		return err
	}
	top := len(s.path) - 1
	var few [16]string
	seen := few[:0]
	var many map[string]bool
	for first := true; ; first = false {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c == '}' && first {
			break
		}
		if c != '"' {
			return s.errorf("want a key, found %s", kindOf(c))
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		s.path[top].key = key
		double := many[key]
		if many == nil {
			for _, k := range seen {
				if k == key {
					double = true
				}
			}
			if seen = append(seen, key); len(seen) > 32 {
				many = make(map[string]bool, 64)
				for _, k := range seen {
					many[k] = true
				}
			}
		} else {
			many[key] = true
		}
		if double {
			return s.errorf("the key occurs twice")
		}
		if err := s.delimiter(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == '}' {
			break
		}
		if err := s.delimiter(','); err != nil {
			return err
		}
	}
	s.path = s.path[:top]
	_, err = s.next()
	return err
}

// array calls item for each element; item must read it.
func (s *scanner) array(item func(i int) error) error {
	ok, err := s.open('[')
	if err != nil || !ok {
		return err
	}
	if err := s.push(step{index: 0}); err != nil {
		return err
	}
	top := len(s.path) - 1
	for i := 0; ; i++ {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c == ']' && i == 0 {
			break
		}
		s.path[top].index = i
		if err := item(i); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == ']' {
			break
		}
		if err := s.delimiter(','); err != nil {
			return err
		}
	}
	s.path = s.path[:top]
	_, err = s.next()
	return err
}

func (s *scanner) delimiter(want byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != want {
		return s.errorf("want %q, found %q", want, c)
	}
	_, err = s.next()
	return err
}

// key reads an object's key, and gives equal keys one string.
func (s *scanner) key() (string, error) {
	if err := s.quoted(true); err != nil {
		return "", err
	}
	if k, ok := s.names[string(s.buf)]; ok {
		return k, nil
	}
	k := s.text()
	if len(s.names) < 1024 && len(k) < 64 {
		s.names[k] = k
	}
	return k, nil
}

// str reads a string; null is "".
func (s *scanner) str() (string, error) {
	c, err := s.peek()
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		err := s.quoted(true)
		return s.text(), err
	case 'n':
		return "", s.literal("null")
	}
	return "", s.errorf("want a string, found %s", kindOf(c))
}

// strTo reads a string into *p.
func (s *scanner) strTo(p *string) error {
	v, err := s.str()
	*p = v
	return err
}

// optional reads a string into *p, and skips a value of any other type.
func (s *scanner) optional(p *string) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c == '"' {
		return s.strTo(p)
	}
	return s.skip()
}

// strs reads an array of strings.
func (s *scanner) strs() ([]string, error) {
	var out []string
	err := s.array(func(int) error {
		v, err := s.str()
		out = append(out, v)
		return err
	})
	return out, err
}
