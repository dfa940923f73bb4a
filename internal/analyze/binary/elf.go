package binary

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of what is read of one file's headers.
const (
	maxSegments   = 4096
	maxSections   = 20000
	maxNames      = 1 << 20 // bytes of section names
	maxDynamic    = 1 << 20 // bytes of dynamic entries
	maxNote       = 64 << 10
	maxNeeded     = 1000
	maxNameLength = 1024 // bytes of a library name
	maxComment    = 4 << 10
)

// elfFile is what the headers of an ELF file say (System V ABI, chapters 4
// and 5).
type elfFile struct {
	r     io.ReaderAt
	size  int64
	order binary.ByteOrder
	is64  bool

	fileType uint16
	machine  uint16
	interp   bool
	pie      bool // DF_1_PIE
	dynamic  bool
	soname   string
	needed   []string
	buildID  string
	language string

	segments []segment
	sections []section
}

type segment struct {
	typ, flags       uint32
	off, vaddr, size uint64 // size in the file
}

type section struct {
	name      string
	typ       uint32
	off, size uint64
}

const (
	ptLoad, ptDynamic, ptInterp, ptNote   = 1, 2, 3, 4
	pfExec                                = 1
	etExec, etDyn                         = 2, 3
	dtNeeded, dtStrtab, dtSoname, dtStrsz = 1, 5, 14, 10
	dtFlags1                              = 0x6ffffffb
	df1Pie                                = 0x08000000
	shtProgbits, shtStrtab, shtNote       = 1, 3, 7
	ntGNUBuildID                          = 3
)

var errNotELF = errors.New("not an ELF file of a known class")

// readELF reads the headers. It returns nil with an error when nothing could
// be read, and the file with an error when a part could not.
func readELF(r io.ReaderAt, size int64) (*elfFile, error) {
	var h [64]byte
	n, err := r.ReadAt(h[:], 0)
	if n < 52 {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if string(h[:4]) != "\x7fELF" || h[4] < 1 || h[4] > 2 || h[5] < 1 || h[5] > 2 || h[4] == 2 && n < 64 {
		return nil, errNotELF
	}
	e := &elfFile{r: r, size: size, order: binary.LittleEndian, is64: h[4] == 2}
	if h[5] == 2 {
		e.order = binary.BigEndian
	}
	e.fileType, e.machine = e.order.Uint16(h[16:]), e.order.Uint16(h[18:])
	var phoff, shoff uint64
	var counts []byte // phentsize, phnum, shentsize, shnum, shstrndx
	if e.is64 {
		phoff, shoff, counts = e.order.Uint64(h[32:]), e.order.Uint64(h[40:]), h[54:]
	} else {
		phoff, shoff, counts = uint64(e.order.Uint32(h[28:])), uint64(e.order.Uint32(h[32:])), h[42:]
	}
	count := func(i int) int { return int(e.order.Uint16(counts[2*i:])) }
	var errs []error
	if err := e.readSegments(phoff, count(0), count(1)); err != nil {
		errs = append(errs, fmt.Errorf("program headers: %w", err))
	}
	if err := e.readSections(shoff, count(2), count(3), count(4)); err != nil {
		errs = append(errs, fmt.Errorf("section headers: %w", err))
	}
	if err := e.readDynamic(); err != nil {
		errs = append(errs, fmt.Errorf("dynamic section: %w", err))
	}
	e.readBuildID()
	e.findLanguage()
	return e, errors.Join(errs...)
}

// at reads n bytes at off; nothing is allocated for what lies beyond the file.
func (e *elfFile) at(off, n uint64) ([]byte, error) {
	if off > uint64(e.size) || n > uint64(e.size)-off {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if m, err := e.r.ReadAt(b, int64(off)); m < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// word reads an address or offset of the file's class.
func (e *elfFile) word(b []byte) uint64 {
	if e.is64 {
		return e.order.Uint64(b)
	}
	return uint64(e.order.Uint32(b))
}

func (e *elfFile) readSegments(off uint64, entry, num int) error {
	want := 32
	if e.is64 {
		want = 56
	}
	switch {
	case num == 0 || off == 0:
		return nil
	case num > maxSegments:
		return fmt.Errorf("%d, more than the limit of %d", num, maxSegments)
	case entry != want:
		return fmt.Errorf("size %d, want %d", entry, want)
	}
	b, err := e.at(off, uint64(num*entry))
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[entry:] {
		s := segment{typ: e.order.Uint32(b)}
		if e.is64 {
			s.flags = e.order.Uint32(b[4:])
			s.off, s.vaddr, s.size = e.order.Uint64(b[8:]), e.order.Uint64(b[16:]), e.order.Uint64(b[32:])
		} else {
			s.off, s.vaddr, s.size, s.flags = uint64(e.order.Uint32(b[4:])), uint64(e.order.Uint32(b[8:])), uint64(e.order.Uint32(b[16:])), e.order.Uint32(b[24:])
		}
		e.segments = append(e.segments, s)
		switch s.typ {
		case ptInterp:
			e.interp = true
		case ptDynamic:
			e.dynamic = true
		}
	}
	return nil
}

func (e *elfFile) readSections(off uint64, entry, num, names int) error {
	want := 40
	if e.is64 {
		want = 64
	}
	switch {
	case num == 0 || off == 0:
		return nil // stripped of them, which is allowed
	case num > maxSections:
		return fmt.Errorf("%d, more than the limit of %d", num, maxSections)
	case entry != want:
		return fmt.Errorf("size %d, want %d", entry, want)
	}
	b, err := e.at(off, uint64(num*entry))
	if err != nil {
		return err
	}
	nameAt := make([]uint32, 0, num)
	for ; len(b) > 0; b = b[entry:] {
		s := section{typ: e.order.Uint32(b[4:])}
		if e.is64 {
			s.off, s.size = e.order.Uint64(b[24:]), e.order.Uint64(b[32:])
		} else {
			s.off, s.size = uint64(e.order.Uint32(b[16:])), uint64(e.order.Uint32(b[20:]))
		}
		nameAt = append(nameAt, e.order.Uint32(b))
		e.sections = append(e.sections, s)
	}
	if names >= len(e.sections) {
		return nil
	}
	str := e.sections[names]
	if str.size > maxNames {
		return fmt.Errorf("%d bytes of names, more than the limit of %d", str.size, maxNames)
	}
	table, err := e.at(str.off, str.size)
	if err != nil {
		return fmt.Errorf("names: %w", err)
	}
	for i := range e.sections {
		e.sections[i].name = cString(table, uint64(nameAt[i]), 64)
	}
	return nil
}

// cString returns the NUL-terminated string at i, at most limit bytes of it.
func cString(table []byte, i uint64, limit int) string {
	if i >= uint64(len(table)) {
		return ""
	}
	s := table[i:]
	if len(s) > limit {
		s = s[:limit]
	}
	if n := bytes.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	return strings.ToValidUTF8(string(s), "?")
}

// offset finds the place in the file of an address.
func (e *elfFile) offset(addr uint64) (uint64, bool) {
	for _, s := range e.segments {
		if s.typ == ptLoad && addr >= s.vaddr && addr-s.vaddr < s.size {
			return s.off + (addr - s.vaddr), true
		}
	}
	return 0, false
}

func (e *elfFile) readDynamic() error {
	var dyn segment
	for _, s := range e.segments {
		if s.typ == ptDynamic {
			dyn = s
		}
	}
	if dyn.size == 0 {
		return nil
	}
	if dyn.size > maxDynamic {
		return fmt.Errorf("%d bytes, more than the limit of %d", dyn.size, maxDynamic)
	}
	b, err := e.at(dyn.off, dyn.size)
	if err != nil {
		return err
	}
	w := 4
	if e.is64 {
		w = 8
	}
	var strtab, strsz, soname uint64
	var needed []uint64
	for ; len(b) >= 2*w; b = b[2*w:] {
		tag, val := e.word(b), e.word(b[w:])
		if tag == 0 {
			break
		}
		switch tag {
		case dtNeeded:
			if len(needed) < maxNeeded {
				needed = append(needed, val)
			}
		case dtStrtab:
			strtab = val
		case dtStrsz:
			strsz = val
		case dtSoname:
			soname = val
		case dtFlags1:
			e.pie = val&df1Pie != 0
		}
	}
	if len(needed) == 0 && soname == 0 {
		return nil
	}
	base, ok := e.offset(strtab)
	if !ok {
		return errors.New("the string table is not in the file")
	}
	name := func(at uint64) string {
		if at >= strsz {
			return ""
		}
		b, err := e.at(base+at, min(strsz-at, maxNameLength))
		if err != nil {
			return ""
		}
		return cString(b, 0, maxNameLength)
	}
	for _, at := range needed {
		if s := name(at); s != "" {
			e.needed = append(e.needed, s)
		}
	}
	if soname != 0 {
		e.soname = name(soname)
	}
	return nil
}

// readBuildID looks for NT_GNU_BUILD_ID among the notes.
func (e *elfFile) readBuildID() {
	for _, s := range e.segments {
		if s.typ == ptNote && e.buildIDIn(s.off, s.size) {
			return
		}
	}
	for _, s := range e.sections {
		if s.typ == shtNote && e.buildIDIn(s.off, s.size) {
			return
		}
	}
}

func (e *elfFile) buildIDIn(off, size uint64) bool {
	if size > maxNote {
		return false
	}
	b, err := e.at(off, size)
	if err != nil {
		return false
	}
	for len(b) >= 12 {
		nameSize, descSize, typ := uint64(e.order.Uint32(b)), uint64(e.order.Uint32(b[4:])), e.order.Uint32(b[8:])
		b = b[12:]
		desc := (nameSize + 3) &^ 3
		if desc > uint64(len(b)) || descSize > uint64(len(b))-desc {
			return false
		}
		if typ == ntGNUBuildID && nameSize == 4 && string(b[:4]) == "GNU\x00" && descSize <= 64 {
			e.buildID = hex.EncodeToString(b[desc : desc+descSize])
			return true
		}
		b = b[min(uint64(len(b)), desc+(descSize+3)&^3):]
	}
	return false
}

// findLanguage tells the language where the toolchain leaves its mark.
func (e *elfFile) findLanguage() {
	for i := range e.sections {
		switch s := &e.sections[i]; {
		case s.name == ".go.buildinfo" || s.name == ".gopclntab" || s.name == ".note.go.buildid":
			e.language = "go"
			return
		case s.name == ".dep-v0" || s.name == ".rustc":
			e.language = "rust"
		case strings.HasPrefix(s.name, "swift5_"):
			e.language = "swift"
		case s.name == ".comment" && e.language == "":
			if b, err := e.at(s.off, min(s.size, maxComment)); err == nil && bytes.Contains(b, []byte("rustc version ")) && !bytes.Contains(b, []byte("clang version ")) {
				e.language = "rust"
			}
		}
	}
}

// executable reports whether the file is a program rather than a library: a
// position-independent one is both, and has an interpreter or says so.
func (e *elfFile) executable() bool {
	return e.fileType == etExec || e.pie || e.interp && e.soname == ""
}

func (e *elfFile) static() bool { return !e.interp && len(e.needed) == 0 }

// arch is the architecture in the words of OCI.
func (e *elfFile) arch() string {
	little := e.order == binary.LittleEndian
	pick := func(le, be string) string {
		if little {
			return le
		}
		return be
	}
	switch e.machine {
	case 3:
		return "386"
	case 8:
		if e.is64 {
			return pick("mips64le", "mips64")
		}
		return pick("mipsle", "mips")
	case 20:
		return "ppc"
	case 21:
		return pick("ppc64le", "ppc64")
	case 22:
		return "s390x"
	case 40:
		return "arm"
	case 43:
		return "sparc64"
	case 62:
		if !e.is64 {
			return "amd64p32"
		}
		return "amd64"
	case 183:
		return "arm64"
	case 243:
		if e.is64 {
			return "riscv64"
		}
		return "riscv"
	case 258:
		return "loong64"
	}
	return ""
}

// data returns the parts of the file where strings are: the read-only and
// initialised data sections, or, in a file without section headers, all that
// is loaded and not code.
func (e *elfFile) data() []section {
	var out []section
	for _, s := range e.sections {
		if s.typ == shtProgbits && s.size > 0 &&
			(strings.HasPrefix(s.name, ".rodata") || strings.HasPrefix(s.name, ".data") || strings.HasPrefix(s.name, ".lrodata") || s.name == ".rdata") {
			out = append(out, s)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, s := range e.segments {
		if s.typ == ptLoad && s.size > 0 && s.flags&pfExec == 0 {
			out = append(out, section{off: s.off, size: s.size})
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, s := range e.segments {
		if s.typ == ptLoad && s.size > 0 {
			out = append(out, section{off: s.off, size: s.size})
		}
	}
	return out
}

// names returns the table of symbol and library names, where versioned
// symbols carry the product's version, and the compilers' comments.
func (e *elfFile) names() []section {
	var out []section
	for _, s := range e.sections {
		if s.typ == shtStrtab && s.name == ".dynstr" || s.name == ".comment" {
			out = append(out, s)
		}
	}
	return out
}
