package inventory

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

// Where a licence is known from; [License.Source].
const (
	DeclaredLicense = "declared" // metadata names it
	DetectedLicense = "detected" // a text is it
)

// StatedLicenses are the licences that the package's metadata declare or, where
// they declare none, those recognised in its texts.
func (p *Package) StatedLicenses() []License {
	out := p.bySource(func(source string) bool { return source != DetectedLicense })
	if len(out) == 0 {
		return p.Licenses
	}
	return out
}

// DetectedLicenses are the licences recognised in the package's texts.
func (p *Package) DetectedLicenses() []License {
	return p.bySource(func(source string) bool { return source == DetectedLicense })
}

func (p *Package) bySource(want func(string) bool) []License {
	n := 0
	for i := range p.Licenses {
		if want(p.Licenses[i].Source) {
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case len(p.Licenses):
		return p.Licenses
	}
	out := make([]License, 0, n)
	for _, l := range p.Licenses {
		if want(l.Source) {
			out = append(out, l)
		}
	}
	return out
}

// licenses normalises every statement on licences to an SPDX expression, and
// joins licence files to the packages they speak of, or that own them.
func (j *joiner) licenses() {
	memo := map[string]string{}
	normal := func(ls []License) []License {
		ls = slices.Clone(ls)
		for i := range ls {
			l := &ls[i]
			if l.Expression != "" || l.Raw == "" {
				continue
			}
			expr, ok := memo[l.Raw]
			if !ok {
				expr, _ = spdx.Normalize(l.Raw)
				memo[l.Raw] = expr
			}
			l.Expression = expr
			if expr == l.Raw {
				l.Raw = ""
			}
		}
		return ls
	}
	for i := range j.licence {
		j.licence[i].Licenses = normal(j.licence[i].Licenses)
	}
	byName := j.speaking()
	for i := range j.found {
		p := &j.found[i].Package
		if len(p.Licenses) > 0 {
			p.Licenses = normal(p.Licenses)
		} else if l := byName[packageName{p.Type, p.Name}]; l != nil {
			p.Licenses = l.Licenses
		} else if l := byName[packageName{p.Type, j.documentedBy(p)}]; l != nil {
			p.Licenses = l.Licenses
		} else if p.Source != "" {
			if l := byName[packageName{p.Type, p.Source}]; l != nil {
				p.Licenses = l.Licenses
			}
		}
	}
	j.licence = slices.DeleteFunc(j.licence, func(l LicenseFile) bool { return l.Package != "" })
	j.attachTexts()
	j.img.Licenses = j.licence
}

type packageName struct{ typ, name string }

// speaking are the files whose paths say of which package they speak. Of two
// analyzers that read one file, the one that only guessed by sentences gives
// way.
func (j *joiner) speaking() map[packageName]*LicenseFile {
	const sure = 0.9
	byName := map[packageName]*LicenseFile{}
	for i := range j.licence {
		l := &j.licence[i]
		if l.Package == "" {
			continue
		}
		k := packageName{l.PackageType, l.Package}
		old := byName[k]
		if old != nil && slices.ContainsFunc(old.Licenses, func(l License) bool { return l.Source != DetectedLicense || l.Confidence >= sure }) &&
			slices.ContainsFunc(l.Licenses, func(l License) bool { return l.Source == DetectedLicense }) {
			continue
		}
		byName[k] = l
	}
	return byName
}

// commonLicenses is where Debian keeps the texts that packages refer to: they
// are no one package's licence.
const commonLicenses = "usr/share/common-licenses/"

// attachTexts adds the licences recognised in files to the packages that own
// these: what an archive holds to the archive, else to the language package,
// else to the OS package.
func (j *joiner) attachTexts() {
	type place struct{ path, inner string }
	archives := map[place]*occurrence{}
	for i := range j.licence {
		if l := &j.licence[i]; l.Inner != "" {
			archives[place{l.Path, container(l.Inner)}] = nil
		}
	}
	if len(archives) > 0 {
		for _, o := range j.found {
			at := place{o.Path, o.Inner}
			if old, ok := archives[at]; ok && (old == nil || old.State != Installed) {
				archives[at] = o
			}
		}
	}
	type text struct {
		of   *occurrence
		expr string
	}
	seen := map[text]int{} // index in the package's licences
	for i := range j.licence {
		l := &j.licence[i]
		var o *occurrence
		switch {
		case l.Inner != "":
			o = archives[place{l.Path, container(l.Inner)}]
		case !strings.HasPrefix(l.Path, commonLicenses):
			if o = j.module(l.Path); o == nil {
				o = j.owner[l.Path]
			}
		}
		if o == nil {
			continue
		}
		l.PackageType, l.Package = o.Type, o.Name
		for _, found := range l.Licenses {
			key := text{o, found.Expression}
			if at, ok := seen[key]; ok {
				o.Licenses[at].Confidence = max(o.Licenses[at].Confidence, found.Confidence)
				continue
			}
			seen[key] = len(o.Licenses)
			o.Licenses = append(slices.Clip(o.Licenses), found)
		}
	}
}

// container is the way to the archive that a member lies in, "" for the
// outermost.
func container(inner string) string {
	if i := strings.LastIndexByte(inner, '!'); i >= 0 {
		return inner[:i]
	}
	return ""
}

// documentedBy is the package whose documentation a package points to with a
// link instead of bringing its own.
func (j *joiner) documentedBy(p *Package) string {
	const doc = "usr/share/doc/"
	real, ok := j.links.resolveDir(doc + p.Name)
	if p.Type != "deb" || !ok {
		return ""
	}
	name, _ := strings.CutPrefix(real, doc)
	return name
}

// withTexts adds to the licences of a package those that texts at another of
// its places show.
func withTexts(have, more []License) []License {
	if len(have) == 0 {
		return more
	}
	out := have
	for _, l := range more {
		if l.Source == DetectedLicense && !slices.ContainsFunc(have, func(h License) bool { return h.Source == DetectedLicense && h.Expression == l.Expression }) {
			out = append(slices.Clip(out), l)
		}
	}
	return out
}
