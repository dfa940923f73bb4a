package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

const maxMarkdownRows = 1000 // GitHub and GitLab cut or refuse longer comments

// writeMarkdown writes GitHub's Markdown, for comments and job summaries.
func (v *view) writeMarkdown(w io.Writer) error {
	bw := bufio.NewWriter(w) // keeps errors until Flush
	fmt.Fprintf(bw, "# Vulnerabilities of %s\n\n", markdownCode(v.target()))
	row := func(cells ...string) { _, _ = bw.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row("", "")
	row("---", "---")
	field := func(label, value string) {
		if value != "" {
			row(label, value)
		}
	}
	if v.Image.Digest != "" {
		field("Digest", markdownCode(string(v.Image.Digest)))
	}
	distro := v.distro()
	if s := v.support(); s != "" {
		distro = strings.TrimPrefix(distro+", "+s, ", ")
	}
	field("Distribution", markdownText(distro))
	field("Advisories", markdownText(v.data()))
	field("Packages", markdownText(v.tally()))
	field("Findings", "**"+markdownText(v.Headline())+"**")
	field("", markdownText(strings.Join(v.remarks(), "; ")))
	if len(v.Unknowns) > 0 {
		_, _ = bw.WriteString("\n## What could not be judged, or not surely\n\n")
		for _, u := range v.Unknowns {
			_, _ = bw.WriteString("* ⚠️ " + markdownText(u.String()) + "\n")
			for _, e := range u.Examples {
				_, _ = bw.WriteString("  * " + markdownCode(e) + "\n")
			}
		}
	}
	table := func(list []*match.Finding, last string, cell func(*match.Finding) string) {
		row("Severity", "Vulnerability", "Package", "Installed", "Fixed in", "EPSS", "Exploited", last)
		row("---", "---", "---", "---", "---", "--:", "---", "---")
		for i, f := range list {
			if i == maxMarkdownRows {
				fmt.Fprintf(bw, "\n… and %s more.\n", count(len(list)-i, "finding"))
				return
			}
			p := v.Package(f)
			id := markdownCode(f.ID)
			if l := bom.WebAddress(f.URL); l != "" {
				id = "[" + id + "](<" + strings.ReplaceAll(l, "|", "%7C") + ">)"
			}
			fix := fixText(f.Fix)
			if len(f.Fix.Versions) > 0 {
				fix = markdownCode(fix)
			} else {
				fix = markdownText(fix)
			}
			row(f.Severity.String(), id, markdownText(p.Type)+" "+markdownCode(name(p)), markdownCode(p.Version), fix, chance(f.EPSS), exploitText(f.Exploited), cell(f))
		}
	}
	if open := v.open(); len(open) > 0 {
		_, _ = bw.WriteString("\n## Findings\n\n")
		table(open, "Summary", func(f *match.Finding) string { return markdownText(cut(f.Summary, 200)) })
	}
	if hidden := v.suppressed(); len(hidden) > 0 && v.o.Suppressed {
		_, _ = bw.WriteString("\n## Suppressed\n\n")
		table(hidden, "Reason", func(f *match.Finding) string { return markdownText(f.Suppressed) })
	}
	if list := v.applied(); len(list) > 0 {
		_, _ = bw.WriteString("\n## Statements and rules\n\n")
		for _, a := range list {
			_, _ = bw.WriteString("* " + map[bool]string{true: "⚠️ "}[a.idle] + markdownText(a.text) + "\n")
		}
	}
	return bw.Flush()
}

// markdownText escapes text so that it stands for itself on one line, also in
// a table: no emphasis, link, HTML or image, and nobody is mentioned.
func markdownText(s string) string {
	s = printable(s)
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '`', '*', '_', '{', '}', '[', ']', '!', '|', '~', '$', '+', '-', '=', '^':
			if c == '-' && i > 0 {
				b.WriteByte(c) // only at the start of a line it is a list
				continue
			}
			b.WriteByte('\\')
			b.WriteByte(c)
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@', '#': // mentions and issues are looked for after escapes are gone
			b.WriteByte(c)
			b.WriteString("<!-- -->")
		case ':':
			if i+1 < len(s) && s[i+1] == '/' {
				b.WriteString("&#58;") // so that addresses are no links
				continue
			}
			b.WriteByte(c)
		case '.':
			if i >= 3 && strings.EqualFold(s[i-3:i], "www") {
				b.WriteString("&#46;")
				continue
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// markdownCode is text as code. What backticks cannot hold in every place, a
// backtick or the bar that ends a cell of a table, is written as HTML, all but
// letters and digits as entities.
func markdownCode(s string) string {
	s = printable(s)
	if s == "" {
		return ""
	}
	if !strings.ContainsAny(s, "|`") {
		return "`" + s + "`"
	}
	var b strings.Builder
	b.WriteString("<code>")
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x80, c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteByte(c)
		default:
			b.WriteString("&#" + strconv.Itoa(int(c)) + ";")
			if c == '@' {
				b.WriteString("<!-- -->") // so that mail addresses are no links
			}
		}
	}
	b.WriteString("</code>")
	return b.String()
}
