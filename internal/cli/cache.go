package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cache", Short: "Show and prune what is remembered of layers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.cacheListCommand(), a.cachePruneCommand())
	return cmd
}

func (a *app) cacheListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"show", "ls"}, Short: "List the known layers, the least recently used first", Args: cobra.NoArgs,
		Example: "  tidewaiter cache list\n  tidewaiter cache list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			layers, err := a.layers(cmd.Context())
			if err != nil {
				return err
			}
			defer layers.DB.Close()
			stats, err := layers.Stats(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(stats)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "DIFFID\tENTRIES\tSIZE\tRECORDS\tLAST USED")
			var total int64
			for _, s := range stats {
				fmt.Fprintf(w, "%.19s\t%d\t%s\t%d\t%s\n", s.DiffID, s.Entries, size(s.Bytes), s.Records, s.Used.Format(time.DateTime))
				total += s.Bytes
			}
			w.Flush()
			_, err = fmt.Fprintf(a.out, "%s, %s\n", layerCount(len(stats)), size(total))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) cachePruneCommand() *cobra.Command {
	var unused time.Duration
	var all bool
	var maxSize string
	cmd := &cobra.Command{
		Use: "prune", Short: "Forget layers; they are read again when they are met again", Args: cobra.NoArgs,
		Example: "  tidewaiter cache prune --unused 720h\n  tidewaiter cache prune --max-size 1GiB\n  tidewaiter cache prune --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			bound := int64(-1)
			if maxSize != "" {
				n, err := parseSize(maxSize)
				if err != nil {
					return fmt.Errorf("--max-size: %w", err)
				}
				bound = n
			}
			if !all && unused == 0 && bound < 0 {
				return fmt.Errorf("say what to forget: --unused DURATION, --max-size SIZE or --all")
			}
			layers, err := a.layers(cmd.Context())
			if err != nil {
				return err
			}
			defer layers.DB.Close()
			stats, err := layers.Stats(cmd.Context())
			if err != nil {
				return err
			}
			var total, freed int64
			for _, s := range stats {
				total += s.Bytes
			}
			var gone []inventory.Digest
			for _, s := range stats {
				if all || unused > 0 && time.Since(s.Used) > unused || bound >= 0 && total-freed > bound {
					gone = append(gone, s.DiffID)
					freed += s.Bytes
				}
			}
			if err := layers.Delete(cmd.Context(), gone); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "forgot %d of %s, %s\n", len(gone), layerCount(len(stats)), size(freed))
			return err
		},
	}
	cmd.Flags().DurationVar(&unused, "unused", 0, "forget layers not used for this long")
	cmd.Flags().StringVar(&maxSize, "max-size", "", "forget the least recently used until the rest fits into `SIZE`, such as 1GiB")
	cmd.Flags().BoolVar(&all, "all", false, "forget everything")
	return cmd
}

func layerCount(n int) string {
	if n == 1 {
		return "1 layer"
	}
	return fmt.Sprintf("%d layers", n)
}
