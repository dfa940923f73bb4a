package osv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

func own(t testing.TB, name, text string) (map[string]*advisory.Advisory, []string) {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, bad, u := collect(t, sourceOf(t, "own"), p)
	if !u.Whole {
		t.Error("own advisories are all there are")
	}
	return all, bad
}

func TestOwnYAML(t *testing.T) {
	all, bad := own(t, "own.yaml", `
id: ACME-2026-1
summary: The session cookie can be guessed
severity: high
aliases: CVE-2026-0001
cwes: [CWE-330]
published: 2026-02-03
references: [https://acme.example/ACME-2026-1]
packages:
  - purl: pkg:npm/%40acme/session
    affected: ">=1.0.0 <1.4.2"
    fixed: 1.4.2
  - ecosystem: PyPI
    name: Acme.Session
    affected: [">=1,<1.4", ">=2,<2.1"]
    fixed: [1.4, 2.1]
    severity: CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H
  - purl: pkg:deb/debian/acme?distro=debian-12
    fixed: 1.4-2
  - purl: pkg:maven/com.acme/session
    versions: [1.0, 1.1]
    status: wont-fix
    note: out of support
---
- id: ACME-2026-2
  malicious: true
  packages: [{purl: pkg:pypi/acme-sesion}]
- id: ACME-2026-3
  withdrawn: 2026-03-01
  packages: [{ecosystem: npm, name: left, status: not-affected, note: we build it without}]
`)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	a := all["ACME-2026-1"]
	want := []advisory.Affected{
		{Key: advisory.Key{Stream: "npm", Name: "@acme/session"}, Scheme: "npm", Requirement: ">=1.0.0 <1.4.2", Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"1.4.2"}}},
		{
			Key: advisory.Key{Stream: "pypi", Name: "acme-session"}, Scheme: "pep440", Requirement: ">=1,<1.4 || >=2,<2.1", Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"1.4", "2.1"}},
			Severities: []advisory.Severity{{Source: "own", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Label: "critical"}},
		},
		{Key: advisory.Key{Stream: "debian:12", Name: "acme"}, Names: advisory.Either, Scheme: "deb", Intervals: []advisory.Interval{{Fixed: "1.4-2"}}, Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"1.4-2"}}},
		{Key: advisory.Key{Stream: "maven", Name: "com.acme:session"}, Scheme: "maven", Versions: []string{"1.0", "1.1"}, Fix: advisory.Fix{State: advisory.WontFix}, Note: "out of support"},
	}
	if d := cmp.Diff(want, a.Affected); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if a.Severities[0].Label != advisory.High || a.URL != "https://acme.example/ACME-2026-1" || a.Aliases[0] != "CVE-2026-0001" || a.CWEs[0] != "CWE-330" || a.Published.IsZero() {
		t.Errorf("got %+v", a)
	}
	if !all["ACME-2026-2"].Malicious || all["ACME-2026-3"].Withdrawn.IsZero() || all["ACME-2026-3"].Affected[0].Status != advisory.StatusNotAffected {
		t.Errorf("got %+v, %+v", all["ACME-2026-2"], all["ACME-2026-3"])
	}
}

func TestOwnJSON(t *testing.T) {
	record := `{"id":"ACME-1","affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["1.0.0"]}]}`
	for name, text := range map[string]string{"one.json": record, "list.json": "[" + record + "]"} {
		if all, bad := own(t, name, text); len(all) != 1 || len(bad) > 0 || all["ACME-1"].Affected[0].Stream != "npm" {
			t.Errorf("%s: %v, %q", name, all, bad)
		}
	}
}

func TestOwnMistakes(t *testing.T) {
	pkg := func(s string) string { return "id: A\npackages:\n - {" + s + "}\n" }
	tests := []struct{ text, want string }{
		{pkg(`purl: "pkg:npm/x", afected: "<1"`), `line 3: there is no "afected"`},
		{pkg(`purl: "pkg:npm/x", affected: "no range"`), "is no range of npm versions"},
		{pkg(`purl: "pkg:npm/x", fixed: none`), "is no npm version"},
		{pkg(`purl: "pkg:npm/x@1.0"`), `the version belongs under "affected"`},
		{pkg(`purl: "pkg:npm/x", name: y`), "not both"},
		{pkg(`purl: "npm/x"`), `does not start with "pkg:"`},
		{pkg(`purl: "pkg:deb/debian/x"`), "which release of which distribution?"},
		{pkg(`ecosystem: NPM, name: x`), "write it as OSV does"},
		{pkg(`ecosystem: npm`), "needs a purl, or ecosystem and name"},
		{pkg(`purl: "pkg:npm/x", status: broken`), "there is no status"},
		{pkg(`purl: "pkg:npm/x", status: wont-fix, fixed: 1.0.0`), `fixed in 1.0.0 and has the status "wont-fix"`},
		{pkg(`purl: "pkg:npm/x", fixed: [1.0.0, 2.0.0]`), "which are affected"},
		{"id: A\n", "names no packages"},
		{"packages: []\n", "needs an id"},
		{"- just text\n", "an advisory was expected"},
		{"id: A\npackages: [x]\n", "a package was expected"},
		{"a: [b\n", "yaml"},
		{"id: A\npublished: tomorrow\npackages: [{purl: pkg:npm/x}]\n", "published"},
		{"a: &a [x,x]\nb: &b [*a,*a]\nid: A\n", `there is no "a"`},
	}
	for _, tt := range tests {
		all, bad := own(t, "own.yml", tt.text)
		if len(all) > 0 || len(bad) != 1 || !strings.Contains(bad[0], tt.want) {
			t.Errorf("%q: %v, %q, want %q", tt.text, all, bad, tt.want)
		}
	}
}

func FuzzOwn(f *testing.F) {
	f.Add("id: A\nseverity: high\npackages:\n - purl: pkg:npm/x\n   affected: '<1'\n   fixed: 1.0.0\n")
	f.Add("- id: B\n  packages: [{ecosystem: PyPI, name: x, versions: [1, 2]}]\n---\nid: C\n")
	rules := ownSource().rules
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		for a, err := range ownYAML(newParser(rules), []byte(s)) {
			if err == nil && (a.ID == "" || len(a.Affected) == 0) {
				t.Errorf("%q: %+v", s, a)
			}
			if n++; n > 1000 {
				return
			}
		}
	})
}

func ExampleSources() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte("id: ACME-1\npackages: [{purl: pkg:npm/acme, fixed: 1.4.2}]\n"), 0o600)
	for _, s := range Sources() {
		if s.Info().Name != "own" {
			continue
		}
		u, err := s.Fetch(context.Background(), feed.Input{From: dir}, feed.State{})
		if err != nil {
			fmt.Println(err)
			return
		}
		for it, err := range u.Items {
			if err != nil {
				fmt.Println(err) // a *feed.BadRecord: the rest goes on
				continue
			}
			c := it.Advisory.Affected[0]
			fmt.Println(it.Advisory.ID, c.Stream, c.Name, c.Intervals, c.Fix.First())
		}
		fmt.Println("whole:", u.Whole)
	}
	// Output:
	// ACME-1 npm acme [{ 1.4.2  false}] 1.4.2
	// whole: true
}
