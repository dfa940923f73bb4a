package version

import (
	"cmp"
	"strings"
)

// apkVersion is digit{.digit}{letter}{_suffix{number}}{~hash}{-rnumber}, the
// grammar and order of apk-tools 3; apk-tools 2 orders alike but for fractions
// of zeros only ("1.00"). As in apk-tools 2 a number may follow the letter
// (5.1p1): Alpine's old releases hold such versions. It is walked anew at each
// comparison, without allocating.
type apkVersion string

// The kinds of token, in the order in which they make a version newer where two
// versions part: a further number weighs most, the end least, but for suffixes
// of pre-releases, which weigh less than the end.
const (
	apkInitial = iota
	apkDigit
	apkLetter
	apkSuffix
	apkSuffixNumber
	apkHash
	apkRevision
	apkEnd
	apkInvalid
)

type apkToken struct {
	kind   int
	suffix int    // rank of a suffix; negative before a release
	text   string // digits, letter or hash
}

func parseAPK(s string) (form, string) {
	t, i := apkFirst(s)
	for t.kind < apkEnd {
		t, i = apkNext(t, s, i)
	}
	if t.kind == apkInvalid {
		return nil, "it does not follow number{.number}[letter]{_suffix[number]}[~hash][-rnumber]"
	}
	return apkVersion(s), ""
}

func (v apkVersion) compare(o form) int {
	return compareAPK(string(v), string(o.(apkVersion)), false)
}

// compareAPK compares two valid versions; if prefix is set, it returns 0 for
// every version a that starts with all tokens of b ("~1.2" of a dependency).
func compareAPK(a, b string, prefix bool) int {
	s, i := apkFirst(a)
	t, j := apkFirst(b)
	for s.kind == t.kind && s.kind < apkEnd {
		if c := s.compare(t); c != 0 {
			return c
		}
		s, i = apkNext(s, a, i)
		t, j = apkNext(t, b, j)
	}
	switch {
	case s.kind == t.kind, prefix && t.kind == apkEnd:
		return 0
	case s.kind == apkSuffix && s.suffix < 0:
		return -1
	case t.kind == apkSuffix && t.suffix < 0:
		return 1
	}
	return either(s.kind < t.kind)
}

func (s apkToken) compare(t apkToken) int {
	switch s.kind {
	case apkSuffix:
		return cmp.Compare(s.suffix, t.suffix)
	case apkLetter, apkHash:
		return strings.Compare(s.text, t.text)
	case apkDigit:
		// A leading zero makes a number a decimal fraction, as in 1.05 < 1.1.
		if s.text[0] == '0' || t.text[0] == '0' {
			return strings.Compare(s.text, t.text)
		}
	}
	return compareNumbers(s.text, t.text)
}

func apkFirst(s string) (apkToken, int) {
	return apkNumber(apkInitial, s, 0)
}

func apkNumber(kind int, s string, i int) (apkToken, int) {
	e := digits(s, i)
	if e == i {
		kind = apkInvalid
	}
	return apkToken{kind: kind, text: s[i:e]}, e
}

func apkNext(last apkToken, s string, i int) (apkToken, int) {
	if i == len(s) {
		return apkToken{kind: apkEnd}, i
	}
	switch c := s[i]; {
	case isLower(c) && last.kind <= apkDigit:
		return apkToken{kind: apkLetter, text: s[i : i+1]}, i + 1
	case c == '.' && last.kind <= apkDigit:
		return apkNumber(apkDigit, s, i+1)
	case isDigit(c) && last.kind == apkLetter:
		return apkNumber(apkDigit, s, i)
	case isDigit(c) && last.kind == apkSuffix:
		return apkNumber(apkSuffixNumber, s, i)
	case c == '_' && last.kind <= apkSuffixNumber:
		e := i + 1
		for e < len(s) && isLower(s[e]) {
			e++
		}
		if rank, ok := apkSuffixRank(s[i+1 : e]); ok {
			return apkToken{kind: apkSuffix, suffix: rank}, e
		}
	case c == '~' && last.kind < apkHash:
		e := i + 1
		for e < len(s) && (isDigit(s[e]) || 'a' <= s[e]|0x20 && s[e]|0x20 <= 'f') {
			e++
		}
		if e > i+1 {
			return apkToken{kind: apkHash, text: s[i+1 : e]}, e
		}
	case c == '-' && last.kind < apkRevision && strings.HasPrefix(s[i:], "-r"):
		return apkNumber(apkRevision, s, i+2)
	}
	return apkToken{kind: apkInvalid}, i
}

func apkSuffixRank(s string) (int, bool) {
	switch s {
	case "alpha":
		return -4, true
	case "beta":
		return -3, true
	case "pre":
		return -2, true
	case "rc":
		return -1, true
	case "cvs":
		return 1, true
	case "svn":
		return 2, true
	case "git":
		return 3, true
	case "hg":
		return 4, true
	case "p":
		return 5, true
	}
	return 0, false
}
