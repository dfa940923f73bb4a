package node

import (
	"fmt"
	"strings"
)

// readPNPMLock reads the lock of pnpm, versions 5 to 9. Up to version 6 every
// package says whether it is for development; from 9 on that follows from the
// graph of "snapshots" below the "importers".
func readPNPMLock(data []byte, l *lock) error {
	p := pnpmLock{packages: map[string]*pnpmPackage{}, roots: map[string][]string{}}
	err := scanYAML(data, p.pair)
	if err == nil {
		err = p.failed
	}
	scopes := p.scopes()
	for _, key := range p.order {
		e := p.packages[key]
		entry := locked{name: e.name, version: e.version, scope: e.scope(), hashes: integrity(e.integrity), depends: e.depends}
		if e.local {
			continue
		}
		if scopes != nil {
			s, reached := scopes[withoutPeers(key)]
			if reached && entry.scope == "" {
				entry.scope = s
			}
		}
		if addErr := l.add(entry); addErr != nil {
			err = addErr
			break
		}
	}
	if err != nil {
		return fmt.Errorf("reading pnpm-lock.yaml: %w", err)
	}
	return nil
}

type pnpmLock struct {
	old      bool // before version 6: names and versions with a slash between
	graph    bool // has snapshots
	packages map[string]*pnpmPackage
	order    []string
	roots    map[string][]string // snapshots that importers need, by scope
	current  *pnpmPackage
	failed   error
	snapshot map[string]*pnpmSnapshot
}

type pnpmPackage struct {
	name, version, integrity string
	dev, optional, local     bool
	depends                  []string
}

type pnpmSnapshot struct {
	needs    []string // keys of snapshots
	optional bool
}

func (e *pnpmPackage) scope() string {
	switch {
	case e.dev:
		return "dev"
	case e.optional:
		return "optional"
	}
	return ""
}

func (p *pnpmLock) pair(path []string, value string) {
	switch path[0] {
	case "lockfileVersion":
		p.old = strings.HasPrefix(value, "5") || strings.HasPrefix(value, "4") || strings.HasPrefix(value, "3")
	case "packages":
		p.inPackages(path, value)
	case "snapshots":
		p.inSnapshots(path, value)
	case "importers":
		// importers: PLACE: dependencies: NAME: version: V
		if len(path) == 5 && path[4] == "version" {
			p.root(path[2], path[3], value)
		}
	case "dependencies", "devDependencies", "optionalDependencies": // of a lock without workspaces
		if len(path) == 3 && path[2] == "version" {
			p.root(path[0], path[1], value)
		}
	}
}

func (p *pnpmLock) root(group, name, version string) {
	scope, ok := map[string]string{"dependencies": "", "devDependencies": "dev", "optionalDependencies": "optional"}[group]
	if ok && len(p.roots[scope]) < maxPackages {
		p.roots[scope] = append(p.roots[scope], snapshotKey(name, version))
	}
}

func (p *pnpmLock) inPackages(path []string, value string) {
	if len(path) == 1 {
		return
	}
	if len(path) == 2 {
		p.current = nil
		if len(p.order) == maxPackages {
			p.failed = fmt.Errorf("more than the limit of %d packages", maxPackages)
			return
		}
		if p.packages[path[1]] == nil {
			p.order = append(p.order, path[1])
		}
		e := &pnpmPackage{}
		e.name, e.version = p.splitKey(path[1])
		e.local = strings.HasPrefix(path[1], "file:") || strings.HasPrefix(path[1], "link:") || strings.Contains(path[1], "@file:") || strings.Contains(path[1], "@link:")
		p.packages[path[1]], p.current = e, e
		return
	}
	e := p.current
	if e == nil {
		return
	}
	if len(path) == 4 {
		switch {
		case path[2] == "dependencies" || path[2] == "optionalDependencies":
			if len(e.depends) < maxDepends {
				e.depends = append(e.depends, path[3])
			}
		case path[2] == "resolution" && path[3] == "integrity":
			e.integrity = value
		case path[2] == "resolution" && path[3] == "type" && value == "directory":
			e.local = true
		}
		return
	}
	switch path[2] {
	case "resolution":
		e.integrity = flowValue(value, "integrity")
		if flowValue(value, "type") == "directory" || flowValue(value, "directory") != "" {
			e.local = true
		}
	case "name": // where the key is an address
		e.name = value
	case "version":
		e.version = value
	case "dev":
		e.dev = value == "true"
	case "optional":
		e.optional = value == "true"
	}
}

func (p *pnpmLock) inSnapshots(path []string, value string) {
	p.graph = true
	if p.snapshot == nil {
		p.snapshot = map[string]*pnpmSnapshot{}
	}
	switch len(path) {
	case 2:
		if len(p.snapshot) < maxPackages {
			p.snapshot[path[1]] = &pnpmSnapshot{}
		}
	case 3:
		if s := p.snapshot[path[1]]; s != nil && path[2] == "optional" {
			s.optional = value == "true"
		}
	case 4:
		if s := p.snapshot[path[1]]; s != nil && (path[2] == "dependencies" || path[2] == "optionalDependencies") && len(s.needs) < maxDepends {
			s.needs = append(s.needs, snapshotKey(path[3], value))
			if e := p.packages[withoutPeers(path[1])]; e != nil && len(e.depends) < maxDepends {
				e.depends = append(e.depends, path[3])
			}
		}
	}
}

// snapshotKey is the key of what a dependency resolved to: its version with
// the name before it, unless that is another package's already.
func snapshotKey(name, version string) string {
	plain := withoutPeers(version)
	if i := strings.IndexByte(plain, '@'); i > 0 && !strings.Contains(plain[:i], ":") || strings.HasPrefix(plain, "@") {
		return version
	}
	return name + "@" + version
}

// withoutPeers cuts the peers that a key lists in parentheses.
func withoutPeers(key string) string {
	if i := strings.IndexByte(key, '('); i > 0 {
		return key[:i]
	}
	return key
}

// scopes walks the graph from what the importers need: the scope of each
// package by its key, "" winning over "optional" over "dev". nil without graph.
func (p *pnpmLock) scopes() map[string]string {
	if !p.graph {
		return nil
	}
	out := make(map[string]string, len(p.packages))
	seen := make(map[string]bool, len(p.snapshot))
	for _, scope := range [...]string{"", "optional", "dev"} {
		queue := p.roots[scope]
		for len(queue) > 0 {
			key := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if seen[key] {
				continue
			}
			seen[key] = true
			s := p.snapshot[key]
			mark := scope
			if s != nil && s.optional && scope == "" {
				mark = "optional"
			}
			id := withoutPeers(key)
			if old, ok := out[id]; !ok || scopeRank(mark) > scopeRank(old) {
				out[id] = mark
			}
			if s != nil {
				queue = append(queue, s.needs...)
			}
		}
	}
	return out
}

// splitKey takes the key of a package apart: "/name/1.0.0_peers" before
// version 6, "/name@1.0.0(peers)" in 6, "name@1.0.0" in 9. Keys that begin
// with a host or an address have no version here.
func (p *pnpmLock) splitKey(key string) (name, version string) {
	if p.old {
		rest, ok := strings.CutPrefix(key, "/")
		if !ok {
			return "", ""
		}
		name, version, _ = cutLast(rest, "/")
		if i := strings.IndexByte(rest, '/'); i > 0 { // peers may hold slashes
			if rest[0] == '@' {
				if j := strings.IndexByte(rest[i+1:], '/'); j >= 0 {
					i += 1 + j
				}
			}
			name, version = rest[:i], rest[i+1:]
		}
		version, _, _ = strings.Cut(version, "_")
		version, _, _ = strings.Cut(version, "/")
		return name, version
	}
	return splitSpec(withoutPeers(strings.TrimPrefix(key, "/")))
}
