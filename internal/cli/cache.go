package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cache", Short: "Show and prune what is remembered of layers, images and matches", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.cacheListCommand(), a.cachePruneCommand())
	return cmd
}

func (a *app) cacheListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"show", "ls"}, Short: "List the known layers and images, the least recently used first", Args: cobra.NoArgs,
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
			images, err := layers.JoinedStats(cmd.Context())
			if err != nil {
				return err
			}
			matches, err := a.matchStat(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				all := make([]any, 0, len(stats)+len(images))
				for _, s := range stats {
					all = append(all, s)
				}
				for _, s := range images {
					all = append(all, s)
				}
				if matches.Packages > 0 {
					all = append(all, matches)
				}
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "DIFFID\tENTRIES\tSIZE\tRECORDS\tLAST USED")
			var total int64
			for _, s := range stats {
				fmt.Fprintf(w, "%.19s\t%d\t%s\t%d\t%s\n", s.DiffID, s.Entries, size(s.Bytes), s.Records, s.Used.Format(time.DateTime))
				total += s.Bytes
			}
			if len(images) > 0 {
				fmt.Fprintln(w, "\nIMAGE\tLAYERS\tSIZE\t\tLAST USED")
			}
			for _, s := range images {
				fmt.Fprintf(w, "%.12s\t%d\t%s\t\t%s\n", s.Key, s.Layers, size(s.Bytes), s.Used.Format(time.DateTime))
				total += s.Bytes
			}
			w.Flush()
			if _, err = fmt.Fprintf(a.out, "%s, %s, %s\n", count(len(stats), "layer"), count(len(images), "image"), size(total)); err == nil && matches.Packages > 0 {
				_, err = fmt.Fprintf(a.out, "%s matched before, %s\n", count(matches.Packages, "package"), size(matches.Bytes))
			}
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
		Use: "prune", Short: "Forget layers and images; they are read again when they are met again", Args: cobra.NoArgs,
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
			images, err := layers.JoinedStats(cmd.Context())
			if err != nil {
				return err
			}
			type entry struct {
				image string
				layer inventory.Digest
				bytes int64
				used  time.Time
			}
			// images first: of equal age they are the quicker to make again
			var entries []entry
			var total, freed int64
			for _, s := range images {
				entries = append(entries, entry{image: s.Key, bytes: s.Bytes, used: s.Used})
				total += s.Bytes
			}
			for _, s := range stats {
				entries = append(entries, entry{layer: s.DiffID, bytes: s.Bytes, used: s.Used})
				total += s.Bytes
			}
			slices.SortStableFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
			var goneImages []string
			var gone []inventory.Digest
			for _, e := range entries {
				switch {
				case !all && !(unused > 0 && time.Since(e.used) > unused) && !(bound >= 0 && total-freed > bound):
					continue
				case e.image != "":
					goneImages = append(goneImages, e.image)
				default:
					gone = append(gone, e.layer)
				}
				freed += e.bytes
			}
			if err := errors.Join(layers.DeleteJoined(cmd.Context(), goneImages), layers.Delete(cmd.Context(), gone)); err != nil {
				return err
			}
			if _, err = fmt.Fprintf(a.out, "forgot %d of %s and %d of %s, %s\n", len(gone), count(len(stats), "layer"), len(goneImages), count(len(images), "image"), size(freed)); err != nil || !all && unused == 0 {
				return err
			}
			if all {
				unused = 0
			}
			return a.pruneMatches(cmd.Context(), unused)
		},
	}
	cmd.Flags().DurationVar(&unused, "unused", 0, "forget what was not used for this long")
	cmd.Flags().StringVar(&maxSize, "max-size", "", "forget the least recently used until the rest fits into `SIZE`, such as 1GiB")
	cmd.Flags().BoolVar(&all, "all", false, "forget everything")
	return cmd
}

// withMatches opens what was matched before, where there is any.
func (a *app) withMatches(ctx context.Context, f func(*store.Answers) error) error {
	path, err := a.matchesFile()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return nil // nothing was matched yet
	}
	answers, err := store.OpenAnswers(ctx, path)
	if err != nil {
		return err
	}
	defer answers.Close()
	return f(answers)
}

func (a *app) matchStat(ctx context.Context) (s store.AnswersStat, err error) {
	err = a.withMatches(ctx, func(answers *store.Answers) (err error) {
		s, err = answers.Stat(ctx)
		return err
	})
	return s, err
}

// pruneMatches forgets the matches not used for so long; 0: all.
func (a *app) pruneMatches(ctx context.Context, unused time.Duration) error {
	return a.withMatches(ctx, func(answers *store.Answers) error {
		var before time.Time
		if unused > 0 {
			before = time.Now().Add(-unused)
		}
		n, err := answers.Prune(ctx, before)
		if err == nil && n > 0 {
			_, err = fmt.Fprintf(a.out, "forgot what was found about %s\n", count(int(n), "package"))
		}
		return err
	})
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
