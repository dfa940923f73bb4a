package rust

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func names(ps []inventory.Package) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Type+" "+p.Name+" "+p.Version)
	}
	return out
}

// mach makes a Mach-O library with one section.
func mach(name string, content []byte) []byte {
	b := make([]byte, 32+72+80)
	binary.LittleEndian.PutUint32(b, 0xfeedfacf)
	binary.LittleEndian.PutUint32(b[16:], 1)
	binary.LittleEndian.PutUint32(b[20:], 72+80)
	binary.LittleEndian.PutUint32(b[32:], 0x19)
	binary.LittleEndian.PutUint32(b[36:], 72+80)
	copy(b[40:], "__DATA")
	binary.LittleEndian.PutUint32(b[32+64:], 1)
	s := b[32+72:]
	copy(s, name)
	binary.LittleEndian.PutUint64(s[40:], uint64(len(content)))
	binary.LittleEndian.PutUint32(s[48:], uint32(len(b)))
	return append(append(b, content...), make([]byte, 8<<10)...)
}

// The programs of testdata are real ones, in which all but headers, marks of
// the compiler, .dep-v0 and source paths is zero. The list of demo-audit and
// pe-audit was added by objcopy.
func TestAuditable(t *testing.T) {
	text, err := os.ReadFile("testdata/demo-audit.json")
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(text)
	_ = w.Close()
	want := []string{"cargo adler 1.0.2", "cargo cc 1.0.83", "cargo demo 0.1.0", "cargo tool-lib 2.0.0-rc.1+b5"}
	for name, data := range map[string][]byte{
		"elf": analyzetest.Gunzip(t, "testdata/demo-audit.gz"), "pe": analyzetest.Gunzip(t, "testdata/pe-audit.gz"), "mach-o": mach(".dep-v0", z.Bytes()),
	} {
		t.Run(name, func(t *testing.T) {
			got := analyzetest.RunFile(t, Analyzer{}, "usr/bin/demo", data)
			w := want
			if name == "elf" {
				w = append([]string{"generic rust 1.95.0"}, want...) // as readelf -p .comment shows
			}
			if d := cmp.Diff(w, names(got.Packages)); d != "" || len(got.Problems) > 0 {
				t.Fatalf("(-want +got):\n%s%v", d, got.Problems)
			}
			ps := got.Packages[len(w)-4:]
			if ps[1].State != inventory.Declared || ps[1].Scope != "build" || ps[0].State != inventory.Installed {
				t.Errorf("build dependency: %+v", ps[1])
			}
			if d := cmp.Diff([]string{"adler", "cc", "tool-lib"}, ps[2].Depends); d != "" || ps[2].Meta["source"] != "local" {
				t.Errorf("root: %s%v", d, ps[2].Meta)
			}
		})
	}
}

// The programs of testdata are real ones, in which all but headers, marks of
// the compiler, .dep-v0 and source paths is zero. The list of demo-audit and
// pe-audit was added by objcopy.
func TestAuditableBroken(t *testing.T) {
	pack := func(v any) []byte {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_ = json.NewEncoder(w).Encode(v)
		_ = w.Close()
		return z.Bytes()
	}
	good := pack(map[string]any{"packages": []any{map[string]any{"name": "a", "version": "1.0.0", "dependencies": []int{7, -1}}}})
	bomb := func() []byte {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(make([]byte, maxList+10))
		_ = w.Close()
		return z.Bytes()
	}
	tests := []struct {
		name     string
		section  []byte
		packages int
		limit    string
	}{
		{"no zlib", []byte("hello, this is no zlib stream"), 0, ""},
		{"cut off", good[:len(good)-8], 0, ""},
		{"bad crates", pack(map[string]any{"packages": []any{map[string]any{"name": "../x", "version": "1.0.0"}, map[string]any{"name": "b", "version": "1.0.0"}}}), 1, ""},
		{"bomb", bomb(), 0, "file size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := analyzetest.RunFile(t, Analyzer{}, "x", mach(".dep-v0", tt.section))
			if len(got.Packages) != tt.packages || len(got.Problems) != 1 || got.Problems[0].Limit != tt.limit {
				t.Errorf("%v, %+v", names(got.Packages), got.Problems)
			}
		})
	}
	if got := analyzetest.RunFile(t, Analyzer{}, "x", mach(".dep-v0", good)); len(got.Problems) > 0 || len(got.Packages) != 1 || len(got.Packages[0].Depends) > 0 {
		t.Errorf("dependencies out of range: %+v", got)
	}
}

// The crates by path are those that strings and grep find in the programs.
func TestPaths(t *testing.T) {
	for _, name := range []string{"rustup", "reflink-darwin-arm64", "demo"} {
		t.Run(name, func(t *testing.T) {
			var want []string
			if text, err := os.ReadFile("testdata/" + name + ".txt"); err == nil {
				for line := range strings.Lines(string(text)) {
					want = append(want, "cargo "+strings.TrimSpace(line))
				}
			}
			switch name {
			case "rustup":
				want = append(want, "generic rust 1.93.1")
			case "demo":
				want = append(want, "generic rust 1.95.0")
			}
			got := analyzetest.RunFile(t, Analyzer{}, "bin/"+name, analyzetest.Gunzip(t, "testdata/"+name+".gz"))
			if d := cmp.Diff(want, names(got.Packages), cmpopts.SortSlices(strings.Compare)); d != "" || len(got.Problems) > 0 {
				t.Errorf("(-want +got):\n%s%v", d, got.Problems)
			}
			for _, p := range got.Packages {
				if p.Type == "cargo" && (p.Confidence != surePath || p.Technique != inventory.TechSignature) {
					t.Errorf("%s %s is too sure: %v %s", p.Name, p.Version, p.Confidence, p.Technique)
				}
			}
		})
	}
}

func TestOthers(t *testing.T) {
	for _, p := range []string{"/bin/sh", "/lib/x86_64-linux-gnu/libc.so.6"} {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Skipf("no program to look at: %v", err)
		}
		if got := analyzetest.RunFile(t, Analyzer{}, p[1:], data); len(got.Packages)+len(got.Problems) > 0 {
			t.Errorf("%s: %+v", p, got)
		}
	}
}

func TestFindCrates(t *testing.T) {
	text := "x/home/u/.cargo/registry/src/index.crates.io-6f17d22bba15001f/sha-1-0.10.1/src/lib.rs:1:2\x00" +
		`C:\Users\u\.cargo\registry\src\index.crates.io-1949cf8c6b5b557f\windows-sys-0.52.0\src\lib.rs` +
		"/usr/share/cargo/registry/ripgrep-13.0.0/src/main.rs /etc/registry/foo-1.0.0/x registry/src/none registry/src/i/noversion/ registry/src/i/a-1.0.0-beta.2+x/"
	var got []string
	findCrates([]byte(text), func(n, v []byte) { got = append(got, string(n)+" "+string(v)) })
	if d := cmp.Diff([]string{"sha-1 0.10.1", "windows-sys 0.52.0", "ripgrep 13.0.0", "a 1.0.0-beta.2+x"}, got); d != "" {
		t.Error(d)
	}
}

func TestLock(t *testing.T) {
	const v1 = `[root]
name = "old"
version = "0.1.0"
dependencies = [
 "libc 0.2.40 (registry+https://github.com/rust-lang/crates.io-index)",
]

[[package]]
name = "libc"
version = "0.2.40"
source = "registry+https://github.com/rust-lang/crates.io-index"

[metadata]
"checksum libc 0.2.40 (registry+https://github.com/rust-lang/crates.io-index)" = "6fd41f331ac7c5b8ac259b8bf82c75c0fb2e469bbf37d2becbba9a6a2221965b"
`
	const v4 = `# This file is automatically @generated by Cargo.
# It is not intended for manual editing.
version = 4

[[package]]
name = "app"
version = "1.0.0"
dependencies = [
 "memchr",
 "rand 0.8.5",
]

[[package]]
name = "memchr"
version = "2.7.4"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "78ca9ab1a0babb1e7d5695e3530886289c18cf2f87ec19a575a0abdce112e3a3"

[[package]]
name = "rand"
version = "0.8.5"
source = "git+https://github.com/rust-random/rand?rev=abc#abcdef"
dependencies = [
 "memchr",
]
`
	tests := []struct{ name, text, want string }{
		{"v1", v1, "libc 0.2.40 sha256=6fd41f331ac7 []\n"},
		{"v4", v4, "memchr 2.7.4 sha256=78ca9ab1a0ba []\nrand 0.8.5 sha256= [memchr]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := analyzetest.RunFile(t, Lock{}, "src/Cargo.lock", []byte(tt.text))
			var b strings.Builder
			for _, p := range got.Packages {
				fmt.Fprintf(&b, "%s %s sha256=%.12s %v\n", p.Name, p.Version, p.Hashes["sha256"], p.Depends)
				if p.State != inventory.Declared {
					t.Errorf("%s is %q", p.Name, p.State)
				}
			}
			if d := cmp.Diff(tt.want, b.String()); d != "" || len(got.Problems) > 0 {
				t.Errorf("(-want +got):\n%s%v", d, got.Problems)
			}
		})
	}
	if got := analyzetest.RunFile(t, Lock{}, "Cargo.lock", []byte("[[package]]\nname = \"x\"\nversion = \"nonsense\"\nsource = \"registry+x\"\n")); len(got.Problems) != 1 || len(got.Packages) != 0 {
		t.Errorf("broken: %+v", got)
	}
}

func FuzzProgram(f *testing.F) {
	f.Add(analyzetest.Gunzip(f, "testdata/demo-audit.gz")[:8<<10])
	f.Add(mach(".dep-v0", []byte("x\x9c")))
	f.Add(mach("__const", []byte("/rustc/ registry/src/a/b-1.0.0/")))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := &inventory.Record{}
		_ = program(analyze.NewFile(analyze.Entry{Path: "x"}, data), out)
		findCrates(data, func(n, v []byte) {
			if !crateName(n) || !semver(v) {
				t.Errorf("crate %q %q", n, v)
			}
		})
	})
}

func FuzzLock(f *testing.F) {
	f.Add([]byte("[[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"r\"\ndependencies = [\n \"a 1\",\n]\n[metadata]\n\"checksum a\" = \"b\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) { analyzetest.RunFile(t, Lock{}, "Cargo.lock", b) })
}

func BenchmarkNotRust(b *testing.B) {
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
