package binary

import "bytes"

// multi finds many literals in one pass over a text, by the algorithm of Wu
// and Manber (A fast algorithm for multi-pattern searching, 1994): the two
// bytes under the end of a window as long as the shortest literal say how far
// it may be moved on. Where literals are at least eight bytes long, most of
// the text is never looked at.
type multi struct {
	literals [][]byte
	window   int       // length of the shortest literal
	shift    []uint8   // by two bytes
	bucket   []uint16  // by two bytes: 1 + index of the first of chains, or 0
	next     []uint16  // chains of literals with the same end of the window
	first    [][2]byte // first two bytes of each literal
}

// minLiteral is the length of the shortest literal that the search accepts.
const minLiteral = 6

func newMulti(literals [][]byte) *multi {
	m := &multi{literals: literals, window: 1 << 10, shift: make([]uint8, 1<<16), bucket: make([]uint16, 1<<16), next: make([]uint16, len(literals)+1)}
	for _, l := range literals {
		m.window = min(m.window, len(l))
	}
	m.window = min(m.window, 255)
	for i := range m.shift {
		m.shift[i] = uint8(m.window - 1)
	}
	for i, l := range literals {
		for j := 0; j+2 <= m.window; j++ {
			k := pair(l, j)
			m.shift[k] = min(m.shift[k], uint8(m.window-2-j))
		}
		k := pair(l, m.window-2)
		m.next[i+1] = m.bucket[k]
		m.bucket[k] = uint16(i + 1)
		m.first = append(m.first, [2]byte{l[0], l[1]})
	}
	return m
}

func pair(b []byte, i int) int { return int(b[i]) | int(b[i+1])<<8 }

// each calls found with every occurrence of a literal in text, in order of
// place, until it returns false.
func (m *multi) each(text []byte, found func(literal, at int) bool) {
	if len(m.literals) == 0 {
		return
	}
	shift := m.shift
	if len(shift) < 1<<16 {
		return
	}
	for end := m.window - 2; end+1 < len(text); {
		k := int(text[end]) | int(text[end+1])<<8
		if s := shift[k&0xffff]; s != 0 {
			end += int(s)
			continue
		}
		start := end - (m.window - 2)
		for i := m.bucket[k]; i != 0; i = m.next[i] {
			if f := m.first[i-1]; text[start] == f[0] && text[start+1] == f[1] && bytes.HasPrefix(text[start:], m.literals[i-1]) {
				if !found(int(i-1), start) {
					return
				}
			}
		}
		end++
	}
}
