package node

import (
	"bufio"
	"io"
)

// plainReader leaves comments out of a JSON text, and commas before a closing
// bracket.
type plainReader struct {
	r       *bufio.Reader
	quoted  bool // inside a string
	escaped bool // after a backslash in one
	comma   bool // a comma waits for what follows
	held    byte // a byte that a waiting comma goes before; 0: none
}

func newPlainReader(r io.Reader) *plainReader { return &plainReader{r: bufio.NewReaderSize(r, 64<<10)} }

// Read implements io.Reader.
func (p *plainReader) Read(b []byte) (n int, err error) {
	for n < len(b) {
		c, err := p.next()
		if err != nil {
			if n > 0 && err == io.EOF {
				return n, nil
			}
			return n, err
		}
		b[n] = c
		n++
	}
	return n, nil
}

func (p *plainReader) next() (byte, error) {
	if c := p.held; c != 0 {
		p.held = 0
		p.quoted = c == '"'
		return c, nil
	}
	for {
		c, err := p.r.ReadByte()
		if err != nil {
			if p.comma && err == io.EOF {
				p.comma = false
				return ',', nil
			}
			return 0, err
		}
		if p.quoted {
			p.quoted = c != '"' || p.escaped
			p.escaped = c == '\\' && !p.escaped
			return c, nil
		}
		switch c {
		case '/':
			if c = p.comment(); c != '/' {
				continue
			}
		case ' ', '\t', '\n', '\r':
			if p.comma {
				continue
			}
			return c, nil
		case ',':
			if p.comma {
				return ',', nil // two of them; the reader behind this one will say so
			}
			p.comma = true
			continue
		case ']', '}':
			p.comma = false
		}
		if p.comma {
			p.comma, p.held = false, c
			return ',', nil
		}
		p.quoted = c == '"'
		return c, nil
	}
}

// comment passes over a comment whose first byte was read, and returns a
// blank; or that byte, if it begins none.
func (p *plainReader) comment() byte {
	c, err := p.r.ReadByte()
	switch {
	case err != nil:
		return '/'
	case c == '/':
		for err == nil && c != '\n' {
			c, err = p.r.ReadByte()
		}
		return ' '
	case c == '*':
		for last := byte(0); err == nil; last = c {
			if c, err = p.r.ReadByte(); last == '*' && c == '/' {
				break
			}
		}
		return ' '
	}
	_ = p.r.UnreadByte()
	return '/'
}
