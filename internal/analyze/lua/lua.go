// Package lua reads rocks, the packages of LuaRocks.
package lua

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads installed rocks: in a rocks tree,
// rocks-5.3/NAME/VERSION/NAME-VERSION.rockspec, the package, and rock_manifest
// beside it, its files. Rockspecs elsewhere are sources. Names are in lower
// case, as LuaRocks keeps them; the version has the rockspec's revision.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "lua" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const (
	maxFile    = 8 << 20
	maxDepends = 1000
	maxFiles   = 200_000
)

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, ".rockspec") || strings.HasSuffix(e.Path, "/rock_manifest") {
		if _, name, _ := split(e.Path); name != "" {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// split takes "TREE/rocks-5.3/NAME/VERSION/FILE" apart, where FILE is
// NAME-VERSION.rockspec or rock_manifest; tree is "TREE/rocks-5.3".
func split(p string) (tree, name, version string) {
	dir, file := path.Split(p)
	dir, version = path.Split(strings.TrimSuffix(dir, "/"))
	tree, name = path.Split(strings.TrimSuffix(dir, "/"))
	tree = strings.TrimSuffix(tree, "/")
	rocks := path.Base(tree)
	if rocks != "rocks" && !strings.HasPrefix(rocks, "rocks-5.") || !analyze.ValidName(name) || !analyze.ValidName(version) ||
		file != "rock_manifest" && file != name+"-"+version+".rockspec" {
		return "", "", ""
	}
	return tree, name, version
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		tree, name, version := split(f.Path)
		switch {
		case err != nil || name == "":
		case strings.HasSuffix(f.Path, "/rock_manifest"):
			err = readManifest(f.Path, tree, name, version, data, out)
		default:
			p := inventory.Package{Type: "luarocks", Name: strings.ToLower(name), Version: version, Path: f.Path, Technique: inventory.TechMetadata}
			err = describe(data, &p)
			out.Packages = append(out.Packages, p) // the folder says what it is, whatever the file holds
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// describe takes what a rockspec says in literals; it is a program in Lua and
// is not run.
func describe(data []byte, p *inventory.Package) error {
	vars, err := parse(data)
	if err != nil {
		return err
	}
	d := vars["description"]
	p.Description = analyze.FirstLine(d.field("summary").text)
	p.Homepage = analyze.Clip(d.field("homepage").text, 1024)
	p.Supplier = analyze.FirstLine(d.field("maintainer").text)
	if l := analyze.FirstLine(d.field("license").text); l != "" {
		p.Licenses = []inventory.License{{Raw: l, Source: "declared"}}
	}
	for _, v := range vars["dependencies"].values {
		name, _, _ := strings.Cut(strings.TrimSpace(v.text), " ")
		if name != "lua" && analyze.ValidName(name) && len(p.Depends) < maxDepends {
			p.Depends = append(p.Depends, strings.ToLower(name))
		}
	}
	return nil
}

// readManifest reads what a rock installed: tables named lua (modules), lib
// (binary modules), bin; anything else lies in the rock's own folder. TREE is
// PREFIX/lib/luarocks/rocks-VERSION; modules go to PREFIX/share/lua/VERSION.
func readManifest(file, tree, name, version string, data []byte, out *inventory.Record) error {
	vars, err := parse(data)
	if err != nil {
		return err
	}
	m, ok := vars["rock_manifest"]
	if !ok {
		return errors.New("it has no rock_manifest")
	}
	paths := []string{path.Dir(file) + "/"}
	prefix, ok := strings.CutSuffix(path.Dir(tree), "lib/luarocks")
	release := strings.TrimPrefix(path.Base(tree), "rocks-")
	if ok && release != "rocks" {
		for i, key := range m.keys {
			switch key {
			case "lua":
				paths = m.values[i].paths(prefix+"share/lua/"+release, paths, 0)
			case "lib":
				paths = m.values[i].paths(prefix+"lib/lua/"+release, paths, 0)
			case "bin":
				paths = m.values[i].paths(prefix+"bin", paths, 0)
			}
		}
	}
	out.Owned = append(out.Owned, inventory.Ownership{Path: file, Type: "luarocks", Name: strings.ToLower(name), Files: inventory.NewFileList(paths)})
	if len(paths) >= maxFiles {
		return fmt.Errorf("more than the limit of %d files", maxFiles)
	}
	return nil
}

// paths appends the paths of a table of files and folders.
func (v value) paths(dir string, to []string, depth int) []string {
	for i, key := range v.keys {
		p := path.Join(dir, key)
		if key == "" || !fs.ValidPath(key) || !strings.HasPrefix(p, dir) || len(to) >= maxFiles {
			continue
		}
		if v.values[i].table {
			to = v.values[i].paths(p, to, depth+1)
		} else {
			to = append(to, p)
		}
	}
	return to
}
