// Package node reads npm packages: the package.json of every package that
// lies where Node.js would load it from, and the lock files of npm, Yarn,
// pnpm and Bun. JavaScript that lies around without a package.json is not its
// business.
package node

import (
	"context"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads installed packages. A package.json counts when it is the
// root of a package: directly below a node_modules folder (of npm, of pnpm's
// store, global or bundled), below a distribution's folder of the same kind,
// or inside an archive of Yarn's cache. One elsewhere is an application or a
// library in its own folder; it is listed with Meta["root"] "application" if
// it has name and version. Those inside packages (fixtures, folders that only
// say how to load files) are nothing.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "node" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if classify(e.Path) != none {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = read(ctx, f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

func read(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	k := classify(f.Path)
	switch k {
	case none:
		return nil
	case archive:
		return readArchive(ctx, f, out)
	}
	data, err := f.ReadAll(maxManifest)
	if err != nil {
		return err
	}
	p, err := parseManifest(data, dirName(f.Path))
	if err != nil {
		if k == application { // anything may be called package.json
			return nil
		}
		return err
	}
	if p.Name == "" || k == application && p.Version == "" {
		return nil
	}
	p.Path = f.Path
	if k == application {
		setMeta(&p, "root", "application")
	} else {
		p.Files = inventory.NewFileList([]string{strings.TrimSuffix(f.Path, "package.json")})
	}
	out.Packages = append(out.Packages, p)
	return nil
}

type kind uint8

const (
	none        kind = iota
	module           // package.json at the root of an installed package
	application      // package.json somewhere else
	archive          // package in Yarn's cache
)

// classify tells by its path what a file is.
func classify(path string) kind {
	if strings.HasSuffix(path, ".zip") {
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			dir := path[:i]
			if strings.HasSuffix(dir, ".yarn/cache") || strings.HasSuffix(dir, ".yarn/berry/cache") {
				return archive
			}
		}
		return none
	}
	dir, ok := strings.CutSuffix(path, "package.json")
	if !ok || dir == "" || dir[len(dir)-1] != '/' {
		if ok && dir == "" {
			return application
		}
		return none
	}
	dir = dir[:len(dir)-1]
	home, rest := moduleHome(dir)
	if home < 0 {
		if inside(dir) || foreign(path) || strings.HasSuffix(dir, "node_modules") {
			return none
		}
		return application
	}
	if !packageName(rest) || home > 0 && inPackageTests(dir[:home]) {
		return none
	}
	return module
}

// moduleHome finds the last folder that holds packages in dir: where its name
// begins, and what stands below it. The offset is -1 where there is none.
func moduleHome(dir string) (at int, rest string) {
	const modules = "node_modules/"
	if i := strings.LastIndex(dir, "/"+modules); i >= 0 {
		return i + 1, dir[i+1+len(modules):]
	}
	if s, ok := strings.CutPrefix(dir, modules); ok {
		return 0, s
	}
	// Debian's, which its Node.js searches
	for _, home := range [...]string{"usr/share/nodejs/", "usr/lib/nodejs/"} {
		if s, ok := strings.CutPrefix(dir, home); ok {
			return 0, s
		}
	}
	if s, ok := strings.CutPrefix(dir, "usr/lib/"); ok {
		if _, rest, ok := strings.Cut(s, "/nodejs/"); ok && strings.Count(s[:len(s)-len(rest)], "/") == 2 {
			return 0, rest
		}
	}
	return -1, ""
}

// packageName reports whether s is "name" or "@scope/name".
func packageName(s string) bool {
	if s == "" || s[0] == '.' {
		return false
	}
	if s[0] == '@' {
		_, name, ok := strings.Cut(s, "/")
		return ok && name != "" && !strings.Contains(name, "/")
	}
	return !strings.Contains(s, "/")
}

// inPackageTests reports whether dir, which holds a node_modules folder, is a
// place for tests or examples inside some package: that one's fixtures.
func inPackageTests(dir string) bool {
	packages, name := false, 0 // name: elements to come that name a package
	for part := range strings.SplitSeq(dir, "/") {
		switch {
		case name > 0:
			if part == "" || part[0] != '@' {
				name = 0
			}
		case part == "node_modules", part == "nodejs", part == "gems", part == "site-packages", part == "dist-packages":
			packages, name = true, 1
		case packages && testFolder(part):
			return true
		}
	}
	return false
}

// inside reports whether dir has an element that is named like a place for
// tests, examples or templates.
func inside(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if testFolder(part) {
			return true
		}
	}
	return false
}

func testFolder(name string) bool {
	switch name {
	case "test", "tests", "__tests__", "testdata", "test-data", "fixtures", "__fixtures__", "fixture", "spec", "specs",
		"example", "examples", "demo", "demos", "benchmark", "benchmarks", "template", "templates":
		return true
	}
	return false
}

// foreign reports whether a path lies in a folder where other package
// managers put packages, or in documentation: what is there is no project
// and no lock of this image's own.
func foreign(path string) bool {
	if strings.HasPrefix(path, "usr/share/doc/") || strings.HasPrefix(path, "usr/lib/ruby/") || strings.HasPrefix(path, "usr/lib/python") {
		return true
	}
	for _, dir := range [...]string{"/site-packages/", "/dist-packages/", "/gems/", "/pkg/mod/", "/conda/pkgs/", "/vendor/", "/node-gyp/cache/"} {
		if strings.Contains(path, dir) {
			return true
		}
	}
	return false
}

// dirName is the name that a package has by its place: that of its folder,
// with the scope.
func dirName(path string) string {
	dir := strings.TrimSuffix(strings.TrimSuffix(path, "package.json"), "/")
	if _, rest := moduleHome(dir); rest != "" {
		return rest
	}
	return ""
}
