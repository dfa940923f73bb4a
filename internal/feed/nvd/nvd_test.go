package nvd

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

func fetch(t testing.TB, s feed.Source, in feed.Input, state feed.State) (feedtest.Result, *feed.Update) {
	t.Helper()
	r := feedtest.Fetch(t, s, in, state)
	return r, r.Update
}

// The counts are those of the README beside the feeds, the records read off
// the files by hand.
func TestReal(t *testing.T) {
	readme, err := os.ReadFile(feedtest.Shared(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (nvd/(?:legacy-1.1/)?nvdcve-\S+) \| (\d+) \|`).FindAllStringSubmatch(string(readme), -1)
	if len(rows) != 20 {
		t.Fatalf("the README has %d rows of feeds, want 20", len(rows))
	}
	all := map[string]*advisory.Advisory{}
	for _, row := range rows {
		want, _ := strconv.Atoi(row[2])
		got, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Shared(t, row[1])}, feed.State{})
		if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != want {
			t.Errorf("%s: %d records, %d bad %v, error %v; want %d records", row[1], len(got.Order), len(got.Bad), got.Bad, got.Err, want)
		}
		if !strings.Contains(row[1], "legacy") {
			maps.Copy(all, got.Advisories)
		}
	}
	if len(all) != 38386-1553 {
		t.Errorf("%d records in all, want %d", len(all), 38386-1553)
	}
	checkRecords(t, all)
}

// The folder of samples has pages, feeds of both formats, single records, and
// much that is no CVE feed.
func TestSamples(t *testing.T) {
	got, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Shared(t, "nvd/sample")}, feed.State{})
	if got.Err != nil || len(got.Order) != 90 || len(got.Bad) != 43 {
		t.Errorf("%d records, %d bad, error %v", len(got.Order), len(got.Bad), got.Err)
	}
	checkSamples(t, got.Advisories)
}

type expected struct{ id, want string }

func check(t *testing.T, got map[string]*advisory.Advisory, list []expected) {
	t.Helper()
	for _, tt := range list {
		if a := got[tt.id]; a == nil {
			t.Errorf("%s is not there", tt.id)
		} else if d := cmp.Diff(tt.want, line(a)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.id, d)
		}
	}
}

func checkRecords(t *testing.T, got map[string]*advisory.Advisory) {
	check(t, got, []expected{
		{"CVE-2022-0333", `CVSS_V3 3.8 low nvd; CVSS_V2 5.5 medium nvd; CWE-863; moodle:moodle cpe:2.3:a:moodle:moodle:*:*:*:*:*:*:*:* [..3.8.9] [3.10.0..3.10.9) [3.11.0..3.11.5) [3.9.0..3.9.12)`},
		{"CVE-2003-0698", `withdrawn 2008-09-10`},
		{"CVE-2004-0835", `CVSS_V2 7.5 high nvd; debian:debian_linux cpe:2.3:o:debian:debian_linux:*:*:*:*:*:*:*:* =3.0; mysql:mysql cpe:2.3:a:mysql:mysql:*:*:*:*:*:*:*:* [4.1.0..4.1.2] [5.0.0..5.0.1]; oracle:mysql cpe:2.3:a:oracle:mysql:*:*:*:*:*:*:*:* (3.20..3.23.59) [4.0.0..4.0.19)`},
		{"CVE-2005-1831", `CVSS_V2 7.2 high nvd; disputed; todd_miller:sudo cpe:2.3:a:todd_miller:sudo:*:*:*:*:*:*:*:* =1.6.8p7`},
		{"CVE-2013-4412", `CVSS_V3 7.5 high nvd; CVSS_V2 5 medium nvd; CWE-476; berlios:slim cpe:2.3:a:berlios:slim:*:*:*:*:*:*:*:* =1.3.6 with cpe:2.3:a:gnu:glibc:*:*:*:*:*:*:*:*; debian:debian_linux cpe:2.3:o:debian:debian_linux:*:*:*:*:*:*:*:* =6.0 =7.0`},
		{"CVE-2023-22602", `CVSS_V3 7.5 high nvd; CWE-436; apache:shiro cpe:2.3:a:apache:shiro:*:*:*:*:*:*:*:* [..1.11.0); vmware:spring_boot cpe:2.3:a:vmware:spring_boot:*:*:*:*:*:*:*:* =2.6.0+`},
	})
	want := advisory.Advisory{
		Source: "nvd", ID: "CVE-2005-1831", URL: "https://nvd.nist.gov/vuln/detail/CVE-2005-1831", Disputed: true,
		Published: time.Date(2005, 5, 31, 4, 0, 0, 0, time.UTC), Modified: time.Date(2016, 10, 18, 3, 22, 0, 0, time.UTC),
	}
	a := *got["CVE-2005-1831"]
	if !strings.HasPrefix(a.Details, "** DISPUTED **  Sudo 1.6.8p7 on SuSE Linux 9.3") || len(a.References) != 4 {
		t.Errorf("%+v", a)
	}
	a.Details, a.References, a.Severities, a.Affected = "", nil, nil, nil
	if d := cmp.Diff(want, a); d != "" {
		t.Error(d)
	}
	heart := got["CVE-2014-0160"]
	for _, want := range []string{
		"openssl:openssl cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:* [1.0.1..1.0.1g)",
		"siemens:application_processing_engine_firmware cpe:2.3:o:siemens:application_processing_engine_firmware:*:*:*:*:*:*:*:* =2.0 with cpe:2.3:h:siemens:application_processing_engine:-:*:*:*:*:*:*:*",
	} {
		if !strings.Contains(line(heart), want) {
			t.Errorf("CVE-2014-0160: no %q in %s", want, line(heart))
		}
	}
	if r := heart.References[0]; r.Type != "FIX" || !strings.HasPrefix(r.URL, "http://git.openssl.org/") {
		t.Errorf("%+v", r)
	}
	spring := line(got["CVE-2018-1258"])
	for _, want := range []string{
		"vmware:spring_framework cpe:2.3:a:vmware:spring_framework:*:*:*:*:*:*:*:* =5.0.5 with cpe:2.3:a:pivotal_software:spring_security:*:*:*:*:*:*:*:*",
		"pivotal_software:spring_security cpe:2.3:a:pivotal_software:spring_security:*:*:*:*:*:*:*:* with cpe:2.3:a:vmware:spring_framework:5.0.5:*:*:*:*:*:*:*",
	} {
		if !strings.Contains(spring, want) {
			t.Errorf("CVE-2018-1258: no %q in %s", want, spring)
		}
	}
}

// Scores of version 4 and of others than NVD, an escaped name.
func checkSamples(t *testing.T, got map[string]*advisory.Advisory) {
	check(t, got, []expected{
		{"CVE-2024-4819", `CVSS_V4 5.3 medium cna@vuldb.com; CVSS_V3 4.3 medium cna@vuldb.com; CVSS_V2 4 medium cna@vuldb.com; CWE-285`},
		{"CVE-2022-1576", `CVSS_V3 6.5 medium nvd; CVSS_V2 4.3 medium nvd; CWE-352; themeisle:wp_maintenance_mode_\&_coming_soon cpe:2.3:a:themeisle:wp_maintenance_mode_\&_coming_soon:*:*:*:*:*:wordpress:*:* [..2.4.5)`},
	})
}

// line writes what matters of an advisory in one line.
func line(a *advisory.Advisory) string {
	return feedtest.Line(a, func(f *advisory.Affected) string {
		s := f.Name + " " + f.CPE
		if f.Status != "" {
			s += " " + string(f.Status)
		}
		for _, in := range f.Intervals {
			s += " " + map[bool]string{false: "[", true: "("}[in.After] + in.Introduced + ".." + in.Fixed + in.LastAffected + map[bool]string{false: ")", true: "]"}[in.Fixed == ""]
		}
		for _, v := range f.Versions {
			s += " =" + v
		}
		if len(f.With) > 0 {
			s += " with " + strings.Join(f.With, ",")
		}
		return s
	})
}

// The retired format says the same as the new one of the same day.
func TestLegacy(t *testing.T) {
	old, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Shared(t, "nvd/legacy-1.1/nvdcve-1.1-2003.json.gz")}, feed.State{})
	now, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Shared(t, "nvd/nvdcve-2.0-2003.json.gz")}, feed.State{})
	if len(now.Order) != 263 {
		t.Fatalf("%d records", len(now.Order))
	}
	for id, want := range now.Advisories {
		if d := cmp.Diff(want, old.Advisories[id]); d != "" {
			t.Errorf("%s (-2.0 +1.1):\n%s", id, d)
		}
	}
	withdrawn := 0
	for _, a := range old.Advisories {
		if !a.Withdrawn.IsZero() {
			withdrawn++
		}
	}
	if withdrawn != 50 {
		t.Errorf("%d are rejected, want 50", withdrawn)
	}
}

func TestOverrides(t *testing.T) {
	got, _ := fetch(t, Overrides{}, feed.Input{From: feedtest.Shared(t, "nvd/nvd-data-overrides-2026-08-21.jsonl.gz")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 32184 {
		t.Fatalf("%d records, %v, %v; want 32184", len(got.Order), got.Bad, got.Err)
	}
	for id, want := range map[string]string{
		"CVE-1999-0037":  "null:null  not-affected",
		"CVE-2008-5915":  "google:chrome cpe:2.3:a:google:chrome:*:*:*:*:*:*:*:* not-affected =0",
		"CVE-1999-1412":  "apache:http_server cpe:2.3:a:apache:http_server:*:*:*:*:*:*:*:* [..1.3.42] with cpe:2.3:o:apple:macos:-:*:*:*:*:*:*:*",
		"CVE-2025-39528": "rescuethemes:rescue_shortcodes cpe:2.3:a:rescuethemes:rescue_shortcodes:*:*:*:*:*:wordpress:*:* [..3.3)",
	} {
		if d := cmp.Diff(want, line(got.Advisories[id])); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
	if a := got.Advisories["CVE-1999-0037"]; !strings.Contains(a.Details, "NVD uses very wide CPEs") || len(a.References) != 1 {
		t.Errorf("%+v", a)
	}
	// As the repository has them: one file each.
	dir := feedtest.Folder(t, map[string]string{
		"README.md":                     "# Overrides",
		"data/2025/CVE-2025-39528.json": `{"_annotation":{"cve_id":"CVE-2025-39528"},"cve":{"configurations":[]}}`,
		"data/2025/CVE-2025-1.json":     `{"_annotation":`,
	})
	got, _ = fetch(t, Overrides{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Bad) != 1 || len(got.Order) != 1 {
		t.Errorf("%+v", got)
	}
}

// An API as in the recorded pages: three records each.
func server(t *testing.T, dir string, asked *[]string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RawQuery+" "+r.Header.Get("apiKey"))
		http.ServeFile(w, r, filepath.Join(dir, r.FormValue("startIndex")+"-3.json"))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAPI(t *testing.T) {
	var asked []string
	var pauses []time.Duration
	c := &feed.Client{Tries: 1, Sleep: func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }}
	s := server(t, feedtest.Shared(t, "nvd/sample/vuls-data-update/api/cve/3_pages"), &asked)
	got, u := fetch(t, NVD{}, feed.Input{URL: s.URL, Client: c}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 8 || !u.Whole {
		t.Fatalf("%+v", got)
	}
	if d := cmp.Diff([]string{"resultsPerPage=2000&startIndex=0 ", "resultsPerPage=2000&startIndex=3 ", "resultsPerPage=2000&startIndex=6 "}, asked); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]time.Duration{6 * time.Second, 6 * time.Second}, pauses); d != "" {
		t.Error(d)
	}
	if want := time.Date(2023, 11, 10, 8, 41, 24, 983e6, time.UTC); !u.State.Published.Equal(want) {
		t.Errorf("published %v, want %v", u.State.Published, want)
	}

	asked, pauses = nil, nil
	since := time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
	got, u = fetch(t, NVD{Key: "k"}, feed.Input{URL: s.URL, Client: c}, feed.State{Published: since})
	if got.Err != nil || len(got.Order) != 8 || u.Whole {
		t.Fatalf("%+v", got)
	}
	from := strings.NewReplacer(":", "%3A", "+", "%2B").Replace(since.Add(-time.Hour).Format("2006-01-02T15:04:05.000+00:00"))
	if !strings.Contains(asked[0], "lastModStartDate="+from+"&") || !strings.Contains(asked[0], "lastModEndDate=") || !strings.HasSuffix(asked[0], " k") || pauses[0] != 600*time.Millisecond {
		t.Errorf("%v %v", asked, pauses)
	}

	// A page that announces more than ever comes is no end.
	s = server(t, feedtest.Shared(t, "nvd/sample/vuls-data-update/api/cve/increase"), &asked)
	if got, _ = fetch(t, NVD{}, feed.Input{URL: s.URL, Client: c}, feed.State{}); got.Err == nil {
		t.Error("a missing page was overlooked")
	}
}

func TestYears(t *testing.T) {
	dir := feedtest.Shared(t, "nvd/sample/vuls-data-update/feed/cve/v2")
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		year := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/nvdcve-2.0-"), ".json.gz")
		asked[year]++
		if year == strconv.Itoa(time.Now().UTC().Year()) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"`+year+`"`)
		http.ServeFile(w, r, filepath.Join(dir, "nvdcve-2.0-"+map[bool]string{true: "2021", false: "2002"}[year == "2021"]+".json.gz"))
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/nvdcve-2.0-YEAR.json.gz", Client: &feed.Client{Tries: 1}}
	got, u := fetch(t, NVD{}, in, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || !u.Whole || len(got.Order) < 5 || asked["2002"] != 1 || asked["2021"] != 1 || u.State.Parts["2005"] != `"2005"` {
		t.Fatalf("%v %v %v %v", got.Order, got.Err, asked, u.State)
	}
	if want := time.Date(2026, 3, 8, 3, 0, 23, 406518400, time.UTC); !u.State.Published.Equal(want) {
		t.Errorf("published %v, want %v", u.State.Published, want)
	}
	state := u.State
	state.Parts["2021"] = `"old"`
	got, u = fetch(t, NVD{}, in, state)
	if got.Err != nil || u.Whole || len(got.Order) == 0 || u.State.Parts["2021"] != `"2021"` || u.State.Parts["2002"] != `"2002"` {
		t.Errorf("%v %v %v", got.Order, got.Err, u.State)
	}
}

// What changed lately comes before the yearly feeds, 2.0 before 1.1.
func TestFolder(t *testing.T) {
	record := func(id, status string) string {
		return `{"format":"NVD_CVE","vulnerabilities":[{"cve":{"id":"` + id + `","vulnStatus":"` + status + `","lastModified":"2024-01-02T03:04:05.000"}}]}`
	}
	dir := feedtest.Folder(t, map[string]string{
		"nvdcve-1.1-2003.json":     `{"CVE_data_type":"CVE","CVE_Items":[{"cve":{"CVE_data_meta":{"ID":"CVE-2003-0001"}}},{"cve":{"CVE_data_meta":{"ID":"CVE-2003-0002"}}}]}`,
		"nvdcve-2.0-2003.json":     record("CVE-2003-0001", "Analyzed"),
		"nvdcve-2.0-modified.json": record("CVE-2003-0001", "Rejected"),
		"nvdcve-2.0-2003.meta":     "sha256:0",
	})
	got, u := fetch(t, NVD{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || u.Whole || len(got.Order) != 2 || got.Advisories["CVE-2003-0001"].Withdrawn.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestBad(t *testing.T) {
	const good = `{"cve":{"id":"CVE-2024-0001"}}`
	for name, tt := range map[string]struct {
		content string
		records int
		bad     int
		fails   string
	}{
		"empty page":     {`{"totalResults":0,"format":"NVD_CVE"}`, 0, 0, ""},
		"bad record":     {`{"format":"NVD_CVE","vulnerabilities":[` + good + `,{"cve":7},{"cve":{"id":"X"}},{},{"cve":{"id":"CVE-2024-0002"}}]}`, 2, 3, ""},
		"bad criterion":  {`{"format":"NVD_CVE","vulnerabilities":[{"cve":{"id":"CVE-2024-0001","configurations":[{"nodes":[{"cpeMatch":[{"vulnerable":true,"criteria":"cpe:/a:b"}]}]}]}}]}`, 1, 1, ""},
		"cut off":        {`{"format":"NVD_CVE","vulnerabilities":[` + good, 1, 0, "unexpected EOF"},
		"web page":       {`<!DOCTYPE html><title>Sign in</title>`, 0, 0, "web page"},
		"another format": {`{"format":"NVD_CPE","products":[]}`, 0, 0, "NVD_CPE"},
		"another thing":  {`{"a":1}`, 0, 0, "neither"},
		"list":           {`[]`, 0, 0, "an object"},
		"nothing":        {``, 0, 0, "EOF"},
		"text behind":    {`{"format":"NVD_CVE","vulnerabilities":[]} x`, 0, 0, "after the end"},
	} {
		got, _ := fetch(t, NVD{}, feed.Input{From: feedtest.File(t, "nvd.json", tt.content)}, feed.State{})
		if len(got.Order) != tt.records || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %d records, bad %v, error %v", name, len(got.Order), got.Bad, got.Err)
		}
	}
	if got, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Half(t, feedtest.Shared(t, "nvd/nvdcve-2.0-2002.json.gz"))}, feed.State{}); got.Err == nil {
		t.Error("a truncated file was taken")
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"resultsPerPage":1,"startIndex":0,"totalResults":1,"format":"NVD_CVE","timestamp":"2023-01-03T21:56:15.797","vulnerabilities":[{"cve":{"id":"CVE-2022-1576","published":"2022-07-11T13:15:08.503","descriptions":[{"lang":"en","value":"x"}],"metrics":{"cvssMetricV2":[{"source":"nvd@nist.gov","type":"Primary","cvssData":{"vectorString":"AV:N/AC:M/Au:N/C:N/I:P/A:N","baseScore":4.3},"baseSeverity":"MEDIUM"}]},"configurations":[{"operator":"AND","nodes":[{"operator":"OR","cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:a:a\\:b:c:1.0:p1:*:*:*:*:*:*"}]},{"operator":"AND","negate":true,"cpeMatch":[{"vulnerable":false,"criteria":"cpe:2.3:h:a:b:-:*:*:*:*:*:*:*"}]}]}],"references":[{"url":"https://a","tags":["Patch"]}]}}]}`))
	f.Add([]byte(`{"CVE_data_type":"CVE","CVE_Items":[{"cve":{"CVE_data_meta":{"ID":"CVE-2003-0001"},"description":{"description_data":[{"lang":"en","value":"** REJECT **"}]}},"configurations":{"nodes":[{"operator":"AND","children":[{"operator":"OR","children":[],"cpe_match":[{"vulnerable":true,"cpe23Uri":"cpe:2.3:a:b:c:0.15.0:*:*:*:*:*:*:*"}]},{"operator":"OR","cpe_match":[{"vulnerable":false,"cpe23Uri":"cpe:2.3:a:g:t:2.0:*:*:*:*:*:*:*","versionEndIncluding":"3"}]}],"cpe_match":[]}]},"impact":{},"publishedDate":"2003-01-17T05:00Z"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &reader{seen: map[string]struct{}{}, Output: feed.NewOutput(func(it feed.Item, err error) bool {
			if err == nil && (it.Advisory == nil || !advisory.IsCVE(it.Advisory.ID)) {
				t.Errorf("%+v", it)
			}
			return true
		})}
		r.page(bytes.NewReader(b), "x")
		r.override(b, "x")
	})
}

func BenchmarkFeed(b *testing.B) {
	name := feedtest.Shared(b, "nvd/nvdcve-2.0-2018.json.gz")
	d, err := feed.OpenFile(name)
	if err != nil {
		b.Fatal(err)
	}
	body, err := d.Unpacked(feed.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		r := &reader{seen: map[string]struct{}{}, Output: feed.NewOutput(func(feed.Item, error) bool { return true })}
		if _, err := r.page(bytes.NewReader(raw), name); err != nil {
			b.Fatal(err)
		}
	}
}
