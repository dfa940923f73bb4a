package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
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

	analyzed bool // it is an analyzer, and was asked about every layer
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
	t.analyzed, t.Wanted, t.Errors = true, w.files, append(t.Errors, w.errors...)
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
	if t.analyzed && t.Wanted == 0 {
		b.WriteString("no file was handed to it: nothing here fits what it wants, see tidewaiter plugin info\n")
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
