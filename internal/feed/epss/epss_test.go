package epss

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
	scores []advisory.EPSS
}

func fetch(t testing.TB, in feed.Input, state feed.State) (r result) {
	t.Helper()
	r.Result = feedtest.Fetch(t, Scores{}, in, state)
	for _, it := range r.Items {
		r.scores = append(r.scores, *it.EPSS)
	}
	return r
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// The count is that of the README beside the feeds, the rows those with the
// numbers 1, 50000, 100000, 200000 and 333710 of the file.
func TestReal(t *testing.T) {
	got := fetch(t, feed.Input{From: feedtest.Shared(t, "epss/epss_scores-2026-05-17.csv.gz")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.scores) != 333711 || !got.Update.Whole {
		t.Fatalf("%d scores, %v, %v; want 333711", len(got.scores), got.Bad, got.Err)
	}
	if s := got.Update.State; s.Revision != "v2025.03.14 2026-05-17" || !s.Published.Equal(day(2026, 5, 17)) {
		t.Errorf("%+v", s)
	}
	d := day(2026, 5, 17)
	for n, want := range map[int]advisory.EPSS{
		1:      {ID: "CVE-1999-0001", Score: 0.0119, Percentile: 0.79022, Date: d},
		50000:  {ID: "CVE-2011-4763", Score: 0.00314, Percentile: 0.54603, Date: d},
		100000: {ID: "CVE-2017-16161", Score: 0.00533, Percentile: 0.67554, Date: d},
		200000: {ID: "CVE-2022-46816", Score: 0.00079, Percentile: 0.23398, Date: d},
		333710: {ID: "CVE-2026-46483", Score: 0.00239, Percentile: 0.46979, Date: d},
	} {
		if diff := cmp.Diff(want, got.scores[n-1]); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", n, diff)
		}
	}
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		file  string
		first advisory.EPSS
		fails string
	}{
		{"vuls-data-update/root/epss_scores-2021-04-14.csv.gz", advisory.EPSS{ID: "CVE-2020-5902", Score: 0.65117, Date: day(2021, 4, 14)}, ""},
		{"vuls-data-update/root/epss_scores-2021-09-01.csv.gz", advisory.EPSS{ID: "CVE-2020-5902", Score: 0.65117, Percentile: 0.9981063485700858, Date: day(2021, 9, 1)}, ""},
		{"vuls-data-update/root/epss_scores-2022-02-04.csv.gz", advisory.EPSS{ID: "CVE-2020-5902", Score: 0.96817, Percentile: 0.99999, Date: day(2022, 2, 4)}, ""},
		{"vuls-data-update/root/epss_scores-2023-03-07.csv.gz", advisory.EPSS{ID: "CVE-2020-5902", Score: 0.97567, Percentile: 0.99995, Date: day(2023, 3, 7)}, ""},
		{"vunnel/example-1.csv", advisory.EPSS{ID: "CVE-1999-0001", Score: 0.00383, Percentile: 0.73075, Date: day(2025, 2, 20)}, ""},
		{"claircore/enricher/epss/data.csv", advisory.EPSS{ID: "CVE-1999-0005", Score: 0.91963, Percentile: 0.99030, Date: day(2024, 10, 25)}, ""},
		{"vunnel/invalid-header.csv", advisory.EPSS{}, `its columns are "invalid,header,format"`},
		{"vunnel/missing-date.csv", advisory.EPSS{}, "of which day"},
	} {
		got := fetch(t, feed.Input{From: feedtest.Shared(t, "epss/sample/"+tt.file)}, feed.State{})
		if tt.fails != "" {
			if got.Err == nil || !strings.Contains(got.Err.Error(), tt.fails) || len(got.scores) > 0 {
				t.Errorf("%s: %v", tt.file, got.Err)
			}
			continue
		}
		if got.Err != nil || len(got.Bad) > 0 || len(got.scores) == 0 {
			t.Errorf("%s: %d scores, %v, %v", tt.file, len(got.scores), got.Bad, got.Err)
		} else if d := cmp.Diff(tt.first, got.scores[0]); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, d)
		}
	}
	got := fetch(t, feed.Input{From: feedtest.Shared(t, "epss/sample/vuls-data-update/root")}, feed.State{})
	if got.Err != nil || len(got.scores) != 8 || got.Update.State.Revision != "v2023.03.01 2023-03-07" {
		t.Errorf("a folder of four days: %d scores, %v, %q", len(got.scores), got.Err, got.Update.State.Revision)
	}
}

func TestBad(t *testing.T) {
	const top = "#model_version:v2023.03.01,score_date:2025-02-20T00:00:00+0000\r\ncve,epss,percentile\r\n"
	for name, tt := range map[string]struct {
		content     string
		scores, bad int
		fails       string
	}{
		"rows":      {top + "CVE-2024-0001,0.5,1\r\n\nCVE-2024-0002,1.5,1\nCVE-2024-0003,NaN,1\nx,0,0\nCVE-2024-0004,0\nCVE-2024-0005,0,0,0\nCVE-2024-0006,1,0", 2, 5, ""},
		"html":      {"<!doctype html>", 0, 0, "web page"},
		"nothing":   {"", 0, 0, "no header"},
		"date":      {"#score_date:tomorrow\ncve,epss,percentile\n", 0, 0, "the date of the scores"},
		"long line": {top + strings.Repeat("x", 1<<17), 0, 0, "bytes of one line"},
	} {
		got := fetch(t, feed.Input{From: feedtest.File(t, "epss.csv", tt.content)}, feed.State{})
		if len(got.scores) != tt.scores || len(got.Bad) != tt.bad || (got.Err == nil) != (tt.fails == "") || got.Err != nil && !strings.Contains(got.Err.Error(), tt.fails) {
			t.Errorf("%s: %d scores, bad %v, error %v", name, len(got.scores), got.Bad, got.Err)
		}
	}
	if got := fetch(t, feed.Input{From: feedtest.Half(t, feedtest.Shared(t, "epss/epss_scores-2026-05-17.csv.gz"))}, feed.State{}); got.Err == nil {
		t.Error("a truncated file was taken")
	}
}

func TestNetwork(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "x.csv", time.Time{}, strings.NewReader("#model_version:v1,score_date:2025-02-20T00:00:00+0000\ncve,epss,percentile\nCVE-2024-0001,0.5,0.75\n"))
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/x.csv", Client: &feed.Client{Tries: 1}}
	got := fetch(t, in, feed.State{})
	if got.Err != nil || len(got.scores) != 1 || got.Update.State.Revision != "v1 2025-02-20" {
		t.Fatalf("%+v", got)
	}
	if got = fetch(t, in, got.Update.State); got.Err != nil || !got.Update.Unchanged || got.Update.State.Revision != "v1 2025-02-20" {
		t.Errorf("%+v", got)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("#model_version:v2023.03.01,score_date:2025-02-20T00:00:00+0000\ncve,epss,percentile\nCVE-1999-0001,0.00383,0.73075\n")
	f.Add("cve,epss\nCVE-2020-5902,0.65117\n")
	f.Fuzz(func(t *testing.T, s string) {
		r := reader{Output: feed.NewOutput(func(it feed.Item, err error) bool {
			if e := it.EPSS; err == nil && (!advisory.IsCVE(e.ID) || !(e.Score >= 0 && e.Score <= 1) || !(e.Percentile >= 0 && e.Percentile <= 1) || e.Date.IsZero()) {
				t.Errorf("%+v", e)
			}
			return true
		})}
		r.table(strings.NewReader(s), "epss_scores-2021-04-14.csv", &feed.State{})
	})
}

func BenchmarkTable(b *testing.B) {
	feedtest.Benchmark(b, Scores{}, feedtest.Shared(b, "epss/epss_scores-2026-05-17.csv.gz"), 333711)
}
