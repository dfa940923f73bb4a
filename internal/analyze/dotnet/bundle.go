package dotnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// bundleMark stands in the data of a .NET host, behind the place of the
// bundle's header: eight bytes, zero where nothing is bundled
// (dotnet/designs, accepted/2020/single-file/design.md).
var bundleMark = [...]byte{
	0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32,
	0x13, 0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
}

// maxData bounds the data section that is looked through for the mark.
const maxData = 4 << 20

// bundle reads the .deps.json inside a single-file application. done is false
// for everything else.
func bundle(f *analyze.File, out *inventory.Record) (done bool, err error) {
	off, n := dataSection(f)
	if n == 0 {
		return false, nil
	}
	data, err := readAt(f, off, min(n, maxData, f.Size-off))
	if err != nil {
		return false, nil
	}
	i := bytes.Index(data, bundleMark[:])
	if i < 8 {
		return false, nil
	}
	at := int64(binary.LittleEndian.Uint64(data[i-8:]))
	if at == 0 {
		return false, nil // the host of an application that lies beside it
	}
	h, err := readAt(f, at, min(512, max(0, f.Size-at)))
	if err != nil || len(h) < 13 {
		return true, fmt.Errorf("single-file application: %w", errTruncated)
	}
	major, idLen := binary.LittleEndian.Uint32(h), int(h[12])
	if major < 2 || major > 64 || idLen > 127 || 13+idLen+16 > len(h) {
		return true, fmt.Errorf("single-file application of format %d", major)
	}
	h = h[13+idLen:]
	depsAt, depsLen := int64(binary.LittleEndian.Uint64(h)), int64(binary.LittleEndian.Uint64(h[8:]))
	if depsLen == 0 {
		return true, nil
	}
	if depsAt < 0 || depsLen < 0 || depsAt > f.Size-depsLen {
		return true, fmt.Errorf("single-file application: %w", errTruncated)
	}
	return true, depsJSON(f.Path, "deps.json", io.NewSectionReader(f, depsAt, depsLen), out)
}

// dataSection finds the section .data of an ELF file or a PE image.
func dataSection(f *analyze.File) (off, n int64) {
	h, err := readAt(f, 0, 64)
	if err != nil {
		return 0, 0
	}
	if h[0] == 'M' {
		at := int64(binary.LittleEndian.Uint32(h[60:]))
		h, err := readAt(f, at, 24)
		if err != nil || string(h[:4]) != "PE\x00\x00" {
			return 0, 0
		}
		num, opt := int64(binary.LittleEndian.Uint16(h[6:])), int64(binary.LittleEndian.Uint16(h[20:]))
		table, err := readAt(f, at+24+opt, num*40)
		if err != nil {
			return 0, 0
		}
		for ; len(table) >= 40; table = table[40:] {
			if bytes.HasPrefix(table, []byte(".data\x00")) {
				return inside(f, int64(binary.LittleEndian.Uint32(table[20:])), int64(binary.LittleEndian.Uint32(table[16:])))
			}
		}
		return 0, 0
	}
	// .NET runs on little-endian machines of 32 and 64 bits
	if string(h[:4]) != "\x7fELF" || h[5] != 1 {
		return 0, 0
	}
	le := binary.LittleEndian
	wide := h[4] == 2
	table, size, num, str := int64(le.Uint32(h[32:])), int(le.Uint16(h[46:])), int(le.Uint16(h[48:])), int(le.Uint16(h[50:]))
	if wide {
		table, size, num, str = int64(le.Uint64(h[40:])), int(le.Uint16(h[58:])), int(le.Uint16(h[60:])), int(le.Uint16(h[62:]))
	}
	if size != 64 && size != 40 || (size == 64) != wide || str >= num {
		return 0, 0
	}
	b, err := readAt(f, table, int64(size)*int64(num))
	if err != nil {
		return 0, 0
	}
	get := func(i int) (off, n int64) {
		s := b[i*size:]
		if wide {
			return int64(le.Uint64(s[24:])), int64(le.Uint64(s[32:]))
		}
		return int64(le.Uint32(s[16:])), int64(le.Uint32(s[20:]))
	}
	namesAt, namesLen := get(str)
	names, err := readAt(f, namesAt, min(namesLen, 1<<20))
	if err != nil {
		return 0, 0
	}
	for i := range num {
		at := int64(le.Uint32(b[i*size:]))
		if at < int64(len(names)) && bytes.HasPrefix(names[at:], []byte(".data\x00")) {
			off, n := get(i)
			return inside(f, off, n)
		}
	}
	return 0, 0
}

// inside gives nothing for what begins outside of the file.
func inside(f *analyze.File, off, n int64) (int64, int64) {
	if off < 0 || n < 0 || off > f.Size {
		return 0, 0
	}
	return off, n
}
