package version

import "strings"

// gem reads a Gem::Requirement: comparators that must all hold, among them "~>".
func (p *rangeParser) gem(s string) expr {
	var some anyOf
	for alternative := range strings.SplitSeq(s, "||") {
		var all allOf
		for clause := range strings.SplitSeq(alternative, ",") {
			clause = strings.TrimSpace(clause)
			if rest, ok := strings.CutPrefix(clause, "~>"); ok {
				all = append(all, p.gemApproximate(strings.TrimSpace(rest)))
				continue
			}
			all = append(all, p.plain(clause))
		}
		some = append(some, all)
	}
	return some
}

// gemApproximate is "~> 1.2.3": not older than it, and its release older than
// the version without the last number, raised by one.
func (p *rangeParser) gemApproximate(s string) expr {
	low, ok := p.version(s).(*gemVersion)
	if !ok {
		return anyOf{}
	}
	high := append([]string(nil), low.release[:max(1, len(low.release)-1)]...)
	high[len(high)-1] = increment(high[len(high)-1])
	return matcher(func(f form, _ bool) bool {
		v := f.(*gemVersion)
		return v.compare(low) >= 0 && compareGem(v.release, high) < 0
	})
}

// hex reads a requirement of Elixir's Version: comparators joined by "and" and
// "or", "and" binding closer.
func (p *rangeParser) hex(s string) expr {
	var some anyOf
	for alternative := range strings.SplitSeq(strings.ReplaceAll(s, " or ", "||"), "||") {
		var all allOf
		for clause := range strings.SplitSeq(strings.ReplaceAll(alternative, " and ", ","), ",") {
			clause = strings.TrimSpace(clause)
			if rest, ok := strings.CutPrefix(clause, "~>"); ok {
				all = append(all, p.hexApproximate(strings.TrimSpace(rest)))
				continue
			}
			all = append(all, p.plain(clause))
		}
		some = append(some, all)
	}
	return some
}

func (p *rangeParser) hexApproximate(s string) expr {
	low, ok := p.version(s).(*semver)
	if !ok {
		return anyOf{}
	}
	core, _, _ := strings.Cut(s, "-")
	n := strings.Count(core, ".")
	if n == 0 {
		return p.fail("~> needs two numbers")
	}
	return allOf{bound{greater | equal, low}, bound{less, low.bump(min(n, 2) - 1)}}
}

// pub reads a constraint of pub_semver: "any", ^version, or comparators. An
// exclusive upper bound also excludes its own pre-releases, unless the lower
// bound is one of them.
func (p *rangeParser) pub(s string) expr {
	if s == "any" {
		return allOf{}
	}
	if rest, ok := strings.CutPrefix(s, "^"); ok {
		low, ok := p.version(strings.TrimSpace(rest)).(*semver)
		if !ok {
			return anyOf{}
		}
		n := 0
		if low.number[0] == "" {
			n = 1
		}
		return allOf{bound{greater | equal, low}, bound{less, low.bump(n)}}
	}
	if strings.Contains(s, "|") {
		return p.plain(s)
	}
	var all allOf
	var lower *semver
	var upper []*semver
	for t := range p.comparators(s) {
		b, ok := p.comparator(t.op, t.operator, t.version).(bound)
		if !ok {
			return p.fail("a comparator is unreadable")
		}
		v := b.v.(*semver)
		if b.op&less == 0 && (lower == nil || v.compare(lower) > 0) {
			lower = v
		}
		if b.op == less && !v.isPre && v.build == "" {
			upper = append(upper, v)
		}
		all = append(all, b)
	}
	for _, v := range upper {
		if lower == nil || !lower.isPre || lower.compareNumbers(v) != 0 {
			first := v.bump(-1)
			all = append(all, matcher(func(f form, plain bool) bool { return plain || f.compare(first) < 0 }))
		}
	}
	return all
}

// swift reads Swift's half-open and closed ranges.
func (p *rangeParser) swift(s string) (expr, bool) {
	s = strings.ReplaceAll(s, `"`, "")
	for _, x := range []struct {
		text string
		op   op
	}{{"..<", less}, {"...", less | equal}} {
		if from, to, ok := strings.Cut(s, x.text); ok {
			return allOf{p.bound(greater|equal, strings.TrimSpace(from)), p.bound(x.op, strings.TrimSpace(to))}, true
		}
	}
	return nil, false
}
