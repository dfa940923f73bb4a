package gates

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// change is a package that two inventories do not agree on.
type change struct {
	kind, name, typ string
	before, after   string             // versions, joined by ", "; "" where it is not there
	pkg             *inventory.Package // of the image, or of the other where it was removed
	removed         bool
}

const (
	added    = "added"
	gone     = "removed"
	modified = "modified"
)

type packageName struct{ typ, name string }

type packageVersions struct {
	versions []string
	pkg      *inventory.Package
}

func byName(packages []inventory.Package) map[packageName]*packageVersions {
	out := map[packageName]*packageVersions{}
	for i := range packages {
		p := &packages[i]
		key := packageName{p.Type, p.Name}
		if !p.OS() {
			key.name = match.EcosystemName(p)
		}
		v := out[key]
		if v == nil {
			v = &packageVersions{pkg: p}
			out[key] = v
		}
		if !slices.Contains(v.versions, p.Version) {
			v.versions = append(v.versions, p.Version)
		}
	}
	for _, v := range out {
		slices.Sort(v.versions)
	}
	return out
}

// compare lists what is different in now from before, by type and name.
func compare(before, now []inventory.Package) []change {
	old, young := byName(before), byName(now)
	var out []change
	for key, v := range young {
		o := old[key]
		switch {
		case o == nil:
			out = append(out, change{kind: added, name: key.name, typ: key.typ, after: strings.Join(v.versions, ", "), pkg: v.pkg})
		case !slices.Equal(o.versions, v.versions):
			out = append(out, change{kind: modified, name: key.name, typ: key.typ, before: strings.Join(o.versions, ", "), after: strings.Join(v.versions, ", "), pkg: v.pkg})
		}
	}
	for key, o := range old {
		if young[key] == nil {
			out = append(out, change{kind: gone, name: key.name, typ: key.typ, before: strings.Join(o.versions, ", "), pkg: o.pkg, removed: true})
		}
	}
	slices.SortFunc(out, func(a, b change) int {
		return cmp.Or(strings.Compare(a.typ, b.typ), strings.Compare(a.name, b.name))
	})
	return out
}

func (c *change) evidence(s *policy.Subject) policy.Evidence {
	if c.removed {
		return policy.Evidence{Package: c.pkg.PURL(), Version: c.before}
	}
	return evidence(s, c.pkg)
}

func (c *change) text(than string) string {
	p := c.name + " (" + typeName(c.pkg) + ")"
	switch c.kind {
	case added:
		return fmt.Sprintf("Package %s %s was added to %s", p, c.after, than)
	case gone:
		return fmt.Sprintf("Package %s %s of %s is missing", p, c.before, than)
	}
	return fmt.Sprintf("Package %s changed from %s in %s to %s", p, c.before, than, c.after)
}

// typeWanted compares a type with a list in the words of either interface or
// of package URLs.
func typeWanted(types []string, p *inventory.Package) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, p.Type) || strings.EqualFold(t, typeName(p)) })
}

func tagDrift() policy.Gate {
	types := []policy.ParamSpec{{Name: "package_type", Type: policy.List, Example: "dpkg,npm", Description: "Types of packages; without it all count"}}
	drift := func(name, kind, description string) trigger {
		return trigger{policy.TriggerSpec{Name: name, Description: description, Params: types},
			func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
				if why := s.Untold["previous"]; s.Previous == nil && why != "" {
					return unknown("what the previous image of the tag holds is not known: %s", why), nil
				}
				if s.Previous == nil {
					return nil, nil // the first image of its tag
				}
				changes := policy.Memo(s, "changes since the previous image", func() []change { return compare(s.Previous.Packages, s.Image.Packages) })
				return changeHits(s, changes, kind, p.List("package_type"), "the previous image of the tag", ""), nil
			}}
	}
	return newGate("tag_drift", "What changed since the image that had the tag before",
		drift("packages_added", added, "A package was not in the previous image of the tag"),
		drift("packages_removed", gone, "A package of the previous image of the tag is missing"),
		drift("packages_modified", modified, "A package has another version than in the previous image of the tag"),
	)
}

func changeHits(s *policy.Subject, changes []change, kind string, types []string, than, suffix string) []policy.Hit {
	var out []policy.Hit
	for i := range changes {
		c := &changes[i]
		if kind != "" && c.kind != kind || !typeWanted(types, c.pkg) {
			continue
		}
		h := policy.Hit{Message: c.text(than), Evidence: c.evidence(s)}
		if suffix != "" {
			h.ID = c.name + "-" + suffix
		}
		out = append(out, h)
	}
	return out
}

func imageSourceDrift() policy.Gate {
	types := []policy.ParamSpec{{Name: "package_types", Type: policy.List, Example: "npm,gem", Description: "Types of packages; without it all count"}}
	return newGate("image_source_drift", "What differs from the source trees that the image is related to",
		trigger{policy.TriggerSpec{Name: "package_downgraded", Description: "A package has a lower version than in the source", Params: types}, sourceDowngraded},
		trigger{policy.TriggerSpec{Name: "package_removed", Description: "A package of the source is missing", Params: types}, sourceRemoved},
		trigger{policy.TriggerSpec{Name: "no_related_sources", Description: "No source is related to the image"}, noSources},
	)
}

func sourceDowngraded(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	have := byName(s.Image.Packages)
	var out []policy.Hit
	for si := range s.Sources {
		src := &s.Sources[si]
		for _, c := range compare(src.Packages, s.Image.Packages) {
			if c.kind != modified || !typeWanted(p.List("package_types"), c.pkg) {
				continue
			}
			lower := true
			for _, v := range have[packageName{c.typ, c.name}].versions {
				q := *c.pkg
				q.Version = v
				for _, old := range strings.Split(c.before, ", ") {
					if n, err := compareVersions(&q, old); err != nil || n >= 0 {
						lower = false
					}
				}
			}
			if lower {
				out = append(out, policy.Hit{Message: fmt.Sprintf("Package %s (%s) was downgraded from %s in source %s to %s", c.name, typeName(c.pkg), c.before, src.Name, c.after), Evidence: c.evidence(s)})
			}
		}
	}
	return out, nil
}

func sourceRemoved(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	var out []policy.Hit
	for i := range s.Sources {
		out = append(out, changeHits(s, compare(s.Sources[i].Packages, s.Image.Packages), gone, p.List("package_types"), "source "+s.Sources[i].Name, "")...)
	}
	return out, nil
}

func noSources(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if len(s.Sources) > 0 {
		return nil, nil
	}
	return hit("No source is related to the image"), nil
}
