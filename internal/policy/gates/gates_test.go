package gates

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func findTrigger(t testing.TB, gate, name string) (policy.Gate, *policy.TriggerSpec) {
	t.Helper()
	for _, g := range All() {
		spec := g.Spec()
		if spec.Name != gate {
			continue
		}
		for i := range spec.Triggers {
			if spec.Triggers[i].Name == name {
				return g, &spec.Triggers[i]
			}
		}
	}
	t.Fatalf("no trigger %s/%s", gate, name)
	return nil, nil
}

// ask evaluates one trigger; params are "name=value" texts.
func ask(t testing.TB, s *policy.Subject, question string, params ...string) []policy.Hit {
	t.Helper()
	gate, name, _ := strings.Cut(question, "/")
	g, spec := findTrigger(t, gate, name)
	given := map[string]string{}
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		given[k] = v
	}
	p, err := spec.With("rule1", given)
	if err != nil {
		t.Fatalf("%s %v: %v", question, params, err)
	}
	hits, err := g.Evaluate(t.Context(), name, s, p)
	if err != nil {
		t.Fatalf("%s %v: %v", question, params, err)
	}
	return hits
}

func ps(params ...string) []string { return params }

func TestGates(t *testing.T) {
	fired, silent := map[string]bool{}, map[string]bool{}
	for _, c := range gateCases() {
		s := subject(t)
		if c.change != nil {
			c.change(s)
		}
		got := answers(ask(t, s, c.ask, c.params...))
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s %q:\n%s", c.ask, c.params, d)
		}
		real := false
		for _, w := range c.want {
			real = real || w[0] != '?'
		}
		if real {
			fired[c.ask] = true
		} else {
			silent[c.ask] = true
		}
	}
	silent["always/always"] = true // it has no other way
	for _, g := range All() {
		spec := g.Spec()
		for _, tr := range spec.Triggers {
			name := spec.Name + "/" + tr.Name
			if spec.State == policy.EOL {
				continue
			}
			if !fired[name] || !silent[name] {
				t.Errorf("%s: fires in a test %v, stays silent in one %v", name, fired[name], silent[name])
			}
		}
	}
}

// TestSpecs holds every gate to what editors and documentation need of it.
func TestSpecs(t *testing.T) {
	names := map[string]bool{}
	for _, g := range All() {
		spec := g.Spec()
		if names[spec.Name] || spec.Description == "" || len(spec.Triggers) == 0 {
			t.Errorf("gate %q: double, without description or without triggers", spec.Name)
		}
		names[spec.Name] = true
		triggers := map[string]bool{}
		for _, tr := range spec.Triggers {
			if triggers[tr.Name] || tr.Description == "" {
				t.Errorf("%s/%s: double or without description", spec.Name, tr.Name)
			}
			triggers[tr.Name] = true
			for _, p := range tr.Params {
				if p.Description == "" || p.Example == "" || p.Type == "" || p.Type == policy.Enum && len(p.Values) == 0 || p.Required && p.Default != "" || len(p.Values2) > 0 && len(p.Values2) != len(p.Values) {
					t.Errorf("%s/%s %s: incomplete", spec.Name, tr.Name, p.Name)
				}
			}
		}
	}
	for _, f := range policy.Formats() {
		if _, err := policy.SpecDocument(All(), f); err != nil {
			t.Error(err)
		}
	}
}

// TestDefaultsAndExamples: what the specs say is what their types accept.
func TestDefaultsAndExamples(t *testing.T) {
	for _, g := range All() {
		spec := g.Spec()
		for _, tr := range spec.Triggers {
			for _, p := range tr.Params {
				for what, text := range map[string]string{"default": p.Default, "example": p.Example} {
					if text == "" {
						continue
					}
					one := policy.TriggerSpec{Name: "x", Params: []policy.ParamSpec{{Name: p.Name, Type: p.Type, Values: p.Values}}}
					if _, err := one.With("", map[string]string{p.Name: text}); err != nil {
						t.Errorf("%s/%s %s: %s: %v", spec.Name, tr.Name, p.Name, what, err)
					}
				}
			}
		}
	}
}

// TestCVSS3Parts has scores as NVD publishes them.
func TestCVSS3Parts(t *testing.T) {
	tests := []struct {
		vector                 string
		exploitability, impact float64
	}{
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 3.9, 6.0}, // CVE-2021-44228, 10.0
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 3.9, 3.6}, // CVE-2014-0160, 7.5
		{"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 1.8, 5.9}, // CVE-2021-4034, 7.8
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 2.8, 2.7}, // a usual cross-site scripting, 6.1
	}
	for _, tt := range tests {
		e, i, ok := cvss3Parts(tt.vector)
		if !ok || e != tt.exploitability || i != tt.impact {
			t.Errorf("%s: %v %v %v, want %v %v", tt.vector, e, i, ok, tt.exploitability, tt.impact)
		}
	}
	for _, bad := range []string{"", "AV:N", "CVSS:3.1/AV:N", "CVSS:3.1/AV:NN/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "CVSS:4.0/AV:N/AC:L"} {
		if _, _, ok := cvss3Parts(bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}
