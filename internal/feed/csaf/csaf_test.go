package csaf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

type fetched struct {
	advisories map[string]*advisory.Advisory
	claims     int
	bad        []string
	err        error
	removed    []string
	state      feed.State
	unchanged  bool
	whole      bool
}

func fetch(t testing.TB, s feed.Source, in feed.Input, state feed.State) fetched {
	t.Helper()
	u, err := s.Fetch(t.Context(), in, state)
	if err != nil {
		return fetched{err: err}
	}
	f := fetched{advisories: map[string]*advisory.Advisory{}, unchanged: u.Unchanged, whole: u.Whole}
	if !u.Unchanged {
		for it, err := range u.Items {
			var bad *feed.BadRecord
			switch {
			case errors.As(err, &bad):
				f.bad = append(f.bad, bad.Error())
			case err != nil:
				f.err = err
			default:
				if f.advisories[it.Advisory.ID] != nil {
					t.Errorf("%s comes twice", it.Advisory.ID)
				}
				f.advisories[it.Advisory.ID] = it.Advisory
				f.claims += len(it.Advisory.Affected)
			}
		}
	}
	f.removed, f.state = u.Removed, u.State
	return f
}

func from(t testing.TB, name string) feed.Input {
	t.Helper()
	if strings.HasPrefix(name, "testdata/") {
		return feed.Input{From: name}
	}
	return feed.Input{From: shared(t, name)}
}

// The counts are those of another program that reads the same documents:
// distinct (CVE, stream, package, source or not, module, CPE, status), with
// debugging packages left out where their source package is there.
func TestCounts(t *testing.T) {
	const r = "redhat/sample/"
	tests := []struct {
		source feed.Source
		file   string
		claims int
	}{
		{RedHatVEX(), r + "trustify-csaf/2023", 0 + 71 + 35 + 8 + 22 + 9 + 13 + 9 + 2 + 2 + 1 + 61 + 356 + 0 + 4 + 15 + 21 + 2 + 2 + 3},
		{RedHatVEX(), r + "trustify-csaf/2024", 62 + 17},
		{RedHatVEX(), r + "claircore/rhel/vex/cve-2022-38752.json", 19},
		{RedHatVEX(), r + "claircore/rhel/vex/cve-2023-38545.json", 57},
		{RedHatVEX(), r + "claircore/rhel/vex/cve-2023-42670.json", 130},
		{RedHatVEX(), r + "vuls-data-update/vex/v1/2023/cve-2023-6212.json", 68},
		{RedHatAdvisories(), r + "osv-schema-csaf", 4 + 84 + 239 + 6 + 177},
		{RedHatAdvisories(), r + "vunnel/csaf/advisories", 42 + 44 + 24 + 38 + 3 + 3 + 4},
		{RedHatAdvisories(), r + "vuls-data-update/csaf/2023/rhsa-2023_7435.json", 208},
	}
	for _, tt := range tests {
		f := fetch(t, tt.source, from(t, tt.file), feed.State{})
		if f.err != nil || len(f.bad) > 0 {
			t.Errorf("%s: error %v, bad records %q", tt.file, f.err, f.bad)
		}
		if f.claims != tt.claims {
			t.Errorf("%s: %d claims, want %d", tt.file, f.claims, tt.claims)
		}
	}
}

// say writes a claim in one line.
func say(a advisory.Affected) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", a.Stream, a.Name)
	if a.Names != advisory.Binary {
		fmt.Fprintf(&b, " (%s)", a.Names)
	}
	if a.Module != "" {
		fmt.Fprintf(&b, " in %s", a.Module)
	}
	for _, i := range a.Intervals {
		fmt.Fprintf(&b, " [%s,%s,%s]", i.Introduced, i.Fixed, i.LastAffected)
	}
	if a.Status != "" {
		fmt.Fprintf(&b, " %s", a.Status)
	}
	if a.Fix.State != "" {
		fmt.Fprintf(&b, " %s", a.Fix.State)
	}
	if len(a.Fix.Versions) > 1 {
		fmt.Fprintf(&b, " %v", a.Fix.Versions)
	}
	if a.Fix.Advisory != "" {
		fmt.Fprintf(&b, " by %s", a.Fix.Advisory)
	}
	if len(a.Arches) > 0 {
		fmt.Fprintf(&b, " %v", a.Arches)
	}
	if a.Repository != "" {
		fmt.Fprintf(&b, " of %s", strings.TrimPrefix(a.Repository, "cpe:"))
	}
	if a.Note != "" {
		fmt.Fprintf(&b, " (%s)", a.Note)
	}
	return b.String()
}

// What follows was read in the documents by eye.
func TestByHand(t *testing.T) {
	const r = "redhat/sample/"
	tests := []struct {
		source     feed.Source
		file, id   string
		name, repo string // only these; "" for all
		want       []string
	}{
		// A fix that comes again with a minor release: 9.3 and 9.4.
		{RedHatVEX(), r + "trustify-csaf/2024/cve-2024-28834.json", "CVE-2024-28834", "gnutls", "/o:redhat:enterprise_linux", []string{
			"rhel:6 gnutls (source) end-of-life of /o:redhat:enterprise_linux:6 (Out of support scope)",
			"rhel:7 gnutls (source) end-of-life of /o:redhat:enterprise_linux:7 (Out of support scope)",
			"rhel:8 gnutls [,3.6.16-8.el8_9.3,] fixed by RHSA-2024:1784 [aarch64 i686 ppc64le s390x x86_64] of /o:redhat:enterprise_linux:8::baseos",
			"rhel:8 gnutls (source) [,3.6.16-8.el8_9.3,] fixed by RHSA-2024:1784 of /o:redhat:enterprise_linux:8::baseos",
			"rhel:9 gnutls [,3.7.6-23.el9_3.4,] fixed [3.7.6-23.el9_3.4 3.8.3-4.el9_4] by RHSA-2024:1879 [aarch64 i686 ppc64le s390x x86_64] of /o:redhat:enterprise_linux:9::baseos",
			"rhel:9 gnutls (source) [,3.7.6-23.el9_3.4,] fixed [3.7.6-23.el9_3.4 3.8.3-4.el9_4] by RHSA-2024:1879 of /o:redhat:enterprise_linux:9::baseos",
		}},
		{RedHatVEX(), r + "vuls-data-update/vex/v1/2023/cve-2023-6212.json", "CVE-2023-6212", "thunderbird", "/a:redhat:rhel_e4s:8.1", []string{
			"rhel:8 thunderbird [,115.5.0-1.el8_1,] fixed by RHSA-2023:7502 [ppc64le x86_64] of /a:redhat:rhel_e4s:8.1::appstream",
			"rhel:8 thunderbird (source) [,115.5.0-1.el8_1,] fixed by RHSA-2023:7502 of /a:redhat:rhel_e4s:8.1::appstream",
		}},
		{RedHatVEX(), "testdata/cve-2024-24786-illegal-module.json", "CVE-2024-24786", "", "", []string{
			"rhel:8 go-toolset (source) in go-toolset:rhel8 not-fixed of /o:redhat:enterprise_linux:8",
		}},
		{RedHatVEX(), "testdata/cve-2023-20862.json", "CVE-2023-20862", "", "", []string{
			"rhel:8 log4j (source) in log4j:2 not-affected of /o:redhat:enterprise_linux:8 (vulnerable code not present)",
			"rhel:9 log4j (source) not-affected of /o:redhat:enterprise_linux:9 (vulnerable code not present)",
		}},
		{RedHatVEX(), r + "claircore/rhel/vex/cve-2023-42670.json", "CVE-2023-42670", "samba", "/o:redhat:enterprise_linux:6", []string{
			"rhel:6 samba not-affected of /o:redhat:enterprise_linux:6 (vulnerable code not present)",
			"rhel:6 samba (source) not-affected of /o:redhat:enterprise_linux:6 (vulnerable code not present)",
		}},
		{RedHatVEX(), r + "claircore/toolkit/types/csaf/cve-2021-0084.json", "CVE-2021-0084", "kernel", "", []string{
			"rhel:5 kernel (source) not-affected of /o:redhat:enterprise_linux:5 (vulnerable code not present)",
			"rhel:6 kernel (source) not-affected of /o:redhat:enterprise_linux:6 (vulnerable code not present)",
			"rhel:7 kernel (source) not-affected of /o:redhat:enterprise_linux:7 (vulnerable code not present)",
			"rhel:8 kernel (source) not-affected of /o:redhat:enterprise_linux:8 (vulnerable code not present)",
			"rhel:9 kernel (source) not-affected of /o:redhat:enterprise_linux:9 (vulnerable code not present)",
		}},
		// An epoch, names without package URLs.
		{RedHatAdvisories(), "testdata/rhsa-2022-0011.json", "RHSA-2022:0011", "telnet", "/o:redhat:rhel_e4s", []string{
			"rhel:7 telnet [,1:0.17-65.el7_6,] fixed by RHSA-2022:0011 [ppc64le x86_64] of /o:redhat:rhel_e4s:7.6::server",
			"rhel:7 telnet (source) [,1:0.17-65.el7_6,] fixed by RHSA-2022:0011 of /o:redhat:rhel_e4s:7.6::server",
		}},
		// A module as a qualifier, with an epoch.
		{RedHatAdvisories(), r + "osv-schema-csaf/rhsa-2024_4420.json", "RHSA-2024:4420", "libguestfs", "", []string{
			"rhel:8 libguestfs in virt:rhel [,1:1.44.0-9.module+el8.9.0+18724+20190c23,] fixed by RHSA-2024:4420 [aarch64 ppc64le s390x x86_64] of /a:redhat:enterprise_linux:8::appstream",
			"rhel:8 libguestfs (source) in virt:rhel [,1:1.44.0-9.module+el8.9.0+18724+20190c23,] fixed by RHSA-2024:4420 of /a:redhat:enterprise_linux:8::appstream",
		}},
		// A module as a product between package and platform.
		{RedHatAdvisories(), r + "osv-schema-csaf/rhsa-2024_6220.json", "RHSA-2024:6220", "python39-wheel", "/a:redhat:rhel_aus", []string{
			"rhel:8 python39-wheel in python39:3.9 [,1:0.35.1-4.module+el8.5.0+12204+54860423,] fixed by RHSA-2024:6220 of /a:redhat:rhel_aus:8.6::appstream",
		}},
		// An advisory whose CVEs are in different packages.
		{RedHatAdvisories(), r + "trustify-csaf/rhsa-2024_2784.json", "RHSA-2024:2784#CVE-2024-3154", "", "", []string{
			"rhel:8 cri-o [,1.25.5-16.2.rhaos4.12.gitcb09013.el8,] fixed by RHSA-2024:2784 [aarch64 ppc64le s390x x86_64] of /a:redhat:openshift:4.12::el8",
			"rhel:8 cri-o (source) [,1.25.5-16.2.rhaos4.12.gitcb09013.el8,] fixed by RHSA-2024:2784 of /a:redhat:openshift:4.12::el8",
		}},
		{SUSEVEX(), "suse/sample/vuls-data-update/csaf_vex/csaf-vex.tar.bz2", "CVE-2023-5568", "ctdb", "", []string{
			"opensuse-tumbleweed ctdb [,4.19.2+git.322.7e9201cef5-1.1,] fixed",
			"sles:12.5 ctdb not-affected", "sles:15.1 ctdb not-affected", "sles:15.2 ctdb not-affected", "sles:15.3 ctdb not-affected",
			"sles:15.4 ctdb not-affected", "sles:15.5 ctdb not-affected",
		}},
		{SUSEAdvisories(), "suse/sample/vuls-data-update/csaf/csaf.tar.bz2", "openSUSE-SU-2016:1623-1", "chromium", "", []string{
			"sles:12 chromium [,51.0.2704.103-85.3,] fixed [x86_64]",
		}},
		{OpenEuler(), "openeuler/sample/vuls-data-update/csaf/happy/cve/2025/csaf-openeuler-cve-2025-30346.json", "CVE-2025-30346", "varnish", "", []string{
			"openeuler:20.03-LTS-SP4 varnish [,7.4.3-2.oe2003sp4,] fixed by openEuler-SA-2025-1333 [aarch64 x86_64]",
			"openeuler:20.03-LTS-SP4 varnish (source) [,7.4.3-2.oe2003sp4,] fixed by openEuler-SA-2025-1333",
			"openeuler:22.03-LTS-SP3 varnish [,7.4.3-2.oe2203sp3,] fixed by openEuler-SA-2025-1333 [aarch64 x86_64]",
			"openeuler:22.03-LTS-SP3 varnish (source) [,7.4.3-2.oe2203sp3,] fixed by openEuler-SA-2025-1333",
			"openeuler:22.03-LTS-SP4 varnish [,7.4.3-2.oe2203sp4,] fixed by openEuler-SA-2025-1333 [aarch64 x86_64]",
			"openeuler:22.03-LTS-SP4 varnish (source) [,7.4.3-2.oe2203sp4,] fixed by openEuler-SA-2025-1333",
			"openeuler:24.03-LTS varnish [,7.4.3-2.oe2403,] fixed by openEuler-SA-2025-1333 [aarch64 x86_64]",
			"openeuler:24.03-LTS varnish (source) [,7.4.3-2.oe2403,] fixed by openEuler-SA-2025-1333",
			"openeuler:24.03-LTS-SP1 varnish [,7.4.3-2.oe2403sp1,] fixed by openEuler-SA-2025-1333 [aarch64 x86_64]",
			"openeuler:24.03-LTS-SP1 varnish (source) [,7.4.3-2.oe2403sp1,] fixed by openEuler-SA-2025-1333",
		}},
		{OpenEuler(), "testdata/cvrf-openEuler-SA-2025-1379.xml", "openEuler-SA-2025-1379", "", "", []string{
			"openeuler:22.03-LTS-SP3 firefox [,128.8.0-1.oe2203sp3,] fixed by openEuler-SA-2025-1379 [aarch64 x86_64]",
			"openeuler:22.03-LTS-SP3 firefox (source) [,128.8.0-1.oe2203sp3,] fixed by openEuler-SA-2025-1379",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			f := fetch(t, tt.source, from(t, tt.file), feed.State{})
			if f.err != nil {
				t.Fatal(f.err)
			}
			a := f.advisories[tt.id]
			if a == nil {
				t.Fatalf("there is no %s", tt.id)
			}
			var got []string
			for _, c := range a.Affected {
				if (tt.name == "" || c.Name == tt.name) && strings.HasPrefix(c.Repository, "cpe:"+tt.repo) || c.Repository == "" && c.Name == tt.name {
					got = append(got, say(c))
				} else if tt.name == "" && tt.repo == "" {
					got = append(got, say(c))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestDescription(t *testing.T) {
	a := fetch(t, RedHatVEX(), from(t, "testdata/cve-2024-24786-illegal-module.json"), feed.State{}).advisories["CVE-2024-24786"]
	if a == nil {
		t.Fatal("it is not there")
	}
	wantSeverities := []advisory.Severity{
		{Source: "redhat", Type: "LABEL", Label: advisory.Medium, Raw: "Moderate"},
		{Source: "redhat", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H", Score: 5.9, Label: advisory.Medium},
	}
	if d := cmp.Diff(wantSeverities, a.Severities); d != "" {
		t.Errorf("severities: -want +got\n%s", d)
	}
	if a.URL != "https://access.redhat.com/security/cve/CVE-2024-24786" || len(a.CWEs) != 1 || a.CWEs[0] != "CWE-835" || len(a.Upstream) != 0 ||
		!strings.HasPrefix(a.Details, "A flaw was found in Golang's protobuf module") || !strings.HasPrefix(a.Summary, "golang-protobuf: ") ||
		!a.Published.Equal(time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("it is %+v", a)
	}
	a = fetch(t, RedHatAdvisories(), from(t, "testdata/rhsa-2022-0011.json"), feed.State{}).advisories["RHSA-2022:0011"]
	if a == nil || !slices.Equal(a.Upstream, []string{"CVE-2020-10188"}) || a.URL != "https://access.redhat.com/errata/RHSA-2022:0011" {
		t.Errorf("RHSA-2022:0011 is %+v", a)
	}
}

func TestBroken(t *testing.T) {
	nested := strings.Repeat(`{"branches":[`, 150) + strings.Repeat(`]}`, 150)
	circle := `{"document":{"publisher":{"name":"Red Hat","namespace":"https://www.redhat.com"},"tracking":{"id":"CVE-2025-0001"}},"product_tree":{"relationships":[
		{"full_product_name":{"product_id":"a"},"product_reference":"b","relates_to_product_reference":"c"},{"full_product_name":{"product_id":"c"},"product_reference":"b","relates_to_product_reference":"a"}]},
		"vulnerabilities":[{"cve":"CVE-2025-1","product_status":{"known_affected":["a","nothing"]}}]}`
	tests := map[string]struct{ in, want string }{
		"cut off":    {`{"document":{"tracking":{"id":"CVE-2025-1"`, "unexpected end of JSON input"},
		"other JSON": {`{"a":1}`, "no CSAF document"},
		"web page":   {"<!DOCTYPE html><title>Sign in</title>", "web page"},
		"deep":       {`{"document":{"tracking":{"id":"CVE-2025-1"}},"product_tree":` + nested + `}`, "limit of 250 nested values"},
		"version 3":  {`{"document":{"csaf_version":"3.0","tracking":{"id":"CVE-2025-1"}}}`, `version "3.0"`},
		"stranger":   {`{"document":{"publisher":{"name":"Somebody"},"tracking":{"id":"CVE-2025-1"}}}`, `publisher is "Somebody"`},
		"circle":     {circle, "is not defined (and 1 more of its products)"},
	}
	for name, tt := range tests {
		file := filepath.Join(t.TempDir(), "a.json")
		if err := os.WriteFile(file, []byte(tt.in), 0o600); err != nil {
			t.Fatal(err)
		}
		f := fetch(t, RedHatVEX(), feed.Input{From: file}, feed.State{})
		if got := fmt.Sprint(f.err, f.bad); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s; want %q", name, got, tt.want)
		}
		if f.claims > 0 {
			t.Errorf("%s: %d claims", name, f.claims)
		}
	}
	f := fetch(t, OpenEuler(), from(t, "openeuler/sample/vuls-data-update/csaf/happy/cve"), feed.State{})
	if f.err != nil || len(f.bad) != 1 || !strings.Contains(f.bad[0], "csaf-openeuler-cve-2024-50187.json") || len(f.advisories) != 2 {
		t.Errorf("openEuler: error %v, bad %q, %d records", f.err, f.bad, len(f.advisories))
	}
	// The good products of a document with a bad one are kept.
	f = fetch(t, RedHatVEX(), from(t, "redhat/sample/claircore/rhel/vex/cve-2024-24786-bad-rpmmod.json"), feed.State{})
	if f.err != nil || len(f.bad) != 1 || !strings.Contains(f.bad[0], `"rhel10" is no module`) || f.claims != 2 {
		t.Errorf("bad module: error %v, bad %q, %d claims", f.err, f.bad, f.claims)
	}
}

func TestNEVRA(t *testing.T) {
	tests := map[string]component{
		"telnet-1:0.17-65.el7_6.src":                                    {"telnet", "1:0.17-65.el7_6", "src", ""},
		"telnet-0:0.17-65.el7_6.x86_64":                                 {"telnet", "0.17-65.el7_6", "x86_64", ""},
		"imlib2-devel-1.4.5-5.1.aarch64":                                {"imlib2-devel", "1.4.5-5.1", "aarch64", ""},
		"samba-client-libs-4.19.4+git.339.acf1ccaa02-1.22":              {"samba-client-libs", "4.19.4+git.339.acf1ccaa02-1.22", "", ""},
		"varnish-7.4.3-2.oe2403sp1.x86_64.rpm":                          {"varnish", "7.4.3-2.oe2403sp1", "x86_64", ""},
		"python39:3.9:80600:6a:PyYAML-0:5.4.1-1.module+el8.5.0+10613.s": {"PyYAML", "5.4.1-1.module+el8.5.0+10613.s", "", "python39:3.9"},
		"kernel":     {},
		"kernel-1.0": {},
		"-1-2":       {},
		"":           {},
	}
	for in, want := range tests {
		got, ok := fromNEVRA(in)
		if !ok {
			got = component{}
		}
		if got != want {
			t.Errorf("fromNEVRA(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func FuzzDocument(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range Sources() {
			s, ok := s.(*source)
			if !ok {
				continue // it reads no documents
			}
			r := s.reader(&feed.Update{State: feed.State{Parts: map[string]string{}}}, func(feed.Item, error) bool { return true })
			r.document("a.json", b)
			r.document("a.xml", b)
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	raw, err := os.ReadFile(shared(b, "redhat/sample/trustify-csaf/2024/cve-2024-28834.json"))
	if err != nil {
		b.Fatal(err)
	}
	s := RedHatVEX().(*source)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		r := s.reader(&feed.Update{State: feed.State{Parts: map[string]string{}}}, func(feed.Item, error) bool { return true })
		r.document("a.json", raw)
	}
}
