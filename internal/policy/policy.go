// Package policy judges images: an inventory, its findings and facts, and a
// bundle of rules give a verdict of go, warn or stop, with a row for
// everything the rules found. Bundles are of format 1_0 (Anchore Engine) or 2
// (the v2 interface).
//
// The package is pure: no files, no network, no clock. What can be asked is
// told by gates; the built-in ones are in package gates.
package policy

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
)

// MaxRows is how many rows a verdict has at most. A bundle that makes more
// stops the image, with a problem that names the limit.
const MaxRows = 500_000

// Evaluator judges images by one bundle. What a mapping needs is compiled
// when it first matches and kept. An Evaluator may be used by several
// goroutines at once.
type Evaluator struct {
	bundle *Bundle
	known  *catalogue
	words
	digest   func() (string, error)
	mappings []mappingRule
	allowed  []imageMatcher
	denied   []imageMatcher
	// fatal keeps the whole bundle from being used.
	fatal []Problem
	lists []Problem // of the image lists
}

type mappingRule struct {
	imageMatcher
	problems []Problem // of its patterns
	compiled func() compiledMapping
}

type compiledMapping struct {
	sets     []ruleSet
	silence  *silencer
	problems []Problem
}

// NewEvaluator makes an evaluator. It never fails: what is wrong with the
// bundle is in the verdicts, which then are stop.
func NewEvaluator(b *Bundle, gates []Gate) *Evaluator {
	e := &Evaluator{bundle: b, known: newCatalogue(gates), words: wordsOf(b.Format)}
	e.digest = sync.OnceValues(func() (string, error) { return Digest(b) })
	var ps problems
	if b.Version != string(b.Format) {
		ps.add(Problem{Type: UnsupportedVersion, Path: "$.version", Message: fmt.Sprintf("version %q is not supported", b.Version), Allowed: []string{string(Format1), string(Format2)}})
		e.fatal = ps.done()
		return e
	}
	for i := range b.Mappings {
		m := &b.Mappings[i]
		var own problems
		r := mappingRule{imageMatcher: compileMatcher(&own, index("$.mappings", i), m.Registry, m.Repository, m.Image)}
		r.problems = own.done()
		r.compiled = sync.OnceValue(func() compiledMapping { return e.compile(i) })
		e.mappings = append(e.mappings, r)
	}
	var lists problems
	for i := range b.Allowed {
		e.allowed = append(e.allowed, compileMatcher(&lists, index(child("$", e.words.allowed), i), b.Allowed[i].Registry, b.Allowed[i].Repository, b.Allowed[i].Image))
	}
	for i := range b.Denied {
		e.denied = append(e.denied, compileMatcher(&lists, index(child("$", e.words.denied), i), b.Denied[i].Registry, b.Denied[i].Repository, b.Denied[i].Image))
	}
	e.lists = lists.done()
	return e
}

// compile compiles what a mapping names, and nothing else.
func (e *Evaluator) compile(i int) compiledMapping {
	b := e.bundle
	c := compiler{b: b, known: e.known, words: e.words}
	path := index("$.mappings", i)
	sets, lists := c.references(path, &b.Mappings[i])
	named := map[string]bool{}
	for _, k := range sets {
		named["p"+b.RuleSets[k].ID] = true
	}
	for _, k := range lists {
		named["w"+b.Allowlists[k].ID] = true
	}
	c.duplicates("policy", c.ruleSets, len(b.RuleSets), func(i int) string { return b.RuleSets[i].ID }, func(id string) bool { return named["p"+id] })
	c.duplicates("whitelist", c.allowlists, len(b.Allowlists), func(i int) string { return b.Allowlists[i].ID }, func(id string) bool { return named["w"+id] })
	var out compiledMapping
	for _, k := range sets {
		out.sets = append(out.sets, c.ruleSet(k))
	}
	var paths []string
	var used []*Allowlist
	for _, k := range lists {
		at := index(child("$", c.allowlists), k)
		if c.version(at, b.Allowlists[k].Version) {
			paths = append(paths, at)
			used = append(used, &b.Allowlists[k])
		}
	}
	out.silence = compileAllowlists(&c.problems, paths, used)
	for _, p := range c.done() {
		if p.Type == DuplicateIdentifier && !p.IsError() {
			continue // of objects that this mapping does not use
		}
		out.problems = append(out.problems, p)
	}
	return out
}

// fatal reports whether a problem keeps a mapping from being evaluated. A
// removed gate or trigger does not: its rule is skipped, and reported.
func fatal(ps []Problem) bool {
	for i := range ps {
		if ps[i].IsError() && ps[i].Type != EndOfLifed {
			return true
		}
	}
	return false
}

// Evaluate judges a subject by a bundle. Whoever judges many images by one
// bundle uses an [Evaluator].
func Evaluate(ctx context.Context, b *Bundle, s *Subject, gates []Gate) (Verdict, error) {
	return NewEvaluator(b, gates).Evaluate(ctx, s)
}

// Evaluate judges a subject. The error is the context's, or says that the
// inputs could not be digested; everything that is wrong with the bundle or a
// gate gives a verdict of stop with problems.
func (e *Evaluator) Evaluate(ctx context.Context, s *Subject) (Verdict, error) {
	v := Verdict{
		Format: e.bundle.Format, BundleID: e.bundle.ID, ImageDigest: s.Image.Digest, ImageID: imageID(s.Image), Tag: s.Tag, At: s.Now.UTC(),
		Action: Stop, PolicyAction: Stop, Reason: ByPolicy, Mapping: -1, Allowed: -1, Denied: -1,
		RuleSets: []RuleSetResult{}, Rows: []Row{},
	}
	if v.Tag == "" {
		v.Tag = NoTag
	}
	if err := e.inputs(&v, s); err != nil {
		return v, err
	}
	if e.fatal != nil {
		v.Problems = e.fatal
		return v, nil
	}
	t := newTarget(s)
	for i := range e.mappings {
		m := &e.mappings[i]
		// A mapping that cannot be read might have been meant for this image.
		if fatal(m.problems) {
			v.Problems = append(v.Problems, m.problems...)
			return v, nil
		}
		if m.match(&t) {
			v.Mapping = i
			break
		}
	}
	if fatal(e.lists) {
		v.Problems = append(v.Problems, e.lists...)
		return v, nil
	}
	v.PolicyAction = Go
	if v.Mapping >= 0 {
		c := e.mappings[v.Mapping].compiled()
		v.Problems = append(v.Problems, c.problems...)
		if fatal(c.problems) {
			v.PolicyAction = Stop
			return v, nil
		}
		run := run{e: e, s: s, v: &v, silence: c.silence, unknowns: map[string]int{}}
		for i := range c.sets {
			if err := run.ruleSet(ctx, &c.sets[i]); err != nil {
				return v, err
			}
		}
	}
	v.Action = v.PolicyAction
	v.Allowed, v.Denied = firstMatch(e.allowed, &t), firstMatch(e.denied, &t)
	switch {
	case v.Denied >= 0:
		v.Action, v.Reason = Stop, ByDenied
	case v.Allowed >= 0:
		v.Action, v.Reason = Go, ByAllowed
	}
	return v, nil
}

func firstMatch(rules []imageMatcher, t *target) int {
	for i := range rules {
		if rules[i].match(t) {
			return i
		}
	}
	return -1
}

// inputs records what the verdict is derived from.
func (e *Evaluator) inputs(v *Verdict, s *Subject) error {
	var err error
	if v.BundleDigest, err = e.digest(); err != nil {
		return fmt.Errorf("digesting the bundle: %w", err)
	}
	if v.InventoryDigest = s.InventoryDigest; v.InventoryDigest == "" {
		if v.InventoryDigest, err = Memo2(s, "digest of the inventory", func() (string, error) { return DigestInventory(s.Image) }); err != nil {
			return fmt.Errorf("digesting the inventory: %w", err)
		}
	}
	if v.ContextDigest, err = Memo2(s, "digest of the context", func() (string, error) { return DigestContext(s) }); err != nil {
		return fmt.Errorf("digesting what else is known of the image: %w", err)
	}
	if s.Scan == nil {
		return nil
	}
	v.Generation = s.Scan.Generation
	if v.FindingsDigest = s.FindingsDigest; v.FindingsDigest == "" {
		if v.FindingsDigest, err = Memo2(s, "digest of the findings", func() (string, error) { return DigestFindings(s.Scan) }); err != nil {
			return fmt.Errorf("digesting the findings: %w", err)
		}
	}
	return nil
}

// run is one evaluation under way.
type run struct {
	e        *Evaluator
	s        *Subject
	v        *Verdict
	silence  *silencer
	unknowns map[string]int
	buf      []byte
}

func (r *run) ruleSet(ctx context.Context, set *ruleSet) error {
	result := RuleSetResult{ID: set.source.ID, Name: set.source.Name, Action: Go}
	before := len(r.v.Rows)
	for i := range set.rules {
		if err := ctx.Err(); err != nil {
			return err
		}
		rule := &set.rules[i]
		hits, err := rule.gate.gate.Evaluate(ctx, rule.trigger.Name, r.s, rule.params)
		if err != nil {
			if ctxErr := ctx.Err(); ctxErr != nil && errors.Is(err, ctxErr) {
				return err
			}
			// What cannot be asked is never a pass.
			r.v.Problems = append(r.v.Problems, Problem{Severity: severityError, Type: TriggerEvaluation, RuleID: rule.source.ID,
				Message: fmt.Sprintf("%s/%s could not be evaluated: %v", rule.gate.spec.Name, rule.trigger.Name, err)})
			result.Action = Stop
		}
		for k := range hits {
			if hits[k].Unknown {
				r.unknown(set, rule, hits[k].Message)
				continue
			}
			if len(r.v.Rows) >= MaxRows {
				r.v.Problems = append(r.v.Problems, Problem{Severity: severityError, Type: TriggerEvaluation, RuleID: rule.source.ID,
					Message: fmt.Sprintf("more than %d rows (limit MaxRows)", MaxRows)})
				result.Action, result.Rows = Stop, len(r.v.Rows)-before
				r.v.RuleSets = append(r.v.RuleSets, result)
				r.v.PolicyAction = Stop
				return nil
			}
			r.row(set, rule, &hits[k])
			result.Action = result.Action.Worse(r.v.Rows[len(r.v.Rows)-1].Action)
		}
	}
	result.Rows = len(r.v.Rows) - before
	r.v.RuleSets = append(r.v.RuleSets, result)
	r.v.PolicyAction = r.v.PolicyAction.Worse(result.Action)
	return nil
}

func (r *run) row(set *ruleSet, rule *rule, h *Hit) {
	f := r.e.bundle.Format
	gate, trigger := rule.gate.spec.Name, rule.trigger.name(f)
	row := Row{TriggerID: h.ID, Gate: gate, Trigger: trigger, Message: h.Message, Action: rule.action, RuleAction: rule.action,
		RuleID: rule.source.ID, RuleSetID: set.source.ID, Params: rule.source.Params, Recommendation: rule.source.Recommendation, Evidence: h.Evidence, Remedy: h.Remedy}
	other := ""
	if row.TriggerID == "" {
		row.TriggerID = r.hash(gate, trigger, h.Message)
		// Allowlists made for the other format know the other name.
		if rule.trigger.Name2 != "" && r.silence.byGate[lower(gate)] != nil {
			name := rule.trigger.Name
			if name == trigger {
				name = rule.trigger.Name2
			}
			other = r.hash(gate, name, h.Message)
		}
	}
	if list, item := r.silence.find(lower(gate), r.s.Now, row.TriggerID, other); item != nil {
		row.Action = Go
		row.Allowlisted = &Allowance{ListID: list.ID, ListName: list.Name, ItemID: item.ID}
	}
	r.v.Rows = append(r.v.Rows, row)
}

// hash makes the trigger id of everything that has none of its own.
func (r *run) hash(gate, trigger, message string) string {
	r.buf = append(append(append(r.buf[:0], gate...), trigger...), message...)
	return triggerHash(r.buf)
}

func triggerHash(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// TriggerID is the id of a row whose gate makes none of its own.
func TriggerID(gate, trigger, message string) string {
	return triggerHash([]byte(gate + trigger + message))
}

func (r *run) unknown(set *ruleSet, rule *rule, message string) {
	name := rule.source.ID
	if name == "" {
		name = set.source.ID + "/" + strconv.Itoa(rule.pos)
	}
	gate, trigger := rule.gate.spec.Name, rule.trigger.name(r.e.bundle.Format)
	key := gate + "\x00" + trigger + "\x00" + message
	k, ok := r.unknowns[key]
	if !ok {
		k = len(r.v.Unknowns)
		r.unknowns[key] = k
		r.v.Unknowns = append(r.v.Unknowns, UnknownAnswer{Gate: gate, Trigger: trigger, Message: message})
	}
	u := &r.v.Unknowns[k]
	if n := len(u.Rules); n == 0 || u.Rules[n-1] != name {
		u.Rules = append(u.Rules, name)
	}
}
