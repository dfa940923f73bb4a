package cli

import (
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// writeRecords prints records for people.
func writeRecords(a *app, records []advisory.Advisory) error {
	var b strings.Builder
	for i := range records {
		r := &records[i]
		fmt.Fprintf(&b, "%s  (%s)\n", r.ID, r.Source)
		line := func(label, text string) {
			if text != "" {
				fmt.Fprintf(&b, "  %-10s %s\n", label, text)
			}
		}
		line("aliases", strings.Join(r.Aliases, ", "))
		line("about", strings.Join(r.Upstream, ", "))
		line("summary", oneLine(r.Summary))
		for _, s := range r.Severities {
			line("severity", strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Source, s.Label, s.Vector, scoreText(s.Score))))
		}
		if !r.Published.IsZero() {
			line("published", r.Published.Format("2006-01-02"))
		}
		if !r.Withdrawn.IsZero() {
			line("withdrawn", r.Withdrawn.Format("2006-01-02"))
		}
		for k := range r.Affected {
			f := &r.Affected[k]
			text := fmt.Sprintf("%s %s: %s", f.Stream, f.Name, match.Describe(f))
			if f.Status != "" {
				text = fmt.Sprintf("%s %s: %s", f.Stream, f.Name, f.Status)
			}
			if f.Fix.State != "" {
				text += "; " + string(f.Fix.State)
				if len(f.Fix.Versions) > 0 {
					text += " in " + strings.Join(f.Fix.Versions, ", ")
				}
			}
			line("affected", text)
		}
		line("page", r.URL)
	}
	_, err := fmt.Fprint(a.out, clean(b.String()))
	return err
}

func scoreText(s float64) string {
	if s == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", s)
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// clean makes control characters of strangers' texts harmless.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
