package gates

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// metadataQuery is what the parameters of packages/metadata mean.
type metadataQuery struct{ name, version *regexp.Regexp }

func prepareMetadata(p policy.Params) (any, error) {
	if !p.Has("type") && !p.Has("name") && !p.Has("version") {
		return nil, fmt.Errorf("one of the parameters type, name and version is required")
	}
	var q metadataQuery
	for _, f := range []struct {
		name string
		to   **regexp.Regexp
	}{{"name", &q.name}, {"version", &q.version}} {
		op := p.Text(f.name + "_comparison")
		if p.Has(f.name+"_comparison") && !p.Has(f.name) {
			return nil, fmt.Errorf("parameter %s_comparison needs the parameter %s", f.name, f.name)
		}
		if !p.Has(f.name) || op != "like" && op != "not_like" {
			continue
		}
		re, err := policy.CompileStart(p.Text(f.name))
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", f.name, err)
		}
		*f.to = re
	}
	return q, nil
}

func packageMetadata(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	q, _ := p.Prepared().(metadataQuery)
	kind, name, want := p.Text("type"), p.Text("name"), p.Text("version")
	nameOp, versionOp := p.Text("name_comparison"), p.Text("version_comparison")
	var out []policy.Hit
	for i := range s.Image.Packages {
		pkg := &s.Image.Packages[i]
		if p.Has("type") && !strings.EqualFold(kind, pkg.Type) && !strings.EqualFold(kind, typeName(pkg)) {
			continue
		}
		if p.Has("name") {
			ok := named(pkg, name)
			if q.name != nil {
				ok = q.name.MatchString(pkg.Name) || pkg.Namespace != "" && !pkg.OS() && q.name.MatchString(match.EcosystemName(pkg))
			}
			if ok != (nameOp == "=" || nameOp == "like") {
				continue
			}
		}
		if p.Has("version") {
			ok := false
			if q.version != nil {
				ok = q.version.MatchString(pkg.Version) == (versionOp == "like")
			} else if c, err := compareVersions(pkg, want); err == nil {
				ok = holds(versionOp, c)
			} else if ok = pkg.Version == want; versionOp == "=" || versionOp == "!=" {
				ok = ok == (versionOp == "=")
			} else {
				out = append(out, unknown("version %q of package %s cannot be compared with %q", pkg.Version, pkg.Name, want)...)
				continue
			}
			if !ok {
				continue
			}
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("Package %s version %s of type %s matches the given metadata", pkg.Name, pkg.Version, typeName(pkg)), Evidence: evidence(s, pkg)})
	}
	return out, nil
}

func maliciousPackage(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return unknown("the image was not matched against vulnerability data"), nil
	}
	var out []policy.Hit
	for i := range s.Scan.Findings {
		f := &s.Scan.Findings[i]
		id := ""
		for _, name := range append([]string{f.ID}, f.Aliases...) {
			if strings.HasPrefix(name, "MAL-") {
				id = name
				break
			}
		}
		if id == "" || f.Suppressed != "" {
			continue
		}
		pkg := s.Scan.Package(f)
		e := evidence(s, pkg)
		e.Finding = f.ID
		out = append(out, policy.Hit{ID: id + "+" + idPart(pkg), Message: fmt.Sprintf("Package %s version %s is malicious (%s)", pkg.Name, pkg.Version, id), Evidence: e,
			Remedy: "Remove the package; treat what ran with it as compromised"})
	}
	return out, nil
}
