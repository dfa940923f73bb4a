package haskell

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

// The files are those of Debian's ghc 9.0.2 and libghc-hashable-dev 1.3.5.0.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:generic/ghc-rts@1.0.2", "pkg:hackage/base@4.15.1.0", "pkg:hackage/hashable@1.3.5.0", "pkg:hackage/text@1.2.5.0")
	p := analyzetest.Find(t, r, "hashable")
	if p.Licenses[0].Raw != "BSD-3-Clause" || p.Description != "A class for types that can be converted to a hash value" ||
		!slices.Equal(p.Depends, []string{"base", "bytestring", "containers", "deepseq", "ghc-bignum", "ghc-prim", "text"}) ||
		!slices.Equal(p.Files.Strings(), []string{"usr/lib/haskell-packages/ghc/lib/x86_64-linux-ghc-9.0.2/hashable-1.3.5.0-Hd8HSYZ7DN8KsO4HNlPmYP/"}) {
		t.Errorf("%+v %v", p, p.Files.Strings())
	}
}

// Every package of the system's database, against ghc-pkg.
func TestSystem(t *testing.T) {
	const db = "/var/lib/ghc/package.conf.d"
	pkg, err := exec.LookPath("ghc-pkg")
	if err != nil {
		t.Skip("needs GHC: ", err)
	}
	truth, err := exec.Command(pkg, "list", "--global", "--simple-output").Output()
	files, _ := filepath.Glob(db + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Skip("no packages in ", db, ": ", err)
	}
	want := strings.Fields(string(truth))
	var got []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out := &inventory.Record{}
		if err := readConf(f[1:], string(data), out); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for _, p := range out.Packages {
			if p.Name == "ghc-rts" {
				p.Name = "rts"
			}
			got = append(got, p.Name+"-"+p.Version)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ghc-pkg -, got +:\n%s", d)
	}
	t.Logf("%d packages", len(got))
}

func TestLock(t *testing.T) {
	analyzetest.Check(t, analyzetest.RunDir(t, Lock{}, "testdata/lock"),
		"pkg:hackage/ALUT@2.4.0.3 declared[]", "pkg:hackage/Agda@2.6.4.3 declared[]", "pkg:hackage/fuzzyset@0.2.4 declared[]", "pkg:hackage/text@1.2.5.0 declared[]",
		"pkg:hackage/wai-extra@3.1.6.1?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fexample%2Fwai-extra.git%400a5142cd3ba48116ff059c041348b817fb7bdb25 declared[]")
}

func TestParts(t *testing.T) {
	for id, want := range map[string]string{
		"base-4.15.1.0": "base", "hashable-1.3.5.0-Hd8HSYZ7DN8KsO4HNlPmYP": "hashable", "rts": "rts", "ghc-prim-0.7.0": "ghc-prim",
	} {
		if got := libraryName(id); got != want {
			t.Errorf("libraryName(%s) = %s, want %s", id, got, want)
		}
	}
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		"root/.cabal/store/ghc-9.2.5/package.db/a-1.conf": {Data: []byte("name: z-a-z-inner\npackage-name: a\nversion: 1.0\nlib-name: inner\nimport-dirs: \"${pkgroot}/a-1-xyz/lib\"\nlibrary-dirs: ${pkgroot}/a-1-xyz\n")},
		"x/package.conf.d/b.conf":                         {Data: []byte("name: b\n")},
		"etc/x.conf":                                      {Data: []byte("name: b\n")},
	})
	if len(r.Packages) != 1 || r.Packages[0].Name != "a" || len(r.Problems) != 1 || !slices.Equal(r.Packages[0].Files.Strings(), []string{"root/.cabal/store/ghc-9.2.5/a-1-xyz/"}) {
		t.Errorf("%+v", r)
	}
}

func FuzzHaskell(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"cabal.project.freeze", "stack.yaml.lock", "package.db/a-1.conf"}, nil, "testdata")
}
