package inventory

import "fmt"

// Change is a file of an OS package that a layer above the package's own
// changed or removed.
type Change struct {
	Package *Package // of the image
	Path    string   // where links really put it
	Missing bool
	Layer   int    // that changed it; -1 for a missing file
	Detail  string // what is not as it was
}

// Config reports whether a change is in a place where files are meant to be
// changed: what package databases call configuration lies below etc.
func (c *Change) Config() bool { return IsConfig(c.Path) }

// IsConfig reports whether a path lies where packages keep their configuration.
func IsConfig(path string) bool { return len(path) > 4 && path[:4] == "etc/" }

// Changes finds the files that OS packages own and that are not as the layer
// which brought the package left them: in content, type, permissions or, of a
// link, target. layers are those that img was squashed from. What was missing
// or different in that layer already is not told; that needs the digests of
// package databases.
func Changes(layers []Layer, img *Image) []Change {
	if len(layers) < 2 {
		return nil
	}
	var out []Change
	resolve := NewResolver(img.Files)
	last := len(layers) - 1
	for i := range img.Packages {
		p := &img.Packages[i]
		if !p.OS() || p.Layer < 0 || p.Layer >= last {
			continue
		}
		for listed := range p.Files.All() {
			if len(listed) == 0 || listed[len(listed)-1] == '/' {
				continue
			}
			path := resolve.Real(string(listed))
			now, ok := img.Files.Lookup(path)
			if ok && now.Layer <= p.Layer {
				continue
			}
			was, found := File{}, false
			for l := p.Layer; l >= 0 && !found; l-- {
				if was, found = layers[l].Files.Lookup(path); !found && string(listed) != path {
					was, found = layers[l].Files.Lookup(string(listed))
				}
			}
			if !found || was.Type == Directory {
				continue
			}
			if !ok {
				out = append(out, Change{Package: p, Path: path, Missing: true, Layer: -1, Detail: "a later layer removed it"})
				continue
			}
			if detail := difference(&was, &now); detail != "" {
				out = append(out, Change{Package: p, Path: path, Layer: now.Layer, Detail: detail})
			}
		}
	}
	return out
}

// difference says in what two files differ, "" where in nothing that counts.
func difference(was, now *File) string {
	switch {
	case was.Type != now.Type:
		return fmt.Sprintf("was a %s, is a %s", was.Type, now.Type)
	case was.Type == Symlink && was.Link != now.Link:
		return fmt.Sprintf("pointed to %s, points to %s", was.Link, now.Link)
	case was.Type == Regular && was.SHA256 != now.SHA256:
		return "another content"
	case was.Type != Symlink && was.Perm != now.Perm:
		return fmt.Sprintf("mode was %04o, is %04o", was.Perm, now.Perm)
	}
	return ""
}

// Resolver finds where the links of an image put paths. It is for one
// goroutine.
type Resolver struct {
	links     *linkMap
	dir, real string
	known     bool
}

// NewResolver reads the links of a file table.
func NewResolver(files *Table) *Resolver {
	r := &Resolver{links: newLinkMap()}
	c := files.cursor()
	for c.next() {
		if c.Type == Symlink {
			r.links.add(string(c.path), string(c.link), 0)
		}
	}
	return r
}

// Real follows the links in the directories of a path, not one that the path
// itself is.
func (r *Resolver) Real(path string) string {
	dir := parent(path)
	if dir == "" {
		return path
	}
	if !r.known || dir != r.dir {
		r.dir, r.known = dir, true
		if real, ok := r.links.resolveDir(dir); ok {
			r.real = real
		} else {
			r.real = dir
		}
	}
	if r.real == dir {
		return path
	}
	if r.real == "" {
		return path[len(dir)+1:]
	}
	return r.real + path[len(dir):]
}
