package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/query"
	"github.com/tidewaiter/tidewaiter/internal/report"
)

// queryFlags are the choices of query.
type queryFlags struct {
	source  sourceFlags
	images  []string
	compare string
	policy  string
	asOf    string
}

// tableJSON is the format of a table as JSON.
const tableJSON = "json"

var queryFormats = []string{report.Table, tableJSON, report.CSV}

func (a *app) queryCommand() *cobra.Command {
	var f queryFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:   "query NAME IMAGE [PARAM…]",
		Short: "Ask a question about images and get a table",
		Long: `Ask a question about an image, about each of several, or about all together.
Without a name, and with "list", the queries are listed with their parameters.

With --image the images are named by flags, and every word after the name of the
query is a parameter. Queries that compare want --compare.

` + sourceHelp + purlHelp,
		Example: `  tidewaiter query list
  tidewaiter query has-package debian:12 openssl libssl3
  tidewaiter query show-pkg-diffs --compare debian:11 debian:12
  tidewaiter query cve-scan --image app:1 --image app:2 high critical -o csv`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return completeImages(cmd, nil, word)
			}
			names := []string{"list"}
			for _, q := range query.Builtin() {
				s := q.Spec()
				names = append(names, s.Name+"\t"+s.Summary)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(outputs, queryFormats)
			if err != nil {
				return err
			}
			if len(args) == 0 || args[0] == "list" {
				list, err := a.queries(cmd.Context())
				if err != nil {
					return err
				}
				t := listQueries(list, args)
				return a.writeTable(outs, &t)
			}
			t, err := f.run(cmd.Context(), a, args[0], args[1:])
			if err != nil {
				return err
			}
			return a.writeTable(outs, &t)
		},
	}
	f.source.add(cmd)
	fl := cmd.Flags()
	fl.StringArrayVarP(&outputs, "output", "o", []string{report.Table}, "`FORMAT[=FILE]`, repeatable: "+strings.Join(queryFormats, ", "))
	fl.StringArrayVar(&f.images, "image", nil, "`IMAGE` to ask about (repeatable); then all words after the query's name are parameters")
	fl.StringVar(&f.compare, "compare", "", "`IMAGE` to compare with")
	fl.StringVar(&f.policy, "policy", "default", "`file` or name of the policy of queries about verdicts")
	fl.StringVar(&f.asOf, "as-of", "", "`instant` to take as now for advisories and policy")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(queryFormats, cobra.ShellCompDirectiveNoSpace))
	return cmd
}

// queries lists every query of the product and its plugins.
func (a *app) queries(ctx context.Context) ([]query.Query, error) {
	host, err := a.pluginHost(ctx)
	if err != nil {
		return nil, err
	}
	return append(query.Builtin(), host.Queries()...), nil
}

func listQueries(list []query.Query, args []string) query.Table {
	t := query.Table{Columns: []string{"Query", "Parameters", "Images", "Answer"}, Rows: [][]string{}}
	for _, q := range list {
		s := q.Spec()
		if len(args) > 1 && args[1] != s.Name {
			continue
		}
		images := "each"
		if s.All {
			images = "all"
		}
		if s.Compare {
			images += ", --compare"
		}
		t.Rows = append(t.Rows, []string{s.Name, s.Usage(), images, s.Summary})
		if len(args) > 1 {
			for _, p := range s.Params {
				t.Rows = append(t.Rows, []string{"", strings.ToUpper(p.Name), "", p.Help})
			}
		}
	}
	return t
}

func (f *queryFlags) run(ctx context.Context, a *app, name string, args []string) (query.Table, error) {
	var q query.Query
	list, err := a.queries(ctx)
	if err != nil {
		return query.Table{}, err
	}
	for _, known := range list {
		if known.Spec().Name == name {
			q = known
		}
	}
	if q == nil {
		return query.Table{}, fmt.Errorf("no query is called %s; see tidewaiter query list", name)
	}
	spec := q.Spec()
	images := f.images
	if len(images) == 0 {
		if len(args) == 0 {
			return query.Table{}, fmt.Errorf("query %s: name an image; usage: tidewaiter query %s IMAGE %s", name, name, spec.Usage())
		}
		images, args = args[:1], args[1:]
	}
	if spec.Compare && f.compare == "" {
		return query.Table{}, fmt.Errorf("query %s: name the image to compare with: --compare IMAGE", name)
	}
	f.source.facts = f.source.facts || spec.Needs.Facts || spec.Needs.Verdict
	asker := asker{a: a, flags: f, needs: spec.Needs, now: time.Now()}
	if f.asOf != "" {
		if asker.now, err = parseInstant(f.asOf); err != nil {
			return query.Table{}, fmt.Errorf("--as-of: %w", err)
		}
	}
	in := query.Input{Params: args}
	if f.compare != "" {
		s, err := asker.subject(ctx, f.compare)
		if err != nil {
			return query.Table{}, fmt.Errorf("--compare %s: %w", f.compare, err)
		}
		in.Compare = &s
	}
	for _, arg := range images {
		s, err := asker.subject(ctx, arg)
		if err != nil {
			return query.Table{}, fmt.Errorf("%s: %w", arg, err)
		}
		in.Images = append(in.Images, s)
	}
	if spec.All {
		return ask(ctx, q, &in)
	}
	var all query.Table
	for i := range in.Images {
		t, err := ask(ctx, q, &query.Input{Images: in.Images[i : i+1], Compare: in.Compare, Params: in.Params})
		if err != nil {
			return t, err
		}
		all.Columns = t.Columns
		all.Rows = append(all.Rows, t.Rows...)
		all.Warnings = append(all.Warnings, t.Warnings...)
	}
	return all, nil
}

func ask(ctx context.Context, q query.Query, in *query.Input) (query.Table, error) {
	t, err := q.Run(ctx, in)
	if err == nil {
		err = t.Validate()
	}
	if err != nil {
		return t, fmt.Errorf("query %s: %w", q.Spec().Name, err)
	}
	return t, nil
}

// asker makes what a query needs to know of an image.
type asker struct {
	a     *app
	flags *queryFlags
	needs query.Needs
	now   time.Time
}

func (k *asker) subject(ctx context.Context, arg string) (query.Subject, error) {
	img, err := k.a.input(ctx, &k.flags.source, arg)
	if err != nil {
		return query.Subject{}, err
	}
	s := query.Subject{Name: arg, Image: img, Dockerfile: engine.GuessDockerfile(img)}
	if !k.needs.Findings && !k.needs.Verdict {
		return s, nil
	}
	feeds, done, err := k.a.feeds(ctx)
	if err != nil {
		return s, err
	}
	defer done()
	if !k.flags.source.noCache {
		defer k.a.keepMatches(ctx, feeds)()
	}
	feeds.Now = func() time.Time { return k.now }
	var o engine.ScanOptions
	if k.flags.asOf != "" {
		o.AsOf = k.now
	}
	if s.Scan, err = feeds.Scan(ctx, img, o); err != nil || !k.needs.Verdict {
		return s, err
	}
	bundle, err := k.a.openPolicy(k.flags.policy)
	if err != nil {
		return s, err
	}
	gates, err := k.a.gates(ctx)
	if err != nil {
		return s, err
	}
	judge := engine.Judge{Gates: gates, Looked: slices.Concat(k.flags.source.looked(), k.a.host.Facts())}
	tags := checkFlags{}
	v, err := judge.Check(ctx, engine.Question{Image: img, Scan: s.Scan, Bundle: bundle, Tag: tags.tagOf(arg, img), Now: k.now, AsOf: o.AsOf})
	s.Verdict = &v
	return s, err
}

// writeTable writes the rows where they belong and the warnings to standard
// error; JSON has both.
func (a *app) writeTable(outs []output, t *query.Table) error {
	for _, w := range t.Warnings {
		fmt.Fprintln(a.err, "warning: "+clean(w))
	}
	return a.writeOutputs(outs, output.options, func(w writer, o output, _ report.Options) error {
		switch o.format {
		case tableJSON:
			return writeTableJSON(w, t)
		case report.CSV:
			c := csv.NewWriter(w)
			c.Write(t.Columns)
			c.WriteAll(t.Rows)
			return c.Error()
		case report.Table:
			return writeTableText(w, t)
		}
		return errors.New("no such format")
	})
}

func writeTableJSON(w io.Writer, t *query.Table) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(t)
}

func writeTableText(w io.Writer, t *query.Table) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(cells []string) {
		for i, c := range cells {
			// One row is one line, whatever is in it.
			c = strings.NewReplacer("\t", " ", "\n", " ").Replace(clean(c))
			if i > 0 {
				io.WriteString(tw, "\t")
			}
			io.WriteString(tw, c)
		}
		io.WriteString(tw, "\n")
	}
	line(t.Columns)
	for _, r := range t.Rows {
		line(r)
	}
	return tw.Flush()
}
