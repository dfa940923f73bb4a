package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// queryPlugin makes a plugin a query.Query.
type queryPlugin struct{ p *Plugin }

var _ query.Query = (*queryPlugin)(nil)

// Spec describes the query. A plugin's parameters are words of the command line
// in the order of its description; the last takes all further words where it is
// a list.
func (q *queryPlugin) Spec() query.Spec {
	d := q.p.desc.Query
	s := query.Spec{Name: d.Name, Summary: q.p.desc.Help, All: d.Images == "many", Compare: d.Images == "two", Plugin: q.p.desc.Name}
	for i := range d.Parameters {
		p := &d.Parameters[i]
		s.Params = append(s.Params, query.Param{Name: p.Name, Help: p.Help, Required: p.Required, Repeated: p.Type == string(policy.List) && i == len(d.Parameters)-1})
	}
	for _, n := range d.Needs {
		switch n {
		case plugin.Findings:
			s.Needs.Findings = true
		case plugin.Facts:
			s.Needs.Facts = true
		case plugin.Verdict:
			s.Needs.Verdict = true
		}
	}
	return s
}

func (q *queryPlugin) Run(ctx context.Context, in *query.Input) (query.Table, error) {
	spec := q.Spec()
	if err := spec.Check(in); err != nil {
		return query.Table{}, err
	}
	t, err := q.run(ctx, &spec, in)
	if err != nil && ctx.Err() == nil && !strings.HasPrefix(err.Error(), "plugin ") {
		err = q.p.error(err)
	}
	return t, err
}

func (q *queryPlugin) run(ctx context.Context, spec *query.Spec, in *query.Input) (query.Table, error) {
	var t query.Table
	d := q.p.desc.Query
	limits := &q.p.host.limits
	values, err := named(d.Parameters, spec.Params, in.Params)
	if err != nil {
		return t, err
	}
	dir, err := q.p.request()
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return t, err
	}
	images := in.Images
	if spec.Compare {
		images = append(slices.Clone(images), *in.Compare)
	}
	var folders []string
	for i := range images {
		img := &images[i]
		at := fmt.Sprintf("%s/%d", dir, i+1)
		v := view{image: img.Image, scan: img.Scan, verdict: img.Verdict, tag: img.Name, now: time.Now(), dockerfile: img.Dockerfile.Text}
		if img.Scan != nil {
			v.now = img.Scan.At
		}
		if err := writeImage(at, &v, d.Needs, q.p.Plain); err != nil {
			return t, err
		}
		folders = append(folders, at)
	}
	if q.p.Plain {
		env := []string{"TIDEWAITER_IMAGES=" + strings.Join(folders, " "), "TIDEWAITER_IMAGE=" + folders[0]}
		for name, value := range values {
			env = append(env, "TIDEWAITER_PARAM_"+envName(name)+"="+value)
		}
		b, err := q.p.script(ctx, append([]string{"query"}, folders...), env, limits.Query, limits.Output)
		if err != nil {
			return t, err
		}
		if t.Columns, t.Rows, err = plainTable(b, limits.Items); err != nil {
			return t, fmt.Errorf("its answer is not of the plain mode: %w", err)
		}
	} else if err := q.p.call(ctx, &plugin.Request{Method: plugin.MethodQuery, Parameters: values, Images: folders}, limits.Query, limits.Output, func(a *plugin.Answer) error {
		if t.Columns == nil {
			t.Columns = a.Columns
		}
		if t.Rows, t.Warnings = append(t.Rows, a.Rows...), append(t.Warnings, a.Warnings...); len(t.Rows) > limits.Items || len(t.Warnings) > limits.Items {
			return fmt.Errorf("it answered more than the limit \"plugin items\" of %d", limits.Items)
		}
		return nil
	}); err != nil {
		return t, err
	}
	if spec.Needs.Findings {
		for i := range images {
			t.Warnings = append(t.Warnings, images[i].Doubts()...)
		}
	}
	if len(t.Columns) > 200 {
		return t, errors.New("it answered more than 200 columns")
	}
	for _, list := range append(slices.Clone(t.Rows), t.Columns, t.Warnings) {
		for i := range list {
			list[i] = clean(list[i], 10_000)
		}
	}
	if err := t.Validate(); err != nil {
		return t, err
	}
	sortTable(&t)
	return t, nil
}

// sortTable sorts by the columns whose names begin with "*", numbers by their
// size, and takes the mark off.
func sortTable(t *query.Table) {
	if t.Rows == nil {
		t.Rows = [][]string{}
	}
	for i := len(t.Columns) - 1; i >= 0; i-- {
		if name, ok := strings.CutPrefix(t.Columns[i], "*"); ok {
			t.Columns[i] = name
			slices.SortStableFunc(t.Rows, func(a, b []string) int { return compareCells(a[i], b[i]) })
		}
	}
}

func compareCells(a, b string) int {
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if number(a) && number(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if d := len(a) - len(b); d != 0 {
			return d
		}
	}
	return strings.Compare(a, b)
}

// named gives the words of the command line their names, checked, and what is
// not given its default.
func named(specs []plugin.Parameter, params []query.Param, words []string) (map[string]string, error) {
	out := map[string]string{}
	for i, s := range specs {
		switch {
		case i >= len(words):
			if s.Default != "" {
				out[s.Name] = s.Default
			}
			continue
		case params[i].Repeated:
			out[s.Name] = strings.Join(words[i:], ",")
		default:
			out[s.Name] = words[i]
		}
		if err := checkValue(&specs[i], out[s.Name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
