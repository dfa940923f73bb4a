package analyze

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// sayer makes a package named by the content of every file it gets.
type sayer struct {
	recorder
	times int // packages per file
}

func (s sayer) Analyze(_ context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range Each(files) {
		if err != nil {
			return err
		}
		for i := range max(1, s.times) {
			out.Packages = append(out.Packages, inventory.Package{Type: "test", Name: fmt.Sprintf("%s%d", f.Bytes(), i), Path: f.Path})
		}
	}
	return nil
}

func packagesOf(l inventory.Layer, analyzer string) []string {
	out := []string{}
	for _, r := range l.Records {
		if r.Analyzer == analyzer {
			for _, p := range r.Packages {
				out = append(out, p.Path+"="+p.Name)
			}
		}
	}
	return out
}

func problemsOf(l inventory.Layer) []string {
	out := []string{}
	for _, r := range l.Records {
		for _, p := range r.Problems {
			out = append(out, fmt.Sprintf("%s %s %s", r.Analyzer, p.Path, p.Limit))
		}
	}
	return out
}

func TestReplacedEntriesTakeTheirFactsAlong(t *testing.T) {
	for _, how := range []Interest{Alone, Together} {
		s := &Set{Analyzers: []Analyzer{sayer{recorder: recorder{name: "s", want: suffix(".p", how)}}}}
		l, err := s.Layer(t.Context(), archive(t,
			file("stays.p", "stays"),
			file("twice.p", "old"), file("twice.p", "new"),
			file("same.p", "same"), file("same.p", "same"),
			file("gone.p", "gone"), member{tar.Header{Name: "gone.p", Linkname: "x", Typeflag: tar.TypeSymlink}, ""},
			file("back.p", "1"), file("back.p", "2"), file("back.p", "1")))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, p := range packagesOf(l, "s") {
			if got[p] {
				t.Errorf("%v: %s twice", how, p)
			}
			got[p] = true
		}
		if d := cmp.Diff(map[string]bool{"stays.p=stays0": true, "twice.p=new0": true, "same.p=same0": true, "back.p=10": true}, got); d != "" {
			t.Errorf("%v: packages (-want +got):\n%s", how, d)
		}
		if n := s.pool().held.used.Load(); n != 0 {
			t.Errorf("%d bytes were not given back", n)
		}
	}
}

func TestFactsOfOneLayerAreBounded(t *testing.T) {
	flood := sayer{recorder{name: "flood", want: suffix(".f", Alone)}, 40}
	other := sayer{recorder: recorder{name: "other", want: suffix(".o", Together)}}
	s := &Set{Limits: Limits{Facts: 100}, Analyzers: []Analyzer{flood, other}}
	l, err := s.Layer(t.Context(), archive(t, file("1.f", "a"), file("2.f", "b"), file("3.f", "c"), file("4.f", "d"), file("x.o", "o"), link("5.f", "1.f")))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(packagesOf(l, "flood")); n != 100 {
		t.Errorf("%d packages", n)
	}
	if d := cmp.Diff([]string{"x.o=o0"}, packagesOf(l, "other")); d != "" {
		t.Errorf("other (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"flood  facts of one layer", "flood  facts of one layer"}, problemsOf(l)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}

	s = &Set{Limits: Limits{Facts: 100}}
	for i := range 4 {
		s.Analyzers = append(s.Analyzers, sayer{recorder{name: fmt.Sprint(i), want: suffix(".f", Alone)}, 90})
	}
	_, err = s.Layer(t.Context(), archive(t, file("1.f", "a"), file("2.f", "b")))
	var le *LimitError
	if !errors.As(err, &le) || le.Limit != "facts of all analyzers" {
		t.Errorf("Layer = %v", err)
	}
}

func TestChainOfHardLinks(t *testing.T) {
	members := []member{file("f0", "content")}
	for i := range 2000 {
		members = append(members, link(fmt.Sprintf("f%d", i+1), fmt.Sprintf("f%d", i)))
	}
	members = append(members, link("a", "b"), link("b", "c"), link("c", "a"), link("d", "c"))
	l, err := (&Set{}).Layer(t.Context(), archive(t, members...))
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Files.Len(); n != 2001 {
		t.Errorf("%d entries", n)
	}
	if f, _ := l.Files.Lookup("f2000"); f.Size != 7 || f.Link != "f0" {
		t.Errorf("f2000 = %+v", f)
	}
	if d := cmp.Diff([]string{"walk a ", "walk b ", "walk c ", "walk d "}, problemsOf(l)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

// sparseTar is a GNU 1.0 sparse file by the tar format's rules: size bytes, of
// which only those of head are in the archive.
func sparseTar(t *testing.T, name, head string, size int64) *bytes.Buffer {
	t.Helper()
	block := func(b []byte) []byte { return append(b, make([]byte, (512-len(b)%512)%512)...) }
	header := func(name string, size int, flag byte) []byte {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", size))
		h[156] = flag
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		return h
	}
	var pax strings.Builder
	for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=" + name, fmt.Sprintf("GNU.sparse.realsize=%d", size)} {
		n := len(kv) + 4
		if n >= 100 {
			n++
		}
		fmt.Fprintf(&pax, "%d %s\n", n, kv)
	}
	data := append(block([]byte(fmt.Sprintf("1\n0\n%d\n", len(head)))), head...)
	var b bytes.Buffer
	b.Write(header("pax", pax.Len(), 'x'))
	b.Write(block([]byte(pax.String())))
	b.Write(header("GNUSparseFile.0/x", len(data), '0'))
	b.Write(block(data))
	b.Write(make([]byte, 1024))
	return &b
}

func TestSparseFilesAreBounded(t *testing.T) {
	s := &Set{Analyzers: []Analyzer{recorder{name: "w", want: suffix(".a", Alone)}}}
	l, err := s.Layer(t.Context(), sparseTar(t, "small.a", "head", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := l.Files.Lookup("small.a"); !ok || f.Size != 1<<20 || f.SHA256 == [32]byte{} || len(problemsOf(l)) > 0 {
		t.Errorf("small.a = %+v, problems %v", f, problemsOf(l))
	}
	l, err = s.Layer(t.Context(), sparseTar(t, "huge.a", "head", 1<<55))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := l.Files.Lookup("huge.a"); !ok || f.Size != 1<<55 {
		t.Errorf("huge.a = %+v", f)
	}
	if d := cmp.Diff([]string{"walk huge.a sparse files"}, problemsOf(l)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}
