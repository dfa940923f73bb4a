package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func licenseText(path, inner string, raw ...string) LicenseFile {
	l := LicenseFile{Path: path, Inner: inner}
	for _, r := range raw {
		l.Licenses = append(l.Licenses, License{Raw: r, Source: DetectedLicense, Confidence: 0.99})
	}
	return l
}

// TestLicenseTexts follows texts to the packages they belong to: also where the
// package and its text lie in different layers.
func TestLicenseTexts(t *testing.T) {
	npm := func(path, name string, files ...string) Package {
		return Package{Type: "npm", Name: name, Version: "1", Path: path, Files: NewFileList(files), Licenses: []License{{Raw: "MIT", Source: DeclaredLicense}}}
	}
	jar := func(inner, name string) Package {
		return Package{Type: "maven", Name: name, Version: "1", Path: "app/a.jar", Inner: inner}
	}
	lower := with(layerOf("f "+status, "f var/lib/dpkg/info/node.list", "f usr/share/common-licenses/GPL-3", "f usr/share/node/b/LICENSE", "f usr/share/node/COPYING"),
		Record{Analyzer: "dpkg", Packages: []Package{deb("node", "1")}, Owned: []Ownership{{Path: "var/lib/dpkg/info/node.list", Type: "deb", Name: "node",
			Files: NewFileList([]string{"usr/share/node/b/LICENSE", "usr/share/node/b/package.json", "usr/share/node/COPYING", "usr/share/common-licenses/GPL-3"})}}},
		Record{Analyzer: "license", Licenses: []LicenseFile{
			licenseText("usr/share/common-licenses/GPL-3", "", "GPL-3.0-only"), licenseText("usr/share/node/b/LICENSE", "", "BSD-2-Clause"), licenseText("usr/share/node/COPYING", "", "Apache-2.0"),
		}})
	upper := with(layerOf("f usr/share/node/b/package.json", "f app/x/package.json", "f app/x/LICENSE", "f app/x/node_modules/y/package.json", "f app/x/node_modules/y/COPYING", "f app/a.jar", "f opt/LICENSE"),
		Record{Analyzer: "java", Packages: []Package{jar("", "outer"), jar("lib/b.jar", "inside"), jar("lib/b.jar!META-INF/maven/g/a/pom.properties", "shaded")}},
		Record{Analyzer: "license", Licenses: []LicenseFile{
			licenseText("app/x/LICENSE", "", "MIT", "ISC"), licenseText("app/x/node_modules/y/COPYING", "", "GPL-2.0"), licenseText("opt/LICENSE", "", "Zlib"),
			licenseText("app/a.jar", "META-INF/LICENSE", "Apache-2.0"), licenseText("app/a.jar", "lib/b.jar!LICENSE", "EPL-2.0"),
		}},
		Record{Analyzer: "node", Packages: []Package{
			npm("usr/share/node/b/package.json", "b", "usr/share/node/b/"), npm("app/x/package.json", "x", "app/x/"), npm("app/x/node_modules/y/package.json", "y", "app/x/node_modules/y/"),
		}})
	layers := []Layer{lower, upper}
	img := Squash(layers)
	got := map[string]string{}
	for _, p := range img.Packages {
		var s []string
		for _, l := range p.Licenses {
			s = append(s, l.Source+" "+l.Expression)
		}
		got[p.Type+"/"+p.Name] = strings.Join(s, ", ")
	}
	want := map[string]string{
		"deb/node": "detected Apache-2.0", "npm/b": "declared MIT, detected BSD-2-Clause", "npm/x": "declared MIT, detected MIT, detected ISC", "npm/y": "declared MIT, detected GPL-2.0-only",
		"maven/outer": "detected Apache-2.0", "maven/inside": "detected EPL-2.0", "maven/shaded": "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	files := map[string]string{}
	for _, l := range img.Licenses {
		files[l.Path+" "+l.Inner] = fmt.Sprint(l.PackageType, "/", l.Package, " ", l.Layer)
	}
	want = map[string]string{
		"usr/share/common-licenses/GPL-3 ": "/ 0", "usr/share/node/b/LICENSE ": "npm/b 0", "usr/share/node/COPYING ": "deb/node 0", "app/x/LICENSE ": "npm/x 1",
		"app/x/node_modules/y/COPYING ": "npm/y 1", "opt/LICENSE ": "/ 1", "app/a.jar META-INF/LICENSE": "maven/outer 1", "app/a.jar lib/b.jar!LICENSE": "maven/inside 1",
	}
	if d := cmp.Diff(want, files); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if again := Squash(layers); cmp.Diff(again.Packages, img.Packages, cmp.AllowUnexported(FileList{})) != "" || upper.Records[1].Licenses[0].Package != "" {
		t.Error("Squash changed its layers")
	}
}

// TestCopyrightTexts prefers what a copyright file refers to over what its
// sentences sound like, and a recognised text over these.
func TestCopyrightTexts(t *testing.T) {
	const path = "usr/share/doc/tar/copyright"
	file := func(l ...License) LicenseFile {
		return LicenseFile{Path: path, PackageType: "deb", Package: "tar", Licenses: l}
	}
	sentence, reference := License{Raw: "MIT", Source: DetectedLicense, Confidence: 0.8}, License{Raw: "GPL-2+", Source: DetectedLicense, Confidence: 0.9}
	recognised := License{Raw: "X11", Source: DetectedLicense, Confidence: 0.99}
	for _, tt := range []struct {
		dpkg License
		want string
	}{{sentence, "X11"}, {reference, "GPL-2.0-or-later"}} {
		img := Squash([]Layer{with(layerOf("f "+status, "f "+path),
			Record{Analyzer: "dpkg", Packages: []Package{deb("tar", "1")}, Licenses: []LicenseFile{file(tt.dpkg)}},
			Record{Analyzer: "license", Licenses: []LicenseFile{file(recognised)}})})
		if ls := img.Packages[0].Licenses; len(ls) != 1 || ls[0].Expression != tt.want {
			t.Errorf("%s: %+v", tt.want, ls)
		}
		if len(img.Licenses) != 0 {
			t.Errorf("%+v", img.Licenses)
		}
	}
}
