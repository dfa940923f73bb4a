package gates

import (
	"context"
	"fmt"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// baseImage brings back the comparisons with the base image that the first
// generation of the tool had; trigger ids are those of that time.
func baseImage() policy.Gate {
	types := []policy.ParamSpec{{Name: "package_type", Type: policy.List, Example: "dpkg,npm", Description: "Types of packages; without it all count"}}
	packages := func(name, kind, suffix, description string) trigger {
		return trigger{policy.TriggerSpec{Name: name, Description: description, Params: types},
			func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
				if s.Base == nil {
					return unknownBase(s, "packages"), nil
				}
				return changeHits(s, baseChanges(s), kind, p.List("package_type"), "the base image", suffix), nil
			}}
	}
	setID := func(name, kind, suffix, description string) trigger {
		return trigger{policy.TriggerSpec{Name: name, Description: description},
			func(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
				if s.Base == nil || s.Base.Files.Len() == 0 {
					return unknownBase(s, "files"), nil
				}
				var out []policy.Hit
				for _, c := range setIDChanges(s) {
					if c.kind == kind {
						out = append(out, policy.Hit{ID: c.path + "-" + suffix, Message: c.text, Evidence: c.evidence})
					}
				}
				return out, nil
			}}
	}
	return newGate("base_image", "What differs from the image that this one was built on",
		packages("package_added", added, "PKGADD", "A package is not in the base image"),
		packages("package_removed", gone, "PKGDEL", "A package of the base image is missing"),
		packages("package_version_changed", modified, "PKGVERSIONDIFF", "A package has another version than in the base image"),
		trigger{policy.TriggerSpec{Name: "packages_differ", Description: "The packages are not those of the base image", Params: types}, packagesDiffer},
		setID("setuid_added", added, "SUIDFILEADD", "A setuid or setgid file is not in the base image, or has not the bits there"),
		setID("setuid_removed", gone, "SUIDFILEDEL", "A setuid or setgid file of the base image is missing, or has lost the bits"),
		setID("setuid_mode_changed", modified, "SUIDMODEDIFF", "A setuid or setgid file has another mode than in the base image"),
	)
}

func unknownBase(s *policy.Subject, what string) []policy.Hit {
	if why := s.Untold["base"]; why != "" {
		return unknown("the %s of the base image are not known: %s", what, why)
	}
	return unknown("the %s of the base image are not known", what)
}

func baseChanges(s *policy.Subject) []change {
	return policy.Memo(s, "changes to the base image", func() []change { return compare(s.Base.Packages, s.Image.Packages) })
}

func packagesDiffer(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Base == nil {
		return unknownBase(s, "packages"), nil
	}
	count := map[string]int{}
	for _, c := range baseChanges(s) {
		if typeWanted(p.List("package_type"), c.pkg) {
			count[c.kind]++
		}
	}
	if len(count) == 0 {
		return nil, nil
	}
	return []policy.Hit{{ID: "PKGDIFF", Message: fmt.Sprintf("Packages differ from the base image: %d added, %d removed, %d changed", count[added], count[gone], count[modified])}}, nil
}

type setIDChange struct {
	kind, path, text string
	evidence         policy.Evidence
}

func setIDFiles(t *inventory.Table) []inventory.File {
	var out []inventory.File
	for f := range t.All() {
		if f.Type == inventory.Regular && f.Perm&0o6000 != 0 {
			out = append(out, f)
		}
	}
	return out
}

func setIDChanges(s *policy.Subject) []setIDChange {
	return policy.Memo(s, "setuid changes to the base image", func() []setIDChange {
		before := map[string]inventory.File{}
		old := setIDFiles(s.Base.Files)
		for _, f := range old {
			before[f.Path] = f
		}
		var out []setIDChange
		now := map[string]bool{}
		for _, f := range setIDFiles(s.Image.Files) {
			now[f.Path] = true
			was, ok := before[f.Path]
			switch {
			case !ok:
				out = append(out, setIDChange{added, "/" + f.Path, fmt.Sprintf("SUID or SGID file /%s with mode %s is not in the base image", f.Path, octal(int64(f.Perm))), fileEvidence(s, &f)})
			case was.Perm != f.Perm:
				out = append(out, setIDChange{modified, "/" + f.Path, fmt.Sprintf("SUID or SGID file /%s has mode %s, in the base image %s", f.Path, octal(int64(f.Perm)), octal(int64(was.Perm))), fileEvidence(s, &f)})
			}
		}
		for _, f := range old {
			if !now[f.Path] {
				out = append(out, setIDChange{gone, "/" + f.Path, fmt.Sprintf("SUID or SGID file /%s of the base image is missing, or has lost the bits", f.Path), policy.Evidence{Path: "/" + f.Path}})
			}
		}
		return out
	})
}
