package golang

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// mod is what a line of "go version -m" says: name, version, sum.
type mod struct{ Name, Version, Sum string }

// versionTruth reads the output of "go version -m" without the program's name.
func versionTruth(text string) []mod {
	var out []mod
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(f[0], "go") {
			out = append(out, mod{Name: "stdlib", Version: strings.TrimPrefix(strings.Fields(f[0])[0], "go")})
			continue
		}
		if len(f) < 4 {
			continue
		}
		m := mod{Name: f[2], Version: strings.TrimSuffix(f[3], "(devel)")}
		if len(f) > 4 {
			m.Sum = strings.TrimPrefix(f[4], "h1:")
		}
		switch f[1] {
		case "mod", "dep":
			out = append(out, m)
		case "=>":
			// a directory has no version of its own: the original's stands
			if !strings.HasPrefix(m.Name, ".") {
				out[len(out)-1] = m
			}
		}
	}
	return out
}

func found(ps []inventory.Package) []mod {
	var out []mod
	for _, p := range ps {
		out = append(out, mod{p.Name, p.Version, p.Meta["h1"]})
	}
	return out
}

var byName = cmpopts.SortSlices(func(a, b mod) bool { return a.Name+a.Version < b.Name+b.Version })

// The programs of testdata are real ones in which all bytes but the headers and
// the build information are zero; the .txt file beside each is what "go version
// -m" says of it.
func TestPrograms(t *testing.T) {
	names, err := filepath.Glob("testdata/*.gz")
	if err != nil || len(names) == 0 {
		t.Fatal("no programs in testdata", err)
	}
	for _, n := range names {
		name := strings.TrimSuffix(filepath.Base(n), ".gz")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			got := analyzetest.RunFile(t, Analyzer{}, "usr/bin/"+name, analyzetest.Gunzip(t, "testdata/"+name+".gz"))
			want := versionTruth(string(text))
			if name == "prog-linux-ldflags" {
				want[1].Version = "v1.2.3" // go version -m shows it only as a flag
			}
			if d := cmp.Diff(want, found(got.Packages), byName); d != "" || len(got.Problems) > 0 {
				t.Errorf("modules (-want +got):\n%s%v", d, got.Problems)
			}
		})
	}
}

func TestDetails(t *testing.T) {
	got := analyzetest.RunFile(t, Analyzer{}, "usr/bin/prog", analyzetest.Gunzip(t, "testdata/prog-linux-ldflags.gz")).Packages
	main, local, yaml, std := got[0], got[1], got[2], got[3]
	if main.Confidence != sureLinkerFlag || main.Meta["-X"] != "main.version=1.2.3" || main.Meta["GOARCH"] != "amd64" || main.Meta["CGO_ENABLED"] != "0" {
		t.Errorf("main module: %+v", main)
	}
	if local.Confidence != sureLocal || local.Meta["replaced-by"] != "./local" {
		t.Errorf("module replaced by a directory: %+v", local)
	}
	if yaml.Name != "go.yaml.in/yaml/v2" || yaml.Meta["replaces"] != "gopkg.in/yaml.v2@v2.4.0" {
		t.Errorf("replaced module: %+v", yaml)
	}
	if std.Name != "stdlib" || std.Meta["go"] != "go1.26.8" || std.Technique != inventory.TechBuildInfo {
		t.Errorf("standard library: %+v", std)
	}
	vcs := analyzetest.RunFile(t, Analyzer{}, "usr/bin/prog", analyzetest.Gunzip(t, "testdata/prog-linux-vcs.gz")).Packages[0]
	if vcs.Meta["vcs.revision"] != "16ff605d2f76a8a9ea3e38e54e4e143efc68a054" || vcs.Meta["vcs.modified"] != "true" {
		t.Errorf("version control: %+v", vcs)
	}
	gh := analyzetest.RunFile(t, Analyzer{}, "usr/bin/gh", analyzetest.Gunzip(t, "testdata/gh-debian.gz")).Packages
	if len(gh) != 1 || gh[0].Meta["path"] != "github.com/cli/cli/v2/cmd/gh" {
		t.Errorf("program without modules: %+v", gh)
	}
}

// Others are recognised as such without a problem, packed ones with one.
func TestOthers(t *testing.T) {
	prog := analyzetest.Gunzip(t, "testdata/prog-linux-amd64.gz")
	elf := bytes.Replace(bytes.ReplaceAll(prog, []byte(".go.buildinfo\x00"), []byte(".xx.xxxxxxxxx\x00")), []byte("\xff Go buildinf:"), make([]byte, 14), 1)
	other := bytes.ReplaceAll(bytes.ReplaceAll(elf, []byte(".gopclntab\x00"), []byte(".xxpclntab\x00")), []byte(".note.go.buildid\x00"), []byte(".note.xx.buildid\x00"))
	bare := bytes.Clone(prog[:1<<20])
	copy(bare[40:48], make([]byte, 8)) // no sections
	copy(bare[58:64], make([]byte, 6))
	packed := bytes.Clone(bare)
	copy(packed[0x180:], "UPX!")
	stripped := bytes.Clone(prog)
	copy(stripped[40:48], make([]byte, 8))
	copy(stripped[58:64], make([]byte, 6))
	tests := []struct {
		name     string
		data     []byte
		packages int
		problem  string
	}{
		{"no Go", other, 0, ""},
		{"no build information", elf, 0, errNoInfo.Error()},
		{"packed", packed, 0, errPacked.Error()},
		{"sections stripped", stripped, 4, ""},
		{"cut off", prog[:32<<10], 0, ""},
		{"text behind MZ", append([]byte("MZ"), make([]byte, 32<<10)...), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := analyzetest.RunFile(t, Analyzer{}, "usr/bin/x", tt.data)
			if len(got.Packages) != tt.packages || len(got.Problems) > 0 != (tt.problem != "") ||
				tt.problem != "" && !strings.Contains(got.Problems[0].Message, tt.problem) {
				t.Errorf("%d packages, problems %+v; want %d and %q", len(got.Packages), got.Problems, tt.packages, tt.problem)
			}
		})
	}
}

func TestToolchainVersion(t *testing.T) {
	tests := []struct{ in, want string }{
		{"go1.21.3", "1.21.3"}, {"go1.21.3 X:nocoverageredesign", "1.21.3"}, {"go1.22rc1", "1.22rc1"}, {"go1.18beta2", "1.18beta2"},
		{"go1.18.9 (Red Hat 1.18.9-1.el9)", "1.18.9"}, {"go1.21.5-fips", "1.21.5"}, {"devel go1.23-5123f38e05 Mon Jan 1", "devel go1.23-5123f38e05 Mon Jan 1"}, {"unknown", "unknown"},
	}
	for _, tt := range tests {
		if got := toolchainVersion(tt.in); got != tt.want {
			t.Errorf("toolchainVersion(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLinkerVersion(t *testing.T) {
	tests := []struct{ flags, want string }{
		{"-s -w -X main.version=1.2.3", "v1.2.3"},
		{"-X 'main.Version=v1.2.3-rc.1' -w", "v1.2.3-rc.1"},
		{`"-X=example.com/m/internal/build.Version=v2.0.1"`, "v2.0.1"},
		{"-X k8s.io/component-base/version.gitVersion=v1.28.0 -X main.commit=abc", "v1.28.0"},
		{"-X k8s.io/x/version.gitVersion=v1.28.0 -X main.version=3.1", "v3.1"},
		{"-X other.org/lib.Version=1.0.0", ""},
		{"-X main.version=dev", ""}, {"-X main.version=", ""}, {"-X", ""}, {"-X 'main.version=1.0", "v1.0"}, {"", ""},
		{"-X main.date=2024.01.02", ""},
	}
	for _, tt := range tests {
		if got, _ := linkerVersion(tt.flags, "example.com/m"); got != tt.want {
			t.Errorf("linkerVersion(%q) = %q, want %q", tt.flags, got, tt.want)
		}
	}
}

func TestMod(t *testing.T) {
	text := `module example.com/app

go 1.22

require (
	github.com/a/b v1.2.3
	github.com/c/d v0.0.0-20240101000000-abcdefabcdef // indirect
	github.com/e/f v2.0.0+incompatible
	github.com/g/h v1.0.0
)

replace github.com/e/f => github.com/x/f v1.9.0

replace github.com/g/h v1.0.0 => ../h
`
	got := analyzetest.RunFile(t, Mod{}, "src/app/go.mod", []byte(text))
	want := []mod{{"github.com/a/b", "v1.2.3", ""}, {"github.com/c/d", "v0.0.0-20240101000000-abcdefabcdef", ""}, {"github.com/x/f", "v1.9.0", ""}, {"github.com/g/h", "v1.0.0", ""}}
	if d := cmp.Diff(want, found(got.Packages)); d != "" || len(got.Problems) > 0 {
		t.Errorf("(-want +got):\n%s%v", d, got.Problems)
	}
	for _, p := range got.Packages {
		if p.State != inventory.Declared {
			t.Errorf("%s is %q", p.Name, p.State)
		}
	}
	if got := analyzetest.RunFile(t, Mod{}, "go.mod", []byte("this is no\n\tmod file (\n")); len(got.Problems) != 1 {
		t.Errorf("broken file: %+v", got)
	}
	if got := analyzetest.RunFile(t, Mod{}, "usr/local/go/src/go.mod", []byte("module std\n\nrequire golang.org/x/net v0.1.0\n")); len(got.Packages) != 0 {
		t.Errorf("standard library: %+v", got)
	}
	for _, p := range []string{"root/go/pkg/mod/a/b@v1/go.mod", "src/vendor/a/go.mod", "src/xgo.mod", "usr/local/go/src/crypto/md5/_asm/go.mod", "src/go.mod.bak"} {
		if (Mod{}).Wants(analyze.Entry{Path: p}) != analyze.Ignore {
			t.Errorf("Wants(%s) says yes", p)
		}
	}
}

// TestImages compares with "go version -m" on every executable of real images.
func TestImages(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to compare with")
	}
	programs, modules := 0, 0
	for _, layer := range []string{"go-bins", "go-debs"} {
		dir := analyzetest.Layer(t, layer)
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, p)
			e := analyze.Entry{Path: rel, Kind: analyze.Sniff(rel, data), Size: int64(len(data))}
			out := &inventory.Record{}
			if (Analyzer{}).Wants(e) != analyze.Ignore {
				if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(e, data)), out); err != nil {
					return err
				}
			} else if !e.Kind.ELF() {
				return nil
			}
			text, err := exec.Command(goTool, "version", "-m", p).Output()
			var want []mod
			if err == nil && len(text) > 0 {
				want = versionTruth(strings.TrimPrefix(string(text), p+": "))
				programs++
			}
			modules += len(want)
			if d := cmp.Diff(want, found(out.Packages), byName, cmpopts.EquateEmpty()); d != "" || len(out.Problems) > 0 {
				t.Errorf("%s (-want +got):\n%s%v", rel, d, out.Problems)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d programs, %d modules as go version -m says", programs, modules)
	if programs == 0 {
		t.Error("no program found")
	}
}

func FuzzProgram(f *testing.F) {
	for _, n := range []string{"prog-linux-386", "prog-windows-amd64", "prog-darwin-arm64"} {
		data := analyzetest.Gunzip(f, "testdata/"+n+".gz")
		f.Add(data[:min(len(data), 20<<10)])
	}
	prog := analyzetest.Gunzip(f, "testdata/prog-linux-amd64.gz")
	at := bytes.Index(prog, magic)
	f.Add(prog[at : at+1024])
	f.Fuzz(func(t *testing.T, data []byte) {
		file := analyze.NewFile(analyze.Entry{Path: "x"}, data)
		_, _ = look(file)
		out := &inventory.Record{}
		if info, err := read(file); err == nil {
			describe("x", info, out)
		}
		for _, p := range out.Packages {
			if !validPath(p.Name) || strings.IndexFunc(p.Version, isControl) >= 0 {
				t.Errorf("package %q %q", p.Name, p.Version)
			}
		}
	})
}

func FuzzLinkerVersion(f *testing.F) {
	f.Add("-s -w -X 'main.version=1.2.3' \"-X=a/version.Version=2\"")
	f.Fuzz(func(t *testing.T, s string) {
		linkerVersion(s, "a")
		_ = toolchainVersion(s)
	})
}

func FuzzMod(f *testing.F) {
	f.Add([]byte("module a\nrequire (\n\tb.c/d v1.0.0 // indirect\n)\nreplace b.c/d => ./x\n"))
	f.Fuzz(func(t *testing.T, b []byte) { analyzetest.RunFile(t, Mod{}, "go.mod", b) })
}

func BenchmarkNotGo(b *testing.B) {
	data, err := os.ReadFile("/bin/sh")
	if err != nil {
		b.Skip("no /bin/sh to look at")
	}
	set := analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: "bin/sh"}, data))
	b.ReportAllocs()
	for b.Loop() {
		_ = (Analyzer{}).Analyze(b.Context(), set, &inventory.Record{})
	}
}
