// Package advisory says what publishers tell about vulnerabilities: which
// versions of which packages are affected, how badly, and what mends it; what
// is exploited; what has reached its end of life; and what somebody states
// about a product (VEX). It holds values and pure functions. Reading a
// publisher's format is package feed's work, comparing with packages is
// package match's.
package advisory

import (
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Key is what advisories are looked up by.
//
// Stream is an ecosystem, named by its purl type ("npm", "pypi", "gem",
// "maven", "golang", "cargo", "nuget", "composer", "hex", "pub", "cran",
// "hackage", "swift", "conan", "julia", "opam", "bitnami" …), a distribution
// stream "ID:VERSION" in the words of os-release ("debian:12",
// "ubuntu:22.04", "alpine:3.18", "rhel:9", "sles:15.4"; "wolfi", "arch",
// "debian:unstable" for rolling ones), or "cpe" for NVD's naming.
//
// Name is the package's name as packages of that stream carry it in
// inventory.Package: normalised for PyPI, "@scope/name" for npm,
// "group:artifact" for Maven, "vendor/name" for Composer, the module path for
// Go; "vendor:product" in the stream "cpe". See [Name].
type Key struct {
	Stream string `json:"stream"`
	Name   string `json:"name"`
}

// Advisory is one record of one publisher. Its identity is (Source, ID).
type Advisory struct {
	Source  string   `json:"source"` // name of the feed
	ID      string   `json:"id"`     // the publisher's own
	Aliases []string `json:"aliases,omitempty"`
	Related []string `json:"related,omitempty"` // other problems that have to do with this one
	// Upstream names the vulnerabilities that a distribution's advisory is
	// about: an advisory that names ten CVEs gives ten findings.
	Upstream []string `json:"upstream,omitempty"`

	Summary    string      `json:"summary,omitempty"`
	Details    string      `json:"details,omitempty"`
	Severities []Severity  `json:"severities,omitempty"`
	Affected   []Affected  `json:"affected,omitempty"`
	References []Reference `json:"references,omitempty"`
	CWEs       []string    `json:"cwes,omitempty"`
	URL        string      `json:"url,omitempty"` // the publisher's page

	Published time.Time `json:"published,omitzero"` // zero when the publisher does not say
	Modified  time.Time `json:"modified,omitzero"`
	Withdrawn time.Time `json:"withdrawn,omitzero"` // not zero: the publisher took it back
	Disputed  bool      `json:"disputed,omitempty"`
	// Malicious marks a package that is itself an attack, not one with a mistake.
	Malicious bool `json:"malicious,omitempty"`
}

// Severity is one judgement of how bad it is.
type Severity struct {
	Source string  `json:"source"`           // who says so: "nvd", "github", "redhat", "debian" …
	Type   string  `json:"type"`             // CVSS_V2, CVSS_V3, CVSS_V4, or LABEL
	Vector string  `json:"vector,omitempty"` // of CVSS
	Score  float64 `json:"score,omitempty"`  // base score, of CVSS
	Label  Level   `json:"label,omitempty"`  // the publisher's word in ours, or made from Score
	Raw    string  `json:"raw,omitempty"`    // the publisher's word: "important", "unimportant" …
}

// Reference is a link.
type Reference struct {
	Type string `json:"type,omitempty"` // OSV's: ADVISORY, FIX, REPORT, WEB …
	URL  string `json:"url"`
}

// Names says whose name and version a publisher compares.
type Names string

// Distributions speak of source packages (Debian, Ubuntu, Alpine) or of binary
// ones (most of the rpm world).
const (
	Binary Names = ""       // the package's own
	Source Names = "source" // its source package's, which is the package itself where no other is known
	Either Names = "either" // the publisher mixes both
)

// Status is what the publisher says of the package.
type Status string

// The statuses. Only Affected can give a finding. NotAffected keeps sources of
// lower rank from giving one. The others say nothing definite: they are shown
// as evidence, and whoever else speaks is heard.
const (
	StatusAffected      Status = "" // in the given versions
	StatusNotAffected   Status = "not-affected"
	StatusInvestigating Status = "investigating"
	StatusUndetermined  Status = "undetermined"
)

// FixState is whether and how a fix is to be had.
type FixState string

// The states of a fix.
const (
	FixUnknown FixState = ""          // the publisher does not say
	Fixed      FixState = "fixed"     // in Fix.Versions
	NotFixed   FixState = "not-fixed" // not yet
	WontFix    FixState = "wont-fix"
	Deferred   FixState = "deferred" // postponed, or for a later release
	EndOfLife  FixState = "end-of-life"
	NotAFix    FixState = "workaround" // only a workaround
)

// Fix says what mends a package.
type Fix struct {
	State    FixState  `json:"state,omitempty"`
	Versions []string  `json:"versions,omitempty"` // the lowest fixed version of every line, in order
	Date     time.Time `json:"date,omitzero"`      // when it became available, where the publisher says
	Advisory string    `json:"advisory,omitempty"` // the advisory that brought it, such as RHSA-2024:1234
	URL      string    `json:"url,omitempty"`
}

// Affected says which versions of one package are concerned. A version is
// affected when it lies in an interval, is listed in Versions, or satisfies
// Requirement; with none of these every version is.
type Affected struct {
	Key
	Names  Names          `json:"names,omitempty"`
	Scheme version.Scheme `json:"scheme"`

	Intervals   []Interval `json:"intervals,omitempty"`
	Versions    []string   `json:"versions,omitempty"`    // exactly these
	Requirement string     `json:"requirement,omitempty"` // in the ecosystem's own syntax; see version.ParseRange
	Unaffected  string     `json:"unaffected,omitempty"`  // a requirement whose versions are not, whatever the rest says

	Status Status `json:"status,omitempty"`
	Fix    Fix    `json:"fix,omitzero"`

	Arches     []string   `json:"arches,omitempty"`     // only on these, in the words of the package database
	Module     string     `json:"module,omitempty"`     // rpm module "NAME:STREAM": only packages of it; "-": only packages of none
	Repository string     `json:"repository,omitempty"` // only from there: a URL, or Red Hat's CPE of a repository
	CPE        string     `json:"cpe,omitempty"`        // in the stream "cpe": the pattern, CPE 2.3
	With       []string   `json:"with,omitempty"`       // in the stream "cpe": and only together with one of these
	Severities []Severity `json:"severities,omitempty"` // for this package, before those of the advisory
	Note       string     `json:"note,omitempty"`       // what the publisher adds: "vulnerable code not present"
}

// Interval is a run of versions, from Introduced on ("" or "0": from the
// first) up to but not including Fixed, or up to and including LastAffected;
// with neither it has no upper bound.
type Interval struct {
	Introduced   string `json:"introduced,omitempty"`
	Fixed        string `json:"fixed,omitempty"`
	LastAffected string `json:"lastAffected,omitempty"`
	After        bool   `json:"after,omitempty"` // Introduced itself is not affected
}

// Exploited is an entry of a catalogue of vulnerabilities known to be exploited.
type Exploited struct {
	Source     string    `json:"source"`
	ID         string    `json:"id"` // CVE
	Added      time.Time `json:"added,omitzero"`
	Due        time.Time `json:"due,omitzero"` // when agencies must have acted
	Ransomware bool      `json:"ransomware,omitempty"`
	Vendor     string    `json:"vendor,omitempty"`
	Product    string    `json:"product,omitempty"`
	Name       string    `json:"name,omitempty"`
	Action     string    `json:"action,omitempty"`
	Notes      string    `json:"notes,omitempty"`
}

// EPSS is the estimated probability that a vulnerability is exploited within
// 30 days.
type EPSS struct {
	ID         string    `json:"id"`
	Score      float64   `json:"score"`      // 0 to 1
	Percentile float64   `json:"percentile"` // 0 to 1
	Date       time.Time `json:"date"`
}

// Cycle is one release line of a product and when its support ends.
type Cycle struct {
	Source   string    `json:"source"`
	Product  string    `json:"product"` // endoflife.date's name
	Cycle    string    `json:"cycle"`
	Released time.Time `json:"released,omitzero"`
	Support  time.Time `json:"support,omitzero"`  // end of active support
	EOL      time.Time `json:"eol,omitzero"`      // end of life; zero with Ended: ended, no date known
	Extended time.Time `json:"extended,omitzero"` // end of paid extended support
	Ended    bool      `json:"ended,omitempty"`
	Latest   string    `json:"latest,omitempty"`
	Codename string    `json:"codename,omitempty"`
	LTS      bool      `json:"lts,omitempty"`
	// Identifiers name the product elsewhere: "purl:pkg:docker/library/alpine", "cpe:2.3:o:alpinelinux:alpine_linux".
	Identifiers []string `json:"identifiers,omitempty"`
}

// Repository is a repository of packages and the products whose content it has.
type Repository struct {
	Source string   `json:"source"`
	Name   string   `json:"name"` // Red Hat's content set, "rhel-9-for-x86_64-baseos-rpms"
	CPEs   []string `json:"cpes"` // sorted
}

// Statement is one VEX statement.
type Statement struct {
	Source        string    `json:"source"`
	Document      string    `json:"document"` // its identifier
	Author        string    `json:"author,omitempty"`
	Vulnerability string    `json:"vulnerability"`
	Aliases       []string  `json:"aliases,omitempty"`
	Products      []string  `json:"products"`                // purls, CPEs, digests, image references
	Subcomponents []string  `json:"subcomponents,omitempty"` // purls within the products
	Status        string    `json:"status"`                  // not_affected, affected, fixed, under_investigation
	Justification string    `json:"justification,omitempty"`
	Impact        string    `json:"impact,omitempty"`
	Action        string    `json:"action,omitempty"`
	Time          time.Time `json:"time,omitzero"`
}

// CVEs returns the CVE identifiers the advisory is about: its own id, its
// aliases and what it names upstream; without doubles, in that order.
func (a *Advisory) CVEs() []string {
	var out []string
	var seen map[string]bool // of long lists
	for _, ids := range [...][]string{{a.ID}, a.Aliases, a.Upstream} {
		for _, id := range ids {
			if !IsCVE(id) || seen[id] || seen == nil && slices.Contains(out, id) {
				continue
			}
			if out = append(out, id); seen != nil {
				seen[id] = true
			} else if len(out) > 16 {
				seen = map[string]bool{}
				for _, known := range out {
					seen[known] = true
				}
			}
		}
	}
	return out
}

// IsCVE reports whether id has the form of a CVE identifier.
func IsCVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	if !ok {
		return false
	}
	year, number, ok := strings.Cut(rest, "-")
	if !ok || len(year) != 4 || len(number) < 4 || len(number) > 19 {
		return false
	}
	for _, c := range year + number {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// First returns the lowest fixed version, "" where none is known.
func (f Fix) First() string {
	if len(f.Versions) == 0 {
		return ""
	}
	return f.Versions[0]
}
