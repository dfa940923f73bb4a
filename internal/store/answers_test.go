package store

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func fingerprints(n int) []Fingerprint {
	out := make([]Fingerprint, n)
	for i := range out {
		out[i] = sha256.Sum256(fmt.Append(nil, i))
	}
	return out
}

func TestAnswersComeBack(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a", "matches.db")
	a, err := OpenAnswers(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	fs := fingerprints(1000)
	first, second := Mark{Generation: 1, At: 5, Record: 7}, Mark{Generation: 2, At: 6, Record: 8, Scores: 1, Day: 3}
	put := map[Fingerprint][]byte{}
	for i, f := range fs[:900] {
		put[f] = fmt.Append(nil, "record ", i)
	}
	if err := a.Put(ctx, first, put); err != nil {
		t.Fatal(err)
	}
	// some hold at the second mark as well, one changed
	if err := a.Put(ctx, second, map[Fingerprint][]byte{fs[1]: nil, fs[2]: []byte("new")}); err != nil {
		t.Fatal(err)
	}
	// the row of one is damaged, another fingerprint has the same number
	if _, err := a.db.Exec("UPDATE answers SET data = data || 'x' WHERE id = ?", answerID(&fs[3])); err != nil {
		t.Fatal(err)
	}
	other := fs[4]
	other[31] ^= 1
	got, err := a.Get(ctx, append([]Fingerprint{other}, append(fs[:4:4], fs[5:]...)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 898 {
		t.Errorf("%d answers, want 898", len(got))
	}
	for i, want := range map[int]Kept{0: {first, []byte("record 0")}, 1: {second, []byte("record 1")}, 2: {second, []byte("new")}, 899: {first, []byte("record 899")}} {
		if k := got[fs[i]]; k.Mark != want.Mark || string(k.Record) != string(want.Record) {
			t.Errorf("answer %d = %v, want %v", i, k, want)
		}
	}
	for _, f := range []Fingerprint{fs[3], other, fs[999]} {
		if _, ok := got[f]; ok {
			t.Error("an answer that is not there")
		}
	}
	if s, err := a.Stat(ctx); err != nil || s.Packages != 900 || s.Bytes == 0 {
		t.Errorf("Stat = %+v, %v", s, err)
	}

	// beyond the bound it begins anew
	a.bound = 1
	if err := a.Put(ctx, second, map[Fingerprint][]byte{fs[0]: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if s, _ := a.Stat(ctx); s.Packages != 1 {
		t.Errorf("%d answers beyond the bound", s.Packages)
	}

	// what is used stays
	if n, err := a.Prune(ctx, time.Now().Add(-48*time.Hour)); n != 0 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	if _, err := a.db.Exec("UPDATE marks SET used = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Get(ctx, fs[:1]); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Prune(ctx, time.Now().Add(-48*time.Hour)); n != 0 || err != nil {
		t.Errorf("Prune after use = %d, %v", n, err)
	}
	if n, err := a.Prune(ctx, time.Time{}); n != 1 || err != nil {
		t.Errorf("Prune of all = %d, %v", n, err)
	}
	a.Close()

	// a file that is none is thrown away
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err = OpenAnswers(ctx, path); err != nil {
		t.Fatal(err)
	}
	a.Close()
}

func TestAnswersOfManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matches.db")
	fs := fingerprints(50)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			a, err := OpenAnswers(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close()
			for i := range fs {
				if err := a.Put(t.Context(), Mark{Generation: int64(n)}, map[Fingerprint][]byte{fs[i]: []byte("same")}); err != nil {
					t.Error(err)
				}
			}
			if got, err := a.Get(t.Context(), fs); err != nil || len(got) != len(fs) {
				t.Errorf("%d answers, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestSince(t *testing.T) {
	db, ctx := open(t), t.Context()
	now := time.Unix(1_700_000_000, 0)
	apply := func(whole bool, removed []string, ids ...string) {
		t.Helper()
		now = now.Add(time.Second)
		u := &feed.Update{Whole: whole, Removed: removed, Items: func(yield func(feed.Item, error) bool) {
			for _, id := range ids {
				a := &advisory.Advisory{ID: id, Aliases: []string{"CVE-2024-" + id}, Summary: now.String(),
					Affected: []advisory.Affected{{Key: advisory.Key{Stream: "npm", Name: "p" + id}, Scheme: version.NPM}}}
				if !yield(feed.Item{Advisory: a}, nil) {
					return
				}
			}
		}}
		if _, err := db.ApplyFeed(ctx, "s", u, Guard{}, now); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := func() *Snapshot {
		t.Helper()
		s, err := db.Snapshot(ctx, SnapshotOptions{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	apply(true, nil, "1000", "2000", "3000")
	old := snapshot()
	mark, err := old.Mark(ctx)
	if err != nil {
		t.Fatal(err)
	}
	since := func(m Mark) (Changes, bool) {
		t.Helper()
		c, ok, err := snapshot().Since(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		return c, ok
	}
	if c, ok := since(mark); !ok || len(c.Keys)+len(c.Names) != 0 {
		t.Errorf("nothing changed: %v, %v", c, ok)
	}
	apply(false, []string{"2000"}, "3000", "4000") // 1000 stays as it is
	c, ok := since(mark)
	if !ok || len(c.Keys) != 3 || len(c.Names) != 6 || c.Names["CVE-2024-1000"] || !c.Names["CVE-2024-2000"] || !c.Names["3000"] || !c.Keys[advisory.Key{Stream: "npm", Name: "p4000"}] {
		t.Errorf("Since = %v, %v", c, ok)
	}
	for what, m := range map[string]Mark{
		"another database": {Generation: mark.Generation, At: mark.At + 1, Record: mark.Record},
		"the future":       {Generation: mark.Generation + 5, At: mark.At, Record: mark.Record},
		"nothing":          {},
	} {
		if _, ok := since(m); ok && what != "nothing" {
			t.Errorf("a mark of %s was taken", what)
		}
	}
	// a snapshot that was taken before does not know of what came after
	if m, _ := old.Mark(ctx); m != mark {
		t.Errorf("Mark = %v, want %v", m, mark)
	}
}
