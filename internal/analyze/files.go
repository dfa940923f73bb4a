package analyze

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// File is a wanted file: its entry and its content, in memory or spooled. It
// can be read from several places at once.
type File struct {
	Entry
	io.ReaderAt
	data []byte // nil when spooled
	free func() // gives back memory or disk; nil when there is nothing to give

	whole func() // waits until no other large file is held whole; nil: no waiting
}

// largeText is the size of a file from which reading it whole, and what is
// made of it, is done one file at a time.
const largeText = 1 << 20

// release gives back what the walk reserved for the file.
func (f *File) release() {
	if f.free != nil {
		f.free()
		f.free = nil
	}
}

// Bytes returns the content when it is in memory, else nil. The caller must
// not change it nor keep it after Analyze returns.
func (f *File) Bytes() []byte { return f.data }

// Reader reads the file from its start.
func (f *File) Reader() *io.SectionReader { return io.NewSectionReader(f.ReaderAt, 0, f.Size) }

// NewFile makes a file of a path and its content.
func NewFile(e Entry, data []byte) *File {
	if data == nil {
		data = []byte{}
	}
	e.Size = int64(len(data))
	return &File{Entry: e, ReaderAt: bytes.NewReader(data), data: data}
}

// TooLargeError says that a file is larger than what its reader accepts.
type TooLargeError struct {
	Path  string
	Size  int64
	Limit int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, more than the limit of %d", e.Path, e.Size, e.Limit)
}

// ReadAll returns the whole content, which the caller must not change; a
// file of more than limit bytes is a [TooLargeError].
func (f *File) ReadAll(limit int64) ([]byte, error) {
	if f.Size > limit {
		return nil, &TooLargeError{f.Path, f.Size, limit}
	}
	f.exclusiveIfLarge()
	if f.data != nil {
		return f.data, nil
	}
	b := make([]byte, f.Size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// Exclusive waits until no analyzer holds much memory for a file of any layer,
// and holds up the others that ask for it until Analyze returns. What takes
// more than a few megabytes of memory for one file calls it before; ReadAll
// and JSON do, for large files.
func (f *File) Exclusive() {
	if f.whole != nil {
		f.whole()
	}
}

func (f *File) exclusiveIfLarge() {
	if f.Size > largeText {
		f.Exclusive()
	}
}

// JSON goes through a file of JSON without holding it; a file of more than
// [MaxStream] bytes is a [TooLargeError]. Single values are taken up to
// [MaxValue].
func (f *File) JSON() (*jsontext.Reader, error) {
	if f.Size > MaxStream {
		return nil, &TooLargeError{f.Path, f.Size, MaxStream}
	}
	f.exclusiveIfLarge()
	return jsontext.New(f.Reader(), MaxValue), nil
}

// Each yields every file of files, in order of path. It accepts any fs.FS
// (a fstest.MapFS in tests), and is quick on the file systems that the walk
// hands to Analyze. A file that cannot be read is yielded as an error with a
// File that has only its Path.
func Each(files fs.FS) iter.Seq2[*File, error] {
	if m, ok := files.(*FileSet); ok {
		return func(yield func(*File, error) bool) {
			for _, f := range m.files {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
	return func(yield func(*File, error) bool) {
		err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !d.Type().IsRegular() {
				return nil
			}
			data, err := fs.ReadFile(files, p)
			f := &File{Entry: Entry{Path: p}}
			if err == nil {
				info, ierr := d.Info()
				if ierr == nil {
					f = NewFile(Entry{Path: p, Mode: info.Mode(), Kind: Sniff(p, data)}, data)
				}
				err = ierr
			}
			if !yield(f, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(&File{Entry: Entry{Path: "."}}, err)
		}
	}
}

// Problemf appends a problem with one file to out.
func Problemf(out *inventory.Record, path, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	p := inventory.Problem{Analyzer: out.Analyzer, Path: path, Message: err.Error()}
	if tl := (*TooLargeError)(nil); errors.As(err, &tl) {
		p.Limit = "file size"
	}
	out.Problems = append(out.Problems, p)
}

// FileSet is a read-only fs.FS over wanted files. It implements ReadDir and
// Stat through the directories its paths imply.
type FileSet struct {
	files []*File // sorted by path
}

// NewFileSet makes a file system of files. Of two of one path the later wins.
func NewFileSet(files ...*File) *FileSet {
	if len(files) > 1 {
		files = slices.Clone(files)
		slices.SortStableFunc(files, func(a, b *File) int { return strings.Compare(a.Path, b.Path) })
		kept := files[:0]
		for i, f := range files {
			if i+1 < len(files) && files[i+1].Path == f.Path {
				continue
			}
			kept = append(kept, f)
		}
		files = kept
	}
	return &FileSet{files: files}
}

// Lookup returns the file of a path, or nil.
func (s *FileSet) Lookup(p string) *File {
	i, ok := slices.BinarySearchFunc(s.files, p, func(f *File, p string) int { return strings.Compare(f.Path, p) })
	if !ok {
		return nil
	}
	return s.files[i]
}

// Open implements fs.FS.
func (s *FileSet) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if f := s.Lookup(name); f != nil {
		return &openFile{f, f.Reader()}, nil
	}
	entries, _ := s.ReadDir(name)
	if len(entries) == 0 && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openDir{name: name, entries: entries}, nil
}

// ReadDir implements fs.ReadDirFS.
func (s *FileSet) ReadDir(name string) ([]fs.DirEntry, error) {
	prefix := name + "/"
	if name == "." {
		prefix = ""
	}
	var out []fs.DirEntry
	last := ""
	for _, f := range s.files {
		rest, ok := strings.CutPrefix(f.Path, prefix)
		if !ok {
			continue
		}
		head, _, below := strings.Cut(rest, "/")
		if below {
			if head != last {
				out = append(out, fs.FileInfoToDirEntry(dirInfo(head)))
			}
			last = head
			continue
		}
		out = append(out, fs.FileInfoToDirEntry(fileInfo{f}))
	}
	if out == nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	out = slices.CompactFunc(out, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() })
	return out, nil
}

type openFile struct {
	f *File
	*io.SectionReader
}

func (o *openFile) Stat() (fs.FileInfo, error) { return fileInfo{o.f}, nil }
func (o *openFile) Close() error               { return nil }

type openDir struct {
	name    string
	entries []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return dirInfo(path.Base(d.name)), nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		out := d.entries
		d.entries = nil
		return out, nil
	}
	if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	out := d.entries[:n]
	d.entries = d.entries[n:]
	return out, nil
}

type fileInfo struct{ f *File }

func (i fileInfo) Name() string       { return path.Base(i.f.Path) }
func (i fileInfo) Size() int64        { return i.f.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.f.Mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

type dirInfo string

func (d dirInfo) Name() string       { return string(d) }
func (d dirInfo) Size() int64        { return 0 }
func (d dirInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o755 }
func (d dirInfo) ModTime() time.Time { return time.Time{} }
func (d dirInfo) IsDir() bool        { return true }
func (d dirInfo) Sys() any           { return nil }
