package report

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// gitlabVersion is the version of GitLab's schema of security reports
// (container scanning) that is written.
const gitlabVersion = "15.2.1"

type (
	gitlabReport struct {
		Version         string                `json:"version"`
		Scan            gitlabScan            `json:"scan"`
		Vulnerabilities []gitlabVulnerability `json:"vulnerabilities"`
	}
	gitlabScan struct {
		Analyzer gitlabTool      `json:"analyzer"`
		Scanner  gitlabTool      `json:"scanner"`
		Type     string          `json:"type"`
		Start    string          `json:"start_time"`
		End      string          `json:"end_time"`
		Status   string          `json:"status"`
		Messages []gitlabMessage `json:"messages,omitempty"`
	}
	gitlabTool struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		URL     string       `json:"url"`
		Vendor  gitlabVendor `json:"vendor"`
		Version string       `json:"version"`
	}
	gitlabVendor struct {
		Name string `json:"name"`
	}
	gitlabMessage struct {
		Level string `json:"level"`
		Value string `json:"value"`
	}
	gitlabVulnerability struct {
		ID          string                  `json:"id"`
		Name        string                  `json:"name"`
		Description string                  `json:"description,omitempty"`
		Severity    string                  `json:"severity"`
		Solution    string                  `json:"solution,omitempty"`
		Identifiers []gitlabIdentifier      `json:"identifiers"`
		CVSS        []gitlabCVSS            `json:"cvss_vectors,omitempty"`
		Links       []gitlabLink            `json:"links,omitempty"`
		Details     map[string]gitlabDetail `json:"details,omitempty"`
		Flags       []gitlabFlag            `json:"flags,omitempty"`
		Location    gitlabLocation          `json:"location"`
	}
	gitlabIdentifier struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
		URL   string `json:"url,omitempty"`
	}
	gitlabCVSS struct {
		Vendor string `json:"vendor"`
		Vector string `json:"vector"`
	}
	gitlabLink struct {
		URL string `json:"url"`
	}
	gitlabDetail struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value any    `json:"value,omitempty"`
		Items any    `json:"items,omitempty"`
	}
	gitlabText struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	gitlabFlag struct {
		Type        string `json:"type"`
		Origin      string `json:"origin"`
		Description string `json:"description"`
	}
	gitlabLocation struct {
		Dependency      gitlabDependency `json:"dependency"`
		OperatingSystem string           `json:"operating_system"`
		Image           string           `json:"image"`
	}
	gitlabDependency struct {
		Package gitlabPackage `json:"package"`
		Version string        `json:"version"`
	}
	gitlabPackage struct {
		Name string `json:"name"`
	}
)

// writeGitLab writes a report of container scanning for GitLab. What could
// not be judged is a message of the scan.
func (v *view) writeGitLab(w io.Writer) error {
	tool := gitlabTool{ID: v.tool(), Name: v.tool(), URL: "https://tidewaiter.dev", Vendor: gitlabVendor{"Tidewaiter"}, Version: v.toolVersion()}
	stamp := v.created().Format("2006-01-02T15:04:05")
	r := gitlabReport{
		Version:         gitlabVersion,
		Scan:            gitlabScan{Analyzer: tool, Scanner: tool, Type: "container_scanning", Start: stamp, End: stamp, Status: "success"},
		Vulnerabilities: []gitlabVulnerability{},
	}
	r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"info", printable("Findings: " + v.Headline() + ". Advisories: " + v.data() + ".")})
	for _, u := range v.Unknowns {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"warn", printable(u.String())})
	}
	for _, a := range v.applied() {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"info", a.text})
	}
	for _, f := range v.listed() {
		r.Vulnerabilities = append(r.Vulnerabilities, v.gitlabOf(f))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}

func (v *view) gitlabOf(f *match.Finding) gitlabVulnerability {
	p := v.Package(f)
	mark := fingerprint(f.ID, p)
	out := gitlabVulnerability{
		ID:          uuid("gitlab", mark),
		Name:        cut(printable(f.ID+" in "+name(p)), 255),
		Description: cut(markdownText(f.Summary), 64<<10),
		Severity:    gitlabSeverity(f.Severity),
		Solution:    cut(printable(advice(f, p)), 7000),
		Identifiers: gitlabIdentifiers(f),
		Details:     map[string]gitlabDetail{},
		Location: gitlabLocation{
			Dependency:      gitlabDependency{gitlabPackage{printable(name(p))}, printable(p.Version)},
			OperatingSystem: orText(printable(p.Distro), "unknown"), Image: orText(printable(v.target()), "unknown"),
		},
	}
	if d := v.Image.Distro; d != nil && p.Distro == "" {
		out.Location.OperatingSystem = orText(strings.Trim(printable(d.ID+":"+d.Version), ":"), "unknown")
	}
	for _, s := range f.Scores {
		if vector, ok := gitlabVector(s); ok && len(out.CVSS) < 10 {
			out.CVSS = append(out.CVSS, gitlabCVSS{orText(printable(s.Source), "unknown"), vector})
		}
	}
	for _, l := range links(f) {
		out.Links = append(out.Links, gitlabLink{l})
	}
	text := func(key, label, value string) {
		if value != "" {
			out.Details[key] = gitlabDetail{Type: "text", Name: label, Value: printable(value)}
		}
	}
	text("package", "Package", p.PURL())
	text("file", "File", place(p))
	text("fix", "Fixed in", fixText(f.Fix))
	text("epss", "Probability of exploitation (EPSS)", chance(f.EPSS))
	text("certainty", "Certainty", certainty(f))
	if f.Exploited != nil {
		text("exploited", "Known to be exploited", exploitDetail(f.Exploited))
	}
	var evidence []gitlabText
	for i := range f.Evidence {
		evidence = append(evidence, gitlabText{"text", printable(evidenceText(&f.Evidence[i]))})
	}
	if evidence != nil {
		out.Details["evidence"] = gitlabDetail{Type: "list", Name: "Evidence", Items: evidence}
	}
	if f.Suppressed != "" {
		out.Flags = []gitlabFlag{{"flagged-as-likely-false-positive", v.tool(), printable(f.Suppressed)}}
	}
	return out
}

func gitlabSeverity(l advisory.Level) string {
	switch l {
	case advisory.Critical:
		return "Critical"
	case advisory.High:
		return "High"
	case advisory.Medium:
		return "Medium"
	case advisory.Low:
		return "Low"
	case advisory.Negligible:
		return "Info"
	}
	return "Unknown"
}

func gitlabIdentifiers(f *match.Finding) []gitlabIdentifier {
	var out []gitlabIdentifier
	for _, id := range append([]string{f.ID}, f.Aliases...) {
		if id = printable(id); id == "" {
			continue
		}
		i := gitlabIdentifier{Type: "other", Name: id, Value: id}
		switch {
		case advisory.IsCVE(id):
			i.Type, i.URL = "cve", "https://www.cve.org/CVERecord?id="+id
		case strings.HasPrefix(id, "GHSA-"):
			i.Type = "ghsa"
		case strings.HasPrefix(id, "USN-"):
			i.Type = "usn"
		case strings.HasPrefix(id, "RHSA-"):
			i.Type = "rhsa"
		}
		out = append(out, i)
	}
	for _, c := range f.CWEs {
		if n := cweNumber(c); n > 0 {
			s := strconv.Itoa(n)
			out = append(out, gitlabIdentifier{"cwe", "CWE-" + s, s, "https://cwe.mitre.org/data/definitions/" + s + ".html"})
		}
	}
	if out == nil {
		out = []gitlabIdentifier{{Type: "other", Name: "unknown", Value: "unknown"}}
	}
	return out
}

// gitlabVector is a CVSS vector in the form that GitLab's schema demands:
// version 2 without a prefix, 3.0 or 3.1 with one, no metric of another
// version, no version 4.
func gitlabVector(s advisory.Severity) (string, bool) {
	vector := s.Vector
	metrics, least := vector, 16
	switch s.Type {
	case "CVSS_V2":
		vector = strings.Trim(strings.TrimPrefix(vector, "CVSS:2.0/"), "()")
		metrics = vector
	case "CVSS_V3":
		rest, ok := strings.CutPrefix(vector, "CVSS:3.1/")
		if !ok {
			if rest, ok = strings.CutPrefix(vector, "CVSS:3.0/"); !ok {
				return "", false
			}
		}
		metrics, least = rest, 32
	default:
		return "", false
	}
	if len(vector) < least || len(vector) > 128 {
		return "", false
	}
	for m := range strings.SplitSeq(metrics, "/") {
		name, value, ok := strings.Cut(m, ":")
		if !ok || !cvssMetric(s.Type, name, value) {
			return "", false
		}
	}
	return vector, true
}

// cvssMetric reports whether a metric has that value in CVSS 2 or 3.
func cvssMetric(kind, name, value string) bool {
	values := ""
	if kind == "CVSS_V2" {
		switch name {
		case "AV":
			values = "N A L"
		case "AC":
			values = "L M H"
		case "Au":
			values = "M S N"
		case "C", "I", "A":
			values = "N P C"
		case "E":
			values = "U POC F H ND"
		case "RL":
			values = "OF TF W U ND"
		case "RC":
			values = "UC UR C ND"
		case "CDP":
			values = "N L LM MH H ND"
		case "TD":
			values = "N L M H ND"
		case "CR", "IR", "AR":
			values = "L M H ND"
		}
		return value != "" && in(values, value)
	}
	base, modified := strings.CutPrefix(name, "M")
	switch base {
	case "AV":
		values = "N A L P"
	case "AC":
		values = "L H"
	case "PR":
		values = "N L H"
	case "UI":
		values = "N R"
	case "S":
		values = "U C"
	case "C", "I", "A":
		values = "N L H"
	}
	if modified {
		return values != "" && (in(values, value) || value == "X")
	}
	switch name {
	case "E":
		values = "X U P F H"
	case "RL":
		values = "X O T W U"
	case "RC":
		values = "X U R C"
	case "CR", "IR", "AR":
		values = "X L M H"
	}
	return in(values, value)
}

// in reports whether a list of words holds one.
func in(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
