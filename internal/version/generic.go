package version

import (
	"cmp"
	"strings"
)

// genericVersion orders versions of software that follows no known scheme, such
// as those of CPE names: runs of digits and letters, any other character a
// separator, letters without case. Words that announce a release (alpha, beta,
// dev, pre, rc, …) and words behind a tilde make it older, others newer: 1.0rc1 < 1.0 =
// 1.0.0 < 1.0k < 1.0p1 < 1.0.1.
type genericVersion []genericToken

type genericToken struct {
	rank int8
	text string // digits without leading zeros, or the word in lower case
}

// Ranks of tokens; a missing token has the rank of zero, the one in the middle.
const (
	genericPre  = -1
	genericZero = 0
	genericWord = 1 // a word directly behind the numbers, like k in 1.0.2k
	genericMore = 2 // a number above zero
)

// parseGeneric needs at least one digit and only printable ASCII without white
// space; "latest" or "unknown" are no versions.
func parseGeneric(s string) (form, string) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return nil, "it holds white space or characters other than ASCII"
		}
	}
	i := strings.IndexAny(s, "0123456789")
	if i < 0 {
		return nil, "it has no number"
	}
	s = strings.ToLower(s)
	if s[0] == 'v' && isDigit(byteAt(s, 1)) {
		s = s[1:]
	}
	var v genericVersion
	for i := 0; i < len(s); {
		start := i
		switch {
		case isDigit(s[i]):
			i = digits(s, i)
			t := genericToken{genericMore, trimZeros(s[start:i])}
			if t.text == "" {
				t.rank = genericZero
			}
			v = append(v, t)
		case isAlpha(s[i]):
			i = letters(s, i)
			t := genericToken{genericRank(s[start:i], isDigit(byteAt(s, i))), s[start:i]}
			if start > 0 && s[start-1] == '~' {
				t.rank = genericPre
			}
			v = append(v, t)
		case s[i] == '~' && !isAlpha(byteAt(s, i+1)):
			v = append(v, genericToken{genericPre, ""})
			i++
		default:
			i++
		}
	}
	return &v, ""
}

// genericRank tells a word that announces a release from others. A single letter
// does so before a number only: 1.0b1 is a beta, 1.0.2b the second patch.
func genericRank(word string, beforeDigit bool) int8 {
	switch word {
	case "alpha", "beta", "cr", "rc", "pre", "prerelease", "preview", "dev", "devel", "snapshot", "snap",
		"milestone", "nightly", "canary", "ea", "early", "test", "unstable":
		return genericPre
	case "a", "b", "m":
		if beforeDigit {
			return genericPre
		}
	}
	return genericWord
}

func (p *genericVersion) compare(o form) int {
	v, w := *p, *o.(*genericVersion)
	for i := range max(len(v), len(w)) {
		var a, b genericToken
		if i < len(v) {
			a = v[i]
		}
		if i < len(w) {
			b = w[i]
		}
		c := cmp.Compare(a.rank, b.rank)
		if c == 0 && a.rank == genericMore {
			c = compareTrimmed(a.text, b.text)
		} else if c == 0 {
			c = strings.Compare(a.text, b.text)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
