package inventory

import (
	"container/heap"
	"slices"
)

// Builder makes a [Table] of entries in any order, in little memory: it sorts
// them in runs and merges the runs. Of two real entries of one path the later
// wins, as it does when a tar file is unpacked. The zero value is ready. A
// Builder is for one goroutine.
type Builder struct {
	Layers bool // keep File.Layer, for an image's table

	pending []File
	bytes   int
	runs    []*Table
}

// A run is closed at this many entries or bytes of paths.
const (
	runEntries = 1 << 15
	runBytes   = 4 << 20
)

// Add adds an entry.
func (b *Builder) Add(f File) {
	b.pending = append(b.pending, f)
	b.bytes += len(f.Path) + len(f.Link) + len(f.Caps)
	if len(b.pending) >= runEntries || b.bytes >= runBytes {
		b.flush()
	}
}

func compareFiles(a, b *File) int {
	if d := comparePath(a.Path, b.Path); d != 0 {
		return d
	}
	return class(a.Type) - class(b.Type)
}

func (b *Builder) flush() {
	if len(b.pending) == 0 {
		return
	}
	if !slices.IsSortedFunc(b.pending, func(x, y File) int { return compareFiles(&x, &y) }) {
		slices.SortStableFunc(b.pending, func(x, y File) int { return compareFiles(&x, &y) })
	}
	w := tableWriter{t: Table{layers: b.Layers}}
	for i := range b.pending {
		f := &b.pending[i]
		if i+1 < len(b.pending) && compareFiles(f, &b.pending[i+1]) == 0 {
			continue
		}
		w.add(&entry{File: *f, path: []byte(f.Path), link: []byte(f.Link), caps: []byte(f.Caps)})
	}
	b.runs = append(b.runs, w.table())
	clear(b.pending)
	b.pending, b.bytes = b.pending[:0], 0
}

// Table ends the building and returns the table.
func (b *Builder) Table() *Table {
	b.flush()
	b.pending = nil
	switch len(b.runs) {
	case 0:
		return &Table{layers: b.Layers}
	case 1:
		return b.runs[0]
	}
	w := tableWriter{t: Table{layers: b.Layers}}
	m := newMerge(b.runs)
	for group := m.next(); group != nil; group = m.next() {
		// of every class the entry of the last run
		for cl := range 3 {
			best := -1
			for i, c := range group {
				if class(c.Type) == cl && (best < 0 || c.run > group[best].run) {
					best = i
				}
			}
			if best >= 0 {
				w.add(&group[best].entry)
			}
		}
	}
	b.runs = nil
	return w.table()
}

// merge walks several tables side by side and yields the entries path by path.
type merge struct {
	heap  mergeHeap
	group []*runCursor
}

type runCursor struct {
	cursor
	run int
}

func newMerge(tables []*Table) *merge {
	m := &merge{}
	for i, t := range tables {
		c := &runCursor{cursor: cursor{t: t}, run: i}
		if c.next() {
			m.heap = append(m.heap, c)
		}
	}
	heap.Init(&m.heap)
	return m
}

// next returns all entries of the next path, which are valid until the
// following call; nil at the end. One table may contribute up to three
// (whiteout, entry, opaque), each as a cursor of its own.
func (m *merge) next() []*runCursor {
	for _, c := range m.group {
		if c.t != nil {
			if c.next() {
				heap.Push(&m.heap, c)
			}
		}
	}
	m.group = m.group[:0]
	for len(m.heap) > 0 {
		c := m.heap[0]
		if len(m.group) > 0 && comparePath(c.path, m.group[0].path) != 0 {
			break
		}
		heap.Pop(&m.heap)
		if more := m.sameAgain(c); more {
			continue
		}
		m.group = append(m.group, c)
	}
	if len(m.group) == 0 {
		return nil
	}
	return m.group
}

// sameAgain handles the rare path that has more than one entry in one table
// (a marker beside a real entry): it puts copies into the group until the
// last of them, for which it returns false.
func (m *merge) sameAgain(c *runCursor) bool {
	if c.i >= c.t.n || c.Type != Whiteout && c.Type != Directory {
		return false // an opaque marker stands beside a directory
	}
	peek := c.cursor
	peek.path = append([]byte(nil), c.path...)
	if !peek.next() || comparePath(peek.path, c.path) != 0 {
		return false
	}
	copied := &runCursor{cursor: cursor{entry: c.entry}, run: c.run}
	copied.path = append([]byte(nil), c.path...)
	m.group = append(m.group, copied)
	c.next()
	heap.Push(&m.heap, c)
	return true
}

type mergeHeap []*runCursor

func (h mergeHeap) Len() int { return len(h) }
func (h mergeHeap) Less(i, j int) bool {
	if d := comparePath(h[i].path, h[j].path); d != 0 {
		return d < 0
	}
	if h[i].run != h[j].run {
		return h[i].run < h[j].run
	}
	return class(h[i].Type) < class(h[j].Type)
}
func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(x any)   { *h = append(*h, x.(*runCursor)) }
func (h *mergeHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}
