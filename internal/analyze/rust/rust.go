// Package rust finds the crates that Rust programs were built from, and what
// Cargo.lock files declare.
package rust

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads ELF, PE and Mach-O programs and libraries made by rustc. The
// list that cargo-auditable embeds (section .dep-v0, zlib over JSON) is exact.
// Without it, the paths of sources that panic messages hold name some of the
// crates: those are guesses, and never all.
//
// The compiler's version, which is that of the standard library linked in, is
// the package "rust" of type generic.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "rust" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	switch e.Kind {
	case inventory.KindELFExec, inventory.KindELFLib, inventory.KindPE, inventory.KindMachO:
		if e.Size >= minProgram {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

const (
	minProgram  = 4 << 10
	maxPacked   = 16 << 20 // bytes of the .dep-v0 section
	maxList     = 8 << 20  // bytes of JSON in it
	maxCrates   = 100_000
	maxString   = 256
	maxComment  = 64 << 10
	maxReadOnly = 256 << 20 // bytes of read-only data looked through for paths
)

// Confidences of what is not written down for the purpose.
const (
	sureCompiler = 0.9 // the compiler's mark; parts of the program may be by another
	surePath     = 0.5 // a path in the read-only data
)

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = program(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading Rust program: %w", err)
		}
	}
	return nil
}

func program(f *analyze.File, out *inventory.Record) error {
	sections := readSections(f)
	var audit, comment *section
	var rodata []section
	unwinds := false
	for i := range sections {
		s := &sections[i]
		switch s.name {
		case ".dep-v0":
			audit = s
		case ".comment":
			comment = s
		case ".rodata", ".rdata", "__const", "__cstring":
			rodata = append(rodata, *s)
		case ".gcc_except_table", ".pdata", "__gcc_except_tab", "__unwind_info":
			unwinds = true
		}
	}
	compiler := ""
	if comment != nil {
		compiler = compilerVersion(s2b(f, comment, maxComment))
	}
	if compiler != "" {
		out.Packages = append(out.Packages, inventory.Package{
			Type: "generic", Name: "rust", Version: compiler, Path: f.Path, Technique: inventory.TechBuildInfo, Confidence: sureCompiler,
			CPEs: []string{"cpe:2.3:a:rust-lang:rust:" + strings.ReplaceAll(compiler, "+", `\+`) + ":*:*:*:*:*:*:*"},
		})
	}
	if audit != nil {
		return auditable(f, audit, out)
	}
	// every Rust program with its standard library holds paths of it; only what may be one is looked through
	if compiler == "" && (!unwinds || !holds(f, rodata, "/rustc/")) {
		return nil
	}
	paths(f, rodata, out)
	return nil
}

// s2b reads at most limit bytes of a section.
func s2b(f *analyze.File, s *section, limit int64) []byte {
	b, err := readAt(f, s.off, min(s.size, limit))
	if err != nil {
		return nil
	}
	return b
}

// compilerVersion finds "rustc version 1.75.0 (hash date)" among the strings of a .comment section.
func compilerVersion(comment []byte) string {
	_, rest, ok := bytes.Cut(comment, []byte("rustc version "))
	if !ok {
		return ""
	}
	if i := bytes.IndexAny(rest, " \x00"); i >= 0 {
		rest = rest[:i]
	}
	if !semver(rest) {
		return ""
	}
	return string(rest)
}

// crate is an element of cargo-auditable's list.
type crate struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Source       string `json:"source"`
	Kind         string `json:"kind"`
	Dependencies []int  `json:"dependencies"`
	Root         bool   `json:"root"`
}

func auditable(f *analyze.File, s *section, out *inventory.Record) error {
	if s.size > maxPacked {
		return &analyze.TooLargeError{Path: f.Path + " (.dep-v0)", Size: s.size, Limit: maxPacked}
	}
	packed, err := readAt(f, s.off, s.size)
	if err != nil {
		return err
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("inflating .dep-v0: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, maxList+1))
	if err != nil {
		return fmt.Errorf("inflating .dep-v0: %w", err)
	}
	if len(data) > maxList {
		return &analyze.TooLargeError{Path: f.Path + " (.dep-v0)", Size: int64(len(data)), Limit: maxList}
	}
	var list struct {
		Packages []crate `json:"packages"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("reading .dep-v0: %w", err)
	}
	if len(list.Packages) > maxCrates {
		out.Problems = append(out.Problems, inventory.Problem{
			Analyzer: out.Analyzer, Path: f.Path, Limit: "crates of a program",
			Message: fmt.Sprintf("%d crates, of which %d are listed", len(list.Packages), maxCrates),
		})
		list.Packages = list.Packages[:maxCrates]
	}
	bad := 0
	for _, c := range list.Packages {
		if !crateName([]byte(c.Name)) || !semver([]byte(c.Version)) {
			bad++
			continue
		}
		p := inventory.Package{Type: "cargo", Name: c.Name, Version: c.Version, Path: f.Path, Technique: inventory.TechBuildInfo}
		if c.Kind == "build" {
			// it ran when the program was built, and is not in it
			p.State, p.Scope = inventory.Declared, "build"
		}
		if c.Source != "crates.io" && c.Source != "" && len(c.Source) <= maxString {
			p.Meta = map[string]string{"source": strings.Map(printable, c.Source)}
		}
		for _, d := range c.Dependencies {
			if d >= 0 && d < len(list.Packages) && len(p.Depends) < maxCrates && crateName([]byte(list.Packages[d].Name)) {
				p.Depends = append(p.Depends, list.Packages[d].Name)
			}
		}
		out.Packages = append(out.Packages, p)
	}
	if bad > 0 {
		return fmt.Errorf("%d entries of .dep-v0 are no crates", bad)
	}
	return nil
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// crateName reports whether b is a crate's name as the registry allows it.
func crateName(b []byte) bool {
	if len(b) == 0 || len(b) > 64 {
		return false
	}
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// semver reports whether b is a version by Semantic Versioning 2.0.0, roughly.
func semver(b []byte) bool {
	if len(b) == 0 || len(b) > maxString {
		return false
	}
	dots, digit := 0, false
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c == '.' && dots < 2 && digit:
			dots, digit = dots+1, false
		case dots == 2 && digit && (c == '-' || c == '+'):
			for _, c := range b[i+1:] {
				if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != '_' {
					return false
				}
			}
			return i+1 < len(b)
		default:
			return false
		}
	}
	return dots == 2 && digit
}

// chunks calls fn with the content of sections, in pieces that overlap, until
// fn says no. It reports whether all of it was within the limit. A section that
// lies about its size ends where the file does.
func chunks(f *analyze.File, sections []section, fn func([]byte) bool) (whole bool) {
	const chunk, overlap = 4 << 20, 1 << 10
	left := int64(maxReadOnly)
	for _, s := range sections {
		size := min(s.size, left)
		left -= size
		for at := int64(0); at < size; at += chunk {
			b, err := readAt(f, s.off+at, min(size-at, chunk+overlap))
			if err != nil {
				break
			}
			if !fn(b) {
				return true
			}
		}
		if size < s.size {
			return false
		}
	}
	return true
}

func holds(f *analyze.File, sections []section, text string) bool {
	found := false
	chunks(f, sections, func(b []byte) bool {
		found = bytes.Contains(b, []byte(text))
		return !found
	})
	return found
}

// paths looks through read-only data for the places where Cargo keeps sources:
// …/registry/src/INDEX/NAME-VERSION/ and Debian's share/cargo/registry/NAME-VERSION/.
func paths(f *analyze.File, rodata []section, out *inventory.Record) {
	seen := map[string]bool{}
	whole := chunks(f, rodata, func(b []byte) bool {
		findCrates(b, func(name, version []byte) {
			k := string(name) + " " + string(version)
			if seen[k] || len(seen) >= maxCrates {
				return
			}
			seen[k] = true
			out.Packages = append(out.Packages, inventory.Package{
				Type: "cargo", Name: string(name), Version: string(version), Path: f.Path, Technique: inventory.TechSignature, Confidence: surePath,
			})
		})
		return true
	})
	if !whole {
		out.Problems = append(out.Problems, inventory.Problem{
			Analyzer: out.Analyzer, Path: f.Path, Limit: "read-only data of a program",
			Message: fmt.Sprintf("only %d bytes of read-only data looked through", maxReadOnly),
		})
	}
}

func findCrates(b []byte, found func(name, version []byte)) {
	for {
		i := bytes.Index(b, []byte("registry"))
		if i < 0 {
			return
		}
		before, rest := b[:i], b[i+len("registry"):]
		b = rest
		if len(rest) < 5 || rest[0] != '/' && rest[0] != '\\' {
			continue
		}
		sep := rest[0]
		rest = rest[1:min(len(rest), 400)]
		if string(rest[:3]) == "src" && rest[3] == sep {
			slash := bytes.IndexByte(rest[4:], sep)
			if slash < 0 {
				continue
			}
			rest = rest[4+slash+1:]
		} else if !bytes.HasSuffix(before, []byte("share/cargo/")) {
			continue
		}
		end := bytes.IndexByte(rest, sep)
		if end < 0 {
			continue
		}
		if name, version, ok := cutVersion(rest[:end]); ok {
			found(name, version)
		}
	}
}

// cutVersion splits NAME-VERSION: the version begins behind the first dash from
// which on it is one.
func cutVersion(dir []byte) (name, version []byte, ok bool) {
	for i := 1; i < len(dir)-1; i++ {
		if dir[i] == '-' && semver(dir[i+1:]) {
			return dir[:i], dir[i+1:], crateName(dir[:i])
		}
	}
	return nil, nil, false
}
