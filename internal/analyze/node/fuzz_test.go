package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// fuzz feeds a to content under each of the paths that choose its parsers.
func fuzz(f *testing.F, a analyze.Analyzer, paths []string, seeds string) {
	err := filepath.WalkDir(seeds, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		for i := range paths {
			f.Add(i, data)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		p := paths[uint(which)%uint(len(paths))]
		out := &inventory.Record{Analyzer: a.Name()}
		file := analyze.NewFile(analyze.Entry{Path: p, Kind: analyze.Sniff(p, data)}, data)
		if err := a.Analyze(t.Context(), analyze.NewFileSet(file), out); err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Packages {
			if !validName(fullName(&p)) || p.Version != "" && !validVersion(p.Version) || p.Path == "" {
				t.Errorf("package %+v", p)
			}
		}
	})
}

func FuzzInstalled(f *testing.F) {
	fuzz(f, Analyzer{}, []string{"app/node_modules/a/package.json", "app/package.json", "app/.yarn/cache/a-npm-1.zip"}, "testdata/root")
}

func FuzzLock(f *testing.F) {
	fuzz(f, LockAnalyzer{}, []string{"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"}, "testdata/lock")
}
