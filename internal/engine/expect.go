package engine

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// maxShown is how many rows a difference lists.
const maxShown = 8

// Compare returns what is not as expected, a line or some lines each; nil
// where everything is.
func (e *Expectation) Compare(v *policy.Verdict, b *policy.Bundle) []string {
	var out []string
	differ := func(what, want, got string) {
		if want != got {
			out = append(out, fmt.Sprintf("%s\n  - want %s\n  + got  %s", what, want, got))
		}
	}
	if e.Action != "" {
		differ("action", strings.ToLower(e.Action), string(v.Action))
	}
	if e.Reason != "" {
		differ("reason", e.Reason, string(v.Reason))
	}
	if e.Mapping != nil {
		got := ""
		if v.Mapping >= 0 {
			m := &b.Mappings[v.Mapping]
			if got = cmp.Or(m.Name, m.ID); *e.Mapping == m.ID {
				got = m.ID
			}
		}
		differ("mapping", fmt.Sprintf("%q", *e.Mapping), fmt.Sprintf("%q", got))
	}
	expected := make([]bool, len(v.Rows))
	for i := range e.Rows {
		n := 0
		for k := range v.Rows {
			if e.Rows[i].matches(&v.Rows[k]) {
				expected[k] = true
				n++
			}
		}
		want := e.Rows[i].Count
		switch {
		case want != nil && *want != n:
			out = append(out, fmt.Sprintf("rows\n  - want %d of %s\n  + got  %d%s", *want, e.Rows[i].text(), n, nearest(v, &e.Rows[i])))
		case want == nil && n == 0:
			out = append(out, fmt.Sprintf("rows\n  - want %s\n  + got  none%s", e.Rows[i].text(), nearest(v, &e.Rows[i])))
		}
	}
	for i := range e.Not {
		for k := range v.Rows {
			if e.Not[i].matches(&v.Rows[k]) {
				out = append(out, fmt.Sprintf("rows\n  - want no %s\n  + got  %s", e.Not[i].text(), rowText(&v.Rows[k])))
				break
			}
		}
	}
	if e.OnlyThese {
		var more []string
		for k := range v.Rows {
			if !expected[k] {
				more = append(more, "\n  + got  "+rowText(&v.Rows[k]))
			}
		}
		if len(more) > 0 {
			text := fmt.Sprintf("rows\n  - want no others%s", strings.Join(more[:min(len(more), maxShown)], ""))
			if len(more) > maxShown {
				text += fmt.Sprintf("\n  + … and %d more", len(more)-maxShown)
			}
			out = append(out, text)
		}
	}
	unknowns := make([]string, len(v.Unknowns))
	for i := range v.Unknowns {
		unknowns[i] = v.Unknowns[i].Gate + "/" + v.Unknowns[i].Trigger + ": " + v.Unknowns[i].Message
	}
	problems := make([]string, len(v.Problems))
	for i := range v.Problems {
		problems[i] = v.Problems[i].Type + " " + v.Problems[i].String()
	}
	out = append(out, missing("unknowns", e.Unknowns, unknowns)...)
	out = append(out, missing("problems", e.Problems, problems)...)
	if e.Known && len(unknowns) > 0 {
		out = append(out, "unknowns\n  - want none\n  + got  "+strings.Join(unknowns[:min(len(unknowns), maxShown)], "\n  + got  "))
	}
	if len(e.Problems) == 0 && len(problems) > 0 {
		out = append(out, "problems of the policy\n  - want none\n  + got  "+strings.Join(problems[:min(len(problems), maxShown)], "\n  + got  "))
	}
	return out
}

func missing(what string, patterns, have []string) []string {
	var out []string
	for _, p := range patterns {
		found := false
		for _, h := range have {
			found = found || fits(p, h)
		}
		if !found {
			got := "none"
			if len(have) > 0 {
				got = strings.Join(have[:min(len(have), maxShown)], "\n  + got  ")
			}
			out = append(out, fmt.Sprintf("%s\n  - want %s\n  + got  %s", what, p, got))
		}
	}
	return out
}

// fits reports whether a text is as a pattern says; "" says nothing.
func fits(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	p, err := policy.ParsePattern(pattern)
	return err == nil && p.Match(strings.ReplaceAll(text, "\n", " "))
}

func (e *ExpectedRow) matches(r *policy.Row) bool {
	return fits(e.Rule, r.RuleID) && fits(strings.ToLower(e.Gate), strings.ToLower(r.Gate)) && fits(strings.ToLower(e.Trigger), strings.ToLower(r.Trigger)) &&
		(e.Action == "" || strings.EqualFold(e.Action, string(r.Action))) && fits(e.ID, r.TriggerID) && fits(e.Message, r.Message) && fits(e.Path, r.Evidence.Path) &&
		fits(e.Package, r.Evidence.Package) && (e.Allowed == nil || *e.Allowed == (r.Allowlisted != nil))
}

func (e *ExpectedRow) text() string {
	var parts []string
	for _, p := range [][2]string{{"rule", e.Rule}, {"gate", e.Gate}, {"trigger", e.Trigger}, {"action", e.Action}, {"id", e.ID}, {"message", e.Message}, {"path", e.Path}, {"package", e.Package}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	if e.Allowed != nil {
		parts = append(parts, fmt.Sprintf("allowed %v", *e.Allowed))
	}
	return strings.Join(parts, ", ")
}

func rowText(r *policy.Row) string {
	allowed := ""
	if r.Allowlisted != nil {
		allowed = ", allowed"
	}
	return fmt.Sprintf("%s %s/%s rule %s%s: %s (id %s)", r.Action, r.Gate, r.Trigger, cmp.Or(r.RuleID, "without an id"), allowed, r.Message, r.TriggerID)
}

// nearest are the rows that an expected one may have meant: those of its rule,
// else of its gate.
func nearest(v *policy.Verdict, e *ExpectedRow) string {
	for _, near := range []func(*policy.Row) bool{
		func(r *policy.Row) bool { return e.Rule != "" && fits(e.Rule, r.RuleID) },
		func(r *policy.Row) bool { return e.Gate != "" && strings.EqualFold(e.Gate, r.Gate) },
	} {
		var lines []string
		for k := range v.Rows {
			if near(&v.Rows[k]) && !e.matches(&v.Rows[k]) {
				lines = append(lines, "\n  ~ near "+rowText(&v.Rows[k]))
			}
		}
		if len(lines) > 0 {
			return strings.Join(lines[:min(len(lines), maxShown)], "")
		}
	}
	return ""
}
