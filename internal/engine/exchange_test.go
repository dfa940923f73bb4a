package engine

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

var may = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func testFeeds(t *testing.T) *Feeds {
	t.Helper()
	db, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &Feeds{DB: db, Now: func() time.Time { return may }, Log: slog.New(slog.DiscardHandler)}
}

func put(t *testing.T, f *Feeds, source string, items ...feed.Item) {
	t.Helper()
	u := &feed.Update{Whole: true, State: feed.State{Revision: "r"}, Items: func(yield func(feed.Item, error) bool) {
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
	}}
	if _, err := f.DB.ApplyFeed(t.Context(), source, u, store.Guard{}, may); err != nil {
		t.Fatal(err)
	}
}

func record(id, fixed string) feed.Item {
	return feed.Item{Advisory: &advisory.Advisory{ID: id, Summary: "s", Details: "d", Affected: []advisory.Affected{{
		Key: advisory.Key{Stream: "npm", Name: "left-pad"}, Scheme: version.NPM, Intervals: []advisory.Interval{{Fixed: fixed}}}}}}
}

func known(t *testing.T, f *Feeds) map[string]string {
	t.Helper()
	s, err := f.DB.Snapshot(t.Context(), store.SnapshotOptions{Now: may})
	if err != nil {
		t.Fatal(err)
	}
	as, err := s.AdvisoriesFor(t.Context(), []advisory.Key{{Stream: "npm", Name: "left-pad"}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, a := range as {
		out[a.Source+" "+a.ID] = a.Affected[0].Intervals[0].Fixed
	}
	return out
}

func export(t *testing.T, f *Feeds, since string) (ExchangeHeader, []byte) {
	t.Helper()
	var b bytes.Buffer
	h, err := f.Export(t.Context(), &b, since)
	if err != nil {
		t.Fatal(err)
	}
	return h, b.Bytes()
}

func TestExchange(t *testing.T) {
	from, to := testFeeds(t), testFeeds(t)
	put(t, from, "a", record("A-1", "1.0.0"), record("A-2", "1.0.0"))
	put(t, from, "b", record("B-1", "1.0.0"), feed.Item{Exploited: &advisory.Exploited{ID: "CVE-2026-0001", Added: may}})
	put(t, from, "epss", feed.Item{EPSS: &advisory.EPSS{ID: "CVE-2026-0001", Score: 0.5, Percentile: 0.9, Date: may}})
	h1, full := export(t, from, "")
	key, err := from.ExchangeKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := ImportOptions{Keys: []string{key}}
	for range 2 { // twice is once
		if _, _, err := to.Import(t.Context(), bytes.NewReader(full), o); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(known(t, from), known(t, to)); d != "" {
			t.Errorf("after a full import (-from +to):\n%s", d)
		}
	}
	snap, err := to.DB.Snapshot(t.Context(), store.SnapshotOptions{Now: may})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := snap.EPSS(t.Context(), []string{"CVE-2026-0001"}); err != nil || e["CVE-2026-0001"].Score != 0.5 {
		t.Errorf("EPSS = %v, %v", e, err)
	}
	if e, err := snap.Exploited(t.Context(), []string{"CVE-2026-0001"}); err != nil || len(e) != 1 {
		t.Errorf("Exploited = %v, %v", e, err)
	}

	put(t, from, "a", record("A-1", "2.0.0"), record("A-3", "1.0.0")) // changed, gone, new
	h2, delta := export(t, from, h1.ID)
	if len(delta) >= len(full)+200 {
		t.Errorf("a delta of %d bytes, the whole had %d", len(delta), len(full))
	}
	put(t, from, "b", record("B-1", "3.0.0"))
	_, second := export(t, from, h2.ID)
	if _, _, err := to.Import(t.Context(), bytes.NewReader(second), o); err == nil || !strings.Contains(err.Error(), h2.ID) {
		t.Errorf("a delta whose base is missing: %v", err)
	}
	for _, b := range [][]byte{delta, delta, second} {
		if _, _, err := to.Import(t.Context(), bytes.NewReader(b), o); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(known(t, from), known(t, to)); d != "" {
		t.Errorf("after the deltas (-from +to):\n%s", d)
	}
	if _, _, err := to.Import(t.Context(), bytes.NewReader(full), o); err == nil || !strings.Contains(err.Error(), "older") {
		t.Errorf("an older export: %v", err)
	}
}

func TestImportRefusesWhatIsWrong(t *testing.T) {
	from := testFeeds(t)
	put(t, from, "a", record("A-1", "1.0.0"))
	_, good := export(t, from, "")
	key, err := from.ExchangeKey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) []byte {
		b := bytes.Clone(good)
		b[(i+len(b))%len(b)] ^= 1
		return b
	}
	tests := map[string]struct {
		file []byte
		key  string
		want string
	}{
		"nobody trusted":    {good, "", "no key is trusted"},
		"another key":       {good, base64.StdEncoding.EncodeToString(other), "not among those trusted"},
		"empty":             {nil, key, "too short"},
		"cut in half":       {good[:len(good)/2], key, "was cut"},
		"one byte less":     {good[:len(good)-1], key, "checksum"},
		"body altered":      {flip(-150), key, "checksum"},
		"signature altered": {flip(-1), key, "signature"},
		"header altered":    {flip(40), key, "checksum"},
		"of another format": {bytes.Replace(good, []byte("feeds 1"), []byte("feeds 9"), 1), key, "another format"},
		"something else":    {bytes.Repeat([]byte("x"), 500), key, "no export"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			to := testFeeds(t)
			o := ImportOptions{}
			if tt.key != "" {
				o.Keys = []string{tt.key}
			}
			_, _, err := to.Import(t.Context(), bytes.NewReader(tt.file), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Import = %v, want %q in it", err, tt.want)
			}
			if k := known(t, to); len(k) > 0 {
				t.Errorf("something was taken: %v", k)
			}
		})
	}
}
