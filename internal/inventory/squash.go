package inventory

import (
	"slices"
	"strings"
)

// Squash makes an image out of its layers, bottom first, by the rules of the
// OCI image specification ("Image Layer Filesystem Changeset"): an entry above
// replaces the entry of the same path below and, unless both are directories,
// everything below it; a whiteout removes the path from the layers below it;
// an opaque marker removes what is in the directory from the layers below it;
// an entry whose parent is a symbolic link lands where the link points.
// A fact stands or falls with the file of its path.
//
// Squash is pure: it neither reads nor changes anything but its result, which
// holds the file table, packages, licences, binaries, facts, problems and
// coverage, but none of the fields that the image's source tells (reference,
// digests, configuration, what the layers are called).
func Squash(layers []Layer) *Image {
	return combine(layers, false)
}

// AllLayers is Squash without forgetting: facts of every layer count, also
// where a layer above replaced or removed their file. The file table is that
// of the squashed image.
func AllLayers(layers []Layer) *Image {
	return combine(layers, true)
}

func combine(layers []Layer, all bool) *Image {
	layers, links := landOnLinks(layers)
	paths := factPaths(layers)
	files, programs := mergeLayers(layers, paths)
	img := &Image{Files: files, Problems: links.problems()}
	for i := range layers {
		img.Layers = append(img.Layers, LayerInfo{DiffID: layers[i].DiffID, Files: layers[i].Files.Len()})
	}
	join(img, layers, paths, programs, links, all)
	return img
}

// presence says in which layers a fact's file is visible.
type presence struct {
	history []int // layers that hold the path, top first, back to where it was last absent
}

// visible reports whether the fact of that layer is the image's.
func (p *presence) visible(layer int) bool {
	return p != nil && len(p.history) > 0 && p.history[0] == layer
}

// factPaths collects the path of every fact of every layer.
func factPaths(layers []Layer) map[string]*presence {
	paths := map[string]*presence{}
	note := func(p string) {
		if p != "" && paths[p] == nil {
			paths[p] = &presence{}
		}
	}
	for i := range layers {
		for j := range layers[i].Records {
			r := &layers[i].Records[j]
			for k := range r.Packages {
				note(r.Packages[k].Path)
			}
			for k := range r.Owned {
				note(r.Owned[k].Path)
			}
			for k := range r.Diverted {
				note(r.Diverted[k].Path)
			}
			for k := range r.Distros {
				note(r.Distros[k].Path)
			}
			for k := range r.Licenses {
				note(r.Licenses[k].Path)
			}
			for k := range r.Binaries {
				note(r.Binaries[k].Path)
			}
			for k := range r.Facts {
				note(r.Facts[k].Path)
			}
			for k := range r.Problems {
				note(r.Problems[k].Path)
			}
		}
	}
	return paths
}

// hiding says that entries below path are hidden in layers before layer.
type hiding struct {
	path  []byte
	layer int
}

// mergeLayers is the rule of the layers: it returns the table of what is
// visible and its executables, and fills in the presence of the paths asked
// for.
func mergeLayers(layers []Layer, paths map[string]*presence) (*Table, *programs) {
	elf := &programs{}
	if len(layers) == 1 && layers[0].Files != nil && !hasMarkers(layers[0].Files) {
		c := layers[0].Files.cursor()
		for c.next() {
			if p := paths[string(c.path)]; p != nil {
				p.history = []int{0}
			}
			if c.Type == Regular && c.Kind.ELF() {
				elf.add(&c.entry)
			}
		}
		return layers[0].Files, elf
	}
	tables := make([]*Table, len(layers))
	for i := range layers {
		tables[i] = layers[i].Files
		if tables[i] == nil {
			tables[i] = new(Table)
		}
	}
	w := tableWriter{t: Table{layers: true}}
	m := newMerge(tables)
	var stack []hiding
	for group := m.next(); group != nil; group = m.next() {
		path := group[0].path
		// a marker beside an entry that is no directory comes as a second group of its path
		for len(stack) > 0 && !isBelow(path, stack[len(stack)-1].path) && string(path) != string(stack[len(stack)-1].path) {
			stack = stack[:len(stack)-1]
		}
		above := 0
		if len(stack) > 0 {
			above = stack[len(stack)-1].layer
		}
		here, below := above, above
		for _, c := range group {
			switch c.Type {
			case Whiteout:
				here = max(here, c.run)
				below = max(below, c.run)
			case Opaque:
				below = max(below, c.run)
			}
		}
		var top *runCursor
		for _, c := range group {
			if class(c.Type) != 1 || c.run < here {
				continue
			}
			if c.Type != Directory {
				below = max(below, c.run)
			}
			if top == nil || c.run > top.run {
				top = c
			}
		}
		if below > above {
			stack = append(stack, hiding{append([]byte(nil), path...), below})
		}
		if top == nil {
			continue
		}
		if p := paths[string(path)]; p != nil {
			p.history = p.history[:0]
			for _, c := range group {
				if class(c.Type) == 1 && c.run >= here {
					p.history = append(p.history, c.run)
				}
			}
			slices.SortFunc(p.history, func(a, b int) int { return b - a })
		}
		e := top.entry
		e.Layer = top.run
		w.add(&e)
		if e.Type == Regular && e.Kind.ELF() {
			elf.add(&e)
		}
	}
	return w.table(), elf
}

// maxPrograms is how many executables of one image are told apart.
const maxPrograms = 200_000

// programs are the executables of an image, in order of path.
type programs struct {
	list  []program
	more  int // beyond maxPrograms
	bytes int64
}

type program struct {
	Path  string
	Link  string
	Size  int64
	Layer int
}

func (p *programs) add(e *entry) {
	if len(p.list) >= maxPrograms {
		p.more++
		p.bytes += e.Size
		return
	}
	p.list = append(p.list, program{string(e.path), string(e.link), e.Size, e.Layer})
}

func hasMarkers(t *Table) bool {
	c := t.cursor()
	for c.next() {
		if class(c.Type) != 1 {
			return true
		}
	}
	return false
}

// origin finds the lowest layer since which the identical package is
// continuously at its path: databases are rewritten whole, so the layer of
// the file is not the answer.
func (o *origins) origin(p *Package, layer int) int {
	pr := o.paths[p.Path]
	if pr == nil {
		return layer
	}
	id := p.ID()
	at := slices.Index(pr.history, layer)
	if at < 0 {
		return layer
	}
	for _, below := range pr.history[at+1:] {
		if !o.holds(below, p.Path, p.Inner, id) {
			break
		}
		layer = below
	}
	return layer
}

// origins indexes the packages of every layer whose path occurs in more than
// one layer.
type origins struct {
	paths map[string]*presence
	index map[originKey]struct{}
}

type originKey struct {
	layer           int
	path, inner, id string
}

func newOrigins(layers []Layer, paths map[string]*presence) *origins {
	o := &origins{paths: paths, index: map[originKey]struct{}{}}
	for i := range layers {
		for j := range layers[i].Records {
			ps := layers[i].Records[j].Packages
			for k := range ps {
				if pr := paths[ps[k].Path]; pr != nil && len(pr.history) > 1 {
					o.index[originKey{i, ps[k].Path, ps[k].Inner, ps[k].ID()}] = struct{}{}
				}
			}
		}
	}
	return o
}

func (o *origins) holds(layer int, path, inner, id string) bool {
	_, ok := o.index[originKey{layer, path, inner, id}]
	return ok
}

// parent returns the directory of a path, "" for the root.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}
