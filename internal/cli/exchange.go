package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/engine"
)

func (a *app) feedExportCommand() *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the whole database, or what changed since an export, into one signed file",
		Long: `Write everything that is known into one signed file that carries it across an
air gap. With --since ID only what changed after that export is written; the
other side must have taken that export. feed key prints the key that the other
side has to trust.`,
		Example: "  tidewaiter feed export all.tw\n  tidewaiter feed export --since 20260501T000000Z-0a1b2c delta.tw",
		Args:    exactArgs(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			var h engine.ExchangeHeader
			err = writeFile(args[0], func(w io.Writer) error {
				h, err = f.Export(cmd.Context(), w, since)
				return err
			})
			if err != nil {
				return err
			}
			n := 0
			for _, s := range h.Sources {
				n += s.Records + s.Removed + s.Scores
			}
			_, err = fmt.Fprintf(a.out, "export %s: %d sources, %d records\n", h.ID, len(h.Sources), n)
			return err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "`ID` of an earlier export: write only what changed after it")
	return cmd
}

func (a *app) takeExport(cmd *cobra.Command, path string, keys []string, force, asJSON bool) error {
	f, done, err := a.feeds(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	h, changes, err := f.Import(cmd.Context(), in, engine.ImportOptions{Keys: keys, Force: force})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"export": h, "changes": changes})
	}
	added, changed, removed := 0, 0, 0
	for _, c := range changes {
		added, changed, removed = added+c.Added, changed+c.Changed, removed+c.Removed
	}
	_, err = fmt.Fprintf(a.out, "took export %s of %s: %d sources, %d new, %d changed, %d gone\n", h.ID, day(h.Created), len(h.Sources), added, changed, removed)
	return err
}

func (a *app) feedKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print the public key that this database signs exports with", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			key, err := f.ExchangeKey(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, key)
			return err
		},
	}
}

func (a *app) feedVerifyCommand() *cobra.Command {
	var keys []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Check the signature of an export and say what it holds", Args: exactArgs(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			h, _, err := engine.Verify(in, keys)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				return enc.Encode(h)
			}
			fmt.Fprintf(a.out, "export %s of %s, generation %d, signed by %s\n", h.ID, day(h.Created), h.Generation, h.Key)
			if h.Base != "" {
				fmt.Fprintf(a.out, "a delta of %s\n", h.Base)
			}
			for _, s := range h.Sources {
				fmt.Fprintf(a.out, "  %-18s %d records, %d gone, %d scores (%d in all)\n", s.Name, s.Records, s.Removed, s.Scores, s.Total)
			}
			if len(keys) == 0 {
				return errors.New("the signature fits the key in the file, but nobody said that this key is to be trusted: use --key")
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public `key` whose signature counts (repeatable)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
