package inventory

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func randomFile(r *rand.Rand) File {
	names := []string{"a", "a.b", "a-b", "b", "lib", "lib64", "x", "ä", "very-long-name-of-a-file"}
	path := names[r.IntN(len(names))]
	for range r.IntN(5) {
		path += "/" + names[r.IntN(len(names))]
	}
	f := File{Path: path, Type: FileType(r.IntN(6)), Perm: uint16(r.IntN(0o10000)), UID: r.IntN(70000), GID: r.IntN(3), MTime: r.Int64N(1<<40) - 1<<39}
	switch f.Type {
	case Regular:
		f.Size = r.Int64N(3) * r.Int64N(1<<40)
		f.SHA256 = sha256.Sum256([]byte(path))
		if f.Size == 0 {
			f.SHA256 = emptySum
		}
		f.Kind = Kind(r.IntN(20))
		if r.IntN(5) == 0 {
			f.Link = "some/other"
			f.Caps = "\x01\x00\x00\x02"
		}
	case Symlink:
		f.Link = "../" + path
	case CharDevice, BlockDevice:
		f.Major, f.Minor = r.Uint32N(300), r.Uint32()
	}
	return f
}

func TestTableHoldsWhatWasAdded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var b Builder
		last := map[string]File{}
		for range r.IntN(2000) {
			f := randomFile(r)
			b.Add(f)
			last[f.Path] = f
			if r.IntN(300) == 0 {
				b.flush() // several runs
			}
		}
		table := b.Table()
		if table.Len() != len(last) {
			t.Fatalf("Len() = %d, want %d", table.Len(), len(last))
		}
		raw, err := table.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		again, err := UnmarshalTable(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Check(); err != nil {
			t.Fatal(err)
		}
		for _, tab := range []*Table{table, again} {
			got := map[string]File{}
			prev := ""
			for f := range tab.All() {
				if prev != "" && comparePath(prev, f.Path) >= 0 {
					t.Fatalf("%q before %q", prev, f.Path)
				}
				prev = f.Path
				got[f.Path] = f
			}
			if d := cmp.Diff(last, got); d != "" {
				t.Fatalf("All() (-want +got):\n%s", d)
			}
			for p, want := range last {
				if f, ok := tab.Lookup(p); !ok || f != want {
					t.Fatalf("Lookup(%q) = %+v, %v, want %+v", p, f, ok, want)
				}
			}
			if _, ok := tab.Lookup("a/zzz"); ok {
				t.Fatal("Lookup found what is not there")
			}
			for _, dir := range []string{"", "a", "lib", "nothing"} {
				n := 0
				for range tab.Below(dir) {
					n++
				}
				want := 0
				for p := range last {
					if isBelow(p, dir) {
						want++
					}
				}
				if n != want {
					t.Fatalf("Below(%q) yields %d, want %d", dir, n, want)
				}
			}
		}
	}
}

func TestTableOrderKeepsDirectoriesTogether(t *testing.T) {
	paths := []string{"a", "a/b", "a/b/c", "a/c", "a b", "a-b", "a.d", "a.d/x", "ab"}
	if !slices.IsSortedFunc(paths, comparePath[string, string]) {
		t.Errorf("comparePath does not keep what is below a directory right after it: %q", paths)
	}
}

func TestUnmarshalTableRefusesDamage(t *testing.T) {
	var b Builder
	for i := range 300 {
		b.Add(File{Path: fmt.Sprintf("dir%d/file%d", i/10, i), Size: 1})
	}
	raw, _ := b.Table().MarshalBinary()
	for i := range raw {
		if table, err := UnmarshalTable(raw[:i]); err == nil && table.Check() == nil {
			t.Fatalf("a table cut after %d of %d bytes was read", i, len(raw))
		}
	}
}

func FuzzUnmarshalTable(f *testing.F) {
	var b Builder
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		b.Add(randomFile(r))
	}
	raw, _ := b.Table().MarshalBinary()
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, err := UnmarshalTable(raw)
		if err != nil {
			return
		}
		for file := range table.All() {
			table.Lookup(file.Path)
		}
	})
}

func TestFileList(t *testing.T) {
	paths := []string{"usr/bin/b", "usr/bin/a", "etc/x", "usr/bin/a", ""}
	l := NewFileList(slices.Clone(paths))
	want := []string{"", "etc/x", "usr/bin/a", "usr/bin/b"}
	if got := l.Strings(); !slices.Equal(got, want) || l.Len() != 4 {
		t.Errorf("Strings() = %q, want %q", got, want)
	}
	raw, _ := l.MarshalBinary()
	var again FileList
	if err := again.UnmarshalBinary(raw); err != nil || !slices.Equal(again.Strings(), want) {
		t.Errorf("UnmarshalBinary: %v, %q", err, again.Strings())
	}
	for i := range raw {
		if err := again.UnmarshalBinary(raw[:i]); err == nil {
			t.Errorf("a list cut after %d of %d bytes was read", i, len(raw))
		}
	}
}

func FuzzFileList(f *testing.F) {
	raw, _ := NewFileList([]string{"a/b", "a/c", "d"}).MarshalBinary()
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var l FileList
		if l.UnmarshalBinary(raw) == nil && len(l.Strings()) != l.Len() {
			t.Error("Len disagrees with the paths")
		}
	})
}

func BenchmarkBuilderMillionEmptyFiles(b *testing.B) {
	for b.Loop() {
		var t Builder
		for i := range 1_000_000 {
			t.Add(File{Path: fmt.Sprintf("dir%03d/sub%02d/file%07d", i/10000, i/1000%10, i)})
		}
		b.ReportMetric(float64(t.Table().bytes())/1e6, "bytes/entry")
	}
}
