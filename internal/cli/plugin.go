package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
	"github.com/tidewaiter/tidewaiter/plugin"
)

func (a *app) pluginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugin", Short: "Plugins in any language: list, look into, try, begin a new one", Args: cobra.NoArgs,
		Long: `Plugins are executables in any language that are analyzers, gates, sources of
advisories or queries. Put one into the plugin folder or name it with --plugin;
docs/plugins.md says how to write one.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.pluginListCommand(), a.pluginInfoCommand(), a.pluginTestCommand(), a.pluginNewCommand())
	return cmd
}

func (a *app) pluginListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the plugins, those of no use too, with the reason", Args: cobra.NoArgs,
		Example: "  tidewaiter plugin list\n  tidewaiter plugin list --json --plugin ./acme.sh",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.pluginHost(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				list := []pluginEntry{}
				for _, p := range h.Plugins() {
					list = append(list, entryOf(p))
				}
				return a.printJSON(list)
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tVERSION\tKINDS\tPATH\tHELP")
			for _, p := range h.Plugins() {
				d := p.Description()
				help := d.Help
				if p.Err != nil {
					help = "NOT USED: " + p.Err.Error()
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Name(), d.Version, kindsOf(&d), p.Path, clean(help))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

type pluginEntry struct {
	Path        string              `json:"path"`
	Digest      string              `json:"digest,omitempty"`
	Plain       bool                `json:"plain"`
	Error       string              `json:"error,omitempty"`
	Description *plugin.Description `json:"description,omitempty"`
	Sandbox     *pluginhost.Held    `json:"sandbox,omitempty"`
}

func entryOf(p *pluginhost.Plugin) pluginEntry {
	e := pluginEntry{Path: p.Path, Digest: p.Digest, Plain: p.Plain}
	if p.Err != nil {
		e.Error = p.Err.Error()
	} else {
		d := p.Description()
		e.Description = &d
	}
	return e
}

func kindsOf(d *plugin.Description) string {
	var out []string
	for _, k := range d.Kinds {
		out = append(out, string(k))
	}
	return strings.Join(out, ",")
}

// findPlugin finds a plugin by name, else by the path of one that is not
// listed.
func (a *app) findPlugin(ctx context.Context, name string) (*pluginhost.Host, *pluginhost.Plugin, error) {
	_, statErr := os.Stat(name)
	if statErr == nil {
		a.plugins.paths = append(a.plugins.paths, name)
	}
	h, err := a.pluginHost(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range h.Plugins() {
		same := false
		if i, err := os.Stat(p.Path); err == nil && statErr == nil {
			j, err := os.Stat(name)
			same = err == nil && os.SameFile(i, j)
		}
		if same || statErr != nil && p.Name() == name {
			return h, p, nil
		}
	}
	return nil, nil, fmt.Errorf("no plugin is called %s, nor is there such a file; see tidewaiter plugin list", name)
}

func (a *app) pluginInfoCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info PLUGIN", Short: "Say what a plugin is, and what keeps it in on this machine", Args: exactArgs(1, "the name or the file of a plugin"),
		Example: "  tidewaiter plugin info acme-manifest\n  tidewaiter plugin info ./acme.sh",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, p, err := a.findPlugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			held, heldErr := p.Probe(cmd.Context())
			if asJSON {
				e := entryOf(p)
				if heldErr == nil {
					e.Sandbox = &held
				}
				return a.printJSON(e)
			}
			var b strings.Builder
			describePlugin(&b, p)
			if heldErr != nil {
				fmt.Fprintf(&b, "sandbox    cannot tell: %v\n", heldErr)
			} else {
				fmt.Fprintf(&b, "sandbox    holds: %s\n", strings.Join(held.Parts, ", "))
				for _, l := range held.Missing {
					fmt.Fprintf(&b, "           missing: %s: %s\n", l.Part, l.Why)
				}
				if weak := held.Weak(); weak != "" {
					fmt.Fprintf(&b, "           so that a plugin could %s\n", weak)
				}
			}
			if _, err := fmt.Fprint(a.out, clean(b.String())); err != nil {
				return err
			}
			if p.Err != nil {
				return errors.New("the plugin is not used: " + p.Err.Error())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func describePlugin(b *strings.Builder, p *pluginhost.Plugin) {
	d := p.Description()
	mode := "JSON"
	if p.Plain {
		mode = "plain mode"
	}
	fmt.Fprintf(b, "%s %s  (%s)\n%s\n\npath       %s\ndigest     sha256:%s\nspeaks     %s, %s\n", p.Name(), d.Version, kindsOf(&d), d.Help, p.Path, p.Digest, plugin.Protocol, mode)
	params := func(indent string, list []plugin.Parameter) {
		for _, q := range list {
			fmt.Fprintf(b, "%s%s (%s", indent, q.Name, cmp.Or(q.Type, "string"))
			if q.Required {
				b.WriteString(", required")
			}
			if q.Default != "" {
				b.WriteString(", else " + q.Default)
			}
			if q.Values != nil {
				b.WriteString(": " + strings.Join(q.Values, " "))
			}
			fmt.Fprintf(b, "): %s\n", q.Help)
		}
	}
	params("setting    ", d.Parameters)
	if an := d.Analyzer; an != nil {
		for _, w := range an.Wants {
			fmt.Fprintf(b, "wants      %s", strings.Join(append(slices.Clone(w.Paths), w.Types...), " "))
			if w.MaxSize > 0 {
				fmt.Fprintf(b, ", up to %s", size(w.MaxSize))
			}
			b.WriteByte('\n')
		}
		if an.Facts != nil {
			fmt.Fprintf(b, "facts      %s\n", strings.Join(an.Facts, " "))
		}
	}
	if g := d.Gate; g != nil {
		fmt.Fprintf(b, "gate       %s: %s\n", g.Name, g.Help)
		for _, t := range g.Triggers {
			fmt.Fprintf(b, "trigger    %s: %s\n", t.Name, t.Help)
			params("           ", t.Parameters)
		}
	}
	if s := d.Source; s != nil {
		fmt.Fprintf(b, "source     %s of %s\n", s.Name, s.Publisher)
		if s.URL != "" {
			fmt.Fprintf(b, "downloads  %s\n", s.URL)
		}
	}
	if q := d.Query; q != nil {
		fmt.Fprintf(b, "query      %s, about images: %s\n", q.Name, q.Images)
		params("           ", q.Parameters)
	}
}
