package analyze

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// budget counts bytes that many goroutines share.
type budget struct{ used atomic.Int64 }

// take reserves n bytes unless that would exceed limit.
func (b *budget) take(n, limit int64) bool {
	if b.used.Add(n) > limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// errScratch says that the space for spooled files is used up.
var errScratch = errors.New("scratch space is used up")

// keeper holds the wanted files of one layer: in memory while they fit, else
// in temporary files without a name, which are gone with the process whatever
// happens. Small files that do not fit share one of these.
type keeper struct {
	pool   *pool
	limits Limits
	buf    []byte

	shared *os.File // spool of small files
	end    int64
}

// keep reads a wanted file whole; its content also goes to sum. together says
// that it stays until the layer ends.
func (k *keeper) keep(ctx context.Context, e Entry, content io.Reader, sum io.Writer, together bool) (*File, error) {
	small := e.Size <= k.limits.MemoryFile
	if small && !together {
		if err := k.pool.alone.Acquire(ctx, e.Size); err != nil {
			return nil, err
		}
		return k.inMemory(e, content, sum, func() { k.pool.alone.Release(e.Size) })
	}
	if small && k.pool.held.take(e.Size, k.limits.Held) {
		return k.inMemory(e, content, sum, func() { k.pool.held.give(e.Size) })
	}
	if !k.pool.disk.take(e.Size, k.limits.Scratch) {
		return nil, errScratch
	}
	f, err := k.onDisk(e, content, sum, small)
	if err != nil {
		k.pool.disk.give(e.Size)
		return nil, fmt.Errorf("spooling: %w", err)
	}
	return f, nil
}

func (k *keeper) inMemory(e Entry, content io.Reader, sum io.Writer, free func()) (*File, error) {
	data := make([]byte, e.Size)
	if _, err := io.ReadFull(content, data); err != nil {
		free()
		return nil, err
	}
	sum.Write(data)
	f := NewFile(e, data)
	f.free = free
	return f, nil
}

func (k *keeper) onDisk(e Entry, content io.Reader, sum io.Writer, small bool) (*File, error) {
	if !small {
		tmp, err := unlinkedTemp(k.limits.ScratchDir)
		if err != nil {
			return nil, err
		}
		if err := k.copy(tmp, content, sum, e.Size); err != nil {
			tmp.Close()
			return nil, err
		}
		return &File{Entry: e, ReaderAt: tmp, free: func() {
			tmp.Close()
			k.pool.disk.give(e.Size)
		}}, nil
	}
	if k.shared == nil {
		tmp, err := unlinkedTemp(k.limits.ScratchDir)
		if err != nil {
			return nil, err
		}
		k.shared = tmp
	}
	if err := k.copy(k.shared, content, sum, e.Size); err != nil {
		return nil, err
	}
	at := k.end
	k.end += e.Size
	return &File{Entry: e, ReaderAt: io.NewSectionReader(k.shared, at, e.Size), free: func() { k.pool.disk.give(e.Size) }}, nil
}

func (k *keeper) copy(to io.Writer, content io.Reader, sum io.Writer, size int64) error {
	n, err := io.CopyBuffer(io.MultiWriter(to, sum), io.LimitReader(content, size), k.buf)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// close ends the shared spool, after the last file of it was released.
func (k *keeper) close() {
	if k.shared != nil {
		k.shared.Close()
	}
}

// unlinkedTemp makes a temporary file without a name. Where the system cannot
// remove an open file the name stays.
func unlinkedTemp(dir string) (*os.File, error) {
	if tmp, err := namelessTemp(dir); err == nil {
		return tmp, nil
	}
	tmp, err := os.CreateTemp(dir, "tidewaiter-*")
	if err != nil {
		return nil, err
	}
	os.Remove(tmp.Name())
	return tmp, nil
}
