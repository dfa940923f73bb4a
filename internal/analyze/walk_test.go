package analyze

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// recorder wants what its functions say and makes a package of every file it
// gets, named by its content.
type recorder struct {
	name string
	want func(Entry) Interest
	seen func(files fs.FS)
}

func (r recorder) Name() string           { return r.name }
func (r recorder) Version() int           { return 1 }
func (r recorder) Wants(e Entry) Interest { return r.want(e) }
func (r recorder) Analyze(_ context.Context, files fs.FS, out *inventory.Record) error {
	if r.seen != nil {
		r.seen(files)
	}
	for f, err := range Each(files) {
		if err != nil {
			return err
		}
		b, err := f.ReadAll(MaxText)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		out.Packages = append(out.Packages, inventory.Package{Type: "test", Name: fmt.Sprintf("%x", sum[:4]), Path: f.Path, Size: f.Size})
	}
	return nil
}

func suffix(s string, in Interest) func(Entry) Interest {
	return func(e Entry) Interest {
		if strings.HasSuffix(e.Path, s) {
			return in
		}
		return Ignore
	}
}

type member struct {
	tar.Header
	body string
}

func archive(t testing.TB, members ...member) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		m.Size = int64(len(m.body))
		if m.Mode == 0 {
			m.Mode = 0o644
		}
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func file(name, body string) member {
	return member{tar.Header{Name: name, Typeflag: tar.TypeReg}, body}
}
func link(name, to string) member {
	return member{tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeLink}, ""}
}

func TestLayerFileTable(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	b := archive(t,
		member{tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		member{tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		file("./etc/passwd", "root:x:0:0"),
		member{tar.Header{Name: "bin", Linkname: "usr/bin", Typeflag: tar.TypeSymlink}, ""},
		member{tar.Header{Name: "usr/bin/su", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 7, Gid: 8, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01caps"}}, "\x7fELF"},
		member{tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""},
		member{tar.Header{Name: "run/fifo", Typeflag: tar.TypeFifo}, ""},
		file("../../escape", "e"),
		file("/absolute", "a"),
		file("a/./b/../c//d", "d"),
		file("big", big),
		file("empty", ""),
		file("twice", "first"),
		file("twice", "second!"),
		file("etc/.wh.shadow", ""),
		file("var/.wh..wh..opq", ""),
		file(".wh..wh.plnk", ""),
		file(strings.Repeat("n", 120)+"/"+strings.Repeat("ü", 100), "long"),
		link("hard", "etc/passwd"),
		link("harder", "hard"),
		link("lost", "nowhere"),
	)
	l, err := (&Set{}).Layer(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for f := range l.Files.All() {
		s := fmt.Sprintf("%v %o %d:%d %d", f.Type, f.Perm, f.UID, f.GID, f.Size)
		if f.Link != "" {
			s += " -> " + f.Link
		}
		if f.Major+f.Minor > 0 {
			s += fmt.Sprintf(" %d,%d", f.Major, f.Minor)
		}
		if f.Caps != "" {
			s += " caps"
		}
		got[f.Path] = s
	}
	want := map[string]string{
		"":           "directory 755 0:0 0",
		"etc":        "directory 755 0:0 0",
		"etc/passwd": "file 644 0:0 10",
		"bin":        "symlink 644 0:0 0 -> usr/bin",
		"usr/bin/su": "file 4755 7:8 4 caps",
		"dev/null":   "char-device 644 0:0 0 1,3",
		"run/fifo":   "fifo 644 0:0 0",
		"escape":     "file 644 0:0 1",
		"absolute":   "file 644 0:0 1",
		"a/c/d":      "file 644 0:0 1",
		"big":        "file 644 0:0 307200",
		"empty":      "file 644 0:0 0",
		"twice":      "file 644 0:0 7",
		"etc/shadow": "whiteout 0 0:0 0",
		"var":        "opaque 0 0:0 0",
		"hard":       "file 644 0:0 10 -> etc/passwd",
		"harder":     "file 644 0:0 10 -> etc/passwd",
		strings.Repeat("n", 120) + "/" + strings.Repeat("ü", 100): "file 644 0:0 4",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("file table (-want +got):\n%s", d)
	}
	for path, body := range map[string]string{"etc/passwd": "root:x:0:0", "hard": "root:x:0:0", "big": big, "twice": "second!", "empty": ""} {
		if f, _ := l.Files.Lookup(path); f.SHA256 != sha256.Sum256([]byte(body)) {
			t.Errorf("SHA-256 of %s is %x", path, f.SHA256)
		}
	}
	var problems []string
	for _, r := range l.Records {
		for _, p := range r.Problems {
			problems = append(problems, p.Path)
		}
	}
	if d := cmp.Diff([]string{"lost"}, problems); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func TestAnalyzersGetWhatTheyWant(t *testing.T) {
	for _, memory := range []int64{1 << 20, 4} { // in memory; spooled
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			var together int
			s := &Set{Limits: Limits{MemoryFile: memory, Held: memory, Memory: 64}, Analyzers: []Analyzer{
				recorder{name: "alone", want: suffix(".a", Alone)},
				recorder{name: "together", want: suffix(".t", Together), seen: func(files fs.FS) {
					together++
					if _, err := fs.Stat(files, "x/2.t"); err != nil {
						t.Error(err)
					}
					if b, err := fs.ReadFile(files, "1.t"); err != nil || string(b) != "one t" {
						t.Errorf("%q, %v", b, err)
					}
				}},
				recorder{name: "both", want: suffix("2.t", Alone)},
			}}
			l, err := s.Layer(t.Context(), archive(t, file("1.a", "one a"), file("1.t", "one t"), file("x/2.t", "two t"), file("n", "nobody's"), file("2.a", strings.Repeat("z", 2000)), link("3.a", "1.a"), link("4.b", "1.a"), link("5.a", "n")))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, r := range l.Records {
				for _, p := range r.Packages {
					got[r.Analyzer] = append(got[r.Analyzer], fmt.Sprintf("%s %d", p.Path, p.Size))
				}
				for _, p := range r.Problems {
					got[r.Analyzer] = append(got[r.Analyzer], "problem "+p.Path)
				}
			}
			want := map[string][]string{
				"alone":    {"1.a 5", "2.a 2000", "3.a 5", "problem 5.a"},
				"both":     {"x/2.t 5"},
				"together": {"1.t 5", "x/2.t 5"},
			}
			if memory == 1<<20 {
				want["alone"] = []string{"1.a 5", "2.a 2000", "3.a 5", "problem 5.a"}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("records (-want +got):\n%s", d)
			}
			if together != 1 {
				t.Errorf("the together analyzer ran %d times", together)
			}
			if u := s.pool().held.used.Load() + s.pool().disk.used.Load(); u != 0 {
				t.Errorf("%d bytes were not given back", u)
			}
			if !s.pool().alone.TryAcquire(s.limits().Memory) {
				t.Error("memory was not given back")
			}
		})
	}
}

func TestMissingAsksWithoutReading(t *testing.T) {
	s := &Set{Analyzers: []Analyzer{recorder{name: "old", want: suffix(".a", Alone)}}}
	l, err := s.Layer(t.Context(), archive(t, file("1.a", "a"), file("1.b", "b")))
	if err != nil {
		t.Fatal(err)
	}
	have := map[Key]bool{KeyOf(s.Analyzers[0]): true}
	s.Analyzers = append(s.Analyzers, recorder{name: "new", want: suffix(".b", Alone)}, recorder{name: "idle", want: suffix(".c", Alone)})
	missing, empty := s.Missing(l.Files, have)
	if missing == nil || len(missing.Analyzers) != 1 || missing.Analyzers[0].Name() != "new" {
		t.Errorf("missing = %+v", missing)
	}
	if len(empty) != 1 || empty[0].Analyzer != "idle" {
		t.Errorf("empty = %+v", empty)
	}
}

func TestLimitsNameThemselves(t *testing.T) {
	deep := strings.Repeat("d/", 5000) + "f"
	tests := []struct {
		limits Limits
		tar    *bytes.Buffer
		want   string
	}{
		{Limits{Entries: 2}, archive(t, file("a", ""), file("b", ""), file("c", "")), "entries"},
		{Limits{PathLength: 1 << 20}, archive(t, file(deep, "")), "path depth"},
		{Limits{}, archive(t, file(strings.Repeat("n", 9000), "")), "path length"},
	}
	for _, tt := range tests {
		_, err := (&Set{Limits: tt.limits}).Layer(t.Context(), tt.tar)
		var le *LimitError
		if !errors.As(err, &le) || le.Limit != tt.want {
			t.Errorf("Layer = %v, want the limit %q", err, tt.want)
		}
	}
}

func TestLimitsOfWantedFiles(t *testing.T) {
	want := recorder{name: "w", want: suffix(".a", Alone)}
	for limit, l := range map[string]Limits{"wanted file": {WantedFile: 10}, "scratch": {MemoryFile: 10, Scratch: 20}} {
		got, err := (&Set{Limits: l, Analyzers: []Analyzer{want}}).Layer(t.Context(), archive(t, file("big.a", strings.Repeat("b", 1000)), file("ok.a", "ok")))
		if err != nil {
			t.Fatal(err)
		}
		var problems []string
		for _, r := range got.Records {
			for _, p := range r.Problems {
				problems = append(problems, p.Path+": "+p.Limit)
			}
		}
		if d := cmp.Diff([]string{"big.a: " + limit}, problems); d != "" {
			t.Errorf("%s: problems (-want +got):\n%s", limit, d)
		}
		if f, _ := got.Files.Lookup("big.a"); f.SHA256 != sha256.Sum256([]byte(strings.Repeat("b", 1000))) {
			t.Errorf("%s: the file was not hashed", limit)
		}
	}
}

type panicking struct{ recorder }

func (panicking) Analyze(context.Context, fs.FS, *inventory.Record) error { panic("boom") }

func TestAnalyzerThatPanicsIsAProblem(t *testing.T) {
	s := &Set{Analyzers: []Analyzer{panicking{recorder{name: "p", want: suffix("", Alone)}}, recorder{name: "q", want: suffix("", Alone)}}}
	l, err := s.Layer(t.Context(), archive(t, file("a", "a")))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Records[0].Problems) != 1 || len(l.Records[1].Packages) != 1 {
		t.Errorf("records = %+v", l.Records)
	}
}

func TestLayerCutShortIsAnError(t *testing.T) {
	whole := archive(t, file("a", strings.Repeat("a", 5000)), file("b", "b")).Bytes()
	for _, n := range []int{1, 511, 513, 3000, 6000} {
		if _, err := (&Set{}).Layer(t.Context(), bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("a tar cut after %d of %d bytes was read", n, len(whole))
		}
	}
}

func TestLayerStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Set{}).Layer(ctx, archive(t, file("a", "a")))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Layer = %v", err)
	}
}

func TestSpooledFilesHaveNoName(t *testing.T) {
	dir := t.TempDir()
	s := &Set{Limits: Limits{MemoryFile: 1, Held: 1, ScratchDir: dir}, Analyzers: []Analyzer{
		recorder{name: "a", want: suffix(".a", Alone), seen: func(fs.FS) { noFiles(t, dir) }},
		recorder{name: "t", want: suffix(".t", Together), seen: func(fs.FS) { noFiles(t, dir) }},
	}}
	if _, err := s.Layer(t.Context(), archive(t, file("1.a", "content"), file("1.t", "content"), file("2.t", "content"))); err != nil {
		t.Fatal(err)
	}
	noFiles(t, dir)
}

func noFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("scratch folder holds %v, %v", entries, err)
	}
}

func FuzzLayer(f *testing.F) {
	f.Add(archive(f, file("etc/os-release", "ID=debian"), link("b", "etc/os-release"), file("x/.wh.y", ""), file("x/.wh..wh..opq", "")).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Set{Limits: Limits{Entries: 1000, Memory: 1 << 20, MemoryFile: 1 << 16, WantedFile: 1 << 20}, Analyzers: []Analyzer{recorder{name: "all", want: suffix("", Alone)}}}
		l, err := s.Layer(t.Context(), bytes.NewReader(b))
		if err != nil {
			return
		}
		img := inventory.Squash([]inventory.Layer{l, l})
		for file := range img.Files.All() {
			if strings.HasPrefix(file.Path, "/") || file.Path == ".." || strings.HasPrefix(file.Path, "../") || strings.Contains(file.Path, "/../") {
				t.Errorf("path %q leaves the root", file.Path)
			}
		}
	})
}

// TestWalkKeepsNoRecords: of the records of a header only what the file table
// needs is held, and of an attribute only as much as could be one.
func TestWalkKeepsNoRecords(t *testing.T) {
	const entries = 100
	filler := strings.Repeat("x", 900<<10)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	r, w := io.Pipe()
	held := make(chan int64, 1)
	go func() {
		before := heap()
		tw := tar.NewWriter(w)
		for i := range entries {
			h := tar.Header{Name: fmt.Sprintf("é%d", i), Typeflag: tar.TypeReg, Mode: 0o644, PAXRecords: map[string]string{"SCHILY.comment": filler}}
			if i%2 == 0 {
				h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02" + filler}
			}
			if err := tw.WriteHeader(&h); err != nil {
				held <- 0
				w.CloseWithError(err)
				return
			}
		}
		held <- heap() - before
		w.CloseWithError(tw.Close())
	}()
	l, err := (&Set{}).Layer(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-held; got > 16<<20 {
		t.Errorf("%d bytes are held of %d entries", got, entries)
	}
	n, caps := 0, 0
	for f := range l.Files.All() {
		n++
		if f.Caps != "" {
			caps++
			if len(f.Caps) != maxAttribute {
				t.Fatalf("%s: %d bytes", f.Path, len(f.Caps))
			}
		}
	}
	problems := 0
	for _, r := range l.Records {
		for _, p := range r.Problems {
			if strings.Contains(p.Message, "security.capability") && strings.Contains(p.Message, "the limit of 64") {
				problems++
			}
		}
	}
	if n != entries || caps != entries/2 || problems != caps {
		t.Errorf("%d entries, %d with the attribute, %d problems", n, caps, problems)
	}
}
