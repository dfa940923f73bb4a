package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, read and translate policies",
		Long: `Check, read and translate policies. POLICY is a file, "-" for standard input, or
the name of one that comes with the program: ` + strings.Join(shippedPolicies(), ", ") + `.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.policyValidateCommand(), a.policyLintCommand(), a.policyTestCommand(), a.policyGatesCommand(), a.policyConvertCommand(), a.policyExplainCommand(), a.policyDiffCommand())
	return cmd
}

func (a *app) policyValidateCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate POLICY", Short: "Say everything that is wrong with a policy, and where", Args: exactArgs(1, "one policy"),
		Long:    "Say everything that is wrong with a policy, each with its place in the document and\nwhat would be right. Exit code 1 when there are errors; warnings are no errors.",
		Example: "  tidewaiter policy validate bundle.json\n  tidewaiter policy validate --json - < bundle.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, problems, err := a.decodePolicy(args[0])
			if err != nil {
				return err
			}
			gates, err := a.gates(cmd.Context())
			if err != nil {
				return err
			}
			problems = append(problems, policy.Validate(b, gates, time.Now())...)
			errors := 0
			for i := range problems {
				if problems[i].IsError() {
					errors++
				}
			}
			if errors > 0 {
				a.code = exitStop
			}
			if asJSON {
				return a.printJSON(map[string]any{"valid": errors == 0, "problems": slices.Concat([]policy.Problem{}, problems)})
			}
			var out strings.Builder
			for i := range problems {
				fmt.Fprintf(&out, "%-5s %s: %s\n", problems[i].Severity, problems[i].Type, problems[i].String())
			}
			fmt.Fprintf(&out, "%s: %d errors, %d warnings\n", cmp.Or(b.Name, b.ID, args[0]), errors, len(problems)-errors)
			_, err = io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) policyGatesCommand() *cobra.Command {
	var all, asJSON bool
	var format string
	cmd := &cobra.Command{
		Use: "list-gates [GATE...]", Short: "Say what policies can ask: gates, triggers and parameters",
		Example: "  tidewaiter policy list-gates\n  tidewaiter policy list-gates vulnerabilities\n  tidewaiter policy list-gates --all --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := parseFormat(format)
			if err != nil {
				return err
			}
			gates, err := a.gates(cmd.Context())
			if err != nil {
				return err
			}
			for _, name := range args {
				if !slices.ContainsFunc(gates, func(g policy.Gate) bool { return strings.EqualFold(g.Spec().Name, name) }) {
					return fmt.Errorf("there is no gate %q; policy list-gates shows all", name)
				}
			}
			gates = slices.DeleteFunc(gates, func(g policy.Gate) bool {
				s := g.Spec()
				return s.State == policy.EOL && !all && len(args) == 0 || len(args) > 0 && !slices.ContainsFunc(args, func(n string) bool { return strings.EqualFold(n, s.Name) })
			})
			if asJSON {
				doc, err := policy.SpecDocument(gates, f)
				if err != nil {
					return err
				}
				return a.printJSON(json.RawMessage(doc))
			}
			var out strings.Builder
			for _, g := range gates {
				s := g.Spec()
				describeGate(&out, &s, f)
			}
			_, err = io.WriteString(a.out, out.String())
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also the gates of earlier generations, which are known and never evaluated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the policy_spec of the interfaces")
	cmd.Flags().StringVar(&format, "format", string(policy.Format2), "`format` whose names are shown: 1_0 or 2")
	return cmd
}

func describeGate(w io.Writer, s *policy.GateSpec, f policy.Format) {
	fmt.Fprintf(w, "%s%s\n  %s\n", s.Name, stateText(s.State, s.SupersededBy), s.Description)
	for i := range s.Triggers {
		t := &s.Triggers[i]
		name := t.Name
		if f == policy.Format2 {
			name = cmp.Or(t.Name2, t.Name)
		}
		if s.State == policy.EOL {
			fmt.Fprintf(w, "    %s\n", name)
			continue
		}
		fmt.Fprintf(w, "    %s%s: %s\n", name, stateText(t.State, t.SupersededBy), t.Description)
		for k := range t.Params {
			p := &t.Params[k]
			values := p.Values
			if f == policy.Format2 && len(p.Values2) > 0 {
				values = p.Values2
			}
			var notes []string
			if p.Required {
				notes = append(notes, "required")
			}
			if p.Default != "" {
				notes = append(notes, "else "+p.Default)
			}
			if values != nil {
				notes = append(notes, "one of "+strings.Join(values, " "))
			} else if p.Example != "" {
				notes = append(notes, "as in "+p.Example)
			}
			fmt.Fprintf(w, "        %s: %s", p.Name, p.Description)
			if notes != nil {
				fmt.Fprintf(w, " (%s)", strings.Join(notes, "; "))
			}
			fmt.Fprintln(w)
		}
	}
}

func stateText(s policy.Lifecycle, successor string) string {
	switch s {
	case policy.EOL:
		if successor == "" {
			return " (removed)"
		}
		return " (removed; now " + successor + ")"
	case policy.Deprecated:
		return " (deprecated)"
	}
	return ""
}

func (a *app) policyConvertCommand() *cobra.Command {
	var to, file string
	cmd := &cobra.Command{
		Use: "convert POLICY", Short: "Translate a policy into the other format", Args: exactArgs(1, "one policy"),
		Long:    "Translate a policy from format 1_0 to 2 or back. What the other format cannot hold is\nnamed on standard error.",
		Example: "  tidewaiter policy convert bundle.json > bundle2.json\n  tidewaiter policy convert --to 1_0 --file old.json strict",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.openPolicy(args[0])
			if err != nil {
				return err
			}
			target := policy.Format2
			if b.Format == policy.Format2 {
				target = policy.Format1
			}
			if to != "" {
				if target, err = parseFormat(to); err != nil {
					return err
				}
			}
			out, problems := policy.Convert(b, target)
			doc, err := policy.Encode(out)
			if err != nil {
				return err
			}
			for i := range problems {
				fmt.Fprintf(a.err, "%s\n", clean(problems[i].Severity+": "+problems[i].String()))
			}
			if file == "" || file == "-" {
				return a.printJSON(json.RawMessage(doc))
			}
			return writeFile(file, func(w io.Writer) error { return indent(w, doc) })
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`format` to make: 1_0 or 2 (default: the other one)")
	cmd.Flags().StringVar(&file, "file", "", "`file` to write to instead of standard output")
	return cmd
}

func parseFormat(s string) (policy.Format, error) {
	if f := policy.Format(s); slices.Contains(policy.Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("there is no format %q; use 1_0 or 2", s)
}

func (a *app) policyExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain POLICY", Short: "Say in words what a policy asks of which images", Args: exactArgs(1, "one policy"),
		Example: "  tidewaiter policy explain default\n  tidewaiter policy explain bundle.json",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.openPolicy(args[0])
			if err != nil {
				return err
			}
			var out strings.Builder
			explainBundle(&out, b)
			_, err = io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
}

// explainBundle writes mappings, the rule sets they name, and their rules.
func explainBundle(w io.Writer, b *policy.Bundle) {
	fmt.Fprintf(w, "%s (format %s)\n", cmp.Or(b.Name, b.ID), b.Format)
	if b.Description != "" {
		fmt.Fprintf(w, "%s\n", b.Description)
	}
	for _, list := range []struct {
		text  string
		rules []policy.ImageRule
	}{{"Always stopped", b.Denied}, {"Else always let through", b.Allowed}} {
		for i := range list.rules {
			r := &list.rules[i]
			fmt.Fprintf(w, "\n%s: %s\n", list.text, imageText(r.Registry, r.Repository, r.Image))
		}
	}
	if len(b.Mappings) == 0 {
		fmt.Fprint(w, "\nThere is no mapping: no image is asked anything, and every image is go.\n")
	}
	told := map[string]bool{}
	for i := range b.Mappings {
		m := &b.Mappings[i]
		lead := "\nElse, "
		if i == 0 {
			lead = "\nFor "
		}
		images := imageText(m.Registry, m.Repository, m.Image)
		fmt.Fprint(w, lead+images)
		if m.Name != "" && m.Name != images {
			fmt.Fprintf(w, " (%s)", m.Name)
		}
		fmt.Fprintln(w, ":")
		for _, id := range m.RuleSetNames() {
			k := slices.IndexFunc(b.RuleSets, func(s policy.RuleSet) bool { return s.ID == id })
			if k < 0 {
				fmt.Fprintf(w, "  policy %s, which is not in the bundle\n", id)
				continue
			}
			s := &b.RuleSets[k]
			name := cmp.Or(s.Name, s.ID)
			if told[id] {
				fmt.Fprintf(w, "  policy %s, as above\n", name)
				continue
			}
			told[id] = true
			fmt.Fprintf(w, "  policy %s", name)
			if s.Description != "" {
				fmt.Fprintf(w, ": %s", s.Description)
			}
			fmt.Fprintln(w)
			for n := range s.Rules {
				explainRule(w, &s.Rules[n])
			}
		}
		for _, id := range m.AllowlistIDs {
			k := slices.IndexFunc(b.Allowlists, func(l policy.Allowlist) bool { return l.ID == id })
			if k < 0 {
				fmt.Fprintf(w, "  allowlist %s, which is not in the bundle\n", id)
				continue
			}
			l := &b.Allowlists[k]
			fmt.Fprintf(w, "  allowlist %s silences %d items\n", cmp.Or(l.Name, l.ID), len(l.Items))
		}
	}
	for i := range b.RuleSets {
		if s := &b.RuleSets[i]; !told[s.ID] {
			fmt.Fprintf(w, "\nNo mapping names the policy %s; its %d rules are never asked.\n", cmp.Or(s.Name, s.ID), len(s.Rules))
		}
	}
}

func explainRule(w io.Writer, r *policy.Rule) {
	fmt.Fprintf(w, "    %-4s when %s/%s fires", strings.ToLower(r.Action), r.Gate, r.Trigger)
	for i, p := range r.Params {
		sep := ", "
		if i == 0 {
			sep = " with "
		}
		fmt.Fprintf(w, "%s%s %s", sep, p.Name, p.Value)
	}
	fmt.Fprintln(w)
	why := r.Description
	if raw := r.Extra["comment"]; why == "" && raw != nil {
		_ = json.Unmarshal(raw, &why) // a comment that is no text is not shown
	}
	if why != "" {
		fmt.Fprintf(w, "         %s\n", why)
	}
}

func imageText(registry, repository string, i policy.ImageRef) string {
	if registry == "*" && repository == "*" && i.Type == "tag" && i.Value == "*" {
		return "every image"
	}
	return fmt.Sprintf("images of registry %s, repository %s, %s %s", registry, repository, i.Type, i.Value)
}

func (a *app) printJSON(v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return indent(a.out, doc)
}

func indent(w io.Writer, doc []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, doc, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}
