package secdb

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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

// said is a claim in short: "<1.2-r0", or its status.
func said(a *advisory.Advisory, stream, name string) string {
	var out []string
	for _, f := range feedtest.Claims(a, stream, name) {
		s := string(f.Status)
		for _, in := range f.Intervals {
			s += "<" + in.Fixed
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestRealCounts(t *testing.T) {
	for _, tt := range []struct {
		file          string
		packages, ids int
	}{
		{"alpine-secdb/v3.3/community.json", 0, 0},
		{"alpine-secdb/v3.3/main.json", 91, 461},
		{"alpine-secdb/v3.4/community.json", 2, 14},
		{"alpine-secdb/v3.4/main.json", 117, 672},
		{"alpine-secdb/v3.5/community.json", 20, 102},
		{"alpine-secdb/v3.5/main.json", 131, 826},
		{"alpine-secdb/v3.6/community.json", 31, 219},
		{"alpine-secdb/v3.6/main.json", 134, 898},
		{"alpine-secdb/v3.7/community.json", 37, 411},
		{"alpine-secdb/v3.7/main.json", 163, 1078},
		{"alpine-secdb/v3.8/community.json", 44, 485},
		{"alpine-secdb/v3.8/main.json", 164, 1139},
		{"alpine-secdb/v3.9/community.json", 58, 601},
		{"alpine-secdb/v3.9/main.json", 161, 1121},
		{"alpine-secdb/v3.10/community.json", 73, 720},
		{"alpine-secdb/v3.10/main.json", 166, 1182},
		{"alpine-secdb/v3.11/community.json", 85, 895},
		{"alpine-secdb/v3.11/main.json", 175, 1204},
		{"wolfi/security.json", 1067, 24864},
	} {
		file := feedtest.Shared(t, tt.file)
		db := &database{source: "x", stream: "x", ids: map[string]*entry{}}
		for _, err := range feed.Items(func(out *feed.Output) error {
			db.bad = out.Bad
			return db.members(feed.Members(t.Context(), file, feed.Limits{}), out)
		}) {
			t.Fatalf("%s: %v", tt.file, err)
		}
		names := map[string]bool{}
		for _, e := range db.ids {
			for k := range e.fixed {
				names[k.Name] = true
			}
		}
		if len(names) != tt.packages || db.entries != tt.ids {
			t.Errorf("%s: %d packages, %d identifiers, want %d, %d", tt.file, len(names), db.entries, tt.packages, tt.ids)
		}
	}
}

func TestAlpineReal(t *testing.T) {
	dir := feedtest.Shared(t, "alpine-secdb")
	from := t.TempDir() // without the folder of samples
	for _, v := range []string{"3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11"} {
		if err := os.CopyFS(filepath.Join(from, "v"+v), os.DirFS(filepath.Join(dir, "v"+v))); err != nil {
			t.Fatal(err)
		}
	}
	got, bad, u, err := collect(t, "alpine", feed.Input{From: from}, feed.State{})
	if err != nil || len(bad) > 0 || !u.Whole {
		t.Fatal(err, bad, u)
	}
	want := plain(t, from)
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	// Every identifier that the files hold, found apart from this package.
	for id, claims := range want {
		a := got[id]
		if a == nil {
			t.Errorf("%s is missing", id)
			continue
		}
		if len(a.Affected) != len(claims) {
			t.Errorf("%s: %d claims, want %d", id, len(a.Affected), len(claims))
		}
		for _, f := range a.Affected {
			if !claims[f.Stream+" "+f.Name] || f.Names != advisory.Source || f.Scheme != version.APK {
				t.Errorf("%s: %+v", id, f)
			}
		}
	}
	for _, w := range []struct{ id, stream, name, want string }{
		{"CVE-2019-14904", "alpine:3.11", "ansible", "<2.9.3-r0"},
		{"CVE-2019-14846", "alpine:3.11", "ansible", "<2.8.6-r0"},
		{"CVE-2017-8904", "alpine:3.11", "xen", "<4.8.1-r2"},
		{"XSA-207", "alpine:3.11", "xen", "<4.7.1-r5"},
		{"CVE-2019-5747", "alpine:3.9", "busybox", "<1.29.3-r10"},
		{"CVE-2017-17434", "alpine:3.9", "rsync", "<3.1.2-r7"},
	} {
		if s := said(got[w.id], w.stream, w.name); s != w.want {
			t.Errorf("%s, %s %s: %q, want %q", w.id, w.stream, w.name, s, w.want)
		}
	}
	if r := got["CVE-2017-8904"].Related; !slices.Equal(r, []string{"XSA-214"}) {
		t.Errorf("related: %v", r)
	}
}

// plain collects identifiers and claims in the simplest way.
func plain(t *testing.T, dir string) map[string]map[string]bool {
	cve, other := regexp.MustCompile(`CVE[-_ ]\d{4}-\d+`), regexp.MustCompile(`[A-Za-z-]+-[0-9-]+`)
	out := map[string]map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) != 18 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Distroversion string
			Packages      []struct {
				Pkg struct {
					Name     string
					Secfixes map[string][]string
				}
			}
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		for _, p := range doc.Packages {
			for _, ids := range p.Pkg.Secfixes {
				for _, id := range ids {
					found := cve.FindAllString(id, -1)
					if found == nil {
						found = other.FindAllString(id, 1)
					}
					for _, id := range found {
						if strings.HasPrefix(id, "CVE") {
							id = "CVE-" + id[4:]
						}
						if out[id] == nil {
							out[id] = map[string]bool{}
						}
						out[id]["alpine:"+strings.TrimPrefix(doc.Distroversion, "v")+" "+p.Pkg.Name] = true
					}
				}
			}
		}
	}
	return out
}

func TestWolfiReal(t *testing.T) {
	got, bad, _, err := collect(t, "wolfi", feed.Input{From: feedtest.Shared(t, "wolfi/security.json")}, feed.State{})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	packages := map[string]bool{}
	for _, a := range got {
		for _, f := range a.Affected {
			packages[f.Name] = true
			if f.Stream != "wolfi" {
				t.Fatal(f)
			}
		}
	}
	if len(packages) != 1067 {
		t.Errorf("%d packages, want 1067", len(packages))
	}
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		source, from     string
		id, stream, name string
		want             string
	}{
		{"wolfi", "wolfi/sample/vuls-data-update/secdb/happy/security.json", "CVE-2023-45283", "wolfi", "aactl", "not-affected"},
		{"wolfi", "wolfi/sample/vuls-data-update/secdb/happy/security.json", "GHSA-88jx-383q-w4qc", "wolfi", "aactl", "<0.4.12-r10"},
		{"wolfi", "wolfi/sample/vuln-list-update/wolfi/security.json", "CVE-2022-38128", "wolfi", "binutils", "<2.39-r3"},
		{"wolfi", "wolfi/sample/vunnel/input/secdb", "CVE-2022-38126", "wolfi", "binutils", "<2.39-r1"},
		{"chainguard", "chainguard/sample/vunnel/input/secdb/security.json", "CVE-2019-6477", "chainguard", "bind", "<9.18.10-r0"},
		{"chainguard", "chainguard/sample/vuls-data-update/secdb/happy", "", "", "", ""},
		{"minimos", "minimos/sample/vuls-data-update/secdb/happy/security.json", "CVE-2025-0840", "minimos", "binutils", "<2.44-r0"},
		{"minimos", "minimos/sample/vuls-data-update/secdb/happy/security.json", "CVE-1999-0289", "minimos", "apache2", "not-affected"},
		{"minimos", "minimos/sample/vunnel/input/secdb/security.json", "", "", "", ""},
		{"alpine", "alpine-secdb/sample/vuls-data-update/secdb", "CVE-2022-35014", "alpine:edge", "advancecomp", "<2.4-r0"},
		{"alpine", "alpine-secdb/sample/vuls-data-update/secdb", "CVE-2017-9798", "alpine:3.16", "apache2", "<2.4.27-r1"},
		{"alpine", "alpine-secdb/sample/vunnel/input/secdb", "CVE-2018-25032", "alpine:3.15", "zlib", "<1.2.12-r0"},
		{"alpine", "alpine-secdb/sample/vunnel/input/secdb/v3.15/community.yaml", "CVE-2021-38370", "alpine:3.15", "alpine", "<2.25-r0"},
		{"alpine", "alpine-secdb/sample/vuln-list-update/alpine/312-main.json", "CVE-2018-16876", "alpine:3.12", "ansible", "<2.7.9-r0"}, // "2.8.0-r0": {}
	} {
		got, bad, _, err := collect(t, tt.source, feed.Input{From: feedtest.Shared(t, tt.from)}, feed.State{})
		if err != nil || len(bad) > 0 || len(got) == 0 {
			t.Errorf("%s: %v %v, %d records", tt.from, err, bad, len(got))
			continue
		}
		if s := said(got[tt.id], tt.stream, tt.name); s != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.from, tt.id, s, tt.want)
		}
	}
	// "packages": {}
	if got, bad, _, err := collect(t, "alpine", feed.Input{From: feedtest.Shared(t, "alpine-secdb/sample/vuln-list-update/alpine/edge-community.json")}, feed.State{}); err != nil || len(bad)+len(got) > 0 {
		t.Error(got, bad, err)
	}
}

func TestBroken(t *testing.T) {
	for name, text := range map[string]string{
		"main.json": `{"packages":[{"pkg":{"name":"a"`, "x.json": `[]`, "empty.json": `{}`, "odd.json": `{"distroversion":"v3.1","packages":{"a":1}}`,
		"release.json": `{"packages":[],"distroversion":"beta"}`, "more.json": `{"packages":[],"distroversion":"v3.1"} x`,
		"a.yaml": "packages: [", "b.yaml": "a: b", "c.yaml": "packages: {a: b}", "page.json": "<html>",
	} {
		if _, _, _, err := collect(t, "alpine", feed.Input{From: feedtest.File(t, name, text)}, feed.State{}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, _, _, err := collect(t, "alpine", feed.Input{From: t.TempDir()}, feed.State{}); err == nil {
		t.Error("an empty folder was read")
	}
	text := `{"packages":[{"pkg":{"name":"a","secfixes":{"1":[7]}}},{"pkg":{"name":"b","secfixes":{"1":["?", "CVE-2020-1234 (+)"],"2":["CVE-2020-1234"],"0":["CVE-2020-1234", "cve-2020-1235"]}}},{"pkg":{}}]}`
	from := feedtest.Folder(t, map[string]string{"v3.1/main.json": text})
	got, bad, _, err := collect(t, "alpine", feed.Input{From: from}, feed.State{})
	if err != nil || len(bad) != 3 || len(got) != 2 {
		t.Fatal(got, bad, err)
	}
	if s := said(got["CVE-2020-1234"], "alpine:3.1", "b") + said(got["CVE-2020-1235"], "alpine:3.1", "b"); s != "<2not-affected" {
		t.Error(s)
	}
}

func TestIdentifiers(t *testing.T) {
	for in, want := range map[string][3]string{
		"CVE-2017-10923 XSA-225":       {"CVE-2017-10923", "XSA-225", ""},
		"CVE 2018-16859":               {"CVE-2018-16859", "", ""},
		"CVE-2017-17434-2":             {"CVE-2017-17434", "", ""},
		"CVE_2019-2426":                {"CVE-2019-2426", "", ""},
		"CVE-2017-8073.patch":          {"CVE-2017-8073", "", ""},
		"XSA-207":                      {"XSA-207", "", ""},
		"CVE-2019-1000, CVE-2019-1001": {"CVE-2019-1000 CVE-2019-1001", "", ""},
		"CVE-2019-1000 (+)":            {"CVE-2019-1000", "", "+"},
		"GHSA-vvjp-abcd-efgh":          {"GHSA-vvjp-abcd-efgh", "", ""},
		"(none)":                       {"", "", "none"},
	} {
		ids, related, note := identifiers(in)
		if got := [3]string{strings.Join(ids, " "), strings.Join(related, " "), note}; got != want {
			t.Errorf("identifiers(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	files := map[string]string{
		"/":                    `<html><title>Index</title><a href="../">../</a><a href="edge/">e</a> <a href="v3.2/">v3.2/</a><a href="last-update">x</a></html>`,
		"/edge/main.json":      `{"distroversion":"edge","packages":[{"pkg":{"name":"a","secfixes":{"1-r0":["CVE-2020-1234"]}}}]}`,
		"/edge/community.json": `{"distroversion":"edge","packages":[{"pkg":{"name":"b","secfixes":{"1-r0":["CVE-2020-1234"]}}}]}`,
		"/v3.2/main.json":      `{"distroversion":"v3.2","packages":[{"pkg":{"name":"a","secfixes":{"1-r0":["CVE-2020-1235"]}}}]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		tag := fmt.Sprintf(`"%d"`, len(body))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, body)
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL, Client: &feed.Client{}}
	got, bad, u, err := collect(t, "alpine", in, feed.State{})
	if err != nil || len(bad) > 0 || len(got) != 2 || len(got["CVE-2020-1234"].Affected) != 2 {
		t.Fatal(got, bad, err)
	}
	_, _, again, err := collect(t, "alpine", in, u.State)
	if err != nil || !again.Unchanged {
		t.Fatalf("%v %+v", err, again)
	}
	if d := cmp.Diff(u.State.Parts, again.State.Parts); d != "" {
		t.Error(d)
	}
	files["/v3.2/main.json"] += "\n"
	got, _, u, err = collect(t, "alpine", in, again.State)
	if err != nil || len(got) != 2 || !u.Whole || len(u.State.Parts) != 3 {
		t.Errorf("%v %v %+v", got, err, u)
	}
	delete(files, "/v3.2/main.json")
	if _, _, _, err := collect(t, "alpine", in, feed.State{}); err == nil {
		t.Error("a branch without main.json was taken")
	}
	if got, _, _, err := collect(t, "wolfi", feed.Input{URL: srv.URL + "/edge/main.json"}, feed.State{}); err != nil || said(got["CVE-2020-1234"], "wolfi", "a") != "<1-r0" {
		t.Error(got, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, n := range []string{"alpine-secdb/sample/vuln-list-update/alpine/312-main.json", "alpine-secdb/sample/vunnel/input/secdb/v3.15/main.yaml"} {
		if b, err := os.ReadFile(feedtest.Shared(f, n)); err == nil {
			f.Add(b, strings.HasSuffix(n, ".yaml"))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, yaml bool) {
		name := "a.json"
		if yaml {
			name = "a.yaml"
		}
		db := &database{ids: map[string]*entry{}, stream: "wolfi", bad: func(string, error) {}}
		if err := db.read(feed.Member{Name: name, Size: int64(len(b)), Reader: strings.NewReader(string(b))}); err == nil {
			db.advisories(func(feed.Item, error) bool { return true })
		}
	})
}

func BenchmarkWolfi(b *testing.B) {
	name := feedtest.Shared(b, "wolfi/security.json")
	st, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(st.Size())
	for b.Loop() {
		if _, _, _, err := collect(b, "wolfi", feed.Input{From: name}, feed.State{}); err != nil {
			b.Fatal(err)
		}
	}
}
