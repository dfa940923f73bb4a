package python

import (
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

func lockPackages(t *testing.T, name string) *inventory.Record {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/lock", name))
	if err != nil {
		t.Fatal(err)
	}
	return analyzetest.RunOne(t, LockAnalyzer{}, "app/"+name, string(data))
}

func TestLockFiles(t *testing.T) {
	tests := []struct {
		file string
		want []string // name version scope depends
	}{
		{"poetry.lock", []string{
			"anyio 4.8.0 [] exceptiongroup,idna,typing_extensions", "gitdep 0.3 [] ", "old-style 1.0 [dev] ", "pytest 8.3.4 [dev] ",
			"pywin32 308 [optional] ", "uvloop 0.21.0 [optional] ",
		}},
		{"pdm.lock", []string{"astroid 3.1.0 [dev] typing-extensions", "click 8.1.7 [] colorama", "colorama 0.4.6 [optional] "}},
		{"uv.lock", []string{
			"cantera 3.2.0 [] numpy,ruamel-yaml", "cliscreen 0.1.0 [] ", "colorama 0.4.6 [dev] ", "numpy 2.3.5 [] ", "pytest 9.0.1 [dev] colorama",
			"ruamel-yaml 0.18.16 [] ", "sniffio 1.3.1 [optional] ",
		}},
		{"pylock.toml", []string{"attrs 25.1.0 [] ", "pytest 8.4.2 [dev] ", "typing-extensions 4.15.0 [] "}},
		{"requirements-dev.txt", []string{
			"flask 2.2.2 [dev] ", "numpy 1.24.2 [dev] ", "pywin32 306 [dev] ", "ruamel-yaml 0.18.6 [dev] ", "six 1.16.0 [dev] ", "uvicorn 0.30.1 [dev] ",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			r := lockPackages(t, tt.file)
			analyzetest.NoProblems(t, r)
			var got []string
			for _, p := range r.Packages {
				if p.State != inventory.Declared || p.Technique != inventory.TechLockFile || p.Type != "pypi" {
					t.Errorf("%s: %+v", p.Name, p)
				}
				got = append(got, p.Name+" "+p.Version+" ["+p.Scope+"] "+strings.Join(p.Depends, ","))
			}
			slices.Sort(got)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("want -, got +:\n%s", d)
			}
		})
	}
}

// The list was printed by Python's json module from the same file.
func TestPipfileLock(t *testing.T) {
	r := lockPackages(t, "Pipfile.lock")
	analyzetest.NoProblems(t, r)
	var got []string
	for _, p := range r.Packages {
		s := p.Scope
		if s == "" {
			s = "default"
		}
		got = append(got, s+" "+p.Name+" "+p.Version)
	}
	slices.Sort(got)
	truth, err := os.ReadFile("testdata/lock/Pipfile.truth")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(strings.TrimSpace(string(truth)), "\n"), got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestRequirementsScope(t *testing.T) {
	for file, want := range map[string]string{
		"app/requirements.txt": "", "app/requirements/prod.txt": "", "app/dev-requirements.txt": "dev", "app/requirements/test.txt": "test",
		"app/tests/requirements.txt": "test", "app/docs/requirements.txt": "dev", "requirements-build.txt": "build", "srv/devices/requirements.txt": "",
	} {
		if got := requirementsScope(file); got != want {
			t.Errorf("requirementsScope(%s) = %q, want %q", file, got, want)
		}
	}
}

func TestLockHash(t *testing.T) {
	for file, want := range map[string]string{
		"uv.lock colorama":         "4f1d9991f5acc0ca119f9d443620b77f9d6b33703e51011c16baf57afb285fc6",
		"uv.lock cantera":          "", // two archives
		"pdm.lock click":           "ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28",
		"requirements-dev.txt six": "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
	} {
		name, pkg, _ := strings.Cut(file, " ")
		for _, p := range lockPackages(t, name).Packages {
			if p.Name == pkg && p.Hashes["sha256"] != want {
				t.Errorf("%s: hash %q, want %q", file, p.Hashes["sha256"], want)
			}
		}
	}
}

func TestLockWants(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"app/requirements.txt":      analyze.Alone,
		"requirements.txt":          analyze.Alone,
		"app/requirements/base.txt": analyze.Alone,
		"app/dev-requirements.txt":  analyze.Alone,
		"app/pylock.web.toml":       analyze.Alone,
		"app/uv.lock":               analyze.Alone,
		"app/yarn.lock":             analyze.Ignore,
		"app/pyproject.toml":        analyze.Ignore,
		"usr/lib/python3/dist-packages/x/requirements.txt":       analyze.Ignore,
		"usr/share/doc/x/requirements.txt":                       analyze.Ignore,
		"opt/venv/lib/python3.11/site-packages/y/poetry.lock":    analyze.Ignore,
		"app/node_modules/node-gyp/gyp/requirements_dev.txt":     analyze.Ignore,
		"opt/conda/pkgs/x-1.0-0/info/recipe/requirements.txt":    analyze.Ignore,
		"usr/local/lib/python3.12/site-packages/a/Pipfile.lock":  analyze.Ignore,
		"usr/local/lib/python3.12/ensurepip/_bundled/README.txt": analyze.Ignore,
		"srv/deep/er/Pipfile.lock":                               analyze.Alone,
		"usr/share/app/requirements.in":                          analyze.Ignore,
	} {
		if got := (LockAnalyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
}

func TestTOMLLimits(t *testing.T) {
	for name, doc := range map[string]string{
		"depth":       "[[package]]\nsource = " + strings.Repeat("[", 100_000),
		"depth table": "[[package]]\nsource = " + strings.Repeat("{a=", 100_000),
		"long string": "[[package]]\nname = \"\"\"a\"\"\"\" " + strings.Repeat("[", 1000),
		"key":         "[[package]]\n" + strings.Repeat("a.", 1000) + "a = 1",
		"cut":         "[[package]]\nname = \"x",
	} {
		r := analyzetest.RunOne(t, LockAnalyzer{}, "uv.lock", doc)
		if len(r.Problems) != 1 {
			t.Errorf("%s: problems %+v, want one", name, r.Problems)
		}
	}
}

func TestTOMLKeepsWhatItRead(t *testing.T) {
	r := analyzetest.RunOne(t, LockAnalyzer{}, "poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\n[[package]]\nname = 'b'\nversion = '2\n")
	if len(r.Packages) != 1 || r.Packages[0].Name != "a" || len(r.Problems) != 1 {
		t.Errorf("got %+v", r)
	}
}
