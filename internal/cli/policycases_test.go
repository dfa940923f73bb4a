package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// TestShippedCases: every policy that comes with the program has cases, which
// hold, and in which every one of its rules fires once and stays silent once.
func TestShippedCases(t *testing.T) {
	c := newCommand(t)
	for _, name := range shippedPolicies() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("../../examples/policies/tests", name+".yaml")
			if code, out, errs := c.run("policy", "test", file); code != 0 {
				t.Fatalf("%d\n%s%s", code, out, errs)
			}
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			suite, err := engine.ReadSuite(in)
			if err != nil {
				t.Fatal(err)
			}
			b, err := (&app{}).openPolicy(name)
			if err != nil {
				t.Fatal(err)
			}
			fires, silent := map[string]bool{}, map[string]bool{}
			for i := range suite.Cases {
				if suite.Cases[i].Given == nil {
					continue
				}
				s, err := suite.Cases[i].Given.Subject(suite.Cases[i].Tag, *suite.Cases[i].Now)
				if err != nil {
					t.Fatal(err)
				}
				v, err := policy.Evaluate(t.Context(), b, s, policyGates())
				if err != nil {
					t.Fatal(err)
				}
				fired := map[string]bool{}
				for _, r := range v.Rows {
					fired[r.RuleID] = true
				}
				for _, set := range b.RuleSets {
					for _, r := range set.Rules {
						fires[r.ID] = fires[r.ID] || fired[r.ID]
						silent[r.ID] = silent[r.ID] || !fired[r.ID]
					}
				}
			}
			for _, set := range b.RuleSets {
				for _, r := range set.Rules {
					if !fires[r.ID] || !silent[r.ID] {
						t.Errorf("rule %s (%s/%s): fires in a case %v, is silent in one %v", r.ID, r.Gate, r.Trigger, fires[r.ID], silent[r.ID])
					}
				}
			}
		})
	}
}

func TestPolicyTestDiffs(t *testing.T) {
	c := newCommand(t)
	c.file("p.json", bundleText(always("WARN")+`,{"id":"f","gate":"files","trigger":"name_match","action":"STOP","params":[{"name":"regex","value":"/etc/x$"}]}`, ""))
	cases := c.file("cases.yaml", `policy: p.json
now: 2026-01-01T00:00:00Z
cases:
  - name: right
    given: {files: [{path: /etc/x}]}
    expect: {action: warn, mapping: m, onlyThese: true, rows: [{rule: r, count: 1}, {gate: files, allowed: true, action: go, path: /etc/x}]}
  - name: wrong
    given: {files: [{path: /etc/x}]}
    expect: {action: stop, reason: denylisted, mapping: other, onlyThese: true, rows: [{rule: r, count: 2}, {gate: files, allowed: false}], not: [{gate: ALWAYS}], unknowns: ["*data*"], problems: ["*gate*"]}
  - name: broken
    image: docker-archive:missing.tar
    expect: {action: go}
`)
	code, out, _ := c.run("policy", "test", "-v", cases)
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		"ok    " + cases + ": right (warn, 2 rows)", "FAIL  " + cases + ": wrong", "ERROR " + cases + ": broken",
		"action\n        - want stop\n        + got  warn", "reason\n        - want denylisted\n        + got  policy_evaluation", "mapping\n        - want \"other\"\n        + got  \"m\"",
		"- want 2 of rule r\n        + got  1", "- want gate files, allowed false\n        + got  none\n        ~ near go files/name_match rule f, allowed: ",
		"- want no gate ALWAYS\n        + got  warn always/always rule r: Unconditional trigger match", "- want no others", "unknowns\n        - want *data*\n        + got  none",
		"problems\n        - want *gate*\n        + got  none", "3 cases: 1 as expected, 1 not, 1 could not be judged",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code, out, _ := c.run("policy", "test", "--run", "right|wrong", "--json", cases); code != 1 || !json.Valid([]byte(out)) || !strings.Contains(out, `"passed": false`) {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := c.run("policy", "test", "--run", "^right$", cases); code != 0 || out != "1 cases: 1 as expected, 0 not, 0 could not be judged\n" {
		t.Errorf("%d %s", code, out)
	}
	for text, want := range map[string]string{
		"cases: []": "there are no cases",
		"policy: x\ncases: [{name: a, given: {}, expect: {action: go}, extra: 1}]":                                                                      "unknown field",
		"policy: x\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {}, expect: {}}]":                                                               "expects nothing",
		"policy: x\ncases: [{name: a, given: {}, expect: {action: go}}]":                                                                                "no instant",
		"policy: x\ncases: [{name: a, image: b, record: c, expect: {action: go}}]":                                                                      "it says 2",
		"now: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {}, expect: {action: maybe}}]":                                                             `names no policy`,
		"policy: x\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {}, expect: {action: maybe}}]":                                                  `unknown action "maybe"`,
		"policy: no-such\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {}, expect: {action: go}}]":                                               "no such file beside the cases",
		"policy: p.json\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {findings: [{id: X, package: y, severity: high}]}, expect: {action: go}}]": `there is no package "y"`,
		"policy: p.json\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {files: [{path: /x, device: disk}]}, expect: {action: go}}]":               `"disk" is no device`,
		"policy: p.json\nnow: 2026-01-01T00:00:00Z\ncases: [{name: a, given: {files: [{path: /x, capabilities: [root]}]}, expect: {action: go}}]":       `"root" is no capability`,
	} {
		if code, out, errs := c.run("policy", "test", c.file("bad.yaml", text)); code != 2 || !strings.Contains(out+errs, want) {
			t.Errorf("%s: %d %s%s, want %q", text, code, out, errs, want)
		}
	}
}

// TestPolicyTestTakesEverything: an image, an inventory, and a record.
func TestPolicyTestTakesEverything(t *testing.T) {
	c := newCommand(t)
	sbom, record := filepath.Join(c.dir, "alpine.json"), filepath.Join(c.dir, "alpine.record")
	if code, _, errs := c.run("sbom", alpine, "-o", "json="+sbom); code != 0 {
		t.Fatal(errs)
	}
	c.run("check", alpine, "-o", "verdict-record="+record)
	image, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	cases := c.file("cases.json", `{"policy":"default","cases":[
		{"name":"image","image":"docker-archive:`+image+`","expect":{"action":"warn","rows":[{"trigger":"instruction"}]}},
		{"name":"inventory","inventory":"alpine.json","expect":{"rows":[{"trigger":"vulnerability_data_unavailable"}]}},
		{"name":"record","record":"alpine.record","expect":{"action":"warn","rows":[{"trigger":"instruction"}]}}]}`)
	if code, out, errs := c.run("policy", "test", cases); code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func rowsOf(v *policy.Verdict, rule string) int {
	n := 0
	for i := range v.Rows {
		if regexp.MustCompile(rule + "$").MatchString(v.Rows[i].RuleID) {
			n++
		}
	}
	return n
}

// TestShippedPoliciesOnRealImages: what the policies say of images whose
// contents were looked at with find(1) and in their configuration: 11 setuid
// and setgid files in the base, two more in the image of secrets; that exposes
// port 22, has two variables with secrets and a token in a label, keys and
// credentials in files of any layer, and /srv/open and /etc/cron.daily.sh that
// anybody may write; none names a user or a health check.
func TestShippedPoliciesOnRealImages(t *testing.T) {
	secrets, debian, golang := corpusImage(t, "secrets"), corpusImage(t, "debian-base"), corpusImage(t, "debian-go")
	c := newCommand(t)
	for _, tt := range []struct {
		image, policy string
		action        policy.Action
		rows          map[string]int // -1: some
	}{
		{secrets, "default", policy.Stop, map[string]int{"d34b0855bb": 1, "1b8c8bb5": 1, "b0c2d02": 1, "b0c2d04": 0}},
		{secrets, "strict", policy.Stop, map[string]int{"data-01": 1, "image-01": 1, "image-02": 1, "image-03": 0, "image-04": 1, "image-05": 0, "image-07": 13, "image-08": 2, "image-09": 1, "image-10": -1, "image-12": -1, "image-14": 0, "image-15": 0, "image-16": 0}},
		{secrets, "secrets-only", policy.Stop, map[string]int{"found-01": -1, "found-03": 1, "found-04": 5}},
		{secrets, "licences-permissive", policy.Go, nil},
		{secrets, "cis-docker", policy.Stop, map[string]int{"4.1": 1, "4.2": 1, "4.4-data": 1, "4.6": 1, "4.7": 0, "4.8": 13, "4.10-found": -1, "5.7": 1, "5.8": 1, "4.3-ssh": 0, "4.9-url": 0, "4.9-copy": 0}},
		{secrets, "nist-800-190", policy.Stop, map[string]int{"2-user": 1, "2-ports": 1, "2-setuid": 13, "2-writable": 2, "2-accounts": -1, "4-found": -1, "4-files": 6, "3-not-run": 1, "5-ancestors": 1}},
		{debian, "default", policy.Warn, map[string]int{"d34b0855bb": 0, "1b8c8bb5": 1, "b0c2d02": 1}},
		{debian, "strict", policy.Stop, map[string]int{"data-01": 1, "image-01": 1, "image-02": 0, "image-04": 1, "image-07": 11, "image-08": 0, "image-10": 0}},
		{debian, "secrets-only", policy.Go, nil},
		{debian, "cis-docker", policy.Stop, map[string]int{"4.1": 1, "4.6": 1, "4.8": 11, "4.10-found": 0, "5.7": 0, "5.8": 0}},
		{debian, "nist-800-190", policy.Stop, map[string]int{"2-user": 1, "2-ports": 0, "2-setuid": 11, "2-writable": 0, "4-found": 0, "4-files": 0}},
		{golang, "secrets-only", policy.Go, nil},
		{golang, "licences-permissive", policy.Warn, map[string]int{"libraries-01": 0, "libraries-02": -1}},
	} {
		v := c.verdict(tt.image, "--policy", tt.policy)
		if v.Action != tt.action || len(v.Problems) > 0 {
			t.Errorf("%s by %s: %s, want %s; %v", filepath.Base(tt.image), tt.policy, v.Action, tt.action, v.Problems)
		}
		for rule, want := range tt.rows {
			if n := rowsOf(&v, rule); n != want && (want >= 0 || n == 0) {
				t.Errorf("%s by %s, rule %s: %d rows, want %d", filepath.Base(tt.image), tt.policy, rule, n, want)
			}
		}
		if tt.rows == nil && len(v.Rows) > 0 && tt.action == policy.Go {
			t.Errorf("%s by %s: %v", filepath.Base(tt.image), tt.policy, rowsByRule(&v))
		}
	}
}
