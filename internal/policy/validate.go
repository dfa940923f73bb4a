package policy

import (
	"fmt"
	"slices"
	"time"
)

// Validate judges a bundle that somebody hands in, and returns everything
// that is wrong with it. Errors make it unacceptable. What no mapping reaches
// is judged, too, but only warned about, as is what can be meant but hardly
// is: mappings that never match, items that have expired at now.
func Validate(b *Bundle, gates []Gate, now time.Time) []Problem {
	c := newCompiler(b, newCatalogue(gates), true, now)
	if !c.version("$", b.Version) {
		return c.done() // nothing is known about what follows
	}
	if b.ID == "" {
		c.errorf(ValidationError, "$.id", "the id is empty")
	}
	if b.Format == Format2 && b.Name == "" {
		c.errorf(ValidationError, "$.name", "the name is empty")
	}
	sets, lists := c.mappings()
	c.duplicates("policy", c.ruleSets, len(b.RuleSets), func(i int) string { return b.RuleSets[i].ID }, func(string) bool { return true })
	c.duplicates("whitelist", c.allowlists, len(b.Allowlists), func(i int) string { return b.Allowlists[i].ID }, func(string) bool { return true })
	for i := range b.RuleSets {
		c.demote = !sets[i]
		c.ruleSet(i)
	}
	for i := range b.Allowlists {
		c.demote = !lists[i]
		c.allowlist(i)
	}
	c.demote = false
	for _, rules := range []struct {
		name string
		list []ImageRule
	}{{c.allowed, b.Allowed}, {c.denied, b.Denied}} {
		for i := range rules.list {
			r := &rules.list[i]
			compileMatcher(&c.problems, index(child("$", rules.name), i), r.Registry, r.Repository, r.Image)
		}
	}
	return c.done()
}

// mappings checks the mappings and returns which objects they reach.
func (c *compiler) mappings() (sets, lists map[int]bool) {
	sets, lists = map[int]bool{}, map[int]bool{}
	b := c.b
	if len(b.Mappings) == 0 {
		c.warnf(ValidationError, "$.mappings", "there is no mapping: the bundle judges no image")
	}
	type selector struct{ registry, repository, kind, value string }
	first := map[selector]int{}
	everything := -1
	ids := map[string]int{}
	for i := range b.Mappings {
		m := &b.Mappings[i]
		path := index("$.mappings", i)
		compileMatcher(&c.problems, path, m.Registry, m.Repository, m.Image)
		s, l := c.references(path, m)
		for _, k := range s {
			sets[k] = true
		}
		for _, k := range l {
			lists[k] = true
		}
		if k, ok := ids[m.ID]; ok && m.ID != "" {
			c.warnf(DuplicateIdentifier, child(path, "id"), "mapping id %q is also that of mappings[%d]", m.ID, k)
		} else {
			ids[m.ID] = i
		}
		sel := selector{m.Registry, m.Repository, m.Image.Type, m.Image.Value}
		if k, ok := first[sel]; ok {
			what := "the same image; it never matches"
			if o := &b.Mappings[k]; !slices.Equal(o.RuleSetNames(), m.RuleSetNames()) || !slices.Equal(o.AllowlistIDs, m.AllowlistIDs) {
				what = "the same image with other policies; they contradict each other and only the first is used"
			}
			c.warnf(ValidationError, path, "mappings[%d] selects %s", k, what)
		} else {
			first[sel] = i
			if everything >= 0 {
				c.warnf(ValidationError, path, "mappings[%d] matches every tag before it; it never matches", everything)
			}
		}
		if everything < 0 && sel == (selector{"*", "*", "tag", "*"}) {
			everything = i
		}
	}
	// What applies to sources is named, too.
	for i := range b.SourceMappings {
		m := &b.SourceMappings[i]
		for _, id := range m.RuleSetIDs {
			if findRuleSet(b, id) < 0 {
				c.errorf(ObjectNotFound, index("$.source_mappings", i), "there is no rule set with the id %q", id)
			}
		}
		for _, id := range m.AllowlistIDs {
			if findAllowlist(b, id) < 0 {
				c.errorf(ObjectNotFound, index("$.source_mappings", i), "there is no allowlist with the id %q", id)
			}
		}
	}
	return sets, lists
}

func (c *compiler) allowlist(i int) {
	l := &c.b.Allowlists[i]
	path := index(child("$", c.allowlists), i)
	if !c.version(path, l.Version) {
		return
	}
	compileAllowlists(&c.problems, []string{path}, []*Allowlist{l})
	ids := map[string]int{}
	for k := range l.Items {
		item := &l.Items[k]
		at := index(child(path, "items"), k)
		if first, ok := ids[item.ID]; ok && item.ID != "" {
			c.warnf(DuplicateIdentifier, child(at, "id"), "item id %q is also that of items[%d]", item.ID, first)
		} else {
			ids[item.ID] = k
		}
		if t, err := item.Expires(); err == nil && !t.IsZero() && !c.now.Before(t) {
			c.warnf(ValidationError, child(at, "expires_on"), "the item expired at %s and does not count", item.ExpiresOn)
		}
		if c.known.byKey[lower(item.Gate)] == nil {
			c.add(Problem{Severity: severityWarn, Type: GateNotFound, Path: child(at, "gate"), Message: fmt.Sprintf("there is no gate %q; the item matches nothing", item.Gate), Allowed: c.known.names()})
		}
	}
}
