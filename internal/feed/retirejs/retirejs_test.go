package retirejs

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Of the 723 and 545 entries two are for tests of retire.js itself; the others
// have 981 different names, counted from the files.
func TestReal(t *testing.T) {
	got := feedtest.Fetch(t, Repository{}, feed.Input{From: feedtest.Shared(t, "retirejs")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 981 || !got.Update.Whole {
		t.Fatalf("%d advisories, %q, %v; want 981", len(got.Order), got.Bad, got.Err)
	}
	generic := 0
	for _, a := range got.Advisories {
		for _, f := range a.Affected {
			if f.Scheme == version.Generic {
				generic++
			}
			for _, v := range []string{f.Intervals[0].Introduced, f.Intervals[0].Fixed} {
				if _, err := version.Parse(f.Scheme, v); v != "" && err != nil {
					t.Errorf("%s, %s: %v", a.ID, f.Name, err)
				}
			}
			if f.Unaffected != "" {
				if _, err := version.ParseRange(f.Scheme, f.Unaffected); err != nil {
					t.Errorf("%s, %s: %v", a.ID, f.Name, err)
				}
			}
		}
	}
	if generic == 0 || generic > 30 {
		t.Errorf("%d claims have versions that npm does not know", generic)
	}
	fixed := func(v string) advisory.Fix { return advisory.Fix{State: advisory.Fixed, Versions: []string{v}} }
	open := advisory.Fix{State: advisory.NotFixed}
	for _, tt := range []struct {
		id, aliases, name, severity string
		in                          advisory.Interval
		unaffected                  string
		fix                         advisory.Fix
	}{
		{"GHSA-579v-mp3v-rrw5", "CVE-2011-4969", "jquery", "medium", advisory.Interval{Fixed: "1.6.3"}, "", fixed("1.6.3")},
		{"retire.js:jquery:retid:73", "", "jquery", "low", advisory.Interval{Fixed: "2.999.999"}, "1.12.4-aem", open},
		{"GHSA-rmxg-73gg-4p98", "CVE-2015-9251", "jquery", "medium", advisory.Interval{Introduced: "1.4.0", Fixed: "1.12.0"}, "", fixed("1.12.0")},
		{"GHSA-rmxg-73gg-4p98", "CVE-2015-9251", "jquery", "medium", advisory.Interval{Introduced: "1.12.3", Fixed: "3.0.0-beta1"}, "1.12.4-aem", fixed("3.0.0-beta1")},
		{"CVE-2011-4825", "", "tinymce", "high", advisory.Interval{Fixed: "1.4.2"}, "", fixed("1.4.2")},
		{"GHSA-3f5c-4qxj-vmpf", "CVE-2017-16877", "next", "high", advisory.Interval{Introduced: "1.0.0", Fixed: "2.4.1"}, "", fixed("2.4.1")},
		{"retire.js:angularjs:retid:50", "", "angular", "medium", advisory.Interval{Introduced: "1.0.0", Fixed: "1.2.30"}, "", fixed("1.2.30")},
		{"CVE-2008-7220", "", "prototypejs", "high", advisory.Interval{Fixed: "1.5.1.2"}, "", fixed("1.5.1.2")},
		{"CVE-2010-4207", "", "yui", "medium", advisory.Interval{Introduced: "2.4.0", Fixed: "2.8.2"}, "", fixed("2.8.2")},
		{"CVE-2018-3717", "", "simple-server", "high", advisory.Interval{}, "", open},
		{"CVE-2014-8881", "", "bleach", "medium", advisory.Interval{}, "", open},
		{"CVE-2015-1370", "", "marked", "medium", advisory.Interval{Fixed: "0.3.3"}, "", fixed("0.3.3")},
	} {
		a := got.Advisories[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		i := slices.IndexFunc(a.Affected, func(f advisory.Affected) bool { return f.Name == tt.name && f.Intervals[0] == tt.in })
		if i < 0 {
			t.Errorf("%s: no %s %v in %+v", tt.id, tt.name, tt.in, a.Affected)
			continue
		}
		f := a.Affected[i]
		severities := f.Severities
		if severities == nil {
			severities = a.Severities
		}
		if f.Stream != "npm" || f.Unaffected != tt.unaffected || string(severities[0].Label) != tt.severity || strings.Join(a.Aliases, " ") != tt.aliases || !cmp.Equal(f.Fix, tt.fix) {
			t.Errorf("%s: %+v %v", tt.id, f, a.Aliases)
		}
	}
	if f := got.Advisories["CVE-2008-7220"].Affected[0]; f.Note != "the library that retire.js calls prototypejs, which names no npm package for it" {
		t.Errorf("%+v", f)
	}
	// The forms of the repository of libraries say the same but for v6's excludes.
	for file, want := range map[string]int{"jsrepository-v4.json": 722, "jsrepository-v6.json": 722, "npmrepository.json": 544} {
		one := feedtest.Fetch(t, Repository{}, feed.Input{From: feedtest.Shared(t, "retirejs/"+file)}, feed.State{})
		n := 0
		for _, a := range one.Advisories {
			n += len(a.Affected)
		}
		// A few entries say the same twice.
		if one.Err != nil || len(one.Bad) > 0 || n > want || n < want-12 {
			t.Errorf("%s: %d claims, %v, %v; want %d", file, n, one.Bad, one.Err, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	dir := feedtest.Shared(t, "retirejs")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		if name == "jsrepository-v6.json" || name == "jsrepository-v5.json" { // an older mirror
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"`+name+`"`)
		http.ServeFile(w, r, filepath.Join(dir, name))
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/repository/", Client: &feed.Client{Tries: 1}}
	got := feedtest.Fetch(t, Repository{}, in, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 981 {
		t.Fatal(got.Err, len(got.Order))
	}
	if got = feedtest.Fetch(t, Repository{}, in, got.Update.State); got.Err != nil || !got.Update.Unchanged {
		t.Error(got.Err)
	}
}

func TestBad(t *testing.T) {
	for name, tt := range map[string]struct {
		content      string
		records, bad int
		fails        string
	}{
		"records": {`{"a":{"vulnerabilities":[{"below":"1"},{"severity":"high"},{"below":"1.3.0-*","identifiers":{"CVE":["CVE-2024-0001","CVE-2024-0002"]}}]},"b":7,"c":{"vulnerabilities":{}},"d":{}}`, 2, 3, ""},
		"cut off": {`{"a":{"vulnerabilities":[{"below":"1"}]}`, 0, 0, "unexpected EOF"},
		"list":    {`[]`, 0, 0, "object"},
		"html":    {`<html>`, 0, 0, "web page"},
	} {
		got := feedtest.Fetch(t, Repository{}, feed.Input{From: feedtest.File(t, "npmrepository.json", tt.content)}, feed.State{})
		if len(got.Order) != tt.records || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %v, bad %v, error %v", name, got.Order, got.Bad, got.Err)
		}
	}
	if got := feedtest.Fetch(t, Repository{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
		t.Error("an empty folder was taken")
	}
}

func FuzzRepository(f *testing.F) {
	f.Add(`{"jquery":{"npmname":"jquery","extractors":{},"vulnerabilities":[{"atOrAbove":"1.12.3","below":"3.0.0-beta1","excludes":["1.12.4-aem"],"cwe":["CWE-79"],"severity":"medium","identifiers":{"summary":"x","issue":"2432","CVE":["CVE-2015-9251"],"githubID":"GHSA-rmxg-73gg-4p98"},"info":["https://a"]},{"below":"~"}]}}`)
	f.Fuzz(func(t *testing.T, s string) {
		r := newReader(feed.NewOutput(func(it feed.Item, err error) bool {
			if err == nil && (it.Advisory.ID == "" || len(it.Advisory.Affected) == 0) {
				t.Errorf("%+v", it.Advisory)
			}
			return true
		}))
		r.repository(feed.NewJSONReader(strings.NewReader(s), 1<<20))
		r.flush()
	})
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Repository{}, feedtest.Shared(b, "retirejs"), 1266)
}
