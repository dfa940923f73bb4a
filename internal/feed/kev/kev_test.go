package kev

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

type result struct {
	feedtest.Result
	entries []*advisory.Exploited
}

func fetch(t testing.TB, in feed.Input, state feed.State) (r result) {
	t.Helper()
	r.Result = feedtest.Fetch(t, Catalog{}, in, state)
	for _, it := range r.Items {
		r.entries = append(r.entries, it.Exploited)
	}
	return r
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// Counts and values are those of the README beside the feeds and of the file.
func TestReal(t *testing.T) {
	got := fetch(t, feed.Input{From: feedtest.Shared(t, "kev/known_exploited_vulnerabilities.json")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.entries) != 1342 || !got.Update.Whole {
		t.Fatalf("%d entries, %v, %v; want 1342", len(got.entries), got.Bad, got.Err)
	}
	if s := got.Update.State; s.Revision != "2025.05.14" || !s.Published.Equal(time.Date(2025, 5, 14, 17, 0, 8, 428800000, time.UTC)) {
		t.Errorf("%+v", s)
	}
	ransomware := 0
	byID := map[string]*advisory.Exploited{}
	for _, e := range got.entries {
		byID[e.ID] = e
		if e.Ransomware {
			ransomware++
		}
	}
	if ransomware != 278 {
		t.Errorf("%d are used by ransomware, want 278", ransomware)
	}
	for _, want := range []advisory.Exploited{
		{ID: "CVE-2025-32756", Added: day(2025, 5, 14), Due: day(2025, 6, 4), Vendor: "Fortinet", Product: "Multiple Products", Name: "Fortinet Multiple Products Stack-Based Buffer Overflow Vulnerability"},
		{ID: "CVE-2020-2883", Added: day(2025, 1, 7), Due: day(2025, 1, 28), Vendor: "Oracle", Product: "WebLogic Server", Name: "Oracle WebLogic Server Unspecified Vulnerability"},
		{ID: "CVE-2018-19322", Added: day(2022, 10, 24), Due: day(2022, 11, 14), Ransomware: true, Vendor: "GIGABYTE", Product: "Multiple Products", Name: "GIGABYTE Multiple Products Code Execution Vulnerability"},
		{ID: "CVE-2012-0391", Added: day(2022, 1, 21), Due: day(2022, 7, 21), Vendor: "Apache", Product: "Struts 2", Name: "Apache Struts 2 Improper Input Validation Vulnerability"},
		{ID: "CVE-2020-29583", Added: day(2021, 11, 3), Due: day(2022, 5, 3), Vendor: "Zyxel", Product: "Multiple Products", Name: "Zyxel Multiple Products Use of Hard-Coded Credentials Vulnerability"},
	} {
		e := byID[want.ID]
		if e == nil {
			t.Errorf("%s is not there", want.ID)
			continue
		}
		want.Source, want.Action, want.Notes = "kev", e.Action, e.Notes
		if d := cmp.Diff(&want, e); d != "" || e.Action == "" {
			t.Errorf("%s (-want +got):\n%s", want.ID, d)
		}
	}
	// Both forms say the same.
	table := fetch(t, feed.Input{From: feedtest.Shared(t, "kev/known_exploited_vulnerabilities.csv")}, feed.State{})
	if table.Err != nil || len(table.Bad) > 0 {
		t.Fatal(table.Err, table.Bad)
	}
	if d := cmp.Diff(got.entries, table.entries); d != "" {
		t.Errorf("the CSV differs (-JSON +CSV):\n%s", d)
	}
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		file         string
		entries, bad int // bad: cut down, so the count does not agree
		fails        string
	}{
		{"vuln-list-update/kevc/happy/known_exploited_vulnerabilities.json", 2, 0, ""},
		{"claircore/enricher/kev/known_exploited_vulnerabilities.json", 2, 0, ""},
		{"vuls-data-update/kev/known_exploited_vulnerabilities.json", 1, 1, ""},
		{"vunnel/valid-catalog-1.json", 3, 1, ""},
		{"vunnel/single-entry/example1.json", 0, 0, "no catalogue"},
		{"vuln-list-update/kevc/sad/known_exploited_vulnerabilities.json", 0, 0, "unexpected EOF"},
		{"vuls-data-update/coun7er/happy/latest.json", 0, 0, "no catalogue"},
	} {
		got := fetch(t, feed.Input{From: feedtest.Shared(t, "kev/sample/"+tt.file)}, feed.State{})
		if len(got.entries) != tt.entries || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %d entries, bad %v, error %v", tt.file, len(got.entries), got.Bad, got.Err)
		}
	}
}

func TestBad(t *testing.T) {
	const header = "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,knownRansomwareCampaignUse,notes,cwes\n"
	for name, tt := range map[string]struct {
		file, content string
		entries, bad  int
		fails         string
	}{
		"records": {"a.json", `{"vulnerabilities":[{"cveID":"CVE-2024-0001"},{"cveID":"x"},5,{"cveID":"CVE-2024-0001"},{"cveID":"CVE-2024-0002","dateAdded":"soon"}]}`, 1, 4, ""},
		"rows":    {"a.csv", header + "CVE-2024-0001,a,b,c,2024-01-01,d,e,2024-02-01,Known,,\nx\nCVE-2024-0002,a,b,c,1.1.2024,d,e,,,,\n", 1, 2, ""},
		"html":    {"a.json", "<html><title>Gone</title>", 0, 0, "web page"},
		"columns": {"a.csv", "a,b\n", 0, 0, "cveID"},
		"empty":   {"a.csv", "", 0, 0, "EOF"},
		"null":    {"a.json", "null", 0, 0, "object"},
		"another": {"a.txt", "hello", 0, 0, "no catalogue"},
	} {
		got := fetch(t, feed.Input{From: feedtest.File(t, tt.file, tt.content)}, feed.State{})
		if len(got.entries) != tt.entries || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %d entries, bad %v, error %v", name, len(got.entries), got.Bad, got.Err)
		}
	}
}

func TestNetwork(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "x.json", time.Time{}, strings.NewReader(`{"catalogVersion":"1","count":1,"vulnerabilities":[{"cveID":"CVE-2024-0001"}]}`))
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/x.json", Client: &feed.Client{Tries: 1}}
	got := fetch(t, in, feed.State{})
	if got.Err != nil || len(got.entries) != 1 || got.Update.State.Revision != "1" {
		t.Fatalf("%+v", got)
	}
	if got = fetch(t, in, got.Update.State); got.Err != nil || !got.Update.Unchanged || got.Update.State.Revision != "1" {
		t.Errorf("%+v", got)
	}
}

func FuzzCatalog(f *testing.F) {
	f.Add([]byte(`{"title":"CISA Catalog of Known Exploited Vulnerabilities","catalogVersion":"2022.05.13","dateReleased":"2022-05-13T19:57:27.2727Z","count":1,"vulnerabilities":[{"cveID":"CVE-2014-0160","dateAdded":"2022-05-04","dueDate":"2022-05-25"}]}`))
	f.Add([]byte("cveID,vendorProject,dateAdded\nCVE-2025-32756,Fortinet,2025-05-14\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := catalog{seen: map[string]bool{}, Output: feed.NewOutput(func(it feed.Item, err error) bool {
			if err == nil && !advisory.IsCVE(it.Exploited.ID) {
				t.Errorf("%+v", it.Exploited)
			}
			return true
		})}
		c.json(strings.NewReader(string(b)), &feed.State{})
		c.csv(string(b))
	})
}
