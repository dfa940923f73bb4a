package bom

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// syftReader reads Syft's own JSON, schema versions 3 to 16.
type syftReader struct {
	b     *builder
	owned []edge // package to the package whose file list holds it
}

// syftArtifact is what Syft says of a package.
type syftArtifact struct {
	id, name, version, typ, purl string
	licenses                     []inventory.License
	cpes                         []string
	places                       []foreignPlace
	hashes                       []spdxChecksum
	meta                         map[string]string
}

func (y *syftReader) artifacts(s *scanner) error {
	return s.array(func(int) error {
		if err := y.b.count(); err != nil {
			return s.errorf("%w", err)
		}
		a := syftArtifact{meta: make(map[string]string)}
		err := s.object(func(key string) error {
			switch key {
			case "id":
				return s.strTo(&a.id)
			case "name":
				return s.strTo(&a.name)
			case "version":
				return s.strTo(&a.version)
			case "type":
				return s.strTo(&a.typ)
			case "purl":
				return s.strTo(&a.purl)
			case "locations":
				return s.array(func(int) error {
					if err := y.b.relate(); err != nil {
						return s.errorf("%w", err)
					}
					var at foreignPlace
					err := s.object(func(key string) error {
						switch key {
						case "path":
							return s.strTo(&at.path)
						case "layerID":
							return s.strTo(&at.diffID)
						}
						return s.skip()
					})
					at.path = strings.TrimPrefix(at.path, "/")
					a.places = append(a.places, at)
					return err
				})
			case "licenses":
				return s.array(func(int) error { return a.license(s) })
			case "cpes":
				return s.array(func(int) error { return a.cpe(s) })
			case "metadata":
				return s.object(func(key string) error { return a.metadata(s, key) })
			}
			return s.skip()
		})
		if err != nil {
			return err
		}
		y.take(&a)
		return nil
	})
}

// license reads a licence: a string in old documents, an object in new ones.
func (a *syftArtifact) license(s *scanner) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	var value, expr, kind string
	if c == '"' {
		err = s.strTo(&value)
	} else {
		err = s.object(func(key string) error {
			switch key {
			case "value":
				return s.strTo(&value)
			case "spdxExpression":
				return s.strTo(&expr)
			case "type":
				return s.strTo(&kind)
			}
			return s.skip()
		})
	}
	source := declaredLicense
	if kind == "concluded" {
		source = detectedLicense
	}
	l := inventory.License{Source: source}
	if validExpression(expr) {
		l.Expression = expr
	}
	if value != l.Expression {
		l.Raw = value
	}
	if l.Expression != "" || l.Raw != "" {
		a.licenses = append(a.licenses, l)
	}
	return err
}

func (a *syftArtifact) cpe(s *scanner) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	var cpe string
	if c == '"' {
		err = s.strTo(&cpe)
	} else {
		err = s.object(func(key string) error {
			if key == "cpe" {
				return s.strTo(&cpe)
			}
			return s.skip()
		})
	}
	if cpe != "" {
		a.cpes = append(a.cpes, cpe)
	}
	return err
}

// metadata reads the fields that several kinds of packages share. A field of
// another type than text is another thing of the same name.
func (a *syftArtifact) metadata(s *scanner, key string) error {
	switch key {
	case "source", "sourceVersion", "sourceRpm", "originPackage", "basepackage", "modularityLabel",
		"architecture", "arch", "maintainer", "vendor", "packager", "author", "homepage", "url", "description":
		var v string
		err := s.optional(&v)
		a.meta[key] = v
		return err
	case "digest":
		c, err := s.peek()
		if err != nil || c != '[' {
			return s.skip()
		}
		return s.array(func(int) error {
			var h spdxChecksum
			err := s.object(func(key string) error {
				switch key {
				case "algorithm":
					return s.optional(&h.Algorithm)
				case "value":
					return s.optional(&h.Value)
				}
				return s.skip()
			})
			a.hashes = append(a.hashes, h)
			return err
		})
	}
	return s.skip()
}

func (y *syftReader) take(a *syftArtifact) {
	b := y.b
	p := b.identify(identity{purl: a.purl, typ: syftType(a.typ), name: a.name, version: a.version})
	if p.Name == "" {
		b.problem("artifact %q has no name", a.id)
		return
	}
	if p.Version == "UNKNOWN" {
		p.Version = ""
	}
	p.Layer, p.Licenses, p.CPEs = -1, a.licenses, a.cpes
	for _, h := range a.hashes {
		setHash(&p, h.Algorithm, h.Value)
	}
	for _, key := range []string{"maintainer", "vendor", "packager", "author"} {
		if p.Supplier == "" {
			p.Supplier = a.meta[key]
		}
	}
	p.Homepage = WebAddress(a.meta["homepage"])
	if p.Homepage == "" {
		p.Homepage = WebAddress(a.meta["url"])
	}
	p.Description, _, _ = strings.Cut(a.meta["description"], "\n")
	f := foreignReader{b: b, places: a.places}
	if p.OS() {
		if p.Arch == "" {
			p.Arch = a.meta["architecture"] + a.meta["arch"] // a type has one of them
		}
		if p.Module == "" {
			p.Module = a.meta["modularityLabel"]
		}
		f.source, f.sourceVersion = a.meta["source"]+a.meta["originPackage"]+a.meta["basepackage"], a.meta["sourceVersion"]
		f.setSource(&p)
	}
	guessed(&p)
	b.add(a.id, p)
	f.place(len(b.packages) - 1)
}

func (y *syftReader) relationships(s *scanner) error {
	return s.array(func(int) error {
		var parent, child, typ string
		err := s.object(func(key string) error {
			switch key {
			case "parent":
				return s.strTo(&parent)
			case "child":
				return s.strTo(&child)
			case "type":
				return s.strTo(&typ)
			}
			return s.skip()
		})
		if err != nil {
			return err
		}
		switch typ {
		case "dependency-of":
			err = y.b.depends(child, parent)
		case "ownership-by-file-overlap":
			if err = y.b.relate(); err == nil {
				y.owned = append(y.owned, edge{child, parent})
			}
		}
		if err != nil {
			return s.errorf("%w", err)
		}
		return nil
	})
}

func (y *syftReader) source(s *scanner) error {
	img := y.b.img
	var name, version, input string
	err := s.object(func(key string) error {
		switch key {
		case "name":
			return s.optional(&name)
		case "version":
			return s.optional(&version)
		case "metadata", "target":
			c, err := s.peek()
			if err != nil {
				return err
			}
			if c == '"' { // target of a directory
				return s.strTo(&input)
			}
			return s.object(func(key string) error { return y.image(s, key, &input) })
		}
		return s.skip()
	})
	if input == "" {
		input = name
	}
	readImageName(img, input, version, "")
	return err
}

func (y *syftReader) image(s *scanner, key string, input *string) error {
	img := y.b.img
	text := func(to *inventory.Digest) error {
		var v string
		err := s.optional(&v)
		if isDigest(v) {
			*to = inventory.Digest(v)
		}
		return err
	}
	switch key {
	case "userInput":
		return s.strTo(input)
	case "imageID":
		return text(&img.ConfigDigest)
	case "manifestDigest":
		return text(&img.Digest)
	case "architecture":
		return s.optional(&img.Config.Architecture)
	case "os":
		return s.optional(&img.Config.OS)
	case "tags":
		var err error
		img.Tags, err = s.strs()
		return err
	case "layers":
		return s.array(func(int) error {
			var l inventory.LayerInfo
			err := s.object(func(key string) error {
				switch key {
				case "digest":
					var d string
					err := s.strTo(&d)
					l.DiffID = inventory.Digest(d)
					return err
				case "mediaType":
					return s.strTo(&l.MediaType)
				}
				return s.skip() // size is that of the uncompressed layer
			})
			img.Layers = append(img.Layers, l)
			return err
		})
	}
	return s.skip()
}

func (y *syftReader) distro(s *scanner) error {
	var d inventory.Distro
	version := "" // of documents too old for versionID
	err := s.object(func(key string) error {
		switch key {
		case "id":
			return s.strTo(&d.ID)
		case "name":
			return s.strTo(&d.Name)
		case "versionID":
			return s.strTo(&d.Version)
		case "version":
			return s.optional(&version)
		case "prettyName":
			return s.strTo(&d.PrettyName)
		case "versionCodename":
			return s.strTo(&d.Codename)
		case "variantID":
			return s.strTo(&d.Variant)
		case "cpeName":
			return s.optional(&d.CPE)
		case "supportEnd":
			return s.optional(&d.Support)
		case "buildID":
			return s.optional(&d.Build)
		}
		return s.skip()
	})
	if d.Version == "" {
		d.Version, _, _ = strings.Cut(version, " ")
	}
	if d.ID == "" {
		d.ID = strings.ToLower(d.Name)
	}
	if d.ID != "" {
		y.b.img.Distro = &d
	}
	return err
}

// finish names the owners of packages: an OS package whose files they are.
func (y *syftReader) finish() {
	b := y.b
	for _, e := range y.owned {
		child, ok := b.refs[e.from]
		parent, ok2 := b.refs[e.to]
		if !ok || !ok2 {
			continue
		}
		if owner := &b.packages[parent]; owner.OS() && !b.packages[child].OS() {
			b.packages[child].Owner = owner.Type + "/" + owner.Name
		}
	}
}
