package rpm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// fixtures hold the same 17 headers: of Rocky Linux 9 and CentOS 7, public
// keys, and of packages made with rpmbuild for odd cases. The Berkeley DB
// files were written by db5.3_load, one in each byte order; the SQLite file
// by sqlite3 with small pages. small.tsv and small.files are what rpm 4.18
// says of them.
var fixtures = []string{"small.bdb", "small-be.bdb", "small.ndb", "small.sqlite"}

// run analyzes one file, from memory or as if it were spooled.
func run(t testing.TB, path string, data []byte, spooled bool) *inventory.Record {
	t.Helper()
	f := analyze.NewFile(analyze.Entry{Path: path}, data)
	if spooled {
		f = &analyze.File{Entry: analyze.Entry{Path: path, Size: int64(len(data))}, ReaderAt: bytes.NewReader(data)}
	}
	out := &inventory.Record{Analyzer: "rpm"}
	if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestForms(t *testing.T) {
	tsv, files := readFile(t, "testdata/small.tsv"), readFile(t, "testdata/small.files")
	for _, name := range fixtures {
		data := analyzetest.Gunzip(t, "testdata/"+name+".gz")
		for _, spooled := range []bool{false, true} {
			out := run(t, "var/lib/rpm/Packages", data, spooled)
			for _, p := range out.Problems {
				t.Errorf("%s: %v", name, p)
			}
			if n, _ := compare(t, name, out.Packages, tsv, files); n != 14 {
				t.Errorf("%s: %d packages, want 14", name, n)
			}
		}
	}
}

// What requires what in the packages made for odd cases stands in their spec:
// a file nobody provides by name, a versioned name, a boolean, a capability.
func TestDepends(t *testing.T) {
	out := run(t, "var/lib/rpm/rpmdb.sqlite", analyzetest.Gunzip(t, "testdata/small.sqlite.gz"), false)
	got := make(map[string][]string)
	for _, p := range out.Packages {
		if strings.HasPrefix(p.Name, "odd-") && p.Depends != nil {
			got[p.Name] = p.Depends
		}
	}
	want := map[string][]string{"odd-source": {"odd-data", "odd-tool"}, "odd-epochless": {"odd-data"}, "odd-empty": {"odd-tool"}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSource(t *testing.T) {
	tests := []struct {
		file, name, vr    string
		epoch             uint64
		wantName, wantVer string
	}{
		{"glibc-2.34-83.el9.src.rpm", "glibc", "2.34-83.el9", 0, "", ""},
		{"glibc-2.34-83.el9.src.rpm", "glibc-common", "2.34-83.el9", 0, "glibc", "2.34-83.el9"},
		{"perl-5.16.3-294.el7_6.src.rpm", "perl-libs", "5.16.3-294.el7_6", 4, "perl", "4:5.16.3-294.el7_6"},
		{"perl-5.16.3-294.el7_6.src.rpm", "perl-Module-Loaded", "0.08-294.el7_6", 1, "perl", "5.16.3-294.el7_6"},
		{"a-b-1-2.nosrc.rpm", "c", "1-2", 0, "a-b", "1-2"},
		{"(none)", "c", "1-2", 0, "", ""},
		{"1-2.src.rpm", "c", "1-2", 0, "", ""},
		{"", "c", "1-2", 0, "", ""},
	}
	for _, tt := range tests {
		n, v := source(tt.file, tt.name, tt.vr, tt.epoch)
		if n != tt.wantName || v != tt.wantVer {
			t.Errorf("source(%q, %q) = %q, %q, want %q, %q", tt.file, tt.name, n, v, tt.wantName, tt.wantVer)
		}
	}
}

func TestManifest(t *testing.T) {
	const in = "filesystem\t1.1-19.azl3\t1713301500\t1713300000\tMicrosoft Corporation\t(none)\t7596\tx86_64\t0\tfilesystem-1.1-19.azl3.src.rpm\n" +
		"libgcc\t13.2.0-6.azl3\t1713301501\t1713300000\tMicrosoft Corporation\t1\t99\tx86_64\t1\tgcc-13.2.0-6.azl3.src.rpm\n" +
		"gpg-pubkey\t3135ce90-5e6fda74\t1\t1\t(none)\t(none)\t0\t(none)\t0\t(none)\n" +
		"short\t1-2\n\n"
	out := run(t, manifestFile, []byte(in), false)
	want := []inventory.Package{
		{Type: "rpm", Name: "filesystem", Version: "1.1-19.azl3", Arch: "x86_64", Supplier: "Microsoft Corporation", Size: 7596,
			Path: manifestFile, Technique: inventory.TechDatabase, Meta: map[string]string{"INSTALLTIME": "1713301500"}},
		{Type: "rpm", Name: "libgcc", Version: "1:13.2.0-6.azl3", Arch: "x86_64", Supplier: "Microsoft Corporation", Size: 99,
			Source: "gcc", SourceVersion: "1:13.2.0-6.azl3",
			Path: manifestFile, Technique: inventory.TechDatabase, Meta: map[string]string{"INSTALLTIME": "1713301501"}},
	}
	lists := gocmp.Transformer("Strings", inventory.FileList.Strings)
	if diff := gocmp.Diff(want, out.Packages, lists); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "2 columns") {
		t.Errorf("problems %v, want one of the short line", out.Problems)
	}
}

func TestBroken(t *testing.T) {
	for _, name := range fixtures {
		data := analyzetest.Gunzip(t, "testdata/"+name+".gz")
		whole := len(run(t, "var/lib/rpm/Packages", data, false).Packages)
		// cut at half: a Problem, and what came before is kept or not, but never more
		for _, n := range []int{len(data) / 2, 4096, 100, 33, 13} {
			out := run(t, "var/lib/rpm/Packages", data[:n], true)
			if len(out.Problems) == 0 {
				t.Errorf("%s: no problem in %d of %d bytes", name, n, len(data))
			}
			if len(out.Packages) > whole {
				t.Errorf("%s: %d packages in half the file, %d in the whole", name, len(out.Packages), whole)
			}
		}
	}
	for what, f := range map[string]string{
		"var/lib/rpm/Packages":         "not a database, long enough to look at it",
		"var/lib/rpm/rpmdb.sqlite-wal": "x",
	} {
		if out := run(t, what, []byte(f), false); len(out.Problems) != 1 || len(out.Packages) != 0 {
			t.Errorf("%s: problems %v", what, out.Problems)
		}
	}
	if out := run(t, "var/lib/rpm/Packages", nil, false); len(out.Problems) != 0 {
		t.Errorf("an empty file: %v", out.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := fstest.MapFS{"var/lib/rpm/Packages": {Data: []byte("x")}}
	if err := (Analyzer{}).Analyze(ctx, m, &inventory.Record{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLimits(t *testing.T) {
	// 50 pages of slots that are none
	slots := make([]byte, 50*ndbPage)
	copy(slots, "RpmP\x00\x00\x00\x00\x01\x00\x00\x00\x32\x00\x00\x00")
	out := run(t, "var/lib/rpm/Packages.db", slots, true)
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "limit of 10000 broken entries") {
		t.Errorf("NDB without slots: problems %v", out.Problems)
	}
	// a B-tree whose last child is its root
	tree := analyzetest.Gunzip(t, "testdata/small.sqlite.gz")
	root := tree[512:1024]
	if root[0] != sqliteInterior {
		t.Fatalf("page 2 is of type %d: no longer the root of Packages", root[0])
	}
	copy(root[8:], []byte{0, 0, 0, 2})
	out = run(t, "var/lib/rpm/rpmdb.sqlite", tree, true)
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "more than") {
		t.Errorf("SQLite with a circle: problems %v", out.Problems)
	}
	// a chain of overflow pages that leads back to its first page
	chain := analyzetest.Gunzip(t, "testdata/small.bdb.gz")
	for at := 1024; at < len(chain); at += 1024 {
		if chain[at+25] == bdbPageOverflow {
			copy(chain[at+16:], chain[at+8:at+12]) // next is the page itself
		}
	}
	out = run(t, "var/lib/rpm/Packages", chain, true)
	if len(out.Problems) != 1 {
		t.Errorf("Berkeley DB with a circle: problems %v", out.Problems)
	}
	for _, p := range out.Packages {
		if !word([]byte(p.Name)) {
			t.Errorf("package %+v", p)
		}
	}
}

func TestWants(t *testing.T) {
	tests := []struct {
		path string
		size int64
		want analyze.Interest
	}{
		{"var/lib/rpm/Packages", 1, analyze.Alone},
		{"var/lib/rpm/rpmdb.sqlite", 1, analyze.Alone},
		{"usr/lib/sysimage/rpm/Packages.db", 1, analyze.Alone},
		{"usr/lib/sysimage/rpm/rpmdb.sqlite", 1, analyze.Alone},
		{"usr/share/rpm/rpmdb.sqlite", 1, analyze.Alone},
		{"var/lib/rpm/rpmdb.sqlite-wal", 0, analyze.Ignore},
		{"var/lib/rpm/rpmdb.sqlite-wal", 1, analyze.Alone},
		{"var/lib/rpm/Name", 1, analyze.Ignore},
		{"var/lib/rpm/x/Packages", 1, analyze.Ignore},
		{"var/lib/rpmmanifest/container-manifest-2", 1, analyze.Alone},
		{"var/lib/rpmmanifest/container-manifest-1", 1, analyze.Ignore},
		{"usr/lib/rpm/macros", 1, analyze.Ignore},
		{"Packages", 1, analyze.Ignore},
		{"", 0, analyze.Ignore},
	}
	for _, tt := range tests {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: tt.path, Size: tt.size}); got != tt.want {
			t.Errorf("Wants(%s, %d) = %v, want %v", tt.path, tt.size, got, tt.want)
		}
	}
}

// image returns a file of an image in ../shared/images.
func image(t testing.TB, name, path string) []byte {
	t.Helper()
	f, err := os.Open(analyzetest.Shared(t, "images", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	outer := tar.NewReader(f)
	for {
		if _, err := outer.Next(); err != nil {
			t.Fatalf("no %s in %s: %v", path, name, err)
		}
		z, err := gzip.NewReader(outer)
		if err != nil {
			continue
		}
		inner := tar.NewReader(z)
		for {
			h, err := inner.Next()
			if err != nil {
				break
			}
			if strings.TrimPrefix(h.Name, "./") == path {
				b, err := io.ReadAll(inner)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
		}
	}
}

// ask runs rpm on a database in a folder of its own.
func ask(t *testing.T, tool, backend, file string, data []byte, format string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "--dbpath", dir, "--define", "_db_backend "+backend, "-qa", "--qf", format)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rpm: %v", err)
	}
	return string(out)
}

func TestAgainstRPM(t *testing.T) {
	tool, lookErr := exec.LookPath("rpm")
	tests := []struct{ image, path, backend string }{
		{"rocky9.tar", "var/lib/rpm/rpmdb.sqlite", "sqlite"},
		{"centos7-httpd24.tar", "var/lib/rpm/Packages", "bdb_ro"},
	}
	for _, tt := range tests {
		t.Run(tt.image, func(t *testing.T) {
			if lookErr != nil {
				t.Skip("no rpm here to compare with")
			}
			data := image(t, tt.image, tt.path)
			out := run(t, tt.path, data, true)
			file := filepath.Base(tt.path)
			p, f := compare(t, tt.image, out.Packages, ask(t, tool, tt.backend, file, data, packageQuery), ask(t, tool, tt.backend, file, data, fileQuery))
			t.Logf("%d packages with %d files compared; problems: %v", p, f, out.Problems)
		})
	}
	// rpm is mostly built without NDB: the headers were put into an SQLite
	// database, and rpm asked about that
	t.Run("sle15.tar", func(t *testing.T) {
		const path = "usr/lib/sysimage/rpm/Packages.db"
		out := run(t, path, image(t, "sle15.tar", path), false)
		p, f := compare(t, "sle15.tar", out.Packages, readFile(t, "testdata/sle15.tsv"), string(analyzetest.Gunzip(t, "testdata/sle15.files.gz")))
		t.Logf("%d packages with %d files compared; problems: %v", p, f, out.Problems)
	})
}

func BenchmarkDatabase(b *testing.B) {
	for _, x := range [][2]string{
		{"centos7-httpd24.tar", "var/lib/rpm/Packages"},
		{"rocky9.tar", "var/lib/rpm/rpmdb.sqlite"},
		{"sle15.tar", "usr/lib/sysimage/rpm/Packages.db"},
	} {
		b.Run(x[0], func(b *testing.B) {
			data := image(b, x[0], x[1])
			name := filepath.Join(b.TempDir(), "db")
			if err := os.WriteFile(name, data, 0o644); err != nil {
				b.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			set := analyze.NewFileSet(&analyze.File{Entry: analyze.Entry{Path: x[1], Size: int64(len(data))}, ReaderAt: f})
			b.ReportAllocs()
			for b.Loop() {
				var out inventory.Record
				if err := (Analyzer{}).Analyze(b.Context(), set, &out); err != nil || len(out.Packages) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzDatabase(f *testing.F) {
	for _, name := range fixtures {
		f.Add(analyzetest.Gunzip(f, "testdata/"+name+".gz"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		memory := run(t, "var/lib/rpm/Packages", data, false)
		spooled := run(t, "var/lib/rpm/Packages", data, true)
		if len(memory.Packages) != len(spooled.Packages) {
			t.Errorf("%d packages from memory, %d from a file", len(memory.Packages), len(spooled.Packages))
		}
	})
}

func FuzzHeader(f *testing.F) {
	r := analyzetest.Gunzip(f, "testdata/small.sqlite.gz")
	var seeds [][]byte
	if err := sqliteBlobs(&reader{data: r, size: int64(len(r))}, func(b []byte) error {
		seeds = append(seeds, slices.Clone(b))
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		var out inventory.Record
		db := database{path: "p", out: &out, graph: newGraph()}
		_ = db.add(blob)
		_ = db.add(seeds[0])
		db.finish()
		for _, p := range out.Packages {
			if !word([]byte(p.Name)) || !strings.Contains(p.Version, "-") {
				t.Errorf("package %+v", p)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add("filesystem\t1.1-19.azl3\t1713301500\t1713300000\tMicrosoft Corporation\t(none)\t7596\tx86_64\t0\tfilesystem-1.1-19.azl3.src.rpm\n")
	f.Fuzz(func(t *testing.T, in string) { run(t, manifestFile, []byte(in), false) })
}
