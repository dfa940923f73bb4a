package version

import (
	"cmp"
	"strings"
)

// debVersion is [epoch:]upstream[-revision] of Debian policy 5.6.12. The policy,
// not only dpkg's leniency, decides what is readable: the upstream part starts
// with a digit.
type debVersion struct {
	epoch, upstream, revision string
}

func parseDeb(s string) (form, string) {
	var v debVersion
	v.upstream = s
	if i := strings.IndexByte(s, ':'); i >= 0 {
		v.epoch, v.upstream = s[:i], s[i+1:]
		if !allDigits(v.epoch) {
			return nil, "the epoch before the colon is no number"
		}
		v.epoch = trimZeros(v.epoch)
	}
	if i := strings.LastIndexByte(v.upstream, '-'); i >= 0 {
		v.upstream, v.revision = v.upstream[:i], v.upstream[i+1:]
		if v.revision == "" {
			return nil, "the revision after the hyphen is empty"
		}
	}
	switch {
	case v.upstream == "" || !isDigit(v.upstream[0]):
		return nil, "it does not start with a digit"
	case !only(v.upstream, ".+~-:"):
		return nil, "the upstream part holds a character other than letters, digits and .+~-:"
	case !only(v.revision, ".+~"):
		return nil, "the revision holds a character other than letters, digits and .+~"
	}
	return &v, ""
}

func (v *debVersion) compare(o form) int {
	w := o.(*debVersion)
	if c := compareTrimmed(v.epoch, w.epoch); c != 0 {
		return c
	}
	if c := compareDeb(v.upstream, w.upstream); c != 0 {
		return c
	}
	return compareDeb(v.revision, w.revision)
}

// compareDeb compares one part of two versions: runs of other characters and
// runs of digits in turn, where "~" sorts before the end, the end before
// letters, and letters before the rest.
func compareDeb(a, b string) int {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !isDigit(a[i]) || j < len(b) && !isDigit(b[j]) {
			if c := cmp.Compare(debWeight(a, i), debWeight(b, j)); c != 0 {
				return c
			}
			i++
			j++
		}
		si, sj := i, j
		i, j = digits(a, i), digits(b, j)
		if c := compareNumbers(a[si:i], b[sj:j]); c != 0 {
			return c
		}
	}
	return 0
}

func debWeight(s string, i int) int {
	switch {
	case i >= len(s) || isDigit(s[i]):
		return 0
	case s[i] == '~':
		return -1
	case isAlpha(s[i]):
		return int(s[i])
	}
	return int(s[i]) + 256
}

// opamVersion orders like Debian's, without an epoch, and may start with a
// letter ("v0.9", "base").
type opamVersion struct {
	upstream, revision string
}

func parseOpam(s string) (form, string) {
	if !only(s, ".+~-_:!") || !strings.ContainsFunc(s, func(r rune) bool { return r < 128 && isAlnum(byte(r)) }) {
		return nil, "it holds a character other than letters, digits and .+~-_"
	}
	v := opamVersion{upstream: s}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		v.upstream, v.revision = s[:i], s[i+1:]
	}
	return &v, ""
}

func (v *opamVersion) compare(o form) int {
	w := o.(*opamVersion)
	if c := compareDeb(v.upstream, w.upstream); c != 0 {
		return c
	}
	return compareDeb(v.revision, w.revision)
}
