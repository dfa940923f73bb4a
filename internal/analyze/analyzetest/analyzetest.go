// Package analyzetest is what the tests of analyzers share: running one over
// files, comparing what it found, fuzzing it, and finding real images. Only
// tests import it.
package analyzetest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Run offers a every regular file of files, as the walk over a layer would,
// and hands it those it wants, each by itself.
func Run(t testing.TB, a analyze.Analyzer, files fs.FS) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: a.Name()}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := wanted(a, files, p, d)
		if f == nil || err != nil {
			return err
		}
		return a.Analyze(t.Context(), analyze.NewFileSet(f), out)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wanted reads a file that a wants; it is nil when a does not. Of the others,
// which are nearly all files of a real layer, only the beginning is read.
func wanted(a analyze.Analyzer, files fs.FS, p string, d fs.DirEntry) (*analyze.File, error) {
	info, err := d.Info()
	if err != nil {
		return nil, err
	}
	f, err := files.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, analyze.SniffLen))
	if err != nil {
		return nil, err
	}
	e := analyze.Entry{Path: p, Mode: info.Mode(), Size: info.Size(), Kind: analyze.Sniff(p, head)}
	if a.Wants(e) == analyze.Ignore {
		return nil, nil
	}
	rest, err := io.ReadAll(f)
	return analyze.NewFile(e, append(head, rest...)), err
}

// RunDir is [Run] over the files below a folder of this machine.
func RunDir(t testing.TB, a analyze.Analyzer, dir string) *inventory.Record {
	t.Helper()
	return Run(t, a, os.DirFS(dir))
}

// RunFile hands a one file, which it must want.
func RunFile(t testing.TB, a analyze.Analyzer, path string, data []byte) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: a.Name()}
	f := analyze.NewFile(analyze.Entry{Path: path, Kind: analyze.Sniff(path, data)}, data)
	if a.Wants(f.Entry) == analyze.Ignore {
		t.Fatalf("Wants(%s, %s) says no", path, f.Kind)
	}
	if err := a.Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// RunAll hands a all of files at once, wanted or not: for analyzers that join
// the files of a layer, and to see that they skip what is not theirs.
func RunAll(t testing.TB, a analyze.Analyzer, files fs.FS) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: a.Name()}
	if err := a.Analyze(t.Context(), files, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// RunOne is [RunAll] with one file.
func RunOne[T ~string | ~[]byte](t testing.TB, a analyze.Analyzer, path string, content T) *inventory.Record {
	t.Helper()
	return RunAll(t, a, fstest.MapFS{path: {Data: []byte(content)}})
}

// Check compares packages, in order of their package URL and each with what
// else identifies its occurrence, and after them the problems, with want.
func Check(t testing.TB, r *inventory.Record, want ...string) {
	t.Helper()
	var got []string
	for _, p := range r.Packages {
		s := p.PURL()
		if p.State != inventory.Installed {
			s += fmt.Sprintf(" %s[%s]", p.State, p.Scope)
		}
		if p.Path == "" || p.Technique == "" {
			s += " without path or technique"
		}
		got = append(got, s)
	}
	slices.Sort(got)
	for _, p := range r.Problems {
		got = append(got, "problem: "+p.Path+": "+p.Message)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

// Find returns the first package of a name, which must be there.
func Find(t testing.TB, r *inventory.Record, name string) inventory.Package {
	t.Helper()
	for _, p := range r.Packages {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no package %s", name)
	return inventory.Package{}
}

// NoProblems says which problems there are.
func NoProblems(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Problems {
		t.Errorf("problem: %s: %s", p.Path, p.Message)
	}
}

// Fuzz feeds content under each of the paths, which choose its parsers, to
// those of the analyzers that want it; one of them has to. The seeds are the files below dir. What
// came of it has to satisfy check: nil stands for [Sane].
func Fuzz(f *testing.F, analyzers []analyze.Analyzer, paths []string, check func(testing.TB, *inventory.Record), dir string) {
	if check == nil {
		check = Sane
	}
	for _, p := range paths {
		if !slices.ContainsFunc(analyzers, func(a analyze.Analyzer) bool { return a.Wants(analyze.Entry{Path: p, Size: 1}) != analyze.Ignore }) {
			f.Fatalf("nobody wants %s", p)
		}
	}
	for file, err := range analyze.Each(os.DirFS(dir)) {
		if err != nil {
			f.Fatal(err)
		}
		if strings.HasPrefix(file.Path, "fuzz/") {
			continue // go test adds these itself, in its own notation
		}
		for i := range paths {
			f.Add(i, slices.Clone(file.Bytes()))
		}
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		p := paths[uint(which)%uint(len(paths))]
		file := analyze.NewFile(analyze.Entry{Path: p, Kind: analyze.Sniff(p, data)}, data)
		for _, a := range analyzers {
			if a.Wants(file.Entry) == analyze.Ignore {
				continue
			}
			out := &inventory.Record{Analyzer: a.Name()}
			if err := a.Analyze(t.Context(), analyze.NewFileSet(file), out); err != nil {
				t.Fatal(err)
			}
			check(t, out)
		}
	})
}

// Sane checks that every package has a type, a place, and a name and version
// by the rules of [analyze.ValidName].
func Sane(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Packages {
		if p.Type == "" || !analyze.ValidName(p.Name) || p.Version != "" && !analyze.ValidName(p.Version) || p.Path == "" {
			t.Errorf("package %+v", p)
		}
	}
}
