package version

import "strings"

// mavenItem is one item of a version as Maven's ComparableVersion sees it: a
// number, a qualifier, or a list of items, which begins after a hyphen and at
// each step between letters and digits.
type mavenItem struct {
	kind mavenKind
	text string // digits without leading zeros, or the qualifier in lower case
	rank int8   // of a qualifier
	list []mavenItem
}

type mavenKind uint8

const (
	mavenNumber mavenKind = iota
	mavenWord
	mavenList
)

// Ranks of qualifiers; an unknown one is newer than all that are known.
const (
	mavenRelease = 5
	mavenUnknown = 7
)

type mavenVersion struct{ mavenItem }

// parseMaven takes nearly anything, as Maven does; refused are characters that
// no repository holds, properties (${revision}), the words LATEST and RELEASE,
// and single words without a digit ("unknown"): they tell no version.
func parseMaven(s string) (form, string) {
	if !only(s, "._-+~@:,=") {
		return nil, "it holds a character other than letters, digits and ._-+~"
	}
	if !strings.ContainsAny(s, "0123456789") && !strings.ContainsAny(s, ".-") {
		return nil, "a word without a number tells no version"
	}
	p := mavenParser{s: strings.ToLower(s)}
	return &mavenVersion{mavenItem{kind: mavenList, list: p.items()}}, ""
}

// mavenParser reads items from s[i:]; how deep lists nest is bounded by MaxLength.
type mavenParser struct {
	s string
	i int
}

// items reads one list up to the end of the text: every list but the outermost
// is the last item of the one round it.
func (p *mavenParser) items() []mavenItem {
	var list []mavenItem
	for p.i < len(p.s) {
		start := p.i
		switch c := p.s[p.i]; {
		case c == '.':
			list = append(list, mavenItem{})
			p.i++
			continue
		case c == '-':
			p.i++
			list = append(list, mavenItem{}, p.sublist())
			return mavenTrim(list)
		case isDigit(c):
			p.i = digits(p.s, p.i)
			list = append(list, mavenItem{text: trimZeros(p.s[start:p.i])})
			if p.i < len(p.s) && p.s[p.i] != '.' && p.s[p.i] != '-' {
				list = append(list, p.sublist())
				return mavenTrim(list)
			}
		default:
			for p.i < len(p.s) && p.s[p.i] != '.' && p.s[p.i] != '-' && !isDigit(p.s[p.i]) {
				p.i++
			}
			beforeDigit := p.i < len(p.s) && isDigit(p.s[p.i])
			atEnd := p.i == len(p.s)
			if (beforeDigit || atEnd) && len(list) > 0 {
				// A qualifier before a digit or at the end opens a list, as if a hyphen stood there.
				p.i = start
				list = append(list, p.sublist())
				return mavenTrim(list)
			}
			list = append(list, newMavenWord(p.s[start:p.i], beforeDigit))
			if beforeDigit {
				list = append(list, p.sublist())
				return mavenTrim(list)
			}
		}
		// Here the text is at its end or at the separator that ended the item.
		if p.i == len(p.s) {
			break
		}
		if p.s[p.i] == '-' {
			p.i++
			list = append(list, p.sublist())
			return mavenTrim(list)
		}
		p.i++
	}
	return mavenTrim(list)
}

func (p *mavenParser) sublist() mavenItem {
	return mavenItem{kind: mavenList, list: p.items()}
}

// mavenTrim drops what means nothing at the end of a list: zeros, the release
// qualifiers and empty lists, also before lists that stay.
func mavenTrim(list []mavenItem) []mavenItem {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].null() {
			list = append(list[:i], list[i+1:]...)
		} else if list[i].kind != mavenList {
			break
		}
	}
	return list
}

func newMavenWord(s string, beforeDigit bool) mavenItem {
	w := mavenItem{kind: mavenWord, text: s, rank: mavenUnknown}
	if beforeDigit {
		switch s {
		case "a":
			w.text = "alpha"
		case "b":
			w.text = "beta"
		case "m":
			w.text = "milestone"
		}
	}
	switch w.text {
	case "alpha":
		w.rank = 0
	case "beta":
		w.rank = 1
	case "milestone":
		w.rank = 2
	case "rc", "cr":
		w.rank = 3
	case "snapshot":
		w.rank = 4
	case "", "ga", "final", "release":
		w.rank = mavenRelease
	case "sp":
		w.rank = 6
	}
	return w
}

func (m *mavenItem) null() bool {
	switch m.kind {
	case mavenNumber:
		return m.text == ""
	case mavenWord:
		return m.rank == mavenRelease
	}
	return len(m.list) == 0
}

func (v *mavenVersion) compare(o form) int {
	return compareMavenLists(v.list, o.(*mavenVersion).list)
}

func compareMavenLists(a, b []mavenItem) int {
	for i := range max(len(a), len(b)) {
		c := 0
		switch {
		case i >= len(a):
			c = -b[i].compareNull()
		case i >= len(b):
			c = a[i].compareNull()
		default:
			c = a[i].compare(&b[i])
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// compareNull compares with nothing at all, in the place of a missing item.
func (m *mavenItem) compareNull() int {
	switch m.kind {
	case mavenNumber:
		if m.text == "" {
			return 0
		}
		return 1
	case mavenWord:
		return compareRanks(m.rank, mavenRelease)
	}
	for i := range m.list {
		if c := m.list[i].compareNull(); c != 0 {
			return c
		}
	}
	return 0
}

// compare: a number is newer than a list, a list newer than a qualifier.
func (m *mavenItem) compare(n *mavenItem) int {
	if m.kind != n.kind {
		switch {
		case m.kind == mavenNumber:
			return 1
		case n.kind == mavenNumber:
			return -1
		}
		return either(m.kind == mavenList)
	}
	switch m.kind {
	case mavenNumber:
		return compareTrimmed(m.text, n.text)
	case mavenWord:
		if c := compareRanks(m.rank, n.rank); c != 0 || m.rank != mavenUnknown {
			return c
		}
		return strings.Compare(m.text, n.text)
	}
	return compareMavenLists(m.list, n.list)
}

func compareRanks(a, b int8) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
