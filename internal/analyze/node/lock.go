package node

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// LockAnalyzer reads what projects pin: package-lock.json and
// npm-shrinkwrap.json of all versions, yarn.lock of Yarn 1 and later,
// pnpm-lock.yaml of versions 5 to 9, bun.lock. All of it is Declared. What a
// lock file installed says of itself, so npm's hidden lock below node_modules
// is not read, nor are lock files inside packages.
//
// A lock that says so marks what is only for development with Scope "dev",
// and what may be missing (for another system) with "optional". yarn.lock
// does not say the first.
type LockAnalyzer struct{}

var _ analyze.Analyzer = LockAnalyzer{}

// Name implements [analyze.Analyzer].
func (LockAnalyzer) Name() string { return "node-lock" }

// Version implements [analyze.Analyzer].
func (LockAnalyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (LockAnalyzer) Wants(e analyze.Entry) analyze.Interest {
	if lockReader(e.Path) != nil {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (LockAnalyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		read := lockReader(f.Path)
		if read == nil && err == nil {
			continue
		}
		if err == nil {
			l := lock{path: f.Path, at: map[lockKey]int{}}
			err = read(f, &l)
			out.Packages = append(out.Packages, l.packages...)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// lockReader is what reads the file of a path, nil for most.
func lockReader(path string) func(*analyze.File, *lock) error {
	var read func(*analyze.File, *lock) error
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "package-lock.json", "npm-shrinkwrap.json":
		read = readNPMLock
	case "yarn.lock":
		read = whole(readYarnLock)
	case "pnpm-lock.yaml":
		read = whole(readPNPMLock)
	case "bun.lock":
		read = readBunLock
	case "bun.lockb":
		read = readBunBinaryLock
	default:
		return nil
	}
	if foreign(path) || strings.Contains(path, "node_modules/") || strings.Contains(path, "/nodejs/") {
		return nil
	}
	return read
}

// whole makes a reader of a file of one of its content.
func whole(read func([]byte, *lock) error) func(*analyze.File, *lock) error {
	return func(f *analyze.File, l *lock) error {
		data, err := f.ReadAll(analyze.MaxText)
		if err != nil {
			return err
		}
		return read(data, l)
	}
}

// lock collects the packages of one lock file.
type lock struct {
	path     string
	packages []inventory.Package
	at       map[lockKey]int
	names    int // of dependencies
}

type lockKey struct{ name, version string }

// locked is what a lock file says of a package.
type locked struct {
	name, version string // name with scope
	scope         string
	hashes        map[string]string
	license       string
	depends       []string
}

// add lists a package once, however many places a lock file gives it; of
// scopes the widest stays. What cannot be a package of a registry (local
// folders, addresses in place of versions) is left out.
func (l *lock) add(e locked) error {
	if !validName(e.name) || !validVersion(e.version) {
		return nil
	}
	k := lockKey{e.name, e.version}
	if i, ok := l.at[k]; ok {
		p := &l.packages[i]
		if scopeRank(e.scope) > scopeRank(p.Scope) {
			p.Scope = e.scope
		}
		if p.Hashes == nil {
			p.Hashes = e.hashes
		}
		return nil
	}
	if len(l.packages) == maxPackages {
		return fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	p := newPackage(e.name, e.version)
	p.Path, p.State, p.Scope, p.Technique, p.Hashes = l.path, inventory.Declared, e.scope, inventory.TechLockFile, e.hashes
	if e.license != "" {
		p.Licenses = []inventory.License{{Raw: clip(e.license, maxText), Source: "declared"}}
	}
	p.Depends = slices.DeleteFunc(e.depends, func(s string) bool { return !validName(s) })
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
	p.Depends = slices.Clip(p.Depends[:min(len(p.Depends), maxDepends)])
	if l.names += len(p.Depends); l.names > maxNeeds {
		return fmt.Errorf("more than the limit of %d dependencies", maxNeeds)
	}
	l.at[k] = len(l.packages)
	l.packages = append(l.packages, p)
	return nil
}

// scopeRank orders scopes from the narrowest to that of the program itself.
func scopeRank(scope string) int {
	switch scope {
	case "":
		return 4
	case "peer":
		return 3
	case "optional":
		return 2
	}
	return 1
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// splitSpec takes "name@rest" apart; the name may have a scope.
func splitSpec(s string) (name, rest string) {
	if s == "" {
		return "", ""
	}
	i := strings.IndexByte(s[1:], '@')
	if i < 0 {
		return s, ""
	}
	return s[:i+1], s[i+2:]
}
