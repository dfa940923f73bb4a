package rpm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what one header may say.
const (
	maxName        = 512
	maxText        = 4096 // of a licence, vendor, home page …
	maxDescription = 200
	maxFiles       = 1_000_000
	maxPath        = 8192
	maxPaths       = 128 << 20 // bytes of all paths together
)

// database turns headers into packages of out. finish must follow the last.
type database struct {
	path  string
	out   *inventory.Record
	first int // index in out.Packages of its first package
	graph *graph
	h     header
	files filePaths
}

// add appends the package of a header. An error may leave it without its files.
func (db *database) add(blob []byte) error {
	h := &db.h
	if err := h.parse(blob); err != nil {
		return err
	}
	name, version, release := h.text(tagName), h.text(tagVersion), h.text(tagRelease)
	if string(name) == "gpg-pubkey" {
		return nil // a key the owner trusts, kept as if it were a package
	}
	if !word(name) {
		return fmt.Errorf("package name %.80q", name)
	}
	if !word(version) || !word(release) {
		return fmt.Errorf("version %.80q, release %.80q of package %s", version, release, name)
	}
	epoch, _ := h.number(tagEpoch)
	p := inventory.Package{
		Type:        "rpm",
		Name:        string(name),
		Version:     evr(epoch, version, release),
		Path:        db.path,
		Technique:   inventory.TechDatabase,
		Supplier:    db.graph.text(present(h.text(tagVendor))),
		Homepage:    text(present(h.text(tagURL)), maxText),
		Description: text(firstLine(h.text(tagSummary)), maxDescription),
		Module:      text(present(h.text(tagModularityLabel)), maxName),
		Arch:        db.graph.text(present(h.text(tagArch))),
	}
	if p.Supplier == "" {
		p.Supplier = db.graph.text(present(h.text(tagPackager)))
	}
	p.Source, p.SourceVersion = source(string(h.text(tagSourceRPM)), p.Name, string(version)+"-"+string(release), epoch)
	if l := db.graph.text(present(h.text(tagLicense))); l != "" {
		p.Licenses = []inventory.License{{Raw: l, Source: "declared"}}
	}
	size, ok := h.number(tagLongSize)
	if !ok {
		size, _ = h.number(tagSize)
	}
	p.Size = int64(size)
	meta := make(map[string]string, 2)
	if t, ok := h.number(tagInstallTime); ok {
		meta["INSTALLTIME"] = strconv.FormatUint(t, 10)
	}
	for _, t := range [...]tag{tagRSAHeader, tagDSAHeader, tagSigPGP, tagSigGPG} {
		if id := keyID(h.binary(t)); id != "" {
			meta["keyid"] = id
			break
		}
	}
	if len(meta) > 0 {
		p.Meta = meta
	}
	var err error
	p.Files, err = db.files.read(h)
	db.graph.add(h)
	db.out.Packages = append(db.out.Packages, p)
	if err != nil {
		return fmt.Errorf("files of package %s: %w", p.Name, err)
	}
	return nil
}

// finish fills in what needs all packages.
func (db *database) finish() error {
	db.graph.resolve(db.out.Packages[db.first:])
	if db.graph.limited {
		return fmt.Errorf("dependencies are missing: more than the limit of %d capabilities, or of %d in one package", maxCapabilities, maxRequires)
	}
	return nil
}

// evr writes epoch:version-release; no epoch and epoch 0 are the same to rpm.
func evr(epoch uint64, version, release []byte) string {
	b := make([]byte, 0, len(version)+len(release)+4)
	if epoch != 0 {
		b = append(strconv.AppendUint(b, epoch, 10), ':')
	}
	b = append(b, version...)
	b = append(b, '-')
	return string(append(b, release...))
}

// source takes name and version of the source package from its file name,
// NAME-VERSION-RELEASE.src.rpm. The name says no epoch: it is taken to be the
// package's own where version and release are. Both are empty when they say
// nothing new.
func source(file, name, vr string, epoch uint64) (srcName, srcVersion string) {
	nvr, ok := strings.CutSuffix(file, ".src.rpm")
	if !ok {
		if nvr, ok = strings.CutSuffix(file, ".nosrc.rpm"); !ok {
			return "", ""
		}
	}
	i := strings.LastIndexByte(nvr, '-')
	if i <= 0 {
		return "", ""
	}
	j := strings.LastIndexByte(nvr[:i], '-')
	if j <= 0 || !word([]byte(nvr)) {
		return "", ""
	}
	srcName, srcVersion = nvr[:j], nvr[j+1:]
	if srcVersion == vr {
		if srcName == name {
			return "", ""
		}
		if epoch != 0 {
			srcVersion = strconv.FormatUint(epoch, 10) + ":" + srcVersion
		}
	}
	return srcName, srcVersion
}

// present drops the words that tools write where there is nothing.
func present(b []byte) []byte {
	if string(b) == "(none)" {
		return nil
	}
	return b
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// word reports whether b can be a name or version: printable, without blanks,
// and of reasonable length.
func word(b []byte) bool {
	if len(b) == 0 || len(b) > maxName {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// text makes a string of at most limit bytes, one line, valid UTF-8.
func text(b []byte, limit int) string {
	if len(b) > limit {
		b = b[:limit]
		for n := 0; n < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b[max(0, len(b)-utf8.UTFMax):]); n++ {
			b = b[:len(b)-1]
		}
	}
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	if strings.ContainsAny(s, "\n\r") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

// keyID returns the key that made an OpenPGP signature, as 16 hexadecimal
// digits; "" where it does not say (RFC 4880, 5.2).
func keyID(packet []byte) string {
	if len(packet) < 2 || packet[0]&0x80 == 0 {
		return ""
	}
	body := packet[1:]
	if packet[0]&0x40 != 0 { // new format
		if packet[0]&0x3f != 2 {
			return ""
		}
		switch n := body[0]; {
		case n < 192:
			body = body[1:]
		case n < 224:
			body = body[min(2, len(body)):]
		case n == 255:
			body = body[min(5, len(body)):]
		default:
			return ""
		}
	} else {
		if packet[0]>>2&0xf != 2 || packet[0]&3 == 3 {
			return ""
		}
		body = body[min(1<<(packet[0]&3), len(body)):]
	}
	if len(body) == 0 {
		return ""
	}
	switch body[0] {
	case 3: // version, 5, type, time, key
		if len(body) >= 15 {
			return hex.EncodeToString(body[7:15])
		}
	case 4: // version, type, algorithms, hashed and unhashed fields
		if len(body) < 6 {
			return ""
		}
		n := int(binary.BigEndian.Uint16(body[4:]))
		if 6+n+2 > len(body) {
			return ""
		}
		if id := issuer(body[6 : 6+n]); id != "" {
			return id
		}
		rest := body[6+n:]
		n = int(binary.BigEndian.Uint16(rest))
		return issuer(rest[2:min(2+n, len(rest))])
	}
	return ""
}

// issuer looks for the key in the fields of a version 4 signature.
func issuer(fields []byte) string {
	found := ""
	for len(fields) > 1 {
		size, head := int(fields[0]), 1
		switch {
		case size == 255:
			if len(fields) < 5 {
				return found
			}
			size, head = int(binary.BigEndian.Uint32(fields[1:])), 5
		case size >= 192:
			size, head = (size-192)<<8+int(fields[1])+192, 2
		}
		if size < 1 || size > len(fields)-head {
			return found
		}
		field := fields[head : head+size]
		switch {
		case field[0]&0x7f == 16 && size == 9:
			return hex.EncodeToString(field[1:])
		case field[0]&0x7f == 33 && size == 22: // version, fingerprint: its end is the id
			found = hex.EncodeToString(field[14:])
		}
		fields = fields[head+size:]
	}
	return found
}

// filePaths reads the files of headers; its buffers serve one after another.
type filePaths struct {
	dirs  [][]byte
	text  []byte
	ends  []int
	paths []string
}

var errFiles = errors.New("the list is broken")

// read returns the files of a header, without directories.
func (f *filePaths) read(h *header) (inventory.FileList, error) {
	f.dirs, f.text, f.ends, f.paths = f.dirs[:0], f.text[:0], f.ends[:0], f.paths[:0]
	modes := h.array(tagFileModes, typeInt16, 2)
	n, limited := 0, false
	isDir := func() bool {
		m := uint16(0)
		if 2*n+1 < len(modes) {
			m = binary.BigEndian.Uint16(modes[2*n:])
		}
		n++
		return m&0o170000 == 0o040000
	}
	keep := func() bool {
		f.ends = append(f.ends, len(f.text))
		limited = limited || len(f.ends) == maxFiles || len(f.text) > maxPaths
		return !limited
	}
	whole := h.texts(tagDirNames, func(d []byte) bool {
		f.dirs = append(f.dirs, bytes.TrimPrefix(d, []byte("/")))
		limited = len(f.dirs) == maxFiles
		return !limited
	})
	if base := h.entries[tagBaseNames]; base.count > 0 {
		dirs := h.array(tagDirIndexes, typeInt32, 4)
		whole = h.texts(tagBaseNames, func(b []byte) bool {
			if len(dirs) < 4 {
				return false
			}
			d := binary.BigEndian.Uint32(dirs)
			dirs = dirs[4:]
			if isDir() {
				return true
			}
			if uint64(d) >= uint64(len(f.dirs)) || len(f.dirs[d])+len(b) > maxPath {
				whole = false
				return true
			}
			f.text = append(append(f.text, f.dirs[d]...), b...)
			return keep()
		}) && whole && h.array(tagDirIndexes, typeInt32, 4) != nil && h.entries[tagDirIndexes].count >= base.count
	} else {
		whole = h.texts(tagOldFileNames, func(b []byte) bool {
			if isDir() {
				return true
			}
			f.text = append(f.text, bytes.TrimPrefix(b, []byte("/"))...)
			return keep()
		}) && whole
	}
	all, start := string(f.text), 0
	for _, end := range f.ends {
		if start < end {
			f.paths = append(f.paths, all[start:end])
		}
		start = end
	}
	list := inventory.NewFileList(f.paths)
	clear(f.paths)
	switch {
	case limited:
		return list, fmt.Errorf("more than the limit of %d files or %d bytes of paths", maxFiles, maxPaths)
	case !whole:
		return list, errFiles
	}
	return list, nil
}
