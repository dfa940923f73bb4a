package nodesecwg

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// shared finds the real feeds.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if dir, err := os.Getwd(); root == "" && err == nil {
		root = filepath.Join(dir, "../../../../shared")
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feeds are not there: %v", err)
	}
	return p
}

type result struct {
	advisories map[string]*advisory.Advisory
	order      []string
	bad        []string
	err        error
	update     *feed.Update
}

func fetch(t testing.TB, in feed.Input, state feed.State) (r result) {
	t.Helper()
	r.advisories = map[string]*advisory.Advisory{}
	if r.update, r.err = (Database{}).Fetch(t.Context(), in, state); r.err != nil || r.update.Unchanged {
		return r
	}
	for it, err := range r.update.Items {
		var b *feed.BadRecord
		switch {
		case errors.As(err, &b):
			r.bad = append(r.bad, b.Error())
		case err != nil:
			r.err = err
		default:
			if r.advisories[it.Advisory.ID] != nil {
				t.Errorf("%s comes twice", it.Advisory.ID)
			}
			r.advisories[it.Advisory.ID] = it.Advisory
			r.order = append(r.order, it.Advisory.ID)
		}
	}
	return r
}

const (
	database = "nodejs-security-wg/vuln.zip"
	records  = 640 - 2 // by the README beside the feeds, two of which are lists of the others
)

// verdict says whether a claim affects a version, as matching does.
func verdict(t *testing.T, f advisory.Affected, s string) bool {
	t.Helper()
	v, err := version.Parse(f.Scheme, s)
	if err != nil {
		t.Fatal(err)
	}
	covers := func(requirement string) bool {
		r, err := version.ParseRange(f.Scheme, requirement)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		return err == nil && r.Covers(v)
	}
	if f.Unaffected != "" && covers(f.Unaffected) {
		return false
	}
	return f.Requirement == "" || covers(f.Requirement)
}

// Records read off the files by hand.
func TestReal(t *testing.T) {
	got := fetch(t, feed.Input{From: shared(t, database)}, feed.State{})
	if got.err != nil || len(got.bad) > 0 || len(got.order) != records || !got.update.Whole {
		t.Fatalf("%d advisories, %q, %v; want %d", len(got.order), got.bad, got.err, records)
	}
	count := map[string]int{}
	for _, a := range got.advisories {
		f := a.Affected[0]
		count[f.Stream]++
		verdict(t, f, "1.0.0") // every requirement can be read
	}
	if count["cpe"] != 171 || count["npm"] != 467 {
		t.Errorf("%v, want 171 of Node.js and 467 of packages", count)
	}
	for _, tt := range []struct {
		id, name, cves  string
		severity, fixes string
		affected, not   string
		published       string
	}{
		{"NSWG-COR-70", "nodejs:node.js", "CVE-2020-8265", "LABEL high 0", "10.23.1 12.20.1 14.15.4 15.5.1", "10.23.0 14.15.3 15.0.0", "14.15.4 15.5.1 16.0.0 13.0.0", ""},
		{"NSWG-COR-17", "nodejs:node.js", "", "", "6.7.0", "6.6.0", "6.7.0 7.0.0", ""},
		{"NSWG-COR-100", "nodejs:node.js", "CVE-2022-35256", "LABEL medium 0", "14.20.1 16.17.1 18.9.1", "18.9.0", "18.9.1 17.0.0", ""},
		{"NSWG-COR-165", "nodejs:node.js", "CVE-2026-21711", "LABEL medium 0", "25.8.2", "25.8.1", "25.8.2 24.0.0", ""},
		{"NSWG-COR-1", "nodejs:node.js", "CVE-2017-1000381", "LABEL high 0", "4.8.4 6.11.1 7.10.1 8.1.4", "5.12.0 8.1.3", "8.1.4 9.0.0", ""},
		{"NSWG-ECO-410", "merge-options", "", "CVSS_V3 low 2", "", "1.0.0", "1.0.1", "2018-04-09"},
		{"NSWG-ECO-379", "anywhere", "CVE-2018-3717", "CVSS_V3 critical 9.6", "1.5.0", "1.4.9", "1.5.0", "2018-02-26"},
		{"NSWG-ECO-1", "bassmaster", "CVE-2014-7205", "CVSS_V3 medium 6.5", "1.5.2", "1.5.1", "1.5.2", "2014-09-27"},
		{"NSWG-ECO-100", "uri-js", "", "CVSS_V3 high 7.5", "3.0.0", "2.1.1", "3.0.0", "2017-04-14"},
		{"NSWG-ECO-519", "handlebars", "", "CVSS_V3 medium 6.5", "4.6.0", "4.5.3", "4.6.0", "2020-04-27"},
		{"NSWG-ECO-12", "hapi", "", "CVSS_V3 high 7.4", "6.1.0", "6.0.2", "6.1.0", "2014-07-08"},
	} {
		a := got.advisories[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		f, severity, published := a.Affected[0], "", ""
		if len(a.Severities) > 0 {
			s := a.Severities[0]
			severity = fmt.Sprintf("%s %s %v", s.Type, s.Label, s.Score)
		}
		if !a.Published.IsZero() {
			published = a.Published.Format(time.DateOnly)
		}
		if f.Name != tt.name || f.Scheme != version.NPM || strings.Join(a.CVEs(), " ") != tt.cves || strings.Join(f.Fix.Versions, " ") != tt.fixes || published != tt.published || severity != tt.severity {
			t.Errorf("%s %q %+v", tt.id, severity, a)
		}
		for _, v := range strings.Fields(tt.affected) {
			if !verdict(t, f, v) {
				t.Errorf("%s: %s is affected by %q but %q", tt.id, v, f.Requirement, f.Unaffected)
			}
		}
		for _, v := range strings.Fields(tt.not) {
			if verdict(t, f, v) {
				t.Errorf("%s: %s is not affected by %q but %q", tt.id, v, f.Requirement, f.Unaffected)
			}
		}
	}
}

func TestBad(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"vuln/npm/1.json":     `{"id":1,"module_name":"a","vulnerable_versions":"<1","patched_versions":"<0.0.0","cvss_score":-1,"cves":["CVE-2024-0001","CVE-2024-0002"]}`,
		"vuln/npm/2.json":     `{"id":2,"module_name":"a"}`,
		"vuln/npm/3.json":     `{"id":`,
		"vuln/npm/index.json": `{"1":{}}`,
		"npm/1.json":          `{"id":1,"module_name":"b","vulnerable_versions":"*"}`,
		"vuln/core/1.json":    `{"cve":["CVE-2024-0003"],"vulnerable":"6.x","patched":"^6.1.0","affectedEnvironments":["win32"]}`,
		"vuln/core/2.json":    `{"cve":7}`,
		"package.json":        `{}`,
	} {
		os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
		os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
	}
	got := fetch(t, feed.Input{From: dir}, feed.State{})
	if got.err != nil || len(got.order) != 2 || len(got.bad) != 4 {
		t.Fatalf("%v %q %v", got.order, got.bad, got.err)
	}
	if a := got.advisories["NSWG-COR-1"]; len(a.Affected[0].With) != 1 || len(a.Aliases) != 1 {
		t.Errorf("%+v", a)
	}
	if got := fetch(t, feed.Input{From: t.TempDir()}, feed.State{}); got.err == nil {
		t.Error("an empty folder was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":379,"created_at":"2018-02-26","updated_at":"2018-02-26","title":"XSS","module_name":"anywhere","publish_date":"2018-02-26","cves":["CVE-2018-3717"],"vulnerable_versions":"<1.5.0","patched_versions":">=1.5.0","references":["https://a"],"cvss_vector":"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:N","cvss_score":9.6}`))
	f.Add([]byte(`{"cve":["CVE-2020-8265"],"vulnerable":"10.x || 12.x","patched":"^10.23.1","ref":"https://a","overview":"x","affectedEnvironments":["all"],"severity":"high"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func(string, []byte) (*advisory.Advisory, error){parseCore, parsePackage} {
			if a, err := parse("1", b); err == nil && (a.Affected[0].Name == "" || a.Affected[0].Requirement == "") {
				t.Errorf("%+v", a)
			}
		}
	})
}

func TestNetwork(t *testing.T) {
	name := shared(t, database)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeFile(w, r, name)
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/master.zip", Client: &feed.Client{Tries: 1}}
	got := fetch(t, in, feed.State{})
	if got.err != nil || len(got.order) != records {
		t.Fatal(got.err, len(got.order))
	}
	if got = fetch(t, in, got.update.State); got.err != nil || !got.update.Unchanged {
		t.Error(got.err)
	}
}

func BenchmarkReal(b *testing.B) {
	name := shared(b, database)
	for b.Loop() {
		fetch(b, feed.Input{From: name}, feed.State{})
	}
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
