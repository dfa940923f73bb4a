package sbomfile

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// run analyzes the files that a wants.
func run(t testing.TB, a analyze.Analyzer, files fs.FS) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: a.Name()}
	for f, err := range analyze.Each(files) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Wants(f.Entry) == analyze.Ignore {
			continue
		}
		if err := a.Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func runDir(t testing.TB, a analyze.Analyzer, dir string) *inventory.Record {
	t.Helper()
	return run(t, a, os.DirFS(dir))
}

// check compares packages, each as its package URL and what else identifies
// its occurrence, and problems with want.
func check(t testing.TB, r *inventory.Record, want ...string) {
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

// find returns the package of a name.
func find(t testing.TB, r *inventory.Record, name string) inventory.Package {
	t.Helper()
	for _, p := range r.Packages {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no package %s", name)
	return inventory.Package{}
}

// fuzz feeds a the content under each of the paths, which choose its parsers.
func fuzz(f *testing.F, analyzers []analyze.Analyzer, paths []string, seeds ...string) {
	for _, dir := range seeds {
		for file, err := range analyze.Each(os.DirFS(dir)) {
			if err != nil {
				f.Fatal(err)
			}
			for i := range paths {
				f.Add(i, slices.Clone(file.Bytes()))
			}
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
			for _, p := range out.Packages {
				if p.Type == "" || !valid(p.Name) || p.Version != "" && !valid(p.Version) || p.Path == "" {
					t.Errorf("package %+v", p)
				}
			}
		}
	})
}
