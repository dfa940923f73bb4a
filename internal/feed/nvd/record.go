package nvd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// cve is a record of format 2.0: the schema cve_api_json_2.0.
type cve struct {
	ID           string `json:"id"`
	Published    string `json:"published"`
	LastModified string `json:"lastModified"`
	Status       string `json:"vulnStatus"`
	Tags         []struct {
		Tags []string `json:"tags"`
	} `json:"cveTags"`
	Descriptions []text `json:"descriptions"`
	Metrics      struct {
		V40 []metric `json:"cvssMetricV40"`
		V31 []metric `json:"cvssMetricV31"`
		V30 []metric `json:"cvssMetricV30"`
		V2  []metric `json:"cvssMetricV2"`
	} `json:"metrics"`
	Weaknesses []struct {
		Descriptions []text `json:"description"`
	} `json:"weaknesses"`
	Configurations []configuration `json:"configurations"`
	References     []reference     `json:"references"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type metric struct {
	Source string `json:"source"`
	Type   string `json:"type"`
	Data   struct {
		Vector   string  `json:"vectorString"`
		Score    float64 `json:"baseScore"`
		Severity string  `json:"baseSeverity"`
	} `json:"cvssData"`
	Severity string `json:"baseSeverity"` // of version 2
}

type reference struct {
	URL  string   `json:"url"`
	Tags []string `json:"tags"`
}

// advisory makes an advisory of the record. problems are criteria that cannot
// be read; the rest of the record stands.
func (c *cve) advisory() (a *advisory.Advisory, problems []error, err error) {
	if !advisory.IsCVE(c.ID) {
		return nil, nil, fmt.Errorf("%q is no CVE identifier", shorten(c.ID))
	}
	a = &advisory.Advisory{
		Source: "nvd", ID: c.ID, Details: english(c.Descriptions), URL: "https://nvd.nist.gov/vuln/detail/" + c.ID,
		Published: date(c.Published), Modified: date(c.LastModified),
		Severities: c.severities(), References: references(c.References),
	}
	for _, w := range c.Weaknesses {
		for _, d := range w.Descriptions {
			// NVD-CWE-noinfo and NVD-CWE-Other say that there is none.
			if strings.HasPrefix(d.Value, "CWE-") && !slices.Contains(a.CWEs, d.Value) {
				a.CWEs = append(a.CWEs, d.Value)
			}
		}
	}
	slices.Sort(a.CWEs)
	for _, t := range c.Tags {
		a.Disputed = a.Disputed || slices.Contains(t.Tags, "disputed")
	}
	a.Disputed = a.Disputed || strings.HasPrefix(a.Details, "** DISPUTED **")
	if c.Status == "Rejected" || strings.HasPrefix(a.Details, "** REJECT **") || strings.HasPrefix(a.Details, "Rejected reason:") {
		// When it was rejected is not said; it was so at its last change.
		a.Withdrawn = a.Modified
		if a.Withdrawn.IsZero() {
			a.Withdrawn = time.Unix(0, 0).UTC()
		}
	}
	a.Affected, problems = affected(c.Configurations)
	return a, problems, nil
}

func english(texts []text) string {
	for _, t := range texts {
		if t.Lang == "en" || strings.HasPrefix(t.Lang, "en-") {
			return strings.TrimSpace(t.Value)
		}
	}
	return ""
}

// severities are all scores: NVD's own first, then primary ones, then those of
// the newest version of CVSS.
func (c *cve) severities() []advisory.Severity {
	type ranked struct {
		advisory.Severity
		rank int
	}
	var all []ranked
	add := func(kind string, ms []metric) {
		for _, m := range ms {
			if m.Data.Vector == "" && m.Data.Score == 0 {
				continue
			}
			r := ranked{advisory.Severity{Source: scorer(m.Source), Type: kind, Vector: m.Data.Vector, Score: m.Data.Score}, 0}
			r.Label = advisory.LevelOf(cmp.Or(m.Data.Severity, m.Severity))
			if r.Label == advisory.Unknown {
				r.Label = advisory.LevelOfScore(kind, r.Score)
			}
			if r.Source != "nvd" {
				r.rank += 2
			}
			if m.Type != "Primary" {
				r.rank++
			}
			all = append(all, r)
		}
	}
	add("CVSS_V4", c.Metrics.V40)
	add("CVSS_V3", c.Metrics.V31)
	add("CVSS_V3", c.Metrics.V30)
	add("CVSS_V2", c.Metrics.V2)
	slices.SortStableFunc(all, func(a, b ranked) int { return a.rank - b.rank })
	var out []advisory.Severity
	for _, r := range all {
		if !slices.Contains(out, r.Severity) {
			out = append(out, r.Severity)
		}
	}
	return out
}

// scorer names who judged: NVD itself, a few organisations by their short
// names, the others by the address or identifier NVD knows them by.
func scorer(source string) string {
	switch source {
	case "nvd@nist.gov", "":
		return "nvd"
	case "security-advisories@github.com":
		return "github"
	case "secalert@redhat.com":
		return "redhat"
	case "134c704f-9b21-4f2e-91b3-4a467353bcc0":
		return "cisa-adp"
	}
	return source
}

func references(in []reference) []advisory.Reference {
	var out []advisory.Reference
	at := make(map[string]int, len(in))
	for _, r := range in {
		if r.URL == "" {
			continue
		}
		kind := referenceType(r.Tags)
		if i, twice := at[r.URL]; twice {
			if out[i].Type == "WEB" {
				out[i].Type = kind
			}
			continue
		}
		at[r.URL] = len(out)
		out = append(out, advisory.Reference{Type: kind, URL: r.URL})
	}
	return out
}

// referenceType is OSV's word for the most telling of NVD's tags.
func referenceType(tags []string) string {
	kind, best := "WEB", 0
	for _, t := range tags {
		k, n := "", 0
		switch t {
		case "Patch":
			k, n = "FIX", 6
		case "Vendor Advisory":
			k, n = "ADVISORY", 5
		case "Exploit":
			k, n = "EVIDENCE", 4
		case "Issue Tracking":
			k, n = "REPORT", 3
		case "Third Party Advisory", "US Government Resource", "VDB Entry":
			k, n = "ADVISORY", 2
		case "Technical Description", "Press/Media Coverage":
			k, n = "ARTICLE", 1
		}
		if n > best {
			kind, best = k, n
		}
	}
	return kind
}

// date reads the forms of both formats; what bears no zone is UTC. Zero for
// anything else.
func date(s string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.RFC3339Nano, "2006-01-02T15:04Z"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}

func shorten(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
