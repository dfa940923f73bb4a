package pluginhost

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/osv"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
)

// fires asks a trigger and returns the answers as "ID: message", unknowns
// marked.
func fires(t *testing.T, h *Host, trigger string, s *policy.Subject, params map[string]string) []string {
	t.Helper()
	hits, err := tryEvaluate(h, trigger, s, params)
	if err != nil {
		t.Fatalf("%s: %v", trigger, err)
	}
	out := []string{}
	for _, h := range hits {
		line := h.ID + ": " + h.Message
		if h.Unknown {
			line = "unknown: " + h.Message
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func factOf(kind, path, data string) inventory.Fact {
	return inventory.Fact{Kind: kind, Path: path, Data: json.RawMessage(data)}
}

func TestExampleLicenceGate(t *testing.T) {
	h := openExamples(t, Config{}, "licence-header")
	s := &policy.Subject{Image: &inventory.Image{Facts: []inventory.Fact{
		factOf("licence-header", "app/a.py", `{"missing":"x"}`), factOf("licence-header", "srv/vendor/b.js", `{"missing":"y"}`), factOf("other", "app/c.py", `{}`),
	}}}
	same(t, []string{"app/a.py: /app/a.py: x", "srv/vendor/b.js: /srv/vendor/b.js: y"}, fires(t, h, "missing", s, nil))
	same(t, []string{"app/a.py: /app/a.py: x"}, fires(t, h, "missing", s, map[string]string{"exclude": "/srv/vendor/*, none"}))
	unasked := &policy.Subject{Image: &inventory.Image{}, Collected: map[string]bool{"secret": true}}
	same(t, []string{"unknown: nobody looked for licence headers: run the analyzer licence-header"}, fires(t, h, "missing", unasked, nil))
	asked := &policy.Subject{Image: &inventory.Image{}, Collected: map[string]bool{"licence-header": true}}
	same(t, []string{}, fires(t, h, "missing", asked, nil))
}

func TestExampleInternalHostsGate(t *testing.T) {
	h := openExamples(t, Config{}, "internal-hosts")
	s := &policy.Subject{Image: &inventory.Image{Facts: []inventory.Fact{
		factOf("internal-host", "etc/a.conf", `{"host":"db.corp","line":"7"}`), factOf("internal-host", "etc/a.conf", `{"host":"proxy.corp","line":"8"}`),
	}}}
	same(t, []string{"etc/a.conf+db.corp: /etc/a.conf names the internal machine db.corp", "etc/a.conf+proxy.corp: /etc/a.conf names the internal machine proxy.corp"},
		fires(t, h, "found", s, nil))
	same(t, []string{"etc/a.conf+db.corp: /etc/a.conf names the internal machine db.corp"}, fires(t, h, "found", s, map[string]string{"allow": "Proxy.corp,x"}))
	hits := evaluate(t, h, "found", s.Image, nil)
	if e := hits[0].Evidence; e.Path != "/etc/a.conf" || e.Line != 7 || hits[0].Remedy == "" {
		t.Errorf("%+v", hits[0])
	}
}

func TestExampleELFGate(t *testing.T) {
	h := openExamples(t, Config{}, "elf-gate")
	if name := h.Gates()[0].Spec().Name; name != "elf_hardening" {
		t.Error(name)
	}
	s := &policy.Subject{Image: &inventory.Image{Facts: []inventory.Fact{
		factOf("elf-hardening", "usr/bin/good", `{"type":"pie","relro":"full","nx":"yes"}`),
		factOf("elf-hardening", "usr/bin/old", `{"type":"executable","relro":"partial","nx":"yes"}`),
		factOf("elf-hardening", "opt/bad", `{"type":"executable","relro":"none","nx":"no"}`),
		factOf("elf-hardening", "usr/lib/a.so", `{"type":"library","relro":"full","nx":"unsaid"}`),
	}}}
	none := map[string]string{}
	opt := map[string]string{"path-exclude": "/opt/*"}
	same(t, []string{"opt/bad: /opt/bad is no position independent executable", "usr/bin/old: /usr/bin/old is no position independent executable"}, fires(t, h, "no_pie", s, none))
	same(t, []string{"usr/bin/old: /usr/bin/old is no position independent executable"}, fires(t, h, "no_pie", s, opt))
	same(t, []string{"opt/bad: /opt/bad has no RELRO"}, fires(t, h, "no_relro", s, none))
	same(t, []string{"usr/bin/old: /usr/bin/old has partial RELRO"}, fires(t, h, "no_relro", s, map[string]string{"level": "full", "path-exclude": "opt/*"}))
	same(t, []string{"opt/bad: /opt/bad asks for an executable stack"}, fires(t, h, "executable_stack", s, none))
	same(t, []string{}, fires(t, h, "executable_stack", s, opt))
	if _, err := tryEvaluate(h, "no_relro", s, map[string]string{"level": "some"}); err == nil || !strings.Contains(err.Error(), "some") {
		t.Errorf("a level that there is not: %v", err)
	}
	unasked := &policy.Subject{Image: &inventory.Image{}, Collected: map[string]bool{}}
	same(t, []string{"unknown: nobody looked how programs were built: run the analyzer elf-hardening"}, fires(t, h, "no_pie", unasked, none))
}

func TestExampleBaseImageAge(t *testing.T) {
	h := openExamples(t, Config{}, "base-image-age")
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	c := inventory.Config{Created: day("2026-05-30"), History: []inventory.History{
		{Created: day("2020-01-01"), EmptyLayer: true}, {Created: day("2026-01-01")}, {Created: day("2026-05-30")},
	}}
	s := &policy.Subject{Image: &inventory.Image{Config: c}, Now: day("2026-06-01").Add(time.Hour)}
	in := func(days string) map[string]string { return map[string]string{"max_days": days} }
	// 31 + 28 + 31 + 30 + 31 days and one hour
	same(t, []string{}, fires(t, h, "base_too_old", s, in("151")))
	same(t, []string{"base_too_old: the lowest layer was made 151 days ago, on 2026-01-01; at most 150 are allowed"}, fires(t, h, "base_too_old", s, in("150")))
	same(t, []string{}, fires(t, h, "image_too_old", s, in("2")))
	same(t, []string{"image_too_old: the image was made 2 days ago, on 2026-05-30; at most 1 are allowed"}, fires(t, h, "image_too_old", s, in("1")))

	for name, c := range map[string]inventory.Config{"no history": {}, "built to be repeated": {Created: time.Unix(0, 0), History: []inventory.History{{Created: time.Unix(0, 0)}}}} {
		s := &policy.Subject{Image: &inventory.Image{Config: c}, Now: time.Now()}
		if got := fires(t, h, "base_too_old", s, in("1")); len(got) != 1 || !strings.HasPrefix(got[0], "unknown: ") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := tryEvaluate(h, "base_too_old", s, nil); err == nil || !strings.Contains(err.Error(), "max_days") {
		t.Errorf("without its parameter: %v", err)
	}
}

func TestExampleHouseRules(t *testing.T) {
	h := openExamples(t, Config{}, "house-rules")
	s := &policy.Subject{Tag: "registry.example.com/team/app:1", Image: &inventory.Image{Reference: "docker-archive:/tmp/app.tar",
		Config: inventory.Config{Labels: map[string]string{"team": "tide", "org.opencontainers.image.source": "git", "orgXopencontainersXimage.title": "x", "empty": ""}}}}
	from := func(list string) map[string]string { return map[string]string{"allowed": list} }
	same(t, []string{}, fires(t, h, "registry", s, from("docker.io/library/,registry.example.com/")))
	same(t, []string{"registry.example.com/team/app:1: registry.example.com/team/app:1 comes from nowhere that is allowed"}, fires(t, h, "registry", s, from("docker.io/library/")))
	same(t, []string{}, fires(t, h, "label", s, map[string]string{"names": "team,org.opencontainers.image.source"}))
	same(t, []string{"empty: the image has no label empty", "org.opencontainers.image.title: the image has no label org.opencontainers.image.title"},
		fires(t, h, "label", s, map[string]string{"names": "org.opencontainers.image.title, empty ,team"}))
	file := &policy.Subject{Tag: "/tmp/app.tar", Image: s.Image}
	same(t, []string{"unknown: an archive or a folder comes from no registry: say its name with --tag"}, fires(t, h, "registry", file, from("x/")))
}

// A private feed: everything at first, then what is newer, then nothing.
func TestExampleCSVFeed(t *testing.T) {
	const header = "id,ecosystem,package,introduced,fixed,severity,summary,aliases,modified,withdrawn\n"
	table, tag := header+`ACME-1,npm,@acme/rudder,0,2.5.0,high,"Rudder sticks, in the cold",CVE-2026-99999 GHSA-x,2026-03-01,
ACME-1,PyPI,acme-rudder,1.0,1.2,high,,,2026-03-01,
ACME-2,npm,left-pad,,,critical,gone,,2026-02-01,
`, `"1"`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(table))
	}))
	defer server.Close()
	h := openExamples(t, Config{OSV: osv.Record}, "csv-feed")
	var state feed.State
	fetch := func() (*feed.Update, map[string]*advisory.Advisory) {
		t.Helper()
		u, err := h.Sources()[0].Fetch(t.Context(), feed.Input{URL: server.URL + "/advisories.csv", Client: &feed.Client{}}, state)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]*advisory.Advisory{}
		if u.Items != nil {
			for it, err := range u.Items {
				if err != nil {
					t.Fatal(err)
				}
				got[it.Advisory.ID] = it.Advisory
			}
		}
		state = u.State
		return u, got
	}
	u, got := fetch()
	if !u.Whole || len(got) != 2 || state.Revision != "2026-03-01" {
		t.Fatalf("first: whole %v, %d records, state %q", u.Whole, len(got), state.Revision)
	}
	if a := got["ACME-1"]; len(a.Affected) != 2 || a.Affected[0].Key != (advisory.Key{Stream: "npm", Name: "@acme/rudder"}) || a.Affected[1].Key != (advisory.Key{Stream: "pypi", Name: "acme-rudder"}) ||
		!slices.Contains(a.Aliases, "CVE-2026-99999") || a.Summary != "Rudder sticks, in the cold" {
		t.Errorf("%+v", a)
	}
	if u, got = fetch(); !u.Unchanged || len(got) != 0 {
		t.Errorf("the same file again: %+v", u)
	}

	table, tag = header+`ACME-1,npm,@acme/rudder,0,2.5.0,high,"Rudder sticks, in the cold",CVE-2026-99999,2026-03-01,2026-03-05
ACME-2,npm,left-pad,,,critical,gone,,2026-02-01,
ACME-3,npm,mast,0,1,low,new,,2026-03-04,
ACME-4,npm,boom,0,1,low,taken back,,2026-03-04,2026-03-05
`, `"2"`
	u, got = fetch()
	if u.Whole || len(got) != 1 || got["ACME-3"] == nil || state.Revision != "2026-03-04" {
		t.Errorf("then: whole %v, records %v, state %q", u.Whole, got, state.Revision)
	}
	same(t, []string{"ACME-1", "ACME-4"}, slices.Sorted(slices.Values(u.Removed)))

	table, tag = "id,package\nACME-1,x\n", `"3"`
	if _, err := h.Sources()[0].Fetch(t.Context(), feed.Input{URL: server.URL, Client: &feed.Client{}}, state); err == nil || !strings.Contains(err.Error(), "lacks the columns") {
		t.Errorf("a table without its columns: %v", err)
	}
}

// ask runs the only query of a host.
func ask(t *testing.T, h *Host, in query.Input) query.Table {
	t.Helper()
	table, err := h.Queries()[0].Run(context.Background(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestExamplePackagesByLicence(t *testing.T) {
	h := openExamples(t, Config{}, "packages-by-licence")
	img := query.Subject{Name: "a", Image: &inventory.Image{Packages: []inventory.Package{
		{Type: "npm", Name: "b", Version: "1", Licenses: []inventory.License{{Expression: "MIT"}}},
		{Type: "deb", Name: "bash", Version: "5.2-1", Licenses: []inventory.License{{Expression: "GPL-3.0-or-later"}}},
		{Type: "npm", Name: "a", Version: "2", Licenses: []inventory.License{{Expression: "MIT"}}},
		{Type: "npm", Name: "c", Version: "3"},
	}}}
	in := func(words ...string) query.Input { return query.Input{Images: []query.Subject{img}, Params: words} }
	same(t, query.Table{Columns: []string{"Licence", "Package", "Version", "Type"}, Rows: [][]string{{"GPL-3.0-or-later", "bash", "5.2-1", "deb"}, {"MIT", "a", "2", "npm"}, {"MIT", "b", "1", "npm"}}}, ask(t, h, in()))
	same(t, [][]string{{"GPL-3.0-or-later", "bash", "5.2-1", "deb"}}, ask(t, h, in("gpl-3")).Rows)
	same(t, [][]string{{"", "c", "3", "npm"}}, ask(t, h, in("none")).Rows)
	same(t, [][]string{}, ask(t, h, in("\\")).Rows)
}

func TestExampleSuidDiffs(t *testing.T) {
	h := openExamples(t, Config{}, "show-suid-diffs")
	image := func(files ...inventory.File) *query.Subject {
		var b inventory.Builder
		for _, f := range files {
			b.Add(f)
		}
		return &query.Subject{Name: "x", Image: &inventory.Image{Files: b.Table()}}
	}
	file := func(path string, mode uint16, sum byte) inventory.File {
		return inventory.File{Path: path, Type: inventory.Regular, Perm: mode, Size: 1, SHA256: [32]byte{sum}}
	}
	table := ask(t, h, query.Input{
		Images: []query.Subject{*image(file("bin/new", 0o4755, 1), file("bin/same", 0o4755, 1), file("bin/mode", 0o2755, 1), file("bin/other", 0o4755, 2), file("bin/plain", 0o755, 1),
			inventory.File{Path: "tmp", Type: inventory.Directory, Perm: 0o2777})},
		Compare: image(file("bin/gone", 0o4711, 1), file("bin/same", 0o4755, 1), file("bin/mode", 0o4755, 1), file("bin/other", 0o4755, 1), file("bin/plain", 0o755, 2)),
	})
	same(t, query.Table{Columns: []string{"File", "Change", "Input_Image_Mode", "Compare_Image_Mode"}, Rows: [][]string{
		{"/bin/gone", "removed", "NOTINSTALLED", "4711"}, {"/bin/mode", "mode", "2755", "4755"}, {"/bin/new", "added", "4755", "NOTINSTALLED"}, {"/bin/other", "content", "4755", "4755"},
	}}, table)
}

func TestExampleCVESummary(t *testing.T) {
	h := openExamples(t, Config{}, "cve-summary")
	packages := []inventory.Package{{Type: "deb", Name: "openssl", Version: "1"}, {Type: "deb", Name: "libssl", Version: "1"}}
	image := func(findings ...match.Finding) query.Subject {
		img := &inventory.Image{Packages: packages}
		return query.Subject{Name: "x", Image: img, Scan: &match.Scan{Image: img, Findings: findings}}
	}
	fixed := advisory.Fix{Versions: []string{"2"}}
	in := query.Input{Images: []query.Subject{
		image(match.Finding{ID: "CVE-1", Severity: advisory.High, Fix: fixed}, match.Finding{ID: "CVE-1", Package: 1, Severity: advisory.Critical, Fix: fixed}, match.Finding{ID: "CVE-2", Severity: advisory.Low}),
		image(match.Finding{ID: "CVE-2", Severity: advisory.Low}, match.Finding{ID: "CVE-3", Severity: advisory.Low, Suppressed: "vex"}, match.Finding{ID: "CVE-4", Severity: advisory.Medium}),
	}}
	same(t, query.Table{Columns: []string{"CVE_ID", "Severity", "Images", "Packages", "Fixed_In"}, Rows: [][]string{
		{"CVE-2", "low", "2", "openssl", ""},
		{"CVE-1", "critical", "1", "libssl, openssl", "libssl 2, openssl 2"},
		{"CVE-4", "medium", "1", "openssl", ""},
	}}, ask(t, h, in))
	in.Images[1].Scan.Distro.Message = "no data"
	in.Images[1].Scan.States = make([]match.PackageState, 2)
	same(t, []string{"x: no data", "x: 2 packages could not be judged"}, ask(t, h, in).Warnings)
	in.Params = []string{"Medium", "critical"}
	if rows := ask(t, h, in).Rows; len(rows) != 2 || rows[0][0] != "CVE-1" || rows[1][0] != "CVE-4" {
		t.Error(rows)
	}
}
