package policy

import (
	"slices"
	"strings"
	"time"
)

// allowlist tells of items that no row can have, or that have no effect.
func (l *linter) allowlist(i int) {
	list := &l.b.Allowlists[i]
	path := index(child("$", l.allowlists), i)
	if !l.reaches(func(m *Mapping) []string { return m.AllowlistIDs }, list.ID) && !l.forSources(list.ID) {
		l.warn(Unused, path, "no mapping names %q; its items silence nothing", list.ID)
		return
	}
	asked := l.gatesAsked(list.ID)
	forms := map[string][]string{}
	before := l.endless(list)
	for k := range list.Items {
		item := &list.Items[k]
		at := index(child(path, "items"), k)
		gate := lower(item.Gate)
		g := l.known.byKey[gate]
		if g == nil {
			continue // reported by validation
		}
		if !asked[gate] {
			l.warn(MatchesNothing, child(at, "gate"), "no rule that this list is used with asks the gate %s", g.spec.Name)
		} else if g.spec.State.state() != EOL {
			if _, ok := forms[gate]; !ok {
				forms[gate] = idForms(g)
			}
			if why := impossibleID(item.TriggerID, forms[gate]); why != "" {
				l.warn(MatchesNothing, child(at, "trigger_id"), "%q matches nothing: %s", item.TriggerID, why)
			}
		}
		if strings.Trim(item.TriggerID, "*") == "" && item.TriggerID != "" {
			l.note(NoEffect, at, "the item silences the whole gate %s", g.spec.Name)
		}
		if n, ok := before.covering(gate, item); ok && n < k {
			l.warn(ShadowedItem, at, "items[%d] (%q) matches every row that this one does, and comes first", n, list.Items[n].TriggerID)
		}
	}
}

// endless are the items of a list that never end, ready for look-ups.
type endless struct {
	silence  *silencer
	position map[*Item]int  // in the list, of the silencer's items
	regexps  map[string]int // first of the text, by gate
}

func (l *linter) endless(list *Allowlist) endless {
	kept := Allowlist{Items: make([]Item, 0, len(list.Items))}
	var at []int
	out := endless{position: map[*Item]int{}, regexps: map[string]int{}}
	for k := range list.Items {
		item := &list.Items[k]
		if end, err := item.Expires(); err != nil || !end.IsZero() {
			continue
		}
		if strings.Contains(item.TriggerID, "regexp:") {
			key := lower(item.Gate) + "\x00" + item.TriggerID
			if _, ok := out.regexps[key]; !ok {
				out.regexps[key] = k
			}
			continue
		}
		kept.Items = append(kept.Items, *item)
		at = append(at, k)
	}
	for i := range kept.Items {
		out.position[&kept.Items[i]] = at[i]
	}
	var ignored problems // reported by validation
	out.silence = compileAllowlists(&ignored, []string{""}, []*Allowlist{&kept})
	return out
}

// covering is the first item that matches every id that another does. Of
// regular expressions it knows only the equal ones.
func (e *endless) covering(gate string, item *Item) (int, bool) {
	if strings.Contains(item.TriggerID, "regexp:") {
		k, ok := e.regexps[gate+"\x00"+item.TriggerID]
		return k, ok
	}
	// See patternCovers. A time before every end will do.
	_, found := e.silence.find(gate, time.Time{}, item.TriggerID)
	if found == nil {
		return 0, false
	}
	return e.position[found], true
}

// gatesAsked are the gates of the rules that an allowlist is used with.
func (l *linter) gatesAsked(id string) map[string]bool {
	out := map[string]bool{}
	for i := range l.b.Mappings {
		m := &l.b.Mappings[i]
		if !slices.Contains(m.AllowlistIDs, id) {
			continue
		}
		for _, name := range m.RuleSetNames() {
			if k := findRuleSet(l.b, name); k >= 0 {
				for n := range l.b.RuleSets[k].Rules {
					out[lower(l.b.RuleSets[k].Rules[n].Gate)] = true
				}
			}
		}
	}
	return out
}

// idForms are the forms of the trigger ids of a gate; "" stands for hashes.
func idForms(g *knownGate) []string {
	var out []string
	for i := range g.spec.Triggers {
		if t := &g.spec.Triggers[i]; !slices.Contains(out, t.IDs) {
			out = append(out, t.IDs)
		}
	}
	return out
}

// impossibleID says why an item can match no id of these forms, "" where it
// can as far as is plain to see.
func impossibleID(id string, forms []string) string {
	if strings.Contains(id, "regexp:") {
		return ""
	}
	var shown []string
	for _, form := range forms {
		if form == "" {
			if canBeHash(id) {
				return ""
			}
			shown = append(shown, "32 hexadecimal digits")
			continue
		}
		if canBeForm(id, form) {
			return ""
		}
		shown = append(shown, form)
	}
	return "ids of this gate have the form " + strings.Join(shown, " or ")
}

func canBeHash(id string) bool {
	rest := strings.ReplaceAll(id, "*", "")
	return strings.Trim(rest, "0123456789abcdef") == "" && (len(rest) == 32 || len(rest) < 32 && rest != id)
}

// canBeForm compares the characters between the words of a form, which every
// id of it has: as many plus signs at least, unless a star stands for them.
func canBeForm(id, form string) bool {
	if strings.Contains(id, "*") {
		return true
	}
	if !strings.ContainsAny(form, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || !strings.ContainsAny(form, "+-") {
		return id == form
	}
	if first, _, ok := strings.Cut(form, "+"); ok && first == strings.ToLower(first) && !strings.HasPrefix(id, first+"+") {
		return false
	}
	if !strings.Contains(form, "+") {
		return strings.HasSuffix(id, form[strings.LastIndexByte(form, '-'):])
	}
	return strings.Count(id, "+") >= strings.Count(form, "+")
}
