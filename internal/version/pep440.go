package version

import "strings"

// pepVersion is a version of PEP 440. Numbers have no leading zeros, "" is zero.
type pepVersion struct {
	epoch   string
	release []string // as written, without the zeros at the end
	zeros   int      // how many of those there were
	stage   byte     // 'a', 'b', 'c' (release candidate) of a pre-release, or 0
	pre     string
	post    string
	dev     string
	isPost  bool
	isDev   bool
	local   string // lower case, separated by dots
}

// parsePEP440 reads what PEP 440's appendix B reads; anything else ("1.0-SNAPSHOT",
// "2004d") was ordered by a rule that the packaging tools have dropped.
func parsePEP440(s string) (form, string) {
	v, rest := &pepVersion{}, strings.ToLower(s)
	rest, local, hasLocal := strings.Cut(rest, "+")
	rest = strings.TrimPrefix(rest, "v")
	if e := digits(rest, 0); e > 0 && byteAt(rest, e) == '!' {
		v.epoch, rest = trimZeros(rest[:e]), rest[e+1:]
	}
	for {
		e := digits(rest, 0)
		if e == 0 {
			return nil, "a number of the release is missing"
		}
		n := trimZeros(rest[:e])
		v.release = append(v.release, n)
		if rest = rest[e:]; byteAt(rest, 0) != '.' || !isDigit(byteAt(rest, 1)) {
			break
		}
		rest = rest[1:]
	}
	for len(v.release) > 1 && v.release[len(v.release)-1] == "" {
		v.release = v.release[:len(v.release)-1]
		v.zeros++
	}
	rest = v.suffixes(rest)
	if rest != "" {
		return nil, "what follows the release is no pre-, post- or development release"
	}
	if hasLocal {
		v.local = strings.NewReplacer("-", ".", "_", ".").Replace(local)
		for id := range strings.SplitSeq(v.local, ".") {
			if id == "" || !only(id, "") {
				return nil, "the local part after + is not made of letters, digits and separators"
			}
		}
	}
	return v, ""
}

// suffixes reads the pre-, post- and development release and returns the rest.
func (v *pepVersion) suffixes(s string) string {
	if word, n, rest, ok := pepPart(s, "alpha", "a", "beta", "b", "preview", "pre", "c", "rc"); ok {
		s, v.pre = rest, n
		switch word {
		case "alpha", "a":
			v.stage = 'a'
		case "beta", "b":
			v.stage = 'b'
		default:
			v.stage = 'c'
		}
	}
	if e := digits(s, 1); byteAt(s, 0) == '-' && e > 1 {
		v.isPost, v.post, s = true, trimZeros(s[1:e]), s[e:]
	} else if _, n, rest, ok := pepPart(s, "post", "rev", "r"); ok {
		v.isPost, v.post, s = true, n, rest
	}
	if _, n, rest, ok := pepPart(s, "dev"); ok {
		v.isDev, v.dev, s = true, n, rest
	}
	return s
}

// pepPart reads [separator]word[separator][number]; of words that begin alike
// the longer must be listed first.
func pepPart(s string, words ...string) (word, number, rest string, ok bool) {
	t := pepSeparator(s)
	for _, w := range words {
		if after, found := strings.CutPrefix(t, w); found {
			after = pepSeparator(after)
			e := digits(after, 0)
			return w, trimZeros(after[:e]), after[e:], true
		}
	}
	return "", "", s, false
}

func pepSeparator(s string) string {
	if s != "" && strings.IndexByte("-_.", s[0]) >= 0 {
		return s[1:]
	}
	return s
}

func (v *pepVersion) compare(o form) int {
	w := o.(*pepVersion)
	if c := v.comparePublic(w); c != 0 {
		return c
	}
	return comparePEPLocal(v.local, w.local)
}

func (v *pepVersion) comparePublic(w *pepVersion) int {
	if c := v.compareBase(w); c != 0 {
		return c
	}
	if c := int(v.stageRank()) - int(w.stageRank()); c != 0 {
		return either(c > 0)
	}
	if c := compareTrimmed(v.pre, w.pre); c != 0 {
		return c
	}
	if v.isPost != w.isPost {
		return either(v.isPost)
	}
	if c := compareTrimmed(v.post, w.post); c != 0 {
		return c
	}
	if v.isDev != w.isDev {
		return either(w.isDev)
	}
	return compareTrimmed(v.dev, w.dev)
}

func (v *pepVersion) compareBase(w *pepVersion) int {
	if c := compareTrimmed(v.epoch, w.epoch); c != 0 {
		return c
	}
	return compareLists(v.release, w.release)
}

// stageRank: a development release of a final release precedes its alphas.
func (v *pepVersion) stageRank() byte {
	switch {
	case v.stage != 0:
		return v.stage
	case v.isDev && !v.isPost:
		return 1
	}
	return 'z'
}

func (v *pepVersion) isPrerelease() bool { return v.stage != 0 || v.isDev }

// comparePEPLocal compares local parts: none first, numbers after words.
func comparePEPLocal(a, b string) int {
	for a != "" && b != "" {
		x, restA, _ := strings.Cut(a, ".")
		y, restB, _ := strings.Cut(b, ".")
		a, b = restA, restB
		m, n := allDigits(x), allDigits(y)
		c := 0
		switch {
		case m && n:
			c = compareNumbers(x, y)
		case m != n:
			c = either(m)
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

// canonical is the normal form of PEP 440, trailing zeros kept as written.
func (v *pepVersion) canonical() string {
	var b strings.Builder
	if v.epoch != "" {
		b.WriteString(v.epoch + "!")
	}
	for i, n := range v.release {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(decimal(n))
	}
	b.WriteString(strings.Repeat(".0", v.zeros))
	switch v.stage {
	case 'a', 'b':
		b.WriteString(string(v.stage) + decimal(v.pre))
	case 'c':
		b.WriteString("rc" + decimal(v.pre))
	}
	if v.isPost {
		b.WriteString(".post" + decimal(v.post))
	}
	if v.isDev {
		b.WriteString(".dev" + decimal(v.dev))
	}
	if v.local != "" {
		b.WriteByte('+')
		for i, id := range strings.Split(v.local, ".") {
			if i > 0 {
				b.WriteByte('.')
			}
			if allDigits(id) {
				id = decimal(trimZeros(id))
			}
			b.WriteString(id)
		}
	}
	return b.String()
}
