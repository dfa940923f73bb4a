// Package haskell reads packages of Haskell: those registered with GHC, and
// the lock files of cabal and Stack.
package haskell

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads GHC's package databases, a file for each library: folders
// package.conf.d (GHC, Debian), package.db (cabal's store) and pkgdb (Stack).
// The run-time system, which is no package of Hackage, has type "generic" and
// the name "ghc-rts". Programs do not say which packages they were built from.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "haskell" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const (
	maxFile     = 8 << 20
	maxDepends  = 1000
	maxPackages = 100_000 // of one lock file
)

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, ".conf")
	if !ok {
		return analyze.Ignore
	}
	i := strings.LastIndexByte(dir, '/')
	if i < 0 {
		return analyze.Ignore
	}
	dir = dir[:i]
	switch dir[strings.LastIndexByte(dir, '/')+1:] {
	case "package.conf.d", "package.db", "pkgdb":
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
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		if err == nil {
			err = readConf(f.Path, string(data), out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading GHC's package: %w", err)
		}
	}
	return nil
}

// fields calls each with the fields of an InstalledPackageInfo: "name: value",
// whose value goes on in lines that are indented.
func fields(data string, each func(key, value string)) {
	key := ""
	var value strings.Builder
	flush := func() {
		if key != "" {
			each(key, strings.TrimSpace(value.String()))
		}
		value.Reset()
	}
	for s := range strings.Lines(data) {
		s = strings.TrimRight(s, "\r\n")
		if s == "" || s[0] == ' ' || s[0] == '\t' {
			value.WriteByte('\n')
			value.WriteString(strings.TrimSpace(s))
			continue
		}
		flush()
		k, v, ok := strings.Cut(s, ":")
		if !ok {
			key = ""
			continue
		}
		key = strings.ToLower(k)
		value.WriteString(strings.TrimSpace(v))
	}
	flush()
}

func readConf(file, data string, out *inventory.Record) error {
	p := inventory.Package{Type: "hackage", Path: file, Technique: inventory.TechDatabase}
	var owned []string
	outer := ""
	fields(data, func(key, v string) {
		switch key {
		case "name":
			p.Name = v
		case "package-name": // of a library inside a package
			outer = v
		case "version":
			p.Version = v
		case "license":
			if v = analyze.FirstLine(v); v != "" && v != "UnspecifiedLicense" {
				p.Licenses = []inventory.License{{Raw: v, Source: "declared"}}
			}
		case "maintainer":
			p.Supplier = analyze.FirstLine(v)
		case "homepage":
			p.Homepage = analyze.Clip(v, 1024)
		case "synopsis":
			p.Description = analyze.FirstLine(v)
		case "depends":
			for id := range strings.FieldsSeq(v) {
				if n := libraryName(id); analyze.ValidName(n) && len(p.Depends) < maxDepends {
					p.Depends = append(p.Depends, n)
				}
			}
		case "import-dirs", "library-dirs":
			for dir := range strings.FieldsSeq(v) {
				owned = append(owned, strings.Trim(dir, `"`))
			}
		}
	})
	if outer != "" {
		p.Name = outer
	}
	if !analyze.ValidName(p.Name) || !version(p.Version) {
		return errors.New("it has no valid name and version")
	}
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
	root := path.Dir(path.Dir(file)) // ${pkgroot}: where the database lies
	var paths []string
	for _, dir := range owned {
		if rest, ok := strings.CutPrefix(dir, "${pkgroot}"); ok {
			dir = path.Join("/", root, rest)
		}
		// only a folder of its own; GHC's libraries share one
		if path.IsAbs(dir) && strings.HasPrefix(path.Base(dir), p.Name+"-") && len(paths) < 16 {
			paths = append(paths, strings.TrimPrefix(path.Clean(dir), "/")+"/")
		}
	}
	p.Files = inventory.NewFileList(paths)
	if p.Name == "rts" {
		p.Type, p.Name = "generic", "ghc-rts"
	}
	out.Packages = append(out.Packages, p)
	return nil
}

// libraryName is the name in an identifier NAME-VERSION[-HASH], or in one
// without a version.
func libraryName(id string) string {
	for i := range len(id) - 1 {
		if id[i] == '-' && id[i+1] >= '0' && id[i+1] <= '9' {
			v, _, _ := strings.Cut(id[i+1:], "-")
			if version(v) {
				return id[:i]
			}
		}
	}
	return id
}

// version reports whether s is a version of Cabal: numbers with periods.
func version(s string) bool {
	return analyze.ValidName(s) && s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789.") == "" && s[len(s)-1] != '.'
}
