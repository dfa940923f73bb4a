package bom

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The documents in testdata/foreign follow the golden files of Syft's and
// Trivy's own tests (Apache-2.0), with a field or two more.

func readForeign(t *testing.T, name string, want Format) *inventory.Image {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "foreign", name))
	if err != nil {
		t.Fatal(err)
	}
	img, f, err := Read(bytes.NewReader(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if f != want {
		t.Errorf("format %s, want %s", f, want)
	}
	return img
}

const (
	syftImage  = "sha256:2731251dc34951c0e50fcc643b4c5f74922dad1a5d98f302b504cf46cd5d9368"
	syftLayer1 = "sha256:dfefe618c89b08fef0f9c7f1a2682521dddbe03d6678f4a9fb9b078381d8eb45"
)

func TestReadSyft(t *testing.T) {
	mit := []inventory.License{{Expression: "MIT", Source: "declared"}}
	tests := []struct {
		name   string
		format Format
		distro *inventory.Distro
		typed  bool // tells the type of the package without a readable package URL
		layers bool
		source bool
	}{
		{"syft.json", SyftJSON, &inventory.Distro{ID: "debian", Version: "1.2.3", Name: "debian", PrettyName: "debian"}, true, true, true},
		{"syft.cdx.json", CycloneDXJSON, &inventory.Distro{ID: "debian", Version: "1.2.3", PrettyName: "debian"}, true, false, false},
		{"syft.spdx.json", SPDXJSON, nil, false, false, false},
		{"syft.spdx3.json", SPDX3JSON, nil, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			img := readForeign(t, tt.name, tt.format)
			one := inventory.Package{
				Type: "generic", Name: "package-1", Version: "1.0.1", Licenses: mit, CPEs: []string{"cpe:2.3:*:some:package:1:*:*:*:*:*:*:*"},
				Technique: inventory.TechSBOM, Path: "somefile-1.txt", Layer: -1, Locations: []inventory.Location{{Path: "somefile-1.txt", Layer: -1}},
			}
			two := inventory.Package{
				Type: "deb", Namespace: "debian", Name: "package-2", Version: "2.0.1", CPEs: []string{"cpe:2.3:*:some:package:2:*:*:*:*:*:*:*"},
				Technique: inventory.TechSBOM, Path: "somefile-2.txt", Layer: -1, Locations: []inventory.Location{{Path: "somefile-2.txt", Layer: -1}},
			}
			if tt.typed {
				one.Type = "pypi"
			}
			if tt.layers {
				one.Layer, one.Locations[0].Layer = 0, 0
				two.Layer, two.Locations[0].Layer = 1, 1
				if len(img.Layers) != 2 || img.Layers[0].DiffID != syftLayer1 {
					t.Errorf("layers %+v", img.Layers)
				}
			}
			if tt.source {
				two.Arch, two.Source, two.SourceVersion, two.Supplier = "amd64", "src-2", "2.0", "M <m@example.org>"
				one.Owner = "deb/package-2"
			}
			want := []inventory.Package{two, one}
			if d := cmp.Diff(want, img.Packages, cmpopts.EquateEmpty(), cmp.AllowUnexported(inventory.FileList{})); d != "" {
				t.Errorf("packages (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.distro, img.Distro); d != "" {
				t.Errorf("distro (-want +got):\n%s", d)
			}
			if img.Reference != "user-image-input" || img.Digest != syftImage {
				t.Errorf("image %q, digest %q", img.Reference, img.Digest)
			}
			if len(img.Problems) != 1 { // "a-purl-1" is not a package URL
				t.Errorf("problems %+v, want one", img.Problems)
			}
		})
	}
}

func TestReadTrivy(t *testing.T) {
	img := readForeign(t, "trivy.cdx.json", CycloneDXJSON)
	gemspec := "var/lib/gems/2.5.0/specifications/activesupport-6.0.2.1.gemspec"
	want := []inventory.Package{
		{Type: "deb", Namespace: "debian", Name: "bash", Version: "5.0-4", Distro: "debian:10.2", Layer: 5, Technique: inventory.TechSBOM, Depends: []string{"libidn2-0"}},
		{Type: "deb", Namespace: "debian", Name: "libidn2-0", Version: "2.0.5-1", Distro: "debian:10.2", Layer: 5, Technique: inventory.TechSBOM, Source: "libidn2"},
		{
			Type: "gem", Name: "activesupport", Version: "6.0.2.1", Layer: 3, Path: gemspec, Technique: inventory.TechSBOM,
			Licenses: []inventory.License{{Expression: "MIT", Source: "declared"}}, Locations: []inventory.Location{{Path: gemspec, Layer: 3}},
		},
	}
	if d := cmp.Diff(want, img.Packages, cmpopts.EquateEmpty(), cmp.AllowUnexported(inventory.FileList{})); d != "" {
		t.Errorf("packages (-want +got):\n%s", d)
	}
	if img.Distro == nil || img.Distro.ID != "debian" || img.Distro.Version != "10.2" {
		t.Errorf("distro %+v", img.Distro)
	}
	if len(img.Layers) != 6 || img.ConfigDigest != "sha256:5a992077baba51b97f27591a10d54d2f2723dc9c81a3fe419e261023f2554933" {
		t.Errorf("layers %d, config digest %s", len(img.Layers), img.ConfigDigest)
	}
	if len(img.Problems) > 0 {
		t.Errorf("problems %+v", img.Problems)
	}
}

// The same package at two places, listed twice, is one package.
func TestReadMergesDoubles(t *testing.T) {
	doc := `{"bomFormat":"CycloneDX","specVersion":"1.4","components":[
		{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1","properties":[{"name":"syft:location:0:path","value":"/x"}]},
		{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1","components":[{"type":"library","name":"b","purl":"pkg:npm/b@2"}],"properties":[{"name":"syft:location:0:path","value":"/y"}]},
		{"type":"library","name":"c","version":"1","scope":"excluded"}]}`
	img, _, err := Read(bytes.NewReader([]byte(doc)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Packages) != 2 || len(img.Packages[0].Locations) != 2 || img.Packages[1].Name != "b" {
		t.Errorf("packages %+v", img.Packages)
	}
	if len(img.Declared) != 1 || img.Declared[0].Name != "c" || img.Declared[0].Type != "generic" {
		t.Errorf("declared %+v", img.Declared)
	}
}

// CycloneDX 1.0 to 1.7 and older SPDX in the words of their time.
func TestReadVersions(t *testing.T) {
	tests := []struct {
		name, doc string
		format    Format
	}{
		{"cyclonedx 1.2 json", `{"bomFormat":"CycloneDX","specVersion":"1.2","version":1,"metadata":{"tools":[{"vendor":"x","name":"y"}],"component":{"type":"container","name":"img"}},"components":[{"type":"library","name":"a","version":"1","author":"me","purl":"pkg:npm/a@1"}]}`, CycloneDXJSON},
		{"cyclonedx 1.5 evidence", `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1","evidence":{"identity":{"field":"purl"},"occurrences":[{"location":"/p"}]}}]}`, CycloneDXJSON},
		{"cyclonedx 1.2 xml", `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.2" version="1"><components><component type="library"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl></component></components></bom>`, CycloneDXXML},
		{"cyclonedx 1.0 xml", `<bom xmlns="http://cyclonedx.org/schema/bom/1.0" version="1"><components><component type="library"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl><modified>false</modified></component></components></bom>`, CycloneDXXML},
		{"spdx 2.2 json", "\xef\xbb\xbf" + `{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.2","packages":[{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1","externalRefs":[{"referenceCategory":"PACKAGE_MANAGER","referenceType":"http://spdx.org/rdf/references/purl","referenceLocator":"pkg:npm/a@1"}]}]}`, SPDXJSON},
		{"spdx 2.2 tag-value", "# comment\nSPDXVersion: SPDX-2.2\nPackageName: a\nSPDXID: SPDXRef-a\nPackageVersion: 1\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\nPackageComment: <text>a\nPackageName: not\n</text>\nFileName: x\nSPDXID: SPDXRef-f", SPDXTagValue},
		{"purls", "# list\n\npkg:npm/a@1\n", PURLs},
		{"syft 3", `{"artifacts":[{"id":"1","name":"a","version":"1","type":"npm","locations":[{"path":"/p"}],"licenses":["MIT"],"cpes":["cpe:2.3:a:a:a:1:*:*:*:*:*:*:*"],"purl":"pkg:npm/a@1","metadata":{"author":"me","files":["x"]}}],"source":{"type":"image","target":{"userInput":"img","layers":[]}},"distro":{"name":"alpine","version":"3.19"},"schema":{"version":"3.0.0"}}`, SyftJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			img, f, err := Read(bytes.NewReader([]byte(tt.doc)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if f != tt.format {
				t.Errorf("format %s, want %s", f, tt.format)
			}
			if len(img.Packages) != 1 || img.Packages[0].PURL() != "pkg:npm/a@1" || len(img.Problems) > 0 {
				t.Errorf("packages %+v, problems %+v", img.Packages, img.Problems)
			}
		})
	}
}
