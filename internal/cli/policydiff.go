package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func (a *app) policyDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use: "diff A B", Short: "Say what a policy asks that another does not", Args: exactArgs(2, "two policies"),
		Long: `Say what B has that A has not (+), and the other way round (-): rules, allowlist
items, mappings and lists of images. Policies of both formats can be compared;
names, comments and ids that only label things do not count. Exit code 1 when they differ.`,
		Example: "  tidewaiter policy diff default strict\n  tidewaiter policy diff old.json new.json",
		RunE: func(_ *cobra.Command, args []string) error {
			var sides [2][]string
			for i, name := range args {
				b, err := a.openPolicy(name)
				if err != nil {
					return err
				}
				b, _ = policy.Convert(b, policy.Format2)
				sides[i] = policyLines(b)
			}
			var out strings.Builder
			for _, side := range []struct {
				sign string
				of   []string
				not  []string
			}{{"-", sides[0], sides[1]}, {"+", sides[1], sides[0]}} {
				left := map[string]int{}
				for _, l := range side.not {
					left[l]++
				}
				for _, l := range side.of {
					if left[l]--; left[l] < 0 {
						fmt.Fprintf(&out, "%s %s\n", side.sign, l)
					}
				}
			}
			if out.Len() > 0 {
				a.code = exitStop
			}
			_, err := io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
}

// policyLines says everything that a bundle of format 2 decides, a line each.
// Mappings, whose order matters, are numbered.
func policyLines(b *policy.Bundle) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i := range b.Mappings {
		m := &b.Mappings[i]
		add("mapping %d: %s: policies %s; allowlists %s", i+1, imageText(m.Registry, m.Repository, m.Image), strings.Join(m.RuleSetNames(), ", "), strings.Join(m.AllowlistIDs, ", "))
	}
	for i := range b.RuleSets {
		s := &b.RuleSets[i]
		for k := range s.Rules {
			r := &s.Rules[k]
			params := slices.Clone(r.Params)
			slices.SortStableFunc(params, func(a, b policy.Param) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
			var text strings.Builder
			for _, p := range params {
				fmt.Fprintf(&text, " %s=%q", strings.ToLower(p.Name), p.Value)
			}
			add("rule of %s: %s when %s/%s%s", s.ID, strings.ToLower(r.Action), strings.ToLower(r.Gate), strings.ToLower(r.Trigger), text.String())
		}
	}
	for i := range b.Allowlists {
		l := &b.Allowlists[i]
		for k := range l.Items {
			item := &l.Items[k]
			add("item of %s: %s %q, %s", l.ID, strings.ToLower(item.Gate), item.TriggerID, cmp.Or(item.ExpiresOn, "without an end"))
		}
	}
	for i := range b.Allowed {
		add("allowed image: %s", imageText(b.Allowed[i].Registry, b.Allowed[i].Repository, b.Allowed[i].Image))
	}
	for i := range b.Denied {
		add("denied image: %s", imageText(b.Denied[i].Registry, b.Denied[i].Repository, b.Denied[i].Image))
	}
	return out
}
