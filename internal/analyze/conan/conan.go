// Package conan reads packages of Conan, the package manager of C and C++:
// the cache of Conan 1, folders that Conan 2 deploys to, and lock files.
// Conan 2 keeps names and versions of its cache in an SQLite database, which
// this package does not read.
package conan

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads conaninfo.txt of built packages whose folder names them:
// .conan/data/NAME/VERSION/USER/CHANNEL/package/ID of Conan 1 and
// full_deploy/CONTEXT/NAME/VERSION/… of Conan 2.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "conan" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, "/conaninfo.txt") {
		if _, ok := folder(e.Path); ok {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// folder is the reference that a folder stands for.
func folder(path string) (reference, bool) {
	if _, rest, ok := strings.Cut("/"+path, "/.conan/data/"); ok {
		// NAME/VERSION/USER/CHANNEL/package/ID/conaninfo.txt
		if e := strings.Split(rest, "/"); len(e) == 7 && e[4] == "package" {
			r := reference{name: e[0], version: e[1], user: e[2], channel: e[3]}
			return r, r.valid()
		}
		return reference{}, false
	}
	if _, rest, ok := strings.Cut("/"+path, "/full_deploy/"); ok {
		// CONTEXT/NAME/VERSION[/BUILD_TYPE/ARCH]/conaninfo.txt
		if e := strings.Split(rest, "/"); len(e) >= 4 && len(e) <= 7 && (e[0] == "host" || e[0] == "build") {
			r := reference{name: e[1], version: e[2]}
			return r, r.valid()
		}
	}
	return reference{}, false
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxInfo)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading conaninfo.txt: %w", err)
			continue
		}
		ref, ok := folder(f.Path)
		if !ok {
			continue
		}
		p := ref.pkg()
		p.Path, p.Technique = f.Path, inventory.TechMetadata
		p.Files = inventory.NewFileList([]string{strings.TrimSuffix(f.Path, "conaninfo.txt")})
		readInfo(string(data), &p)
		out.Packages = append(out.Packages, p)
	}
	return nil
}

const (
	maxInfo     = 4 << 20
	maxPackages = 100_000 // of one lock file
	maxDepends  = 1000
)

// readInfo takes what a package was built with from the sections of its
// conaninfo.txt.
func readInfo(data string, p *inventory.Package) {
	section := ""
	for s := range strings.Lines(data) {
		s = strings.TrimSpace(s)
		switch {
		case strings.HasPrefix(s, "["):
			section = s
		case section == "[settings]":
			if arch, ok := strings.CutPrefix(s, "arch="); ok && analyze.ValidName(arch) {
				p.Arch = arch
			}
		case section == "[requires]" && s != "":
			if name, _, ok := strings.Cut(s, "/"); ok && analyze.ValidName(name) && len(p.Depends) < maxDepends {
				p.Depends = append(p.Depends, name)
			}
		}
	}
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
}

// reference is NAME/VERSION@USER/CHANNEL#REVISION.
type reference struct {
	name, version, user, channel, revision string
}

func (r reference) valid() bool { return analyze.ValidName(r.name) && analyze.ValidName(r.version) }

// parse reads a reference as lock files have it; what stands behind the
// revision (a time, a package's identifier) is left out.
func parse(s string) (reference, bool) {
	s, _, _ = strings.Cut(s, "%")
	s, revision, _ := strings.Cut(s, "#")
	revision, _, _ = strings.Cut(revision, ":")
	s, _, built := strings.Cut(s, ":")
	if built { // what stood behind "#" is the package's revision, not the recipe's
		revision = ""
	}
	s, at, _ := strings.Cut(s, "@")
	r := reference{revision: revision}
	r.name, r.version, _ = strings.Cut(s, "/")
	r.user, r.channel, _ = strings.Cut(at, "/")
	if strings.Contains(r.version, "/") || strings.HasPrefix(r.version, "[") { // a range
		return r, false
	}
	return r, r.valid()
}

func (r reference) pkg() inventory.Package {
	p := inventory.Package{Type: "conan", Name: r.name, Version: r.version}
	for k, v := range map[string]string{"user": r.user, "channel": r.channel, "rrev": r.revision} {
		if v != "_" && v != "0" && analyze.ValidName(v) {
			if p.Qualifiers == nil {
				p.Qualifiers = map[string]string{}
			}
			p.Qualifiers[k] = v
		}
	}
	return p
}

// Lock reads conan.lock of Conan 1 and 2 as declared; tools have scope "build".
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "conan-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	if dir, ok := strings.CutSuffix(e.Path, "conan.lock"); ok && (dir == "" || dir[len(dir)-1] == '/') && !analyze.Foreign(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = readLock(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading conan.lock: %w", err)
		}
	}
	return nil
}

type node struct {
	Ref     string `json:"ref"`
	Pref    string `json:"pref"` // the oldest: the reference and the package's identifier
	Path    string `json:"path"` // of a project's own recipe
	Context string `json:"context"`
}

func readLock(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n, skipped := 0, 0
	add := func(s, scope string) error {
		if n++; n > maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
		ref, ok := parse(s)
		if !ok {
			skipped++
			return nil
		}
		p := ref.pkg()
		p.State, p.Scope, p.Path, p.Technique = inventory.Declared, scope, f.Path, inventory.TechLockFile
		out.Packages = append(out.Packages, p)
		return nil
	}
	list := func(scope string) error {
		return r.Elements(func() error {
			s, err := r.String()
			if err != nil {
				return err
			}
			return add(s, scope)
		})
	}
	err = r.Members(func(key string) error {
		switch key {
		case "graph_lock": // Conan 1
			return r.Members(func(key string) error {
				if key != "nodes" {
					return nil
				}
				return r.Members(func(string) error {
					var e node
					if err := r.Decode(&e); err != nil {
						return err
					}
					if ref, scope := e.reference(); ref != "" {
						return add(ref, scope)
					}
					return nil
				})
			})
		case "requires":
			return list("")
		case "build_requires", "python_requires", "config_requires":
			return list("build")
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err == nil && skipped > 0 {
		err = fmt.Errorf("%d references without a valid name and version", skipped)
	}
	return err
}

// reference returns what a node stands for, "" for the project itself.
func (e *node) reference() (ref, scope string) {
	ref = e.Ref
	if ref == "" {
		ref = e.Pref
	}
	if e.Path != "" || strings.HasPrefix(ref, "conanfile") {
		return "", ""
	}
	if e.Context == "build" {
		scope = "build"
	}
	return ref, scope
}
