package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Explanation says why a vulnerability was reported for an image, or why not.
type Explanation struct {
	ID      string   `json:"id"`
	Aliases []string `json:"aliases,omitempty"`
	// Records are all records of the identifier, whatever they speak of.
	Records []advisory.Advisory `json:"records,omitempty"`
	// Packages are those of the image that a record speaks of.
	Packages []PackageExplanation `json:"packages,omitempty"`
	// VEX says what the statements about it did, Ignored what ignore rules did;
	// see [Explanation.Decide].
	VEX     []StatementResult `json:"vex,omitempty"`
	Ignored []IgnoreResult    `json:"ignored,omitempty"`
	// Verdict is the answer in one sentence.
	Verdict string `json:"verdict"`
}

// PackageExplanation is the derivation for one package: file, package, key,
// record, range, comparison.
type PackageExplanation struct {
	Package  *inventory.Package `json:"package"`
	Keys     []advisory.Key     `json:"keys"` // that were asked for
	Evidence []Evidence         `json:"evidence,omitempty"`
	Finding  *Finding           `json:"finding,omitempty"` // nil: not reported
	Reason   string             `json:"reason"`
}

// Explain tells for a vulnerability and every package of the input how they
// were compared. records are all that carry the identifier, as its own, an
// alias or upstream; they may say more than one thing about a package.
func Explain(id string, in Input, records []advisory.Advisory, o Options) Explanation {
	e := Explanation{ID: id, Records: records}
	aliases := map[string]bool{}
	byKey := map[advisory.Key][]claim{}
	for i := range records {
		a := &records[i]
		if cves := a.CVEs(); len(cves) <= 1 {
			for _, x := range append([]string{a.ID}, a.Aliases...) {
				if x != id {
					aliases[x] = true
				}
			}
		}
		for k := range a.Affected {
			byKey[a.Affected[k].Key] = append(byKey[a.Affected[k].Key], claim{a, &a.Affected[k], o.standsFor(a, records)})
		}
	}
	for a := range aliases {
		e.Aliases = append(e.Aliases, a)
	}
	slices.Sort(e.Aliases)
	c, cves := newComparer(), CVEs(records)
	var owned *owners
	for i := range in.Packages {
		p := &in.Packages[i]
		ls, state := in.lookups(p)
		pe := PackageExplanation{Package: p}
		var judged []judgement
		skipped := ""
		spoken := false
		for _, l := range ls {
			pe.Keys = append(pe.Keys, l.key)
			for _, cl := range byKey[l.key] {
				spoken = true
				j, relevant, problem := c.judge(p, l, cl)
				if !relevant {
					skipped = irrelevant(p, l, cl)
					continue
				}
				if problem != "" {
					j.Note = strings.TrimSpace(j.Note + " " + problem)
				}
				judged = append(judged, j)
				pe.Evidence = append(pe.Evidence, j.Evidence)
			}
		}
		if !spoken {
			if state != Judged && namedByRecords(p, records) {
				pe.Reason = "not judged: " + stateMessage(state, p, in.Distro)
				e.Packages = append(e.Packages, pe)
			}
			continue
		}
		fs := findings(c, p, judged, cves, o)
		for k := range fs {
			fs[k].Package = i
		}
		if p.Owner != "" {
			if owned == nil {
				owned = newOwners(in, o.Coverage)
			}
			owned.suppress(p, fs)
		}
		for _, f := range fs {
			if f.ID == id || slices.Contains(f.Aliases, id) {
				pe.Finding = &f
				break
			}
		}
		switch {
		case pe.Finding != nil && pe.Finding.Suppressed != "":
			pe.Reason = "suppressed: " + pe.Finding.Suppressed
		case pe.Finding != nil:
			pe.Reason = "reported: " + affectedComparison(judged)
		case len(judged) == 0:
			pe.Reason = "not reported: " + skipped
		default:
			pe.Reason = "not reported: " + decidingComparison(judged, o)
		}
		e.Packages = append(e.Packages, pe)
	}
	e.verdict()
	return e
}

// Decide applies to the findings what their owner has decided: apply is given a
// scan of them alone, and applies statements and ignore rules to it. Statements
// about other vulnerabilities, and rules that ignored nothing here and have not
// expired, are left out of the explanation.
func (e *Explanation) Decide(scan *Scan, apply func(*Scan)) {
	var of []*PackageExplanation
	names := map[string]bool{e.ID: true}
	for _, a := range e.Aliases {
		names[a] = true
	}
	for i := range e.Packages {
		if f := e.Packages[i].Finding; f != nil {
			of = append(of, &e.Packages[i])
			scan.Findings = append(scan.Findings, *f)
			names[f.ID] = true
			for _, a := range f.Aliases {
				names[a] = true
			}
		}
	}
	apply(scan)
	for i, p := range of {
		*p.Finding = scan.Findings[i]
		if why := p.Finding.Suppressed; why != "" {
			p.Reason = "suppressed: " + why
		}
	}
	for _, r := range scan.VEX {
		if names[r.Statement.Vulnerability] || slices.ContainsFunc(r.Statement.Aliases, func(s string) bool { return names[s] }) {
			e.VEX = append(e.VEX, r)
		}
	}
	for _, r := range scan.Ignored {
		if r.Matched > 0 || r.Expired {
			e.Ignored = append(e.Ignored, r)
		}
	}
	e.verdict()
}

// verdict puts the answer into a sentence.
func (e *Explanation) verdict() {
	reported, suppressed := 0, 0
	for i := range e.Packages {
		switch f := e.Packages[i].Finding; {
		case f == nil:
		case f.Suppressed != "":
			suppressed++
		default:
			reported++
		}
	}
	switch {
	case len(e.Records) == 0:
		e.Verdict = fmt.Sprintf("no record of %s is known: it may be newer than the data, or its source may be off; see feed status", e.ID)
	case len(e.Packages) == 0:
		e.Verdict = fmt.Sprintf("the records of %s speak of %s; the image has none of these", e.ID, strings.Join(keyNames(e.Records), ", "))
	case reported > 0:
		e.Verdict = fmt.Sprintf("%s is reported for %d of %d packages that its records speak of", e.ID, reported, len(e.Packages))
	case suppressed > 0:
		e.Verdict = fmt.Sprintf("%s is found in %d of %d packages that its records speak of, and suppressed in all: see the reason of each", e.ID, suppressed, len(e.Packages))
	default:
		e.Verdict = fmt.Sprintf("%s is not reported: see the reason of each of %d packages", e.ID, len(e.Packages))
	}
}

// standsFor reports whether another source's record stands for one.
func (o *Options) standsFor(a *advisory.Advisory, records []advisory.Advisory) bool {
	by, ok := o.Replaces[a.Source]
	return ok && slices.ContainsFunc(records, func(x advisory.Advisory) bool { return x.Source == by && x.ID == a.ID && len(x.Affected) > 0 })
}

func affectedComparison(judged []judgement) string {
	for i := range judged {
		if judged[i].Affected {
			return judged[i].Comparison + " (" + judged[i].Source + " " + judged[i].Advisory + ")"
		}
	}
	return ""
}

// decidingComparison names the comparison of the source that was heard.
func decidingComparison(judged []judgement, o Options) string {
	var best *judgement
	for i := range judged {
		j := &judged[i]
		if !j.speaks() {
			continue
		}
		if best == nil || priority(o, j.Source) > priority(o, best.Source) ||
			priority(o, j.Source) == priority(o, best.Source) && best.Affected && best.claim.affected.Status == advisory.StatusAffected {
			best = j
		}
	}
	if best == nil {
		j := &judged[0]
		s := "nothing can be concluded: " + j.Comparison
		if j.Evidence.Status != "" {
			s = "the publisher says " + j.Evidence.Status
		}
		return s + " (" + j.Source + " " + j.Advisory + ")"
	}
	s := best.Comparison
	if best.Evidence.Status != "" {
		s = "the publisher says " + best.Evidence.Status
	}
	return s + " (" + best.Source + " " + best.Advisory + ")"
}

func namedByRecords(p *inventory.Package, records []advisory.Advisory) bool {
	for i := range records {
		for k := range records[i].Affected {
			n := records[i].Affected[k].Name
			if n == p.Name || n == p.Source || n == EcosystemName(p) {
				return true
			}
		}
	}
	return false
}

func keyNames(records []advisory.Advisory) []string {
	var out []string
	for i := range records {
		for k := range records[i].Affected {
			key := records[i].Affected[k].Key
			if s := key.Stream + " " + key.Name; !slices.Contains(out, s) && len(out) < 8 {
				out = append(out, s)
			}
		}
	}
	if len(out) == 0 {
		return []string{"no package by name"}
	}
	return out
}
