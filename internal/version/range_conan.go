package version

import "strings"

// conan reads a version range of Conan 2, with or without its brackets. After a
// comma stands the option include_prerelease, or, as advisories write it, a
// further comparator.
func (p *rangeParser) conan(s string) expr {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	var kept []string
	pre := false
	for i, part := range strings.Split(s, ",") {
		if i > 0 && strings.HasPrefix(strings.TrimSpace(part), "include_prerelease") {
			pre = true
			continue
		}
		kept = append(kept, part)
	}
	var some anyOf
	for alternative := range strings.SplitSeq(strings.Join(kept, " "), "||") {
		all := p.conanSet(strings.TrimSpace(alternative))
		some = append(some, matcher(func(f form, plain bool) bool {
			return (pre || plain || !f.(*conanVersion).isPre) && all.contains(f, plain)
		}))
	}
	return some
}

func (p *rangeParser) conanSet(s string) allOf {
	all := allOf{}
	for s != "" && p.reason == "" {
		n := 0
		for n < len(s) && strings.IndexByte("<>=^~!", s[n]) >= 0 {
			n++
		}
		operator := s[:n]
		s = strings.TrimSpace(s[n:])
		end := strings.IndexAny(s, " \t\r\n<>=^~!")
		if end < 0 {
			end = len(s)
		}
		if s[:end] != "*" || operator != "" {
			all = append(all, p.conanComparator(operator, s[:end])...)
		}
		s = strings.TrimSpace(s[end:])
	}
	return all
}

func (p *rangeParser) conanComparator(operator, text string) []expr {
	f := p.version(text)
	v, ok := f.(*conanVersion)
	if !ok {
		return nil
	}
	switch operator {
	case ">=":
		return []expr{bound{greater | equal, v.lowest()}}
	case "<":
		low := v.lowest()
		return []expr{matcher(func(f form, plain bool) bool {
			if plain {
				return f.compare(v) < 0
			}
			return f.compare(low) < 0
		})}
	case "~":
		return []expr{bound{greater | equal, v.lowest()}, bound{less, p.conanBump(v, min(len(v.main)-1, 1))}}
	case "^":
		i := 0
		for i < len(v.main)-1 && trimZeros(v.main[i]) == "" {
			i++
		}
		return []expr{bound{greater | equal, v.lowest()}, bound{less, p.conanBump(v, i)}}
	case "", "=", "==":
		return []expr{bound{equal, v}}
	case ">":
		return []expr{bound{greater, v}}
	case "<=":
		return []expr{bound{less | equal, v}}
	case "!=":
		return []expr{bound{less | greater, v}}
	}
	p.fail("the operator " + operator + " is unknown")
	return nil
}

// lowest returns the oldest pre-release of v, unless v names one itself.
func (v *conanVersion) lowest() *conanVersion {
	if v.isPre || v.built {
		return v
	}
	w := *v
	w.isPre, w.pre = true, []conanItem{{}}
	return &w
}

// conanBump raises item i and drops what follows.
func (p *rangeParser) conanBump(v *conanVersion, i int) form {
	n := conanItems(v.main[i])
	if len(n) > 0 && !n[0].number {
		p.fail("the word " + v.main[i] + " cannot be raised by one")
		return v
	}
	number := "1"
	if len(n) > 0 {
		number = increment(n[0].text)
	}
	items := make([]conanItem, 0, i+1)
	for _, text := range v.main[:i] {
		if it := conanItems(text); len(it) > 0 {
			items = append(items, it[0])
		} else {
			items = append(items, conanItem{"0", true})
		}
	}
	return &conanVersion{items: append(items, conanItem{number, true}), isPre: true, pre: []conanItem{{}}}
}

// beginsWith tells whether v is w followed by nothing or by further parts, as
// "=1.2*" asks in Gentoo.
func (v *portageVersion) beginsWith(w *portageVersion) bool {
	if len(v.numbers) < len(w.numbers) {
		return false
	}
	for i := range w.numbers {
		if comparePortage(v.numbers[i], w.numbers[i], i > 0) != 0 {
			return false
		}
	}
	if w.letter == 0 && len(w.suffixes) == 0 && w.revision == "" {
		return true
	}
	x := *v
	if w.revision == "" {
		x.revision = ""
	}
	if len(x.suffixes) > len(w.suffixes) && w.revision == "" {
		x.suffixes = x.suffixes[:len(w.suffixes)]
	}
	return x.compare(w) == 0
}
