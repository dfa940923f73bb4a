package elixirsec

import (
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

const (
	database = "elixir/elixir-security-advisories.zip"
	records  = 12 // by the README beside the feeds
)

// All files, read by hand.
func TestReal(t *testing.T) {
	got := feedtest.Fetch(t, Database{}, feed.Input{From: feedtest.Shared(t, database)}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != records || !got.Update.Whole {
		t.Fatalf("%d advisories, %q, %v; want %d", len(got.Order), got.Bad, got.Err, records)
	}
	for _, tt := range []struct {
		id, pkg, cve, published string
		fixes, affected, not    string
	}{
		{"75dd2048-1665-440f-b629-0149dbad5300", "paginator", "CVE-2020-15150", "2020-08-18", "1.0.0", "0.6.0", "1.0.0"},
		{"32a198e1-8efc-40e7-9277-c6a632024767", "phoenix", "CVE-2017-1000163", "2017-03-14", "1.0.5 1.1.7 1.2.3 1.3.0-rc.1", "1.0.4 1.1.6 1.2.2 1.3.0-rc.0 0.9.0", "1.0.5 1.1.9 1.2.3 1.3.0 1.4.0"},
		{"fb810971-a5c6-4268-9bd7-d931f72a87ec", "sweet_xml", "CVE-2019-15160", "2019-08-19", "0.7.0", "0.6.6", "0.7.0"},
		{"bcdf62ae-14a8-4179-a0ff-a92d0ca06ceb", "pow_assent", "CVE-2019-16764", "2019-11-25", "0.4.4", "0.4.3", "0.4.4"},
		{"8268e120-60b4-4efb-b9ca-4e3faca0cca6", "plug", "CVE-2017-1000052", "2017-02-28", "1.0.4 1.1.7 1.2.3 1.3.2", "1.0.3 1.1.6 1.2.2 1.3.1", "1.0.4 1.1.7 1.2.3 1.3.2"},
		{"6d35c3ee-ca74-47dc-83e4-bd1604e31309", "plug", "CVE-2017-1000053", "2017-02-28", "1.0.4 1.1.7 1.2.3 1.3.2", "1.3.0", "1.11.0"},
		{"dc96aba4-4462-4d3b-b73f-28b9349133d8", "plug", "CVE-2018-1000883", "2017-04-17", "1.0.6 1.1.9 1.2.5 1.3.5", "1.0.5 1.3.4", "1.0.6 1.3.5"},
		{"0469cde7-c10e-43fd-83f6-11aef00cc8d9", "xain", "CVE-2018-20302", "2018-09-03", "0.6.2", "0.6.1", "0.6.2"},
		{"46aad699-50a3-48d8-a7ac-f248ab96b374", "ecto", "", "2017-08-27", "", "2.2.0", "2.1.9 2.2.1"},
		{"2aae6e3a-24a3-4d5f-86ff-b964eaf7c6d1", "coherence", "CVE-2018-20301", "2017-08-02", "0.5.2", "0.5.1", "0.5.2"},
		{"1c6dd016-838d-4255-b826-ca63fa66a1c9", "pow", "CVE-2020-5205", "2020-01-07", "1.0.16", "1.0.15", "1.0.16"},
		{"298dc371-c851-456b-9af1-5adb1c07f9cb", "phoenix_html", "", "2021-09-23", "3.1.0", "3.0.4", "2.14.3 3.1.0"},
	} {
		a := got.Advisories[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		f := a.Affected[0]
		if f.Key != (advisory.Key{Stream: "hex", Name: tt.pkg}) || f.Scheme != version.Hex || strings.Join(a.Aliases, " ") != tt.cve || strings.Join(f.Fix.Versions, " ") != tt.fixes ||
			a.Published.Format(time.DateOnly) != tt.published || f.Fix.State != advisory.Fixed || a.Summary == "" {
			t.Errorf("%+v", a)
		}
		for _, v := range strings.Fields(tt.affected) {
			if !feedtest.Affects(t, f, v) {
				t.Errorf("%s: %s %s is affected by %q", tt.id, tt.pkg, v, f.Unaffected)
			}
		}
		for _, v := range strings.Fields(tt.not) {
			if feedtest.Affects(t, f, v) {
				t.Errorf("%s: %s %s is not affected by %q", tt.id, tt.pkg, v, f.Unaffected)
			}
		}
	}
}

func TestBad(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{
		"packages/a/1.yml": "id: 1\npackage: a\ncve: 2024-0001\n",
		"packages/a/2.yml": "id: 1\npackage: a\n",
		"packages/a/3.yml": "id: [\n",
		"packages/a/4.yml": "package: a\n",
		"packages/a/5.yml": "id: 5\npackage: a\ncve: x\n",
		"README.md":        "# Advisories",
	})
	got := feedtest.Fetch(t, Database{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Order) != 1 || len(got.Bad) != 4 || got.Advisories["1"].Affected[0].Fix.State != advisory.NotFixed {
		t.Fatalf("%v %q %v", got.Order, got.Bad, got.Err)
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
		t.Error("an empty folder was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("---\nid: 75dd2048-1665-440f-b629-0149dbad5300\npackage: paginator\ndisclosure_date: 2020-08-18\ncve: 2020-15150\nlink: https://a\ntitle: |\n  RCE\npatched_versions:\n  - \">= 1.0.0\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parse(b); err == nil && (a.ID == "" || a.Affected[0].Name == "") {
			t.Errorf("%+v", a)
		}
	})
}

func TestNetwork(t *testing.T) {
	feedtest.Download(t, Database{}, feedtest.Shared(t, database), records)
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Database{}, feedtest.Shared(b, database), records)
}
