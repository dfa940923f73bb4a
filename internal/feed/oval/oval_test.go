package oval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
}

func fetch(t testing.TB, s feed.Source, from string) fetched {
	t.Helper()
	u, err := s.Fetch(t.Context(), feed.Input{From: from}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	f := fetched{advisories: map[string]*advisory.Advisory{}}
	last := ""
	for it, err := range u.Items {
		var bad *feed.BadRecord
		switch {
		case errors.As(err, &bad):
			f.bad = append(f.bad, bad.Error())
		case err != nil:
			f.err = err
		default:
			a := it.Advisory
			if a.ID <= last {
				t.Errorf("%s comes after %s", a.ID, last)
			}
			last = a.ID
			if a.Source != s.Info().Name {
				t.Errorf("%s is of %q", a.ID, a.Source)
			}
			f.advisories[a.ID] = a
			f.claims += len(a.Affected)
		}
	}
	return f
}

// The counts of whole files were taken from the files with another program:
// definitions, CVEs, and distinct claims (CVE, package, version, operation,
// patchable, severity, date).
func TestWholeFiles(t *testing.T) {
	tests := []struct {
		source          feed.Source
		file            string
		records, claims int
	}{
		{AzureLinux(), "azurelinux/azurelinux-3.0-oval.xml.gz", 457, 565},
		{Mariner(), "azurelinux/cbl-mariner-1.0-oval.xml.gz", 2149, 2236}, // of 2252 definitions
		{Mariner(), "azurelinux/cbl-mariner-2.0-oval.xml.gz", 2184, 2423}, // of 2435
		{Mariner(), "azurelinux", 2991, 2236 + 2423},
		{AzureLinux(), "azurelinux", 457, 565},
		{Photon(), "photon/sample/claircore/photon/com.vmware.phsa-photon3.xml", 497, 2467}, // of 222 definitions, 778 tests
		{Oracle(), "oracle/sample/vuln-list-update/oracle/oval/all-positive-data.xml.bz2", 14, 109},
	}
	for _, tt := range tests {
		t.Run(tt.source.Info().Name+" "+filepath.Base(tt.file), func(t *testing.T) {
			f := fetch(t, tt.source, shared(t, tt.file))
			if f.err != nil || len(f.bad) > 0 {
				t.Fatalf("error %v, bad records %q", f.err, f.bad)
			}
			if len(f.advisories) != tt.records || f.claims != tt.claims {
				t.Errorf("%d records with %d claims, want %d with %d", len(f.advisories), f.claims, tt.records, tt.claims)
			}
		})
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
	if len(a.Versions) > 0 {
		fmt.Fprintf(&b, " =%v", a.Versions)
	}
	if a.Status != "" {
		fmt.Fprintf(&b, " %s", a.Status)
	}
	if a.Fix.State != "" {
		fmt.Fprintf(&b, " %s", a.Fix.State)
	}
	if a.Fix.Advisory != "" {
		fmt.Fprintf(&b, " by %s", a.Fix.Advisory)
	}
	if !a.Fix.Date.IsZero() {
		fmt.Fprintf(&b, " on %s", a.Fix.Date.Format("2006-01-02"))
	}
	if len(a.Arches) > 0 {
		fmt.Fprintf(&b, " %v", a.Arches)
	}
	if a.Repository != "" {
		fmt.Fprintf(&b, " of %s", a.Repository)
	}
	if a.Note != "" {
		fmt.Fprintf(&b, " (%s)", a.Note)
	}
	return b.String()
}

func claimsOf(a *advisory.Advisory, names ...string) []string {
	var out []string
	if a == nil {
		return nil
	}
	for _, f := range a.Affected {
		if len(names) == 0 {
			out = append(out, say(f))
		}
		for _, n := range names {
			if f.Name == n {
				out = append(out, say(f))
			}
		}
	}
	return out
}

// What follows was read in the files by eye.
func TestByHand(t *testing.T) {
	tests := []struct {
		source   feed.Source
		file     string // below testdata, or a real feed
		id       string
		names    []string
		want     []string
		upstream []string
	}{
		{AzureLinux(), "azurelinux/azurelinux-3.0-oval.xml.gz", "CVE-2024-3727", []string{"ig"},
			[]string{"azurelinux:3.0 ig (source) [,0.29.0-1.azl3,] fixed on 2024-06-21"}, nil},
		{Mariner(), "azurelinux/cbl-mariner-2.0-oval.xml.gz", "CVE-2022-3857", nil,
			[]string{
				"mariner:2.0 libpng (source) [,,1.6.37-6.cm2] not-fixed", "mariner:2.0 qt5-qtbase (source) [,,5.12.11-10.cm2] not-fixed",
				"mariner:2.0 syslinux (source) [,,6.04-10.cm2] not-fixed",
			}, nil},
		{Mariner(), "azurelinux/cbl-mariner-2.0-oval.xml.gz", "CVE-2022-2989", nil,
			[]string{"mariner:2.0 podman (source) [,4.1.1-10.cm2,] fixed on 2023-05-25", "mariner:2.0 podman (source) [,,4.1.1-5.cm2] not-affected (no longer applicable, or never was)"}, nil},
		{Mariner(), "azurelinux/cbl-mariner-1.0-oval.xml.gz", "CVE-2019-3832", nil,
			[]string{"mariner:1.0 libsndfile (source) [,1.0.31-1.cm1,] fixed on 2021-04-07"}, nil},
		{Photon(), "photon/sample/claircore/photon/com.vmware.phsa-photon3.xml", "CVE-2019-16168", nil,
			[]string{
				"photon:3.0 sqlite [,3.27.2-5.ph3,] fixed by PHSA-2019-3.0-0036 on 2019-10-23",
				"photon:3.0 sqlite-devel [,3.27.2-5.ph3,] fixed by PHSA-2019-3.0-0036 on 2019-10-23",
				"photon:3.0 sqlite-libs [,3.27.2-5.ph3,] fixed by PHSA-2019-3.0-0036 on 2019-10-23",
			}, nil},
		{Oracle(), "testdata/com.oracle.elsa-all.xml.bz2", "ELSA-2007-0057", []string{"bind", "caching-nameserver"},
			[]string{
				"ol:5 bind [,30:9.3.3-8.el5,] fixed by ELSA-2007-0057 on 2007-06-26 [i386 i486 i586 i686 x86_64]",
				"ol:5 caching-nameserver [,30:9.3.3-8.el5,] fixed by ELSA-2007-0057 on 2007-06-26 [i386 i486 i586 i686 x86_64]",
			}, []string{"CVE-2007-0493", "CVE-2007-0494"}},
		{Oracle(), "testdata/com.oracle.elsa-all.xml.bz2", "ELSA-2023-12342", nil,
			[]string{"ol:8 hivex in virt:kvm_utils [,1.3.18-21.module+el8.7.0+21037+8ee66348,] fixed by ELSA-2023-12342 on 2023-05-15 [aarch64]"},
			[]string{"CVE-2022-4144", "CVE-2023-0664"}},
		{Oracle(), "oracle/sample/vunnel/mock_ksplice_data", "ELSA-2021-9151", []string{"openssl", "openssl-debugsource"},
			[]string{
				"ol:8 openssl [2:0,2:1.1.1g-15.ksplice1.el8_3,] fixed by ELSA-2021-9151 on 2021-04-01 (only the rebuild for Ksplice)",
				"ol:8 openssl-debugsource [2:0,2:1.1.1g-15.ksplice1.el8_3,] fixed by ELSA-2021-9151 on 2021-04-01 [aarch64] (only the rebuild for Ksplice)",
			}, []string{"CVE-2021-3449", "CVE-2021-3450"}},
		// One erratum, rebuilt at another release for one architecture.
		{Oracle(), "oracle/sample/vunnel/mock_per_arch_data", "ELSA-2022-4803", []string{"rsyslog"},
			[]string{
				"ol:7 rsyslog [,8.24.0-57.0.1.el7_9.3,] fixed by ELSA-2022-4803 on 2022-05-31 [i386 i486 i586 i686 x86_64]",
				"ol:7 rsyslog [,8.24.0-57.0.4.el7_9.3,] fixed by ELSA-2022-4803 on 2022-05-31 [aarch64]",
			}, []string{"CVE-2022-24903"}},
		{RedHat(), "testdata/rhel-9-including-unpatched.oval.xml.bz2", "CVE-2005-2541", nil,
			[]string{"rhel:9 tar wont-fix of cpe:/o:redhat:enterprise_linux:9 (Will not fix)"}, nil},
		{RedHat(), "testdata/rhel-9-including-unpatched.oval.xml.bz2", "CVE-2002-0059", []string{"zlib", "zlib-static"},
			[]string{"rhel:9 zlib not-affected of cpe:/o:redhat:enterprise_linux:9", "rhel:9 zlib-static not-affected of cpe:/o:redhat:enterprise_linux:9"}, nil},
		{RedHat(), "testdata/rhel-9-including-unpatched.oval.xml.bz2", "RHSA-2022:4765", nil,
			[]string{"rhel:9 firefox [,91.9.1-1.el9_0,] fixed by RHSA-2022:4765 on 2022-05-27 [aarch64 ppc64le s390x x86_64] of cpe:/o:redhat:enterprise_linux:9"},
			[]string{"CVE-2022-1529", "CVE-2022-1802"}},
		{RedHat(), "redhat/sample/vuls-data-update/oval/v2/oval/v2/RHEL9/jboss-ws-5-including-unpatched.oval.xml.bz2", "CVE-2018-8014", nil,
			[]string{"rhel:9 jws5-tomcat not-fixed of cpe:/a:redhat:jboss_enterprise_web_server:5.6"}, nil},
		{RedHat(), "redhat/sample/stackrox/oval.xml", "CVE-2021-26291", []string{"guava"},
			[]string{
				"rhel:8 guava in javapackages-tools:201801 wont-fix of cpe:/o:redhat:enterprise_linux:8 (Will not fix)",
				"rhel:8 guava in maven:3.5 wont-fix of cpe:/o:redhat:enterprise_linux:8 (Will not fix)",
				"rhel:8 guava in maven:3.6 not-fixed of cpe:/o:redhat:enterprise_linux:8",
			}, nil},
		// A live patch: its package is fixed, the kernel it patches is a
		// condition.
		{RedHat(), "redhat/sample/vuls-data-update/oval/v1/oval_v1_20230706.tar.gz", "RHSA-2023:1659", []string{"kernel", "kpatch-patch-4_18_0-425_3_1"},
			[]string{"rhel:8 kpatch-patch-4_18_0-425_3_1 [,1-6.el8,] fixed by RHSA-2023:1659 on 2023-04-05 [ppc64le x86_64] of cpe:/o:redhat:enterprise_linux:8 (only together with kernel)"},
			[]string{"CVE-2022-4378", "CVE-2023-0266", "CVE-2023-0386", "CVE-2023-1476"}},
		{AlmaLinux(), "testdata/org.almalinux.alsa-9.xml.bz2", "ALSA-2023:5363", []string{"npm", "nodejs-docs"},
			[]string{
				"almalinux:9 nodejs-docs in nodejs:18 [,1:18.17.1-1.module_el9.2.0+36+853e48f5,] fixed by ALSA-2023:5363 on 2023-09-26",
				"almalinux:9 npm in nodejs:18 [,1:9.6.7-1.18.17.1.1.module_el8.8.0+3613+1ed8c91d,] fixed by ALSA-2023:5363 on 2023-09-26 [aarch64 ppc64le s390x x86_64]",
			}, []string{"CVE-2022-25883", "CVE-2023-32002", "CVE-2023-32006", "CVE-2023-32559"}},
		{SUSE(), "testdata/suse.linux.enterprise.micro.5-affected.xml.gz", "CVE-1999-0077", []string{"kernel-rt"},
			[]string{"sle-micro:5.1 kernel-rt not-affected", "sle-micro:5.2 kernel-rt not-affected"}, nil},
		{SUSE(), "testdata/suse.linux.enterprise.micro.5-affected.xml.gz", "CVE-2009-0316", []string{"vim-small"},
			[]string{
				"sle-micro:5.0 vim-small [,8.0.1568-5.11.1,] fixed [aarch64 ppc64le s390x x86_64]",
				"sle-micro:5.1 vim-small [,8.0.1568-5.14.1,] fixed [aarch64 ppc64le s390x x86_64]",
				"sle-micro:5.2 vim-small [,8.0.1568-5.14.1,] fixed [aarch64 ppc64le s390x x86_64]",
				"sle-micro:5.3 vim-small [,9.0.0313-150000.5.25.1,] fixed [aarch64 ppc64le s390x x86_64]",
				"sle-micro:5.4 vim-small [,9.0.1234-150000.5.34.1,] fixed [aarch64 ppc64le s390x x86_64]",
				"sle-micro:5.5 vim-small [,9.0.1632-150500.20.3.1,] fixed [aarch64 ppc64le s390x x86_64]",
			}, nil},
		{SUSE(), "suse/sample/vuls-data-update/oval/happy/suse.linux.enterprise.server.9.xml.gz", "CVE-2001-1267", nil,
			[]string{"sles:9 tar [,1.13.25-325.10,] fixed"}, nil},
		{SUSE(), "suse/sample/vuls-data-update/oval/happy/opensuse.12.1.xml.gz", "CVE-2012-5252", []string{"flash-player"},
			[]string{"opensuse-leap:12.1 flash-player [,11.2.202.243-30.1,] fixed"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.source.Info().Name+" "+tt.id, func(t *testing.T) {
			from := tt.file
			if !strings.HasPrefix(from, "testdata/") {
				from = shared(t, from)
			}
			f := fetch(t, tt.source, from)
			if f.err != nil {
				t.Fatal(f.err)
			}
			a := f.advisories[tt.id]
			if d := cmp.Diff(tt.want, claimsOf(a, tt.names...)); d != "" {
				t.Errorf("%s: -want +got\n%s", tt.id, d)
			}
			if a != nil {
				if d := cmp.Diff(tt.upstream, a.Upstream); d != "" {
					t.Errorf("%s: upstream: -want +got\n%s", tt.id, d)
				}
			}
		})
	}
}

func TestDescription(t *testing.T) {
	a := fetch(t, RedHat(), "testdata/rhel-9-including-unpatched.oval.xml.bz2").advisories["RHSA-2022:4772"]
	if a == nil || a.Summary != "thunderbird security update" || a.URL != "https://access.redhat.com/errata/RHSA-2022:4772" ||
		a.Published.Format("2006-01-02") != "2022-05-27" || len(a.Severities) != 1 || a.Severities[0].Label != advisory.Critical || len(a.CWEs) != 1 || a.CWEs[0] != "CWE-843" {
		t.Errorf("RHSA-2022:4772 is %+v", a)
	}
	a = fetch(t, RedHat(), "testdata/rhel-9-including-unpatched.oval.xml.bz2").advisories["CVE-2005-2541"]
	want := []advisory.Severity{
		{Source: "redhat", Type: "LABEL", Label: advisory.Medium, Raw: "Moderate"},
		{Source: "redhat", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:L/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", Score: 7, Label: advisory.High},
	}
	if d := cmp.Diff(want, a.Severities); d != "" {
		t.Errorf("severities: -want +got\n%s", d)
	}
	if got := a.Published.Format("2006-01-02"); got != "2005-08-04" {
		t.Errorf("published %s", got)
	}
}

// Every form of a product's name, and the stream of OSV's name for it.
func TestSUSEStreams(t *testing.T) {
	tests := map[string]string{
		"SUSE Linux Enterprise Server 15 SP1-LTSS":                     "sles:15.1",
		"SUSE Linux Enterprise Module for Basesystem 15 SP4":           "sles:15.4",
		"SUSE Linux Enterprise Server for SAP Applications 12 SP5":     "sles:12.5",
		"SUSE Linux Enterprise High Performance Computing 15 SP2-LTSS": "sles:15.2",
		"SUSE Linux Enterprise Server 16.0":                            "sles:16.0",
		"SUSE Linux Enterprise Micro 5.3":                              "sle-micro:5.3",
		"SUSE Linux Micro 6.1":                                         "sle-micro:6.1",
		"SUSE Package Hub 15 SP4":                                      "sles:15.4",
		"openSUSE Leap 15.5":                                           "opensuse-leap:15.5",
		"openSUSE Leap Micro 5.2":                                      "opensuse-leap-micro:5.2",
		"openSUSE Tumbleweed":                                          "opensuse-tumbleweed",
		"openSUSE 13.2":                                                "opensuse-leap:13.2",
		"SUSE Enterprise Storage 7.1":                                  "",
		"SUSE Linux Enterprise Storage 7":                              "",
		"SUSE Manager Server 4.3":                                      "",
		"Open Enterprise Server 23.4":                                  "",
	}
	for product, want := range tests {
		got, ok := suseStream(product)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("suseStream(%q) = %q, want %q", product, got, want)
		}
	}
}

func TestChooseSUSE(t *testing.T) {
	page, err := os.ReadFile(shared(t, "suse/sample/vuls-data-update/oval/happy/indexof.html"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"opensuse.leap.15.2-affected.xml", "opensuse.leap.micro.5.2-affected.xml", "opensuse.tumbleweed-affected.xml",
		"suse.linux.enterprise.12-affected.xml.gz", "suse.linux.enterprise.15-affected.xml.gz", "suse.linux.enterprise.16-affected.xml.bz2",
		"suse.linux.enterprise.micro.5-affected.xml.bz2", "suse.linux.micro.6-affected.xml.bz2",
	}
	if d := cmp.Diff(want, chooseSUSE(string(page))); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestBroken(t *testing.T) {
	real := []string{
		"oracle/sample/vuls-data-update/linux/invalid.xml", "oracle/sample/vuls-data-update/linux/invalid.xml.bz2",
		"oracle/sample/vuln-list-update/oracle/oval/broken-oval-data.xml.bz2", "oracle/sample/vuln-list-update/oracle/oval/invalid.txt",
		"redhat/sample/vuln-list-update/redhat/oval/broken-xml", "redhat/sample/vuln-list-update/redhat/oval/invalid-bzip2",
		"azurelinux/sample/vuln-list-update/mariner/sad",
	}
	for _, name := range real {
		if f := fetch(t, Oracle(), shared(t, name)); f.err == nil || len(f.advisories) > 0 {
			t.Errorf("%s gives %d records and no error", name, len(f.advisories))
		}
	}
	const def = `<definition id="d" class="patch"><metadata><title>ELSA-1</title><affected><platform>Oracle Linux 8</platform></affected></metadata>%s</definition>`
	doc := func(in string) string {
		return `<oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"><definitions>` + fmt.Sprintf(def, in) + `</definitions></oval_definitions>`
	}
	bomb := `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + doc(`<criteria>&b;</criteria>`)
	wide := `<criteria>` + strings.Repeat(`<criteria operator="OR">`+strings.Repeat(`<criterion comment="a is earlier than 1-1"/>`, 1000)+`</criteria>`, 3) + `</criteria>`
	tests := map[string]struct{ in, want string }{
		"entities":  {bomb, "entities"},
		"depth":     {doc(strings.Repeat("<criteria>", 60) + strings.Repeat("</criteria>", 60)), "limit of 50 nested criteria"},
		"XML depth": {doc(strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200)), "limit of 100 nested XML elements"},
		"clauses":   {doc(wide), "limit of 200000 combinations"},
		"operator":  {doc(`<criteria operator="XOR"><criterion comment="a is earlier than 1-1"/></criteria>`), "XOR"},
		"dangling":  {doc(`<criteria><criterion comment="something else" test_ref="x"/></criteria>`), "refers to a test that is not there"},
		"cut off":   {doc(``)[:150], "unexpected EOF"},
		"twice":     {doc(``) + `<oval_definitions/>`, "second root"},
		"web page":  {"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "web page"},
		"other XML": {"<rss/>", "<rss>"},
		"nothing":   {"", "no XML element"},
	}
	for name, tt := range tests {
		file := filepath.Join(t.TempDir(), "a.xml")
		if err := os.WriteFile(file, []byte(tt.in), 0o600); err != nil {
			t.Fatal(err)
		}
		f := fetch(t, Oracle(), file)
		got := fmt.Sprint(f.err, f.bad)
		if !strings.Contains(got, tt.want) || len(f.advisories) > 0 {
			t.Errorf("%s: %s, %d records; want %q", name, got, len(f.advisories), tt.want)
		}
	}
}

// A caller may stop at any item, and a cancelled context ends the update with
// an error.
func TestStop(t *testing.T) {
	u, err := Oracle().Fetch(t.Context(), feed.Input{From: "testdata/com.oracle.elsa-all.xml.bz2"}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	for range u.Items {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u, err = Oracle().Fetch(ctx, feed.Input{From: "testdata/com.oracle.elsa-all.xml.bz2"}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range u.Items {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, name := range []string{"com.oracle.elsa-all.xml.bz2", "rhel-9-including-unpatched.oval.xml.bz2", "suse.linux.enterprise.micro.5-affected.xml.gz", "org.almalinux.alsa-9.xml.bz2"} {
		d, err := feed.OpenFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		r, err := d.Unpacked(feed.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		r.Close()
		d.Close()
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, s := range Sources() {
			g := s.(*source).gather(func(feed.Item, error) bool { return true })
			if g.document("a.xml", bytes.NewReader(in)) == nil {
				g.finish(t.Context())
			}
		}
	})
}

func BenchmarkMariner(b *testing.B) {
	from := shared(b, "azurelinux/cbl-mariner-2.0-oval.xml.gz")
	b.ReportAllocs()
	for b.Loop() {
		fetch(b, Mariner(), from)
	}
}
