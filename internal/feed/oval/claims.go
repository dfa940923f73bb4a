package oval

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// claim is an [advisory.Affected] in a form small enough to hold millions.
type claim struct {
	stream, name, module, repository text
	from, fixed, last, exact         text
	arches                           text // separated by "|", sorted
	note, level, advisory, url       text
	day                              int32 // of the fix, since 1970
	status, state                    text
	after                            bool
}

// record is an advisory under work.
type record struct {
	advisory.Advisory
	claims []claim
}

// claimsOf evaluates a definition. What each clause says of packages is passed
// to the publisher's own sense of "affected" by base.
func (e *evaluator) claimsOf(d *definition, base claim, streams []text) ([]claim, error) {
	if d.problem != nil {
		return nil, d.problem
	}
	if d.criteria == nil {
		return nil, errors.New("it has no criteria")
	}
	e.problem = nil
	clauses, err := e.expand(d.criteria, false)
	if err != nil {
		return nil, err
	}
	var out []claim
	for i := range clauses {
		c := &clauses[i]
		on := c.streams
		if on == nil {
			on = streams
		}
		found := e.clause(c, d, base)
		for _, s := range on {
			for _, f := range found {
				f.stream = s
				if out = append(out, f); len(out) > 2_000_000 {
					return nil, limit("a definition", "claims", 2_000_000)
				}
			}
		}
	}
	if len(out) == 0 {
		return nil, e.problem
	}
	return out, e.problem
}

// clause gives the claims of one clause, but for their streams.
func (e *evaluator) clause(c *clause, d *definition, base claim) []claim {
	if len(c.packages) == 0 {
		return nil
	}
	unaffected := strings.Contains(d.id, ".unaffected:")
	var out []claim
	ranged, exact := false, false
	for _, p := range c.packages {
		ranged = ranged || p.op >= opLess && p.op <= opGreaterEqual
		exact = exact || p.op == opEqual
		// "And the package that would mend it is not there" is no claim about
		// a package. Red Hat's definitions of what is unaffected demand that a
		// package is there and not there, so that they are never fulfilled.
		if p.op == opMissing && !unaffected {
			return nil
		}
	}
	only := ""
	for _, p := range c.packages {
		if ranged && (p.op < opLess || p.op > opGreaterEqual) || !ranged && exact && p.op != opEqual {
			if p.name != c.packages[0].name || len(c.packages) > 1 {
				only = e.get(p.name)
			}
			continue
		}
		if p.op == opMissing {
			continue
		}
		i := slices.IndexFunc(out, func(f claim) bool { return f.name == p.name })
		if i < 0 {
			f := base
			f.name, f.module = p.name, c.module
			f.arches = e.archesOf(p.arches, c.arches)
			i = len(out)
			out = append(out, f)
		}
		f := &out[i]
		evr := e.bound(p.evr)
		switch p.op {
		case opLess:
			f.fixed = evr
		case opLessEqual:
			f.last = evr
		case opGreater:
			f.from, f.after = evr, true
		case opGreaterEqual:
			f.from = evr
		case opEqual:
			f.exact = evr
		case opNever:
			f.status = e.put(string(advisory.StatusNotAffected))
		case opInstalled:
			if unaffected {
				f.status = e.put(string(advisory.StatusNotAffected))
			}
		}
	}
	for i := range out {
		f := &out[i]
		if only != "" && only != e.get(f.name) {
			f.note = e.put("only together with " + only)
		}
		if s := e.get(f.from); s == "0" || s == "0-0" {
			f.from = 0
		}
		if f.state == 0 && f.status == 0 {
			f.state = e.put(string(advisory.NotFixed))
			if f.fixed != 0 {
				f.state = e.put(string(advisory.Fixed))
			}
		}
		e.flavour(f)
	}
	return out
}

// bound writes a version without the epoch 0, which is the same as none.
func (e *evaluator) bound(evr text) text {
	if s, ok := strings.CutPrefix(e.get(evr), "0:"); ok {
		return e.put(s)
	}
	return evr
}

// archesOf gives the architectures in which a package is meant: those of its
// own, or those of the system. A list that has both of a publisher's main ones
// leaves none out.
func (e *evaluator) archesOf(own text, system []text) text {
	if own != 0 {
		a := strings.Split(e.get(own), "|")
		slices.Sort(a)
		return e.put(strings.Join(slices.Compact(a), "|"))
	}
	if system == nil {
		return 0
	}
	a := make([]string, len(system))
	for i, s := range system {
		a[i] = e.get(s)
	}
	slices.Sort(a)
	return e.put(strings.Join(a, "|"))
}

// flavour keeps claims about Oracle's rebuilds for Ksplice and FIPS from
// ordinary packages. They have an epoch above that of the ordinary package (2
// and 10), so a claim begins there.
func (e *evaluator) flavour(f *claim) {
	evr := e.get(f.fixed)
	if evr == "" || !strings.Contains(evr, ".ksplice") && !strings.Contains(evr, "_fips") {
		return
	}
	epoch, _, ok := strings.Cut(evr, ":")
	if !ok || epoch == "0" {
		e.problem = errors.New("a rebuild without an epoch cannot be told from the ordinary package: " + shorten(evr))
		f.name = 0
		return
	}
	f.from = e.put(epoch + ":0")
	f.note = e.put("only the rebuild for " + map[bool]string{true: "Ksplice", false: "FIPS"}[strings.Contains(evr, ".ksplice")])
}

// compareClaims orders claims by all they say; architectures come last.
func compareClaims(t *table, a, b *claim) int {
	return cmp.Or(
		strings.Compare(t.get(a.stream), t.get(b.stream)), strings.Compare(t.get(a.name), t.get(b.name)),
		strings.Compare(t.get(a.module), t.get(b.module)), strings.Compare(t.get(a.repository), t.get(b.repository)),
		strings.Compare(t.get(a.status), t.get(b.status)), strings.Compare(t.get(a.state), t.get(b.state)),
		strings.Compare(t.get(a.fixed), t.get(b.fixed)), strings.Compare(t.get(a.last), t.get(b.last)),
		strings.Compare(t.get(a.from), t.get(b.from)), strings.Compare(t.get(a.exact), t.get(b.exact)),
		strings.Compare(t.get(a.advisory), t.get(b.advisory)), strings.Compare(t.get(a.note), t.get(b.note)),
		strings.Compare(t.get(a.level), t.get(b.level)), cmp.Compare(a.day, b.day), strings.Compare(t.get(a.url), t.get(b.url)),
		strings.Compare(t.get(a.arches), t.get(b.arches)),
	)
}

// finish makes the advisory of a record: claims sorted, without doubles, those
// that differ in the architecture alone made one.
func (p *publisher) finish(t *table, r *record) *advisory.Advisory {
	claims := slices.DeleteFunc(r.claims, func(c claim) bool { return c.name == 0 })
	slices.SortFunc(claims, func(a, b claim) int { return compareClaims(t, &a, &b) })
	a := &r.Advisory
	for i := 0; i < len(claims); {
		k := i + 1
		every := claims[i].arches == 0
		for ; k < len(claims) && sameButArch(claims[i], claims[k]); k++ {
			every = every || claims[k].arches == 0
		}
		f := p.affected(t, &claims[i])
		if !every {
			for ; i < k; i++ {
				f.Arches = append(f.Arches, strings.Split(t.get(claims[i].arches), "|")...)
			}
			slices.Sort(f.Arches)
			f.Arches = slices.Compact(f.Arches)
			if p.systemArches && slices.Contains(f.Arches, "x86_64") && slices.Contains(f.Arches, "aarch64") {
				f.Arches = nil // every architecture there is of it
			}
		}
		a.Affected = append(a.Affected, f)
		i = k
	}
	r.claims = nil
	slices.SortFunc(a.References, func(x, y advisory.Reference) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.URL, y.URL))
	})
	a.References = slices.Compact(a.References)
	slices.Sort(a.CWEs)
	a.CWEs = slices.Compact(a.CWEs)
	slices.Sort(a.Upstream)
	a.Upstream = slices.Compact(a.Upstream)
	return a
}

func sameButArch(a, b claim) bool {
	a.arches, b.arches = 0, 0
	return a == b
}

func (p *publisher) affected(t *table, c *claim) advisory.Affected {
	f := advisory.Affected{
		Key: advisory.Key{Stream: t.get(c.stream), Name: t.get(c.name)}, Names: p.names, Scheme: version.RPM,
		Status: advisory.Status(t.get(c.status)), Module: t.get(c.module), Repository: t.get(c.repository), Note: t.get(c.note),
	}
	if c.exact != 0 {
		f.Versions = []string{t.get(c.exact)}
	} else if c.from|c.fixed|c.last != 0 {
		f.Intervals = []advisory.Interval{{Introduced: t.get(c.from), After: c.after, Fixed: t.get(c.fixed), LastAffected: t.get(c.last)}}
	}
	if f.Status == advisory.StatusAffected {
		f.Fix.State = advisory.FixState(t.get(c.state))
		f.Fix.Advisory, f.Fix.URL = t.get(c.advisory), t.get(c.url)
		if c.fixed != 0 {
			f.Fix.Versions = []string{t.get(c.fixed)}
			if c.day != 0 {
				f.Fix.Date = time.Unix(int64(c.day)*86400, 0).UTC()
			}
		}
	}
	if c.level != 0 {
		w := t.get(c.level)
		f.Severities = []advisory.Severity{{Source: p.source, Type: "LABEL", Label: advisory.LevelOf(w), Raw: w}}
	}
	return f
}
