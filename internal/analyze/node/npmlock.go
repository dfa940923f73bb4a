package node

import (
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// readNPMLock reads the lock of npm: version 1 nests "dependencies", versions
// 2 and 3 have one flat "packages" by place (2 keeps the old form beside it).
func readNPMLock(f *analyze.File, l *lock) error {
	flat := false
	err := members(f, func(r *jsontext.Reader, key string) error {
		if key != "packages" || r.Kind() != '{' {
			return nil
		}
		flat = true
		return l.addPlaces(r)
	})
	if err == nil && !flat {
		err = members(f, func(r *jsontext.Reader, key string) error {
			if key == "dependencies" {
				return l.addNested(r, 0)
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("reading npm lock: %w", err)
	}
	return nil
}

// members calls fn for every member of the object that a file is.
func members(f *analyze.File, fn func(r *jsontext.Reader, key string) error) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	if err := r.Members(func(key string) error { return fn(r, key) }); err != nil {
		return err
	}
	return r.End()
}

// addPlaces reads "packages" of versions 2 and 3.
func (l *lock) addPlaces(r *jsontext.Reader) error {
	return r.Members(func(place string) error {
		_, name, ok := cutLast(place, "node_modules/")
		if !ok { // the project or a workspace
			return nil
		}
		var e npmEntry
		var depends []string
		err := r.Members(func(key string) (err error) {
			if key == "dependencies" {
				depends, err = r.Keys(maxDepends)
				return err
			}
			return e.field(r, key)
		})
		if err != nil || bool(e.Link) { // the way to a workspace
			return err
		}
		if n := string(e.Name); n != "" { // its own, where the folder has an alias
			name = n
		}
		return l.add(e.locked(name, depends))
	})
}

// maxNested bounds how deep folders nest in a lock of version 1.
const maxNested = 200

// addNested reads "dependencies" of version 1, where those of an entry are the
// folders below it, and "requires" is what it depends on.
func (l *lock) addNested(r *jsontext.Reader, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("nested deeper than the limit of %d", maxNested)
	}
	return r.Members(func(name string) error {
		var e npmEntry
		var depends []string
		err := r.Members(func(key string) (err error) {
			switch key {
			case "requires":
				depends, err = r.Keys(maxDepends)
				return err
			case "dependencies":
				return l.addNested(r, depth+1)
			}
			return e.field(r, key)
		})
		if err != nil {
			return err
		}
		if alias, ok := strings.CutPrefix(string(e.Version), "npm:"); ok {
			real, version := splitSpec(alias)
			name, e.Version = real, loose(version)
		}
		return l.add(e.locked(name, depends))
	})
}

type npmEntry struct {
	Name, Version, Integrity         loose
	License                          string
	Link, Dev, Optional, DevOptional flag
	Peer                             flag
}

// field takes the value of one field of an entry.
func (e *npmEntry) field(r *jsontext.Reader, key string) error {
	switch key {
	case "name":
		return r.Decode(&e.Name)
	case "version":
		return r.Decode(&e.Version)
	case "integrity":
		return r.Decode(&e.Integrity)
	case "license":
		raw, err := r.Value()
		e.License = text(raw)
		return err
	case "link":
		return r.Decode(&e.Link)
	case "dev":
		return r.Decode(&e.Dev)
	case "optional":
		return r.Decode(&e.Optional)
	case "devOptional":
		return r.Decode(&e.DevOptional)
	case "peer":
		return r.Decode(&e.Peer)
	}
	return nil
}

func (e *npmEntry) locked(name string, depends []string) locked {
	out := locked{name: name, version: string(e.Version), hashes: integrity(string(e.Integrity)), license: e.License, depends: depends}
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
