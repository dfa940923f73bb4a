// Package license recognises licences by their texts: in files that are named
// as licence files are, in those of installed packages and Java archives, in
// Debian copyright files without machine-readable names, and by
// SPDX-License-Identifier tags in any of these. What it finds is "detected",
// with a confidence; whose licence it is, package inventory finds out.
//
// Texts are compared word by word by github.com/google/licensecheck, which
// knows some 420 licences with the variations that are allowed in them.
package license

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads licence files. It remembers what texts it has seen: most
// occur many times in an image. The zero value is ready; it may be used by
// many goroutines.
type Analyzer struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]answer
}

var _ analyze.Analyzer = (*Analyzer)(nil)

// Name implements [analyze.Analyzer].
func (*Analyzer) Name() string { return "license" }

// Version implements [analyze.Analyzer].
func (*Analyzer) Version() int { return 1 }

// maxText is how many bytes of a text are looked at: the rest of a longer one
// is a Problem.
const maxText = 1 << 20

// maxCopyright is up to which size the copyright file of a Debian package is
// looked at: longer ones list dozens of licences, of which package dpkg tells
// those that they refer to.
const maxCopyright = 16 << 10

// Wants implements [analyze.Analyzer].
func (*Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if e.Size == 0 {
		return analyze.Ignore
	}
	switch e.Kind {
	case inventory.KindText:
		if isLicense(e.Path) || isCopyright(e.Path) && e.Size <= maxCopyright {
			return analyze.Alone
		}
	case inventory.KindZip:
		if isJava(e.Path) {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// isCopyright reports whether a path is the copyright file of a Debian
// package.
func isCopyright(path string) bool {
	rest, ok := strings.CutPrefix(path, docDir)
	if !ok {
		return false
	}
	name, ok := strings.CutSuffix(rest, "/copyright")
	return ok && name != "" && strings.IndexByte(name, '/') < 0
}

const docDir = "usr/share/doc/"

// isLicense reports whether a file is named as licence texts are: LICENSE,
// COPYING, NOTICE and their like with any extension that is not of a program,
// or lies where nothing but licence texts does.
func isLicense(path string) bool {
	dir, base := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, base = path[:i], path[i+1:]
	}
	if strings.HasPrefix(dir, "usr/share/common-licenses") || strings.HasPrefix(dir, "usr/share/licenses/") {
		return true
	}
	if foreign(base) {
		return false
	}
	if named(base) {
		return true
	}
	switch parent := dir[strings.LastIndexByte(dir, '/')+1:]; parent {
	case "licenses", "license_files":
		return strings.Contains(dir, ".dist-info/")
	case "LICENSES":
		return true
	}
	return false
}

// named reports whether a base name says "licence": at its start, or as its
// last word.
func named(base string) bool {
	for _, word := range [...]string{"license", "licence", "copying", "unlicense", "notice", "copyright", "eula"} {
		if len(base) < len(word) {
			continue
		}
		if strings.EqualFold(base[:len(word)], word) {
			// LICENSES, LICENSE-MIT, LICENSE.txt, but no "licenser"
			rest := base[len(word):]
			if rest != "" && (rest[0] == 's' || rest[0] == 'S') {
				rest = rest[1:]
			}
			return rest == "" || !letter(rest[0])
		}
		// MIT-LICENSE, MIT-LICENSE.txt, foo.license, ThirdPartyNotices.txt
		stem := base
		if i := strings.LastIndexByte(base, '.'); i > 0 && !strings.EqualFold(base[i+1:], word) {
			stem = base[:i]
		}
		if n := len(stem) - len(word); n > 0 && strings.EqualFold(stem[n:], word) && !letter(stem[n-1]) {
			return true
		}
	}
	return strings.HasPrefix(base, "ThirdPartyNotice") || strings.HasPrefix(base, "THIRD-PARTY") || strings.HasPrefix(base, "THIRD_PARTY")
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// foreign reports whether the extension is one of programs and data.
func foreign(base string) bool {
	i := strings.LastIndexByte(base, '.')
	if i < 0 {
		return false
	}
	switch base[i+1:] {
	case "js", "mjs", "cjs", "jsx", "ts", "tsx", "map", "vue", "json", "yml", "yaml", "toml", "lock", "xml", "xsd", "xsl", "html", "htm", "css", "scss", "less", "svg",
		"py", "pyi", "pyx", "pyc", "rb", "tt", "erb", "rbs", "go", "java", "kt", "scala", "groovy", "c", "h", "cc", "cpp", "hpp", "rs", "php", "pl", "pm", "pod", "sh", "ps1",
		"lua", "sql", "ex", "exs", "erl", "hs", "ml", "mli", "r", "R", "m4", "in", "am", "cmake", "po", "mo", "pot", "properties", "proto", "tmpl", "hbs", "ejs", "list", "md5sums",
		"conf", "cfg", "ini", "desktop", "service", "csv", "tsv", "log", "snap", "diff", "patch", "tex", "bat":
		return true
	}
	return false
}

// Analyze implements [analyze.Analyzer].
func (a *Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if f.Kind == inventory.KindZip {
			err = a.readArchive(ctx, f, out)
		} else {
			err = a.readFile(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

func (a *Analyzer) readFile(f *analyze.File, out *inventory.Record) error {
	text := f.Bytes()
	if text == nil || len(text) > maxText {
		text = make([]byte, min(f.Size, maxText))
		if _, err := f.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if f.Size > maxText {
		tooLong(out, f.Path, f.Size)
	}
	l := inventory.LicenseFile{Path: f.Path}
	if isCopyright(f.Path) {
		if machineReadable(text) {
			return nil // its names are what counts
		}
		l.PackageType, l.Package = "deb", strings.TrimSuffix(f.Path[len(docDir):], "/copyright")
		if l.Licenses = a.detect(text, false); l.Licenses == nil {
			return nil
		}
	} else {
		l.Licenses = a.detect(text, true)
	}
	out.Licenses = append(out.Licenses, l)
	return nil
}

// maxSeen is how many texts are remembered; they are some hundred bytes each.
const maxSeen = 20_000

// detect finds licences in a text, or remembers them. With guess it falls back
// on sentences where nothing else is recognised. Nobody may change the result.
func (a *Analyzer) detect(text []byte, guess bool) []inventory.License {
	sum := sha256.Sum256(text)
	if id := digests()[hex.EncodeToString(sum[:])]; id != "" {
		return []inventory.License{{Raw: id, Source: inventory.DetectedLicense, Confidence: wholeText}}
	}
	plain := withoutNotices(text)
	found, sure := a.remember(plain, guess, func() ([]inventory.License, bool) {
		matches := find(plain)
		return detect(plain, matches, guess), share(plain, matches) >= settled
	})
	if sure || len(plain) == len(text) {
		return found
	}
	// a few licences have such lines among their words
	found, _ = a.remember(text, guess, func() ([]inventory.License, bool) { return detect(text, find(text), guess), true })
	return found
}

type answer struct {
	licenses []inventory.License
	sure     bool
}

func (a *Analyzer) remember(text []byte, guess bool, find func() ([]inventory.License, bool)) ([]inventory.License, bool) {
	sum := sha256.Sum256(text)
	if guess {
		sum[0] ^= 1 // the same text is another question
	}
	a.mu.Lock()
	got, ok := a.seen[sum]
	a.mu.Unlock()
	if ok {
		return got.licenses, got.sure
	}
	got.licenses, got.sure = find()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[[sha256.Size]byte]answer{}
	}
	if len(a.seen) < maxSeen {
		a.seen[sum] = got
	}
	return got.licenses, got.sure
}

// withoutNotices leaves out the lines that say whose copyright it is: without
// them most licence files of an image are one of a few texts.
func withoutNotices(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		if !isNotice(line) {
			out = append(out, line...)
		}
	}
	return out
}

// isNotice reports whether a line begins with "copyright" and names a year or
// has the sign.
func isNotice(line []byte) bool {
	line = bytes.TrimLeft(line, " \t*#/;>|-")
	const word = "copyright"
	if len(line) < len(word) || len(line) > 300 {
		return false
	}
	if !bytes.EqualFold(line[:len(word)], []byte(word)) {
		return false
	}
	digits := 0
	for _, c := range line[len(word):] {
		if c < '0' || c > '9' {
			digits = 0
		} else if digits++; digits == 4 {
			return true
		}
	}
	return bytes.Contains(line, []byte("(c)")) || bytes.Contains(line, []byte("(C)")) || bytes.Contains(line, []byte("\u00a9"))
}

// machineReadable reports whether a copyright file is one after DEP 5.
func machineReadable(text []byte) bool {
	head := strings.ToLower(string(text[:min(len(text), 2048)]))
	for line := range strings.Lines(head) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		return strings.HasPrefix(line, "format:") || strings.HasPrefix(line, "format-specification:") ||
			strings.Contains(head, "\nformat:") || strings.Contains(head, "\nformat-specification:")
	}
	return false
}

func tooLong(out *inventory.Record, path string, size int64) {
	out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: path, Limit: "licence text",
		Message: fmt.Sprintf("of %d bytes the first %d were looked at for licences", size, maxText)})
}
