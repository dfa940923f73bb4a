// Package wordpress reads WordPress, its plugins and its themes.
package wordpress

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads wp-includes/version.php (type "generic", name "wordpress"),
// the headers of plugins ("wordpress-plugin") and of themes
// ("wordpress-theme"). A plugin or theme has the name of its folder, which is
// what wordpress.org knows it by; Meta["name"] is its title.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "wordpress" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// headerSize is how many bytes WordPress itself looks at for a header.
const headerSize = 8 << 10

type kind uint8

const (
	none kind = iota
	core
	plugin
	theme
)

// kindOf tells what a file may be; slug is the folder's name, or that of a
// plugin which is a single file, and dir what belongs to it.
func kindOf(p string) (k kind, slug, dir string) {
	if s, ok := strings.CutSuffix(p, "wp-includes/version.php"); ok {
		if s == "" || s[len(s)-1] == '/' {
			return core, "wordpress", s
		}
		return none, "", ""
	}
	i := strings.Index(p, "wp-content/")
	if i < 0 || i > 0 && p[i-1] != '/' {
		return none, "", ""
	}
	rest := p[i+len("wp-content/"):]
	if s, ok := strings.CutPrefix(rest, "themes/"); ok {
		slug, file, _ := strings.Cut(s, "/")
		if file == "style.css" && analyze.ValidName(slug) {
			return theme, slug, strings.TrimSuffix(p, file)
		}
		return none, "", ""
	}
	s, ok := strings.CutPrefix(rest, "plugins/")
	if !ok {
		if s, ok = strings.CutPrefix(rest, "mu-plugins/"); !ok {
			return none, "", ""
		}
	}
	base, ok := strings.CutSuffix(s, ".php")
	if !ok {
		return none, "", ""
	}
	slug, file, folder := strings.Cut(base, "/")
	switch {
	case !analyze.ValidName(slug) || strings.Contains(file, "/") || slug == "index":
		return none, "", ""
	case folder:
		return plugin, slug, p[:strings.LastIndexByte(p, '/')+1]
	case slug == "hello": // WordPress brings it as a file of another name
		slug = "hello-dolly"
	}
	return plugin, slug, p
}

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, ".php") || strings.HasSuffix(e.Path, "/style.css") {
		if k, _, _ := kindOf(e.Path); k != none {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k, slug, dir := kindOf(f.Path)
		if k == none && err == nil {
			continue
		}
		var head []byte
		if err == nil {
			head = make([]byte, min(f.Size, headerSize))
			if _, err = f.ReadAt(head, 0); errors.Is(err, io.EOF) {
				err = nil
			}
		}
		if err == nil {
			err = read(f.Path, k, slug, dir, strings.ReplaceAll(string(head), "\r", "\n"), out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

func read(file string, k kind, slug, dir, head string, out *inventory.Record) error {
	p := inventory.Package{Name: slug, Path: file, Technique: inventory.TechMetadata}
	if k == core {
		if p.Version = assigned(head, "$wp_version"); !version(p.Version) {
			if !strings.Contains(head, "WordPress") {
				return nil // someone else's folder
			}
			return errors.New("it does not say WordPress's version")
		}
		p.Type = "generic"
		p.CPEs = []string{"cpe:2.3:a:wordpress:wordpress:" + strings.ReplaceAll(p.Version, "+", `\+`) + ":*:*:*:*:*:*:*"}
		p.Files = inventory.NewFileList([]string{dir + "wp-includes/", dir + "wp-admin/"})
		out.Packages = append(out.Packages, p)
		return nil
	}
	title := "Plugin Name"
	p.Type = "wordpress-plugin"
	if k == theme {
		title, p.Type = "Theme Name", "wordpress-theme"
	}
	h := header(head)
	if h[title] == "" {
		return nil // a file of a plugin's that is not its main one
	}
	p.Meta = map[string]string{"name": analyze.FirstLine(h[title])}
	if v := h["Version"]; version(v) {
		p.Version = v
	}
	p.Description = analyze.FirstLine(h["Description"])
	p.Supplier = analyze.FirstLine(h["Author"])
	for _, key := range [...]string{"Plugin URI", "Theme URI"} {
		if u := h[key]; strings.HasPrefix(u, "http") {
			p.Homepage = analyze.Clip(u, 1024)
		}
	}
	if l := analyze.FirstLine(h["License"]); l != "" {
		p.Licenses = []inventory.License{{Raw: l, Source: "declared"}}
	}
	for _, n := range [...]string{h["Template"], h["Requires Plugins"]} {
		for n := range strings.SplitSeq(n, ",") {
			if n = strings.TrimSpace(n); analyze.ValidName(n) && len(p.Depends) < 100 {
				p.Depends = append(p.Depends, n)
			}
		}
	}
	p.Files = inventory.NewFileList([]string{dir})
	out.Packages = append(out.Packages, p)
	return nil
}

// header reads "Key: value" lines of the comment that a file begins with. Of
// several of a key the first counts.
func header(head string) map[string]string {
	h := map[string]string{}
	for s := range strings.Lines(head) {
		s = strings.TrimLeft(strings.TrimPrefix(strings.TrimSpace(s), "<?php"), " \t/*#@")
		key, value, ok := strings.Cut(s, ":")
		if !ok {
			continue
		}
		switch key {
		case "Plugin Name", "Theme Name", "Version", "Description", "Author", "Plugin URI", "Theme URI", "License", "Template", "Requires Plugins":
			value, _, _ = strings.Cut(value, "*/")
			value, _, _ = strings.Cut(value, "?>")
			if _, ok := h[key]; !ok {
				h[key] = strings.TrimSpace(value)
			}
		}
	}
	return h
}

// assigned is the string that a variable gets.
func assigned(text, variable string) string {
	for s := range strings.Lines(text) {
		s, ok := strings.CutPrefix(strings.TrimSpace(s), variable)
		if !ok {
			continue
		}
		if s, ok = strings.CutPrefix(strings.TrimSpace(s), "="); !ok {
			continue
		}
		if s = strings.TrimSpace(s); len(s) > 2 && (s[0] == '\'' || s[0] == '"') {
			if end := strings.IndexByte(s[1:], s[0]); end > 0 {
				return s[1 : 1+end]
			}
		}
	}
	return ""
}

// version reports whether s can be a version and is no placeholder.
func version(s string) bool {
	return analyze.ValidName(s) && strings.ContainsAny(s, "0123456789") && !strings.ContainsAny(s, "%*'`\\/()[];:") && s[0] != '@'
}
