package vex

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// shared finds real feeds beside the repository.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if root == "" {
		dir, err := filepath.Abs(".")
		if err != nil {
			t.Fatal(err)
		}
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(filepath.Dir(dir), "shared")
				break
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feed is not there: %v", err)
	}
	return p
}

// say writes a statement in one line.
func say(s advisory.Statement) string {
	out := fmt.Sprintf("%s %q in %q", s.Vulnerability, s.Aliases, s.Products)
	if len(s.Subcomponents) > 0 {
		out += fmt.Sprintf(" with %q", s.Subcomponents)
	}
	out += ": " + s.Status
	for _, x := range []string{s.Justification, s.Impact, s.Action} {
		if x != "" {
			out += " | " + x
		}
	}
	return out + " " + s.Time.Format("2006-01-02")
}

func lines(ss []advisory.Statement) []string {
	var out []string
	for _, s := range ss {
		out = append(out, say(s))
	}
	return out
}

func TestOpenVEX(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []string
	}{
		"0.0.1": {`{"@context":"https://openvex.dev/ns","@id":"d","author":"A","role":"r","timestamp":"2023-01-08T18:02:03.647787998-06:00","version":"1","statements":[
			{"vulnerability":"CVE-2023-12345","products":["pkg:apk/wolfi/git@2.39.0-r1?arch=armv7","pkg:apk/wolfi/git@2.39.0-r1?arch=x86_64"],"status":"fixed"},
			{"vulnerability":"CVE-2023-1","products":["pkg:oci/app@sha256:ab"],"subcomponents":["pkg:npm/x@1"],"status":"not_affected","justification":"component_not_present","timestamp":"2023-02-01T00:00:00Z"}]}`,
			[]string{
				`CVE-2023-12345 [] in ["pkg:apk/wolfi/git@2.39.0-r1?arch=armv7" "pkg:apk/wolfi/git@2.39.0-r1?arch=x86_64"]: fixed 2023-01-09`,
				`CVE-2023-1 [] in ["pkg:oci/app@sha256:ab"] with ["pkg:npm/x@1"]: not_affected | component_not_present 2023-02-01`,
			}},
		// Subcomponents are of their product; a digest beside a package URL
		// without version is the narrower word; other text is no
		// justification.
		"0.2.0": {`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"d","author":"A","timestamp":"2024-01-01T00:00:00Z","version":3,"statements":[
			{"vulnerability":{"@id":"https://x/CGA-1","name":"CGA-1","aliases":["CVE-2024-0001","GHSA-a"]},"status":"not_affected","justification":"because","impact_statement":"it is so",
			 "products":[{"@id":"pkg:oci/app?tag=1","identifiers":{"purl":"pkg:oci/app?tag=1"},"hashes":{"sha-256":"ABCD"},"subcomponents":[{"@id":"pkg:npm/x@1"},{"identifiers":{"cpe23":"cpe:2.3:a:x:x:1:*:*:*:*:*:*:*"}}]},
			             {"@id":"pkg:oci/b@sha256:cd","subcomponents":[{"@id":"pkg:npm/y"}]}]},
			{"vulnerability":{"@id":"https://nvd.nist.gov/vuln/detail/CVE-2024-0002"},"status":"affected","action_statement":"update","last_updated":"2024-05-01T00:00:00Z","timestamp":"2024-02-01T00:00:00Z","products":[{"@id":"https://example.com/thing"}]}]}`,
			[]string{
				`CVE-2024-0001 ["CGA-1" "GHSA-a"] in ["sha256:abcd"] with ["pkg:npm/x@1" "cpe:2.3:a:x:x:1:*:*:*:*:*:*:*"]: not_affected | because: it is so 2024-01-01`,
				`CVE-2024-0001 ["CGA-1" "GHSA-a"] in ["pkg:oci/b@sha256:cd"] with ["pkg:npm/y"]: not_affected | because: it is so 2024-01-01`,
				`CVE-2024-0002 [] in ["https://example.com/thing"]: affected | update 2024-05-01`,
			}},
		// A later statement about the same replaces an earlier one.
		"history": {`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"d","statements":[
			{"vulnerability":{"name":"CVE-2024-0001"},"products":[{"@id":"pkg:npm/x@1"}],"status":"fixed","timestamp":"2024-03-01T00:00:00Z"},
			{"vulnerability":{"name":"CVE-2024-0001"},"products":[{"@id":"pkg:npm/x@1"}],"status":"under_investigation","timestamp":"2024-01-01T00:00:00Z"}]}`,
			[]string{`CVE-2024-0001 [] in ["pkg:npm/x@1"]: fixed 2024-03-01`}},
		"attested": {`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://openvex.dev/ns/v0.2.0","subject":[{"name":"r/app","digest":{"sha256":"AA"}}],
			"predicate":{"@context":"https://openvex.dev/ns/v0.2.0","@id":"d","statements":[{"vulnerability":{"name":"CVE-2024-0001"},"status":"fixed"}]}}`,
			[]string{`CVE-2024-0001 [] in ["sha256:aa"]: fixed 0001-01-01`}},
	}
	for name, tt := range tests {
		got, err := Read(strings.NewReader(tt.in), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tt.want, lines(got)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func TestCycloneDX(t *testing.T) {
	// %s: metadata, components, and one vulnerability.
	doc := func(metadata, components, analysis, affects string) string {
		return fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.5","serialNumber":"urn:uuid:3E671687-395b-41f5-a30f-a58921a69b79","version":2,"metadata":{"timestamp":"2022-03-03T00:00:00Z"%s},
			"components":[%s],"vulnerabilities":[{"id":"CVE-2020-25649","references":[{"id":"GHSA-b"}],"recommendation":"Upgrade.","analysis":%s,"affects":[%s]},{"id":"CVE-1","affects":[{"ref":"x"}]}]}`,
			metadata, components, analysis, affects)
	}
	const jackson = `{"bom-ref":"j","type":"library","name":"jackson","version":"2.10.0","purl":"pkg:maven/c/jackson@2.10.0"}`
	const image = `,"component":{"bom-ref":"i","type":"container","name":"app","version":"1","purl":"pkg:oci/app@sha256:ab"}`
	const notReachable = `{"state":"not_affected","justification":"code_not_reachable","detail":"dead code"}`
	tests := map[string]struct {
		in   string
		want []string
	}{
		"component": {doc("", jackson, notReachable, `{"ref":"j"}`),
			[]string{`CVE-2020-25649 ["GHSA-b"] in ["pkg:maven/c/jackson@2.10.0"]: not_affected | vulnerable_code_not_in_execute_path | dead code 2022-03-03`}},
		"within an image": {doc(image, jackson, notReachable, `{"ref":"j"}`),
			[]string{`CVE-2020-25649 ["GHSA-b"] in ["pkg:oci/app@sha256:ab"] with ["pkg:maven/c/jackson@2.10.0"]: not_affected | vulnerable_code_not_in_execute_path | dead code 2022-03-03`}},
		"the image": {doc(image, "", `{"state":"exploitable","response":["update"]}`, `{"ref":"i"}`),
			[]string{`CVE-2020-25649 ["GHSA-b"] in ["pkg:oci/app@sha256:ab"]: affected | Upgrade. 2022-03-03`}},
		"links": {doc("", jackson, `{"state":"in_triage"}`,
			`{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#j"},{"ref":"urn:cdx:11111111-395b-41f5-a30f-a58921a69b79/1#pkg:npm/x@1?a=b"},{"ref":"urn:cdx:11111111-395b-41f5-a30f-a58921a69b79/1#pkg%3Anpm/y%401"},{"ref":"urn:cdx:11111111-395b-41f5-a30f-a58921a69b79/1#j"},{"ref":"pkg:npm/z@1"},{"ref":"jackson"}`),
			[]string{
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:maven/c/jackson@2.10.0"]: under_investigation 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/x@1?a=b"]: under_investigation 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/y@1"]: under_investigation 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["urn:cdx:11111111-395b-41f5-a30f-a58921a69b79/1#j"]: under_investigation 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/z@1"]: under_investigation 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["bom-ref:jackson"]: under_investigation 2022-03-03`,
			}},
		"versions": {doc("", `{"bom-ref":"a","name":"acme","type":"application","purl":"pkg:npm/acme"}`, `{"state":"exploitable"}`,
			`{"ref":"a","versions":[{"version":"2.4","status":"affected"},{"range":"vers:npm/>=2.9|<=4.1"},{"version":"4.2","status":"unaffected"},{"version":"5","status":"unknown"}]}`),
			[]string{
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/acme@2.4" "pkg:npm/acme@vers:npm%2F%3E=2.9%7C%3C=4.1"]: affected | Upgrade. 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/acme@4.2"]: not_affected 2022-03-03`,
				`CVE-2020-25649 ["GHSA-b"] in ["pkg:npm/acme@5"]: under_investigation 2022-03-03`,
			}},
		"one version, no name for all": {doc("", `{"bom-ref":"a","name":"DEF","version":"1.1","type":"application"}`, `{"state":"resolved_with_pedigree"}`, `{"ref":"a","versions":{"version":"1.1"}}`),
			[]string{`CVE-2020-25649 ["GHSA-b"] in ["pkg:generic/DEF@1.1"]: fixed 2022-03-03`}},
		"words": {doc("", jackson, `{"state":"not_affected","justification":"protected_at_perimeter"}`, `{"ref":"j"}`),
			[]string{`CVE-2020-25649 ["GHSA-b"] in ["pkg:maven/c/jackson@2.10.0"]: not_affected | inline_mitigations_already_exist | protected_at_perimeter 2022-03-03`}},
	}
	for name, tt := range tests {
		got, err := Read(strings.NewReader(tt.in), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tt.want, lines(got)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
		for _, s := range got {
			if s.Document != "urn:uuid:3E671687-395b-41f5-a30f-a58921a69b79/2" {
				t.Errorf("%s: the document is %q", name, s.Document)
			}
		}
	}
}

func TestCSAF(t *testing.T) {
	const in = `{"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"name":"Example"},"tracking":{"id":"EVD-1","current_release_date":"2022-03-03T11:00:00.000Z"}},
		"product_tree":{"branches":[{"branches":[{"category":"product_version","product":{"product_id":"p1","name":"ABC 4.2","product_identification_helper":{"purl":"pkg:golang/github.com/x/abc@v4.2.0"}}},
			{"product":{"product_id":"p2","name":"Example ABC 2.2"}}]}],
			"full_product_names":[{"product_id":"img","name":"r/app:1","product_identification_helper":{"purl":"pkg:oci/app@sha256:ab"}},{"product_id":"lib","name":"lib","product_identification_helper":{"purl":"pkg:npm/lib@1"}}],
			"product_groups":[{"group_id":"g","product_ids":["p1","p2"]}],
			"relationships":[{"category":"installed_on","full_product_name":{"product_id":"img:lib","name":"lib in img"},"product_reference":"lib","relates_to_product_reference":"img"}]},
		"vulnerabilities":[{"cve":"CVE-2009-4487","ids":[{"system_name":"GitHub","text":"GHSA-xxxx-1"},{"text":"https://example.com/1-2"}],
			"product_status":{"known_not_affected":["p1","p2"],"fixed":["img:lib"],"known_affected":["nowhere"]},
			"flags":[{"label":"vulnerable_code_not_present","group_ids":["g"]}],
			"threats":[{"category":"impact","details":"Class removed.","product_ids":["p1"]}]}]}`
	got, err := Read(strings.NewReader(in), "x")
	want := []string{
		`CVE-2009-4487 ["GHSA-xxxx-1"] in ["pkg:golang/github.com/x/abc@v4.2.0"]: not_affected | vulnerable_code_not_present | Class removed. 2022-03-03`,
		`CVE-2009-4487 ["GHSA-xxxx-1"] in ["Example ABC 2.2"]: not_affected | vulnerable_code_not_present 2022-03-03`,
		`CVE-2009-4487 ["GHSA-xxxx-1"] in ["pkg:oci/app@sha256:ab"] with ["pkg:npm/lib@1"]: fixed 2022-03-03`,
	}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if err == nil || !strings.Contains(err.Error(), `the product "nowhere" is not defined`) {
		t.Errorf("error %v", err)
	}
}

// A document of Red Hat: what is said of a package holds within its platform.
func TestRedHat(t *testing.T) {
	f, err := os.Open(shared(t, "redhat/sample/trustify-csaf/2023/cve-2023-20862.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Read(f, "x")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range got {
		if s.Vulnerability != "CVE-2023-20862" || s.Document != "CVE-2023-20862" || s.Author != "Red Hat Product Security" {
			t.Errorf("it is %+v", s)
		}
		if len(s.Products) == 1 && s.Products[0] == "cpe:/o:redhat:enterprise_linux:9" {
			found = true
			if d := cmp.Diff([]string{"log4j"}, s.Subcomponents); d != "" || s.Status != "not_affected" || s.Justification != "vulnerable_code_not_present" {
				t.Errorf("RHEL 9: %s", say(s))
			}
		}
	}
	if !found {
		t.Error("there is no statement about RHEL 9")
	}
}

// Chainguard's documents, as published.
func TestChainguard(t *testing.T) {
	u, err := Documents{}.Fetch(t.Context(), feed.Input{From: shared(t, "chainguard/sample/vunnel/input/openvex")}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	var got, bad []string
	for it, err := range u.Items {
		var b *feed.BadRecord
		if errors.As(err, &b) {
			bad = append(bad, b.Record)
		} else if err != nil {
			t.Fatal(err)
		} else {
			got = append(got, say(*it.Statement))
		}
	}
	want := []string{
		`CVE-2026-22732 ["CGA-3mj7-wxw9-qjx2" "CGA-j87j-7fw6-jfqx" "GHSA-mf92-479x-3373"] in ["pkg:maven/org.springframework.security/spring-security-web@5.8.16-0.cgr.1"]: fixed 2026-05-02`,
		`CVE-2022-21797 ["CGA-48gh-376r-gw73" "GHSA-6hrg-qmvc-2xh8"] in ["pkg:pypi/joblib@1.0.0%2Bcgr.1"]: fixed 2025-08-29`,
		`CVE-2023-45803 ["CGA-7qjw-ggh3-pp9f" "GHSA-g4mx-q9vg-27p4"] in ["pkg:pypi/urllib3@1.26.16%2Bcgr.0" "pkg:pypi/urllib3@1.26.16%2Bcgr.1"]: fixed 2025-08-29`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if d := cmp.Diff([]string{"all.json"}, bad); d != "" { // the list of the documents
		t.Errorf("bad records: -want +got\n%s", d)
	}
	if !u.Whole || !u.State.Published.Equal(time.Date(2026, 5, 2, 6, 3, 5, 151e6, time.UTC)) {
		t.Errorf("whole %v, published %s", u.Whole, u.State.Published)
	}
}

// A VEX document that speaks of the components of a BOM beside it.
func TestOtherDocument(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a-vex.json": `{"bomFormat":"CycloneDX","specVersion":"1.4","version":1,"vulnerabilities":[{"id":"CVE-2024-0001","analysis":{"state":"not_affected"},"affects":[{"ref":"urn:cdx:cbb2cd68-2857-43b8-a10b-e8c03d277d18/1#lib"}]}]}`,
		"bom.json":   `{"bomFormat":"CycloneDX","specVersion":"1.4","serialNumber":"urn:uuid:cbb2cd68-2857-43b8-a10b-e8c03d277d18","version":1,"components":[{"bom-ref":"outer","name":"o","components":[{"bom-ref":"lib","name":"lib","version":"1","purl":"pkg:npm/lib@1"}]}]}`,
		"README":     "no document",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := Documents{}.Fetch(t.Context(), feed.Input{From: dir}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for it, err := range u.Items {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, it.Statement.Document+" "+say(*it.Statement))
	}
	if d := cmp.Diff([]string{`a-vex.json CVE-2024-0001 [] in ["pkg:npm/lib@1"]: not_affected 0001-01-01`}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestBroken(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"nothing":       {"", "no VEX document"},
		"web page":      {"<!DOCTYPE html><title>x</title>", "web page"},
		"XML":           {"<bom/>", "XML"},
		"list":          {"[]", "no VEX document"},
		"other":         {`{"a":1}`, "neither OpenVEX, CSAF nor CycloneDX"},
		"cut off":       {`{"@context":"https://openvex.dev/ns","statements":[`, "unexpected end of JSON input"},
		"deep":          {`{"bomFormat":"CycloneDX","components":` + strings.Repeat(`[{"components":`, 150) + `[]` + strings.Repeat(`}]`, 150) + `}`, "limit of 200 nested values"},
		"status":        {`{"@context":"https://openvex.dev/ns","@id":"d","statements":[{"vulnerability":"CVE-2024-0001","products":["pkg:npm/x"],"status":"fine"}]}`, `status "fine" is not known`},
		"no product":    {`{"@context":"https://openvex.dev/ns","@id":"d","statements":[{"vulnerability":"CVE-2024-0001","status":"fixed"}]}`, "names no product"},
		"nameless":      {`{"@context":"https://openvex.dev/ns","@id":"d","statements":[{"products":["pkg:npm/x"],"status":"fixed"}]}`, "names no vulnerability"},
		"state":         {`{"bomFormat":"CycloneDX","vulnerabilities":[{"id":"CVE-2024-0001","analysis":{"state":"maybe"},"affects":[{"ref":"pkg:npm/x"}]}]}`, `state "maybe" is not known`},
		"no identifier": {`{"document":{"category":"csaf_vex"}}`, "no identifier"},
	}
	for name, tt := range tests {
		got, err := Read(strings.NewReader(tt.in), name)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(got) > 0 {
			t.Errorf("%s: error %v, %d statements; want %q", name, err, len(got), tt.want)
		}
	}
	if _, err := (Documents{}).Fetch(t.Context(), feed.Input{}, feed.State{}); err == nil {
		t.Error("without a file and an address there is no error")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"d","statements":[{"vulnerability":{"name":"CVE-2024-0001"},"products":[{"@id":"pkg:npm/x@1","hashes":{"sha-256":"a"},"subcomponents":[{"@id":"y"}]}],"status":"fixed"}]}`,
		`{"bomFormat":"CycloneDX","serialNumber":"urn:uuid:a","components":[{"bom-ref":"a","purl":"pkg:npm/a@1"}],"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"resolved"},"affects":[{"ref":"urn:cdx:a/1#a","versions":[{"range":"vers:x"}]}]}]}`,
		`{"document":{"tracking":{"id":"a"}},"product_tree":{"relationships":[{"full_product_name":{"product_id":"a"},"product_reference":"b","relates_to_product_reference":"a"}]},"vulnerabilities":[{"cve":"CVE-1","product_status":{"fixed":["a"]}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		boms := bomIndex{}
		boms.add(b)
		out, _, _ := parse(b, "x", boms)
		for _, s := range out {
			if s.Vulnerability == "" || len(s.Products) == 0 || s.Status == "" {
				t.Errorf("it gives %+v", s)
			}
		}
	})
}
