package rpm

import (
	"errors"
	"fmt"
	"io"
)

// reader reads pieces of a file that lies in memory or is spooled.
type reader struct {
	r    io.ReaderAt
	data []byte // the whole file, if it is in memory
	size int64
	stop func() error // asked before every read

	ahead  int64  // of a spooled file: how much is read at once, at least
	window []byte // what was read last
	start  int64  // its offset
}

// fork returns a reader of the same file that reads ahead on its own.
func (r *reader) fork(ahead int64) *reader {
	return &reader{r: r.r, data: r.data, size: r.size, stop: r.stop, ahead: ahead}
}

// at returns n bytes at off, valid until the next call.
func (r *reader) at(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > r.size || n > r.size-off {
		return nil, fmt.Errorf("%d bytes at %d: the file has %d", n, off, r.size)
	}
	if r.data != nil {
		return r.data[off : off+n : off+n], nil
	}
	if i := off - r.start; i >= 0 && i <= int64(len(r.window)) && n <= int64(len(r.window))-i {
		return r.window[i : i+n : i+n], nil
	}
	if r.stop != nil {
		if err := r.stop(); err != nil {
			return nil, err
		}
	}
	want := min(max(n, r.ahead), r.size-off)
	if int64(cap(r.window)) < want {
		r.window = make([]byte, want)
	}
	r.window = r.window[:want]
	got, err := r.r.ReadAt(r.window, off)
	r.start, r.window = off, r.window[:got]
	if int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return r.window[:n:n], nil
}
