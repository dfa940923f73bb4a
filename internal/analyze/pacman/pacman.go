// Package pacman reads the package database of Arch Linux and its
// descendants, which libalpm keeps as a folder per package.
package pacman

import (
	"context"
	"errors"
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

// Analyzer reads var/lib/pacman/local/NAME-VERSION-RELEASE/desc, the package,
// and files beside it, what it owns. Their form: a line %KEY%, lines of
// values, an empty line.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "pacman" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

const localDir = "var/lib/pacman/local/"

// Limits on what one package may say of itself.
const (
	maxFiles       = 1_000_000
	maxName        = 512
	maxText        = 4096
	maxDescription = 200
	maxValues      = 4096 // of licences, dependencies
)

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if rest, ok := strings.CutPrefix(e.Path, localDir); ok {
		if dir, name, ok := strings.Cut(rest, "/"); ok && dir != "" && (name == "desc" || name == "files") {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			if path.Base(f.Path) == "files" {
				err = owned(f.Path, string(data), out)
			} else {
				err = desc(f.Path, string(data), out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// sections calls each with every value and the key it stands under.
func sections(text string, each func(key, value string)) {
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
			key = ""
		case key == "":
			if len(line) > 2 && line[0] == '%' && line[len(line)-1] == '%' {
				key = line[1 : len(line)-1]
			}
		default:
			each(key, line)
		}
	}
}

func desc(file, data string, out *inventory.Record) error {
	p := inventory.Package{Type: "alpm", Path: file, Technique: inventory.TechDatabase}
	base, dropped := "", 0
	sections(data, func(key, v string) {
		switch key {
		case "NAME":
			p.Name = v
		case "VERSION":
			p.Version = v
		case "BASE":
			base = v
		case "ARCH":
			if word(v) {
				p.Arch = v
			}
		case "DESC":
			p.Description = text(v, maxDescription)
		case "URL":
			p.Homepage = text(v, maxText)
		case "PACKAGER":
			p.Supplier = text(v, maxText)
		case "SIZE":
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
				p.Size = n
			}
		case "LICENSE":
			if len(p.Licenses) == maxValues {
				dropped++
				return
			}
			p.Licenses = append(p.Licenses, inventory.License{Raw: text(v, maxText), Source: "declared"})
		case "DEPENDS":
			if i := strings.IndexAny(v, "<>="); i >= 0 {
				v = v[:i]
			}
			if len(p.Depends) == maxValues {
				dropped++
			} else if word(v) {
				p.Depends = append(p.Depends, v)
			}
		}
	})
	if !word(p.Name) || !word(p.Version) {
		return fmt.Errorf("package name %.80q, version %.80q", p.Name, p.Version)
	}
	// a split package has the version of what it was split from
	if base != p.Name && word(base) {
		p.Source, p.SourceVersion = base, p.Version
	}
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
	out.Packages = append(out.Packages, p)
	if dropped > 0 {
		return fmt.Errorf("%d licences or dependencies beyond the limit of %d", dropped, maxValues)
	}
	return nil
}

// owned reads the list of files; directories, which end in a slash, are left out.
func owned(file, data string, out *inventory.Record) error {
	// NAME-VERSION-RELEASE: only the name may hold further hyphens
	dir := path.Base(path.Dir(file))
	i := strings.LastIndexByte(dir, '-')
	if i > 0 {
		i = strings.LastIndexByte(dir[:i], '-')
	}
	if i <= 0 {
		return errors.New("the folder is not named NAME-VERSION-RELEASE")
	}
	var paths []string
	dropped := 0
	sections(data, func(key, v string) {
		if key != "FILES" || strings.HasSuffix(v, "/") {
			return
		}
		v = strings.TrimLeft(v, "/")
		if v == "" || strings.IndexByte(v, 0) >= 0 {
			return
		}
		if len(paths) == maxFiles {
			dropped++
			return
		}
		paths = append(paths, v)
	})
	if len(paths) > 0 {
		out.Owned = append(out.Owned, inventory.Ownership{Path: file, Type: "alpm", Name: dir[:i], Files: inventory.NewFileList(paths)})
	}
	if dropped > 0 {
		return fmt.Errorf("%d files beyond the limit of %d", dropped, maxFiles)
	}
	return nil
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
