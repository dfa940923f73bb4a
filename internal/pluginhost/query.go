package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// queryPlugin makes a plugin a query.Query.
type queryPlugin struct{ p *Plugin }

var _ query.Query = (*queryPlugin)(nil)

func (q *queryPlugin) Spec() query.Spec {
	d := q.p.desc.Query
	s := query.Spec{Name: d.Name, Help: q.p.desc.Help, Images: query.Images(d.Images), From: q.p.desc.Name}
	for i := range d.Parameters {
		s.Params = append(s.Params, paramSpec(&d.Parameters[i]))
	}
	for _, n := range d.Needs {
		switch n {
		case plugin.Findings:
			s.Needs = append(s.Needs, query.Findings)
		case plugin.Facts:
			s.Needs = append(s.Needs, query.Facts)
		case plugin.Verdict:
			s.Needs = append(s.Needs, query.Verdict)
		}
	}
	return s
}

func (q *queryPlugin) Run(ctx context.Context, in query.Input) (*query.Table, error) {
	d := q.p.desc.Query
	limits := &q.p.host.limits
	dir, err := q.p.request()
	if err != nil {
		return nil, q.p.error(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, q.p.error(err)
	}
	var folders []string
	for i := range in.Images {
		img := &in.Images[i]
		at := fmt.Sprintf("%s/%d", dir, i+1)
		v := view{image: img.Inventory, scan: img.Scan, verdict: img.Verdict, tag: img.Name, now: in.Now, looked: img.Looked}
		if err := writeImage(at, &v, d.Needs, q.p.Plain); err != nil {
			return nil, q.p.error(err)
		}
		folders = append(folders, at)
	}
	values := given(d.Parameters, in.Params)
	var columns, warnings []string
	var rows [][]string
	if q.p.Plain {
		env := []string{"TIDEWAITER_IMAGES=" + strings.Join(folders, " "), "TIDEWAITER_IMAGE=" + folders[0]}
		for name, value := range values {
			env = append(env, "TIDEWAITER_PARAM_"+envName(name)+"="+value)
		}
		b, err := q.p.script(ctx, append([]string{"query"}, folders...), env, limits.Query, limits.Output)
		if err != nil {
			return nil, err
		}
		if columns, rows, err = plainTable(b, limits.Items); err != nil {
			return nil, q.p.error(fmt.Errorf("its answer is not of the plain mode: %w", err))
		}
	} else if err := q.p.call(ctx, &plugin.Request{Method: plugin.MethodQuery, Parameters: values, Images: folders}, limits.Query, limits.Output, func(a *plugin.Answer) error {
		if columns == nil {
			columns = a.Columns
		}
		if rows, warnings = append(rows, a.Rows...), append(warnings, a.Warnings...); len(rows) > limits.Items || len(warnings) > limits.Items {
			return fmt.Errorf("it answered more than the limit \"plugin items\" of %d", limits.Items)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if len(columns) == 0 || len(columns) > 200 {
		return nil, q.p.error(errors.New("it answered no columns, or more than 200"))
	}
	for _, list := range append(rows, columns, warnings) {
		for i := range list {
			list[i] = clean(list[i], 10_000)
		}
	}
	t, err := query.NewTable(columns, rows)
	if err != nil {
		return nil, q.p.error(err)
	}
	t.Warnings = warnings
	return t, nil
}

// given are parameters as text, with the defaults.
func given(specs []plugin.Parameter, params policy.Params) map[string]string {
	out := params.Given()
	if out == nil {
		out = map[string]string{}
	}
	for _, s := range specs {
		if _, ok := out[s.Name]; !ok && s.Default != "" {
			out[s.Name] = s.Default
		}
	}
	return out
}
