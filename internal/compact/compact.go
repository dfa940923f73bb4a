// Package compact writes values as records of few bytes that are read fast:
// the fields one after the other, numbers in variable length, each string once.
// Nothing in a record says what its fields are: whoever keeps records keeps
// the version of what wrote them, and a digest.
package compact

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"
)

// Coder goes through the fields of a value, to write them or to read them: one
// walk for both, so that they cannot differ. Every method takes a pointer to
// the field, which it reads or sets. A damaged record sets [Coder.Bad] and what
// is left stays zero; nothing panics, and reading takes time and memory in
// proportion to the record. A Coder is for one goroutine.
type Coder struct {
	reading bool

	out   []byte
	index map[string]uint64
	table []string

	in  []byte
	bad bool
}

// NewWriter returns a Coder that writes.
func NewWriter() *Coder { return &Coder{index: map[string]uint64{"": 0}} }

// NewReader returns a Coder that reads what [Coder.Append] wrote. Strings are
// parts of one copy of b; what [Coder.Raw] reads is a part of b itself.
func NewReader(b []byte) *Coder {
	c := &Coder{reading: true, in: b}
	c.readTable()
	return c
}

// Reading reports whether fields are set.
func (c *Coder) Reading() bool { return c.reading }

// Bad reports whether the record is damaged; after the last field also when
// there is more of it.
func (c *Coder) Bad() bool { return c.bad || len(c.in) != 0 }

// Fail says that a value that was read cannot be.
func (c *Coder) Fail() { c.bad, c.in = true, nil }

// Append appends what was written.
func (c *Coder) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.table)))
	for _, s := range c.table {
		b = binary.AppendUvarint(b, uint64(len(s)))
	}
	for _, s := range c.table {
		b = append(b, s...)
	}
	return append(b, c.out...)
}

func (c *Coder) readTable() {
	n := c.count(1)
	sizes := make([]int, n)
	total := 0
	for i := range sizes {
		v := c.uvarint()
		if v > uint64(len(c.in)-total) {
			c.bad = true
			return
		}
		sizes[i] = int(v)
		total += int(v)
		if total > len(c.in) {
			c.bad = true
			return
		}
	}
	all := string(c.in[:total])
	c.in = c.in[total:]
	c.table = make([]string, n)
	for i, k := range sizes {
		c.table[i], all = all[:k], all[k:]
	}
}

func (c *Coder) uvarint() uint64 {
	if len(c.in) > 0 && c.in[0] < 0x80 { // most numbers
		v := c.in[0]
		c.in = c.in[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(c.in)
	if n <= 0 {
		c.Fail()
		return 0
	}
	c.in = c.in[n:]
	return v
}

// count reads a number of things that take at least least bytes each.
func (c *Coder) count(least int) int {
	n := c.uvarint()
	if n > uint64(len(c.in)/least) {
		c.Fail()
		return 0
	}
	return int(n)
}

// String codes a string.
func (c *Coder) String(s *string) {
	if !c.reading {
		i, ok := c.index[*s]
		if !ok {
			c.table = append(c.table, *s)
			i = uint64(len(c.table))
			c.index[*s] = i
		}
		c.out = binary.AppendUvarint(c.out, i)
		return
	}
	switch i := c.uvarint(); {
	case i == 0:
	case i <= uint64(len(c.table)):
		*s = c.table[i-1]
	default:
		c.bad = true
	}
}

// Text codes a string of a named type.
func Text[T ~string](c *Coder, s *T) {
	v := string(*s)
	c.String(&v)
	*s = T(v)
}

// Int64 codes a number.
func (c *Coder) Int64(n *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *n)
		return
	}
	v, k := binary.Varint(c.in)
	if k <= 0 {
		c.Fail()
		return
	}
	c.in = c.in[k:]
	*n = v
}

// Int codes a number.
func (c *Coder) Int(n *int) {
	v := int64(*n)
	c.Int64(&v)
	*n = int(v)
}

// Bool codes a truth value.
func (c *Coder) Bool(b *bool) {
	v := int64(0)
	if *b {
		v = 1
	}
	c.Int64(&v)
	*b = v != 0
}

// Float codes a number.
func (c *Coder) Float(f *float64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, math.Float64bits(*f))
		return
	}
	*f = math.Float64frombits(c.uvarint())
}

// length writes or reads the length of a list, telling nil from empty.
func (c *Coder) length(n int, isNil bool, least int) (int, bool) {
	if !c.reading {
		if isNil {
			c.out = append(c.out, 0)
			return 0, true
		}
		c.out = binary.AppendUvarint(c.out, uint64(n)+1)
		return n, false
	}
	v := c.uvarint()
	if v == 0 {
		return 0, true
	}
	if v-1 > uint64(len(c.in)/least) {
		c.Fail()
		return 0, true
	}
	return int(v - 1), false
}

// List codes a list whose elements take at least least bytes each.
func List[T any](c *Coder, s *[]T, least int, each func(*T)) {
	n, isNil := c.length(len(*s), *s == nil, least)
	if isNil {
		return
	}
	if c.reading {
		*s = make([]T, n)
	}
	for i := range *s {
		if c.bad {
			return
		}
		each(&(*s)[i])
	}
}

// Strings codes a list of strings.
func (c *Coder) Strings(s *[]string) {
	n, isNil := c.length(len(*s), *s == nil, 1)
	if isNil {
		return
	}
	if c.reading {
		*s = make([]string, n)
	}
	for i := range *s {
		c.String(&(*s)[i])
	}
}

// Bytes codes bytes; what is read is a copy.
func (c *Coder) Bytes(b *[]byte) {
	n, isNil := c.length(len(*b), *b == nil, 1)
	switch {
	case isNil:
	case c.reading:
		*b, c.in = slices.Clone(c.in[:n]), c.in[n:]
	default:
		c.out = append(c.out, *b...)
	}
}

// StringMap codes a map, in the order of its keys.
func (c *Coder) StringMap(m *map[string]string) {
	n, isNil := c.length(len(*m), *m == nil, 2)
	if isNil {
		return
	}
	if !c.reading {
		for _, k := range slices.Sorted(maps.Keys(*m)) {
			v := (*m)[k]
			c.String(&k)
			c.String(&v)
		}
		return
	}
	*m = make(map[string]string, n)
	for range n {
		var k, v string
		c.String(&k)
		c.String(&v)
		(*m)[k] = v
	}
}

// Raw codes a number and bytes that go with it; the bytes that are read are a
// part of the record.
func (c *Coder) Raw(n *uint64, b *[]byte) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *n)
		c.out = binary.AppendUvarint(c.out, uint64(len(*b)))
		c.out = append(c.out, *b...)
		return
	}
	*n = c.uvarint()
	if size := c.count(1); size > 0 {
		*b, c.in = c.in[:size:size], c.in[size:]
	}
}

// Time codes an instant; what is read is in UTC.
func (c *Coder) Time(t *time.Time) {
	has := !t.IsZero()
	c.Bool(&has)
	if !has {
		return
	}
	sec, nano := t.Unix(), int64(t.Nanosecond())
	c.Int64(&sec)
	c.Int64(&nano)
	if c.reading {
		*t = time.Unix(sec, nano).UTC()
	}
}
