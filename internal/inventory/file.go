package inventory

import "io/fs"

// FileType is the type of an entry in a layer.
type FileType uint8

// The types of entries. Whiteout and Opaque are the OCI layer markers: they
// say what a layer removes and never appear in an [Image].
const (
	Regular FileType = iota
	Directory
	Symlink
	CharDevice
	BlockDevice
	FIFO
	Whiteout // the path, and everything below it, of lower layers is gone
	Opaque   // everything below the path of lower layers is gone
)

var fileTypeNames = [...]string{"file", "directory", "symlink", "char-device", "block-device", "fifo", "whiteout", "opaque"}

func (t FileType) String() string {
	if int(t) < len(fileTypeNames) {
		return fileTypeNames[t]
	}
	return "unknown"
}

// Kind is what the first bytes of a regular file say it is.
type Kind uint8

// Kinds of content. The numbers are stored; new ones go to the end.
const (
	KindUnknown Kind = iota
	KindEmpty
	KindELFExec  // ELF executable or position-independent executable
	KindELFLib   // ELF shared object without an interpreter, as far as its header shows
	KindELFOther // relocatable object, core
	KindScript   // "#!"
	KindZip      // zip and everything built on it: jar, wheel, nupkg …
	KindGzip
	KindBzip2
	KindXZ
	KindZstd
	KindTar
	KindAr // ar archive: .a, .deb
	KindPE // PE, MZ
	KindMachO
	KindClass // Java class
	KindWasm
	KindPEM // "-----BEGIN "
	KindSQLite
	KindXML  // "<?xml"
	KindJSON // first byte other than blanks is { or [
	KindText // no NUL among the first bytes, valid start of UTF-8
	KindPDF
	KindImage  // png, jpeg, gif
	KindPyc    // compiled Python, by its name
	KindBinary // anything else
)

var kindNames = [...]string{"", "empty", "elf", "elf-library", "elf-other", "script", "zip", "gzip", "bzip2", "xz", "zstd", "tar", "ar", "pe",
	"mach-o", "class", "wasm", "pem", "sqlite", "xml", "json", "text", "pdf", "image", "pyc", "binary"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// ELF reports whether the file is an ELF program or library.
func (k Kind) ELF() bool { return k == KindELFExec || k == KindELFLib }

// File is one entry of a layer's or an image's file table.
type File struct {
	// Path has no leading and no trailing slash and no "." or ".." elements;
	// the root directory is "".
	Path string
	Type FileType
	// Perm holds the permission bits and setuid 04000, setgid 02000, sticky 01000.
	Perm  uint16
	UID   int
	GID   int
	Size  int64 // bytes; 0 but for regular files
	MTime int64 // seconds since 1970
	// Link is the target of a symbolic link as written, or, of a regular file
	// that is a hard link, the path it is linked to.
	Link   string
	Major  uint32 // of devices
	Minor  uint32
	Kind   Kind     // of regular files
	SHA256 [32]byte // of regular files; zero where a Problem says that the file was not read
	Caps   string   // raw value of the security.capability attribute
	Layer  int      // in an image's table: index of the layer the entry is from
}

// HardLink reports whether the entry is a regular file that a hard link entry made.
func (f *File) HardLink() bool { return f.Type == Regular && f.Link != "" }

// Executable reports whether any execute bit is set on a regular file.
func (f *File) Executable() bool { return f.Type == Regular && f.Perm&0o111 != 0 }

// Mode is the entry's mode in the terms of io/fs.
func (f *File) Mode() fs.FileMode {
	m := fs.FileMode(f.Perm & 0o777)
	if f.Perm&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if f.Perm&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if f.Perm&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	switch f.Type {
	case Directory:
		m |= fs.ModeDir
	case Symlink:
		m |= fs.ModeSymlink
	case CharDevice:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case BlockDevice:
		m |= fs.ModeDevice
	case FIFO:
		m |= fs.ModeNamedPipe
	}
	return m
}
