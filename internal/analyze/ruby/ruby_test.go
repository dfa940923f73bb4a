package ruby

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// truth is what Gem::Specification.load says of a file.
type truth struct {
	File, Name, Version, Platform, Homepage, Summary string
	Licenses, Authors, Depends                       []string
}

func compare(t *testing.T, want []truth, r *inventory.Record) {
	t.Helper()
	for i := range want {
		w := &want[i]
		w.Authors = []string{clip(strings.Join(w.Authors, ", "), maxText)}
		w.Summary = clip(strings.TrimSpace(w.Summary), maxText)
		w.Licenses = append([]string{}, w.Licenses...)
		w.Depends = append([]string{}, w.Depends...)
	}
	got := []truth{}
	for _, p := range r.Packages {
		g := truth{
			File: p.Path, Name: p.Name, Version: p.Version, Platform: "ruby", Homepage: p.Homepage, Summary: p.Description,
			Licenses: []string{}, Authors: []string{p.Supplier}, Depends: append([]string{}, p.Depends...),
		}
		if s := p.Qualifiers["platform"]; s != "" {
			g.Platform = s
		}
		for _, l := range p.Licenses {
			g.Licenses = append(g.Licenses, l.Raw)
		}
		got = append(got, g)
	}
	byFile := func(a, b truth) int { return strings.Compare(a.File, b.File) }
	slices.SortFunc(want, byFile)
	slices.SortFunc(got, byFile)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

// truth.json was written by RubyGems 3.3.15: Gem::Specification.load of each
// file. tide-probe was made by its Specification#to_ruby_for_cache.
func TestInstalledAgainstRubyGems(t *testing.T) {
	data, err := os.ReadFile("testdata/truth.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []truth
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	r := analyzetest.RunDir(t, Analyzer{}, "testdata")
	analyzetest.NoProblems(t, r)
	compare(t, want, r)
	for _, p := range r.Packages {
		if p.Name == "tide-probe" {
			want := []string{"cache/tide-probe-1.0.0.pre.2-x86_64-linux.gem", "gems/tide-probe-1.0.0.pre.2-x86_64-linux/"}
			if d := cmp.Diff(want, p.Files.Strings()); d != "" {
				t.Error(d)
			}
		}
	}
}

// Every gemspec of the layer, against this machine's RubyGems.
func TestCorpus(t *testing.T) {
	root := analyzetest.Layer(t, "ruby-debs")
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		t.Skip("no ruby to ask")
	}
	const script = `require "json"; Dir.chdir(ARGV[0])
puts JSON.generate(Dir.glob("**/*.gemspec").select{|f| File.dirname(f) =~ %r{/specifications(/default)?$}}.map{|f| s=Gem::Specification.load(f); {File: f, Name: s.name, Version: s.version.to_s,
 Platform: s.platform.to_s, Licenses: s.licenses, Authors: s.authors, Homepage: s.homepage.to_s, Summary: s.summary, Depends: s.runtime_dependencies.map(&:name)}})`
	said, err := exec.Command(ruby, "-e", script, root).Output()
	if err != nil {
		t.Skip("ruby cannot list:", err)
	}
	var want []truth
	if err := json.Unmarshal(said, &want); err != nil {
		t.Fatal(err)
	}
	r := analyzetest.RunDir(t, Analyzer{}, root)
	analyzetest.NoProblems(t, r)
	compare(t, want, r)
	t.Logf("%d gems", len(r.Packages))
}

func TestClassify(t *testing.T) {
	for path, want := range map[string]kind{
		"usr/lib/ruby/gems/3.1.0/specifications/a-1.gemspec":                           installed,
		"usr/lib/ruby/gems/3.1.0/specifications/default/a-1.gemspec":                   standard,
		"usr/share/rubygems-integration/all/specifications/a-1.gemspec":                installed,
		"app/vendor/bundle/ruby/3.1.0/specifications/a-1.gemspec":                      installed,
		"usr/local/bundle/bundler/gems/a-0123456789ab/a.gemspec":                       checkout,
		"usr/local/bundle/bundler/gems/rails-0123456789ab/activejob/activejob.gemspec": checkout,
		"usr/local/bundle/bundler/gems/a-0123456789ab/lib/x.gemspec":                   none,
		"usr/local/bundle/bundler/gems/a-0123456789ab/spec/fixtures/b/b.gemspec":       none,
		"usr/lib/ruby/gems/3.1.0/gems/a-1/a.gemspec":                                   none,
		"usr/lib/ruby/gems/3.1.0/gems/a-1/spec/fixtures/specifications/x-1.gemspec":    none,
		"app/a.gemspec": none,
		"a.gemspec":     none,
	} {
		if got := classify(path); got != want {
			t.Errorf("classify(%s) = %d, want %d", path, got, want)
		}
	}
}

func TestHandWritten(t *testing.T) {
	tests := []struct{ name, path, content, want string }{
		{"literal", "b/bundler/gems/tide-0123456789ab/tide.gemspec", "Gem::Specification.new do |spec|\n  spec.name = \"tide\"\n  spec.version = '1.2.3'\n  spec.license = 'MIT'\nend\n", "tide 1.2.3 0123456789ab MIT"},
		{"constant", "b/bundler/gems/tide-0123456789ab/tide.gemspec", "require 'x'\nGem::Specification.new do |s|\n  s.name = 'tide'\n  s.version = Tide::VERSION\n  s.summary = \"v#{Tide::VERSION}\"\nend\n", "tide  0123456789ab "},
		{"expression", "b/bundler/gems/tide-0123456789ab/tide.gemspec", "  s.version = \"1.0\" + suffix\n", "tide  0123456789ab "},
		{"old RubyGems", "g/specifications/rake-0.8.7.gemspec", "Gem::Specification.new do |s|\n  s.name = %q{rake}\n  s.version = \"0.8.7\"\n\n  s.authors = [%q{Jim Weirich}]\n  s.licenses = [%q{MIT}]\nend\n", "rake 0.8.7  MIT"},
		{"name of the file", "g/specifications/a-b-1.0.0-java.gemspec", "# empty\n", "a-b 1.0.0  "},
		{"newer RubyGems", "g/specifications/a-1.0.gemspec", "# -*- encoding: utf-8 -*-\n# stub: a 1.0 ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"a\".freeze\n  s.version = \"1.0\".freeze\n  s.licenses = [\"MIT\".freeze]\nend\n", "a 1.0  MIT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzetest.RunOne(t, Analyzer{}, tt.path, tt.content)
			analyzetest.NoProblems(t, r)
			got := ""
			for _, p := range r.Packages {
				l := ""
				if len(p.Licenses) > 0 {
					l = p.Licenses[0].Raw
				}
				got += strings.Join([]string{p.Name, p.Version, p.Meta["revision"], l}, " ")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if r := analyzetest.RunOne(t, Analyzer{}, "g/specifications/x.gemspec", "nothing"); len(r.Packages) != 0 || len(r.Problems) != 1 {
		t.Errorf("nameless: %+v", r)
	}
}

func TestStandardFiles(t *testing.T) {
	got := standardFiles("usr/local/lib/ruby/gems/3.2.0", "json-2.6.1", []string{"json.rb", "lib/json/x.rb", "ext/y.rb", "README.md", "../../z.rb", "json/ext/parser.so"})
	want := []string{"usr/local/lib/ruby/gems/3.2.0/gems/json-2.6.1/", "usr/local/lib/ruby/3.2.0/json.rb", "usr/local/lib/ruby/3.2.0/json/x.rb"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The .truth files were written by Bundler 2.3: name, version, platform and
// dependencies of LockfileParser#specs without those of folders.
func TestLockAgainstBundler(t *testing.T) {
	for _, name := range []string{"Gemfile", "odd"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + name + ".lock")
			if err != nil {
				t.Fatal(err)
			}
			r := analyzetest.RunOne(t, LockAnalyzer{}, "app/Gemfile.lock", string(data))
			analyzetest.NoProblems(t, r)
			said, err := os.ReadFile("testdata/" + name + ".truth")
			if err != nil {
				t.Fatal(err)
			}
			// a gem is listed once, whatever the platforms
			variants := map[string][]string{}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(said), "\n"), "\n") {
				f := strings.SplitN(line, " ", 4)
				variants[f[0]+" "+f[1]] = append(variants[f[0]+" "+f[1]], f[2]+" "+f[3])
			}
			var want, got []string
			for gem, vs := range variants {
				if len(vs) > 1 {
					vs = []string{"ruby " + strings.SplitN(vs[slices.IndexFunc(vs, func(s string) bool { return strings.HasPrefix(s, "ruby ") })], " ", 2)[1]}
				}
				want = append(want, gem+" "+vs[0])
			}
			for _, p := range r.Packages {
				platform := "ruby"
				if s := p.Qualifiers["platform"]; s != "" {
					platform = s
				}
				got = append(got, strings.Join([]string{p.Name, p.Version, platform, strings.Join(p.Depends, ",")}, " "))
				if p.State != inventory.Declared {
					t.Errorf("%s is not declared", p.Name)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("want -, got +:\n%s", d)
			}
			for _, p := range r.Packages {
				if name == "odd" && p.Name == "tide" && p.Meta["revision"] != "0123456789abcdef0123456789abcdef01234567" {
					t.Errorf("tide: meta %v", p.Meta)
				}
				if name == "odd" && (p.Name == "racc" || p.Name == "sqlite3") != (p.Hashes != nil) {
					t.Errorf("%s: hashes %v", p.Name, p.Hashes)
				}
			}
		})
	}
}

func TestLockWants(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"app/Gemfile.lock": analyze.Alone, "gems.locked": analyze.Alone, "app/Gemfile": analyze.Ignore,
		"usr/lib/ruby/gems/3.1.0/gems/rbs-2.1.0/steep/Gemfile.lock": analyze.Ignore,
	} {
		if got := (LockAnalyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
	if r := analyzetest.RunOne(t, LockAnalyzer{}, "Gemfile.lock", "GEM\n  specs:\n<<<<<<< HEAD\n    a (1.0)\n"); len(r.Problems) != 1 {
		t.Errorf("conflict: %+v", r)
	}
}

func FuzzGemspec(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"lib/ruby/gems/3.1.0/specifications/a-1.gemspec", "lib/ruby/gems/3.1.0/specifications/default/a-1.gemspec", "b/bundler/gems/a-0123456/a.gemspec"}, sane, "testdata")
}

func FuzzLock(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{LockAnalyzer{}}, []string{"Gemfile.lock"}, sane, "testdata")
}

// sane checks what no content may break.
func sane(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Packages {
		if !validName(p.Name) || p.Version != "" && !validVersion(p.Version) {
			t.Errorf("package %+v", p)
		}
		for f := range p.Files.All() {
			if !fs.ValidPath(strings.TrimSuffix(string(f), "/")) {
				t.Errorf("path %q", f)
			}
		}
	}
}
