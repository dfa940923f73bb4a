// Package swift reads the lock files of Swift's package manager and of
// CocoaPods. What is compiled leaves no trace of the packages it is from, so
// all of this is declared.
package swift

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads Package.resolved (versions 1 to 3) as packages of type "swift",
// whose namespace is the server and path of their repository, and Podfile.lock
// as packages of type "cocoapods". A package that is pinned to a branch has
// the revision as its version. Packages by path are left out, and so are the
// lock files of packages that were checked out as dependencies.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "swift-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, "Package.resolved")
	if !ok {
		dir, ok = strings.CutSuffix(e.Path, "Podfile.lock")
	}
	if ok && (dir == "" || dir[len(dir)-1] == '/') && !strings.Contains(dir, ".build/checkouts/") && !strings.Contains(dir, "SourcePackages/checkouts/") &&
		!analyze.Foreign(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

// maxPackages bounds the packages of one lock file.
const maxPackages = 100_000

var errPackages = fmt.Errorf("more than the limit of %d packages", maxPackages)

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
		case strings.HasSuffix(f.Path, ".lock"):
			var data []byte
			if data, err = f.ReadAll(analyze.MaxText); err == nil {
				err = readPodfileLock(f.Path, data, out)
			}
		default:
			err = readResolved(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading %s: %w", f.Path[strings.LastIndexByte(f.Path, '/')+1:], err)
		}
	}
	return nil
}

type pin struct {
	Identity string `json:"identity"`
	Kind     string `json:"kind"`     // remoteSourceControl, localSourceControl, registry
	Location string `json:"location"` // versions 2 and 3

	Package       string `json:"package"` // version 1
	RepositoryURL string `json:"repositoryURL"`

	State struct {
		Branch   string `json:"branch"`
		Revision string `json:"revision"`
		Version  string `json:"version"`
	} `json:"state"`
}

func readResolved(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n, skipped := 0, 0
	pins := func() error {
		var e pin
		if err := r.Decode(&e); err != nil {
			return err
		}
		if n++; n > maxPackages {
			return errPackages
		}
		p, ok := e.pack(f.Path)
		if ok && (!analyze.ValidName(p.Name) || !analyze.ValidName(p.Version)) {
			skipped++
		} else if ok {
			out.Packages = append(out.Packages, p)
		}
		return nil
	}
	err = r.Members(func(key string) error {
		switch key {
		case "pins":
			return r.Elements(pins)
		case "object": // version 1
			return r.Members(func(key string) error {
				if key != "pins" {
					return nil
				}
				return r.Elements(pins)
			})
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err == nil && skipped > 0 {
		err = fmt.Errorf("%d pins without a valid location and version", skipped)
	}
	return err
}

// pack makes a package of a pin; one by path is none.
func (e *pin) pack(file string) (inventory.Package, bool) {
	p := inventory.Package{
		Type: "swift", Version: e.State.Version, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile,
	}
	if p.Version == "" {
		p.Version = e.State.Revision
		setMeta(&p, "branch", e.State.Branch)
	} else {
		setMeta(&p, "revision", e.State.Revision)
	}
	where := e.Location + e.RepositoryURL
	switch e.Kind {
	case "localSourceControl", "fileSystem":
		return p, false
	case "registry":
		p.Name = e.Identity
		setMeta(&p, "registry", "swift")
	default:
		if strings.HasPrefix(where, "/") || strings.HasPrefix(where, "file:") || strings.HasPrefix(where, ".") {
			return p, false
		}
		p.Namespace, p.Name = splitURL(where)
	}
	return p, true
}

// splitURL makes "github.com/apple" and "swift-nio" of a repository's address,
// which may also be "git@github.com:apple/swift-nio.git".
func splitURL(s string) (namespace, name string) {
	var dir string
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		dir = u.Hostname() + u.Path
	} else if at, rest, ok := strings.Cut(s, "@"); ok && !strings.Contains(at, "/") {
		dir = strings.Replace(rest, ":", "/", 1)
	} else {
		return "", ""
	}
	dir = strings.TrimSuffix(strings.TrimRight(dir, "/"), ".git")
	i := strings.LastIndexByte(dir, '/')
	if i < 0 || !analyze.ValidName(dir) {
		return "", ""
	}
	return dir[:i], dir[i+1:]
}

func setMeta(p *inventory.Package, key, value string) {
	if !analyze.ValidName(value) {
		return
	}
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	p.Meta[key] = value
}

// readPodfileLock reads what CocoaPods writes: lists below headings without
// indentation. A subspec, "Pod/Part (1.0)", is of its pod.
func readPodfileLock(file string, data []byte, out *inventory.Record) error {
	versions := map[string]string{}
	depends := map[string][]string{}
	local := map[string]bool{}
	var order []string
	section, current, external := "", "", ""
	for raw := range bytes.Lines(data) {
		s := strings.TrimRight(string(raw), "\r\n ")
		if s == "" {
			continue
		}
		if s[0] != ' ' {
			section, current, external = strings.TrimSuffix(s, ":"), "", ""
			continue
		}
		switch section {
		case "PODS":
			item, ok := strings.CutPrefix(strings.TrimLeft(s, " "), "- ")
			if !ok {
				continue
			}
			name, version := splitPod(item)
			if len(s)-len(strings.TrimLeft(s, " ")) > 2 { // what the one above needs
				if analyze.ValidName(name) && current != "" && name != current && len(depends[current]) < 1000 {
					depends[current] = append(depends[current], name)
				}
				continue
			}
			current = ""
			if !analyze.ValidName(name) || !analyze.ValidName(version) {
				continue
			}
			current = name
			if _, ok := versions[name]; !ok {
				if len(order) == maxPackages {
					return errPackages
				}
				order = append(order, name)
				versions[name] = version
			}
		case "EXTERNAL SOURCES":
			key, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(s), `"`), ":")
			if strings.HasPrefix(s, "  ") && !strings.HasPrefix(s, "   ") {
				external, _, _ = strings.Cut(strings.Trim(key, `"`), "/")
			} else if strings.HasPrefix(strings.TrimSpace(s), ":path:") {
				local[external] = true
			}
		}
	}
	for _, name := range order {
		if local[name] {
			continue
		}
		out.Packages = append(out.Packages, inventory.Package{
			Type: "cocoapods", Name: name, Version: versions[name], Depends: compact(depends[name]),
			State: inventory.Declared, Path: file, Technique: inventory.TechLockFile,
		})
	}
	if len(order) == 0 && !bytes.Contains(data, []byte("PODFILE CHECKSUM")) && !bytes.Contains(data, []byte("COCOAPODS:")) {
		return fmt.Errorf("it has no pods")
	}
	return nil
}

// splitPod takes `"Pod/Part (1.0)":` apart, without the part.
func splitPod(s string) (name, version string) {
	s = strings.Trim(strings.TrimSuffix(s, ":"), `"`)
	name, version, _ = strings.Cut(s, " (")
	name, _, _ = strings.Cut(name, "/")
	return name, strings.TrimSuffix(version, ")")
}

func compact(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
