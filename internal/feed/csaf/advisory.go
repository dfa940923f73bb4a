package csaf

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// advisories makes the records of a document: one, or, when an advisory is
// about several vulnerabilities that are not in the same packages, one for
// each, whose id has the CVE behind a "#". The errors are of single products.
func (v *vendor) advisories(source string, d *document) ([]*advisory.Advisory, []error, error) {
	if len(d.Vulnerabilities) > maxVulnerabilities {
		return nil, nil, &feed.LimitError{What: "the document", Limit: "vulnerabilities", Most: maxVulnerabilities}
	}
	c, err := newCatalogue(&d.Tree)
	if err != nil {
		return nil, nil, err
	}
	id := d.Document.Tracking.ID
	base := advisory.Advisory{
		Source: source, ID: id, Summary: strings.TrimSpace(d.Document.Title),
		Published: date(d.Document.Tracking.Initial), Modified: date(d.Document.Tracking.Current),
	}
	if n := len(d.Vulnerabilities); n == 0 {
		base.Details = details(d.Document.Notes)
		return []*advisory.Advisory{&base}, nil, nil
	}
	var problems []error
	affected := make([][]advisory.Affected, len(d.Vulnerabilities))
	same := true
	for i := range d.Vulnerabilities {
		vul := &d.Vulnerabilities[i]
		var bad []error
		affected[i], bad = v.claimsOf(c, vul, overall(vul))
		problems = append(problems, bad...)
		same = same && (i == 0 || reflect.DeepEqual(affected[i], affected[0]))
	}
	if same {
		a := base
		a.Affected = affected[0]
		v.refer(&a, d.Document.References)
		for i := range d.Vulnerabilities {
			v.describe(&a, &d.Vulnerabilities[i], len(d.Vulnerabilities) == 1)
		}
		if v.severityOf(&a); len(d.Vulnerabilities) > 1 {
			v.overall(&a, d.Document.Severity.Text)
		}
		a.Details = cmp.Or(a.Details, details(d.Document.Notes))
		return []*advisory.Advisory{&a}, problems, nil
	}
	out := make([]*advisory.Advisory, 0, len(d.Vulnerabilities))
	for i := range d.Vulnerabilities {
		vul := &d.Vulnerabilities[i]
		if len(affected[i]) == 0 {
			continue
		}
		a := base
		a.ID = fmt.Sprintf("%s#%s", id, cmp.Or(vul.CVE, fmt.Sprint(i+1)))
		a.Affected = affected[i]
		v.refer(&a, d.Document.References)
		v.describe(&a, vul, true)
		v.severityOf(&a)
		out = append(out, &a)
	}
	if len(out) == 0 {
		out = append(out, &base)
	}
	return out, problems, nil
}

// overall is the word that is said of the most products.
func overall(vul *vulnerability) string {
	most, word := -1, ""
	for _, t := range vul.Threats {
		if n := len(t.Products) + len(t.Groups); t.Category == "impact" && n > most {
			most, word = n, t.Details
		}
	}
	return word
}

// describe adds what a vulnerability says besides products.
func (v *vendor) describe(a *advisory.Advisory, vul *vulnerability, single bool) {
	if vul.CVE != "" && vul.CVE != a.ID && !slices.Contains(a.Upstream, vul.CVE) {
		a.Upstream = append(a.Upstream, vul.CVE)
	}
	if w := vul.CWE.ID; strings.HasPrefix(w, "CWE-") && !slices.Contains(a.CWEs, w) {
		a.CWEs = append(a.CWEs, w)
	}
	if !single {
		return
	}
	if vul.CVE == a.ID || strings.HasSuffix(a.ID, "#"+vul.CVE) {
		if t := strings.TrimSpace(vul.Title); t != "" && t != vul.CVE {
			a.Summary = t
		}
		if t := date(vul.Released); !t.IsZero() {
			a.Published = t
		}
	}
	a.Details = cmp.Or(details(vul.Notes), a.Details)
	v.refer(a, vul.References)
	if w := overall(vul); w != "" {
		a.Severities = append(a.Severities, advisory.Severity{Source: v.source, Type: "LABEL", Label: advisory.LevelOf(w), Raw: w})
	}
	for _, s := range vul.Scores {
		for _, x := range []cvss{s.V4, s.V3, s.V2} {
			if x.Vector == "" {
				continue
			}
			sev, err := feed.CVSS(v.source, x.Vector)
			if err != nil {
				continue
			}
			if x.Score > 0 && x.Score != sev.Score {
				sev.Score, sev.Label = x.Score, advisory.LevelOfScore(sev.Type, x.Score)
			}
			if !slices.Contains(a.Severities, sev) {
				a.Severities = append(a.Severities, sev)
			}
		}
	}
}

// overall adds the word that a document as a whole has.
func (v *vendor) overall(a *advisory.Advisory, word string) {
	if word != "" && !slices.ContainsFunc(a.Severities, func(s advisory.Severity) bool { return s.Type == "LABEL" }) {
		a.Severities = append(a.Severities, advisory.Severity{Source: v.source, Type: "LABEL", Label: advisory.LevelOf(word), Raw: word})
	}
}

// severityOf leaves out a package's word that is the advisory's too.
func (v *vendor) severityOf(a *advisory.Advisory) {
	word := ""
	for _, s := range a.Severities {
		if s.Type == "LABEL" {
			word = s.Raw
		}
	}
	for i := range a.Affected {
		if s := a.Affected[i].Severities; len(s) == 1 && s[0].Raw == word {
			a.Affected[i].Severities = nil
		}
	}
}

func (v *vendor) refer(a *advisory.Advisory, refs []reference) {
	for _, r := range refs {
		if !strings.Contains(r.URL, "://") || len(a.References) >= maxReferences {
			continue
		}
		if r.Category == "self" && (a.URL == "" || strings.HasSuffix(a.URL, ".json")) && !strings.HasSuffix(r.URL, ".json") {
			a.URL = r.URL
		}
		ref := advisory.Reference{Type: "WEB", URL: r.URL}
		if r.Category == "self" {
			ref.Type = "ADVISORY"
		}
		if strings.HasSuffix(r.URL, ".json") && r.Category == "self" || slices.ContainsFunc(a.References, func(x advisory.Reference) bool { return x.URL == r.URL }) {
			continue
		}
		a.References = append(a.References, ref)
	}
}

// details takes the note that describes: a description before a summary.
func details(notes []note) string {
	for _, want := range []string{"description", "details", "general", "summary"} {
		for _, n := range notes {
			if n.Category != want || want == "general" && !strings.Contains(strings.ToLower(n.Title), "description") {
				continue
			}
			if t := strings.TrimSpace(strings.ReplaceAll(n.Text, "\r\n", "\n")); t != "" {
				return t
			}
		}
	}
	return ""
}
