package csaf

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// component is an rpm package as a product of a document names it.
type component struct {
	name   string
	evr    string // "" where only the name is meant
	arch   string // "src" for a source package, "" where none is named
	module string // "name:stream"
}

// catalogue finds the products of a document.
type catalogue struct {
	products  map[string]*product
	relations map[string]*relationship
	groups    map[string][]string
	expanded  int // products named so far
}

func newCatalogue(t *tree) (*catalogue, error) {
	c := &catalogue{products: map[string]*product{}, relations: make(map[string]*relationship, len(t.Relationships)), groups: map[string][]string{}}
	if err := c.branches(t.Branches, 0); err != nil {
		return nil, err
	}
	for i := range t.Products {
		c.products[t.Products[i].ID] = &t.Products[i]
	}
	for i := range t.Relationships {
		c.relations[t.Relationships[i].Product.ID] = &t.Relationships[i]
	}
	if n := len(c.products) + len(c.relations); n > maxProducts {
		return nil, &feed.LimitError{What: "the document", Limit: "products", Most: maxProducts}
	}
	for _, g := range t.Groups {
		c.groups[g.ID] = g.Products
	}
	return c, nil
}

func (c *catalogue) branches(bs []branch, deep int) error {
	if deep > maxBranches {
		return &feed.LimitError{What: "the product tree", Limit: "nested branches", Most: maxBranches}
	}
	for i := range bs {
		b := &bs[i]
		if b.Product != nil && b.Product.ID != "" {
			b.Product.category = b.Category
			c.products[b.Product.ID] = b.Product
		}
		if err := c.branches(b.Branches, deep+1); err != nil {
			return err
		}
	}
	return nil
}

// all gives the products that something is about. Groups that make more of them
// than a document may name are left out; tooMany tells.
func (c *catalogue) all(a among) []string {
	out := a.Products
	for _, g := range a.Groups {
		if c.expanded += len(c.groups[g]); c.tooMany() {
			return out
		}
		out = append(out[:len(out):len(out)], c.groups[g]...)
	}
	return out
}

func (c *catalogue) tooMany() bool { return c.expanded > 10*maxProducts }

// resolved is a product taken apart: the part, what it is part of, and the
// module between them, if there is one.
type resolved struct {
	part     *product
	platform *product
	module   string
}

// resolve takes a product apart. ok is false for a product that the document
// does not define, or whose relationships go round in circles.
func (c *catalogue) resolve(id string) (r resolved, ok bool) {
	rel := c.relations[id]
	if rel == nil {
		r.part = c.products[id]
		return r, r.part != nil
	}
	r.part = c.products[rel.Component]
	if inner := c.relations[rel.Component]; r.part == nil && inner != nil {
		// A part that is itself a part: what is innermost counts.
		r.part = c.products[inner.Component]
	}
	up := rel.Platform
	for range 10 {
		if p := c.products[up]; p != nil {
			r.platform = p
			return r, r.part != nil
		}
		outer := c.relations[up]
		if outer == nil {
			return r, false
		}
		if m := c.products[outer.Component]; m != nil && strings.HasPrefix(m.Helper.PURL, "pkg:rpmmod/") {
			if p, err := parsePURL(m.Helper.PURL); err == nil {
				stream, _, _ := strings.Cut(p.version, ":")
				r.module = p.name + ":" + stream
			}
		}
		up = outer.Platform
	}
	return r, false
}

// purl is a package URL, as far as it is needed here.
type purl struct {
	kind, name, version string
	qualifiers          map[string]string
}

func parsePURL(s string) (p purl, err error) {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return p, fmt.Errorf("%s is no package URL", shorten(s))
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	p.kind, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if i := strings.LastIndexByte(rest, '@'); i > 0 {
		if p.version, err = url.PathUnescape(rest[i+1:]); err != nil {
			return p, fmt.Errorf("the version of %s: %w", shorten(s), err)
		}
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '/')+1:]
	if p.name, err = url.PathUnescape(rest); err != nil {
		return p, fmt.Errorf("the name of %s: %w", shorten(s), err)
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if v, err = url.PathUnescape(v); err != nil {
			return p, fmt.Errorf("the qualifier %s of %s: %w", shorten(k), shorten(s), err)
		}
		if p.qualifiers == nil {
			p.qualifiers = map[string]string{}
		}
		p.qualifiers[strings.ToLower(k)] = v
	}
	if p.name == "" {
		return p, fmt.Errorf("%s has no name", shorten(s))
	}
	return p, nil
}

// fromPURL reads a component from its package URL. ok is false for what is no
// rpm package: container images, libraries, modules as such.
func fromPURL(s string) (c component, ok bool, err error) {
	p, err := parsePURL(s)
	if err != nil || p.kind != "rpm" {
		return c, false, err
	}
	c = component{name: p.name, evr: p.version, arch: p.qualifiers["arch"]}
	if e := p.qualifiers["epoch"]; e != "" && e != "0" && c.evr != "" {
		c.evr = e + ":" + c.evr
	}
	if m := p.qualifiers["rpmmod"]; m != "" {
		if c.module = moduleOf(m); c.module == "" {
			return c, false, fmt.Errorf("%s is no module", shorten(m))
		}
	}
	return c, true, nil
}

// moduleOf cuts "name:stream:version:context" to name and stream.
func moduleOf(s string) string {
	name, rest, ok := strings.Cut(s, ":")
	stream, _, _ := strings.Cut(rest, ":")
	if !ok || name == "" || stream == "" || strings.ContainsAny(name+stream, " \t/") {
		return ""
	}
	return name + ":" + stream
}

// fromNEVRA reads "name-[epoch:]version-release[.arch]", also with ".rpm", and
// behind a module "name:stream:version:context:".
func fromNEVRA(s string) (c component, ok bool) {
	s = strings.TrimSuffix(s, ".rpm")
	if i := strings.LastIndexByte(s, '.'); i >= 0 && isArch(s[i+1:]) {
		s, c.arch = s[:i], s[i+1:]
	}
	r := strings.LastIndexByte(s, '-')
	if r <= 0 {
		return c, false
	}
	v := strings.LastIndexByte(s[:r], '-')
	if v <= 0 || v+1 == r || r+1 == len(s) {
		return c, false
	}
	name, evr := s[:v], s[v+1:]
	if strings.Count(name, ":") >= 2 {
		i := strings.LastIndexByte(name, ':')
		c.module, name = moduleOf(name[:i]), name[i+1:]
	}
	if strings.ContainsAny(name, " /:") || name == "" {
		return c, false
	}
	c.name, c.evr = name, strings.TrimPrefix(evr, "0:")
	return c, true
}

func isArch(s string) bool {
	switch s {
	case "src", "nosrc", "noarch", "x86_64", "aarch64", "ppc64le", "ppc64", "ppc", "s390x", "s390", "i386", "i486", "i586", "i686", "ia64", "riscv64",
		"loongarch64", "armv7hl", "armv6hl", "x86_64_v2", "x86_64_v3":
		return true
	}
	return false
}
