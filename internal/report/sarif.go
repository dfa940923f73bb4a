package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool                `json:"tool"`
		Invocations []sarifInvocation        `json:"invocations"`
		BaseIDs     map[string]sarifArtifact `json:"originalUriBaseIds"`
		Results     []sarifResult            `json:"results"`
		ColumnKind  string                   `json:"columnKind"`
		Properties  map[string]any           `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string         `json:"id"`
		Short         sarifMessage   `json:"shortDescription"`
		Full          sarifMessage   `json:"fullDescription"`
		HelpURI       string         `json:"helpUri,omitempty"`
		Help          sarifMessage   `json:"help"`
		Configuration sarifConfig    `json:"defaultConfiguration"`
		Properties    map[string]any `json:"properties"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		End           string              `json:"endTimeUtc,omitempty"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level      string         `json:"level"`
		Message    sarifMessage   `json:"message"`
		Properties map[string]any `json:"properties,omitempty"`
	}
	sarifArtifact struct {
		URI    string `json:"uri,omitempty"`
		BaseID string `json:"uriBaseId,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifMessage       `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifMessage  `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact  `json:"artifactLocation"`
		Region   map[string]int `json:"region"`
	}
	sarifLogical struct {
		Name      string `json:"name"`
		Qualified string `json:"fullyQualifiedName,omitempty"`
		Kind      string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

const sarifRoot = "ROOTFS" // what paths in the image are relative to

// writeSARIF writes SARIF 2.1.0: a rule for each vulnerability, a result for
// each finding, and what could not be judged as notifications of the tool.
func (v *view) writeSARIF(w io.Writer) error {
	end := ""
	if !v.At.IsZero() {
		end = v.At.UTC().Format("2006-01-02T15:04:05Z")
	}
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: v.tool(), Version: v.o.ToolVersion, InformationURI: "https://tidewaiter.dev", Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: true, End: end}},
		BaseIDs:     map[string]sarifArtifact{sarifRoot: {URI: "file:///"}},
		Results:     []sarifResult{},
		ColumnKind:  "utf16CodeUnits",
		Properties: map[string]any{
			"image": v.target(), "digest": v.Image.Digest, "distribution": v.distro(), "generation": v.Generation, "summary": v.Summary,
			"suppressed": v.Summary.Suppressed,
		},
	}
	for _, u := range v.Unknowns {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotification{Level: "warning", Message: sarifMessage{Text: sarifText(u.String())}, Properties: map[string]any{"state": u.State, "examples": list(u.Examples)}})
	}
	for _, a := range v.applied() {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotification{Level: "note", Message: sarifMessage{Text: sarifText(a.text)}, Properties: map[string]any{"kind": a.kind}})
	}
	rules := map[string]int{}
	worst := map[string]advisory.Level{}
	findings := v.listed()
	for _, f := range findings {
		if f.Severity.Rank() >= worst[f.ID].Rank() {
			worst[f.ID] = f.Severity
		}
	}
	for _, f := range findings {
		k, ok := rules[f.ID]
		if !ok {
			k = len(run.Tool.Driver.Rules)
			rules[f.ID] = k
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(f, worst[f.ID]))
		}
		run.Results = append(run.Results, v.sarifResultOf(f, k))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifRuleOf(f *match.Finding, worst advisory.Level) sarifRule {
	summary := orText(printable(f.Summary), f.ID)
	r := sarifRule{
		ID:            printable(f.ID),
		Short:         sarifMessage{Text: sarifText(cut(printable(f.ID)+" ("+worst.String()+"): "+summary, 1000))},
		Full:          sarifMessage{Text: sarifText(cut(summary, 1000))},
		Configuration: sarifConfig{sarifLevel(worst)},
	}
	tags := []string{"security", "vulnerability", "severity/" + worst.String()}
	for _, c := range f.CWEs {
		if n := cweNumber(c); n > 0 {
			tags = append(tags, fmt.Sprintf("external/cwe/cwe-%03d", n))
		}
	}
	r.Properties = map[string]any{"tags": tags, "precision": "very-high"}
	if f.Confidence < 1 {
		r.Properties["precision"] = "medium"
	}
	if s := securitySeverity(f, worst); s != "" {
		r.Properties["security-severity"] = s
	}
	var text, md strings.Builder
	field := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%s: %s\n", label, value)
			fmt.Fprintf(&md, "* **%s**: %s\n", label, markdownText(value))
		}
	}
	text.WriteString(printable(f.ID) + ": " + summary + "\n")
	md.WriteString("**" + markdownText(f.ID) + "**: " + markdownText(summary) + "\n\n")
	field("Severity", worst.String())
	if s, ok := score(f); ok {
		field("CVSS", strings.TrimSpace(strconv.FormatFloat(s.Score, 'f', 1, 64)+" "+printable(s.Vector)+" ("+printable(s.Source)+")"))
	}
	field("Also known as", printable(strings.Join(f.Aliases, ", ")))
	field("Probability of exploitation (EPSS)", chance(f.EPSS))
	if f.Exploited != nil {
		field("Known to be exploited", exploitDetail(f.Exploited))
	}
	field("Weaknesses", printable(strings.Join(f.CWEs, ", ")))
	for i, l := range links(f) {
		if i == 0 {
			r.HelpURI = l
		}
		fmt.Fprintf(&text, "%s\n", l)
		fmt.Fprintf(&md, "* <%s>\n", l)
	}
	r.Help = sarifMessage{Text: sarifText(text.String()), Markdown: md.String()}
	return r
}

// exploitDetail says what a catalogue has of an exploited vulnerability.
func exploitDetail(e *advisory.Exploited) string {
	s := "listed by " + orText(printable(e.Source), "a catalogue")
	if !e.Added.IsZero() {
		s += " since " + day(e.Added)
	}
	if !e.Due.IsZero() {
		s += ", to be fixed by " + day(e.Due)
	}
	if e.Ransomware {
		s += "; used in ransomware campaigns"
	}
	return s
}

func (v *view) sarifResultOf(f *match.Finding, rule int) sarifResult {
	p := v.Package(f)
	text := fmt.Sprintf("%s %s (%s) has %s, severity %s. %s", name(p), p.Version, p.Type, f.ID, f.Severity, advice(f, p))
	if f.Exploited != nil {
		text += " It is known to be exploited: " + exploitDetail(f.Exploited) + "."
	}
	r := sarifResult{
		RuleID: printable(f.ID), RuleIndex: rule, Level: sarifLevel(f.Severity), Message: sarifMessage{Text: sarifText(printable(text))},
		Locations: []sarifLocation{{
			Physical: sarifPhysical{Artifact: v.sarifArtifactOf(p), Region: map[string]int{"startLine": 1}},
			Logical:  []sarifLogical{{Name: orText(printable(name(p)), "package"), Qualified: p.PURL(), Kind: "package"}},
		}},
		Properties: map[string]any{"package": scanPackageOf(p), "severity": f.Severity.String(), "fix": f.Fix, "evidence": list(f.Evidence), "confidence": f.Confidence},
	}
	if where := place(p); where != "" {
		r.Locations[0].Message = &sarifMessage{Text: sarifText(printable(where))}
	}
	mark := fingerprint(f.ID, p)
	// The second is the one that GitHub tells alerts apart by.
	r.Fingerprints = map[string]string{"tidewaiter/v1": mark, "primaryLocationLineHash": mark + ":1"}
	if f.EPSS != nil {
		r.Properties["epss"] = f.EPSS
	}
	if f.Exploited != nil {
		r.Properties["kev"] = f.Exploited
	}
	if f.Suppressed != "" {
		r.Suppressions = []sarifSuppression{{"external", printable(f.Suppressed)}}
	}
	return r
}

// sarifArtifactOf is the package's file; where it has none, as in a list of
// package URLs, the name of what was scanned.
func (v *view) sarifArtifactOf(p *inventory.Package) sarifArtifact {
	if p.Path != "" {
		return sarifArtifact{URI: relativeURI(p.Path), BaseID: sarifRoot}
	}
	return sarifArtifact{URI: relativeURI(v.target())}
}

// relativeURI makes a path a relative reference (RFC 3986) that stays below
// where it is relative to.
func relativeURI(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+strings.ToValidUTF8(p, "\uFFFD")), "/")
	s := (&url.URL{Path: p}).EscapedPath()
	// A colon before the first slash would make a scheme of what it follows.
	return strings.ReplaceAll(orText(s, "image"), ":", "%3A")
}

// sarifText escapes what has a meaning in messages: links and placeholders
// (3.11.5, 3.11.6).
func sarifText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "{", "{{", "}", "}}").Replace(s)
}

func sarifLevel(l advisory.Level) string {
	switch l {
	case advisory.Critical, advisory.High:
		return "error"
	case advisory.Low, advisory.Negligible:
		return "note"
	}
	return "warning"
}

// securitySeverity is the number that code scanning sorts by. It must not say
// something else than the severity: a score outside of its band is moved into
// it.
func securitySeverity(f *match.Finding, l advisory.Level) string {
	low, high := 0.0, 0.0
	switch l {
	case advisory.Critical:
		low, high = 9.0, 10.0
	case advisory.High:
		low, high = 7.0, 8.9
	case advisory.Medium:
		low, high = 4.0, 6.9
	case advisory.Low:
		low, high = 1.0, 3.9
	case advisory.Negligible:
		low, high = 0.1, 0.9
	default:
		return ""
	}
	s, ok := score(f)
	if !ok {
		s.Score = (low + high) / 2
	}
	return strconv.FormatFloat(min(max(s.Score, low), high), 'f', 1, 64)
}
