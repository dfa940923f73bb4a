package inventory

import (
	"encoding/binary"
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
	added   int
}

// A run is closed at this many entries or bytes of paths.
const (
	runEntries = 1 << 15
	runBytes   = 4 << 20
)

// Add adds an entry.
func (b *Builder) Add(f File) {
	b.added++
	b.pending = append(b.pending, f)
	b.bytes += len(f.Path) + len(f.Link) + len(f.Caps)
	if len(b.pending) >= runEntries || b.bytes >= runBytes {
		b.flush()
	}
}

// Take adds every entry of a table, which nobody may use afterwards.
func (b *Builder) Take(t *Table) {
	b.flush()
	b.added += t.Len()
	if t.Len() > 0 {
		b.runs = append(b.runs, t)
	}
}

// Added is how many entries were added: more than the table has where some
// replaced others.
func (b *Builder) Added() int { return b.added }

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
	for _, c := range m.heap {
		c.drop = true // the runs are nobody else's
	}
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
	heap  []*runCursor // a binary heap by path, run and class
	group []*runCursor
	taken int // how many of the group are cursors of the heap, at its front when they are one
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
			m.push(c)
		}
	}
	return m
}

// next returns all entries of the next path, which are valid until the
// following call; nil at the end. One table may contribute up to three
// (whiteout, entry, opaque), each as a cursor of its own.
func (m *merge) next() []*runCursor {
	if m.taken == 1 {
		// the usual case: one table had the path, and its cursor is the heap's first
		if m.heap[0].next() {
			m.down(0)
		} else {
			m.pop()
		}
	} else {
		for _, c := range m.group {
			if c.t != nil && c.next() {
				m.push(c)
			}
		}
	}
	m.group, m.taken = m.group[:0], 0
	if len(m.heap) == 0 {
		return nil
	}
	if c := m.heap[0]; !m.alone(c) {
		m.gather()
	} else {
		m.group, m.taken = append(m.group, c), 1
	}
	return m.group
}

// alone reports whether the heap's first cursor is the only one at its path
// and has nothing more for it.
func (m *merge) alone(c *runCursor) bool {
	for i := 1; i < len(m.heap) && i < 3; i++ {
		if comparePath(m.heap[i].path, c.path) == 0 {
			return false
		}
	}
	return c.Type != Whiteout && c.Type != Directory
}

// gather takes every cursor at the first path out of the heap.
func (m *merge) gather() {
	for len(m.heap) > 0 {
		c := m.heap[0]
		if len(m.group) > 0 && comparePath(c.path, m.group[0].path) != 0 {
			break
		}
		m.pop()
		if m.sameAgain(c) {
			continue
		}
		m.group = append(m.group, c)
	}
}

// sameAgain handles the rare path that has more than one entry in one table
// (a marker beside a real entry): it puts copies into the group until the
// last of them, for which it returns false.
func (m *merge) sameAgain(c *runCursor) bool {
	if c.i >= c.t.n || c.Type != Whiteout && c.Type != Directory {
		return false // an opaque marker stands beside a directory
	}
	if !c.again() {
		return false
	}
	copied := &runCursor{cursor: cursor{entry: c.entry}, run: c.run}
	copied.path = append([]byte(nil), c.path...)
	m.group = append(m.group, copied)
	c.next()
	m.push(c)
	return true
}

// again reports whether the next entry has the same path, from the two
// numbers that stand before it: all shared, nothing more.
func (c *cursor) again() bool {
	if c.i%blockLen != 0 {
		shared, k := binary.Uvarint(c.data[c.off:])
		if k <= 0 || c.off+k >= len(c.data) {
			return false
		}
		return shared == uint64(len(c.path)) && c.data[c.off+k] == 0
	}
	peek := *c
	peek.path = nil // a block begins with a whole path
	return peek.next() && comparePath(peek.path, c.path) == 0
}

func (m *merge) less(a, b *runCursor) bool {
	if d := comparePath(a.path, b.path); d != 0 {
		return d < 0
	}
	if a.run != b.run {
		return a.run < b.run
	}
	return class(a.Type) < class(b.Type)
}

func (m *merge) push(c *runCursor) {
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !m.less(m.heap[i], m.heap[up]) {
			break
		}
		m.heap[i], m.heap[up] = m.heap[up], m.heap[i]
		i = up
	}
}

func (m *merge) pop() {
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap[last] = nil
	m.heap = m.heap[:last]
	m.down(0)
}

func (m *merge) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(m.heap) {
			return
		}
		if right := least + 1; right < len(m.heap) && m.less(m.heap[right], m.heap[least]) {
			least = right
		}
		if !m.less(m.heap[least], m.heap[i]) {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
