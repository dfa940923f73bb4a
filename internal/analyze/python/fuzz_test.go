package python

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// sane checks what no content may break.
func sane(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Packages {
		if p.Name == "" || p.Path == "" || p.Type == "pypi" && (!validName(p.Name) || p.Version != "" && !validVersion(p.Version)) {
			t.Errorf("package %+v", p)
		}
		checkFiles(t, p.Files)
	}
	for _, o := range r.Owned {
		checkFiles(t, o.Files)
	}
}

func checkFiles(t testing.TB, l inventory.FileList) {
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
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{
		"s/site-packages/a_b-1.0.dist-info/METADATA", "s/site-packages/a_b-1.0.dist-info/RECORD", "s/site-packages/a.egg-info/installed-files.txt",
		"s/site-packages/a.egg-info/SOURCES.txt", "s/site-packages/a-2.egg", "w/a-1-py3-none-any.whl", "c/conda-meta/a.json", "s/pip/_vendor/vendor.txt",
	}, sane, "testdata/root")
}

func FuzzLock(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{LockAnalyzer{}}, []string{"requirements.txt", "Pipfile.lock", "poetry.lock", "pdm.lock", "uv.lock", "pylock.toml"}, sane, "testdata/lock")
}
