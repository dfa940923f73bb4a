package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Decode reads a bundle of either format; the member "version" says which. The
// error is for documents that cannot be read at all. Everything else that is
// wrong with the document's form is in the problems: missing and unknown
// members, wrong types, doubled members, NUL characters. What is wrong with
// its meaning is [Validate]'s. A bundle of another version is returned as far
// as it could be read as 1_0.
func Decode(data []byte) (*Bundle, []Problem, error) {
	root, err := parseTree(data)
	if err != nil {
		return nil, nil, err
	}
	d := decoder{}
	b := d.bundle(&root)
	return b, d.done(), nil
}

// decoder turns nodes into the model.
type decoder struct {
	problems
	format Format
	words
}

// object is an object under reading; what is never asked for is unknown.
type object struct {
	d    *decoder
	n    *node
	path string
	seen []string
}

func (d *decoder) object(n *node, path string) (*object, bool) {
	if n.kind != '{' {
		d.errorf(ValidationError, path, "is %s, not an object", n.kindName())
		return nil, false
	}
	var seen map[string]bool
	if len(n.members) > 16 {
		seen = make(map[string]bool, len(n.members))
	}
	for i := range n.members {
		name := n.members[i].name
		if strings.IndexByte(name, 0) >= 0 {
			d.errorf(ValidationError, path, "the member name %q holds a NUL character", name)
		}
		twice := seen[name]
		if seen == nil {
			twice = slices.ContainsFunc(n.members[:i], func(m member) bool { return m.name == name })
		} else {
			seen[name] = true
		}
		if twice {
			d.errorf(ValidationError, child(path, name), "the member occurs twice")
		}
	}
	return &object{d: d, n: n, path: path, seen: make([]string, 0, 8)}, true
}

// get finds a member; the last of doubled ones, as JSON readers do.
func (o *object) get(name string) *node {
	o.seen = append(o.seen, name)
	var found *node
	for i := range o.n.members {
		if o.n.members[i].name == name {
			found = &o.n.members[i].value
		}
	}
	return found
}

// Whether a member must be there.
const (
	optional = iota
	required
	required2 // in format 2
)

func (o *object) must(need int) bool {
	return need == required || need == required2 && o.d.format == Format2
}

// text reads a string member. Null counts as absent where it is optional.
func (o *object) text(name string, need int) string {
	n := o.get(name)
	if n == nil || n.kind == 'n' && !o.must(need) {
		if o.must(need) {
			o.d.errorf(ValidationError, child(o.path, name), "the member is missing; it is a string")
		}
		return ""
	}
	if n.kind == '"' && strings.IndexByte(n.str, 0) < 0 {
		return n.str // without making the path of it
	}
	return o.d.text(n, child(o.path, name))
}

func (d *decoder) text(n *node, path string) string {
	if n.kind != '"' {
		d.errorf(ValidationError, path, "is %s, not a string", n.kindName())
		return ""
	}
	if strings.IndexByte(n.str, 0) >= 0 {
		d.errorf(ValidationError, path, "holds a NUL character")
	}
	return n.str
}

// each calls f for the items of an array member.
func (o *object) each(name string, need int, f func(n *node, path string)) (present bool) {
	n := o.get(name)
	if n == nil && !o.must(need) {
		return false
	}
	path := child(o.path, name)
	if n == nil || n.kind == 'n' && !o.must(need) {
		if o.must(need) {
			o.d.errorf(ValidationError, path, "the member is missing; it is an array")
		}
		return false
	}
	if n.kind != '[' {
		o.d.errorf(ValidationError, path, "is %s, not an array", n.kindName())
		return true
	}
	for i := range n.items {
		f(&n.items[i], index(path, i))
	}
	return true
}

func (o *object) texts(name string, need int) (list []string, present bool) {
	list = []string{}
	present = o.each(name, need, func(n *node, path string) { list = append(list, o.d.text(n, path)) })
	return list, present
}

// rest returns the members nobody asked for.
func (o *object) rest() Extra {
	var extra Extra
	for i := range o.n.members {
		m := &o.n.members[i]
		if slices.Contains(o.seen, m.name) {
			continue
		}
		if o.d.format == Format2 {
			o.d.add(Problem{Type: ValidationError, Path: child(o.path, m.name), Message: "format 2 has no such member here", Allowed: slices.Compact(slices.Sorted(slices.Values(o.seen)))})
			continue
		}
		if extra == nil {
			extra = Extra{}
		}
		extra[m.name] = json.RawMessage(slices.Clone(m.value.raw))
	}
	return extra
}

func (d *decoder) bundle(n *node) *Bundle {
	b := &Bundle{Format: Format1}
	d.format = Format1
	d.words = wordsOf(Format1)
	o, ok := d.object(n, "$")
	if !ok {
		return b
	}
	if v := o.get("version"); v != nil && v.kind == '"' && v.str == string(Format2) {
		b.Format, d.format = Format2, Format2
		d.words = wordsOf(Format2)
	}
	b.Version = o.text("version", required)
	b.ID = o.text("id", required)
	b.Name = o.text("name", required2)
	b.Description = d.description(o)
	o.each(d.ruleSets, required, func(n *node, path string) {
		if s, ok := d.ruleSet(n, path); ok {
			b.RuleSets = append(b.RuleSets, s)
		}
	})
	o.each(d.allowlists, optional, func(n *node, path string) {
		if a, ok := d.allowlist(n, path); ok {
			b.Allowlists = append(b.Allowlists, a)
		}
	})
	o.each("mappings", required, func(n *node, path string) {
		if m, ok := d.mapping(n, path); ok {
			b.Mappings = append(b.Mappings, m)
		}
	})
	if d.format == Format2 {
		for _, name := range []string{"source_mappings", "sbom_mappings"} {
			o.each(name, optional, func(n *node, path string) {
				if m, ok := d.sourceMapping(n, path); ok {
					b.SourceMappings = append(b.SourceMappings, m)
				}
			})
		}
		if u := o.get("last_updated"); u != nil && u.kind != 'n' {
			if u.kind != '0' {
				d.errorf(ValidationError, "$.last_updated", "is %s, not a number", u.kindName())
			}
			b.LastUpdated = slices.Clone(u.raw)
		}
	}
	b.Allowed = d.imageRules(o, d.allowed)
	b.Denied = d.imageRules(o, d.denied)
	b.Extra = o.rest()
	return b
}

// description reads the format's word for it; 1_0 tolerates the other's.
func (d *decoder) description(o *object) string {
	s := o.text(d.words.description, optional)
	if d.format == Format1 && s == "" {
		if n := o.get("description"); n != nil && n.kind == '"' {
			s = o.text("description", optional)
		} else if n != nil {
			o.seen = o.seen[:len(o.seen)-1]
		}
	}
	return s
}

func (d *decoder) ruleSet(n *node, path string) (s RuleSet, ok bool) {
	o, ok := d.object(n, path)
	if !ok {
		return s, false
	}
	s.ID = o.text("id", required)
	s.Name = o.text("name", required2)
	s.Version = o.text("version", required)
	s.Description = d.description(o)
	if d.format == Format2 {
		s.ArtifactType = o.text("artifact_type", optional)
		if s.ArtifactType != "" && s.ArtifactType != "image" && s.ArtifactType != "source" {
			d.add(Problem{Type: ValidationError, Path: child(path, "artifact_type"), Message: "unknown type of artifact", Allowed: []string{"image", "source"}})
		}
	}
	o.each("rules", required, func(n *node, path string) {
		if r, ok := d.rule(n, path); ok {
			s.Rules = append(s.Rules, r)
		}
	})
	s.Extra = o.rest()
	return s, true
}

func (d *decoder) rule(n *node, path string) (r Rule, ok bool) {
	o, ok := d.object(n, path)
	if !ok {
		return r, false
	}
	r.ID = o.text("id", required2)
	r.Gate = o.text("gate", required)
	r.Trigger = o.text("trigger", required)
	r.Action = o.text("action", required)
	present := o.each("params", required2, func(n *node, path string) {
		p, ok := d.object(n, path)
		if !ok {
			return
		}
		r.Params = append(r.Params, Param{p.text("name", required), p.text("value", required)})
		if p.rest() != nil {
			d.warnf(ValidationError, path, "a parameter has only a name and a value; the rest is dropped")
		}
	})
	r.NoParams = !present
	if d.format == Format2 {
		r.Recommendation = o.text("recommendation", optional)
		r.Description = o.text("description", optional)
	}
	r.Extra = o.rest()
	return r, true
}

func (d *decoder) allowlist(n *node, path string) (a Allowlist, ok bool) {
	o, ok := d.object(n, path)
	if !ok {
		return a, false
	}
	a.ID = o.text("id", required)
	a.Name = o.text("name", required2)
	a.Version = o.text("version", required)
	a.Description = d.description(o)
	o.each("items", required, func(n *node, path string) {
		o, ok := d.object(n, path)
		if !ok {
			return
		}
		i := Item{ID: o.text("id", required2), Gate: o.text("gate", required), TriggerID: o.text("trigger_id", required), ExpiresOn: o.text("expires_on", optional)}
		i.Description = d.description(o)
		i.Extra = o.rest()
		a.Items = append(a.Items, i)
	})
	a.Extra = o.rest()
	return a, true
}

func (d *decoder) image(o *object) (r ImageRef) {
	n := o.get("image")
	path := child(o.path, "image")
	if n == nil {
		d.errorf(ValidationError, path, "the member is missing; it is an object with type and value")
		return r
	}
	i, ok := d.object(n, path)
	if !ok {
		return r
	}
	r = ImageRef{i.text("type", required), i.text("value", required)}
	i.rest()
	return r
}

func (d *decoder) mapping(n *node, path string) (m Mapping, ok bool) {
	o, ok := d.object(n, path)
	if !ok {
		return m, false
	}
	m.ID = o.text("id", required2)
	m.Name = o.text("name", required2)
	m.Description = d.description(o)
	m.Registry = o.text("registry", required)
	m.Repository = o.text("repository", required)
	m.Image = d.image(o)
	need := required2
	if d.format == Format1 {
		if p := o.get("policy_id"); p != nil && p.kind != 'n' {
			m.PolicyID, m.HasPolicyID = d.text(p, child(path, "policy_id")), true
		}
		need = optional
	}
	m.RuleSetIDs, m.HasRuleSetIDs = o.texts(d.ruleSetIDs, need)
	m.AllowlistIDs, _ = o.texts(d.allowlistIDs, required2)
	m.Extra = o.rest()
	return m, true
}

func (d *decoder) sourceMapping(n *node, path string) (m SourceMapping, ok bool) {
	o, ok := d.object(n, path)
	if !ok {
		return m, false
	}
	m.ID = o.text("id", required)
	m.Name = o.text("name", required)
	m.Description = o.text("description", optional)
	m.Host = o.text("host", required)
	m.Repository = o.text("repository", required)
	m.RuleSetIDs, _ = o.texts("rule_set_ids", required)
	m.AllowlistIDs, _ = o.texts("allowlist_ids", required)
	o.rest()
	return m, true
}

func (d *decoder) imageRules(o *object, name string) []ImageRule {
	var rules []ImageRule
	o.each(name, optional, func(n *node, path string) {
		o, ok := d.object(n, path)
		if !ok {
			return
		}
		r := ImageRule{ID: o.text("id", required2), Name: o.text("name", required2)}
		r.Description = d.description(o)
		r.Registry = o.text("registry", required)
		r.Repository = o.text("repository", required)
		r.Image = d.image(o)
		r.Extra = o.rest()
		rules = append(rules, r)
	})
	return rules
}
