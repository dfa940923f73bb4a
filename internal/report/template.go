package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Group is the packages of one type, for templates.
type Group struct {
	Type     string
	Packages []*inventory.Package
}

// writeTemplate executes a template of text/template with the image as its
// data. Beside the functions that text/template has there are
//
//	purl PACKAGE            its package URL
//	name PACKAGE            its name as its ecosystem writes it
//	licenses PACKAGE        its licences, joined by AND
//	groups PACKAGES         lists by type, each with .Type and .Packages
//	layer INDEX             what the image says of a layer
//	instruction TEXT        the telling part of a layer's CreatedBy
//	bytes NUMBER            28.2 MB
//	json VALUE              as JSON
//	csv VALUE…              a line of CSV (RFC 4180) without its end
//	join SEPARATOR LIST, split SEPARATOR TEXT, replace OLD NEW TEXT
//	lower TEXT, upper TEXT, trim TEXT, shorten COLUMNS TEXT, printable TEXT
//	contains PART TEXT, hasPrefix PREFIX TEXT, hasSuffix SUFFIX TEXT
func writeTemplate(w io.Writer, img *inventory.Image, o Options) error {
	t, err := template.New("template").Option("missingkey=error").Funcs(functions(img)).Parse(o.Template)
	if err != nil {
		return err
	}
	bw := bufio.NewWriter(w)
	if err := t.Execute(bw, img); err != nil {
		return err
	}
	return bw.Flush()
}

func functions(img *inventory.Image) template.FuncMap {
	return template.FuncMap{
		"purl":        func(p *inventory.Package) string { return p.PURL() },
		"name":        name,
		"licenses":    func(p *inventory.Package) string { return licenses(p.StatedLicenses()) },
		"groups":      groups,
		"layer":       func(i int) inventory.LayerInfo { return layer(img, i) },
		"instruction": instruction,
		"bytes":       byteSize,
		"json":        toJSON,
		"csv":         csvLine,
		"join":        func(sep string, list []string) string { return strings.Join(list, sep) },
		"split":       func(sep, s string) []string { return strings.Split(s, sep) },
		"replace":     func(old, with, s string) string { return strings.ReplaceAll(s, old, with) },
		"lower":       strings.ToLower,
		"upper":       strings.ToUpper,
		"trim":        strings.TrimSpace,
		"shorten":     shorten,
		"printable":   printable,
		"contains":    func(part, s string) bool { return strings.Contains(s, part) },
		"hasPrefix":   func(prefix, s string) bool { return strings.HasPrefix(s, prefix) },
		"hasSuffix":   func(suffix, s string) bool { return strings.HasSuffix(s, suffix) },
	}
}

func groups(list []inventory.Package) []Group {
	var out []Group
	index := make(map[string]int)
	for i := range list {
		p := &list[i]
		k, ok := index[p.Type]
		if !ok {
			k = len(out)
			index[p.Type] = k
			out = append(out, Group{Type: p.Type})
		}
		out[k].Packages = append(out[k].Packages, p)
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.Type, b.Type) })
	return out
}

func toJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// csvLine quotes what needs it.
func csvLine(values ...any) string {
	fields := make([]string, len(values))
	for i, v := range values {
		s := fmt.Sprint(v)
		if strings.ContainsAny(s, ",\"\r\n") {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		fields[i] = s
	}
	return strings.Join(fields, ",")
}
