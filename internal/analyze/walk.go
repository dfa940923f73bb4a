package analyze

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// WalkVersion is raised when the same layer would yield another file table, or
// when analyzers would get other files of it.
const WalkVersion = 3

// Layer is [Set.LayerAgain] for a stream that cannot be opened again.
func (s *Set) Layer(ctx context.Context, r io.Reader) (inventory.Layer, error) {
	return s.LayerAgain(ctx, r, nil)
}

// LayerAgain reads the tar stream of one layer once, from its first to its last
// byte, and returns its file table and a record per analyzer. DiffID is left
// to the caller, who verifies what r delivers.
//
// Where a hard link gives a file a name that an analyzer wants, and nothing in
// the name under which the file came did, the file is gone when that turns out:
// again opens the stream once more, and what it gives is read as far as the last
// such file. Their content must have the SHA-256 of the first reading.
//
// A tar that cannot be read to its end, or that breaks a limit, is an error.
// A file that an analyzer could not read is a Problem in its record.
func (s *Set) LayerAgain(ctx context.Context, r io.Reader, again Reopen) (inventory.Layer, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &walk{limits: s.limits(), ctx: ctx, sum: sha256.New(), head: make([]byte, SniffLen), buf: make([]byte, 256<<10)}
	w.keeper = keeper{pool: s.pool(), limits: w.limits, buf: w.buf}
	defer w.keeper.close()
	w.run = s.newRunner(ctx, stop)
	err := w.tar(r)
	var l links
	if err == nil {
		base := w.files.Table()
		replaced := w.files.Added() > base.Len()
		l = w.resolve(base, again != nil)
		if replaced {
			w.run.replaced = l.table // what was learned from what others replace is void
		}
		err = w.readAgain(&l, again)
	}
	if err != nil {
		stop(nil)
	}
	records, rerr := w.run.finish()
	if limit := (*LimitError)(nil); errors.As(context.Cause(ctx), &limit) {
		return inventory.Layer{}, limit
	}
	if err != nil {
		return inventory.Layer{}, err
	}
	if rerr != nil {
		return inventory.Layer{}, rerr
	}
	w.tell(&l, records)
	if len(w.problems)+w.skipped > 0 {
		if w.skipped > 0 {
			w.problems = append(w.problems, inventory.Problem{Analyzer: walkName, Limit: "problems of one layer", Message: fmt.Sprintf("%d more problems are not listed", w.skipped)})
		}
		records = append(records, inventory.Record{Analyzer: walkName, Version: WalkVersion, Problems: w.problems})
	}
	return inventory.Layer{Files: l.table, Records: records}, nil
}

// walkName names the record that holds the problems of the walk itself.
const walkName = "walk"

// maxAttribute is how many bytes of security.capability are kept: no revision
// has more than 24.
const maxAttribute = 64

type walk struct {
	limits Limits
	ctx    context.Context
	run    *runner
	keeper keeper

	files inventory.Builder
	links inventory.Builder // hard links, resolved when all files are known
	n     int
	holes int64 // bytes of sparse files
	sum   hash.Hash
	head  []byte
	buf   []byte

	problems []inventory.Problem
	skipped  int // entries beyond what problems holds
}

func (w *walk) tar(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			// what follows the end of the archive still belongs to the layer's digest
			_, err := io.CopyBuffer(io.Discard, onlyReader{r}, w.buf)
			return err
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("reading the tar header after %d entries: %w", w.n, err)
		}
		if w.n&1023 == 0 && w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		if w.n++; w.n > w.limits.Entries {
			return &LimitError{Limit: "entries", Value: int64(w.limits.Entries)}
		}
		if err := w.entry(h, tr); err != nil {
			return err
		}
	}
}

// onlyReader hides WriterTo, so that CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }

func (w *walk) problem(path, limit, message string) {
	if len(w.problems) >= w.limits.Problems {
		w.skipped++
		return
	}
	w.problems = append(w.problems, inventory.Problem{Analyzer: walkName, Path: path, Limit: limit, Message: message})
}

// clean turns a name from a tar header into the form of inventory.File.Path.
// Names never leave the root: ".." above it stays there, as it does for a
// process inside the container.
func clean(name string) string {
	if name == "" {
		return ""
	}
	// nearly every name is clean but for its ends
	if len(name) >= 2 && name[0] == '.' && name[1] == '/' {
		name = name[2:]
	}
	for len(name) > 0 && name[0] == '/' {
		name = name[1:]
	}
	for len(name) > 0 && name[len(name)-1] == '/' {
		name = name[:len(name)-1]
	}
	if name == "." {
		return ""
	}
	if strings.Contains(name, "//") || strings.Contains(name, "./") || strings.HasSuffix(name, "/.") || strings.HasSuffix(name, "..") || strings.HasPrefix(name, ".") && (name == "..") {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
	}
	return name
}

const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

func (w *walk) entry(h *tar.Header, content io.Reader) error {
	p := clean(h.Name)
	if len(p) > w.limits.PathLength || len(h.Linkname) > w.limits.PathLength {
		return &LimitError{Limit: "path length", Value: int64(w.limits.PathLength), Path: p}
	}
	if strings.Count(p, "/") >= w.limits.PathDepth {
		return &LimitError{Limit: "path depth", Value: int64(w.limits.PathDepth), Path: p}
	}
	if len(h.PAXRecords) > 0 {
		// texts from records are parts of all of them, up to 1 MiB for each entry
		p, h.Linkname = strings.Clone(p), strings.Clone(h.Linkname)
	}
	f := inventory.File{
		Path: p, Perm: uint16(h.Mode & 0o7777), UID: h.Uid, GID: h.Gid, MTime: h.ModTime.Unix(),
	}
	if caps := h.PAXRecords["SCHILY.xattr.security.capability"]; caps != "" {
		if len(caps) > maxAttribute {
			w.problem(p, "", fmt.Sprintf("its attribute security.capability has %d bytes, of which no more are kept than the limit of %d", len(caps), maxAttribute))
			caps = caps[:maxAttribute]
		}
		f.Caps = strings.Clone(caps)
	}
	dir, base := path.Split(p)
	if strings.HasPrefix(base, whiteoutPrefix) {
		switch {
		case base == whiteoutOpaque:
			f.Type, f.Path = inventory.Opaque, strings.TrimSuffix(dir, "/")
		case strings.HasPrefix(base, whiteoutMeta):
			return nil // other marks of AUFS, which say nothing of the image
		case base == whiteoutPrefix, base == whiteoutPrefix+".", base == whiteoutPrefix+"..":
			w.problem(p, "", "whiteout of no file")
			return nil
		default:
			f.Type, f.Path = inventory.Whiteout, dir+base[len(whiteoutPrefix):]
		}
		w.files.Add(inventory.File{Path: f.Path, Type: f.Type})
		return nil
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, '\x00':
		return w.regular(f, h, content)
	case tar.TypeLink:
		f.Link = clean(h.Linkname)
		w.links.Add(f)
		return nil
	case tar.TypeDir:
		f.Type = inventory.Directory
	case tar.TypeSymlink:
		f.Type, f.Link = inventory.Symlink, h.Linkname
	case tar.TypeChar:
		f.Type = inventory.CharDevice
		f.Major, f.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case tar.TypeBlock:
		f.Type = inventory.BlockDevice
		f.Major, f.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case tar.TypeFifo:
		f.Type = inventory.FIFO
	case tar.TypeXGlobalHeader:
		return nil
	default:
		w.problem(p, "", fmt.Sprintf("tar entry of unknown type %q was not read", h.Typeflag))
		return nil
	}
	if p == "" && f.Type != inventory.Directory {
		w.problem(p, "", "an entry would replace the root directory; it was not read")
		return nil
	}
	w.files.Add(f)
	return nil
}

// regular hashes a file, and keeps it for the analyzers that want it.
func (w *walk) regular(f inventory.File, h *tar.Header, content io.Reader) error {
	if f.Path == "" {
		w.problem("", "", "an entry would replace the root directory; it was not read")
		return nil
	}
	if h.Size < 0 {
		return fmt.Errorf("%s: negative size in its tar header", f.Path)
	}
	f.Size = h.Size
	if sparse(h) {
		if f.Size > w.limits.Sparse-w.holes {
			w.problem(f.Path, "sparse files", fmt.Sprintf("a sparse file of %d bytes: with it the layer's are larger than the limit of %d; it was not read", f.Size, w.limits.Sparse))
			w.files.Add(f)
			return nil
		}
		w.holes += f.Size
	}
	n := min(int64(len(w.head)), h.Size)
	head := w.head[:n]
	if _, err := io.ReadFull(content, head); err != nil {
		return fmt.Errorf("reading %s: %w", f.Path, err)
	}
	f.Kind = Sniff(f.Path, head)
	e := Entry{Path: f.Path, Mode: f.Mode(), Size: f.Size, Kind: f.Kind}
	alone, together := w.run.want(e)
	if len(alone)+len(together) > 0 && f.Size > w.limits.WantedFile {
		w.problem(f.Path, "wanted file", fmt.Sprintf("%d bytes are more than the limit of %d: the file was hashed but not analyzed", f.Size, w.limits.WantedFile))
		alone, together = nil, nil
	}
	w.sum.Reset()
	if len(alone)+len(together) == 0 {
		if f.Size > 0 {
			w.sum.Write(head)
			if err := w.hashRest(content, h.Size-n); err != nil {
				return fmt.Errorf("reading %s: %w", f.Path, err)
			}
			w.sum.Sum(f.SHA256[:0])
		}
		w.files.Add(f)
		return nil
	}
	var rest io.Reader = content
	if n == h.Size {
		rest = bytes.NewReader(head)
	} else {
		rest = io.MultiReader(bytes.NewReader(head), content)
	}
	kept, err := w.keeper.keep(w.ctx, e, rest, w.sum, len(together) > 0)
	if errors.Is(err, errScratch) {
		w.problem(f.Path, "scratch", fmt.Sprintf("%d bytes do not fit into the scratch space of %d: the file was hashed but not analyzed", f.Size, w.limits.Scratch))
		w.sum.Write(head)
		if err := w.hashRest(content, h.Size-n); err != nil {
			return fmt.Errorf("reading %s: %w", f.Path, err)
		}
		w.sum.Sum(f.SHA256[:0])
		w.files.Add(f)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.Path, err)
	}
	w.sum.Sum(f.SHA256[:0])
	w.files.Add(f)
	for _, i := range together {
		w.run.together[i] = append(w.run.together[i], keptFile{kept, f.SHA256})
	}
	if len(alone) == 0 {
		return nil
	}
	select {
	case w.run.queue <- job{kept, f.SHA256, alone, len(together) > 0}:
		return nil
	case <-w.ctx.Done():
		if len(together) == 0 {
			kept.release()
		}
		return w.ctx.Err()
	}
}

// sparse reports whether a few bytes of the archive may stand for a file of
// any size.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (w *walk) hashRest(content io.Reader, n int64) error {
	for n > 0 {
		k, err := content.Read(w.buf[:min(n, int64(len(w.buf)))])
		w.sum.Write(w.buf[:k])
		n -= int64(k)
		if err != nil {
			if err == io.EOF && n == 0 {
				return nil
			}
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// WalkKey names the record of the walk's own problems.
func WalkKey() Key { return Key{Analyzer: walkName, Version: WalkVersion} }
