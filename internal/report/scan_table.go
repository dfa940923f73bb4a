package report

import (
	"bufio"
	"cmp"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

const maxUnknownExamples = 3 // of one reason in the table

func (v *view) writeTable(w io.Writer) error {
	t := &table{bufio.NewWriter(w), v.Image, max(cmp.Or(v.o.Width, 100), 60)}
	t.wrapped("Image", v.target())
	if d := cmp.Or(string(v.Image.Digest), string(v.Image.ConfigDigest)); d != v.target() {
		t.wrapped("Digest", d)
	}
	t.wrapped("Platform", platform(v.Image.Config.OS, v.Image.Config.Architecture, v.Image.Config.Variant))
	distro := v.distro()
	if s := v.support(); s != "" {
		distro = strings.TrimPrefix(distro+", "+s, ", ")
	}
	t.wrapped("Distribution", distro)
	t.wrapped("Advisories", v.data())
	t.wrapped("Packages", v.tally())
	t.wrapped("Findings", v.Headline())
	t.wrapped("", strings.Join(v.remarks(), "; "))
	if len(v.Unknowns) > 0 {
		t.title("What could not be judged, or not surely")
		for _, u := range v.Unknowns {
			t.bullet("  ! ", u.String())
			for i, e := range u.Examples {
				if i == maxUnknownExamples {
					t.line("      … and more; -o json has all")
					break
				}
				t.bullet("      ", e)
			}
		}
	}
	if open := v.open(); len(open) > 0 {
		t.title(count(len(open), "finding") + ", what to act on first at the top")
		v.findings(t, open)
	}
	if hidden := v.suppressed(); len(hidden) > 0 {
		if v.o.Suppressed {
			t.title("Suppressed: " + count(len(hidden), "finding"))
			v.suppressions(t, hidden)
		} else {
			t.title(count(len(hidden), "finding") + " suppressed; --show-suppressed lists them")
		}
	}
	for _, a := range v.applied() {
		switch {
		case a.idle:
			t.bullet("  ! ", a.text)
		case v.o.Suppressed:
			t.bullet("  ", a.text)
		}
	}
	return t.w.Flush()
}

func platform(os, arch, variant string) string {
	for _, s := range []string{arch, variant} {
		if s != "" {
			os += "/" + s
		}
	}
	return os
}

// findings writes a line each. A column that would be empty is left out.
func (v *view) findings(t *table, list []*match.Finding) {
	var exploited, epss bool
	var unsure []string
	for _, f := range list {
		exploited = exploited || f.Exploited != nil
		epss = epss || f.EPSS != nil
		if c := certainty(f); c != "" {
			unsure = append(unsure, f.ID+" in "+name(v.Package(f))+" ("+c+")")
		}
	}
	cols := []column{
		{title: "SEVERITY", paint: v.paint()}, {title: "VULNERABILITY", share: 22}, {title: "TYPE", share: 8},
		{title: "PACKAGE", share: 12}, {title: "INSTALLED", share: 10}, {title: "FIXED IN", share: 12},
	}
	if epss {
		cols = append(cols, column{title: "EPSS", right: true})
	}
	if exploited {
		cols = append(cols, column{title: "KEV"})
	}
	rows := make([][]string, 0, len(list))
	for _, f := range list {
		p := v.Package(f)
		row := []string{f.Severity.String(), printable(f.ID), printable(p.Type), printable(brief(p)), printable(p.Version), printable(fixText(f.Fix))}
		if epss {
			row = append(row, chance(f.EPSS))
		}
		if exploited {
			row = append(row, map[string]string{"exploited": "yes", "ransomware": "ransom"}[exploitText(f.Exploited)])
		}
		rows = append(rows, row)
	}
	t.grid(cols, rows)
	if n := len(unsure); n > 0 {
		const most = 5
		text := "What the package is, is a guess in " + strings.Join(unsure[:min(n, most)], ", ")
		if n > most {
			text += " and " + count(n-most, "finding") + " more"
		}
		t.bullet("  ? ", text)
	}
}

// brief is a package's name without the group that Maven's names begin with,
// where the whole is too long for a column.
func brief(p *inventory.Package) string {
	if s := name(p); p.Type != "maven" || len(s) <= 20 {
		return s
	}
	return p.Name
}

func (v *view) suppressions(t *table, list []*match.Finding) {
	rows := make([][]string, 0, len(list))
	for _, f := range list {
		p := v.Package(f)
		rows = append(rows, []string{f.Severity.String(), printable(f.ID), printable(p.Type + " " + name(p)), printable(p.Version), printable(f.Suppressed)})
	}
	t.grid([]column{{title: "SEVERITY", paint: v.paint()}, {title: "VULNERABILITY", share: 20}, {title: "PACKAGE", share: 22}, {title: "INSTALLED", share: 16}, {title: "REASON"}}, rows)
}

// paint colours a severity, where that is wanted.
func (v *view) paint() func(string) string {
	if !v.o.Color {
		return nil
	}
	return func(s string) string {
		code := ""
		switch advisory.Level(s) {
		case advisory.Critical:
			code = "1;31"
		case advisory.High:
			code = "31"
		case advisory.Medium:
			code = "33"
		case advisory.Low:
			code = "36"
		default:
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
}

// wrapped is a field whose text may take several lines.
func (t *table) wrapped(label, value string) {
	if value != "" {
		t.wrap(label+strings.Repeat(" ", max(0, 14-len(label))), strings.Repeat(" ", 14), value)
	}
}

// bullet writes text after a lead, further lines indented like it.
func (t *table) bullet(lead, text string) {
	t.wrap(lead, strings.Repeat(" ", len(lead)), text)
}

// wrap breaks text at blanks. A word longer than a line is cut.
func (t *table) wrap(lead, indent, text string) {
	line, used := lead, 0
	for word := range strings.FieldsSeq(printable(text)) {
		word = shorten(t.width-len(indent), word)
		if used > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > t.width {
			t.line(line)
			line, used = indent, 0
		}
		if used > 0 {
			line += " "
		}
		line += word
		used++
	}
	t.line(line)
}
