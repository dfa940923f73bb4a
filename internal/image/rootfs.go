package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"
)

// openRootfs makes an image of one layer out of a directory. Its tar is made
// while it is read: names sorted, times in whole seconds, hard links kept, no
// link followed, sockets left out, and so are mounted kernel file systems such
// as /proc. What cannot be read is a [Problem] of the layer and not in the tar.
func openRootfs(_ context.Context, ref Ref, o Options) (*Image, error) {
	fi, err := os.Stat(ref.Name)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%s: not a directory", ref.Name)
	}
	l := &Layer{Size: -1, produce: func(ctx context.Context, w io.Writer) ([]Problem, error) {
		root, err := os.OpenRoot(ref.Name)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		rw := &rootWalk{tar: tar.NewWriter(w), links: map[inode]string{}, buf: make([]byte, chunkSize), maxDepth: o.Limits.DirDepth}
		if err := rw.dir(ctx, root, "", 0); err != nil {
			return rw.problems, err
		}
		return rw.problems, rw.tar.Close()
	}}
	return &Image{Layers: []*Layer{l}}, nil
}

// rootWalk writes a directory as a tar.
type rootWalk struct {
	tar      *tar.Writer
	links    map[inode]string // files with several names, and the first of them
	buf      []byte
	maxDepth int
	problems []Problem
	more     int // problems not kept
}

// inode is one file, whatever its names.
type inode struct{ dev, ino uint64 }

const maxProblems = 10_000

func (w *rootWalk) problem(p string, err error) {
	// The path is in Problem already.
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	switch {
	case len(w.problems) < maxProblems:
		w.problems = append(w.problems, Problem{p, err})
	default:
		w.more++
		w.problems[maxProblems-1] = Problem{".", fmt.Errorf("%d more files could not be read", w.more+1)}
	}
}

// dir writes what is in a directory. Only what must end the whole walk is
// returned: a reader that is gone.
func (w *rootWalk) dir(ctx context.Context, dir *os.Root, rel string, depth int) error {
	f, err := dir.Open(".")
	if err != nil {
		w.problem(rel, err)
		return nil
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		w.problem(rel, err) // and go on with the names there are
	}
	slices.Sort(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(ctx, dir, name, path.Join(rel, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *rootWalk) entry(ctx context.Context, dir *os.Root, name, rel string, depth int) error {
	fi, err := dir.Lstat(name)
	if err != nil {
		w.problem(rel, err)
		return nil
	}
	h := &tar.Header{Name: rel, Mode: tarMode(fi.Mode()), ModTime: fi.ModTime().Truncate(time.Second)}
	id, several := fillHeader(h, fi)
	switch mode := fi.Mode(); {
	case mode&fs.ModeSocket != 0:
		return nil
	case mode.IsDir():
		return w.subdir(ctx, dir, name, h, depth)
	case several && w.links[id] != "":
		h.Typeflag, h.Linkname = tar.TypeLink, w.links[id]
	case mode.IsRegular():
		return w.file(ctx, dir, name, h, fi)
	case mode&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = dir.Readlink(name); err != nil {
			w.problem(rel, err)
			return nil
		}
	case mode&fs.ModeNamedPipe != 0:
		h.Typeflag = tar.TypeFifo
	case mode&fs.ModeCharDevice != 0:
		h.Typeflag = tar.TypeChar
	case mode&fs.ModeDevice != 0:
		h.Typeflag = tar.TypeBlock
	default:
		w.problem(rel, fmt.Errorf("unknown kind of file (%s)", mode))
		return nil
	}
	if several && w.links[id] == "" {
		w.links[id] = rel
	}
	_, err = w.header(h)
	return err
}

// header writes h. What a tar cannot say is a problem; ok is then false.
func (w *rootWalk) header(h *tar.Header) (ok bool, err error) {
	err = w.tar.WriteHeader(h)
	if errors.Is(err, tar.ErrHeader) {
		w.problem(h.Name, err)
		return false, nil
	}
	return err == nil, err
}

func (w *rootWalk) subdir(ctx context.Context, dir *os.Root, name string, h *tar.Header, depth int) error {
	rel := h.Name
	h.Typeflag, h.Name = tar.TypeDir, rel+"/"
	if ok, err := w.header(h); err != nil || !ok {
		return err
	}
	if depth+1 >= w.maxDepth {
		w.problem(rel, &LimitError{"the nesting of directories", "DirDepth", int64(w.maxDepth)})
		return nil
	}
	sub, err := dir.OpenRoot(name)
	if err != nil {
		w.problem(rel, err)
		return nil
	}
	defer sub.Close()
	if isKernelFS(sub) {
		return nil
	}
	return w.dir(ctx, sub, rel, depth+1)
}

func (w *rootWalk) file(ctx context.Context, dir *os.Root, name string, h *tar.Header, fi fs.FileInfo) error {
	f, err := dir.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		w.problem(h.Name, err)
		return nil
	}
	defer f.Close()
	now, err := f.Stat()
	if err == nil && !os.SameFile(fi, now) {
		err = errors.New("was replaced while it was read")
	}
	if err != nil {
		w.problem(h.Name, err)
		return nil
	}
	h.Typeflag, h.Size = tar.TypeReg, now.Size()
	if c := capability(f); c != "" {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": c}
	}
	if ok, err := w.header(h); err != nil || !ok {
		return err
	}
	if id, several := fillHeader(&tar.Header{}, fi); several {
		w.links[id] = h.Name
	}
	return w.data(ctx, f, h)
}

// data copies a file of the size that the header says. What is missing is
// filled with zeros, since the header has gone out.
func (w *rootWalk) data(ctx context.Context, f io.Reader, h *tar.Header) error {
	left := h.Size
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(w.buf[:min(int64(len(w.buf)), left)])
		if err == nil && n == 0 {
			err = io.ErrNoProgress
		}
		if _, werr := w.tar.Write(w.buf[:n]); werr != nil {
			return werr
		}
		left -= int64(n)
		if err != nil && left > 0 {
			if err == io.EOF {
				err = errors.New("became shorter while it was read")
			}
			w.problem(h.Name, err)
			return w.zeros(ctx, left)
		}
	}
	return nil
}

func (w *rootWalk) zeros(ctx context.Context, n int64) error {
	clear(w.buf)
	for ; n > 0; n -= min(n, int64(len(w.buf))) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := w.tar.Write(w.buf[:min(n, int64(len(w.buf)))]); err != nil {
			return err
		}
	}
	return nil
}

func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}
