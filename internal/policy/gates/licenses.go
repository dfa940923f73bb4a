package gates

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

func licenses() policy.Gate {
	list := policy.ParamSpec{Name: "licenses", Type: policy.List, Required: true, Example: "GPLv2+,GPL-3+,BSD-2-clause", Description: "Licences, as packages write them"}
	confidence := policy.ParamSpec{Name: "min_confidence", Type: policy.Float, Default: "0", Example: "0.9", Description: "Detected licences of less confidence (0 to 1) do not count"}
	return newGate("licenses", "The licences of packages",
		trigger{policy.TriggerSpec{Name: "blacklist_exact_match", Name2: "denylist_exact_match", Description: "A package has one of the licences", Params: []policy.ParamSpec{list}},
			licenseMatch("LICFULLMATCH", func(license, listed string) bool { return license == listed })},
		trigger{policy.TriggerSpec{Name: "blacklist_partial_match", Name2: "denylist_partial_match", Description: "A package has a licence that contains one of the texts", Params: []policy.ParamSpec{list}},
			licenseMatch("LICSUBMATCH", strings.Contains)},
		trigger{policy.TriggerSpec{Name: "not_allowed", Description: "A package's SPDX expression cannot be satisfied with allowed licences", Prepare: prepareLicenses, Params: []policy.ParamSpec{
			{Name: "licenses", Type: policy.List, Example: "MIT,Apache-2.0,BSD-3-Clause", Description: "SPDX identifiers that are allowed; of an OR one suffices, of an AND all must be"},
			{Name: "categories", Type: policy.List, Example: "permissive,public-domain", Description: "Categories that are allowed: permissive, weak-copyleft, strong-copyleft, network-copyleft, public-domain, proprietary, unknown"},
			{Name: "unlicensed", Type: policy.Bool, Default: "false", Example: "true", Description: "Also packages of which no licence is known"},
			{Name: "package_type", Type: policy.List, Example: "npm,pypi", Description: "Types of packages, as in package URLs; without it all count"},
			{Name: "source", Type: policy.Enum, Values: []string{"stated", "declared", "detected", "all"}, Default: "stated", Example: "all", Description: "Which licences count: those that the package's metadata declare, those recognised in its texts, all of them, or (stated) the declared ones and, where there are none, the detected ones"},
			confidence,
		}}, licenseNotAllowed},
		trigger{policy.TriggerSpec{Name: "undeclared", Description: "Texts in a package show a licence that its metadata do not declare", Prepare: prepareUndeclared, Params: []policy.ParamSpec{
			{Name: "categories", Type: policy.List, Example: "strong-copyleft,network-copyleft", Description: "Categories of the licences to look for; without it all count"},
			{Name: "package_type", Type: policy.List, Example: "npm,pypi", Description: "Types of packages, as in package URLs; without it all count"},
			confidence,
		}}, licenseUndeclared},
	)
}

type packageLicense struct {
	pkg     *inventory.Package
	license string
}

// licensePairs are the words of every package's licences.
func licensePairs(s *policy.Subject) []packageLicense {
	return policy.Memo(s, "licences", func() []packageLicense {
		var out []packageLicense
		for i := range s.Image.Packages {
			p := &s.Image.Packages[i]
			first := len(out)
			for _, l := range p.StatedLicenses() {
				text := l.Raw
				if text == "" {
					text = l.Expression
				}
				for word := range strings.FieldsSeq(text) {
					if !slices.ContainsFunc(out[first:], func(o packageLicense) bool { return o.license == word }) {
						out = append(out, packageLicense{p, word})
					}
				}
			}
		}
		return out
	})
}

func licenseMatch(word string, match func(license, listed string) bool) func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error) {
	return func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
		var found []string
		seen := map[string]bool{}
		for _, l := range licensePairs(s) {
			if !slices.ContainsFunc(p.List("licenses"), func(listed string) bool { return match(l.license, listed) }) {
				continue
			}
			if text := l.pkg.Name + "(" + l.license + ")"; !seen[text] {
				seen[text] = true
				found = append(found, text)
			}
		}
		if len(found) == 0 {
			return nil, nil
		}
		return hit(word + " Packages are installed that have blacklisted licenses: " + strings.Join(found, ", ")), nil
	}
}

func prepareLicenses(p policy.Params) (any, error) {
	if len(p.List("licenses"))+len(p.List("categories")) == 0 {
		return nil, fmt.Errorf("one of the parameters licenses and categories is required")
	}
	ids := map[string]bool{}
	for _, id := range p.List("licenses") {
		if known, ok := spdx.Known(id); ok {
			id = known
		} else if !strings.HasPrefix(id, "LicenseRef-") {
			return nil, fmt.Errorf("parameter licenses: %q is no identifier of the SPDX list", id)
		}
		ids[id] = true
	}
	return ids, checkCategories(p)
}

func checkCategories(p policy.Params) error {
	categories := []string{"permissive", "weak-copyleft", "strong-copyleft", "network-copyleft", "public-domain", "proprietary", "unknown"}
	for _, c := range p.List("categories") {
		if !slices.Contains(categories, c) {
			return fmt.Errorf("parameter categories: %q is none of %s", c, strings.Join(categories, ", "))
		}
	}
	return nil
}

func prepareUndeclared(p policy.Params) (any, error) { return nil, checkCategories(p) }

// licensesFrom are the licences of a package that count for a rule.
func licensesFrom(pkg *inventory.Package, source string, confidence float64) []inventory.License {
	all := pkg.Licenses
	switch source {
	case "stated":
		all = pkg.StatedLicenses()
	case "declared":
		all = slices.DeleteFunc(slices.Clone(all), func(l inventory.License) bool { return l.Source == inventory.DetectedLicense })
	case "detected":
		all = pkg.DetectedLicenses()
	}
	if confidence <= 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(l inventory.License) bool {
		return l.Source == inventory.DetectedLicense && l.Confidence < confidence
	})
}

// licenseUndeclared compares licences by name, without their versions' "only"
// and "or later": texts say nothing of that.
func licenseUndeclared(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	categories, types := wanted(p.List("categories")), wanted(p.List("package_type"))
	name := func(id string) string {
		for _, suffix := range [...]string{"+", "-only", "-or-later"} {
			id = strings.TrimSuffix(id, suffix)
		}
		return id
	}
	var out []policy.Hit
	for i := range s.Image.Packages {
		pkg := &s.Image.Packages[i]
		if types != nil && !types[pkg.Type] {
			continue
		}
		declared := map[string]bool{}
		for _, l := range licensesFrom(pkg, "declared", 0) {
			if e, err := spdx.Parse(l.Expression); err == nil {
				for _, id := range e.Licenses() {
					declared[name(id)] = true
				}
			}
		}
		if len(declared) == 0 {
			continue // nothing to compare with
		}
		var more []string
		for _, l := range licensesFrom(pkg, "detected", p.Float("min_confidence")) {
			e, err := spdx.Parse(l.Expression)
			if err != nil {
				continue
			}
			for _, id := range e.Licenses() {
				if !declared[name(id)] && (categories == nil || categories[spdx.Category(id)]) && !slices.Contains(more, id) {
					more = append(more, id)
				}
			}
		}
		if len(more) > 0 {
			out = append(out, policy.Hit{Message: fmt.Sprintf("Texts in package %s (%s) show licences that it does not declare: %s", pkg.Name, typeName(pkg), strings.Join(more, ", ")), Evidence: evidence(s, pkg)})
		}
	}
	return out, nil
}

func licenseNotAllowed(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	ids, _ := p.Prepared().(map[string]bool)
	categories, types := wanted(p.List("categories")), wanted(p.List("package_type"))
	allow := func(license, _ string) bool {
		return ids[license] || ids[strings.TrimSuffix(license, "+")] || categories[spdx.Category(license)]
	}
	var out []policy.Hit
	for i := range s.Image.Packages {
		pkg := &s.Image.Packages[i]
		if types != nil && !types[pkg.Type] {
			continue
		}
		var parts []string
		allowed := true
		for _, l := range licensesFrom(pkg, p.Text("source"), p.Float("min_confidence")) {
			if l.Expression == "" {
				continue
			}
			if !slices.Contains(parts, l.Expression) {
				parts = append(parts, l.Expression)
			}
			e, err := spdx.Parse(l.Expression)
			allowed = allowed && err == nil && (e.Allowed(allow) || e.Modern().Allowed(allow))
		}
		switch {
		case len(parts) == 0 && p.Bool("unlicensed"):
			out = append(out, policy.Hit{Message: fmt.Sprintf("No licence of package %s (%s) is known", pkg.Name, typeName(pkg)), Evidence: evidence(s, pkg)})
		case len(parts) > 0 && !allowed:
			out = append(out, policy.Hit{Message: fmt.Sprintf("Package %s (%s) is licensed %s, which is not allowed", pkg.Name, typeName(pkg), strings.Join(parts, ", ")), Evidence: evidence(s, pkg)})
		}
	}
	return out, nil
}
