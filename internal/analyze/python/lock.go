package python

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// LockAnalyzer reads what projects pin: requirements files, Pipfile.lock,
// poetry.lock, pdm.lock, uv.lock and pylock.toml. All of it is Declared.
// Files inside installed packages, which are nobody's project here, are left
// alone.
type LockAnalyzer struct{}

var _ analyze.Analyzer = LockAnalyzer{}

// Name implements [analyze.Analyzer].
func (LockAnalyzer) Name() string { return "python-lock" }

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
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = read(f.Path, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

type reader func(file string, data []byte, out *inventory.Record) error

// lockReader is what reads the file of a path, nil for most.
func lockReader(file string) reader {
	i := strings.LastIndexByte(file, '/')
	base := file[i+1:]
	var r reader
	switch {
	case strings.HasSuffix(base, ".txt"):
		if strings.Contains(base, "requirements") || strings.HasSuffix(file[:i+1], "/requirements/") {
			r = readRequirements
		}
	case strings.HasSuffix(base, ".lock"):
		switch base {
		case "Pipfile.lock":
			r = readPipfileLock
		case "poetry.lock":
			r = readPoetryLock
		case "pdm.lock":
			r = readPDMLock
		case "uv.lock":
			r = readUVLock
		}
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		r = readPylock
	}
	if r != nil && insidePackage(file) {
		return nil
	}
	return r
}

// insidePackage reports whether a path lies in a folder where package
// managers put packages: a lock file there was the packagers'.
func insidePackage(file string) bool {
	if strings.HasPrefix(file, "usr/share/doc/") || strings.HasPrefix(file, "usr/lib/python") || strings.HasPrefix(file, "usr/local/go/") {
		return true
	}
	for _, dir := range [...]string{"/site-packages/", "/dist-packages/", "/node_modules/", "/gems/", "/pkg/mod/", "/conda/pkgs/", "/_vendor/", "/vendored/", "/third_party/"} {
		if strings.Contains(file, dir) {
			return true
		}
	}
	return false
}

// declared makes a package that a lock file names.
func declared(file, name, version, scope, marker string) inventory.Package {
	p := newPackage(file, name, version)
	p.State, p.Scope, p.Technique = inventory.Declared, scope, inventory.TechLockFile
	if marker != "" {
		if p.Meta == nil {
			p.Meta = map[string]string{}
		}
		p.Meta["marker"] = clip(marker, 1<<10)
		if scope == "" && neverOnLinux(marker) {
			p.Scope = "optional"
		}
	}
	return p
}

// neverOnLinux reports whether a marker plainly asks for other systems.
func neverOnLinux(marker string) bool {
	if strings.Contains(marker, "(") {
		return false
	}
	for alternative := range strings.SplitSeq(marker, " or ") {
		m := strings.NewReplacer(`"`, "'", " ", "").Replace(alternative)
		other := false
		for _, s := range [...]string{
			"sys_platform=='win32'", "sys_platform=='darwin'", "sys_platform=='cygwin'",
			"platform_system=='Windows'", "platform_system=='Darwin'", "os_name=='nt'",
		} {
			other = other || strings.Contains(m, s)
		}
		if !other {
			return false
		}
	}
	return true
}

// setHash keeps a hash written as "sha256:HEX". Locks list one for every
// archive of a version, so it says something only where there is one.
func setHash(p *inventory.Package, s string) {
	alg, sum, ok := strings.Cut(s, ":")
	if !ok || !isHex(sum) {
		return
	}
	switch alg {
	case "md5", "sha1", "sha256", "sha384", "sha512":
		p.Hashes = map[string]string{alg: strings.ToLower(sum)}
	}
}

// readPipfileLock reads pipenv's lock: sections of packages by name, of which
// "default" is what the program needs.
func readPipfileLock(file string, data []byte, out *inventory.Record) error {
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &sections); err != nil {
		return fmt.Errorf("reading Pipfile.lock: %w", err)
	}
	names := make([]string, 0, len(sections))
	for s := range sections {
		if s != "_meta" {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	n := 0
	for _, s := range names {
		var section map[string]struct {
			Version string   `json:"version"`
			Markers string   `json:"markers"`
			Hashes  []string `json:"hashes"`
		}
		if err := json.Unmarshal(sections[s], &section); err != nil {
			return fmt.Errorf("reading Pipfile.lock: section %s: %w", clip(s, maxName), err)
		}
		scope := s
		switch s {
		case "default":
			scope = ""
		case "develop":
			scope = "dev"
		}
		packages := make([]string, 0, len(section))
		for name := range section {
			packages = append(packages, name)
		}
		slices.Sort(packages)
		for _, name := range packages {
			e := section[name]
			version := pinned(e.Version)
			if version == "" || !validName(name) { // a folder or a repository: no version
				continue
			}
			if n++; n > maxPackages {
				return fmt.Errorf("reading Pipfile.lock: more than the limit of %d packages", maxPackages)
			}
			p := declared(file, name, version, clip(scope, maxName), e.Markers)
			if len(e.Hashes) == 1 {
				setHash(&p, e.Hashes[0])
			}
			out.Packages = append(out.Packages, p)
		}
	}
	return nil
}
