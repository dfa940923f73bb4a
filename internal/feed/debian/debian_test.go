package debian

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func TestTrackerReal(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "debian/security-tracker.json.gz")})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	packages, pairs, entries := map[string]bool{}, map[[2]string]bool{}, 0
	for id, a := range got {
		for _, f := range a.Affected {
			packages[f.Name] = true
			pairs[[2]string{f.Name, id}] = true
			entries++
			if f.Names != advisory.Source || f.Scheme != version.Deb {
				t.Fatalf("%s: %+v", id, f)
			}
		}
	}
	if len(packages) != 2058 || len(pairs) != 24045 || entries != 33902 {
		t.Errorf("%d packages, %d pairs, %d entries, want 2058, 24045, 33902", len(packages), len(pairs), entries)
	}
	for _, w := range []struct{ id, stream, name, fixed string }{
		{"CVE-2015-1854", "debian:8", "389-ds-base", "1.3.3.5-4+deb8u1"},
		{"CVE-2018-10871", "debian:8", "389-ds-base", "1.3.3.5-4+deb8u2"},
		{"CVE-2018-14648", "debian:8", "389-ds-base", "1.3.3.5-4+deb8u4"},
		{"CVE-2023-1393", "debian:11", "xorg-server", "2:1.20.11-1+deb11u6"},
		{"CVE-2023-28686", "debian:11", "dino-im", "0.2.0-3+deb11u1"},
	} {
		f := feedtest.Claims(got[w.id], w.stream, w.name)
		if len(f) != 1 || f[0].Fix.First() != w.fixed || len(f[0].Intervals) != 1 || f[0].Intervals[0].Fixed != w.fixed {
			t.Errorf("%s %s %s: %+v, want fixed in %s", w.id, w.stream, w.name, f, w.fixed)
		}
	}
}

func TestTrackerSamples(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "debian/sample/vuls-data-update/tracker/api/advisory.json")})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	if f := feedtest.Claims(got["CVE-2012-0833"], "debian:11", "389-ds-base"); len(f) != 1 || f[0].Status != advisory.StatusNotAffected {
		t.Errorf("fixed_version 0: %+v", f)
	}
	want := []advisory.Affected{{
		Key: advisory.Key{Stream: "debian:11", Name: "389-ds-base"}, Names: advisory.Source, Scheme: version.Deb,
		Fix: advisory.Fix{State: advisory.WontFix}, Note: "Minor issue",
	}}
	if d := cmp.Diff(want, feedtest.Claims(got["CVE-2016-5416"], "debian:11", "389-ds-base")); d != "" {
		t.Error(d)
	}
	if f := feedtest.Claims(got["CVE-2016-5405"], "debian:unstable", "389-ds-base"); len(f) != 1 || f[0].Fix.First() != "1.3.5.15-1" {
		t.Errorf("sid: %+v", f)
	}
	if refs := got["CVE-2016-5405"].References; len(refs) != 1 || refs[0].URL != "https://bugs.debian.org/842121" {
		t.Errorf("references: %+v", refs)
	}
	got, bad, err = feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "debian/sample/vunnel/input/debian.json")})
	if err != nil || len(bad) != 1 || !strings.HasPrefix(bad[0], "CVE-2022-0358 in chromium-browser: ") { // "releases": []
		t.Fatal(err, bad)
	}
	f := feedtest.Claims(got["CVE-2008-7220"], "debian:9", "prototypejs")
	if len(f) != 1 || len(f[0].Severities) != 1 || f[0].Severities[0] != (advisory.Severity{Source: "debian", Type: "LABEL", Label: advisory.High, Raw: "high"}) {
		t.Errorf("high**: %+v", f)
	}
	if _, _, err := feedtest.Advisories(t, Tracker{}, feed.Input{From: feedtest.Shared(t, "debian/sample/vuls-data-update/tracker/api/invalid.json")}); err == nil {
		t.Error("the invalid file was read")
	}
}

func TestTrackerStates(t *testing.T) {
	const in = `{"p":{"CVE-2020-0001":{"releases":{
		"bookworm":{"status":"open","urgency":"low","nodsa":"Minor issue","nodsa_reason":""},
		"bullseye":{"status":"open","urgency":"medium","nodsa":"later","nodsa_reason":"postponed"},
		"buster":{"status":"open","urgency":"end-of-life"},
		"trixie":{"status":"undetermined","urgency":"unimportant"},
		"forky":{"status":"resolved","urgency":"high"},
		"sid":{"status":"open","urgency":"not yet assigned"},
		"zurg":{"status":"open"}, "jessie":{"status":"odd"}}},
		"CVE-2020-0002":{"releases":[]}, "GHSA-1":{"releases":{}}},
		"q":{"TEMP-0290435-0B57B5":{"releases":{"sid":{"status":"resolved","fixed_version":"2"}}},
		"CVE-2020-0001":{"description":"late","releases":{"sid":{"status":"resolved","fixed_version":"0"}}}}}`
	var items []*advisory.Advisory
	var bad []string
	err := readTracker(strings.NewReader(in), func(it feed.Item, err error) bool {
		if err != nil {
			bad = append(bad, err.Error())
		} else {
			items = append(items, it.Advisory)
		}
		return true
	})
	if err != nil || len(items) != 2 || len(bad) != 4 {
		t.Fatal(err, items, bad)
	}
	type short struct {
		stream, name string
		status       advisory.Status
		state        advisory.FixState
		level        advisory.Level
		note         string
	}
	var got []short
	for _, f := range items[0].Affected {
		s := short{f.Stream, f.Name, f.Status, f.Fix.State, "", f.Note}
		if len(f.Severities) > 0 {
			s.level = f.Severities[0].Label
		}
		got = append(got, s)
	}
	want := []short{
		{"debian:10", "p", "", advisory.EndOfLife, "", ""},
		{"debian:11", "p", "", advisory.Deferred, advisory.Medium, "later"},
		{"debian:12", "p", "", advisory.NotFixed, advisory.Low, "no advisory of its own is planned: Minor issue"},
		{"debian:13", "p", advisory.StatusUndetermined, "", advisory.Negligible, ""},
		{"debian:14", "p", advisory.StatusUndetermined, advisory.Fixed, advisory.High, "resolved, but in which version is not said"},
		{"debian:unstable", "p", "", advisory.NotFixed, "", ""},
		{"debian:unstable", "q", advisory.StatusNotAffected, "", "", ""},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(short{})); d != "" {
		t.Error(d)
	}
	if items[0].Details != "late" || items[1].ID != "TEMP-0290435-0B57B5" {
		t.Errorf("%+v", items)
	}
	for _, broken := range []string{"", "[]", `{"p":{"CVE-2020-0001":`, `{"p":[]}`, `{"p":{}}x`, `{"p":{}}{}`, `<html></html>`, `{"p":{"CVE-2020-0001":{}`} {
		if err := readTracker(strings.NewReader(broken), func(feed.Item, error) bool { return true }); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}

func TestTrackerRecordLimit(t *testing.T) {
	r := io.MultiReader(strings.NewReader(`{"p":{"CVE-2020-0001":{"description":"`), io.LimitReader(endless('x'), 70<<20))
	err := readTracker(r, func(feed.Item, error) bool { return true })
	var limit *jsontext.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("%v, want a limit", err)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestListsReal(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Lists{}, feed.Input{From: feedtest.Shared(t, "debian/tracker-lists")})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	dsa := 0
	for id := range got {
		if strings.HasPrefix(id, "DSA-") {
			dsa++
		}
	}
	if dsa != 5406 || len(got)-dsa != 3534 {
		t.Errorf("%d DSA and %d DLA, want 5406 and 3534", dsa, len(got)-dsa)
	}
	// Lines "[release] - package" in the two files, 10523, but for those of
	// advisories that name no CVE and are about no vulnerability, 290.
	lines := 0
	for _, a := range got {
		lines += len(a.Affected)
	}
	if lines != 10523-290 {
		t.Errorf("%d packages of releases, want %d", lines, 10523-290)
	}
	march29 := time.Date(2023, 3, 29, 0, 0, 0, 0, time.UTC)
	want := &advisory.Advisory{
		Source: "debian-dsa", ID: "DSA-5380-1", Upstream: []string{"CVE-2023-1393"}, Summary: "xorg-server - security update",
		URL: "https://security-tracker.debian.org/tracker/DSA-5380-1", Published: march29,
		Affected: []advisory.Affected{{
			Key: advisory.Key{Stream: "debian:11", Name: "xorg-server"}, Names: advisory.Source, Scheme: version.Deb,
			Intervals: []advisory.Interval{{Fixed: "2:1.20.11-1+deb11u6"}},
			Fix: advisory.Fix{
				State: advisory.Fixed, Versions: []string{"2:1.20.11-1+deb11u6"}, Date: march29, Advisory: "DSA-5380-1",
				URL: "https://security-tracker.debian.org/tracker/DSA-5380-1",
			},
		}},
	}
	if d := cmp.Diff(want, got["DSA-5380-1"]); d != "" {
		t.Error(d)
	}
	if n := len(got["DSA-5371-1"].Upstream); n != 24 {
		t.Errorf("DSA-5371-1 names %d CVEs, want 24", n)
	}
	for _, w := range []struct{ id, stream, name, fixed string }{
		{"DSA-5356-1", "debian:11", "sox", "14.4.2+git20190427-2+deb11u1"},
		{"DSA-5372-1", "debian:11", "rails", "2:6.0.3.7+dfsg-2+deb11u1"},
		{"DSA-5378-1", "debian:11", "xen", "4.14.5+94-ge49571868d-1"},
		{"DSA-5369-1", "debian:11", "syslog-ng", "3.28.1-2+deb11u1"},
	} {
		if f := feedtest.Claims(got[w.id], w.stream, w.name); len(f) != 1 || f[0].Fix.First() != w.fixed {
			t.Errorf("%s: %+v, want %s", w.id, f, w.fixed)
		}
	}
}

func TestListsLines(t *testing.T) {
	const in = `[02 Nov 2005] DSA-879-1 gallery - bug
	{CVE-2005-2596 CVE-2005-2596 XSA-1 }
	[woody] - gallery <not-affected> (Not affected, according to DSA-879)
        [sarge] - awstats 6.4-1sarge1 (bug #322591; bug #334833; medium)
	[etch] - curl  7.26.0-1+wheezy5
	[lenny] - vlc <end-of-life>
	[lenny] - p1 <unfixed> (high)
	[lenny] - p2 <removed>
	[lenny] - p3 <odd>
	[zurg] - p3 1
	- p4 1.0
	NOTE: one
	NOTE: two
	rubbish
[18 Apr 2018] DSA-4205-1 jessie end-of-life
[x] DSA-4206-1 a
more
`
	got, bad, err := feedtest.Collect(t, feed.Items(func(out *feed.Output) error {
		l := &lists{unknown: map[string]bool{}, out: out}
		return l.read("list", strings.NewReader(in))
	})).All()
	if err != nil || len(bad) != 5 || len(got) != 2 {
		t.Fatalf("%v\n%s\n%v", err, strings.Join(bad, "\n"), got)
	}
	a := got["DSA-879-1"]
	if len(a.Affected) != 6 || a.Details != "one\ntwo" || len(a.Upstream) != 1 || len(a.Related) != 1 {
		t.Fatalf("%+v", a)
	}
	f := a.Affected
	if f[0].Status != advisory.StatusNotAffected || f[0].Note == "" || f[1].Severities[0].Label != advisory.Medium || f[1].Stream != "debian:3" ||
		f[2].Fix.First() != "7.26.0-1+wheezy5" || f[3].Fix.State != advisory.EndOfLife || f[4].Fix.State != advisory.NotFixed ||
		f[5].Stream != "debian:unstable" || f[5].Fix.First() != "1.0" {
		t.Errorf("%+v", f)
	}
}

func TestListsSamples(t *testing.T) {
	got, bad, err := feedtest.Advisories(t, Lists{}, feed.Input{From: feedtest.Shared(t, "debian/sample/vuls-data-update/tracker/salsa/security-tracker-master.tar.gz")})
	if err != nil || len(bad) > 0 || len(got) != 5 {
		t.Fatal(err, bad, len(got))
	}
	if f := feedtest.Claims(got["DSA-5545-1"], "debian:12", "vlc"); len(f) != 1 || f[0].Fix.First() != "3.0.20-0+deb12u1" {
		t.Errorf("%+v", f)
	}
	got, bad, err = feedtest.Advisories(t, Lists{}, feed.Input{From: feedtest.Shared(t, "debian/sample/vunnel/input/DSA")})
	if err != nil || len(bad) > 0 {
		t.Fatal(err, bad)
	}
	if a := got["DSA-140"]; len(a.Affected) != 2 || a.Affected[1].Name != "libpng3" || a.Affected[1].Stream != "debian:3" {
		t.Errorf("%+v", a)
	}
	for _, from := range []string{"debian/sample/vuls-data-update/tracker/api", "debian/sample/vuls-data-update/oval"} {
		if _, _, err := feedtest.Advisories(t, Lists{}, feed.Input{From: feedtest.Shared(t, from)}); err == nil {
			t.Errorf("%s was read", from)
		}
	}
}

func TestNetwork(t *testing.T) {
	lists := map[string]string{
		"/DSA/list": "[01 Aug 2002] DSA-139 super - x\n\t[woody] - super 3.16.1-1.2\n",
		"/DLA/list": "[01 Aug 2022] DLA-139 super - x\n\t[buster] - super 3.16.1-1.2\n",
	}
	page := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := lists[r.URL.Path]
		if page {
			body = "<html><title>moved</title></html>"
		}
		tag := `"` + string(rune('a'+len(body)%26)) + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, body)
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL, Client: &feed.Client{}}
	fetch := func(state feed.State) *feed.Update {
		t.Helper()
		u, err := Lists{}.Fetch(t.Context(), in, state)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	u := fetch(feed.State{})
	if got, bad, err := feedtest.Collect(t, u.Items).All(); err != nil || len(bad) > 0 || len(got) != 2 {
		t.Fatal(got, bad, err)
	}
	again := fetch(u.State)
	if !again.Unchanged || len(again.State.Parts) != 2 {
		t.Errorf("%+v", again)
	}
	lists["/DLA/list"] += "\tNOTE: changed\n"
	third := fetch(again.State)
	if got, _, err := feedtest.Collect(t, third.Items).All(); err != nil || third.Unchanged || !third.Whole || len(got) != 2 {
		t.Errorf("%v %+v", err, got)
	}
	page = true
	if _, err := (Lists{}).Fetch(t.Context(), in, feed.State{}); err == nil {
		t.Error("a web page was taken")
	}
	if _, err := (Tracker{}).Fetch(t.Context(), in, feed.State{}); err == nil {
		t.Error("a web page was taken")
	}
}

func FuzzTracker(f *testing.F) {
	if b, err := os.ReadFile(feedtest.Shared(f, "debian/sample/vuls-data-update/tracker/api/advisory.json")); err == nil {
		f.Add(b)
	}
	f.Add([]byte(`{"p":{"CVE-2020-0001":{"releases":{"sid":{"status":"open"}}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		readTracker(strings.NewReader(string(b)), func(feed.Item, error) bool { n++; return n < 5 })
	})
}

func FuzzLists(f *testing.F) {
	if b, err := os.ReadFile(feedtest.Shared(f, "debian/sample/vunnel/input/DSA")); err == nil {
		f.Add(b)
	}
	f.Add([]byte("[01 Aug 2002] DSA-139 super - x\n\t{CVE-1}\n\t[woody] - super <x> (a;b)\n\t- a b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &lists{unknown: map[string]bool{}, out: feed.NewOutput(func(feed.Item, error) bool { return true })}
		l.read("x", strings.NewReader(string(b)))
	})
}

func BenchmarkTracker(b *testing.B) {
	f, err := os.Open(feedtest.Shared(b, "debian/security-tracker.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := readTracker(strings.NewReader(string(raw)), func(feed.Item, error) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
