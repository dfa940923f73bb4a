package ocaml

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// The switch was made by opam 2.1.2 from a repository of two packages, whose
// names and versions "opam list" prints as below; dune's file was added by hand.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunAll(t, Analyzer{}, os.DirFS("testdata/root"))
	analyzetest.Check(t, r, "pkg:opam/bar@0.9~beta", "pkg:opam/dune@3.7.2", "pkg:opam/foo@1.2.3")
	p := analyzetest.Find(t, r, "foo")
	if !slices.Equal(p.Files.Strings(), []string{"home/opam/.opam/sw/lib/foo.txt"}) || !slices.Equal(p.Depends, []string{"bar"}) || len(p.Licenses) != 2 || p.Licenses[1].Raw != "ISC" ||
		p.Supplier != "Foo <foo@example.org>" || p.Homepage != "https://example.org/foo" || p.Description != "A foo" {
		t.Errorf("%+v", p)
	}
	p = analyzetest.Find(t, r, "dune")
	if len(p.Licenses) != 1 || p.Licenses[0].Raw != "MIT" || p.Hashes["sha256"] != "b58bb4082a5dcb6ac2cf9ec9ab0c34bd7b9b5ce0bb3d2ffd4eb4b5a3d2dd3a1f" || !slices.Equal(p.Depends, []string{"ocaml", "ocaml", "ocamlfind-secondary", "base-unix", "odoc"}) {
		t.Errorf("%+v", p)
	}
	if p = analyzetest.Find(t, r, "bar"); p.Licenses[0].Raw != "LGPL-2.1-only WITH OCaml-LGPL-linking-exception" {
		t.Errorf("%+v", p)
	}
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		"s/.opam-switch/packages/a.1/opam":       {Data: []byte(`license: "MIT" synopsis: "x`)},
		"s/.opam-switch/packages/b.1/opam":       {Data: []byte(strings.Repeat("[", 1000))},
		"s/.opam-switch/install/a.changes":       {Data: []byte(`added: ["../../etc/passwd" {"F:1"} "lib/a" {"F:2"} "lib" {"D"}]`)},
		"s/.opam-switch/packages/a/opam":         {Data: []byte(``)},
		"s/.opam-switch/sources/a/opam":          {Data: []byte(``)},
		".opam/repo/default/packages/a/a.1/opam": {Data: []byte(``)},
	})
	if len(r.Packages) != 2 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
	l, err := changes("s", []byte(`added: ["../../etc/passwd" {"F:1"} "lib/a" {"F:2"} "lib" {"D"}]`))
	if err != nil || !slices.Equal(l.Strings(), []string{"s/lib/a"}) {
		t.Errorf("%v %v", l.Strings(), err)
	}
}

func FuzzOpam(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"s/.opam-switch/packages/a.1/opam", "s/.opam-switch/install/a.changes"}, nil, "testdata")
}
