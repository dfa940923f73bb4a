package photon

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if root == "" {
		dir, _ := os.Getwd()
		for root == "" && dir != filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(filepath.Dir(dir), "shared")
			}
			dir = filepath.Dir(dir)
		}
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feeds are not there: %v", err)
	}
	return p
}

func collect(t testing.TB, in feed.Input) (map[string]*advisory.Advisory, []string, error) {
	t.Helper()
	u, err := Source{}.Fetch(t.Context(), in, feed.State{})
	if err != nil {
		return nil, nil, err
	}
	out, bad := map[string]*advisory.Advisory{}, []string(nil)
	for it, err := range u.Items {
		var b *feed.BadRecord
		if errors.As(err, &b) {
			bad = append(bad, b.Error())
			continue
		}
		if err != nil {
			return out, bad, err
		}
		if out[it.Advisory.ID] != nil {
			t.Errorf("%s comes twice", it.Advisory.ID)
		}
		out[it.Advisory.ID] = it.Advisory
	}
	return out, bad, nil
}

// said is the claims about a package in one line each.
func said(a *advisory.Advisory, stream, name string) string {
	var out []string
	if a != nil {
		for _, f := range a.Affected {
			if f.Stream == stream && f.Name == name {
				s := string(f.Status) + "|" + string(f.Fix.State) + "|"
				for _, in := range f.Intervals {
					s += "<" + in.Fixed
				}
				out = append(out, s+f.Requirement)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		from                   string
		records, claims, bad   int
		id, stream, name, want string
	}{
		{"photon/sample/vuls-data-update/cve/happy", 6, 10, 1, "CVE-2025-9086", "photon:4.0", "curl-libs", "|fixed|<8.16.0-1.ph4"},
		{"photon/sample/vuls-data-update/cve/happy", 6, 10, 1, "BDSA-2025-13833", "photon:5.0", "consul", "not-affected||"},
		{"photon/sample/vuls-data-update/cve/happy", 6, 10, 1, "CVE-2020-1945", "photon:1.0", "apache-ant", "|fixed|<1.10.8-1.ph1"},
		{"photon/sample/vunnel/input", 7, 10, 0, "CVE-2016-9178", "photon:1.0", "linux-esx", "|fixed|<4.4.31-2.ph1"},
		{"photon/sample/vunnel/input", 7, 10, 0, "CVE-2023-50447", "photon:4.0", "python3", "undetermined||"},
		{"photon/sample/vunnel/input", 7, 10, 0, "CVE-2023-44487", "photon:4.0", "httpd", "not-affected||"},
		{"photon/sample/vuln-list-update/photon/cve_data_photon3.0.json", 6, 6, 0, "CVE-2025-0725", "photon:3.0", "curl", "not-affected||"},
		{"photon/sample/vuln-list-update/photon/cve_data_photon2.0.json", 5, 5, 0, "CVE-2016-9401", "photon:2.0", "bash", "|fixed|<4.4.12-1.ph2"},
		{"photon/sample/vuln-list-update/photon/cve_data_photon3.0_invalid_cveid.json", 0, 0, 1, "", "", "", ""},
	} {
		got, bad, err := collect(t, feed.Input{From: shared(t, tt.from)})
		n := 0
		for _, a := range got {
			n += len(a.Affected)
		}
		if err != nil || len(bad) != tt.bad || len(got) != tt.records || n != tt.claims {
			t.Errorf("%s: %d records, %d claims, %v %v", tt.from, len(got), n, bad, err)
		}
		if s := said(got[tt.id], tt.stream, tt.name); s != tt.want {
			t.Errorf("%s: %s %s: %q, want %q", tt.from, tt.id, tt.name, s, tt.want)
		}
	}
	got, _, err := collect(t, feed.Input{From: shared(t, "photon/sample/vunnel/input")})
	if err != nil || got["CVE-2023-38545"].Severities[0].Label != advisory.Critical || got["CVE-2023-38545"].Severities[0].Score != 9.8 {
		t.Error(err, got["CVE-2023-38545"])
	}
	for _, n := range []string{"cve_data_photon_invalid_format.json", "invalid_photon_versions.json", "cve_data_photon_empty_cveid.json"} {
		if _, _, err := collect(t, feed.Input{From: shared(t, "photon/sample/vuln-list-update/photon/"+n)}); err == nil {
			t.Errorf("%s was read", n)
		}
	}
}

func TestNetwork(t *testing.T) {
	dir := shared(t, "photon/sample/vuls-data-update/cve/happy")
	hits := 0
	files := http.FileServer(http.Dir(dir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		w.Header().Set("ETag", `"`+r.URL.Path+`"`)
		files.ServeHTTP(w, r)
	}))
	defer srv.Close()
	in := feed.Input{URL: srv.URL}
	u, err := Source{}.Fetch(t.Context(), in, feed.State{})
	if err != nil || len(u.State.Parts) != 3 {
		t.Fatal(err, u)
	}
	n := 0
	for range u.Items {
		n++
	}
	if n != 7 { // six records, and one that is bad
		t.Errorf("%d items", n)
	}
	if again, err := (Source{}).Fetch(t.Context(), in, u.State); err != nil || !again.Unchanged {
		t.Error(err, again)
	}
	u.State.Parts["4.0"] = `"old"`
	if again, err := (Source{}).Fetch(t.Context(), in, u.State); err != nil || again.Unchanged || len(again.State.Parts) != 3 {
		t.Error(err, again)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"cve_id":"CVE-2020-1234","pkg":"a","cve_score":7.5,"aff_ver":"all versions before 1 are vulnerable","res_ver":"NA","status":"Fixed"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		db := &database{ids: map[string][]claim{}, scores: map[string]float64{}, bad: func(string, error) {}}
		if db.read(feed.Member{Name: "cve_data_photon5.0.json", Reader: strings.NewReader(string(b))}) == nil {
			db.advisories(func(feed.Item, error) bool { return true })
		}
	})
}
