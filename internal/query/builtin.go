package query

import (
	"cmp"
	"context"
	"slices"
)

// builtin is a query that comes with the program.
type builtin struct {
	spec Spec
	run  func(in *Input, t *Table) error
}

func (q *builtin) Spec() Spec { return q.spec }

func (q *builtin) Run(ctx context.Context, in *Input) (Table, error) {
	var t Table
	if err := q.spec.Check(in); err != nil {
		return t, err
	}
	if err := ctx.Err(); err != nil {
		return t, err
	}
	err := q.run(in, &t)
	if t.Rows == nil {
		t.Rows = [][]string{}
	}
	return t, err
}

// Builtin returns the queries that come with the program, by name.
func Builtin() []Query {
	list := slices.Concat(packageQueries(), fileQueries(), imageQueries(), diffQueries(), fleetQueries(), verdictQueries())
	slices.SortFunc(list, func(a, b Query) int { return cmp.Compare(a.Spec().Name, b.Spec().Name) })
	return list
}

// names is the usual parameter: which things by name.
func names(what string) []Param {
	return []Param{{Name: "name", Help: what + " to show, or all (the default)", Repeated: true}}
}

// onImage makes a query about one image. Its rows begin with the image.
func onImage(name, summary string, params []Param, columns []string, rows func(s *Subject, words []string, t *Table) error) Query {
	return &builtin{
		spec: Spec{Name: name, Summary: summary, Params: params},
		run: func(in *Input, t *Table) error {
			s := &in.Images[0]
			t.Columns = append([]string{"Image_Id", "Repo_Tags"}, columns...)
			if err := rows(s, in.Params, t); err != nil {
				return err
			}
			for i, r := range t.Rows {
				t.Rows[i] = append([]string{s.ID(), s.Tags()}, r...)
			}
			return nil
		},
	}
}

// needing says what a query must know.
func needing(q Query, n Needs) Query {
	q.(*builtin).spec.Needs = n
	return q
}

func comparing(q Query) Query {
	q.(*builtin).spec.Compare = true
	return q
}

// sortRows sorts by the given columns, ascending.
func (t *Table) sortRows(columns ...int) {
	slices.SortStableFunc(t.Rows, func(a, b []string) int {
		for _, c := range columns {
			if d := cmp.Compare(a[c], b[c]); d != 0 {
				return d
			}
		}
		return 0
	})
}
