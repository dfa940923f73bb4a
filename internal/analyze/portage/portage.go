// Package portage reads the package database of Gentoo and its descendants:
// a folder per package, a file per variable (Package Manager Specification,
// and vdb in Portage's own documentation).
package portage

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads var/db/pkg/CATEGORY/NAME-VERSION/. The folder's name is what
// says which package it is; CONTENTS lists its files.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "portage" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

const dbDir = "var/db/pkg/"

// Limits on what one package may say of itself.
const (
	maxFiles       = 1_000_000
	maxName        = 512
	maxText        = 4096
	maxDescription = 200
	maxDepends     = 4096
	maxValue       = 1 << 20 // bytes of a file other than CONTENTS
)

// Wants implements analyze.Analyzer. The files of a package lie in one layer,
// for it is always written whole.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	rest, ok := strings.CutPrefix(e.Path, dbDir)
	if !ok || strings.Count(rest, "/") != 2 {
		return analyze.Ignore
	}
	switch rest[strings.LastIndexByte(rest, '/')+1:] {
	case "CONTENTS", "PF", "SLOT", "LICENSE", "repository", "SIZE", "BUILD_TIME", "DESCRIPTION", "HOMEPAGE", "RDEPEND":
		return analyze.Together
	}
	return analyze.Ignore
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	var p *inventory.Package // of the folder at hand; its files come one after another
	dir := ""
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d := path.Dir(f.Path); d != dir {
			dir, p = d, nil
			category, pf := path.Base(path.Dir(d)), path.Base(d)
			if strings.HasPrefix(pf, "-") {
				continue // -MERGING-…: what was never finished
			}
			name, version := split(pf)
			if version == "" || !word(category) || !word(pf) {
				analyze.Problemf(out, f.Path, "the folder %.80q is not named NAME-VERSION", pf)
				continue
			}
			out.Packages = append(out.Packages, inventory.Package{
				Type: "ebuild", Namespace: category, Name: name, Version: version, Path: f.Path, Technique: inventory.TechDatabase,
			})
			p = &out.Packages[len(out.Packages)-1]
		}
		if p == nil {
			continue
		}
		limit := int64(maxValue)
		name := path.Base(f.Path)
		if name == "CONTENTS" {
			limit = analyze.MaxText
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(limit)
		}
		if err == nil {
			err = set(p, f.Path, name, string(data))
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// set takes over what one file says.
func set(p *inventory.Package, file, name, data string) error {
	value := strings.Join(strings.Fields(data), " ")
	meta := func() {
		if word(value) {
			if p.Meta == nil {
				p.Meta = make(map[string]string, 3)
			}
			p.Meta[name] = value
		}
	}
	switch name {
	case "CONTENTS":
		p.Path = file
		var err error
		p.Files, err = contents(data)
		return err
	case "LICENSE":
		if value != "" {
			p.Licenses = []inventory.License{{Raw: text(value, maxText), Source: "declared"}}
		}
	case "DESCRIPTION":
		p.Description = text(value, maxDescription)
	case "HOMEPAGE":
		first, _, _ := strings.Cut(value, " ")
		p.Homepage = text(first, maxText)
	case "SIZE":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
			p.Size = n
		}
	case "RDEPEND":
		p.Depends = depends(value)
	case "SLOT", "repository", "BUILD_TIME":
		meta()
	}
	return nil
}

// contents reads the list of files: "obj PATH MD5 MTIME", "sym PATH -> TARGET
// MTIME", "fif PATH", "dev PATH", and "dir PATH", which is left out.
func contents(data string) (inventory.FileList, error) {
	var paths []string
	bad, first := 0, ""
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		kind, rest, _ := strings.Cut(line, " ")
		p := ""
		switch kind {
		case "dir", "":
			continue
		case "fif", "dev":
			p = rest
		case "sym":
			p, _, _ = strings.Cut(rest, " -> ")
		case "obj": // the path may hold blanks, what follows it does not
			if i := strings.LastIndexByte(rest, ' '); i > 0 {
				if i = strings.LastIndexByte(rest[:i], ' '); i > 0 {
					p = rest[:i]
				}
			}
		}
		p = strings.Trim(p, "/")
		if p == "" || strings.IndexByte(p, 0) >= 0 {
			if bad++; bad == 1 {
				first = line
			}
			continue
		}
		if len(paths) == maxFiles {
			return inventory.NewFileList(paths), fmt.Errorf("more than the limit of %d files", maxFiles)
		}
		paths = append(paths, p)
	}
	list := inventory.NewFileList(paths)
	if bad > 0 {
		return list, fmt.Errorf("%d lines cannot be read, the first: %.80q", bad, first)
	}
	return list, nil
}

// depends takes the packages, CATEGORY/NAME, out of a dependency
// specification: of alternatives all, of blockers none.
func depends(spec string) []string {
	var names []string
	for atom := range strings.FieldsSeq(spec) {
		if atom[0] == '!' || strings.HasSuffix(atom, "?") || len(names) == maxDepends {
			continue
		}
		bare := strings.TrimLeft(atom, "<>=~")
		if i := strings.IndexAny(bare, ":["); i >= 0 {
			bare = bare[:i]
		}
		category, name, ok := strings.Cut(bare, "/")
		if !ok || category == "" || name == "" || strings.IndexByte(name, '/') >= 0 || !word(bare) {
			continue
		}
		if atom[0] == '<' || atom[0] == '>' || atom[0] == '=' || atom[0] == '~' {
			if n, v := split(strings.TrimSuffix(name, "*")); v != "" {
				name = n
			}
		}
		names = append(names, category+"/"+name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// word reports whether s can be a name or version: printable, without blanks,
// and of reasonable length.
func word(s string) bool {
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// text cuts s to at most limit bytes of valid UTF-8.
func text(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for n := 0; n < utf8.UTFMax && len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]); n++ {
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
