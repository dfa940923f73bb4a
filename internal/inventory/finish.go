package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// finish names the distribution on OS packages, makes one package of its
// occurrences, and sorts everything.
func (j *joiner) finish() {
	namespace, stream := "", ""
	if d := j.img.Distro; d != nil {
		namespace = PURLNamespace(d.ID)
		stream = d.ID + ":" + cmp.Or(d.Version, d.Codename)
	}
	slices.SortStableFunc(j.found, func(a, b *occurrence) int {
		return cmp.Or(
			strings.Compare(a.Path, b.Path), strings.Compare(a.Inner, b.Inner), cmp.Compare(a.Layer, b.Layer), strings.Compare(a.analyzer, b.analyzer))
	})
	j.sameBytes()
	index := map[string]*Package{}
	merged := j.found[:0]
	declared := 0
	for _, o := range j.found {
		p := &o.Package
		if p.OS() {
			p.Distro = stream
			if p.Namespace == "" && p.Type != "ebuild" {
				p.Namespace = namespace
			}
		}
		at := Location{Path: p.Path, Inner: p.Inner, Layer: p.Layer, Analyzer: o.analyzer, Technique: p.Technique, Owner: p.Owner, Hidden: o.hidden}
		id := p.ID()
		m, ok := index[id]
		if !ok {
			index[id] = p
			p.Locations = []Location{at}
			merged = append(merged, o)
			if p.State == Declared {
				declared++
			}
			continue
		}
		if last := &m.Locations[len(m.Locations)-1]; last.Path == at.Path && last.Inner == at.Inner && last.Hidden == at.Hidden {
			fillIn(m, p)
			continue
		}
		m.Locations = append(m.Locations, at)
		if m.Owner != at.Owner {
			m.Owner = "" // one place at least is its own
		}
		fillIn(m, p)
	}
	clear(j.found[len(merged):])
	index = nil
	if declared > 0 {
		merged = dropInstalled(merged)
	}
	slices.SortStableFunc(merged, func(a, b *occurrence) int {
		return cmp.Or(strings.Compare(string(a.State), string(b.State)), ComparePackages(&a.Package, &b.Package))
	})
	installed, _ := slices.BinarySearchFunc(merged, Declared, func(o *occurrence, s State) int { return strings.Compare(string(o.State), string(s)) })
	all := make([]Package, len(merged))
	for i, o := range merged {
		p := &o.Package
		if p.Owner == "" {
			for _, l := range p.Locations {
				if l.Owner == "" {
					p.Layer = l.Layer
					break
				}
			}
		}
		all[i], merged[i] = *p, nil
	}
	j.img.Packages, j.img.Declared = all[:installed:installed], all[installed:]
	slices.SortStableFunc(j.img.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), strings.Compare(a.Path, b.Path), strings.Compare(a.Analyzer, b.Analyzer), strings.Compare(a.Message, b.Message))
	})
	slices.SortStableFunc(j.img.Facts, CompareFacts)
}

// CompareFacts orders facts by kind, path and layer.
func CompareFacts(a, b Fact) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Path, b.Path), cmp.Compare(a.Layer, b.Layer))
}

// dropInstalled removes declared packages that are installed as well: what
// speaks of them adds nothing. Of OS packages it does, where the database of
// installed ones says less than the file that each brings.
func dropInstalled(found []*occurrence) []*occurrence {
	type key struct{ typ, namespace, name, version string }
	keyOf := func(o *occurrence) key { return key{o.Type, o.Namespace, o.Name, o.Version} }
	installed := map[key]*occurrence{}
	for _, o := range found {
		if o.State == Installed && slices.ContainsFunc(o.Locations, func(l Location) bool { return !l.Hidden }) {
			if k := keyOf(o); installed[k] == nil {
				installed[k] = o
			}
		}
	}
	return slices.DeleteFunc(found, func(o *occurrence) bool {
		if o.State != Declared {
			return false
		}
		known := installed[keyOf(o)]
		if known != nil && o.OS() && o.Arch == known.Arch {
			fillIn(&known.Package, &o.Package)
		}
		return known != nil
	})
}

// sameBytes gives archives of the same bytes one identity: one of them may
// have a better file name than the others, or lie where its path says more.
func (j *joiner) sameBytes() {
	best := map[string]*occurrence{}
	better := func(a, b *occurrence) bool {
		if a.Confidence != b.Confidence {
			return a.Confidence > b.Confidence
		}
		if (a.Version == "") != (b.Version == "") {
			return a.Version != ""
		}
		return a.Inner == "" && b.Inner != ""
	}
	guessed := func(o *occurrence) bool {
		return o.Type == "maven" && o.State == Installed && o.Confidence > 0 && o.Hashes["sha1"] != ""
	}
	for _, o := range j.found {
		if guessed(o) {
			if b := best[o.Hashes["sha1"]]; b == nil || better(o, b) {
				best[o.Hashes["sha1"]] = o
			}
		}
	}
	for _, o := range j.found {
		if guessed(o) {
			b := best[o.Hashes["sha1"]]
			o.Namespace, o.Name, o.Version = b.Namespace, b.Name, b.Version
		}
	}
}

// fillIn takes from a further occurrence what the first one did not know.
func fillIn(m, p *Package) {
	m.Source = cmp.Or(m.Source, p.Source)
	m.SourceVersion = cmp.Or(m.SourceVersion, p.SourceVersion)
	m.Supplier = cmp.Or(m.Supplier, p.Supplier)
	m.Homepage = cmp.Or(m.Homepage, p.Homepage)
	m.Description = cmp.Or(m.Description, p.Description)
	m.Licenses = withTexts(m.Licenses, p.Licenses)
	if len(m.Hashes) == 0 {
		m.Hashes = p.Hashes
	}
	if len(m.CPEs) == 0 {
		m.CPEs = p.CPEs
	}
	if len(m.Depends) == 0 {
		m.Depends = p.Depends
	}
	if m.Files.Len() == 0 {
		m.Files = p.Files
	}
	if m.Confidence != 0 && (p.Confidence == 0 || p.Confidence > m.Confidence) {
		m.Confidence, m.Technique = p.Confidence, p.Technique
	}
	if m.Scope != p.Scope {
		m.Scope = "" // needed for more than one purpose
	}
}

// PURLNamespace is the namespace that package URLs use for a distribution's
// os-release ID.
func PURLNamespace(id string) string {
	if id == "rhel" {
		return "redhat"
	}
	return id
}
