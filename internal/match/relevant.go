package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// irrelevant says why a claim is not about a package although its key is the
// package's: another kind of name, architecture, module or repository, or a
// record that was taken back. "" means that it is about the package.
func irrelevant(p *inventory.Package, l lookup, cl claim) string {
	a, adv := cl.affected, cl.advisory
	who := adv.Source + " " + adv.ID
	switch {
	case a.Names != advisory.Either && a.Names != l.names:
		return fmt.Sprintf("%s speaks of the %s package of that name", who, map[bool]string{true: "source", false: "binary"}[a.Names == advisory.Source])
	case !adv.Withdrawn.IsZero():
		return fmt.Sprintf("%s was withdrawn on %s", who, adv.Withdrawn.Format("2006-01-02"))
	case !forArch(p, a):
		return fmt.Sprintf("%s is for %s only", who, strings.Join(a.Arches, ", "))
	}
	if why := otherModule(p, cl); why != "" {
		return who + " " + why
	}
	if why := otherSupport(l, cl); why != "" {
		return who + " " + why
	}
	if why := otherRepository(p, cl); why != "" {
		return who + " " + why
	}
	return ""
}

func forArch(p *inventory.Package, a *advisory.Affected) bool {
	switch p.Arch {
	case "", "noarch", "all", "any", "src", "source":
		return true
	}
	return len(a.Arches) == 0 || slices.Contains(a.Arches, p.Arch) || slices.Contains(a.Arches, "noarch")
}

// modular tells a version that was built in a module: every publisher of
// modules marks them so in the release.
func modular(version string) bool { return strings.Contains(version, ".module") }

// otherModule says why a claim is about another rpm module than the package's.
// A module's packages have versions of their own; comparing them with those of
// another module, or of none, tells nothing.
func otherModule(p *inventory.Package, cl claim) string {
	if p.Type != "rpm" {
		return ""
	}
	a := cl.affected
	inModule := p.Module != "" || modular(p.Version)
	switch {
	case a.Module == "-":
		if inModule {
			return "is for packages of no module; the package is of " + moduleName(p)
		}
	case a.Module != "":
		if !inModule {
			return fmt.Sprintf("is for the module %s; the package is of none", a.Module)
		}
		if p.Module != "" && p.Module != a.Module && !strings.HasPrefix(p.Module, a.Module+":") {
			return fmt.Sprintf("is for the module %s; the package is of %s", a.Module, moduleName(p))
		}
		if p.Module == "" && otherStream(p, a) {
			return fmt.Sprintf("is for the module %s; the package's version is of another stream", a.Module)
		}
	case a.Fix.State == advisory.Fixed && len(a.Fix.Versions) > 0:
		built := slices.ContainsFunc(a.Fix.Versions, modular)
		if built && !inModule {
			return "is for a module; the package is of none"
		}
		if !built && inModule {
			return "is for packages of no module; the package is of " + moduleName(p)
		}
	case inModule && speaksOfModules(cl):
		return "is for packages of no module; the package is of " + moduleName(p)
	}
	return ""
}

// otherStream tells a package of another stream by its version where it does not
// say its module: streams mostly are called like the versions in them,
// "postgresql:12".
func otherStream(p *inventory.Package, a *advisory.Affected) bool {
	_, stream, _ := strings.Cut(a.Module, ":")
	if stream == "" || stream[0] < '0' || stream[0] > '9' {
		return false
	}
	of := func(version string) bool {
		_, v, epoch := strings.Cut(version, ":")
		if !epoch {
			v = version
		}
		return v == stream || strings.HasPrefix(v, stream+".") || strings.HasPrefix(v, stream+"-")
	}
	return len(a.Fix.Versions) > 0 && of(a.Fix.Versions[0]) && !of(p.Version)
}

// speaksOfModules reports whether the record has claims about modules for the
// same name: then those without a module are about packages of none.
func speaksOfModules(cl claim) bool {
	return slices.ContainsFunc(cl.advisory.Affected, func(x advisory.Affected) bool {
		return x.Key == cl.affected.Key && x.Module != "" && x.Module != "-"
	})
}

// doubtfulModule reports whether a claim about one module was taken for a
// package of an unknown one.
func doubtfulModule(p *inventory.Package, a *advisory.Affected) bool {
	return p.Type == "rpm" && a.Module != "" && a.Module != "-" && p.Module == ""
}

func moduleName(p *inventory.Package) string {
	if p.Module == "" {
		return "a module"
	}
	name, rest, _ := strings.Cut(p.Module, ":")
	stream, _, _ := strings.Cut(rest, ":")
	return "the module " + name + ":" + stream
}

// otherRepository says why a claim is about packages from another place.
func otherRepository(p *inventory.Package, cl claim) string {
	a := cl.affected
	switch {
	case a.Repository == "":
	case strings.Contains(a.Repository, "://"): // a registry of its own
		if u := p.Qualifiers["repository_url"]; u != "" && !strings.HasPrefix(a.Repository, strings.TrimSuffix(u, "/")) {
			return "is for packages of " + a.Repository
		}
	case p.Type == "rpm":
		product, release := redHatProduct(a.Repository)
		switch kind := productKind(product); {
		case kind == extended && strings.Contains(release, "."):
			if minor(p.Version) != release {
				return fmt.Sprintf("is for the extended support of %s; the package is no build of it", release)
			}
		case kind == layered:
			if a.Fix.State == advisory.Fixed && len(a.Fix.Versions) > 0 {
				if flavour(p.Version) != flavour(a.Fix.Versions[0]) {
					return fmt.Sprintf("is for the product %s, which has builds of its own", product)
				}
			} else if slices.ContainsFunc(cl.advisory.Affected, func(x advisory.Affected) bool {
				other, _ := redHatProduct(x.Repository)
				return x.Key == a.Key && productKind(other) == base
			}) {
				return fmt.Sprintf("is for the product %s; for the distribution itself there is another word", product)
			}
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
	case "", "enterprise_linux", "rhel_cluster", "rhel_cluster_storage", "rhel_productivity", "rhel_virtualization":
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
	f := strings.Split(rest, ":")
	if len(f) < 4 || f[1] != "redhat" {
		return "", ""
	}
	return f[2], f[3]
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
