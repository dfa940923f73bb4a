package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// readBunBinaryLock says that Bun's old, binary lock is not read: its format
// is Bun's own memory, undocumented.
func readBunBinaryLock([]byte, *lock) error {
	return errors.New("the binary lock of old versions of Bun is not read; bun.lock, its text form, is")
}

// readBunLock reads bun.lock: JSON with comments and trailing commas. Its
// "packages" are lists by place ("name", or "parent/name" where one parent
// needs another version): resolution first, then what else there is.
func readBunLock(data []byte, l *lock) error {
	var doc struct {
		Workspaces map[string]map[string]json.RawMessage `json:"workspaces"`
		Packages   map[string][]json.RawMessage          `json:"packages"`
	}
	if err := json.Unmarshal(plainJSON(data), &doc); err != nil {
		return fmt.Errorf("reading bun.lock: %w", err)
	}
	scopes := bunScopes(doc.Workspaces, doc.Packages)
	for _, place := range sortedKeys(doc.Packages) {
		fields := doc.Packages[place]
		if len(fields) == 0 {
			continue
		}
		name, version := splitSpec(text(fields[0]))
		e := locked{name: name, version: version, scope: scopes[place]}
		for _, f := range fields[1:] {
			if s := text(f); strings.HasPrefix(s, "sha") {
				e.hashes = integrity(s)
			} else if len(f) > 0 && f[0] == '{' {
				var info map[string]json.RawMessage
				if json.Unmarshal(f, &info) == nil {
					e.depends = append(keys(info["dependencies"]), keys(info["optionalDependencies"])...)
					if os := string(info["os"]); e.scope == "" && os != "" && !strings.Contains(os, "linux") && !strings.Contains(os, "none") {
						e.scope = "optional"
					}
				}
			}
		}
		if err := l.add(e); err != nil {
			return fmt.Errorf("reading bun.lock: %w", err)
		}
	}
	return nil
}

// maxBunDepth bounds how many parents a place in bun.lock has.
const maxBunDepth = 16

// bunTree finds places: the names below each place, with the place itself.
type bunTree map[string]map[string]string

func newBunTree(packages map[string][]json.RawMessage) bunTree {
	t := bunTree{}
	for place := range packages {
		parent, name := splitPlace(place)
		if t[parent] == nil {
			t[parent] = map[string]string{}
		}
		t[parent][name] = place
	}
	return t
}

// splitPlace cuts the last name, which may have a scope, off a place.
func splitPlace(place string) (parent, name string) {
	i := strings.LastIndexByte(place, '/')
	if i < 0 {
		return "", place
	}
	if j := strings.LastIndexByte(place[:i], '/'); place[j+1] == '@' {
		i = j
	}
	if i < 0 {
		return "", place
	}
	return place[:i], place[i+1:]
}

// scopesOf are the tables of names that dependencies of what is at place
// resolve in, from the nearest outwards.
func (t bunTree) scopesOf(place string) []map[string]string {
	var out []map[string]string
	for range maxBunDepth {
		if names := t[place]; names != nil {
			out = append(out, names)
		}
		if place == "" {
			return out
		}
		place, _ = splitPlace(place)
	}
	return append(out, t[""])
}

// bunScopes walks from the workspaces: what only their devDependencies need
// is "dev", what only optional ones need is "optional".
func bunScopes(workspaces map[string]map[string]json.RawMessage, packages map[string][]json.RawMessage) map[string]string {
	tree := newBunTree(packages)
	out := make(map[string]string, len(packages))
	var queue []string
	need := func(place string, names []string) {
		tables := tree.scopesOf(place)
		for _, name := range names {
			for _, table := range tables {
				if p, ok := table[name]; ok {
					queue = append(queue, p)
					break
				}
			}
		}
	}
	for _, g := range [...]struct {
		scope  string
		fields []string
	}{{"", []string{"dependencies", "peerDependencies"}}, {"optional", []string{"optionalDependencies"}}, {"dev", []string{"devDependencies"}}} {
		for _, place := range sortedKeys(workspaces) {
			for _, f := range g.fields {
				need(text(workspaces[place]["name"]), keys(workspaces[place][f]))
			}
		}
		for len(queue) > 0 {
			place := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			fields := packages[place]
			if _, seen := out[place]; seen || len(fields) == 0 {
				continue
			}
			out[place] = g.scope
			for _, f := range fields[1:] {
				var info map[string]json.RawMessage
				if len(f) == 0 || f[0] != '{' || json.Unmarshal(f, &info) != nil {
					continue
				}
				for _, k := range [...]string{"dependencies", "optionalDependencies", "peerDependencies"} {
					need(place, keys(info[k]))
				}
			}
		}
	}
	return out
}

// plainJSON blanks out comments and commas before a closing bracket.
func plainJSON(data []byte) []byte {
	out := make([]byte, 0, len(data))
	comma := -1 // where in out a comma waits for what follows
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c == '"':
			comma = -1
			start := i
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			out = append(out, data[start:min(i+1, len(data))]...)
			continue
		case c == '/' && i+1 < len(data) && data[i+1] == '/':
			for i < len(data) && data[i] != '\n' {
				i++
			}
			c = '\n'
		case c == '/' && i+1 < len(data) && data[i+1] == '*':
			for i += 2; i+1 < len(data) && (data[i] != '*' || data[i+1] != '/'); i++ {
			}
			i++
			c = ' '
		case c == ',':
			comma = len(out)
		case c == ']' || c == '}':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		default:
			comma = -1
		}
		out = append(out, c)
	}
	return out
}
