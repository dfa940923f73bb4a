package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
)

// maxSecretFile bounds the files that secret find reads; those of images have
// the same bound.
const maxSecretFile = 5 << 20

// secretFlags are the owner's rules and key of the search for secrets.
type secretFlags struct {
	rules   []string
	keyFile string
}

// secretRule is what a rule looks for, for people and programs.
type secretRule struct {
	ID         string  `json:"id"`
	Title      string  `json:"title"`
	Service    string  `json:"service,omitempty"`
	Category   string  `json:"category"`
	Confidence float64 `json:"confidence"`
}

// foundSecret is a secret with its place.
type foundSecret struct {
	Path       string  `json:"path,omitempty"`
	Layer      int     `json:"layer,omitempty"`
	Hidden     bool    `json:"hidden,omitempty"`
	Where      string  `json:"where,omitempty"`
	Line       int     `json:"line,omitempty"`
	Rule       string  `json:"rule"`
	Title      string  `json:"title"`
	Name       string  `json:"name,omitempty"`
	Context    string  `json:"context,omitempty"`
	Confidence float64 `json:"confidence"`
	Preview    string  `json:"preview,omitempty"`
}

func (a *app) secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "secret", Short: "Show secrets redacted, list the rules that find them, try one's own",
		Long: `Secrets are searched by "check" and by "--secrets". What is kept of one is its
place, its kind and a keyed fingerprint, never its value. These commands show a
secret redacted, and help to write rules; docs/secrets.md has their notation.`,
	}
	cmd.AddCommand(a.secretShowCommand(), a.secretFindCommand(), a.secretRulesCommand())
	return cmd
}

func (s *secretFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&s.rules, "secret-rules", nil, "`file` of rules that are added to the built-in ones, or replace those of the same id (repeatable)")
	f.StringVar(&s.keyFile, "secret-key", "", "`file` whose content is the key of fingerprints; without it a key that everybody knows")
}

func (a *app) secretRulesCommand() *cobra.Command {
	var f secretFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "rules", Short: "List what is searched for", Args: cobra.NoArgs,
		Example: "  tidewaiter secret rules\n  tidewaiter secret rules --secret-rules own.txt --json",
		RunE: func(*cobra.Command, []string) error {
			rules, err := f.list()
			if err != nil {
				return err
			}
			if asJSON {
				return writeIndented(a.out, rules)
			}
			t := query.Table{Columns: []string{"Rule", "Category", "Confidence", "Service", "Title"}}
			for _, r := range rules {
				t.Rows = append(t.Rows, []string{r.ID, r.Category, confidence(r.Confidence), r.Service, r.Title})
			}
			return writeTableText(a.out, &t)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) secretFindCommand() *cobra.Command {
	var f secretFlags
	var asJSON bool
	var name string
	cmd := &cobra.Command{
		Use: "find FILE…", Short: "Search files of this machine, to try rules",
		Long: `Search files as those of an image would be searched, and show what is found,
redacted. The name of a file matters: documentation, tests and installed packages
lower the confidence. Exit codes: 0 nothing found, 1 something found, 2 errors.`,
		Example: "  tidewaiter secret find --secret-rules own.txt .env config/*.yaml\n  tidewaiter secret find --name etc/app.conf - < app.conf",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			find, err := f.finder()
			if err != nil {
				return err
			}
			var all []foundSecret
			for _, arg := range args {
				text, err := a.readBounded(arg, maxSecretFile)
				if err != nil {
					return err
				}
				as := arg
				if name != "" {
					as = name
				}
				found, err := find(strings.TrimPrefix(as, "/"), text)
				if err != nil {
					return fmt.Errorf("%s: %w", arg, err)
				}
				for i := range found {
					found[i].Path = arg
				}
				all = append(all, found...)
			}
			if len(all) > 0 {
				a.code = exitStop
			}
			return a.writeSecrets(all, asJSON)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "", "`path` that the file would have in an image (default: its own)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) secretShowCommand() *cobra.Command {
	var source sourceFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show IMAGE", Short: "Show the secrets of an image, redacted",
		Long: `Read an image again and show where its secrets are, with as much of each as
somebody needs who has it: its first characters, at most four and at most an eighth,
and its length. Nothing of this is kept.

` + sourceHelp,
		Example:           "  tidewaiter secret show app:1.2\n  tidewaiter secret show --json docker-archive:app.tar",
		Args:              exactArgs(1, "one image"),
		ValidArgsFunction: completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.showSecrets(cmd.Context(), &source, args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.writeSecrets(found, asJSON)
		},
	}
	source.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// showSecrets reads every layer with the search for secrets only, remembering
// nothing.
func (a *app) showSecrets(ctx context.Context, source *sourceFlags, arg string) ([]foundSecret, error) {
	ref, err := image.ParseRef(arg)
	if err != nil {
		return nil, err
	}
	if ref.Kind == image.SBOM {
		return nil, errors.New("a bill of materials has no contents to search")
	}
	e := &engine.Engine{Parallel: source.parallel, Log: a.log}
	if e.Set, e.ImageAnalyzers, err = source.secrets.previewing(); err != nil {
		return nil, err
	}
	if err := source.applyLimits(&e.Set.Limits); err != nil {
		return nil, err
	}
	source.image.UserAgent = "tidewaiter/" + version()
	p := a.progress()
	defer p.clear()
	img, err := e.Inventory(ctx, ref, engine.InventoryOptions{Image: source.image, Progress: p.report})
	if err != nil {
		return nil, err
	}
	for _, p := range img.Problems {
		a.log.Warn("secret: "+clean(p.Message), "path", clean(p.Path))
	}
	var out []foundSecret
	for i := range img.Facts {
		fact := &img.Facts[i]
		if fact.Kind != policy.FactSecret {
			continue
		}
		s := foundSecret{}
		if err := json.Unmarshal(fact.Data, &s); err != nil {
			return nil, fmt.Errorf("fact of /%s: %w", fact.Path, err)
		}
		s.Layer, s.Hidden = fact.Layer, fact.Hidden
		if fact.Path != "" {
			s.Path = "/" + fact.Path
		}
		out = append(out, s)
	}
	return out, nil
}

func (a *app) writeSecrets(found []foundSecret, asJSON bool) error {
	if asJSON {
		if found == nil {
			found = []foundSecret{}
		}
		return writeIndented(a.out, found)
	}
	t := query.Table{Columns: []string{"Place", "Line", "Rule", "Confidence", "What", "Preview"}}
	for _, s := range found {
		place := s.Path
		switch {
		case s.Where != "":
			place = s.Where + " " + s.Name
		case s.Hidden:
			place += fmt.Sprintf(" (layer %d, gone above)", s.Layer)
		}
		line := "-"
		if s.Line > 0 {
			line = strconv.Itoa(s.Line)
		}
		title := s.Title
		if s.Context != "" {
			title += " (" + s.Context + ")"
		}
		t.Rows = append(t.Rows, []string{place, line, s.Rule, confidence(s.Confidence), title, s.Preview})
	}
	return writeTableText(a.out, &t)
}

func confidence(c float64) string { return strconv.FormatFloat(c, 'f', 2, 64) }

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(v)
}

// readBounded reads a file, or standard input for "-".
func (a *app) readBounded(name string, limit int64) ([]byte, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than the limit of %d bytes", name, limit)
	}
	return b, nil
}
