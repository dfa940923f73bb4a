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

// bunScopes walks from the workspaces: what only their devDependencies need
// is "dev", what only optional ones need is "optional".
func bunScopes(workspaces map[string]map[string]json.RawMessage, packages map[string][]json.RawMessage) map[string]string {
	out := make(map[string]string, len(packages))
	seen := make(map[string]bool, len(packages))
	for _, g := range [...]struct {
		scope  string
		fields []string
	}{{"", []string{"dependencies", "peerDependencies"}}, {"optional", []string{"optionalDependencies"}}, {"dev", []string{"devDependencies"}}} {
		var queue []string
		for _, place := range sortedKeys(workspaces) {
			for _, f := range g.fields {
				for _, name := range keys(workspaces[place][f]) {
					own := text(workspaces[place]["name"])
					queue = append(queue, bunPlace(packages, own, name))
				}
			}
		}
		for len(queue) > 0 {
			place := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			fields := packages[place]
			if seen[place] || len(fields) == 0 {
				continue
			}
			seen[place] = true
			out[place] = g.scope
			for _, f := range fields[1:] {
				if len(f) == 0 || f[0] != '{' {
					continue
				}
				var info map[string]json.RawMessage
				if json.Unmarshal(f, &info) != nil {
					continue
				}
				for _, k := range [...]string{"dependencies", "optionalDependencies", "peerDependencies"} {
					for _, name := range keys(info[k]) {
						queue = append(queue, bunPlace(packages, place, name))
					}
				}
			}
		}
	}
	return out
}

// bunPlace finds the place that a dependency of what is at place resolves to:
// below it, or below one of those above it, or at the top.
func bunPlace(packages map[string][]json.RawMessage, place, name string) string {
	for range maxNested {
		if place == "" {
			break
		}
		if p := place + "/" + name; packages[p] != nil {
			return p
		}
		i := strings.LastIndexByte(place, '/')
		if i < 0 {
			break
		}
		place = place[:i]
		if j := strings.LastIndexByte(place, '/'); place[j+1:] != "" && place[j+1] == '@' { // a scope alone is no place
			place = place[:max(j, 0)]
		}
	}
	return name
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
