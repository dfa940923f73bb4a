package eol

import (
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

type result struct {
	feedtest.Result
	cycles map[string]*advisory.Cycle
	order  []string
}

func fetch(t testing.TB, in feed.Input, state feed.State) (r result) {
	t.Helper()
	r.Result = feedtest.Fetch(t, Products{}, in, state)
	r.cycles = map[string]*advisory.Cycle{}
	for _, it := range r.Items {
		key := it.Cycle.Product + "/" + it.Cycle.Cycle
		r.cycles[key] = it.Cycle
		r.order = append(r.order, key)
	}
	return r
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// copyProducts takes the feed without the samples that lie beside it.
func copyProducts(t testing.TB) string {
	t.Helper()
	from, to := feedtest.Shared(t, "eol"), t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// 464 products is the count of the README beside the feeds, 8351 that of the
// objects in their files; the values are read off the files by hand.
func TestReal(t *testing.T) {
	got := fetch(t, feed.Input{From: copyProducts(t)}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.order) != 8351 || !got.Update.Whole {
		t.Fatalf("%d cycles, %v, %v; want 8351", len(got.order), got.Bad, got.Err)
	}
	products := map[string]bool{}
	identifiers := map[string]int{}
	for _, c := range got.cycles {
		products[c.Product] = true
		identifiers[c.Product] = len(c.Identifiers)
	}
	n := 0
	for _, k := range identifiers {
		n += k
	}
	if len(products) != 464 || n != 1683 {
		t.Errorf("%d products with %d identifiers, want 464 with 1683", len(products), n)
	}
	for key, want := range map[string]advisory.Cycle{
		"alpine-linux/3.18":      {Released: day(2023, 5, 9), EOL: day(2025, 5, 9), Latest: "3.18.12"},
		"debian/12":              {Released: day(2023, 6, 10), EOL: day(2026, 7, 11), Extended: day(2028, 6, 30), Latest: "12.15", Codename: "Bookworm"},
		"nodejs/20":              {Released: day(2023, 4, 18), EOL: day(2026, 4, 30), Support: day(2024, 10, 22), Latest: "20.20.2", LTS: true},
		"ubuntu/18.04":           {Released: day(2018, 4, 26), EOL: day(2023, 5, 31), Support: day(2023, 5, 31), Extended: day(2028, 4, 1), Latest: "18.04.6", Codename: "Bionic Beaver", LTS: true},
		"rhel/9":                 {Released: day(2022, 5, 18), EOL: day(2032, 5, 31), Support: day(2027, 5, 31), Extended: day(2036, 5, 31), Latest: "9.8", LTS: true},
		"rhel/6":                 {Released: day(2010, 11, 10), EOL: day(2020, 11, 30), Support: day(2016, 5, 10), Extended: day(2024, 6, 30), Latest: "6.10", LTS: true},
		"apache-http-server/2.4": {Released: day(2012, 2, 21), Latest: "2.4.68"},
		"android/4.3":            {Released: day(2013, 7, 24), Ended: true, Codename: "Jelly Bean"},
		"amazon-linux/2":         {Released: day(2018, 6, 26), EOL: day(2026, 6, 30), Support: day(2026, 6, 30), Latest: "2.0.20260817.0"},
		"adonisjs/7":             {Released: day(2026, 2, 25), Latest: "7.5.0"},
	} {
		c := got.cycles[key]
		if c == nil {
			t.Errorf("%s is not there", key)
			continue
		}
		want.Source, want.Identifiers = "eol", c.Identifiers
		want.Product, want.Cycle, _ = strings.Cut(key, "/")
		if d := cmp.Diff(&want, c); d != "" {
			t.Errorf("%s (-want +got):\n%s", key, d)
		}
	}
	want := []string{"cpe:/o:alpinelinux:alpine_linux", "cpe:2.3:o:alpinelinux:alpine_linux", "purl:pkg:swid/alpine?tag_id=alpine"}
	if d := cmp.Diff(want, got.cycles["alpine-linux/3.18"].Identifiers); d != "" {
		t.Error(d)
	}
	one := fetch(t, feed.Input{From: feedtest.Shared(t, "eol/debian.json")}, feed.State{})
	if c := one.cycles["debian/12"]; one.Err != nil || c == nil || c.Product != "debian" {
		t.Errorf("one product: %v %v", one.Err, one.Bad)
	}
}

// The sample is in the form of version 1.
func TestFull(t *testing.T) {
	got := fetch(t, feed.Input{From: feedtest.Shared(t, "eol/sample/vunnel/valid-eol-response.json")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.order) < 6 {
		t.Fatalf("%v %v %v", got.order, got.Bad, got.Err)
	}
	for _, want := range []*advisory.Cycle{
		{Product: "python", Cycle: "3.12", Codename: "Stable", Released: day(2023, 10, 2), EOL: day(2028, 10, 1), Identifiers: []string{"cpe:2.3:a:python:python:*:*:*:*:*:*:*:*"}},
		{Product: "python", Cycle: "2.7", Codename: "Legacy", Released: day(2010, 7, 3), EOL: day(2020, 1, 1), Identifiers: []string{"cpe:2.3:a:python:python:*:*:*:*:*:*:*:*"}},
		{Product: "ubuntu", Cycle: "22.04", Codename: "Jammy Jellyfish", Released: day(2022, 4, 21), EOL: day(2027, 4, 21), Support: day(2032, 4, 21), LTS: true, Identifiers: []string{"cpe:2.3:o:canonical:ubuntu_linux:*:*:*:*:*:*:*:*"}},
	} {
		want.Source = "eol"
		if d := cmp.Diff(want, got.cycles[want.Product+"/"+want.Cycle]); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
}

func TestNetwork(t *testing.T) {
	dir := feedtest.Shared(t, "eol")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/all.json":
			w.Write([]byte(`["debian","ubuntu","../x"]`))
		case "/full":
			w.Header().Set("ETag", `"1"`)
			http.ServeContent(w, r, "x.json", time.Time{}, strings.NewReader(`{"schema_version":"1.2.0","generated_at":"2025-01-02T03:04:05+00:00","result":[{"name":"a","releases":[{"name":"1","isEol":true,"eolFrom":null,"eoesFrom":"2027-01-01","latest":{"name":"1.5"}}]}]}`))
		default:
			http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
		}
	}))
	defer s.Close()
	c := &feed.Client{Tries: 1}
	got := fetch(t, feed.Input{URL: s.URL + "/api/all.json", Client: c}, feed.State{})
	if got.Err != nil || len(got.Bad) != 1 || got.cycles["ubuntu/18.04"] == nil || got.cycles["debian/12"] == nil {
		t.Errorf("version 0: %v %v", got.Bad, got.Err)
	}
	got = fetch(t, feed.Input{URL: s.URL + "/full", Client: c}, feed.State{})
	want := &advisory.Cycle{Source: "eol", Product: "a", Cycle: "1", Ended: true, Extended: day(2027, 1, 1), Latest: "1.5"}
	if d := cmp.Diff(want, got.cycles["a/1"]); got.Err != nil || d != "" {
		t.Errorf("version 1: %v %s", got.Err, d)
	}
	if s := got.Update.State; !s.Published.Equal(time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	if got = fetch(t, feed.Input{URL: s.URL + "/full", Client: c}, got.Update.State); got.Err != nil || !got.Update.Unchanged {
		t.Errorf("%+v", got.Update)
	}
}

func TestBad(t *testing.T) {
	for name, tt := range map[string]struct {
		content     string
		cycles, bad int
		fails       string
	}{
		"records":   {`[{"cycle":"1","eol":"soon"},{"cycle":2,"eol":null,"lts":"2024-01-01"},{"cycle":"2"},{},7,{"cycle":"3","eol":7},{"cycle":"4","eol":""}]`, 2, 5, ""},
		"cut off":   {`[{"cycle":"1"}`, 1, 0, "unexpected EOF"},
		"html":      {`<!DOCTYPE html><title>404</title>`, 0, 0, "web page"},
		"other":     {`{"message":"Not found"}`, 0, 0, "no result"},
		"version 1": {`{"result":[{"releases":[]},7,{"name":"a","releases":[{"name":"1"},{"name":"1"},{"name":"2","eolFrom":"x"}]}]}`, 1, 4, ""},
		"one only":  {`{"result":{"name":"a","releases":[{"name":"1"}]}}`, 1, 0, ""},
		"text":      {`"x"`, 0, 0, "array"},
	} {
		got := fetch(t, feed.Input{From: feedtest.File(t, "a.json", tt.content)}, feed.State{})
		if len(got.order) != tt.cycles || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %v, bad %v, error %v", name, got.order, got.Bad, got.Err)
		}
	}
	dir := feedtest.Folder(t, map[string]string{"all.json": `["a","b"]`, "a.json": `[{"cycle":"1"}]`})
	if got := fetch(t, feed.Input{From: dir}, feed.State{}); got.Err != nil || len(got.order) != 1 || len(got.Bad) != 1 {
		t.Errorf("a missing product: %v %v %v", got.order, got.Bad, got.Err)
	}
}

func FuzzProducts(f *testing.F) {
	f.Add(`[{"cycle":"26.04","codename":"Resolute Raccoon","lts":true,"releaseDate":"2026-04-23","eol":"2031-04-30","latest":"26.04","support":"2031-04-30","extendedSupport":false}]`)
	f.Add(`{"result":[{"name":"python","identifiers":[{"type":"cpe","id":"cpe:2.3:a:python:python"}],"releases":[{"name":"3.12","releaseDate":"2023-10-02","isLts":false,"isEol":false,"eolFrom":"2028-10-01","latest":{"name":"3.12.1"}}]}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		yield := func(it feed.Item, err error) bool {
			if err == nil && (it.Cycle.Cycle == "" || it.Cycle.Product == "") {
				t.Errorf("%+v", it.Cycle)
			}
			return true
		}
		items(func(r *reader) error { return r.product(feed.NewJSONReader(strings.NewReader(s), 1<<20), "x") })(yield)
		items(func(r *reader) error { return r.full(feed.NewJSONReader(strings.NewReader(s), 1<<20), &feed.State{}) })(yield)
	})
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Products{}, copyProducts(b), 8351)
}
