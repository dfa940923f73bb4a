package version

import (
	"cmp"
	"strings"
)

// portageVersion is a version of the Package Manager Specification, chapter 3:
// numbers, a letter, suffixes and a revision.
type portageVersion struct {
	numbers  []string // digits as written
	letter   byte     // 0 if none
	suffixes []portageSuffix
	revision string
}

type portageSuffix struct {
	rank   int8
	number string
}

func parsePortage(s string) (form, string) {
	const reason = "it does not follow number{.number}[letter]{_suffix[number]}[-rnumber]"
	v := &portageVersion{}
	i := 0
	for {
		e := digits(s, i)
		if e == i {
			return nil, reason
		}
		v.numbers = append(v.numbers, s[i:e])
		if i = e; byteAt(s, i) != '.' {
			break
		}
		i++
	}
	if isLower(byteAt(s, i)) {
		v.letter = s[i]
		i++
	}
	for byteAt(s, i) == '_' {
		e := letters(s, i+1)
		rank, ok := portageRank(s[i+1 : e])
		if !ok {
			return nil, reason
		}
		i = digits(s, e)
		v.suffixes = append(v.suffixes, portageSuffix{rank, trimZeros(s[e:i])})
	}
	if r, ok := strings.CutPrefix(s[i:], "-r"); ok && allDigits(r) {
		v.revision, i = trimZeros(r), len(s)
	}
	if i < len(s) {
		return nil, reason
	}
	return v, ""
}

func portageRank(s string) (int8, bool) {
	switch s {
	case "alpha":
		return -4, true
	case "beta":
		return -3, true
	case "pre":
		return -2, true
	case "rc":
		return -1, true
	case "p":
		return 1, true
	}
	return 0, false
}

func (v *portageVersion) compare(o form) int {
	w := o.(*portageVersion)
	if c := v.compareUpstream(w); c != 0 {
		return c
	}
	return compareTrimmed(v.revision, w.revision)
}

// compareUpstream compares everything but the revision.
func (v *portageVersion) compareUpstream(w *portageVersion) int {
	for i := range min(len(v.numbers), len(w.numbers)) {
		if c := comparePortage(v.numbers[i], w.numbers[i], i > 0); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(v.numbers), len(w.numbers)); c != 0 {
		return c
	}
	if c := cmp.Compare(v.letter, w.letter); c != 0 {
		return c
	}
	for i := range max(len(v.suffixes), len(w.suffixes)) {
		var a, b portageSuffix // none: older than _p, newer than _rc
		if i < len(v.suffixes) {
			a = v.suffixes[i]
		}
		if i < len(w.suffixes) {
			b = w.suffixes[i]
		}
		if c := compareRanks(a.rank, b.rank); c != 0 {
			return c
		}
		if c := compareTrimmed(a.number, b.number); c != 0 {
			return c
		}
	}
	return 0
}

// comparePortage compares two numbers; but for the first of a version, a
// leading zero makes them fractions: 1.02 < 1.1, and 1.010 = 1.01.
func comparePortage(a, b string, fraction bool) int {
	if fraction && (a[0] == '0' || b[0] == '0') {
		return strings.Compare(strings.TrimRight(a, "0"), strings.TrimRight(b, "0"))
	}
	return compareNumbers(a, b)
}
