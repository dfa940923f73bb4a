package nix

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

const hash = "wdrk1bch8dyg4gi3sarkshsmmb99lni5"

// The folders are of the kinds that Nix 2.8 made of a derivation zlib-1.3.1
// with outputs out and dev, a derivation file, and a folder added to the store.
func TestImage(t *testing.T) {
	var b inventory.Builder
	b.Layers = true
	dir := func(p string, layer int) { b.Add(inventory.File{Path: p, Type: inventory.Directory, Layer: layer}) }
	dir("nix", 0)
	dir("nix/store", 0)
	dir("nix/store/2yn0vbn3wxgabpi4n18c8cxanbppr4wz-zlib-1.3.1-dev", 2)
	dir("nix/store/wdrk1bch8dyg4gi3sarkshsmmb99lni5-zlib-1.3.1", 1)
	dir("nix/store/ayhlk5rry7b3v5xgc6z8qsyifiv4z40i-hello-2.12.1", 0)
	dir("nix/store/ayhlk5rry7b3v5xgc6z8qsyifiv4z40i-hello-2.12.1/bin-1.0", 0)
	dir("nix/store/"+hash+"-source", 0)
	dir("nix/store/"+hash+"-python3-3.11.8-env", 0)
	dir("gnu/store/"+hash+"-sed-4.8", 0)
	b.Add(inventory.File{Path: "nix/store/mfzhwjg5madv8y4ppckcfmp91h3g52y2-zlib-1.3.1.drv", Type: inventory.Regular})
	img := &inventory.Image{
		Files: b.Table(), Packages: []inventory.Package{{Type: "pypi", Name: "x", Version: "1"}},
		Binaries: []inventory.Binary{
			{Path: "nix/store/ayhlk5rry7b3v5xgc6z8qsyifiv4z40i-hello-2.12.1/bin/hello", Size: 7},
			{Path: "nix/store/" + hash + "-source/a.out", Size: 9}, {Path: "usr/bin/x", Size: 11},
		},
		Coverage: inventory.Coverage{Executables: 3, Bytes: 27},
	}
	if err := (Analyzer{}).AnalyzeImage(t.Context(), &img.Config, img); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range img.Packages {
		s := p.PURL()
		for _, l := range p.Locations {
			s += " " + l.Path[strings.LastIndexByte(l.Path, '/')+34:]
		}
		got = append(got, s)
	}
	want := []string{"pkg:guix/sed@4.8 sed-4.8", "pkg:nix/hello@2.12.1 hello-2.12.1", "pkg:nix/zlib@1.3.1 zlib-1.3.1-dev zlib-1.3.1", "pkg:pypi/x@1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	if img.Packages[2].Layer != 1 || len(img.Binaries) != 2 || img.Coverage.AttributedFiles != 1 || img.Coverage.AttributedBytes != 7 {
		t.Errorf("%+v %+v", img.Packages[2], img.Coverage)
	}
}

func TestEmpty(t *testing.T) {
	img := &inventory.Image{}
	if err := (Analyzer{}).AnalyzeImage(t.Context(), &img.Config, img); err != nil || img.Packages != nil {
		t.Errorf("%v %+v", err, img)
	}
}

// Names and versions are those that builtins.parseDrvName gives; see TestNix.
var names = map[string][3]string{
	"glibc-2.39-52":              {"glibc", "2.39-52", ""},
	"openssl-3.0.13-bin":         {"openssl", "3.0.13", "bin"},
	"python3.11-requests-2.31.0": {"python3.11-requests", "2.31.0", ""},
	"perl5.38.2-Foo-Bar-1.0":     {"perl5.38.2-Foo-Bar", "1.0", ""},
	"foo-unstable-2023-01-01":    {"foo-unstable", "2023-01-01", ""},
	"bash-5.2p26":                {"bash", "5.2p26", ""},
	"gcc-13.2.0-lib":             {"gcc", "13.2.0", "lib"},
	"nss-cacert-3.98":            {"nss-cacert", "3.98", ""},
	"xgcc-13.2.0-libgcc":         {"xgcc", "13.2.0", "libgcc"},
	"font-bh-100dpi-1.0.3":       {"font-bh", "100dpi-1.0.3", ""},
	"stdenv-linux":               {},
	"source":                     {},
	"user-environment":           {},
	"zlib-1.3.1.tar.gz":          {},
	"CVE-2021-3997-1.patch":      {},
	"python3-3.11.8-env":         {},
	"a-":                         {},
	"-1.0":                       {},
}

func TestParse(t *testing.T) {
	for s, want := range names {
		name, version, output := parse(hash + "-" + s)
		if got := [3]string{name, version, output}; got != want {
			t.Errorf("parse(%s) = %q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"", "x", "zlib-1.3.1", strings.ToUpper(hash) + "-a-1"} {
		if name, _, _ := parse(s); name != "" {
			t.Errorf("parse(%s) = %s", s, name)
		}
	}
}

func TestNix(t *testing.T) {
	nix, err := exec.LookPath("nix-instantiate")
	if err != nil {
		t.Skip("needs Nix: ", err)
	}
	for s, want := range names {
		if want[0] == "" {
			continue
		}
		truth, err := exec.Command(nix, "--eval", "--strict", "-E", `let p = builtins.parseDrvName "`+s+`"; in p.name + " " + p.version`).Output()
		if err != nil {
			t.Skip("nix-instantiate: ", err)
		}
		v := want[1]
		if want[2] != "" {
			v += "-" + want[2]
		}
		if got := `"` + want[0] + " " + v + `"`; got != strings.TrimSpace(string(truth)) {
			t.Errorf("%s: Nix says %s, want %s", s, truth, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for s := range names {
		f.Add(hash + "-" + s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, version, output := parse(s)
		if name == "" {
			return
		}
		whole := name + "-" + version
		if output != "" {
			whole += "-" + output
		}
		if version == "" || s[33:] != whole {
			t.Errorf("parse(%q) = %q, %q, %q", s, name, version, output)
		}
	})
}
