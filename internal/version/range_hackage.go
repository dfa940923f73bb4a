package version

import (
	"slices"
	"strings"
)

// hackage reads a version range of Cabal: comparators, "==1.2.*", "^>=1.2" and
// sets of versions, joined by && and ||, with parentheses.
func (p *rangeParser) hackage(s string) expr {
	h := hackageParser{rangeParser: p, s: s}
	e := h.or(0)
	if h.skip(); h.s != "" {
		return p.fail("it goes on after its end with " + shorten(h.s))
	}
	return e
}

type hackageParser struct {
	*rangeParser
	s string
}

func (h *hackageParser) skip() { h.s = strings.TrimLeft(h.s, " \t\r\n") }

func (h *hackageParser) take(token string) bool {
	h.skip()
	rest, ok := strings.CutPrefix(h.s, token)
	if ok {
		h.s = rest
	}
	return ok
}

func (h *hackageParser) or(depth int) expr {
	e := h.and(depth)
	if !h.take("||") {
		return e
	}
	some := anyOf{e, h.and(depth)}
	for h.reason == "" && h.take("||") {
		some = append(some, h.and(depth))
	}
	return some
}

func (h *hackageParser) and(depth int) expr {
	e := h.factor(depth)
	if !h.take("&&") && !h.take(",") {
		return e
	}
	all := allOf{e, h.factor(depth)}
	for h.reason == "" && (h.take("&&") || h.take(",")) {
		all = append(all, h.factor(depth))
	}
	return all
}

func (h *hackageParser) factor(depth int) expr {
	switch {
	case depth >= maxNesting:
		return h.fail("it is nested deeper than 32")
	case h.take("("):
		e := h.or(depth + 1)
		if !h.take(")") {
			return h.fail("a closing parenthesis is missing")
		}
		return e
	case h.take("-any"):
		return allOf{}
	case h.take("-none"):
		return anyOf{}
	case h.take("^>="):
		return h.versions(h.major)
	case h.take("*"):
		return allOf{}
	}
	h.skip()
	o, n := parseOp(h.s)
	h.s = h.s[n:]
	if n == 0 {
		o = equal
	}
	return h.versions(func(s string) expr { return h.compared(o, s) })
}

// versions reads one version or a set of them in braces.
func (h *hackageParser) versions(each func(string) expr) expr {
	if !h.take("{") {
		return each(h.word())
	}
	var some anyOf
	for h.reason == "" && !h.take("}") {
		some = append(some, each(h.word()))
		h.take(",")
	}
	return some
}

func (h *hackageParser) word() string {
	h.skip()
	i := 0
	for i < len(h.s) && (isDigit(h.s[i]) || h.s[i] == '.' || h.s[i] == '*') {
		i++
	}
	w := h.s[:i]
	h.s = h.s[i:]
	if w == "" {
		h.fail("a version is missing")
	}
	return w
}

func (h *hackageParser) compared(o op, s string) expr {
	prefix, ok := strings.CutSuffix(s, ".*")
	if !ok {
		return h.bound(o, s)
	}
	v, ok := h.version(prefix).(*listVersion)
	if !ok {
		return anyOf{}
	}
	if o != equal {
		return h.fail("only == can stand before a wildcard")
	}
	high := slices.Clone(*v)
	high[len(high)-1] = increment(high[len(high)-1])
	return allOf{bound{greater | equal, v}, bound{less, &high}}
}

// major is ^>=: the same first two numbers, and not older.
func (h *hackageParser) major(s string) expr {
	v, ok := h.version(s).(*listVersion)
	if !ok {
		return anyOf{}
	}
	high := append(slices.Clone(*v), "")[:2]
	high[1] = increment(high[1])
	return allOf{bound{greater | equal, v}, bound{less, &high}}
}
