package python

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
			if p.Name == "" || p.Path == "" || p.Type == "pypi" && (!validName(p.Name) || p.Version != "" && !validVersion(p.Version)) {
				t.Errorf("package %+v", p)
			}
			checkFiles(t, p.Files)
		}
		for _, o := range out.Owned {
			checkFiles(t, o.Files)
		}
	})
}

func checkFiles(t *testing.T, l inventory.FileList) {
	for p := range l.All() {
		s := string(p)
		if n := len(s); n > 0 && s[n-1] == '/' {
			s = s[:n-1]
		}
		if !fs.ValidPath(s) && s != "" {
			// only what the file table could hold anyway: no way out of the root
			if filepath.Clean("/"+s) != "/"+s {
				t.Errorf("path %q", s)
			}
		}
	}
}

func FuzzInstalled(f *testing.F) {
	fuzz(f, Analyzer{}, []string{
		"s/site-packages/a_b-1.0.dist-info/METADATA", "s/site-packages/a_b-1.0.dist-info/RECORD", "s/site-packages/a.egg-info/installed-files.txt",
		"s/site-packages/a.egg-info/SOURCES.txt", "s/site-packages/a-2.egg", "w/a-1-py3-none-any.whl", "c/conda-meta/a.json", "s/pip/_vendor/vendor.txt",
	}, "testdata/root")
}

func FuzzLock(f *testing.F) {
	fuzz(f, LockAnalyzer{}, []string{"requirements.txt", "Pipfile.lock", "poetry.lock", "pdm.lock", "uv.lock", "pylock.toml"}, "testdata/lock")
}
