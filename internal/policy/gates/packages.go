package gates

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func packages() policy.Gate {
	name := policy.ParamSpec{Name: "name", Type: policy.String, Required: true, Example: "libssl", Description: "Exact name of the package"}
	ver := policy.ParamSpec{Name: "version", Type: policy.String, Example: "1.10.3rc3", Description: "Version of the package"}
	nameOps := []string{"=", "!=", "like", "not_like"}
	return newGate("packages", "Installed packages",
		trigger{policy.TriggerSpec{Name: "required_package", Description: "A package is not installed, or not in the version that is required", Params: []policy.ParamSpec{name, ver,
			{Name: "version_match_type", Type: policy.Enum, Values: []string{"exact", "minimum"}, Default: "exact", Example: "exact", Description: "Whether the version is the only one or the lowest"},
		}}, requiredPackage},
		trigger{policy.TriggerSpec{Name: "blacklist", Name2: "denylist", Description: "A package is installed, in the given version if one is given", Params: []policy.ParamSpec{name, ver}}, deniedPackage},
		trigger{policy.TriggerSpec{Name: "verify", Description: "A file is not as the package database says", Params: []policy.ParamSpec{
			{Name: "only_packages", Type: policy.List, Example: "libssl,openssl", Description: "Packages; without it all count"},
			{Name: "only_directories", Type: policy.List, Example: "/usr,/var/lib", Description: "Beginnings of paths; without it all count"},
			{Name: "check", Type: policy.Enum, Values: []string{"changed", "missing"}, Example: "changed", Description: "What to look for; without it both"},
		}}, verifyPackages},
		trigger{policy.TriggerSpec{Name: "metadata", Description: "A package satisfies all that is given", Prepare: prepareMetadata, Params: []policy.ParamSpec{
			{Name: "type", Type: policy.String, Example: "java", Description: "Type of the package: dpkg, rpm, APKG, java, python, npm, gem, go … or as in package URLs"},
			{Name: "name", Type: policy.String, Example: "log4j-core", Description: "Name of the package; a regular expression for like and not_like, matched at its start"},
			{Name: "name_comparison", Type: policy.Enum, Values: nameOps, Default: "=", Example: "like", Description: "How to compare the name"},
			{Name: "version", Type: policy.String, Example: "2.17.1", Description: "Version of the package; a regular expression for like and not_like, matched at its start"},
			{Name: "version_comparison", Type: policy.Enum, Values: append(comparisons(), "like", "not_like"), Default: "=", Example: "<", Description: "How to compare the version, by the ordering of the package's ecosystem"},
		}}, packageMetadata},
		trigger{policy.TriggerSpec{Name: "eol", Description: "The release line of a package gets no more support", Params: []policy.ParamSpec{
			{Name: "days_before", Type: policy.Duration, Default: "0", Example: "90", Description: "Fire this many days before the end"},
		}}, packageEOL},
		trigger{policy.TriggerSpec{Name: "malicious", Description: "A package is known to be an attack itself"}, maliciousPackage},
	)
}

// withName are the packages of a name, in order.
func withName(s *policy.Subject, name string) []*inventory.Package {
	return policy.Memo(s, "packages by name", func() map[string][]*inventory.Package {
		out := make(map[string][]*inventory.Package, len(s.Image.Packages))
		for i := range s.Image.Packages {
			p := &s.Image.Packages[i]
			out[p.Name] = append(out[p.Name], p)
			if p.Namespace != "" && !p.OS() {
				if full := match.EcosystemName(p); full != p.Name {
					out[full] = append(out[full], p)
				}
			}
		}
		return out
	})[name]
}

// named reports whether a package has a name, in any of the ways to write it.
func named(p *inventory.Package, name string) bool {
	return p.Name == name || p.Namespace != "" && !p.OS() && match.EcosystemName(p) == name
}

// withoutEpoch and withoutRelease take the parts of a version apart.
func withoutEpoch(v string) string {
	if epoch, rest, ok := strings.Cut(v, ":"); ok && strings.Trim(epoch, "0123456789") == "" {
		return rest
	}
	return v
}

func withoutRelease(v string) string {
	v = withoutEpoch(v)
	if i := strings.LastIndexByte(v, '-'); i > 0 {
		return v[:i]
	}
	return v
}

func requiredPackage(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	name, want := p.Text("name"), p.Text("version")
	var wrong []policy.Hit // the package in other versions; one in the right version is enough
	for _, pkg := range withName(s, name) {
		h := policy.Hit{Evidence: evidence(s, pkg)}
		switch {
		case want == "" || pkg.Version == want:
			return nil, nil
		case p.Text("version_match_type") == "minimum":
			c, err := compareVersions(pkg, want)
			if err != nil {
				return nil, err
			}
			if c >= 0 {
				return nil, nil
			}
			h.Message = fmt.Sprintf("Required min-version input package (%s) is present (%s), but is lower version than what is specified in policy (%s)", name, pkg.Version, want)
		case pkg.OS() && withoutEpoch(pkg.Version) == want:
			return nil, nil
		default:
			h.Message = fmt.Sprintf("Required input package (%s) is present (%s), but not at the version specified in policy (%s)", name, pkg.Version, name)
		}
		h.Remedy = "Install " + name + " " + want
		wrong = append(wrong, h)
	}
	if len(wrong) > 0 {
		return wrong[:1], nil
	}
	if want != "" {
		return []policy.Hit{{Message: fmt.Sprintf("Required input package (%s,%s) is not present in container image", name, want), Remedy: "Install " + name + " " + want}}, nil
	}
	return []policy.Hit{{Message: fmt.Sprintf("Required input package (%s) is not present in container image", name), Remedy: "Install " + name}}, nil
}

// compareVersions orders a package's version against another, by the rules of
// its ecosystem.
func compareVersions(p *inventory.Package, other string) (int, error) {
	scheme, ok := version.SchemeOf(p.Type)
	if !ok {
		scheme = version.Generic
	}
	return version.Compare(scheme, p.Version, other)
}

func deniedPackage(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	name, want := p.Text("name"), p.Text("version")
	var out []policy.Hit
	for _, pkg := range withName(s, name) {
		message := "Package is blacklisted: " + name
		if want != "" {
			if pkg.Version != want && (!pkg.OS() || withoutRelease(pkg.Version) != want) {
				continue
			}
			message += "-" + want
		}
		out = append(out, policy.Hit{Message: message, Evidence: evidence(s, pkg), Remedy: "Remove " + name})
	}
	return out, nil
}

func verifyPackages(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactPackageFile) {
		return unknown("files were not compared with the package database"), nil
	}
	facts, err := policy.Facts[policy.PackageFile](s, policy.FactPackageFile)
	if err != nil {
		return nil, err
	}
	only, check := wanted(p.List("only_packages")), p.Text("check")
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		if f.Fact.Config || only != nil && !only[f.Fact.Package] || check != "" && check != f.Fact.Status || !below(f.Path, p.List("only_directories")) {
			continue
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("VERIFY check against package db for package '%s' failed on entry '%s' with status: '%s'", f.Fact.Package, f.Path, f.Fact.Status),
			Evidence: policy.Evidence{Path: f.Path, Layer: s.LayerDigest(f.Layer), Detail: f.Fact.Detail}, Remedy: "Install " + f.Fact.Package + " again, or configure it without changing its files"})
	}
	return out, nil
}

func below(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return len(prefixes) == 0
}

func packageEOL(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	var out []policy.Hit
	for i := range s.Image.Packages {
		c, ok := s.Cycles[i]
		if !ok {
			continue
		}
		pkg := &s.Image.Packages[i]
		if text := ends(s, c.Ended, c.EOL, p.Int("days_before")); text != "" {
			h := policy.Hit{Message: fmt.Sprintf("Package %s %s: support of %s %s %s", pkg.Name, pkg.Version, c.Product, c.Name, text), Evidence: evidence(s, pkg)}
			if c.Latest != "" {
				h.Evidence.Detail = "latest of the line: " + c.Latest
			}
			out = append(out, h)
		}
	}
	if s.Cycles == nil && len(s.Image.Packages) > 0 {
		return unknown("there is no data on the end of packages' support"), nil
	}
	return out, nil
}

// ends says when support ends, "" when not within the days before.
func ends(s *policy.Subject, ended bool, eol time.Time, days int64) string {
	switch {
	case !eol.IsZero() && !s.Now.Before(eol):
		return "ended on " + eol.Format(time.DateOnly)
	case eol.IsZero() && ended:
		return "has ended"
	case !eol.IsZero() && days > 0 && eol.Sub(s.Now) <= daysOf(days):
		return "ends on " + eol.Format(time.DateOnly)
	}
	return ""
}

// daysOf is a number of days as a duration, at most what a duration holds.
func daysOf(n int64) time.Duration { return time.Duration(min(n, 100_000)) * 24 * time.Hour }
