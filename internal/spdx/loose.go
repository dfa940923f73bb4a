package spdx

import "strings"

// A statement of several licences in anybody's words is a list of names with
// operators between them. Which "or" is an operator and which is part of a
// name ("GPL 2 or later") is tried out: first the whole is looked up as one
// name, then it is cut at the weakest operator and the parts are read alike.

// readLoose reads a statement; nil means that it says nothing. ok is false
// when a part was not understood.
func readLoose(s string) (n *node, ok bool) {
	l := loose{names: maxNames}
	n = l.read(s, 0)
	return n, !l.failed
}

type loose struct {
	names  int  // how many more names may be read
	failed bool // a part became a LicenseRef
}

func (l *loose) fail(s string) *node {
	l.failed = true
	return &node{id: Ref(s)}
}

func leafExpr(expr string) *node {
	e, err := Parse(expr)
	if err != nil {
		return nil
	}
	return e.root
}

func (l *loose) read(s string, depth int) *node {
	s = trimName(s)
	if s == "" {
		return nil
	}
	if depth > MaxDepth || l.names <= 0 {
		l.names = 0
		return l.fail(s)
	}
	if e := lookup(s); e != "" {
		l.names--
		return leafExpr(e)
	}
	if expr, err := Parse(s); err == nil && len(expr.Unknown()) == 0 {
		l.names -= len(expr.Licenses())
		return expr.Modern().root
	}
	if n := l.version(s); n != nil {
		l.names--
		return n
	}
	if strings.Contains(s, "://") && !strings.Contains(s, " ") {
		l.names--
		return l.fail(s) // an address; its slashes divide nothing
	}
	parts, ops := splitTop(s)
	if len(parts) > 1 {
		return l.join(parts, ops, depth)
	}
	if inner, ok := wrapped(s); ok {
		return l.read(inner, depth+1)
	}
	l.names--
	if n := l.with(s); n != nil {
		return n
	}
	if n := l.blanks(s); n != nil {
		return n
	}
	return l.fail(s)
}

// trimName removes blanks and what surrounds a name without belonging to it.
func trimName(s string) string {
	for {
		t := strings.Trim(s, " \t\r\n,;|&\"'`")
		if rest, ok := cutPrefixFold(t, "and "); ok {
			t = rest
		} else if rest, ok := cutPrefixFold(t, "or "); ok {
			t = rest
		} else if rest, ok := cutPrefixFold(t, "either "); ok {
			t = rest
		}
		if t == s {
			return s
		}
		s = t
	}
}

// wrapped returns what is inside parentheses that enclose all of s.
func wrapped(s string) (string, bool) {
	if len(s) < 2 || s[0] != '(' && s[0] != '[' || s[len(s)-1] != ')' && s[len(s)-1] != ']' {
		return "", false
	}
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 && i < len(s)-1 {
				return "", false
			}
		}
	}
	return s[1 : len(s)-1], depth == 0
}

// sep is an operator found in a statement, by how tight it binds.
type sep uint8

const (
	sepNone  sep = iota
	sepSlash     // "/": OR, tighter than AND, as Rust's packages use it
	sepAnd
	sepOr
	sepComma    // "," without a word: the operator of its neighbours
	sepCommaAnd // ", and"
	sepCommaOr
)

func (s sep) level() int {
	switch s {
	case sepNone:
		return 0
	case sepSlash:
		return 1
	case sepAnd:
		return 2
	case sepOr:
		return 3
	}
	return 4
}

// splitTop cuts s at its weakest operators outside parentheses. ops[i]
// stands between parts[i] and parts[i+1].
func splitTop(s string) (parts []string, ops []sep) {
	weakest := 0
	scanOps(s, func(_, _ int, op sep) { weakest = max(weakest, op.level()) })
	if weakest == 0 {
		return []string{s}, nil
	}
	start := 0
	scanOps(s, func(from, to int, op sep) {
		if op.level() == weakest {
			parts = append(parts, s[start:from])
			ops = append(ops, op)
			start = to
		}
	})
	return append(parts, s[start:]), ops
}

// scanOps calls found for every operator of s outside parentheses.
func scanOps(s string, found func(from, to int, op sep)) {
	depth := 0
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '(', '[':
			depth++
			i++
			continue
		case ')', ']':
			depth = max(depth-1, 0)
			i++
			continue
		}
		if depth == 0 {
			if n, op := opAt(s, i); op != sepNone {
				found(i, i+n, op)
				i += n
				continue
			}
		}
		i++
	}
}

// opAt says which operator starts at s[i], and its length.
func opAt(s string, i int) (n int, op sep) {
	switch c := s[i]; c {
	case ',', ';', '\n':
		n = 1
		for i+n < len(s) && (s[i+n] == ' ' || s[i+n] == '\t') {
			n++
		}
		if k, word := wordOp(s, i+n); word != sepNone && i+n+k < len(s) {
			return n + k, word + (sepCommaAnd - sepAnd)
		}
		return 1, sepComma
	case '|':
		if i+1 < len(s) && s[i+1] == '|' {
			return 2, sepOr
		}
		return 1, sepOr
	case '&':
		if i+1 < len(s) && s[i+1] == '&' {
			return 2, sepAnd
		}
		return 1, sepAnd
	case '/':
		return 1, sepSlash
	case '+':
		if i > 0 && s[i-1] == ' ' && i+1 < len(s) && s[i+1] == ' ' {
			return 1, sepAnd
		}
	case 'a', 'A', 'o', 'O', 'p', 'P':
		if i > 0 && (s[i-1] == ' ' || s[i-1] == '\t' || s[i-1] == ')' || s[i-1] == '-') {
			return wordOp(s, i)
		}
	}
	return 0, sepNone
}

// wordOp reads "and", "or", "and/or" or "plus" at s[i], when it joins names:
// "or later" does not, nor does "any later".
func wordOp(s string, i int) (int, sep) {
	for _, w := range [...]struct {
		word string
		op   sep
	}{{"and/or", sepOr}, {"and", sepAnd}, {"or", sepOr}, {"plus", sepAnd}} {
		rest, ok := cutPrefixFold(s[i:], w.word)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' && rest[0] != '(' && rest[0] != '-' {
			continue
		}
		n := len(w.word)
		// "A-or-B": the hyphens belong to the operator
		if i > 0 && s[i-1] == '-' || rest[0] == '-' {
			if !(i > 0 && s[i-1] == '-' && rest[0] == '-') {
				return 0, sepNone
			}
			rest, n = rest[1:], n+1
		}
		rest = strings.TrimLeft(rest, " \t")
		for _, part := range [...]string{"later", "newer", "higher", "above", "greater", "any ", "any-", "upwards", "(at your", "at your", "lesser "} {
			if _, ok := cutPrefixFold(rest, part); ok {
				return 0, sepNone
			}
		}
		return n, w.op
	}
	return 0, sepNone
}

// join reads the parts and combines them. A bare comma takes the operator of
// the next comma that has one, else that inside the last part ("A, B or C"),
// else AND.
func (l *loose) join(parts []string, ops []sep, depth int) *node {
	var args []*node
	var kinds []operator // kinds[i] stands before args[i]
	next := opAnd
	if _, inner := splitTop(trimName(parts[len(parts)-1])); len(inner) > 0 && inner[0] == sepOr {
		next = opOr
	}
	resolved := make([]operator, len(ops))
	for i := len(ops) - 1; i >= 0; i-- {
		switch ops[i] {
		case sepOr, sepCommaOr, sepSlash:
			next = opOr
		case sepAnd, sepCommaAnd:
			next = opAnd
		}
		resolved[i] = next
	}
	for i, part := range parts {
		part = strings.TrimRight(part, "-")
		if isFileNote(part) {
			continue // CRAN: "MIT + file LICENSE"
		}
		n := l.read(part, depth+1)
		if n == nil {
			continue
		}
		op := opAnd
		if i > 0 {
			op = resolved[i-1]
		}
		args, kinds = append(args, n), append(kinds, op)
	}
	if len(args) == 0 {
		return nil
	}
	// left to right: operators of one level bind alike
	acc := args[0]
	for i := 1; i < len(args); i++ {
		acc = combine(kinds[i], []*node{acc, args[i]})
	}
	return acc
}

func isFileNote(s string) bool {
	rest, ok := cutPrefixFold(strings.TrimSpace(s), "file ")
	return ok && !strings.Contains(strings.TrimSpace(rest), " ")
}

// version reads CRAN's requirements: "GPL (>= 2)", "LGPL (>= 2.0, < 3)".
func (l *loose) version(s string) *node {
	name, rest, ok := strings.Cut(s, "(")
	inner, after, closed := strings.Cut(rest, ")")
	if !ok || !closed || strings.TrimSpace(after) != "" {
		return nil
	}
	name = strings.TrimSpace(name)
	lowest, limit, ranged := strings.Cut(inner, ",")
	low, ok := strings.CutPrefix(strings.TrimSpace(lowest), ">=")
	if !ok {
		if v, ok := strings.CutPrefix(strings.TrimSpace(inner), "=="); ok {
			if e := lookup(name + " " + strings.TrimSpace(v)); e != "" {
				return leafExpr(e)
			}
		}
		return nil
	}
	low = strings.TrimSpace(low)
	if !ranged {
		e := lookup(name + " " + low)
		if e == "" {
			return nil
		}
		n := leafExpr(e)
		if n.op != opLeaf {
			return nil
		}
		n.plus = true
		return n.modern()
	}
	upper, ok := strings.CutPrefix(strings.TrimSpace(limit), "<")
	if !ok {
		return nil
	}
	var args []*node
	from, to := gnuVersion(low), gnuVersion(strings.TrimSpace(upper))
	for _, v := range [...]string{"1", "2", "2.1", "3"} {
		if v >= from && v < to {
			if e := gnu(name + " " + v); e != "" {
				args = append(args, leafExpr(e))
			}
		}
	}
	if len(args) == 0 {
		return nil
	}
	return combine(opOr, args)
}

func gnuVersion(v string) string { return strings.TrimSuffix(v, ".0") }

// blanks reads names that stand side by side, as Alpine's older packages
// write them: all of them known, or it is no such list.
func (l *loose) blanks(s string) *node {
	words := strings.Fields(s)
	if len(words) < 2 || len(words) > 32 {
		return nil
	}
	var args []*node
	for _, w := range words {
		e := lookup(w)
		if e == "" {
			return nil
		}
		args = append(args, leafExpr(e))
	}
	return combine(opAnd, args)
}
