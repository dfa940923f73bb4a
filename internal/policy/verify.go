package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// Step is one step in which a verdict is derived again.
type Step struct {
	Name    string `json:"step"`
	OK      bool   `json:"ok"`
	Message string `json:"message"` // what was compared, or what differs
}

// Verify derives a record's verdict again, from the record and the gates
// alone, and compares every step with what the record says. The verdict stands
// where all steps are OK. A record that was altered throughout, digests and
// all, is another record, and consistent: who must exclude that keeps the
// digest of the record, or a signature of it.
func Verify(ctx context.Context, r *Record, gates []Gate) ([]Step, error) {
	v := verifier{record: r}
	b, problems, err := Decode(r.Bundle)
	if err != nil || HasErrors(problems) {
		if err == nil {
			err = fmt.Errorf("%s", problems[0].String())
		}
		v.fail("bundle", "it cannot be read: %v", err)
		return v.steps, nil
	}
	s, err := r.Subject()
	if err != nil {
		v.fail("inventory", "it cannot be read: %v", err)
		return v.steps, nil
	}
	asked, err := gatesDigest(b, gates)
	if err != nil {
		return nil, err
	}
	again, err := Evaluate(ctx, b, s, gates)
	if err != nil {
		return nil, err
	}
	was := &r.Verdict
	// What went in.
	v.same("bundle", "its digest", again.BundleDigest, was.BundleDigest)
	v.same("inventory", "its digest", again.InventoryDigest, was.InventoryDigest)
	v.same("findings", "their digest", again.FindingsDigest, was.FindingsDigest)
	v.same("findings", "the generation of the data", again.Generation, was.Generation)
	v.same("context", "its digest", again.ContextDigest, was.ContextDigest)
	v.same("instant", "now", again.At, was.At.UTC())
	v.same("tag", "the tag", again.Tag, was.Tag)
	v.same("gates", "the digest of their descriptions (another release may describe them otherwise)", asked, r.Gates)
	// What came out, in the order of the algorithm.
	v.same("image", "digest and id", string(again.ImageDigest)+" "+again.ImageID, string(was.ImageDigest)+" "+was.ImageID)
	v.same("bundle", "id and format", again.BundleID+" "+string(again.Format), was.BundleID+" "+string(was.Format))
	v.same("mapping", "the mapping that matches", again.Mapping, was.Mapping)
	v.same("problems", "what is wrong with the bundle", again.Problems, was.Problems)
	v.rows(again.Rows, was.Rows)
	v.same("unknowns", "what could not be told", again.Unknowns, was.Unknowns)
	v.same("policies", "the action of each", again.RuleSets, was.RuleSets)
	v.same("policies", "the action of all", again.PolicyAction, was.PolicyAction)
	v.same("image lists", "the entries that match", [2]int{again.Allowed, again.Denied}, [2]int{was.Allowed, was.Denied})
	v.same("final action", "action and reason", string(again.Action)+" "+string(again.Reason), string(was.Action)+" "+string(was.Reason))
	one, err1 := json.Marshal(&again)
	two, err2 := json.Marshal(was)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("comparing the verdicts: %v %v", err1, err2)
	}
	if !bytes.Equal(one, two) {
		v.fail("verdict", "derived again, it has other bytes")
	} else {
		v.pass("verdict", "derived again, it is the same byte for byte")
	}
	return v.steps, nil
}

type verifier struct {
	record *Record
	steps  []Step
}

func (v *verifier) pass(step, what string) { v.steps = append(v.steps, Step{step, true, what}) }

func (v *verifier) fail(step, format string, args ...any) {
	v.steps = append(v.steps, Step{Name: step, Message: fmt.Sprintf(format, args...)})
}

// same compares what was derived again with what is recorded.
func (v *verifier) same(step, what string, again, was any) {
	a, errA := json.Marshal(again)
	b, errB := json.Marshal(was)
	if errA == nil && errB == nil && bytes.Equal(a, b) {
		v.pass(step, what)
		return
	}
	v.fail(step, "%s: derived again %s, recorded %s", what, shown(a), shown(b))
}

func shown(b []byte) string {
	const most = 300
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}

// rows compares what the rules found, then what allowlists made of it.
func (v *verifier) rows(again, was []Row) {
	if len(again) != len(was) {
		v.fail("rules", "%d rows derived again, %d recorded", len(again), len(was))
		return
	}
	for i := range again {
		a, b := again[i], was[i]
		a.Action, a.Allowlisted, b.Action, b.Allowlisted = "", nil, "", nil
		if name := differs(&a, &b); name != "" {
			v.fail("rules", "row %d (rule %s, %s/%s): %s is not what the rule finds", i, a.RuleID, a.Gate, a.Trigger, name)
			return
		}
	}
	v.pass("rules", fmt.Sprintf("%d rows", len(again)))
	silenced := 0
	for i := range again {
		if name := differs(&again[i], &was[i]); name != "" {
			v.fail("allowlists", "row %d (%s): %s is not what the allowlists make of it", i, again[i].TriggerID, name)
			return
		}
		if again[i].Allowlisted != nil {
			silenced++
		}
	}
	v.pass("allowlists", fmt.Sprintf("%d rows are silenced", silenced))
}

// differs names the first member that two rows do not agree on.
func differs(a, b *Row) string {
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range va.NumField() {
		ja, errA := json.Marshal(va.Field(i).Interface())
		jb, errB := json.Marshal(vb.Field(i).Interface())
		if errA != nil || errB != nil || !bytes.Equal(ja, jb) {
			return va.Type().Field(i).Name
		}
	}
	return ""
}
