package node

import (
	"context"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Libraries finds copies of a few widely used JavaScript libraries that no
// package.json tells of: files of their names (jquery.min.js,
// bootstrap-4.6.2.bundle.js) that begin with the comment by which the library
// names itself and its version, or carry a version in their name. Neither is
// proof, so the packages have a confidence below one. Bundles of several
// libraries in one file are not looked into, nor is documentation.
type Libraries struct{}

var _ analyze.Analyzer = Libraries{}

// Name implements analyze.Analyzer.
func (Libraries) Name() string { return "node-library" }

// Version implements analyze.Analyzer.
func (Libraries) Version() int { return 1 }

const (
	libraryHead = 512 // bytes; the comments that count begin a file

	bannerConfidence = 0.9
	nameConfidence   = 0.5
)

// library is a library by its name in the npm registry, the beginning of its
// files' names in lower case, and what stands before the version in the comment.
type library struct {
	name, stem string
	banners    []string
}

// libraries are those whose comment was compared with what npm says of a
// release. One whose stem begins with that of another comes before it.
var libraries = [...]library{
	{"angular", "angular", []string{"AngularJS v"}},
	{"axios", "axios", []string{"axios v", "Axios v"}},
	{"backbone", "backbone", []string{"Backbone.js "}},
	{"bootstrap", "bootstrap", []string{"Bootstrap v"}},
	{"chart.js", "chart", []string{"Chart.js v"}},
	{"d3", "d3", []string{"https://d3js.org v"}},
	{"dompurify", "purify", []string{"DOMPurify "}},
	{"handlebars", "handlebars", []string{"handlebars v"}},
	{"jquery-migrate", "jquery-migrate", []string{"jQuery Migrate v", "jQuery Migrate - v"}},
	{"jquery-ui", "jquery-ui", []string{"jQuery UI - v"}},
	{"jquery", "jquery", []string{"jQuery JavaScript Library v", "jQuery v"}},
	{"knockout", "knockout", []string{"Knockout JavaScript library v"}},
	{"moment", "moment", []string{"moment.js\n//! version : "}},
	{"select2", "select2", []string{"Select2 "}},
	{"underscore", "underscore", []string{"Underscore.js "}},
	{"vue", "vue", []string{"Vue.js v"}},
}

// Wants implements analyze.Analyzer.
func (Libraries) Wants(e analyze.Entry) analyze.Interest {
	if !strings.HasSuffix(e.Path, ".js") || strings.HasPrefix(e.Path, "usr/share/doc/") {
		return analyze.Ignore
	}
	base := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	for i := range libraries {
		if l := &libraries[i]; l.named(base) && !l.inside(e.Path) {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// named reports whether a file's name is the library's with something after it.
func (l *library) named(base string) bool {
	return len(base) > len(l.stem) && base[0]|0x20 == l.stem[0] && strings.EqualFold(base[:len(l.stem)], l.stem) && strings.IndexByte(".-_", base[len(l.stem)]) >= 0
}

// inside reports whether a path lies in the library's own package, whose
// package.json says all of it.
func (l *library) inside(p string) bool {
	i := strings.LastIndex(p, "node_modules/")
	return i >= 0 && strings.HasPrefix(p[i+len("node_modules/"):], l.name+"/")
}

// Analyze implements analyze.Analyzer.
func (Libraries) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	head := make([]byte, libraryHead)
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		n, err := f.ReadAt(head, 0)
		if err != nil && err != io.EOF {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if p, ok := libraryFile(f.Path, string(head[:n])); ok {
			out.Packages = append(out.Packages, p)
		}
	}
	return nil
}

// libraryFile recognises a file by its name and beginning: by the comment
// rather than by the version in the name.
func libraryFile(file, head string) (inventory.Package, bool) {
	base := path.Base(file)
	p := inventory.Package{Type: "npm", Path: file}
	said := comment(head)
	for i := range libraries {
		l := &libraries[i]
		if !l.named(base) || l.inside(file) {
			continue
		}
		for _, b := range l.banners {
			if rest, ok := strings.CutPrefix(said, b); ok {
				if v := libraryVersion(rest); v != "" {
					p.Name, p.Version, p.Technique, p.Confidence = l.name, v, inventory.TechBanner, bannerConfidence
					return p, true
				}
			}
		}
		if p.Version == "" {
			if v := versionInName(base[len(l.stem):]); v != "" {
				p.Name, p.Version, p.Technique, p.Confidence = l.name, v, inventory.TechFileName, nameConfidence
			}
		}
	}
	return p, p.Version != ""
}

// comment returns what stands in the comment that begins a file.
func comment(head string) string {
	head = strings.TrimLeft(strings.TrimPrefix(head, "\uFEFF"), " \t\r\n")
	if !strings.HasPrefix(head, "/*") && !strings.HasPrefix(head, "//") {
		return ""
	}
	const decoration = " \t\r\n/*!"
	head = strings.TrimLeft(strings.ReplaceAll(head, "\r\n", "\n"), decoration)
	if rest, ok := strings.CutPrefix(head, "@license"); ok {
		head = strings.TrimLeft(rest, decoration)
	}
	return head
}

// libraryVersion returns the version s begins with: numbers with dots between
// them, and what may follow a hyphen.
func libraryVersion(s string) string {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' && n > 0) {
		n++
	}
	v := strings.TrimRight(s[:n], ".")
	if n > 0 && n == len(v) && n < len(s) && s[n] == '-' {
		end := n + 1
		for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] >= 'a' && s[end] <= 'z' || s[end] == '.') {
			end++
		}
		if pre := strings.TrimRight(s[n+1:end], "."); pre != "" {
			v += "-" + pre
		}
	}
	if strings.IndexByte(v, '.') < 0 || strings.Contains(v, "..") || len(v) > 40 || n == len(s) {
		return ""
	}
	return v
}

// versionInName returns the version in the end of a file's name, behind the
// library's: "-3.4.1.min.js", and nothing where anything else is in it.
func versionInName(rest string) string {
	rest = strings.TrimSuffix(rest[1:], ".js")
	for _, kind := range [...]string{".min", "-min", ".slim", ".bundle"} {
		rest = strings.TrimSuffix(rest, kind)
	}
	if rest == "" || libraryVersion(rest+" ") != rest || strings.Count(rest, ".") < 2 || strings.Contains(rest, "-") {
		return ""
	}
	return rest
}
