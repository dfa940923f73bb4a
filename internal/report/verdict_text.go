package report

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// verdictFacts are what a verdict is about and rests on, by label.
func verdictFacts(v *policy.Verdict, b *policy.Bundle, o VerdictOptions) [][2]string {
	mapping := ""
	if v.Mapping >= 0 {
		m := &b.Mappings[v.Mapping]
		mapping = cmp.Or(m.Name, m.ID, strconv.Itoa(v.Mapping+1))
	} else if v.Reason == policy.ByPolicy && len(v.Problems) == 0 {
		mapping = "none is for this image, so no rule was asked"
	}
	tag := v.Tag
	if tag == policy.NoTag || tag == o.Image {
		tag = ""
	}
	var out [][2]string
	for _, f := range [][2]string{{"Image", o.Image}, {"Judged as", tag}, {"Digest", cmp.Or(string(v.ImageDigest), v.ImageID)}, {"Policy", cmp.Or(b.Name, b.ID) + ", " + v.BundleDigest},
		{"Mapping", mapping}, {"At", v.At.Format(time.RFC3339)}} {
		if f[1] != "" {
			out = append(out, f)
		}
	}
	return out
}

// rowPlace is where a row was found, in one text.
func rowPlace(e *policy.Evidence) string {
	var parts []string
	if e.Path != "" {
		at := e.Path
		if e.Line > 0 {
			at += ":" + strconv.Itoa(e.Line)
		}
		parts = append(parts, at)
	}
	if e.Package != "" {
		parts = append(parts, e.Package)
	}
	return strings.Join(parts, " ")
}

func rowRule(r *policy.Row) string {
	return strings.TrimSpace(r.Gate + "/" + r.Trigger + " " + r.RuleID)
}

// writeVerdictMarkdown writes GitHub's Markdown, for comments and job
// summaries.
func writeVerdictMarkdown(w io.Writer, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	bw := bufio.NewWriter(w) // keeps errors until Flush
	line := func(parts ...string) { _, _ = bw.WriteString(strings.Join(parts, "") + "\n") }
	row := func(cells ...string) { line("| ", strings.Join(cells, " | "), " |") }
	sign := map[policy.Action]string{policy.Stop: "🛑", policy.Warn: "⚠️", policy.Go: "✅"}[v.Action]
	line("# ", sign, " ", strings.ToUpper(string(v.Action)), markdownText(reasonText(v)), "\n")
	row("", "")
	row("---", "---")
	for _, f := range verdictFacts(v, b, o) {
		row(f[0], markdownCode(f[1]))
	}
	if len(v.Problems) > 0 {
		line("\n## What is wrong with the policy\n")
		for i := range v.Problems {
			line("* ", markdownText(v.Problems[i].Severity+": "+v.Problems[i].String()))
		}
	}
	if len(v.Unknowns) > 0 {
		line("\n## What could not be told\n")
		for i := range v.Unknowns {
			u := &v.Unknowns[i]
			line("* ", markdownCode(u.Gate+"/"+u.Trigger), " ", markdownText(u.Message))
		}
	}
	groups, silenced := rowsByAction(v.Rows)
	table := func(rows []*policy.Row, allowed bool) {
		last := "Remedy"
		if allowed {
			last = "Allowed by"
		}
		row("Rule", "What", "Where", last)
		row("---", "---", "---", "---")
		for i, r := range rows {
			if i == maxMarkdownRows {
				line("\n… and ", count(len(rows)-i, "row"), " more.")
				return
			}
			end := cmp.Or(r.Remedy, r.Recommendation)
			if allowed {
				end = cmp.Or(r.Allowlisted.ListName, r.Allowlisted.ListID) + " " + r.Allowlisted.ItemID
			}
			row(markdownCode(rowRule(r)), markdownText(cut(r.Message, 500)), markdownCode(rowPlace(&r.Evidence)), markdownText(end))
		}
	}
	for _, g := range groups {
		line("\n## ", strings.ToUpper(string(g.action)), ": ", count(len(g.rows), "row"), "\n")
		table(g.rows, false)
	}
	if len(silenced) > 0 {
		line("\n## Allowlisted: ", count(len(silenced), "row"), "\n")
		if o.Detail {
			table(silenced, true)
		} else {
			line("`--detail` lists them.")
		}
	}
	return bw.Flush()
}

// verdictColumns are the titles of the first line.
func verdictColumns() []string {
	return []string{"image", "digest", "verdict", "status", "action", "rule_action", "policy", "rule", "gate", "trigger", "trigger_id", "message", "path", "line", "package", "version", "finding", "layer", "remedy", "recommendation", "allowed_by", "detail"}
}

// writeVerdictCSV writes RFC 4180 as [writeCSV] does: a line for each row
// (status "row", or "allowed" where an allowlist silenced it), for each
// question that could not be answered ("unknown"), and for each problem of the
// policy ("problem").
func writeVerdictCSV(w io.Writer, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	columns := verdictColumns()
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(columns); err != nil {
		return err
	}
	line := func(cells map[string]string) error {
		cells["image"], cells["digest"], cells["verdict"] = o.Image, string(v.ImageDigest), string(v.Action)
		record := make([]string, len(columns))
		for i, name := range columns {
			record[i] = csvCell(cells[name])
		}
		return c.Write(record)
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		e := &r.Evidence
		cells := map[string]string{"status": "row", "action": string(r.Action), "rule_action": string(r.RuleAction), "policy": setName(b, r.RuleSetID), "rule": r.RuleID, "gate": r.Gate, "trigger": r.Trigger,
			"trigger_id": r.TriggerID, "message": r.Message, "path": e.Path, "package": e.Package, "version": e.Version, "finding": e.Finding, "layer": string(e.Layer), "remedy": r.Remedy,
			"recommendation": r.Recommendation, "detail": e.Detail}
		if e.Line > 0 {
			cells["line"] = strconv.Itoa(e.Line)
		}
		if a := r.Allowlisted; a != nil {
			cells["status"], cells["allowed_by"] = "allowed", strings.TrimSpace(cmp.Or(a.ListName, a.ListID)+" "+a.ItemID)
		}
		if err := line(cells); err != nil {
			return err
		}
	}
	for i := range v.Unknowns {
		u := &v.Unknowns[i]
		if err := line(map[string]string{"status": "unknown", "gate": u.Gate, "trigger": u.Trigger, "message": u.Message, "rule": strings.Join(u.Rules, " ")}); err != nil {
			return err
		}
	}
	for i := range v.Problems {
		p := &v.Problems[i]
		if err := line(map[string]string{"status": "problem", "action": p.Severity, "rule": p.RuleID, "message": fmt.Sprintf("%s: %s", p.Type, p.String())}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
