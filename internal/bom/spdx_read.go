package bom

import (
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// spdxReader reads SPDX 2.2 and 2.3, in whichever form.
type spdxReader struct {
	b         *builder
	name      string // of the document
	described []string
	extracted map[string]string
	pending   []spdxPending
	roots     map[string]int // SPDXID of a package without package URL to its index
}

// spdxPending are the licences of a package: the texts they refer to may
// stand behind it in the document.
type spdxPending struct {
	pkg                 int
	declared, concluded string
}

// spdxFound is what a document says of one package.
type spdxFound struct {
	id, name, version, supplier, originator, homepage, purpose, summary, description string
	declared, concluded, purl, sourceInfo                                            string
	cpes                                                                             []string
	checksums                                                                        []spdxChecksum
	comments                                                                         []string // of annotations
}

func (x *spdxReader) packages(s *scanner) error {
	return s.array(func(int) error {
		if err := x.b.count(); err != nil {
			return s.errorf("%w", err)
		}
		var f spdxFound
		err := s.object(func(key string) error { return f.field(s, key) })
		if err != nil {
			return err
		}
		if err := x.take(&f); err != nil {
			return s.errorf("%w", err)
		}
		return nil
	})
}

func (f *spdxFound) field(s *scanner, key string) error {
	switch key {
	case "SPDXID":
		return s.strTo(&f.id)
	case "name":
		return s.strTo(&f.name)
	case "versionInfo":
		return s.strTo(&f.version)
	case "supplier":
		return s.strTo(&f.supplier)
	case "originator":
		return s.strTo(&f.originator)
	case "homepage":
		return s.strTo(&f.homepage)
	case "primaryPackagePurpose":
		return s.strTo(&f.purpose)
	case "summary":
		return s.strTo(&f.summary)
	case "description":
		return s.strTo(&f.description)
	case "sourceInfo":
		return s.strTo(&f.sourceInfo)
	case "licenseDeclared":
		return s.strTo(&f.declared)
	case "licenseConcluded":
		return s.strTo(&f.concluded)
	case "checksums":
		return s.array(func(int) error {
			var c spdxChecksum
			err := s.object(func(key string) error {
				switch key {
				case "algorithm":
					return s.strTo(&c.Algorithm)
				case "checksumValue":
					return s.strTo(&c.Value)
				}
				return s.skip()
			})
			f.checksums = append(f.checksums, c)
			return err
		})
	case "externalRefs":
		return s.array(func(int) error {
			var e spdxExternal
			err := s.object(func(key string) error {
				switch key {
				case "referenceType":
					return s.strTo(&e.Type)
				case "referenceLocator":
					return s.strTo(&e.Locator)
				}
				return s.skip()
			})
			f.external(e)
			return err
		})
	case "annotations":
		return s.array(func(int) error {
			return s.object(func(key string) error {
				if key != "comment" {
					return s.skip()
				}
				c, err := s.str()
				if strings.HasPrefix(c, propPrefix) {
					f.comments = append(f.comments, c)
				}
				return err
			})
		})
	}
	return s.skip()
}

// external takes a reference. Some tools write the type as a URL that ends
// in its name.
func (f *spdxFound) external(e spdxExternal) {
	switch e.Type[strings.LastIndexByte(e.Type, '/')+1:] {
	case "purl":
		if f.purl == "" {
			f.purl = e.Locator
		}
	case "cpe22Type", "cpe23Type":
		f.cpes = append(f.cpes, e.Locator)
	}
}

func (x *spdxReader) relationships(s *scanner) error {
	return s.array(func(int) error {
		var r spdxRelation
		err := s.object(func(key string) error {
			switch key {
			case "spdxElementId":
				return s.strTo(&r.From)
			case "relationshipType":
				return s.strTo(&r.Type)
			case "relatedSpdxElement":
				return s.strTo(&r.To)
			}
			return s.skip()
		})
		if err != nil {
			return err
		}
		if err := x.relationship(r); err != nil {
			return s.errorf("%w", err)
		}
		return nil
	})
}

func (x *spdxReader) relationship(r spdxRelation) error {
	switch r.Type {
	case "DESCRIBES":
		x.described = append(x.described, r.To)
		return x.b.relate()
	case "DESCRIBED_BY":
		x.described = append(x.described, r.From)
		return x.b.relate()
	case "DEPENDS_ON":
		return x.b.depends(r.From, r.To)
	case "DEPENDENCY_OF", "RUNTIME_DEPENDENCY_OF":
		return x.b.depends(r.To, r.From)
	}
	return nil
}

func (x *spdxReader) licenses(s *scanner) error {
	return s.array(func(int) error {
		var l spdxLicense
		err := s.object(func(key string) error {
			switch key {
			case "licenseId":
				return s.strTo(&l.ID)
			case "extractedText":
				return s.strTo(&l.Text)
			case "name":
				return s.optional(&l.Name)
			}
			return s.skip()
		})
		x.license(l)
		return err
	})
}

// license keeps a licence of the document: by its name where the text is
// none, or a whole licence.
func (x *spdxReader) license(l spdxLicense) {
	const longest = 4096
	if x.extracted == nil {
		x.extracted = make(map[string]string)
	}
	text := strings.TrimSpace(l.Text)
	if text == "" || text == noAssertion || len(text) > longest {
		text = l.Name
	}
	x.extracted[l.ID] = text
}

// take makes of a package element what it stands for.
func (x *spdxReader) take(f *spdxFound) error {
	var props properties
	own := false
	for _, c := range f.comments {
		ps, ok, err := decodeProperties(c)
		if err != nil {
			return fmt.Errorf("package %q: %w", f.id, err)
		}
		own = own || ok
		props = append(props, ps...)
	}
	img := x.b.img
	switch {
	case f.purpose == "CONTAINER" || strings.HasPrefix(f.purl, "pkg:oci/") || strings.HasPrefix(f.purl, "pkg:docker/"):
		for _, p := range props {
			x.b.ours = true
			if err := setImage(img, p.Name, p.Value); err != nil {
				return err
			}
		}
		if !x.b.ours {
			readImageName(img, f.name, f.version, f.purl)
		}
		return nil
	case strings.ReplaceAll(f.purpose, "-", "_") == "OPERATING_SYSTEM":
		if img.Distro == nil && f.name != "" {
			img.Distro = &inventory.Distro{ID: f.name, Version: f.version, PrettyName: f.summary}
			if len(f.cpes) > 0 {
				img.Distro.CPE = f.cpes[0]
			}
		}
		return nil
	case f.purl == "" && !own && (strings.HasPrefix(f.id, "SPDXRef-Application-") || f.purpose == "FILE"):
		return nil // Trivy's name of a lock file, Syft's of a file
	}
	p := x.b.identify(identity{purl: f.purl, name: f.name, version: f.version})
	p.Layer = -1
	p.CPEs = f.cpes
	p.Supplier = readAgent(f.supplier)
	if p.Supplier == "" {
		p.Supplier = readAgent(f.originator)
	}
	p.Homepage = WebAddress(f.homepage)
	p.Description = f.summary
	if p.Description == "" {
		p.Description, _, _ = strings.Cut(f.description, "\n")
	}
	for _, c := range f.checksums {
		setHash(&p, c.Algorithm, c.Value)
	}
	r := packageReader{p: &p}
	for _, prop := range props {
		if err := r.set(prop.Name, prop.Value); err != nil {
			return fmt.Errorf("package %q: %w", f.id, err)
		}
	}
	if p.Name == "" && !own {
		x.b.problem("package %q has no name", f.id)
		return nil
	}
	if !own {
		p.Locations = syftPlaces(f.sourceInfo)
		guessed(&p)
	}
	if f.purl == "" && !own {
		if x.roots == nil {
			x.roots = make(map[string]int)
		}
		x.roots[f.id] = len(x.b.packages)
	}
	if !r.licensed {
		x.pending = append(x.pending, spdxPending{len(x.b.packages), f.declared, f.concluded})
	}
	x.b.add(f.id, p)
	return nil
}

// finish joins what stood in different places of the document.
func (x *spdxReader) finish() error {
	b := x.b
	for _, l := range x.pending {
		b.packages[l.pkg].Licenses = readSPDXLicenses(l.declared, l.concluded, x.extracted)
	}
	// What the document describes is its subject, not a package of it, when
	// nothing but a name is said of it.
	for _, id := range x.described {
		if i, ok := x.roots[id]; ok && len(b.packages) > 1 {
			readImageName(b.img, b.packages[i].Name, b.packages[i].Version, "")
			b.drop(i)
		}
	}
	if b.img.Reference == "" && !b.ours {
		b.img.Reference = x.name
	}
	return nil
}
