package nodesecwg

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

const (
	database = "nodejs-security-wg/vuln.zip"
	records  = 640 - 2 // by the README beside the feeds, two of which are lists of the others
)

// Records read off the files by hand.
func TestReal(t *testing.T) {
	got := feedtest.Fetch(t, Database{}, feed.Input{From: feedtest.Shared(t, database)}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != records || !got.Update.Whole {
		t.Fatalf("%d advisories, %q, %v; want %d", len(got.Order), got.Bad, got.Err, records)
	}
	count := map[string]int{}
	for _, a := range got.Advisories {
		f := a.Affected[0]
		count[f.Stream]++
		feedtest.Affects(t, f, "1.0.0") // every requirement can be read
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
		a := got.Advisories[tt.id]
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
			if !feedtest.Affects(t, f, v) {
				t.Errorf("%s: %s is affected by %q but %q", tt.id, v, f.Requirement, f.Unaffected)
			}
		}
		for _, v := range strings.Fields(tt.not) {
			if feedtest.Affects(t, f, v) {
				t.Errorf("%s: %s is not affected by %q but %q", tt.id, v, f.Requirement, f.Unaffected)
			}
		}
	}
}

func TestBad(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{
		"vuln/npm/1.json":     `{"id":1,"module_name":"a","vulnerable_versions":"<1","patched_versions":"<0.0.0","cvss_score":-1,"cves":["CVE-2024-0001","CVE-2024-0002"]}`,
		"vuln/npm/2.json":     `{"id":2,"module_name":"a"}`,
		"vuln/npm/3.json":     `{"id":`,
		"vuln/npm/index.json": `{"1":{}}`,
		"npm/1.json":          `{"id":1,"module_name":"b","vulnerable_versions":"*"}`,
		"vuln/core/1.json":    `{"cve":["CVE-2024-0003"],"vulnerable":"6.x","patched":"^6.1.0","affectedEnvironments":["win32"]}`,
		"vuln/core/2.json":    `{"cve":7}`,
		"package.json":        `{}`,
	})
	got := feedtest.Fetch(t, Database{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Order) != 2 || len(got.Bad) != 4 {
		t.Fatalf("%v %q %v", got.Order, got.Bad, got.Err)
	}
	if a := got.Advisories["NSWG-COR-1"]; len(a.Affected[0].With) != 1 || len(a.Aliases) != 1 {
		t.Errorf("%+v", a)
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
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
	feedtest.Download(t, Database{}, feedtest.Shared(t, database), records)
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Database{}, feedtest.Shared(b, database), records)
}
