package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func open(t *testing.T) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// update makes a whole update of items; an error among them is yielded as one.
func update(whole bool, items ...any) *feed.Update {
	return &feed.Update{Whole: whole, Items: func(yield func(feed.Item, error) bool) {
		for _, it := range items {
			var ok bool
			switch it := it.(type) {
			case error:
				ok = yield(feed.Item{}, it)
			case advisory.Advisory:
				ok = yield(feed.Item{Advisory: &it}, nil)
			case advisory.Exploited:
				ok = yield(feed.Item{Exploited: &it}, nil)
			case advisory.EPSS:
				ok = yield(feed.Item{EPSS: &it}, nil)
			case advisory.Cycle:
				ok = yield(feed.Item{Cycle: &it}, nil)
			case advisory.Statement:
				ok = yield(feed.Item{Statement: &it}, nil)
			}
			if !ok {
				return
			}
		}
	}}
}

var when = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func curl(id, fixed string) advisory.Advisory {
	return advisory.Advisory{ID: id, Aliases: []string{"GHSA-" + id}, Summary: "a hole", Details: "long text", Published: when.AddDate(-1, 0, 0),
		Severities: []advisory.Severity{{Source: "debian", Type: "LABEL", Label: advisory.High, Raw: "high"}},
		References: []advisory.Reference{{Type: "WEB", URL: "https://example.com/" + id}},
		Affected: []advisory.Affected{{Key: advisory.Key{Stream: "debian:12", Name: "curl"}, Names: advisory.Source, Scheme: version.Deb,
			Intervals: []advisory.Interval{{Fixed: fixed}}, Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{fixed}, Date: when}}}}
}

func apply(t *testing.T, db *DB, u *feed.Update, at time.Time) FeedChange {
	t.Helper()
	c, err := db.ApplyFeed(t.Context(), "test", u, Guard{}, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func snapshot(t *testing.T, db *DB, asOf time.Time) *Snapshot {
	t.Helper()
	s, err := db.Snapshot(t.Context(), SnapshotOptions{AsOf: asOf, Now: when.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fixes(t *testing.T, s *Snapshot) []string {
	t.Helper()
	as, err := s.AdvisoriesFor(t.Context(), []advisory.Key{{Stream: "debian:12", Name: "curl"}, {Stream: "npm", Name: "nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range as {
		for _, f := range a.Affected {
			out = append(out, a.ID+" "+f.Fix.First())
		}
	}
	return out
}

func TestNothingTrueIsOverwritten(t *testing.T) {
	db := open(t)
	day := func(n int) time.Time { return when.AddDate(0, 0, n) }
	if c := apply(t, db, update(true, curl("CVE-2026-0001", "1.0"), curl("CVE-2026-0002", "1.0")), day(0)); c.Added != 2 || c.Generation != 1 {
		t.Errorf("first update: %+v", c)
	}
	// nothing new: no work, no generation
	if c := apply(t, db, update(true, curl("CVE-2026-0002", "1.0"), curl("CVE-2026-0001", "1.0")), day(1)); c.Generation != 0 || c.Same != 2 {
		t.Errorf("same again: %+v", c)
	}
	// changed without a newer date, withdrawn by disappearing, new
	if c := apply(t, db, update(true, curl("CVE-2026-0001", "2.0"), curl("CVE-2026-0003", "3.0")), day(2)); c.Added != 1 || c.Changed != 1 || c.Removed != 1 || c.Records != 2 {
		t.Errorf("third update: %+v", c)
	}
	// an increment: removals are named
	inc := update(false, curl("CVE-2026-0004", "4.0"))
	inc.Removed = []string{"CVE-2026-0001", "CVE-unknown"}
	if c := apply(t, db, inc, day(3)); c.Added != 1 || c.Removed != 1 || c.Records != 2 {
		t.Errorf("increment: %+v", c)
	}
	for d, want := range map[int][]string{
		-1: nil,
		0:  {"CVE-2026-0001 1.0", "CVE-2026-0002 1.0"},
		1:  {"CVE-2026-0001 1.0", "CVE-2026-0002 1.0"},
		2:  {"CVE-2026-0001 2.0", "CVE-2026-0003 3.0"},
		3:  {"CVE-2026-0003 3.0", "CVE-2026-0004 4.0"},
	} {
		if diff := cmp.Diff(want, fixes(t, snapshot(t, db, day(d).Add(time.Hour)))); diff != "" {
			t.Errorf("what was known on day %d (-want +got):\n%s", d, diff)
		}
	}
}

func TestRecordsComeBackWhole(t *testing.T) {
	db := open(t)
	a := curl("CVE-2026-0001", "1.0")
	a.Upstream, a.CWEs, a.URL, a.Modified, a.Withdrawn, a.Malicious = []string{"CVE-2026-0009"}, []string{"CWE-79"}, "https://example.com", when, when, true
	a.Affected[0].Arches, a.Affected[0].Module, a.Affected[0].Note, a.Affected[0].With = []string{"amd64"}, "m:1", "note", []string{"cpe:2.3:o:*"}
	a.Affected = append(a.Affected, advisory.Affected{Key: advisory.Key{Stream: "npm", Name: "x"}, Scheme: version.NPM, Requirement: "<2", Unaffected: "1.5", Versions: []string{"1"}, Status: advisory.StatusInvestigating, Fix: advisory.Fix{State: advisory.WontFix}})
	e := advisory.Exploited{ID: "CVE-2026-0001", Added: when, Due: when, Ransomware: true, Name: "n"}
	c := advisory.Cycle{Product: "debian", Cycle: "12", EOL: when, Identifiers: []string{"cpe:x"}}
	st := advisory.Statement{Document: "d", Vulnerability: "CVE-2026-0001", Products: []string{"pkg:deb/curl"}, Status: "not_affected", Time: when}
	apply(t, db, update(true, a, e, c, st), when)
	s := snapshot(t, db, time.Time{})
	for _, id := range []string{"CVE-2026-0001", "GHSA-CVE-2026-0001", "CVE-2026-0009"} {
		got, _, err := s.Find(t.Context(), id)
		want := a
		want.Source = "test"
		if err != nil || len(got) != 1 {
			t.Fatalf("Find(%s) = %v, %v", id, got, err)
		}
		if d := cmp.Diff(want, got[0]); d != "" {
			t.Errorf("Find(%s) (-want +got):\n%s", id, d)
		}
	}
	ex, err := s.Exploited(t.Context(), []string{"CVE-2026-0001", "CVE-2026-0002"})
	e.Source = "test"
	if d := cmp.Diff(map[string]advisory.Exploited{e.ID: e}, ex); d != "" || err != nil {
		t.Errorf("Exploited: %v (-want +got):\n%s", err, d)
	}
	cs, err := s.Cycles(t.Context(), "debian")
	c.Source = "test"
	if d := cmp.Diff([]advisory.Cycle{c}, cs); d != "" || err != nil {
		t.Errorf("Cycles: %v (-want +got):\n%s", err, d)
	}
	sts, err := s.Statements(t.Context(), []string{"CVE-2026-0001"})
	st.Source = "test"
	if d := cmp.Diff([]advisory.Statement{st}, sts); d != "" || err != nil {
		t.Errorf("Statements: %v (-want +got):\n%s", err, d)
	}
}

func TestBrokenUpdateChangesNothing(t *testing.T) {
	db := open(t)
	apply(t, db, update(true, curl("CVE-2026-0001", "1.0")), when)
	broken := errors.New("unexpected end")
	_, err := db.ApplyFeed(t.Context(), "test", update(true, curl("CVE-2026-0002", "1.0"), broken), Guard{}, when.AddDate(0, 0, 1))
	if !errors.Is(err, broken) {
		t.Errorf("ApplyFeed = %v", err)
	}
	if d := cmp.Diff([]string{"CVE-2026-0001 1.0"}, fixes(t, snapshot(t, db, time.Time{}))); d != "" {
		t.Errorf("after a broken update (-want +got):\n%s", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.ApplyFeed(ctx, "test", update(true, curl("CVE-2026-0002", "1.0")), Guard{}, when); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestShrunkenUpdateIsRefused(t *testing.T) {
	db := open(t)
	var many []any
	for i := range 200 {
		many = append(many, curl(fmt.Sprintf("CVE-2026-%04d", i), "1"))
	}
	apply(t, db, update(true, many...), when)
	_, err := db.ApplyFeed(t.Context(), "test", update(true, many[:50]...), Guard{}, when)
	var shrunken *ShrunkenError
	if !errors.As(err, &shrunken) || shrunken.Had != 200 || shrunken.Have != 50 {
		t.Errorf("ApplyFeed = %v", err)
	}
	if c, err := db.ApplyFeed(t.Context(), "test", update(true, many[:50]...), Guard{Force: true}, when); err != nil || c.Removed != 150 {
		t.Errorf("forced: %+v, %v", c, err)
	}
}

func TestBadRecordsAreKeptAside(t *testing.T) {
	db := open(t)
	noName := curl("CVE-2026-0003", "1")
	noName.Affected[0].Name = ""
	c := apply(t, db, update(true, curl("CVE-2026-0001", "1"), &feed.BadRecord{Record: "CVE-2026-0002", Err: errors.New("torn")}, noName, curl("CVE-2026-0001", "2")), when)
	if c.Added != 1 || c.Bad != 3 {
		t.Errorf("%+v", c)
	}
	bad, err := db.BadRecords(t.Context(), "test")
	var ids []string
	for _, b := range bad {
		ids = append(ids, b.Record)
	}
	if want := []string{"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("BadRecords = %v, %v, want %v", ids, err, want)
	}
}

func TestScores(t *testing.T) {
	db := open(t)
	day1, day2 := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)
	var one, two []any
	for i := range 5000 {
		id := fmt.Sprintf("CVE-2020-%d", 1000+i)
		one = append(one, advisory.EPSS{ID: id, Score: float64(i) / 1e5, Percentile: 0.5, Date: day1})
		two = append(two, advisory.EPSS{ID: id, Score: float64(i+1) / 1e5, Percentile: 0.25, Date: day2})
	}
	apply(t, db, update(true, one...), day1)
	apply(t, db, update(true, two...), day2)
	for at, want := range map[time.Time]float64{day1.Add(time.Hour): 0.00042, day2.Add(time.Hour): 0.00043} {
		got, err := snapshot(t, db, at).EPSS(t.Context(), []string{"CVE-2020-1042", "CVE-1999-0001", "CVE-2020-5999"})
		if err != nil || len(got) != 2 || got["CVE-2020-1042"].Score != want {
			t.Errorf("EPSS at %v = %v, %v", at, got, err)
		}
	}
}

func TestCoverageAndAge(t *testing.T) {
	db := open(t)
	apply(t, db, update(true, curl("CVE-2026-0001", "1")), when)
	fresh := func(string) time.Duration { return 24 * time.Hour }
	for now, stale := range map[time.Time]bool{when.Add(time.Hour): false, when.AddDate(0, 0, 3): true} {
		s, err := db.Snapshot(t.Context(), SnapshotOptions{Now: now, Fresh: fresh})
		if err != nil {
			t.Fatal(err)
		}
		if known, old := s.Stream("debian:12"); !known || old != stale {
			t.Errorf("Stream(debian:12) = %v, %v, want stale %v", known, old, stale)
		}
		if known, _ := s.Stream("alpine:3.18"); known {
			t.Error("a stream without data is known")
		}
	}
	off, err := db.Snapshot(t.Context(), SnapshotOptions{Now: when, Off: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	if known, _ := off.Stream("debian:12"); known || fixes(t, off) != nil {
		t.Error("a source that is off counts")
	}
}

func TestFeedDiff(t *testing.T) {
	db := open(t)
	apply(t, db, update(true, curl("CVE-2026-0001", "1"), curl("CVE-2026-0002", "1"), curl("CVE-2026-0009", "1")), when)
	apply(t, db, update(true, curl("CVE-2026-0001", "2"), curl("CVE-2026-0003", "1"), curl("CVE-2026-0009", "1")), when.AddDate(0, 0, 1))
	apply(t, db, update(true, curl("CVE-2026-0001", "3"), curl("CVE-2026-0003", "1"), curl("CVE-2026-0009", "1")), when.AddDate(0, 0, 2))
	got, err := db.FeedDiff(t.Context(), "", when, when.AddDate(0, 0, 1))
	want := []RecordDiff{{"test", "CVE-2026-0001", "changed"}, {"test", "CVE-2026-0002", "removed"}, {"test", "CVE-2026-0003", "added"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("FeedDiff: %v (-want +got):\n%s", err, d)
	}
	if got, err := db.FeedDiff(t.Context(), "", when.Add(-time.Hour), when.AddDate(0, 0, 3)); err != nil || len(got) != 3 {
		t.Errorf("from nothing: %v, %v", got, err)
	}
}

func TestCoverageOfAnInstant(t *testing.T) {
	db := open(t)
	npm := func(id string) advisory.Advisory {
		return advisory.Advisory{ID: id, Affected: []advisory.Affected{{Key: advisory.Key{Stream: "npm", Name: "x"}, Scheme: version.NPM}}}
	}
	apply(t, db, update(true, npm("A-1"), curl("CVE-2026-0001", "1.0")), when)
	apply(t, db, update(true, curl("CVE-2026-0001", "1.0")), when.AddDate(0, 0, 10)) // npm is gone
	bound := func(string) time.Duration { return 48 * time.Hour }
	tests := []struct {
		name         string
		asOf         time.Time
		npm, distro  bool
		stale        bool
		advisoryOfIt int
	}{
		{"before the first update nothing was known", when.AddDate(0, 0, -1), false, false, false, 0},
		{"then both streams", when.Add(time.Hour), true, true, false, 1},
		{"which grew old", when.AddDate(0, 0, 5), true, true, true, 1},
		{"then one of them was taken back", when.AddDate(0, 0, 10).Add(time.Hour), false, true, false, 0},
		{"now", time.Time{}, false, true, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := db.Snapshot(t.Context(), SnapshotOptions{AsOf: tt.asOf, Now: when.AddDate(0, 0, 11), Fresh: bound})
			if err != nil {
				t.Fatal(err)
			}
			known, stale := s.Stream("debian:12")
			if js, _ := s.Stream("npm"); js != tt.npm || known != tt.distro || stale != tt.stale {
				t.Errorf("npm %v, debian:12 %v, stale %v; want %v, %v, %v", js, known, stale, tt.npm, tt.distro, tt.stale)
			}
			as, err := s.AdvisoriesFor(t.Context(), []advisory.Key{{Stream: "npm", Name: "x"}})
			if err != nil || len(as) != tt.advisoryOfIt {
				t.Errorf("AdvisoriesFor = %v, %v", as, err)
			}
		})
	}
}

func TestSourcesThatAreOff(t *testing.T) {
	db := open(t)
	apply(t, db, update(true, curl("CVE-2026-0001", "1.0")), when)
	u := update(true)
	u.Items = func(yield func(feed.Item, error) bool) {
		yield(feed.Item{EPSS: &advisory.EPSS{ID: "CVE-2026-0001", Score: 0.5, Date: when}}, nil)
	}
	if _, err := db.ApplyFeed(t.Context(), "epss", u, Guard{}, when); err != nil {
		t.Fatal(err)
	}
	s, err := db.Snapshot(t.Context(), SnapshotOptions{Now: when, Off: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	if on, off, err := s.Find(t.Context(), "CVE-2026-0001"); err != nil || len(on) != 0 || len(off) != 1 {
		t.Errorf("Find = %v, %v, %v", on, off, err)
	}
	if e, err := s.EPSS(t.Context(), []string{"CVE-2026-0001"}); err != nil || len(e) != 0 {
		t.Errorf("EPSS = %v, %v", e, err)
	}
	if known, _ := s.Stream("debian:12"); known {
		t.Error("a stream is covered by a source that is off")
	}
}

func TestRecordsThatCannotBeReadAnyMoreStay(t *testing.T) {
	db := open(t)
	apply(t, db, update(true, curl("CVE-2026-0001", "1.0"), curl("CVE-2026-0002", "1.0"), curl("CVE-2026-0003", "1.0")), when)
	c := apply(t, db, update(true, &feed.BadRecord{Record: "all/CVE-2026-0001.json", Err: errors.New("broken")}, curl("CVE-2026-0002", "2.0")), when.AddDate(0, 0, 1))
	if c.Removed != 1 || c.Bad != 1 || c.Records != 2 {
		t.Errorf("%+v", c)
	}
	if d := cmp.Diff([]string{"CVE-2026-0001 1.0", "CVE-2026-0002 2.0"}, fixes(t, snapshot(t, db, time.Time{}))); d != "" {
		t.Errorf("what is known (-want +got):\n%s", d)
	}
}
