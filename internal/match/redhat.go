package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Content is what is known of the repositories that Red Hat's packages of an
// image came from: a content manifest, which is about the layer that has it and
// those below it up to the next manifest.
type Content struct {
	Layer int
	Sets  []string // names of repositories
	CPEs  []string // the products whose content they have; none: no repository map knows the sets
}

// contentOf finds the manifest that is about a layer: the next one from it on,
// or, in a layer that somebody put on top of Red Hat's, the last one. nil: there
// is none.
func contentOf(contents []Content, layer int) *Content {
	var at *Content
	for i := range contents {
		c := &contents[i]
		switch {
		case at == nil, at.Layer < layer && c.Layer > at.Layer, c.Layer >= layer && c.Layer < at.Layer:
			at = c
		}
	}
	return at
}

// known reports whether it is known which products the package may be of.
func (c *Content) known() bool { return c != nil && len(c.CPEs) > 0 }

// has reports whether the content has packages of a product in a release. One
// that a claim names more generally, "openshift:4", is every release of it.
func (c *Content) has(product, release string) bool {
	return slices.ContainsFunc(c.CPEs, func(cpe string) bool {
		p, r := redHatProduct(cpe)
		return p == product && (release == "" || r == release || strings.HasPrefix(r, release+"."))
	})
}

// hasSystem reports whether the content has packages of the operating system,
// in whichever line of support.
func (c *Content) hasSystem() bool {
	return slices.ContainsFunc(c.CPEs, func(cpe string) bool {
		p, _ := redHatProduct(cpe)
		return p != "" && productKind(p) != layered
	})
}

func (c *Content) String() string {
	if len(c.Sets) > 4 {
		return fmt.Sprintf("%s … (%d content sets)", strings.Join(c.Sets[:4], ", "), len(c.Sets))
	}
	return strings.Join(c.Sets, ", ")
}

// origin says in the derivation how the product of a claim was compared.
func (c *Content) origin() string {
	switch {
	case c.known():
		return "from " + c.String() + ", as the content manifest says"
	case c != nil:
		return "from " + c.String() + ", of which no repository map is there: compared by release and build"
	}
	return "no content manifest says from which repository: compared by release and build"
}

// otherProduct says why a claim about one of Red Hat's products is not for a
// package. With a content manifest the package is of the products that it names.
// Without one it is taken for the operating system's own in the main line of
// support unless its build says something else; the word on another product is
// then heard where there is none on the system.
func otherProduct(p *inventory.Package, content *Content, cl claim) string {
	a := cl.affected
	product, release := redHatProduct(a.Repository)
	if product == "" {
		return ""
	}
	fixed := a.Fix.State == advisory.Fixed && len(a.Fix.Versions) > 0
	switch productKind(product) {
	case extended:
		if !strings.Contains(release, ".") {
			break
		}
		if minor(p.Version) != release {
			return fmt.Sprintf("is for the extended support of %s; the package is no build of it", release)
		}
		if content.known() && !content.has(product, release) {
			return fmt.Sprintf("is for the extended support of %s (%s); the package is %s", release, product, content.origin())
		}
	case layered:
		if content.known() && !content.has(product, release) {
			return fmt.Sprintf("is for the product %s; the package is %s", product, content.origin())
		}
		if fixed {
			if flavour(p.Version) != flavour(a.Fix.Versions[0]) {
				return fmt.Sprintf("is for the product %s, which has builds of its own", product)
			}
		} else if slices.ContainsFunc(cl.advisory.Affected, func(x advisory.Affected) bool {
			other, _ := redHatProduct(x.Repository)
			return x.Key == a.Key && other != "" && productKind(other) == base
		}) {
			return fmt.Sprintf("is for the product %s; for the distribution itself there is another word", product)
		}
	case base:
		if own := flavour(p.Version); own != "" && (!fixed || flavour(a.Fix.Versions[0]) != own) {
			return fmt.Sprintf("is for the distribution's own builds; the package is one of another product (%s)", own)
		}
		if content.known() && !content.hasSystem() {
			return "is for the distribution itself; the package is " + content.origin()
		}
	}
	return ""
}

// Kinds of Red Hat's products.
const (
	base = iota
	extended
	layered
)

func productKind(product string) int {
	switch product {
	case "", "rhel", "enterprise_linux", "rhel_cluster", "rhel_cluster_storage", "rhel_productivity", "rhel_virtualization",
		"rhel_software_collections": // whose packages have names of their own
		return base
	case "rhel_eus", "rhel_aus", "rhel_tus", "rhel_e4s", "rhel_els", "rhel_eus_long_life", "rhel_mission_critical":
		return extended
	}
	if strings.HasPrefix(product, "rhel_extras") {
		return base
	}
	return layered
}

// redHatProduct takes product and release out of the CPE of a repository:
// "cpe:/a:redhat:rhel_eus:9.2::appstream".
func redHatProduct(repository string) (product, release string) {
	rest, ok := strings.CutPrefix(repository, "cpe:/")
	if !ok {
		return "", ""
	}
	for i := 0; ; i++ {
		field, after, more := strings.Cut(rest, ":")
		switch {
		case i == 1 && field != "redhat":
			return "", ""
		case i == 2:
			product = field
		case i == 3:
			return product, field
		}
		if !more {
			return product, ""
		}
		rest = after
	}
}

// distTag is what follows ".el" in a release: "9_2.1" of "1.2-3.el9_2.1".
func distTag(version string) string {
	i := strings.LastIndex(version, ".el")
	if i < 0 {
		i = strings.LastIndex(version, "+el") // of modules
	}
	if i < 0 {
		return ""
	}
	return version[i+3:]
}

// minor is the minor release that a version was built for, "9.2" of
// "1.2-3.el9_2.1", "8.4" of "…module+el8.4.0+11732+c668cc9f", "" where it does
// not say.
func minor(version string) string {
	tag := distTag(version)
	n := 0
	for n < len(tag) && (tag[n] >= '0' && tag[n] <= '9') {
		n++
	}
	if n == 0 || n >= len(tag) || tag[n] != '_' && (tag[n] != '.' || !modular(version)) {
		return ""
	}
	m := n + 1
	for m < len(tag) && tag[m] >= '0' && tag[m] <= '9' {
		m++
	}
	if m == n+1 {
		return ""
	}
	return tag[:n] + "." + tag[n+1:m]
}

// flavour tells whose build a version is: "" of the distribution itself, "sat"
// of "1.0-1.el8sat", "rhaos" of OpenShift's.
func flavour(version string) string {
	if strings.Contains(version, "rhaos") {
		return "rhaos"
	}
	tag := strings.TrimLeft(distTag(version), "0123456789")
	n := 0
	for n < len(tag) && (tag[n] >= 'a' && tag[n] <= 'z') {
		n++
	}
	return tag[:n]
}
