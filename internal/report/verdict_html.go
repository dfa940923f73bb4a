package report

import (
	"bufio"
	_ "embed" // the page
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

//go:embed page/verdict.html
var verdictPage string

// verdictTemplate is parsed once, when the first page is written.
var verdictTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("verdict").Funcs(template.FuncMap{
		"text":  printable,
		"place": func(e policy.Evidence) string { return rowPlace(&e) },
	}).Parse(verdictPage)
})

// verdictGroup are rows under a title.
type verdictGroup struct {
	Title, Tone string
	Rows        []*policy.Row
}

// writeVerdictHTML writes one page that needs nothing else, has no script, and
// whose content policy forbids any and every request.
func writeVerdictHTML(w io.Writer, v *policy.Verdict, b *policy.Bundle, o VerdictOptions) error {
	t, err := verdictTemplate()
	if err != nil {
		return err
	}
	groups, silenced := rowsByAction(v.Rows)
	var shown []verdictGroup
	for _, g := range groups {
		shown = append(shown, verdictGroup{strings.ToUpper(string(g.action)) + ": " + count(len(g.rows), "row"), string(g.action), g.rows})
	}
	if len(silenced) > 0 {
		shown = append(shown, verdictGroup{"Allowlisted: " + count(len(silenced), "row"), "", silenced})
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	err = t.Execute(bw, map[string]any{
		"Action": strings.ToUpper(string(v.Action)), "Tone": string(v.Action), "Reason": reasonText(v), "Image": printable(o.Image), "Facts": verdictFacts(v, b, o), "Tally": rowTally(groups, len(silenced)),
		"Problems": pointers(v.Problems), "Unknowns": v.Unknowns, "Groups": shown,
	})
	if err != nil {
		return err
	}
	return bw.Flush()
}

// pointers lets a template call methods of problems.
func pointers(list []policy.Problem) []*policy.Problem {
	var out []*policy.Problem
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}
