package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// findings makes one finding per vulnerability of everything that was judged
// about one package.
func findings(index int, p *inventory.Package, judged []judgement, o Options) []Finding {
	groups := groupByVulnerability(judged)
	var out []Finding
	for _, g := range groups {
		slices.SortStableFunc(g.judged, func(a, b judgement) int {
			return cmp.Or(cmp.Compare(priority(o, b.Source), priority(o, a.Source)), strings.Compare(a.Source, b.Source), strings.Compare(a.Advisory, b.Advisory))
		})
		f, ok := g.finding(index, p)
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

// group is everything that is said about one vulnerability in one package.
type group struct {
	id      string
	aliases []string
	judged  []judgement
}

// groupByVulnerability merges aliases: judgements that share an identifier
// are about one vulnerability, named by its CVE where there is one. An
// advisory about several CVEs is evidence in each. Cycles of aliases are
// harmless: the sets are unions.
func groupByVulnerability(judged []judgement) []group {
	u := union{parent: map[string]string{}}
	ids := make([][]string, len(judged)) // the vulnerabilities a judgement is about
	for i := range judged {
		a := judged[i].claim.advisory
		cves := a.CVEs()
		switch {
		case len(cves) > 1:
			ids[i] = cves // one finding each; its own id is no vulnerability but a bundle
		case len(cves) == 1:
			ids[i] = cves
			if len(a.Upstream) == 0 {
				for _, alias := range append([]string{a.ID}, a.Aliases...) {
					u.join(cves[0], alias)
				}
			}
		case len(a.Upstream) > 0:
			ids[i] = a.Upstream
		default:
			ids[i] = []string{a.ID}
			for _, alias := range a.Aliases {
				u.join(a.ID, alias)
			}
		}
	}
	members := map[string][]string{}
	for id := range u.parent {
		root := u.find(id)
		members[root] = append(members[root], id)
	}
	// A set with several CVEs (publishers disagree about aliases) is kept
	// apart by CVE: merging them would lose one.
	canonical := func(id string) string {
		if advisory.IsCVE(id) {
			return id
		}
		best := id
		for _, m := range members[u.find(id)] {
			if advisory.IsCVE(m) && (!advisory.IsCVE(best) || m < best) || !advisory.IsCVE(best) && idRank(m) < idRank(best) {
				best = m
			}
		}
		return best
	}
	groups := map[string]*group{}
	for i := range judged {
		for _, id := range ids[i] {
			c := canonical(id)
			g := groups[c]
			if g == nil {
				g = &group{id: c}
				groups[c] = g
			}
			if n := len(g.judged); n > 0 && g.judged[n-1].claim == judged[i].claim && g.judged[n-1].lookup.key == judged[i].lookup.key {
				continue
			}
			g.judged = append(g.judged, judged[i])
			a := judged[i].claim.advisory
			g.aliases = append(g.aliases, a.ID)
			if len(a.CVEs()) <= 1 {
				g.aliases = append(g.aliases, a.Aliases...)
			}
		}
	}
	out := make([]group, 0, len(groups))
	for _, g := range groups {
		slices.Sort(g.aliases)
		g.aliases = slices.DeleteFunc(slices.Compact(g.aliases), func(s string) bool { return s == g.id })
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b group) int { return strings.Compare(a.id, b.id) })
	return out
}

// idRank prefers widely known identifiers where there is no CVE.
func idRank(id string) string {
	switch {
	case strings.HasPrefix(id, "GHSA-"):
		return "0" + id
	case strings.HasPrefix(id, "GO-"), strings.HasPrefix(id, "RUSTSEC-"), strings.HasPrefix(id, "PYSEC-"):
		return "1" + id
	}
	return "2" + id
}

// union is a union-find over identifiers.
type union struct{ parent map[string]string }

func (u union) find(id string) string {
	if _, ok := u.parent[id]; !ok {
		u.parent[id] = id
	}
	for u.parent[id] != id {
		u.parent[id] = u.parent[u.parent[id]]
		id = u.parent[id]
	}
	return id
}

func (u union) join(a, b string) {
	a, b = u.find(a), u.find(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	u.parent[b] = a
}

// finding decides. The word of the source of the highest priority that speaks
// of the package counts: a distribution that says "not affected" or "fixed
// here" silences the general databases. Within one source any record that
// says "affected" counts.
func (g *group) finding(index int, p *inventory.Package) (Finding, bool) {
	f := Finding{ID: g.id, Aliases: g.aliases, Package: index, Confidence: 1}
	affected, decided := false, ""
	for i := range g.judged {
		j := &g.judged[i]
		f.Evidence = append(f.Evidence, j.Evidence)
		if j.confidence == 0 {
			continue
		}
		if decided != "" && j.Source != decided {
			continue
		}
		decided = j.Source
		if j.Affected && j.claim.affected.Status == advisory.StatusAffected {
			if !affected || j.confidence > f.Confidence {
				f.Confidence = j.confidence
			}
			affected = true
		}
		if j.claim.affected.Status == advisory.StatusNotAffected && j.Affected && specific(j.claim.affected) {
			f.Suppressed = "the publisher says the package is not affected"
		}
	}
	if !affected {
		return f, false
	}
	f.Suppressed = ""
	for i := range g.judged {
		g.describe(&f, &g.judged[i], decided)
	}
	if f.Severity == advisory.Unknown {
		for _, s := range f.Scores {
			if s.Label != advisory.Unknown {
				f.Severity = s.Label
				break
			}
		}
	}
	if p.Owner != "" {
		f.Suppressed = "owned by " + p.Owner + ": its distribution speaks of it"
	}
	return f, true
}

func specific(a *advisory.Affected) bool {
	return len(a.Intervals)+len(a.Versions) > 0 || a.Requirement != ""
}

// describe adds what one record says to the finding.
func (g *group) describe(f *Finding, j *judgement, decided string) {
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
	if !j.Affected || j.Source != decided {
		return
	}
	fix := af.Fix
	if fix.State == advisory.FixUnknown && len(fix.Versions) == 0 {
		for _, in := range af.Intervals {
			if in.Fixed != "" {
				fix.State = advisory.Fixed
				fix.Versions = append(fix.Versions, in.Fixed)
			}
		}
	}
	if f.Fix.State == advisory.FixUnknown || f.Fix.State != advisory.Fixed && fix.State == advisory.Fixed {
		f.Fix = fix
	}
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
