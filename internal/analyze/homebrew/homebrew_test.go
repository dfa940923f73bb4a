package homebrew

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:brew/acme/tools/tool@2.0", "pkg:brew/rclone@1.67.0_1?arch=x86_64")
	p := analyzetest.Find(t, r, "rclone")
	if !slices.Equal(p.Depends, []string{"glibc"}) || !slices.Equal(p.Files.Strings(), []string{"home/linuxbrew/.linuxbrew/Cellar/rclone/1.67.0_1/"}) {
		t.Errorf("%+v", p)
	}
	if len(r.Licenses) != 1 || r.Licenses[0].Package != "rclone" || r.Licenses[0].Licenses[0].Raw != "MIT" {
		t.Errorf("%+v", r.Licenses)
	}
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		"Cellar/a/1/INSTALL_RECEIPT.json": {Data: []byte("{")}, "Cellar/a/1/libexec/INSTALL_RECEIPT.json": {Data: []byte("{}")}, "Caskroom/a/INSTALL_RECEIPT.json": {Data: []byte("{}")},
	})
	if len(r.Packages) != 1 || len(r.Problems) != 1 {
		t.Errorf("%+v", r)
	}
}

func FuzzHomebrew(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"Cellar/a/1/INSTALL_RECEIPT.json", "Cellar/a/1/.brew/a.rb"}, nil, "testdata")
}
