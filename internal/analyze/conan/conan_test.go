package conan

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:conan/libpng@1.6.39?arch=x86_64", "pkg:conan/zlib@1.2.13?arch=x86_64")
	if p := analyzetest.Find(t, r, "libpng"); !slices.Equal(p.Depends, []string{"zlib"}) || p.Files.Len() != 1 {
		t.Errorf("%+v", p)
	}
}

func TestLock(t *testing.T) {
	analyzetest.Check(t, analyzetest.RunDir(t, Lock{}, "testdata/v1"),
		"pkg:conan/Poco@1.9.4?channel=stable&user=pocoproject declared[]",
		"pkg:conan/cmake@3.25.3 declared[build]",
		"pkg:conan/freetype@2.12.1?rrev=7e1b67634f54f38a979bbad44fd09a2c declared[]",
	)
	analyzetest.Check(t, analyzetest.RunDir(t, Lock{}, "testdata/v2"),
		"pkg:conan/mylib@2.0?channel=testing&user=team declared[]",
		"pkg:conan/ninja@1.11.1?rrev=a2f0b832705907016f336839f96963f8 declared[build]",
		"pkg:conan/zlib@1.2.13?rrev=13c96f538b52e1600c40b88994de240f declared[]",
	)
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Lock{}, fstest.MapFS{"conan.lock": {Data: []byte("{")}, "a/conan.lock": {Data: []byte(`{"requires":["zlib", "a/[>1.0]"]}`)}})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
	for _, p := range []string{"conaninfo.txt", "x/conaninfo.txt", ".conan/data/a/1/_/_/build/x/conaninfo.txt", "root/.conan2/p/b/zlib1234/p/conaninfo.txt"} {
		if (Analyzer{}).Wants(analyze.Entry{Path: p}) != analyze.Ignore {
			t.Errorf("Wants(%s)", p)
		}
	}
}

func FuzzConan(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"conan.lock", "full_deploy/host/a/1/conaninfo.txt"}, nil, "testdata")
}
