package cvev5

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// line writes what matters of an advisory in one line.
func line(a *advisory.Advisory) string {
	return feedtest.Line(a, func(f *advisory.Affected) string { return f.Stream + " " + f.Name + " " + describe(f) })
}

func describe(f *advisory.Affected) string {
	var out []string
	for _, in := range f.Intervals {
		out = append(out, "["+in.Introduced+".."+in.Fixed+in.LastAffected+map[bool]string{false: ")", true: "]"}[in.Fixed == ""])
	}
	for _, v := range f.Versions {
		out = append(out, "="+v)
	}
	if f.Requirement != "" {
		out = append(out, f.Requirement)
	}
	if len(out) == 0 {
		out = append(out, "all")
	}
	if f.Unaffected != "" {
		out = append(out, "but "+f.Unaffected)
	}
	return strings.Join(out, " ")
}

// 22 single records and an archive with four; the values are read off the files
// by hand.
func TestSamples(t *testing.T) {
	got := feedtest.Fetch(t, List{}, feed.Input{From: feedtest.Shared(t, "cve-v5/sample")}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 26 {
		t.Fatalf("%d records, %q, %v; want 26", len(got.Order), got.Bad, got.Err)
	}
	for id, want := range map[string]string{
		"CVE-2016-15012": "CVSS_V3 5.5 medium vuldb; CVSS_V3 5.5 medium vuldb; CVSS_V2 5.2 medium vuldb; CWE-89",
		"CVE-2016-1897":  "",
		"CVE-2018-14618": "CVSS_V3 7.5 high redhat; CWE-122; CWE-131",
		"CVE-2021-26917": "disputed",
		"CVE-2021-44228": "CVSS_V3 10 critical cisa-adp; CWE-20; CWE-400; CWE-502",
		"CVE-2023-23127": "disputed",
		"CVE-2023-22466": "CVSS_V3 5.4 medium github; CWE-665",
		"CVE-2023-45803": "CVSS_V3 4.2 medium github; CWE-200",
		"CVE-2025-4565":  "CVSS_V4 8.2 high google; CWE-674; pypi protobuf [..4.25.8) [..5.29.5) [..6.31.1)",
		"CVE-2026-20912": "CVSS_V3 9.1 critical cisa-adp; CWE-284; CWE-639",
		"CVE-2026-23522": "CVSS_V3 3.7 low github; CWE-284; CWE-639; CWE-862; CWE-915",
		"CVE-2025-21631": "CVSS_V3 7.8 high cisa-adp; CWE-416",
		"CVE-2022-0001":  "",
	} {
		if d := cmp.Diff(want, line(got.Advisories[id])); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
	a := got.Advisories["CVE-2021-44228"]
	if a.Summary != "Apache Log4j2 JNDI features do not protect against attacker controlled LDAP and other JNDI related endpoints" ||
		!strings.HasPrefix(a.Details, "Apache Log4j2 2.0-beta9 through 2.15.0") || !strings.HasSuffix(a.Details, "CISA-ADP: automatable yes, exploitation active, technical impact total.") ||
		!a.Published.Equal(time.Date(2021, 12, 10, 0, 0, 0, 0, time.UTC)) || !a.Modified.Equal(time.Date(2025, 2, 4, 14, 25, 37, 215e6, time.UTC)) {
		t.Errorf("%+v", a)
	}
	red := got.Advisories["CVE-2024-2002"].Severities
	if len(red) < 2 || red[0] != (advisory.Severity{Source: "redhat", Type: "LABEL", Label: advisory.Medium, Raw: "Moderate"}) || red[1].Score != 7.5 {
		t.Errorf("%+v", red)
	}
	if got.Update.State.Published.IsZero() {
		t.Error("the archive's moment is not known")
	}
}

func TestClaims(t *testing.T) {
	for _, tt := range []struct{ product, want string }{
		{`{"collectionURL":"https://registry.npmjs.org","packageName":"@a/b","versions":[{"version":"0","lessThan":"1.2.3","status":"affected","versionType":"semver"}]}`, "npm @a/b [..1.2.3)"},
		{`{"collectionURL":"https://www.npmjs.com/package/left-pad","versions":[{"version":"1.0.0","lessThanOrEqual":"1.3.0","status":"affected"}]}`, "npm left-pad [1.0.0..1.3.0]"},
		{`{"collectionURL":"https://repo.maven.apache.org/maven2","packageName":"org.apache.logging.log4j:log4j-core","versions":[{"version":"2.0-beta9","status":"affected","lessThan":"2.15.1","changes":[{"at":"2.3.1","status":"unaffected"},{"at":"2.4","status":"affected"},{"at":"2.12.2","status":"unaffected"},{"at":"2.13.0","status":"affected"}]}]}`,
			"maven org.apache.logging.log4j:log4j-core [2.0-beta9..2.3.1) [2.4..2.12.2) [2.13.0..2.15.1) but >= 2.3.1, < 2.4 || >= 2.12.2, < 2.13.0"},
		{`{"collectionURL":"https://repo.maven.apache.org/maven2","packageName":"a/b","versions":[{"version":"5.7","lessThan":"5.7.9","status":"affected","changes":[{"at":"5.7.9","status":"unaffected"}]}]}`, "maven a:b [5.7..5.7.9)"},
		{`{"packageURL":"pkg:golang/github.com/a/b","versions":[{"version":">= 1.7.0, < 1.18.4","status":"affected"},{"version":"< 1.2","status":"affected"}]}`, "golang github.com/a/b >= 1.7.0, < 1.18.4 || < 1.2"},
		{`{"packageURL":"pkg:npm/%40scope/x@1.0?a=b#c","versions":[{"version":">= 1.0.0, < 2.0.0","status":"affected"},{"version":"3.0.0","status":"affected"}]}`, "npm @scope/x =3.0.0 >= 1.0.0, < 2.0.0"},
		{`{"packageURL":"pkg:pypi/Foo_Bar","defaultStatus":"affected","versions":[{"version":"2.0","lessThan":"*","status":"unaffected"},{"version":"1.5","status":"unaffected"},{"version":"7.9 All","status":"unaffected"}]}`, "pypi foo-bar all but >= 2.0 || = 1.5"},
		{`{"collectionURL":"https://crates.io","packageName":"tokio","versions":[{"version":"1.0.0","lessThanOrEqual":"1.4.*","status":"affected","versionType":"semver"}]}`, "cargo tokio [1.0.0..1.5)"},
		{`{"collectionURL":"https://crates.io","packageName":"tokio","versions":[{"version":"unspecified","lessThan":"unspecified","status":"affected"}]}`, "cargo tokio [..]"},
		{`{"collectionURL":"https://packagist.org","packageName":"Vendor/Name","versions":[{"version":"1.0","status":"affected"}]}`, "composer vendor/name =1.0"},
		{`{"collectionURL":"https://packagist.org","packageName":"name","versions":[{"version":"1.0","status":"affected"}]}`, ""},
		{`{"collectionURL":"https://pypi.org","packageName":"x","versions":[{"version":"n/a","status":"affected"}]}`, ""},
		{`{"collectionURL":"https://pypi.org","packageName":"x","versions":[{"version":"1da177e4","lessThan":"a3e77da9","status":"affected","versionType":"git"}]}`, ""},
		{`{"collectionURL":"https://github.com/a/b","packageName":"x","versions":[{"version":"1.0","status":"affected"}]}`, ""},
		{`{"collectionURL":"https://access.redhat.com/downloads/content/package-browser/","packageName":"libdwarf","defaultStatus":"affected"}`, ""},
		{`{"vendor":"a","product":"b","versions":[{"version":"1.0","status":"affected"}]}`, ""},
	} {
		var p affected
		if err := json.Unmarshal([]byte(tt.product), &p); err != nil {
			t.Fatal(err)
		}
		got := ""
		if f, ok := p.claim(); ok {
			got = f.Stream + " " + f.Name + " " + describe(&f)
			for _, r := range []string{f.Requirement, f.Unaffected} {
				if _, err := version.ParseRange(f.Scheme, r); r != "" && err != nil {
					t.Errorf("%s: %v", tt.product, err)
				}
			}
		}
		if got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.product, got, tt.want)
		}
	}
}

const rejected = `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-0001","state":"REJECTED","datePublished":"2024-01-01T00:00:00.000Z","dateRejected":"2024-02-03T00:00:00.000Z"},"containers":{"cna":{"providerMetadata":{"shortName":"x"},"rejectedReasons":[{"lang":"en","value":"A duplicate."}],"replacedBy":["CVE-2024-0002"]}}}`

func TestBad(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{
		"cves/2024/0xxx/CVE-2024-0001.json": rejected,
		"cves/2024/1xxx/CVE-2024-1001.json": `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-1001","state":"RESERVED"}}`,
		"cves/2024/1xxx/CVE-2024-1002.json": `{"data_type":"CVE","data_version":"4.0"}`,
		"cves/2024/1xxx/CVE-2024-1003.json": `{"dataType":`,
		"cves/2024/1xxx/CVE-2024-1004.json": strings.ReplaceAll(rejected, "CVE-2024-0001", "nothing"),
		"other/CVE-2024-0001.json":          rejected,
		"cves/deltaLog.json":                `[`,
	})
	got := feedtest.Fetch(t, List{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Order) != 1 || len(got.Bad) != 5 {
		t.Fatalf("%v %q %v", got.Order, got.Bad, got.Err)
	}
	want := &advisory.Advisory{
		Source: "cve", ID: "CVE-2024-0001", URL: "https://www.cve.org/CVERecord?id=CVE-2024-0001", Related: []string{"CVE-2024-0002"}, Details: "A duplicate.",
		Published: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Withdrawn: time.Date(2024, 2, 3, 0, 0, 0, 0, time.UTC),
	}
	if d := cmp.Diff(want, got.Advisories["CVE-2024-0001"]); d != "" {
		t.Error(d)
	}
	if got := feedtest.Fetch(t, List{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
		t.Error("an empty folder was taken")
	}
}

func TestChanges(t *testing.T) {
	name := feedtest.Shared(t, "cve-v5/sample/vuls-data-update/cve/v5/cvelistV5-main.tar.gz")
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/main.tar.gz":
			http.ServeFile(w, r, name)
		case "/cves/deltaLog.json":
			w.Write([]byte(`[{"fetchTime":"2030-01-02T00:00:00.000Z","new":[{"cveId":"CVE-2024-0001"}],"updated":[]},
				{"fetchTime":"2030-01-01T00:00:00.000Z","new":[],"updated":[{"cveId":"CVE-2024-0001"},{"cveId":"../x"}]},
				{"fetchTime":"2020-01-01T00:00:00.000Z","new":[{"cveId":"CVE-2020-0001"}]}]`))
		case "/cves/2024/0xxx/CVE-2024-0001.json":
			asked++
			w.Write([]byte(rejected))
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	defer s.Close()
	in := feed.Input{URL: s.URL + "/main.tar.gz", Client: &feed.Client{Tries: 1}}
	l := List{log: s.URL + "/cves/deltaLog.json"}
	got := feedtest.Fetch(t, l, in, feed.State{})
	if got.Err != nil || len(got.Order) != 4 || !got.Update.Whole || got.Update.State.Published.IsZero() {
		t.Fatalf("%v %v", got.Order, got.Err)
	}
	got = feedtest.Fetch(t, l, in, got.Update.State)
	if got.Err != nil || len(got.Order) != 1 || asked != 1 || got.Update.Whole || got.Update.State.Revision != "2030-01-02T00:00:00Z" {
		t.Fatalf("%v %v %d", got.Order, got.Err, asked)
	}
	if got = feedtest.Fetch(t, l, in, got.Update.State); got.Err != nil || !got.Update.Unchanged {
		t.Errorf("%v %v", got.Order, got.Err)
	}
	// The log does not reach back far enough: everything.
	if got = feedtest.Fetch(t, l, in, feed.State{Published: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)}); got.Err != nil || !got.Update.Whole || len(got.Order) != 4 {
		t.Errorf("%v %v", got.Order, got.Err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(rejected))
	f.Add([]byte(`{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-0001","state":"PUBLISHED"},"containers":{"cna":{"affected":[{"packageURL":"pkg:npm/%40a/b","defaultStatus":"affected","versions":[{"version":"1","lessThan":"2.*","status":"affected","changes":[{"at":"1.5","status":"unaffected"}]}]}],"metrics":[{"cvssV3_1":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}},{"other":{"type":"ssvc","content":{"options":[{"a":"b"}]}}}]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &reader{seen: map[string]struct{}{}, Output: feed.NewOutput(func(it feed.Item, err error) bool {
			if err == nil && !advisory.IsCVE(it.Advisory.ID) {
				t.Errorf("%+v", it.Advisory)
			}
			return true
		})}
		r.record("x", b)
	})
}

func BenchmarkRecord(b *testing.B) {
	raw, err := os.ReadFile(feedtest.Shared(b, "cve-v5/sample/osv.dev/CVE-2021-44228.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		r := &reader{seen: map[string]struct{}{}, Output: feed.NewOutput(func(feed.Item, error) bool { return true })}
		r.record("x", raw)
	}
}
