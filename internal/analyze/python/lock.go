package python

import (
	"context"
	"fmt"
	"io/fs"
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
		if err == nil {
			err = read(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

type reader func(f *analyze.File, out *inventory.Record) error

// whole makes a reader of a file of one of its content.
func whole(read func(file string, data []byte, out *inventory.Record) error) reader {
	return func(f *analyze.File, out *inventory.Record) error {
		data, err := f.ReadAll(analyze.MaxText)
		if err != nil {
			return err
		}
		return read(f.Path, data, out)
	}
}

// lockReader is what reads the file of a path, nil for most.
func lockReader(file string) reader {
	i := strings.LastIndexByte(file, '/')
	base := file[i+1:]
	var r reader
	switch {
	case strings.HasSuffix(base, ".txt"):
		if strings.Contains(base, "requirements") || strings.HasSuffix(file[:i+1], "/requirements/") {
			r = whole(readRequirements)
		}
	case strings.HasSuffix(base, ".lock"):
		switch base {
		case "Pipfile.lock":
			r = readPipfileLock
		case "poetry.lock":
			r = whole(readPoetryLock)
		case "pdm.lock":
			r = whole(readPDMLock)
		case "uv.lock":
			r = whole(readUVLock)
		}
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		r = whole(readPylock)
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
func readPipfileLock(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n := 0
	err = r.Members(func(section string) error {
		if section == "_meta" || section == "" {
			return nil
		}
		scope := clip(section, maxName)
		switch section {
		case "default":
			scope = ""
		case "develop":
			scope = "dev"
		}
		return r.Members(func(name string) error {
			var e struct {
				Version string   `json:"version"`
				Markers string   `json:"markers"`
				Hashes  []string `json:"hashes"`
			}
			if err := r.Decode(&e); err != nil {
				return fmt.Errorf("section %s: %w", clip(section, maxName), err)
			}
			version := pinned(e.Version)
			if version == "" || !validName(name) { // a folder or a repository: no version
				return nil
			}
			if n++; n > maxPackages {
				return fmt.Errorf("more than the limit of %d packages", maxPackages)
			}
			p := declared(f.Path, name, version, scope, e.Markers)
			if len(e.Hashes) == 1 {
				setHash(&p, e.Hashes[0])
			}
			out.Packages = append(out.Packages, p)
			return nil
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("reading Pipfile.lock: %w", err)
	}
	return nil
}
