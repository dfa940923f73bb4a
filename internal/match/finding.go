package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// findings makes one finding per vulnerability of everything that was judged
// about one package.
func findings(c *comparer, p *inventory.Package, judged []judgement, cves map[string]string, o Options) []Finding {
	groups := groupByVulnerability(judged, cves)
	var out []Finding
	for _, g := range groups {
		slices.SortStableFunc(g.judged, func(a, b judgement) int {
			return cmp.Or(cmp.Compare(priority(o, b.Source), priority(o, a.Source)), strings.Compare(a.Source, b.Source), strings.Compare(a.Advisory, b.Advisory))
		})
		f, ok := g.finding(c, p, o)
		if ok {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func priority(o Options, source string) int {
	if o.Priority == nil {
		return 0
	}
	return o.Priority(source)
}

// finding decides. The word of the rank that is the highest among the sources
// that speak of the package counts: a distribution that says "not affected" or
// "fixed here" silences the general databases. One that is still looking, or
// whose word cannot be compared, does not speak. Within one rank any record
// that says "affected" counts.
func (g *group) finding(c *comparer, p *inventory.Package, o Options) (Finding, bool) {
	f := Finding{ID: g.id, Aliases: g.aliases}
	decided, affected, rank, mended := false, false, 0, ""
	for i := range g.judged {
		j := &g.judged[i]
		f.Evidence = append(f.Evidence, j.Evidence)
		r := priority(o, j.Source)
		if !j.speaks() || decided && r < rank {
			continue
		}
		decided, rank = true, r
		switch {
		case j.claim.affected.Status != advisory.StatusAffected:
		case j.Affected:
			affected = true
			f.Confidence = max(f.Confidence, j.confidence)
		case j.ofExtendedSupport():
			mended = j.Source
		}
	}
	// A build for extended support from the version on that mends it is
	// mended, whatever version mends it in the releases that came later.
	if mended != "" && affected {
		affected = false
		for i := range g.judged {
			if j := &g.judged[i]; j.counts(o, rank) && (j.Source != mended || j.Fix.State != advisory.Fixed) {
				affected = true
			}
		}
	}
	if !affected {
		return f, false
	}
	for i := range g.judged {
		g.describe(&f, &g.judged[i])
	}
	if f.Severity == advisory.Unknown {
		for _, s := range f.Scores {
			if s.Label != advisory.Unknown {
				f.Severity = s.Label
				break
			}
		}
	}
	f.Fix = g.fix(c, o, rank)
	return f, true
}

// speaks reports whether a judgement says anything about the version at hand.
func (j *judgement) speaks() bool {
	switch j.claim.affected.Status {
	case advisory.StatusAffected:
		return j.confidence > 0
	case advisory.StatusNotAffected:
		return j.confidence > 0 && j.Affected // the versions it is about hold this one
	}
	return false
}

// counts reports whether a judgement makes the package affected: it says so,
// and nobody of a higher rank speaks.
func (j *judgement) counts(o Options, rank int) bool {
	return j.speaks() && j.Affected && j.claim.affected.Status == advisory.StatusAffected && priority(o, j.Source) == rank
}

func (j *judgement) ofExtendedSupport() bool {
	product, release := redHatProduct(j.claim.affected.Repository)
	return productKind(product) == extended && strings.Contains(release, ".")
}

// describe adds what one record says to the finding.
func (g *group) describe(f *Finding, j *judgement) {
	a, af := j.claim.advisory, j.claim.affected
	for _, s := range append(slices.Clone(af.Severities), a.Severities...) {
		if s.Label == advisory.Unknown && s.Score > 0 {
			s.Label = advisory.LevelOfScore(s.Type, s.Score)
		}
		if !slices.Contains(f.Scores, s) {
			f.Scores = append(f.Scores, s)
		}
		if f.Severity == advisory.Unknown && s.Label != advisory.Unknown && j.Affected {
			f.Severity = s.Label
		}
	}
	f.Summary = cmp.Or(f.Summary, a.Summary)
	f.URL = cmp.Or(f.URL, a.URL)
	for _, c := range a.CWEs {
		if !slices.Contains(f.CWEs, c) {
			f.CWEs = append(f.CWEs, c)
		}
	}
	if f.Published.IsZero() || !a.Published.IsZero() && a.Published.Before(f.Published) {
		f.Published = a.Published
	}
}

// fix puts together what mends the package: of several records that make it
// affected each must be satisfied, so the highest of their fixed versions
// counts, and a fix for extended support before others. Versions above the
// package's own come first, the nearest first of all.
func (g *group) fix(c *comparer, o Options, rank int) advisory.Fix {
	var best advisory.Fix
	var bestVersion version.Version
	chosen, extended := false, false
	for i := range g.judged {
		j := &g.judged[i]
		if !j.counts(o, rank) {
			continue
		}
		fix, first := j.nearestFix(c)
		ext := j.ofExtendedSupport()
		better := !chosen || fixRank(fix) > fixRank(best)
		if chosen && fixRank(fix) == fixRank(best) {
			better = ext && !extended || ext == extended && first.Scheme() != "" && first.Scheme() == bestVersion.Scheme() && first.Compare(bestVersion) > 0
		}
		if better {
			best, bestVersion, chosen, extended = fix, first, true, ext
		}
	}
	return best
}

func fixRank(f advisory.Fix) int {
	switch f.State {
	case advisory.Fixed:
		if len(f.Versions) > 0 {
			return 3
		}
		return 2
	case advisory.FixUnknown:
		return 0
	}
	return 1
}

// nearestFix is the fix that a claim tells, its versions in the order in which
// they help the package at hand, and the first of them that lies above it.
func (j *judgement) nearestFix(c *comparer) (advisory.Fix, version.Version) {
	a := j.claim.affected
	fix := a.Fix
	fix.Versions = slices.Clone(fix.Versions)
	if fix.State == advisory.FixUnknown && len(fix.Versions) == 0 {
		for _, in := range a.Intervals {
			if in.Fixed != "" && !slices.Contains(fix.Versions, in.Fixed) {
				fix.State = advisory.Fixed
				fix.Versions = append(fix.Versions, in.Fixed)
			}
		}
	}
	scheme := cmp.Or(a.Scheme, j.lookup.scheme)
	have, err := c.parse(scheme, j.lookup.version)
	if err != nil {
		return fix, version.Version{}
	}
	above := func(s string) (version.Version, bool) {
		v, err := c.parse(scheme, s)
		return v, err == nil && v.Compare(have) > 0
	}
	slices.SortStableFunc(fix.Versions, func(a, b string) int {
		v, aboveA := above(a)
		w, aboveB := above(b)
		switch {
		case aboveA && aboveB:
			return v.Compare(w)
		case aboveA:
			return -1
		case aboveB:
			return 1
		}
		return 0
	})
	if len(fix.Versions) > 0 {
		if v, ok := above(fix.Versions[0]); ok {
			return fix, v
		}
	}
	return fix, version.Version{}
}

// Supplements reports whether a record may say something of the vulnerability
// of that name as such: the name is its own or an alias, it is about one
// vulnerability at most, and it was not taken back.
func Supplements(a *advisory.Advisory, name string) bool {
	return a.Withdrawn.IsZero() && (name == a.ID || !slices.Contains(a.Upstream, name)) && len(a.CVEs()) <= 1
}

// Supplement adds what a record says of the vulnerability as such, without
// speaking of the package: severities after those of the package's own
// publishers, and a summary, weaknesses and a date where none were known. A
// record about several vulnerabilities is passed over.
func (f *Finding) Supplement(a *advisory.Advisory) {
	if cves := a.CVEs(); len(cves) > 1 || len(cves) == 1 && advisory.IsCVE(f.ID) && cves[0] != f.ID || !a.Withdrawn.IsZero() {
		return
	}
	for _, s := range a.Severities {
		if s.Label == advisory.Unknown && s.Score > 0 {
			s.Label = advisory.LevelOfScore(s.Type, s.Score)
		}
		if !slices.Contains(f.Scores, s) {
			f.Scores = append(f.Scores, s)
		}
		if f.Severity == advisory.Unknown {
			f.Severity = s.Label
		}
	}
	f.Summary = cmp.Or(f.Summary, a.Summary)
	f.URL = cmp.Or(f.URL, a.URL)
	if len(f.CWEs) == 0 {
		f.CWEs = a.CWEs
	}
	if f.Published.IsZero() {
		f.Published = a.Published
	}
}
