package pacman

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// local reads testdata/local.tar.gz: what pacman 6.0 wrote when it installed
// four packages made for this test.
func local(t testing.TB) fstest.MapFS {
	t.Helper()
	f, err := os.Open("testdata/local.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	m := make(fstest.MapFS)
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return m
		}
		if err != nil {
			t.Fatal(err)
		}
		if (Analyzer{}).Wants(analyze.Entry{Path: h.Name}) != analyze.Alone || h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		m[h.Name] = &fstest.MapFile{Data: b}
	}
}

// testdata/info.txt is the answer of "pacman -Qi", files.txt that of "pacman -Ql".
func TestAgainstPacman(t *testing.T) {
	out := analyzetest.RunAll(t, Analyzer{}, local(t))
	if len(out.Problems) != 0 {
		t.Errorf("problems: %v", out.Problems)
	}
	info, err := os.ReadFile("testdata/info.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(info)), "\n\n") {
		f := make(map[string]string)
		for line := range strings.Lines(block) {
			k, v, _ := strings.Cut(line, ":")
			if v = strings.TrimSpace(v); v == "None" {
				v = ""
			}
			f[strings.TrimSpace(k)] = v
		}
		var depends []string
		for d := range strings.FieldsSeq(f["Depends On"]) {
			depends = append(depends, strings.FieldsFunc(d, func(r rune) bool { return r == '=' || r == '>' || r == '<' })[0])
		}
		slices.Sort(depends)
		want = append(want, strings.Join([]string{f["Name"], f["Version"], f["Architecture"], f["Description"], f["URL"], f["Packager"],
			strings.Join(strings.Fields(f["Licenses"]), "|"), strings.Join(depends, "|")}, "\t"))
	}
	for _, p := range out.Packages {
		var ls []string
		for _, l := range p.Licenses {
			ls = append(ls, l.Raw)
		}
		got = append(got, strings.Join([]string{p.Name, p.Version, p.Arch, p.Description, p.Homepage, p.Supplier, strings.Join(ls, "|"), strings.Join(p.Depends, "|")}, "\t"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-pacman -Qi +got):\n%s", diff)
	}
	// what the packages were made with, and pacman does not show exactly
	for _, p := range out.Packages {
		if g, w := fmt.Sprint(p.Source, p.SourceVersion, p.Size), map[string]string{"libfoo-git": "foo1:r100.abcdef-2 12345", "foo-tools": "foo1:r100.abcdef-2 4", "bar": "7", "meta": "0"}[p.Name]; strings.ReplaceAll(g, " ", "") != strings.ReplaceAll(w, " ", "") {
			t.Errorf("%s: source and size %q, want %q", p.Name, g, w)
		}
	}

	list, err := os.ReadFile("testdata/files.txt")
	if err != nil {
		t.Fatal(err)
	}
	var wantFiles, gotFiles []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasSuffix(line, "/") {
			wantFiles = append(wantFiles, line)
		}
	}
	for _, o := range out.Owned {
		for p := range o.Files.All() {
			gotFiles = append(gotFiles, o.Name+" /"+string(p))
		}
	}
	slices.Sort(gotFiles)
	slices.Sort(wantFiles)
	if diff := gocmp.Diff(wantFiles, gotFiles); diff != "" {
		t.Errorf("(-pacman -Ql +got):\n%s", diff)
	}
}

func TestBroken(t *testing.T) {
	out := analyzetest.RunAll(t, Analyzer{}, fstest.MapFS{
		localDir + "a-1-1/desc":     {Data: []byte("%NAME%\na\n\n%VERSION%\n\n")},
		localDir + "b-1-1/desc":     {Data: []byte("no section\n%NAME%\r\nb\r\n\r\n%VERSION%\n1-1\n\n%LICENSE%\n\nMIT\n")},
		localDir + "nohyphen/files": {Data: []byte("%FILES%\nusr/x\n")},
	})
	if len(out.Packages) != 1 || out.Packages[0].Name != "b" || out.Packages[0].Version != "1-1" {
		t.Errorf("packages %+v", out.Packages)
	}
	if len(out.Problems) != 2 || len(out.Owned) != 0 {
		t.Errorf("problems %v", out.Problems)
	}
}

func TestWants(t *testing.T) {
	for p, want := range map[string]analyze.Interest{
		localDir + "a-1-1/desc": analyze.Alone, localDir + "a-1-1/files": analyze.Alone, localDir + "a-1-1/mtree": analyze.Ignore,
		localDir + "ALPM_DB_VERSION": analyze.Ignore, localDir + "desc": analyze.Ignore, localDir + "a/b/desc": analyze.Ignore,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: p}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", p, got, want)
		}
	}
}

func FuzzLocal(f *testing.F) {
	for _, file := range local(f) {
		f.Add(string(file.Data))
	}
	f.Fuzz(func(t *testing.T, in string) {
		var out inventory.Record
		_ = desc(localDir+"a-1-1/desc", in, &out)
		_ = owned(localDir+"a-1-1/files", in, &out)
		for _, p := range out.Packages {
			if !word(p.Name) || !word(p.Version) {
				t.Errorf("package %+v", p)
			}
		}
		for _, o := range out.Owned {
			for p := range o.Files.All() {
				if p[0] == '/' || p[len(p)-1] == '/' {
					t.Errorf("path %q", p)
				}
			}
		}
	})
}
