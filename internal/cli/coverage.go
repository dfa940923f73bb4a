package cli

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter"
	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

func (a *app) coverageCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "coverage", Short: "Say what is read: proven on real input, on fixtures only, or not at all", Args: cobra.NoArgs,
		Example: "  tidewaiter coverage\n  tidewaiter coverage --json   # analyzers with their versions",
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				_, err := io.WriteString(a.out, tidewaiter.Coverage)
				return err
			}
			type entry struct {
				Name    string `json:"name"`
				Version int    `json:"version"`
				Config  string `json:"config,omitempty"`
			}
			var list []entry
			searching, err := searchAnalyzers(&searches{contents: search{expressions: []string{"."}}})
			if err != nil {
				return err
			}
			for _, an := range slices.Concat(analyzers(), licenseAnalyzers(), digestAnalyzers(), factAnalyzers(), searching) {
				k := analyze.KeyOf(an)
				list = append(list, entry{k.Analyzer, k.Version, k.Config})
			}
			for _, an := range imageAnalyzers(true) {
				list = append(list, entry{Name: an.Name(), Version: an.Version()})
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(map[string]any{"walk": analyze.WalkVersion, "analyzers": list})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the analyzers as JSON")
	return cmd
}
