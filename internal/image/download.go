package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errStalled is why a request without any byte for too long was given up.
var errStalled = errors.New("the other side sent nothing for too long (stalled)")

// download reads a blob over HTTP. When the connection breaks it goes on at
// the byte where it stopped; the blob's digest shows whether that was right.
type download struct {
	ctx    context.Context // of the reader, whose Read has none
	client *http.Client
	url    string
	what   string
	size   int64 // -1: unknown
	o      Options

	off    int64 // bytes given so far
	body   io.ReadCloser
	skip   int64 // what body brings again before the byte at off
	broken int   // breaks in a row that brought little
	mark   int64 // off at the last break
}

// progress is what a connection must bring for its break to be forgiven.
const progress = 1 << 20

// openDownload sends the first request, so that a missing blob is seen at once.
func openDownload(ctx context.Context, d *download) (io.ReadCloser, error) {
	d.ctx = ctx
	if err := d.connect(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *download) Read(p []byte) (int, error) {
	for {
		if d.body == nil {
			if err := d.connect(); err != nil {
				return 0, err
			}
		}
		var n int
		var err error
		if d.skip > 0 {
			var skipped int64
			skipped, err = io.CopyN(io.Discard, d.body, d.skip)
			d.skip -= skipped
		}
		if err == nil {
			n, err = d.body.Read(p)
			d.off += int64(n)
		}
		if err == nil || n > 0 {
			return n, nil // an error comes again
		}
		if err == io.EOF && d.skip == 0 && (d.size < 0 || d.off >= d.size) {
			return 0, io.EOF
		}
		if err := d.recover(err); err != nil {
			return 0, err
		}
	}
}

// recover decides whether to go on after the connection broke.
func (d *download) recover(err error) error {
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.body.Close()
	d.body = nil
	if d.off-d.mark >= progress {
		d.broken = 0
	}
	d.mark = d.off
	if d.broken++; d.broken > d.o.Retries {
		return fmt.Errorf("%s: broken off at byte %d of %d, %d times: %w", d.what, d.off, d.size, d.broken, err)
	}
	return sleep(d.ctx, d.o.backoff(d.broken-1))
}

// connect asks for the rest of the blob.
func (d *download) connect() error {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return err
	}
	if d.off > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.off))
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	if d.skip, err = d.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	d.body = resp.Body
	return nil
}

// accept checks what is coming and says how much of it was had before.
func (d *download) accept(resp *http.Response) (skip int64, err error) {
	switch {
	case resp.StatusCode == http.StatusOK:
		if d.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != d.size {
			return 0, &SizeError{What: d.what, Want: d.size, Got: resp.ContentLength}
		}
		return d.off, nil // ranges are not supported: from the beginning again
	case resp.StatusCode == http.StatusPartialContent && d.off > 0:
		var from, to, total int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total); err == nil && d.size >= 0 && total != d.size {
			return 0, &SizeError{What: d.what, Want: d.size, Got: total}
		}
		if from != d.off {
			return 0, fmt.Errorf("%s: asked for bytes from %d, got %q", d.what, d.off, shorten(resp.Header.Get("Content-Range")))
		}
		return 0, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return 0, &SizeError{What: d.what, Want: d.size, Got: d.off}
	}
	return 0, statusError(resp)
}

func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}

// stallReader gives a request up when it brings nothing for some time. The
// time between reads, which is the consumer's, does not count.
type stallReader struct {
	r      io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  time.Duration
	timer  *time.Timer
}

func (s *stallReader) Read(p []byte) (int, error) {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.after, func() { s.cancel(errStalled) })
	} else {
		s.timer.Reset(s.after)
	}
	n, err := s.r.Read(p)
	s.timer.Stop()
	if err != nil && context.Cause(s.ctx) != nil {
		err = context.Cause(s.ctx) // a connection that was given up may look like a proper end
	}
	return n, err
}

func (s *stallReader) Close() error {
	s.cancel(nil)
	return s.r.Close()
}
