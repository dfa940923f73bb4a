package rubysec

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

const database = "rubysec/ruby-advisory-db.zip"

// 1282 files is the count of the README beside the feeds; they have 1204
// different names, which are the identifiers.
func TestReal(t *testing.T) {
	name := feedtest.Shared(t, database)
	got := feedtest.Fetch(t, Database{}, feed.Input{From: name}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 1204 || !got.Update.Whole {
		t.Fatalf("%d advisories, %v, %v; want 1204", len(got.Order), got.Bad, got.Err)
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	claims := 0
	for _, a := range got.Advisories {
		claims += len(a.Affected)
	}
	if len(z.File) != 1282 || claims != 1282 {
		t.Errorf("%d files, %d claims, want 1282", len(z.File), claims)
	}
	for _, f := range z.File {
		if id := strings.TrimSuffix(path.Base(f.Name), ".yml"); got.Advisories[id] == nil {
			t.Errorf("%s: no advisory %s", f.Name, id)
		}
	}
	gem := func(name string) advisory.Key { return advisory.Key{Stream: "gem", Name: name} }
	engine := func(name string) advisory.Key { return advisory.Key{Stream: "cpe", Name: name} }
	for _, tt := range []struct {
		id         string
		aliases    []string
		key        advisory.Key
		unaffected string
		fixes      []string
		published  string
		score      float64
	}{
		{"CVE-2022-23633", []string{"GHSA-wh98-p28r-vrc9"}, gem("actionpack"), "~> 5.2.6, >= 5.2.6.2 || ~> 6.0.4, >= 6.0.4.6 || ~> 6.1.4, >= 6.1.4.6 || >= 7.0.2.2 || < 5.0.0", []string{"5.2.6.2", "6.0.4.6", "6.1.4.6", "7.0.2.2"}, "2022-02-11", 7.4},
		{"CVE-2021-31810", []string{"GHSA-wr95-679j-87v9"}, engine("jruby:jruby"), ">= 9.3.0", []string{"9.3.0"}, "2021-07-13", 5.8},
		{"CVE-2021-31810", []string{"GHSA-wr95-679j-87v9"}, engine("ruby-lang:ruby"), "~> 2.6.8 || ~> 2.7.4 || >= 3.0.2", []string{"2.6.8", "2.7.4", "3.0.2"}, "2021-07-13", 5.8},
		{"CVE-2014-2322", []string{"GHSA-hgmw-x865-hf9x", "OSVDB-104365"}, gem("Arabic-Prawn"), "", nil, "2014-03-10", 7.5},
	} {
		a := got.Advisories[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		i := slices.IndexFunc(a.Affected, func(f advisory.Affected) bool { return f.Key == tt.key })
		if i < 0 {
			t.Errorf("%s says nothing of %v", tt.id, tt.key)
			continue
		}
		f := a.Affected[i]
		if f.Unaffected != tt.unaffected || !slices.Equal(f.Fix.Versions, tt.fixes) || !slices.Equal(a.Aliases, tt.aliases) ||
			a.Published.Format(time.DateOnly) != tt.published || f.Scheme != version.Gem || (f.Fix.State == advisory.Fixed) != (tt.fixes != nil) {
			t.Errorf("%s: %+v %v %v", tt.id, f, a.Aliases, a.Published)
		}
		if s := a.Severities[slices.IndexFunc(a.Severities, func(s advisory.Severity) bool { return s.Score == tt.score })]; s.Source != "rubysec" || s.Label == "" {
			t.Errorf("%s: %+v", tt.id, a.Severities)
		}
	}
	if a := got.Advisories["CVE-2019-15224"]; len(a.Affected) != 11 {
		t.Errorf("CVE-2019-15224 is about %d gems, want 11", len(a.Affected))
	}
}

// RubyGems itself judges every version near a bound of every requirement.
func TestRubyGems(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		t.Skip("there is no ruby")
	}
	z, err := zip.OpenReader(feedtest.Shared(t, database))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	type question struct {
		File         string
		Requirements []string
		Versions     []string
		Unaffected   []bool
		joined       string
	}
	var ask []*question
	for _, f := range z.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var e entry
		err = yaml.NewDecoder(rc).Decode(&e)
		rc.Close()
		if err != nil {
			t.Fatal(err)
		}
		q := &question{File: f.Name, Requirements: slices.Concat(e.Patched, e.Unaffected), Versions: []string{"0", "999"}, joined: e.affected().Unaffected}
		for _, r := range q.Requirements {
			for clause := range strings.SplitSeq(r, ",") {
				v := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(clause), "<>=~"))
				q.Versions = append(q.Versions, v, v+".1", v+".rc1", strings.TrimRight(v, "0123456789")+"9999")
			}
		}
		ask = append(ask, q)
	}
	in, _ := json.Marshal(ask)
	cmd := exec.CommandContext(t.Context(), ruby, "-rjson", "-e", `
		qs = JSON.parse(STDIN.read)
		qs.each { |q|
			rs = (q["Requirements"] || []).map { |r| Gem::Requirement.new(*r.split(",").map(&:strip)) }
			q["Unaffected"] = q["Versions"].map { |v| rs.any? { |r| r.satisfied_by?(Gem::Version.new(v)) } }
		}
		puts JSON.generate(qs)`)
	cmd.Stdin = bytes.NewReader(in)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.Bytes())
	}
	var told []question
	if err := json.Unmarshal(out, &told); err != nil || len(told) != len(ask) {
		t.Fatal(err)
	}
	judged := 0
	for i, q := range told {
		if ask[i].joined == "" {
			continue
		}
		r, err := version.ParseRange(version.Gem, ask[i].joined)
		if err != nil {
			t.Errorf("%s: %v", q.File, err)
			continue
		}
		for k, s := range q.Versions {
			v, err := version.Parse(version.Gem, s)
			if err != nil {
				t.Fatal(err)
			}
			if judged++; r.Covers(v) != q.Unaffected[k] {
				t.Errorf("%s: %s is unaffected: %v, RubyGems says %v of %q", q.File, s, r.Covers(v), q.Unaffected[k], ask[i].joined)
			}
		}
	}
	t.Logf("%d verdicts", judged)
}

func TestFixes(t *testing.T) {
	for _, tt := range []struct {
		in   []string
		want []string
	}{
		{[]string{">= 2.0", "~> 1.0.3"}, []string{"1.0.3", "2.0"}},
		{[]string{"~> 5.2.6, >= 5.2.6.2"}, []string{"5.2.6.2"}},
		{[]string{"> 1.0"}, nil},
		{[]string{"= 1.2", "1.3"}, []string{"1.2", "1.3"}},
		{[]string{"< 1", ">= 1.0.0, < 2"}, []string{"1.0.0"}},
		{[]string{">= ?"}, nil},
	} {
		if d := cmp.Diff(tt.want, fixes(tt.in)); d != "" {
			t.Errorf("fixes(%q): %s", tt.in, d)
		}
	}
}

func TestBad(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{
		"gems/a/CVE-2024-0001.yml":       "gem: a\ncve: 2024-0001\npatched_versions:\n- '>= 1'\n",
		"gems/a/CVE-2024-0002.yml":       "gem: [\n",
		"gems/a/CVE-2024-0003.yml":       "gem: a\n",
		"gems/a/CVE-x.yml":               "gem: a\ncve: x\n",
		"gems/a/CVE-2024-0004.yml":       "cve: 2024-0004\n",
		"gems/a/CVE-2024-0005.yml":       strings.Repeat("#", maxFile+1),
		"gems/a/CVE-2024-0006.yml":       "",
		"rubies/mruby/CVE-2024-0001.yml": "engine: mruby\ncve: 2024-0001\ncvss_v3: 5\n",
		"spec/schemas/gem.yml":           "type: map\n",
		"README.md":                      "# Ruby Advisory Database",
	})
	got := feedtest.Fetch(t, Database{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Order) != 1 || len(got.Bad) != 6 {
		t.Fatalf("%v %q %v", got.Order, got.Bad, got.Err)
	}
	// The score of the file that comes second stands with its engine.
	if a := got.Advisories["CVE-2024-0001"]; len(a.Affected) != 2 || a.Affected[0].Name != "mruby:mruby" || len(a.Affected[0].Severities) != 1 || len(a.Severities) != 0 {
		t.Errorf("%+v", a)
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
		t.Error("an empty folder was taken")
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: feedtest.Half(t, feedtest.Shared(t, database))}, feed.State{}); got.Err == nil {
		t.Error("a truncated archive was taken")
	}
}

func TestNetwork(t *testing.T) {
	feedtest.Download(t, Database{}, feedtest.Shared(t, database), 1204)
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("---\ngem: actionpack\nframework: rails\ncve: 2022-23633\nghsa: wh98-p28r-vrc9\nurl: https://a\ntitle: t\ndate: 2022-02-11\ncvss_v3: 7.4\nunaffected_versions:\n  - \"< 5.0.0\"\npatched_versions:\n  - \"~> 5.2.6, >= 5.2.6.2\"\nrelated:\n  url:\n    - https://b\n"))
	f.Add([]byte("engine: ruby\nosvdb: 1\npatched_versions: ['> 1']\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{byID: map[string]*advisory.Advisory{}}
		r.file("gems/a/b.yml", b)
		for id, a := range r.byID {
			if finish(a); a.ID != id || len(a.Affected) != 1 || a.Affected[0].Name == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Database{}, feedtest.Shared(b, database), 1282)
}
