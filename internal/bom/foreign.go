package bom

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// foreignReader understands what other tools say in CycloneDX properties:
// Syft's "syft:…" and Trivy's "aquasecurity:trivy:…".
type foreignReader struct {
	b *builder
	// Of the package being read: its places, and Trivy's parts of its source.
	places        []foreignPlace
	path, diffID  string
	source        string
	sourceEpoch   string
	sourceVersion string
	sourceRelease string
}

type foreignPlace struct{ number, path, diffID string }

const (
	syftPrefix  = "syft:"
	trivyPrefix = "aquasecurity:trivy:"
)

// packageType is the package URL type that properties name.
func (f *foreignReader) packageType(ps properties) string {
	for _, p := range ps {
		switch p.Name {
		case syftPrefix + "package:type":
			return syftType(p.Value)
		case trivyPrefix + "PkgType":
			return trivyType(p.Value)
		}
	}
	return ""
}

// aggregate reports whether a component stands for a lock file or a kind of
// packages, as Trivy writes them, and not for a package.
func (f *foreignReader) aggregate(c *cdxComponent) bool {
	if c.PURL != "" {
		return false
	}
	for _, p := range c.Properties {
		if p.Name == trivyPrefix+"Class" {
			return true
		}
	}
	return false
}

func (f *foreignReader) image(name, value string) {
	name, ok := strings.CutPrefix(name, trivyPrefix)
	if !ok {
		return
	}
	img := f.b.img
	switch name {
	case "DiffID":
		img.Layers = append(img.Layers, inventory.LayerInfo{DiffID: inventory.Digest(value)})
	case "ImageID":
		if isDigest(value) {
			img.ConfigDigest = inventory.Digest(value)
		}
	case "RepoTag":
		img.Tags = append(img.Tags, value)
	case "RepoDigest":
		if _, d, ok := strings.Cut(value, "@"); ok && img.Digest == "" && isDigest(d) {
			img.Digest = inventory.Digest(d)
		}
	}
}

func (f *foreignReader) distro(d *inventory.Distro, ps properties) {
	for _, p := range ps {
		switch p.Name {
		case "syft:distro:id":
			d.ID = p.Value
		case "syft:distro:versionID":
			d.Version = p.Value
		case "syft:distro:prettyName":
			d.PrettyName = p.Value
		case "syft:distro:versionCodename":
			d.Codename = p.Value
		}
	}
}

// set takes one property of a package.
func (f *foreignReader) set(p *inventory.Package, name, value string) {
	if rest, ok := strings.CutPrefix(name, "syft:location:"); ok {
		number, what, _ := strings.Cut(rest, ":")
		if n := len(f.places); n == 0 || f.places[n-1].number != number {
			f.places = append(f.places, foreignPlace{number: number})
		}
		switch at := &f.places[len(f.places)-1]; what {
		case "path":
			at.path = strings.TrimPrefix(value, "/")
		case "layerID":
			at.diffID = value
		}
		return
	}
	switch name {
	case "syft:metadata:source", "syft:metadata:originPackage":
		f.source = value
	case "syft:metadata:sourceVersion":
		f.sourceVersion = value
	case "syft:cpe23":
		p.CPEs = append(p.CPEs, value)
	case trivyPrefix + "FilePath":
		f.path = strings.TrimPrefix(value, "/")
	case trivyPrefix + "LayerDiffID":
		f.diffID = value
	case trivyPrefix + "SrcName":
		f.source = value
	case trivyPrefix + "SrcVersion":
		f.sourceVersion = value
	case trivyPrefix + "SrcRelease":
		f.sourceRelease = value
	case trivyPrefix + "SrcEpoch":
		f.sourceEpoch = value
	case trivyPrefix + "Modularitylabel":
		p.Module = value
	}
	f.setSource(p)
}

// setSource puts the parts of the source package together, if it is another
// one than the package itself.
func (f *foreignReader) setSource(p *inventory.Package) {
	if f.source == "" || !p.OS() {
		return
	}
	version := f.sourceVersion
	if f.sourceRelease != "" {
		version += "-" + f.sourceRelease
	}
	if f.sourceEpoch != "" && f.sourceEpoch != "0" {
		version = f.sourceEpoch + ":" + version
	}
	if version == p.Version {
		version = ""
	}
	p.Source, p.SourceVersion = f.source, version
	if p.Source == p.Name && version == "" {
		p.Source = ""
	}
}

// place gives the package at index its locations.
func (f *foreignReader) place(index int) {
	p := &f.b.packages[index]
	if f.path != "" || f.diffID != "" {
		f.places = append(f.places, foreignPlace{path: f.path, diffID: f.diffID})
	}
	for _, at := range f.places {
		location := -1
		if at.path != "" {
			location = len(p.Locations)
			p.Locations = append(p.Locations, inventory.Location{Path: at.path, Layer: -1})
			if p.Path == "" {
				p.Path = at.path
			}
		}
		if at.diffID != "" {
			f.b.located = append(f.b.located, located{index, location, at.diffID})
			if p.Path == at.path {
				f.b.located = append(f.b.located, located{index, -1, at.diffID})
			}
		}
	}
}

// syftPlaces reads the files from Syft's words of where it found a package:
// "acquired package info from DPKG DB: /a, /b".
func syftPlaces(sourceInfo string) []inventory.Location {
	rest, ok := strings.CutPrefix(sourceInfo, "acquired package info from ")
	if !ok {
		return nil
	}
	_, list, ok := strings.Cut(rest, ": /")
	if !ok {
		return nil
	}
	var out []inventory.Location
	for path := range strings.SplitSeq(list, ", /") {
		out = append(out, inventory.Location{Path: path, Layer: -1})
	}
	return out
}

// syftType is the package URL type of one of Syft's package types.
func syftType(t string) string {
	switch t {
	case "python":
		return "pypi"
	case "java-archive", "jenkins-plugin", "graalvm-native-image":
		return "maven"
	case "go-module":
		return "golang"
	case "rust-crate":
		return "cargo"
	case "php-composer":
		return "composer"
	case "dotnet":
		return "nuget"
	case "dart-pub":
		return "pub"
	case "pod":
		return "cocoapods"
	case "R-package":
		return "cran"
	case "portage":
		return "ebuild"
	case "lua-rocks":
		return "luarocks"
	case "erlang-otp":
		return "otp"
	case "github-action", "github-action-workflow":
		return "github"
	case "deb", "rpm", "apk", "alpm", "npm", "gem", "hex", "conan", "conda", "hackage", "swift", "nix", "opam", "bitnami":
		return t
	}
	return "generic"
}

// trivyType is the package URL type of one of Trivy's package types.
func trivyType(t string) string {
	switch t {
	case "debian", "ubuntu":
		return "deb"
	case "alpine", "wolfi", "chainguard":
		return "apk"
	case "redhat", "centos", "rocky", "alma", "fedora", "amazon", "oracle", "photon", "azurelinux", "cbl-mariner", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "suse linux enterprise server", "sles":
		return "rpm"
	case "python-pkg", "pip", "pipenv", "poetry", "uv":
		return "pypi"
	case "node-pkg", "npm", "yarn", "pnpm", "bun":
		return "npm"
	case "jar", "pom", "gradle-lockfile", "sbt-lockfile":
		return "maven"
	case "gemspec", "bundler":
		return "gem"
	case "gobinary", "gomod":
		return "golang"
	case "rustbinary", "cargo":
		return "cargo"
	case "composer", "composer-vendor":
		return "composer"
	case "nuget", "dotnet-core", "packages-props":
		return "nuget"
	case "conda-pkg", "conda-environment":
		return "conda"
	case "mix-lock":
		return "hex"
	case "cocoapods", "swift", "conan", "pub", "julia":
		return t
	}
	return ""
}
