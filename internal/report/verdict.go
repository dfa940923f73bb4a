package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// VerdictJSON is the format that has the whole verdict, with evidence,
// unknowns and what it was derived from.
const VerdictJSON = "verdict-json"

// maxVerdictRows is how many rows of one action the table lists without
// detail.
const maxVerdictRows = 200

// VerdictFormats lists the formats of [WriteVerdict], the table first.
func VerdictFormats() []string {
	return []string{Table, string(bom.JSON), VerdictJSON, SARIF, JUnit, HTML, Markdown, CSV}
}

// VerdictOptions say how a verdict is shown.
type VerdictOptions struct {
	Image  string // what was asked about, as it was named
	Detail bool   // the table has evidence, remedies and allowlisted rows; format 2's document its details
	Width  int    // columns of the table; 100 when zero
	Color  bool

	ToolVersion string // of the program, for formats that name it
}

// WriteVerdict writes a verdict in one of [VerdictFormats]. The bundle is the
// one it was made by; "json" is the result document of the bundle's format.
func WriteVerdict(w io.Writer, format string, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	var doc []byte
	var err error
	switch format {
	case Table:
		return writeVerdictTable(w, v, b, o)
	case JUnit:
		return writeVerdictJUnit(w, v, o)
	case SARIF:
		return writeVerdictSARIF(w, v, b, o)
	case HTML:
		return writeVerdictHTML(w, v, b, o)
	case Markdown:
		return writeVerdictMarkdown(w, v, b, o)
	case CSV:
		return writeVerdictCSV(w, v, b, o)
	case VerdictJSON:
		doc, err = json.Marshal(v)
	case string(bom.JSON):
		if b.Format == policy.Format2 {
			doc, err = policy.Result2(v, b, policy.Result2Options{Detail: o.Detail})
		} else {
			doc, err = policy.Result1(v, b, "")
		}
	default:
		return fmt.Errorf("format %q is not known; there are %s", format, strings.Join(VerdictFormats(), ", "))
	}
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

func writeVerdictTable(w io.Writer, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	t := &table{w: bufio.NewWriter(w), width: max(cmp.Or(o.Width, 100), 60)}
	action := strings.ToUpper(string(v.Action))
	if o.Color {
		t.line("Verdict       " + paintAction(v.Action, action) + reasonText(v))
	} else {
		t.line("Verdict       " + action + reasonText(v))
	}
	t.wrapped("Image", o.Image)
	if v.Tag != policy.NoTag && v.Tag != o.Image {
		t.wrapped("Judged as", v.Tag)
	}
	t.wrapped("Digest", cmp.Or(string(v.ImageDigest), v.ImageID))
	t.wrapped("Policy", fmt.Sprintf("%s, %s", cmp.Or(b.Name, b.ID), v.BundleDigest))
	if v.Mapping >= 0 {
		m := &b.Mappings[v.Mapping]
		t.wrapped("Mapping", cmp.Or(m.Name, m.ID, fmt.Sprintf("the one at %d", v.Mapping+1)))
	} else if v.Reason == policy.ByPolicy && len(v.Problems) == 0 {
		t.wrapped("Mapping", "none is for this image, so no rule was asked")
	}
	t.wrapped("At", v.At.Format(time.RFC3339))
	groups, silenced := rowsByAction(v.Rows)
	t.wrapped("Rows", rowTally(groups, len(silenced)))
	if len(v.Problems) > 0 {
		t.title("What is wrong with the policy: " + count(len(v.Problems), "problem"))
		for i := range v.Problems {
			t.bullet("  ! ", v.Problems[i].Severity+": "+v.Problems[i].String())
		}
	}
	if len(v.Unknowns) > 0 {
		t.title("What could not be told")
		for i := range v.Unknowns {
			u := &v.Unknowns[i]
			t.bullet("  ? ", fmt.Sprintf("%s/%s: %s", u.Gate, u.Trigger, u.Message))
		}
	}
	for _, g := range groups {
		t.title(fmt.Sprintf("%s: %s", strings.ToUpper(string(g.action)), count(len(g.rows), "row")))
		t.verdictRows(g.rows, b, o.Detail)
	}
	if len(silenced) > 0 {
		if o.Detail {
			t.title("Allowlisted: " + count(len(silenced), "row"))
			t.verdictRows(silenced, b, true)
		} else {
			t.title(count(len(silenced), "row") + " allowlisted; --detail lists them")
		}
	}
	return t.w.Flush()
}

// rowTally counts rows: "3 stop, 1 warn, 2 allowlisted".
func rowTally(groups []actionRows, silenced int) string {
	var counts []string
	for _, g := range groups {
		counts = append(counts, thousands(len(g.rows))+" "+string(g.action))
	}
	if silenced > 0 {
		counts = append(counts, thousands(silenced)+" allowlisted")
	}
	return cmp.Or(strings.Join(counts, ", "), "none")
}

func reasonText(v *policy.Verdict) string {
	switch v.Reason {
	case policy.ByDenied:
		return fmt.Sprintf(": the image is on the list of denied ones (the rules alone: %s)", v.PolicyAction)
	case policy.ByAllowed:
		return fmt.Sprintf(": the image is on the list of allowed ones (the rules alone: %s)", v.PolicyAction)
	}
	return ""
}

func paintAction(a policy.Action, s string) string {
	code := map[policy.Action]string{policy.Stop: "1;31", policy.Warn: "33", policy.Go: "32"}[a]
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

type actionRows struct {
	action policy.Action
	rows   []*policy.Row
}

// rowsByAction sorts rows by action, worst first, and sets aside what an
// allowlist silenced. Within an action the order of the rules stays.
func rowsByAction(rows []policy.Row) (groups []actionRows, silenced []*policy.Row) {
	for _, a := range []policy.Action{policy.Stop, policy.Warn, policy.Go} {
		var of []*policy.Row
		for i := range rows {
			if rows[i].Allowlisted == nil && rows[i].Action == a {
				of = append(of, &rows[i])
			}
		}
		if of != nil {
			groups = append(groups, actionRows{a, of})
		}
	}
	for i := range rows {
		if rows[i].Allowlisted != nil {
			silenced = append(silenced, &rows[i])
		}
	}
	return groups, silenced
}

// verdictRows writes rows under the rules that made them.
func (t *table) verdictRows(rows []*policy.Row, b *policy.Bundle, detail bool) {
	var last *policy.Row
	for i, r := range rows {
		if !detail && i == maxVerdictRows {
			t.line("  … and " + count(len(rows)-i, "row") + " more; --detail lists all")
			return
		}
		if last == nil || last.RuleID != r.RuleID || last.RuleSetID != r.RuleSetID || last.Gate != r.Gate || last.Trigger != r.Trigger {
			head := r.Gate + "/" + r.Trigger
			if r.RuleID != "" {
				head += ", rule " + r.RuleID
			}
			t.bullet("  ", head+" of "+setName(b, r.RuleSetID))
			if r.Recommendation != "" {
				t.bullet("      = ", r.Recommendation)
			}
			last = r
		}
		t.bullet("    - ", r.Message)
		if a := r.Allowlisted; a != nil {
			t.bullet("      ", fmt.Sprintf("allowed by %s, item %s; else %s", cmp.Or(a.ListName, a.ListID), cmp.Or(a.ItemID, "without an id"), r.RuleAction))
		}
		if detail {
			t.verdictDetail(r)
		}
	}
}

func (t *table) verdictDetail(r *policy.Row) {
	const in = "        "
	e := &r.Evidence
	var where []string
	for _, s := range []string{e.Package, e.Finding, e.Path} {
		if s != "" && !strings.Contains(r.Message, s) {
			where = append(where, s)
		}
	}
	if e.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", e.Line))
	}
	if e.Layer != "" {
		where = append(where, "layer "+string(e.Layer))
	}
	if e.Detail != "" {
		where = append(where, e.Detail)
	}
	if where != nil {
		t.bullet(in, strings.Join(where, ", "))
	}
	if r.Remedy != "" {
		t.bullet(in, "remedy: "+r.Remedy)
	}
	t.bullet(in, "trigger id "+r.TriggerID)
}

func setName(b *policy.Bundle, id string) string {
	i := slices.IndexFunc(b.RuleSets, func(s policy.RuleSet) bool { return s.ID == id })
	if i < 0 {
		return id
	}
	return cmp.Or(b.RuleSets[i].Name, id)
}

// writeVerdictJUnit writes one suite for each rule set: a test that fails for
// each row that stops, one that is skipped for each that an allowlist
// silenced, one that passes for every other row, with the row's place and remedy
// as its output. What is wrong with the policy
// and what could not be told are errors of a suite of their own.
func writeVerdictJUnit(w io.Writer, v *policy.Verdict, o VerdictOptions) error {
	stamp := v.At.Format("2006-01-02T15:04:05")
	whole := junitSuite{Name: "verdict", Timestamp: stamp, Properties: []junitProperty{
		{"image", printable(o.Image)}, {"digest", printable(string(v.ImageDigest))}, {"policy", printable(v.BundleID)}, {"action", string(v.Action)}, {"reason", string(v.Reason)},
	}}
	c := junitCase{Class: "verdict", Name: "final action " + string(v.Action)}
	if v.Action == policy.Stop {
		c.Failure = &junitResult{Type: string(v.Action), Message: printable("the verdict is stop" + reasonText(v))}
	}
	whole.add(c)
	for i := range v.Problems {
		p := &v.Problems[i]
		whole.add(junitCase{Class: "policy", Name: printable(p.Type + " " + p.Path), Error: &junitResult{Type: p.Severity, Message: printable(p.String())}})
	}
	for i := range v.Unknowns {
		u := &v.Unknowns[i]
		whole.add(junitCase{Class: printable(u.Gate + "/" + u.Trigger), Name: printable(u.Message), Error: &junitResult{Type: "unknown", Message: printable(u.Message), Text: printable(strings.Join(u.Rules, ", "))}})
	}
	out := junitSuites{Name: printable(o.Image), Suites: []junitSuite{whole}}
	rows := v.Rows
	for _, set := range v.RuleSets {
		s := junitSuite{Name: printable(cmp.Or(set.Name, set.ID)), Timestamp: stamp}
		for i := range rows[:min(set.Rows, len(rows))] {
			s.add(verdictCase(&rows[i]))
		}
		rows = rows[min(set.Rows, len(rows)):]
		out.Suites = append(out.Suites, s)
	}
	for i := range out.Suites {
		out.Tests += out.Suites[i].Tests
		out.Failures += out.Suites[i].Failures
		out.Errors += out.Suites[i].Errors
	}
	bw := bufio.NewWriter(w)
	_, _ = bw.WriteString(xml.Header) // bufio.Writer keeps errors until Flush
	e := xml.NewEncoder(bw)
	e.Indent("", " ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_ = bw.WriteByte('\n')
	return bw.Flush()
}

func verdictCase(r *policy.Row) junitCase {
	c := junitCase{Class: printable(strings.TrimSuffix(r.Gate+"/"+r.Trigger+" "+r.RuleID, " ")), Name: printable(r.Message)}
	switch {
	case r.Allowlisted != nil:
		c.Skipped = &junitResult{Message: printable("allowed by " + cmp.Or(r.Allowlisted.ListName, r.Allowlisted.ListID))}
	default:
		lines := []string{"Action: " + string(r.Action)}
		for _, l := range [][2]string{{"File", r.Evidence.Path}, {"Package", r.Evidence.Package}, {"Layer", string(r.Evidence.Layer)}, {"Remedy", r.Remedy}, {"Recommendation", r.Recommendation}, {"Trigger id", r.TriggerID}} {
			if l[1] != "" {
				lines = append(lines, l[0]+": "+l[1])
			}
		}
		if r.Action == policy.Stop {
			c.Failure = &junitResult{Type: string(r.Action), Message: printable(r.Message), Text: printableLines(lines)}
		} else {
			c.Out = &junitText{printableLines(lines)}
		}
	}
	return c
}
