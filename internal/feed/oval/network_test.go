package oval

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// All files are fetched when one changed, and none when none did.
func TestNetwork(t *testing.T) {
	sles, err := os.ReadFile("testdata/suse.linux.enterprise.micro.5-affected.xml.gz")
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{"/suse.linux.enterprise.micro.5-affected.xml.gz": `"1"`, "/suse.linux.micro.6-affected.xml.gz": `"1"`}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, `<html><a href="suse.linux.enterprise.micro.5-affected.xml">x</a><a href="suse.linux.enterprise.micro.5-affected.xml.gz">x</a>`+
				`<a href="suse.linux.micro.6-affected.xml.gz">x</a><a href="suse.linux.enterprise.micro.5.2-affected.xml.gz">x</a><a href="suse.manager.4.0-affected.xml">x</a></html>`)
			return
		}
		tag, ok := tags[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		asked++
		w.Write(sles)
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL, Client: &feed.Client{HTTP: srv.Client(), Tries: 1}}
	count := func(state feed.State) (*feed.Update, int) {
		t.Helper()
		u, err := SUSE().Fetch(t.Context(), in, state)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if !u.Unchanged {
			for _, err := range u.Items {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
		}
		return u, n
	}
	u, n := count(feed.State{})
	if n != 2 || asked != 2 || !u.Whole || u.State.Published.Format("2006-01-02") != "2026-01-22" {
		t.Errorf("%d records, %d files, whole %v, published %s", n, asked, u.Whole, u.State.Published)
	}
	u, _ = count(u.State)
	if !u.Unchanged || asked != 2 {
		t.Errorf("unchanged %v, %d files", u.Unchanged, asked)
	}
	tags["/suse.linux.micro.6-affected.xml.gz"] = `"2"`
	if u, n = count(u.State); n != 2 || asked != 4 || u.Unchanged {
		t.Errorf("after a change: %d records, %d files, unchanged %v", n, asked, u.Unchanged)
	}
	delete(tags, "/suse.linux.micro.6-affected.xml.gz")
	if _, err := SUSE().Fetch(t.Context(), in, u.State); err == nil {
		t.Error("a file that is not there is no error")
	}
}
