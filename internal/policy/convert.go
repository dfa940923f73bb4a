package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Convert translates a bundle into another format. Warnings say what the
// other format cannot hold; the bundle itself is not changed. A bundle that
// has the format already is returned as it is.
func Convert(b *Bundle, to Format) (*Bundle, []Problem) {
	if b.Format == to {
		return b, nil
	}
	c := converter{to: to, from: wordsOf(b.Format)}
	out := c.bundle(b)
	return out, c.done()
}

type converter struct {
	problems
	to   Format
	from words
}

func (c *converter) lost(path, what string) {
	c.warnf(ValidationError, path, "format %s has no %s; dropped", c.to, what)
}

func (c *converter) extra(path string, e Extra) {
	for name := range e {
		c.lost(child(path, name), "such member")
	}
}

// name and id fill what format 2 requires and 1_0 does not.
func (c *converter) name(name, id string) string {
	if name == "" && c.to == Format2 {
		return id
	}
	return name
}

func (c *converter) id(id string, parts ...string) string {
	if id != "" || c.to != Format2 {
		return id
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func (c *converter) bundle(b *Bundle) *Bundle {
	out := &Bundle{Format: c.to, Version: string(c.to), ID: b.ID, Name: c.name(b.Name, b.ID), Description: b.Description}
	if c.to == Format2 {
		out.Allowlists = []Allowlist{}
	}
	if len(b.SourceMappings) > 0 {
		c.lost("$.source_mappings", "mappings of sources")
	}
	c.extra("$", b.Extra)
	for i := range b.RuleSets {
		s := &b.RuleSets[i]
		path := index(child("$", c.from.ruleSets), i)
		if c.to == Format1 && s.ArtifactType == "source" {
			c.lost(path, "rule sets for sources")
			continue
		}
		out.RuleSets = append(out.RuleSets, c.ruleSet(path, s))
	}
	for i := range b.Allowlists {
		out.Allowlists = append(out.Allowlists, c.allowlist(index(child("$", c.from.allowlists), i), &b.Allowlists[i]))
	}
	for i := range b.Mappings {
		m := b.Mappings[i]
		c.extra(index("$.mappings", i), m.Extra)
		m.Extra = nil
		m.RuleSetIDs = append([]string{}, m.RuleSetNames()...)
		m.PolicyID, m.HasPolicyID, m.HasRuleSetIDs = "", false, true
		m.AllowlistIDs = append([]string{}, m.AllowlistIDs...)
		m.ID = c.id(m.ID, "mapping", strconv.Itoa(i), m.Registry, m.Repository, m.Image.Type, m.Image.Value)
		m.Name = c.name(m.Name, m.ID)
		out.Mappings = append(out.Mappings, m)
	}
	out.Allowed = c.imageRules(c.from.allowed, b.Allowed)
	out.Denied = c.imageRules(c.from.denied, b.Denied)
	return out
}

func (c *converter) ruleSet(path string, s *RuleSet) RuleSet {
	out := RuleSet{ID: s.ID, Name: c.name(s.Name, s.ID), Version: c.version(s.Version), Description: s.Description}
	if c.to == Format2 {
		out.ArtifactType = "image"
	}
	c.extra(path, s.Extra)
	for i := range s.Rules {
		r := &s.Rules[i]
		at := index(child(path, "rules"), i)
		n := Rule{Gate: r.Gate, Trigger: renameTrigger(r.Trigger, c.to), Action: r.Action, Params: make([]Param, 0, len(r.Params))}
		if a, err := ParseAction(r.Action); err == nil {
			n.Action = strings.ToUpper(string(a))
		}
		parts := []string{"rule", s.ID, strconv.Itoa(i), r.Gate, r.Trigger, r.Action}
		for _, p := range r.Params {
			parts = append(parts, p.Name, p.Value)
			n.Params = append(n.Params, renameParam(r, p, c.to))
		}
		n.ID = c.id(r.ID, parts...)
		if c.to == Format1 {
			if r.Recommendation != "" {
				c.lost(child(at, "recommendation"), "recommendations")
			}
			if r.Description != "" {
				c.lost(child(at, "description"), "descriptions of rules")
			}
		}
		c.extra(at, r.Extra)
		out.Rules = append(out.Rules, n)
	}
	return out
}

// version keeps a wrong version wrong.
func (c *converter) version(v string) string {
	if v == string(Format1) || v == string(Format2) {
		return string(c.to)
	}
	return v
}

func (c *converter) allowlist(path string, a *Allowlist) Allowlist {
	out := Allowlist{ID: a.ID, Name: c.name(a.Name, a.ID), Version: c.version(a.Version), Description: a.Description, Items: make([]Item, 0, len(a.Items))}
	c.extra(path, a.Extra)
	for i := range a.Items {
		item := a.Items[i]
		at := index(child(path, "items"), i)
		c.extra(at, item.Extra)
		item.Extra = nil
		item.ID = c.id(item.ID, "item", a.ID, strconv.Itoa(i), item.Gate, item.TriggerID)
		if t, err := item.Expires(); err != nil {
			c.warnf(ValidationError, child(at, "expires_on"), "%v", err)
		} else if c.to == Format2 && !t.IsZero() {
			item.ExpiresOn = t.Format(time.RFC3339Nano)
		}
		out.Items = append(out.Items, item)
	}
	return out
}

func (c *converter) imageRules(member string, rules []ImageRule) []ImageRule {
	out := make([]ImageRule, 0, len(rules))
	for i, r := range rules {
		c.extra(index(child("$", member), i), r.Extra)
		r.Extra = nil
		r.ID = c.id(r.ID, member, fmt.Sprint(i), r.Registry, r.Repository, r.Image.Type, r.Image.Value)
		r.Name = c.name(r.Name, r.ID)
		out = append(out, r)
	}
	return out
}

// renameTrigger says what a trigger is called in a format: "blacklist" at the
// start of a name became "denylist". Triggers of gates that 1_0 never had
// keep their name.
func renameTrigger(name string, to Format) string {
	lowered := lower(name)
	switch {
	case strings.HasPrefix(lowered, "denylist_ancestor"):
	case to == Format2 && strings.HasPrefix(lowered, "blacklist"):
		return "denylist" + lowered[len("blacklist"):]
	case to == Format1 && strings.HasPrefix(lowered, "denylist"):
		return "blacklist" + lowered[len("denylist"):]
	}
	return name
}

func renameParam(r *Rule, p Param, to Format) Param {
	if lower(r.Gate) != "dockerfile" || lower(p.Name) != "type" {
		return p
	}
	switch t := lower(r.Trigger); {
	case t != "effective_user" && t != "exposed_ports":
	case to == Format2 && p.Value == "blacklist":
		p.Value = "denylist"
	case to == Format2 && p.Value == "whitelist":
		p.Value = "allowlist"
	case to == Format1 && p.Value == "denylist":
		p.Value = "blacklist"
	case to == Format1 && p.Value == "allowlist":
		p.Value = "whitelist"
	}
	return p
}
