package policy

import (
	"fmt"
	"strings"
	"time"
)

// rule is a compiled rule.
type rule struct {
	gate    *knownGate
	trigger *TriggerSpec
	action  Action
	params  Params
	source  *Rule
	pos     int // in its rule set
}

// ruleSet is a compiled rule set: rules grouped by gate, gates in the order
// of their first appearance.
type ruleSet struct {
	source *RuleSet
	rules  []rule
}

// compiler checks and compiles the parts of a bundle.
type compiler struct {
	problems
	b     *Bundle
	known *catalogue
	words
	// strict is how a bundle is judged that somebody hands in; otherwise a
	// stored one is compiled for evaluation.
	strict bool
	now    time.Time
}

func newCompiler(b *Bundle, known *catalogue, strict bool, now time.Time) *compiler {
	return &compiler{b: b, known: known, words: wordsOf(b.Format), strict: strict, now: now}
}

func (c *compiler) version(path, found string) bool {
	if found == string(c.b.Format) {
		return true
	}
	allowed := []string{string(c.b.Format)}
	if path == "$" {
		allowed = []string{string(Format1), string(Format2)}
	}
	c.add(Problem{Type: UnsupportedVersion, Path: child(path, "version"), Message: fmt.Sprintf("version %q is not supported", found), Allowed: allowed})
	return false
}

func (c *compiler) ruleSet(i int) ruleSet {
	s := &c.b.RuleSets[i]
	path := index(child("$", c.ruleSets), i)
	out := ruleSet{source: s}
	if !c.version(path, s.Version) {
		return out
	}
	if c.strict {
		seen := map[string]int{}
		for k := range s.Rules {
			id := s.Rules[k].ID
			if first, ok := seen[id]; ok && id != "" {
				c.warnf(DuplicateIdentifier, child(index(child(path, "rules"), k), "id"), "rule %q has the id of rules[%d]", id, first)
				continue
			}
			seen[id] = k
		}
	}
	var order []*knownGate
	byGate := map[*knownGate][]rule{}
	for k := range s.Rules {
		r, ok := c.rule(index(child(path, "rules"), k), &s.Rules[k])
		if !ok {
			continue
		}
		r.pos = k
		if byGate[r.gate] == nil {
			order = append(order, r.gate)
		}
		byGate[r.gate] = append(byGate[r.gate], r)
	}
	for _, g := range order {
		out.rules = append(out.rules, byGate[g]...)
	}
	return out
}

// rule compiles one rule; it collects everything that is wrong with it.
func (c *compiler) rule(path string, r *Rule) (rule, bool) {
	out := rule{source: r}
	before := len(c.list) + c.dropped
	var err error
	if out.action, err = ParseAction(r.Action); err != nil {
		c.add(Problem{Type: InvalidAction, Path: child(path, "action"), RuleID: r.ID, Message: err.Error(), Allowed: []string{"STOP", "WARN", "GO"}})
	} else if c.strict && r.Action != strings.ToUpper(r.Action) {
		c.add(Problem{Type: InvalidAction, Path: child(path, "action"), RuleID: r.ID, Message: fmt.Sprintf("action %q is not in upper case", r.Action), Allowed: []string{"STOP", "WARN", "GO"}})
	}
	g := c.known.byKey[strings.ToLower(r.Gate)]
	if g == nil {
		c.add(Problem{Type: GateNotFound, Path: child(path, "gate"), RuleID: r.ID, Message: fmt.Sprintf("there is no gate %q", r.Gate), Allowed: c.known.names()})
		return out, false
	}
	t := g.triggers[strings.ToLower(r.Trigger)]
	if t == nil {
		c.add(Problem{Type: TriggerNotFound, Path: child(path, "trigger"), RuleID: r.ID, Message: fmt.Sprintf("gate %s has no trigger %q", g.spec.Name, r.Trigger), Allowed: g.names(c.b.Format)})
		return out, false
	}
	if g.spec.State.state() == EOL || t.State.state() == EOL {
		instead := t.SupersededBy
		if instead == "" {
			instead = g.spec.SupersededBy
		}
		msg := fmt.Sprintf("%s/%s has been removed", g.spec.Name, t.Name)
		if instead != "" {
			msg += "; superseded by " + instead
		}
		c.add(Problem{Type: EndOfLifed, Path: child(path, "trigger"), RuleID: r.ID, Message: msg})
		return out, false
	}
	if g.spec.State == Deprecated || t.State == Deprecated {
		c.add(Problem{Severity: severityWarn, Type: DeprecationWarning, Path: child(path, "trigger"), RuleID: r.ID, Message: fmt.Sprintf("%s/%s is deprecated", g.spec.Name, t.Name)})
		before = len(c.list) + c.dropped
	}
	out.gate, out.trigger = g, t
	out.params = t.params(&c.problems, path, r, c.b.Format)
	return out, len(c.list)+c.dropped == before
}

// find looks an object up by its id; the first of several of one id counts.
func findRuleSet(b *Bundle, id string) int {
	for i := range b.RuleSets {
		if b.RuleSets[i].ID == id {
			return i
		}
	}
	return -1
}

func findAllowlist(b *Bundle, id string) int {
	for i := range b.Allowlists {
		if b.Allowlists[i].ID == id {
			return i
		}
	}
	return -1
}

// references checks what a mapping names and returns the indexes of it.
func (c *compiler) references(path string, m *Mapping) (sets, lists []int) {
	if m.HasPolicyID == m.HasRuleSetIDs && c.b.Format == Format1 {
		what := "neither policy_id nor policy_ids is given; one of them must be"
		if m.HasPolicyID {
			what = "both policy_id and policy_ids are given; only one may be"
		}
		c.errorf(ValidationError, path, "%s", what)
	}
	for i, id := range m.RuleSetNames() {
		at := index(child(path, c.ruleSetIDs), i)
		if m.HasPolicyID && !m.HasRuleSetIDs {
			at = child(path, "policy_id")
		}
		k := findRuleSet(c.b, id)
		if k < 0 {
			names := make([]string, len(c.b.RuleSets))
			for i := range names {
				names[i] = c.b.RuleSets[i].ID
			}
			c.add(Problem{Type: ObjectNotFound, Path: at, Message: fmt.Sprintf("there is no policy with the id %q", id), Allowed: names})
			continue
		}
		if c.b.RuleSets[k].ArtifactType == "source" {
			c.errorf(ValidationError, at, "rule set %q is for sources, not images", id)
			continue
		}
		sets = append(sets, k)
	}
	for i, id := range m.AllowlistIDs {
		k := findAllowlist(c.b, id)
		if k < 0 {
			names := make([]string, len(c.b.Allowlists))
			for i := range names {
				names[i] = c.b.Allowlists[i].ID
			}
			c.add(Problem{Type: ObjectNotFound, Path: index(child(path, c.allowlistIDs), i), Message: fmt.Sprintf("there is no whitelist with the id %q", id), Allowed: names})
			continue
		}
		lists = append(lists, k)
	}
	return sets, lists
}

// duplicates reports ids that two objects share.
func (c *compiler) duplicates(kind, member string, n int, id func(int) string, matters func(string) bool) {
	first := map[string]int{}
	for i := range n {
		k, twice := first[id(i)]
		if !twice {
			first[id(i)] = i
			continue
		}
		p := Problem{Type: DuplicateIdentifier, Path: child(index(child("$", member), i), "id"), Message: fmt.Sprintf("%s id %q is also that of %s[%d]", kind, id(i), member, k)}
		if !matters(id(i)) {
			p.Severity = severityWarn
		}
		c.add(p)
	}
}
