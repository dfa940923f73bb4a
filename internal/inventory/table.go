package inventory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
)

// Table is a file table: entries sorted by path, each directory directly
// before what is below it. It is compact (an empty file takes about twenty
// bytes), immutable and safe for concurrent use. The nil *Table is empty.
//
// Encoding: blocks of [blockLen] entries; in a block a path keeps only what
// differs from the one before, a time only the difference. Numbers are
// variable-length integers. Blocks stand in chunks, none across two, so that a
// large table grows without being copied.
type Table struct {
	chunks [][]byte
	blocks []place // of every block
	n      int
	layers bool // entries carry the index of their layer
}

// place is where a block begins.
type place struct{ chunk, off int }

const (
	blockLen     = 64
	chunkLen     = 256 << 10
	chunkRoom    = 8 << 10 // a chunk with less room left takes no further block
	tableVersion = 1

	flagLink = 1 << 4
	flagCaps = 1 << 5
	flagSum  = 1 << 6
	typeMask = 0x0f
)

// entry is a decoded entry; its slices point into the table or the cursor.
type entry struct {
	File
	path, link, caps []byte
}

func (e *entry) file() File {
	f := e.File
	f.Path, f.Link, f.Caps = string(e.path), string(e.link), string(e.caps)
	return f
}

// comparePath orders paths so that everything below a directory follows it
// directly: byte by byte, with '/' before any other byte.
func comparePath[A, B string | []byte](a A, b B) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// class keeps a whiteout, an opaque marker and a real entry of one path apart.
func class(t FileType) int {
	switch t {
	case Whiteout:
		return 0
	case Opaque:
		return 2
	}
	return 1
}

// tableWriter appends entries that arrive in order.
type tableWriter struct {
	t        Table
	prev     []byte
	prevTime int64
}

func (w *tableWriter) add(e *entry) {
	t := &w.t
	shared := 0
	if t.n%blockLen == 0 {
		w.block()
		w.prevTime = 0
	} else {
		n := min(len(w.prev), len(e.path))
		for shared < n && w.prev[shared] == e.path[shared] {
			shared++
		}
	}
	t.n++
	d := t.chunks[len(t.chunks)-1]
	d = binary.AppendUvarint(d, uint64(shared))
	d = binary.AppendUvarint(d, uint64(len(e.path)-shared))
	d = append(d, e.path[shared:]...)
	flags := byte(e.Type) & typeMask
	sum := e.Type == Regular && e.Size > 0
	if len(e.link) > 0 {
		flags |= flagLink
	}
	if len(e.caps) > 0 {
		flags |= flagCaps
	}
	if sum {
		flags |= flagSum
	}
	d = append(d, flags)
	d = binary.AppendUvarint(d, uint64(e.Perm))
	d = binary.AppendUvarint(d, uint64(uint32(e.UID)))
	d = binary.AppendUvarint(d, uint64(uint32(e.GID)))
	d = binary.AppendVarint(d, e.MTime-w.prevTime)
	w.prevTime = e.MTime
	switch e.Type {
	case Regular:
		d = binary.AppendUvarint(d, uint64(e.Size))
		d = append(d, byte(e.Kind))
		if sum {
			d = append(d, e.SHA256[:]...)
		}
	case CharDevice, BlockDevice:
		d = binary.AppendUvarint(d, uint64(e.Major))
		d = binary.AppendUvarint(d, uint64(e.Minor))
	}
	if len(e.link) > 0 {
		d = binary.AppendUvarint(d, uint64(len(e.link)))
		d = append(d, e.link...)
	}
	if len(e.caps) > 0 {
		d = binary.AppendUvarint(d, uint64(len(e.caps)))
		d = append(d, e.caps...)
	}
	if t.layers {
		d = binary.AppendUvarint(d, uint64(e.Layer))
	}
	t.chunks[len(t.chunks)-1] = d
	w.prev = append(w.prev[:0], e.path...)
}

// block begins a block, in a new chunk where the last one is full.
func (w *tableWriter) block() {
	t := &w.t
	last := len(t.chunks) - 1
	switch {
	case last < 0:
		t.chunks = append(t.chunks, nil)
		last = 0
	case len(t.chunks[last]) >= chunkLen-chunkRoom:
		t.chunks[last] = slices.Clip(t.chunks[last])
		t.chunks = append(t.chunks, make([]byte, 0, chunkLen))
		last++
	}
	t.blocks = append(t.blocks, place{last, len(t.chunks[last])})
}

func (w *tableWriter) table() *Table {
	t := w.t
	if n := len(t.chunks); n > 0 {
		if c := t.chunks[n-1]; cap(c)-len(c) > len(c)/8 {
			t.chunks[n-1] = append(make([]byte, 0, len(c)), c...)
		}
	}
	return &t
}

var errTable = errors.New("inventory: broken file table")

// cursor reads a table from one entry on. It is its own error: a table that
// [UnmarshalTable] accepted never breaks.
type cursor struct {
	entry
	t        *Table
	i        int    // entries read
	data     []byte // the chunk
	off      int    // in it
	drop     bool   // forget the chunks of the table as they are left
	prevTime int64
	bad      bool
}

func (t *Table) cursor() *cursor { return &cursor{t: t} }

func (c *cursor) uvarint() uint64 {
	if c.off < len(c.data) && c.data[c.off] < 0x80 {
		c.off++
		return uint64(c.data[c.off-1])
	}
	v, n := binary.Uvarint(c.data[c.off:])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.off += n
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.data[c.off:])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.off += n
	return v
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.data)-c.off) {
		c.bad = true
		return nil
	}
	b := c.data[c.off : c.off+int(n)]
	c.off += int(n)
	return b
}

// next decodes the next entry and reports whether there was one.
func (c *cursor) next() bool {
	if c.t == nil || c.i >= c.t.n || c.bad {
		return false
	}
	if c.i%blockLen == 0 {
		at := c.t.blocks[c.i/blockLen]
		if c.drop && at.chunk > 0 {
			c.t.chunks[at.chunk-1] = nil
		}
		c.data, c.off = c.t.chunks[at.chunk], at.off
		c.prevTime = 0
		c.path = c.path[:0]
	}
	c.i++
	shared, more := c.uvarint(), c.uvarint()
	if shared > uint64(len(c.path)) {
		c.bad = true
		return false
	}
	suffix := c.bytes(more)
	c.path = append(c.path[:shared], suffix...)
	fb := c.bytes(1)
	if c.bad {
		return false
	}
	flags := fb[0]
	c.File = File{Type: FileType(flags & typeMask)}
	c.link, c.caps = nil, nil
	c.Perm = uint16(c.uvarint())
	c.UID = int(c.uvarint())
	c.GID = int(c.uvarint())
	c.MTime = c.prevTime + c.varint()
	c.prevTime = c.MTime
	switch c.Type {
	case Regular:
		size := c.uvarint()
		kind := c.bytes(1)
		if c.bad || size > math.MaxInt64 {
			c.bad = true
			return false
		}
		c.Size, c.Kind = int64(size), Kind(kind[0])
		if flags&flagSum != 0 {
			sum := c.bytes(32)
			if c.bad {
				return false
			}
			c.SHA256 = [32]byte(sum)
		} else {
			c.SHA256 = emptySum
		}
	case CharDevice, BlockDevice:
		c.Major, c.Minor = uint32(c.uvarint()), uint32(c.uvarint())
	}
	if flags&flagLink != 0 {
		c.link = c.bytes(c.uvarint())
	}
	if flags&flagCaps != 0 {
		c.caps = c.bytes(c.uvarint())
	}
	if c.t.layers {
		c.Layer = int(c.uvarint())
	}
	return !c.bad
}

// emptySum is the SHA-256 of no bytes.
var emptySum = [32]byte{0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55}

// Len is the number of entries.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return t.n
}

// All yields every entry in order of path.
func (t *Table) All() iter.Seq[File] {
	return func(yield func(File) bool) {
		c := t.cursor()
		for c.next() {
			if !yield(c.file()) {
				return
			}
		}
	}
}

// Lookup returns the real entry of a path: markers are passed over.
func (t *Table) Lookup(path string) (File, bool) {
	if t == nil || t.n == 0 {
		return File{}, false
	}
	// the last block that begins at or before path; markers of the same path
	// may stand in the block before, the entry itself may not
	lo, hi := 0, len(t.blocks)
	for lo < hi {
		mid := (lo + hi) / 2
		c := cursor{t: t, i: mid * blockLen}
		if !c.next() {
			return File{}, false
		}
		if d := comparePath(c.path, path); d < 0 || d == 0 && class(c.Type) <= 1 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return File{}, false
	}
	c := cursor{t: t, i: (lo - 1) * blockLen}
	for c.next() {
		d := comparePath(c.path, path)
		if d > 0 {
			break
		}
		if d == 0 && class(c.Type) == 1 {
			return c.file(), true
		}
	}
	return File{}, false
}

// Below yields every entry below a directory.
func (t *Table) Below(dir string) iter.Seq[File] {
	return func(yield func(File) bool) {
		if t == nil {
			return
		}
		lo, hi := 0, len(t.blocks)
		for lo < hi {
			mid := (lo + hi) / 2
			c := cursor{t: t, i: mid * blockLen}
			if c.next() && comparePath(c.path, dir) < 0 {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		b := max(lo-1, 0)
		if len(t.blocks) == 0 {
			return
		}
		c := cursor{t: t, i: b * blockLen}
		for c.next() {
			if comparePath(c.path, dir) <= 0 {
				continue
			}
			if !isBelow(c.path, dir) {
				return
			}
			if !yield(c.file()) {
				return
			}
		}
	}
}

func isBelow[A, B string | []byte](path A, dir B) bool {
	if len(dir) == 0 {
		return len(path) > 0
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && string(path[:len(dir)]) == string(dir)
}

// MarshalBinary encodes the table for storage.
func (t *Table) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, t.bytes()+4*t.Len()/blockLen+32)
	w := bytes.NewBuffer(b)
	_, err := t.WriteTo(w)
	return w.Bytes(), err
}

// WriteTo writes what MarshalBinary returns, without holding it in memory.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	if t == nil {
		t = new(Table)
	}
	b := make([]byte, 0, 4*len(t.blocks)+16)
	b = append(b, tableVersion, 0)
	if t.layers {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, uint64(t.n))
	prev, chunk, before := 0, 0, 0 // before: bytes of the chunks before
	for _, at := range t.blocks {
		for ; chunk < at.chunk; chunk++ {
			before += len(t.chunks[chunk])
		}
		b = binary.AppendUvarint(b, uint64(before+at.off-prev))
		prev = before + at.off
	}
	n, err := w.Write(b)
	total := int64(n)
	for _, c := range t.chunks {
		if err != nil {
			break
		}
		n, err = w.Write(c)
		total += int64(n)
	}
	return total, err
}

// bytes is the size of all entries.
func (t *Table) bytes() int {
	if t == nil {
		return 0
	}
	n := 0
	for _, c := range t.chunks {
		n += len(c)
	}
	return n
}

// UnmarshalTable reads what MarshalBinary wrote, without copying b. It checks
// the frame only; whoever stores tables keeps a digest of them. A table that
// was damaged all the same ends early and never panics; see [Table.Check].
func UnmarshalTable(b []byte) (*Table, error) {
	if len(b) < 3 || b[0] != tableVersion || b[1] > 1 {
		return nil, errTable
	}
	n, k := binary.Uvarint(b[2:])
	if k <= 0 || n > uint64(len(b)) {
		return nil, errTable
	}
	t := &Table{n: int(n), layers: b[1] == 1}
	rest := b[2+k:]
	t.blocks = make([]place, 0, (n+blockLen-1)/blockLen)
	off := 0
	for range cap(t.blocks) {
		d, k := binary.Uvarint(rest)
		if k <= 0 || d > uint64(len(b)) {
			return nil, errTable
		}
		rest = rest[k:]
		off += int(d)
		t.blocks = append(t.blocks, place{0, off})
	}
	if off > len(rest) {
		return nil, errTable
	}
	t.chunks = [][]byte{rest}
	return t, nil
}

// Check reads the whole table and reports damage: entries that are cut short
// or not in order.
func (t *Table) Check() error {
	c := t.cursor()
	var prev []byte
	prevClass, chunk := 0, 0
	for i := range t.Len() {
		if i%blockLen == 0 && i > 0 {
			if at := t.blocks[i/blockLen]; at.chunk == chunk && at.off != c.off || at.chunk != chunk && (at.off != 0 || c.off != len(c.data)) {
				return fmt.Errorf("%w at entry %d", errTable, i)
			}
		}
		if i%blockLen == 0 {
			chunk = t.blocks[i/blockLen].chunk
		}
		prev = append(prev[:0], c.path...)
		if !c.next() {
			return fmt.Errorf("%w at entry %d of %d", errTable, i, t.n)
		}
		if i > 0 {
			if d := comparePath(prev, c.path); d > 0 || d == 0 && prevClass >= class(c.Type) {
				return fmt.Errorf("%w: not in order at %q", errTable, c.path)
			}
		}
		prevClass = class(c.Type)
	}
	if c.off != len(c.data) || t != nil && t.n == 0 && t.bytes() > 0 {
		return errTable
	}
	return nil
}
