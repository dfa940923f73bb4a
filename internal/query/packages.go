package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func packageQueries() []Query {
	list := []Query{
		onImage("list-packages", "packages of the operating system", names("packages"), []string{"Package", "Version"},
			func(s *Subject, words []string, t *Table) error {
				for p := range osPackages(s, words) {
					t.add(p.Name, p.Version)
				}
				return nil
			}),
		onImage("list-package-detail", "packages of the operating system with architecture, size, origin and licence", names("packages"),
			[]string{"Package_Name", "Version", "Arch", "Type", "Size", "Origin", "License"},
			func(s *Subject, words []string, t *Table) error {
				for p := range osPackages(s, words) {
					t.add(p.Name, p.Version, dash(p.Arch), p.Type, size(p.Size), dash(p.Supplier), dash(licenses(p)))
				}
				return nil
			}),
		onImage("list-package-licenses", "packages whose licence contains a text",
			[]Param{{Name: "text", Help: "part of a licence, whatever the case, or all (the default)", Repeated: true}},
			[]string{"Package", "Version", "License"},
			func(s *Subject, words []string, t *Table) error {
				for i := range s.Image.Packages {
					p := &s.Image.Packages[i]
					l := licenses(p)
					if everything(words) || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(l), strings.ToLower(w)) }) {
						t.add(p.Name, p.Version, dash(l))
					}
				}
				return nil
			}),
		onImage("has-package", "which of the named packages are installed, of whatever type",
			[]Param{{Name: "name", Help: "of a package", Required: true, Repeated: true}},
			[]string{"Query_Param", "Package", "Version", "Type"},
			func(s *Subject, words []string, t *Table) error {
				for _, w := range words {
					for i := range s.Image.Packages {
						if p := &s.Image.Packages[i]; w == fullName(p) || w == p.Name {
							t.add(w, fullName(p), p.Version, p.Type)
						}
					}
				}
				return nil
			}),
	}
	for _, kind := range []struct{ typ, list, detail, what string }{
		{"npm", "list-npms", "list-npm-detail", "npm packages"},
		{"gem", "list-gems", "list-gem-detail", "Ruby gems"},
		{"pypi", "list-python-packages", "list-python-package-detail", "Python packages"},
		{"golang", "list-go-modules", "list-go-module-detail", "Go modules"},
		{"cargo", "list-crates", "list-crate-detail", "Rust crates"},
		{"nuget", "list-nugets", "list-nuget-detail", ".NET packages"},
		{"composer", "list-composer-packages", "list-composer-package-detail", "PHP packages"},
	} {
		list = append(list,
			onImage(kind.list, kind.what, names("packages"), []string{"Package_Name", "Version", "Location"}, func(s *Subject, words []string, t *Table) error {
				eachLocation(s, kind.typ, words, func(p *inventory.Package, location string) { t.add(fullName(p), dash(p.Version), location) })
				return nil
			}),
			onImage(kind.detail, kind.what+" with origin, source and licence", names("packages"),
				[]string{"Package_Name", "Version", "Origin", "Source", "License", "Location"}, func(s *Subject, words []string, t *Table) error {
					eachLocation(s, kind.typ, words, func(p *inventory.Package, location string) {
						t.add(fullName(p), dash(p.Version), dash(p.Supplier), dash(p.Homepage), dash(licenses(p)), location)
					})
					return nil
				}))
	}
	return append(list,
		onImage("list-java-packages", "Java archives", names("packages"),
			[]string{"Package_Name", "Specification_Version", "Implementation_Version", "Location"}, func(s *Subject, words []string, t *Table) error {
				eachLocation(s, "maven", words, func(p *inventory.Package, location string) {
					t.add(p.Name, dash(p.Meta["Specification-Version"]), dash(implementationVersion(p)), location)
				})
				return nil
			}),
		onImage("list-java-package-detail", "Java archives with their group", names("packages"),
			[]string{"Package_Name", "Specification_Version", "Implementation_Version", "Origin", "Location"}, func(s *Subject, words []string, t *Table) error {
				eachLocation(s, "maven", words, func(p *inventory.Package, location string) {
					t.add(p.Name, dash(p.Meta["Specification-Version"]), dash(implementationVersion(p)), dash(p.Namespace), location)
				})
				return nil
			}))
}

// implementationVersion is what the manifest says, else what else is known.
func implementationVersion(p *inventory.Package) string {
	if v := p.Meta["Implementation-Version"]; v != "" {
		return v
	}
	return p.Version
}

func osPackages(s *Subject, words []string) func(yield func(*inventory.Package) bool) {
	return func(yield func(*inventory.Package) bool) {
		for i := range s.Image.Packages {
			if p := &s.Image.Packages[i]; p.OS() && selects(words, p.Name) && !yield(p) {
				return
			}
		}
	}
}

// eachLocation visits every place of every package of a type.
func eachLocation(s *Subject, typ string, words []string, visit func(p *inventory.Package, location string)) {
	for i := range s.Image.Packages {
		p := &s.Image.Packages[i]
		if p.Type != typ || !selects(words, fullName(p)) && !selects(words, p.Name) {
			continue
		}
		if len(p.Locations) == 0 {
			visit(p, place(p.Path, p.Inner))
		}
		for _, l := range p.Locations {
			visit(p, place(l.Path, l.Inner))
		}
	}
}

func place(path, inner string) string {
	if inner != "" {
		return "/" + path + "!" + inner
	}
	return "/" + path
}

// fullName is the name as the package's own registry writes it.
func fullName(p *inventory.Package) string {
	if p.Namespace == "" || p.OS() || p.Type == "maven" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

func licenses(p *inventory.Package) string {
	var out []string
	for _, l := range p.Licenses {
		s := l.Expression
		if s == "" {
			s = l.Raw
		}
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// size is a number of bytes, "-" where it is not known.
func size(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}
