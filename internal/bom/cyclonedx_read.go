package bom

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// cdxMetadata reads what the document is about.
func (b *builder) cdxMetadata(s *scanner) error {
	return s.object(func(key string) error {
		if key == "component" {
			return b.cdxComponent(s, true)
		}
		return s.skip()
	})
}

func (b *builder) cdxComponents(s *scanner) error {
	return s.array(func(int) error { return b.cdxComponent(s, false) })
}

// cdxComponent reads a component and those inside it.
func (b *builder) cdxComponent(s *scanner, root bool) error {
	if err := b.count(); err != nil {
		return s.errorf("%w", err)
	}
	var c cdxComponent
	err := s.object(func(key string) error {
		switch key {
		case "type":
			return s.strTo(&c.Type)
		case "bom-ref":
			return s.strTo(&c.Ref)
		case "supplier":
			return s.object(func(key string) error {
				if key != "name" {
					return s.skip()
				}
				c.Supplier = new(cdxOrg)
				return s.strTo(&c.Supplier.Name)
			})
		case "author":
			return s.optional(&c.Author)
		case "publisher":
			return s.optional(&c.Publisher)
		case "group":
			return s.strTo(&c.Group)
		case "name":
			return s.strTo(&c.Name)
		case "version":
			return s.strTo(&c.Version)
		case "description":
			return s.strTo(&c.Description)
		case "scope":
			return s.strTo(&c.Scope)
		case "cpe":
			return s.strTo(&c.CPE)
		case "purl":
			return s.strTo(&c.PURL)
		case "hashes":
			return s.array(func(int) error {
				var h cdxHash
				err := s.object(func(key string) error {
					switch key {
					case "alg":
						return s.strTo(&h.Alg)
					case "content":
						return s.strTo(&h.Content)
					}
					return s.skip()
				})
				c.Hashes = append(c.Hashes, h)
				return err
			})
		case "licenses":
			c.Licenses = new(cdxLicenses)
			return s.array(func(int) error { return cdxLicenseChoice(s, c.Licenses) })
		case "externalReferences":
			return s.array(func(int) error {
				var r cdxReference
				err := s.object(func(key string) error {
					switch key {
					case "type":
						return s.strTo(&r.Type)
					case "url":
						return s.optional(&r.URL)
					}
					return s.skip()
				})
				if r.Type == "website" {
					c.References = append(c.References, r)
				}
				return err
			})
		case "properties":
			return s.array(func(int) error {
				var p property
				err := s.object(func(key string) error {
					switch key {
					case "name":
						return s.strTo(&p.Name)
					case "value":
						return s.strTo(&p.Value)
					}
					return s.skip()
				})
				c.Properties = append(c.Properties, p)
				return err
			})
		case "evidence":
			return b.cdxEvidence(s, &c)
		case "components":
			return b.cdxComponents(s)
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	if err := b.takeComponent(&c, root); err != nil {
		return s.errorf("%w", err)
	}
	return nil
}

func cdxLicenseChoice(s *scanner, l *cdxLicenses) error {
	return s.object(func(key string) error {
		switch key {
		case "license":
			var c cdxLicense
			err := s.object(func(key string) error {
				switch key {
				case "id":
					return s.strTo(&c.ID)
				case "name":
					return s.strTo(&c.Name)
				case "acknowledgement":
					return s.strTo(&c.Acknowledgement)
				}
				return s.skip()
			})
			l.List = append(l.List, c)
			return err
		case "expression":
			var e cdxExpression
			err := s.strTo(&e.Expression)
			l.Expression = append(l.Expression, e)
			return err
		case "acknowledgement":
			var a string
			if err := s.strTo(&a); err != nil {
				return err
			}
			// Of an expression, which may also come after it.
			if len(l.Expression) == 0 {
				l.Expression = append(l.Expression, cdxExpression{})
			}
			l.Expression[len(l.Expression)-1].Acknowledgement = a
			return nil
		}
		return s.skip()
	})
}

func (b *builder) cdxEvidence(s *scanner, c *cdxComponent) error {
	return s.object(func(key string) error {
		if c.Evidence == nil {
			c.Evidence = new(cdxEvidence)
		}
		switch key {
		case "licenses":
			c.Evidence.Licenses = new(cdxLicenses)
			return s.array(func(int) error { return cdxLicenseChoice(s, c.Evidence.Licenses) })
		case "occurrences":
		default:
			return s.skip()
		}
		return s.array(func(int) error {
			if err := b.relate(); err != nil {
				return s.errorf("%w", err)
			}
			var o cdxOccurrence
			err := s.object(func(key string) error {
				if key == "location" {
					return s.strTo(&o.Location)
				}
				return s.skip()
			})
			c.Evidence.Occurrences = append(c.Evidence.Occurrences, o)
			return err
		})
	})
}

func (b *builder) cdxDependencies(s *scanner) error {
	return s.array(func(int) error {
		var ref string
		var on []string
		err := s.object(func(key string) error {
			switch key {
			case "ref":
				return s.strTo(&ref)
			case "dependsOn":
				return s.array(func(int) error {
					to, err := s.str()
					if on = append(on, to); len(on) > b.limits.Components {
						return s.errorf("%w", &LimitError{"relations", int64(b.limits.Components)})
					}
					return err
				})
			}
			return s.skip()
		})
		if err != nil {
			return err
		}
		for _, to := range on {
			if err := b.depends(ref, to); err != nil {
				return s.errorf("%w", err)
			}
		}
		return nil
	})
}

// takeComponent makes of a component what it stands for.
func (b *builder) takeComponent(c *cdxComponent, root bool) error {
	foreign := foreignReader{b: b}
	switch {
	case c.Type == "operating-system":
		if b.img.Distro == nil && c.Name != "" {
			b.img.Distro = &inventory.Distro{ID: c.Name, Version: c.Version, PrettyName: c.Description, CPE: c.CPE}
			foreign.distro(b.img.Distro, c.Properties)
		}
		return nil
	case c.Type == "file", c.Type == "data", c.Type == "device", c.Type == "cryptographic-asset", c.Type == "machine-learning-model":
		return nil
	case root && (c.PURL == "" || c.Type == "container" || strings.HasPrefix(c.PURL, "pkg:oci/")):
		for _, p := range c.Properties {
			if strings.HasPrefix(p.Name, propPrefix) {
				b.ours = true
			}
			if err := setImage(b.img, p.Name, p.Value); err != nil {
				return err
			}
			foreign.image(p.Name, p.Value)
		}
		if !b.ours {
			readImageName(b.img, c.Name, c.Version, c.PURL)
		}
		return nil
	case root:
		readImageName(b.img, c.Name, "", "")
	}
	if foreign.aggregate(c) {
		return nil
	}
	p := b.identify(identity{purl: c.PURL, typ: foreign.packageType(c.Properties), namespace: c.Group, name: c.Name, version: c.Version})
	if p.Name == "" && len(c.Properties) == 0 {
		b.problem("component %q has no name", c.Ref)
		return nil
	}
	p.Layer = -1
	p.Description = c.Description
	p.Licenses = c.licenses()
	switch {
	case c.Supplier != nil && c.Supplier.Name != "":
		p.Supplier = c.Supplier.Name
	case c.Publisher != "":
		p.Supplier = c.Publisher
	default:
		p.Supplier = c.Author
	}
	if len(c.References) > 0 {
		p.Homepage = c.References[0].URL
	}
	if c.CPE != "" {
		p.CPEs = []string{c.CPE}
	}
	for _, h := range c.Hashes {
		setHash(&p, h.Alg, h.Content)
	}
	if c.Scope == "excluded" {
		p.State, p.Scope = inventory.Declared, "excluded"
	}
	return b.takeProperties(c, &p, &foreign)
}

func (b *builder) takeProperties(c *cdxComponent, p *inventory.Package, foreign *foreignReader) error {
	own := packageReader{p: p}
	for _, prop := range c.Properties {
		if strings.HasPrefix(prop.Name, propPrefix) {
			if !own.ours && p.State == inventory.Declared {
				p.Scope = "" // ours says it by a property, if any
			}
			if err := own.set(prop.Name, prop.Value); err != nil {
				return fmt.Errorf("component %q: %w", c.Ref, err)
			}
		} else {
			foreign.set(p, prop.Name, prop.Value)
		}
	}
	if !own.ours {
		if c.Evidence != nil && len(p.Locations) == 0 {
			for _, o := range c.Evidence.Occurrences {
				p.Locations = append(p.Locations, inventory.Location{Path: strings.TrimPrefix(o.Location, "/"), Layer: -1})
			}
		}
		guessed(p)
	}
	b.add(c.Ref, *p)
	foreign.place(len(b.packages) - 1)
	return nil
}

// setHash keeps a hash of a known algorithm.
func setHash(p *inventory.Package, alg, value string) {
	alg, value = hashName(alg), strings.ToLower(value)
	if !validHash(alg, value) {
		return
	}
	if p.Hashes == nil {
		p.Hashes = make(map[string]string)
	}
	p.Hashes[alg] = value
}

// guessed fills what another tool's document does not say of a package.
func guessed(p *inventory.Package) {
	if p.Technique == "" {
		p.Technique = inventory.TechSBOM
	}
	if p.Path == "" && len(p.Locations) > 0 {
		p.Path, p.Layer = p.Locations[0].Path, p.Locations[0].Layer
	}
}

// readCycloneDXXML reads CycloneDX 1.0 to 1.7 in XML. encoding/xml expands no
// entities but the five of XML; a document type declaration, the only way to
// more of them, is refused.
func readCycloneDXXML(r *bufio.Reader, b *builder) error {
	d := xml.NewDecoder(r)
	var open []string
	where := func() string { return strings.Join(open, "/") }
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 || b.listed == 0 && b.img.Reference == "" && !b.rooted {
				return errors.New("the document has no CycloneDX root element")
			}
			return nil
		}
		if err != nil {
			return xmlError(where(), d, err)
		}
		switch tok := tok.(type) {
		case xml.Directive:
			return fmt.Errorf("line %d: document type declarations are not accepted", line(d))
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.StartElement:
			if len(open) == 0 {
				if tok.Name.Local != "bom" || !strings.HasPrefix(tok.Name.Space, cdxNamespace) {
					return fmt.Errorf("the root element is %s of %q, not bom of CycloneDX", tok.Name.Local, tok.Name.Space)
				}
				if b.rooted {
					return errors.New("the document has two root elements")
				}
				b.rooted = true
			}
			open = append(open, tok.Name.Local)
			if len(open) > b.limits.Depth {
				return &LimitError{"levels of nesting", int64(b.limits.Depth)}
			}
			handled, err := b.cdxElement(d, &tok, where(), len(open))
			if err != nil {
				return xmlError(where(), d, err)
			}
			if handled {
				open = open[:len(open)-1]
			}
		}
	}
}

// cdxElement reads an element whole if it is one that matters.
func (b *builder) cdxElement(d *xml.Decoder, start *xml.StartElement, path string, depth int) (bool, error) {
	switch path {
	case "bom", "bom/metadata", "bom/components", "bom/dependencies":
		return false, nil
	case "bom/metadata/component", "bom/components/component":
		var c cdxComponent
		if err := d.DecodeElement(&c, start); err != nil {
			return true, err
		}
		return true, b.takeXML(&c, path == "bom/metadata/component", depth)
	case "bom/dependencies/dependency":
		var dep cdxDependency
		if err := d.DecodeElement(&dep, start); err != nil {
			return true, err
		}
		for _, child := range dep.Children {
			if err := b.depends(dep.Ref, child.Ref); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	return true, d.Skip()
}

func (b *builder) takeXML(c *cdxComponent, root bool, depth int) error {
	if depth > b.limits.Depth {
		return &LimitError{"levels of nesting", int64(b.limits.Depth)}
	}
	if err := b.count(); err != nil {
		return err
	}
	for i := range c.Components {
		if err := b.takeXML(&c.Components[i], false, depth+2); err != nil {
			return err
		}
	}
	return b.takeComponent(c, root)
}

func line(d *xml.Decoder) int {
	n, _ := d.InputPos()
	return n
}

func xmlError(path string, d *xml.Decoder, err error) error {
	if path == "" {
		path = "document"
	}
	if syntax := (*xml.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("%s: %w", path, err) // says the line itself
	}
	return fmt.Errorf("%s, line %d: %w", path, line(d), err)
}
