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
	case cl.replaced:
		return fmt.Sprintf("for %s another source's record stands, which says which products are affected", who)
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
	if why := otherRepository(p, l, cl); why != "" {
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
func otherRepository(p *inventory.Package, l lookup, cl claim) string {
	a := cl.affected
	switch {
	case a.Repository == "":
	case strings.Contains(a.Repository, "://"): // a registry of its own
		if u := p.Qualifiers["repository_url"]; u != "" && !strings.HasPrefix(a.Repository, strings.TrimSuffix(u, "/")) {
			return "is for packages of " + a.Repository
		}
	case p.Type == "rpm":
		return otherProduct(p, l.content, cl)
	}
	return ""
}
