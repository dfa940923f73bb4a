package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// writeGitHub writes workflow commands of GitHub Actions, which shows them as
// annotations: first one for all that could not be judged, then one for each package with
// findings, in the order of risk, because GitHub shows only ten of a level for
// each step; last the totals.
func (v *view) writeGitHub(w io.Writer) error {
	bw := bufio.NewWriter(w)
	command := func(level, file, title, message string) {
		fmt.Fprintf(bw, "::%s ", level) // bufio.Writer keeps errors until Flush
		if file != "" {
			fmt.Fprintf(bw, "file=%s,", githubProperty(file))
		}
		fmt.Fprintf(bw, "title=%s::%s\n", githubProperty(title), githubMessage(message))
	}
	if len(v.Unknowns) > 0 {
		lines := make([]string, len(v.Unknowns))
		for i, u := range v.Unknowns {
			lines[i] = u.String()
		}
		command("warning", "", "What could not be judged, or not surely", strings.Join(lines, "\n"))
	}
	var did []string
	for _, a := range v.applied() {
		did = append(did, a.text)
	}
	if len(did) > 0 {
		command("notice", "", "What statements and ignore rules did", strings.Join(did, "\n"))
	}
	var order []int
	byPackage := map[int][]*match.Finding{}
	for _, f := range v.open() {
		if byPackage[f.Package] == nil {
			order = append(order, f.Package)
		}
		byPackage[f.Package] = append(byPackage[f.Package], f)
	}
	for _, k := range order {
		p, findings := &v.Image.Packages[k], byPackage[k]
		worst := advisory.Unknown
		var lines []string
		for _, f := range findings {
			if f.Severity.Rank() > worst.Rank() {
				worst = f.Severity
			}
			line := f.ID + ", " + f.Severity.String()
			if f.Exploited != nil {
				line += ", " + exploitText(f.Exploited)
			}
			if c := chance(f.EPSS); c != "" {
				line += ", EPSS " + c
			}
			lines = append(lines, line+". "+advice(f, p))
		}
		title := fmt.Sprintf("%s %s (%s): %s, %s", name(p), p.Version, p.Type, vulnerabilities(len(findings)), worst)
		command(githubLevel(worst), strings.TrimPrefix(p.Path, "/"), title, strings.Join(lines, "\n"))
	}
	message := "Findings: " + v.Headline() + "."
	if r := v.remarks(); r != nil {
		message += " " + strings.Join(r, ", ") + "."
	}
	command("notice", "", "Tidewaiter: "+v.target(), message+" Advisories: "+v.data()+".")
	return bw.Flush()
}

func vulnerabilities(n int) string {
	if n == 1 {
		return "1 vulnerability"
	}
	return thousands(n) + " vulnerabilities"
}

func githubLevel(l advisory.Level) string {
	switch sarifLevel(l) {
	case "error":
		return "error"
	case "note":
		return "notice"
	}
	return "warning"
}

// githubMessage keeps text within its line: a line break would let what
// follows be another command.
func githubMessage(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.ReplaceAll(printable(lines[i]), "%", "%25")
	}
	return strings.Join(lines, "%0A")
}

// githubProperty escapes what ends a property, too.
func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", ":", "%3A", ",", "%2C").Replace(printable(s))
}
