// Package version orders version strings the way each ecosystem's own tool
// orders them, and decides whether a version lies in a range written in that
// ecosystem's requirement syntax.
//
// It knows nothing of packages or advisories: which [Scheme] a package follows
// is told by [SchemeOf], everything else is for its callers. All functions are
// pure and safe for concurrent use.
package version

import (
	"fmt"
	"strings"
)

// MaxLength is the longest version, in bytes, that [Parse] reads.
const MaxLength = 1024

// Version is a version string that was read once and can be compared often.
// It is an immutable value; ask Compare, not ==, whether two are equal. The zero
// Version belongs to no scheme, sorts before every other and lies in no range.
type Version struct {
	scheme Scheme
	text   string
	form   form
}

// form is a version taken apart. compare is only ever called with a form made
// by the parser of the same scheme.
type form interface {
	compare(form) int
}

// Error tells why a version could not be read. Callers show it as a problem of
// the package or advisory; they must not take it for "not affected".
type Error struct {
	Scheme  Scheme
	Version string // as given, shortened when it is over-long
	Reason  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%q is no %s version: %s", e.Version, e.Scheme, e.Reason)
}

// Parse reads s, white space round it ignored. The error, always an [*Error],
// names what is wrong: the scheme is unknown, s is longer than [MaxLength], or s
// is nothing the scheme's own tool would take for a version. Where advisories
// commonly use a looser form than the tool (npm "1.2", Go without "v"), that
// form is read too; the comment of each parser says so.
func Parse(scheme Scheme, s string) (Version, error) {
	if len(s) > MaxLength {
		return Version{}, &Error{scheme, shorten(s), fmt.Sprintf("it is longer than %d bytes", MaxLength)}
	}
	parse := parserOf(scheme)
	if parse == nil {
		return Version{}, &Error{scheme, s, "the scheme is unknown"}
	}
	t := strings.TrimSpace(s)
	if t == "" {
		return Version{}, &Error{scheme, s, "it is empty"}
	}
	f, reason := parse(t)
	if reason != "" {
		return Version{}, &Error{scheme, s, reason}
	}
	return Version{scheme, s, f}, nil
}

// String returns the version as it was given to [Parse].
func (v Version) String() string { return v.text }

// Scheme returns the scheme the version was read with, "" for the zero Version.
func (v Version) Scheme() Scheme { return v.scheme }

// Compare returns -1, 0 or +1: v is older than, as old as, or newer than w.
// Equal versions need not be written alike (1.0 and 1.0.0 in PEP 440).
//
// Versions of two schemes have no order in the world; they are ordered by the
// names of their schemes, so that a mixed list still sorts.
//
// The order is total, with two exceptions that come from the tools themselves:
// for Pacman a version without a package release equals every release of it,
// and for Conan numbers and words in the same place compare as text.
func (v Version) Compare(w Version) int {
	if v.scheme != w.scheme || v.form == nil || w.form == nil {
		return strings.Compare(string(v.scheme), string(w.scheme))
	}
	return v.form.compare(w.form)
}

// Compare reads a and b and compares them; the error is that of [Parse].
func Compare(scheme Scheme, a, b string) (int, error) {
	v, err := Parse(scheme, a)
	if err != nil {
		return 0, err
	}
	w, err := Parse(scheme, b)
	if err != nil {
		return 0, err
	}
	return v.Compare(w), nil
}

// Canonical returns the form of s under which an ecosystem identifies a version
// (PEP 440's normal form, NuGet's, Composer's four numbers, SemVer without "v"
// and with three numbers). Two versions with one canonical form are equal. It is
// for showing and for telling apart; to compare, parse s itself. Where no such
// form is defined, or s cannot be read, it returns s.
func Canonical(scheme Scheme, s string) string {
	v, err := Parse(scheme, s)
	if err != nil {
		return s
	}
	if c, ok := v.form.(interface{ canonical() string }); ok {
		return c.canonical()
	}
	return s
}

func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
