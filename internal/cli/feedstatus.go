package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/engine"
)

func (a *app) feedStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status [NAME]", Short: "Say how old the data is, what failed, and which records were kept aside", Args: cobra.MaximumNArgs(1),
		Example: "  tidewaiter feed status\n  tidewaiter feed status debian\n  tidewaiter feed status --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			views, err := f.Views(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.feedStatusOne(cmd.Context(), f, views, args[0], asJSON)
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(views)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SOURCE\tRECORDS\tCHANGED\tCHECKED\tSTATE")
			n := 0
			for _, v := range views {
				if v.Status == nil {
					continue
				}
				n++
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", v.Name, v.Status.Records, day(v.Status.Changed), day(v.Status.Checked), viewState(v))
			}
			w.Flush()
			if n == 0 {
				_, err = fmt.Fprintln(a.out, "no source was updated yet: tidewaiter feed update")
			}
			return err
		},
		ValidArgsFunction: completeSources,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.DateTime)
}

func viewState(v engine.FeedView) string {
	var s []string
	if !v.Enabled {
		s = append(s, "off")
	}
	if v.Setting.Pinned {
		s = append(s, "pinned")
	}
	if v.Stale {
		s = append(s, "stale")
	}
	if v.Status != nil && v.Status.Bad > 0 {
		s = append(s, fmt.Sprintf("%d records kept aside", v.Status.Bad))
	}
	if v.Status != nil && v.Status.Error != "" {
		s = append(s, "last try failed: "+v.Status.Error)
	}
	if len(s) == 0 {
		return "ok"
	}
	return strings.Join(s, ", ")
}

func (a *app) feedStatusOne(ctx context.Context, f *engine.Feeds, views []engine.FeedView, name string, asJSON bool) error {
	for _, v := range views {
		if v.Name != name {
			continue
		}
		bad, err := f.DB.BadRecords(ctx, name)
		if err != nil {
			return err
		}
		if asJSON {
			type badRecord struct {
				Record string `json:"record"`
				Error  string `json:"error"`
			}
			list := []badRecord{}
			for _, b := range bad {
				list = append(list, badRecord{b.Record, b.Err.Error()})
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(map[string]any{"source": v, "bad": list})
		}
		fmt.Fprintf(a.out, "%s: %s, %s\nlicence: %s\naddress: %s\n", v.Name, v.Publisher, v.Describes, v.Licence, v.URL)
		if v.Off != "" {
			fmt.Fprintf(a.out, "off unless turned on: %s\n", v.Off)
		}
		if v.Status != nil {
			fmt.Fprintf(a.out, "%d records, changed %s, checked %s\n", v.Status.Records, day(v.Status.Changed), day(v.Status.Checked))
		}
		fmt.Fprintf(a.out, "state: %s\n", viewState(v))
		for _, b := range bad {
			fmt.Fprintf(a.out, "kept aside: %s: %v\n", b.Record, b.Err)
		}
		return nil
	}
	return fmt.Errorf("%w: %q; feed list shows all", engine.ErrNoSource, name)
}

func (a *app) feedListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List every source there is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			views, err := f.Views(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(views)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SOURCE\tON\tRANK\tKNOWS")
			for _, v := range views {
				on := "on"
				if !v.Enabled {
					on = "off"
				}
				what := v.Describes
				if !v.Enabled && v.Off != "" {
					what += " (off: " + v.Off + ")"
				}
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", v.Name, on, v.Priority, what)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
