package gates

import (
	"context"
	"errors"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// removedGate is a gate of an earlier generation: its names are known, and
// nothing is evaluated.
type removedGate struct{ spec policy.GateSpec }

func (g removedGate) Spec() policy.GateSpec { return g.spec }

func (g removedGate) Evaluate(context.Context, string, *policy.Subject, policy.Params) ([]policy.Hit, error) {
	return nil, errors.New("the gate " + g.spec.Name + " has been removed")
}

func removed() []policy.Gate {
	var out []policy.Gate
	add := func(name, successor string, triggers ...string) {
		spec := policy.GateSpec{Name: name, Description: "Removed", State: policy.EOL, SupersededBy: successor}
		for _, t := range triggers {
			spec.Triggers = append(spec.Triggers, policy.TriggerSpec{Name: t, Description: "Removed", State: policy.EOL})
		}
		out = append(out, removedGate{spec})
	}
	add("anchoresec", "vulnerabilities", "vulnlow", "vulnmedium", "vulnhigh", "vulncritical", "vulnunknown", "feedoutofdate", "unsupporteddistro")
	add("dockerfilecheck", "dockerfile", "directivecheck", "effectiveuser", "expose", "nofrom", "fromscratch", "notag", "sudo", "volumepresent", "nohealthcheck", "nodockerfile")
	add("filecheck", "files", "contentmatch", "filenamematch", "suidsgidcheck")
	add("fileparse_passwd", "passwd_file", "filenotstored", "usernamematch", "useridmatch", "groupidmatch", "shellmatch", "pentrymatch")
	add("gemcheck", "gems", "gemnotlatest", "gemnotofficial", "gembadversion", "gempkgfullmatch", "gempkgnamematch", "gemnofeed")
	add("npmcheck", "npms", "npmnotlatest", "npmnotofficial", "npmbadversion", "npmpkgfullmatch", "npmpkgnamematch", "npmnofeed")
	add("pkgcheck", "packages", "pkgnotpresent", "verify")
	add("pkgblacklist", "packages", "pkgfullmatch", "pkgnamematch")
	add("licblacklist", "licenses", "licfullmatch", "licsubmatch")
	add("metadatacheck", "metadata", "attributecheck")
	add("secretcheck", "secret_scans", "contentmatch", "filenamematch")
	add("imagecheck", "", "baseoutofdate")
	add("pkgdiff", "", "pkgversiondiff", "pkgadd", "pkgdel", "pkgdiff")
	add("suiddiff", "", "suidmodediff", "suidfileadd", "suidfiledel", "suiddiff")
	return out
}
