package php

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func lines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// composer.truth is "composer show" of Composer 2.5 for the project whose
// installed.json this is.
func TestInstalledAgainstComposer(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata")
	analyzetest.NoProblems(t, r)
	var got []string
	for _, p := range r.Packages {
		if p.Type == "composer" {
			got = append(got, strings.Join([]string{p.Namespace + "/" + p.Name, p.Version, p.Homepage, p.Description}, "|"))
		}
	}
	if d := cmp.Diff(lines(t, "testdata/composer.truth"), got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestInstalledFields(t *testing.T) {
	data, err := os.ReadFile("testdata/app/vendor/composer/installed.json")
	if err != nil {
		t.Fatal(err)
	}
	// version 1 was the list alone, and without install-path
	var v2 struct {
		Packages []map[string]any `json:"packages"`
	}
	if err := json.Unmarshal(data, &v2); err != nil {
		t.Fatal(err)
	}
	for _, p := range v2.Packages {
		delete(p, "install-path")
	}
	v1, err := json.Marshal(v2.Packages)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"version 2": string(data), "version 1": string(v1)} {
		r := analyzetest.RunOne(t, Analyzer{}, "app/vendor/composer/installed.json", content)
		if len(r.Packages) != 4 || len(r.Problems) != 0 {
			t.Fatalf("%s: %d packages, problems %v", name, len(r.Packages), r.Problems)
		}
		for _, p := range r.Packages {
			var licences []string
			for _, l := range p.Licenses {
				licences = append(licences, l.Raw)
			}
			got := []string{strings.Join(licences, ","), p.Supplier, strings.Join(p.Depends, ","), strings.Join(p.Files.Strings(), ",")}
			want := map[string][]string{
				"buoy":    {"BSD-3-Clause,Apache-2.0", "Harbour Office <harbour@example.org>", "", "app/vendor/tide/buoy/"},
				"harbour": {"MIT", "Harbour Office <harbour@example.org>", "tide/buoy", "app/vendor/tide/harbour/"},
				"lamp":    {"proprietary", "Harbour Office <harbour@example.org>", "", "app/vendor/tide/lamp/"},
				"meta":    {"MIT", "Harbour Office <harbour@example.org>", "tide/harbour", ""},
			}[p.Name]
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s, want -, got +:\n%s", name, p.Name, d)
			}
		}
	}
}

// lock.truth is "composer show --locked"; tide/buoy is from a folder of the
// project, and so left out.
func TestLockAgainstComposer(t *testing.T) {
	r := analyzetest.RunDir(t, LockAnalyzer{}, "testdata")
	analyzetest.NoProblems(t, r)
	var got []string
	for _, p := range r.Packages {
		got = append(got, p.Namespace+"/"+p.Name+"|"+p.Version)
		scope := ""
		if p.Name == "lamp" {
			scope = "dev"
		}
		if p.State != inventory.Declared || p.Scope != scope {
			t.Errorf("%s: state %q, scope %q", p.Name, p.State, p.Scope)
		}
		if (p.Name == "harbour") != (p.Hashes["sha1"] == "0123456789abcdef0123456789abcdef01234567") {
			t.Errorf("%s: hashes %v", p.Name, p.Hashes)
		}
	}
	slices.Sort(got)
	want := slices.DeleteFunc(lines(t, "testdata/lock.truth"), func(s string) bool { return strings.HasPrefix(s, "tide/buoy|") })
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

// pear.truth was printed by PHP 8.2's unserialize() of the same files:
// channel, name, release, licence, first lead, files.
func TestPEARAgainstPHP(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata")
	analyzetest.NoProblems(t, r)
	var got []string
	for _, p := range r.Packages {
		if p.Type == "pear" {
			got = append(got, strings.Join([]string{p.Path, p.Namespace, p.Name, p.Version, p.Licenses[0].Raw, p.Supplier, strings.Join(p.Files.Strings(), ",")}, "|"))
		}
	}
	if d := cmp.Diff(lines(t, "testdata/pear.truth"), got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		"app/vendor/composer/installed.json":                           true,
		"vendor/composer/installed.json":                               true,
		"srv/lib/composer/installed.json":                              true,
		"app/vendor/x/y/tests/Fixtures/vendor/composer/installed.json": false,
		"app/vendor/composer/installed.php":                            false,
		"app/composer.lock":                                            true,
		"composer.lock":                                                true,
		"app/vendor/x/y/composer.lock":                                 false,
		"app/composer.json":                                            false,
		"usr/share/php/.registry/pear.reg":                             true,
		"usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg":  true,
		"usr/local/lib/php/.channels/pecl.php.net.reg":                 false,
		"usr/local/lib/php/.registry/.channel.pecl.php.net/x/y.reg":    false,
	} {
		e := analyze.Entry{Path: path}
		if got := (Analyzer{}).Wants(e)+(LockAnalyzer{}).Wants(e) != analyze.Ignore; got != want {
			t.Errorf("%s: wanted %v, want %v", path, got, want)
		}
	}
}

func TestOdd(t *testing.T) {
	tests := []struct {
		name, path, content string
		want                string // vendor/name version files
		problem             bool
	}{
		{"way out", "v/composer/installed.json", `{"packages":[{"name":"a/b","version":"1","install-path":"../../../../etc"}]}`, "a/b 1 ", false},
		{"everything", "v/composer/installed.json", `{"packages":[{"name":"a/b","version":"1","install-path":"../.."}]}`, "a/b 1 ", false},
		{"branch", "v/composer/installed.json", `[{"name":"a/b","version":"dev-main","source":{"reference":"0123"},"license":"MIT"}]`, "a/b dev-main v/a/b/ 0123", false},
		{"odd types", "v/composer/installed.json", `[{"name":"a/b","version":3,"license":{},"authors":"x","dist":null,"source":[],"require":[]},{"name":"nameless"},{}]`, "a/b  v/a/b/", false},
		{"cut", "v/composer/installed.json", `{"packages":[`, "", true},
		{"object", "p/.registry/a.reg", `O:8:"stdClass":0:{}`, "", true},
		{"deep", "p/.registry/a.reg", strings.Repeat(`a:1:{i:0;`, 100), "", true},
		{"lying length", "p/.registry/a.reg", `s:99999999:"a";`, "", true},
		{"old form", "p/.registry/a.reg", `a:2:{s:7:"package";s:4:"Mail";s:7:"version";s:5:"1.2.0";}`, "pear.php.net/Mail 1.2.0 ", false},
		{"channel of the folder", "p/.registry/.channel.pecl.php.net/redis.reg", `a:2:{s:4:"name";s:5:"redis";s:7:"version";a:1:{s:7:"release";s:5:"6.0.2";}}`, "pecl.php.net/redis 6.0.2 ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzetest.RunOne(t, Analyzer{}, tt.path, tt.content)
			got := ""
			for _, p := range r.Packages {
				got += p.Namespace + "/" + p.Name + " " + p.Version + " " + strings.Join(p.Files.Strings(), ",")
				if ref := p.Meta["reference"]; ref != "" {
					got += " " + ref
				}
			}
			if got != tt.want || (len(r.Problems) > 0) != tt.problem {
				t.Errorf("got %q, problems %v, want %q", got, r.Problems, tt.want)
			}
		})
	}
}

func FuzzInstalled(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"app/vendor/composer/installed.json", "usr/share/php/.registry/a.reg"}, sane, "testdata")
}

func FuzzLock(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{LockAnalyzer{}}, []string{"composer.lock"}, sane, "testdata")
}

// sane checks what no content may break.
func sane(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Packages {
		if !validName(p.Name) || !validName(p.Namespace) || p.Version != "" && !validVersion(p.Version) {
			t.Errorf("package %+v", p)
		}
		for f := range p.Files.All() {
			if s := strings.TrimSuffix(string(f), "/"); s != "" && filepath.Clean("/"+s) != "/"+s {
				t.Errorf("path %q", f)
			}
		}
	}
}
