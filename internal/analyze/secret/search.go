package secret

import (
	_ "embed" // the frequent grams
	"encoding/binary"
	"strings"
	"sync"
)

//go:embed grams.txt
var gramsText string

// frequent are the grams, four bytes with foldMask, that source code and
// configuration in JavaScript, Python, Ruby, Perl and XML are mostly made of,
// the most frequent first: counted in the packages of a distribution. Good
// anchors are none of them and share the hash of none.
var frequent = sync.OnceValue(func() map[uint32]int {
	m := map[uint32]int{}
	for i := 0; i+4 < len(gramsText); i += 4 {
		m[binary.LittleEndian.Uint32([]byte(gramsText[i:i+4]))] = i / 4
	}
	return m
})

// search finds many literals in one pass over a text, whatever the case of
// its letters. Four bytes of every literal, the rarest in ordinary text, are
// its anchor; a table says for a hash of any four bytes whether they may be
// an anchor. The text is looked up byte by byte, but no step depends on the
// one before, so that the processor works on many at once; only what passes
// is compared. The table is large so that little else passes.
type search struct {
	literals []literal
	factor   uint32 // of the hash
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

// hash4 is multiplicative hashing, which needs an odd factor.
func hash4(v, factor uint32) uint32 { return (v * factor) >> (32 - maybeBits) }

// newSearch makes a search for literals of at least minLiteral bytes.
func newSearch(literals []literal) *search {
	s := &search{literals: literals, next: make([]uint16, len(literals)+1)}
	for i := range literals {
		l := &literals[i]
		l.at, l.gram = anchor(l.text)
	}
	s.factor = s.bestFactor()
	for i := range literals {
		h := hash4(literals[i].gram, s.factor)
		s.maybe[h] = 1
		h >>= maybeBits - bucketBits
		s.next[i+1] = s.bucket[h]
		s.bucket[h] = uint16(i + 1)
	}
	return s
}

// bestFactor tries some factors and returns that by which the fewest frequent
// grams share the hash of an anchor.
func (s *search) bestFactor() uint32 {
	best, least := uint32(0), -1
	used := make([]uint64, 1<<maybeBits/64)
	for n, f := 0, uint32(0x9e3779b1); n < 16; n, f = n+1, f*0x85ebca6b {
		clear(used)
		for i := range s.literals {
			h := hash4(s.literals[i].gram, f)
			used[h/64] |= 1 << (h % 64)
		}
		cost := 0
		for g, rank := range frequent() {
			if h := hash4(g, f); used[h/64]>>(h%64)&1 != 0 {
				cost += 1_000_000 / (rank + 20)
			}
		}
		if least < 0 || cost < least {
			best, least = f, cost
		}
	}
	return best
}

// common is what ordinary text is mostly made of, the most frequent first.
// Blanks, quotes and what rules are drawn with come in runs.
const common = " -\":'=_/.,;(){}*#etaoinrslcdupmhfgbywvk01x23j4z45q67q89"

// anchor returns the place of the four bytes of text that are likely the
// rarest, and these.
func anchor(text string) (at int, gram uint32) {
	best := -1
	for i := 0; i+4 <= len(text); i++ {
		g := binary.LittleEndian.Uint32([]byte(text[i:i+4])) | foldMask
		score := 1
		for _, c := range []byte(text[i : i+4]) {
			if n := strings.IndexByte(common, c); n >= 0 {
				score += n
			} else {
				score += len(common)
			}
		}
		if rank, ok := frequent()[g]; ok {
			score = 0
			if rank > len(frequent())/2 {
				score = 1
			}
		}
		if score > best {
			best, at, gram = score, i, g
		}
	}
	return at, gram
}

// each calls found with every occurrence of a literal in text, in order of
// its anchor, until it returns false.
func (s *search) each(text []byte, found func(literal, at int) bool) {
	if len(s.literals) == 0 {
		return
	}
	maybe, factor := &s.maybe, s.factor
	rest := text
	for ; len(rest) >= 8; rest = rest[4:] {
		v := binary.LittleEndian.Uint64(rest) | foldMask<<32 | foldMask
		a, b, c, d := hash4(uint32(v), factor), hash4(uint32(v>>8), factor), hash4(uint32(v>>16), factor), hash4(uint32(v>>24), factor)
		if maybe[a]|maybe[b]|maybe[c]|maybe[d] == 0 {
			continue
		}
		for k := range 4 {
			if v := uint32(v >> (8 * k)); maybe[hash4(v, factor)] != 0 && !s.compare(text, len(text)-len(rest)+k, v, found) {
				return
			}
		}
	}
	for ; len(rest) >= 4; rest = rest[1:] {
		v := binary.LittleEndian.Uint32(rest) | foldMask
		if maybe[hash4(v, factor)] != 0 && !s.compare(text, len(text)-len(rest), v, found) {
			return
		}
	}
}

// compare looks for the literals whose anchor may be at i.
func (s *search) compare(text []byte, i int, gram uint32, found func(literal, at int) bool) bool {
	for n := s.bucket[hash4(gram, s.factor)>>(maybeBits-bucketBits)]; n != 0; n = s.next[n] {
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
