package version

import (
	"fmt"
	"strings"
)

// Limits of [ParseRange].
const (
	MaxRangeLength = 16 << 10 // bytes
	maxComparators = 1000
	maxNesting     = 32
)

// Range is a set of versions, read once from a requirement in an ecosystem's own
// syntax. It is an immutable value; the zero Range contains nothing.
type Range struct {
	scheme Scheme
	text   string
	expr   expr
}

// expr is a node of a range. plain asks for the bare order, see [Range.Covers].
type expr interface {
	contains(v form, plain bool) bool
}

// RangeError tells why a range could not be read.
type RangeError struct {
	Scheme Scheme
	Range  string // as given, shortened when it is over-long
	Reason string
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("%q is no range of %s versions: %s", e.Range, e.Scheme, e.Reason)
}

// ParseRange reads a requirement as the scheme's own tool does:
//
//   - NPM "^1.2 || >=2 <3", "1.2 - 2", "~1.2", "1.x"; Cargo "1.2, <1.5" (a bare
//     version means ^); Julia "1.2, 2" (commas mean or);
//   - PEP440 ">=1,<2,!=1.5,~=1.4,==1.*";
//   - Maven "[1,2),[3,)" and NuGet "[1.0,2.0)"; a bare version is exact in Maven
//     (there it is only a wish) and a lower bound in NuGet;
//   - Gem "~> 1.2, != 1.3"; Hex "~> 1.2 and != 1.3 or > 3"; Pub "^1.2.0", "any";
//   - Composer "^1|~2.3", "1.*", "1.0 - 2.0"; Conan ">=1 <2 || ~3", with or
//     without brackets; Hackage ">=1 && (<2 || ==3.*)", "^>=1.2", "{1.0, 2.0}";
//   - Swift "1.0.0..<2.0.0"; APK "~1.2" (any 1.2…); Portage "~1.2" (any
//     revision), "=1.2*"; Opam `>= "1.2" & != "1.3"`.
//
// In every scheme plain comparators are read as advisories write them: ">= 1.0,
// < 2.0", "= 1.0 || > 3" with the operators < << <= = == >= >> > != <>, a comma
// or white space for "and" and || for "or". "*" is every version; the empty range
// is so, too, where the tool takes it (PEP440, NPM, Conan), and an error elsewhere.
// In RPM a comparator without a release speaks of all releases: "<= 1.2" holds
// 1.2-5, "< 1.2" does not.
//
// The error, always a [*RangeError], names the limit for a range longer than
// [MaxRangeLength] bytes, of more than 1000 comparators or nested deeper than 32.
func ParseRange(scheme Scheme, s string) (Range, error) {
	if len(s) > MaxRangeLength {
		return Range{}, &RangeError{scheme, shorten(s), fmt.Sprintf("it is longer than %d bytes", MaxRangeLength)}
	}
	p := &rangeParser{scheme: scheme}
	t := strings.TrimSpace(s)
	var e expr
	switch {
	case parserOf(scheme) == nil:
		p.fail("the scheme is unknown")
	case t == "" && scheme != PEP440 && scheme != NPM && scheme != Conan:
		p.fail("it is empty")
	default:
		e = p.parse(t)
	}
	if p.reason != "" {
		return Range{}, &RangeError{scheme, shorten(s), p.reason}
	}
	return Range{scheme, s, e}, nil
}

// String returns the range as it was given to [ParseRange].
func (r Range) String() string { return r.text }

// Scheme returns the scheme the range was read with.
func (r Range) Scheme() Scheme { return r.scheme }

// Contains tells whether the ecosystem's own tool would say that v satisfies r.
// Several tools leave out pre-releases that the requirement does not name
// (npm, Cargo, PEP 440, Conan): this is the question of an installer. To ask
// whether an advisory's range affects v, use [Range.Covers]. A version of another
// scheme is never contained.
func (r Range) Contains(v Version) bool { return r.has(v, false) }

// Covers tells whether v lies in r by order alone: a pre-release is treated like
// every other version, as "npm audit" and OSV do. So "<2.0.0" covers 2.0.0-rc.1
// and 1.5.0-beta, neither of which npm would install for it.
func (r Range) Covers(v Version) bool { return r.has(v, true) }

func (r Range) has(v Version, plain bool) bool {
	return r.expr != nil && v.form != nil && v.scheme == r.scheme && r.expr.contains(v.form, plain)
}

type (
	allOf []expr // every one; all versions if there is none
	anyOf []expr // at least one; nothing if there is none
)

func (a allOf) contains(v form, plain bool) bool {
	for _, e := range a {
		if !e.contains(v, plain) {
			return false
		}
	}
	return true
}

func (a anyOf) contains(v form, plain bool) bool {
	for _, e := range a {
		if e.contains(v, plain) {
			return true
		}
	}
	return false
}

// op is a comparison; as bits it says which results satisfy it.
type op uint8

const (
	less op = 1 << iota
	equal
	greater
)

func (o op) admits(c int) bool { return o&(1<<(c+1)) != 0 }

// parseOp returns the operator at the start of s and its length.
func parseOp(s string) (o op, n int) {
	for _, x := range []struct {
		text string
		op   op
	}{
		{"<<", less}, {"<=", less | equal}, {"=<", less | equal}, {"<>", less | greater}, {"<", less},
		{">>", greater}, {">=", greater | equal}, {"=>", greater | equal}, {">", greater},
		{"===", equal}, {"==", equal}, {"=", equal}, {"!=", less | greater}, {"≥", greater | equal}, {"≤", less | equal},
	} {
		if strings.HasPrefix(s, x.text) {
			return x.op, len(x.text)
		}
	}
	return 0, 0
}

// bound compares with one version by the scheme's order.
type bound struct {
	op op
	v  form
}

func (b bound) contains(v form, _ bool) bool { return b.op.admits(v.compare(b.v)) }

// rpmBound is rpm's dependency rule: where one side has no release, every
// release equals it.
type rpmBound struct {
	op op
	v  *rpmVersion
}

func (b rpmBound) contains(v form, _ bool) bool {
	x, y := *v.(*rpmVersion), *b.v
	if x.release == "" || y.release == "" {
		x.release, y.release = "", ""
	}
	return b.op.admits(x.compare(&y))
}

// matcher is a special rule for versions.
type matcher func(v form, plain bool) bool

func (m matcher) contains(v form, plain bool) bool { return m(v, plain) }

// rangeParser reads ranges; the first failure is kept and ends it.
type rangeParser struct {
	scheme Scheme
	reason string
	count  int // comparators so far
}

func (p *rangeParser) fail(reason string) expr {
	if p.reason == "" {
		p.reason = reason
	}
	return anyOf{}
}

func (p *rangeParser) parse(s string) expr {
	switch p.scheme {
	case NPM, Cargo, Julia:
		return p.semver(s)
	case PEP440:
		return p.pep440(s)
	case Maven, NuGet:
		if strings.ContainsAny(s, "[(") {
			return p.intervals(s)
		}
		if p.scheme == NuGet && !strings.ContainsAny(s, "<>=!|, ") {
			return p.nugetMinimum(s)
		}
	case Gem:
		return p.gem(s)
	case Composer:
		return p.composer(s)
	case Hex:
		return p.hex(s)
	case Pub:
		return p.pub(s)
	case Hackage:
		return p.hackage(s)
	case Conan:
		return p.conan(s)
	case Swift:
		if e, ok := p.swift(s); ok {
			return e
		}
	}
	return p.plain(s)
}

// version reads one version of the range's scheme.
func (p *rangeParser) version(s string) form {
	if p.count++; p.count > maxComparators {
		p.fail(fmt.Sprintf("it has more than %d comparators", maxComparators))
		return nil
	}
	v, err := Parse(p.scheme, s)
	switch {
	case err != nil:
		p.fail(err.Error())
	case !isAlnum(strings.TrimSpace(s)[0]) && (p.scheme == RPM || p.scheme == Pacman):
		// rpm has versions that begin with ^ or ~; in a range it is another's operator.
		p.fail("the version " + s + " does not begin with a letter or digit")
	}
	return v.form
}

// bound makes a comparator with the version s.
func (p *rangeParser) bound(o op, s string) expr {
	v := p.version(s)
	if v == nil {
		return anyOf{}
	}
	if r, ok := v.(*rpmVersion); ok {
		return rpmBound{o, r}
	}
	return bound{o, v}
}

// plain reads comparators joined by commas, white space or & (and) and by || or
// | (or).
func (p *rangeParser) plain(s string) expr {
	var some anyOf
	for alternative := range strings.SplitSeq(strings.ReplaceAll(s, "||", "|"), "|") {
		var all allOf
		for t := range p.comparators(alternative) {
			all = append(all, p.comparator(t.op, t.operator, t.version))
		}
		if len(all) == 0 {
			return p.fail("an alternative is empty")
		}
		some = append(some, all)
	}
	if len(some) == 1 {
		return some[0]
	}
	return some
}

// comparator makes one comparator; operator is as written.
func (p *rangeParser) comparator(o op, operator, version string) expr {
	switch {
	case version == "*" && (operator == "" || operator == "="):
		return allOf{}
	case operator == "~" && p.scheme == APK:
		v, _ := p.version(version).(apkVersion)
		return matcher(func(w form, _ bool) bool { return compareAPK(string(w.(apkVersion)), string(v), true) == 0 })
	case operator == "~" && p.scheme == Portage:
		v, ok := p.version(version).(*portageVersion)
		return matcher(func(w form, _ bool) bool { return ok && w.(*portageVersion).compareUpstream(v) == 0 })
	case operator == "=" && p.scheme == Portage && strings.HasSuffix(version, "*"):
		v, ok := p.version(strings.TrimSuffix(version, "*")).(*portageVersion)
		return matcher(func(w form, _ bool) bool { return ok && w.(*portageVersion).beginsWith(v) })
	case operator == "~":
		return p.fail("the operator ~ has no meaning here")
	case operator == "":
		o = equal
	}
	return p.bound(o, version)
}

type comparatorText struct {
	op                op
	operator, version string
}

// comparators splits an alternative into operators and versions.
func (p *rangeParser) comparators(s string) func(func(comparatorText) bool) {
	const separators = " \t\r\n,&"
	return func(yield func(comparatorText) bool) {
		s := strings.Trim(s, separators)
		for s != "" && p.reason == "" {
			// Debian puts a comparator into parentheses, opam a version into quotes.
			s = strings.TrimLeft(s, "(")
			o, n := parseOp(s)
			if n == 0 && byteAt(s, 0) == '~' && (p.scheme == APK || p.scheme == Portage) {
				n = 1
			}
			operator := s[:n]
			s = strings.TrimLeft(s[n:], " \t\r\n")
			end := strings.IndexAny(s, separators+"<>=!)")
			if end < 0 {
				end = len(s)
			}
			v := strings.Trim(s[:end], `"`)
			if v == "" {
				p.fail("a version is missing")
				return
			}
			if !yield(comparatorText{o, operator, v}) {
				return
			}
			s = strings.TrimLeft(s[end:], separators+")")
		}
	}
}
