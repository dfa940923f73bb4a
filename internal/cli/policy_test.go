package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func TestPolicyValidate(t *testing.T) {
	c := newCommand(t)
	bad := c.file("bad.json", bundleText(strings.Join([]string{
		`{"id":"a","gate":"nothing","trigger":"always","action":"STOP","params":[]}`,
		`{"id":"b","gate":"files","trigger":"nothing","action":"STOP","params":[]}`,
		`{"id":"c","gate":"files","trigger":"name_match","action":"HALT","params":[{"name":"regex","value":"("}]}`,
		`{"id":"d","gate":"packages","trigger":"blacklist","action":"STOP","params":[{"name":"colour","value":"red"}]}`,
		`{"id":"e","gate":"pkgcheck","trigger":"verify","action":"STOP","params":[]}`,
	}, ","), ""))
	code, out, errs := c.run("policy", "validate", "--json", bad)
	if code != 1 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	var doc struct {
		Valid    bool
		Problems []policy.Problem
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Valid {
		t.Fatal(err, out)
	}
	at := map[string]string{}
	for _, p := range doc.Problems {
		at[p.Path] += p.Type + " "
	}
	for path, kind := range map[string]string{
		"$.policies[0].rules[0].gate": policy.GateNotFound, "$.policies[0].rules[1].trigger": policy.TriggerNotFound, "$.policies[0].rules[2].action": policy.InvalidAction,
		"$.policies[0].rules[2].params[0].value": policy.ParameterInvalid, "$.policies[0].rules[3].params[0].name": policy.InvalidParameter, "$.policies[0].rules[4].trigger": policy.EndOfLifed,
	} {
		if !strings.Contains(at[path], kind) {
			t.Errorf("no %s at %s; there are %v", kind, path, at)
		}
	}
	if code, out, _ := c.run("policy", "validate", bad); code != 1 || !strings.Contains(out, "$.policies[0].rules[0].gate") || !strings.Contains(out, "allowed: ") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, _, errs := c.run("policy", "validate", c.file("none.json", "nonsense")); code != 2 || errs == "" {
		t.Errorf("exit code %d for what is no JSON: %q", code, errs)
	}
}

func TestPolicyConvertRoundTrip(t *testing.T) {
	c := newCommand(t)
	rules := always("STOP") + `,{"id":"p","gate":"dockerfile","trigger":"exposed_ports","action":"WARN","params":[{"name":"ports","value":"22"},{"name":"type","value":"blacklist"}]}` +
		`,{"id":"q","gate":"packages","trigger":"blacklist","action":"STOP","params":[{"name":"name","value":"sudo"}]}`
	lists := `"whitelisted_images":[],"blacklisted_images":[{"id":"d","name":"old","registry":"*","repository":"old","image":{"type":"digest","value":"sha256:d"}}]`
	first := c.file("1.json", bundleText(rules, lists))
	code, two, errs := c.run("policy", "convert", first)
	if code != 0 || errs != "" {
		t.Fatal(code, errs)
	}
	for _, s := range []string{`"version": "2"`, `"denylist"`, `"rule_sets"`, `"denylisted_images"`} {
		if !strings.Contains(two, s) {
			t.Errorf("no %s in %s", s, two)
		}
	}
	second := c.file("2.json", two)
	if code, out, _ := c.run("policy", "validate", second); code != 0 {
		t.Error(out)
	}
	_, back, _ := c.run("policy", "convert", "--to", "1_0", second)
	a := app{}
	want, err := a.openPolicy(first)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.openPolicy(c.file("3.json", back))
	if err != nil {
		t.Fatal(err)
	}
	// Format 2 gives names to mappings and ids to everything, which stay.
	want.Mappings[0].ID = got.Mappings[0].ID
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if code, _, _ := c.run("policy", "convert", "--to", "3", first); code != 2 {
		t.Errorf("exit code %d for a format that is none", code)
	}
}

func TestPolicyListGates(t *testing.T) {
	c := newCommand(t)
	list := func(args ...string) (names []string) {
		t.Helper()
		code, out, errs := c.run(append([]string{"policy", "list-gates", "--json"}, args...)...)
		var doc []struct{ Name, State string }
		if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 0 {
			t.Fatal(code, err, errs)
		}
		for _, g := range doc {
			names = append(names, g.Name)
		}
		return names
	}
	active, all := list(), list("--all")
	// The gates that the policy reference lists, and one of those that were removed.
	for _, name := range strings.Fields("always dockerfile files licenses malware metadata npms packages passwd_file retrieved_files ruby_gems secret_scans vulnerabilities") {
		if !strings.Contains(" "+strings.Join(active, " ")+" ", " "+name+" ") {
			t.Errorf("no gate %s among %v", name, active)
		}
	}
	if strings.Contains(strings.Join(active, " "), "pkgcheck") || !strings.Contains(strings.Join(all, " "), "pkgcheck") {
		t.Errorf("pkgcheck: %v, all %v", active, all)
	}
	if d := cmp.Diff([]string{"always"}, list("always")); d != "" {
		t.Error(d)
	}
	if code, _, _ := c.run("policy", "list-gates", "nothing"); code != 2 {
		t.Errorf("exit code %d for a gate that is none", code)
	}
	_, v1, _ := c.run("policy", "list-gates", "--format", "1_0", "packages")
	_, v2, _ := c.run("policy", "list-gates", "packages")
	if !strings.Contains(v1, "\n    blacklist: ") || !strings.Contains(v2, "\n    denylist: ") {
		t.Errorf("%s\n%s", v1, v2)
	}
}

// The coverage page speaks of every gate, and of no other.
func TestCoveragePageHasTheGates(t *testing.T) {
	_, section, _ := strings.Cut(tidewaiter.Coverage, "\n## Gates\n")
	if next := strings.Index(section, "\n## "); next >= 0 {
		section = section[:next]
	}
	named := map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, n := range strings.FieldsFunc(cells[1], func(r rune) bool { return r == ' ' || r == ',' }) {
			named[n] = true
		}
	}
	for _, g := range policyGates() {
		name := g.Spec().Name
		if !named[name] {
			t.Errorf("docs/coverage.md does not speak of the gate %s", name)
		}
		delete(named, name)
	}
	for n := range named {
		if n != "gate" && strings.Trim(n, "-") != "" {
			t.Errorf("docs/coverage.md speaks of the gate %s, which there is not", n)
		}
	}
}

func TestPolicyDiff(t *testing.T) {
	c := newCommand(t)
	one := c.file("1.json", bundleText(always("STOP")+`,{"id":"q","gate":"Packages","trigger":"blacklist","action":"STOP","params":[{"name":"name","value":"sudo"},{"name":"version","value":"1"}]}`, ""))
	_, converted, _ := c.run("policy", "convert", one)
	if code, out, errs := c.run("policy", "diff", one, c.file("2.json", converted)); code != 0 || out != "" {
		t.Errorf("exit code %d for the same in two formats: %s%s", code, out, errs)
	}
	two := c.file("3.json", bundleText(always("STOP")+`,{"id":"q","gate":"packages","trigger":"blacklist","action":"WARN","params":[{"name":"version","value":"1"},{"name":"name","value":"sudo"}]}`, ""))
	want := "- rule of p: stop when packages/denylist name=\"sudo\" version=\"1\"\n+ rule of p: warn when packages/denylist name=\"sudo\" version=\"1\"\n"
	if code, out, _ := c.run("policy", "diff", one, two); code != 1 || out != want {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestPolicyLint(t *testing.T) {
	c := newCommand(t)
	for _, name := range shippedPolicies() {
		if code, out, errs := c.run("policy", "lint", name); code != 0 {
			t.Errorf("%s: %s%s", name, out, errs)
		}
	}
	bad := c.file("bad.json", bundleText(askRule("a", "files", "name_match", "regex", "etc/shadow")+","+always("GO")+","+strings.Replace(always("STOP"), `"r"`, `"s"`, 1), ""))
	code, out, _ := c.run("policy", "lint", bad)
	if code != 1 || !strings.Contains(out, "warn  NeverFires: $.policies[0].rules[0].params: ") || !strings.Contains(out, "warn  ConflictingRules: $.policies[0].rules[2]") ||
		!strings.Contains(out, "note  NoEffect: $.policies[0].rules[1].action") || !strings.Contains(out, "0 errors, 2 warnings, 2 notes") {
		t.Errorf("%d\n%s", code, out)
	}
	code, out, _ = c.run("policy", "lint", "--json", "default", bad)
	var doc []struct {
		Policy   string
		Problems []policy.Problem
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 1 || len(doc) != 2 || len(doc[1].Problems) != 4 {
		t.Errorf("%d %v %s", code, err, out)
	}
	if code, out, _ := c.run("policy", "lint", c.file("worse.json", `{"id":7,"version":"1_0","policies":{},"mappings":[]}`)); code != 1 || !strings.Contains(out, "$.policies") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, _, errs := c.run("policy", "lint"); code != 2 || !strings.Contains(errs, "takes a policy") {
		t.Errorf("%d %s", code, errs)
	}
}
