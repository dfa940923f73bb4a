package updateinfo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func collect(t testing.TB, name string, in feed.Input, state feed.State) (map[string]*advisory.Advisory, []string, *feed.Update, error) {
	t.Helper()
	r := feedtest.Fetch(t, feedtest.Source(t, Sources(), name), in, state)
	return r.Advisories, r.Bad, r.Update, r.Err
}

// said is the claims about a package: "[from,fixed) module arches".
func said(a *advisory.Advisory, stream, name string) string {
	var out []string
	for _, f := range feedtest.Claims(a, stream, name) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s[%s,%s) %s %s", f.Names, f.Intervals[0].Introduced, f.Intervals[0].Fixed, f.Module, strings.Join(f.Arches, "+"))))
	}
	return strings.Join(out, " | ")
}

func TestSamples(t *testing.T) {
	type check struct{ id, stream, name, want string }
	for _, tt := range []struct {
		source, from string
		records      int
		claims       int
		checks       []check
	}{
		{"amazon", "amazon/sample/vuln-list-update/amazon/fixtures/updateinfo_1_item.xml.gz", 1, 13, []check{{"ALAS2-2018-939", "amzn:2", "kernel", "[,4.9.76-38.79.amzn2)  x86_64"}}},
		{"amazon", "amazon/sample/vuln-list-update/amazon/fixtures/updateinfo_2_items.xml.gz", 2, 22, []check{{"ALAS2-2018-942", "amzn:2", "qemu-img", "[,10:1.5.3-141.amzn2.5.3)  x86_64"}}},
		{"amazon", "amazon/sample/vuln-list-update/amazon/fixtures/updateinfo_AL2022.xml.gz", 1, 12, []check{{"ALAS2022-2021-001", "amzn:2022", "vim-X11", "[,2:8.2.3512-1.amzn2022)  aarch64+i686+x86_64"}}},
		{"amazon", "amazon/sample/vuln-list-update/amazon/fixtures/updateinfo_AL2023.xml.gz", 1, 21, []check{{"ALAS2023-2023-001", "amzn:2023", "rsyslog", "[,8.2204.0-3.amzn2023.0.2)  aarch64+i686+x86_64"}}},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_1.xml.gz", 1, 1, []check{{"ALAS-2011-1", "amzn:1", "httpd-devel", "[,2.2.21-1.18.amzn1)  i686"}}},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_2_kernel-5.15.xml.gz", 1, 16, []check{{"ALAS2KERNEL-5.15-2022-001", "amzn:2", "kernel", "[5.15,5.15.43-20.123.amzn2)  aarch64+x86_64"}}},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_2023_nvidia.xml.gz", 1, 6, []check{{"ALAS2023NVIDIA-2025-001", "amzn:2023", "libnvidia-container1", "[,1.17.4-1)  x86_64"}}},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_2023_kernel-livepatch.xml.gz", 1, 1, nil},
		{"almalinux-errata", "almalinux/sample/vuls-data-update/errata/errata.full.json", 1, -1, []check{
			{"ALSA-2019:3708", "almalinux:8", "galera", ""},
		}},
		{"almalinux-errata", "almalinux/sample/vuln-list-update/alma/errata.json", 3, -1, []check{
			{"ALSA-2021:3253", "almalinux:8", "libsndfile", "[,1.0.28-10.el8_4.1)  i686+x86_64"},
			{"ALSA-2021:3152", "almalinux:8", "exiv2-devel", "[,0.27.3-3.el8_4)  x86_64"},
		}},
		{"almalinux-errata", "almalinux/sample/vuls-data-update/updateinfo/happy", 2, 2, []check{
			{"ALSA-2022:4940", "almalinux:9", "xz", "[,5.2.5-8.el9_0)  x86_64"},
			{"ALSA-2023:7549", "almalinux:9", "nodejs", "[,1:18.18.2-1.el9)  x86_64"},
		}},
		{"rocky-errata", "rocky/sample/vuln-list-update/rocky/fixtures/happy/updateinfo.xml", 3, 4, []check{
			{"RLSA-2021:2575", "rocky:8", "lz4", "[,1.8.3-3.el8_4)  x86_64"},
			{"RLSA-2021:3057", "rocky:8", "kernel", "[,4.18.0-305.12.1.el8_4)  x86_64"},
			{"RLSA-2019:1972", "rocky:8", "rubygem-abrt", "[,0.3.0-4.module+el8.5.0+738+032c9c02) ruby:2.6 noarch"},
		}},
		{"rocky-errata", "rocky/sample/vuls-data-update/errata/happy", 1, -1, []check{{"RLSA-2025:21816", "rocky:10", "delve", "[,1.25.2-1.el10_1)  aarch64+ppc64le+x86_64"}}},
		{"rocky-errata", "rocky/sample/vuls-data-update/updateinfo/happy", 3, 3, []check{
			{"RLSA-2022:1234", "rocky:8", "openssl", "[,1:1.1.1k-6.el8_5)  x86_64"},
			{"RLSA-2022:7513", "rocky:9", "xz", "[,5.2.5-8.el9_0)  x86_64"},
			// Its module is named in modules.yaml only.
			{"RLSA-2023:3820", "rocky:9", "mariadb", "[,3:10.5.16-2.module+el9.1.0+13358+56c3b6a3) mariadb:10.5 x86_64"},
		}},
		{"fedora", "fedora/sample/vunnel/input", 4, 4, []check{
			{"FEDORA-2025-ccc3333333", "fedora:40", "libxml2", "source[,2.12.10-1.fc40)"},
			{"FEDORA-2025-ddd4444444", "fedora:40", "java-17-openjdk", "source[,1:17.0.14.0.7-1.fc40)"},
		}},
		{"fedora", "fedora/sample/vunnel/merge-input", 4, 4, []check{{"FEDORA-2014-15583", "fedora:21", "drupal7", "source[,7.34-1.fc21)"}}},
		{"fedora", "fedora/sample/vuls-data-update/updateinfo/happy/archive/fedora/linux/updates/38/Modular/x86_64/repodata/5018295245e031a2d51db78a23935461d067cdbc1b6e43d8575983c5f6893252-updateinfo.xml.xz", 1, 0, nil},
		{"epel", "fedora/sample/vunnel/merge-input", 2, -1, []check{
			{"FEDORA-EPEL-2017-a8886eb42e", "rhel:7", "cross-gcc", "source[,4.8.5-16.el7.1)"},
			{"FEDORA-EPEL-2017-a8886eb42e", "ol:7", "cross-binutils", "source[,2.27-9.el7.1)"},
		}},
		{"bottlerocket", "bottlerocket/sample/vuln-list-update/bottlerocket/updateinfo.xml.gz", 2, 4, []check{
			{"BRSA-kdg8bd1th2gb", "bottlerocket", "glibc", "[,1:2.43-1.1773716061.e2e9d7a9.br1)  aarch64+x86_64"},
		}},
		{"bottlerocket", "bottlerocket/sample/vuls-data-update/root/happy/updateinfo.xml.gz", 1, 1, []check{{"GHSA-mgxf-pj6m-9494", "bottlerocket", "kernel", "[,0.3.3-b7d91846)  aarch64+x86_64"}}},
	} {
		got, bad, _, err := collect(t, tt.source, feed.Input{From: feedtest.Shared(t, tt.from)}, feed.State{})
		if err != nil || len(bad) > 0 {
			t.Errorf("%s: %v %v", tt.from, err, bad)
			continue
		}
		n := 0
		for _, a := range got {
			n += len(a.Affected)
		}
		if len(got) != tt.records || tt.claims >= 0 && n != tt.claims {
			t.Errorf("%s: %d records, %d claims, want %d, %d", tt.from, len(got), n, tt.records, tt.claims)
		}
		for _, c := range tt.checks {
			if s := said(got[c.id], c.stream, c.name); s != c.want {
				t.Errorf("%s: %s, %s: %q, want %q", tt.from, c.id, c.name, s, c.want)
			}
		}
	}
}

func TestRecord(t *testing.T) {
	got, _, _, err := collect(t, "bottlerocket", feed.Input{From: feedtest.Shared(t, "bottlerocket/sample/vuln-list-update/bottlerocket/updateinfo.xml.gz")}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 17, 16, 22, 44, 0, time.UTC)
	const page = "https://github.com/bottlerocket-os/bottlerocket-core-kit/blob/develop/advisories/13.2.0/BRSA-kdg8bd1th2gb.toml"
	claim := func(name string) advisory.Affected {
		return advisory.Affected{
			Key: advisory.Key{Stream: "bottlerocket", Name: name}, Scheme: version.RPM, Arches: []string{"aarch64", "x86_64"},
			Intervals: []advisory.Interval{{Fixed: "1:2.43-1.1773716061.e2e9d7a9.br1"}},
			Fix:       advisory.Fix{State: advisory.Fixed, Versions: []string{"1:2.43-1.1773716061.e2e9d7a9.br1"}, Date: at, Advisory: "BRSA-kdg8bd1th2gb", URL: page},
		}
	}
	want := &advisory.Advisory{
		Source: "bottlerocket", ID: "BRSA-kdg8bd1th2gb", Upstream: []string{"CVE-2025-15281"}, Summary: "glibc CVE-2025-15281",
		Details:    "In the GNU C Library, calling wordexp with WRDE_REUSE and WRDE_APPEND may cause uninitialized memory to be returned in the we_wordv member, which on subsequent calls to wordfree could result in a process abort.",
		Severities: []advisory.Severity{{Source: "bottlerocket", Type: "LABEL", Label: advisory.Medium, Raw: "medium"}},
		URL:        page, Published: at, Modified: at,
		References: []advisory.Reference{{Type: "WEB", URL: "http://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2025-15281"}, {Type: "ADVISORY", URL: page}},
		Affected:   []advisory.Affected{claim("bottlerocket-glibc"), claim("glibc")},
	}
	if d := cmp.Diff(want, got["BRSA-kdg8bd1th2gb"]); d != "" {
		t.Error(d)
	}
}

func TestMoreOfSamples(t *testing.T) {
	got, _, _, err := collect(t, "amazon", feed.Input{From: feedtest.Shared(t, "amazon/sample/vuls-data-update/root/updateinfo_2_kernel-5.15.xml.gz")}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	a := got["ALAS2KERNEL-5.15-2022-001"]
	if len(a.Upstream) != 13 || a.URL != "https://alas.aws.amazon.com/AL2/ALASKERNEL-5.15-2022-001.html" || a.Severities[0].Label != advisory.High ||
		!a.Modified.Equal(time.Date(2022, 11, 17, 19, 23, 0, 0, time.UTC)) {
		t.Errorf("%+v", a)
	}
	got, _, _, err = collect(t, "almalinux-errata", feed.Input{From: feedtest.Shared(t, "almalinux/sample/vuln-list-update/alma/errata.json")}, feed.State{})
	if err != nil || got["ALSA-2021:3253"].URL != "https://errata.almalinux.org/8/ALSA-2021-3253.html" || !slices.Equal(got["ALSA-2021:3253"].Upstream, []string{"CVE-2021-3246"}) {
		t.Errorf("%v %+v", err, got["ALSA-2021:3253"])
	}
	got, _, _, err = collect(t, "fedora", feed.Input{From: feedtest.Shared(t, "fedora/sample/vuls-data-update/updateinfo/happy/archive/fedora/linux/updates/38/Modular/x86_64/repodata/5018295245e031a2d51db78a23935461d067cdbc1b6e43d8575983c5f6893252-updateinfo.xml.xz")}, feed.State{})
	if err != nil || !slices.Equal(got["FEDORA-MODULAR-2024-deafa21e1d"].Upstream, []string{"CVE-2024-24989", "CVE-2024-24990"}) { // named in the titles of bugs
		t.Errorf("%v %+v", err, got)
	}
	got, _, _, err = collect(t, "rocky-errata", feed.Input{From: feedtest.Shared(t, "rocky/sample/vuls-data-update/errata/happy")}, feed.State{})
	if a := got["RLSA-2025:21816"]; err != nil || len(a.Severities) != 2 || a.Severities[1].Score != 7.5 || !slices.Equal(a.CWEs, []string{"CWE-770"}) {
		t.Errorf("%v %+v", err, a)
	}
}

func TestBroken(t *testing.T) {
	for _, f := range []struct{ source, from string }{
		{"amazon", "amazon/sample/vuln-list-update/amazon/fixtures/updateinfo_invalid.xml.gz"},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_invalid_gzip.xml.gz"},
		{"amazon", "amazon/sample/vuls-data-update/root/updateinfo_invalid_xml.xml.gz"},
		{"amazon", "amazon/sample/vuls-data-update/root/repomd_valid.xml"},
		{"fedora", "fedora/sample/vuls-data-update/updateinfo/happy/archive/fedora"}, // it was shortened: its checksum is another
		{"almalinux-errata", "almalinux/sample/vuls-data-update/updateinfo/corruptcrc"},
		{"almalinux-errata", "almalinux/sample/vuls-data-update/errata/invalid.json"},
		{"almalinux-errata", "almalinux/sample/vuln-list-update/alma/invalid.json"},
		{"rocky-errata", "rocky/sample/vuls-data-update/updateinfo/corruptcrc"},
		{"rocky-errata", "rocky/sample/vuln-list-update/rocky/fixtures/repomd_invalid"},
		{"rocky-errata", "rocky/sample/vuln-list-update/rocky/fixtures/updateinfo_invalid"},
		{"bottlerocket", "bottlerocket/sample/vuln-list-update/bottlerocket/invalid_xml.gz"},
		{"bottlerocket", "bottlerocket/sample/vuln-list-update/bottlerocket/updateinfo_invalid.xml.gz"},
	} {
		if got, bad, _, err := collect(t, f.source, feed.Input{From: feedtest.Shared(t, f.from)}, feed.State{}); err == nil {
			t.Errorf("%s was read: %v %v", f.from, got, bad)
		}
	}
	got, bad, _, err := collect(t, "rocky-errata", feed.Input{From: feedtest.Shared(t, "rocky/sample/vuls-data-update/updateinfo/badid")}, feed.State{})
	if err != nil || len(got) > 0 || len(bad) != 1 {
		t.Error(got, bad, err)
	}
	if _, _, _, err := collect(t, "fedora", feed.Input{From: t.TempDir()}, feed.State{}); err == nil {
		t.Error("an empty folder was read")
	}
}

const small = `<updates><update type="security"><id>RLSA-2024:1</id><issued date="2024-01-02 00:00:00"/><severity>None</severity>
<references><reference id="CVE-2024-0001" type="cve"/></references>
<pkglist><collection short="RL9"><name>Rocky Linux 9</name><module name="m" stream="1"/>
<package name="a" version="1" release="1.module+el9.1" arch="x86_64"/><package name="a" version="1" release="1.module+el9.0" arch="x86_64"/>
<package name="a" version="1" release="2.el9" arch="src"/></collection>
<collection short="x"><package name="b" version="1" release="1.module+el9.1" arch="x86_64"/><package name="b" version="2" release="1.module+el9.0" arch="x86_64"/>
<package name="c" version="1" release="1" arch="noarch"/><package name="" version="1"/></collection></pkglist></update>
<update type="bugfix"><id>RLBA-2024:2</id></update><update type="security"><id>bad id</id></update></updates>`

func TestMerge(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{"x86_64/updateinfo.xml": small, "s390x/updateinfo.xml": strings.ReplaceAll(small, "x86_64", "s390x")})
	got, bad, _, err := collect(t, "rocky-errata", feed.Input{From: dir}, feed.State{})
	if err != nil || len(got) != 1 || len(bad) != 6 { // for each file: no name, no release, no identifier
		t.Fatal(got, bad, err)
	}
	a := got["RLSA-2024:1"]
	for name, want := range map[string]string{
		"a": "[,1-1.module+el9.0) m:1 s390x+x86_64",
		"b": "[,1-1.module+el9.1)  s390x+x86_64 | [,2-1.module+el9.0)  s390x+x86_64",
		"c": "",
	} {
		if s := said(a, "rocky:9", name); s != want {
			t.Errorf("%s: %q, want %q", name, s, want)
		}
	}
	if len(a.Severities) > 0 || len(a.References) > 0 || !slices.Equal(a.Upstream, []string{"CVE-2024-0001"}) {
		t.Errorf("%+v", a)
	}
	// The checksum of the content.
	for sum, ok := range map[string]bool{fmt.Sprintf("%x", sha256.Sum256([]byte(small))): true, strings.Repeat("0", 64): false} {
		meta := `<repomd><data type="updateinfo"><open-checksum type="sha256">` + sum + `</open-checksum><location href="repodata/1-updateinfo.xml.gz"/></data></repomd>`
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, small)
		z.Close()
		dir := feedtest.Folder(t, map[string]string{"repodata/1-updateinfo.xml.gz": b.String(), "repodata/repomd.xml": meta})
		if _, _, _, err := collect(t, "rocky-errata", feed.Input{From: dir}, feed.State{}); (err == nil) != ok {
			t.Errorf("checksum %s: %v", sum, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	files := map[string]string{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, body)
	}))
	defer srv.Close()
	publish := func(text string) {
		files["/repo/repodata/u-updateinfo.xml"] = text
		files["/repo/repodata/repomd.xml"] = fmt.Sprintf(`<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="updateinfo"><checksum type="sha256">%x</checksum><location href="repodata/u-updateinfo.xml"/></data></repomd>`, sha256.Sum256([]byte(text)))
	}
	publish(small)
	files["/mirror.list"] = srv.URL + "/repo/\n"
	for _, url := range []string{"/mirror.list", "/repo", "/repo/repodata/u-updateinfo.xml"} {
		got, _, _, err := collect(t, "rocky-errata", feed.Input{URL: srv.URL + url}, feed.State{})
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v %v", url, got, err)
		}
	}
	in := feed.Input{URL: srv.URL + "/repo/"}
	_, _, u, err := collect(t, "rocky-errata", in, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, again, err := collect(t, "rocky-errata", in, u.State); err != nil || !again.Unchanged {
		t.Errorf("%+v %v", again, err)
	}
	publish(small + "\n")
	if got, _, again, err := collect(t, "rocky-errata", in, u.State); err != nil || again.Unchanged || len(got) != 1 {
		t.Errorf("%+v %v", again, err)
	}
	files["/repo/repodata/u-updateinfo.xml"] = small
	var digest *feed.DigestError
	if _, _, _, err := collect(t, "rocky-errata", in, feed.State{}); !errors.As(err, &digest) {
		t.Errorf("a file that is not the one published was taken: %v", err)
	}
	delete(files, "/repo/repodata/repomd.xml")
	if _, _, _, err := collect(t, "rocky-errata", in, feed.State{}); err == nil {
		t.Error("a repository that is not there was taken")
	}
	// The releases of Fedora, by the index.
	page := `<html><a href="../">up</a><a href="41/">41/</a><a href="42/">42/</a><a href="testing/">t</a></html>`
	files["/f/"] = page
	if got := numbersIn(page); !slices.Equal(got, []string{"41", "42"}) {
		t.Error(got)
	}
	fedora := strings.NewReplacer("RLSA-2024:1", "FEDORA-2024-1", "<severity>", "<release>Fedora 42</release><severity>").Replace(small)
	files["/f/42/Everything/x86_64/repodata/u-updateinfo.xml"] = fedora
	files["/f/42/Everything/x86_64/repodata/repomd.xml"] = `<repomd><data type="updateinfo"><location href="repodata/u-updateinfo.xml"/></data></repomd>`
	n := &network{ctx: t.Context(), base: srv.URL + "/f/", parts: map[string]string{}}
	if err := n.fedora(); err != nil || len(n.wanted) != 1 {
		t.Fatal(err, n.wanted)
	}
	c := &collection{p: feedtest.Source(t, Sources(), "fedora").(Source).p, updates: map[string]*merged{}, text: map[string]string{}, bad: func(string, error) {}}
	if err := n.read(c); err != nil || len(c.updates) != 1 {
		t.Error(err, c.updates)
	}
	topics, err := readExtras(openFile(t, feedtest.Shared(t, "amazon/sample/vuls-data-update/root/extras-catalog_valid.json")))
	if err != nil || len(topics) != 2 || !slices.Contains(topics, "kernel-5.15") {
		t.Error(topics, err)
	}
	if _, err := readExtras(openFile(t, feedtest.Shared(t, "amazon/sample/vuls-data-update/root/extras-catalog_invalid.json"))); err == nil {
		t.Error("the invalid catalogue was read")
	}
}

func openFile(t *testing.T, name string) io.Reader {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestParts(t *testing.T) {
	for id, want := range map[string][2]string{
		"ALAS-2018-939": {"1", ""}, "ALAS2-2018-939": {"2", ""}, "ALAS2KERNEL-5.15-2022-001": {"2", "KERNEL-5.15"}, "ALAS2023-2023-001": {"2023", ""},
		"ALAS2023LIVEPATCH-2023-001": {"2023", "LIVEPATCH"}, "ALAS2DOCKER-2021-001": {"2", "DOCKER"},
	} {
		if n, topic := cutALAS(id); n != want[0] || topic != want[1] {
			t.Errorf("cutALAS(%s) = %s, %s, want %v", id, n, topic, want)
		}
	}
	for _, w := range []struct{ id, version, epoch, want string }{
		{"ALAS2PHP8.2-2023-001", "8.2.7", "0", "8.2"}, {"ALAS2POSTGRESQL14-2023-001", "14.3", "", "14"}, {"ALAS2POSTGRESQL14-2023-001", "1.14", "", ""},
		{"ALAS2DOCKER-2023-001", "20.10", "", ""}, {"ALAS2NGINX1-2023-001", "1.22", "1", "1:1"}, {"ALAS2-2023-001", "1.22", "1", ""},
	} {
		if s := extrasFrom(&update{ID: w.id}, rpm{Version: w.version, Epoch: w.epoch}); s != w.want {
			t.Errorf("extrasFrom(%s, %s) = %q, want %q", w.id, w.version, s, w.want)
		}
	}
	for s, want := range map[string]string{"8.el8_4": "8", "1.module+el8.5.0+2632": "8", "18.module_el8.5.0+2632+14ced695": "8", "1.el10_1": "10", "1": "", "1.elf": ""} {
		if got := elOf(s); got != want {
			t.Errorf("elOf(%s) = %q, want %q", s, got, want)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(small), ".xml")
	f.Add([]byte(`{"data":[{"id":"ALSA-2021:1","issued_date":1,"packages":[{"name":"a","version":"1","module":"a:b"}]}]}`), ".json")
	f.Add([]byte(`{"advisories":[{"id":1,"name":"RLSA-2021:1","packages":[{"nevra":"a-0:1-1.x.rpm"}]}],"links":{"next":"x"}}`), ".json")
	f.Add([]byte(`{"alias":"FEDORA-1","builds":[{"nvr":"a-1-1","epoch":null}],"release":{"name":"F40"}}`), ".json")
	f.Add([]byte("document: modulemd\ndata: {name: a, stream: 1.0, artifacts: {rpms: [a]}}\n---\n"), ".yaml")
	f.Fuzz(func(t *testing.T, b []byte, ext string) {
		readRepomd(bytes.NewReader(b))
		for _, p := range publishers() {
			c := &collection{p: p, updates: map[string]*merged{}, modules: map[string]string{}, text: map[string]string{}, bad: func(string, error) {}}
			if c.file("x"+ext, bytes.NewReader(b)) == nil {
				c.advisories(func(feed.Item, error) bool { return true })
			}
		}
	})
}

func BenchmarkXML(b *testing.B) {
	_, rest, _ := strings.Cut(small, "<updates>")
	one, _, _ := strings.Cut(rest, "<update type=\"bugfix\">")
	var text strings.Builder
	text.WriteString("<updates>")
	for i := range 5000 {
		text.WriteString(strings.Replace(one, "RLSA-2024:1", fmt.Sprintf("RLSA-2024:%d", i), 1))
	}
	text.WriteString("</updates>")
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		c := &collection{p: feedtest.Source(b, Sources(), "rocky-errata").(Source).p, updates: map[string]*merged{}, text: map[string]string{}, bad: func(string, error) {}}
		if err := c.file("x.xml", strings.NewReader(text.String())); err != nil {
			b.Fatal(err)
		}
		c.advisories(func(feed.Item, error) bool { return true })
	}
}
