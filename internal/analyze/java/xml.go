package java

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlScanner reads the elements of an XML document one after another: enough
// for a pom.xml, and many times the speed of encoding/xml. It knows neither
// attributes nor entities of a document type; namespace prefixes are dropped.
type xmlScanner struct {
	b      []byte
	closed bool // the element just begun was <empty/>: its end comes next
	name   string
}

var errXML = errors.New("broken XML")

type xmlToken int

const (
	xmlEnd   xmlToken = iota // end of an element
	xmlStart                 // start of an element: name
	xmlText                  // text
	xmlEOF
)

// next returns the next token; text is raw, with its entities.
func (s *xmlScanner) next() (tok xmlToken, text []byte, cdata bool, err error) {
	if s.closed {
		s.closed = false
		return xmlEnd, nil, false, nil
	}
	for {
		if len(s.b) == 0 {
			return xmlEOF, nil, false, nil
		}
		i := bytes.IndexByte(s.b, '<')
		if i < 0 {
			i = len(s.b)
		}
		if i > 0 {
			text, s.b = s.b[:i], s.b[i:]
			return xmlText, text, false, nil
		}
		switch {
		case bytes.HasPrefix(s.b, []byte("<!--")):
			if err := s.skipTo(4, "-->"); err != nil {
				return 0, nil, false, err
			}
		case bytes.HasPrefix(s.b, []byte("<![CDATA[")):
			rest := s.b[9:]
			i := bytes.Index(rest, []byte("]]>"))
			if i < 0 {
				return 0, nil, false, errXML
			}
			s.b = rest[i+3:]
			return xmlText, rest[:i], true, nil
		case bytes.HasPrefix(s.b, []byte("<?")):
			if err := s.skipTo(2, "?>"); err != nil {
				return 0, nil, false, err
			}
		case bytes.HasPrefix(s.b, []byte("<!")):
			if err := s.skipDoctype(); err != nil {
				return 0, nil, false, err
			}
		case bytes.HasPrefix(s.b, []byte("</")):
			i := bytes.IndexByte(s.b, '>')
			if i < 0 {
				return 0, nil, false, errXML
			}
			s.b = s.b[i+1:]
			return xmlEnd, nil, false, nil
		default:
			return s.start()
		}
	}
}

func (s *xmlScanner) skipTo(from int, mark string) error {
	i := bytes.Index(s.b[from:], []byte(mark))
	if i < 0 {
		return errXML
	}
	s.b = s.b[from+i+len(mark):]
	return nil
}

func (s *xmlScanner) skipDoctype() error {
	depth := 0
	for i, c := range s.b {
		switch c {
		case '<', '[':
			depth++
		case ']':
			depth--
		case '>':
			if depth--; depth <= 0 {
				s.b = s.b[i+1:]
				return nil
			}
		}
	}
	return errXML
}

func (s *xmlScanner) start() (xmlToken, []byte, bool, error) {
	quote := byte(0)
	for i := 1; i < len(s.b); i++ {
		c := s.b[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			tag := s.b[1:i]
			s.b = s.b[i+1:]
			if n := len(tag); n > 0 && tag[n-1] == '/' {
				s.closed, tag = true, tag[:n-1]
			}
			if j := bytes.IndexAny(tag, " \t\r\n/"); j >= 0 {
				tag = tag[:j]
			}
			if j := bytes.IndexByte(tag, ':'); j >= 0 {
				tag = tag[j+1:]
			}
			if len(tag) == 0 || len(tag) > maxValue {
				return 0, nil, false, errXML
			}
			s.name = string(tag)
			return xmlStart, nil, false, nil
		}
	}
	return 0, nil, false, errXML
}

// skip passes over the rest of the element just begun.
func (s *xmlScanner) skip() error {
	for depth := 1; depth > 0; {
		tok, _, _, err := s.next()
		if err != nil {
			return err
		}
		switch tok {
		case xmlStart:
			depth++
		case xmlEnd:
			depth--
		case xmlEOF:
			return errXML
		}
	}
	return nil
}

// text returns the text of the element just begun and passes its end;
// elements inside are passed over.
func (s *xmlScanner) text() (string, error) {
	var out []byte
	for {
		tok, t, cdata, err := s.next()
		if err != nil {
			return "", err
		}
		switch tok {
		case xmlStart:
			if err := s.skip(); err != nil {
				return "", err
			}
		case xmlEnd:
			return cleanText(out), nil
		case xmlEOF:
			return "", errXML
		case xmlText:
			if len(out)+len(t) > 64<<10 {
				return "", &limitError{"length of a text", 64 << 10}
			}
			if cdata || bytes.IndexByte(t, '&') < 0 {
				out = append(out, t...)
			} else {
				out = appendEntities(out, t)
			}
		}
	}
}

// children calls fn for each element inside the one just begun; fn must pass
// its end, by text, skip or children.
func (s *xmlScanner) children(fn func(name string) error) error {
	for {
		tok, _, _, err := s.next()
		if err != nil {
			return err
		}
		switch tok {
		case xmlStart:
			if err := fn(s.name); err != nil {
				return err
			}
		case xmlEnd:
			return nil
		case xmlEOF:
			return errXML
		}
	}
}

func appendEntities(out, t []byte) []byte {
	for len(t) > 0 {
		i := bytes.IndexByte(t, '&')
		if i < 0 {
			return append(out, t...)
		}
		out = append(out, t[:i]...)
		t = t[i:]
		end := bytes.IndexByte(t[:min(len(t), 12)], ';')
		if end < 0 {
			out, t = append(out, '&'), t[1:]
			continue
		}
		switch name := string(t[1:end]); name {
		case "lt":
			out = append(out, '<')
		case "gt":
			out = append(out, '>')
		case "amp":
			out = append(out, '&')
		case "quot":
			out = append(out, '"')
		case "apos":
			out = append(out, '\'')
		default:
			r, ok := charRef(name)
			if !ok {
				out = append(out, t[:end+1]...)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
		t = t[end+1:]
	}
	return out
}

func charRef(name string) (rune, bool) {
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if d, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = d, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, false
	}
	return rune(n), true
}
