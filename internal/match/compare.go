package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

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
