package java

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// describe says what an archive is and what its metadata says is packed into
// it, and returns the archive's own coordinates.
func (w *walk) describe(a *archive, c *contents, n nested) string {
	cl := clues{path: n.name, file: parseFileName(n.name), has: func(dir string) bool { return a.has(dir) }}
	if c.manifest != nil {
		if data := w.read(a, c.manifest, n, maxManifest); data != nil {
			cl.manifest = parseManifest(data)
		}
	}
	if p, ok := w.runtimeArchive(&cl, n); ok {
		w.out.Packages = append(w.out.Packages, p)
		return p.Name + ":" + p.Version
	}
	if (cl.file.classifier == "sources" || cl.file.classifier == "javadoc") && !c.classes {
		return n.parent // no program
	}
	poms := w.poms(a, c, n)
	own := cl.own(poms)
	var id identity
	var ok bool
	if own >= 0 {
		id = identity{coordinates: poms[own].coordinates, technique: inventory.TechPom, classifier: cl.classifierOf(poms[own].coordinates)}
		if id.version == "" {
			id.version = chooseVersion(cleanVersion(cl.file.version), cl.versions())
		}
		ok = true
	} else {
		id, ok = cl.identify()
	}
	self := n.parent
	if ok {
		p := w.pack(id, n)
		if n.inner == "" {
			p.Inner = ""
		}
		w.describeBy(&p, cl.manifest)
		if x := ownXML(c.xml, poms, own); x != nil {
			w.describeByPom(a, x, n, &p)
		}
		if h, err := w.sha1(n.src); err != nil {
			w.problem(n.inner, err)
		} else {
			p.Hashes = map[string]string{"sha1": h}
		}
		w.out.Packages = append(w.out.Packages, p)
		self = id.coordinates.String()
	}
	for i, pm := range poms {
		if i == own {
			continue
		}
		p := w.pack(identity{coordinates: pm.coordinates, technique: inventory.TechPom, confidence: sureNested}, n)
		p.Inner = pm.entry
		if n.inner != "" {
			p.Inner = n.inner + "!" + pm.entry
		}
		if self != "" {
			setMeta(&p, "parent", self)
		}
		w.out.Packages = append(w.out.Packages, p)
	}
	return self
}

// has reports whether the archive has entries below a directory.
func (a *archive) has(dir string) bool {
	found := false
	_ = a.each(func(m *member) bool {
		found = len(m.name) > len(dir) && string(m.name[:len(dir)]) == dir
		return !found
	})
	return found
}

func (w *walk) pack(id identity, n nested) inventory.Package {
	p := inventory.Package{
		Type: "maven", Namespace: id.group, Name: id.artifact, Version: id.version,
		Path: w.file.Path, Inner: n.inner, Technique: id.technique, Confidence: id.confidence,
	}
	if id.classifier != "" {
		p.Qualifiers = map[string]string{"classifier": id.classifier}
	}
	if n.parent != "" {
		setMeta(&p, "parent", n.parent)
	}
	return p
}

func setMeta(p *inventory.Package, key, value string) {
	if value == "" || len(value) > 4*maxValue {
		return
	}
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	p.Meta[key] = value
}

// classifierOf is what the file name says after artifact and version.
func (c *clues) classifierOf(id coordinates) string {
	base := strings.TrimSuffix(path.Base(c.path), path.Ext(c.path))
	if rest, ok := strings.CutPrefix(base, id.artifact+"-"+id.version+"-"); ok && cleanName(rest) != "" {
		return rest
	}
	return c.file.classifier
}

// poms reads the artifacts that META-INF/maven names, in the order of the archive.
func (w *walk) poms(a *archive, c *contents, n nested) []pomFile {
	var out []pomFile
	for i := range c.properties {
		m := &c.properties[i]
		data := w.read(a, m, n, maxProperties)
		name := cleanText(m.name)
		p := pomFile{completeProperties(parseProperties(data), name), name}
		if p.version == "" {
			if x := sibling(c.xml, m.name); x != nil {
				p.version = cleanVersion(w.readPom(a, x, n).self().version)
			}
		}
		if p.group != "" && p.artifact != "" {
			out = append(out, p)
		}
	}
	for i := range c.xml {
		m := &c.xml[i]
		if sibling(c.properties, m.name) != nil {
			continue
		}
		self := w.readPom(a, m, n).self()
		name := cleanText(m.name)
		p := pomFile{completeProperties(self, name), name}
		if p.group != "" && p.artifact != "" {
			out = append(out, p)
		}
	}
	return out
}

// sibling returns the entry in the directory of name.
func sibling(ms []member, name []byte) *member {
	dir := name[:bytes.LastIndexByte(name, '/')+1]
	i := slices.IndexFunc(ms, func(m member) bool {
		return bytes.HasPrefix(m.name, dir) && bytes.IndexByte(m.name[len(dir):], '/') < 0
	})
	if i < 0 {
		return nil
	}
	return &ms[i]
}

func ownXML(xml []member, poms []pomFile, own int) *member {
	if own < 0 {
		return nil
	}
	return sibling(xml, []byte(poms[own].entry))
}

func (w *walk) readPom(a *archive, m *member, n nested) *pom {
	if m.size > maxPom {
		w.problem(n.inner, &limitError{"size of a pom.xml", maxPom})
		return &pom{}
	}
	data := w.read(a, m, n, maxPom)
	if data == nil {
		return &pom{}
	}
	p, err := parsePom(data)
	if err != nil {
		where := cleanText(m.name)
		if n.inner != "" {
			where = n.inner + "!" + where
		}
		w.problem(where, err)
	}
	return p
}

// describeBy takes over what a manifest says of the package besides its name.
func (w *walk) describeBy(p *inventory.Package, m manifest) {
	for _, l := range m.licenses() {
		p.Licenses = append(p.Licenses, inventory.License{Raw: l, Source: "declared"})
	}
	for _, k := range [...]string{"bundle-vendor", "implementation-vendor", "specification-vendor"} {
		if v := m.get(k); v != "" && p.Supplier == "" && len(v) <= maxValue {
			p.Supplier = v
		}
	}
	if u := m.get("bundle-docurl"); strings.HasPrefix(u, "http") && len(u) <= maxValue {
		p.Homepage = u
	}
	p.Description = firstLine(m.get("bundle-description"))
	setMeta(p, "Specification-Version", m.get("specification-version"))
	setMeta(p, "Implementation-Version", m.get("implementation-version"))
	setMeta(p, "Main-Class", m.get("main-class"))
	setMeta(p, "Start-Class", m.get("start-class"))
	setMeta(p, "Spring-Boot-Version", m.get("spring-boot-version"))
}

// describeByPom does the same by the artifact's pom.xml, which goes first.
func (w *walk) describeByPom(a *archive, m *member, n nested, p *inventory.Package) {
	x := w.readPom(a, m, n)
	if len(x.licenses) > 0 {
		p.Licenses = nil
		for _, l := range x.licenses {
			p.Licenses = append(p.Licenses, inventory.License{Raw: x.expand(l), Source: "declared"})
		}
	}
	if v := x.expand(x.organization); v != "" && len(v) <= maxValue && !strings.Contains(v, "${") {
		p.Supplier = v
	}
	if u := x.expand(x.url); strings.HasPrefix(u, "http") && len(u) <= maxValue && !strings.Contains(u, "${") {
		p.Homepage = u
	}
	if d := firstLine(x.expand(x.description)); d != "" {
		p.Description = d
	}
	for _, d := range x.depends {
		if len(p.Depends) >= maxDepends {
			w.problem(n.inner, &limitError{"dependencies of one artifact", maxDepends})
			break
		}
		if d.scope == "test" || d.optional {
			continue
		}
		g, name := cleanName(x.expand(d.group)), cleanName(x.expand(d.artifact))
		if g != "" && name != "" {
			p.Depends = append(p.Depends, g+":"+name)
		}
	}
}

// firstLine cuts a description to what a list can show.
func firstLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= 200 {
		return s
	}
	cut := 200
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut]
}

// runtimeArchive recognises the archives that are part of a Java runtime: they
// are no artifacts of their own. Those that every runtime has stand for it.
func (w *walk) runtimeArchive(c *clues, n nested) (inventory.Package, bool) {
	title := c.manifest.get("implementation-title")
	if title != "Java Runtime Environment" && title != "Java Platform API" || !strings.HasPrefix(c.manifest.get("specification-title"), "Java") {
		return inventory.Package{}, false
	}
	version := cleanVersion(c.manifest.get("implementation-version"))
	if version == "" {
		return inventory.Package{}, false
	}
	p := runtimePackage(version, c.manifest.get("implementation-vendor"), nil)
	p.Path, p.Inner, p.Technique, p.Confidence = w.file.Path, n.inner, inventory.TechManifest, sureCoords
	return p, true
}
