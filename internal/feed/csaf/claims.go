package csaf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// maxArches bounds the architectures of one claim.
const maxArches = 64

// claim is what a document says of one package, but for the architecture.
type claim struct {
	stream, repository, module, name string
	source                           bool
	status                           advisory.Status
	from, fixed, last                string
	state                            advisory.FixState
	advisory, url, note, level       string
	when                             time.Time
}

// line is what versions of a claim are compared with: the same package in the
// same repository.
type line struct {
	stream, repository, module, name string
	source                           bool
}

func (c *claim) line() line { return line{c.stream, c.repository, c.module, c.name, c.source} }

// claims collects those of one vulnerability, with their architectures: nil
// for all.
type claims struct {
	*vendor
	*catalogue
	fixes    map[string]fix
	levels   map[string]string
	found    map[claim][]string
	problems []error
	dropped  int
}

// fix is what a document says of how a product is mended.
type fix struct {
	rank               int
	state              advisory.FixState
	advisory, url, why string
	when               time.Time
}

// claimsOf collects what a vulnerability says of packages. The errors are of
// single products; the rest is good.
func (v *vendor) claimsOf(c *catalogue, vul *vulnerability, overall string) ([]advisory.Affected, []error) {
	cs := &claims{vendor: v, catalogue: c, fixes: map[string]fix{}, levels: map[string]string{}, found: map[claim][]string{}}
	cs.remediations(vul)
	for _, t := range vul.Threats {
		if t.Category != "impact" || t.Details == overall {
			continue
		}
		for _, id := range c.all(t.among) {
			cs.levels[id] = t.Details
		}
	}
	notes := map[string]string{}
	for _, f := range vul.Flags {
		for _, id := range c.all(f.among) {
			notes[id] = strings.ReplaceAll(f.Label, "_", " ")
		}
	}
	s := &vul.Status
	for _, ids := range [][]string{s.Fixed, s.FirstFixed, s.Recommended} {
		for _, id := range ids {
			cs.fixed(id)
		}
	}
	cs.each(s.Affected, advisory.StatusAffected, nil)
	cs.each(s.NotAffected, advisory.StatusNotAffected, notes)
	cs.each(s.Investigating, advisory.StatusInvestigating, nil)
	cs.bounds(s.FirstAffected, s.LastAffected)
	if c.tooMany() {
		cs.problems = append(cs.problems, &feed.LimitError{What: "the document", Limit: "products of groups", Most: 10 * maxProducts})
	}
	return cs.affected(), cs.problems
}

// remediations notes for each product the one that says most.
func (cs *claims) remediations(vul *vulnerability) {
	for _, r := range vul.Remediations {
		f := fix{url: r.URL, when: date(r.Date)}
		word := strings.TrimSpace(r.Details)
		switch r.Category {
		case "vendor_fix":
			f.rank, f.state, f.advisory = 5, advisory.Fixed, cs.advisoryOf(r.URL)
		case "no_fix_planned":
			f.rank, f.state, f.why = 4, advisory.WontFix, word
			if strings.EqualFold(word, "Out of support scope") {
				f.state = advisory.EndOfLife
			}
		case "none_available":
			f.rank, f.state, f.why = 3, advisory.NotFixed, word
			if strings.EqualFold(word, "Fix deferred") {
				f.state = advisory.Deferred
			}
		case "workaround", "mitigation":
			f.rank, f.state, f.url = 1, advisory.NotAFix, ""
		default:
			continue
		}
		if len(f.why) > 200 {
			f.why = strings.ToValidUTF8(f.why[:200], "") + "…"
		}
		switch strings.ToLower(f.why) {
		case "affected", "currently no fix is available":
			f.why = "" // the state says that
		}
		for _, id := range cs.all(r.among) {
			if f.rank > cs.fixes[id].rank {
				cs.fixes[id] = f
			}
		}
	}
}

// identify finds the package and the stream of a product. ok is false for what
// no rpm package matches.
func (cs *claims) identify(id string, versioned bool) (c component, base claim, ok bool) {
	r, ok := cs.resolve(id)
	if !ok {
		cs.problems = append(cs.problems, fmt.Errorf("the product %s is not defined", shorten(id)))
		return c, base, false
	}
	if r.platform == nil {
		return c, base, false // a product as a whole
	}
	if base.stream, base.repository, ok = cs.stream(r.platform); !ok {
		return c, base, false
	}
	if p := r.part.Helper.PURL; p != "" {
		var err error
		if c, ok, err = fromPURL(p); err != nil {
			cs.problems = append(cs.problems, fmt.Errorf("the product %s: %w", shorten(id), err))
			return c, base, false
		}
	} else {
		c, ok = cs.component(r.part, versioned)
	}
	if !ok || c.name == "" {
		return c, base, false
	}
	base.name, base.source = c.name, c.arch == "src" || c.arch == "nosrc"
	base.module = cmp.Or(c.module, r.module)
	base.level = cs.levels[id]
	return c, base, true
}

func (cs *claims) add(c claim, arch string) {
	if arch == "src" || arch == "nosrc" || arch == "noarch" {
		arch = ""
	}
	old, known := cs.found[c]
	switch {
	case known && old == nil:
	case arch == "":
		cs.found[c] = nil
	case len(old) >= maxArches:
		cs.found[c] = nil // there are not so many: they mean all
	case !slices.Contains(old, arch):
		cs.found[c] = append(old, arch)
	}
}

func (cs *claims) fixed(id string) {
	c, base, ok := cs.identify(id, true)
	if !ok || c.evr == "" {
		return
	}
	f := cs.fixes[id]
	base.fixed, base.state = c.evr, advisory.Fixed
	base.advisory, base.url, base.when = f.advisory, f.url, f.when
	cs.add(base, c.arch)
}

// each takes the products that are affected, not affected or looked into. They
// name packages. Builds among those not affected are left out: each advisory
// lists whatever else came along with it.
func (cs *claims) each(ids []string, status advisory.Status, notes map[string]string) {
	for _, id := range ids {
		c, base, ok := cs.identify(id, false)
		if !ok {
			continue
		}
		if c.evr != "" && status == advisory.StatusNotAffected {
			cs.dropped++
			continue
		}
		base.status, base.note = status, notes[id]
		if status == advisory.StatusAffected {
			f := cs.fixes[id]
			base.state, base.note = cmp.Or(f.state, advisory.NotFixed), f.why
			base.advisory, base.url, base.when = f.advisory, f.url, f.when
		}
		cs.add(base, c.arch)
	}
}

func (cs *claims) bounds(first, last []string) {
	for i, ids := range [][]string{first, last} {
		for _, id := range ids {
			c, base, ok := cs.identify(id, true)
			if !ok || c.evr == "" {
				continue
			}
			base.state = advisory.NotFixed
			if i == 0 {
				base.from = c.evr
			} else {
				base.last = c.evr
			}
			cs.add(base, c.arch)
		}
	}
}

// affected makes claims of what was found: sorted, the fixed versions of one
// package in one repository put together.
//
// A repository gets a fix again with every minor release, in a newer version;
// a package is mended from the first of them on.
func (cs *claims) affected() []advisory.Affected {
	list := make([]claim, 0, len(cs.found))
	sourced := map[[5]string]bool{} // versions that a source package has
	for c := range cs.found {
		list = append(list, c)
		if c.source && c.fixed != "" {
			sourced[c.build()] = true
		}
	}
	list = slices.DeleteFunc(list, func(c claim) bool {
		return !c.source && c.fixed != "" && isDebug(c.name) && sourced[c.build()]
	})
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(
			cmp.Compare(a.stream, b.stream), cmp.Compare(a.name, b.name), cmp.Compare(a.module, b.module), cmp.Compare(a.repository, b.repository),
			cmp.Compare(b2i(a.source), b2i(b.source)), cmp.Compare(a.status, b.status), compareEVR(a.fixed, b.fixed), cmp.Compare(a.fixed, b.fixed),
			cmp.Compare(a.from, b.from), cmp.Compare(a.last, b.last), cmp.Compare(a.state, b.state), cmp.Compare(a.advisory, b.advisory), cmp.Compare(a.note, b.note),
			cmp.Compare(a.url, b.url), cmp.Compare(a.level, b.level), a.when.Compare(b.when),
		)
	})
	out := make([]advisory.Affected, 0, len(list))
	covered := map[line]*coverage{}
	for i := range list {
		c := &list[i]
		arches := cs.found[*c]
		slices.Sort(arches)
		if c.fixed != "" {
			seen := covered[c.line()]
			if seen == nil {
				seen = &coverage{}
				covered[c.line()] = seen
			}
			if seen.has(arches) {
				if f := &out[seen.at].Fix; !slices.Contains(f.Versions, c.fixed) {
					f.Versions = append(f.Versions, c.fixed)
				}
				continue
			}
			seen.add(arches, len(out))
		}
		out = append(out, c.affected(cs.vendor, arches))
	}
	return out
}

// coverage is for which architectures a package has a fix already, and where
// the first claim of it stands.
type coverage struct {
	all    bool
	arches []string
	at     int
	some   bool
}

func (v *coverage) has(arches []string) bool {
	if v.all || !v.some || arches == nil {
		return v.all
	}
	for _, a := range arches {
		if !slices.Contains(v.arches, a) {
			return false
		}
	}
	return true
}

func (v *coverage) add(arches []string, at int) {
	if !v.some {
		v.at, v.some = at, true
	}
	v.all = v.all || arches == nil
	v.arches = append(v.arches, arches...)
}

func (c *claim) build() [5]string {
	return [5]string{c.stream, c.repository, c.module, c.fixed, c.advisory}
}

// isDebug tells packages of debugging symbols, which are never installed but
// together with what they are about.
func isDebug(name string) bool {
	return strings.HasSuffix(name, "-debuginfo") || strings.HasSuffix(name, "-debugsource") || strings.HasSuffix(name, "-debuginfo-common")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareEVR(a, b string) int {
	if a == b {
		return 0
	}
	x, errX := version.Parse(version.RPM, a)
	y, errY := version.Parse(version.RPM, b)
	if errX != nil || errY != nil {
		return 0
	}
	return x.Compare(y)
}

func (c *claim) affected(v *vendor, arches []string) advisory.Affected {
	a := advisory.Affected{
		Key: advisory.Key{Stream: c.stream, Name: c.name}, Scheme: version.RPM, Status: c.status, Arches: arches,
		Module: c.module, Repository: c.repository, Note: c.note,
	}
	if c.source {
		a.Names = advisory.Source
	}
	if c.from != "" || c.fixed != "" || c.last != "" {
		a.Intervals = []advisory.Interval{{Introduced: c.from, Fixed: c.fixed, LastAffected: c.last}}
	}
	if c.status == advisory.StatusAffected {
		a.Fix = advisory.Fix{State: c.state, Advisory: c.advisory, URL: c.url, Date: c.when}
		if c.fixed != "" {
			a.Fix.Versions = []string{c.fixed}
		}
	}
	if c.level != "" {
		a.Severities = []advisory.Severity{{Source: v.source, Type: "LABEL", Label: advisory.LevelOf(c.level), Raw: c.level}}
	}
	return a
}
