package bom

import (
	"errors"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// spdx3Reader reads SPDX 3.0 in JSON-LD with its usual context: elements in
// "@graph", referring to each other by spdxId.
type spdx3Reader struct {
	b        *builder
	names    map[string]string // of agents and documents
	exprs    map[string]string // licence expressions
	supplied map[string][]int  // agent to the packages it supplied
	licensed []spdx3Licensed
	roots    []string
	elements int
}

type spdx3Licensed struct{ pkg, license, source string }

// spdx3Element is the union of the fields of the elements that matter.
type spdx3Element struct {
	typ, id, name, version, purl, home, summary, purpose string
	supplier, from, relation, expression, sourceInfo     string
	to, roots, cpes                                      []string
	hashes                                               []spdxChecksum
}

func (x *spdx3Reader) graph(s *scanner) error {
	x.names, x.exprs, x.supplied = make(map[string]string), make(map[string]string), make(map[string][]int)
	return s.array(func(int) error {
		if err := x.b.count(); err != nil {
			return s.errorf("%w", err)
		}
		var e spdx3Element
		if err := s.object(func(key string) error { return e.field(s, key) }); err != nil {
			return err
		}
		x.elements++
		if err := x.take(&e); err != nil {
			return s.errorf("%w", err)
		}
		return nil
	})
}

func (e *spdx3Element) field(s *scanner, key string) error {
	switch key {
	case "type", "@type":
		return s.optional(&e.typ)
	case "spdxId", "@id":
		return s.optional(&e.id)
	case "name":
		return s.optional(&e.name)
	case "summary":
		return s.optional(&e.summary)
	case "software_packageVersion":
		return s.strTo(&e.version)
	case "software_packageUrl":
		return s.strTo(&e.purl)
	case "software_homePage":
		return s.optional(&e.home)
	case "software_sourceInfo":
		return s.optional(&e.sourceInfo)
	case "software_primaryPurpose":
		return s.optional(&e.purpose)
	case "suppliedBy":
		return s.optional(&e.supplier)
	case "from":
		return s.optional(&e.from)
	case "relationshipType":
		return s.optional(&e.relation)
	case "simplelicensing_licenseExpression":
		return s.strTo(&e.expression)
	case "to":
		return refs(s, &e.to)
	case "rootElement":
		return refs(s, &e.roots)
	case "externalIdentifier":
		return s.array(func(int) error {
			var kind, value string
			err := s.object(func(key string) error {
				switch key {
				case "externalIdentifierType":
					return s.optional(&kind)
				case "identifier":
					return s.optional(&value)
				}
				return s.skip()
			})
			switch {
			case kind == "packageUrl" && e.purl == "":
				e.purl = value
			case kind == "cpe22" || kind == "cpe23":
				e.cpes = append(e.cpes, value)
			}
			return err
		})
	case "verifiedUsing":
		return s.array(func(int) error {
			var c spdxChecksum
			err := s.object(func(key string) error {
				switch key {
				case "algorithm":
					return s.optional(&c.Algorithm)
				case "hashValue":
					return s.optional(&c.Value)
				}
				return s.skip()
			})
			e.hashes = append(e.hashes, c)
			return err
		})
	}
	return s.skip()
}

// refs reads one reference or a list of them; an element that stands in place
// of a reference is skipped.
func refs(s *scanner, to *[]string) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	one := func(int) error {
		var id string
		err := s.optional(&id)
		if id != "" {
			*to = append(*to, id)
		}
		return err
	}
	if c == '[' {
		return s.array(one)
	}
	return one(0)
}

func (x *spdx3Reader) take(e *spdx3Element) error {
	b := x.b
	switch e.typ {
	case "software_Package":
		x.pkg(e)
	case "Organization", "Person", "Agent", "SoftwareAgent", "Tool":
		x.names[e.id] = e.name
	case "SpdxDocument", "software_Sbom", "Bom":
		x.roots = append(x.roots, e.roots...)
	case "simplelicensing_LicenseExpression":
		x.exprs[e.id] = e.expression
	case "Relationship", "LifecycleScopedRelationship":
		for _, to := range e.to {
			switch e.relation {
			case "dependsOn":
				if err := b.depends(e.from, to); err != nil {
					return err
				}
			case "hasDeclaredLicense":
				x.licensed = append(x.licensed, spdx3Licensed{e.from, to, declaredLicense})
			case "hasConcludedLicense":
				x.licensed = append(x.licensed, spdx3Licensed{e.from, to, detectedLicense})
			}
		}
	}
	return nil
}

func (x *spdx3Reader) pkg(e *spdx3Element) {
	b := x.b
	switch {
	case e.purpose == "container" || strings.HasPrefix(e.purl, "pkg:oci/"):
		readImageName(b.img, e.name, e.version, e.purl)
		return
	case e.purpose == "operatingSystem":
		if b.img.Distro == nil && e.name != "" {
			b.img.Distro = &inventory.Distro{ID: e.name, Version: e.version}
		}
		return
	}
	p := b.identify(identity{purl: e.purl, name: e.name, version: e.version})
	if p.Name == "" {
		b.problem("package %q has no name", e.id)
		return
	}
	p.Layer, p.Homepage, p.Description, p.CPEs = -1, WebAddress(e.home), e.summary, e.cpes
	for _, h := range e.hashes {
		setHash(&p, h.Algorithm, h.Value)
	}
	if e.supplier != "" {
		x.supplied[e.supplier] = append(x.supplied[e.supplier], len(b.packages))
	}
	p.Locations = syftPlaces(e.sourceInfo)
	guessed(&p)
	b.add(e.id, p)
}

func (x *spdx3Reader) finish() error {
	if x.elements == 0 {
		return errors.New("@graph: no elements of SPDX 3")
	}
	b := x.b
	for agent, list := range x.supplied {
		for _, i := range list {
			b.packages[i].Supplier = x.names[agent]
		}
	}
	seen := make(map[spdx3Licensed]bool, len(x.licensed))
	for _, l := range x.licensed {
		i, ok := b.refs[l.pkg]
		expr, known := x.exprs[l.license]
		// A conclusion that repeats the declaration says nothing new.
		same := spdx3Licensed{l.pkg, expr, ""}
		if !ok || !known || seen[same] {
			continue
		}
		seen[same] = true
		b.packages[i].Licenses = appendLicense(b.packages[i].Licenses, expr, l.source)
	}
	for _, id := range x.roots {
		if i, ok := b.refs[id]; ok && len(b.packages) > 1 && b.packages[i].Type == "generic" {
			readImageName(b.img, b.packages[i].Name, b.packages[i].Version, "")
			b.drop(i)
		}
	}
	return nil
}
