package license

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what is read of one Java archive.
const (
	maxNested  = 2000 // archives within it
	maxMembers = 100  // licence files in one archive
)

// isJava reports whether a path is that of a Java archive.
func isJava(path string) bool {
	if len(path) < 5 || path[len(path)-4] != '.' {
		return false
	}
	switch path[len(path)-3:] {
	case "jar", "war", "ear", "JAR", "WAR", "EAR", "jpi", "hpi":
		return true
	}
	return false
}

// archive reads the licence files of a Java archive and of those stored
// within it without compression, as Spring Boot packs them.
type archive struct {
	by     *Analyzer
	ctx    context.Context
	file   *analyze.File
	out    *inventory.Record
	nested int
}

func (a *Analyzer) readArchive(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	r := archive{by: a, ctx: ctx, file: f, out: out}
	return r.read(f.ReaderAt, f.Size, "")
}

// read reads one archive; inner is the way to it, "" for the file itself.
// What is no archive, whatever its name, is package java's to report.
func (a *archive) read(r io.ReaderAt, size int64, inner string) error {
	found, tooMany := 0, false
	var nested []member
	err := eachMember(r, size, func(m *member) bool {
		switch {
		case isJava(m.name):
			if inner == "" && m.method == stored && m.size == m.packed {
				nested = append(nested, *m)
			}
		case ofArchive(m.name):
			if found++; found > maxMembers {
				tooMany = true
				return false
			}
			if err := a.member(r, size, m, inner); err != nil {
				analyze.Problemf(a.out, a.file.Path, "%s: %w", join(inner, m.name), err)
			}
		}
		return a.ctx.Err() == nil
	})
	switch {
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	case tooMany:
		analyze.Problemf(a.out, a.file.Path, "%s has more than the limit of %d licence files: the others were not read", join(inner, "archive"), maxMembers)
	case err != nil:
		return nil // package java says so
	}
	for i := range nested {
		if a.nested++; a.nested > maxNested {
			return fmt.Errorf("more than the limit of %d archives within it: the licence files of the others were not read", maxNested)
		}
		part, err := nested[i].content(r, size)
		if err != nil {
			continue
		}
		if err := a.read(part, part.Size(), nested[i].name); err != nil {
			return err
		}
	}
	return nil
}

// ofArchive reports whether a member speaks of the archive's own licence: it
// lies at its top or in META-INF.
func ofArchive(name string) bool {
	base := name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		if dir := name[:i]; dir != "META-INF" && dir != "META-INF/license" && dir != "META-INF/licenses" {
			return false
		}
		base = name[i+1:]
	}
	return base != "" && named(base) && !foreign(base)
}

func (a *archive) member(r io.ReaderAt, size int64, m *member, inner string) error {
	text, err := m.read(r, size, maxText)
	if err != nil || len(text) == 0 {
		return err
	}
	if m.size > maxText {
		tooLong(a.out, a.file.Path, m.size)
	}
	if k := analyze.Sniff(m.name, text); k != inventory.KindText {
		return nil
	}
	if licenses := a.by.detect(text, true); licenses != nil {
		a.out.Licenses = append(a.out.Licenses, inventory.LicenseFile{Path: a.file.Path, Inner: join(inner, m.name), Licenses: licenses})
	}
	return nil
}

// join is the way to a member, as inventory.Package.Inner has it.
func join(inner, name string) string {
	if inner == "" {
		return name
	}
	return inner + "!" + name
}
