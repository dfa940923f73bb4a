package arch

import (
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

func TestSamples(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "arch/sample/vunnel/input/arch-advisories")})
	if err != nil || len(bad) > 0 || len(got) != 5 {
		t.Fatal(got, bad, err)
	}
	for _, w := range []struct{ id, name, want string }{
		{"AVG-1234", "curl", "|fixed|<8.5.0-1"},
		{"AVG-5678", "openssl", "|fixed|<3.2.0-1"},
		{"AVG-9999", "pam", "|not-fixed|"},
		{"AVG-1324", "glibc", "|fixed|<2.38-2"},
		{"AVG-1324", "lib32-glibc", "|fixed|<2.38-2"},
		{"AVG-2222", "test-pkg", "|fixed|<1.0.0-1"},
	} {
		if s := feedtest.Said(got[w.id], "arch", w.name); s != w.want {
			t.Errorf("%s, %s: %q, want %q", w.id, w.name, s, w.want)
		}
	}
	a := got["AVG-5678"]
	if strings.Join(a.Upstream, " ") != "CVE-2024-5678 CVE-2024-5679" || a.Severities[0].Label != advisory.Critical || a.Affected[0].Fix.Advisory != "ASA-202401-02" {
		t.Errorf("%+v", a)
	}
	got, bad, err = feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "arch/sample/vuls-data-update/root/advisory.json")})
	if err != nil || len(bad) > 0 || len(got) != 2 || feedtest.Said(got["AVG-5"], "arch", "libtiff") != "|fixed|<4.0.8-2" || got["AVG-5"].References[1].URL != "https://bugs.archlinux.org/task/54842" {
		t.Error(got, bad, err)
	}
	got, _, err = feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "arch/sample/vuln-list-update/arch/archlinux.json")})
	if err != nil || feedtest.Said(got["AVG-4"], "arch", "bzip2") != "|fixed|<1.0.6-6" {
		t.Error(got, err)
	}
	for _, n := range []string{"arch/sample/vuls-data-update/root/invalid.json", "arch/sample/vuln-list-update/arch/invalid.json"} {
		if _, _, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, n)}); err == nil {
			t.Errorf("%s was read", n)
		}
	}
}

func TestStates(t *testing.T) {
	const in = `[{"name":"AVG-1","packages":["a"],"status":"Not affected"},{"name":"AVG-2","packages":["a"],"status":"Unknown"},
		{"name":"AVG-3","packages":["a"],"status":"Testing","fixed":"2-1"},{"name":"AVG-4","status":"odd"},{"name":"x"},{"name":7},
		{"name":"AVG-5","packages":[""],"status":"Unknown"},{"name":"AVG-6","packages":["a"],"status":"Fixed","fixed":null}]`
	got, bad, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.File(t, "all.json", in)})
	if err != nil || len(got) != 3 || len(bad) != 5 {
		t.Fatal(got, bad, err)
	}
	for id, want := range map[string]string{"AVG-1": "not-affected||", "AVG-2": "undetermined||", "AVG-3": "|not-fixed|<2-1"} {
		if s := feedtest.Said(got[id], "arch", "a"); s != want {
			t.Errorf("%s: %q, want %q", id, s, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"name":"AVG-1","packages":["a"],"status":"Fixed","fixed":"1","ticket":"7","issues":["CVE-2020-1234"],"advisories":["ASA-1"]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		read(feed.Member{Name: "x", Reader: strings.NewReader(string(b))}, func(feed.Item, error) bool { return true })
	})
}
