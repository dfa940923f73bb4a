package gentoo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func TestSample(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "gentoo/sample/vuls-data-update/root/glsa")})
	if err != nil || len(bad) > 0 || len(got) != 1 {
		t.Fatal(got, bad, err)
	}
	a := got["GLSA-202305-28"]
	want := &advisory.Advisory{
		Source: "gentoo", ID: "GLSA-202305-28", Upstream: []string{"CVE-2017-18640", "CVE-2022-38749", "CVE-2022-38750", "CVE-2022-38751", "CVE-2022-38752"},
		Summary: "snakeyaml: Multiple Vulnerabilities", Details: "Multiple vulnerabilities have been found in snakeyaml, the worst of which could result in denial of service.",
		Severities: []advisory.Severity{{Source: "gentoo", Type: "LABEL", Label: advisory.Low, Raw: "low"}},
		URL:        "https://security.gentoo.org/glsa/202305-28", Published: time.Date(2023, 5, 21, 0, 0, 0, 0, time.UTC), Modified: time.Date(2023, 5, 21, 0, 0, 0, 0, time.UTC),
		Affected: []advisory.Affected{{
			Key: advisory.Key{Stream: "gentoo", Name: "dev-java/snakeyaml"}, Names: advisory.Either, Scheme: version.Portage,
			Requirement: "<1.33", Unaffected: ">=1.33", Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"1.33"}},
		}},
	}
	refs := a.References
	a.References = nil
	if d := cmp.Diff(want, a); d != "" {
		t.Error(d)
	}
	if len(refs) != 7 || refs[5].URL != "https://bugs.gentoo.org/776796" {
		t.Errorf("%+v", refs)
	}
}

func TestRanges(t *testing.T) {
	// After glsa(5) and the ranges of dev-lang/python: fixes in slots, and
	// one by a revision.
	p := glsaPkg{
		Name:       "dev-lang/python",
		Unaffected: []glsaRange{{"ge", "2.7", "2.7.18"}, {"ge", "3.7", "3.7.7"}, {"ge", "*", "3.9.0"}, {"rge", "", "3.8.2-r2"}},
		Vulnerable: []glsaRange{{"lt", "", "3.9.0"}},
	}
	f, err := p.affected()
	if err != nil {
		t.Fatal(err)
	}
	in, err := version.ParseRange(version.Portage, f.Requirement)
	if err != nil {
		t.Fatal(err)
	}
	not, err := version.ParseRange(version.Portage, f.Unaffected)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[string]bool{
		"2.7.17": true, "2.7.18": false, "2.7.18-r1": false, "3.6.9": true, "3.7.6": true, "3.7.7": false, "3.8.2": true, "3.8.2-r1": true, "3.8.2-r2": false, "3.8.3": true, "3.9.0": false, "3.10.1": false,
	} {
		x, err := version.Parse(version.Portage, v)
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Covers(x) && !not.Covers(x); got != want {
			t.Errorf("%s is affected: %v, want %v (%s, not %s)", v, got, want, f.Requirement, f.Unaffected)
		}
	}
	if strings.Join(f.Fix.Versions, " ") != "2.7.18 3.7.7 3.8.2-r2 3.9.0" {
		t.Error(f.Fix.Versions)
	}
	for _, bad := range []string{
		`<glsa id="1"><affected><package name="x"><vulnerable range="lt">1</vulnerable></package></affected></glsa>`,
		`<glsa id="1"><affected><package name="a/x"><vulnerable range="zz">1</vulnerable></package></affected></glsa>`,
		`<glsa id="1"><affected><package name="a/x"><vulnerable range="lt">1 || 2</vulnerable></package></affected></glsa>`,
		`<glsa id="1"><affected><package name="a/x"/></affected></glsa>`, `<glsa/>`, `<x id="1"/>`, `<glsa id="1">`, ``,
		`<!DOCTYPE glsa [<!ENTITY a "b">]><glsa id="1"/>`,
	} {
		if a, err := parse([]byte(bad)); err == nil {
			t.Errorf("%s was read: %+v", bad, a)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<glsa id="1"><announced>2020-01-01</announced><affected><package name="a/x" arch="*"><unaffected range="rge" slot="1.2">1.2-r1</unaffected><vulnerable range="lt">1</vulnerable></package></affected></glsa>`))
	f.Fuzz(func(t *testing.T, b []byte) { parse(b) })
}
