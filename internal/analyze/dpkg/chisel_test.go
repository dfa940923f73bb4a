package dpkg

import (
	"fmt"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

const manifestFile = "var/lib/chisel/manifest.wall"

func zstded(t testing.TB, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(text), nil)
}

// testdata/chisel/manifest.wall holds the packages and some of the paths of
// the manifest in chisel's documentation, made of base-files_chisel and
// hello_bins of Ubuntu 22.04, packed by zstd 1.5.
func TestManifest(t *testing.T) {
	data, err := os.ReadFile("testdata/chisel/manifest.wall")
	if err != nil {
		t.Fatal(err)
	}
	rec := analyzetest.RunFile(t, Chisel{}, manifestFile, data)
	analyzetest.NoProblems(t, rec)
	var got [][]string
	for _, p := range rec.Packages {
		if p.Type != "deb" || p.Arch != "amd64" || p.Path != manifestFile || p.Technique != inventory.TechDatabase {
			t.Errorf("%+v", p)
		}
		got = append(got, append([]string{p.Name, p.Version, p.Hashes["sha256"]}, p.Files.Strings()...))
	}
	want := [][]string{
		{"base-files", "12ubuntu4.7", "543f50e12da693710e1d606af61029fa599cde7eb0eaee2c0e34fa47848f4533",
			"usr/share/doc/base-files/copyright", manifestFile, "var/run"},
		{"hello", "2.10-2ubuntu4", "750335248ccc68d07397e2b843d94fd1a164ddeca23892ca8398b5d528cd89eb", "usr/bin/hello", "usr/share/doc/hello/copyright"},
		{"libc6", "2.35-0ubuntu3.8", "76d582e6b5a7057acd8b239edf102329a5a966303d7d1b7a024b447e057b342e",
			"lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libm.so.6", "lib64/ld-linux-x86-64.so.2", "usr/share/doc/libc6/copyright"},
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestManifestWants(t *testing.T) {
	for p, want := range map[string]analyze.Interest{
		manifestFile: analyze.Alone, "manifest.wall": analyze.Alone, "opt/m/manifest.wall": analyze.Alone, "opt/xmanifest.wall": analyze.Ignore, "manifest.wall/x": analyze.Ignore,
	} {
		if got := (Chisel{}).Wants(analyze.Entry{Path: p, Kind: inventory.KindZstd}); got != want {
			t.Errorf("%s: %v", p, got)
		}
		if got := (Chisel{}).Wants(analyze.Entry{Path: p, Kind: inventory.KindText}); got != analyze.Ignore {
			t.Errorf("%s of another kind: %v", p, got)
		}
	}
}

func TestBadManifests(t *testing.T) {
	const (
		header = `{"jsonwall":"1.0","schema":"1.0","count":%d}` + "\n"
		one    = `{"kind":"package","name":"a","version":"1","sha256":"00","arch":"all"}` + "\n"
	)
	head := func(n int) string { return fmt.Sprintf(header, n) }
	whole := zstded(t, head(2)+one)
	for name, c := range map[string]struct {
		data     []byte
		packages int
		problem  string // "" for none
	}{
		"spaces and blank lines":   {zstded(t, head(2)+" \n"+one+" \n"), 1, ""},
		"a later minor version":    {zstded(t, `{"jsonwall":"1.9","schema":"1.2","count":2}`+"\n"+one), 1, ""},
		"kinds not known":          {zstded(t, head(3)+one+`{"kind":"later","name":7}`+"\n"), 1, "cannot be read"},
		"fewer entries":            {zstded(t, head(9)+one), 1, "it holds 2 of 9 entries"},
		"not zstd":                 {append([]byte{0x28, 0xb5, 0x2f, 0xfd}, "no"...), 0, "reading the manifest"},
		"cut off":                  {whole[:len(whole)-6], 0, "reading the manifest"},
		"another jsonwall":         {zstded(t, `{"jsonwall":"2.0","schema":"1.0","count":2}`+"\n"+one), 0, `jsonwall version "2.0" is not known`},
		"another schema":           {zstded(t, `{"jsonwall":"1.0","schema":"2.0","count":2}`+"\n"+one), 0, `schema version "2.0" is not known`},
		"no header":                {zstded(t, one), 0, "no header"},
		"nothing":                  {zstded(t, "\n"), 0, "it is empty"},
		"a package twice":          {zstded(t, head(3)+one+one), 1, "a second package a"},
		"names that are none":      {zstded(t, head(3)+one+`{"kind":"package","name":"b c","version":"1"}`+"\n"), 1, `package name "b c"`},
		"a slice that is none":     {zstded(t, head(3)+one+`{"kind":"path","path":"/x","slices":["a"]}`+"\n"), 1, `slice "a" of "/x"`},
		"a line without end":       {zstded(t, head(2)+strings.Repeat(" ", maxManifestLine+1)), 0, "limit of 1048576 bytes"},
		"more text than the limit": {zstded(t, head(2)+one+strings.Repeat(strings.Repeat(" ", 1023)+"\n", analyze.MaxStream>>10)), 1, "limit of 134217728 bytes"},
	} {
		rec := analyzetest.RunFile(t, Chisel{}, manifestFile, c.data)
		if len(rec.Packages) != c.packages {
			t.Errorf("%s: %+v", name, rec.Packages)
		}
		if c.problem == "" {
			analyzetest.NoProblems(t, rec)
		} else if len(rec.Problems) != 1 || !strings.Contains(rec.Problems[0].Message, c.problem) {
			t.Errorf("%s: %+v", name, rec.Problems)
		}
	}
}

// Fuzzing goes past the compression: that is another's, and bounded.
func FuzzManifest(f *testing.F) {
	data, err := os.ReadFile("testdata/chisel/manifest.wall")
	if err != nil {
		f.Fatal(err)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	text, err := z.DecodeAll(data, nil)
	z.Close()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		m := manifest{file: manifestFile, byName: map[string]int{}, files: map[string][]string{}}
		err := m.read(t.Context(), strings.NewReader(string(text)))
		m.finish()
		for _, p := range m.packages {
			if !word([]byte(p.Name)) || !word([]byte(p.Version)) {
				t.Errorf("%+v", p)
			}
		}
		if err == nil && len(text) > 0 && len(m.packages) == 0 && strings.Contains(string(text), `{"kind":"package","name":"hello","version":"2.10-2ubuntu4"`+"}\n") {
			t.Error("a package is lost and nothing said")
		}
	})
}
