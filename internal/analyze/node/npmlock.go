package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// readNPMLock reads the lock of npm: version 1 nests "dependencies", versions
// 2 and 3 have one flat "packages" by place (2 keeps the old form beside it).
func readNPMLock(data []byte, l *lock) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var doc struct {
		Packages map[string]npmEntry `json:"packages"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("reading npm lock: %w", err)
	}
	if doc.Packages == nil {
		return readNPMLock1(data, l)
	}
	for _, place := range sortedKeys(doc.Packages) {
		e := doc.Packages[place]
		_, name, ok := cutLast(place, "node_modules/")
		if !ok || bool(e.Link) { // the project, a workspace, or the way to one
			continue
		}
		if n := string(e.Name); n != "" { // its own, where the folder has an alias
			name = n
		}
		if err := l.add(e.locked(name, keys(e.Dependencies))); err != nil {
			return fmt.Errorf("reading npm lock: %w", err)
		}
	}
	return nil
}

// readNPMLock1 reads version 1, where "dependencies" of an entry are the
// folders below it, and "requires" is what it depends on.
func readNPMLock1(data []byte, l *lock) error {
	var doc nested
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("reading npm lock: %w", err)
	}
	if err := l.addNested(doc.Dependencies, 0); err != nil {
		return fmt.Errorf("reading npm lock: %w", err)
	}
	return nil
}

// maxNested bounds how deep folders nest in a lock of version 1.
const maxNested = 200

type nested struct {
	npmEntry
	Requires     json.RawMessage   `json:"requires"`
	Dependencies map[string]nested `json:"dependencies"`
}

func (l *lock) addNested(entries map[string]nested, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("nested deeper than the limit of %d", maxNested)
	}
	for _, name := range sortedKeys(entries) {
		e := entries[name]
		if alias, ok := strings.CutPrefix(string(e.Version), "npm:"); ok {
			real, version := splitSpec(alias)
			name, e.Version = real, loose(version)
		}
		if err := l.add(e.locked(name, keys(e.Requires))); err != nil {
			return err
		}
		if err := l.addNested(e.Dependencies, depth+1); err != nil {
			return err
		}
	}
	return nil
}

type npmEntry struct {
	Name         loose           `json:"name"`
	Version      loose           `json:"version"`
	Integrity    loose           `json:"integrity"`
	License      json.RawMessage `json:"license"`
	Link         flag            `json:"link"`
	Dev          flag            `json:"dev"`
	Optional     flag            `json:"optional"`
	DevOptional  flag            `json:"devOptional"`
	Peer         flag            `json:"peer"`
	Dependencies json.RawMessage `json:"dependencies"`
}

func (e *npmEntry) locked(name string, depends []string) locked {
	out := locked{name: name, version: string(e.Version), hashes: integrity(string(e.Integrity)), license: text(e.License), depends: depends}
	switch {
	case bool(e.Dev):
		out.scope = "dev"
	case bool(e.Optional), bool(e.DevOptional):
		out.scope = "optional"
	case bool(e.Peer):
		out.scope = "peer"
	}
	return out
}

// loose is a string that tolerates any other value as none.
type loose string

// UnmarshalJSON implements json.Unmarshaler.
func (s *loose) UnmarshalJSON(b []byte) error {
	*s = loose(text(b))
	return nil
}

// flag is a bool that tolerates any other value as false.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = string(b) == "true"
	return nil
}

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
