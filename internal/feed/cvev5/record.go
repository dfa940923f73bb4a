package cvev5

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// document is a record: the CVE record format, versions 5.0 to 5.2.
type document struct {
	Type     string `json:"dataType"`
	Version  string `json:"dataVersion"`
	Metadata struct {
		ID        string `json:"cveId"`
		State     string `json:"state"`
		Published string `json:"datePublished"`
		Updated   string `json:"dateUpdated"`
		Rejected  string `json:"dateRejected"`
	} `json:"cveMetadata"`
	Containers struct {
		CNA container   `json:"cna"`
		ADP []container `json:"adp"`
	} `json:"containers"`
}

// container is what one organisation says.
type container struct {
	Provider struct {
		Name string `json:"shortName"`
	} `json:"providerMetadata"`
	Title        string     `json:"title"`
	Tags         []string   `json:"tags"`
	Descriptions []text     `json:"descriptions"`
	Reasons      []text     `json:"rejectedReasons"`
	ReplacedBy   []string   `json:"replacedBy"`
	Affected     []affected `json:"affected"`
	Problems     []struct {
		Descriptions []struct {
			CWE         string `json:"cweId"`
			Description string `json:"description"`
		} `json:"descriptions"`
	} `json:"problemTypes"`
	Metrics    []metric `json:"metrics"`
	References []struct {
		URL  string   `json:"url"`
		Tags []string `json:"tags"`
	} `json:"references"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type cvss struct {
	Vector   string  `json:"vectorString"`
	Score    float64 `json:"baseScore"`
	Severity string  `json:"baseSeverity"`
}

type metric struct {
	V4  *cvss `json:"cvssV4_0"`
	V31 *cvss `json:"cvssV3_1"`
	V30 *cvss `json:"cvssV3_0"`
	V2  *cvss `json:"cvssV2_0"`
	// Other is what somebody has besides CVSS; ours are Red Hat's word and
	// CISA's decision points (SSVC).
	Other *struct {
		Type    string `json:"type"`
		Content struct {
			Value   string              `json:"value"`
			Options []map[string]string `json:"options"`
		} `json:"content"`
	} `json:"other"`
}

func (d *document) advisory() (*advisory.Advisory, error) {
	m := &d.Metadata
	switch {
	case d.Type != "CVE_RECORD" || !strings.HasPrefix(d.Version, "5."):
		return nil, fmt.Errorf("it is no CVE record of format 5: dataType %.40q, dataVersion %.40q", d.Type, d.Version)
	case !advisory.IsCVE(m.ID):
		return nil, fmt.Errorf("%.80q is no CVE identifier", m.ID)
	case m.State != "PUBLISHED" && m.State != "REJECTED":
		return nil, fmt.Errorf("%s has the state %.40q, neither PUBLISHED nor REJECTED", m.ID, m.State)
	}
	a := &advisory.Advisory{
		Source: "cve", ID: m.ID, URL: "https://www.cve.org/CVERecord?id=" + m.ID, Published: date(m.Published), Modified: date(m.Updated),
		Summary: strings.TrimSpace(d.Containers.CNA.Title), Details: english(d.Containers.CNA.Descriptions),
	}
	if m.State == "REJECTED" {
		a.Details = english(d.Containers.CNA.Reasons)
		for _, t := range []string{m.Rejected, m.Updated, m.Published} {
			if a.Withdrawn = date(t); !a.Withdrawn.IsZero() {
				break
			}
		}
		if a.Withdrawn.IsZero() {
			a.Withdrawn = time.Unix(0, 0).UTC()
		}
	}
	for _, id := range d.Containers.CNA.ReplacedBy {
		if advisory.IsCVE(id) {
			a.Related = append(a.Related, id)
		}
	}
	d.Containers.CNA.add(a)
	for i := range d.Containers.ADP {
		d.Containers.ADP[i].add(a)
	}
	slices.Sort(a.CWEs)
	slices.SortStableFunc(a.Affected, func(x, y advisory.Affected) int {
		return cmp.Or(strings.Compare(x.Stream, y.Stream), strings.Compare(x.Name, y.Name))
	})
	return a, nil
}

// add brings in what one container says.
func (c *container) add(a *advisory.Advisory) {
	a.Disputed = a.Disputed || slices.Contains(c.Tags, "disputed")
	for _, p := range c.Problems {
		for _, d := range p.Descriptions {
			cwe := d.CWE
			if cwe == "" && strings.HasPrefix(d.Description, "CWE-") {
				cwe, _, _ = strings.Cut(d.Description, " ")
				cwe = strings.TrimRight(cwe, ":")
			}
			if cwe != "" && !slices.Contains(a.CWEs, cwe) {
				a.CWEs = append(a.CWEs, cwe)
			}
		}
	}
	source := c.source()
	for i := range c.Metrics {
		c.Metrics[i].add(a, source)
	}
	for _, r := range c.References {
		if r.URL == "" {
			continue
		}
		kind := referenceType(r.Tags)
		if i := slices.IndexFunc(a.References, func(o advisory.Reference) bool { return o.URL == r.URL }); i < 0 {
			a.References = append(a.References, advisory.Reference{Type: kind, URL: r.URL})
		} else if a.References[i].Type == "WEB" {
			a.References[i].Type = kind
		}
	}
	for i := range c.Affected {
		if f, ok := c.Affected[i].claim(); ok {
			a.Affected = append(a.Affected, f)
		}
	}
}

// source is who speaks, by the names that other feeds use too.
func (c *container) source() string {
	switch name := strings.ToLower(c.Provider.Name); name {
	case "github_m", "github_p":
		return "github"
	case "":
		return "cve"
	default:
		return name
	}
}

func (m *metric) add(a *advisory.Advisory, source string) {
	for _, v := range [...]struct {
		kind string
		*cvss
	}{{"CVSS_V4", m.V4}, {"CVSS_V3", m.V31}, {"CVSS_V3", m.V30}, {"CVSS_V2", m.V2}} {
		if v.cvss == nil {
			continue
		}
		s := advisory.Severity{Source: source, Type: v.kind, Vector: v.Vector, Score: v.Score, Label: advisory.LevelOf(v.Severity)}
		if kind, score, err := feed.CVSSScore(v.Vector); s.Score == 0 && err == nil && kind == s.Type {
			s.Score = score
		}
		if s.Label == advisory.Unknown {
			s.Label = advisory.LevelOfScore(s.Type, s.Score)
		}
		if (s.Vector != "" || s.Score > 0) && !slices.Contains(a.Severities, s) {
			a.Severities = append(a.Severities, s)
		}
	}
	switch o := m.Other; {
	case o == nil:
	case o.Type == "Red Hat severity rating":
		if l := advisory.LevelOf(o.Content.Value); l != advisory.Unknown {
			a.Severities = append(a.Severities, advisory.Severity{Source: "redhat", Type: "LABEL", Label: l, Raw: o.Content.Value})
		}
	case o.Type == "ssvc":
		var points []string
		for _, option := range o.Content.Options {
			for k, v := range option {
				points = append(points, strings.ToLower(k)+" "+strings.ToLower(v))
			}
		}
		slices.Sort(points)
		if len(points) > 0 {
			a.Details = strings.TrimSpace(a.Details + "\n\n" + strings.ToUpper(source) + ": " + strings.Join(points, ", ") + ".")
		}
	}
}

func english(texts []text) string {
	for _, t := range texts {
		if l := strings.ToLower(t.Lang); l == "en" || strings.HasPrefix(l, "en-") || strings.HasPrefix(l, "en_") || l == "eng" {
			return strings.TrimSpace(t.Value)
		}
	}
	return ""
}

// referenceType is OSV's word for the most telling tag.
func referenceType(tags []string) string {
	kind, best := "WEB", 0
	for _, t := range tags {
		k, n := "", 0
		switch t {
		case "patch":
			k, n = "FIX", 5
		case "vendor-advisory":
			k, n = "ADVISORY", 4
		case "exploit":
			k, n = "EVIDENCE", 3
		case "issue-tracking":
			k, n = "REPORT", 2
		case "third-party-advisory", "government-resource", "vdb-entry":
			k, n = "ADVISORY", 1
		case "technical-description", "media-coverage":
			k, n = "ARTICLE", 1
		}
		if n > best {
			kind, best = k, n
		}
	}
	return kind
}

// date reads a time; what bears no zone is UTC.
func date(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}
