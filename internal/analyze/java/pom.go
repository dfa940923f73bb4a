package java

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// coordinates name an artifact of a Maven repository.
type coordinates struct{ group, artifact, version string }

// String writes group:artifact:version without what is not known.
func (c coordinates) String() string {
	s := c.artifact
	if c.group != "" {
		s = c.group + ":" + s
	}
	if c.version != "" {
		s += ":" + c.version
	}
	return s
}

// parseProperties reads the keys groupId, artifactId and version of a
// pom.properties, in the format of java.util.Properties.
func parseProperties(b []byte) coordinates {
	var c coordinates
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || line[0] == '!' {
			continue
		}
		i := bytes.IndexAny(line, "=: \t")
		if i < 0 {
			continue
		}
		value := bytes.TrimLeft(line[i:], "=: \t")
		switch string(line[:i]) {
		case "groupId":
			c.group = unescape(value)
		case "artifactId":
			c.artifact = unescape(value)
		case "version":
			c.version = unescape(value)
		}
	}
	return c
}

func unescape(v []byte) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return cleanText(v)
	}
	var out []byte
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			out = append(out, v[i])
			continue
		}
		i++
		if v[i] == 'u' && i+5 <= len(v) {
			if n, err := strconv.ParseUint(string(v[i+1:i+5]), 16, 16); err == nil {
				out = utf8.AppendRune(out, rune(n))
				i += 4
				continue
			}
		}
		out = append(out, v[i])
	}
	return cleanText(out)
}

// pom is what a pom.xml says (POM Reference, modelVersion 4.0.0).
type pom struct {
	coordinates
	parent       coordinates
	name         string
	description  string
	url          string
	organization string
	licenses     []string
	depends      []dependency
	managed      []dependency
	properties   map[string]string
}

// dependency is one element of a dependencies list.
type dependency struct {
	coordinates
	scope      string
	typ        string
	classifier string
	optional   bool
}

var errNoProject = errors.New("no project element")

// parsePom reads a pom.xml. What was read before an error is returned with it.
// Values are as written: see [pom.expand].
func parsePom(b []byte) (*pom, error) {
	p := &pom{}
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return p, errors.New("XML in UTF-16")
	}
	s := &xmlScanner{b: bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))}
	for {
		tok, _, _, err := s.next()
		if err != nil {
			return p, err
		}
		if tok == xmlEOF {
			return p, errNoProject
		}
		if tok == xmlStart {
			if s.name != "project" {
				return p, errNoProject
			}
			break
		}
	}
	err := s.children(func(name string) (err error) {
		switch name {
		case "groupId":
			p.group, err = s.text()
		case "artifactId":
			p.artifact, err = s.text()
		case "version":
			p.version, err = s.text()
		case "name":
			p.name, err = s.text()
		case "description":
			p.description, err = s.text()
		case "url":
			p.url, err = s.text()
		case "parent":
			var d dependency
			d, err = s.dependency()
			p.parent = d.coordinates
		case "organization":
			err = s.children(func(name string) (err error) {
				if name != "name" {
					return s.skip()
				}
				p.organization, err = s.text()
				return err
			})
		case "licenses":
			p.licenses, err = s.licenses()
		case "properties":
			err = p.readProperties(s)
		case "dependencies":
			p.depends, err = s.dependencies(p.depends)
		case "dependencyManagement":
			err = s.children(func(name string) (err error) {
				if name != "dependencies" {
					return s.skip()
				}
				p.managed, err = s.dependencies(p.managed)
				return err
			})
		default:
			err = s.skip()
		}
		return err
	})
	return p, err
}

func (p *pom) readProperties(s *xmlScanner) error {
	if p.properties == nil {
		p.properties = map[string]string{}
	}
	return s.children(func(name string) error {
		v, err := s.text()
		if err == nil && len(p.properties) < 10_000 {
			p.properties[name] = v
		}
		return err
	})
}

func (s *xmlScanner) licenses() (out []string, err error) {
	err = s.children(func(name string) error {
		if name != "license" {
			return s.skip()
		}
		var title, url string
		err := s.children(func(name string) (err error) {
			switch name {
			case "name":
				title, err = s.text()
			case "url":
				url, err = s.text()
			default:
				err = s.skip()
			}
			return err
		})
		if title == "" {
			title = url
		}
		if title != "" && len(title) <= 1024 && len(out) < 100 {
			out = append(out, title)
		}
		return err
	})
	return out, err
}

func (s *xmlScanner) dependencies(out []dependency) ([]dependency, error) {
	err := s.children(func(name string) error {
		if name != "dependency" {
			return s.skip()
		}
		d, err := s.dependency()
		if err == nil && d.artifact != "" {
			if len(out) >= 100_000 {
				return &limitError{"number of dependencies", 100_000}
			}
			out = append(out, d)
		}
		return err
	})
	return out, err
}

func (s *xmlScanner) dependency() (d dependency, err error) {
	err = s.children(func(name string) (err error) {
		switch name {
		case "groupId":
			d.group, err = s.text()
		case "artifactId":
			d.artifact, err = s.text()
		case "version":
			d.version, err = s.text()
		case "scope":
			d.scope, err = s.text()
		case "type":
			d.typ, err = s.text()
		case "classifier":
			d.classifier, err = s.text()
		case "optional":
			var v string
			v, err = s.text()
			d.optional = v == "true"
		default:
			err = s.skip()
		}
		return err
	})
	return d, err
}

// self is the pom's own coordinates: what it does not say it has from its parent.
func (p *pom) self() coordinates {
	c := p.coordinates
	if c.group == "" {
		c.group = p.parent.group
	}
	if c.version == "" {
		c.version = p.parent.version
	}
	return coordinates{p.expand(c.group), p.expand(c.artifact), p.expand(c.version)}
}

// expand replaces ${…} by the properties of this file. What another file
// would define stays as it is.
func (p *pom) expand(v string) string {
	for range 8 {
		start := strings.Index(v, "${")
		if start < 0 || len(v) > 1024 {
			break
		}
		end := strings.IndexByte(v[start:], '}')
		if end < 0 {
			break
		}
		value, ok := p.property(v[start+2 : start+end])
		if !ok || value == v {
			break
		}
		v = v[:start] + value + v[start+end+1:]
	}
	return strings.TrimSpace(v)
}

func (p *pom) property(key string) (string, bool) {
	if v, ok := p.properties[key]; ok {
		return v, true
	}
	or := func(a, b string) (string, bool) {
		if a == "" {
			a = b
		}
		return a, a != ""
	}
	switch key {
	case "project.version", "pom.version", "version":
		return or(p.version, p.parent.version)
	case "project.groupId", "pom.groupId", "groupId":
		return or(p.group, p.parent.group)
	case "project.artifactId", "pom.artifactId", "artifactId":
		return or(p.artifact, "")
	case "project.parent.version", "parent.version":
		return or(p.parent.version, "")
	case "project.parent.groupId", "parent.groupId":
		return or(p.parent.group, "")
	}
	return "", false
}
