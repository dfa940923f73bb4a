// Package ruby reads gems: the specifications that RubyGems and Bundler keep
// of installed ones, and Bundler's lock files.
package ruby

import (
	"context"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads installed gems: every specification in a "specifications"
// folder (RubyGems' own, default gems, Bundler's, Debian's
// rubygems-integration), and the hand-written ones of gems that Bundler
// checked out of a repository. Those often compute their version: it is then
// empty, and Meta["revision"] names the commit.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "ruby" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, ".gemspec") && classify(e.Path) != none {
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
		k := none
		if strings.HasSuffix(f.Path, ".gemspec") {
			k = classify(f.Path)
		}
		if k == none && err == nil {
			continue
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxGemspec)
		}
		if err == nil {
			err = readGemspec(f.Path, k, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

type kind uint8

const (
	none      kind = iota
	installed      // specifications/*.gemspec
	standard       // specifications/default/*.gemspec
	checkout       // gemspec of a repository below bundler/gems
)

// classify tells by its path what a gemspec is.
func classify(path string) kind {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || inGemTests(path[:i]) {
		return none
	}
	dir, base := path[:i], path[i+1:]
	switch {
	case strings.HasSuffix(dir, "/specifications") || dir == "specifications":
		return installed
	case strings.HasSuffix(dir, "/specifications/default") || dir == "specifications/default":
		return standard
	}
	if j := strings.LastIndex(dir, "/bundler/gems/"); j >= 0 {
		// name-revision, or in a repository of several gems name-revision/gem
		_, sub, more := strings.Cut(dir[j+len("/bundler/gems/"):], "/")
		if !more || sub == strings.TrimSuffix(base, ".gemspec") {
			return checkout
		}
	}
	return none
}

// inGemTests reports whether dir is a place for tests inside a gem.
func inGemTests(dir string) bool {
	i := strings.Index(dir, "/gems/")
	if i < 0 {
		return false
	}
	for part := range strings.SplitSeq(dir[i+1:], "/") {
		switch part {
		case "test", "tests", "spec", "specs", "fixtures", "features", "examples":
			return true
		}
	}
	return false
}

// Limits of what is taken out of one file.
const (
	maxGemspec  = 8 << 20 // bytes of a specification
	maxName     = 256     // bytes of a name or a version
	maxText     = 200     // bytes of a description, a licence, a supplier
	maxList     = 10_000  // dependencies, licences, authors, files
	maxPackages = 100_000 // gems of one lock file
)

// validName reports whether a gem may have the name.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// validVersion reports whether s is a version of Gem::Version: elements of
// letters and digits between dots, beginning with a digit.
func validVersion(s string) bool {
	if s == "" || len(s) > maxName || s[0] < '0' || s[0] > '9' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// validPlatform reports whether s looks like "x86_64-linux-musl" or "java".
func validPlatform(s string) bool { return validName(s) }

// clip shortens s to at most n bytes without cutting a character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
