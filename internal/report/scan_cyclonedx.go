package report

import (
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// writeCycloneDX writes the bill of materials with the findings as its
// vulnerabilities. Findings that say the same of several packages are one.
func (v *view) writeCycloneDX(w io.Writer, format bom.Format) error {
	o := bom.Options{Tool: v.o.Tool, ToolVersion: v.o.ToolVersion, Created: v.o.Created, Vulnerabilities: []bom.Vulnerability{}}
	index := map[string]int{}
	for i := range v.Findings {
		f := &v.Findings[i]
		vuln, err := v.cycloneDXOf(f)
		if err != nil {
			return err
		}
		key, err := toJSON([]any{vuln.ID, vuln.Ratings, vuln.Recommendation, vuln.Analysis})
		if err != nil {
			return err
		}
		k, ok := index[key]
		if !ok {
			index[key] = len(o.Vulnerabilities)
			o.Vulnerabilities = append(o.Vulnerabilities, vuln)
			continue
		}
		into := &o.Vulnerabilities[k]
		into.Affects = append(into.Affects, vuln.Affects...)
		for _, p := range vuln.Properties {
			if p.Name == "evidence" {
				into.Properties = append(into.Properties, p)
			}
		}
	}
	add := func(name string, value any) error {
		text, err := toJSON(value)
		o.Properties = append(o.Properties, bom.Property{Name: name, Value: text})
		return err
	}
	if err := add("scan:summary", v.Summary); err != nil {
		return err
	}
	if err := add("scan:generation", v.Generation); err != nil {
		return err
	}
	for _, u := range v.Unknowns {
		if err := add("scan:unknown", u); err != nil {
			return err
		}
	}
	for _, s := range v.States {
		if err := add("scan:state", struct {
			match.PackageState
			Package string `json:"package"`
		}{s, v.Image.Packages[s.Package].PURL()}); err != nil {
			return err
		}
	}
	for _, r := range v.VEX {
		if err := add("scan:vex", r); err != nil {
			return err
		}
	}
	for _, r := range v.Ignored {
		if err := add("scan:ignored", r); err != nil {
			return err
		}
	}
	for _, f := range v.Feeds {
		if err := add("scan:feed", f); err != nil {
			return err
		}
	}
	return bom.Write(w, format, v.Image, o)
}

func (v *view) cycloneDXOf(f *match.Finding) (bom.Vulnerability, error) {
	p := v.Package(f)
	out := bom.Vulnerability{ID: f.ID, Description: f.Summary, Published: f.Published, Updated: modified(f), Recommendation: advice(f, p)}
	if s := sources(f); len(s) > 0 {
		out.Source = bom.VulnerabilitySource{Name: s[0], URL: f.URL}
	}
	for _, a := range f.Aliases {
		out.References = append(out.References, bom.VulnerabilityReference{ID: a, Source: bom.VulnerabilitySource{Name: publisherOf(a, f)}})
	}
	for _, s := range f.Scores {
		out.Ratings = append(out.Ratings, ratingOf(s))
	}
	if len(f.Scores) == 0 {
		out.Ratings = []bom.Rating{{Severity: cycloneDXSeverity(f.Severity)}}
	}
	for _, c := range f.CWEs {
		if n := cweNumber(c); n > 0 {
			out.CWEs = append(out.CWEs, n)
		}
	}
	for _, l := range links(f) {
		out.Advisories = append(out.Advisories, bom.Advisory{URL: l})
	}
	status := "affected"
	switch d := decide(f); d.kind {
	case exempt, mended:
		out.Analysis = bom.Analysis{State: "not_affected", Justification: cycloneDXJustification(d.justification), Detail: f.Suppressed}
		if d.kind == mended {
			out.Analysis.State = "resolved"
		}
		status = "unaffected"
	case accepted:
		// The owner lives with it: that is a decision, not a statement that
		// it cannot be exploited.
		out.Analysis = bom.Analysis{Response: []string{"will_not_fix"}, Detail: f.Suppressed}
	case doubtful:
		out.Analysis = bom.Analysis{State: "in_triage", Detail: "the identity of the package is a guess: " + certainty(f)}
		status = "unknown"
	}
	affect := bom.Affect{Package: f.Package, Versions: []bom.AffectedVersion{{Version: p.Version, Status: status}}}
	if status == "affected" && (p.Source == "" || p.Source == p.Name) {
		for _, fixed := range f.Fix.Versions {
			affect.Versions = append(affect.Versions, bom.AffectedVersion{Version: fixed, Status: "unaffected"})
		}
	}
	out.Affects = []bom.Affect{affect}
	return out, v.cycloneDXProperties(&out, f)
}

func (v *view) cycloneDXProperties(out *bom.Vulnerability, f *match.Finding) error {
	add := func(name string, value any) error {
		text, ok := value.(string)
		var err error
		if !ok {
			text, err = toJSON(value)
		}
		out.Properties = append(out.Properties, bom.Property{Name: name, Value: text})
		return err
	}
	if err := add("severity", f.Severity.String()); err != nil {
		return err
	}
	if f.Exploited != nil {
		if err := add("kev", f.Exploited); err != nil {
			return err
		}
	}
	if f.EPSS != nil {
		if err := add("epss", f.EPSS); err != nil {
			return err
		}
	}
	if f.Suppressed != "" {
		if err := add("suppressed", f.Suppressed); err != nil {
			return err
		}
	}
	if c := certainty(f); c != "" {
		if err := add("confidence", f.Confidence); err != nil {
			return err
		}
	}
	purl := v.Package(f).PURL()
	for _, e := range f.Evidence {
		if err := add("evidence", struct {
			Package string `json:"package"`
			match.Evidence
		}{purl, e}); err != nil {
			return err
		}
	}
	return nil
}

func ratingOf(s advisory.Severity) bom.Rating {
	r := bom.Rating{Score: s.Score, Vector: s.Vector, Severity: cycloneDXSeverity(s.Label), Justification: s.Raw, Method: "other"}
	if s.Source != "" {
		r.Source = &bom.VulnerabilitySource{Name: s.Source}
	}
	switch {
	case s.Type == "CVSS_V2":
		r.Method = "CVSSv2"
	case s.Type == "CVSS_V3" && strings.HasPrefix(s.Vector, "CVSS:3.1/"):
		r.Method = "CVSSv31"
	case s.Type == "CVSS_V3":
		r.Method = "CVSSv3"
	case s.Type == "CVSS_V4":
		r.Method = "CVSSv4"
	}
	return r
}

func cycloneDXSeverity(l advisory.Level) string {
	if l == advisory.Negligible {
		return "info"
	}
	return l.String()
}

// cycloneDXJustification puts a justification of OpenVEX into CycloneDX's words.
func cycloneDXJustification(s string) string {
	switch s {
	case "component_not_present", "vulnerable_code_not_present":
		return "code_not_present"
	case "vulnerable_code_not_in_execute_path":
		return "code_not_reachable"
	case "inline_mitigations_already_exist":
		return "protected_by_mitigating_control"
	}
	return ""
}

// publisherOf names who gives out an identifier: the source whose record has
// it, else what it begins with.
func publisherOf(id string, f *match.Finding) string {
	for i := range f.Evidence {
		if f.Evidence[i].Advisory == id {
			return f.Evidence[i].Source
		}
	}
	prefix, _, _ := strings.Cut(id, "-")
	return prefix
}
