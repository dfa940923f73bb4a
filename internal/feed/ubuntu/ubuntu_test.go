package ubuntu

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

// said is a claim as one line: state, bound, note.
func said(a *advisory.Advisory, stream, pkg string) string {
	var out []string
	if a == nil {
		return "no advisory"
	}
	for _, f := range feedtest.Claims(a, stream, pkg) {
		s := string(f.Status) + "|" + string(f.Fix.State) + "|"
		for _, in := range f.Intervals {
			s += "<" + in.Fixed
		}
		s += "|" + f.Fix.First() + "|" + f.Note
		out = append(out, s)
	}
	return strings.Join(out, "\n")
}

func TestReal(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "ubuntu/ubuntu-cve-tracker-2019-12-29.tar.gz")})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	// 32273 files: 32173 of CVEs, 97 templates, the README and two lists.
	if len(got) != 32173 {
		t.Errorf("%d CVEs, want 32173", len(got))
	}
	// Counted apart from this package, over the same files: lines of releases
	// in which the package exists, and what only its extended line says.
	claims := map[string]int{}
	for _, a := range got {
		for _, f := range a.Affected {
			name, _, _ := strings.Cut(f.Stream, ":")
			claims[name]++
			claims[f.Stream]++
		}
	}
	for stream, want := range map[string]int{
		"ubuntu": 367130, "ubuntu-pro": 17047, "ubuntu:14.04": 45664, "ubuntu:16.04": 42876, "ubuntu:12.04": 32710, "ubuntu:18.04": 23402,
		"ubuntu:19.10": 10481, "ubuntu:6.06": 8188,
	} {
		if claims[stream] != want {
			t.Errorf("%d claims in %s, want %d", claims[stream], stream, want)
		}
	}
	for _, w := range []struct{ id, stream, pkg, want string }{
		{"CVE-2019-12735", "ubuntu:16.04", "vim", "|fixed|<2:7.4.1689-3ubuntu1.3|2:7.4.1689-3ubuntu1.3|"},
		{"CVE-2019-12735", "ubuntu:18.04", "neovim", "|not-fixed|||"},
		{"CVE-2019-12735", "ubuntu:19.10", "neovim", "not-affected||||0.3.4-2"},
		{"CVE-2019-12735", "ubuntu:14.04", "neovim", "|end-of-life|||out of standard support"},
		{"CVE-2019-12735", "ubuntu:14.04", "vim", "not-affected||||as Ubuntu Pro found"},
		{"CVE-2019-12735", "ubuntu-pro:14.04", "vim", "not-affected||||"},
		{"CVE-2019-12735", "ubuntu:16.04", "neovim", ""}, // DNE
		{"CVE-2019-0203", "ubuntu:12.04", "subversion", "|wont-fix|<1.6.17dfsg-3ubuntu3.8||fixed in ESM: 1.6.17dfsg-3ubuntu3.8"},
		{"CVE-2019-0203", "ubuntu-pro:12.04", "subversion", "|fixed|<1.6.17dfsg-3ubuntu3.8|1.6.17dfsg-3ubuntu3.8|"},
		{"CVE-2015-3416", "ubuntu:14.10", "sqlite3", "|end-of-life|||reached end-of-life"},
		{"CVE-2015-3416", "ubuntu:12.04", "sqlite3", "|fixed|<3.7.9-2ubuntu1.2|3.7.9-2ubuntu1.2|"},
		{"CVE-2019-12614", "ubuntu:14.04", "linux-lts-xenial", "|wont-fix|<4.4.0-164.192~14.04.1||fixed in ESM: 4.4.0-164.192~14.04.1"},
		{"CVE-2014-9483", "ubuntu:12.04", "emacs23", "|not-fixed|||"}, // only in "precise/esm: DNE (precise was needed)"
		{"CVE-2019-12900", "ubuntu-pro:14.04", "bzip2", "|fixed|<1.0.6-5ubuntu0.1~esm2|1.0.6-5ubuntu0.1~esm2|"},
		{"CVE-2019-5008", "ubuntu:14.04", "qemu", "|fixed|<2.0.0+dfsg-2ubuntu1.46|2.0.0+dfsg-2ubuntu1.46|"},
		{"CVE-2015-2779", "ubuntu:14.04", "quassel", "|fixed|<0.10.0-0ubuntu2.2|0.10.0-0ubuntu2.2|tags: universe-binary"}, // "((0.10.0-0ubuntu2.2)"
		{"CVE-2014-3969", "ubuntu:14.10", "xen", "undetermined|fixed|||released, but in which version is not said; tags: universe-binary"},
		{"CVE-2014-3793", "ubuntu:10.04", "vmware-view-client", "|not-fixed|||not yet judged"},
	} {
		if s := said(got[w.id], w.stream, w.pkg); s != w.want {
			t.Errorf("%s, %s, %s: %q, want %q", w.id, w.stream, w.pkg, s, w.want)
		}
	}
	a := got["CVE-2019-12735"]
	if !a.Published.Equal(time.Date(2019, 6, 5, 14, 29, 0, 0, time.UTC)) || a.Severities[0].Label != advisory.Medium {
		t.Errorf("%v %v", a.Published, a.Severities)
	}
	want := []advisory.Reference{
		{Type: "WEB", URL: "https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2019-12735"},
		{Type: "WEB", URL: "https://github.com/numirias/security/blob/master/doc/2019-06-04_ace-vim-neovim.md"},
		{Type: "ADVISORY", URL: "https://usn.ubuntu.com/usn/usn-4016-1"},
		{Type: "ADVISORY", URL: "https://usn.ubuntu.com/usn/usn-4016-2"},
		{Type: "REPORT", URL: "http://bugs.debian.org/cgi-bin/bugreport.cgi?bug=930024"},
		{Type: "REPORT", URL: "http://bugs.debian.org/cgi-bin/bugreport.cgi?bug=930020"},
	}
	if d := cmp.Diff(want, a.References); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(a.Details, "getchar.c in Vim before 8.1.1365") || !strings.Contains(a.Details, "Notes:\nleosilva> neither precise/esm") {
		t.Errorf("%q", a.Details)
	}
}

func TestSample(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "ubuntu/sample/vuls-data-update/tracker/ubuntu-cve-tracker/data")})
	if err != nil || len(bad) > 0 || len(got) != 4 {
		t.Fatal(err, bad, len(got))
	}
	a := got["CVE-2022-36879"]
	if len(a.Severities) != 2 || a.Severities[1].Source != "nvd" || a.Severities[1].Score != 5.5 || a.Severities[1].Type != "CVSS_V3" {
		t.Errorf("%+v", a.Severities)
	}
	for _, w := range []struct{ stream, pkg, want string }{
		{"ubuntu:16.04", "linux", "|end-of-life|||end of standard support"},
		{"ubuntu-pro:16.04", "linux", "|not-fixed|||not yet judged"},
		{"ubuntu-pro:14.04", "linux", "|not-fixed|||not yet judged"},
		{"ubuntu:22.04", "linux-riscv", "|not-fixed|||not yet judged"},
		{"ubuntu:20.04", "linux-riscv", "|wont-fix|||superseded by linux-riscv-5.8"},
	} {
		if s := said(a, w.stream, w.pkg); s != w.want {
			t.Errorf("%s, %s: %q, want %q", w.stream, w.pkg, s, w.want)
		}
	}
	if s := said(got["CVE-1999-1572"], "ubuntu:6.06", "cpio"); s != "|fixed|<2.6-10|2.6-10|" {
		t.Error(s)
	}
}

func TestStates(t *testing.T) {
	const in = `Candidate: CVE-2024-1
PublicDate: unknown
Description:
 one
  two
Priority: low
 because of that
 and this
Priority_b: high
Priority_b_focal: negligible (only there)
CVSS:
 nvd: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H [5.5 MEDIUM]
 broken: CVSS:9/x
Tags_b: pie
Patches_b:
 upstream: https://example.org/p
 break-fix: a b
upstream_a: released (9)
devel_a: needed
jammy_a: needed
esm-apps/jammy_a: released (1.2-1ubuntu0.1~esm1)
focal_a: released (1.1+esm1)
esm-infra/xenial_a: needed
fips/focal_a: released (2-1fips)
fips-updates/focal_a: not-affected (x)
ros-esm/foxy_a: needed
trusty_a: ignored (end of standard support, was needed)
trusty/esm_a: deferred (2024-01-01)
bionic_a: pending (3.1-1)
hirsute_a: wobbly (so)
zurg_a: needed
focal_b: active
noble_b: in-triage
`
	f, err := parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	var unknown []string
	a := f.advisory("CVE-2024-1", func(s string) { unknown = append(unknown, s) })
	if len(unknown) != 1 || unknown[0] != "zurg" {
		t.Errorf("unknown releases: %v", unknown)
	}
	if a.Details != "one\ntwo\n\nReason of the priority:\nbecause of that\nand this" || !a.Published.IsZero() || len(a.Severities) != 2 {
		t.Errorf("%+v", a)
	}
	for _, w := range []struct{ stream, pkg, want string }{
		{"ubuntu:22.04", "a", "|not-fixed|<1.2-1ubuntu0.1~esm1||fixed in ESM: 1.2-1ubuntu0.1~esm1"},
		{"ubuntu-pro:22.04", "a", "|fixed|<1.2-1ubuntu0.1~esm1|1.2-1ubuntu0.1~esm1|"},
		{"ubuntu:20.04", "a", "|wont-fix|<1.1+esm1||fixed in ESM: 1.1+esm1"},
		{"ubuntu:16.04", "a", "|wont-fix|||only Ubuntu Pro is supported"},
		{"ubuntu-pro-fips:20.04", "a", "|fixed|<2-1fips|2-1fips|"},
		{"ubuntu-pro-fips-updates:20.04", "a", "not-affected||||x"},
		{"ubuntu:14.04", "a", "|end-of-life|||end of standard support, was needed"},
		{"ubuntu-pro:14.04", "a", "|deferred|||2024-01-01"},
		{"ubuntu:18.04", "a", "|not-fixed|<3.1-1||a fix is on its way; 3.1-1"},
		{"ubuntu:21.04", "a", `undetermined||||state "wobbly"; so`},
		{"ubuntu:20.04", "b", "|not-fixed|||tags: pie"},
		{"ubuntu:24.04", "b", "|not-fixed|||not yet judged; tags: pie"},
	} {
		if s := said(a, w.stream, w.pkg); s != w.want {
			t.Errorf("%s, %s: %q, want %q", w.stream, w.pkg, s, w.want)
		}
	}
	for _, f := range a.Affected {
		want := map[string]advisory.Level{"ubuntu:20.04 b": advisory.Negligible, "ubuntu:24.04 b": advisory.High}[f.Stream+" "+f.Name]
		if want == "" && len(f.Severities) > 0 || want != "" && (len(f.Severities) != 1 || f.Severities[0].Label != want) {
			t.Errorf("%s: %+v, want %q", f.Key, f.Severities, want)
		}
	}
	if _, err := parse([]byte("\x00\x01\n rubbish\n")); err == nil {
		t.Error("rubbish was taken for a CVE")
	}
}

func TestNetwork(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "t.tar.gz")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	for _, f := range [][2]string{{"x/active/CVE-2020-0001", "Candidate: CVE-2020-0001\nfocal_a: needed\n"}, {"x/active/CVE-2020-0002", "nothing\n"}, {"x/README", "x"}} {
		w.WriteHeader(&tar.Header{Name: f[0], Size: int64(len(f[1])), Mode: 0o644})
		io.WriteString(w, f[1])
	}
	w.Close()
	z.Close()
	out.Close()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	cut := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		switch {
		case cut:
			w.Write(b[:len(b)-20])
		case r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Write(b)
		}
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL + "/t.tar.gz", Client: &feed.Client{}}
	got, bad, err := feedtest.Advisories(t, Tracker{}, in)
	if err != nil || len(got) != 1 || len(bad) != 1 {
		t.Errorf("%v %v %v", got, bad, err)
	}
	u, err := Tracker{}.Fetch(t.Context(), in, feed.State{ETag: `"1"`})
	if err != nil || !u.Unchanged {
		t.Errorf("%v %+v", err, u)
	}
	cut = true
	if _, _, err := feedtest.Advisories(t, Tracker{}, in); err == nil {
		t.Error("an archive that is cut off was taken")
	}
	if _, _, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: t.TempDir()}); err == nil {
		t.Error("an empty folder was taken")
	}
}

func FuzzParse(f *testing.F) {
	dir := feedtest.Shared(f, "ubuntu/sample/vuls-data-update/tracker/ubuntu-cve-tracker/data/active")
	for _, n := range []string{"CVE-2022-36879", "00boilerplate"} {
		if b, err := os.ReadFile(filepath.Join(dir, n)); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte("trusty/esm_a: DNE (trusty was released [1])\nfocal_a: released ((1)\nPriority: low (x)\n y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parse(b); err == nil {
			c.advisory("CVE-2020-0001", func(string) {})
		}
	})
}

func BenchmarkImport(b *testing.B) {
	name := feedtest.Shared(b, "ubuntu/ubuntu-cve-tracker-2019-12-29.tar.gz")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		got, _, err := feedtest.Advisories(b, Tracker{}, feed.Input{From: name})
		if err != nil {
			b.Fatal(err)
		}
		n += len(got)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
