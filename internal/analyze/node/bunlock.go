package node

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// readBunBinaryLock says that Bun's old, binary lock is not read: its format
// is Bun's own memory, undocumented.
func readBunBinaryLock(*analyze.File, *lock) error {
	return errors.New("the binary lock of old versions of Bun is not read; bun.lock, its text form, is")
}

// Limits of bun.lock, besides those of all locks.
const (
	maxBunDepth = 16        // parents that a place has
	maxNeeds    = 1_000_000 // names of dependencies of all packages together
)

// bunEntry is a package of bun.lock: what is listed, and all that it needs.
type bunEntry struct {
	locked
	needs   []string
	foreign bool // for other systems than Linux
}

// bunLock is what is kept of bun.lock until all is read.
type bunLock struct {
	roots   [3][]bunRoot // what workspaces need always, optionally, for development
	entries map[string]*bunEntry
	names   int
}

// bunRoot is what one workspace needs.
type bunRoot struct {
	place string
	names []string
}

// readBunLock reads bun.lock: JSON with comments and trailing commas. Its
// "packages" are lists by place ("name", or "parent/name" where one parent
// needs another version): resolution first, then what else there is.
func readBunLock(f *analyze.File, l *lock) error {
	if f.Size > analyze.MaxText {
		return &analyze.TooLargeError{Path: f.Path, Size: f.Size, Limit: analyze.MaxText}
	}
	r := jsontext.New(newPlainReader(f.Reader()), analyze.MaxValue)
	b := bunLock{entries: map[string]*bunEntry{}}
	err := r.Members(func(key string) error {
		switch key {
		case "workspaces":
			return r.Members(func(string) error { return b.workspace(r) })
		case "packages":
			return r.Members(func(place string) error { return b.entry(r, place) })
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("reading bun.lock: %w", err)
	}
	scopes := b.scopes()
	for _, place := range sortedKeys(b.entries) {
		e := b.entries[place]
		e.scope = scopes[place]
		if e.scope == "" && e.foreign {
			e.scope = "optional"
		}
		if err := l.add(e.locked); err != nil {
			return fmt.Errorf("reading bun.lock: %w", err)
		}
	}
	return nil
}

// keys takes the keys of the object that comes next.
func (b *bunLock) keys(r *jsontext.Reader) ([]string, error) {
	names, err := r.Keys(maxDepends)
	if b.names += len(names); err == nil && b.names > maxNeeds {
		err = fmt.Errorf("more than the limit of %d dependencies", maxNeeds)
	}
	return names, err
}

func (b *bunLock) workspace(r *jsontext.Reader) error {
	var name loose
	var needs [3][]string
	err := r.Members(func(key string) error {
		group := 0
		switch key {
		case "name":
			return r.Decode(&name)
		case "dependencies", "peerDependencies":
		case "optionalDependencies":
			group = 1
		case "devDependencies":
			group = 2
		default:
			return nil
		}
		names, err := b.keys(r)
		needs[group] = append(needs[group], names...)
		return err
	})
	for i := range needs {
		if len(needs[i]) > 0 {
			b.roots[i] = append(b.roots[i], bunRoot{string(name), needs[i]})
		}
	}
	return err
}

func (b *bunLock) entry(r *jsontext.Reader, place string) error {
	e := &bunEntry{}
	first := true
	err := r.Elements(func() error {
		switch c := r.Kind(); {
		case c == '"':
			raw, err := r.Value()
			s := text(raw)
			if first {
				e.name, e.version = splitSpec(s)
			} else if strings.HasPrefix(s, "sha") {
				e.hashes = integrity(s)
			}
			first = false
			return err
		case c == '{' && !first:
			return b.info(r, e)
		}
		first = false
		return nil
	})
	if err != nil || first {
		return err
	}
	if len(b.entries) >= maxPackages {
		return fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	b.entries[place] = e
	return nil
}

func (b *bunLock) info(r *jsontext.Reader, e *bunEntry) error {
	return r.Members(func(key string) error {
		switch key {
		case "dependencies", "optionalDependencies", "peerDependencies":
			names, err := b.keys(r)
			e.needs = append(e.needs, names...)
			if key != "peerDependencies" {
				e.depends = append(e.depends, names...)
			}
			return err
		case "os":
			os, err := r.Value()
			e.foreign = len(os) > 0 && !bytes.Contains(os, []byte("linux")) && !bytes.Contains(os, []byte("none"))
			return err
		}
		return nil
	})
}

// bunTree finds places: the names below each place, with the place itself.
type bunTree map[string]map[string]string

func newBunTree(packages map[string]*bunEntry) bunTree {
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

// scopes walks from the workspaces: what only their devDependencies need is
// "dev", what only optional ones need is "optional".
func (b *bunLock) scopes() map[string]string {
	tree := newBunTree(b.entries)
	out := make(map[string]string, len(b.entries))
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
	for i, scope := range [...]string{"", "optional", "dev"} {
		for _, root := range b.roots[i] {
			need(root.place, root.names)
		}
		for len(queue) > 0 {
			place := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if _, seen := out[place]; seen {
				continue
			}
			out[place] = scope
			need(place, b.entries[place].needs)
		}
	}
	return out
}
