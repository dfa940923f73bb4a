package analyze

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// SniffLen is how many first bytes [Sniff] looks at.
const SniffLen = 512

// Sniff tells what a regular file is from its first bytes (all of them, or
// at least SniffLen) and, where these say nothing, its name.
func Sniff(path string, head []byte) inventory.Kind {
	if len(head) == 0 {
		return inventory.KindEmpty
	}
	if len(head) > SniffLen {
		head = head[:SniffLen]
	}
	switch head[0] {
	case 0x7f:
		if k := sniffELF(head); k != inventory.KindUnknown {
			return k
		}
	case '#':
		if len(head) > 1 && head[1] == '!' {
			return inventory.KindScript
		}
	case 'P':
		if len(head) > 3 && head[1] == 'K' && (head[2] == 3 && head[3] == 4 || head[2] == 5 && head[3] == 6) {
			return inventory.KindZip
		}
	case 0x1f:
		if len(head) > 2 && head[1] == 0x8b {
			return inventory.KindGzip
		}
	case 'B':
		if bytes.HasPrefix(head, []byte("BZh")) {
			return inventory.KindBzip2
		}
	case 0xfd:
		if bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")) {
			return inventory.KindXZ
		}
	case 0x28:
		if bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			return inventory.KindZstd
		}
	case '!':
		if bytes.HasPrefix(head, []byte("!<arch>\n")) {
			return inventory.KindAr
		}
	case 'M':
		if len(head) > 63 && head[1] == 'Z' {
			return inventory.KindPE
		}
	case 0xca:
		if bytes.HasPrefix(head, []byte{0xca, 0xfe, 0xba, 0xbe}) && len(head) >= 8 {
			// a universal Mach-O file begins alike; its count of architectures is small, a class file's version is not
			if binary.BigEndian.Uint32(head[4:]) < 40 {
				return inventory.KindMachO
			}
			return inventory.KindClass
		}
	case 0xcf, 0xce:
		if len(head) > 3 && head[1] == 0xfa && head[2] == 0xed && head[3] == 0xfe {
			return inventory.KindMachO
		}
	case 0:
		if bytes.HasPrefix(head, []byte("\x00asm")) {
			return inventory.KindWasm
		}
	case '-':
		if bytes.HasPrefix(head, []byte("-----BEGIN ")) {
			return inventory.KindPEM
		}
	case 'S':
		if bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
			return inventory.KindSQLite
		}
	case '%':
		if bytes.HasPrefix(head, []byte("%PDF-")) {
			return inventory.KindPDF
		}
	case 0x89:
		if bytes.HasPrefix(head, []byte("\x89PNG")) {
			return inventory.KindImage
		}
	case 0xff:
		if bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}) {
			return inventory.KindImage
		}
	case 'G':
		if bytes.HasPrefix(head, []byte("GIF8")) {
			return inventory.KindImage
		}
	}
	if len(head) >= 263 && string(head[257:262]) == "ustar" {
		return inventory.KindTar
	}
	if strings.HasSuffix(path, ".pyc") {
		return inventory.KindPyc
	}
	return sniffText(head)
}

func sniffText(head []byte) inventory.Kind {
	if bytes.IndexByte(head, 0) >= 0 {
		return inventory.KindBinary
	}
	// the last rune may be cut off
	whole := head
	if len(head) == SniffLen {
		whole = head[:SniffLen-utf8.UTFMax]
	}
	if !utf8.Valid(whole) {
		// cut inside a rune at the new end, too
		n := len(whole)
		for n > 0 && len(whole)-n < utf8.UTFMax && !utf8.Valid(whole[:n]) {
			n--
		}
		if !utf8.Valid(whole[:n]) || n == 0 {
			// Latin-1 and its like are text as well: few control characters
			for _, c := range whole {
				if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b {
					return inventory.KindBinary
				}
			}
			return inventory.KindText
		}
	}
	t := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(t) > 0 && (t[0] == '{' || t[0] == '['):
		return inventory.KindJSON
	case bytes.HasPrefix(t, []byte("<?xml")):
		return inventory.KindXML
	case bytes.HasPrefix(t, []byte("-----BEGIN ")):
		return inventory.KindPEM
	}
	return inventory.KindText
}

// sniffELF tells programs from libraries by e_type and, for ET_DYN, by a
// PT_INTERP program header within the first bytes.
func sniffELF(head []byte) inventory.Kind {
	if len(head) < 20 || string(head[:4]) != "\x7fELF" {
		return inventory.KindUnknown
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	switch order.Uint16(head[16:]) {
	case 2:
		return inventory.KindELFExec
	case 3:
		if hasInterp(head, order) {
			return inventory.KindELFExec
		}
		return inventory.KindELFLib
	}
	return inventory.KindELFOther
}

func hasInterp(head []byte, order binary.ByteOrder) bool {
	var off uint64
	var size, num int
	if head[4] == 2 {
		if len(head) < 64 {
			return false
		}
		off, size, num = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	} else {
		if len(head) < 52 {
			return false
		}
		off, size, num = uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	}
	if size < 32 {
		return false
	}
	for i := range num {
		at := off + uint64(i*size)
		if at+4 > uint64(len(head)) || at+4 < off {
			return false
		}
		if order.Uint32(head[at:]) == 3 {
			return true
		}
	}
	return false
}
