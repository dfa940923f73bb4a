package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// hostile is text that means something to every format.
const hostile = "a|b `c` <script>alert(1)</script> [x](http://evil.example) {0} =1+1 \x1b[31m\x00\u202e end"

// sampleVerdict has a row of every kind, a hostile one among them.
func sampleVerdict() (*policy.Verdict, *policy.Bundle) {
	b := &policy.Bundle{Format: policy.Format2, Version: "2", ID: "b", Name: "the bundle", Mappings: []policy.Mapping{{Name: "every image"}}, RuleSets: []policy.RuleSet{{ID: "s", Name: "the set", Rules: []policy.Rule{
		{ID: "root", Gate: "dockerfile", Description: "Root in a container is root of the host."},
	}}}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := &policy.Verdict{Format: policy.Format2, BundleID: "b", BundleDigest: "sha256:bb", ImageDigest: "sha256:dd", Tag: "example.com/app:1", InventoryDigest: "sha256:ii", ContextDigest: "sha256:cc", At: at,
		Action: policy.Stop, Reason: policy.ByPolicy, PolicyAction: policy.Stop, Allowed: -1, Denied: -1,
		RuleSets: []policy.RuleSetResult{{ID: "s", Name: "the set", Action: policy.Stop, Rows: 5}},
		Rows: []policy.Row{
			{TriggerID: "t1", Gate: "dockerfile", Trigger: "effective_user", Message: "User root found", Action: policy.Stop, RuleAction: policy.Stop, RuleID: "root", RuleSetID: "s", Recommendation: "End with USER"},
			{TriggerID: "CVE-2024-1+openssl", Gate: "vulnerabilities", Trigger: "package", Message: "HIGH Vulnerability found", Action: policy.Warn, RuleAction: policy.Warn, RuleID: "v", RuleSetID: "s", Remedy: "Update openssl to 3.0.13",
				Params: []policy.Param{{Name: "severity", Value: "high"}}, Evidence: policy.Evidence{Package: "pkg:deb/debian/openssl@3.0.11", Version: "3.0.11", Path: "/var/lib/dpkg/status", Layer: "sha256:l0", Finding: "CVE-2024-1"}},
			{TriggerID: "k+/app/.env", Gate: "secrets", Trigger: "found", Message: "Secret k found", Action: policy.Go, RuleAction: policy.Stop, RuleID: "k", RuleSetID: "s", Evidence: policy.Evidence{Path: "/app/.env", Line: 3}, Allowlisted: &policy.Allowance{ListID: "w", ListName: "known", ItemID: "i7"}},
			{TriggerID: "t4", Gate: "always", Trigger: "always", Message: "told", Action: policy.Go, RuleAction: policy.Go, RuleSetID: "s"},
			{TriggerID: hostile, Gate: hostile, Trigger: hostile, Message: hostile, Action: policy.Stop, RuleAction: policy.Stop, RuleID: hostile, RuleSetID: hostile, Remedy: hostile, Recommendation: hostile, Params: []policy.Param{{Name: hostile, Value: hostile}},
				Evidence: policy.Evidence{Path: "/../a:b/" + hostile, Package: hostile, Detail: hostile, Finding: hostile, Layer: hostile}},
		},
		Problems: []policy.Problem{{Severity: "error", Type: policy.EndOfLifed, Path: "$.policies[0]", Message: "pkgdiff has been removed"}},
		Unknowns: []policy.UnknownAnswer{{Gate: "malware", Trigger: "scans", Message: hostile, Rules: []string{"m"}}},
	}
	return v, b
}

func renderVerdict(t *testing.T, format string, v *policy.Verdict, b *policy.Bundle) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteVerdict(&out, format, v, b, VerdictOptions{Image: "app.tar", Detail: true, ToolVersion: "1.2"}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestVerdictNames: every format for people and machines names the rule, the
// file and the remedy of a row, and lets nothing through that is hostile to it.
func TestVerdictNames(t *testing.T) {
	v, b := sampleVerdict()
	for _, format := range VerdictFormats() {
		if format == "json" { // the document of the interface, which has no evidence
			continue
		}
		text := renderVerdict(t, format, v, b)
		for _, want := range []string{"root", "/var/lib/dpkg/status", "Update openssl to 3.0.13", "User root found", "CVE-2024-1+openssl", "known"} {
			if format == SARIF && want == "/var/lib/dpkg/status" {
				want = `"uri": "var/lib/dpkg/status"`
			}
			if format == Markdown && want == "CVE-2024-1+openssl" || format == JUnit && want == "root" {
				continue // the id is in the others
			}
			if format == HTML || format == Markdown {
				want = strings.NewReplacer("+", "&#43;").Replace(want)
				if format == Markdown {
					want = strings.NewReplacer("&#43;", `\+`).Replace(want)
				}
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%.3000s", format, want, text)
			}
		}
		if format != VerdictJSON && strings.ContainsAny(text, "\x00\x1b\u202e") { // that has everything as it is, escaped as JSON wants it
			t.Errorf("%s: control characters get through", format)
		}
		if (format == HTML || format == Markdown) && strings.Contains(text, "<script") {
			t.Errorf("%s: a script gets through", format)
		}
	}
}

func TestVerdictSARIF(t *testing.T) {
	s := compile(t, "sarif.json", map[string][]byte{"sarif.json": schemaText(t, "testdata/schema/sarif-2.1.0.json.gz")})
	v, b := sampleVerdict()
	empty := &policy.Verdict{Action: policy.Go, At: v.At, Mapping: -1, Reason: policy.ByPolicy}
	for _, verdict := range []*policy.Verdict{v, empty} {
		if err := valid(t, s, renderVerdict(t, SARIF, verdict, b)); err != nil {
			t.Error(err)
		}
	}
	if valid(t, s, strings.Replace(renderVerdict(t, SARIF, v, b), `"level": "note"`, `"level": "fine"`, 1)) == nil {
		t.Error("the schema takes everything")
	}
	var doc sarifLog
	if err := json.Unmarshal([]byte(renderVerdict(t, SARIF, v, b)), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	if len(run.Results) != 5 || len(run.Tool.Driver.Rules) != 5 || len(run.Invocations[0].Notifications) != 2 {
		t.Fatalf("%d results, %d rules, %d notifications", len(run.Results), len(run.Tool.Driver.Rules), len(run.Invocations[0].Notifications))
	}
	for i, want := range []string{"error", "warning", "error", "note", "error"} {
		r := run.Results[i]
		if r.Level != want || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("result %d: level %s, want %s; rule %q", i, r.Level, want, r.RuleID)
		}
	}
	if r := run.Results[2]; len(r.Suppressions) != 1 || r.Locations[0].Physical.Region["startLine"] != 3 || !strings.Contains(r.Suppressions[0].Justification, "i7") {
		t.Errorf("%+v", r)
	}
	if r := run.Tool.Driver.Rules[0]; r.Full.Text != "Root in a container is root of the host." {
		t.Errorf("%+v", r)
	}
}

func TestVerdictJUnitSchema(t *testing.T) {
	v, b := sampleVerdict()
	text := renderVerdict(t, JUnit, v, b)
	var suites struct {
		Tests, Failures, Errors int `xml:",attr"`
		Suites                  []struct {
			Cases []struct {
				Class   string  `xml:"classname,attr"`
				Out     string  `xml:"system-out"`
				Failure *string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(text), &suites); err != nil {
		t.Fatal(err)
	}
	cases := suites.Suites[1].Cases
	if len(cases) != 5 || cases[0].Class != "dockerfile/effective_user root" || cases[0].Failure == nil || !strings.Contains(*cases[0].Failure, "Recommendation: End with USER") ||
		!strings.Contains(cases[1].Out, "File: /var/lib/dpkg/status") || !strings.Contains(cases[1].Out, "Remedy: Update openssl to 3.0.13") {
		t.Errorf("%+v", cases)
	}
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint (Debian: libxml2-utils) is not installed")
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"junit.xsd": schemaText(t, "testdata/schema/junit.xsd"), "verdict.xml": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", "junit.xsd", "verdict.xml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%.4000s", err, out)
	}
}

func TestVerdictCSV(t *testing.T) {
	v, b := sampleVerdict()
	rows, err := csv.NewReader(strings.NewReader(renderVerdict(t, CSV, v, b))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+5+1+1 {
		t.Fatalf("%d lines", len(rows))
	}
	at := map[string]int{}
	for i, c := range rows[0] {
		at[c] = i
	}
	for _, tt := range []struct {
		line         int
		column, want string
	}{
		{1, "status", "row"}, {1, "rule", "root"}, {1, "policy", "the set"}, {2, "path", "/var/lib/dpkg/status"}, {2, "remedy", "Update openssl to 3.0.13"}, {3, "status", "allowed"}, {3, "allowed_by", "known i7"}, {3, "line", "3"},
		{6, "status", "unknown"}, {7, "status", "problem"}, {1, "verdict", "stop"}, {1, "image", "app.tar"},
	} {
		if got := rows[tt.line][at[tt.column]]; got != tt.want {
			t.Errorf("line %d, %s: %q, want %q", tt.line, tt.column, got, tt.want)
		}
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.HasPrefix(cell, "=") || strings.ContainsAny(cell, "\n\r") {
				t.Errorf("%q", cell)
			}
		}
	}
}
