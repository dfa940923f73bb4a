package policy

import (
	"encoding/json"
	"fmt"
	"time"
)

// problemV1 is a problem as both interfaces write it.
type problemV1 struct {
	Severity string `json:"severity"`
	Type     string `json:"problem_type"`
	Details  string `json:"details"`
}

// WireProblems are problems as both interfaces write them.
func WireProblems(ps []Problem) any {
	out := make([]problemV1, len(ps))
	for i := range ps {
		out[i] = problemV1{ps[i].Severity, ps[i].Type, ps[i].String()}
	}
	return out
}

type resultV1 struct {
	UserID      string          `json:"user_id"`
	ImageID     string          `json:"image_id"`
	Tag         string          `json:"tag"`
	Bundle      json.RawMessage `json:"bundle"`
	Mapping     any             `json:"matched_mapping_rule"`
	Allowed     any             `json:"matched_whitelisted_images_rule"`
	Denied      any             `json:"matched_blacklisted_images_rule"`
	Action      Action          `json:"final_action"`
	Reason      string          `json:"final_action_reason"`
	CreatedAt   int64           `json:"created_at"`
	Modified    int64           `json:"last_modified"`
	Problems    any             `json:"evaluation_problems"`
	ImageDigest string          `json:"image_digest"`
	Status      string          `json:"status"`
	Result      map[string]any  `json:"result"`
}

type whitelistedV1 struct {
	Name string `json:"whitelist_name"`
	ID   string `json:"whitelist_id"`
	Rule string `json:"matched_rule_id"`
}

// headerV1 are the columns of the 1_0 result table.
func headerV1() []string {
	return []string{"Image_Id", "Repo_Tag", "Trigger_Id", "Gate", "Trigger", "Check_Output", "Gate_Action", "Whitelisted", "Policy_Id"}
}

// Result1 writes a verdict as the 1_0 interface's result document. The bundle
// must be the one the verdict is of; one of format 2 is shown as 1_0.
func Result1(v *Verdict, b *Bundle, userID string) ([]byte, error) {
	shown, _ := Convert(b, Format1)
	bundle, err := Encode(shown)
	if err != nil {
		return nil, fmt.Errorf("writing the bundle: %w", err)
	}
	rows := make([][9]any, len(v.Rows))
	for i := range v.Rows {
		r := &v.Rows[i]
		var silenced any = false
		if a := r.Allowlisted; a != nil {
			silenced = whitelistedV1{a.ListName, a.ListID, a.ItemID}
		}
		rows[i] = [9]any{v.ImageID, v.Tag, r.TriggerID, r.Gate, r.Trigger, r.Message, r.Action, silenced, r.RuleSetID}
	}
	doc := resultV1{
		UserID: userID, ImageID: v.ImageID, Tag: v.Tag, Bundle: bundle, Mapping: false, Allowed: false, Denied: false,
		Action: v.Action, Reason: v.Reason.In(Format1), CreatedAt: v.At.Unix(), Modified: v.At.Unix(), Problems: WireProblems(v.Problems),
		ImageDigest: string(v.ImageDigest), Status: v.Action.Status(),
		Result: map[string]any{
			v.ImageID: map[string]any{"result": map[string]any{"header": headerV1(), "rows": rows, "row_count": len(rows), "final_action": v.PolicyAction}},
			// Clients iterate over the members; these stay beside the image.
			"policy_data": []any{}, "whitelist_data": []any{}, "policy_name": "", "whitelist_names": []any{},
		},
	}
	if v.Mapping >= 0 && v.Mapping < len(shown.Mappings) {
		doc.Mapping = marshal(Format1, func(w *writer) { w.mapping(&shown.Mappings[v.Mapping]) })
	}
	if v.Allowed >= 0 && v.Allowed < len(shown.Allowed) {
		doc.Allowed = marshal(Format1, func(w *writer) { w.imageRule(&shown.Allowed[v.Allowed]) })
	}
	if v.Denied >= 0 && v.Denied < len(shown.Denied) {
		doc.Denied = marshal(Format1, func(w *writer) { w.imageRule(&shown.Denied[v.Denied]) })
	}
	return json.Marshal(doc)
}

// Inherited says of a row whether the base image, judged by the same bundle
// and tag, has it, too; nil where nothing was compared.
type Inherited func(r *Row) bool

type evaluationV2 struct {
	Status     string     `json:"status"`
	Action     Action     `json:"final_action"`
	Reason     string     `json:"final_action_reason"`
	Time       string     `json:"evaluation_time"`
	Problems   any        `json:"evaluation_problems"`
	Allowed    bool       `json:"image_allowlisted"`
	Denied     bool       `json:"image_denylisted"`
	Mapped     bool       `json:"image_mapped_to_rule"`
	AllowRule  any        `json:"matched_allowlisted_images_rule"`
	DenyRule   any        `json:"matched_denylisted_images_rule"`
	Mapping    any        `json:"matched_mapping_rule"`
	Findings   int        `json:"number_of_findings"`
	BaseDigest *string    `json:"comparison_image_digest"`
	Details    *detailsV2 `json:"details"`
}

type detailsV2 struct {
	Policy       json.RawMessage `json:"policy"`
	Findings     []findingV2     `json:"findings"`
	PolicyAction Action          `json:"policy_action"`
	Remediations []remediationV2 `json:"remediations"`
}

type findingV2 struct {
	TriggerID      string   `json:"trigger_id"`
	Gate           string   `json:"gate"`
	Trigger        string   `json:"trigger"`
	Message        string   `json:"message"`
	Action         Action   `json:"action"`
	PolicyID       string   `json:"policy_id"`
	RuleID         string   `json:"rule_id"`
	Recommendation string   `json:"recommendation"`
	Allowlisted    bool     `json:"allowlisted"`
	Match          *matchV2 `json:"allowlist_match"`
	Inherited      *bool    `json:"inherited_from_base"`
}

type matchV2 struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Rule string `json:"matched_rule_id"`
}

type remediationV2 struct {
	TriggerIDs  []string       `json:"trigger_ids"`
	Suggestions []suggestionV2 `json:"suggestions"`
}

type suggestionV2 struct {
	Message   string `json:"message"`
	Preferred bool   `json:"preferred"`
}

// Result2Options are what a request for a v2 document may say.
type Result2Options struct {
	Detail bool
	// BaseDigest and Inherited are of the comparison with a base image; ""
	// and nil where there was none.
	BaseDigest string
	Inherited  Inherited
}

// Result2 writes a verdict as one evaluation of the v2 interface's
// PolicyEvaluation. The bundle must be the one the verdict is of; one of
// format 1_0 is shown as 2, its rows keep their own names and ids.
func Result2(v *Verdict, b *Bundle, o Result2Options) ([]byte, error) {
	shown, _ := Convert(b, Format2)
	doc := evaluationV2{
		Status: v.Action.Status(), Action: v.Action, Reason: v.Reason.In(Format2), Time: v.At.Format(time.RFC3339Nano), Problems: WireProblems(v.Problems),
		Allowed: v.Allowed >= 0, Denied: v.Denied >= 0, Mapped: v.Mapping >= 0, Findings: len(v.Rows),
	}
	if o.BaseDigest != "" {
		doc.BaseDigest = &o.BaseDigest
	}
	if v.Mapping >= 0 && v.Mapping < len(shown.Mappings) {
		doc.Mapping = marshal(Format2, func(w *writer) { w.mapping(&shown.Mappings[v.Mapping]) })
	}
	if v.Allowed >= 0 && v.Allowed < len(shown.Allowed) {
		doc.AllowRule = marshal(Format2, func(w *writer) { w.imageRule(&shown.Allowed[v.Allowed]) })
	}
	if v.Denied >= 0 && v.Denied < len(shown.Denied) {
		doc.DenyRule = marshal(Format2, func(w *writer) { w.imageRule(&shown.Denied[v.Denied]) })
	}
	if o.Detail {
		bundle, err := Encode(shown)
		if err != nil {
			return nil, fmt.Errorf("writing the bundle: %w", err)
		}
		doc.Details = &detailsV2{Policy: bundle, PolicyAction: v.PolicyAction, Findings: make([]findingV2, len(v.Rows)), Remediations: remediations(v.Rows)}
		for i := range v.Rows {
			r := &v.Rows[i]
			f := findingV2{TriggerID: r.TriggerID, Gate: r.Gate, Trigger: r.Trigger, Message: r.Message, Action: r.Action, PolicyID: r.RuleSetID, RuleID: r.RuleID,
				Recommendation: r.Recommendation, Allowlisted: r.Allowlisted != nil}
			if a := r.Allowlisted; a != nil {
				f.Match = &matchV2{a.ListID, a.ListName, a.ItemID}
			}
			if o.Inherited != nil {
				inherited := o.Inherited(r)
				f.Inherited = &inherited
			}
			doc.Details.Findings[i] = f
		}
	}
	return json.Marshal(doc)
}

// remediations groups rows by their remedy.
func remediations(rows []Row) []remediationV2 {
	var out []remediationV2
	at := map[string]int{}
	seen := map[[2]string]bool{}
	for i := range rows {
		r := &rows[i]
		if r.Remedy == "" || seen[[2]string{r.Remedy, r.TriggerID}] {
			continue
		}
		seen[[2]string{r.Remedy, r.TriggerID}] = true
		k, ok := at[r.Remedy]
		if !ok {
			k = len(out)
			at[r.Remedy] = k
			out = append(out, remediationV2{Suggestions: []suggestionV2{{r.Remedy, true}}})
		}
		out[k].TriggerIDs = append(out[k].TriggerIDs, r.TriggerID)
	}
	return out
}
