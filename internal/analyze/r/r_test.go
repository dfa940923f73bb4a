package r

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The files are Debian's, of r-base-core 4.2.2, r-cran-jsonlite 1.8.4 and
// r-bioc-biocgenerics 0.44.0.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:bioconductor/BiocGenerics@0.44.0", "pkg:cran/jsonlite@1.8.4", "pkg:generic/R@4.2.2")
	p := analyzetest.Find(t, r, "jsonlite")
	if p.Licenses[0].Raw != "MIT + file LICENSE" || p.Homepage != "https://arxiv.org/abs/1403.2805" || !slices.Equal(p.Depends, []string{"methods"}) ||
		p.Supplier != "Jeroen Ooms <jeroen@berkeley.edu>" || p.Files.Strings()[0] != "usr/lib/R/site-library/jsonlite/" {
		t.Errorf("%+v", p)
	}
	if p := analyzetest.Find(t, r, "R"); !slices.Contains(p.Files.Strings(), "usr/lib/R/library/stats/") || !slices.Contains(p.Files.Strings(), "usr/lib/R/lib/") {
		t.Errorf("%v", p.Files.Strings())
	}
	if p := analyzetest.Find(t, r, "BiocGenerics"); !slices.Equal(p.Depends, []string{"graphics", "methods", "stats", "utils"}) {
		t.Errorf("%v", p.Depends)
	}
}

// Every package of the system's libraries, against what R says.
func TestSystem(t *testing.T) {
	rscript, err := exec.LookPath("Rscript")
	if err != nil {
		t.Skip("needs R: ", err)
	}
	libs := []string{"/usr/local/lib/R/site-library", "/usr/lib/R/site-library", "/usr/lib/R/library"}
	if more := os.Getenv("TIDEWAITER_R_LIBRARY"); more != "" {
		libs = append(libs, filepath.SplitList(more)...)
	}
	script := filepath.Join(t.TempDir(), "list.R")
	if err := os.WriteFile(script, []byte(`m <- installed.packages(lib.loc=commandArgs(TRUE))
m <- m[is.na(m[,"Priority"]) | m[,"Priority"] != "base",,drop=FALSE]
cat(sprintf("%s %s %s\n", m[,"LibPath"], m[,"Package"], m[,"Version"]), sep="")
`), 0o600); err != nil {
		t.Fatal(err)
	}
	truth, err := exec.Command(rscript, append([]string{script}, libs...)...).Output()
	if err != nil {
		t.Skip("Rscript: ", err)
	}
	want := strings.Split(strings.TrimSpace(string(truth)), "\n")
	slices.Sort(want)
	var got []string
	for _, lib := range libs {
		dirs, err := os.ReadDir(lib)
		if err != nil {
			continue
		}
		for _, d := range dirs {
			data, err := os.ReadFile(filepath.Join(lib, d.Name(), "DESCRIPTION"))
			if err != nil {
				continue
			}
			out := &inventory.Record{}
			if err := readDescription(filepath.Join(lib, d.Name(), "DESCRIPTION")[1:], data, out); err != nil {
				t.Error(err)
			}
			for _, p := range out.Packages {
				if p.Type != "generic" {
					got = append(got, lib+" "+p.Name+" "+p.Version)
				}
			}
		}
	}
	slices.Sort(got)
	if want[0] == "" {
		want = nil
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("R -, got +:\n%s", d)
	}
	t.Logf("%d packages", len(got))
}

func TestLock(t *testing.T) {
	analyzetest.Check(t, analyzetest.RunDir(t, Lock{}, "testdata/lock"),
		"pkg:bioconductor/BiocGenerics@0.46.0 declared[]", "pkg:cran/MASS@7.3-60 declared[]", "pkg:cran/mime@0.12.1 declared[]")
	analyzetest.Check(t, analyzetest.RunDir(t, Lock{}, "testdata/packrat"), "pkg:cran/jsonlite@1.8.0 declared[]")
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		"a/DESCRIPTION": {Data: []byte("Some text\n")}, "b/DESCRIPTION": {Data: []byte("Package: b\nVersion: 1.0\n")}, // a source package
		"c/DESCRIPTION": {Data: []byte("Package: c\nVersion: x y\nBuilt: R 4\n")},
	})
	if len(r.Packages) != 0 || len(r.Problems) != 1 {
		t.Errorf("%+v", r)
	}
	r = analyzetest.Run(t, Lock{}, fstest.MapFS{"renv.lock": {Data: []byte("{")}, "a/renv.lock": {Data: []byte(`{"Packages":{"a":{"Package":"a","Version":1}}}`)}})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
}

func FuzzR(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"renv.lock", "packrat.lock", "usr/lib/R/library/base/DESCRIPTION"}, nil, "testdata")
}
