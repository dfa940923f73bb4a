// Package julia reads packages of Julia: those in a depot, the standard
// library, and manifests of projects.
package julia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads the Project.toml of packages that are installed in a depot,
// packages/NAME/SLUG, or in Julia's own stdlib/vVERSION/NAME. The qualifier
// uuid identifies a package.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "julia" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, "/Project.toml")
	if !ok {
		dir, ok = strings.CutSuffix(e.Path, "/JuliaProject.toml")
	}
	if ok && home(dir) != "" {
		return analyze.Alone
	}
	return analyze.Ignore
}

// home is the name that a package has by its folder, or "".
func home(dir string) string {
	rest, last, ok := cutLast(dir)
	if !ok {
		return ""
	}
	if rest2, v, ok := cutLast(rest); ok && strings.HasSuffix(rest2, "/stdlib") && len(v) > 1 && v[0] == 'v' && v[1] >= '0' && v[1] <= '9' {
		return last
	}
	if !slug(last) {
		return ""
	}
	rest, name, ok := cutLast(rest)
	if !ok || rest != "packages" && !strings.HasSuffix(rest, "/packages") {
		return ""
	}
	return name
}

// slug reports whether s is what a depot calls a version's folder: four or
// five letters and digits.
func slug(s string) bool {
	if len(s) < 4 || len(s) > 5 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

func cutLast(s string) (dir, base string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return each(ctx, files, out, func(f *analyze.File, data []byte) error {
		dir, _, _ := cutLast(f.Path)
		folder := home(dir)
		if folder == "" {
			return nil
		}
		p := inventory.Package{Type: "julia", Path: f.Path, Technique: inventory.TechMetadata, Files: inventory.NewFileList([]string{dir + "/"})}
		scan(data, func(table []string, key, value string) {
			switch {
			case len(table) == 1 && table[0] == "deps":
				if analyze.ValidName(key) && len(p.Depends) < maxDepends {
					p.Depends = append(p.Depends, key)
				}
			case len(table) > 0:
			case key == "name":
				p.Name = str(value)
			case key == "version":
				p.Version = str(value)
			case key == "uuid":
				setUUID(&p, str(value))
			}
		})
		if p.Name == "" {
			return errors.New("it names no package")
		}
		if p.Name != folder || !analyze.ValidName(p.Name) { // some other folder of projects
			return nil
		}
		if !analyze.ValidName(p.Version) {
			p.Version = "" // of the standard library: that of Julia
			if rest, _, ok := cutLast(dir); ok && !strings.Contains(rest, "/stdlib/v") {
				return fmt.Errorf("package %s has no valid version", p.Name)
			}
		}
		out.Packages = append(out.Packages, p)
		return nil
	})
}

const (
	maxPackages = 100_000 // of one manifest
	maxDepends  = 1000
)

func each(ctx context.Context, files fs.FS, out *inventory.Record, read func(f *analyze.File, data []byte) error) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = read(f, data)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading %s: %w", f.Path[strings.LastIndexByte(f.Path, '/')+1:], err)
		}
	}
	return nil
}

func setUUID(p *inventory.Package, uuid string) {
	if len(uuid) == 36 && strings.Trim(strings.ToLower(uuid), "0123456789abcdef-") == "" {
		p.Qualifiers = map[string]string{"uuid": strings.ToLower(uuid)}
	}
}

// scan reads TOML as Pkg writes it: a table's header or "key = value" a line.
// pair gets the value as written; with key "" a table begins. Values of
// several lines are read over.
func scan(data []byte, pair func(table []string, key, value string)) {
	var table []string
	for raw := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		s := strings.TrimSpace(string(raw))
		if s == "" || s[0] == '#' {
			continue
		}
		if s[0] == '[' {
			if end := strings.IndexByte(s, ']'); end > 0 {
				table = strings.Split(strings.Trim(s[:end], "[ "), ".")
				for i := range table {
					table[i] = strings.Trim(table[i], ` "'`)
				}
				pair(table, "", "")
			}
			continue
		}
		if key, value, ok := strings.Cut(s, "="); ok {
			pair(table, strings.Trim(strings.TrimSpace(key), `"`), strings.TrimSpace(value))
		}
	}
}

// str is the content of a TOML string without escapes, "" for other values.
func str(v string) string {
	if len(v) < 2 || v[0] != '"' && v[0] != '\'' {
		return ""
	}
	end := strings.IndexByte(v[1:], v[0])
	if end < 0 {
		return ""
	}
	return v[1 : 1+end]
}

// Lock reads Manifest.toml, formats 1 and 2, as declared. Packages by path and
// parts of the standard library without a version of their own are left out;
// what is taken from a repository has the qualifier vcs_url.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "julia-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer]. Manifests of installed packages are for
// their tests and documentation.
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	if !strings.HasSuffix(e.Path, ".toml") {
		return analyze.Ignore
	}
	dir, base, _ := cutLast(e.Path)
	switch {
	case base == "Manifest.toml", base == "JuliaManifest.toml", strings.HasPrefix(base, "Manifest-v"), strings.HasPrefix(base, "JuliaManifest-v"):
	default:
		return analyze.Ignore
	}
	if i := strings.LastIndex("/"+dir, "/packages/"); i >= 0 {
		if e := strings.Split(dir[i:], "/"); len(e) >= 3 && slug(e[2]) {
			return analyze.Ignore
		}
	}
	if strings.Contains(dir, "/stdlib/v") || analyze.Foreign(e.Path) {
		return analyze.Ignore
	}
	return analyze.Alone
}

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return each(ctx, files, out, func(f *analyze.File, data []byte) error { return readManifest(f.Path, data, out) })
}

type entry struct {
	name, version, uuid, path, repo, revision string
	depends                                   []string
}

func readManifest(file string, data []byte, out *inventory.Record) error {
	var e entry
	n := 0
	flush := func() {
		if e.name != "" && n <= maxPackages {
			e.add(file, out)
		}
		e = entry{}
	}
	scan(data, func(table []string, key, value string) {
		name := table
		if len(name) > 1 && name[0] == "deps" {
			name = name[1:] // format 2
		} else if len(name) == 1 && name[0] == "deps" || len(name) == 0 {
			return
		}
		switch {
		case key == "" && len(name) == 1:
			flush()
			n++
			e.name = name[0]
		case e.name == "" || name[0] != e.name:
		case len(name) == 2 && name[1] == "deps": // a table of them, where a name alone is ambiguous
			if analyze.ValidName(key) && len(e.depends) < maxDepends {
				e.depends = append(e.depends, key)
			}
		case len(name) > 1:
		case key == "version":
			e.version = str(value)
		case key == "uuid":
			e.uuid = str(value)
		case key == "path":
			e.path = value
		case key == "repo-url":
			e.repo = str(value)
		case key == "git-tree-sha1":
			e.revision = str(value)
		case key == "deps":
			for d := range strings.SplitSeq(strings.Trim(value, "[]"), ",") {
				if d = str(strings.TrimSpace(d)); analyze.ValidName(d) && len(e.depends) < maxDepends {
					e.depends = append(e.depends, d)
				}
			}
		}
	})
	flush()
	if n > maxPackages {
		return fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	return nil
}

func (e *entry) add(file string, out *inventory.Record) {
	if e.path != "" || e.uuid == "" || !analyze.ValidName(e.name) || !analyze.ValidName(e.version) {
		return
	}
	p := inventory.Package{
		Type: "julia", Name: e.name, Version: e.version, Depends: e.depends, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile,
	}
	setUUID(&p, e.uuid)
	if e.repo != "" && !strings.Contains(e.repo, "@") && len(e.repo) < 1024 {
		if p.Qualifiers == nil {
			p.Qualifiers = map[string]string{}
		}
		p.Qualifiers["vcs_url"] = "git+" + e.repo
	}
	if analyze.ValidName(e.revision) {
		p.Meta = map[string]string{"git-tree-sha1": e.revision}
	}
	out.Packages = append(out.Packages, p)
}
