package match

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func named(id string, aliases, upstream []string) advisory.Advisory {
	a := says("src-"+id, id, on("npm", "a", version.NPM, "", "2.0.0"))
	a.Aliases, a.Upstream = aliases, upstream
	return a
}

func TestAliases(t *testing.T) {
	s := func(ids ...string) []string { return ids }
	tests := []struct {
		name    string
		records list
		want    []string // "ID: aliases (number of records)"
	}{
		{"one record, a CVE among its aliases", list{named("GHSA-1", s("CVE-2026-0001"), nil)}, s("CVE-2026-0001: GHSA-1 (1)")},
		{"no CVE", list{named("GHSA-1", nil, nil)}, s("GHSA-1:  (1)")},
		{"no CVE, several publishers", list{named("PYSEC-1", s("GHSA-1"), nil), named("GHSA-1", s("PYSEC-1"), nil), named("SNYK-1", s("PYSEC-1"), nil)}, s("GHSA-1: PYSEC-1 SNYK-1 (3)")},
		{"by way of a third", list{named("GHSA-1", s("CVE-2026-0001"), nil), named("PYSEC-1", s("GHSA-1"), nil)}, s("CVE-2026-0001: GHSA-1 PYSEC-1 (2)")},
		{"a cycle", list{named("A-1", s("B-1"), nil), named("B-1", s("C-1"), nil), named("C-1", s("A-1"), nil)}, s("A-1: B-1 C-1 (3)")},
		{"itself", list{named("A-1", s("A-1"), nil)}, s("A-1:  (1)")},
		{"several CVEs in one record", list{named("DSA-1", nil, s("CVE-2026-0002", "CVE-2026-0001"))}, s("CVE-2026-0001: DSA-1 (1)", "CVE-2026-0002: DSA-1 (1)")},
		{"several CVEs as aliases are not one vulnerability", list{named("GO-1", s("CVE-2026-0002", "CVE-2026-0001"), nil)}, s("CVE-2026-0001: GO-1 (1)", "CVE-2026-0002: GO-1 (1)")},
		{"publishers disagree", list{named("GHSA-1", s("CVE-2026-0001"), nil), named("PYSEC-1", s("GHSA-1", "CVE-2026-0002"), nil)}, s("CVE-2026-0001: GHSA-1 (1)", "CVE-2026-0002: GHSA-1 PYSEC-1 (1)")},
		{"publishers disagree, a third knows none", list{named("GHSA-1", s("CVE-2026-0001"), nil), named("PYSEC-1", s("GHSA-1", "CVE-2026-0002"), nil), named("X-1", s("GHSA-1"), nil)},
			s("CVE-2026-0001: GHSA-1 X-1 (2)", "CVE-2026-0002: GHSA-1 PYSEC-1 (1)")},
		{"a bulletin about one CVE is not that CVE", list{named("DSA-1", nil, s("CVE-2026-0001")), named("DSA-2", nil, s("CVE-2026-0001", "CVE-2026-0002"))},
			s("CVE-2026-0001: DSA-1 DSA-2 (2)", "CVE-2026-0002: DSA-2 (1)")},
		{"a bulletin whose CVEs another source names", list{named("ALSA-1", nil, nil), func() advisory.Advisory {
			a := named("ALSA-1", nil, []string{"CVE-2026-0001", "CVE-2026-0002"})
			a.Source = "b"
			return a
		}()},
			s("CVE-2026-0001: ALSA-1 (2)", "CVE-2026-0002: ALSA-1 (2)")},
		{"upstream without a CVE", list{named("X-1", nil, s("GHSA-1")), named("GHSA-1", s("CVE-2026-0001"), nil)}, s("CVE-2026-0001: GHSA-1 X-1 (2)")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				r, _ := find(t, Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: "1.0.0"}}}, tt.records, Options{})
				var got []string
				for _, f := range r.Findings {
					got = append(got, fmt.Sprintf("%s: %s (%d)", f.ID, strings.Join(f.Aliases, " "), len(f.Evidence)))
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("findings (-want +got):\n%s", d)
				}
				slices.Reverse(tt.records)
			}
		})
	}
}

// A vulnerability that one record calls by its CVE and another by another name
// is one finding, also where only a third source knows that they are the same.
func TestNamesLearnedElsewhere(t *testing.T) {
	in := Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: "1.0.0"}}}
	db := list{named("CVE-2026-0001", nil, nil), named("GHSA-1", nil, nil), named("CGA-1", nil, []string{"GHSA-1"}), named("GHSA-2", nil, nil)}
	elsewhere := []advisory.Advisory{
		{ID: "GO-1", Aliases: []string{"GHSA-1", "CVE-2026-0001"}},
		{ID: "GO-2", Aliases: []string{"GHSA-2", "CVE-2026-0002"}}, {ID: "PYSEC-2", Aliases: []string{"GHSA-2", "CVE-2026-0003"}}, // they disagree
		{ID: "DSA-1", Upstream: []string{"CVE-2026-0009"}, Aliases: []string{"GHSA-1"}}, // a bundle is no name
	}
	o := Options{CVEs: func(_ context.Context, ids []string) (map[string]string, error) {
		if !slices.Equal(ids, []string{"GHSA-1", "GHSA-2"}) {
			t.Errorf("asked for %q", ids)
		}
		return CVEs(elsewhere), nil
	}}
	r, got := find(t, in, db, o)
	if !slices.Equal(got, []string{"CVE-2026-0001", "GHSA-2"}) || len(r.Findings[0].Evidence) != 3 {
		t.Errorf("found %q: %+v", got, r.Findings)
	}
	o.CVEs = func(context.Context, []string) (map[string]string, error) { return nil, errors.New("disk full") }
	if _, err := Find(t.Context(), in, db, o); err == nil {
		t.Error("a failed look-up was passed over")
	}
	e := Explain("CVE-2026-0001", in, append(slices.Clone(elsewhere[:1]), db[:3]...), Options{})
	if len(e.Packages) != 1 || e.Packages[0].Finding == nil || len(e.Packages[0].Finding.Evidence) != 3 {
		t.Errorf("explained: %+v", e.Packages)
	}
}

func TestRevisionsOfABulletin(t *testing.T) {
	in := Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: "1.0.0"}}}
	db := list{named("DSA-2263-2", nil, nil), named("DSA-2263-1", nil, nil), named("DSA-2264-1", nil, nil)}
	if _, got := find(t, in, db, Options{}); !slices.Equal(got, []string{"DSA-2263-1", "DSA-2264-1"}) {
		t.Errorf("found %q", got)
	}
}

func TestWhatAFindingSays(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	vendor := named("V-1", []string{"CVE-2026-0001"}, nil)
	vendor.Source, vendor.Summary, vendor.Published = "vendor", "the vendor's summary", day("2026-02-01")
	vendor.Affected[0].Severities = []advisory.Severity{{Source: "vendor", Type: "LABEL", Label: advisory.Low, Raw: "unimportant"}}
	general := named("CVE-2026-0001", nil, nil)
	general.Source, general.Summary, general.Published, general.CWEs = "general", "summary", day("2026-01-01"), []string{"CWE-79"}
	general.Severities = []advisory.Severity{{Source: "general", Type: "CVSS_V3", Vector: "v", Score: 9.8}}
	r, _ := find(t, Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: "1.0.0"}}}, list{general, vendor}, Options{Priority: ranks(map[string]int{"vendor": 100})})
	f := r.Findings[0]
	if f.Severity != advisory.Low || f.Summary != "the vendor's summary" || !f.Published.Equal(day("2026-01-01")) || len(f.Scores) != 2 || f.Scores[1].Label != advisory.Critical || !slices.Equal(f.CWEs, []string{"CWE-79"}) {
		t.Errorf("finding: %+v", f)
	}
	if e := f.Evidence[0]; e.Source != "vendor" || e.Range != "< 2.0.0" || e.Comparison != "1.0.0 < 2.0.0, which is fixed" || !e.Affected {
		t.Errorf("evidence: %+v", e)
	}
	// later knowledge of the vulnerability as such
	f.Supplement(&advisory.Advisory{ID: "CVE-2026-0001", Severities: []advisory.Severity{{Source: "nvd", Type: "CVSS_V2", Score: 5}}, Summary: "other"})
	f.Supplement(&advisory.Advisory{ID: "CVE-2026-0002", Severities: []advisory.Severity{{Source: "wrong", Type: "LABEL", Label: advisory.Critical}}})
	f.Supplement(&advisory.Advisory{ID: "CVE-2026-0001", Withdrawn: day("2026-03-01"), Severities: []advisory.Severity{{Source: "withdrawn", Type: "LABEL", Label: advisory.Critical}}})
	if len(f.Scores) != 3 || f.Scores[2].Label != advisory.Medium || f.Severity != advisory.Low || f.Summary != "the vendor's summary" {
		t.Errorf("supplemented: %+v", f)
	}
}

func TestSortByRisk(t *testing.T) {
	packages := []inventory.Package{{Type: "npm", Name: "b"}, {Type: "npm", Name: "a"}}
	fixed := advisory.Fix{State: advisory.Fixed}
	want := []Finding{
		{ID: "1", Exploited: &advisory.Exploited{}, Fix: fixed, Severity: advisory.Low},
		{ID: "2", Exploited: &advisory.Exploited{}, Severity: advisory.Critical},
		{ID: "3", Fix: fixed, Severity: advisory.Critical, EPSS: &advisory.EPSS{Score: 0.1}},
		{ID: "4", Fix: fixed, Severity: advisory.High, EPSS: &advisory.EPSS{Score: 0.9}},
		{ID: "5", Fix: fixed, Severity: advisory.High, EPSS: &advisory.EPSS{Score: 0.2}},
		{ID: "6", Fix: fixed, Severity: advisory.High},
		{ID: "7", Fix: fixed},
		{ID: "8", Severity: advisory.Critical, Package: 1},
		{ID: "8", Severity: advisory.Critical, Package: 0},
		{ID: "9", Severity: advisory.Negligible},
		{ID: "0", Suppressed: "x", Exploited: &advisory.Exploited{}, Fix: fixed, Severity: advisory.Critical},
	}
	got := slices.Clone(want)
	for i := range got {
		got[i], got[(i*7+3)%len(got)] = got[(i*7+3)%len(got)], got[i]
	}
	SortByRisk(got, packages)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("SortByRisk (-want +got):\n%s", d)
	}
}

func TestKernelWithThousandsOfVulnerabilities(t *testing.T) {
	var db list
	for i := range 5000 {
		a := says("debian", fmt.Sprintf("CVE-2024-%05d", i+10000), with(on("debian:12", "linux", version.Deb, "", fmt.Sprintf("6.1.%d-1", i%200)), func(a *advisory.Affected) { a.Names = advisory.Source }))
		db = append(db, a)
	}
	in := Input{Packages: pkgs(t, "pkg:deb/debian/linux-image-6.1.0-9-amd64@6.1.27-1?distro=debian-12&upstream=linux", "pkg:deb/debian/linux-libc-dev@6.1.27-1?distro=debian-12&upstream=linux")}
	start := time.Now()
	_, ids := find(t, in, db, Options{})
	if len(ids) != 2*5000/200*(200-28) {
		t.Errorf("%d findings", len(ids))
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

func BenchmarkFindKernel(b *testing.B) {
	var db list
	for i := range 5000 {
		db = append(db, says("debian", fmt.Sprintf("CVE-2024-%05d", i+10000), with(on("debian:12", "linux", version.Deb, "", fmt.Sprintf("6.1.%d-1", i%200)), func(a *advisory.Affected) { a.Names = advisory.Source })))
	}
	in := Input{Packages: pkgs(b, "pkg:deb/debian/linux-image-6.1.0-9-amd64@6.1.27-1?distro=debian-12&upstream=linux")}
	for b.Loop() {
		if _, err := Find(b.Context(), in, db, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
