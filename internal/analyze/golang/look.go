package golang

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// verdict is what a first look at an executable says.
type verdict int

const (
	isOther  verdict = iota
	isGo             // has build information
	isBare           // made by Go, without build information
	isPacked         // UPX
)

var errTruncated = errors.New("executable is cut off")

// look tells Go programs from others by a few small reads: most executables
// are not Go's, and every one of an image is asked about. Files that only begin
// like an executable are nobody's.
func look(f *analyze.File) (verdict, error) {
	head, err := readAt(f, 0, 512)
	if err != nil {
		return isOther, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return lookELF(f, head)
	case bytes.HasPrefix(head, []byte("MZ")):
		return lookPE(f, head)
	case len(head) >= 4 && head[0] == 0xca:
		return lookFat(f, head)
	default:
		return lookMachO(f, 0)
	}
}

// readAt reads n bytes at off, fewer at the end of the file.
func readAt(f *analyze.File, off, n int64) ([]byte, error) {
	if off < 0 || off > f.Size {
		return nil, errTruncated
	}
	n = min(n, f.Size-off)
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

func lookELF(f *analyze.File, head []byte) (verdict, error) {
	if len(head) < 64 {
		return isOther, nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	var off int64
	var size, num, str int
	if wide {
		off = int64(order.Uint64(head[40:]))
		size, num, str = int(order.Uint16(head[58:])), int(order.Uint16(head[60:])), int(order.Uint16(head[62:]))
	} else {
		off = int64(order.Uint32(head[32:]))
		size, num, str = int(order.Uint16(head[46:])), int(order.Uint16(head[48:])), int(order.Uint16(head[50:]))
	}
	if num == 0 || off == 0 {
		if bytes.Contains(head, []byte("UPX!")) {
			return isPacked, nil
		}
		return searchSegment(f, head, order, wide)
	}
	if want := pick(wide, 64, 40); size != want || str >= num {
		return isOther, nil
	}
	table, err := readAt(f, off, int64(size)*int64(num))
	if err != nil || len(table) < size*num {
		return isOther, nil // sections cut off: common where a file is only the start of one, and not for us to say
	}
	section := func(i int) (name uint32, off, n int64) {
		h := table[i*size:]
		if wide {
			return order.Uint32(h), int64(order.Uint64(h[24:])), int64(order.Uint64(h[32:]))
		}
		return order.Uint32(h), int64(order.Uint32(h[16:])), int64(order.Uint32(h[20:]))
	}
	_, namesAt, namesLen := section(str)
	if namesLen < 0 || namesLen > 1<<20 {
		namesLen = 1 << 20
	}
	names, err := readAt(f, namesAt, namesLen)
	if err != nil {
		return isOther, nil
	}
	found := isOther
	for i := range num {
		at, _, _ := section(i)
		if int64(at) >= int64(len(names)) {
			continue
		}
		switch n := names[at:]; {
		case bytes.HasPrefix(n, []byte(".go.buildinfo\x00")):
			return isGo, nil
		case bytes.HasPrefix(n, []byte(".gopclntab\x00")), bytes.HasPrefix(n, []byte(".note.go.buildid\x00")):
			found = isBare
		}
	}
	return found, nil
}

func pick(wide bool, a, b int) int {
	if wide {
		return a
	}
	return b
}

// magic begins the build information, at an address divisible by 16.
var magic = []byte("\xff Go buildinf:")

// maxSearch bounds the bytes looked through for the magic where no section says where it is.
const maxSearch = 64 << 20

// searchSegment looks for build information in an ELF file without sections: in
// its first writable segment.
func searchSegment(f *analyze.File, head []byte, order binary.ByteOrder, wide bool) (verdict, error) {
	var off int64
	var size, num int
	if wide {
		off, size, num = int64(order.Uint64(head[32:])), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		off, size, num = int64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	if want := pick(wide, 56, 32); size != want {
		return isOther, nil
	}
	table, err := readAt(f, off, int64(size)*int64(num))
	if err != nil {
		return isOther, nil
	}
	for ; len(table) >= size; table = table[size:] {
		flags := order.Uint32(table[4:])
		at, n := int64(0), int64(0)
		if wide {
			at, n = int64(order.Uint64(table[8:])), int64(order.Uint64(table[32:]))
		} else {
			flags = order.Uint32(table[24:])
			at, n = int64(order.Uint32(table[4:])), int64(order.Uint32(table[16:]))
		}
		if order.Uint32(table) == 1 && flags&3 == 2 { // PT_LOAD, writable, not executable
			return search(f, at, n)
		}
	}
	return isOther, nil
}

func search(f *analyze.File, off, n int64) (verdict, error) {
	const chunk = 1 << 20
	if n < 0 || n > maxSearch {
		n = maxSearch
	}
	for n > 0 {
		b, err := readAt(f, off, min(n, chunk+int64(len(magic))))
		if err != nil || len(b) == 0 {
			return isOther, nil
		}
		if bytes.Contains(b, magic) {
			return isGo, nil
		}
		off, n = off+chunk, n-chunk
	}
	return isOther, nil
}

// lookPE looks through the first section of initialised, writable data.
func lookPE(f *analyze.File, head []byte) (verdict, error) {
	if len(head) < 64 {
		return isOther, nil
	}
	at := int64(binary.LittleEndian.Uint32(head[60:]))
	h, err := readAt(f, at, 24)
	if err != nil || len(h) < 24 || !bytes.HasPrefix(h, []byte("PE\x00\x00")) {
		return isOther, nil
	}
	num, opt := int64(binary.LittleEndian.Uint16(h[6:])), int64(binary.LittleEndian.Uint16(h[20:]))
	table, err := readAt(f, at+24+opt, num*40)
	if err != nil {
		return isOther, nil
	}
	for ; len(table) >= 40; table = table[40:] {
		if bytes.HasPrefix(table, []byte("UPX")) {
			return isPacked, nil
		}
		const want, alignment = 0xc0000040, 0x00f00000 // initialised data, readable, writable
		if binary.LittleEndian.Uint32(table[36:])&^alignment == want {
			return search(f, int64(binary.LittleEndian.Uint32(table[20:])), int64(binary.LittleEndian.Uint32(table[16:])))
		}
	}
	return isOther, nil
}

// lookMachO looks for the section's name among the load commands.
func lookMachO(f *analyze.File, off int64) (verdict, error) {
	h, err := readAt(f, off, 64<<10)
	if err != nil || len(h) < 32 {
		return isOther, nil
	}
	switch {
	case bytes.Contains(h, []byte("__go_buildinfo\x00")):
		return isGo, nil
	case bytes.Contains(h, []byte("__gopclntab\x00")):
		return isBare, nil
	}
	return isOther, nil
}

// lookFat looks at the first architecture of a universal file, the one that is read.
func lookFat(f *analyze.File, head []byte) (verdict, error) {
	if len(head) < 28 {
		return isOther, nil
	}
	off := int64(binary.BigEndian.Uint32(head[16:]))
	if head[3] == 0xbf {
		off = int64(binary.BigEndian.Uint64(head[16:]))
	}
	return lookMachO(f, off)
}
