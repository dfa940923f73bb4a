package match

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// group is everything that is said about one vulnerability in one package.
type group struct {
	id      string
	aliases []string
	judged  []judgement
}

// groupByVulnerability merges aliases: judgements that share an identifier
// are about one vulnerability, named by its CVE where there is one. An
// advisory about several CVEs is evidence in each. Cycles of aliases are
// harmless: the sets are unions. names tells the CVE of vulnerabilities whose own records do
// not.
func groupByVulnerability(judged []judgement, names map[string]string) []group {
	u := union{parent: map[string]string{}}
	revisions := map[string]string{}     // bulletin: its first revision here
	ids := make([][]string, len(judged)) // the vulnerabilities a judgement is about
	bundles := map[string][]string{}     // the CVEs of bulletins: one source may name them, another not
	for i := range judged {
		if a := judged[i].claim.advisory; len(a.Upstream) > 0 && len(bundles[a.ID]) == 0 {
			bundles[a.ID] = a.CVEs()
		}
	}
	for i := range judged {
		a := judged[i].claim.advisory
		cves := a.CVEs()
		if len(cves) == 0 && len(a.Upstream) == 0 {
			ids[i] = bundles[a.ID]
		}
		switch {
		case len(ids[i]) > 0:
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
			for _, id := range a.Upstream {
				if id != "" {
					ids[i] = append(ids[i], id)
					u.join(id, names[id])
				}
			}
		default:
			ids[i] = []string{a.ID}
			u.join(a.ID, names[a.ID])
			for _, alias := range a.Aliases {
				u.join(a.ID, alias)
				u.join(alias, names[alias])
			}
			if b, ok := bulletin(a.ID); ok {
				if revisions[b] == "" {
					revisions[b] = a.ID
				}
				u.join(a.ID, revisions[b])
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
		g.aliases = slices.DeleteFunc(slices.Compact(g.aliases), func(s string) bool { return s == g.id || s == "" })
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b group) int { return strings.Compare(a.id, b.id) })
	return out
}

// CVEs tells by which CVE vulnerabilities go that have another name, as far as
// records say so: those that are about one vulnerability alone, and where they
// agree.
func CVEs(records []advisory.Advisory) map[string]string {
	out := map[string]string{}
	for i := range records {
		a := &records[i]
		if len(a.Upstream) > 0 || !a.Withdrawn.IsZero() {
			continue
		}
		cves := a.CVEs()
		if len(cves) != 1 {
			continue
		}
		for _, id := range append([]string{a.ID}, a.Aliases...) {
			if advisory.IsCVE(id) || id == "" {
				continue
			}
			if known, ok := out[id]; ok && known != cves[0] {
				out[id] = "" // they disagree
				continue
			}
			out[id] = cves[0]
		}
	}
	return out
}

// noteUnnamed collects the names of what a record is about if no CVE is among
// them.
func noteUnnamed(ids map[string]bool, a *advisory.Advisory) {
	for _, list := range [][]string{{a.ID}, a.Aliases, a.Upstream} {
		if slices.ContainsFunc(list, advisory.IsCVE) {
			return
		}
	}
	list := a.Upstream
	if len(list) == 0 {
		ids[a.ID] = true
		list = a.Aliases
	}
	for _, id := range list {
		ids[id] = true
	}
}

// bulletin cuts the number of the revision off a bulletin's identifier:
// "DSA-2263" of "DSA-2263-2".
func bulletin(id string) (string, bool) {
	if !strings.HasPrefix(id, "DSA-") && !strings.HasPrefix(id, "DLA-") && !strings.HasPrefix(id, "USN-") {
		return "", false
	}
	i := strings.LastIndexByte(id, '-')
	return id[:i], i > len("DSA")
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

// join puts two sets together; "" is no identifier.
func (u union) join(a, b string) {
	if a == "" || b == "" {
		return
	}
	a, b = u.find(a), u.find(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	u.parent[b] = a
}
