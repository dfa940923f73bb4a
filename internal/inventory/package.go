package inventory

import (
	"cmp"
	"strings"
)

// State says whether a package is there or only spoken of.
type State string

const (
	Installed State = ""         // its files are in the image
	Declared  State = "declared" // a lock file or manifest names it; nothing says it is installed
)

// Package is one package. Type, namespace, name, version, architecture,
// distribution stream and source are its key in the fleet; paths, licences,
// evidence and owner belong to its occurrences in an image.
//
// Analyzers fill the fields up to Meta; Layer, Locations and Owner are
// [Squash]'s.
type Package struct {
	Type      string `json:"type"` // purl type: deb, rpm, apk, npm, pypi, gem, maven, golang …
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"` // whole: epoch:version-release
	Arch      string `json:"arch,omitempty"`    // as the package's database writes it

	Source        string `json:"source,omitempty"` // source package, where it has another name or version
	SourceVersion string `json:"sourceVersion,omitempty"`
	Module        string `json:"module,omitempty"` // rpm modularity label NAME:STREAM:VERSION:CONTEXT

	State State  `json:"state,omitempty"`
	Scope string `json:"scope,omitempty"` // dev, test, optional … of a declared package

	Qualifiers map[string]string `json:"qualifiers,omitempty"` // further purl qualifiers
	Subpath    string            `json:"subpath,omitempty"`

	Licenses    []License `json:"licenses,omitempty"`
	Supplier    string    `json:"supplier,omitempty"` // maintainer, vendor or author, as written
	Homepage    string    `json:"homepage,omitempty"`
	Description string    `json:"description,omitempty"` // first line only

	// Path is the file that makes the package exist: its database or metadata
	// file, its archive, its binary. Inner is the way inside an archive,
	// "BOOT-INF/lib/a.jar!META-INF/maven/g/a/pom.properties"; "" outside.
	Path  string `json:"path"`
	Inner string `json:"inner,omitempty"`

	Technique  string            `json:"technique,omitempty"`  // how it was found; see the constants
	Confidence float64           `json:"confidence,omitempty"` // 0 to 1; 0 means certain
	Depends    []string          `json:"depends,omitempty"`    // names, as the database writes them
	Hashes     map[string]string `json:"hashes,omitempty"`     // algorithm (sha1, sha256, md5, sha512) to lower-case hex, of the package's archive
	Size       int64             `json:"size,omitempty"`       // installed size in bytes, as the database says
	Files      FileList          `json:"files,omitzero"`       // files it owns; an entry that ends in "/" owns everything below
	CPEs       []string          `json:"cpes,omitempty"`
	Meta       map[string]string `json:"meta,omitempty"` // what else its format says; keys are the format's own

	// Distro is the distribution stream "ID:VERSION" of an OS package.
	Distro    string     `json:"distro,omitempty"`
	Layer     int        `json:"layer"` // index of the layer that brought it
	Locations []Location `json:"locations,omitempty"`
	// Owner is the OS package whose file list holds every location of this
	// one: "deb/python3-yaml". Such a package answers to its distribution.
	Owner string `json:"owner,omitempty"`
}

// How a package was found.
const (
	TechDatabase  = "package database"
	TechMetadata  = "installed metadata" // METADATA, package.json, gemspec, installed.json
	TechManifest  = "archive manifest"   // MANIFEST.MF, assembly header
	TechPom       = "pom.properties"
	TechFileName  = "file name"
	TechBanner    = "comment in the file"
	TechBuildInfo = "build information" // Go, cargo-auditable
	TechLockFile  = "lock file"
	TechSignature = "binary signature"
	TechSBOM      = "SBOM"
	TechHash      = "hash"
	TechHint      = "hint" // the image's own content hints
)

// Location is one place where a package occurs.
type Location struct {
	Path      string `json:"path"`
	Inner     string `json:"inner,omitempty"`
	Layer     int    `json:"layer"` // the layer that brought it there
	Analyzer  string `json:"analyzer,omitempty"`
	Technique string `json:"technique,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Hidden    bool   `json:"hidden,omitempty"` // a layer above replaced or removed it; only in an all-layers inventory
}

// ID identifies the package by type, namespace, name, version and
// architecture: what "identical package" means across layers.
func (p *Package) ID() string {
	var b strings.Builder
	b.Grow(len(p.Type) + len(p.Namespace) + len(p.Name) + len(p.Version) + len(p.Arch) + len(p.Module) + len(p.State) + len(p.Subpath) + 8)
	for i, s := range [...]string{p.Type, p.Namespace, p.Name, p.Version, p.Arch, p.Module, string(p.State), p.Subpath} {
		if i > 0 {
			b.WriteByte(0)
		}
		b.WriteString(s)
	}
	return b.String()
}

// OS reports whether an operating system's package manager installed it.
func (p *Package) OS() bool { return OSType(p.Type) }

// OSType reports whether t is the type of an operating system's packages.
func OSType(t string) bool {
	switch t {
	case "deb", "rpm", "apk", "alpm", "ebuild", "opkg", "qpkg":
		return true
	}
	return false
}

// ComparePackages orders packages for output: by type, namespace, name,
// version, architecture and path.
func ComparePackages(a, b *Package) int {
	if d := strings.Compare(a.Type, b.Type); d != 0 {
		return d
	}
	if d := strings.Compare(a.Namespace, b.Namespace); d != 0 {
		return d
	}
	if d := strings.Compare(a.Name, b.Name); d != 0 {
		return d
	}
	return cmp.Or(
		strings.Compare(a.Version, b.Version),
		strings.Compare(a.Arch, b.Arch),
		strings.Compare(string(a.State), string(b.State)),
		strings.Compare(a.Module, b.Module),
		strings.Compare(a.Subpath, b.Subpath),
		strings.Compare(a.Path, b.Path),
		strings.Compare(a.Inner, b.Inner),
	)
}
