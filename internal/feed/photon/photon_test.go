package photon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

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
		got, bad, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, tt.from)})
		n := 0
		for _, a := range got {
			n += len(a.Affected)
		}
		if err != nil || len(bad) != tt.bad || len(got) != tt.records || n != tt.claims {
			t.Errorf("%s: %d records, %d claims, %v %v", tt.from, len(got), n, bad, err)
		}
		if s := feedtest.Said(got[tt.id], tt.stream, tt.name); s != tt.want {
			t.Errorf("%s: %s %s: %q, want %q", tt.from, tt.id, tt.name, s, tt.want)
		}
	}
	got, _, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "photon/sample/vunnel/input")})
	if err != nil || got["CVE-2023-38545"].Severities[0].Label != advisory.Critical || got["CVE-2023-38545"].Severities[0].Score != 9.8 {
		t.Error(err, got["CVE-2023-38545"])
	}
	for _, n := range []string{"cve_data_photon_invalid_format.json", "invalid_photon_versions.json", "cve_data_photon_empty_cveid.json"} {
		if _, _, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "photon/sample/vuln-list-update/photon/"+n)}); err == nil {
			t.Errorf("%s was read", n)
		}
	}
}

func TestNetwork(t *testing.T) {
	dir := feedtest.Shared(t, "photon/sample/vuls-data-update/cve/happy")
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
