// Package python reads what Python's installers leave behind: the metadata of
// installed distributions (dist-info, egg-info, eggs), conda's records of an
// environment, and lock files. What modules exist without metadata is not its
// business.
//
// Formats: "Core metadata specifications", "Recording installed projects" and
// "Binary distribution format" of the Python Packaging User Guide, and
// setuptools' "The Internal Structure of Python Eggs".
package python

import (
	"context"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads installed distributions. The file lists of a distribution
// (RECORD, installed-files.txt, SOURCES.txt) become Ownership entries beside
// it, as they may lie in another layer than its metadata.
//
// A wheel that lies around is not installed: it is Declared with Scope
// "wheel". So is, with Scope "vendored", what pip's vendor.txt lists.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "python" }

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
	if k == archive {
		return readArchive(ctx, f, out)
	}
	if k == conda {
		return readConda(f, out)
	}
	data, err := f.ReadAll(analyze.MaxText)
	if err != nil {
		return err
	}
	switch k {
	case metadata:
		return readMetadata(f.Path, data, out)
	case record:
		return readRecord(f.Path, data, out)
	case installedFiles:
		return readInstalledFiles(f.Path, data, out)
	case sources:
		return readSources(f.Path, data, out)
	case vendored:
		return readVendored(f.Path, data, out)
	}
	return nil
}

type kind uint8

const (
	none           kind = iota
	metadata            // METADATA, PKG-INFO, or an egg-info that is one file
	record              // RECORD of a dist-info
	installedFiles      // installed-files.txt of an egg-info
	sources             // SOURCES.txt of an egg-info
	archive             // wheel, zipped egg, zipapp
	conda               // conda-meta/*.json
	vendored            // vendor.txt
)

// classify tells by its path what a file is.
func classify(path string) kind {
	k := classifyName(path)
	if k != none && fixture(path) {
		return none
	}
	return k
}

func classifyName(path string) kind {
	i := strings.LastIndexByte(path, '/')
	base := path[i+1:]
	if i > 0 {
		dir := path[:i]
		switch base {
		case "METADATA":
			if strings.HasSuffix(dir, ".dist-info") {
				return metadata
			}
			return none
		case "PKG-INFO":
			if strings.HasSuffix(dir, ".egg-info") || strings.HasSuffix(dir, ".egg/EGG-INFO") {
				return metadata
			}
			return none
		case "RECORD":
			if strings.HasSuffix(dir, ".dist-info") {
				return record
			}
			return none
		case "installed-files.txt":
			if strings.HasSuffix(dir, ".egg-info") {
				return installedFiles
			}
			return none
		case "SOURCES.txt":
			if strings.HasSuffix(dir, ".egg-info") {
				return sources
			}
			return none
		case "vendor.txt", "vendored.txt":
			if strings.HasSuffix(dir, "/_vendor") {
				return vendored
			}
			return none
		}
	}
	j := strings.LastIndexByte(base, '.')
	if j <= 0 {
		return none
	}
	switch base[j:] {
	case ".egg-info":
		return metadata
	case ".whl", ".egg", ".pex", ".pyz":
		return archive
	case ".json":
		if i > 0 && (strings.HasSuffix(path[:i], "/conda-meta") || path[:i] == "conda-meta") {
			return conda
		}
	}
	return none
}

// fixture reports whether the path lies in a folder of tests inside a library
// folder: interpreters and packages bring such distributions to test
// themselves with.
func fixture(path string) bool {
	at := strings.Index(path, "-packages/")
	if at < 0 {
		at = strings.Index(path, "lib/python")
		if at > 0 && path[at-1] != '/' {
			return false
		}
	}
	if at < 0 {
		return false
	}
	for rest := path[at+1:]; ; {
		head, tail, more := strings.Cut(rest, "/")
		if !more {
			return false
		}
		switch head {
		case "test", "tests", "testdata", "fixtures":
			return true
		}
		rest = tail
	}
}

// Limits of what is taken out of one file.
const (
	maxName     = 256       // bytes of a name or a version
	maxText     = 200       // bytes of a description, a licence, a supplier
	maxDepends  = 10_000    // dependencies of a package
	maxLicenses = 100       // licence statements of a package
	maxPackages = 100_000   // packages of one file
	maxFiles    = 2_000_000 // lines of one file list
)

// normalize is the form in which the index knows a name: lower case, runs of
// "-", "_" and "." as one "-" (PEP 503).
func normalize(name string) string {
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == '.':
			if n := len(b); n > 0 && b[n-1] == '-' {
				continue
			}
			c = '-'
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return string(b)
}

// validName reports whether a distribution can have the name (PEP 508).
func validName(name string) bool {
	if name == "" || len(name) > maxName || name == "UNKNOWN" {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		case (c == '-' || c == '_' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return true
}

// validVersion reports whether s may be a version: setuptools let through
// more than PEP 440 allows, but neither blanks nor placeholders.
func validVersion(s string) bool {
	if s == "" || len(s) > maxName || s == "UNKNOWN" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		case strings.IndexByte(".-_+!~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// newPackage makes a package of a name as written and a valid version.
func newPackage(path, name, version string) inventory.Package {
	p := inventory.Package{Type: "pypi", Name: normalize(name), Version: version, Path: path, Technique: inventory.TechMetadata}
	if p.Name != name {
		p.Meta = map[string]string{"name": name}
	}
	return p
}

// clip shortens s to at most n bytes without cutting a character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
