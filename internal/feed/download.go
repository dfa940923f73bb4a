package feed

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"html"
	"io"
	"os"
	"strings"
)

// Download is the content of one address or file, read at any place, any
// number of times. Close gives its memory or disk space back.
type Download struct {
	URL          string // where it came from in the end: an address, or a path
	ETag         string
	LastModified string
	ContentType  string
	NotModified  bool // the copy that is there is still the newest; there is no content

	blob interface {
		io.ReaderAt
		io.Closer
	}
	size int64
	pos  int64
}

var _ interface {
	io.ReaderAt
	io.ReadSeekCloser
} = (*Download)(nil)

// Size is the number of bytes.
func (d *Download) Size() int64 { return d.size }

// ReadAt implements [io.ReaderAt]. It may be called by several goroutines.
func (d *Download) ReadAt(p []byte, off int64) (int, error) { return d.blob.ReadAt(p, off) }

// Read implements [io.Reader].
func (d *Download) Read(p []byte) (int, error) {
	n, err := d.blob.ReadAt(p, d.pos)
	d.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek implements [io.Seeker].
func (d *Download) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.pos
	case io.SeekEnd:
		offset += d.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seeking in %s: before the start", d.URL)
	}
	d.pos = offset
	return offset, nil
}

// Close gives back what holds the content.
func (d *Download) Close() error { return d.blob.Close() }

// An HTMLError says that a web page came where data was expected: a login
// page, an error page, a notice that the feed has moved.
type HTMLError struct {
	URL   string
	Title string // of the page
}

func (e *HTMLError) Error() string {
	if e.Title == "" {
		return e.URL + " is a web page, not data"
	}
	return fmt.Sprintf("%s is a web page, not data: %q", e.URL, e.Title)
}

// sniffHTML reports whether content begins as HTML does, and its title.
func sniffHTML(r io.ReaderAt) (title string, is bool) {
	buf := make([]byte, 4096)
	n, _ := r.ReadAt(buf, 0)
	return htmlTitle(buf[:n])
}

func htmlTitle(b []byte) (title string, is bool) {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	low := bytes.ToLower(b)
	if !bytes.HasPrefix(low, []byte("<!doctype html")) && !bytes.HasPrefix(low, []byte("<html")) && !bytes.HasPrefix(low, []byte("<head")) {
		return "", false
	}
	if i := bytes.Index(low, []byte("<title")); i >= 0 && len(low) == len(b) {
		t := b[i:]
		if _, rest, ok := bytes.Cut(t, []byte(">")); ok {
			text, _, _ := bytes.Cut(rest, []byte("<"))
			title = strings.Join(strings.Fields(html.UnescapeString(strings.ToValidUTF8(string(text), "\ufffd"))), " ")
		}
	}
	if len(title) > 120 {
		title = strings.ToValidUTF8(title[:120], "") + "…"
	}
	return title, true
}

// A DigestError says that content is not what its publisher made.
type DigestError struct {
	Want, Got string // "sha256:…"
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("its digest is %s where %s was expected", e.Got, e.Want)
}

func hashOf(digest string) (hash.Hash, error) {
	kind, text, _ := strings.Cut(digest, ":")
	var h hash.Hash
	switch kind {
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	case "sha1":
		h = sha1.New()
	case "md5":
		h = md5.New()
	default:
		return nil, fmt.Errorf("%q is no digest that can be checked", digest)
	}
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != h.Size() {
		return nil, fmt.Errorf("%q is no digest that can be checked", digest)
	}
	return h, nil
}

func checkDigest(h hash.Hash, want string) error {
	kind, text, _ := strings.Cut(want, ":")
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.ToLower(text) {
		return &DigestError{want, kind + ":" + got}
	}
	return nil
}

// spoolMemory is the size up to which a download stays in memory.
const spoolMemory = 1 << 20

// spool holds bytes as they come: in memory at first, then in a temporary
// file without a name.
type spool struct {
	dir  string
	mem  []byte
	file *os.File
	size int64
}

// spoolError is a failure on this side: trying again does not help.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return "keeping it: " + e.err.Error() }
func (e *spoolError) Unwrap() error { return e.err }

func newSpool(dir string) *spool { return &spool{dir: dir} }

func (s *spool) append(p []byte) error {
	if s.file == nil && len(s.mem)+len(p) <= spoolMemory {
		s.mem = append(s.mem, p...)
		s.size += int64(len(p))
		return nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "tidewaiter-download-*")
		if err != nil {
			return &spoolError{err}
		}
		os.Remove(f.Name())
		s.file = f
		if _, err := f.WriteAt(s.mem, 0); err != nil {
			return &spoolError{err}
		}
		s.mem = nil
	}
	n, err := s.file.WriteAt(p, s.size)
	s.size += int64(n)
	if err != nil {
		return &spoolError{err}
	}
	return nil
}

func (s *spool) reset() error {
	s.size = 0
	s.mem = s.mem[:0]
	if s.file != nil {
		if err := s.file.Truncate(0); err != nil {
			return &spoolError{err}
		}
	}
	return nil
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, fmt.Errorf("reading at %d: before the start", off)
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *spool) Close() error {
	s.mem = nil
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}
