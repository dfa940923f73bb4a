package version

import "strings"

// semver is a version of SemVer 2.0.0 or of one of its dialects. Numbers have
// no leading zeros, "" is zero.
type semver struct {
	number [4]string // major, minor, patch, and NuGet's revision
	pre    string    // dotted identifiers of the pre-release, without "-"
	build  string    // dotted identifiers after "+"
	isPre  bool
	last   buildOrder
}

// buildOrder says what the part after "+" means for the order.
type buildOrder uint8

const (
	buildIgnored  buildOrder = iota
	buildCounts              // Pub: compared like a pre-release, none is oldest
	buildSupremum            // Julia: the same, and an empty one is newest
	buildRevision            // Bitnami: a number, none is zero
)

// dialect is what an ecosystem changes about SemVer's grammar.
type dialect struct {
	parts  int        // most numbers, 3 or 4; missing ones are zero in every dialect
	prefix string     // characters that may stand before the number
	strict bool       // leading zeros are errors
	bare   bool       // a pre-release needs no hyphen: 1.0rc1
	empty  bool       // a pre-release or build may be empty: 1.0-
	fold   bool       // letters are compared without case
	build  buildOrder // what the build part means
}

func parseSemVer(s string) (form, string) { return dialect{parts: 3, prefix: "vV"}.parse(s) }
func parseNPM(s string) (form, string)    { return dialect{parts: 3, prefix: "vV= ", bare: true}.parse(s) }
func parseCargo(s string) (form, string)  { return dialect{parts: 3, strict: true}.parse(s) }
func parseHex(s string) (form, string)    { return dialect{parts: 3, strict: true}.parse(s) }
func parseSwift(s string) (form, string)  { return dialect{parts: 3, prefix: "vV"}.parse(s) }

func parsePub(s string) (form, string) {
	return dialect{parts: 3, prefix: "v", build: buildCounts}.parse(s)
}

// parseJulia reads what Julia's VersionNumber reads; "1.0-" is the oldest and
// "1.0+" the newest of all 1.0.0.
func parseJulia(s string) (form, string) {
	return dialect{parts: 3, prefix: "vV", bare: true, empty: true, build: buildSupremum}.parse(s)
}

// parseNuGet reads what NuGetVersion reads: up to four numbers, letters of a
// pre-release in any case.
func parseNuGet(s string) (form, string) { return dialect{parts: 4, fold: true}.parse(s) }

// parseBitnami reads SemVer in which a number after the hyphen is the revision
// of the package and makes it newer: 1.2.3-4 is the fifth package of 1.2.3.
// Revision 0 equals none, as advisories write 1.2.3-0 for "from 1.2.3 on".
func parseBitnami(s string) (form, string) {
	f, reason := dialect{parts: 4, prefix: "vV", build: buildRevision}.parse(s)
	if v, ok := f.(*semver); ok {
		v.build = ""
		if allDigits(v.pre) {
			v.build, v.pre, v.isPre = trimZeros(v.pre), "", false
		}
	}
	return f, reason
}

func (d dialect) parse(s string) (form, string) {
	v := &semver{last: d.build}
	i := 0
	for i < len(s) && strings.IndexByte(d.prefix, s[i]) >= 0 {
		i++
	}
	for n := 0; ; n++ {
		e := digits(s, i)
		switch {
		case e == i:
			return nil, "a number is missing"
		case n >= d.parts:
			return nil, "it has too many numbers"
		case d.strict && s[i] == '0' && e > i+1:
			return nil, "a number has a leading zero"
		}
		v.number[n] = trimZeros(s[i:e])
		i = e
		if i == len(s) || s[i] != '.' {
			break
		}
		i++
	}
	rest, build, hasBuild := strings.Cut(s[i:], "+")
	if hasBuild {
		if !identifiers(build, false) && !(d.empty && build == "") {
			return nil, "the part after + is not made of letters, digits, hyphens and dots"
		}
		v.build = build
		if build == "" {
			v.build = supremum
		}
	}
	if rest == "" {
		return v, ""
	}
	v.isPre, v.pre = true, rest
	if rest[0] == '-' {
		v.pre = rest[1:]
	} else if !d.bare || !isAlpha(rest[0]) {
		return nil, "something other than a pre-release follows the numbers"
	}
	if d.fold {
		v.pre = strings.ToLower(v.pre)
	}
	if !identifiers(v.pre, d.strict) && !(d.empty && v.pre == "") {
		return nil, "the pre-release is not made of letters, digits, hyphens and dots"
	}
	return v, ""
}

// supremum stands for Julia's empty build; no identifier can hold its byte.
const supremum = "+"

// identifiers tells whether s is a list of identifiers of SemVer, in which, if
// strict, numbers have no leading zeros.
func identifiers(s string, strict bool) bool {
	for {
		id, rest, more := strings.Cut(s, ".")
		if id == "" || !only(id, "-") || strict && len(id) > 1 && id[0] == '0' && allDigits(id) {
			return false
		}
		if !more {
			return true
		}
		s = rest
	}
}

func (v *semver) compare(o form) int {
	w := o.(*semver)
	if c := v.compareNumbers(w); c != 0 {
		return c
	}
	switch {
	case v.isPre != w.isPre:
		return either(w.isPre)
	case v.isPre:
		if c := compareIdentifiers(v.pre, w.pre); c != 0 {
			return c
		}
	}
	switch v.last {
	case buildRevision:
		return compareTrimmed(v.build, w.build)
	case buildCounts, buildSupremum:
		if (v.build == supremum) != (w.build == supremum) {
			return either(v.build == supremum)
		}
		if v.build == "" || w.build == "" {
			return strings.Compare(v.build, w.build)
		}
		return compareIdentifiers(v.build, w.build)
	}
	return 0
}

func (v *semver) compareNumbers(w *semver) int {
	for i := range v.number {
		if c := compareTrimmed(v.number[i], w.number[i]); c != 0 {
			return c
		}
	}
	return 0
}

// compareIdentifiers compares pre-releases: numbers by value and before words,
// words by their bytes, the shorter list first.
func compareIdentifiers(a, b string) int {
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
			c = either(n)
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

// canonical writes three numbers, NuGet's fourth unless it is zero, and no
// build unless it counts.
func (v *semver) canonical() string {
	var b strings.Builder
	for i, n := range v.number {
		if i == 3 && n == "" {
			break
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(decimal(n))
	}
	switch {
	case v.isPre:
		b.WriteString("-" + v.pre)
	case v.last == buildRevision && v.build != "":
		b.WriteString("-" + v.build)
	}
	if v.last == buildCounts || v.last == buildSupremum {
		switch v.build {
		case "":
		case supremum:
			b.WriteByte('+')
		default:
			b.WriteString("+" + v.build)
		}
	}
	return b.String()
}
