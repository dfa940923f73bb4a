package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

func (a *app) feedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "feed", Short: "What publishers say: update, look up, carry across an air gap", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.feedUpdateCommand(), a.feedImportCommand(), a.feedStatusCommand(), a.feedListCommand(), a.feedSetCommand("enable", "Let a source count", true),
		a.feedSetCommand("disable", "Let a source count no more; its records are kept", false), a.feedConfigureCommand(), a.feedSearchCommand(),
		a.feedExportCommand(), a.feedKeyCommand(), a.feedVerifyCommand(), a.feedDiffCommand())
	return cmd
}

// feeds opens the database and the sources.
func (a *app) feeds(ctx context.Context) (*engine.Feeds, func() error, error) {
	dir, err := a.data()
	if err != nil {
		return nil, nil, err
	}
	host, err := a.pluginHost(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.OpenSQLite(ctx, filepath.Join(dir, "tidewaiter.db"))
	if err != nil {
		return nil, nil, err
	}
	return &engine.Feeds{DB: db, Sources: append(sources(), host.Sources()...), Client: &feed.Client{}, Now: time.Now, Log: a.log, Build: build()}, db.Close, nil
}

func (a *app) feedUpdateCommand() *cobra.Command {
	var from string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "update [NAME...]",
		Short: "Get what the publishers have: of the sources named, else of all that are on",
		Long: `Get what the publishers have. An update of a source is taken whole or not at
all; one that is broken, truncated or suspiciously small changes nothing, and
the last good data stays in force. Exit code 2 when a source failed.`,
		Example: "  tidewaiter feed update\n  tidewaiter feed update debian osv-pypi\n  tidewaiter feed update osv-npm --from all.zip",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if from != "" && len(args) != 1 {
				return errors.New("--from goes with one source: name it")
			}
			names := args
			if len(names) == 0 {
				views, err := f.Views(cmd.Context())
				if err != nil {
					return err
				}
				for _, v := range views {
					if v.Enabled && !v.Setting.Pinned && (v.URL != "" || v.Setting.URL != "") {
						names = append(names, v.Name)
					}
				}
			}
			return a.refreshAll(cmd.Context(), f, names, map[string]string{}, engine.RefreshOptions{From: from, Force: force}, asJSON)
		},
		ValidArgsFunction: completeSources,
	}
	cmd.Flags().StringVar(&from, "from", "", "a local `file or folder` in the publisher's own format, instead of the network")
	cmd.Flags().BoolVar(&force, "force", false, "take a feed that has shrunk, and update a pinned one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func completeSources(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, s := range sources() {
		out = append(out, s.Info().Name+"\t"+s.Info().Describes)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// refreshAll updates sources one after the other, goes on when one fails, and
// fails in the end if one did.
func (a *app) refreshAll(ctx context.Context, f *engine.Feeds, names []string, from map[string]string, o engine.RefreshOptions, asJSON bool) error {
	return a.refreshEach(ctx, f, names, from, nil, o, asJSON)
}

// refreshEach is refreshAll with some sources' paths being folders of examples.
func (a *app) refreshEach(ctx context.Context, f *engine.Feeds, names []string, from map[string]string, examples map[string]bool, o engine.RefreshOptions, asJSON bool) error {
	type outcome struct {
		store.FeedChange
		Error   string  `json:"error,omitempty"`
		Seconds float64 `json:"seconds"`
	}
	var all []outcome
	failed := 0
	for _, name := range names {
		o := o
		if from[name] != "" {
			o.From = from[name]
		}
		t := time.Now()
		var c store.FeedChange
		var err error
		of := ""
		if examples[name] {
			var e engine.ExamplesChange
			e, err = f.RefreshExamples(ctx, name, o.From, o)
			c, of = e.FeedChange, fmt.Sprintf(", examples: %d of %d files", e.Files-e.Refused, e.Files)
		} else {
			c, err = f.Refresh(ctx, name, o)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		out := outcome{FeedChange: c, Seconds: time.Since(t).Seconds()}
		if err != nil {
			out.Error = err.Error()
			failed++
		}
		all = append(all, out)
		if asJSON {
			continue
		}
		bad := ""
		if c.Bad > 0 {
			bad = fmt.Sprintf(", %d kept aside", c.Bad)
		}
		switch {
		case err != nil:
			fmt.Fprintf(a.err, "%-18s %v\n", name, err)
		case c.Generation == 0:
			fmt.Fprintf(a.out, "%-18s nothing new%s%s, %.1f s\n", name, bad, of, out.Seconds)
		default:
			fmt.Fprintf(a.out, "%-18s %d records: %d new, %d changed, %d gone%s%s, %.1f s\n", name, c.Records, c.Added, c.Changed, c.Removed, bad, of, out.Seconds)
		}
	}
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d sources failed; their last good data stays in force", failed, len(names))
	}
	return nil
}

func (a *app) feedImportCommand() *cobra.Command {
	var asJSON, force, samples bool
	var keys []string
	cmd := &cobra.Command{
		Use:   "import FILE|FOLDER|SOURCE=PATH...",
		Short: "Take a signed export, or files in the publishers' own formats",
		Long: `Take a signed file that feed export wrote elsewhere: its signature, order and
completeness are verified before anything is touched. Or, as SOURCE=PATH, files
and folders in the publishers' own formats. Or a folder that holds those of many
sources, named for them or laid out as docs/feeds.md says; what no source takes
is named.`,
		Example: `  tidewaiter feed import --key 'p6x…=' all.tw
  tidewaiter feed import osv-npm=all.zip kev=known_exploited_vulnerabilities.json
  tidewaiter feed import own=advisories/
  tidewaiter feed import mirror/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !strings.Contains(args[0], "=") {
				if st, err := os.Stat(args[0]); err == nil && st.IsDir() {
					return a.importFolder(cmd, args[0], samples, force, asJSON)
				}
				return a.takeExport(cmd, args[0], keys, force, asJSON)
			}
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			from := map[string]string{}
			var names []string
			for _, arg := range args {
				name, path, ok := strings.Cut(arg, "=")
				if !ok || path == "" {
					return fmt.Errorf("%q: use SOURCE=PATH; feed list shows the sources", arg)
				}
				if _, twice := from[name]; twice {
					return fmt.Errorf("%s is given twice", name)
				}
				from[name] = path
				names = append(names, name)
			}
			return a.refreshAll(cmd.Context(), f, names, from, engine.RefreshOptions{Force: force}, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public `key` whose signature counts, as feed key prints it where the export was made (repeatable)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&force, "force", false, "take a feed that has shrunk, or an older export")
	cmd.Flags().BoolVar(&samples, "samples", false, "of a folder: also take examples, for sources of which nothing better is there")
	return cmd
}

// importFolder takes what a folder has for each source.
func (a *app) importFolder(cmd *cobra.Command, dir string, samples, force, asJSON bool) error {
	f, done, err := a.feeds(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	parts, left, err := f.Folder(dir, samples)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return fmt.Errorf("%s holds nothing that a source could take: name files SOURCE.EXT, or use SOURCE=PATH; feed list shows the sources", dir)
	}
	from := map[string]string{}
	var names []string
	examples := map[string]bool{}
	for _, p := range parts {
		names, from[p.Source], examples[p.Source] = append(names, p.Source), p.Path, p.Examples
	}
	err = a.refreshEach(cmd.Context(), f, names, from, examples, engine.RefreshOptions{Force: force}, asJSON)
	if len(left) > 0 {
		fmt.Fprintf(a.err, "left in %s: %s: no source takes it", dir, strings.Join(left, ", "))
		if !samples {
			fmt.Fprint(a.err, ", or only examples are there (--samples)")
		}
		fmt.Fprintln(a.err)
	}
	return err
}

func (a *app) feedDiffCommand() *cobra.Command {
	var since, until, source string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "diff", Short: "List which records changed between two instants", Args: cobra.NoArgs,
		Example: "  tidewaiter feed diff --since 2026-05-01\n  tidewaiter feed diff --since 2026-05-01 --until 2026-05-02T12:00:00Z --source debian --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := parseInstant(since)
			if err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			to := time.Now()
			if until != "" {
				if to, err = parseInstant(until); err != nil {
					return fmt.Errorf("--until: %w", err)
				}
			}
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			changes, err := f.DB.FeedDiff(cmd.Context(), source, from, to)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(changes)
			}
			for _, c := range changes {
				fmt.Fprintf(a.out, "%-8s %s %s\n", c.Change, c.Source, c.ID)
			}
			_, err = fmt.Fprintf(a.out, "%d records\n", len(changes))
			return err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "`instant` to compare from: 2026-05-01 or 2026-05-01T12:00:00Z (required)")
	cmd.Flags().StringVar(&until, "until", "", "`instant` to compare to (default: now)")
	cmd.Flags().StringVar(&source, "source", "", "only this `source`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagRequired("since")
	return cmd
}

// parseInstant reads a date, which means its first moment in UTC, or an instant.
func parseInstant(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is no instant: use 2026-05-01 or 2026-05-01T12:00:00Z", s)
	}
	return t, nil
}

func (a *app) feedSetCommand(verb, short string, on bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME...", Short: short, Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.setFeeds(cmd.Context(), args, func(s *engine.FeedSetting) { s.Enabled = &on })
		},
	}
}

func (a *app) setFeeds(ctx context.Context, names []string, change func(*engine.FeedSetting)) error {
	f, done, err := a.feeds(ctx)
	if err != nil {
		return err
	}
	defer done()
	for _, name := range names {
		if err := f.Set(ctx, name, change); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) feedConfigureCommand() *cobra.Command {
	var url string
	var priority int
	var fresh time.Duration
	var pin, unpin bool
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a source's address, rank, bound of age, or pin it", Args: exactArgs(1, "one source"), ValidArgsFunction: completeSources,
		Example: "  tidewaiter feed set debian --url https://mirror.example.com/tracker.json --fresh 48h\n  tidewaiter feed set nvd --pin",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.setFeeds(cmd.Context(), args, func(s *engine.FeedSetting) {
				if cmd.Flags().Changed("url") {
					s.URL = url
				}
				if cmd.Flags().Changed("priority") {
					s.Priority = &priority
				}
				if cmd.Flags().Changed("fresh") {
					s.Fresh = fresh
				}
				s.Pinned = (s.Pinned || pin) && !unpin
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "`address` to get it from instead of the publisher's; \"\" for the publisher's again")
	cmd.Flags().IntVar(&priority, "priority", 0, "rank: where several sources speak of one package the highest is heard")
	cmd.Flags().DurationVar(&fresh, "fresh", 0, "older data than this is stale")
	cmd.Flags().BoolVar(&pin, "pin", false, "do not update it any more")
	cmd.Flags().BoolVar(&unpin, "unpin", false, "update it again")
	return cmd
}

func (a *app) feedSearchCommand() *cobra.Command {
	var asJSON bool
	var stream string
	cmd := &cobra.Command{
		Use:   "search ID|PACKAGE",
		Short: "Show what is known of a vulnerability or a package",
		Example: `  tidewaiter feed search CVE-2023-4911
  tidewaiter feed search openssl --stream debian:12
  tidewaiter feed search lodash --stream npm --json`,
		Args: exactArgs(1, "one identifier or package"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			snap, _, err := f.Snapshot(cmd.Context(), time.Time{})
			if err != nil {
				return err
			}
			var records []advisory.Advisory
			if stream == "" {
				var off []advisory.Advisory
				records, off, err = snap.Find(cmd.Context(), args[0])
				records = append(records, off...)
			}
			if err == nil && len(records) == 0 {
				streams := []string{stream}
				if stream == "" {
					streams = snap.Streams()
				}
				var keys []advisory.Key
				for _, s := range streams {
					keys = append(keys, advisory.Key{Stream: s, Name: advisory.Name(s, args[0])})
				}
				records, err = snap.AdvisoriesFor(cmd.Context(), keys)
			}
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(records)
			}
			if len(records) == 0 {
				a.code = exitStop
				_, err := fmt.Fprintf(a.out, "nothing is known of %q\n", args[0])
				return err
			}
			return writeRecords(a, records)
		},
	}
	cmd.Flags().StringVar(&stream, "stream", "", "look for a package in one `stream`, such as debian:12 or npm")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
