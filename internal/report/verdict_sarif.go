package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// writeVerdictSARIF writes SARIF 2.1.0: a rule for each rule of the policy
// that has rows, a result for each row with its file, and what is wrong with
// the policy or could not be told as notifications of the tool. Stop is an
// error, warn a warning, go a note; what an allowlist silenced is suppressed.
func writeVerdictSARIF(w io.Writer, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "tidewaiter", Version: o.ToolVersion, InformationURI: "https://tidewaiter.dev", Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: true, End: v.At.UTC().Format("2006-01-02T15:04:05Z")}},
		BaseIDs:     map[string]sarifArtifact{sarifRoot: {URI: "file:///"}},
		Results:     []sarifResult{},
		ColumnKind:  "utf16CodeUnits",
		Properties: map[string]any{"image": printable(o.Image), "tag": printable(v.Tag), "digest": v.ImageDigest, "policy": printable(cmp.Or(b.Name, b.ID)), "policyDigest": v.BundleDigest,
			"action": v.Action, "reason": v.Reason, "inventoryDigest": v.InventoryDigest, "findingsDigest": v.FindingsDigest},
	}
	notify := func(level, text string, properties map[string]any) {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{Level: level, Message: sarifMessage{Text: sarifText(printable(text))}, Properties: properties})
	}
	for i := range v.Problems {
		level := "warning"
		if v.Problems[i].IsError() {
			level = "error"
		}
		notify(level, v.Problems[i].String(), map[string]any{"kind": v.Problems[i].Type, "path": v.Problems[i].Path})
	}
	for i := range v.Unknowns {
		u := &v.Unknowns[i]
		notify("warning", u.Gate+"/"+u.Trigger+": "+u.Message, map[string]any{"kind": "unknown", "rules": list(u.Rules)})
	}
	index := map[string]int{}
	for i := range v.Rows {
		r := &v.Rows[i]
		id := verdictRuleID(r)
		k, ok := index[id]
		if !ok {
			k = len(run.Tool.Driver.Rules)
			index[id] = k
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifVerdictRule(id, r, b))
		}
		run.Results = append(run.Results, sarifRow(id, k, r, o))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// verdictRuleID tells a policy's rules apart, also those without an id.
func verdictRuleID(r *policy.Row) string {
	return printable(r.RuleSetID + "/" + cmp.Or(r.RuleID, r.Gate+"."+r.Trigger))
}

func sarifAction(a policy.Action) string {
	switch a {
	case policy.Stop:
		return "error"
	case policy.Warn:
		return "warning"
	}
	return "note"
}

func sarifVerdictRule(id string, r *policy.Row, b *policy.Bundle) sarifRule {
	why := ruleReason(b, r)
	asks := r.Gate + "/" + r.Trigger
	for _, p := range r.Params {
		asks += fmt.Sprintf(" %s=%s", p.Name, p.Value)
	}
	short := printable(cut(asks, 500))
	text := []string{short}
	md := []string{"**" + markdownText(short) + "**"}
	for _, l := range []string{why, r.Recommendation} {
		if l != "" {
			text = append(text, printable(l))
			md = append(md, markdownText(l))
		}
	}
	return sarifRule{
		ID: id, Short: sarifMessage{Text: sarifText(short)}, Full: sarifMessage{Text: sarifText(cut(printable(cmp.Or(why, short)), 1000))},
		Help:          sarifMessage{Text: sarifText(strings.Join(text, "\n")), Markdown: strings.Join(md, "\n\n")},
		Configuration: sarifConfig{sarifAction(r.RuleAction)},
		Properties: map[string]any{"tags": []string{"security", "policy", "gate/" + printable(r.Gate)}, "precision": "very-high", "gate": printable(r.Gate), "trigger": printable(r.Trigger),
			"action": r.RuleAction, "problem.severity": map[string]string{"error": "error", "warning": "warning", "note": "recommendation"}[sarifAction(r.RuleAction)]},
	}
}

// ruleReason is what the policy says of a row's rule.
func ruleReason(b *policy.Bundle, row *policy.Row) string {
	for i := range b.RuleSets {
		if b.RuleSets[i].ID != row.RuleSetID {
			continue
		}
		for k := range b.RuleSets[i].Rules {
			r := &b.RuleSets[i].Rules[k]
			if r.ID != row.RuleID || !strings.EqualFold(r.Gate, row.Gate) {
				continue
			}
			why := r.Description
			if raw := r.Extra["comment"]; why == "" && raw != nil {
				_ = json.Unmarshal(raw, &why) // a comment that is no text is not shown
			}
			return why
		}
	}
	return ""
}

func sarifRow(id string, rule int, r *policy.Row, o VerdictOptions) sarifResult {
	text := r.Message
	for _, more := range []string{r.Remedy, r.Recommendation} {
		if more != "" {
			text = strings.TrimSuffix(text, ".") + ". " + more
		}
	}
	e := &r.Evidence
	at := sarifArtifact{URI: relativeURI(cmp.Or(o.Image, "image"))}
	if e.Path != "" {
		at = sarifArtifact{URI: relativeURI(e.Path), BaseID: sarifRoot}
	}
	out := sarifResult{
		RuleID: id, RuleIndex: rule, Level: sarifAction(r.RuleAction), Message: sarifMessage{Text: sarifText(printable(text))},
		Locations: []sarifLocation{{Physical: sarifPhysical{Artifact: at, Region: map[string]int{"startLine": max(e.Line, 1)}}}},
		Properties: map[string]any{"gate": printable(r.Gate), "trigger": printable(r.Trigger), "triggerID": printable(r.TriggerID), "action": r.Action, "remedy": printable(cmp.Or(r.Remedy, r.Recommendation)),
			"layer": printable(string(e.Layer)), "finding": printable(e.Finding), "detail": printable(e.Detail)},
	}
	if e.Package != "" {
		out.Locations[0].Logical = []sarifLogical{{Name: printable(e.Package), Qualified: printable(e.Package), Kind: "package"}}
	}
	mark := policy.TriggerID(id, r.TriggerID, e.Path)
	out.Fingerprints = map[string]string{"tidewaiter/v1": mark, "primaryLocationLineHash": mark + ":1"}
	if a := r.Allowlisted; a != nil {
		out.Suppressions = []sarifSuppression{{"external", printable("allowed by " + cmp.Or(a.ListName, a.ListID) + ", item " + cmp.Or(a.ItemID, "without an id"))}}
	}
	return out
}
