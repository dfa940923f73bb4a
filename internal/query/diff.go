package query

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

const notInstalled = "NOTINSTALLED"

func diffQueries() []Query {
	return []Query{
		onCompared("show-pkg-diffs", "packages added, removed, or in another version than in the compared image", names("packages"),
			[]string{"Type", "Package", "Input_Image_Version", "Compare_Image_Version"}, func(s, other *Subject, words []string, t *Table) error {
				here, there := versions(s.Image), versions(other.Image)
				for _, k := range differing(here, there) {
					if selects(words, k.name) {
						t.add(k.typ, k.name, versionsOr(here[k]), versionsOr(there[k]))
					}
				}
				return nil
			}),
		onCompared("show-file-diffs", "files added, removed, or with another content than in the compared image",
			[]Param{{Name: "exclude", Help: "exclude=PATH: what to leave out", Repeated: true}},
			[]string{"File", "Input_Image_File_Checksum", "Compare_Image_Checksum"}, func(s, other *Subject, words []string, t *Table) error {
				var exclude []string
				for _, w := range words {
					x, ok := strings.CutPrefix(w, "exclude=")
					if !ok && w != "all" {
						return fmt.Errorf("parameter %q: use exclude=PATH", w)
					}
					if ok {
						exclude = append(exclude, x)
					}
				}
				for name, pair := range bothTables(s.Image.Files, other.Image.Files) {
					a, b := content(pair[0]), content(pair[1])
					if a != b && !slices.ContainsFunc(exclude, func(x string) bool { return strings.HasPrefix("/"+name, x) }) {
						t.add("/"+name, a, b)
					}
				}
				return nil
			}),
	}
}

// onCompared makes a query about an image and another one.
func onCompared(name, summary string, params []Param, columns []string, rows func(s, other *Subject, words []string, t *Table) error) Query {
	return &builtin{
		spec: Spec{Name: name, Summary: summary, Params: params, Compare: true},
		run: func(in *Input, t *Table) error {
			s, other := &in.Images[0], in.Compare
			t.Columns = append([]string{"Image_Id", "Repo_Tags", "Compare_Image_Id", "Compare_Repo_Tags"}, columns...)
			if err := rows(s, other, in.Params, t); err != nil {
				return err
			}
			for i, r := range t.Rows {
				t.Rows[i] = append([]string{s.ID(), s.Tags(), other.ID(), other.Tags()}, r...)
			}
			return nil
		},
	}
}

// named is what a package is called in whatever version.
type named struct{ typ, name string }

// versions lists the installed versions by name, sorted as text.
func versions(img *inventory.Image) map[named][]string {
	out := map[named][]string{}
	for i := range img.Packages {
		p := &img.Packages[i]
		k := named{p.Type, fullName(p)}
		if p.Type == "maven" && p.Namespace != "" {
			k.name = p.Namespace + ":" + p.Name
		}
		if v := dash(p.Version); !slices.Contains(out[k], v) {
			out[k] = append(out[k], v)
		}
	}
	for _, v := range out {
		slices.Sort(v)
	}
	return out
}

func differing(a, b map[named][]string) []named {
	var out []named
	for k, v := range a {
		if !slices.Equal(v, b[k]) {
			out = append(out, k)
		}
	}
	for k := range b {
		if a[k] == nil {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b named) int {
		if d := strings.Compare(a.typ, b.typ); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

func versionsOr(v []string) string {
	if len(v) == 0 {
		return notInstalled
	}
	return strings.Join(v, ",")
}

// content stands for what a path holds: a digest, a link's target, or its type.
func content(f *inventory.File) string {
	switch {
	case f == nil:
		return notInstalled
	case f.Type == inventory.Symlink:
		return "symlink:" + f.Link
	case f.Type == inventory.Regular:
		return checksum(f)
	}
	return f.Type.String()
}

// bothTables yields every path of two tables with its entries, nil where one
// has none, in the order of the tables.
func bothTables(a, b *inventory.Table) iter.Seq2[string, [2]*inventory.File] {
	return func(yield func(string, [2]*inventory.File) bool) {
		for f := range a.All() {
			var other *inventory.File
			if g, ok := b.Lookup(f.Path); ok {
				other = &g
			}
			if !yield(f.Path, [2]*inventory.File{&f, other}) {
				return
			}
		}
		for g := range b.All() {
			if _, ok := a.Lookup(g.Path); !ok && !yield(g.Path, [2]*inventory.File{nil, &g}) {
				return
			}
		}
	}
}
