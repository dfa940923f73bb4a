package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return t
}

func evidence(source, id, stream, name, version, fixed string, affected bool) match.Evidence {
	e := match.Evidence{
		Source: source, Advisory: id, Key: advisory.Key{Stream: stream, Name: name}, Names: "binary", Version: version, Range: "< " + fixed,
		Comparison: version + " < " + fixed + ", which is fixed", Affected: affected, URL: "https://example.org/" + id, Modified: at("2024-06-01"),
	}
	if !affected {
		e.Comparison = version + " ≥ " + fixed + ", which is fixed"
	}
	return e
}

// sampleScan has a package or finding for every state there is.
func sampleScan() *match.Scan {
	img := sample()
	img.Packages = []inventory.Package{
		{Type: "apk", Name: "musl", Version: "1.2.4-r1", Path: "lib/apk/db/installed", Distro: "alpine:3.99"},
		{Type: "conda", Name: "numpy", Version: "1.26.0", Path: "opt/conda/conda-meta/numpy.json"},
		{Type: "deb", Namespace: "debian", Name: "libssl3", Version: "3.0.9-1", Arch: "arm64", Source: "openssl", Distro: "debian:12", Path: "var/lib/dpkg/status"},
		{Type: "deb", Namespace: "debian", Name: "openssl", Version: "3.0.9-1", Arch: "arm64", Distro: "debian:12", Path: "var/lib/dpkg/status"},
		{Type: "deb", Namespace: "debian", Name: "tar", Version: "1.34+dfsg-1.2", Arch: "arm64", Distro: "debian:12", Path: "var/lib/dpkg/status"},
		{Type: "generic", Name: "node", Version: "18.0.0", Path: "usr/local/bin/node", Technique: inventory.TechSignature, Confidence: 0.8, CPEs: []string{"cpe:2.3:a:nodejs:node.js:18.0.0:*:*:*:*:*:*:*"}},
		{Type: "maven", Namespace: "org.apache.logging.log4j", Name: "log4j-core", Version: "2.14.1", Path: "app/app.jar", Inner: "BOOT-INF/lib/log4j-core-2.14.1.jar", Layer: 1,
			Locations: []inventory.Location{{Path: "app/app.jar", Inner: "BOOT-INF/lib/log4j-core-2.14.1.jar", Layer: 1}}},
		{Type: "npm", Namespace: "@babel", Name: "traverse", Version: "7.0.0", Path: "app/node_modules/@babel/traverse/package.json", Layer: 1},
		{Type: "npm", Name: "odd", Version: "not-a-version", Path: "app/node_modules/odd/package.json", Layer: 1},
		{Type: "npm", Name: "unversioned", Path: "app/node_modules/unversioned/package.json", Layer: 1},
		{Type: "pypi", Name: "pyyaml", Version: "5.3", Path: "usr/lib/python3/dist-packages/PyYAML-5.3.egg-info", Owner: "deb/python3-yaml"},
	}
	s := &match.Scan{
		Image: img, Generation: 42, At: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		Distro: match.DistroState{Stream: "debian:12", State: match.Stale, EOL: at("2026-01-10"), Ended: true, Extend: at("2028-06-30"), Product: "debian 12", Message: "the advisory data for debian:12 is older than its bound"},
		Feeds: []match.FeedState{
			{Source: "debian", Records: 45_678, Revision: "\"abc\"", Checked: at("2026-01-01"), Stale: true},
			{Source: "ghsa", Records: 23_456, Checked: at("2026-02-03"), Error: "the answer is HTML, not a zip"},
			{Source: "nvd", Records: 300_001, Checked: at("2026-02-02")},
		},
		Problems: []string{"ghsa GHSA-xxxx, npm odd: \"<<1\" is no version"},
		States: []match.PackageState{
			{Package: 0, State: match.UnknownDistro, Message: `no publisher is known to speak of the distribution "alpine:3.99"`},
			{Package: 1, State: match.UnknownType, Message: `no publisher is known to speak of packages of type "conda"`},
			{Package: 2, State: match.Stale, Stream: "debian:12", Message: `the advisory data for "debian:12" is older than its bound`},
			{Package: 3, State: match.Stale, Stream: "debian:12", Message: `the advisory data for "debian:12" is older than its bound`},
			{Package: 4, State: match.Stale, Stream: "debian:12", Message: `the advisory data for "debian:12" is older than its bound`},
			{Package: 6, State: match.NoData, Stream: "maven", Message: `there is no advisory data for "maven"`},
			{Package: 8, State: match.BadVersion, Stream: "npm", Message: `"not-a-version" is no version of semver`},
			{Package: 9, State: match.NoVersion, Message: "the package has no version to compare"},
		},
		VEX: []match.StatementResult{
			{Statement: advisory.Statement{Source: "vex", Document: "https://example.org/vex/1", Author: "Example Inc", Vulnerability: "CVE-2023-0464", Products: []string{"pkg:deb/debian/openssl"}, Status: "not_affected", Justification: "vulnerable_code_not_in_execute_path", Time: at("2024-01-01")}, Matched: 1, Message: "not_affected: 1 finding"},
			{Statement: advisory.Statement{Source: "vex", Document: "https://example.org/vex/2", Vulnerability: "CVE-2000-0001", Products: []string{"pkg:npm/x"}, Status: "fixed"}, Message: "the vulnerability was not found in the image"},
		},
		Ignored: []match.IgnoreResult{{Rule: "CVE-2005-2541", Matched: 1}, {Rule: "CVE-1999-0001 until 2025-01-01", Expired: true}, {Rule: "CVE-1999-0002"}},
	}
	openssl := func(pkg int, id string, severity advisory.Level) match.Finding {
		f := match.Finding{ID: id, Package: pkg, Severity: severity, Confidence: 1, Summary: "OpenSSL: X.509 policy checks cost too much", URL: "https://security-tracker.debian.org/tracker/" + id,
			Scores: []advisory.Severity{{Source: "debian", Type: "LABEL", Label: severity, Raw: "high"}, {Source: "nvd", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Score: 7.5, Label: advisory.High}},
			Fix:    advisory.Fix{State: advisory.Fixed, Versions: []string{"3.0.11-1~deb12u2"}, Date: at("2023-10-25"), Advisory: "DSA-5532-1", URL: "https://www.debian.org/security/2023/dsa-5532"},
			CWEs:   []string{"CWE-295", "NVD-CWE-noinfo"}, Published: at("2023-03-22"), EPSS: &advisory.EPSS{ID: id, Score: 0.00412, Percentile: 0.7345, Date: at("2026-02-02")}}
		e := evidence("debian", id, "debian:12", "openssl", "3.0.9-1", "3.0.11-1~deb12u2", true)
		e.Names = "source"
		f.Evidence = []match.Evidence{e, evidence("nvd", id, "cpe", "openssl:openssl", "3.0.9", "3.0.9", false)}
		return f
	}
	log4j := match.Finding{
		ID: "CVE-2021-44228", Aliases: []string{"GHSA-jfh8-c2jp-5v3q"}, Package: 6, Severity: advisory.Critical, Confidence: 1, Summary: "Remote code injection in Log4j", URL: "https://github.com/advisories/GHSA-jfh8-c2jp-5v3q",
		Scores: []advisory.Severity{{Source: "github", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Score: 10, Label: advisory.Critical}, {Source: "nvd", Type: "CVSS_V2", Vector: "AV:N/AC:M/Au:N/C:C/I:C/A:C", Score: 9.3, Label: advisory.High}},
		Fix:    advisory.Fix{State: advisory.Fixed, Versions: []string{"2.3.1", "2.12.2", "2.15.0"}}, CWEs: []string{"CWE-20", "CWE-400", "CWE-502", "CWE-917"}, Published: at("2021-12-10"),
		Exploited: &advisory.Exploited{Source: "kev", ID: "CVE-2021-44228", Added: at("2021-12-10"), Due: at("2021-12-24"), Ransomware: true, Vendor: "Apache", Product: "Log4j2", Action: "Apply the updates."},
		EPSS:      &advisory.EPSS{ID: "CVE-2021-44228", Score: 0.94358, Percentile: 0.99957, Date: at("2026-02-02")},
		Evidence:  []match.Evidence{evidence("ghsa", "GHSA-jfh8-c2jp-5v3q", "maven", "org.apache.logging.log4j:log4j-core", "2.14.1", "2.15.0", true)},
	}
	simple := func(pkg int, id string, severity advisory.Level, fix advisory.FixState) match.Finding {
		p := &img.Packages[pkg]
		return match.Finding{ID: id, Package: pkg, Severity: severity, Confidence: 1, Fix: advisory.Fix{State: fix}, Evidence: []match.Evidence{evidence("ghsa", id, p.Type, name(p), p.Version, "99", true)}}
	}
	vex := openssl(3, "CVE-2023-0464", advisory.High)
	vex.Suppressed = "VEX not_affected (vulnerable_code_not_in_execute_path) by Example Inc"
	mendedOne := simple(7, "CVE-2022-0002", advisory.Low, advisory.Fixed)
	mendedOne.Suppressed = "VEX fixed by Example Inc"
	owned := simple(10, "CVE-2020-14343", advisory.Critical, advisory.Fixed)
	owned.Fix.Versions, owned.Suppressed = []string{"5.4"}, "owned by deb/python3-yaml: its distribution speaks of it"
	ignored := simple(4, "CVE-2005-2541", advisory.Negligible, advisory.WontFix)
	ignored.Suppressed = "ignored: tar is never run"
	guess := simple(5, "CVE-2022-32212", advisory.High, advisory.FixUnknown)
	guess.Confidence = 0.24
	s.Findings = []match.Finding{
		log4j, openssl(2, "CVE-2023-0464", advisory.High), guess,
		simple(7, "CVE-2023-45133", advisory.Critical, advisory.NotFixed), simple(7, "GHSA-0000-1111-2222", advisory.Medium, advisory.Deferred),
		simple(8, "MAL-2024-1", advisory.Unknown, advisory.EndOfLife), simple(7, "CVE-2022-0001", advisory.Low, advisory.NotAFix),
		vex, mendedOne, owned, ignored,
	}
	match.SortByRisk(s.Findings, img.Packages)
	return s
}

// hostileScan says dangerous things wherever an image or an advisory can.
func hostileScan() *match.Scan {
	s := sampleScan()
	for i := range s.Findings {
		f := &s.Findings[i]
		f.Summary = evil
		f.Aliases = append(f.Aliases, evil, evil)
		f.URL = "javascript:alert(1)"
		f.CWEs = append(f.CWEs, evil, "CWE--5", "CWE-99999999999999999999")
		f.Fix.Versions = []string{evil}
		f.Scores = append(f.Scores, advisory.Severity{Source: evil, Type: "CVSS_V3", Vector: evil, Score: 5, Label: advisory.Medium, Raw: evil}, advisory.Severity{Type: "odd"})
		for k := range f.Evidence {
			e := &f.Evidence[k]
			e.Source, e.Advisory, e.Comparison, e.Note, e.URL, e.Range = evil, evil, evil, evil, "https://example.org/\"><script>alert(1)</script>", evil
		}
		if i == 0 {
			f.ID = evil
		}
		if f.Suppressed != "" {
			f.Suppressed += evil
		}
		f.Published = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -12*3600))
	}
	for i := range s.Image.Packages {
		p := &s.Image.Packages[i]
		p.Path, p.Inner = evil+p.Path, evil
		if i%2 == 0 {
			p.Name, p.Version, p.Namespace, p.Distro, p.Source = evil, evil, evil, evil, evil
		}
	}
	s.Image.Packages[3].Name = ""
	s.Image.Reference = evil
	s.Image.Distro.PrettyName = evil
	for i := range s.States {
		s.States[i].Message = evil
	}
	for i := range s.Feeds {
		s.Feeds[i].Source, s.Feeds[i].Error = evil, evil
	}
	s.Problems = []string{evil}
	s.Image.Problems = []inventory.Problem{{Path: evil, Message: evil}}
	s.VEX[0].Statement.Author, s.VEX[0].Message, s.Ignored[0].Rule = evil, evil, evil
	return s
}

const evil = "=cmd|' /C calc'!A0\x1b[31m</script><script>alert(1)</script><b>x</b> https://e.example/u mailto:a@b.example www.e.example _e_ <!--\r\n::error::x\n%0A::warning::y|`a`[l](javascript:b)![i](https://e.example/i)@user #1\x00\xff\u202e{{.}}{0}\\\"'"

func emptyScan() *match.Scan { return &match.Scan{Image: &inventory.Image{Reference: "x"}} }

func cleanScan() *match.Scan {
	s := sampleScan()
	s.Findings, s.States, s.Problems, s.VEX, s.Ignored, s.Image.Problems = nil, nil, nil, nil, nil, nil
	s.Distro = match.DistroState{Stream: "debian:12", EOL: at("2028-06-30")}
	s.Feeds = s.Feeds[2:]
	return s
}

func testScans() map[string]*match.Scan {
	return map[string]*match.Scan{"sample": sampleScan(), "hostile": hostileScan(), "empty": emptyScan(), "clean": cleanScan()}
}

func renderScan(t testing.TB, format string, s *match.Scan, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteScan(&b, format, s, o); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return b.String()
}

const scanText = `{{headline}}
{{range open}}{{severity .Severity}} {{.ID}} {{name (package .)}} {{purl (package .)}} {{place (package .)}} {{fixed .}} {{epss .}} {{range links .}}<{{.}}> {{end}}{{range .Evidence}}{{evidence .}}{{end}}
{{end}}{{range .Findings}}{{csv .ID (severity .Severity)}}
{{end}}{{range unknowns}}{{.State}}: {{markdown .String}}
{{end}}{{summary.NotJudged}} {{.Distro.Stream}} {{len suppressed}} {{range suppressed}}{{advice .}}{{end}}
`

func TestScanGolden(t *testing.T) {
	extensions := map[string]string{Table: "txt", SARIF: "sarif", HTML: "html", Markdown: "md", JUnit: "junit.xml", CSV: "csv", Template: "template.txt", GitHub: "github.txt", "json": "json"}
	for _, f := range ScanFormats() {
		if f == "spdx-json" || f == "spdx-tag-value" || f == "purls" || f == "cyclonedx-json" || f == "cyclonedx-xml" {
			continue // package bom's; TestScanCycloneDX has what is ours
		}
		ext := extensions[f]
		if ext == "" {
			ext = f + ".json"
		}
		o := Options{Tool: "tidewaiter", ToolVersion: "1.2.3", Template: scanText}
		golden(t, "scan."+ext, renderScan(t, f, sampleScan(), o))
		if f == Table || f == Markdown {
			o.Suppressed = true
			golden(t, "scan-suppressed."+ext, renderScan(t, f, sampleScan(), o))
		}
	}
}

// The same scan gives the same bytes.
func TestScanDeterministic(t *testing.T) {
	for name := range testScans() {
		for _, f := range ScanFormats() {
			o := Options{Template: scanText, Suppressed: true}
			once, again := renderScan(t, f, testScans()[name], o), renderScan(t, f, testScans()[name], o)
			if once != again {
				t.Errorf("%s of %s differs", f, name)
			}
		}
	}
}

func TestScanPassesErrors(t *testing.T) {
	for _, f := range ScanFormats() {
		if err := WriteScan(full{}, f, sampleScan(), Options{Template: "x"}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := WriteScan(io.Discard, "yaml", sampleScan(), Options{}); err == nil || !strings.Contains(err.Error(), "csaf-vex") {
		t.Errorf("unknown format: %v", err)
	}
}

// Nothing that a terminal or a build log shows moves the cursor or starts a
// command.
func TestScanHostileText(t *testing.T) {
	for _, f := range []string{Table, Markdown, GitHub, CSV, JUnit, SARIF, GitLab, OpenVEX, CSAFVEX} {
		text := renderScan(t, f, hostileScan(), Options{Suppressed: true})
		if !utf8.ValidString(text) {
			t.Errorf("%s is not UTF-8", f)
		}
		for _, r := range text {
			if r != '\n' && r != '\r' && !unicode.IsPrint(r) && (r != '\u202e' || f != SARIF) { // SARIF's properties are data
				t.Errorf("%s holds %U", f, r)
				break
			}
		}
	}
	for line := range strings.Lines(renderScan(t, GitHub, hostileScan(), Options{})) {
		if c, _, _ := strings.Cut(line, " "); !slices.Contains([]string{"::error", "::warning", "::notice"}, c) || strings.Count(line, "\n") != 1 {
			t.Errorf("a line of its own: %q", line)
		}
	}
	page := renderScan(t, HTML, hostileScan(), Options{})
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("the page has %d scripts", n)
	}
	if strings.Contains(page, "javascript:") && !strings.Contains(page, "[l](javascript:b)") || strings.Contains(page, `href="javascript`) || strings.Contains(page, "\x1b") {
		t.Error("a link of the page runs a script")
	}
}

// No output may say that there are no vulnerabilities where something could
// not be judged.
func TestHeadline(t *testing.T) {
	judge := func(change func(*match.Scan)) string {
		s := cleanScan()
		change(s)
		v := &view{Scan: s, Unknowns: unknowns(s), Summary: summarize(s)}
		return v.Headline()
	}
	n := len(cleanScan().Image.Packages)
	for _, tt := range []struct {
		name   string
		change func(*match.Scan)
		want   string
	}{
		{"all judged", func(s *match.Scan) {}, "none known"},
		{"stale", func(s *match.Scan) { s.Feeds[0].Stale = true }, "none known, but the answer is incomplete: see what could not be judged"},
		{"ended", func(s *match.Scan) { s.Distro.Ended = true }, "none known, but the answer is incomplete: see what could not be judged"},
		{"no data at all", func(s *match.Scan) { s.Feeds = nil }, "none known, but the answer is incomplete: see what could not be judged"},
		{"unread", func(s *match.Scan) { s.Image.Problems = []inventory.Problem{{Message: "m"}} }, "none known, but the answer is incomplete: see what could not be judged"},
		{"some", func(s *match.Scan) { s.States = sampleScan().States }, fmt.Sprintf("none known in the %d packages that could be judged; 5 could not", n-5)},
		{"none judged", func(s *match.Scan) {
			for i := range s.Image.Packages {
				s.States = append(s.States, match.PackageState{Package: i, State: match.NoData})
			}
		}, "unknown: none of the packages could be judged"},
		{"one package", func(s *match.Scan) {
			s.Image.Packages, s.States = s.Image.Packages[:1], []match.PackageState{{State: match.NoVersion}}
		}, "unknown: the package could not be judged"},
		{"empty", func(s *match.Scan) { s.Image.Packages = nil }, "unknown: no packages were found that could be judged"},
		{"findings", func(s *match.Scan) { s.Findings = sampleScan().Findings }, "7 (2 critical, 2 high, 1 medium, 1 low, 1 unknown)"},
		{"suppressed only", func(s *match.Scan) { s.Findings = sampleScan().Findings[7:] }, "none known"},
	} {
		if got := judge(tt.change); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestScanTableWidth(t *testing.T) {
	for _, name := range []string{"sample", "hostile"} {
		for line := range strings.Lines(renderScan(t, Table, testScans()[name], Options{Suppressed: true})) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > 100 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
	plain, colored := renderScan(t, Table, sampleScan(), Options{}), renderScan(t, Table, sampleScan(), Options{Color: true})
	if strings.Contains(plain, "\x1b") || !strings.Contains(colored, "\x1b[1;31mcritical\x1b[0m  CVE-2021-44228") {
		t.Errorf("colours are wrong:\n%s", colored)
	}
}

// The findings do not stand in the way of reading the inventory back, and
// every finding refers to a component that is there.
func TestScanCycloneDXReadable(t *testing.T) {
	for name, s := range testScans() {
		for _, f := range []bom.Format{bom.CycloneDXJSON, bom.CycloneDXXML} {
			text := renderScan(t, string(f), s, Options{})
			img, _, err := bom.Read(strings.NewReader(text), bom.Limits{})
			if err != nil || len(img.Packages) != len(s.Image.Packages) {
				t.Errorf("%s of %s: %v", f, name, err)
			}
		}
	}
	var doc struct {
		Components []struct {
			Ref string `json:"bom-ref"`
		}
		Vulnerabilities []struct {
			ID      string
			Affects []struct{ Ref string }
		}
	}
	s := sampleScan()
	s.Findings = append(s.Findings, s.Findings[1])
	s.Findings[len(s.Findings)-1].Package = 3 // the same of another package: one vulnerability, two targets
	if err := json.Unmarshal([]byte(renderScan(t, "cyclonedx-json", s, Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{}
	for _, c := range doc.Components {
		refs[c.Ref] = true
	}
	n := 0
	for _, v := range doc.Vulnerabilities {
		for _, a := range v.Affects {
			if n++; !refs[a.Ref] {
				t.Errorf("%s affects %s, which is nowhere", v.ID, a.Ref)
			}
		}
	}
	if n != len(s.Findings) {
		t.Errorf("%d targets, want %d", n, len(s.Findings))
	}
}

// GitHub's rendering of hostile text has no link, image or element in it but
// ours: an independent implementation says so.
func TestScanMarkdownInert(t *testing.T) {
	cmark, err := exec.LookPath("cmark-gfm")
	if err != nil {
		t.Skip("cmark-gfm (Debian: cmark-gfm) is not installed")
	}
	cmd := exec.CommandContext(t.Context(), cmark, "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tagfilter")
	cmd.Stdin = strings.NewReader(renderScan(t, Markdown, hostileScan(), Options{Suppressed: true}))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	html := strings.ReplaceAll(string(out), "<!-- -->", "")
	for _, bad := range []string{"<script", "<b>", "<img", "<a ", "<em>", "<strong>=", "<del>", "<!--"} {
		if strings.Contains(html, bad) {
			i := strings.Index(html, bad)
			t.Errorf("%s: %.300s", bad, html[max(0, i-100):])
		}
	}
	for row := range strings.SplitSeq(html, "<tr>") {
		if n := strings.Count(row, "<td"); n != 0 && n != 2 && n != 8 {
			t.Errorf("%d cells: %s", n, row)
		}
	}
	if !strings.Contains(html, "=cmd|' /C calc'!A0") {
		t.Error("the text itself is lost")
	}
}

func TestScanCycloneDX(t *testing.T) {
	type source struct{ Name, URL string }
	type vulnerability struct {
		ID         string
		Source     source
		References []struct {
			ID     string
			Source source
		}
		Ratings []struct {
			Source                                  source
			Score                                   float64
			Severity, Method, Vector, Justification string
		}
		CWEs           []int
		Recommendation string
		Advisories     []struct{ URL string }
		Published      string
		Updated        string
		Analysis       struct {
			State, Justification, Detail string
			Response                     []string
		}
		Affects []struct {
			Ref      string
			Versions []struct{ Version, Status string }
		}
		Properties []struct{ Name, Value string }
	}
	var doc struct{ Vulnerabilities []vulnerability }
	if err := json.Unmarshal([]byte(renderScan(t, "cyclonedx-json", sampleScan(), Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range doc.Vulnerabilities {
		got = append(got, fmt.Sprintf("%s %s %v %v %s %+v", v.ID, v.Source.Name, v.CWEs, v.Analysis, v.Published, v.Affects))
	}
	want := []string{
		"CVE-2021-44228 ghsa [20 400 502 917] {   []} 2021-12-10T00:00:00Z [{Ref:pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1 Versions:[{Version:2.14.1 Status:affected} {Version:2.3.1 Status:unaffected} {Version:2.12.2 Status:unaffected} {Version:2.15.0 Status:unaffected}]}]",
		"CVE-2023-0464 debian [295] {   []} 2023-03-22T00:00:00Z [{Ref:pkg:deb/debian/libssl3@3.0.9-1?arch=arm64&distro=debian-12&upstream=openssl Versions:[{Version:3.0.9-1 Status:affected}]}]",
		"CVE-2023-45133 ghsa [] {   []}  [{Ref:pkg:npm/%40babel/traverse@7.0.0 Versions:[{Version:7.0.0 Status:affected}]}]",
		"CVE-2022-32212 ghsa [] {in_triage  the identity of the package is a guess: 24 % []}  [{Ref:pkg:generic/node@18.0.0 Versions:[{Version:18.0.0 Status:unknown}]}]",
		"GHSA-0000-1111-2222 ghsa [] {   []}  [{Ref:pkg:npm/%40babel/traverse@7.0.0 Versions:[{Version:7.0.0 Status:affected}]}]",
		"CVE-2022-0001 ghsa [] {   []}  [{Ref:pkg:npm/%40babel/traverse@7.0.0 Versions:[{Version:7.0.0 Status:affected}]}]",
		"MAL-2024-1 ghsa [] {   []}  [{Ref:pkg:npm/odd@not-a-version Versions:[{Version:not-a-version Status:affected}]}]",
		"CVE-2020-14343 ghsa [] {not_affected  owned by deb/python3-yaml: its distribution speaks of it []}  [{Ref:pkg:pypi/pyyaml@5.3 Versions:[{Version:5.3 Status:unaffected}]}]",
		"CVE-2023-0464 debian [295] {not_affected code_not_reachable VEX not_affected (vulnerable_code_not_in_execute_path) by Example Inc []} 2023-03-22T00:00:00Z [{Ref:pkg:deb/debian/openssl@3.0.9-1?arch=arm64&distro=debian-12 Versions:[{Version:3.0.9-1 Status:unaffected}]}]",
		"CVE-2022-0002 ghsa [] {resolved  VEX fixed by Example Inc []}  [{Ref:pkg:npm/%40babel/traverse@7.0.0 Versions:[{Version:7.0.0 Status:unaffected}]}]",
		"CVE-2005-2541 ghsa [] {  ignored: tar is never run [will_not_fix]}  [{Ref:pkg:deb/debian/tar@1.34%2Bdfsg-1.2?arch=arm64&distro=debian-12 Versions:[{Version:1.34+dfsg-1.2 Status:affected}]}]",
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	log4j := doc.Vulnerabilities[0]
	if fmt.Sprint(log4j.Ratings) != "[{{github } 10 critical CVSSv31 CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H } {{nvd } 9.3 high CVSSv2 AV:N/AC:M/Au:N/C:C/I:C/A:C }]" ||
		fmt.Sprint(log4j.References) != "[{GHSA-jfh8-c2jp-5v3q {ghsa }}]" || log4j.Updated != "2024-06-01T00:00:00Z" || len(log4j.Advisories) != 2 ||
		log4j.Recommendation != "Update org.apache.logging.log4j:log4j-core to 2.3.1, 2.12.2 or 2.15.0." {
		t.Errorf("%+v", log4j)
	}
	var names []string
	for _, p := range log4j.Properties {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"tidewaiter:severity", "tidewaiter:kev", "tidewaiter:epss", "tidewaiter:evidence"}) {
		t.Errorf("properties %q", names)
	}
}

func TestMarkdownCode(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a_b*": "`a_b*`", "a|b": "<code>a&#124;b</code>", "a`b": "<code>a&#96;b</code>", "é|<": "<code>é&#124;&#60;</code>", "a\nb": "`a b`", "a@b|": "<code>a&#64;<!-- -->b&#124;</code>",
	} {
		if got := markdownCode(in); got != want {
			t.Errorf("markdownCode(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkWriteScan(b *testing.B) {
	s := sampleScan()
	for range 7 {
		s.Findings = append(s.Findings, s.Findings...)
	}
	for _, f := range ScanFormats() {
		b.Run(f, func(b *testing.B) {
			for b.Loop() {
				if err := WriteScan(io.Discard, f, s, Options{Template: scanText}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(s.Findings)), "findings")
		})
	}
}
