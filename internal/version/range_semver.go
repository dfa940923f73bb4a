package version

import "strings"

// semSet is one alternative of an npm, Cargo or Julia range: comparators that
// must all hold, and npm's rule that a pre-release only satisfies them if one
// names a pre-release of the same three numbers.
type semSet []semBound

type semBound struct {
	op op
	v  *semver
	// lowest: the bound was derived from an incomplete version (1.2, ^1.2); by
	// order alone it begins at the first pre-release.
	lowest bool
	// derived bounds, such as the upper one of ^1.2, admit no pre-release.
	derived bool
}

func (s semSet) contains(f form, plain bool) bool {
	v := f.(*semver)
	named := plain || !v.isPre
	for _, b := range s {
		c := v.compare(b.v)
		if plain && b.lowest {
			c = v.compareNumbers(b.v)
		}
		if !b.op.admits(c) {
			return false
		}
		named = named || b.v.isPre && !b.derived && v.compareNumbers(b.v) == 0
	}
	return named
}

// semver reads the ranges of npm, Cargo and Julia, which share carets, tildes,
// wildcards and hyphens.
func (p *rangeParser) semver(s string) expr {
	s = strings.ReplaceAll(s, "||", "|")
	if p.scheme == Julia {
		s = strings.ReplaceAll(s, ",", "|")
	}
	var some anyOf
	for alternative := range strings.SplitSeq(s, "|") {
		some = append(some, p.semSet(alternative))
	}
	return some
}

func (p *rangeParser) semSet(s string) expr {
	set := semSet{}
	if from, to, ok := strings.Cut(s, " - "); ok {
		from, to := strings.TrimSpace(from), strings.TrimSpace(to)
		if strings.ContainsAny(from+to, " ,<>=^~") {
			return p.fail("a hyphen joins two versions only")
		}
		set = p.semComparator(set, ">=", from)
		return p.semComparator(set, "<=", to)
	}
	s = strings.Trim(s, " \t\r\n,")
	for s != "" && p.reason == "" {
		n := 0
		for n < len(s) && strings.IndexByte("<>=^~", s[n]) >= 0 {
			n++
		}
		operator := s[:n]
		if r, ok := strings.CutPrefix(s[n:], "\u2265"); ok && n == 0 {
			operator, s = ">=", r
		} else {
			s = s[n:]
		}
		s = strings.TrimLeft(s, " \t\r\n")
		end := strings.IndexAny(s, " \t\r\n,<>=^~")
		if end == 0 && s[0] == '=' { // "> =1.2"
			s = s[1:]
			continue
		}
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return p.fail("a version is missing")
		}
		set = p.semComparator(set, operator, s[:end])
		s = strings.TrimLeft(s[end:], " \t\r\n,")
	}
	return set
}

// semComparator adds the bounds of one comparator to set.
func (p *rangeParser) semComparator(set semSet, operator, text string) semSet {
	v, parts := p.partial(text)
	if v == nil {
		return set
	}
	if operator == "" && (p.scheme == Cargo || p.scheme == Julia) && parts > 0 && !strings.ContainsAny(text, "*xX") {
		operator = "^"
	}
	low := semBound{op: greater | equal, v: v, lowest: parts < 3}
	below := func(n int) semBound { return semBound{op: less, v: v.bump(n), derived: true} }
	switch operator {
	case "", "=", "==":
		if parts == 0 {
			return set
		}
		if parts == 3 {
			return append(set, semBound{op: equal, v: v})
		}
		return append(set, low, below(parts-1))
	case "~", "~>":
		if parts == 0 {
			return set
		}
		return append(set, low, below(min(parts-1, 1)))
	case "^":
		if parts == 0 {
			return set
		}
		n := 0
		for n < parts-1 && v.number[n] == "" {
			n++
		}
		return append(set, low, below(n))
	case ">=":
		if parts == 0 {
			return set
		}
		return append(set, low)
	case ">":
		switch parts {
		case 0:
			return append(set, semBound{op: less, v: (&semver{}).bump(-1), derived: true})
		case 3:
			return append(set, semBound{op: greater, v: v})
		}
		up := v.bump(parts - 1)
		up.isPre, up.pre = false, ""
		return append(set, semBound{op: greater | equal, v: up, lowest: true})
	case "<":
		switch parts {
		case 0:
			return append(set, semBound{op: less, v: (&semver{}).bump(-1), derived: true})
		case 3:
			return append(set, semBound{op: less, v: v})
		}
		return append(set, semBound{op: less, v: v.bump(-1), derived: true})
	case "<=", "=<":
		switch parts {
		case 0:
			return set
		case 3:
			return append(set, semBound{op: less | equal, v: v})
		}
		return append(set, below(parts-1))
	}
	p.fail("the operator " + operator + " is unknown")
	return set
}

// bump returns the first pre-release of the version that follows when number n
// is raised, of the version itself for -1.
func (v *semver) bump(n int) *semver {
	w := &semver{last: v.last, isPre: true, pre: "0"}
	for i := range w.number {
		if i <= n || n < 0 {
			w.number[i] = v.number[i]
		}
	}
	if n >= 0 {
		w.number[n] = increment(w.number[n])
	}
	return w
}

// partial reads a version of which numbers may be missing or x, X or *, and
// returns how many are there.
func (p *rangeParser) partial(s string) (v *semver, parts int) {
	rest := strings.TrimLeft(s, "vV=")
	core, tail := rest, ""
	if i := strings.IndexAny(rest, "-+"); i >= 0 {
		core, tail = rest[:i], rest[i:]
	}
	var numbers []string
	wild := false
	for _, n := range strings.Split(core, ".") {
		if n == "x" || n == "X" || n == "*" {
			wild = true
			continue
		}
		if wild {
			p.fail("a number follows a wildcard")
			return nil, 0
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 {
		if p.count++; p.count > maxComparators {
			p.version("0")
			return nil, 0
		}
		return &semver{}, 0
	}
	if wild || len(numbers) < 3 {
		if strings.HasPrefix(tail, "-") || !allDigits(strings.Join(numbers, "")) {
			p.fail("a pre-release needs three numbers before it")
			return nil, 0
		}
		tail = ""
	}
	f := p.version(strings.Join(numbers, ".") + tail)
	v, _ = f.(*semver)
	return v, min(len(numbers), 3)
}
