package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/store"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

type namedSource struct{ info feed.Info }

func (s namedSource) Info() feed.Info { return s.info }
func (s namedSource) Fetch(context.Context, feed.Input, feed.State) (*feed.Update, error) {
	return nil, os.ErrInvalid
}

// world is a small set of packages and of publishers that change their minds.
type world struct {
	*rand.Rand
	records map[string]map[string]feed.Item // of a source
}

func (w *world) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *world) cve() string { return fmt.Sprintf("CVE-2024-%04d", 1000+w.IntN(30)) }

// change adds, changes or removes a record of a source.
func (w *world) change(source string) {
	set := w.records[source]
	switch source {
	case "kev":
		id := w.cve()
		if _, ok := set[id]; ok {
			delete(set, id)
		} else {
			set[id] = feed.Item{Exploited: &advisory.Exploited{ID: id, Added: may.AddDate(0, -w.IntN(5), 0), Ransomware: w.IntN(2) == 0}}
		}
		return
	case "epss":
		for i := range 30 {
			id := fmt.Sprintf("CVE-2024-%04d", 1000+i)
			set[id] = feed.Item{EPSS: &advisory.EPSS{ID: id, Score: float64(w.IntN(1000)) / 1000, Percentile: 0.5, Date: may.AddDate(0, 0, -w.IntN(2)).Truncate(24 * time.Hour)}}
		}
		return
	}
	id := w.pick("A", "B", "") + fmt.Sprintf("X-%d", w.IntN(15))
	if w.IntN(3) == 0 {
		id = w.cve()
	}
	if w.IntN(5) == 0 {
		delete(set, id)
		return
	}
	a := &advisory.Advisory{ID: id, Summary: w.pick("", "one", "two"), URL: w.pick("", "https://example.org/"+id)}
	for range w.IntN(3) {
		a.Aliases = append(a.Aliases, w.pick(w.cve(), "GHSA-aaaa", "GHSA-bbbb"))
	}
	if w.IntN(4) == 0 {
		a.Upstream = []string{w.cve(), w.cve()}
	}
	if w.IntN(6) == 0 {
		a.Withdrawn = may
	}
	for range w.IntN(3) {
		a.Severities = append(a.Severities, advisory.Severity{Source: source, Type: "CVSS_V3", Score: float64(w.IntN(100)) / 10, Label: advisory.Level(w.pick("", "low", "high"))})
	}
	for range w.IntN(3) {
		a.Affected = append(a.Affected, advisory.Affected{
			Key: advisory.Key{Stream: "npm", Name: fmt.Sprintf("p%d", w.IntN(12))}, Scheme: version.NPM,
			Intervals: []advisory.Interval{{Introduced: w.pick("", "1.0.0"), Fixed: w.pick("", "1.5.0", "2.0.0", "not a version")}},
			Status:    advisory.Status(w.pick("", "", "", string(advisory.StatusNotAffected))),
		})
	}
	set[id] = feed.Item{Advisory: a}
}

// TestKeptAnswersAreThoseFoundNow changes what publishers say, and what the
// owner wants to hear, many times; after each change a scan that may take what
// was kept gives the same as one that may not.
func TestKeptAnswersAreThoseFoundNow(t *testing.T) {
	var kept, taken int
	for seed := range uint64(6) {
		w := &world{rand.New(rand.NewPCG(seed, 7)), map[string]map[string]feed.Item{}}
		f := testFeeds(t)
		names := []string{"one", "two", "general", "kev", "epss"}
		for i, n := range names {
			w.records[n] = map[string]feed.Item{}
			info := feed.Info{Name: n, URL: "https://example.org", Priority: 10 - 3*i}
			if n == "two" {
				info.Replaces = "general"
			}
			f.Sources = append(f.Sources, namedSource{info})
		}
		answers, err := store.OpenAnswers(t.Context(), filepath.Join(t.TempDir(), "matches.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer answers.Close()
		img := &inventory.Image{}
		for i := range 24 {
			p := inventory.Package{Type: "npm", Name: fmt.Sprintf("p%d", i%12), Version: w.pick("1.0.0", "1.4.0", "1.6.0", "3.0.0", "odd")}
			if i%5 == 0 {
				p.Owner = "deb/p" // no such package here: its findings stand
			}
			img.Packages = append(img.Packages, p)
		}
		scan := func(a *store.Answers) string {
			f.Answers = a
			s, err := f.Scan(t.Context(), img, ScanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s.Image = nil
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for step := range 60 {
			switch w.IntN(12) {
			case 0:
				rank := w.IntN(10)
				if err := f.Set(t.Context(), w.pick("one", "two", "general"), func(s *FeedSetting) { s.Priority = &rank }); err != nil {
					t.Fatal(err)
				}
			case 1:
				on := w.IntN(3) > 0
				if err := f.Set(t.Context(), w.pick(names...), func(s *FeedSetting) { s.Enabled = &on }); err != nil {
					t.Fatal(err)
				}
			default:
				source := w.pick(names...)
				for range 1 + w.IntN(4) {
					w.change(source)
				}
				var items []feed.Item
				for _, it := range w.records[source] {
					items = append(items, it)
				}
				put(t, f, source, items...)
			}
			want := scan(nil)
			for again := range 2 {
				if got := scan(answers); got != want {
					t.Fatalf("seed %d, step %d, scan %d:\n%s\nwant\n%s", seed, step, again, got, want)
				}
			}
			before, _ := answers.Stat(t.Context())
			kept = max(kept, before.Packages)
		}
		// what is kept is taken: without a change nothing is asked
		snap, views, err := f.Snapshot(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := matchInput(t.Context(), snap, img)
		if err != nil {
			t.Fatal(err)
		}
		taken += takenOf(t, f, snap, views, in)
	}
	if kept == 0 || taken != 6*24 {
		t.Errorf("%d answers were kept at most, %d of %d taken", kept, taken, 6*24)
	}
}

func takenOf(t *testing.T, f *Feeds, snap *store.Snapshot, views []FeedView, in match.Input) int {
	q := match.Ask(in)
	todo := make([]int, len(in.Packages))
	for i := range todo {
		todo[i] = i
	}
	_, left, err := f.kept(t.Context(), snap, views, q, todo, make([]match.Answer, len(todo)))
	if err != nil {
		t.Fatal(err)
	}
	return len(todo) - len(left)
}
