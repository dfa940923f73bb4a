package content

import (
	"regexp/syntax"
	"strings"
	"unicode"
)

// A set of literals is worth looking for when it has at most maxLiterals, none
// shorter than minLiteral.
const (
	maxLiterals = 16
	minLiteral  = 3
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
