package version

import (
	"cmp"
	"strings"
)

// composerVersion is a version in the normal form of Composer's VersionParser,
// compared by the rules of PHP's version_compare.
type composerVersion struct {
	branch  string   // of dev-branch, which has no number
	numbers []string // as written, "0" where none was
	stage   int8     // composerStable or one of the others
	counts  []string // as written, with the dot or hyphen before each
	dev     bool     // the version under development: 1.2.x-dev, 1.0-beta1-dev
}

// Stages in the order of version_compare.
const (
	composerDev int8 = iota
	composerAlpha
	composerBeta
	composerRC
	composerStable
	composerPatch
)

// composerX is what Composer writes for the x of a branch like 1.x-dev.
const composerX = "9999999"

// parseComposer reads up to four numbers or a date, with or without "v", a
// stability with its count, and "-dev"; branches as dev-name, master, 1.x-dev.
// Build metadata, a stability flag (@beta) and an inline alias ("… as 1.0") are
// dropped.
func parseComposer(s string) (form, string) {
	if before, alias, ok := strings.Cut(s, " as "); ok && !strings.ContainsAny(strings.TrimSpace(alias), " ,") {
		s = strings.TrimSpace(before)
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		switch strings.ToLower(s[i+1:]) {
		case "stable", "rc", "beta", "alpha", "dev":
			s = s[:i]
		}
	}
	if s == "master" || s == "trunk" || s == "default" {
		return &composerVersion{branch: s, dev: true}, ""
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "dev-") {
		return &composerVersion{branch: s[4:], dev: true}, ""
	}
	if before, build, ok := strings.Cut(s, "+"); ok && before != "" && build != "" && !strings.ContainsAny(before, ", ") && !strings.ContainsAny(build, " ") {
		s = before
	}
	lower := strings.ToLower(s)
	digitsOnly := strings.TrimPrefix(lower, "v")
	for _, numbers := range []func(string) ([]string, string, bool){composerNumbers, composerDate} {
		n, rest, ok := numbers(digitsOnly)
		if !ok {
			continue
		}
		v := &composerVersion{numbers: n, stage: composerStable}
		if v.modifier(rest) {
			return v, ""
		}
	}
	if v := composerBranch(lower); v != nil {
		return v, ""
	}
	return nil, "it is neither numbers with a stability nor a branch that Composer knows"
}

// composerNumbers reads one to four numbers, of which the first has at most five
// digits, and fills up with zeros.
func composerNumbers(s string) (numbers []string, rest string, ok bool) {
	i := 0
	for len(numbers) < 4 {
		start := i
		if len(numbers) > 0 {
			if byteAt(s, i) != '.' {
				break
			}
			start++
		}
		e := digits(s, start)
		if e == start {
			break
		}
		numbers = append(numbers, s[start:e])
		i = e
		if len(numbers) == 1 && i > 5 {
			return nil, "", false
		}
	}
	if len(numbers) == 0 {
		return nil, "", false
	}
	for len(numbers) < 4 {
		numbers = append(numbers, "0")
	}
	return numbers, s[i:], true
}

// composerDate reads a year, one to six pairs of digits and up to three digits
// more, with or without one of .:- before each.
func composerDate(s string) (numbers []string, rest string, ok bool) {
	if digits(s, 0) < 4 {
		return nil, "", false
	}
	i, pairs := 4, 0
	for ; pairs < 6; pairs++ {
		e := composerStep(s, i, 2)
		if e < 0 {
			break
		}
		i = e
	}
	if pairs == 0 {
		return nil, "", false
	}
	for n := 3; n > 0; n-- {
		if e := composerStep(s, i, n); e >= 0 {
			i = e
			break
		}
	}
	for part := range strings.FieldsFuncSeq(s[:i], func(r rune) bool { return r < '0' || r > '9' }) {
		numbers = append(numbers, part)
	}
	return numbers, s[i:], true
}

// composerStep returns the end of [.:-] and n digits at i, or -1.
func composerStep(s string, i, n int) int {
	if c := byteAt(s, i); c == '.' || c == ':' || c == '-' {
		i++
	}
	if digits(s, i) < i+n {
		return -1
	}
	return i + n
}

// modifier reads [._-]stability[count]… and [.-]dev, and tells whether nothing
// else is left.
func (v *composerVersion) modifier(s string) bool {
	t := s
	if t != "" && strings.IndexByte("._-", t[0]) >= 0 {
		t = t[1:]
	}
	for _, w := range []struct {
		word  string
		stage int8
	}{
		{"stable", composerStable}, {"beta", composerBeta}, {"b", composerBeta}, {"rc", composerRC}, {"alpha", composerAlpha},
		{"a", composerAlpha}, {"patch", composerPatch}, {"pl", composerPatch}, {"p", composerPatch},
	} {
		rest, ok := strings.CutPrefix(t, w.word)
		if !ok {
			continue
		}
		var counts []string
		for {
			i := 0
			if c := byteAt(rest, 0); c == '.' || c == '-' {
				i++
			}
			e := digits(rest, i)
			if e == i {
				break
			}
			counts = append(counts, rest[:e])
			rest = rest[e:]
		}
		if tail, isDev := composerDevTail(rest); tail == "" {
			v.stage, v.counts, v.dev = w.stage, counts, isDev
			if w.word == "stable" {
				v.counts, v.dev = nil, false
			}
			return true
		}
	}
	rest, isDev := composerDevTail(t)
	if v.dev = isDev; isDev {
		v.stage = composerDev
	}
	return rest == ""
}

// composerDevTail cuts a "dev" that ends s.
func composerDevTail(s string) (rest string, isDev bool) {
	switch s {
	case "dev", ".dev", "-dev":
		return "", true
	}
	return s, false
}

// composerBranch reads 1.x-dev, 1.2.*-dev and the like.
func composerBranch(s string) *composerVersion {
	s, ok := strings.CutSuffix(s, "dev")
	if !ok {
		return nil
	}
	if s != "" && (s[len(s)-1] == '-' || s[len(s)-1] == '.') {
		s = s[:len(s)-1]
	}
	v := &composerVersion{stage: composerDev, dev: true}
	for i, part := range strings.Split(strings.TrimPrefix(s, "v"), ".") {
		switch {
		case i == 4:
			return nil
		case allDigits(part):
			v.numbers = append(v.numbers, part)
		case i > 0 && (part == "x" || part == "*"):
			v.numbers = append(v.numbers, composerX)
		default:
			return nil
		}
	}
	for len(v.numbers) < 4 {
		v.numbers = append(v.numbers, composerX)
	}
	return v
}

// compare puts branches without a number first, by name; Composer leaves them
// without order.
func (v *composerVersion) compare(o form) int {
	w := o.(*composerVersion)
	if (v.branch == "") != (w.branch == "") {
		return either(w.branch != "")
	}
	if v.branch != "" {
		return strings.Compare(v.branch, w.branch)
	}
	for i := range min(len(v.numbers), len(w.numbers)) {
		if c := compareNumbers(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	// A further number makes a date newer than the shorter one in every stability but "patch".
	if c := cmp.Compare(len(v.numbers), len(w.numbers)); c > 0 {
		return either(w.stage != composerPatch)
	} else if c < 0 {
		return either(v.stage == composerPatch)
	}
	if c := compareRanks(v.stage, w.stage); c != 0 {
		return c
	}
	for i := range min(len(v.counts), len(w.counts)) {
		if c := compareNumbers(strings.TrimLeft(v.counts[i], ".-"), strings.TrimLeft(w.counts[i], ".-")); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(v.counts), len(w.counts)); c != 0 {
		return c
	}
	if v.dev != w.dev {
		return either(w.dev)
	}
	return 0
}

// canonical is Composer's normal form: four numbers or a date, and the stability
// spelled out.
func (v *composerVersion) canonical() string {
	if v.branch != "" {
		return "dev-" + v.branch
	}
	var b strings.Builder
	for i, n := range v.numbers {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(n)
	}
	switch v.stage {
	case composerAlpha:
		b.WriteString("-alpha")
	case composerBeta:
		b.WriteString("-beta")
	case composerRC:
		b.WriteString("-RC")
	case composerPatch:
		b.WriteString("-patch")
	}
	for i, n := range v.counts {
		if i == 0 {
			n = strings.TrimLeft(n, ".-")
		}
		b.WriteString(n)
	}
	if v.dev {
		b.WriteString("-dev")
	}
	return b.String()
}
