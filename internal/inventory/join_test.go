package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const status = "var/lib/dpkg/status"

func deb(name, version string) Package {
	return Package{Type: "deb", Name: name, Version: version, Arch: "amd64", Path: status, Technique: TechDatabase}
}

func with(l Layer, records ...Record) Layer {
	l.Records = records
	return l
}

func packages(ps []Package) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Type+"/"+p.Name+"@"+p.Version)
	}
	return out
}

// The model on two layers: a database that is rewritten whole, and two images
// on one base.
func baseLayer() Layer {
	return with(layerOf("f "+status+" v1", "f etc/os-release", "f var/lib/dpkg/info/libc6.list", "f usr/share/doc/libc6/copyright"),
		Record{Analyzer: "distro", Distros: []Distro{{Path: "etc/os-release", ID: "debian", Version: "12"}}},
		Record{Analyzer: "dpkg",
			Packages: []Package{deb("libc6", "2.36-9"), deb("tar", "1.34")},
			Owned:    []Ownership{{Path: "var/lib/dpkg/info/libc6.list", Type: "deb", Name: "libc6", Files: NewFileList([]string{"usr/lib/libc.so.6"})}},
			Licenses: []LicenseFile{{Path: "usr/share/doc/libc6/copyright", PackageType: "deb", Package: "libc6", Licenses: []License{{Raw: "LGPL-2.1+", Expression: "LGPL-2.1-or-later"}}}},
		})
}

func TestPackageKeepsTheLayerThatBroughtIt(t *testing.T) {
	upper := with(layerOf("f "+status+" v2"), Record{Analyzer: "dpkg", Packages: []Package{deb("libc6", "2.36-9"), deb("tar", "1.35"), deb("curl", "8")}})
	third := with(layerOf("f "+status+" v3"), Record{Analyzer: "dpkg", Packages: []Package{deb("libc6", "2.36-9"), deb("curl", "8")}})
	img := Squash([]Layer{baseLayer(), upper, third})
	got := map[string]int{}
	for _, p := range img.Packages {
		got[p.Name+"@"+p.Version] = p.Layer
	}
	want := map[string]int{"libc6@2.36-9": 0, "curl@8": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("layers of packages (-want +got):\n%s", d)
	}
	// removed and installed again: the last time counts
	gone := with(layerOf("f "+status+" v4"), Record{Analyzer: "dpkg", Packages: []Package{deb("libc6", "2.36-9")}})
	back := with(layerOf("f "+status+" v5"), Record{Analyzer: "dpkg", Packages: []Package{deb("libc6", "2.36-9"), deb("curl", "8")}})
	img = Squash([]Layer{baseLayer(), upper, gone, back})
	for _, p := range img.Packages {
		if p.Name == "curl" && p.Layer != 3 {
			t.Errorf("curl came with layer %d, want 3", p.Layer)
		}
	}
}

func TestImagesOnOneBaseShareItsRecord(t *testing.T) {
	base := baseLayer()
	app := with(layerOf("d app", "f app/package.json"), Record{Analyzer: "node", Packages: []Package{{Type: "npm", Name: "shop", Version: "1.0.0", Path: "app/package.json"}}})
	one, two := Squash([]Layer{base}), Squash([]Layer{base, app})
	if d := cmp.Diff([]string{"deb/libc6@2.36-9", "deb/tar@1.34"}, packages(one.Packages)); d != "" {
		t.Errorf("first image (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"deb/libc6@2.36-9", "deb/tar@1.34", "npm/shop@1.0.0"}, packages(two.Packages)); d != "" {
		t.Errorf("second image (-want +got):\n%s", d)
	}
	libc := one.Packages[0]
	if libc.Namespace != "debian" || libc.Distro != "debian:12" {
		t.Errorf("libc6 is of %s, %s", libc.Namespace, libc.Distro)
	}
	if len(libc.Licenses) != 1 || libc.Licenses[0].Expression != "LGPL-2.1-or-later" {
		t.Errorf("libc6 has licences %+v", libc.Licenses)
	}
	if libc.Files.Len() != 1 {
		t.Errorf("libc6 owns %d files", libc.Files.Len())
	}
	// the layer itself must not have been changed by the first image
	if base.Records[1].Packages[0].Namespace != "" {
		t.Error("Squash changed its input")
	}
}

func TestFactFallsWithItsFile(t *testing.T) {
	app := with(layerOf("d app", "f app/package.json", "f app/.env"),
		Record{Analyzer: "node", Packages: []Package{{Type: "npm", Name: "shop", Version: "1", Path: "app/package.json"}}},
		Record{Analyzer: "secret", Facts: []Fact{{Kind: "secret", Path: "app/.env", Data: []byte(`{}`)}}},
	)
	top := layerOf("w app")
	img := Squash([]Layer{baseLayer(), app, top})
	if slices.Contains(packages(img.Packages), "npm/shop@1") {
		t.Error("a package outlived its file")
	}
	if len(img.Facts) != 1 || !img.Facts[0].Hidden || img.Facts[0].Layer != 1 {
		t.Errorf("a secret of a lower layer must be told, as hidden: %+v", img.Facts)
	}
	all := AllLayers([]Layer{baseLayer(), app, top})
	i := slices.IndexFunc(all.Packages, func(p Package) bool { return p.Name == "shop" })
	if i < 0 || !all.Packages[i].Locations[0].Hidden || all.Packages[i].Layer != 1 {
		t.Errorf("all layers: %+v", all.Packages)
	}
}

func TestOwnershipAcrossLinksAndLayers(t *testing.T) {
	lower := with(layerOf("l lib usr/lib", "d usr", "d usr/lib", "f "+status, "f usr/lib/python3/dist-packages/yaml.egg-info", "f var/lib/dpkg/info/python3-yaml.list"),
		Record{Analyzer: "dpkg", Packages: []Package{deb("python3-yaml", "6.0-3")},
			Owned: []Ownership{{Path: "var/lib/dpkg/info/python3-yaml.list", Type: "deb", Name: "python3-yaml", Files: NewFileList([]string{"lib/python3/dist-packages/yaml.egg-info"})}}},
		Record{Analyzer: "python", Packages: []Package{{Type: "pypi", Name: "pyyaml", Version: "6.0", Path: "usr/lib/python3/dist-packages/yaml.egg-info"}}})
	upper := with(layerOf("f opt/venv/lib/pyyaml.dist-info/METADATA"),
		Record{Analyzer: "python", Packages: []Package{{Type: "pypi", Name: "pyyaml", Version: "6.0", Path: "opt/venv/lib/pyyaml.dist-info/METADATA"}}})
	one := Squash([]Layer{lower})
	i := slices.IndexFunc(one.Packages, func(p Package) bool { return p.Type == "pypi" })
	if i < 0 || one.Packages[i].Owner != "deb/python3-yaml" {
		t.Fatalf("the wheel that dpkg installed: %+v", one.Packages)
	}
	two := Squash([]Layer{lower, upper})
	i = slices.IndexFunc(two.Packages, func(p Package) bool { return p.Type == "pypi" })
	p := two.Packages[i]
	if len(p.Locations) != 2 || p.Owner != "" || p.Layer != 1 {
		t.Errorf("one package at two places, one of them its own: %+v", p)
	}
}

// A layer above undoes one diversion and brings another, which alone counts.
func TestDiversionsOfTheUppermostLayer(t *testing.T) {
	const database = "var/lib/dpkg/diversions"
	list := "var/lib/dpkg/info/tool.list"
	lower := with(layerOf("l bin usr/bin", "d usr", "d usr/bin", "d usr/lib", "f "+status, "f "+list, "f "+database+" v1", "f usr/bin/a", "f usr/lib/b.real"),
		Record{Analyzer: "dpkg", Packages: []Package{deb("tool", "1")},
			Owned:    []Ownership{{Path: list, Type: "deb", Name: "tool", Files: NewFileList([]string{"bin/a", "bin/b"})}},
			Diverted: []Diversion{{Path: database, From: "bin/a", To: "bin/a.real"}}})
	upper := with(layerOf("f "+database+" v2"),
		Record{Analyzer: "dpkg", Diverted: []Diversion{
			{Path: database, From: "bin/b", To: "usr/lib/b.real", By: "other"}, {Path: database, From: "bin/a", To: "bin/a.own", By: "tool"}}})
	for want, layers := range map[string][]Layer{"bin/a.real bin/b": {lower}, "bin/a usr/lib/b.real": {lower, upper}} {
		if got := strings.Join(Squash(layers).Packages[0].Files.Strings(), " "); got != want {
			t.Errorf("%d layers: %s, want %s", len(layers), got, want)
		}
	}
}

func elf(path string, size int64) File {
	return File{Path: path, Perm: 0o755, Size: size, Kind: KindELFExec, SHA256: [32]byte{1}}
}

func TestCoverage(t *testing.T) {
	var b Builder
	for _, f := range []File{elf("usr/bin/tar", 100), elf("usr/local/bin/redis-server", 50), elf("opt/tool", 30), elf("opt/app/node_modules/x/build/x.node", 7), {Path: status, Size: 1}, {Path: "opt/app/node_modules/x/package.json", Size: 1}} {
		b.Add(f)
	}
	link := elf("opt/tool-again", 30)
	link.Link = "opt/tool"
	b.Add(link)
	tar := deb("tar", "1.34")
	tar.Files = NewFileList([]string{"usr/bin/tar"})
	l := Layer{Files: b.Table(), Records: []Record{
		{Analyzer: "binary", Binaries: []Binary{
			{Path: "usr/bin/tar", Products: []Package{{Type: "generic", Name: "tar", Version: "1.34"}}},
			{Path: "usr/local/bin/redis-server", Products: []Package{{Type: "generic", Name: "redis", Version: "7.2.4"}}},
			{Path: "opt/tool", Arch: "amd64"},
		}},
		{Analyzer: "dpkg", Packages: []Package{tar}},
		{Analyzer: "node", Packages: []Package{{Type: "npm", Name: "x", Version: "1", Path: "opt/app/node_modules/x/package.json", Files: NewFileList([]string{"opt/app/node_modules/x/"})}}},
	}}
	img := Squash([]Layer{l})
	if d := cmp.Diff([]string{"deb/tar@1.34", "generic/redis@7.2.4", "npm/x@1"}, packages(img.Packages)); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
	if want := (Coverage{Executables: 4, Bytes: 187, AttributedFiles: 3, AttributedBytes: 157}); img.Coverage != want {
		t.Errorf("Coverage = %+v, want %+v", img.Coverage, want)
	}
	if len(img.Binaries) != 1 || img.Binaries[0].Path != "opt/tool" || img.Binaries[0].Size != 30 {
		t.Errorf("Binaries = %+v", img.Binaries)
	}
}

func TestDeclaredIsKeptApart(t *testing.T) {
	l := with(layerOf("f app/package-lock.json", "f app/node_modules/a/package.json"),
		Record{Analyzer: "node", Packages: []Package{{Type: "npm", Name: "a", Version: "1", Path: "app/node_modules/a/package.json"}}},
		Record{Analyzer: "node-lock", Packages: []Package{
			{Type: "npm", Name: "a", Version: "1", State: Declared, Path: "app/package-lock.json"},
			{Type: "npm", Name: "fsevents", Version: "2", State: Declared, Scope: "optional", Path: "app/package-lock.json"}}})
	img := Squash([]Layer{l})
	if d := cmp.Diff([]string{"npm/a@1"}, packages(img.Packages)); d != "" {
		t.Errorf("installed (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"npm/fsevents@2"}, packages(img.Declared)); d != "" {
		t.Errorf("declared (-want +got):\n%s", d)
	}
	removed := AllLayers([]Layer{l, layerOf("w app/node_modules")})
	if d := cmp.Diff([]string{"npm/a@1", "npm/fsevents@2"}, packages(removed.Declared)); d != "" {
		t.Errorf("declared, the installed one removed (-want +got):\n%s", d)
	}
}

func TestSameBytesAreOnePackage(t *testing.T) {
	jar := func(path, inner, name, version string, confidence float64, sha1 string) Package {
		return Package{Type: "maven", Namespace: "g", Name: name, Version: version, Path: path, Inner: inner, Confidence: confidence, Hashes: map[string]string{"sha1": sha1}}
	}
	l := with(layerOf("f app.jar", "f lib/a-1.72.jar", "f lib/b-1.0.jar", "f lib/c.jar"),
		Record{Analyzer: "java", Packages: []Package{
			jar("app.jar", "lib/a.jar", "a", "1.72.0", 0.7, "aa"), jar("lib/a-1.72.jar", "", "a", "1.72", 0.7, "aa"),
			jar("app.jar", "lib/b.jar", "b", "", 0.7, "bb"), jar("lib/b-1.0.jar", "", "b", "1.0", 0.7, "bb"),
			jar("lib/c.jar", "", "sure", "1", 0, "aa"), // certain: left alone
		}})
	img := Squash([]Layer{l})
	if d := cmp.Diff([]string{"maven/a@1.72", "maven/b@1.0", "maven/sure@1"}, packages(img.Packages)); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
	if n := len(img.Packages[0].Locations); n != 2 {
		t.Errorf("%d locations, want 2", n)
	}
}

func TestSymbolicLinksAreBounded(t *testing.T) {
	long := strings.Repeat("x/../", 1600)
	var below, above []string
	for i := range 39 {
		below = append(below, fmt.Sprintf("l l%d %sl%d", i, long, i+1))
	}
	for i := range 2000 {
		above = append(above, fmt.Sprintf("f l0/d%d/f", i))
	}
	img := Squash([]Layer{layerOf(append(below, "d l39")...), layerOf(above...)})
	if len(img.Problems) != 1 || img.Problems[0].Limit != "resolution of symbolic links" {
		t.Errorf("problems = %+v", img.Problems)
	}
	if n := img.Files.Len(); n != 39+1+2000 {
		t.Errorf("%d entries", n)
	}
}

func TestProductOfAPackageWithoutFileList(t *testing.T) {
	var b Builder
	b.Add(elf("usr/lib/libssl.so.1.1", 10))
	b.Add(elf("usr/bin/other", 10))
	b.Add(File{Path: "var/lib/dpkg/status.d/libssl1", Size: 1})
	ssl := Package{Type: "deb", Name: "libssl1.1", Source: "openssl", Version: "1.1.0l-1~deb9u1", Path: "var/lib/dpkg/status.d/libssl1"}
	l := Layer{Files: b.Table(), Records: []Record{
		{Analyzer: "binary", Binaries: []Binary{
			{Path: "usr/lib/libssl.so.1.1", Products: []Package{{Type: "generic", Name: "openssl", Version: "1.1.0l"}}},
			{Path: "usr/bin/other", Products: []Package{{Type: "generic", Name: "openssl", Version: "1.1.0"}}},
		}},
		{Analyzer: "dpkg", Packages: []Package{ssl}},
	}}
	img := Squash([]Layer{l})
	if d := cmp.Diff([]string{"deb/libssl1.1@1.1.0l-1~deb9u1", "generic/openssl@1.1.0"}, packages(img.Packages)); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
}
