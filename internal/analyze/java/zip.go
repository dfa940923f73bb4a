package java

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// source is random access to an archive: in memory, or behind a reader.
type source struct {
	r    io.ReaderAt
	data []byte // the same bytes, when they are in memory
	size int64
}

func memory(b []byte) source { return source{r: bytes.NewReader(b), data: b, size: int64(len(b))} }

// bytes returns n bytes at off. They may be part of the source and must not be changed.
func (s source) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > s.size || n > s.size-off {
		return nil, io.ErrUnexpectedEOF
	}
	if s.data != nil {
		return s.data[off : off+n], nil
	}
	b := make([]byte, n)
	if k, err := s.r.ReadAt(b, off); int64(k) < n {
		return nil, cmpErr(err)
	}
	return b, nil
}

func cmpErr(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// section is the part of s of n bytes at off; the caller has checked the bounds.
func (s source) section(off, n int64) source {
	out := source{r: io.NewSectionReader(s.r, off, n), size: n}
	if s.data != nil {
		out.data = s.data[off : off+n]
	}
	return out
}

func (s source) reader() io.Reader { return io.NewSectionReader(s.r, 0, s.size) }

// Sizes and signatures of APPNOTE.TXT, the .ZIP file format specification, sections 4.3.7 to 4.3.16.
const (
	localHeaderLen  = 30
	dirHeaderLen    = 46
	dirEndLen       = 22
	zip64LocatorLen = 20
	zip64EndLen     = 56

	sigLocal        = 0x04034b50
	sigDir          = 0x02014b50
	sigDirEnd       = 0x06054b50
	sigZip64Locator = 0x07064b50
	sigZip64End     = 0x06064b50

	methodStore   = 0
	methodDeflate = 8
	flagEncrypted = 1
)

var (
	errNotZip    = errors.New("not a zip archive: no end of central directory")
	errDirectory = errors.New("broken central directory")
)

// archive is a zip archive's central directory, undecoded.
type archive struct {
	source
	base int64 // what stands before the archive: the shell script of an executable jar
	dir  []byte
}

// member is an entry of a central directory.
type member struct {
	name   []byte // part of the directory
	method uint16
	flags  uint16
	crc    uint32
	packed int64 // compressed size
	size   int64
	offset int64 // of the local header, from the start of the archive
}

// openArchive finds and reads the central directory.
func openArchive(s source) (*archive, error) {
	tailLen := min(s.size, dirEndLen+math.MaxUint16)
	tail, err := s.bytes(s.size-tailLen, tailLen)
	if err != nil {
		return nil, err
	}
	at := -1
	for i := len(tail) - dirEndLen; i >= 0; i-- {
		if tail[i] == 'P' && binary.LittleEndian.Uint32(tail[i:]) == sigDirEnd &&
			int(binary.LittleEndian.Uint16(tail[i+20:])) <= len(tail)-i-dirEndLen {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, errNotZip
	}
	end := tail[at:]
	endAt := s.size - tailLen + int64(at)
	size, off := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	if size == math.MaxUint32 || off == math.MaxUint32 || binary.LittleEndian.Uint16(end[10:]) == math.MaxUint16 {
		if z, zAt, ok := zip64End(s, endAt); ok {
			u, v := binary.LittleEndian.Uint64(z[40:]), binary.LittleEndian.Uint64(z[48:])
			if u > math.MaxInt64 || v > math.MaxInt64 {
				return nil, errDirectory
			}
			size, off, endAt = int64(u), int64(v), zAt
		}
	}
	if size > endAt || off > endAt {
		return nil, errDirectory
	}
	if size > maxDirectory {
		return nil, &limitError{"central directory size", maxDirectory}
	}
	// offsets count from the start of the archive, which need not be the start of the file
	a := &archive{source: s, base: endAt - size - off}
	if a.base != 0 && (a.base < 0 || isDir(s, off)) {
		a.base = 0
	}
	if a.dir, err = s.bytes(a.base+off, size); err != nil {
		return nil, errDirectory
	}
	return a, nil
}

func isDir(s source, off int64) bool {
	b, err := s.bytes(off, 4)
	return err == nil && binary.LittleEndian.Uint32(b) == sigDir
}

func zip64End(s source, endAt int64) (end []byte, at int64, ok bool) {
	l, err := s.bytes(endAt-zip64LocatorLen, zip64LocatorLen)
	if err != nil || binary.LittleEndian.Uint32(l) != sigZip64Locator {
		return nil, 0, false
	}
	// the recorded place, or, where something stands before the archive, right before the locator
	for _, at := range [...]uint64{binary.LittleEndian.Uint64(l[8:]), uint64(endAt - zip64LocatorLen - zip64EndLen)} {
		if at > math.MaxInt64 {
			continue
		}
		z, err := s.bytes(int64(at), zip64EndLen)
		if err == nil && binary.LittleEndian.Uint32(z) == sigZip64End {
			return z, int64(at), true
		}
	}
	return nil, 0, false
}

// each calls fn for the entries in the order of the directory until fn says
// no. An error means that the directory breaks off.
func (a *archive) each(fn func(m *member) bool) error {
	var m member
	for d := a.dir; len(d) > 0; {
		if len(d) < dirHeaderLen || binary.LittleEndian.Uint32(d) != sigDir {
			return errDirectory
		}
		n, x, c := int(binary.LittleEndian.Uint16(d[28:])), int(binary.LittleEndian.Uint16(d[30:])), int(binary.LittleEndian.Uint16(d[32:]))
		total := dirHeaderLen + n + x + c
		if total > len(d) {
			return errDirectory
		}
		m = member{
			name:   d[dirHeaderLen : dirHeaderLen+n],
			flags:  binary.LittleEndian.Uint16(d[8:]),
			method: binary.LittleEndian.Uint16(d[10:]),
			crc:    binary.LittleEndian.Uint32(d[16:]),
			packed: int64(binary.LittleEndian.Uint32(d[20:])),
			size:   int64(binary.LittleEndian.Uint32(d[24:])),
			offset: int64(binary.LittleEndian.Uint32(d[42:])),
		}
		if m.packed == math.MaxUint32 || m.size == math.MaxUint32 || m.offset == math.MaxUint32 {
			m.zip64(d[dirHeaderLen+n : dirHeaderLen+n+x])
		}
		if !fn(&m) {
			return nil
		}
		d = d[total:]
	}
	return nil
}

// zip64 takes the sizes that do not fit 32 bits from the extra field 1 (4.5.3).
func (m *member) zip64(extra []byte) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return
		}
		if id == 1 {
			f := extra[:n]
			for _, v := range [...]*int64{&m.size, &m.packed, &m.offset} {
				if *v == math.MaxUint32 && len(f) >= 8 {
					*v = int64(binary.LittleEndian.Uint64(f)) // a negative one fails the bounds checks
					f = f[8:]
				}
			}
			return
		}
		extra = extra[n:]
	}
}

// place returns the packed bytes of a member as a part of the archive.
func (a *archive) place(m *member) (source, error) {
	if m.flags&flagEncrypted != 0 {
		return source{}, errors.New("encrypted entry")
	}
	if m.offset < 0 || m.packed < 0 || m.size < 0 || m.offset > a.size {
		return source{}, errDirectory
	}
	h, err := a.bytes(a.base+m.offset, localHeaderLen)
	if err != nil || binary.LittleEndian.Uint32(h) != sigLocal {
		return source{}, errors.New("no local header where the central directory says")
	}
	off := a.base + m.offset + localHeaderLen + int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
	if off > a.size || m.packed > a.size-off {
		return source{}, errors.New("entry reaches beyond the end of the archive")
	}
	return a.section(off, m.packed), nil
}

// inflater unpacks entries one after another.
type inflater struct{ r io.ReadCloser }

// unpack returns at most limit bytes of a member's content. Content that is
// whole is checked against size and CRC-32 of the directory.
func (z *inflater) unpack(a *archive, m *member, limit int64) ([]byte, error) {
	s, err := a.place(m)
	if err != nil {
		return nil, err
	}
	n := min(m.size, limit)
	var out []byte
	switch m.method {
	case methodStore:
		if m.size != m.packed {
			return nil, errors.New("stored entry with two sizes")
		}
		if out, err = s.bytes(0, n); err != nil {
			return nil, err
		}
	case methodDeflate:
		// deflate packs at most 1032 to 1: a larger size is a lie that need not be allocated
		if n > 1032*m.packed+64 {
			return nil, errors.New("size is more than deflate can pack")
		}
		if z.r == nil {
			z.r = flate.NewReader(s.reader())
		} else if err := z.r.(flate.Resetter).Reset(s.reader(), nil); err != nil {
			return nil, err
		}
		out = make([]byte, n)
		if _, err := io.ReadFull(z.r, out); err != nil {
			return nil, fmt.Errorf("inflating: %w", cmpErr(err))
		}
	default:
		return nil, fmt.Errorf("compression method %d", m.method)
	}
	if n == m.size && crc32.ChecksumIEEE(out) != m.crc {
		return nil, errors.New("CRC-32 differs")
	}
	return out, nil
}
