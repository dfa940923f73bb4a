package license

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
)

// A reader of zip archives for the few members that are licence files: it goes
// through the central directory without keeping it, which is a tenth of the
// work of archive/zip. Archives in the zip64 format are left out: no program
// ships libraries of 4 GB.

var errZip = errors.New("not a zip archive that can be read")

const (
	stored   = 0
	deflated = 8

	maxDirectory = 64 << 20 // bytes of a central directory
	maxName      = 1024     // bytes of the name of a member that is looked at
)

// member is a file in an archive.
type member struct {
	name         string
	method       uint16
	packed, size int64
	header       int64 // where its own header stands
}

// eachMember calls f for every member that is neither a folder nor encrypted,
// until f returns false.
func eachMember(r io.ReaderAt, size int64, f func(*member) bool) error {
	const endLen = 22
	if size < endLen {
		return errZip
	}
	tail := make([]byte, min(size, endLen+1024))
	if err := readAt(r, tail, size-int64(len(tail))); err != nil {
		return err
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 && size > int64(len(tail)) { // a long comment
		tail = make([]byte, min(size, endLen+65535))
		if err := readAt(r, tail, size-int64(len(tail))); err != nil {
			return err
		}
		at = bytes.LastIndex(tail, []byte("PK\x05\x06"))
	}
	if at < 0 || len(tail)-at < endLen {
		return errZip
	}
	end := tail[at:]
	length, offset := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	// what stands before the archive moves every offset
	before := size - int64(len(tail)-at) - length - offset
	if length > maxDirectory || before < 0 || length == 0xffffffff {
		return errZip
	}
	dir := make([]byte, length)
	if err := readAt(r, dir, before+offset); err != nil {
		return err
	}
	const fixed = 46
	for len(dir) >= fixed && string(dir[:4]) == "PK\x01\x02" {
		n := int(binary.LittleEndian.Uint16(dir[28:]))
		next := fixed + n + int(binary.LittleEndian.Uint16(dir[30:])) + int(binary.LittleEndian.Uint16(dir[32:]))
		if next > len(dir) {
			return errZip
		}
		name := dir[fixed : fixed+n]
		if flags := binary.LittleEndian.Uint16(dir[8:]); flags&1 == 0 && n > 0 && n <= maxName && name[n-1] != '/' && mayMatter(name) {
			m := &member{
				name: string(name), method: binary.LittleEndian.Uint16(dir[10:]),
				packed: int64(binary.LittleEndian.Uint32(dir[20:])), size: int64(binary.LittleEndian.Uint32(dir[24:])),
				header: before + int64(binary.LittleEndian.Uint32(dir[42:])),
			}
			if !f(m) {
				return nil
			}
		}
		dir = dir[next:]
	}
	return nil
}

// mayMatter rules out classes, which nearly all members are.
func mayMatter(name []byte) bool { return !bytes.HasSuffix(name, []byte(".class")) }

func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// content is what the archive holds of a member, packed as it is.
func (m *member) content(r io.ReaderAt, size int64) (*io.SectionReader, error) {
	var head [30]byte
	if m.header < 0 || m.header > size-int64(len(head)) {
		return nil, errZip
	}
	if err := readAt(r, head[:], m.header); err != nil {
		return nil, err
	}
	at := m.header + int64(len(head)) + int64(binary.LittleEndian.Uint16(head[26:])) + int64(binary.LittleEndian.Uint16(head[28:]))
	if string(head[:4]) != "PK\x03\x04" || at > size-m.packed {
		return nil, errZip
	}
	return io.NewSectionReader(r, at, m.packed), nil
}

// read unpacks at most limit bytes of a member.
func (m *member) read(r io.ReaderAt, size, limit int64) ([]byte, error) {
	packed, err := m.content(r, size)
	if err != nil {
		return nil, err
	}
	var in io.Reader = packed
	switch m.method {
	case stored:
	case deflated:
		z := flate.NewReader(in)
		defer z.Close()
		in = z
	default:
		return nil, errZip
	}
	return io.ReadAll(io.LimitReader(in, limit))
}
