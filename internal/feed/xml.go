package feed

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// XMLLimits bound an XML text. A field that is zero has the default named
// beside it.
type XMLLimits struct {
	Depth      int   // of elements; 200
	Tokens     int64 // elements, texts and comments in all; 2^32
	Attributes int   // of one element; 1000
	Token      int64 // bytes of one token; 64 MiB
}

// NewXMLDecoder returns a decoder that is strict, knows no entities but XML's
// five, refuses a document type that declares any, reads UTF-8, US-ASCII,
// ISO-8859-1, ISO-8859-15 and windows-1252, and holds to the limits with an
// error that names the one exceeded. Its InputOffset says nothing.
func NewXMLDecoder(r io.Reader, l XMLLimits) *xml.Decoder {
	if l.Depth == 0 {
		l.Depth = 200
	}
	if l.Tokens == 0 {
		l.Tokens = 1 << 32
	}
	if l.Attributes == 0 {
		l.Attributes = 1000
	}
	if l.Token == 0 {
		l.Token = MaxRecord
	}
	t := &xmlTokens{limits: l, in: &tokenBudget{r: r, most: l.Token}}
	t.d = xml.NewDecoder(t.in)
	t.d.CharsetReader = charsetReader
	return xml.NewTokenDecoder(t)
}

// xmlTokens hands raw tokens over; the decoder above it matches tags and
// resolves name spaces.
type xmlTokens struct {
	d      *xml.Decoder
	in     *tokenBudget
	limits XMLLimits
	depth  int
	tokens int64
	err    error
}

func (x *xmlTokens) Token() (xml.Token, error) {
	if x.err != nil {
		return nil, x.err
	}
	t, err := x.d.RawToken()
	if err == nil {
		err = x.check(t)
	}
	if err != nil && err != io.EOF {
		line, _ := x.d.InputPos()
		if !strings.Contains(err.Error(), "line ") {
			err = fmt.Errorf("XML, line %d: %w", line, err)
		}
	}
	if x.err = err; err != nil {
		return nil, err
	}
	x.in.used = 0
	return t, nil
}

func (x *xmlTokens) check(t xml.Token) error {
	if x.tokens++; x.tokens > x.limits.Tokens {
		return &LimitError{"the document", "XML tokens", x.limits.Tokens}
	}
	switch t := t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > x.limits.Depth {
			return &LimitError{"the document", "nested XML elements", int64(x.limits.Depth)}
		}
		if len(t.Attr) > x.limits.Attributes {
			return &LimitError{"<" + t.Name.Local + ">", "XML attributes", int64(x.limits.Attributes)}
		}
	case xml.EndElement:
		x.depth--
	case xml.Directive:
		if bytes.Contains(bytes.ToUpper(t), []byte("<!ENTITY")) {
			return fmt.Errorf("its document type declares entities, which are not expanded")
		}
	}
	return nil
}

// tokenBudget bounds what is read for one token.
type tokenBudget struct {
	r    io.Reader
	used int64
	most int64
}

func (b *tokenBudget) Read(p []byte) (int, error) {
	if b.used > b.most {
		return 0, &LimitError{"a text or tag", "bytes", b.most}
	}
	n, err := b.r.Read(p)
	b.used += int64(n)
	return n, err
}

// charsetReader reads single-byte encodings.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	var table map[byte]rune
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1", "latin-1":
	case "iso-8859-15", "latin-9":
		table = map[byte]rune{0xa4: '€', 0xa6: 'Š', 0xa8: 'š', 0xb4: 'Ž', 0xb8: 'ž', 0xbc: 'Œ', 0xbd: 'œ', 0xbe: 'Ÿ'}
	case "windows-1252", "cp1252":
		table = map[byte]rune{}
		for i, c := range []rune("€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ") {
			table[byte(0x80+i)] = c
		}
	default:
		return nil, fmt.Errorf("the encoding %q is not known", charset)
	}
	return &singleByte{r: r, table: table}, nil
}

type singleByte struct {
	r     io.Reader
	table map[byte]rune
	in    [1024]byte
	out   []byte
}

func (s *singleByte) Read(p []byte) (int, error) {
	if len(s.out) == 0 {
		n, err := s.r.Read(s.in[:])
		if n == 0 {
			return 0, err
		}
		s.out = s.out[:0]
		for _, c := range s.in[:n] {
			r, ok := s.table[c]
			if !ok {
				r = rune(c)
			}
			s.out = append(s.out, string(r)...)
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}
