package bom

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// sample is an image with one of everything.
func sample() *inventory.Image {
	digest := func(c string) inventory.Digest { return inventory.Digest("sha256:" + strings.Repeat(c, 64)) }
	img := &inventory.Image{
		Reference: "registry.example.com:5000/team/app:1.2", Tags: []string{"registry.example.com:5000/team/app:1.2"},
		Digest: digest("a"), IndexDigest: digest("b"), ConfigDigest: digest("c"),
		Config: inventory.Config{
			Created: time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC), OS: "linux", Architecture: "amd64",
			Labels: map[string]string{"org.opencontainers.image.title": `a "title" <b>`, "empty": ""},
		},
		Layers: []inventory.LayerInfo{
			{DiffID: digest("1"), Digest: digest("2"), MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Size: 1234, CreatedBy: "ADD rootfs.tar /", Files: 99},
			{DiffID: digest("3"), Size: 5, CreatedBy: "RUN pip install\n  x", Files: 1},
		},
		Distro: &inventory.Distro{Path: "etc/os-release", ID: "debian", IDLike: []string{"x"}, Version: "12", Codename: "bookworm", PrettyName: "Debian GNU/Linux 12 (bookworm)", CPE: "cpe:2.3:o:debian:debian_linux:12:*:*:*:*:*:*:*"},
		Packages: []inventory.Package{
			{
				Type: "deb", Namespace: "debian", Name: "libstdc++6", Version: "12.2.0-14+deb12u1", Arch: "amd64", Distro: "debian:12", Source: "gcc-12",
				Licenses: []inventory.License{{Expression: "GPL-3.0-only WITH GCC-exception-3.1", Raw: "GPL-3 with runtime exception", Source: "declared"}, {Expression: "LicenseRef-libstdc", Raw: "something else", Source: "detected", Confidence: 0.9}},
				Supplier: "Debian GCC Maintainers <debian-gcc@lists.debian.org>", Homepage: "http://gcc.gnu.org/", Description: "GNU Standard C++ Library v3",
				Path: "var/lib/dpkg/status", Technique: inventory.TechDatabase, Depends: []string{"libc6 (>= 2.36)", "libgcc-s1 (>= 4.2) | libgcc"}, Size: 2762752,
				Files: inventory.NewFileList([]string{"usr/lib/libstdc++.so.6"}), Locations: []inventory.Location{{Path: "var/lib/dpkg/status", Analyzer: "dpkg", Technique: inventory.TechDatabase}},
			},
			{Type: "deb", Namespace: "debian", Name: "libc6", Version: "2.36-9", Arch: "amd64", Distro: "debian:12", SourceVersion: "2.36-9+x", Path: "var/lib/dpkg/status", Meta: map[string]string{"multi-arch": "same"}},
			{Type: "deb", Namespace: "debian", Name: "libgcc", Version: "1", Arch: "all", Distro: "debian:12", Path: "var/lib/dpkg/status"},
			{Type: "rpm", Namespace: "rocky", Name: "nodejs", Version: "1:18-1.module+el9", Arch: "x86_64", Module: "nodejs:18:1:c", Distro: "rocky:9", Source: "nodejs-src", SourceVersion: "18-1", Path: "var/lib/rpm/rpmdb.sqlite", Supplier: "Rocky,\nInc."},
			{
				Type: "npm", Namespace: "@babel", Name: "core", Version: "7.0.0", Path: "app/node_modules/@babel/core/package.json", Layer: 1, Technique: inventory.TechMetadata,
				Licenses: []inventory.License{{Expression: "MIT", Source: "declared"}}, Hashes: map[string]string{"sha512": strings.Repeat("ab", 64), "odd": "x"},
				Depends: []string{"dep"}, CPEs: []string{"cpe:2.3:a:babel:core:7.0.0:*:*:*:*:node.js:*:*", "cpe:2.3:a:bad name:x", "cpe:/a:babel:core:7.0.0"},
				Locations: []inventory.Location{{Path: "app/node_modules/@babel/core/package.json", Layer: 1}, {Path: "b/package.json", Layer: 0, Owner: "deb/x", Hidden: true}},
			},
			{Type: "npm", Name: "dep", Version: "1.0.0", Path: "app/node_modules/dep/package.json", Layer: 1, Licenses: []inventory.License{{Raw: "Own licence, see <FILE>", Source: "declared"}, {Expression: "MIT"}}},
			{Type: "npm", Name: "dep", Version: "2.0.0", Path: "app/node_modules/@babel/core/node_modules/dep/package.json", Layer: 1, Licenses: []inventory.License{{Expression: "MIT OR Apache-2.0", Source: "declared"}, {Expression: "BSD-3-Clause", Source: "declared"}}},
			{Type: "maven", Namespace: "org.example", Name: "lib", Version: "1.0", Path: "app.jar", Inner: "BOOT-INF/lib/a.jar!META-INF/maven/g/a/pom.properties", Technique: inventory.TechPom, Qualifiers: map[string]string{"classifier": "linux"}},
			{Type: "golang", Name: "github.com/BurntSushi/toml", Version: "v1.2.0", Subpath: "cmd/x", Path: "bin/app", Technique: inventory.TechBuildInfo},
			{Type: "pypi", Name: "pyyaml", Version: "6.0", Path: "usr/lib/python3/dist-packages/PyYAML-6.0.egg-info", Owner: "deb/python3-yaml", Technique: inventory.TechMetadata, Homepage: "not an address"},
			{Type: "generic", Name: "busybox", Version: "1.36.1", Path: "bin/busybox", Technique: inventory.TechSignature, Confidence: 0.75},
			{Type: "generic", Name: "busybox", Version: "1.36.1", Path: "bin/busybox2", Arch: ""},
			{Type: "wordpress-plugin", Name: "akismet", Path: "x/akismet.php"},
		},
		Declared: []inventory.Package{
			{Type: "npm", Name: "eslint", Version: "8.0.0", State: inventory.Declared, Scope: "dev", Path: "app/package-lock.json", Technique: inventory.TechLockFile},
			{Type: "npm", Name: "dep", Version: "1.0.0", State: inventory.Declared, Path: "app/package-lock.json"},
		},
		Licenses: []inventory.LicenseFile{{Path: "LICENSE", Licenses: []inventory.License{{Expression: "MIT"}}}},
		Binaries: []inventory.Binary{{Path: "opt/tool", Arch: "amd64", Type: "executable", Size: 10}},
		Facts:    []inventory.Fact{{Kind: "user", Path: "etc/passwd", Data: []byte(`{"name":"root"}`)}},
		Coverage: inventory.Coverage{Executables: 3, Bytes: 100, AttributedFiles: 2, AttributedBytes: 90},
		Problems: []inventory.Problem{{Analyzer: "java", Path: "app.jar", Layer: 1, Limit: "nesting", Message: "archive nested deeper than 20"}, {Layer: -1, Message: "x"}},
	}
	sortImage(img)
	return img
}

func sortImage(img *inventory.Image) {
	for _, l := range [][]inventory.Package{img.Packages, img.Declared} {
		slices.SortStableFunc(l, func(a, b inventory.Package) int { return inventory.ComparePackages(&a, &b) })
	}
}

// random makes an image of n packages with awkward but valid texts.
func random(r *rand.Rand, n int) *inventory.Image {
	words := []string{"", "a", "lib b", "é–ü", "x+y", "a:b", "1.2~rc1", "<&>\"'", "a/b", "@s", "100%", "two\nlines", "#?=&", "]]>", "</text>", "NOASSERTION", "-", ".", "..", "pkg:npm/x", strings.Repeat("long ", 60)}
	word := func() string { return words[r.IntN(len(words))] }
	types := []string{"deb", "rpm", "apk", "alpm", "npm", "pypi", "gem", "maven", "golang", "cargo", "nuget", "composer", "hex", "generic", "cpan", "pub", "julia", "Odd type"}
	licences := []inventory.License{
		{Expression: "MIT", Source: "declared"}, {Expression: "Apache-2.0 OR MIT", Source: "declared"}, {Raw: "weird", Source: "declared"}, {Raw: "see file\nLICENSE"},
		{Expression: "LicenseRef-x", Raw: "text of x", Source: "detected", Confidence: 0.5}, {Expression: "not valid (", Source: "declared"}, {Expression: "GPL-2.0-or-later WITH Classpath-exception-2.0"}, {Expression: "DocumentRef-a:LicenseRef-b"}, {Expression: "NoSuch-1.0"},
	}
	img := &inventory.Image{Reference: "docker-archive:/x/" + word() + ".tar"}
	for range r.IntN(3) {
		img.Layers = append(img.Layers, inventory.LayerInfo{DiffID: inventory.Digest("sha256:" + strings.Repeat("5", 64)), CreatedBy: word()})
	}
	for range n {
		p := inventory.Package{
			Type: types[r.IntN(len(types))], Namespace: word(), Name: "n" + word(), Version: word(), Arch: word(), Source: word(), SourceVersion: word(), Module: word(),
			Scope: word(), Subpath: word(), Supplier: word(), Homepage: word(), Path: word(), Inner: word(), Technique: word(), Layer: r.IntN(3), Owner: word(), Distro: word(), Confidence: float64(r.IntN(3)) / 2, Size: int64(r.IntN(3)),
		}
		for range r.IntN(3) {
			p.Licenses = append(p.Licenses, licences[r.IntN(len(licences))])
		}
		for range r.IntN(3) {
			p.Locations = append(p.Locations, inventory.Location{Path: word(), Inner: word(), Layer: r.IntN(3), Analyzer: word(), Owner: word()})
		}
		if r.IntN(3) == 0 {
			p.Qualifiers = map[string]string{"k": word(), "K": "x", "bad key": "y"}
		}
		if r.IntN(4) == 0 {
			p.CPEs = []string{word(), "cpe:2.3:a:v:p:1:*:*:*:*:*:*:*"}
		}
		if r.IntN(3) == 0 {
			p.State = inventory.Declared
			img.Declared = append(img.Declared, p)
		} else {
			img.Packages = append(img.Packages, p)
		}
	}
	sortImage(img)
	return img
}

// realImages are inventories of real images: Alpine 3.10 whole, and a choice
// of packages of Debian images with Node and Java and of Rocky Linux 9.
func realImages(t testing.TB) []*inventory.Image {
	t.Helper()
	files, err := filepath.Glob("testdata/real/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/real: %d files, %v", len(files), err)
	}
	var images []*inventory.Image
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := Read(bytes.NewReader(text), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(img.Packages) == 0 {
			t.Fatalf("%s has no packages", name)
		}
		images = append(images, img)
	}
	return images
}

// sameImage compares what every format keeps.
func sameImage(want, got *inventory.Image) string {
	ignore := cmpopts.IgnoreFields(inventory.Package{}, "Depends", "Files", "Hashes", "CPEs", "Description")
	opts := cmp.Options{cmpopts.EquateEmpty(), ignore}
	for _, d := range []string{
		cmp.Diff(want.Packages, got.Packages, opts), cmp.Diff(want.Declared, got.Declared, opts), cmp.Diff(want.Layers, got.Layers, opts),
		cmp.Diff(want.Distro, got.Distro), cmp.Diff(want.Coverage, got.Coverage), cmp.Diff(want.Problems, got.Problems, opts),
		cmp.Diff([]any{want.Reference, want.Tags, want.Digest, want.IndexDigest, want.ConfigDigest, want.Config.Created, want.Config.Labels}, []any{got.Reference, got.Tags, got.Digest, got.IndexDigest, got.ConfigDigest, got.Config.Created, got.Config.Labels}, opts),
	} {
		if d != "" {
			return d
		}
	}
	return ""
}

func write(t testing.TB, f Format, img *inventory.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, img, Options{ToolVersion: "1.0"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var lossless = []Format{JSON, CycloneDXJSON, CycloneDXXML, SPDXJSON, SPDXTagValue}

func TestRoundTrip(t *testing.T) {
	for _, f := range lossless {
		t.Run(string(f), func(t *testing.T) {
			images := append(realImages(t), sample(), &inventory.Image{}, &inventory.Image{Reference: "x", Packages: []inventory.Package{{Type: "npm", Name: "a"}}})
			r := rand.New(rand.NewPCG(1, 2))
			for range 60 {
				images = append(images, random(r, 20))
			}
			for i, img := range images {
				doc := write(t, f, img)
				got, format, err := Read(bytes.NewReader(doc), Limits{})
				if err != nil {
					t.Fatalf("image %d: %v\n%.3000s", i, err, doc)
				}
				if format != f {
					t.Fatalf("image %d: format %q", i, format)
				}
				if d := sameImage(img, got); d != "" {
					t.Fatalf("image %d (-want +got):\n%s", i, d)
				}
				again := write(t, f, got)
				if f == JSON && !bytes.Equal(doc, again) {
					t.Errorf("image %d: written again it differs", i)
				}
			}
		})
	}
}

func TestRoundTripDetails(t *testing.T) {
	for _, f := range lossless {
		got, _, err := Read(bytes.NewReader(write(t, f, sample())), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		byName := make(map[string]inventory.Package)
		for _, p := range got.Packages {
			byName[p.Type+"/"+p.Name+"@"+p.Version] = p
		}
		core := byName["npm/core@7.0.0"]
		if want := strings.Repeat("ab", 64); core.Hashes["sha512"] != want {
			t.Errorf("%s: hashes %v", f, core.Hashes)
		}
		if want := 3; len(core.CPEs) != want {
			t.Errorf("%s: CPEs %q", f, core.CPEs)
		}
		std := byName["deb/libstdc++6@12.2.0-14+deb12u1"]
		if std.Description != "GNU Standard C++ Library v3" {
			t.Errorf("%s: description %q", f, std.Description)
		}
		if f != JSON {
			if want := []string{"libc6", "libgcc"}; !slices.Equal(std.Depends, want) {
				t.Errorf("%s: depends %q, want %q", f, std.Depends, want)
			}
			if want := []string{"dep"}; !slices.Equal(core.Depends, want) {
				t.Errorf("%s: depends %q, want %q", f, core.Depends, want)
			}
		}
	}
}

// The nested version of a dependency is the one that is used.
func TestDependencyNearest(t *testing.T) {
	c := newCatalog(sample())
	deps := c.dependencies()
	for i, p := range c.packages {
		if p.Name == "core" {
			if len(deps[i]) != 1 || c.packages[deps[i][0]].Version != "2.0.0" {
				t.Errorf("@babel/core depends on %v", deps[i])
			}
		}
	}
}

func TestSameBytes(t *testing.T) {
	for _, f := range Formats() {
		if a, b := write(t, f, sample()), write(t, f, sample()); !bytes.Equal(a, b) {
			t.Errorf("%s differs from one time to the next", f)
		}
	}
}

func TestRefsAreUnique(t *testing.T) {
	c := newCatalog(sample())
	seen := make(map[string]bool)
	suffixed := 0
	for i, ref := range c.refs {
		if seen[ref] {
			t.Errorf("reference %s occurs twice", ref)
		}
		seen[ref] = true
		if ref != c.purls[i] {
			suffixed++
		}
	}
	if suffixed != 4 { // busybox twice, dep@1.0.0 installed and declared
		t.Errorf("%d references have a suffix, want 4", suffixed)
	}
}

func TestImagePURL(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	tests := []struct{ ref, want string }{
		{"debian:12", "pkg:oci/debian@%s?arch=amd64&repository_url=docker.io%%2Flibrary%%2Fdebian&tag=12"},
		{"registry:ghcr.io/Foo/Bar@sha256:abc", "pkg:oci/bar@%s?arch=amd64&repository_url=ghcr.io%%2FFoo%%2FBar"},
		{"localhost:5000/a/b", "pkg:oci/b@%s?arch=amd64&repository_url=localhost:5000%%2Fa%%2Fb"},
		{"docker-archive:/tmp/image.tar", "pkg:oci/image.tar@%s?arch=amd64"},
		{"", ""},
	}
	for _, tt := range tests {
		img := &inventory.Image{Reference: tt.ref, Digest: inventory.Digest(digest), Config: inventory.Config{Architecture: "amd64"}}
		want := tt.want
		if want != "" {
			want = fmt.Sprintf(want, digest)
		}
		if got := ImagePURL(img); got != want {
			t.Errorf("ImagePURL(%q) = %s, want %s", tt.ref, got, want)
		}
	}
}
