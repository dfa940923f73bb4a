package elixirsec

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// shared finds the real feeds.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if dir, err := os.Getwd(); root == "" && err == nil {
		root = filepath.Join(dir, "../../../../shared")
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feeds are not there: %v", err)
	}
	return p
}

type result struct {
	advisories map[string]*advisory.Advisory
	order      []string
	bad        []string
	err        error
	update     *feed.Update
}

func fetch(t testing.TB, in feed.Input, state feed.State) (r result) {
	t.Helper()
	r.advisories = map[string]*advisory.Advisory{}
	if r.update, r.err = (Database{}).Fetch(t.Context(), in, state); r.err != nil || r.update.Unchanged {
		return r
	}
	for it, err := range r.update.Items {
		var b *feed.BadRecord
		switch {
		case errors.As(err, &b):
			r.bad = append(r.bad, b.Error())
		case err != nil:
			r.err = err
		default:
			if r.advisories[it.Advisory.ID] != nil {
				t.Errorf("%s comes twice", it.Advisory.ID)
			}
			r.advisories[it.Advisory.ID] = it.Advisory
			r.order = append(r.order, it.Advisory.ID)
		}
	}
	return r
}

const (
	database = "elixir/elixir-security-advisories.zip"
	records  = 12 // by the README beside the feeds
)

// verdict says whether a claim affects a version, as matching does.
func verdict(t *testing.T, f advisory.Affected, s string) bool {
	t.Helper()
	v, err := version.Parse(f.Scheme, s)
	if err != nil {
		t.Fatal(err)
	}
	covers := func(requirement string) bool {
		r, err := version.ParseRange(f.Scheme, requirement)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		return err == nil && r.Covers(v)
	}
	if f.Unaffected != "" && covers(f.Unaffected) {
		return false
	}
	return f.Requirement == "" || covers(f.Requirement)
}

// All files, read by hand.
func TestReal(t *testing.T) {
	got := fetch(t, feed.Input{From: shared(t, database)}, feed.State{})
	if got.err != nil || len(got.bad) > 0 || len(got.order) != records || !got.update.Whole {
		t.Fatalf("%d advisories, %q, %v; want %d", len(got.order), got.bad, got.err, records)
	}
	for _, tt := range []struct {
		id, pkg, cve, published string
		fixes, affected, not    string
	}{
		{"75dd2048-1665-440f-b629-0149dbad5300", "paginator", "CVE-2020-15150", "2020-08-18", "1.0.0", "0.6.0", "1.0.0"},
		{"32a198e1-8efc-40e7-9277-c6a632024767", "phoenix", "CVE-2017-1000163", "2017-03-14", "1.0.5 1.1.7 1.2.3 1.3.0-rc.1", "1.0.4 1.1.6 1.2.2 1.3.0-rc.0 0.9.0", "1.0.5 1.1.9 1.2.3 1.3.0 1.4.0"},
		{"fb810971-a5c6-4268-9bd7-d931f72a87ec", "sweet_xml", "CVE-2019-15160", "2019-08-19", "0.7.0", "0.6.6", "0.7.0"},
		{"bcdf62ae-14a8-4179-a0ff-a92d0ca06ceb", "pow_assent", "CVE-2019-16764", "2019-11-25", "0.4.4", "0.4.3", "0.4.4"},
		{"8268e120-60b4-4efb-b9ca-4e3faca0cca6", "plug", "CVE-2017-1000052", "2017-02-28", "1.0.4 1.1.7 1.2.3 1.3.2", "1.0.3 1.1.6 1.2.2 1.3.1", "1.0.4 1.1.7 1.2.3 1.3.2"},
		{"6d35c3ee-ca74-47dc-83e4-bd1604e31309", "plug", "CVE-2017-1000053", "2017-02-28", "1.0.4 1.1.7 1.2.3 1.3.2", "1.3.0", "1.11.0"},
		{"dc96aba4-4462-4d3b-b73f-28b9349133d8", "plug", "CVE-2018-1000883", "2017-04-17", "1.0.6 1.1.9 1.2.5 1.3.5", "1.0.5 1.3.4", "1.0.6 1.3.5"},
		{"0469cde7-c10e-43fd-83f6-11aef00cc8d9", "xain", "CVE-2018-20302", "2018-09-03", "0.6.2", "0.6.1", "0.6.2"},
		{"46aad699-50a3-48d8-a7ac-f248ab96b374", "ecto", "", "2017-08-27", "", "2.2.0", "2.1.9 2.2.1"},
		{"2aae6e3a-24a3-4d5f-86ff-b964eaf7c6d1", "coherence", "CVE-2018-20301", "2017-08-02", "0.5.2", "0.5.1", "0.5.2"},
		{"1c6dd016-838d-4255-b826-ca63fa66a1c9", "pow", "CVE-2020-5205", "2020-01-07", "1.0.16", "1.0.15", "1.0.16"},
		{"298dc371-c851-456b-9af1-5adb1c07f9cb", "phoenix_html", "", "2021-09-23", "3.1.0", "3.0.4", "2.14.3 3.1.0"},
	} {
		a := got.advisories[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		f := a.Affected[0]
		if f.Key != (advisory.Key{Stream: "hex", Name: tt.pkg}) || f.Scheme != version.Hex || strings.Join(a.Aliases, " ") != tt.cve || strings.Join(f.Fix.Versions, " ") != tt.fixes ||
			a.Published.Format(time.DateOnly) != tt.published || f.Fix.State != advisory.Fixed || a.Summary == "" {
			t.Errorf("%+v", a)
		}
		for _, v := range strings.Fields(tt.affected) {
			if !verdict(t, f, v) {
				t.Errorf("%s: %s %s is affected by %q", tt.id, tt.pkg, v, f.Unaffected)
			}
		}
		for _, v := range strings.Fields(tt.not) {
			if verdict(t, f, v) {
				t.Errorf("%s: %s %s is not affected by %q", tt.id, tt.pkg, v, f.Unaffected)
			}
		}
	}
}

func TestBad(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"packages/a/1.yml": "id: 1\npackage: a\ncve: 2024-0001\n",
		"packages/a/2.yml": "id: 1\npackage: a\n",
		"packages/a/3.yml": "id: [\n",
		"packages/a/4.yml": "package: a\n",
		"packages/a/5.yml": "id: 5\npackage: a\ncve: x\n",
		"README.md":        "# Advisories",
	} {
		os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
		os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
	}
	got := fetch(t, feed.Input{From: dir}, feed.State{})
	if got.err != nil || len(got.order) != 1 || len(got.bad) != 4 || got.advisories["1"].Affected[0].Fix.State != advisory.NotFixed {
		t.Fatalf("%v %q %v", got.order, got.bad, got.err)
	}
	if got := fetch(t, feed.Input{From: t.TempDir()}, feed.State{}); got.err == nil {
		t.Error("an empty folder was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("---\nid: 75dd2048-1665-440f-b629-0149dbad5300\npackage: paginator\ndisclosure_date: 2020-08-18\ncve: 2020-15150\nlink: https://a\ntitle: |\n  RCE\npatched_versions:\n  - \">= 1.0.0\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parse(b); err == nil && (a.ID == "" || a.Affected[0].Name == "") {
			t.Errorf("%+v", a)
		}
	})
}

func TestNetwork(t *testing.T) {
	name := shared(t, database)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeFile(w, r, name)
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/master.zip", Client: &feed.Client{Tries: 1}}
	got := fetch(t, in, feed.State{})
	if got.err != nil || len(got.order) != records {
		t.Fatal(got.err, len(got.order))
	}
	if got = fetch(t, in, got.update.State); got.err != nil || !got.update.Unchanged {
		t.Error(got.err)
	}
}

func BenchmarkReal(b *testing.B) {
	name := shared(b, database)
	for b.Loop() {
		fetch(b, feed.Input{From: name}, feed.State{})
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
