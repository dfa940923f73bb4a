package osv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

func parseOne(t testing.TB, source, text string) (*advisory.Advisory, []error, error) {
	t.Helper()
	p := newParser(sourceOf(t, source).rules)
	a, err := p.parse([]byte(text))
	return a, p.doubts, err
}

// npm wraps events into a record.
func npm(events string) string {
	return `{"id":"T-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"SEMVER","events":[` + events + `]}]}]}`
}

func TestRanges(t *testing.T) {
	type iv = advisory.Interval
	tests := []struct {
		name, events string
		want         []iv
		doubt        string
	}{
		{"from the first", `{"introduced":"0"},{"fixed":"1.0.0"}`, []iv{{Fixed: "1.0.0"}}, ""},
		{"open", `{"introduced":"1.0.0"}`, []iv{{Introduced: "1.0.0"}}, ""},
		{"last affected", `{"introduced":"0"},{"last_affected":"1.0.0"}`, []iv{{LastAffected: "1.0.0"}}, ""},
		{"unsorted", `{"fixed":"2.0.0"},{"introduced":"1.0.0"}`, []iv{{Introduced: "1.0.0", Fixed: "2.0.0"}}, ""},
		{"unsorted, two runs", `{"fixed":"4.0.0"},{"introduced":"3.0.0"},{"fixed":"2.0.0"},{"introduced":"0"}`, []iv{{Fixed: "2.0.0"}, {Introduced: "3.0.0", Fixed: "4.0.0"}}, ""},
		{"runs out of order", `{"introduced":"3.0.0"},{"fixed":"4.0.0"},{"introduced":"0"},{"fixed":"2.0.0"}`, []iv{{Introduced: "3.0.0", Fixed: "4.0.0"}, {Fixed: "2.0.0"}}, ""},
		{"runs that touch", `{"introduced":"0"},{"fixed":"1.0.0"},{"introduced":"1.0.0"},{"fixed":"2.0.0"}`, []iv{{Fixed: "1.0.0"}, {Introduced: "1.0.0", Fixed: "2.0.0"}}, ""},
		{"introduced twice", `{"introduced":"0"},{"introduced":"1.0.0"},{"fixed":"2.0.0"}`, []iv{{Fixed: "2.0.0"}}, ""},
		{"fixed twice", `{"introduced":"0"},{"fixed":"1.0.0"},{"fixed":"2.0.0"}`, []iv{{Fixed: "1.0.0"}}, ""},
		{"in one event", `{"introduced":"0","fixed":"1.0.0"}`, []iv{{Fixed: "1.0.0"}}, ""},
		{"empty", `{"introduced":"1.0.0"},{"fixed":"1.0.0"}`, nil, ""},
		{"limit", `{"introduced":"1.0.0"},{"limit":"2.0.0"}`, []iv{{Introduced: "1.0.0", Fixed: "2.0.0"}}, ""},
		{"limits", `{"introduced":"1.0.0"},{"limit":"2.0.0"},{"limit":"3.0.0"}`, []iv{{Introduced: "1.0.0", Fixed: "3.0.0"}}, ""},
		{"no limit", `{"introduced":"1.0.0"},{"limit":"*"}`, []iv{{Introduced: "1.0.0"}}, ""},
		{"beyond the limit", `{"introduced":"3.0.0"},{"fixed":"4.0.0"},{"limit":"2.0.0"}`, nil, ""},
		{"unreadable", `{"introduced":"0"},{"fixed":"not a version"}`, []iv{{Fixed: "not a version"}}, ""},
		{"ends before it begins", `{"introduced":"2.0.0"},{"fixed":"1.0.0"}`, nil, "contradicts itself: 1.0.0 ends nothing"},
		{"one run contradicts", `{"introduced":"0"},{"fixed":"1.0.0"},{"introduced":"4.0.0"},{"fixed":"3.0.0"}`, []iv{{Fixed: "1.0.0"}}, "contradicts itself: 3.0.0 ends nothing"},
		{"never begins", `{"fixed":"1.0.0"}`, nil, "where it ends but not where it begins"},
		{"nothing", ``, nil, ""},
	}
	for _, tt := range tests {
		a, doubts, err := parseOne(t, "osv-npm", npm(tt.events))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		c := a.Affected[0]
		if d := cmp.Diff(tt.want, c.Intervals); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		// A claim without versions would be about every one of them.
		if undetermined := c.Status == advisory.StatusUndetermined; undetermined != (len(tt.want) == 0) {
			t.Errorf("%s: status %q", tt.name, c.Status)
		}
		if got := fmt.Sprint(doubts); (tt.doubt == "") != (len(doubts) == 0) || !strings.Contains(got, tt.doubt) {
			t.Errorf("%s: doubts %s, want %q", tt.name, got, tt.doubt)
		}
	}
}

func TestRefusedRecords(t *testing.T) {
	affected := `"affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["1.0.0"]}]`
	tests := []struct{ name, text, want string }{
		{"no JSON", `<html>`, "invalid character"},
		{"cut", `{"id":"A"`, "unexpected end"},
		{"no id", `{` + affected + `}`, "it has no id"},
		{"long id", `{"id":"` + strings.Repeat("A", 300) + `",` + affected + `}`, "longer than 256 bytes"},
		{"bad date", `{"id":"A","modified":"yesterday",` + affected + `}`, "modified: "},
		{"id of another type", `{"id":5,` + affected + `}`, "cannot unmarshal"},
		{"version of 100 KB", npm(`{"introduced":"0"},{"fixed":"` + strings.Repeat("9", 100_000) + `"}`), "npm x: " + `"` + strings.Repeat("9", 80) + `…" is no npm version: it is longer than 1024 bytes`},
		{"listed version of 100 KB", `{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["` + strings.Repeat("9", 100_000) + `"]}]}`, "longer than 1024 bytes"},
		{"package without a name", `{"id":"A","affected":[{"package":{"ecosystem":"npm"},"versions":["1"]}]}`, "has no name"},
		{"other ecosystem", `{"id":"A","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1"]}]}`, `speaks of packages of ["PyPI"] only`},
	}
	for _, tt := range tests {
		a, _, err := parseOne(t, "osv-npm", tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v, %v, want %q", tt.name, a, err, tt.want)
		}
	}
}

// TestOtherNames: a distribution's collection that uses another one's name.
func TestOtherNames(t *testing.T) {
	alpine := func(ecosystem string) string {
		return `{"id":"A","affected":[{"package":{"ecosystem":"` + ecosystem + `","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"8.0-r1"}]}]}]}`
	}
	if a, _, err := parseOne(t, "osv-cleanstart", alpine("Alpine")); err != nil || a.Affected[0].Stream != "cleanstart" {
		t.Errorf("got %+v, %v, want the stream cleanstart", a, err)
	}
	if a, _, err := parseOne(t, "osv-cleanstart", alpine("Alpine:v3.18")); err == nil {
		t.Errorf("got %+v: CleanStart does not speak for Alpine", a)
	}
	if a, _, err := parseOne(t, "osv-alpine", alpine("Alpine:v3.18")); err != nil || a.Affected[0].Stream != "alpine:3.18" {
		t.Errorf("got %+v, %v, want the stream alpine:3.18", a, err)
	}
	for ecosystem, want := range map[string]string{
		"Debian:6.0": "debian:6", "Debian:12": "debian:12", "Debian:sid": "debian:unstable", "Ubuntu:22.04:LTS": "ubuntu:22.04", "Ubuntu:Pro:16.04:LTS": "ubuntu-pro:16.04",
	} {
		name, _, _ := strings.Cut(ecosystem, ":")
		if a, _, err := parseOne(t, "osv-"+strings.ToLower(name), alpine(ecosystem)); err != nil || a.Affected[0].Stream != want {
			t.Errorf("%s: %+v, %v, want %s", ecosystem, a, err, want)
		}
	}
	// The rest of a record of several ecosystems is dropped.
	mixed := `{"id":"A","affected":[{"package":{"ecosystem":"PyPI","name":"X_y"},"versions":["1"]},{"package":{"ecosystem":"npm","name":"x"},"versions":["1"]}]}`
	if a, _, err := parseOne(t, "osv-pypi", mixed); err != nil || len(a.Affected) != 1 || a.Affected[0].Key != (advisory.Key{Stream: "pypi", Name: "x-y"}) {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestOddities(t *testing.T) {
	a, _, err := parseOne(t, "osv-npm", "\ufeff"+`{"id":"MAL-1","modified":"0001-01-01T00:00:00Z","published":"2024-02-03","aliases":["MAL-1","CVE-2024-0001","cve-2024-0001",""],"related":["CVE-2024-0001","B"],
		"affected":[{"package":{"ecosystem":"npm","name":"evil"}}],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/nonsense"},{"type":"CVSS_V3","score":7.5},{"type":"Ubuntu","score":"medium"}],
		"database_specific":{"severity":["HIGH"],"cwe_ids":"CWE-79","cwes":[{"cweId":"CWE-506"},{"cweId":"x"}],"github_reviewed":"maybe","cvss_v3":"high"}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := &advisory.Advisory{
		Source: "osv-npm", ID: "MAL-1", Aliases: []string{"CVE-2024-0001"}, Related: []string{"B"}, URL: "https://osv.dev/vulnerability/MAL-1", Malicious: true,
		Published: a.Published, CWEs: []string{"CWE-506", "CWE-79"},
		Affected: []advisory.Affected{{Key: advisory.Key{Stream: "npm", Name: "evil"}, Scheme: "npm"}}, // every version of it
		Severities: []advisory.Severity{
			{Source: "ossf", Type: "LABEL", Raw: "CVSS:3.1/nonsense"}, {Source: "ossf", Type: "CVSS_V3", Score: 7.5, Label: "high"},
			{Source: "ubuntu", Type: "LABEL", Label: "medium", Raw: "medium"}, {Source: "ossf", Type: "LABEL", Label: "high", Raw: "HIGH"},
		},
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if a.Published.Format("2006-01-02") != "2024-02-03" {
		t.Errorf("published %v", a.Published)
	}
	git, _, err := parseOne(t, "osv-npm", `{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"GIT","repo":"r","events":[{"introduced":"0"},{"fixed":"abc"}]}]}]}`)
	if err != nil || git.Affected[0].Status != advisory.StatusUndetermined || !strings.Contains(git.Affected[0].Note, "commits only") {
		t.Errorf("commits only: %+v, %v", git, err)
	}
	debian, _, err := parseOne(t, "osv-debian", `{"id":"D","related":["CVE-2024-0002","DLA-1"],"affected":[{"package":{"ecosystem":"Debian:10","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}],"ecosystem_specific":{"urgency":"end-of-life"}}]}`)
	if err != nil || !slices.Equal(debian.Upstream, []string{"CVE-2024-0002"}) || !slices.Equal(debian.Related, []string{"DLA-1"}) || debian.Affected[0].Fix.State != advisory.EndOfLife {
		t.Errorf("Debian: %+v, %v", debian, err)
	}
}

// TestLastKnown takes GitHub's own records, in which a range without a fix has
// its bound beside it.
func TestLastKnown(t *testing.T) {
	all, _, _ := collect(t, sourceOf(t, "osv-npm"), shared(t, "feeds", "osv", "npm", "verbatim-ghsa-sample.zip"))
	c := all["GHSA-75v8-2h7p-7m2m"].Affected[1] // "< 2.1.3"
	if d := cmp.Diff([]advisory.Interval{{Introduced: "2.1.0", Fixed: "2.1.3"}}, c.Intervals); d != "" || c.Fix.State != advisory.FixUnknown {
		t.Errorf("%s fix %+v", d, c.Fix)
	}
}

func TestSamples(t *testing.T) {
	tests := []struct {
		source, file string
		ids          []string
		bad          int
	}{
		{"osv-npm", "osv/npm/sample/vuls-data-update/all.zip", []string{"GHSA-xxxq-chmp-67g4", "GSD-2022-1000008", "MAL-2023-1"}, 0},
		{"osv-go", "osv/Go/sample", []string{"GHSA-2c4m-59x9-fr2g", "GO-2020-0001", "GO-2023-1989", "GO-2024-2611", "OSV-2021-1658"}, 0},
		{"osv-pypi", "osv/PyPI/sample", []string{"GHSA-2c8c-84w2-j38j", "MAL-2023-8", "OSV-2022-1074", "PYSEC-2023-1"}, 0},
		{"osv-crates.io", "osv/crates.io/sample", []string{"GHSA-xxmq-4vph-956w", "MAL-2023-8429", "RUSTSEC-2023-0072"}, 0},
		{"osv-rubygems", "osv/RubyGems/sample", []string{"GHSA-2gw2-8q9w-cw8p", "MAL-2023-11"}, 0},
		{"osv-hex", "osv/Hex/sample", []string{"GHSA-2c28-m2m7-mf55"}, 0},
		{"osv-pub", "osv/Pub/sample", []string{"GHSA-r285-q736-9v95"}, 0},
		{"osv-swifturl", "osv/SwiftURL/sample", []string{"GHSA-2jx2-qcm4-rf9h"}, 0},
		{"osv-packagist", "osv/Packagist/sample", []string{"GHSA-2c7x-w3mx-h7p6"}, 0},
		{"osv-maven", "osv/Maven/sample", []string{"GHSA-2c3p-9j5f-33g3"}, 0},
		{"osv-nuget", "osv/NuGet/sample", []string{"GHSA-2c7v-qcjp-4mg2"}, 0},
		{"osv-bitnami", "osv/Bitnami/sample", []string{"BIT-brotli-2020-8927", "BIT-consul-2021-37219", "BIT-wp-cli-2021-29504", "BIT-zookeeper-2024-23944"}, 0},
		{"osv-kubernetes", "osv/Kubernetes/sample/vuls-data-update/osv", []string{"CVE-2025-24514"}, 0},
		{"osv-kubernetes", "osv/Kubernetes/sample/vuls-data-update/json", nil, 1}, // another format: the list of CVEs
		{"ghsa", "ghsa/sample/rewrite", []string{"GHSA-2cv5-qvq3-6276", "GHSA-2gpr-j5vj-wvh2"}, 0},
		{"ghsa", "ghsa/sample/vuls-data-update", []string{
			"GHSA-738q-mc72-2q22", "GHSA-8v6j-gc74-fmpp", "GHSA-8v8w-v8xg-79rf", "GHSA-92r3-m2mg-pj97", "GHSA-gqj2-324p-vx73", "GHSA-gxhx-g4fq-49hj",
			"GHSA-mhhp-c3cm-2r86", "GHSA-qppj-fm5r-hxr3", "GHSA-r285-q736-9v95", "GHSA-v5f6-hjmf-9mc5", "GHSA-wj7f-468m-6mv8", "GHSA-x9qq-236j-gj97",
		}, 0}, // those under github-reviewed/
	}
	for _, tt := range tests {
		all, bad, _ := collect(t, sourceOf(t, tt.source), shared(t, "feeds", tt.file))
		var ids []string
		for id, a := range all {
			ids = append(ids, id)
			if len(a.Affected) == 0 {
				t.Errorf("%s %s: no claims", tt.file, id)
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, tt.ids) || len(bad) != tt.bad {
			t.Errorf("%s: %q, bad %q; want %q", tt.file, ids, bad, tt.ids)
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	good := `{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["1.0.0"]}]}`
	z := zipOf(t, func(add func(string, string)) {
		add("a.json", "{")
		add("b.json", good)
		add("c.json", good) // the same again: the store refuses it by name
		add("README.md", "# nothing")
	})
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	s := sourceOf(t, "osv-npm")
	run := func(from string) (ids, bad []string, failure error) {
		u, err := s.Fetch(t.Context(), feed.Input{From: from}, feed.State{})
		if err != nil {
			return nil, nil, err
		}
		for it, err := range u.Items {
			switch record := (*feed.BadRecord)(nil); {
			case errors.As(err, &record):
				bad = append(bad, record.Record)
			case err != nil:
				return ids, bad, err
			default:
				ids = append(ids, it.Advisory.ID)
			}
		}
		return ids, bad, nil
	}
	if ids, bad, err := run(write("all.zip", z)); !slices.Equal(ids, []string{"A", "A"}) || !slices.Equal(bad, []string{"a.json"}) || err != nil {
		t.Errorf("ids %q, bad %q, %v", ids, bad, err)
	}
	for name, b := range map[string][]byte{
		"cut.zip": z[:len(z)-20], "page.zip": []byte("<!DOCTYPE html><title>Sorry</title>"), "other.zip": zipOf(t, func(add func(string, string)) { add("x.txt", "x") }), "empty.json": nil,
	} {
		if ids, bad, err := run(write(name, b)); name != "empty.json" && err == nil || len(ids) > 0 || err == nil && len(bad) == 0 {
			t.Errorf("%s: ids %q, bad %q, %v, want an error", name, ids, bad, err)
		}
	}
	u, err := s.Fetch(t.Context(), feed.Input{From: write("one.json", []byte(good))}, feed.State{})
	if err != nil || u.Whole {
		t.Errorf("one record is not the whole collection: %+v, %v", u, err)
	}
	if _, err := sourceOf(t, "own").Fetch(t.Context(), feed.Input{}, feed.State{}); err == nil {
		t.Error("own advisories without a place were fetched")
	}
}

func TestSources(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Sources() {
		i := s.Info()
		if seen[i.Name] || i.Describes == "" || i.Publisher == "" || i.Fresh == 0 || i.Priority == 0 || i.URL == "" && i.Name != "own" || len(i.Streams) == 0 && i.Name != "osv-psf" && i.Name != "own" {
			t.Errorf("%+v", i)
		}
		seen[i.Name] = true
	}
	for _, name := range []string{"osv-wolfi", "osv-chainguard"} {
		if off := sourceOf(t, name).info.Off; !strings.Contains(off, "Chainguard restricts") {
			t.Errorf("%s is off for %q", name, off)
		}
	}
	if u := sourceOf(t, "osv-rocky").info.URL; u != "https://osv-vulnerabilities.storage.googleapis.com/Rocky%20Linux/all.zip" {
		t.Error(u)
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{npm(`{"introduced":"0"},{"fixed":"1.0.0"},{"limit":"2"}`), npm(`{"introduced":"3"},{"last_affected":"2"}`), `{"id":"A","severity":[{"type":"CVSS_V3","score":1}]}`} {
		f.Add([]byte(s), 0)
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "*.json"))
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b, 1)
		}
	}
	sources := Sources()
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		s := sources[uint(n)%uint(len(sources))].(*source)
		p := newParser(s.rules)
		a, err := p.parse(b)
		if err != nil || a == nil {
			return
		}
		if a.ID == "" || a.Source != s.info.Name {
			t.Errorf("%+v", a)
		}
		for _, c := range a.Affected {
			if c.Stream == "" || c.Name == "" || c.Scheme == "" {
				t.Errorf("%+v", c)
			}
			if len(c.Intervals)+len(c.Versions) == 0 && c.Status == advisory.StatusAffected && !a.Malicious {
				t.Errorf("a claim without versions affects every one: %+v", c)
			}
		}
	})
}
