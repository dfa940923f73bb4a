// Package ocaml reads packages of OCaml's package manager opam.
package ocaml

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads the packages installed in an opam switch:
// SWITCH/.opam-switch/packages/NAME.VERSION/opam, and the list of what each
// installed, SWITCH/.opam-switch/install/NAME.changes, where it lies in the
// same layer. Packages without files (conf-…, base-…) are listed, too: opam
// counts them as installed.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "opam" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const (
	maxFile   = 4 << 20
	maxValues = 1000    // of one field
	maxFiles  = 200_000 // of one package
)

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, "/opam") || strings.HasSuffix(e.Path, ".changes") {
		if _, name, _, _ := split(e.Path); name != "" && e.Size <= maxFile {
			return analyze.Together
		}
	}
	return analyze.Ignore
}

// split takes "SWITCH/.opam-switch/packages/NAME.VERSION/opam" apart; of
// "SWITCH/.opam-switch/install/NAME.changes" list is true.
func split(p string) (prefix, name, version string, list bool) {
	i := strings.LastIndex("/"+p, "/.opam-switch/")
	if i < 0 {
		return "", "", "", false
	}
	prefix, rest := p[:i], p[i+len(".opam-switch/"):]
	if s, ok := strings.CutPrefix(rest, "install/"); ok {
		name, ok = strings.CutSuffix(s, ".changes")
		if !ok || strings.Contains(name, "/") {
			return "", "", "", false
		}
		return prefix, name, "", true
	}
	s, ok := strings.CutPrefix(rest, "packages/")
	if !ok {
		return "", "", "", false
	}
	s, ok = strings.CutSuffix(s, "/opam")
	name, version, dot := strings.Cut(s, ".") // a name has no period
	if !ok || !dot || strings.Contains(s, "/") || !analyze.ValidName(name) || !analyze.ValidName(version) {
		return "", "", "", false
	}
	return prefix, name, version, false
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	type key struct{ prefix, name string }
	owned := map[key]inventory.FileList{}
	var packages []inventory.Package
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		prefix, name, version, list := split(f.Path)
		if name == "" && err == nil {
			continue
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		if err == nil && list {
			var l inventory.FileList
			l, err = changes(prefix, data)
			owned[key{prefix, name}] = l
		} else if err == nil {
			p := inventory.Package{Type: "opam", Name: name, Version: version, Path: f.Path, Technique: inventory.TechDatabase}
			err = describe(data, &p)
			packages = append(packages, p) // the folder says what it is, whatever the file holds
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	for i := range packages {
		p := &packages[i]
		prefix, name, _, _ := split(p.Path)
		p.Files = owned[key{prefix, name}]
	}
	out.Packages = append(out.Packages, packages...)
	return nil
}

func describe(data []byte, p *inventory.Package) error {
	return scan(data, func(field string, level int, s string) {
		switch field {
		case "synopsis":
			p.Description = analyze.FirstLine(s)
		case "homepage":
			if p.Homepage == "" {
				p.Homepage = analyze.Clip(s, 1024)
			}
		case "maintainer":
			if p.Supplier == "" {
				p.Supplier = analyze.FirstLine(s)
			}
		case "license":
			if s = analyze.FirstLine(s); s != "" && len(p.Licenses) < maxValues {
				p.Licenses = append(p.Licenses, inventory.License{Raw: s, Source: "declared"})
			}
		case "depends":
			if level == 0 && analyze.ValidName(s) && len(p.Depends) < maxValues {
				p.Depends = append(p.Depends, s)
			}
		case "url.checksum":
			algorithm, sum, ok := strings.Cut(s, "=")
			if ok && hash(algorithm, sum) {
				if p.Hashes == nil {
					p.Hashes = map[string]string{}
				}
				p.Hashes[algorithm] = sum
			}
		}
	})
}

func hash(algorithm, sum string) bool {
	n := 0
	switch algorithm {
	case "md5":
		n = 32
	case "sha256":
		n = 64
	case "sha512":
		n = 128
	}
	return n > 0 && len(sum) == n && strings.Trim(sum, "0123456789abcdef") == ""
}

// changes reads the list of what a package added below the prefix: of each a
// path, and in braces what it is ("F:SUM" for a file, "D" for a directory).
func changes(prefix string, data []byte) (inventory.FileList, error) {
	var paths []string
	last := ""
	err := scan(data, func(field string, level int, s string) {
		if field != "added" {
			return
		}
		switch {
		case level == 0:
			last = s
		case strings.HasPrefix(s, "F") && last != "" && len(paths) < maxFiles:
			if fs.ValidPath(last) && last != "." {
				paths = append(paths, path.Join(prefix, last))
			}
			last = ""
		}
	})
	if err == nil && len(paths) == maxFiles {
		err = fmt.Errorf("more than the limit of %d files", maxFiles)
	}
	slices.Sort(paths)
	return inventory.NewFileList(paths), err
}
