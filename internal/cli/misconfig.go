package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// check is one check of settings, as it is listed.
type check struct {
	ID         string   `json:"id"`
	Group      string   `json:"group"`
	Severity   string   `json:"severity"`
	Title      string   `json:"title"`
	Why        string   `json:"why"`
	Remedy     string   `json:"remedy"`
	References []string `json:"references"`
}

func (a *app) misconfigCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "misconfig", Short: "Checks of an image's settings", Args: cobra.NoArgs}
	var severity string
	var asJSON, asMarkdown bool
	list := &cobra.Command{
		Use: "list [ID|GROUP...]", Short: "List the checks that rules of the gate misconfiguration ask about",
		Example: "  tidewaiter misconfig list\n  tidewaiter misconfig list --severity high nginx sudo\n  tidewaiter misconfig list --json TW-SSH-001",
		RunE: func(_ *cobra.Command, args []string) error {
			least := advisory.Level(severity).Rank()
			if severity != "" && least < 1 {
				return fmt.Errorf("--severity %s: use low, medium, high or critical", severity)
			}
			var out []check
			for _, c := range misconfigurations() {
				wanted := len(args) == 0
				for _, arg := range args {
					wanted = wanted || strings.EqualFold(arg, c.ID) || strings.Contains(strings.ToLower(c.Group), strings.ToLower(arg))
				}
				if wanted && (severity == "" || advisory.Level(c.Severity).Rank() >= least) {
					out = append(out, c)
				}
			}
			if len(out) == 0 {
				return fmt.Errorf("no check is meant by that; tidewaiter misconfig list names all")
			}
			switch {
			case asJSON:
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(out)
			case asMarkdown:
				_, err := fmt.Fprint(a.out, checksPage(out))
				return err
			}
			var b strings.Builder
			for i, c := range out {
				if i == 0 || out[i-1].Group != c.Group {
					if i > 0 {
						b.WriteByte('\n')
					}
					fmt.Fprintf(&b, "%s\n", c.Group)
				}
				fmt.Fprintf(&b, "  %-11s %-9s %s\n", c.ID, c.Severity, c.Title)
				if len(args) > 0 {
					fmt.Fprintf(&b, "%24s%s\n%24s= %s\n%24s%s\n", "", c.Why, "", c.Remedy, "", strings.Join(c.References, "; "))
				}
			}
			_, err := fmt.Fprint(a.out, b.String())
			return err
		},
	}
	list.Flags().StringVar(&severity, "severity", "", "only checks of this `severity` or a higher one")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	list.Flags().BoolVar(&asMarkdown, "markdown", false, "print the page of the documentation")
	cmd.AddCommand(list)
	return cmd
}

// checksPage is docs/misconfiguration.md.
func checksPage(list []check) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Checks of settings

The %d checks that rules of the gate misconfiguration ask about. This page is written by `+"`tidewaiter misconfig list --markdown`"+`; a test keeps it current.

What is checked is what is written: a setting that stands nowhere is not reported, whatever the program then does, nor are the defaults of
Debian's packages. Files below usr/share, of documentation, tests and installed libraries are not looked at. A setting of one file is
judged in that file, but for sshd, whose Include is followed through all layers, and for private keys, which are compared with all certificates.
Whether a certificate has expired is judged on the day that is taken as now, not on the day of the analysis.
`, len(list))
	for i, c := range list {
		if i == 0 || list[i-1].Group != c.Group {
			fmt.Fprintf(&b, "\n## %s\n\n| id | severity | what is wrong | why it matters | remedy | after |\n|---|---|---|---|---|---|\n", c.Group)
		}
		escape := func(s string) string {
			return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(s)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", c.ID, c.Severity, escape(c.Title), escape(c.Why), escape(c.Remedy), strings.Join(shortReferences(c.References), "; "))
	}
	return b.String()
}

func shortReferences(refs []string) []string {
	var out []string
	for _, r := range refs {
		r = strings.Replace(r, "CIS Docker Benchmark 1.6.0, ", "CIS ", 1)
		r = strings.Replace(r, "NIST SP 800-190, ", "NIST ", 1)
		out = append(out, strings.Replace(r, "DISA Container Image Creation and Deployment Guide V2R0.6, ", "DISA ", 1))
	}
	return out
}
