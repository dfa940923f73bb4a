package cli

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

const alpine = "docker-archive:../../examples/images/alpine-3.10.tar"

// command runs the command line with folders of its own.
type command struct {
	t   *testing.T
	dir string
}

func newCommand(t *testing.T) *command {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	return &command{t, dir}
}

func (c *command) run(args ...string) (code int, out, errs string) {
	c.t.Helper()
	var o, e bytes.Buffer
	code = Main(append([]string{"--data-dir", filepath.Join(c.dir, "data"), "-q"}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func (c *command) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// bundleText is a bundle of one mapping for every image.
func bundleText(rules, lists string) string {
	if lists == "" {
		lists = `"whitelisted_images":[],"blacklisted_images":[]`
	}
	return `{"id":"b","version":"1_0","name":"b","policies":[{"id":"p","version":"1_0","name":"the policy","rules":[` + rules + `]}],
		"whitelists":[{"id":"w","version":"1_0","name":"known","items":[{"id":"i","gate":"files","trigger_id":"*"}]}],
		"mappings":[{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":["p"],"whitelist_ids":["w"]}],` + lists + `}`
}

func always(action string) string {
	return `{"id":"r","gate":"always","trigger":"always","action":"` + action + `","params":[]}`
}

func TestCheckExitCodes(t *testing.T) {
	c := newCommand(t)
	const (
		unknown = `,{"id":"u","gate":"base_image","trigger":"packages_differ","action":"STOP","params":[]}`
		image   = `[{"id":"l","name":"alpine","registry":"*","repository":"*alpine*","image":{"type":"tag","value":"*"}}]`
	)
	allowed, denied := `"whitelisted_images":`+image+`,"blacklisted_images":[]`, `"whitelisted_images":[],"blacklisted_images":`+image
	for _, x := range []struct {
		name   string
		bundle string
		args   []string
		code   int
	}{
		{"go", bundleText(always("GO"), ""), nil, 0},
		{"warn", bundleText(always("WARN"), ""), nil, 0},
		{"warn as 7", bundleText(always("WARN"), ""), []string{"--warn-exit", "7"}, 7},
		{"stop", bundleText(always("STOP"), ""), []string{"--warn-exit", "7"}, 1},
		{"unknown", bundleText(always("GO")+unknown, ""), nil, 2},
		{"unknown before warn", bundleText(always("WARN")+unknown, ""), []string{"--warn-exit", "7"}, 2},
		{"unknown allowed", bundleText(always("WARN")+unknown, ""), []string{"--warn-exit", "7", "--allow-unknown"}, 7},
		{"stop before unknown", bundleText(always("STOP")+unknown, ""), nil, 1},
		{"base given", bundleText(always("GO")+unknown, ""), []string{"--base", alpine}, 0},
		{"allowed image", bundleText(always("STOP")+unknown, allowed), nil, 0},
		{"denied image", bundleText(always("GO"), denied), nil, 1},
		{"another tag", bundleText(always("GO"), denied), []string{"--tag", "example.com/app:1"}, 0},
		{"unknown gate", bundleText(`{"id":"r","gate":"nothing","trigger":"always","action":"GO","params":[]}`, ""), nil, 1},
		{"removed gate", bundleText(always("GO")+`,{"id":"o","gate":"pkgcheck","trigger":"verify","action":"STOP","params":[]}`, ""), nil, 0},
		{"not JSON", `{`, nil, 2},
		{"wrong types", `{"id":7,"version":"1_0","policies":{},"mappings":[]}`, nil, 2},
		{"bad instant", bundleText(always("GO"), ""), []string{"--at", "yesterday"}, 2},
		{"bad exit code", bundleText(always("GO"), ""), []string{"--warn-exit", "300"}, 2},
		{"bad format", bundleText(always("GO"), ""), []string{"-o", "spdx-json"}, 2},
	} {
		t.Run(x.name, func(t *testing.T) {
			code, out, errs := c.run(append([]string{"check", alpine, "--policy", c.file("bundle.json", x.bundle)}, x.args...)...)
			if code != x.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, x.code, out, errs)
			}
		})
	}
	if code, _, errs := c.run("check", alpine, "--policy", "no-such-policy"); code != 2 || !strings.Contains(errs, "strict") {
		t.Errorf("exit code %d, %q does not say which policies there are", code, errs)
	}
	if code, _, _ := c.run("check", "docker-archive:"+filepath.Join(c.dir, "missing.tar")); code != 2 {
		t.Errorf("exit code %d for an image that is not there", code)
	}
}

// A finding of the image stops it by the default policy, and its row says where.
func TestCheckStopsOnAFinding(t *testing.T) {
	c := newCommand(t)
	own := c.file("own.yaml", "id: ACME-2026-1\nsummary: a test\nseverity: high\npackages:\n  - purl: pkg:apk/alpine/busybox?distro=alpine-3.10\n    fixed: 99.0-r0\n")
	if code, out, errs := c.run("feed", "update", "own", "--from", own); code != 0 {
		t.Fatal(out, errs)
	}
	code, out, errs := c.run("check", alpine, "-o", "verdict-json")
	if code != 1 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	var v policy.Verdict
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range v.Rows {
		found = found || r.TriggerID == "ACME-2026-1+busybox" && r.Action == policy.Stop && strings.HasPrefix(r.Evidence.Package, "pkg:apk/alpine/busybox@") && r.Evidence.Path == "/lib/apk/db/installed"
	}
	if !found || v.Action != policy.Stop || v.FindingsDigest == "" {
		t.Errorf("no row of the finding: %s", out)
	}
	// An instant before the advisory was known.
	if code, out, _ := c.run("check", alpine, "--at", "2020-01-01", "--allow-unknown"); code != 0 || strings.Contains(out, "ACME-2026-1") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestCheckFormats(t *testing.T) {
	c := newCommand(t)
	rules := always("STOP") + `,{"id":"f","gate":"files","trigger":"name_match","action":"STOP","params":[{"name":"regex","value":"/bin/busybox$"}]}`
	one := c.file("one.json", bundleText(rules, ""))
	code, out, errs := c.run("check", alpine, "--policy", one)
	if code != 1 || !strings.HasPrefix(out, "Verdict       STOP\n") || !strings.Contains(out, "1 row allowlisted") || !strings.Contains(out, "always/always, rule r of the policy") || strings.Contains(out, "/bin/busybox") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if _, out, _ := c.run("check", alpine, "--policy", one, "--detail"); !strings.Contains(out, "allowed by known, item i; else stop") || !strings.Contains(out, "file=/bin/busybox") {
		t.Error(out)
	}
	var doc1 struct {
		Action string `json:"final_action"`
		Status string `json:"status"`
		Bundle struct{ Version string }
		Result map[string]json.RawMessage
	}
	_, out, _ = c.run("check", alpine, "--policy", one, "-o", "json")
	if err := json.Unmarshal([]byte(out), &doc1); err != nil || doc1.Action != "stop" || doc1.Status != "fail" || doc1.Bundle.Version != "1_0" || len(doc1.Result) != 5 {
		t.Errorf("%v: %s", err, out)
	}
	_, converted, errs := c.run("policy", "convert", one)
	two := c.file("two.json", converted)
	var doc2 struct {
		Action  string `json:"final_action"`
		Details *struct {
			Findings []struct {
				Trigger string
				Allowed bool `json:"allowlisted"`
			}
		}
	}
	_, out, _ = c.run("check", alpine, "--policy", two, "-o", "json", "--detail")
	if err := json.Unmarshal([]byte(out), &doc2); err != nil || doc2.Action != "stop" || doc2.Details == nil || len(doc2.Details.Findings) != 2 || !doc2.Details.Findings[1].Allowed {
		t.Errorf("%v: %s %s", err, out, errs)
	}
	for format, want := range map[string]string{"sarif": `"ruleId": "p/r"`, "html": "always/always", "markdown": "# 🛑 STOP", "csv": "always/always"} {
		want = strings.Replace(want, "always/always", map[string]string{"csv": "always,always", "html": "always/always"}[format], 1)
		if code, out, errs := c.run("check", alpine, "--policy", one, "-o", format); code != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %q is not in %.500s%s", format, code, want, out, errs)
		}
	}
	report := filepath.Join(c.dir, "check.xml")
	if code, _, errs := c.run("check", alpine, "--policy", one, "-o", "table", "-o", "junit="+report); code != 1 {
		t.Fatal(code, errs)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil || suites.Tests != 3 || suites.Failures != 2 {
		t.Errorf("%v: %+v\n%s", err, suites, data)
	}
}

func TestShippedPolicies(t *testing.T) {
	c := newCommand(t)
	names := shippedPolicies()
	if len(names) < 4 {
		t.Fatalf("only %v", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if code, out, errs := c.run("policy", "validate", name); code != 0 || !strings.Contains(out, "0 errors, 0 warnings") {
				t.Errorf("%s%s", out, errs)
			}
			b, err := (&app{}).openPolicy(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range b.RuleSets {
				for _, r := range s.Rules {
					if r.Description == "" && r.Extra["comment"] == nil {
						t.Errorf("rule %s is not explained", r.ID)
					}
				}
			}
			_, out, errs := c.run("check", alpine, "--policy", name, "-o", "verdict-json")
			var v policy.Verdict
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatal(err, errs)
			}
			if len(v.Problems) > 0 || v.Mapping != 0 {
				t.Errorf("mapping %d, problems %v", v.Mapping, v.Problems)
			}
			if code, out, _ := c.run("policy", "explain", name); code != 0 || !strings.Contains(out, "For every image") {
				t.Error(out)
			}
		})
	}
	// A file of that name wins.
	t.Chdir(c.dir)
	c.file("strict", bundleText(always("GO"), ""))
	if _, out, _ := c.run("policy", "explain", "strict"); !strings.HasPrefix(out, "b (format 1_0)") {
		t.Error(out)
	}
}

// What the default policy does to the example image, told by hand: no health
// check, and no data in an empty database.
func TestDefaultPolicyWithoutData(t *testing.T) {
	c := newCommand(t)
	code, out, _ := c.run("check", alpine, "-o", "verdict-json")
	var v policy.Verdict
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range v.Rows {
		got = append(got, r.Gate+"/"+r.Trigger)
	}
	if want := "dockerfile/instruction vulnerabilities/stale_feed_data vulnerabilities/vulnerability_data_unavailable"; code != 2 || strings.Join(got, " ") != want || v.Action != policy.Warn || len(v.Unknowns) == 0 {
		t.Errorf("exit code %d, %s, rows %v, unknowns %v", code, v.Action, got, v.Unknowns)
	}
}
