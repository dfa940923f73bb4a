package rust

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// section is a named part of an executable: where it lies in the file.
type section struct {
	name      string
	off, size int64
}

var errTruncated = errors.New("file is cut off")

// maxSections bounds the sections of one executable; the formats allow 65,535.
const maxSections = 1 << 16

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

// wanted gives a section's name if it is one that matters here.
func wanted(name []byte) (string, bool) {
	switch string(name) {
	case ".dep-v0", ".comment", ".rodata", ".rdata", ".gcc_except_table", ".pdata", "__const", "__cstring", "__gcc_except_tab", "__unwind_info":
		return string(name), true
	}
	return "", false
}

// readSections lists the sections that matter here; of a file that is no
// executable after all, or a broken one, those found so far. It reads nothing
// but the tables: most executables are not Rust's.
func readSections(f *analyze.File) []section {
	head, err := readAt(f, 0, min(f.Size, 64))
	if err != nil || len(head) < 64 {
		return nil
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return elfSections(f, head)
	case bytes.HasPrefix(head, []byte("MZ")):
		return peSections(f, int64(binary.LittleEndian.Uint32(head[60:])))
	case bytes.HasPrefix(head, []byte{0xca, 0xfe, 0xba, 0xbe}):
		// universal: the first architecture stands for all
		return machSections(f, int64(binary.BigEndian.Uint32(head[16:])))
	}
	return machSections(f, 0)
}

func elfSections(f *analyze.File, head []byte) []section {
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
	if size != 64 && size != 40 || (size == 64) != wide || str >= num {
		return nil
	}
	table, err := readAt(f, off, int64(size)*int64(num))
	if err != nil {
		return nil
	}
	get := func(i int) (name, kind uint32, off, n int64) {
		h := table[i*size:]
		if wide {
			return order.Uint32(h), order.Uint32(h[4:]), int64(order.Uint64(h[24:])), int64(order.Uint64(h[32:]))
		}
		return order.Uint32(h), order.Uint32(h[4:]), int64(order.Uint32(h[16:])), int64(order.Uint32(h[20:]))
	}
	_, _, namesAt, namesLen := get(str)
	names, err := readAt(f, namesAt, min(namesLen, 1<<20))
	if err != nil {
		return nil
	}
	var out []section
	for i := range num {
		nameAt, kind, at, n := get(i)
		const noBits = 8
		if int64(nameAt) >= int64(len(names)) || kind == noBits {
			continue
		}
		name := names[nameAt:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if s, ok := wanted(name); ok && at >= 0 && n >= 0 && at <= f.Size {
			out = append(out, section{s, at, min(n, f.Size-at)})
		}
	}
	return out
}

func peSections(f *analyze.File, at int64) []section {
	h, err := readAt(f, at, 24)
	if err != nil || !bytes.HasPrefix(h, []byte("PE\x00\x00")) {
		return nil
	}
	num, opt := int64(binary.LittleEndian.Uint16(h[6:])), int64(binary.LittleEndian.Uint16(h[20:]))
	table, err := readAt(f, at+24+opt, num*40)
	if err != nil {
		return nil
	}
	var out []section
	for ; len(table) >= 40; table = table[40:] {
		name := table[:8]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		virtual, size, off := int64(binary.LittleEndian.Uint32(table[8:])), int64(binary.LittleEndian.Uint32(table[16:])), int64(binary.LittleEndian.Uint32(table[20:]))
		if virtual != 0 {
			size = min(size, virtual) // what is beyond is padding
		}
		if s, ok := wanted(name); ok && off <= f.Size {
			out = append(out, section{s, off, min(size, f.Size-off)})
		}
	}
	return out
}

// machSections reads the segments of a Mach-O file at base (mach-o/loader.h).
func machSections(f *analyze.File, base int64) []section {
	h, err := readAt(f, base, 32)
	if err != nil {
		return nil
	}
	var wide bool
	switch binary.LittleEndian.Uint32(h) {
	case 0xfeedfacf:
		wide = true
	case 0xfeedface:
	default:
		return nil // big-endian Macs are gone
	}
	num, size := int(binary.LittleEndian.Uint32(h[16:])), int64(binary.LittleEndian.Uint32(h[20:]))
	at, segHead, secLen := base+28, 56, 68
	if wide {
		at, segHead, secLen = base+32, 72, 80
	}
	cmds, err := readAt(f, at, min(size, 1<<20))
	if err != nil {
		return nil
	}
	var out []section
	for range num {
		if len(cmds) < 8 {
			break
		}
		cmd, n := binary.LittleEndian.Uint32(cmds), int(binary.LittleEndian.Uint32(cmds[4:]))
		if n < 8 || n > len(cmds) {
			break
		}
		if (cmd == 0x19 && wide || cmd == 1 && !wide) && n >= segHead {
			for secs := cmds[segHead:n]; len(secs) >= secLen && len(out) < maxSections; secs = secs[secLen:] {
				name := secs[:16]
				if end := bytes.IndexByte(name, 0); end >= 0 {
					name = name[:end]
				}
				s, ok := wanted(name)
				if !ok {
					continue
				}
				var off, size int64
				if wide {
					size, off = int64(binary.LittleEndian.Uint64(secs[40:])), int64(binary.LittleEndian.Uint32(secs[48:]))
				} else {
					size, off = int64(binary.LittleEndian.Uint32(secs[36:])), int64(binary.LittleEndian.Uint32(secs[40:]))
				}
				if off += base; off <= f.Size && size >= 0 {
					out = append(out, section{s, off, min(size, f.Size-off)})
				}
			}
		}
		cmds = cmds[n:]
	}
	return out
}
