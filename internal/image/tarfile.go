package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// archive gives random access to the files of a tar that lies on disk. Its
// headers are read once; data stays where it is.
type archive struct {
	r       io.ReaderAt
	close   func() error
	entries map[string]archiveEntry
}

type archiveEntry struct {
	off, size int64
	link      string // where a link leads, relative to the root of the archive
	twice     bool
}

// errNoEntry says that an archive or layout lacks a file.
var errNoEntry = errors.New("no such file in it")

// openTar indexes a file, which it takes over.
func openTar(f *os.File, limits Limits) (*archive, error) {
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	a, err := indexArchive(f, fi.Size(), limits)
	if err != nil {
		f.Close()
		return nil, err
	}
	a.close = f.Close
	return a, nil
}

// indexArchive reads the headers.
func indexArchive(at io.ReaderAt, size int64, limits Limits) (*archive, error) {
	f := io.NewSectionReader(at, 0, size)
	a := &archive{r: at, entries: map[string]archiveEntry{}}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive's headers: %w", err)
		}
		if n >= limits.ArchiveEntries {
			return nil, &LimitError{"the number of files in the archive", "ArchiveEntries", int64(limits.ArchiveEntries)}
		}
		name := inside(h.Name)
		e := archiveEntry{size: h.Size}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeSymlink:
			e.link = inside(h.Linkname)
			if !path.IsAbs(h.Linkname) {
				e.link = inside(path.Join("/", path.Dir(name), h.Linkname))
			}
		case tar.TypeLink:
			e.link = inside(h.Linkname)
		default:
			continue // folders, and what no image archive uses
		}
		for k := range h.PAXRecords {
			if strings.HasPrefix(k, "GNU.sparse.") {
				return nil, fmt.Errorf("%s: sparse files in an image archive are not supported", shorten(name))
			}
		}
		// tar.Reader reads whole blocks only, so this is where the data begins.
		if e.off, err = f.Seek(0, io.SeekCurrent); err != nil {
			return nil, err
		}
		if e.link == "" && e.size > size-e.off {
			return nil, fmt.Errorf("%s: the archive ends %d bytes before the file does: %w",
				shorten(name), e.size-(size-e.off), io.ErrUnexpectedEOF)
		}
		_, e.twice = a.entries[name]
		a.entries[name] = e
	}
}

// inside cleans a path so that it cannot lead out of the archive.
func inside(name string) string { return path.Clean("/" + name)[1:] }

func (a *archive) has(name string) bool {
	_, err := a.find(name)
	return !errors.Is(err, errNoEntry)
}

// find follows links to a file. A name that appears twice is refused: which
// of the two counts differs between readers.
func (a *archive) find(name string) (archiveEntry, error) {
	at := inside(name)
	for range 10 {
		e, ok := a.entries[at]
		switch {
		case !ok:
			return e, fmt.Errorf("%s: %w", shorten(at), errNoEntry)
		case e.twice:
			return e, fmt.Errorf("%s: the archive holds this name twice", shorten(name))
		case e.link == "":
			return e, nil
		}
		at = e.link
	}
	return archiveEntry{}, fmt.Errorf("%s: too many links", shorten(name))
}

// open gives a file and its size.
func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	e, err := a.find(name)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(io.NewSectionReader(a.r, e.off, e.size)), e.size, nil
}

func (a *archive) Close() error { return a.close() }

// files is a place with named files: an archive or a folder.
type files interface {
	open(name string) (io.ReadCloser, int64, error)
	has(name string) bool
	Close() error
}

// folder is files below a directory; no link leads out of it.
type folder struct{ root *os.Root }

func openFolder(dir string) (folder, error) {
	root, err := os.OpenRoot(dir)
	return folder{root}, err
}

func (d folder) open(name string) (io.ReadCloser, int64, error) {
	f, err := d.root.Open(name)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%s: %w", shorten(name), errNoEntry)
		}
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", shorten(name))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

func (d folder) has(name string) bool {
	_, err := d.root.Stat(name)
	return err == nil
}

func (d folder) Close() error { return d.root.Close() }

// readFile reads a small file whole.
func readFile(fs files, name string, limit int64, limitName string) ([]byte, error) {
	r, size, err := fs.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, &LimitError{name, limitName, limit}
	}
	return readAll(r, limit, name, limitName)
}

// readAll reads r to its end, which must come within limit bytes.
func readAll(r io.Reader, limit int64, what, limitName string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if int64(len(b)) > limit {
		return nil, &LimitError{what, limitName, limit}
	}
	return b, nil
}
