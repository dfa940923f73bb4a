package perl

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// The tree is what cpanm 1.7046 made of a distribution Foo-Bar 1.02 from a
// mirror of its own.
func TestCpanm(t *testing.T) {
	r := analyzetest.RunAll(t, Analyzer{}, os.DirFS("testdata/root"))
	analyzetest.Check(t, r, "pkg:cpan/Foo-Bar@1.02")
	p := analyzetest.Find(t, r, "Foo-Bar")
	if p.Licenses[0].Raw != "perl_5" || p.Description != "does foo" || p.Supplier != "A B <a@b.example>" || !slices.Equal(p.Depends, []string{"Carp"}) || p.Confidence != 0 ||
		p.Meta["author"] != "LOCAL" || !slices.Equal(p.Files.Strings(), []string{"usr/local/lib/perl5/Foo/Bar.pm"}) {
		t.Errorf("%+v %v", p, p.Files.Strings())
	}
}

// The same by make install, twice, and a lone .packlist.
func TestMake(t *testing.T) {
	r := analyzetest.RunAll(t, Analyzer{}, os.DirFS("testdata/make"))
	analyzetest.Check(t, r, "pkg:cpan/Alone", "pkg:cpan/Foo-Bar@1.02")
	if p := analyzetest.Find(t, r, "Foo-Bar"); p.Confidence != 0.9 || p.Files.Len() != 1 {
		t.Errorf("%+v", p)
	}
	if p := analyzetest.Find(t, r, "Alone"); !slices.Equal(p.Files.Strings(), []string{"usr/local/bin/alone"}) {
		t.Errorf("%+v", p)
	}
}

func TestLock(t *testing.T) {
	r := analyzetest.RunDir(t, Lock{}, "testdata/lock")
	analyzetest.Check(t, r,
		"pkg:cpan/Algorithm-C3@0.11 declared[]", "pkg:cpan/CGI@4.50 declared[]", "pkg:cpan/Canary-Stability@2013 declared[]",
		"pkg:cpan/Test2-Suite@0.000156-TRIAL declared[]", "pkg:cpan/podlators@v6.0.2 declared[]")
	if p := analyzetest.Find(t, r, "Algorithm-C3"); !slices.Equal(p.Depends, []string{"Carp", "ExtUtils::MakeMaker"}) || p.Meta["author"] != "HAARG" {
		t.Errorf("%+v", p)
	}
}

func TestSplitDist(t *testing.T) {
	for s, want := range map[string][2]string{
		"Foo-Bar-1.02": {"Foo-Bar", "1.02"}, "libwww-perl-6.68": {"libwww-perl", "6.68"}, "Crypt-X509-0.51": {"Crypt-X509", "0.51"}, "Foo-3D-1.0": {"Foo-3D", "1.0"},
		"Text-Tabs+Wrap-2021.0814": {"Text-Tabs+Wrap", "2021.0814"}, "mod_perl-2.0.13": {"mod_perl", "2.0.13"}, "Foo-v1.2.3": {"Foo", "v1.2.3"},
		"Foo": {}, "-1.0": {}, "Foo-": {}, "Foo-Bar-1.2_01": {"Foo-Bar", "1.2_01"},
	} {
		if name, version := splitDist(s); name != want[0] || version != want[1] {
			t.Errorf("splitDist(%q) = %q, %q, want %q", s, name, version, want)
		}
	}
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Lock{}, fstest.MapFS{"cpanfile.snapshot": {Data: []byte("x")}, "a/cpanfile.snapshot": {Data: []byte("# carton snapshot format: version 1.0\nDISTRIBUTIONS\n  Foo\n")}})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
	r = analyzetest.Run(t, Analyzer{}, fstest.MapFS{"l/.meta/Foo-1/install.json": {Data: []byte("{")}, "l/.meta/Foo-1/MYMETA.json": {Data: []byte("{")}, "l/perllocal.pod": {Data: []byte("x")}})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
}

func FuzzPerl(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"cpanfile.snapshot", "l/.meta/Foo-1/install.json", "l/.meta/Foo-1/MYMETA.json", "l/perllocal.pod", "l/auto/Foo/.packlist"}, nil, "testdata")
}
