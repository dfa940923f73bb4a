package secret

import (
	"encoding/binary"
	"slices"
)

// search finds many literals in one pass over a text, whatever the case of
// its letters. Four bytes of every literal, the rarest in ordinary text, are
// its anchor; a table says for a hash of any four bytes whether they may be
// an anchor. The text is looked up byte by byte, but no step depends on the
// one before, so that the processor works on many at once; only what passes
// is compared. The table is large so that little else passes.
type search struct {
	literals []literal
	maybe    [1 << maybeBits]uint8
	bucket   [1 << bucketBits]uint16 // 1 + index of the first of a chain, or 0
	next     []uint16                // chains of literals with one hash
}

type literal struct {
	text  string // in lower case
	at    int    // of the anchor within text
	gram  uint32 // the anchor, folded
	owner int    // what the caller calls it
	skip  int    // bytes at its start that do not belong to it
}

const (
	maybeBits  = 18
	bucketBits = 12
	foldMask   = 0x20202020 // makes letters lower case; what it does to others is undone by comparing

	minLiteral = 4
)

func hash4(v uint32) uint32 { return (v * 0x9e3779b1) >> (32 - maybeBits) }

// newSearch makes a search for literals of at least minLiteral bytes.
func newSearch(literals []literal) *search {
	s := &search{literals: literals, next: make([]uint16, len(literals)+1)}
	for i := range literals {
		l := &literals[i]
		l.at = anchor(l.text)
		l.gram = binary.LittleEndian.Uint32([]byte(l.text[l.at:l.at+4])) | foldMask
		h := hash4(l.gram)
		s.maybe[h] = 1
		h >>= maybeBits - bucketBits
		s.next[i+1] = s.bucket[h]
		s.bucket[h] = uint16(i + 1)
	}
	return s
}

// common is what ordinary text and source code are mostly made of, the most
// frequent first. Blanks, quotes and what rules are drawn with come in runs.
const common = " -\":'=_/.,;(){}*#etaoinrslcdupmhfgbywvk01x23j4z45q67q89"

// anchor returns the place of the four bytes of text that are likely the
// rarest.
func anchor(text string) int {
	best, at := -1, 0
	for i := 0; i+4 <= len(text); i++ {
		score := 0
		for _, c := range []byte(text[i : i+4]) {
			n := slices.Index([]byte(common), c)
			if n < 0 {
				n = len(common)
			}
			score += n
		}
		if score > best {
			best, at = score, i
		}
	}
	return at
}

// each calls found with every occurrence of a literal in text, in order of
// its anchor, until it returns false.
func (s *search) each(text []byte, found func(literal, at int) bool) {
	if len(s.literals) == 0 {
		return
	}
	maybe := &s.maybe
	rest := text
	for ; len(rest) >= 8; rest = rest[4:] {
		v := binary.LittleEndian.Uint64(rest) | foldMask<<32 | foldMask
		a, b, c, d := hash4(uint32(v)), hash4(uint32(v>>8)), hash4(uint32(v>>16)), hash4(uint32(v>>24))
		if maybe[a]|maybe[b]|maybe[c]|maybe[d] == 0 {
			continue
		}
		for k := range 4 {
			if v := uint32(v >> (8 * k)); maybe[hash4(v)] != 0 && !s.compare(text, len(text)-len(rest)+k, v, found) {
				return
			}
		}
	}
	for ; len(rest) >= 4; rest = rest[1:] {
		v := binary.LittleEndian.Uint32(rest) | foldMask
		if maybe[hash4(v)] != 0 && !s.compare(text, len(text)-len(rest), v, found) {
			return
		}
	}
}

// compare looks for the literals whose anchor may be at i.
func (s *search) compare(text []byte, i int, gram uint32, found func(literal, at int) bool) bool {
	for n := s.bucket[hash4(gram)>>(maybeBits-bucketBits)]; n != 0; n = s.next[n] {
		l := &s.literals[n-1]
		start := i - l.at
		if l.gram != gram || start < 0 || start+len(l.text) > len(text) || !equalFold(text[start:start+len(l.text)], l.text) {
			continue
		}
		if !found(l.owner, start+l.skip) {
			return false
		}
	}
	return true
}

// equalFold compares b with a text of lower case letters.
func equalFold(b []byte, lower string) bool {
	for i, c := range b {
		if lower[i] != c && lower[i] != lowerByte(c) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
