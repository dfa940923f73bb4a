package osv

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// raw reads a collection without this package: the truth to compare with.
func raw(t *testing.T, name string) (records map[string]map[string]any, bytes map[string][]byte) {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	records, bytes = map[string]map[string]any{}, map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		id := v["id"].(string)
		records[id], bytes[id] = v, b
	}
	return records, bytes
}

// differences names what went, came and changed.
func differences[T any](old, new map[string]T) (gone, came, changed []string) {
	for id, a := range old {
		if b, ok := new[id]; !ok {
			gone = append(gone, id)
		} else if !reflect.DeepEqual(a, b) {
			changed = append(changed, id)
		}
	}
	for id := range new {
		if _, ok := old[id]; !ok {
			came = append(came, id)
		}
	}
	slices.Sort(gone)
	slices.Sort(came)
	slices.Sort(changed)
	return gone, came, changed
}

// TestUpdateOfRealFeed takes two snapshots of one collection: what differs in
// the files, one record without a newer date among them, differs in what is
// read, and nothing else does.
func TestUpdateOfRealFeed(t *testing.T) {
	before, after := shared(t, "feeds", "osv", "RubyGems", "all.zip"), shared(t, "updates", "osv", "RubyGems", "all.zip")
	rawOld, _ := raw(t, before)
	rawNew, _ := raw(t, after)
	old, badOld, _ := collect(t, sourceOf(t, "osv-rubygems"), before)
	new, badNew, _ := collect(t, sourceOf(t, "osv-rubygems"), after)
	if len(badOld)+len(badNew) > 0 {
		t.Errorf("bad records: %q %q", badOld, badNew)
	}
	wantGone, wantCame, wantChanged := differences(rawOld, rawNew)
	gone, came, changed := differences(old, new)
	if !slices.Equal(gone, wantGone) || !slices.Equal(came, wantCame) || !slices.Equal(changed, wantChanged) {
		t.Errorf("gone %d, came %d, changed %d; want %d, %d, %d", len(gone), len(came), len(changed), len(wantGone), len(wantCame), len(wantChanged))
	}
	if len(gone) != 12 || len(came) != 109 || len(changed) != 126 {
		t.Errorf("gone %d, came %d, changed %d; want 12, 109, 126", len(gone), len(came), len(changed))
	}
	silent := 0
	for _, id := range changed {
		if !new[id].Modified.After(old[id].Modified) {
			silent++
		}
	}
	if silent != 1 {
		t.Errorf("%d records changed without a newer date, want 1", silent)
	}
}

// upstream plays the part of osv.dev's bucket.
type upstream struct {
	mu      sync.Mutex
	zip     []byte
	records map[string][]byte
	dates   map[string]string
	tag     int
	asked   []string
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/RubyGems/")
	u.asked = append(u.asked, name)
	tag := fmt.Sprintf(`"%s-%d"`, name, u.tag)
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	switch {
	case name == "all.zip":
		w.Write(u.zip)
	case name == "modified_id.csv":
		for id, at := range u.dates {
			fmt.Fprintf(w, "%s,%s\n", at, id)
		}
	case u.records[strings.TrimSuffix(name, ".json")] != nil:
		w.Write(u.records[strings.TrimSuffix(name, ".json")])
	default:
		http.NotFound(w, r)
	}
}

func (u *upstream) questions() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.asked
	u.asked = nil
	return out
}

func TestIncremental(t *testing.T) {
	rec := func(id, at, fixed string) []byte {
		return fmt.Appendf(nil, `{"id":%q,"modified":%q,"affected":[{"package":{"ecosystem":"RubyGems","name":"rack"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`, id, at, fixed)
	}
	day := func(n int) string { return time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC).Format(time.RFC3339) }
	up := &upstream{records: map[string][]byte{}, dates: map[string]string{}}
	put := func(id, at, fixed string) { up.records[id], up.dates[id] = rec(id, at, fixed), at }
	put("A-1", day(1), "1")
	put("A-2", day(2), "2")
	put("A-3", day(3), "3")
	pack := func() {
		var entries []string
		for id := range up.records {
			entries = append(entries, id)
		}
		slices.Sort(entries)
		up.zip = zipOf(t, func(add func(string, string)) {
			for _, id := range entries {
				add(id+".json", string(up.records[id]))
			}
		})
	}
	pack()
	server := httptest.NewServer(up)
	defer server.Close()

	now := time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
	s := sourceOf(t, "osv-rubygems")
	s.now = func() time.Time { return now }
	in := feed.Input{URL: server.URL + "/RubyGems/all.zip", Client: &feed.Client{}}
	fetch := func(state feed.State) (map[string]*advisory.Advisory, *feed.Update) {
		t.Helper()
		u, err := s.Fetch(t.Context(), in, state)
		if err != nil {
			t.Fatal(err)
		}
		if u.Unchanged {
			return nil, u
		}
		all, bad, _ := drain(t, u)
		if len(bad) > 0 {
			t.Errorf("bad records: %q", bad)
		}
		return all, u
	}

	all, u := fetch(feed.State{})
	if len(all) != 3 || !u.Whole || u.State.Revision != day(3) || u.State.ETag == "" || !slices.Equal(up.questions(), []string{"all.zip"}) {
		t.Fatalf("at first: %d records, %+v", len(all), u)
	}

	// A day later two changed, one of which was taken back in the meantime.
	now = now.Add(24 * time.Hour)
	put("A-1", day(4), "1.1")
	put("A-4", day(4), "4")
	up.dates["A-2"] = day(4)
	delete(up.records, "A-2")
	up.tag++
	all, u = fetch(u.State)
	asked := up.questions()
	slices.Sort(asked)
	if u.Whole || len(all) != 3 || all["A-1"].Affected[0].Intervals[0].Fixed != "1.1" || all["A-3"] == nil || !slices.Equal(u.Removed, []string{"A-2"}) || u.State.Revision != day(4) {
		t.Errorf("changes: %d records, removed %q, %+v", len(all), u.Removed, u.State)
	}
	if want := []string{"A-1.json", "A-2.json", "A-3.json", "A-4.json", "modified_id.csv"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want) // as new as the newest known
	}

	now = now.Add(time.Hour)
	if _, u = fetch(u.State); !u.Unchanged || !slices.Equal(up.questions(), []string{"modified_id.csv"}) || !u.State.Fetched.Equal(now) {
		t.Errorf("nothing new: %+v", u)
	}

	// A date in the future is not where the next look begins.
	put("A-5", "2999-01-01T00:00:00Z", "5")
	up.tag++
	if all, u = fetch(u.State); all["A-5"] == nil || u.State.Revision != day(4) {
		t.Errorf("a record of the future: %d records, %+v", len(all), u.State)
	}
	delete(up.records, "A-5")
	delete(up.dates, "A-5")
	up.questions()

	// After a week the whole, from which A-3 has gone without a word.
	now = now.Add(wholeEvery)
	delete(up.records, "A-3")
	pack()
	up.tag++
	all, u = fetch(u.State)
	if !u.Whole || len(all) != 2 || all["A-3"] != nil || !slices.Equal(up.questions(), []string{"all.zip"}) {
		t.Errorf("after a week: %d records, Whole %v", len(all), u.Whole)
	}

	// A list that is no list changes nothing.
	up.dates = map[string]string{"x": "junk"}
	up.tag++
	if _, err := s.Fetch(t.Context(), in, u.State); err == nil || !strings.Contains(err.Error(), "not a time and an identifier") {
		t.Errorf("Fetch = %v", err)
	}
}

func zipOf(t testing.TB, fill func(add func(name, body string))) []byte {
	t.Helper()
	var b strings.Builder
	z := zip.NewWriter(&b)
	fill(func(name, body string) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}
