// Package sbomfile reads bills of materials that lie in an image. The formats
// are package bom's business.
package sbomfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads documents in CycloneDX and SPDX: NAME.cdx.json, NAME.cdx.xml,
// NAME.spdx, NAME.spdx.json, .spdx.NAME.json, bom.json, bom.xml, sbom.json,
// and any below a folder share/sbom or var/lib/db/sbom.
//
// A document lists what someone built, not what is in this image; its packages
// are declared. The exception are Bitnami's, opt/bitnami/…/.spdx-NAME.spdx,
// which lie beside what they describe: packages of type "bitnami" in them are
// installed.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "sbomfile" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const maxComponents = 100_000

type kind uint8

const (
	none    kind = iota
	maybe        // anything may have such a name
	sure         // nothing else has such a name
	bitnami      // of an installed component
)

func kindOf(p string) kind {
	if !strings.HasSuffix(p, ".json") && !strings.HasSuffix(p, ".spdx") && !strings.HasSuffix(p, ".xml") {
		return none
	}
	dir, base := "", p
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		dir, base = p[:i], p[i+1:]
	}
	k := named(p, dir, base)
	if k != bitnami && k != none && analyze.Foreign(p) {
		return none
	}
	return k
}

// named tells by its name what a file may be.
func named(p, dir, base string) kind {
	switch {
	case strings.HasPrefix(base, ".spdx-") && strings.HasSuffix(base, ".spdx") && (strings.HasPrefix(p, "opt/bitnami/") || strings.Contains(p, "/opt/bitnami/")):
		return bitnami
	case strings.HasSuffix(base, ".cdx.json"), strings.HasSuffix(base, ".cdx.xml"), strings.HasSuffix(base, ".spdx.json"):
		return sure
	case strings.HasPrefix(base, ".spdx.") && strings.HasSuffix(base, ".json"):
		return sure
	case strings.HasSuffix(base, ".spdx"), base == "bom.json", base == "bom.xml", base == "sbom.json", base == "sbom.xml":
		return maybe
	}
	for _, d := range [...]string{"share/sbom", "var/lib/db/sbom"} {
		if rest, ok := strings.CutSuffix(dir, d); ok && (rest == "" || rest[len(rest)-1] == '/') {
			return maybe
		}
	}
	return none
}

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if kindOf(e.Path) != none {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k := kindOf(f.Path)
		if k == none && err == nil {
			continue
		}
		if err == nil {
			err = read(f, k, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

func read(f *analyze.File, k kind, out *inventory.Record) error {
	if f.Size > analyze.MaxText {
		if k == maybe {
			return nil
		}
		return &analyze.TooLargeError{Path: f.Path, Size: f.Size, Limit: analyze.MaxText}
	}
	if k == maybe {
		is, err := document(f)
		if err != nil || !is {
			return err
		}
	}
	doc, _, err := bom.Read(f.Reader(), bom.Limits{Bytes: analyze.MaxText, Components: maxComponents})
	if err != nil {
		return err
	}
	for _, list := range [...][]inventory.Package{doc.Packages, doc.Declared} {
		for i := range list {
			add(f.Path, k, &list[i], out)
		}
	}
	for _, p := range doc.Problems {
		p.Analyzer, p.Path, p.Layer = out.Analyzer, f.Path, 0
		out.Problems = append(out.Problems, p)
	}
	return nil
}

// document reports whether a file begins like a bill of materials.
func document(f *analyze.File) (bool, error) {
	head := make([]byte, min(f.Size, 16<<10))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	s := string(head)
	for _, mark := range [...]string{`"bomFormat"`, `"spdxVersion"`, "SPDXVersion:", "cyclonedx.org/schema", "spdx.org/rdf/3"} {
		if strings.Contains(s, mark) {
			return true, nil
		}
	}
	return false, nil
}

// add appends a package as a fact of the document's path; where in its own
// image the document saw it is of no use here.
func add(file string, k kind, p *inventory.Package, out *inventory.Record) {
	if !analyze.ValidName(p.Name) || p.Version != "" && !analyze.ValidName(p.Version) {
		return
	}
	p.Path, p.Inner, p.Technique, p.State = file, "", inventory.TechSBOM, inventory.Declared
	p.Locations, p.Owner, p.Layer, p.Files, p.Distro = nil, "", 0, inventory.FileList{}, ""
	if k == bitnami && p.Type == "bitnami" {
		p.State = inventory.Installed
		// common/ holds the documents of several components
		if dir := path.Dir(file); path.Base(dir) == p.Name {
			p.Files = inventory.NewFileList([]string{dir + "/"})
		}
	}
	out.Packages = append(out.Packages, *p)
}
