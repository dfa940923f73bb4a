package sbomfile

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestDocuments(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata")
	analyzetest.Check(t, r,
		"pkg:apk/wolfi/zlib@1.3.1-r0?arch=x86_64 declared[]",
		"pkg:bitnami/gosu@1.16.0-8?arch=amd64",
		"pkg:bitnami/wordpress@6.2.2-3?arch=amd64",
		"pkg:npm/jquery@3.6.4 declared[]",
		"pkg:npm/lodash@4.17.21 declared[]",
	)
	p := analyzetest.Find(t, r, "wordpress")
	if p.Technique != inventory.TechSBOM || p.Path != "opt/bitnami/wordpress/.spdx-wordpress.spdx" || !slices.Equal(p.Files.Strings(), []string{"opt/bitnami/wordpress/"}) || len(p.CPEs) != 1 {
		t.Errorf("%+v %v", p, p.Files.Strings())
	}
	if p := analyzetest.Find(t, r, "gosu"); p.Files.Len() != 0 {
		t.Errorf("%+v", p)
	}
}

func TestWantsAndBroken(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"opt/bitnami/php/.spdx-php.spdx": analyze.Alone, "a/.spdx.python.json": analyze.Alone, "usr/share/sbom/x.json": analyze.Alone, "usr/local/share/sbom/x.json": analyze.Alone,
		"x.spdx": analyze.Alone, "bom.json": analyze.Alone, "a/b.json": analyze.Ignore, "usr/share/doc/x.spdx.json": analyze.Ignore, "x/testdata/a.cdx.json": analyze.Ignore,
		"usr/shared/sbom/x.json": analyze.Ignore,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{"a.cdx.json": {Data: []byte("{")}, "a.spdx": {Data: []byte("x")}, "bom.xml": {Data: []byte("<project/>")}})
	if len(r.Packages) != 0 || len(r.Problems) != 1 {
		t.Errorf("%+v", r)
	}
}

func FuzzDocument(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"a.cdx.json", "opt/bitnami/a/.spdx-a.spdx", "a.spdx"}, nil, "testdata")
}
