package feed

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// Limits bound what is read of archives, folders and compressed files. A field
// that is zero has the default named beside it.
type Limits struct {
	Members int   // of one archive or folder; 4 million
	Member  int64 // bytes of one, unpacked; 16 GiB
	Total   int64 // bytes of all, unpacked; 64 GiB
	Ratio   int64 // unpacked to packed bytes, looked at from 64 MiB on; 1000
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Members: cmp.Or(l.Members, 4_000_000), Member: cmp.Or(l.Member, 16<<30),
		Total: cmp.Or(l.Total, 64<<30), Ratio: cmp.Or(l.Ratio, 1000),
	}
}

// MaxRecord is the most bytes that one record of a feed may have; sources use
// it where their format has no bound of its own.
const MaxRecord = 64 << 20

// recordBytes is the limit of [Member.Bytes], in errors.
const recordBytes = "bytes of one record"

// Member is one file of an archive or folder, or the only one. It is read
// once, before the next is asked for.
type Member struct {
	Name     string // slash-separated, clean, never outside; without .gz and its like
	Size     int64  // unpacked, as announced; -1 unknown
	Modified time.Time
	io.Reader
}

// Bytes reads the whole member, at most limit bytes, into buf, which grows if
// it must, and returns the filled part.
func (m Member) Bytes(buf []byte, limit int64) ([]byte, error) {
	buf = buf[:0]
	if n := min(max(m.Size, 0)+512, limit+512); int64(cap(buf)) < n && m.Size > 0 && m.Size < 1<<20 {
		buf = make([]byte, 0, n)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := m.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf[:0], &LimitError{m.Name, recordBytes, limit}
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf[:0], err
		}
	}
}

// Open gives one file: the one that From names, or else the content of url.
// For a local file cond is not looked at, but Digest is.
func (in Input) Open(ctx context.Context, url string, cond Conditional) (*Download, error) {
	if in.From == "" {
		return in.Client.Get(ctx, url, cond)
	}
	return openFile(in.From, cond)
}

// OpenFile opens a local file as if it were a download.
func OpenFile(name string) (*Download, error) { return openFile(name, Conditional{}) }

func openFile(name string, cond Conditional) (*Download, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	d := &Download{URL: name, LastModified: st.ModTime().UTC().Format(time.RFC1123), blob: f, size: st.Size()}
	if cond.Digest != "" {
		h, err := hashOf(cond.Digest)
		if err == nil {
			_, err = io.Copy(h, io.NewSectionReader(d, 0, d.size))
		}
		if err == nil {
			err = checkDigest(h, cond.Digest)
		}
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return d, nil
}

// Members yields the files of the folder or file at name: of a folder every
// regular file below it, in order of path; of a zip or tar archive its members,
// in their order; of any other file itself. What is compressed (gzip, bzip2,
// xz, Zstandard; told by content) is unpacked. An archive in a folder is opened
// too; one in an archive is not.
//
// An error for one member is a [*BadRecord], and the sequence goes on; any
// other ends it. Reading a member may fail as well; for a broken archive the
// sequence ends with an error after that.
func Members(ctx context.Context, name string, l Limits) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		st, err := os.Stat(name)
		if err != nil {
			yield(Member{}, err)
			return
		}
		o := &opener{ctx: ctx, limits: l.withDefaults(), yield: yield}
		if st.IsDir() {
			err = o.folder(name)
		} else {
			err = o.file(name, filepath.Base(name))
		}
		o.end(err)
	}
}

// Members yields the files within d as [Members] does of a local file.
func (d *Download) Members(ctx context.Context, l Limits) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		o := &opener{ctx: ctx, limits: l.withDefaults(), yield: yield}
		o.end(o.content(d, path.Base(filepath.ToSlash(strings.SplitN(d.URL, "?", 2)[0])), ""))
	}
}

// Unpacked gives the content of d as one stream, decompressed if it is
// compressed. A web page in its stead is an [*HTMLError].
func (d *Download) Unpacked(l Limits) (io.ReadCloser, error) {
	l = l.withDefaults()
	if title, is := sniffHTML(d); is {
		return nil, &HTMLError{d.URL, title}
	}
	packed := &counter{r: io.NewSectionReader(d, 0, d.size)}
	r, close, err := decompress(packed)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", d.URL, err)
	}
	o := &opener{limits: l}
	return readCloser{o.one(o.stream(r, d.URL, packed), d.URL), close}, nil
}

type readCloser struct {
	io.Reader
	close func()
}

func (r readCloser) Close() error { r.close(); return nil }

// opener walks through what a name stands for.
type opener struct {
	ctx     context.Context
	limits  Limits
	yield   func(Member, error) bool
	members int
	total   int64
	over    error // the limit that was exceeded, for all
}

var errEnough = errors.New("the caller has enough")

func (o *opener) end(err error) {
	if err != nil && err != errEnough {
		o.yield(Member{}, err)
	}
}

// give hands a member over and returns what ends the walk, if anything.
func (o *opener) give(m Member, err error) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if o.members++; o.members > o.limits.Members {
		return &LimitError{m.Name, "members of an archive or folder", int64(o.limits.Members)}
	}
	if !o.yield(m, err) {
		return errEnough
	}
	return o.over
}

func (o *opener) folder(root string) error {
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, relErr := filepath.Rel(root, name)
		if relErr != nil {
			return relErr
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && rel != "." {
			return fs.SkipDir // .git and its like
		}
		if e.IsDir() && rel != "." && (e.Name() == "sample" || e.Name() == "samples") {
			return fs.SkipDir // examples, some broken on purpose, beside the real thing
		}
		if !e.Type().IsRegular() {
			return nil
		}
		return o.file(name, filepath.ToSlash(rel))
	})
}

func (o *opener) file(name, as string) error {
	d, err := OpenFile(name)
	if err != nil {
		return err
	}
	defer d.Close()
	prefix := ""
	if strings.Contains(as, "/") || as != filepath.Base(name) {
		prefix = as + "/"
	}
	return o.content(d, as, prefix)
}

// content tells what d is by its first bytes.
func (o *opener) content(d *Download, name, prefix string) error {
	var head [8]byte
	n, _ := d.ReadAt(head[:], 0)
	if isZip(head[:n]) {
		return o.zip(d, prefix)
	}
	packed := &counter{r: io.NewSectionReader(d, 0, d.size)}
	r, close, err := decompress(packed)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", d.URL, err)
	}
	defer close()
	in := newPeeker(o.stream(r, d.URL, packed))
	first, err := in.peek(512)
	if err != nil && err != io.EOF {
		return fmt.Errorf("unpacking %s: %w", d.URL, err)
	}
	if isTar(first) {
		return o.tar(in, d.URL, prefix)
	}
	if title, is := htmlTitle(first); is && !strings.HasPrefix(strings.ToLower(path.Ext(name)), ".htm") {
		title2, _ := sniffHTML(d)
		return &HTMLError{d.URL, cmp.Or(title, title2)}
	}
	size := d.size
	if packed.is {
		name, size = trimPacked(name), -1
	}
	modified, _ := time.Parse(time.RFC1123, d.LastModified)
	return o.give(Member{Name: cleanName(name), Size: size, Modified: modified, Reader: o.one(in, name)}, nil)
}

func (o *opener) zip(d *Download, prefix string) error {
	// archive/zip holds the whole directory: bound what it reads for that.
	directory := &budget{r: d, left: 512 << 20}
	z, err := zip.NewReader(directory, d.size)
	if errors.Is(err, zip.ErrInsecurePath) {
		err = nil // nothing is written; names are cleaned
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.URL, err)
	}
	directory.left = -1
	var inflater io.ReadCloser
	z.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser {
		if inflater == nil {
			inflater = flate.NewReader(r)
		} else if err := inflater.(flate.Resetter).Reset(r, nil); err != nil {
			return flate.NewReader(r)
		}
		return io.NopCloser(inflater)
	})
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || !f.Mode().IsRegular() {
			continue
		}
		name := prefix + cleanName(f.Name)
		r, err := f.Open()
		if err != nil {
			if err := o.give(Member{}, &BadRecord{name, err}); err != nil {
				return err
			}
			continue
		}
		m := Member{Name: name, Size: int64(min(f.UncompressedSize64, 1<<62)), Modified: f.Modified, Reader: o.one(o.stream(r, name, fixed(f.CompressedSize64)), name)}
		err = o.give(m, nil)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *opener) tar(r io.Reader, from, prefix string) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			// Behind the end may only be padding; read on, so that a damaged
			// end of the compressed stream is not overlooked.
			if _, err := io.Copy(io.Discard, io.LimitReader(r, 64<<20)); err != nil {
				return fmt.Errorf("reading %s: %w", from, err)
			}
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("reading %s: %w", from, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := prefix + cleanName(h.Name)
		if err := o.give(Member{Name: name, Size: h.Size, Modified: h.ModTime, Reader: o.one(t, name)}, nil); err != nil {
			return err
		}
	}
}

// cleanName makes a member's name safe to show and to split at slashes.
func cleanName(name string) string {
	name = strings.ReplaceAll(strings.ToValidUTF8(name, "\ufffd"), "\\", "/")
	name = strings.ReplaceAll(name, "\x00", "")
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if len(name) > 4096 {
		name = strings.ToValidUTF8(name[:4096], "")
	}
	return name
}
