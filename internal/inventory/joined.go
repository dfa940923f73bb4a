package inventory

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// JoinVersion is raised whenever Squash, AllLayers or the form of a joined
// image would give another result for the same layers: images kept under
// another number are not taken.
const JoinVersion = 2

// A joined image is stored as: joinedForm, a table of all strings, and the
// fields one after the other, with a number of the table for a string. Reading
// one copies its bytes once; strings and file lists point into that.
const joinedForm = 1

var errJoined = errors.New("inventory: broken record of a joined image")

// AppendJoined appends what the joins found out about an image: everything
// but its file table and what its source says of it (reference, tags, digests,
// annotations, configuration, the blobs of its layers). The same image gives
// the same bytes.
func (img *Image) AppendJoined(b []byte) []byte {
	c := &joinedCoder{index: map[string]uint64{"": 0}}
	c.image(img)
	b = append(b, joinedForm)
	b = binary.AppendUvarint(b, uint64(len(c.table)))
	for _, s := range c.table {
		b = binary.AppendUvarint(b, uint64(len(s)))
	}
	for _, s := range c.table {
		b = append(b, s...)
	}
	return append(b, c.out...)
}

// UnmarshalJoined reads what AppendJoined wrote and refuses anything else. It
// takes time and memory in proportion to b.
func UnmarshalJoined(b []byte) (*Image, error) {
	if len(b) == 0 || b[0] != joinedForm {
		return nil, errJoined
	}
	c := &joinedCoder{reading: true, in: b[1:]}
	c.readTable()
	img := new(Image)
	c.image(img)
	if c.bad || len(c.in) != 0 {
		return nil, errJoined
	}
	return img, nil
}

// joinedCoder goes through the fields of an image, to write them or to read
// them: one walk for both, so that they cannot differ.
type joinedCoder struct {
	reading bool

	out   []byte
	index map[string]uint64
	table []string

	in  []byte
	bad bool
}

func (c *joinedCoder) readTable() {
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

func (c *joinedCoder) uvarint() uint64 {
	v, n := binary.Uvarint(c.in)
	if n <= 0 {
		c.bad, c.in = true, nil
		return 0
	}
	c.in = c.in[n:]
	return v
}

// count reads a number of things that take at least least bytes each.
func (c *joinedCoder) count(least int) int {
	n := c.uvarint()
	if n > uint64(len(c.in)/least) {
		c.bad, c.in = true, nil
		return 0
	}
	return int(n)
}

func (c *joinedCoder) string(s *string) {
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

func text[T ~string](c *joinedCoder, s *T) {
	v := string(*s)
	c.string(&v)
	*s = T(v)
}

func (c *joinedCoder) int64(n *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *n)
		return
	}
	v, k := binary.Varint(c.in)
	if k <= 0 {
		c.bad, c.in = true, nil
		return
	}
	c.in = c.in[k:]
	*n = v
}

func (c *joinedCoder) int(n *int) {
	v := int64(*n)
	c.int64(&v)
	*n = int(v)
}

func (c *joinedCoder) bool(b *bool) {
	v := int64(0)
	if *b {
		v = 1
	}
	c.int64(&v)
	*b = v != 0
}

func (c *joinedCoder) float(f *float64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, math.Float64bits(*f))
		return
	}
	*f = math.Float64frombits(c.uvarint())
}

// length writes or reads the length of a list, telling nil from empty.
func (c *joinedCoder) length(n int, isNil bool, least int) (int, bool) {
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
		c.bad, c.in = true, nil
		return 0, true
	}
	return int(v - 1), false
}

func list[T any](c *joinedCoder, s *[]T, least int, each func(*T)) {
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

func (c *joinedCoder) strings(s *[]string) { list(c, s, 1, c.string) }

func (c *joinedCoder) bytes(b *[]byte) {
	n, isNil := c.length(len(*b), *b == nil, 1)
	switch {
	case isNil:
	case c.reading:
		*b, c.in = slices.Clone(c.in[:n]), c.in[n:]
	default:
		c.out = append(c.out, *b...)
	}
}

func (c *joinedCoder) stringMap(m *map[string]string) {
	n, isNil := c.length(len(*m), *m == nil, 2)
	if isNil {
		return
	}
	if !c.reading {
		for _, k := range slices.Sorted(maps.Keys(*m)) {
			v := (*m)[k]
			c.string(&k)
			c.string(&v)
		}
		return
	}
	*m = make(map[string]string, n)
	for range n {
		var k, v string
		c.string(&k)
		c.string(&v)
		(*m)[k] = v
	}
}

func (c *joinedCoder) fileList(l *FileList) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, uint64(l.n))
		c.out = binary.AppendUvarint(c.out, uint64(len(l.data)))
		c.out = append(c.out, l.data...)
		return
	}
	n := c.uvarint()
	size := c.count(1)
	data := c.in[:size:size]
	if !validFileList(n, data) {
		c.bad, c.in = true, nil
		return
	}
	c.in = c.in[size:]
	*l = FileList{n: int(n)}
	if size > 0 {
		l.data = data
	}
}

func (c *joinedCoder) image(img *Image) {
	list(c, &img.Layers, 2, func(l *LayerInfo) {
		text(c, &l.DiffID)
		c.int(&l.Files)
	})
	has := img.Distro != nil
	c.bool(&has)
	if has {
		if c.reading {
			img.Distro = new(Distro)
		}
		c.distro(img.Distro)
	}
	list(c, &img.Packages, 20, c.pkg)
	list(c, &img.Declared, 20, c.pkg)
	list(c, &img.Licenses, 5, func(l *LicenseFile) {
		c.string(&l.Path)
		c.string(&l.PackageType)
		c.string(&l.Package)
		c.licenses(&l.Licenses)
		c.int(&l.Layer)
	})
	list(c, &img.Binaries, 11, c.binary)
	list(c, &img.Facts, 5, func(f *Fact) {
		c.string(&f.Kind)
		c.string(&f.Path)
		c.bytes((*[]byte)(&f.Data))
		c.int(&f.Layer)
		c.bool(&f.Hidden)
	})
	v := &img.Coverage
	c.int(&v.Executables)
	c.int64(&v.Bytes)
	c.int(&v.AttributedFiles)
	c.int64(&v.AttributedBytes)
	list(c, &img.Problems, 5, func(p *Problem) {
		c.string(&p.Analyzer)
		c.string(&p.Path)
		c.int(&p.Layer)
		c.string(&p.Limit)
		c.string(&p.Message)
	})
}

func (c *joinedCoder) distro(d *Distro) {
	for _, s := range [...]*string{&d.Path, &d.ID, &d.Version, &d.Codename, &d.Name, &d.PrettyName, &d.Variant, &d.CPE, &d.Support, &d.Build} {
		c.string(s)
	}
	c.strings(&d.IDLike)
}

func (c *joinedCoder) licenses(ls *[]License) {
	list(c, ls, 4, func(l *License) {
		c.string(&l.Expression)
		c.string(&l.Raw)
		c.string(&l.Source)
		c.float(&l.Confidence)
	})
}

func (c *joinedCoder) pkg(p *Package) {
	for _, s := range [...]*string{&p.Type, &p.Namespace, &p.Name, &p.Version, &p.Arch, &p.Source, &p.SourceVersion, &p.Module, &p.Scope, &p.Subpath,
		&p.Supplier, &p.Homepage, &p.Description, &p.Path, &p.Inner, &p.Technique, &p.Distro, &p.Owner} {
		c.string(s)
	}
	text(c, &p.State)
	c.float(&p.Confidence)
	c.int64(&p.Size)
	c.int(&p.Layer)
	c.stringMap(&p.Qualifiers)
	c.stringMap(&p.Hashes)
	c.stringMap(&p.Meta)
	c.licenses(&p.Licenses)
	c.strings(&p.Depends)
	c.strings(&p.CPEs)
	c.fileList(&p.Files)
	list(c, &p.Locations, 7, func(l *Location) {
		c.string(&l.Path)
		c.string(&l.Inner)
		c.int(&l.Layer)
		c.string(&l.Analyzer)
		c.string(&l.Technique)
		c.string(&l.Owner)
		c.bool(&l.Hidden)
	})
}

func (c *joinedCoder) binary(b *Binary) {
	for _, s := range [...]*string{&b.Path, &b.Arch, &b.Type, &b.BuildID, &b.SOName, &b.Language} {
		c.string(s)
	}
	c.strings(&b.Needed)
	c.bool(&b.Static)
	c.int(&b.Layer)
	c.int64(&b.Size)
	list(c, &b.Products, 20, c.pkg)
}
