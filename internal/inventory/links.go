package inventory

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// symlink is where a link points and the layer that made it.
type symlink struct {
	to    string
	layer int32
}

// linkMap knows every symbolic link of a file system and resolves paths. What
// it holds and the work it does for one image are bounded; [linkMap.problems]
// says when a bound was reached.
type linkMap struct {
	target  map[string]symlink
	below   map[string]map[string]struct{} // directory to the links, and directories above links, right in it
	steps   int                            // elements of paths looked at so far
	full    bool                           // a link was not kept
	changes int                            // raised by every one
}

const (
	maxSymlinks  = 300_000    // kept of one image
	maxLinkSteps = 20_000_000 // some seconds: images need thousands
)

// problems says what the bounds cut off.
func (m *linkMap) problems() []Problem {
	var out []Problem
	if m.full {
		out = append(out, Problem{Analyzer: "squash", Layer: -1, Limit: "symbolic links",
			Message: fmt.Sprintf("the image has more than the limit of %d symbolic links: paths through further ones were not resolved", maxSymlinks)})
	}
	if m.steps > maxLinkSteps {
		out = append(out, Problem{Analyzer: "squash", Layer: -1, Limit: "resolution of symbolic links",
			Message: fmt.Sprintf("symbolic links took more than the limit of %d steps to resolve: the paths left were taken as they are", maxLinkSteps)})
	}
	return out
}

func newLinkMap() *linkMap {
	return &linkMap{target: map[string]symlink{}, below: map[string]map[string]struct{}{}}
}

func (m *linkMap) add(path, target string, layer int) {
	if len(m.target) >= maxSymlinks {
		if _, ok := m.target[path]; !ok {
			m.full = true
			return
		}
	}
	m.changes++
	m.target[path] = symlink{target, int32(layer)}
	for p := path; p != ""; p = parent(p) {
		d := parent(p)
		if m.below[d] == nil {
			m.below[d] = map[string]struct{}{}
		} else if _, ok := m.below[d][p]; ok {
			return
		}
		m.below[d][p] = struct{}{}
	}
}

func (m *linkMap) remove(path string) {
	if _, ok := m.target[path]; !ok {
		return
	}
	m.changes++
	delete(m.target, path)
	for p := path; p != "" && len(m.below[p]) == 0; p = parent(p) {
		d := parent(p)
		delete(m.below[d], p)
		if len(m.below[d]) > 0 {
			return
		}
		delete(m.below, d)
	}
}

// removeBelow removes every link below dir that layers before the given one made.
func (m *linkMap) removeBelow(dir string, before int) {
	var all []string
	todo := []string{dir}
	for len(todo) > 0 && m.steps <= maxLinkSteps {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		m.steps += len(m.below[d])
		for p := range m.below[d] {
			if l, ok := m.target[p]; ok && l.layer < int32(before) {
				all = append(all, p)
			}
			todo = append(todo, p)
		}
	}
	for _, p := range all {
		m.remove(p)
	}
}

// maxLinks is how many links one resolution follows, as Linux does.
const maxLinks = 40

// resolveDir follows every link in a directory's path, inside the root:
// ".." above the root stays there. ok is false in a loop.
func (m *linkMap) resolveDir(path string) (string, bool) {
	if len(m.target) == 0 {
		return path, true
	}
	hops := 0
	done := ""
	rest := path
	for rest != "" {
		if m.steps++; m.steps > maxLinkSteps {
			return path, false
		}
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			done = parent(done)
			continue
		}
		next := name
		if done != "" {
			next = done + "/" + name
		}
		link, ok := m.target[next]
		t := link.to
		if !ok {
			done = next
			continue
		}
		if hops++; hops > maxLinks {
			return path, false
		}
		if strings.HasPrefix(t, "/") {
			done = ""
		}
		if rest == "" {
			rest = t
		} else {
			rest = t + "/" + rest
		}
	}
	return done, true
}

// landOnLinks rewrites the entries of a layer whose parent directory is, at
// that point, a symbolic link: "lib/x.so" above "lib -> usr/lib" lands at
// "usr/lib/x.so". A directory entry in the layer itself replaces the link
// instead. Layers that need no change are returned as they are. The second
// result knows all links of the finished image.
func landOnLinks(layers []Layer) ([]Layer, *linkMap) {
	links := newLinkMap()
	out := layers
	for i := range layers {
		moved := findMoves(layers[i].Files, i, links)
		if len(moved) == 0 {
			continue
		}
		if &out[0] == &layers[0] {
			out = slices.Clone(layers)
		}
		out[i] = moveLayer(layers[i], moved)
	}
	return out, links
}

type frame struct {
	path string
	real string // where the directory really is
}

// findMoves updates links by one layer and returns the entries that land elsewhere.
func findMoves(t *Table, layer int, links *linkMap) map[string]string {
	moved := map[string]string{}
	lastDir, lastReal, lastLinks := "", "", 0
	c := t.cursor()
	var stack []frame // explicit directories and links of this layer above the entry
	for c.next() {
		for len(stack) > 0 && !isBelow(c.path, stack[len(stack)-1].path) {
			stack = stack[:len(stack)-1]
		}
		// the usual case: a file right in a directory that is where it seems to be
		if c.Type == Regular && (len(stack) > 0 && stack[len(stack)-1].real == stack[len(stack)-1].path && noSlash(c.path[len(stack[len(stack)-1].path)+1:]) || len(stack) == 0 && noSlash(c.path)) {
			if len(links.target) > 0 {
				if _, ok := links.target[string(c.path)]; ok {
					links.remove(string(c.path))
				}
				if len(links.below[string(c.path)]) > 0 {
					links.removeBelow(string(c.path), layer+1)
				}
			}
			continue
		}
		path := string(c.path)
		base, baseReal := "", ""
		if len(stack) > 0 {
			base, baseReal = stack[len(stack)-1].path, stack[len(stack)-1].real
		}
		real := path
		if base != "" {
			real = strings.TrimPrefix(baseReal+path[len(base):], "/")
		}
		// directories between the explicit one and the entry may be links of the layers below
		if dir := parent(real); dir != "" && dir != baseReal && len(links.target) > 0 {
			if dir != lastDir || links.changes != lastLinks {
				lastDir, lastLinks = dir, links.changes
				lastReal = dir
				if d, ok := links.resolveDir(dir); ok {
					lastReal = d
				}
			}
			if lastReal != dir {
				real = strings.TrimPrefix(lastReal+real[len(dir):], "/")
			}
		}
		if real != path {
			moved[path] = real
		}
		switch c.Type {
		case Symlink:
			links.removeBelow(real, layer+1)
			links.add(real, string(c.link), layer)
			to := string(c.link)
			if !strings.HasPrefix(to, "/") {
				to = parent(real) + "/" + to
			}
			if dest, ok := links.resolveDir(strings.TrimPrefix(to, "/")); ok {
				stack = append(stack, frame{path, dest})
			}
		case Directory:
			links.remove(real)
			stack = append(stack, frame{path, real})
		case Whiteout:
			links.remove(real)
			links.removeBelow(real, layer+1)
		case Opaque:
			links.removeBelow(real, layer)
		default:
			links.remove(real)
			links.removeBelow(real, layer+1)
		}
	}
	return moved
}

func noSlash(b []byte) bool { return bytes.IndexByte(b, '/') < 0 }

// moveLayer returns a copy of the layer with its entries and facts moved.
func moveLayer(l Layer, moved map[string]string) Layer {
	to := func(p string) string {
		if q, ok := moved[p]; ok {
			return q
		}
		return p
	}
	b := Builder{}
	for f := range l.Files.All() {
		if _, ok := moved[f.Path]; ok {
			continue
		}
		b.Add(f)
	}
	for f := range l.Files.All() {
		if q, ok := moved[f.Path]; ok {
			f.Path = q
			if f.HardLink() {
				f.Link = to(f.Link)
			}
			b.Add(f)
		}
	}
	l.Files = b.Table()
	l.Records = slices.Clone(l.Records)
	for i := range l.Records {
		r := &l.Records[i]
		r.Packages = slices.Clone(r.Packages)
		for k := range r.Packages {
			r.Packages[k].Path = to(r.Packages[k].Path)
		}
		r.Owned = slices.Clone(r.Owned)
		for k := range r.Owned {
			r.Owned[k].Path = to(r.Owned[k].Path)
		}
		r.Diverted = slices.Clone(r.Diverted)
		for k := range r.Diverted {
			r.Diverted[k].Path = to(r.Diverted[k].Path)
		}
		r.Distros = slices.Clone(r.Distros)
		for k := range r.Distros {
			r.Distros[k].Path = to(r.Distros[k].Path)
		}
		r.Licenses = slices.Clone(r.Licenses)
		for k := range r.Licenses {
			r.Licenses[k].Path = to(r.Licenses[k].Path)
		}
		r.Binaries = slices.Clone(r.Binaries)
		for k := range r.Binaries {
			r.Binaries[k].Path = to(r.Binaries[k].Path)
		}
		r.Facts = slices.Clone(r.Facts)
		for k := range r.Facts {
			r.Facts[k].Path = to(r.Facts[k].Path)
		}
		r.Problems = slices.Clone(r.Problems)
		for k := range r.Problems {
			r.Problems[k].Path = to(r.Problems[k].Path)
		}
	}
	return l
}
