// Package inventory says what is inside a container image: files, packages,
// licences, binaries and what could not be read, per layer and for the whole
// image. It holds values and pure functions; reading layers is package
// analyze's work.
//
// An analyzer learns facts from one layer and writes them into a [Record].
// The file table of the layer is a [Table]. [Squash] makes an [Image] out of
// layers by one rule: an entry above replaces the entry of the same path
// below, and everything that was learned from it.
package inventory

import "encoding/json"

// Digest is an OCI digest, "sha256:" and 64 hexadecimal digits.
type Digest string

// Layer is what one layer holds: its file table and a record per analyzer.
type Layer struct {
	DiffID  Digest // digest of the uncompressed tar
	Files   *Table
	Records []Record // ordered by Analyzer; one each
}

// Record is everything one analyzer learned from one layer. Analyzers append
// to it; paths are those of [File.Path]. It is kept under (DiffID, Analyzer,
// Version, Config) and never changed afterwards.
type Record struct {
	Analyzer string `json:"analyzer"`
	Version  int    `json:"version"`
	Config   string `json:"config,omitempty"` // digest of the analyzer's configuration; "" where it has none

	Packages []Package     `json:"packages,omitempty"`
	Owned    []Ownership   `json:"owned,omitempty"`
	Diverted []Diversion   `json:"diverted,omitempty"`
	Distros  []Distro      `json:"distros,omitempty"`
	Licenses []LicenseFile `json:"licenses,omitempty"`
	Binaries []Binary      `json:"binaries,omitempty"`
	Facts    []Fact        `json:"facts,omitempty"`
	Problems []Problem     `json:"problems,omitempty"`

	// Forget: the analyzer failed for a reason that lies not in the files
	// alone. The record counts once and is not kept.
	Forget bool `json:"-"`
}

// Ownership lists files of a package whose own entry stands in another file:
// dpkg keeps "var/lib/dpkg/info/NAME.list" beside its status file.
type Ownership struct {
	Path  string   `json:"path"`           // the list
	Type  string   `json:"type"`           // type of the owning package
	Name  string   `json:"name"`           // its name
	Arch  string   `json:"arch,omitempty"` // its architecture, where the list says one
	Files FileList `json:"files"`
}

// Diversion says that dpkg puts a file of its packages elsewhere: see
// dpkg-divert(1). Only package By, if any, keeps the path as it is.
type Diversion struct {
	Path string `json:"path"`         // the database of diversions
	From string `json:"from"`         // the path in the packages
	To   string `json:"to"`           // where the file lies instead
	By   string `json:"by,omitempty"` // package; "" where the administrator diverted it, from all packages
}

// Distro is the distribution a file identifies, in the words of os-release(5).
type Distro struct {
	Path       string   `json:"path"`
	ID         string   `json:"id"`
	IDLike     []string `json:"idLike,omitempty"`
	Version    string   `json:"version,omitempty"` // VERSION_ID
	Codename   string   `json:"codename,omitempty"`
	Name       string   `json:"name,omitempty"`       // NAME
	PrettyName string   `json:"prettyName,omitempty"` // PRETTY_NAME
	Variant    string   `json:"variant,omitempty"`    // VARIANT_ID
	CPE        string   `json:"cpe,omitempty"`        // CPE_NAME
	Support    string   `json:"supportEnd,omitempty"` // SUPPORT_END, a date
	Build      string   `json:"build,omitempty"`      // BUILD_ID, of rolling distributions
}

// LicenseFile is a licence text or statement that a file holds. Package names
// the package it speaks of where the path says so (usr/share/doc/NAME/copyright).
type LicenseFile struct {
	Path        string    `json:"path"`
	Inner       string    `json:"inner,omitempty"` // way inside an archive, as of packages
	PackageType string    `json:"packageType,omitempty"`
	Package     string    `json:"package,omitempty"`
	Licenses    []License `json:"licenses"`
	Layer       int       `json:"layer"` // set by Squash
}

// License is one licence of a package.
type License struct {
	Expression string  `json:"expression,omitempty"` // SPDX expression; "" where the text could not be normalised
	Raw        string  `json:"raw,omitempty"`        // as the package says it, where that differs
	Source     string  `json:"source,omitempty"`     // declared (metadata) or detected (from a text)
	Confidence float64 `json:"confidence,omitempty"` // of a detected one, 0 to 1
}

// Binary is what an executable says of itself.
type Binary struct {
	Path     string    `json:"path"`
	Arch     string    `json:"arch,omitempty"` // as in OCI: amd64, arm64 …
	Type     string    `json:"type,omitempty"` // executable, library
	BuildID  string    `json:"buildID,omitempty"`
	SOName   string    `json:"soname,omitempty"`
	Needed   []string  `json:"needed,omitempty"`
	Static   bool      `json:"static,omitempty"`
	Language string    `json:"language,omitempty"` // go, rust … where it shows
	Products []Package `json:"products,omitempty"` // what signatures say it is; dropped when a package owns the file

	Layer int   `json:"layer"`          // set by Squash
	Size  int64 `json:"size,omitempty"` // set by Squash, bytes
}

// Fact is any further thing an analyzer learned; Kind names its shape and
// Data is a JSON object of that shape.
type Fact struct {
	Kind string          `json:"kind"`
	Path string          `json:"path"`
	Data json.RawMessage `json:"data"`

	Layer  int  `json:"layer"`            // set by Squash
	Hidden bool `json:"hidden,omitempty"` // set by Squash: a layer above replaced or removed the file
}

// ContentSetsKind is the kind of the facts with [ContentSets].
const ContentSetsKind = "content-sets"

// ContentSets names the repositories that Red Hat's packages of a layer, and of
// those below it that have no such fact, were installed from.
type ContentSets struct {
	Sets []string `json:"contentSets"` // sorted
}

// Problem is something that could not be read, or not wholly.
type Problem struct {
	Analyzer string `json:"analyzer,omitempty"`
	Path     string `json:"path,omitempty"`
	Layer    int    `json:"layer"`           // set by Squash; -1 where it concerns the whole image
	Limit    string `json:"limit,omitempty"` // name of the limit that was reached
	Message  string `json:"message"`
}
