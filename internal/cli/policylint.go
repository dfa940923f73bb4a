package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func (a *app) policyLintCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "lint POLICY...", Short: "Say what in a policy can hardly be meant", Args: atLeast(1, "a policy"),
		Long: `Say what in a policy can hardly be meant, besides all that validate says: rules
that never fire, rules that ask the same twice or contradict each other,
mappings and image lists behind an earlier one that matches as much, images that
no mapping is for, allowlist items that match no row there can be, or no more
than an earlier one, items that have expired, gates that have been removed.

Exit code 1 when there are errors or warnings; notes may well be meant.`,
		Example: "  tidewaiter policy lint bundle.json\n  tidewaiter policy lint --json default strict",
		RunE: func(cmd *cobra.Command, args []string) error {
			type result struct {
				Policy   string           `json:"policy"`
				Problems []policy.Problem `json:"problems"`
			}
			gates, err := a.gates(cmd.Context())
			if err != nil {
				return err
			}
			var results []result
			var out strings.Builder
			for _, name := range args {
				b, problems, err := a.decodePolicy(name)
				if err != nil {
					return err
				}
				if !policy.HasErrors(problems) {
					problems = append(problems, policy.Lint(b, gates, time.Now())...)
				}
				count := map[string]int{}
				for i := range problems {
					p := &problems[i]
					count[p.Severity]++
					fmt.Fprintf(&out, "%-5s %s: %s\n", p.Severity, p.Type, p.String())
				}
				fmt.Fprintf(&out, "%s: %d errors, %d warnings, %d notes\n", cmp.Or(b.Name, b.ID, name), count["error"], count["warn"], count["note"])
				if count["error"]+count["warn"] > 0 {
					a.code = exitStop
				}
				results = append(results, result{name, slices.Concat([]policy.Problem{}, problems)})
			}
			if asJSON {
				return a.printJSON(results)
			}
			_, err = io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// atLeast refuses too few arguments in a way that says what to do.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return fmt.Errorf("%s takes %s; see %s --help", cmd.CommandPath(), what, strings.TrimSpace(cmd.CommandPath()))
	}
}
