// Package match finds which advisories concern which packages, and says why.
// It is pure: advisories come through [Advisories], everything else is in the
// values it is given.
package match

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Advisories answers the one question matching has to ask. The answer holds
// every advisory that has one of the keys among its affected packages, each
// once, in an order that does not change between calls. It is complete or an
// error.
type Advisories interface {
	AdvisoriesFor(ctx context.Context, keys []advisory.Key) ([]advisory.Advisory, error)
}

// Coverage tells what data there is. A stream without data gives packages
// the state NoData: never "no vulnerability".
type Coverage interface {
	// Stream reports whether advisories of a stream are known at all, and
	// whether they are older than their source's bound.
	Stream(stream string) (known, stale bool)
}

// Input is what is matched.
type Input struct {
	Packages []inventory.Package
	Distro   *inventory.Distro
	Contents []Content // of images with Red Hat's packages
}

// Result is what matching found. Findings are sorted by package, then id.
type Result struct {
	Findings []Finding
	States   []PackageState // packages that could not be judged, in the order of the input
	Problems []string       // advisories that could not be compared, each once
}

// PackageState says why a package was not judged.
type PackageState struct {
	Package int    `json:"package"` // index in Input.Packages
	State   State  `json:"state"`
	Stream  string `json:"stream,omitempty"`
	Message string `json:"message,omitempty"`
}

// Finding is one vulnerability in one package.
type Finding struct {
	ID      string   `json:"id"` // CVE where one is known, else the publisher's own
	Aliases []string `json:"aliases,omitempty"`
	Package int      `json:"package"` // index in Input.Packages

	Severity  advisory.Level      `json:"severity"`         // the first publisher's that has one, by priority
	Scores    []advisory.Severity `json:"scores,omitempty"` // all publishers'
	Fix       advisory.Fix        `json:"fix,omitzero"`
	Summary   string              `json:"summary,omitempty"`
	URL       string              `json:"url,omitempty"`
	CWEs      []string            `json:"cwes,omitempty"`
	Published time.Time           `json:"published,omitzero"`

	Exploited *advisory.Exploited `json:"exploited,omitempty"` // set by whoever has the catalogue
	EPSS      *advisory.EPSS      `json:"epss,omitempty"`

	// Confidence is 1 unless the package or its identity is a guess.
	Confidence float64    `json:"confidence"`
	Evidence   []Evidence `json:"evidence"`
	// Suppressed says why the finding does not count: the package is owned by
	// an OS package, a VEX statement, the distribution's word. Its evidence
	// is kept.
	Suppressed string `json:"suppressed,omitempty"`
}

// Evidence is one step-by-step derivation: which record was compared with
// which version, and how that came out.
type Evidence struct {
	Source     string       `json:"source"`
	Advisory   string       `json:"advisory"`
	Key        advisory.Key `json:"key"`
	Names      string       `json:"names"` // binary or source: whose name and version
	Version    string       `json:"version"`
	Range      string       `json:"range"`
	Comparison string       `json:"comparison"`
	Affected   bool         `json:"affected"`
	Status     string       `json:"status,omitempty"` // the publisher's, when it is not "affected"
	Note       string       `json:"note,omitempty"`
	Product    string       `json:"product,omitempty"` // that the claim is about, as a CPE: of Red Hat's
	Origin     string       `json:"origin,omitempty"`  // and how it is known whether the package is of it
	Fix        advisory.Fix `json:"fix,omitzero"`
	URL        string       `json:"url,omitempty"`
	Modified   time.Time    `json:"modified,omitzero"`
}

// Options are the owner's choices.
type Options struct {
	// Priority ranks sources: where several speak of one package the highest
	// says severity and fix first. Sources of equal rank are in order of name.
	Priority func(source string) int
	Coverage Coverage // nil: everything is known and fresh
	// Replaces names sources whose records stand for those of another, by the
	// other's name: of a record with the same identifier nothing is heard where
	// theirs claims something, whatever it is about. Claiming finds those that
	// do.
	Replaces map[string]string
	Claiming func(ctx context.Context, source string, ids []string) (map[string]bool, error)
	// CVEs finds the CVEs of vulnerabilities that go by another name, such as
	// GHSA-…, as any source knows them; see the function of that name. nil: only
	// what the records compared say themselves.
	CVEs func(ctx context.Context, ids []string) (map[string]string, error)
}

// Find matches packages against advisories. The error is that of the look-up;
// what could not be compared is in the Result.
func Find(ctx context.Context, in Input, db Advisories, o Options) (Result, error) {
	q := Ask(in)
	all := make([]int, len(in.Packages))
	for i := range all {
		all[i] = i
	}
	answers, err := q.Answer(ctx, all, db, o)
	if err != nil {
		return Result{}, err
	}
	return q.Result(answers, o), nil
}

func stateMessage(s State, p *inventory.Package, d *inventory.Distro) string {
	switch s {
	case NoVersion:
		return "the package has no version to compare"
	case UnknownType:
		return fmt.Sprintf("no publisher is known to speak of packages of type %q", p.Type)
	case UnknownDistro:
		if p.Distro != "" {
			return fmt.Sprintf("no publisher is known to speak of the distribution %q", p.Distro)
		}
		if d == nil {
			return "the distribution is unknown"
		}
		return fmt.Sprintf("no publisher is known to speak of the distribution %q, version %q", d.ID, d.Version)
	}
	return ""
}

func coverageOf(i int, ls []lookup, c Coverage) (PackageState, bool) {
	if c == nil || len(ls) == 0 {
		return PackageState{}, true
	}
	stream := ls[0].key.Stream
	known, stale := c.Stream(stream)
	switch {
	case !known:
		return PackageState{i, NoData, stream, fmt.Sprintf("there is no advisory data for %q", stream)}, false
	case stale:
		return PackageState{i, Stale, stream, fmt.Sprintf("the advisory data for %q is older than its bound", stream)}, false
	}
	return PackageState{}, true
}

// claim is what one advisory says of one package.
type claim struct {
	advisory *advisory.Advisory
	affected *advisory.Affected
	replaced bool // another source's record stands for the advisory
}

// replaced finds, by source and identifier, the advisories that another source's
// records stand for.
func (o *Options) replaced(ctx context.Context, advisories []advisory.Advisory) (map[string]map[string]bool, error) {
	out := map[string]map[string]bool{}
	for source, by := range o.Replaces {
		var ids []string
		for i := range advisories {
			if a := &advisories[i]; a.Source == source {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) == 0 || o.Claiming == nil {
			continue
		}
		var err error
		if out[source], err = o.Claiming(ctx, by, ids); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// judgement is a claim compared with a package.
type judgement struct {
	claim
	lookup lookup
	Evidence
	confidence float64
}

// comparer parses each version and requirement once.
type comparer struct {
	versions map[string]parsed
	ranges   map[string]parsedRange
}

type parsed struct {
	v   version.Version
	err error
}

type parsedRange struct {
	r   version.Range
	err error
}

func newComparer() *comparer {
	return &comparer{map[string]parsed{}, map[string]parsedRange{}}
}

func (c *comparer) parse(s version.Scheme, text string) (version.Version, error) {
	k := string(s) + "\x00" + text
	p, ok := c.versions[k]
	if !ok {
		p.v, p.err = version.Parse(s, text)
		c.versions[k] = p
	}
	return p.v, p.err
}

func (c *comparer) requirement(s version.Scheme, text string) (version.Range, error) {
	k := string(s) + "\x00" + text
	p, ok := c.ranges[k]
	if !ok {
		p.r, p.err = version.ParseRange(s, text)
		c.ranges[k] = p
	}
	return p.r, p.err
}

// judge compares one package with one claim. relevant is false where the
// claim is about something else: another architecture, module, repository, or
// the other kind of name. problem says what could not be compared; such a
// claim does not count as "not affected": it is relevant, with confidence 0.
func (c *comparer) judge(p *inventory.Package, l lookup, cl claim) (j judgement, relevant bool, problem string) {
	a := cl.affected
	if irrelevant(p, l, cl) != "" {
		return j, false, ""
	}
	scheme := a.Scheme
	if scheme == "" {
		scheme = l.scheme
	}
	names := "binary"
	if l.names == advisory.Source {
		names = "source"
	}
	j = judgement{claim: cl, lookup: l, confidence: 1, Evidence: Evidence{
		Source: cl.advisory.Source, Advisory: cl.advisory.ID, Key: a.Key, Names: names, Version: l.version,
		Range: Describe(a), Note: a.Note, Fix: a.Fix, URL: cl.advisory.URL, Modified: cl.advisory.Modified,
	}}
	if a.Status != advisory.StatusAffected {
		j.Evidence.Status = string(a.Status)
	}
	if strings.HasPrefix(a.Repository, "cpe:/") {
		j.Product, j.Origin = a.Repository, l.content.origin()
	}
	v, err := c.parse(scheme, l.version)
	if err != nil {
		if len(a.Intervals)+len(a.Versions) == 0 && a.Requirement == "" {
			j.Affected, j.Comparison = true, "every version is affected"
			return j, true, ""
		}
		if slices.Contains(a.Versions, l.version) {
			j.Affected, j.Comparison = true, "the version is listed"
			return j, true, ""
		}
		j.confidence, j.Comparison = 0, err.Error()
		return j, true, ""
	}
	certain := true
	if a.CPE != "" {
		var ok bool
		if ok, certain = cpeMatches(a.CPE, p, v, c); !ok {
			j.Comparison = "the CPE does not match"
			if noVersion(a) {
				j.confidence, j.Comparison = 0, "the record names the product without a version: nothing can be concluded"
			}
			return j, true, ""
		}
	}
	j.Affected, j.Comparison, problem = c.within(scheme, v, a)
	if problem != "" {
		problem = fmt.Sprintf("%s %s, %s %s: %s", cl.advisory.Source, cl.advisory.ID, a.Stream, a.Name, problem)
		if !j.Affected {
			j.confidence = 0
		}
	}
	if a.Stream == "cpe" {
		j.confidence = 0.6
		if !certain {
			j.confidence = 0.4
			j.Note = strings.TrimSpace(j.Note + " only some editions or platforms, and the package does not say which it is")
		}
		if len(a.With) > 0 {
			j.confidence = 0.3
			j.Note = strings.TrimSpace(j.Note + " only together with " + strings.Join(a.With, " or "))
		}
	}
	if doubtfulModule(p, a) {
		j.confidence *= 0.5
		j.Note = strings.TrimSpace(j.Note + " the package does not say of which module it is")
	}
	if p.Confidence > 0 {
		j.confidence *= p.Confidence
	}
	return j, true, problem
}

// within decides whether a version is affected and says how it was compared.
func (c *comparer) within(s version.Scheme, v version.Version, a *advisory.Affected) (affected bool, how, problem string) {
	if a.Unaffected != "" {
		r, err := c.requirement(s, a.Unaffected)
		if err != nil {
			problem = err.Error()
		} else if r.Covers(v) {
			return false, fmt.Sprintf("%s satisfies %q, which is not affected", v, a.Unaffected), problem
		}
	}
	if len(a.Intervals)+len(a.Versions) == 0 && a.Requirement == "" {
		return true, "every version is affected", problem
	}
	for _, w := range a.Versions {
		if w == v.String() {
			return true, "the version is listed", problem
		}
		if x, err := c.parse(s, w); err == nil && x.Compare(v) == 0 {
			return true, fmt.Sprintf("%s = %s, which is listed", v, w), problem
		}
	}
	if a.Requirement != "" {
		r, err := c.requirement(s, a.Requirement)
		switch {
		case err != nil:
			problem = err.Error()
		case r.Covers(v):
			return true, fmt.Sprintf("%s satisfies %q", v, a.Requirement), problem
		default:
			how = fmt.Sprintf("%s does not satisfy %q", v, a.Requirement)
		}
	}
	for _, in := range a.Intervals {
		inside, why, bad := c.inside(s, v, in)
		if bad != "" {
			problem = bad
			continue
		}
		if inside {
			return true, why, problem
		}
		how = why
	}
	if how == "" {
		how = "the version is not listed"
	}
	return false, how, problem
}

func (c *comparer) inside(s version.Scheme, v version.Version, in advisory.Interval) (inside bool, how, problem string) {
	if in.Introduced != "" && in.Introduced != "0" {
		from, err := c.parse(s, in.Introduced)
		if err != nil {
			return false, "", err.Error()
		}
		if d := v.Compare(from); d < 0 || d == 0 && in.After {
			return false, fmt.Sprintf("%s < %s, the first affected", v, in.Introduced), ""
		}
		how = fmt.Sprintf("%s ≥ %s", v, in.Introduced)
	}
	if in.Fixed != "" {
		to, err := c.parse(s, in.Fixed)
		if err != nil {
			return false, "", err.Error()
		}
		if v.Compare(to) >= 0 {
			return false, fmt.Sprintf("%s ≥ %s, which is fixed", v, in.Fixed), ""
		}
		return true, join(how, fmt.Sprintf("%s < %s, which is fixed", v, in.Fixed)), ""
	}
	if in.LastAffected != "" {
		to, err := c.parse(s, in.LastAffected)
		if err != nil {
			return false, "", err.Error()
		}
		if v.Compare(to) > 0 {
			return false, fmt.Sprintf("%s > %s, the last affected", v, in.LastAffected), ""
		}
		return true, join(how, fmt.Sprintf("%s ≤ %s, the last affected", v, in.LastAffected)), ""
	}
	return true, join(how, "no fixed version"), ""
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// Describe writes the affected versions of a claim for people.
func Describe(a *advisory.Affected) string {
	var parts []string
	for _, in := range a.Intervals {
		s := ""
		if in.Introduced != "" && in.Introduced != "0" {
			op := "≥ "
			if in.After {
				op = "> "
			}
			s = op + in.Introduced
		}
		switch {
		case in.Fixed != "":
			s = strings.TrimPrefix(s+", < "+in.Fixed, ", ")
		case in.LastAffected != "":
			s = strings.TrimPrefix(s+", ≤ "+in.LastAffected, ", ")
		case s == "":
			s = "every version"
		}
		parts = append(parts, s)
	}
	if a.Requirement != "" {
		parts = append(parts, a.Requirement)
	}
	if n := len(a.Versions); n > 0 {
		if n > 5 {
			parts = append(parts, fmt.Sprintf("= %s … (%d listed)", strings.Join(a.Versions[:5], ", "), n))
		} else {
			parts = append(parts, "= "+strings.Join(a.Versions, ", "))
		}
	}
	if len(parts) == 0 {
		parts = []string{"every version"}
	}
	out := strings.Join(parts, " | ")
	if a.Unaffected != "" {
		out += " but not " + a.Unaffected
	}
	return out
}
