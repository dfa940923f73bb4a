package python

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The truth was printed by importlib.metadata of Python 3.13 for every
// *-packages folder below testdata/root and the eggs in them: folder of the
// metadata, name, version, and those of its files that exist.
func TestInstalledAgainstImportlib(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.NoProblems(t, r)
	var got []string
	for _, p := range r.Packages {
		if p.State != inventory.Installed || p.Type != "pypi" {
			continue
		}
		dir := path.Dir(p.Path)
		if p.Inner != "" {
			dir = p.Path + "/EGG-INFO"
		} else if strings.HasSuffix(p.Path, ".egg-info") {
			dir = p.Path
		}
		name := p.Name
		if n := p.Meta["name"]; n != "" {
			name = n
		}
		files := existing(filesOf(r, &p))
		if strings.HasSuffix(dir, "EGG-INFO") {
			files = nil // importlib.metadata knows an egg's files only by its source list
		}
		got = append(got, strings.Join([]string{dir, name, p.Version, strings.Join(files, "|")}, "\t"))
	}
	slices.Sort(got)
	truth, err := os.ReadFile("testdata/truth.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(truth), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if strings.HasSuffix(f[0], "EGG-INFO") {
			f[3] = ""
		}
		want = append(want, strings.Join(f, "\t"))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func filesOf(r *inventory.Record, p *inventory.Package) []string {
	files := p.Files.Strings()
	for _, o := range r.Owned {
		if o.Type == p.Type && o.Name == p.Name && path.Dir(o.Path) == path.Dir(p.Path) {
			files = append(files, o.Files.Strings()...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func existing(files []string) []string {
	return slices.DeleteFunc(files, func(f string) bool {
		info, err := os.Stat("testdata/root/" + f)
		return err != nil || !info.Mode().IsRegular()
	})
}

func TestNotInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	var wheels, vendored []string
	for _, p := range r.Packages {
		if strings.Contains(p.Path, "/tests/") {
			t.Errorf("%s: a test fixture is listed", p.Path)
		}
		if p.State != inventory.Declared {
			continue
		}
		switch p.Scope {
		case "wheel":
			wheels = append(wheels, p.Path+"!"+p.Inner+" "+p.Name+" "+p.Version)
		case "vendored":
			vendored = append(vendored, p.Name+" "+p.Version)
		default:
			t.Errorf("%s: scope %q", p.Path, p.Scope)
		}
	}
	if d := cmp.Diff([]string{"usr/share/python-wheels/tidewater_probe-1.2.post3-py3-none-any.whl!tidewater_probe-1.2.post3.dist-info/METADATA tidewater-probe 1.2.post3"}, wheels); d != "" {
		t.Error(d)
	}
	// what pip 23.0.1's vendor.txt says
	want := []string{
		"cachecontrol 0.12.11", "colorama 0.4.6", "distlib 0.3.6", "distro 1.8.0", "msgpack 1.0.4", "packaging 21.3", "platformdirs 2.6.2",
		"pyparsing 3.0.9", "pyproject-hooks 1.0.0", "requests 2.28.2", "certifi 2022.12.7", "chardet 5.1.0", "idna 3.4", "urllib3 1.26.14",
		"rich 12.6.0", "pygments 2.13.0", "typing-extensions 4.4.0", "resolvelib 0.8.1", "setuptools 44.0.0", "six 1.16.0", "tenacity 8.1.0",
		"tomli 2.0.1", "webencodings 0.5.1",
	}
	slices.Sort(vendored)
	slices.Sort(want)
	if d := cmp.Diff(want, vendored); d != "" {
		t.Errorf("vendored, want -, got +:\n%s", d)
	}
}

func TestFixtures(t *testing.T) {
	for path, want := range map[string]bool{
		"usr/local/lib/python3.11/test/test_importlib/data/example-21.12-py3.6.egg":  true,
		"lib/python3.13/test/wheeldata/setuptools-67.6.1-py3-none-any.whl":           true,
		"usr/lib/python3/dist-packages/pkg_resources/tests/data/x.egg-info/PKG-INFO": true,
		"usr/local/lib/python3.11/ensurepip/_bundled/pip-23.2.1-py3-none-any.whl":    false,
		"test/lib/python3/site-packages/a-1.dist-info/METADATA":                      false,
		"usr/lib/python3/dist-packages/test-1.dist-info/METADATA":                    false,
		"app/tests/x.egg-info/PKG-INFO":                                              false,
	} {
		if got := classify(path) == none; got != want {
			t.Errorf("%s: left out %v, want %v", path, got, want)
		}
	}
}

func TestMetadataFields(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	find := func(suffix string) inventory.Package {
		for _, p := range r.Packages {
			if strings.HasSuffix(p.Path, suffix) {
				return p
			}
		}
		t.Fatalf("no package at %s", suffix)
		return inventory.Package{}
	}
	declared := func(raw ...string) (ls []inventory.License) {
		for _, s := range raw {
			ls = append(ls, inventory.License{Raw: s, Source: "declared"})
		}
		return ls
	}
	tests := []struct {
		at   string
		want inventory.Package
	}{
		{"venv/lib/python3.11/site-packages/tidewater_probe-1.2.post3.dist-info/METADATA", inventory.Package{
			Supplier: "Harbour Office <harbour@example.org>", Homepage: "https://example.org/probe", Description: "A probe of the tide",
			Licenses: declared("Apache-2.0 OR MIT"), Depends: []string{"six", "attrs"},
		}},
		{"python3.6/site-packages/Tidewater.Probe-1.2.post3-py3.6.egg-info/PKG-INFO", inventory.Package{
			Supplier: "Harbour Office <harbour@example.org>", Homepage: "https://example.org/probe", Description: "A probe of the tide",
			Licenses: declared("Apache-2.0", "Apache Software License"),
		}},
		{"pyasn1_modules-0.2.8.egg-info", inventory.Package{
			Supplier: "Ilya Etingof <etingof@gmail.com>", Homepage: "https://github.com/etingof/pyasn1-modules",
			Description: "A collection of ASN.1-based protocols modules.", Licenses: declared("BSD-2-Clause", "BSD License"),
		}},
	}
	for _, tt := range tests {
		p := find(tt.at)
		got := inventory.Package{Supplier: p.Supplier, Homepage: p.Homepage, Description: p.Description, Licenses: p.Licenses, Depends: p.Depends}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(inventory.FileList{})); d != "" {
			t.Errorf("%s, want -, got +:\n%s", tt.at, d)
		}
	}
}

func TestConda(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root/opt/conda")
	analyzetest.NoProblems(t, r)
	if len(r.Packages) != 1 {
		t.Fatalf("%d packages, want 1", len(r.Packages))
	}
	p := r.Packages[0]
	if p.Type != "conda" || p.Name != "zlib" || p.Version != "1.2.13" || p.Licenses[0].Raw != "Zlib" {
		t.Errorf("got %+v", p)
	}
	want := map[string]string{"build": "h5eee18b_1", "channel": "main", "subdir": "linux-64", "type": "conda"}
	if d := cmp.Diff(want, p.Qualifiers); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"include/zlib.h", "lib/libz.so", "lib/libz.so.1.2.13"}, p.Files.Strings()); d != "" {
		t.Error(d)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct{ base, name, want string }{
		{"usr/lib/python3/dist-packages", "../../../bin/x", "usr/bin/x"},
		{"usr/lib", "../../../etc/passwd", ""},
		{"usr/lib", "a/../../../../etc/passwd", ""},
		{"usr/lib", "/etc/x", "etc/x"},
		{"usr/lib", "/../etc/x", ""},
		{".", "a/b", "a/b"},
		{"usr/lib", "a..b/c", "usr/lib/a..b/c"},
		{"usr/lib", "", ""},
	}
	for _, tt := range tests {
		if got := resolve(tt.base, tt.name); got != tt.want {
			t.Errorf("resolve(%q, %q) = %q, want %q", tt.base, tt.name, got, tt.want)
		}
	}
}

func TestBrokenMetadata(t *testing.T) {
	tests := []struct {
		name, content string
		packages      int
		version       string
		problem       bool
	}{
		{"no name", "Version: 1\n", 0, "", true},
		{"no version", "Name: foo\n", 1, "2.0", false},
		{"placeholder", "Name: foo\nVersion: ${version}\n", 1, "2.0", false},
		{"unnamed", "Name: UNKNOWN\nVersion: 0.0.0\n", 0, "", false},
		{"control characters", "Name: foo\x01bar\nVersion: 1\n", 0, "", true},
		{"windows", "Name: foo\r\nVersion: 3\r\n\r\nVersion: 4\r\n", 1, "3", false},
		{"byte order mark", "\ufeffName: foo\nVersion: 3\n", 1, "3", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzetest.RunOne(t, Analyzer{}, "x/site-packages/foo-2.0.dist-info/METADATA", tt.content)
			if len(r.Packages) != tt.packages || (len(r.Problems) > 0) != tt.problem {
				t.Fatalf("packages %+v, problems %+v", r.Packages, r.Problems)
			}
			if tt.packages > 0 && r.Packages[0].Version != tt.version {
				t.Errorf("version %q, want %q", r.Packages[0].Version, tt.version)
			}
		})
	}
}

// TestCorpus compares whole layers with what this machine's Python says of
// the same folders. Metadata inside packages (copies in _vendor folders),
// which the interpreter would not import, comes on top and is named below.
func TestCorpus(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to ask")
	}
	// name, version, and how many files RECORD has by Python's csv module
	const script = `import csv, importlib.metadata as m, sys
for d in m.distributions(path=sys.argv[1:]):
    r = d.read_text("RECORD")
    print(d.metadata["Name"], d.version, len({row[0] for row in csv.reader(r.splitlines())}) if r else 0)`
	tests := []struct{ layer, dir string }{
		{"py-debs", "usr/lib/python3/dist-packages"},
		{"py-venv", "opt/venv/lib/python3.11/site-packages"},
	}
	for _, tt := range tests {
		t.Run(tt.layer, func(t *testing.T) {
			root := analyzetest.Layer(t, tt.layer)
			if _, err := os.Stat(filepath.Join(root, tt.dir)); err != nil {
				t.Skip(err)
			}
			said, err := exec.Command(python, "-c", script, filepath.Join(root, tt.dir)).Output()
			if err != nil {
				t.Skip("python3 cannot list:", err)
			}
			want := strings.Split(strings.TrimSpace(string(said)), "\n")
			r := analyzetest.RunDir(t, Analyzer{}, root)
			analyzetest.NoProblems(t, r)
			var got, inner []string
			for _, p := range r.Packages {
				if p.State != inventory.Installed {
					continue
				}
				name := p.Name
				if n := p.Meta["name"]; n != "" {
					name = n
				}
				rest := strings.TrimPrefix(p.Path, tt.dir+"/")
				if strings.Count(rest, "/") > 1 {
					inner = append(inner, p.Path)
					continue
				}
				records := 0
				for _, o := range r.Owned {
					if path.Base(o.Path) == "RECORD" && o.Name == p.Name && path.Dir(o.Path) == path.Dir(p.Path) {
						records = o.Files.Len()
					}
				}
				got = append(got, fmt.Sprintf("%s %s %d", name, p.Version, records))
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("want -, got +:\n%s", d)
			}
			t.Logf("%d distributions, %d file lists; inside packages: %v", len(got), len(r.Owned), inner)
		})
	}
}

func BenchmarkWants(b *testing.B) {
	paths := []string{"usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/python3/dist-packages/yaml/__init__.py", "usr/share/doc/libc6/copyright", "app/node_modules/x/package.json"}
	b.ReportAllocs()
	for i := range b.N {
		e := analyze.Entry{Path: paths[i%len(paths)]}
		if (Analyzer{}).Wants(e)+(LockAnalyzer{}).Wants(e) != analyze.Ignore {
			b.Fatal(e.Path)
		}
	}
}
