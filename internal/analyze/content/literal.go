package content

import (
	"encoding/binary"
	"regexp/syntax"
	"strings"
	"unicode"
)

// A set of literals is worth looking for when it has at most maxLiterals, none
// shorter than minLiteral.
const (
	maxLiterals = 16
	minLiteral  = 4
)

// required returns literals in lower case of which every text that the
// expression matches contains one; nil where none are known.
func required(re *syntax.Regexp) [][]byte {
	best := best(re)
	if len(best) == 0 || shortest(best) < minLiteral {
		return nil
	}
	var out [][]byte
	for _, l := range best {
		if strings.ContainsRune(l, '\n') {
			return nil
		}
		out = append(out, []byte(l))
	}
	return out
}

// exactly returns the texts that an expression matches, in lower case, where
// these are few.
func exactly(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpBeginLine, syntax.OpEndText, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r > unicode.MaxASCII {
				return nil, false
			}
		}
		return []string{strings.ToLower(string(re.Rune))}, true
	case syntax.OpCharClass:
		var out []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if r > unicode.MaxASCII || len(out) >= maxLiterals {
					return nil, false
				}
				out = append(out, strings.ToLower(string(r)))
			}
		}
		return distinct(out), len(out) > 0
	case syntax.OpCapture:
		return exactly(re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			s, ok := exactly(sub)
			if !ok || len(out)+len(s) > maxLiterals {
				return nil, false
			}
			out = append(out, s...)
		}
		return distinct(out), true
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			s, ok := exactly(sub)
			if ok {
				out, ok = cross(out, s)
			}
			if !ok {
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

func cross(a, b []string) ([]string, bool) {
	if len(a)*len(b) > maxLiterals {
		return nil, false
	}
	var out []string
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return distinct(out), true
}

func distinct(list []string) []string {
	seen := map[string]bool{}
	out := list[:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// best returns the most telling set of literals of which one must occur.
func best(re *syntax.Regexp) []string {
	if s, ok := exactly(re); ok {
		return s
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return best(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return best(re.Sub[0])
		}
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			s := best(sub)
			if len(s) == 0 || shortest(s) == 0 || len(out)+len(s) > maxLiterals {
				return nil
			}
			out = append(out, s...)
		}
		return distinct(out)
	case syntax.OpConcat:
		var found []string
		take := func(s []string) {
			if len(s) > 0 && (found == nil || shortest(s) > shortest(found)) {
				found = s
			}
		}
		run := []string{""} // what the parts just passed match
		for _, sub := range re.Sub {
			s, ok := exactly(sub)
			if ok {
				if longer, fits := cross(run, s); fits {
					run = longer
					continue
				}
				take(run)
				run = s
				continue
			}
			take(run)
			run = []string{""}
			take(best(sub))
		}
		take(run)
		return found
	}
	return nil
}

func shortest(list []string) int {
	n := len(list[0])
	for _, s := range list[1:] {
		n = min(n, len(s))
	}
	return n
}

// literals finds the literals of many expressions in one pass over a text,
// whatever the case of its letters. A table says for a hash of any four bytes
// whether a literal may have them at the place that makes it out.
type literals struct {
	table   [1 << 10]uint64
	anchors map[uint32][]anchor // by the four bytes, folded
	all     bool                // every expression has literals
}

// anchor is a place in a literal.
type anchor struct {
	expression int
	literal    []byte
	at         int
}

// fold makes the case of letters equal in four bytes; of other characters it
// may make some equal.
const fold = 0x20202020

func hash(gram uint32) uint32 { return gram * 0x9e3779b1 >> 16 }

func newLiterals(list []*expression) *literals {
	l := &literals{anchors: map[uint32][]anchor{}, all: true}
	for i, e := range list {
		l.all = l.all && len(e.literals) > 0
		for _, literal := range e.literals {
			at := rarest(literal)
			gram := binary.LittleEndian.Uint32(literal[at:]) | fold
			l.anchors[gram] = append(l.anchors[gram], anchor{i, literal, at})
			h := hash(gram)
			l.table[h>>6] |= 1 << (h & 63)
		}
	}
	return l
}

// rarest is where the four bytes of a literal begin that ordinary text has
// least of: letters are weighed by how frequent they are in it.
func rarest(literal []byte) int {
	const frequent = "zqxjkvbywgpfmucdlhrsnioate"
	weight := func(c byte) int {
		if i := strings.IndexByte(frequent, c); i >= 0 {
			return i
		}
		if c == ' ' {
			return 2 * len(frequent)
		}
		return 8
	}
	best, least := 0, 1<<30
	for at := 0; at+4 <= len(literal); at++ {
		sum := 0
		for _, c := range literal[at : at+4] {
			sum += weight(c)
		}
		if sum < least {
			best, least = at, sum
		}
	}
	return best
}

// find calls visit with the index of an expression and where one of its
// literals has its anchor, in order of place.
func (l *literals) find(text []byte, visit func(expression, pos int)) {
	if len(l.anchors) == 0 {
		return
	}
	i := 0
	// Four places at a time: no look-up depends on another.
	for rest := text; len(rest) >= 8; rest, i = rest[4:], i+4 {
		v := binary.LittleEndian.Uint64(rest) | fold<<32 | fold
		a, b, c, d := hash(uint32(v)), hash(uint32(v>>8)), hash(uint32(v>>16)), hash(uint32(v>>24))
		if (l.table[a>>6]>>(a&63)|l.table[b>>6]>>(b&63)|l.table[c>>6]>>(c&63)|l.table[d>>6]>>(d&63))&1 == 0 {
			continue
		}
		for k := range 4 {
			l.compare(uint32(v>>(8*k)), text, i+k, visit)
		}
	}
	for ; i+4 <= len(text); i++ {
		l.compare(binary.LittleEndian.Uint32(text[i:])|fold, text, i, visit)
	}
}

// compare looks whether literals have their anchor at i.
func (l *literals) compare(gram uint32, text []byte, i int, visit func(expression, pos int)) {
	if h := hash(gram); l.table[h>>6]>>(h&63)&1 == 0 {
		return
	}
	for _, a := range l.anchors[gram] {
		if start := i - a.at; start >= 0 && equalFold(text[start:], a.literal) {
			visit(a.expression, i)
		}
	}
}

// equalFold reports whether text begins with a literal in lower case.
func equalFold(text, literal []byte) bool {
	if len(text) < len(literal) {
		return false
	}
	for i, c := range literal {
		t := text[i]
		if t-'A' < 26 {
			t += 'a' - 'A'
		}
		if t != c {
			return false
		}
	}
	return true
}
