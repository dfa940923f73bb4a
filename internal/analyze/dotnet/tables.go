package dotnet

import (
	"encoding/binary"
	"math/bits"
)

// The columns of the metadata tables before Assembly (ECMA-335, II.22), which
// must be known to find it. Upper-case letters are heaps (S strings, G GUIDs,
// B blobs), digits are bytes, "t" and two hexadecimal digits an index into a
// table, lower-case letters else a coded index of codedIndexes.
var columns = [...]string{
	0x00: "2SGGG", 0x01: "rSS", 0x02: "4SSdt04t06", 0x03: "t04", 0x04: "2SB", 0x05: "t06", 0x06: "422SBt08", 0x07: "t08",
	0x08: "22S", 0x09: "t02d", 0x0a: "pSB", 0x0b: "2cB", 0x0c: "auB", 0x0d: "mB", 0x0e: "2eB", 0x0f: "24t02",
	0x10: "4t04", 0x11: "B", 0x12: "t02t14", 0x13: "t14", 0x14: "2Sd", 0x15: "t02t17", 0x16: "t17", 0x17: "2SB",
	0x18: "2t06s", 0x19: "t02oo", 0x1a: "S", 0x1b: "B", 0x1c: "2fSt1a", 0x1d: "4t04", 0x1e: "44", 0x1f: "4",
}

const assemblyTable = 0x20

// codedIndex is the set of tables a coded index chooses from (II.24.2.6).
func codedIndex(c byte) (tagBits int, tables []byte) {
	switch c {
	case 'd': // TypeDefOrRef
		return 2, []byte{0x02, 0x01, 0x1b}
	case 'c': // HasConstant
		return 2, []byte{0x04, 0x08, 0x17}
	case 'a': // HasCustomAttribute
		return 5, []byte{0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x00, 0x0e, 0x17, 0x14, 0x11, 0x1a, 0x1b, 0x20, 0x23, 0x26, 0x27, 0x28, 0x2a, 0x2c, 0x2b}
	case 'm': // HasFieldMarshal
		return 1, []byte{0x04, 0x08}
	case 'e': // HasDeclSecurity
		return 2, []byte{0x02, 0x06, 0x20}
	case 'p': // MemberRefParent
		return 3, []byte{0x02, 0x01, 0x1a, 0x06, 0x1b}
	case 's': // HasSemantics
		return 1, []byte{0x14, 0x17}
	case 'o': // MethodDefOrRef
		return 1, []byte{0x06, 0x0a}
	case 'f': // MemberForwarded
		return 1, []byte{0x04, 0x06}
	case 'u': // CustomAttributeType
		return 3, []byte{0x06, 0x0a}
	case 'r': // ResolutionScope
		return 2, []byte{0x00, 0x1a, 0x23, 0x01}
	}
	return 0, nil
}

// readAssembly walks the table stream to the Assembly table.
func readAssembly(t, heap []byte) (*assembly, error) {
	if len(t) < 24 {
		return nil, errMetadata
	}
	heaps, valid := t[6], binary.LittleEndian.Uint64(t[8:])
	at := 24 + 4*bits.OnesCount64(valid)
	if at > len(t) {
		return nil, errMetadata
	}
	var rows [64]uint32
	k := 24
	for i := range rows {
		if valid&(1<<i) != 0 {
			rows[i] = binary.LittleEndian.Uint32(t[k:])
			k += 4
		}
	}
	if heaps&0x40 != 0 {
		at += 4 // extra data, as the "#-" stream may have
	}
	if rows[assemblyTable] == 0 {
		return nil, nil
	}
	heapSize := func(bit byte) int {
		if heaps&bit != 0 {
			return 4
		}
		return 2
	}
	strings, guids, blobs := heapSize(1), heapSize(2), heapSize(4)
	for i, cols := range columns {
		if rows[i] == 0 {
			continue
		}
		size := 0
		for j := 0; j < len(cols); j++ {
			switch c := cols[j]; c {
			case '2', '4':
				size += int(c - '0')
			case 'S':
				size += strings
			case 'G':
				size += guids
			case 'B':
				size += blobs
			case 't':
				size += indexSize(rows[nibble(cols[j+1])<<4|nibble(cols[j+2])], 0)
				j += 2
			default:
				tag, tables := codedIndex(c)
				most := uint32(0)
				for _, x := range tables {
					most = max(most, rows[x])
				}
				size += indexSize(most, tag)
			}
		}
		next := uint64(at) + uint64(size)*uint64(rows[i])
		if next > uint64(len(t)) {
			return nil, errMetadata
		}
		at = int(next)
	}
	row := t[at:]
	if len(row) < 16+blobs+2*strings {
		return nil, errMetadata
	}
	a := &assembly{}
	for i := range a.version {
		a.version[i] = binary.LittleEndian.Uint16(row[4+2*i:])
	}
	row = row[16+blobs:]
	index := func(b []byte) uint32 {
		if strings == 4 {
			return binary.LittleEndian.Uint32(b)
		}
		return uint32(binary.LittleEndian.Uint16(b))
	}
	a.name, a.culture = heapString(heap, index(row)), heapString(heap, index(row[strings:]))
	return a, nil
}

func indexSize(rows uint32, tagBits int) int {
	if rows < 1<<(16-tagBits) {
		return 2
	}
	return 4
}

func nibble(c byte) int {
	if c >= 'a' {
		return int(c-'a') + 10
	}
	return int(c - '0')
}
