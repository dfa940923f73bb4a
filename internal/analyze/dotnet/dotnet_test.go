package dotnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// brief writes packages as "type name version state scope depends files", one a line.
func brief(ps []inventory.Package) string {
	var b strings.Builder
	for _, p := range ps {
		fmt.Fprintf(&b, "%s %s %s %s%s", p.Type, p.Name, p.Version, p.State, p.Scope)
		if len(p.Depends) > 0 {
			fmt.Fprintf(&b, " needs %v", p.Depends)
		}
		if p.Files.Len() > 0 {
			fmt.Fprintf(&b, " owns %v", p.Files.Strings())
		}
		b.WriteString("\n")
	}
	return b.String()
}

// appDeps has the shape that "dotnet publish" writes.
const appDeps = `{
  "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64", "signature": ""},
  "compilationOptions": {},
  "targets": {
    ".NETCoreApp,Version=v8.0": {},
    ".NETCoreApp,Version=v8.0/linux-x64": {
      "App/1.2.0": {"dependencies": {"Newtonsoft.Json": "13.0.1", "Sqlite": "1.0.0"}, "runtime": {"App.dll": {}}},
      "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {
        "runtime": {"System.Runtime.dll": {"assemblyVersion": "8.0.0.0", "fileVersion": "8.0.123.58001"}},
        "native": {"libcoreclr.so": {"fileVersion": "0.0.0.0"}}},
      "Newtonsoft.Json/13.0.1": {"runtime": {"lib/netstandard2.0/Newtonsoft.Json.dll": {"assemblyVersion": "13.0.0.0", "fileVersion": "13.0.1.25517"}},
        "resources": {"lib/netstandard2.0/de/Newtonsoft.Json.resources.dll": {"locale": "de"}}},
      "Sqlite/1.0.0": {"native": {"runtimes/linux-x64/native/libsqlite.so": {}}},
      "System.Runtime/4.3.0": {"dependencies": {"Newtonsoft.Json": "13.0.1"}},
      "Lib/1.0.0": {"runtime": {"Lib.dll": {}}}
    }
  },
  "libraries": {
    "App/1.2.0": {"type": "project", "serviceable": false, "sha512": ""},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack", "serviceable": false, "sha512": ""},
    "Newtonsoft.Json/13.0.1": {"type": "package", "serviceable": true,
      "sha512": "sha512-ppPFpBcvxdsfUonNcvITKqLl3bqxWbDCZIzDWHzjpdAHRFfZe0Dw9HmA0+za13IdyrgJwpkDTDA9fHaxOrt20A==", "path": "newtonsoft.json/13.0.1"},
    "Sqlite/1.0.0": {"type": "package", "sha512": ""},
    "System.Runtime/4.3.0": {"type": "package", "sha512": ""},
    "Lib/1.0.0": {"type": "project"}
  }
}`

func TestDepsJSON(t *testing.T) {
	got := analyzetest.RunFile(t, Analyzer{}, "app/App.deps.json", []byte("\xef\xbb\xbf"+appDeps))
	want := `generic App 1.2.0  needs [Newtonsoft.Json Sqlite] owns [app/App.dll]
generic Lib 1.0.0  owns [app/Lib.dll]
nuget Microsoft.NETCore.App.Runtime.linux-x64 8.0.1  owns [app/System.Runtime.dll app/libcoreclr.so]
nuget Newtonsoft.Json 13.0.1  owns [app/Newtonsoft.Json.dll app/de/Newtonsoft.Json.resources.dll]
nuget Sqlite 1.0.0  owns [app/libsqlite.so app/runtimes/linux-x64/native/libsqlite.so]
nuget System.Runtime 4.3.0 declared needs [Newtonsoft.Json]
`
	if d := cmp.Diff(want, brief(got.Packages)); d != "" || len(got.Problems) > 0 {
		t.Errorf("(-want +got):\n%s%v", d, got.Problems)
	}
	// base64 -d | xxd -p of the recorded hash
	if h := got.Packages[3].Hashes["sha512"]; !strings.HasPrefix(h, "a693c5a4172fc5db1f5289cd72f2132aa2e5") || len(h) != 128 {
		t.Errorf("sha512 = %q", h)
	}
}

func TestSharedFramework(t *testing.T) {
	text := `{"runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64"}, "targets": {".NETCoreApp,Version=v8.0": {}, ".NETCoreApp,Version=v8.0/linux-x64": {
	"Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"runtime": {"System.Private.CoreLib.dll": {}}}}},
	"libraries": {"Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "package", "sha512": ""}}}`
	got := analyzetest.RunFile(t, Analyzer{}, "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/Microsoft.NETCore.App.deps.json", []byte(text))
	want := "nuget Microsoft.NETCore.App.Runtime.linux-x64 8.0.1  owns [usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/]\n"
	if d := cmp.Diff(want, brief(got.Packages)); d != "" {
		t.Error(d)
	}
}

func TestDepsBroken(t *testing.T) {
	tests := []struct {
		name, text         string
		packages, problems int
	}{
		{"another tool's", `["lodash", "react"]`, 0, 0},
		{"cut off", `{"libraries": {"A/1.0.0":`, 0, 1},
		{"no version", `{"libraries": {"A": {"type": "package"}, "B/1.0.0": {"type": "package"}, "../C/x y": {}}}`, 1, 1},
		{"wrong types", `{"libraries": []}`, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := analyzetest.RunFile(t, Analyzer{}, "a.deps.json", []byte(tt.text))
			if len(got.Packages) != tt.packages || len(got.Problems) != tt.problems {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestLocks(t *testing.T) {
	tests := []struct{ path, text, want string }{
		{
			"src/packages.lock.json",
			`{"version": 1, "dependencies": {"net6.0": {"A.B": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "contentHash": "x", "dependencies": {"C": "2.0.0"}},
			"C": {"type": "Transitive", "resolved": "2.0.0"}, "mine": {"type": "Project"}}, "net7.0": {"C": {"type": "Transitive", "resolved": "2.0.0"}}}}`,
			"nuget A.B 1.0.0 declared needs [C]\nnuget C 2.0.0 declared\n",
		},
		{
			"src/obj/project.assets.json",
			`{"version": 3, "targets": {}, "libraries": {"A/1.0.0": {"type": "package", "sha512": "x"}, "P/1.0.0": {"type": "project"}}}`,
			"nuget A 1.0.0 declared\n",
		},
		{
			"src/packages.config",
			`<?xml version="1.0" encoding="utf-8"?><packages><package id="jQuery" version="3.1.1" targetFramework="net46" /><package id="NUnit" version="2.6.4" developmentDependency="true" /></packages>`,
			"nuget jQuery 3.1.1 declared\nnuget NUnit 2.6.4 declareddev\n",
		},
	}
	for _, tt := range tests {
		got := analyzetest.RunFile(t, Lock{}, tt.path, []byte(tt.text))
		if d := cmp.Diff(tt.want, brief(got.Packages)); d != "" || len(got.Problems) > 0 {
			t.Errorf("%s (-want +got):\n%s%v", tt.path, d, got.Problems)
		}
		if got := analyzetest.RunFile(t, Lock{}, tt.path, []byte(tt.text[:len(tt.text)-9])); len(got.Problems) != 1 {
			t.Errorf("%s cut off: problems %v", tt.path, got.Problems)
		}
	}
}

func TestNuspec(t *testing.T) {
	text := `<?xml version="1.0"?><package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata minClientVersion="2.12">
	<id>Newtonsoft.Json</id><version>13.0.1</version><authors>James Newton-King</authors><license type="expression">MIT</license><licenseUrl>https://licenses.nuget.org/MIT</licenseUrl>
	<projectUrl>https://www.newtonsoft.com/json</projectUrl><description>Json.NET</description></metadata></package>`
	got := analyzetest.RunFile(t, Analyzer{}, "root/.nuget/packages/newtonsoft.json/13.0.1/newtonsoft.json.nuspec", []byte(text))
	if want := "nuget Newtonsoft.Json 13.0.1 declared\n"; brief(got.Packages) != want || got.Packages[0].Licenses[0].Raw != "MIT" || got.Packages[0].Supplier != "James Newton-King" {
		t.Errorf("%+v", got)
	}
	if (Analyzer{}).Wants(analyze.Entry{Path: "opt/x/tool.nuspec", Kind: inventory.KindXML}) != analyze.Ignore {
		t.Error("a nuspec elsewhere is wanted")
	}
}

// TestAssemblies reads assemblies of Debian's mono packages. The expected
// names and assembly versions are those of monodis --assembly, the others those
// of exiftool.
func TestAssemblies(t *testing.T) {
	tests := []struct{ file, name, version, assembly, fileVersion, supplier string }{
		{"Google.GData.Blogger.dll", "Google.GData.Blogger", "2.2.0", "2.2.0.0", "2.2.0.0", "Google Corporation"},
		{"Mono.Cecil.Rocks.dll", "Mono.Cecil.Rocks", "0.9.5", "0.9.5.0", "0.9.5.0", ""},
	}
	for _, tt := range tests {
		data, err := os.ReadFile(filepath.Join("testdata", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		got := analyzetest.RunFile(t, Analyzer{}, "usr/lib/"+tt.file, data)
		if len(got.Packages) != 1 || len(got.Problems) > 0 {
			t.Fatalf("%s: %+v", tt.file, got)
		}
		p := got.Packages[0]
		if p.Name != tt.name || p.Version != tt.version || p.Meta["assemblyVersion"] != tt.assembly || p.Meta["fileVersion"] != tt.fileVersion || p.Supplier != tt.supplier || p.Confidence != sureAssembly {
			t.Errorf("%s: %+v", tt.file, p)
		}
	}
}

// TestManyAssemblies compares with monodis and exiftool on all assemblies
// below a directory.
func TestManyAssemblies(t *testing.T) {
	dir := os.Getenv("TIDEWAITER_ASSEMBLIES")
	monodis, err1 := exec.LookPath("monodis")
	exiftool, err2 := exec.LookPath("exiftool")
	if dir == "" || err1 != nil || err2 != nil {
		t.Skip("needs assemblies in TIDEWAITER_ASSEMBLIES, monodis and exiftool")
	}
	n := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(p, ".dll") && !strings.HasSuffix(p, ".exe") {
			return err
		}
		text, err := exec.Command(monodis, "--assembly", p).Output()
		if err != nil {
			return nil
		}
		field := func(text, key string) string {
			for line := range strings.Lines(text) {
				if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
					return strings.TrimSpace(v)
				}
			}
			return ""
		}
		exif, err := exec.Command(exiftool, "-s", "-ProductVersion", "-FileVersion", p).Output()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		out := &inventory.Record{}
		f := analyze.NewFile(analyze.Entry{Path: p, Kind: analyze.Sniff(p, data)}, data)
		if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
			return err
		}
		if c := field(string(text), "Culture"); c != "" {
			if len(out.Packages) > 0 {
				t.Errorf("%s is a satellite", p)
			}
			return nil
		}
		if policy(field(string(text), "Name")) {
			return nil
		}
		n++
		if len(out.Packages) != 1 || len(out.Problems) > 0 {
			t.Errorf("%s: %+v", p, out)
			return nil
		}
		pkg := out.Packages[0]
		if want := field(string(text), "Name"); pkg.Name != want {
			t.Errorf("%s: name %q, want %q", p, pkg.Name, want)
		}
		if want := field(string(text), "Version"); pkg.Meta["assemblyVersion"] != want {
			t.Errorf("%s: assembly version %q, want %q", p, pkg.Meta["assemblyVersion"], want)
		}
		if want := field(string(exif), "FileVersion"); pkg.Meta["fileVersion"] != want {
			t.Errorf("%s: file version %q, want %q", p, pkg.Meta["fileVersion"], want)
		}
		if want := productVersion(field(string(exif), "ProductVersion")); want != "" && pkg.Version != want {
			t.Errorf("%s: version %q, want %q", p, pkg.Version, want)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d assemblies, %v", n, err)
	}
	t.Logf("%d assemblies agree with monodis and exiftool", n)
}

// TestNative looks at the Windows launchers that come with Python's setuptools
// and a helper of pnpm: native programs, not packages.
func TestNative(t *testing.T) {
	n := 0
	for _, pattern := range []string{"py-venv/fs/opt/venv/lib/python3*/site-packages/setuptools/*.exe", "node-global/fs/usr/local/lib/node_modules/pnpm/dist/vendor/*.exe"} {
		for _, p := range analyzetest.Layers(t, pattern) {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if got := analyzetest.RunFile(t, Analyzer{}, p, data); len(got.Packages)+len(got.Problems) > 0 {
				t.Errorf("%s: %+v", p, got)
			}
		}
	}
	if n == 0 {
		t.Skip("no native programs in the corpus")
	}
}

// makeBundle writes the parts of a single-file application that are read:
// an ELF header, a section .data with the mark, the header and the deps.json.
func makeBundle(deps string) []byte {
	const dataAt, namesAt, headerAt, depsAt = 0x100, 0x180, 0x200, 0x300
	b := make([]byte, depsAt)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	b[16] = 2
	names := "\x00.data\x00.shstrtab\x00"
	copy(b[namesAt:], names)
	table := len(b) + len(deps)
	le.PutUint64(b[40:], uint64(table))
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 3)
	le.PutUint16(b[62:], 2)
	le.PutUint64(b[dataAt+16:], headerAt)
	copy(b[dataAt+24:], bundleMark[:])
	h := b[headerAt:]
	le.PutUint32(h, 6)
	le.PutUint32(h[8:], 1)
	h[12] = 12
	copy(h[13:], "abcdefghijkl")
	le.PutUint64(h[25:], depsAt)
	le.PutUint64(h[33:], uint64(len(deps)))
	b = append(b, deps...)
	section := func(name uint32, off, n uint64) {
		s := make([]byte, 64)
		le.PutUint32(s, name)
		le.PutUint64(s[24:], off)
		le.PutUint64(s[32:], n)
		b = append(b, s...)
	}
	section(0, 0, 0)
	section(1, dataAt, 0x80)
	section(7, namesAt, uint64(len(names)))
	return b
}

func TestBundle(t *testing.T) {
	got := analyzetest.RunFile(t, Analyzer{}, "app/App", makeBundle(appDeps))
	if len(got.Packages) != 6 || len(got.Problems) > 0 {
		t.Fatalf("%+v", got)
	}
	if p := got.Packages[3]; p.Name != "Newtonsoft.Json" || p.Inner != "deps.json" || p.Path != "app/App" || p.Files.Len() > 0 {
		t.Errorf("%+v", p)
	}
	data := makeBundle(appDeps)
	binary.LittleEndian.PutUint64(data[0x110:], 0)
	if got := analyzetest.RunFile(t, Analyzer{}, "app/App", data); len(got.Packages)+len(got.Problems) > 0 {
		t.Errorf("host without bundle: %+v", got)
	}
	binary.LittleEndian.PutUint64(data[0x110:], 1<<40)
	if got := analyzetest.RunFile(t, Analyzer{}, "app/App", data); len(got.Problems) != 1 {
		t.Errorf("header beyond the end: %+v", got)
	}
	if sh, err := os.ReadFile("/bin/sh"); err == nil {
		out := &inventory.Record{}
		f := analyze.NewFile(analyze.Entry{Path: "bin/sh", Kind: inventory.KindELFExec}, sh)
		if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil || len(out.Packages)+len(out.Problems) > 0 {
			t.Errorf("shell: %+v %v", out, err)
		}
	}
}

func FuzzAssembly(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.dll")
	for _, p := range files {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := &inventory.Record{}
		file := analyze.NewFile(analyze.Entry{Path: "x.dll"}, data)
		if p := openPE(file); p != nil {
			p.versionStrings()
			_ = describeAssembly(p, out)
		}
		for _, p := range out.Packages {
			if !validName(p.Name) {
				t.Errorf("package %q", p.Name)
			}
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(makeBundle(`{"libraries":{"A/1.0.0":{"type":"package"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = bundle(analyze.NewFile(analyze.Entry{Path: "x"}, data), &inventory.Record{})
	})
}

func FuzzDeps(f *testing.F) {
	f.Add([]byte(appDeps))
	f.Fuzz(func(t *testing.T, b []byte) { analyzetest.RunFile(t, Analyzer{}, "shared/a/1/a.deps.json", b) })
}

func FuzzLocks(f *testing.F) {
	f.Add([]byte(`{"dependencies":{"n":{"a":{"resolved":"1"}}},"libraries":{"a/1":{"type":"package"}}}`))
	f.Add([]byte(`<packages><package id="a" version="1"/></packages>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []string{"packages.lock.json", "project.assets.json", "packages.config"} {
			analyzetest.RunFile(t, Lock{}, p, b)
		}
		_ = nuspec("x", bytes.Clone(b), &inventory.Record{})
	})
}

func BenchmarkNotDotnet(b *testing.B) {
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
