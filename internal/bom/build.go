package bom

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// builder makes an inventory out of what a document lists.
type builder struct {
	limits    Limits
	img       *inventory.Image
	packages  []inventory.Package
	refs      map[string]int // a document's own name of a component to the index of its package
	edges     []edge         // the dependency graph, in those names
	listed    int            // components of any kind
	relations int
	located   []located
	dropped   map[int]bool // packages that turned out to be none
	ours      bool         // written by us: nothing has to be guessed
	rooted    bool         // an XML root element was there
}

type edge struct{ from, to string }

func newBuilder(l Limits) *builder {
	return &builder{limits: l, img: &inventory.Image{}, refs: make(map[string]int)}
}

// count notes one more component.
func (b *builder) count() error {
	b.listed++
	if b.listed > b.limits.Components {
		return &LimitError{"components", int64(b.limits.Components)}
	}
	return nil
}

// relate notes one more relation between components, or location of one.
func (b *builder) relate() error {
	b.relations++
	if limit := b.limits.Components * relationsPerComponent; b.relations > limit {
		return &LimitError{"relations", int64(limit)}
	}
	return nil
}

func (b *builder) depends(from, to string) error {
	if err := b.relate(); err != nil {
		return err
	}
	b.edges = append(b.edges, edge{from, to})
	return nil
}

func (b *builder) problem(format string, args ...any) {
	const most = 1000
	if len(b.img.Problems) == most {
		b.img.Problems = append(b.img.Problems, inventory.Problem{Analyzer: "sbom", Layer: -1, Limit: "problems", Message: fmt.Sprintf("more than %d problems in the document", most)})
	}
	if len(b.img.Problems) < most {
		b.img.Problems = append(b.img.Problems, inventory.Problem{Analyzer: "sbom", Layer: -1, Message: fmt.Sprintf(format, args...)})
	}
}

// add keeps a package. ref is its name in the document, or "".
func (b *builder) add(ref string, p inventory.Package) {
	if ref != "" {
		b.refs[ref] = len(b.packages)
	}
	b.packages = append(b.packages, p)
}

// drop takes a package out again.
func (b *builder) drop(i int) {
	if b.dropped == nil {
		b.dropped = make(map[int]bool)
	}
	b.dropped[i] = true
}

// identity is what a document says a package is.
type identity struct {
	purl, typ, namespace, name, version string
}

// identify makes a package out of its identity: the package URL where there
// is one that can be read, else the separate fields.
func (b *builder) identify(id identity) inventory.Package {
	if id.purl != "" {
		p, err := inventory.ParsePURL(id.purl)
		if err == nil {
			if p.Version == "" {
				p.Version = id.version
			}
			// The type says that case does not matter, but it does.
			if p.Type == "golang" && strings.EqualFold(p.Name, id.name) {
				p.Name = id.name
			}
			return p
		}
		b.problem("component %q: %v", id.name, err)
	}
	typ := id.typ
	if typ == "" {
		typ = "generic"
	}
	return inventory.Package{Type: typ, Namespace: id.namespace, Name: id.name, Version: id.version}
}

// located remembers the DiffID that a document gives for the place of a
// package until all of its layers are known.
type located struct {
	pkg, location int // location -1: of the package itself
	diffID        string
}

// locate turns DiffIDs into numbers of layers.
func (b *builder) locate() {
	index := make(map[inventory.Digest]int, len(b.img.Layers))
	for i, l := range b.img.Layers {
		index[l.DiffID] = i
	}
	for _, l := range b.located {
		if i, ok := index[inventory.Digest(l.diffID)]; ok {
			if p := &b.packages[l.pkg]; l.location < 0 {
				p.Layer = i
			} else {
				p.Locations[l.location].Layer = i
			}
		}
	}
}

func (b *builder) finish() *inventory.Image {
	b.connect()
	b.locate()
	for i := range b.packages {
		if b.dropped[i] {
			continue
		}
		p := &b.packages[i]
		if !b.ours && p.Technique == "" {
			p.Technique = inventory.TechSBOM
		}
		if p.State == inventory.Declared {
			b.img.Declared = append(b.img.Declared, *p)
		} else {
			b.img.Packages = append(b.img.Packages, *p)
		}
	}
	byOrder := func(x, y inventory.Package) int { return inventory.ComparePackages(&x, &y) }
	slices.SortStableFunc(b.img.Packages, byOrder)
	slices.SortStableFunc(b.img.Declared, byOrder)
	if !b.ours {
		b.img.Packages = mergeDoubles(b.img.Packages)
		b.img.Declared = mergeDoubles(b.img.Declared)
	}
	if b.img.Distro == nil && !b.ours {
		b.img.Distro = guessDistro(b.img.Packages)
	}
	b.packages, b.refs, b.edges, b.located = nil, nil, nil, nil
	return b.img
}

// mergeDoubles makes one package of those that are equal but for where they
// are: other tools list a package once for each place.
func mergeDoubles(list []inventory.Package) []inventory.Package {
	out := list[:0]
	for i := range list {
		p := &list[i]
		if n := len(out); n > 0 && out[n-1].ID() == p.ID() && maps.Equal(out[n-1].Qualifiers, p.Qualifiers) {
			into := &out[n-1]
			for _, l := range p.Locations {
				if !slices.Contains(into.Locations, l) {
					into.Locations = append(into.Locations, l)
				}
			}
			if len(into.Licenses) == 0 {
				into.Licenses = p.Licenses
			}
			continue
		}
		out = append(out, *p)
	}
	return out
}

// connect turns the dependency graph into names.
func (b *builder) connect() {
	for _, e := range b.edges {
		from, ok := b.refs[e.from]
		to, ok2 := b.refs[e.to]
		if !ok || !ok2 || from == to {
			continue
		}
		p, dep := &b.packages[from], &b.packages[to]
		if p.Type == dep.Type {
			p.Depends = append(p.Depends, fullName(dep))
		}
	}
	for i := range b.packages {
		if d := b.packages[i].Depends; len(d) > 1 {
			slices.Sort(d)
			b.packages[i].Depends = slices.Compact(d)
		}
	}
}

// guessDistro is the distribution that most OS packages name.
func guessDistro(ps []inventory.Package) *inventory.Distro {
	votes := make(map[string]int)
	best := ""
	for i := range ps {
		if d := ps[i].Distro; d != "" && ps[i].OS() {
			votes[d]++
			if votes[d] > votes[best] || votes[d] == votes[best] && d < best {
				best = d
			}
		}
	}
	if best == "" {
		return nil
	}
	id, version, _ := strings.Cut(best, ":")
	return &inventory.Distro{ID: id, Version: version}
}

// fullName is a package's name as its ecosystem writes it.
func fullName(p *inventory.Package) string {
	switch {
	case p.Namespace == "" || p.OS():
		return p.Name
	case p.Type == "maven":
		return p.Namespace + ":" + p.Name
	}
	return p.Namespace + "/" + p.Name
}
