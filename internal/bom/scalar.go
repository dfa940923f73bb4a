package bom

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (s *scanner) text() string {
	if !utf8.Valid(s.buf) {
		return strings.ToValidUTF8(string(s.buf), "\uFFFD")
	}
	return string(s.buf)
}

// quoted reads a string; with keep its content is in s.buf afterwards.
func (s *scanner) quoted(keep bool) error {
	if _, err := s.next(); err != nil { // the quote
		return s.fail(err)
	}
	s.buf = s.buf[:0]
	for {
		// All of the buffer up to the next special byte at once.
		if n := s.r.Buffered(); n > 0 {
			chunk, _ := s.r.Peek(n)
			i := 0
			for i < len(chunk) && chunk[i] != '"' && chunk[i] != '\\' && chunk[i] >= ' ' {
				i++
			}
			if keep {
				s.buf = append(s.buf, chunk[:i]...)
			}
			if s.record {
				s.rec = append(s.rec, chunk[:i]...)
			}
			_, _ = s.r.Discard(i) // is buffered
		}
		c, err := s.next()
		if err != nil {
			return s.fail(err)
		}
		switch {
		case c == '"':
			return nil
		case c == '\\':
			if err := s.escape(keep); err != nil {
				return err
			}
		case c < ' ':
			return s.errorf("control character %#x in a string", c)
		case keep:
			s.buf = append(s.buf, c)
		}
	}
}

func (s *scanner) escape(keep bool) error {
	c, err := s.next()
	if err != nil {
		return s.fail(err)
	}
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, err := s.hex4()
		if err != nil {
			return err
		}
		if high := r; utf16.IsSurrogate(high) {
			r = utf8.RuneError
			// The second half of a pair follows at once, or there is none.
			if next, err := s.r.Peek(6); err == nil && next[0] == '\\' && next[1] == 'u' {
				low, err := strconv.ParseUint(string(next[2:]), 16, 32)
				if pair := utf16.DecodeRune(high, rune(low)); err == nil && pair != utf8.RuneError {
					r = pair
					for range 6 {
						if _, err := s.next(); err != nil {
							return s.fail(err)
						}
					}
				}
			}
		}
		if keep {
			s.buf = utf8.AppendRune(s.buf, r)
		}
		return nil
	default:
		return s.errorf("unknown escape %q in a string", c)
	}
	if keep {
		s.buf = append(s.buf, c)
	}
	return nil
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		c, err := s.next()
		if err != nil {
			return 0, s.fail(err)
		}
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.errorf("broken \\u escape in a string")
		}
		r = r<<4 | rune(c)
	}
	return r, nil
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		c, err := s.next()
		if err != nil {
			return s.fail(err)
		}
		if c != word[i] {
			return s.errorf("want %s, found %q", word, word[:i]+string(rune(c)))
		}
	}
	return nil
}

// number reads a number as it is written.
func (s *scanner) number() (string, error) {
	s.buf = s.buf[:0]
	for {
		c, err := s.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return "", s.fail(err)
		}
		if err != nil {
			break
		}
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			s.back()
			break
		}
		if s.buf = append(s.buf, c); len(s.buf) > 1024 {
			return "", s.errorf("%w", &LimitError{"bytes in a number", 1024})
		}
	}
	if !validNumber(s.buf) {
		return "", s.errorf("%.40q is not a number", s.buf)
	}
	return string(s.buf), nil
}

// validNumber: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func validNumber(b []byte) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(b)
}

// integer reads a whole number; null is 0.
func (s *scanner) integer() (int64, error) {
	c, err := s.peek()
	if err != nil {
		return 0, err
	}
	switch {
	case c == 'n':
		return 0, s.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		text, err := s.number()
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, s.errorf("%.40s is not a whole number of 64 bits", text)
		}
		return n, nil
	}
	return 0, s.errorf("want a number, found %s", kindOf(c))
}

// skip reads a value and forgets it.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.array(func(int) error { return s.skip() })
	case '"':
		return s.quoted(false)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	if c == '-' || c >= '0' && c <= '9' {
		_, err := s.number()
		return err
	}
	return s.errorf("want a value, found %s", kindOf(c))
}

// raw reads a value as it is written. The bytes are valid until the next raw.
func (s *scanner) raw() ([]byte, error) {
	s.rec, s.record = s.rec[:0], true
	err := s.skip()
	s.record = false
	return s.rec, err
}
