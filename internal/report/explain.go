package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// explanation is an explanation in JSON: packages are as in the JSON of scans.
type explanation struct {
	ID       string                  `json:"id"`
	Aliases  []string                `json:"aliases,omitempty"`
	Verdict  string                  `json:"verdict"`
	Packages []packageExplanation    `json:"packages"`
	VEX      []match.StatementResult `json:"vex,omitempty"`
	Ignored  []match.IgnoreResult    `json:"ignored,omitempty"`
	Records  []advisory.Advisory     `json:"records"`
}

type packageExplanation struct {
	Package  scanPackage      `json:"package"`
	Reason   string           `json:"reason"`
	Keys     []advisory.Key   `json:"keys"`
	Evidence []match.Evidence `json:"evidence"`
	Finding  *scanFinding     `json:"finding,omitempty"`
}

// Lines about one record's packages that the image has not.
const maxOtherPackages = 5

// WriteExplanation writes why a vulnerability was reported for an image, or
// why not: each step from the file to the comparison, for a terminal or, with
// asJSON, for programs.
func WriteExplanation(w io.Writer, e match.Explanation, asJSON bool) error {
	if asJSON {
		return writeExplanationJSON(w, e)
	}
	t := &table{w: bufio.NewWriter(w), width: 100}
	t.bullet("", strings.TrimSuffix(e.ID+", also known as "+strings.Join(e.Aliases, ", "), ", also known as "))
	t.bullet("", e.Verdict)
	for i := range e.Packages {
		explainPackage(t, &e.Packages[i])
	}
	for i := range e.VEX {
		t.bullet("", "VEX "+statementText(&e.VEX[i]))
	}
	for _, r := range e.Ignored {
		t.bullet("", "ignore rule "+ignoreText(r))
	}
	if len(e.Records) > 0 {
		t.title(count(len(e.Records), "record"))
		keys := map[advisory.Key]bool{}
		for i := range e.Packages {
			for _, k := range e.Packages[i].Keys {
				keys[k] = true
			}
		}
		for i := range e.Records {
			explainRecord(t, &e.Records[i], keys)
		}
	}
	return t.w.Flush()
}

func writeExplanationJSON(w io.Writer, e match.Explanation) error {
	out := explanation{ID: e.ID, Aliases: e.Aliases, Verdict: e.Verdict, Packages: []packageExplanation{}, VEX: e.VEX, Ignored: e.Ignored, Records: list(e.Records)}
	for _, p := range e.Packages {
		x := packageExplanation{Package: scanPackageOf(p.Package), Reason: p.Reason, Keys: list(p.Keys), Evidence: list(p.Evidence)}
		if p.Finding != nil {
			x.Finding = &scanFinding{*p.Finding, x.Package, advice(p.Finding, p.Package)}
		}
		out.Packages = append(out.Packages, x)
	}
	j := json.NewEncoder(w)
	j.SetEscapeHTML(false)
	j.SetIndent("", " ")
	return j.Encode(out)
}

// step is a line of a derivation.
func (t *table) step(label, text string) {
	if text != "" {
		t.wrap("  "+label+strings.Repeat(" ", max(1, 12-len(label))), strings.Repeat(" ", 14), text)
	}
}

func explainPackage(t *table, e *match.PackageExplanation) {
	p := e.Package
	t.line("")
	t.bullet("", strings.TrimSpace(p.Type+" "+name(p)+" "+p.Version)+": "+e.Reason)
	where := place(p)
	if where != "" && p.Layer >= 0 {
		where += " (layer " + strconv.Itoa(p.Layer) + ")"
	}
	t.step("file", where)
	t.step("package", p.PURL())
	t.step("source", strings.TrimSpace(p.Source+" "+p.SourceVersion))
	t.step("owner", p.Owner)
	var keys []string
	for _, k := range e.Keys {
		if s := k.Stream + " " + k.Name; !slices.Contains(keys, s) {
			keys = append(keys, s)
		}
	}
	t.step("asked for", strings.Join(keys, ", "))
	for i := range e.Evidence {
		x := &e.Evidence[i]
		record := x.Source + " " + x.Advisory
		if !x.Modified.IsZero() {
			record += " of " + day(x.Modified)
		}
		t.step("record", record)
		names := map[string]string{"source": " (source package)"}[x.Names]
		t.step("  key", x.Key.Stream+" "+x.Key.Name+names)
		t.step("  affected", x.Range)
		t.step("  compared", x.Version+": "+x.Comparison)
		result := "not affected"
		if x.Affected {
			result = "affected"
		}
		if x.Status != "" {
			result += "; the publisher says " + x.Status
		}
		t.step("  result", result)
		t.step("  product", x.Product)
		t.step("  origin", x.Origin)
		t.step("  note", x.Note)
		t.step("  page", x.URL)
	}
	if f := e.Finding; f != nil {
		t.step("severity", f.Severity.String()+scoresText(f.Scores))
		t.step("certainty", certainty(f))
		if f.Exploited != nil {
			t.step("exploited", exploitDetail(f.Exploited))
		}
		t.step("advice", advice(f, p))
	}
}

func scoresText(scores []advisory.Severity) string {
	var parts []string
	for _, s := range scores {
		text := s.Source + " "
		if s.Score > 0 {
			text += strconv.FormatFloat(s.Score, 'f', 1, 64) + " "
		}
		parts = append(parts, text+cmp.Or(s.Raw, s.Label.String()))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// explainRecord says what a record speaks of, the packages of the image first.
func explainRecord(t *table, a *advisory.Advisory, here map[advisory.Key]bool) {
	head := a.Source + " " + a.ID
	if !a.Published.IsZero() {
		head += ", published " + day(a.Published)
	}
	if !a.Modified.IsZero() {
		head += ", changed " + day(a.Modified)
	}
	if !a.Withdrawn.IsZero() {
		head += ", withdrawn " + day(a.Withdrawn)
	}
	if a.Disputed {
		head += ", disputed"
	}
	t.bullet("  ", head)
	for _, s := range []string{a.Summary, a.URL} {
		if s != "" {
			t.bullet("    ", s)
		}
	}
	others := 0
	for _, mine := range []bool{true, false} {
		for i := range a.Affected {
			x := &a.Affected[i]
			if here[x.Key] != mine {
				continue
			}
			if !mine {
				if others++; others > maxOtherPackages {
					continue
				}
			}
			t.bullet("    - ", affectedText(x))
		}
	}
	if n := others - maxOtherPackages; n > 0 {
		t.line("    … and " + count(n, "package") + " more that the image has not")
	}
}

func affectedText(a *advisory.Affected) string {
	s := a.Stream + " " + a.Name
	switch a.Names {
	case advisory.Source:
		s += " (source package)"
	case advisory.Either:
		s += " (source or binary package)"
	}
	s += ": "
	if a.Status != advisory.StatusAffected {
		s += string(a.Status) + ", "
	}
	s += match.Describe(a)
	if f := fixText(a.Fix); f != "" {
		s += "; fix: " + f
	}
	if a.Note != "" {
		s += "; " + a.Note
	}
	return s
}
