package csaf

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// An archive with a document that changed after it was made, one that was
// deleted, and then increments.
func TestNetwork(t *testing.T) {
	doc := func(id, name string) string {
		return fmt.Sprintf(`{"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"name":"Red Hat Product Security","namespace":"https://www.redhat.com"},
			"tracking":{"id":%q,"current_release_date":"2025-01-01T00:00:00Z"}},"product_tree":{"branches":[
			{"category":"product_name","name":"RHEL 9","product":{"product_id":"r","name":"RHEL 9","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:9"}}},
			{"category":"product_version","name":%[2]q,"product":{"product_id":%[2]q,"name":%[2]q}}],
			"relationships":[{"category":"default_component_of","full_product_name":{"product_id":"r:x","name":"x"},"product_reference":%[2]q,"relates_to_product_reference":"r"}]},
			"vulnerabilities":[{"cve":%[1]q,"product_status":{"known_affected":["r:x"]}}]}`, id, name)
	}
	files := map[string]string{
		"/archive_latest.txt":       "csaf_vex_2025-01-10.tar.zst\n",
		"/changes.csv":              "\"2025/cve-2025-0002.json\",\"2025-01-11T10:00:00+00:00\"\n\"2025/cve-2025-0001.json\",\"2025-01-02T10:00:00+00:00\"\n",
		"/deletions.csv":            "\"2025/cve-2025-0003.json\",\"2025-01-12T10:00:00+00:00\"\n",
		"/2025/cve-2025-0002.json":  doc("CVE-2025-0002", "new"),
		"/csaf_vex_2025-01-10.json": "",
	}
	archive := func() string { // an archive is told by its content: a tar
		var b strings.Builder
		w := newTar(&b)
		w.add("2025/cve-2025-0001.json", doc("CVE-2025-0001", "one"))
		w.add("2025/cve-2025-0002.json", doc("CVE-2025-0002", "old"))
		w.add("2025/cve-2025-0003.json", doc("CVE-2025-0003", "three"))
		w.close()
		return b.String()
	}()
	files["/csaf_vex_2025-01-10.tar.zst"] = archive
	asked := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		s, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, s)
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL, Client: &feed.Client{HTTP: srv.Client(), Tries: 1}}
	names := func(f fetched) []string {
		var out []string
		for id, a := range f.advisories {
			out = append(out, id+" "+a.Affected[0].Name)
		}
		slices.Sort(out)
		return out
	}

	f := fetch(t, RedHatVEX(), in, feed.State{})
	if f.err != nil || !f.whole || len(f.bad) > 0 {
		t.Fatalf("error %v, whole %v, bad %q", f.err, f.whole, f.bad)
	}
	if d := cmp.Diff([]string{"CVE-2025-0001 one", "CVE-2025-0002 new"}, names(f)); d != "" {
		t.Errorf("the first time: -want +got\n%s", d)
	}
	if want := time.Date(2025, 1, 12, 10, 0, 0, 0, time.UTC); !f.state.Published.Equal(want) {
		t.Errorf("the newest change is of %s, want %s", f.state.Published, want)
	}

	if f = fetch(t, RedHatVEX(), in, f.state); !f.unchanged || f.err != nil {
		t.Errorf("nothing changed, but unchanged is %v, error %v", f.unchanged, f.err)
	}

	files["/changes.csv"] = "\"2025/cve-2025-0004.json\",\"2025-01-14T10:00:00+00:00\"\n\"2025/cve-2025-0005.json\",\"2025-01-13T10:00:00+00:00\"\n" + files["/changes.csv"]
	files["/deletions.csv"] = "\"2025/cve-2025-0001.json\",\"2025-01-13T10:00:00+00:00\"\n" + files["/deletions.csv"]
	files["/2025/cve-2025-0004.json"] = doc("CVE-2025-0004", "four")
	files["/2025/cve-2025-0005.json"] = `{"document":{"tracking":{"id":"CVE-2025-0005","status":"deleted"}}}`
	f = fetch(t, RedHatVEX(), in, f.state)
	if f.err != nil || f.whole || f.unchanged {
		t.Fatalf("error %v, whole %v, unchanged %v", f.err, f.whole, f.unchanged)
	}
	if d := cmp.Diff([]string{"CVE-2025-0004 four"}, names(f)); d != "" {
		t.Errorf("the increment: -want +got\n%s", d)
	}
	if d := cmp.Diff([]string{"CVE-2025-0001", "CVE-2025-0005"}, f.removed); d != "" {
		t.Errorf("removed: -want +got\n%s", d)
	}
	if n := asked["/csaf_vex_2025-01-10.tar.zst"]; n != 1 {
		t.Errorf("the archive was asked for %d times", n)
	}
	if n := asked["/2025/cve-2025-0002.json"]; n != 1 {
		t.Errorf("a document that did not change was asked for %d times", n)
	}

	files["/changes.csv"] = "<html>"
	if f = fetch(t, RedHatVEX(), in, f.state); f.err == nil {
		t.Error("a web page instead of the list of changes is no error")
	}
}

// Documents of a list, each read once.
func TestListed(t *testing.T) {
	doc, err := os.ReadFile(shared(t, "openeuler/sample/vuls-data-update/csaf/happy/cve/2025/csaf-openeuler-cve-2025-30346.json"))
	if err != nil {
		t.Fatal(err)
	}
	index, asked := "2025/csaf-openeuler-cve-2025-30346.json", 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/index.txt":
			fmt.Fprint(w, index)
		case "/2025/csaf-openeuler-cve-2025-30346.json":
			asked++
			w.Write(doc)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL, Client: &feed.Client{HTTP: srv.Client(), Tries: 1}}
	f := fetch(t, OpenEuler(), in, feed.State{})
	if f.err != nil || len(f.advisories) != 1 || f.whole || f.claims != 20 {
		t.Fatalf("error %v, %d records, %d claims, whole %v", f.err, len(f.advisories), f.claims, f.whole)
	}
	if f = fetch(t, OpenEuler(), in, f.state); !f.unchanged || asked != 1 {
		t.Errorf("unchanged %v, asked %d times", f.unchanged, asked)
	}
	index += "\n2025/gone.json\n"
	if f = fetch(t, OpenEuler(), in, f.state); f.err != nil || len(f.bad) != 1 || asked != 1 {
		t.Errorf("error %v, bad %q, asked %d times", f.err, f.bad, asked)
	}
	index += "../../etc/passwd\n"
	if f = fetch(t, OpenEuler(), in, f.state); f.err == nil {
		t.Error("a path out of the folder is taken")
	}
}

func TestArchive(t *testing.T) {
	f := fetch(t, RedHatVEX(), from(t, "redhat/sample/vuls-data-update/vex/v1/csaf_vex_2024-08-04.tar.zst"), feed.State{})
	if f.err != nil || len(f.bad) > 0 || len(f.advisories) != 5 {
		t.Errorf("error %v, bad %q, %d records, want 5", f.err, f.bad, len(f.advisories))
	}
	// As the publisher has it: an archive, documents beside it, and lists.
	f = fetch(t, RedHatVEX(), from(t, "redhat/sample/vuls-data-update/vex/v1"), feed.State{})
	if f.err != nil || len(f.bad) > 0 || len(f.advisories) != 5 {
		t.Errorf("folder: error %v, bad %q, %d records, want 5", f.err, f.bad, len(f.advisories))
	}
	// 24 bytes that are no archive.
	if f = fetch(t, RedHatAdvisories(), from(t, "redhat/sample/vunnel/csaf/server/csaf_advisories_2025-02-15.tar.zst"), feed.State{}); f.err == nil || len(f.advisories) > 0 {
		t.Errorf("a broken archive gives error %v and %d records", f.err, len(f.advisories))
	}
}
