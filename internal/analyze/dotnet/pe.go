package dotnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// peFile is a PE image (Microsoft PE and COFF specification), as far as it
// leads to the metadata of the common language runtime and the version resource.
type peFile struct {
	f        *analyze.File
	sections []peSection
	clr      dataDir
	resource dataDir
}

type peSection struct{ rva, size, off uint32 }

type dataDir struct{ rva, size uint32 }

var (
	errTruncated = errors.New("file is cut off")
	errMetadata  = errors.New("broken assembly metadata")
)

const (
	maxMetadata = 256 << 20 // bytes of the metadata of one assembly
	maxResource = 1 << 20   // bytes of a version resource
)

func readAt(f *analyze.File, off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > f.Size || n > f.Size-off {
		return nil, errTruncated
	}
	if b := f.Bytes(); b != nil {
		return b[off : off+n], nil
	}
	b := make([]byte, n)
	if k, err := f.ReadAt(b, off); int64(k) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = errTruncated
		}
		return nil, err
	}
	return b, nil
}

// openPE returns nil for what is no PE image.
func openPE(f *analyze.File) *peFile {
	h, err := readAt(f, 0, 64)
	if err != nil || h[0] != 'M' || h[1] != 'Z' {
		return nil
	}
	at := int64(binary.LittleEndian.Uint32(h[60:]))
	h, err = readAt(f, at, 24)
	if err != nil || string(h[:4]) != "PE\x00\x00" {
		return nil
	}
	num, optLen := int64(binary.LittleEndian.Uint16(h[6:])), int64(binary.LittleEndian.Uint16(h[20:]))
	opt, err := readAt(f, at+24, optLen)
	if err != nil || len(opt) < 2 {
		return nil
	}
	dirs := 96
	if binary.LittleEndian.Uint16(opt) == 0x20b {
		dirs = 112
	}
	p := &peFile{f: f}
	dir := func(i int) dataDir {
		o := dirs + 8*i
		if o+8 > len(opt) {
			return dataDir{}
		}
		return dataDir{binary.LittleEndian.Uint32(opt[o:]), binary.LittleEndian.Uint32(opt[o+4:])}
	}
	p.resource, p.clr = dir(2), dir(14)
	table, err := readAt(f, at+24+optLen, num*40)
	if err != nil {
		return nil
	}
	for ; len(table) >= 40; table = table[40:] {
		p.sections = append(p.sections, peSection{
			rva: binary.LittleEndian.Uint32(table[12:]), size: binary.LittleEndian.Uint32(table[16:]), off: binary.LittleEndian.Uint32(table[20:]),
		})
	}
	return p
}

// at reads n bytes at a relative virtual address.
func (p *peFile) at(rva uint32, n int64) ([]byte, error) {
	for _, s := range p.sections {
		if rva >= s.rva && rva-s.rva < s.size {
			if n > int64(s.size-(rva-s.rva)) {
				return nil, errTruncated
			}
			return readAt(p.f, int64(s.off)+int64(rva-s.rva), n)
		}
	}
	return nil, errTruncated
}

// upTo is at, with as many bytes as the section has, at most n.
func (p *peFile) upTo(rva uint32, n int64) ([]byte, error) {
	for _, s := range p.sections {
		if rva >= s.rva && rva-s.rva < s.size {
			return p.at(rva, min(n, int64(s.size-(rva-s.rva))))
		}
	}
	return nil, errTruncated
}

// versionStrings returns the strings of the version resource: ProductVersion,
// FileVersion, CompanyName and so on; nil without one.
func (p *peFile) versionStrings() map[string]string {
	if p.resource.rva == 0 {
		return nil
	}
	const typeVersion = 16
	off, dir := uint32(0), true
	for level := range 3 {
		h, err := p.at(p.resource.rva+off, 16)
		if err != nil {
			return nil
		}
		num := int64(binary.LittleEndian.Uint16(h[12:])) + int64(binary.LittleEndian.Uint16(h[14:]))
		entries, err := p.at(p.resource.rva+off+16, num*8)
		if err != nil || num == 0 {
			return nil
		}
		found := false
		for ; len(entries) >= 8; entries = entries[8:] {
			if level > 0 || binary.LittleEndian.Uint32(entries) == typeVersion {
				off = binary.LittleEndian.Uint32(entries[4:])
				found = true
				break
			}
		}
		if !found {
			return nil
		}
		dir = off&(1<<31) != 0
		off &^= 1 << 31
		if !dir {
			break
		}
	}
	if dir {
		return nil
	}
	h, err := p.at(p.resource.rva+off, 16)
	if err != nil {
		return nil
	}
	size := binary.LittleEndian.Uint32(h[4:])
	if size > maxResource {
		return nil
	}
	b, err := p.at(binary.LittleEndian.Uint32(h), int64(size))
	if err != nil {
		return nil
	}
	out := map[string]string{}
	versionBlocks(b, 0, out)
	return out
}

// versionBlocks reads the blocks of a VS_VERSIONINFO structure: each its
// length, that of its value and a key, then the value or more blocks. Depth is
// how far below the root b is: the strings are at depth 3.
func versionBlocks(b []byte, depth int, out map[string]string) {
	for len(b) >= 8 && len(out) < 100 {
		length, valueLen := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if length < 8 || length > len(b) {
			return
		}
		block := b[:length]
		key, n := utf16z(block[6:])
		at := min(align4(6+n), length)
		switch {
		case depth == 3:
			value, _ := utf16z(block[at:])
			if key != "" {
				out[key] = value
			}
		case depth == 0:
			versionBlocks(block[min(align4(at+valueLen), length):], 1, out)
		case depth == 1 && key != "StringFileInfo":
		default:
			versionBlocks(block[at:], depth+1, out)
		}
		b = b[min(align4(length), len(b)):]
	}
}

func align4(n int) int { return (n + 3) &^ 3 }

// utf16z reads a string up to its zero and returns how many bytes it takes.
func utf16z(b []byte) (string, int) {
	var u []uint16
	i := 0
	for ; i+2 <= len(b); i += 2 {
		c := binary.LittleEndian.Uint16(b[i:])
		if c == 0 {
			i += 2
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u)), i
}

// assembly is the identity in the metadata tables.
type assembly struct {
	name, culture string
	version       [4]uint16
}

// assembly reads the Assembly table (ECMA-335, II.22.2 and II.24). A module
// without one, as native images have it, gives nil.
func (p *peFile) assembly() (*assembly, error) {
	h, err := p.at(p.clr.rva, 16)
	if err != nil {
		return nil, errMetadata
	}
	rva, size := binary.LittleEndian.Uint32(h[8:]), int64(binary.LittleEndian.Uint32(h[12:]))
	if size > maxMetadata {
		return nil, errMetadata
	}
	meta, err := p.upTo(rva, size)
	if err != nil || len(meta) < 20 || string(meta[:4]) != "BSJB" {
		return nil, errMetadata
	}
	at := 16 + int(binary.LittleEndian.Uint32(meta[12:])&0xffff)
	if at+4 > len(meta) {
		return nil, errMetadata
	}
	num := int(binary.LittleEndian.Uint16(meta[at+2:]))
	at += 4
	var tables, heap []byte
	for range num {
		if at+9 > len(meta) {
			return nil, errMetadata
		}
		off, n := uint64(binary.LittleEndian.Uint32(meta[at:])), uint64(binary.LittleEndian.Uint32(meta[at+4:]))
		end := bytes.IndexByte(meta[at+8:min(len(meta), at+8+32)], 0)
		if end < 0 || off+n > uint64(len(meta)) {
			return nil, errMetadata
		}
		switch string(meta[at+8 : at+8+end]) {
		case "#~", "#-":
			tables = meta[off : off+n]
		case "#Strings":
			heap = meta[off : off+n]
		}
		at += 8 + align4(end+1)
	}
	return readAssembly(tables, heap)
}

func heapString(heap []byte, at uint32) string {
	if uint64(at) >= uint64(len(heap)) {
		return ""
	}
	b := heap[at:]
	if i := bytes.IndexByte(b[:min(len(b), 1024)], 0); i >= 0 {
		return string(b[:i])
	}
	return ""
}
