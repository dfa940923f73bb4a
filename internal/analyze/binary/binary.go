// Package binary says what ELF programs and libraries are: architecture,
// linkage and language from their headers, and the product and version from
// the strings they hold, by a table of signatures. Which of them a package
// owns is not its concern; the inventory drops the products of owned files.
package binary

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer describes every ELF executable and library.
//
// Strings are searched in two cases only, as most binaries belong to packages
// anyway: where the file name or SONAME is one that a signature knows, for
// the version; and in programs and libraries outside the places that package
// managers fill, or that are statically linked, for all signatures at once.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "binary" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if e.Kind.ELF() {
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
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if f.Kind.ELF() {
			describe(ctx, f, out)
		}
	}
	return nil
}

func describe(ctx context.Context, f *analyze.File, out *inventory.Record) {
	e, err := readELF(f.ReaderAt, f.Size)
	if e == nil {
		analyze.Problemf(out, f.Path, "reading ELF headers: %w", err)
		return
	}
	if err != nil {
		analyze.Problemf(out, f.Path, "reading ELF headers, in part: %w", err)
	}
	b := inventory.Binary{
		Path:     f.Path,
		Arch:     e.arch(),
		Type:     "library",
		BuildID:  e.buildID,
		SOName:   e.soname,
		Needed:   e.needed,
		Language: e.language,
	}
	if e.executable() {
		b.Type = "executable"
		b.Static = e.static()
	}
	s := scan{ctx: ctx, file: f, elf: e, table: signatures()}
	b.Products = s.products(b.Static || !managed(f.Path))
	if s.limit != nil {
		out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: f.Path, Limit: s.limit.name, Message: s.limit.Error()})
	} else if s.err != nil {
		analyze.Problemf(out, f.Path, "searching for known products: %w", s.err)
	}
	out.Binaries = append(out.Binaries, b)
}

// managed reports whether a path lies where package managers install
// programs and libraries.
func managed(p string) bool {
	top, rest, _ := strings.Cut(p, "/")
	if top == "usr" {
		top, _, _ = strings.Cut(rest, "/")
		switch top {
		case "bin", "sbin", "libexec", "share":
			return true
		}
		return strings.HasPrefix(top, "lib")
	}
	switch top {
	case "bin", "sbin":
		return true
	case "var":
		return strings.HasPrefix(rest, "lib/")
	}
	return strings.HasPrefix(top, "lib")
}

// product makes the package that a signature and a version stand for.
func product(f *analyze.File, sig *signature, version string, technique string, confidence float64, embedded bool) inventory.Package {
	p := inventory.Package{
		Type:       "generic",
		Name:       sig.name,
		Version:    version,
		Path:       f.Path,
		Technique:  technique,
		Confidence: confidence,
	}
	for _, c := range sig.cpes {
		p.CPEs = append(p.CPEs, cpe(c, version))
	}
	if embedded {
		p.Meta = map[string]string{"embedded": path.Base(f.Path)}
	}
	return p
}

// cpe writes a CPE 2.3 formatted string (NISTIR 7695, section 6.2). OpenSSH's
// and others' patch level is the update there, as in the NVD.
func cpe(vendorProduct, version string) string {
	update := "*"
	if i := strings.LastIndexByte(version, 'p'); i > 0 && isDigit(version[i-1]) && i+1 < len(version) && isDigit(version[i+1]) {
		version, update = version[:i], version[i:]
	}
	return "cpe:2.3:a:" + vendorProduct + ":" + cpeEscape(version) + ":" + cpeEscape(update) + ":*:*:*:*:*:*"
}

func cpeEscape(s string) string {
	if s == "*" {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		c := lower(s[i])
		if !isDigit(c) && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '_' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
