package policy

import (
	"fmt"
	"strings"
	"time"
)

// parseExpiry reads the layouts of expires_on: RFC 3339 in UTC with Z, with
// an optional fraction after a dot or a colon. "" is never.
func parseExpiry(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	const layout = "2006-01-02T15:04:05"
	rest, ok := strings.CutSuffix(s, "Z")
	if ok && len(rest) >= len(layout) {
		fraction := rest[len(layout):]
		good := fraction == ""
		if len(fraction) > 1 && len(fraction) <= 10 && (fraction[0] == '.' || fraction[0] == ':') {
			good = true
			for _, c := range fraction[1:] {
				good = good && c >= '0' && c <= '9'
			}
		}
		if good {
			text := rest[:len(layout)]
			if fraction != "" {
				text += "." + fraction[1:]
			}
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is no instant in UTC such as 2031-01-31T00:00:00Z", s)
}

// Expired reports whether the item does not count at an instant. Items whose
// expiry cannot be read count as expired.
func (i *Item) Expired(now time.Time) bool {
	t, err := i.Expires()
	return err != nil || !t.IsZero() && !now.Before(t)
}

// silencer finds the first item, of several allowlists in order, that matches
// a row. Items with one star, as nearly all are, are found by their prefix or
// suffix, the others one by one.
type silencer struct {
	lists  []*Allowlist
	byGate map[string]*gateItems
}

type itemRef struct {
	list, item int
	expires    time.Time
}

// gateItems are the items of one gate.
type gateItems struct {
	refs []itemRef // in order
	// exact finds the last item of an id, next the one before it.
	exact    map[string]int32
	next     []int32
	prefixes ends
	suffixes ends
	others   []otherItem
}

type otherItem struct {
	ref     int32
	pattern Pattern
}

// ends finds patterns by the text at one end, whose lengths are few.
type ends struct {
	lengths []int
	byText  map[string][]endItem
}

type endItem struct {
	ref   int32
	parts []string
}

func (e *ends) add(text string, item endItem) {
	if e.byText == nil {
		e.byText = map[string][]endItem{}
	}
	known := false
	for _, n := range e.lengths {
		known = known || n == len(text)
	}
	if !known {
		e.lengths = append(e.lengths, len(text))
	}
	e.byText[text] = append(e.byText[text], item)
}

// compileAllowlists indexes the items of the named allowlists. Patterns and
// expiries that cannot be read are problems.
func compileAllowlists(ps *problems, paths []string, lists []*Allowlist) *silencer {
	s := &silencer{lists: lists, byGate: map[string]*gateItems{}}
	sizes := map[string]int{}
	for _, l := range lists {
		for i := range l.Items {
			sizes[lower(l.Items[i].Gate)]++
		}
	}
	type expiry struct {
		at  time.Time
		err error
	}
	expiries := map[string]expiry{} // few differ
	for li, l := range lists {
		for i := range l.Items {
			item := &l.Items[i]
			e, ok := expiries[item.ExpiresOn]
			if !ok {
				e.at, e.err = item.Expires()
				expiries[item.ExpiresOn] = e
			}
			if e.err != nil {
				ps.errorf(ValidationError, child(index(child(paths[li], "items"), i), "expires_on"), "%v", e.err)
				continue
			}
			gate := lower(item.Gate)
			g := s.byGate[gate]
			if g == nil {
				n := sizes[gate]
				g = &gateItems{refs: make([]itemRef, 0, n), exact: make(map[string]int32, n), next: make([]int32, 0, n)}
				s.byGate[gate] = g
			}
			ref := int32(len(g.refs))
			g.refs = append(g.refs, itemRef{li, i, e.at})
			g.next = append(g.next, -1)
			if err := g.add(ref, item.TriggerID); err != nil {
				ps.errorf(ValidationError, child(index(child(paths[li], "items"), i), "trigger_id"), "%v", err)
			}
		}
	}
	return s
}

func (g *gateItems) add(ref int32, id string) error {
	if !strings.Contains(id, "*") || strings.Contains(id, "regexp:") {
		// An id equal to the text of the item matches whatever that means.
		if last, ok := g.exact[id]; ok {
			g.next[ref] = last
		}
		g.exact[id] = ref
		if !strings.Contains(id, "regexp:") {
			return nil
		}
	}
	p, err := ParsePattern(id)
	if err != nil {
		return err
	}
	if p.re != nil || len(p.parts) < 2 {
		g.others = append(g.others, otherItem{ref, p})
		return nil
	}
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	switch {
	case first == "" && last == "":
		g.others = append(g.others, otherItem{ref, p})
	case len(first) >= len(last):
		g.prefixes.add(first, endItem{ref, p.parts})
	default:
		g.suffixes.add(last, endItem{ref, p.parts})
	}
	return nil
}

// find returns the first live item that matches one of the ids of a row.
func (s *silencer) find(gate string, now time.Time, ids ...string) (list *Allowlist, item *Item) {
	g := s.byGate[gate]
	if g == nil {
		return nil, nil
	}
	best := int32(-1)
	offer := func(ref int32) {
		if best >= 0 && ref >= best {
			return
		}
		if e := g.refs[ref].expires; !e.IsZero() && !now.Before(e) {
			return
		}
		best = ref
	}
	for _, id := range ids {
		if id == "" {
			continue
		}
		if ref, ok := g.exact[id]; ok {
			for ; ref >= 0; ref = g.next[ref] {
				offer(ref)
			}
		}
		if strings.Contains(id, "\n") {
			g.findLines(id, offer)
			continue
		}
		for _, n := range g.prefixes.lengths {
			if n > len(id) {
				continue
			}
			for _, e := range g.prefixes.byText[id[:n]] {
				if matchParts(e.parts, id) {
					offer(e.ref)
				}
			}
		}
		for _, n := range g.suffixes.lengths {
			if n > len(id) {
				continue
			}
			for _, e := range g.suffixes.byText[id[len(id)-n:]] {
				if matchParts(e.parts, id) {
					offer(e.ref)
				}
			}
		}
		for i := range g.others {
			o := &g.others[i]
			if best >= 0 && o.ref >= best {
				break // they are in order
			}
			if o.pattern.Match(id) {
				offer(o.ref)
			}
		}
	}
	if best < 0 {
		return nil, nil
	}
	r := g.refs[best]
	return s.lists[r.list], &s.lists[r.list].Items[r.item]
}

// findLines is the slow way, for ids with newlines, which a star does not
// cross.
func (g *gateItems) findLines(id string, offer func(int32)) {
	for _, e := range []*ends{&g.prefixes, &g.suffixes} {
		for text, items := range e.byText {
			if !strings.Contains(id, text) {
				continue
			}
			for _, item := range items {
				p := Pattern{text: "*", parts: item.parts}
				if p.Match(id) {
					offer(item.ref)
				}
			}
		}
	}
	for i := range g.others {
		if g.others[i].pattern.Match(id) {
			offer(g.others[i].ref)
		}
	}
}
