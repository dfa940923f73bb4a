package python

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// lockEntry is one package of a TOML lock file: what any of the formats says.
type lockEntry struct {
	name, version, summary string
	category               string   // poetry before 1.5
	groups                 []string // poetry from 2.0, pdm
	optional               bool     // poetry
	marker                 string
	local                  bool // a project beside the lock file, not from an index
	hash                   string

	depends   []string
	optionals []string // uv: what any of its extras needs
	dev       []string // uv: what any of its groups needs
}

// readLockEntries reads the packages of a TOML lock file, whose tables are
// called list.
func readLockEntries(data []byte, list string) ([]lockEntry, error) {
	var all []lockEntry
	var e *lockEntry
	var sub string // table inside the entry
	hashes := 0
	err := scanTOML(data, tomlVisitor{
		table: func(path []string, array bool) {
			switch {
			case path[0] != list && (list != "package" || path[0] != "distribution"): // uv's first name for it
				e = nil
			case len(path) == 1:
				e, sub = nil, ""
				if array && len(all) < maxPackages {
					all = append(all, lockEntry{})
					e, hashes = &all[len(all)-1], 0
				}
			case e != nil:
				sub = path[1]
				if array && sub == "dependencies" {
					sub = "dependency"
				}
				e.local = e.local || sub == "directory"
				if len(path) > 2 && (sub == "dependencies" || sub == "tool" || sub == "metadata") {
					if sub == "dependencies" && len(path) == 3 {
						e.addDepends(path[2])
					}
					sub = "skip"
				}
			}
		},
		wants: func(key string) bool {
			if e == nil {
				return false
			}
			switch sub {
			case "":
				switch key {
				case "name", "version", "summary", "description", "category", "groups", "optional", "marker", "markers", "path", "editable",
					"directory", "source", "dependencies", "files", "wheels", "sdist":
					return true
				}
				return strings.HasPrefix(key, "source.") || strings.HasPrefix(key, "directory.")
			case "source", "dependencies", "optional-dependencies", "dev-dependencies":
				return true
			case "dependency":
				return key == "name"
			}
			return false
		},
		pair: func(key string, value any) {
			text, _ := value.(string)
			switch sub {
			case "source": // poetry
				e.local = e.local || key == "type" && (text == "directory" || text == "file")
				return
			case "dependencies": // poetry: a table by name
				e.addDepends(key)
				return
			case "dependency": // pylock: a table each
				e.addDepends(text)
				return
			case "optional-dependencies":
				e.optionals = appendNames(e.optionals, value)
				return
			case "dev-dependencies":
				e.dev = appendNames(e.dev, value)
				return
			}
			switch key {
			case "name":
				e.name = text
			case "version":
				e.version = text
			case "summary", "description":
				e.summary, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
				e.summary = clip(e.summary, maxText)
			case "category":
				e.category = clip(text, maxName)
			case "groups":
				e.groups = appendNames(nil, value)
			case "optional":
				e.optional, _ = value.(bool)
			case "marker", "markers":
				e.marker = clip(text, 1<<10)
			case "path":
				e.local = true
			case "editable":
				editable, _ := value.(bool)
				e.local = e.local || editable
			case "directory":
				e.local = true
			case "source": // uv
				t, _ := value.(map[string]any)
				for _, k := range [...]string{"virtual", "editable", "directory", "path"} {
					if t[k] != nil {
						e.local = true
					}
				}
			case "dependencies":
				for _, d := range appendNames(nil, value) {
					e.addDepends(d)
				}
			case "files", "wheels", "sdist":
				archives, ok := value.([]any)
				if !ok {
					archives = []any{value}
				}
				for _, a := range archives {
					t, _ := a.(map[string]any)
					if h := archiveHash(t); h != "" {
						e.hash = h
						hashes++
					}
				}
				if hashes > 1 {
					e.hash = ""
				}
			default:
				e.local = e.local || strings.HasPrefix(key, "directory.") || key == "source.virtual" || key == "source.editable"
			}
		},
	})
	if err == nil && len(all) == maxPackages {
		err = fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	return all, err
}

func archiveHash(t map[string]any) string {
	if s, ok := t["hash"].(string); ok {
		return s
	}
	if m, ok := t["hashes"].(map[string]any); ok {
		if s, ok := m["sha256"].(string); ok {
			return "sha256:" + s
		}
	}
	return ""
}

func (e *lockEntry) addDepends(s string) {
	if n := requirementName(s); n != "" && len(e.depends) < maxDepends {
		e.depends = append(e.depends, n)
	}
}

// appendNames appends the strings of a list, and the names of its tables.
func appendNames(to []string, value any) []string {
	list, _ := value.([]any)
	for _, v := range list {
		if t, ok := v.(map[string]any); ok {
			v = t["name"]
		}
		if s, ok := v.(string); ok && s != "" && len(to) < maxDepends {
			to = append(to, clip(s, 1<<10))
		}
	}
	return to
}

// valid reports whether the entry is a package of an index.
func (e *lockEntry) valid() bool {
	return !e.local && validName(e.name) && validVersion(e.version)
}

func (e *lockEntry) add(file, scope string, out *inventory.Record) {
	p := declared(file, e.name, e.version, scope, e.marker)
	p.Description = e.summary
	slices.Sort(e.depends)
	p.Depends = slices.Compact(e.depends)
	setHash(&p, e.hash)
	out.Packages = append(out.Packages, p)
}

// groupScope is the scope of a package that some dependency groups need: ""
// where one of them is the program's own.
func groupScope(groups []string, main string) string {
	scope := ""
	for _, g := range groups {
		switch {
		case g == main:
			return ""
		case strings.Contains(g, "test"):
			scope = "test"
		case scope != "test" && (strings.Contains(g, "dev") || strings.Contains(g, "lint") || strings.Contains(g, "doc")):
			scope = "dev"
		case scope == "":
			scope = "optional"
		}
	}
	return scope
}

func readPoetryLock(file string, data []byte, out *inventory.Record) error {
	list, err := readLockEntries(data, "package")
	for i := range list {
		e := &list[i]
		if !e.valid() {
			continue
		}
		scope := groupScope(e.groups, "main")
		if e.category != "" && e.category != "main" {
			scope = e.category
		}
		if scope == "" && e.optional {
			scope = "optional"
		}
		e.add(file, scope, out)
	}
	return lockError("poetry.lock", err)
}

func readPDMLock(file string, data []byte, out *inventory.Record) error {
	list, err := readLockEntries(data, "package")
	seen := make(map[[2]string]bool, len(list))
	for i := range list {
		e := &list[i]
		id := [2]string{normalize(e.name), e.version}
		if !e.valid() || seen[id] { // there is an entry for each set of extras
			continue
		}
		seen[id] = true
		e.add(file, groupScope(e.groups, "default"), out)
	}
	return lockError("pdm.lock", err)
}

// readPylock reads the interchange format of PEP 751. What is not always
// installed has a marker on the group or extra that asks for it.
func readPylock(file string, data []byte, out *inventory.Record) error {
	list, err := readLockEntries(data, "packages")
	for i := range list {
		e := &list[i]
		if !e.valid() {
			continue
		}
		scope := ""
		always := strings.Contains(e.marker, `"default" in`) || strings.Contains(e.marker, `'default' in`)
		switch {
		case !always && strings.Contains(e.marker, " in dependency_groups"):
			scope = "dev"
		case !always && strings.Contains(e.marker, " in extras"):
			scope = "optional"
		}
		e.add(file, scope, out)
	}
	return lockError("pylock.toml", err)
}

// readUVLock reads uv's lock. It holds a graph: what the workspace's own
// projects depend on is the program's; what only their groups or extras need
// is "dev" or "optional".
func readUVLock(file string, data []byte, out *inventory.Record) error {
	list, err := readLockEntries(data, "package")
	rank := rankUV(list)
	for i := range list {
		if e := &list[i]; e.valid() {
			e.add(file, rank[i].scope(), out)
		}
	}
	return lockError("uv.lock", err)
}

// need says how much a program needs a package.
type need uint8

const (
	byNobody need = iota
	byExtra
	byGroup
	byProgram
)

func (n need) scope() string {
	switch n {
	case byExtra:
		return "optional"
	case byGroup:
		return "dev"
	}
	return ""
}

// rankUV walks the graph from the local projects. Which extras of a package
// are asked for is not looked at: all of them are followed.
func rankUV(list []lockEntry) []need {
	byName := make(map[string][]int, len(list))
	for i := range list {
		byName[list[i].name] = append(byName[list[i].name], i)
	}
	rank := make([]need, len(list))
	var queue []int
	reached := make(map[string]need, len(list))
	reach := func(names []string, n need) {
		for _, name := range names {
			if reached[name] >= n {
				continue
			}
			reached[name] = n
			for _, i := range byName[name] {
				if rank[i] < n {
					rank[i] = n
					queue = append(queue, i)
				}
			}
		}
	}
	for _, n := range [...]need{byProgram, byGroup, byExtra} {
		for i := range list {
			if e := &list[i]; e.local {
				switch n {
				case byProgram:
					reach(e.depends, n)
				case byGroup:
					reach(e.dev, n)
				case byExtra:
					reach(e.optionals, n)
				}
			}
		}
		for len(queue) > 0 {
			e := &list[queue[len(queue)-1]]
			queue = queue[:len(queue)-1]
			if !e.local {
				reach(e.depends, n)
				reach(e.optionals, n)
			}
		}
	}
	return rank
}

func lockError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading %s: %w", name, err)
}
