package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
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

// pluginTest is what a try of a plugin shows.
type pluginTest struct {
	Plugin  string           `json:"plugin"`
	Seconds float64          `json:"seconds"`
	Stats   pluginhost.Stats `json:"stats"`

	Wanted     int                 `json:"wantedFiles"`
	Packages   []string            `json:"packages,omitempty"`
	Facts      []inventory.Fact    `json:"facts,omitempty"`
	Problems   []inventory.Problem `json:"problems,omitempty"`
	Hits       []string            `json:"hits,omitempty"`
	Advisories []string            `json:"advisories,omitempty"`
	Table      *query.Table        `json:"table,omitempty"`
	Errors     []string            `json:"errors,omitempty"`
}

func (a *app) pluginTestCommand() *cobra.Command {
	var source sourceFlags
	var asJSON bool
	var params []string
	var trigger, compare string
	cmd := &cobra.Command{
		Use: "test PLUGIN FIXTURE", Short: "Run a plugin on something real and show what it does", Args: exactArgs(2, "a plugin, and an image or folder to try it on"),
		Long: `Run a plugin on an image or a folder (a source: on a file or folder of its data),
and show its answers, the time and memory it took, and what is wrong with them.
Every layer is read; nothing is remembered. Exit code 2 when something went wrong.`,
		Example: `  tidewaiter plugin test ./acme.sh app:1.2
  tidewaiter plugin test ./acme.sh dir:./rootfs
  tidewaiter plugin test base-age --trigger too_old --param max-days=90 debian:12
  tidewaiter plugin test ./feed.py advisories.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			h, p, err := a.findPlugin(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.Err != nil {
				return fmt.Errorf("%s cannot be used: %w", p.Path, p.Err)
			}
			values := map[string]string{}
			for _, s := range params {
				name, value, ok := strings.Cut(s, "=")
				if !ok {
					return fmt.Errorf("--param %s: use NAME=VALUE", s)
				}
				values[name] = value
			}
			t := pluginTest{Plugin: p.Name() + " " + p.Description().Version}
			if err := a.tryPlugin(cmd.Context(), h, p, &source, args[1], trigger, compare, values, &t); err != nil {
				return err
			}
			t.Stats = p.Stats()
			if len(t.Errors) > 0 {
				a.code = exitUnknown
			}
			if asJSON {
				return a.printJSON(t)
			}
			return a.writePluginTest(&t)
		},
	}
	source.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&asJSON, "json", false, "print JSON")
	fl.StringArrayVar(&params, "param", nil, "`NAME=VALUE` of a parameter of a trigger or query (repeatable)")
	fl.StringVar(&trigger, "trigger", "", "the one `trigger` of a gate to ask (default: all)")
	fl.StringVar(&compare, "compare", "", "`IMAGE` to compare with, for a query about two")
	return cmd
}

func (a *app) tryPlugin(ctx context.Context, h *pluginhost.Host, p *pluginhost.Plugin, source *sourceFlags, fixture, trigger, compare string, values map[string]string, t *pluginTest) error {
	d := p.Description()
	if d.Source != nil {
		t.fetch(ctx, h, &d, fixture)
	}
	if d.Analyzer == nil && d.Gate == nil && d.Query == nil {
		return ctx.Err()
	}
	if _, err := os.Stat(fixture); err == nil {
		if info, err := os.Stat(fixture); err == nil && info.IsDir() {
			if _, err := os.Stat(fixture + "/oci-layout"); errors.Is(err, fs.ErrNotExist) {
				fixture = "dir:" + fixture
			}
		}
	}
	ref, err := image.ParseRef(fixture)
	if err != nil {
		return err
	}
	source.facts = true
	e, err := source.engine(a)
	if err != nil {
		return err
	}
	var stop watch
	for _, an := range h.Analyzers(e.Set.Keys()) {
		w := &timedAnalyzer{LayerAnalyzer: an.(analyze.LayerAnalyzer), watch: &stop}
		if an.Name() != "plugin:"+d.Name {
			w.watch = &watch{}
		}
		e.Set.Analyzers = append(e.Set.Analyzers, w)
	}
	source.image.UserAgent = "tidewaiter/" + version()
	img, err := e.Inventory(ctx, ref, engine.InventoryOptions{Image: source.image, AllLayers: source.scope == "all-layers"})
	if err != nil {
		return fmt.Errorf("%s: %w", fixture, err)
	}
	if d.Analyzer != nil {
		t.analysis(img, &d, &stop)
	}
	now := time.Now()
	scan := newScan(ctx, a, img, &d, t)
	if d.Gate != nil {
		t.gate(ctx, h, &d, trigger, values, &policy.Subject{Image: img, Scan: scan, Now: now, Tag: fixture, Dockerfile: engine.GuessDockerfile(img)})
	}
	if d.Query != nil {
		in := query.Input{Images: []query.Subject{{Name: fixture, Image: img, Scan: scan, Dockerfile: engine.GuessDockerfile(img)}}}
		for _, q := range d.Query.Parameters {
			if v, ok := values[q.Name]; ok {
				in.Params = append(in.Params, v)
			} else {
				in.Params = append(in.Params, q.Default)
			}
		}
		for len(in.Params) > 0 && in.Params[len(in.Params)-1] == "" {
			in.Params = in.Params[:len(in.Params)-1]
		}
		if compare != "" {
			other, err := a.input(ctx, source, compare)
			if err != nil {
				return fmt.Errorf("--compare %s: %w", compare, err)
			}
			in.Compare = &query.Subject{Name: compare, Image: other}
		}
		for _, q := range h.Queries() {
			if q.Spec().Name == d.Query.Name {
				table, err := q.Run(ctx, &in)
				t.Seconds += time.Since(now).Seconds()
				if t.failed(err) {
					continue
				}
				t.Table = &table
			}
		}
	}
	return ctx.Err()
}

// watch adds up the time of a plugin and the files it was given.
type watch struct {
	mu     sync.Mutex
	took   time.Duration
	files  int
	errors []string
}

// timedAnalyzer is an analyzer with a watch.
type timedAnalyzer struct {
	analyze.LayerAnalyzer
	*watch
}

func (w *timedAnalyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return w.AnalyzeLayer(ctx, files, nil, out)
}

func (w *timedAnalyzer) AnalyzeLayer(ctx context.Context, files fs.FS, known []inventory.Record, out *inventory.Record) error {
	n := 0
	for _, err := range analyze.Each(files) {
		if err == nil {
			n++
		}
	}
	start := time.Now()
	err := w.LayerAnalyzer.AnalyzeLayer(ctx, files, known, out)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took += time.Since(start)
	w.files += n
	if err != nil {
		w.errors = append(w.errors, err.Error())
	}
	return err
}

func (t *pluginTest) failed(err error) bool {
	if err != nil {
		t.Errors = append(t.Errors, err.Error())
	}
	return err != nil
}

func (t *pluginTest) analysis(img *inventory.Image, d *plugin.Description, w *watch) {
	name := "plugin:" + d.Name
	t.Seconds += w.took.Seconds()
	t.Wanted, t.Errors = w.files, append(t.Errors, w.errors...)
	for _, list := range [][]inventory.Package{img.Packages, img.Declared} {
		for i := range list {
			for _, l := range list[i].Locations {
				if l.Analyzer == name {
					t.Packages = append(t.Packages, list[i].PURL()+"  "+l.Path)
				}
			}
		}
	}
	for _, f := range img.Facts {
		if slices.Contains(d.Analyzer.Facts, f.Kind) {
			t.Facts = append(t.Facts, f)
		}
	}
	for _, p := range img.Problems {
		if p.Analyzer == name {
			t.Problems = append(t.Problems, p)
		}
	}
}

func (t *pluginTest) gate(ctx context.Context, h *pluginhost.Host, d *plugin.Description, trigger string, values map[string]string, s *policy.Subject) {
	for _, g := range h.Gates() {
		spec := g.Spec()
		if spec.Name != d.Gate.Name {
			continue
		}
		for i := range spec.Triggers {
			tr := &spec.Triggers[i]
			if trigger != "" && tr.Name != trigger {
				continue
			}
			mine := map[string]string{}
			for _, q := range tr.Params {
				if v, ok := values[q.Name]; ok {
					mine[q.Name] = v
				}
			}
			params, err := tr.With("", mine)
			if t.failed(err) {
				continue
			}
			start := time.Now()
			hits, err := g.Evaluate(ctx, tr.Name, s, params)
			t.Seconds += time.Since(start).Seconds()
			if err != nil {
				err = fmt.Errorf("%s: %w", tr.Name, err)
			}
			if t.failed(err) {
				continue
			}
			for _, hit := range hits {
				kind := "hit"
				if hit.Unknown {
					kind = "unknown"
				}
				t.Hits = append(t.Hits, fmt.Sprintf("%s: %s: %s", tr.Name, kind, hit.Message))
			}
		}
	}
}

func (t *pluginTest) fetch(ctx context.Context, h *pluginhost.Host, d *plugin.Description, fixture string) {
	for _, s := range h.Sources() {
		if s.Info().Name != d.Source.Name {
			continue
		}
		start := time.Now()
		u, err := s.Fetch(ctx, feed.Input{From: fixture, Client: &feed.Client{}}, feed.State{})
		t.Seconds += time.Since(start).Seconds()
		if t.failed(err) || u.Items == nil {
			continue
		}
		for it, err := range u.Items {
			if !t.failed(err) && it.Advisory != nil {
				t.Advisories = append(t.Advisories, fmt.Sprintf("%s  %s", it.Advisory.ID, oneLine(it.Advisory.Summary)))
			}
		}
	}
}

// newScan matches the image where the plugin asks for findings and there is a
// database.
func newScan(ctx context.Context, a *app, img *inventory.Image, d *plugin.Description, t *pluginTest) *match.Scan {
	var needs []plugin.Need
	if d.Gate != nil {
		needs = append(needs, d.Gate.Needs...)
	}
	if d.Query != nil {
		needs = append(needs, d.Query.Needs...)
	}
	if !slices.Contains(needs, plugin.Findings) {
		return nil
	}
	feeds, done, err := a.feeds(ctx)
	if t.failed(err) {
		return nil
	}
	defer done()
	s, err := feeds.Scan(ctx, img, engine.ScanOptions{})
	t.failed(err)
	return s
}

func (a *app) writePluginTest(t *pluginTest) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %.3f s, %s of memory seen, processes started: %d\n", t.Plugin, t.Seconds, size(t.Stats.Peak), t.Stats.Started)
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for i, l := range lines {
			if i == 200 {
				fmt.Fprintf(&b, "  … and %d more; --json has all\n", len(lines)-i)
				break
			}
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(l, "\n", " "))
		}
	}
	var facts, problems []string
	for _, f := range t.Facts {
		facts = append(facts, fmt.Sprintf("%s  %s  %s", f.Kind, f.Path, f.Data))
	}
	for _, p := range t.Problems {
		problems = append(problems, strings.TrimSpace(p.Path+"  "+p.Message))
	}
	if t.Wanted > 0 || len(t.Packages)+len(facts) > 0 {
		fmt.Fprintf(&b, "%s handed to it: %s, %s\n", plural(t.Wanted, "file"), plural(len(t.Packages), "package"), plural(len(facts), "fact"))
	}
	list("packages", t.Packages)
	list("facts", facts)
	list("problems", problems)
	list("hits", t.Hits)
	list("advisories", t.Advisories)
	list("ERRORS", t.Errors)
	if _, err := fmt.Fprint(a.out, clean(b.String())); err != nil {
		return err
	}
	if t.Table != nil {
		fmt.Fprintln(a.out)
		for _, w := range t.Table.Warnings {
			fmt.Fprintln(a.err, "warning: "+clean(w))
		}
		return writeTableText(a.out, t.Table)
	}
	return nil
}
