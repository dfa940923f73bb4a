package oval

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// maxSeverities bounds the judgements of one record.
const maxSeverities = 100

// publisher is what differs from one publisher's documents to another's.
type publisher struct {
	info   feed.Info
	source string         // of severities
	names  advisory.Names // whose name and version they compare

	files  []string                   // below the address of the network
	choose func(page string) []string // instead of files: out of a listing

	// platform gives the key stream of a product's name.
	platform func(product string) (stream string, ok bool)
	// perCVE: the definition is about CVEs in some packages, and what it says
	// goes to the record of each. Otherwise it is an advisory of its own. Nil
	// is false.
	perCVE func(d *definition) bool
	// aboutPackages: descriptions are about one package, records about more.
	aboutPackages bool
	// plainNames: "NAME is installed" names a package, not a package with its
	// version.
	plainNames bool
	// systemArches: architectures are those of systems.
	systemArches bool
	// streams gives the streams of a document whose definitions name none; nil
	// if the document is another publisher's.
	streams func(doc *document) ([]string, error)
	// claim says what the definition makes of a package that fulfils it.
	claim func(t *table, d *definition, base *claim)
	// settle changes the claims of a definition, such as the state of the fix
	// of each package.
	settle func(t *table, d *definition, claims []claim)
}

func (p *publisher) byCVE(d *definition) bool { return p.perCVE != nil && p.perCVE(d) }

// identify gives the identifiers of the records that a definition belongs to:
// itself, or its CVEs.
func (p *publisher) identify(d *definition) (advisoryID, url string, cves []string) {
	for _, r := range d.references {
		id := r.id
		switch strings.ToUpper(r.source) {
		case "CVE", "SUSE CVE":
			// "Mitre CVE-1999-0524", "CVE:00001:CVE-2019-16168"
			if i := strings.LastIndex(id, "CVE-"); i > 0 {
				id = id[i:]
			}
			if advisory.IsCVE(id) {
				cves = append(cves, id)
			}
		case "RHSA", "RHBA", "RHEA", "ELSA", "ELBA", "ALSA", "ALBA", "ALEA", "SUSE-SU", "PHSA":
			if advisoryID == "" {
				advisoryID, url = id, r.url
			}
		}
	}
	if len(cves) == 0 || !p.byCVE(d) {
		for _, c := range d.cves {
			id, _, _ := strings.Cut(c.id, " ")
			if advisory.IsCVE(id) {
				cves = append(cves, id)
			}
		}
	}
	first := strings.TrimSuffix(cmp.Or(strings.Fields(d.title)...), ":")
	if len(cves) == 0 && advisory.IsCVE(first) {
		cves = append(cves, first)
	}
	if low := strings.ToLower(first); d.class == "patch" && (strings.HasPrefix(low, "suse-") || strings.HasPrefix(low, "opensuse-")) {
		advisoryID = first
	}
	slices.Sort(cves)
	return advisoryID, url, slices.Compact(cves)
}

// describe fills in what a definition says besides packages.
func (p *publisher) describe(a *advisory.Advisory, d *definition, url string, single bool) {
	if !p.byCVE(d) {
		_, title, ok := strings.Cut(d.title, ": ")
		if !ok {
			title = d.title
		}
		title = strings.TrimSpace(title)
		if i := strings.LastIndex(title, " ("); i > 0 && strings.HasSuffix(title, ")") {
			title = strings.TrimSpace(title[:i])
		}
		a.Summary = cmp.Or(a.Summary, title)
	}
	if !p.aboutPackages {
		a.Details = cmp.Or(a.Details, d.description)
	}
	if p.byCVE(d) {
		url = ""
		for _, r := range d.references {
			if s := strings.ToUpper(r.source); s == "SUSE CVE" || s == "CVE" && url == "" && !strings.HasPrefix(r.id, "Mitre ") {
				url = r.url
			}
		}
		for _, c := range d.cves {
			if d.issued.IsZero() && c.public != "" {
				d.issued = date(c.public[:min(len(c.public), 8)])
			}
		}
	}
	a.URL = cmp.Or(a.URL, url)
	if a.Published.IsZero() || !d.issued.IsZero() && d.issued.Before(a.Published) {
		a.Published = d.issued
	}
	if d.updated.After(a.Modified) {
		a.Modified = d.updated
	}
	for _, r := range d.references {
		if i := strings.LastIndex(r.id, "CVE-"); i >= 0 && p.byCVE(d) && r.id[i:] != a.ID {
			continue // of another CVE that the definition is about
		}
		if strings.Contains(r.url, "://") {
			a.References = append(a.References, advisory.Reference{Type: "ADVISORY", URL: r.url})
		}
	}
	if d.severity != "" && !slices.ContainsFunc(a.Severities, func(s advisory.Severity) bool { return s.Type == "LABEL" }) {
		a.Severities = append(a.Severities, advisory.Severity{Source: p.source, Type: "LABEL", Label: advisory.LevelOf(d.severity), Raw: d.severity})
	}
	for _, c := range d.cves {
		a.CWEs = append(a.CWEs, cwes(c.cwe)...)
		// The scores of several CVEs are not those of the advisory.
		if single {
			for _, s := range p.scores(c) {
				if len(a.Severities) < maxSeverities && !slices.Contains(a.Severities, s) {
					a.Severities = append(a.Severities, s)
				}
			}
		}
	}
}

// scores reads "7.8/CVSS:3.1/AV:N/…" and the same without a score.
func (p *publisher) scores(c cve) []advisory.Severity {
	source := p.source
	if strings.HasSuffix(c.id, " at NVD") {
		source = "nvd"
	}
	var out []advisory.Severity
	for _, v := range []string{c.cvss4, c.cvss3, c.cvss2} {
		if v == "" {
			continue
		}
		vector, given := v, 0.0
		if first, rest, ok := strings.Cut(v, "/"); ok {
			if f, err := strconv.ParseFloat(first, 64); err == nil && f >= 0 && f <= 10 {
				given, vector = f, rest
			}
		}
		if s, err := feed.CVSS(source, vector); err == nil {
			if given > 0 && given != s.Score {
				s.Score, s.Label = given, advisory.LevelOfScore(s.Type, given)
			}
			out = append(out, s)
		}
	}
	return out
}

// cwes finds the weaknesses in "CWE-120->CWE-131", "(CWE-213|CWE-1268)".
func cwes(s string) []string {
	var out []string
	for {
		i := strings.Index(s, "CWE-")
		if i < 0 {
			return out
		}
		n := i + 4
		for n < len(s) && n < i+12 && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n > i+4 {
			out = append(out, s[i:n])
		}
		s = s[n:]
	}
}

// base is what all claims of a definition have in common.
func (p *publisher) base(t *table, d *definition, id, url string) claim {
	var c claim
	if id != "" && d.class == "patch" {
		c.advisory, c.url = t.put(id), t.put(url)
	}
	if !d.issued.IsZero() && d.class == "patch" {
		c.day = int32(d.issued.Truncate(24*time.Hour).Unix() / 86400)
	}
	if p.claim != nil {
		p.claim(t, d, &c)
	}
	return c
}

// leading gives the number that s begins with, "8" of "8.6 (Ootpa)"; with
// minor also what follows a point.
func leading(s string, minor bool) string {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || minor && n > 0 && s[n] == '.') {
		n++
	}
	return strings.TrimRight(s[:n], ".")
}
