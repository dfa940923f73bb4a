package match

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Questions are what there is to ask about the packages of an input. The
// answer about a package depends on its [Questions.Fingerprint], the options
// and the advisories alone, so that answers can be kept: see [Answer].
type Questions struct {
	in    Input
	asked [][]lookup
	state []State
}

// Answer is what matching finds out about one package on its own: not how
// fresh the data is, and not who owns the package.
type Answer struct {
	Findings []Finding
	Problems []string      // advisories that could not be compared
	Bad      *PackageState // its version cannot be read
	// Names are identifiers of vulnerabilities that the answer depends on besides
	// those of its findings; sorted.
	Names []string
}

// Ask says what there is to ask.
func Ask(in Input) *Questions {
	q := &Questions{in: in, asked: make([][]lookup, len(in.Packages)), state: make([]State, len(in.Packages))}
	for i := range in.Packages {
		q.asked[i], q.state[i] = in.lookups(&in.Packages[i])
	}
	return q
}

// Open reports whether there is anything to ask about a package.
func (q *Questions) Open(i int) bool { return len(q.asked[i]) > 0 }

// Keys returns the keys under which advisories speak of a package.
func (q *Questions) Keys(i int) []advisory.Key {
	out := make([]advisory.Key, len(q.asked[i]))
	for k := range q.asked[i] {
		out[k] = q.asked[i][k].key
	}
	return out
}

// identity is the package without what belongs to its occurrence in an image.
// Judging sees nothing else.
func identity(p *inventory.Package) inventory.Package {
	return inventory.Package{
		Type: p.Type, Namespace: p.Namespace, Name: p.Name, Version: p.Version, Arch: p.Arch, Source: p.Source, SourceVersion: p.SourceVersion,
		Module: p.Module, State: p.State, Qualifiers: p.Qualifiers, Subpath: p.Subpath, CPEs: p.CPEs, Confidence: p.Confidence, Distro: p.Distro,
	}
}

// Fingerprint identifies all that judging a package looks at, save advisories
// and options. seed goes into it.
func (q *Questions) Fingerprint(i int, seed []byte) [32]byte {
	b := append(make([]byte, 0, 256), seed...)
	text := func(list ...string) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	p := identity(&q.in.Packages[i])
	text(p.Type, p.Namespace, p.Name, p.Version, p.Arch, p.Source, p.SourceVersion, p.Module, string(p.State), p.Subpath, p.Distro, fmt.Sprint(p.Confidence))
	text(p.CPEs...)
	for _, k := range slices.Sorted(maps.Keys(p.Qualifiers)) {
		text(k, p.Qualifiers[k])
	}
	for _, l := range q.asked[i] {
		_ = lookup{l.key, l.scheme, l.names, l.version, l.content} // does not compile when there is more to a lookup: it counts here as well
		text(l.key.Stream, l.key.Name, string(l.scheme), string(l.names), l.version)
		if c := l.content; c != nil {
			_ = Content{c.Layer, c.Sets, c.CPEs} // the index of the layer says nothing by itself
			text(c.Sets...)
			text(c.CPEs...)
		}
	}
	return sha256.Sum256(b)
}

// Answer judges the packages of the given indexes. The error is that of the
// look-up.
func (q *Questions) Answer(ctx context.Context, indexes []int, db Advisories, o Options) ([]Answer, error) {
	var keys []advisory.Key
	seen := map[advisory.Key]bool{}
	for _, i := range indexes {
		for _, l := range q.asked[i] {
			if !seen[l.key] {
				seen[l.key] = true
				keys = append(keys, l.key)
			}
		}
	}
	advisories, err := db.AdvisoriesFor(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("looking up advisories: %w", err)
	}
	replaced, err := o.replaced(ctx, advisories)
	if err != nil {
		return nil, fmt.Errorf("looking up advisories: %w", err)
	}
	byKey := map[advisory.Key][]claim{}
	for i := range advisories {
		a := &advisories[i]
		for k := range a.Affected {
			key := a.Affected[k].Key
			if seen[key] {
				byKey[key] = append(byKey[key], claim{a, &a.Affected[k], replaced[a.Source][a.ID]})
			}
		}
	}
	c := newComparer()
	out := make([]Answer, len(indexes))
	judgedOf := make([][]judgement, len(indexes))
	unnamedOf := make([]map[string]bool, len(indexes)) // identifiers of vulnerabilities whose CVE their records do not tell
	unnamed := map[string]bool{}
	for n, i := range indexes {
		p := identity(&q.in.Packages[i])
		a := &out[n]
		names, own := map[string]bool{}, map[string]bool{}
		for _, l := range q.asked[i] {
			for _, cl := range byKey[l.key] {
				if o.Replaces[cl.advisory.Source] != "" {
					names[cl.advisory.ID] = true
				}
				j, relevant, problem := c.judge(&p, l, cl)
				if problem != "" {
					a.Problems = append(a.Problems, problem)
				}
				if relevant {
					judgedOf[n] = append(judgedOf[n], j)
					noteUnnamed(own, cl.advisory)
				}
			}
			if _, err := c.parse(l.scheme, l.version); err != nil && len(byKey[l.key]) > 0 && a.Bad == nil {
				a.Bad = &PackageState{State: BadVersion, Stream: l.key.Stream, Message: err.Error()}
			}
		}
		unnamedOf[n] = own
		for id := range own {
			unnamed[id], names[id] = true, true
		}
		a.Names = slices.Sorted(maps.Keys(names))
	}
	var cves map[string]string
	if o.CVEs != nil && len(unnamed) > 0 {
		if cves, err = o.CVEs(ctx, slices.Sorted(maps.Keys(unnamed))); err != nil {
			return nil, fmt.Errorf("looking up identifiers: %w", err)
		}
	}
	for n, i := range indexes {
		if len(judgedOf[n]) == 0 {
			continue
		}
		p := identity(&q.in.Packages[i])
		own := map[string]string{} // what others of the input asked does not count
		for id := range unnamedOf[n] {
			if cve, ok := cves[id]; ok {
				own[id] = cve
			}
		}
		out[n].Findings = findings(c, &p, judgedOf[n], own, o)
	}
	return out, nil
}

// Result puts the answers about all packages together: one each, in the order
// of the input. It takes the findings over.
func (q *Questions) Result(answers []Answer, o Options) Result {
	var r Result
	total := 0
	for i := range answers {
		total += len(answers[i].Findings)
	}
	r.Findings = make([]Finding, 0, total)
	problems := map[string]bool{}
	var owned *owners
	for i := range q.in.Packages {
		p := &q.in.Packages[i]
		if q.state[i] != Judged {
			r.States = append(r.States, PackageState{Package: i, State: q.state[i], Message: stateMessage(q.state[i], p, q.in.Distro)})
		} else if ps, ok := coverageOf(i, q.asked[i], o.Coverage); !ok {
			r.States = append(r.States, ps)
		}
		a := &answers[i]
		for _, problem := range a.Problems {
			if !problems[problem] {
				problems[problem] = true
				r.Problems = append(r.Problems, problem)
			}
		}
		if a.Bad != nil {
			bad := *a.Bad
			bad.Package = i
			r.States = append(r.States, bad)
		}
		for k := range a.Findings {
			a.Findings[k].Package = i
		}
		if p.Owner != "" && len(a.Findings) > 0 {
			if owned == nil {
				owned = newOwners(q.in, o.Coverage)
			}
			owned.suppress(p, a.Findings)
		}
		r.Findings = append(r.Findings, a.Findings...)
	}
	if total == 0 {
		r.Findings = nil
	}
	return r
}
