package engine

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// FuzzVerify: whatever was done to a signed file, it is refused.
func FuzzVerify(f *testing.F) {
	db, err := store.OpenSQLite(f.Context(), filepath.Join(f.TempDir(), "t.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	from := &Feeds{DB: db, Now: func() time.Time { return may }, Log: slog.New(slog.DiscardHandler)}
	key, err := from.ExchangeKey(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var good bytes.Buffer
	if _, err := from.Export(f.Context(), &good, ""); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:good.Len()/2])
	f.Add([]byte("tidewaiter feeds 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, err := Verify(bytes.NewReader(b), []string{key})
		if whole := bytes.Equal(b, good.Bytes()); whole != (err == nil) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	})
}

func FuzzReadIgnore(f *testing.F) {
	f.Add("- {id: 'CVE-2024-*', package: 'pkg:npm/*', path: '/opt/*', reason: known, expires: 2027-01-31}\n")
	f.Add("- id: [\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ReadIgnore(strings.NewReader(text))
		if err != nil && rules != nil {
			t.Error("rules with an error")
		}
		for _, r := range rules {
			if r.Reason == "" || r.ID+r.Package+r.Path == "" {
				t.Errorf("rule %+v was taken", r)
			}
		}
	})
}

// What repositories have crosses an air gap as well.
func TestExchangeOfRepositories(t *testing.T) {
	from, to := testFeeds(t), testFeeds(t)
	want := advisory.Repository{Name: "rhel-9-for-x86_64-baseos-rpms", CPEs: []string{"cpe:/o:redhat:enterprise_linux:9::baseos"}}
	put(t, from, "redhat-repositories", feed.Item{Repository: &want})
	key, err := from.ExchangeKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, file := export(t, from, "")
	if _, _, err := to.Import(t.Context(), bytes.NewReader(file), ImportOptions{Keys: []string{key}}); err != nil {
		t.Fatal(err)
	}
	s, err := to.DB.Snapshot(t.Context(), store.SnapshotOptions{Now: may})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Repositories(t.Context(), []string{want.Name, "other"})
	if err != nil {
		t.Fatal(err)
	}
	want.Source = "redhat-repositories"
	if d := cmp.Diff(map[string]advisory.Repository{want.Name: want}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
