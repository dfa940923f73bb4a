package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
)

// Encode writes a bundle in its own format, compact, with members in a fixed
// order and those it does not define after them by name. What [Decode]
// accepts without problems comes back with the same meaning.
func Encode(b *Bundle) ([]byte, error) {
	var w writer
	w.bundle(b)
	return w.out, w.err
}

// Digest is the SHA-256 of what [Encode] writes, "sha256:" and hexadecimal
// digits.
func Digest(b *Bundle) (string, error) {
	w := writer{sum: sha256.New()}
	w.bundle(b)
	w.sum.Write(w.out)
	if w.err != nil {
		return "", w.err
	}
	return "sha256:" + hex.EncodeToString(w.sum.Sum(nil)), nil
}

// writer writes JSON without reflection: bundles may be large, and are
// written for every digest.
type writer struct {
	out   []byte
	sum   hash.Hash // not nil: gets what is written, piece by piece
	comma bool
	err   error
	words
	two bool
}

func (w *writer) sep() {
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = true
}

func (w *writer) open(c byte)  { w.out = append(w.out, c); w.comma = false }
func (w *writer) close(c byte) { w.out = append(w.out, c); w.comma = true }

func (w *writer) key(name string) {
	w.sep()
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

func (w *writer) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(s); err != nil {
				w.err = err
			}
			w.out = append(w.out, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
			return
		}
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, s...)
	w.out = append(w.out, '"')
}

func (w *writer) text(name, value string) {
	w.key(name)
	w.quote(value)
}

func (w *writer) maybe(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// named writes a member that format 2 requires and 1_0 does not.
func (w *writer) named(name, value string) {
	if w.two || value != "" {
		w.text(name, value)
	}
}

func (w *writer) texts(name string, list []string) {
	w.key(name)
	w.open('[')
	for _, s := range list {
		w.sep()
		w.quote(s)
	}
	w.close(']')
}

func (w *writer) extra(e Extra) {
	names := make([]string, 0, len(e))
	for name := range e {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.sep()
		w.quote(name)
		var b bytes.Buffer
		if err := json.Compact(&b, e[name]); err != nil {
			w.err = err
		}
		w.out = append(append(w.out, ':'), b.Bytes()...)
	}
}

func list[T any](w *writer, name string, items []T, f func(*T)) {
	w.key(name)
	w.open('[')
	for i := range items {
		w.sep()
		w.open('{')
		f(&items[i])
		w.close('}')
		if w.sum != nil && len(w.out) > 32<<10 {
			w.sum.Write(w.out)
			w.out = w.out[:0]
		}
	}
	w.close(']')
}

func (w *writer) bundle(b *Bundle) {
	w.words = wordsOf(b.Format)
	w.two = b.Format == Format2
	w.open('{')
	w.text("id", b.ID)
	w.text("version", b.Version)
	w.named("name", b.Name)
	w.maybe(w.description, b.Description)
	list(w, w.ruleSets, b.RuleSets, w.ruleSet)
	list(w, w.allowlists, b.Allowlists, w.allowlist)
	list(w, "mappings", b.Mappings, w.mapping)
	if w.two && b.SourceMappings != nil {
		list(w, "source_mappings", b.SourceMappings, w.sourceMapping)
	}
	list(w, w.allowed, b.Allowed, w.imageRule)
	list(w, w.denied, b.Denied, w.imageRule)
	if w.two && b.LastUpdated != nil {
		w.key("last_updated")
		w.out = append(w.out, b.LastUpdated...)
	}
	w.extra(b.Extra)
	w.close('}')
}

func (w *writer) ruleSet(s *RuleSet) {
	w.text("id", s.ID)
	w.named("name", s.Name)
	w.text("version", s.Version)
	w.maybe(w.description, s.Description)
	w.maybe("artifact_type", s.ArtifactType)
	list(w, "rules", s.Rules, w.rule)
	w.extra(s.Extra)
}

func (w *writer) rule(r *Rule) {
	w.named("id", r.ID)
	w.text("gate", r.Gate)
	w.text("trigger", r.Trigger)
	w.text("action", r.Action)
	if w.two || !r.NoParams {
		list(w, "params", r.Params, func(p *Param) {
			w.text("name", p.Name)
			w.text("value", p.Value)
		})
	}
	w.maybe("recommendation", r.Recommendation)
	w.maybe("description", r.Description)
	w.extra(r.Extra)
}

func (w *writer) allowlist(a *Allowlist) {
	w.text("id", a.ID)
	w.named("name", a.Name)
	w.text("version", a.Version)
	w.maybe(w.description, a.Description)
	list(w, "items", a.Items, func(i *Item) {
		w.named("id", i.ID)
		w.text("gate", i.Gate)
		w.text("trigger_id", i.TriggerID)
		w.maybe("expires_on", i.ExpiresOn)
		w.maybe(w.description, i.Description)
		w.extra(i.Extra)
	})
	w.extra(a.Extra)
}

func (w *writer) image(i ImageRef) {
	w.key("image")
	w.open('{')
	w.text("type", i.Type)
	w.text("value", i.Value)
	w.close('}')
}

func (w *writer) mapping(m *Mapping) {
	w.named("id", m.ID)
	w.named("name", m.Name)
	w.maybe(w.description, m.Description)
	w.text("registry", m.Registry)
	w.text("repository", m.Repository)
	w.image(m.Image)
	if m.HasPolicyID {
		w.text("policy_id", m.PolicyID)
	}
	if m.HasRuleSetIDs {
		w.texts(w.ruleSetIDs, m.RuleSetIDs)
	}
	w.texts(w.allowlistIDs, m.AllowlistIDs)
	w.extra(m.Extra)
}

func (w *writer) sourceMapping(m *SourceMapping) {
	w.text("id", m.ID)
	w.text("name", m.Name)
	w.maybe("description", m.Description)
	w.text("host", m.Host)
	w.text("repository", m.Repository)
	w.texts("rule_set_ids", m.RuleSetIDs)
	w.texts("allowlist_ids", m.AllowlistIDs)
}

func (w *writer) imageRule(r *ImageRule) {
	w.named("id", r.ID)
	w.named("name", r.Name)
	w.maybe(w.description, r.Description)
	w.text("registry", r.Registry)
	w.text("repository", r.Repository)
	w.image(r.Image)
	w.extra(r.Extra)
}

// marshal runs one of the writer's methods for one object of a bundle.
func marshal(f Format, write func(w *writer)) json.RawMessage {
	w := writer{words: wordsOf(f), two: f == Format2}
	w.open('{')
	write(&w)
	w.close('}')
	return w.out
}
