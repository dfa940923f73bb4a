package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/inflate"
)

const (
	// chunkSize is that of chunks which are not inflated; inflate chooses its own.
	chunkSize = 256 << 10
	// ringSize chunks lie between the goroutine that makes them and the consumer.
	ringSize = 4
)

// chunk is a piece of a tar on its way from goroutine to goroutine.
type chunk struct {
	b        []byte        // the piece: in one of the two buffers below
	inflated inflate.Chunk // where gzip is inflated to, without another copy
	other    []byte        // everything else; made when first needed
}

// room gives the buffer for what is not inflated.
func (c *chunk) room() []byte {
	if c.other == nil {
		c.other = make([]byte, chunkSize)
	}
	return c.other
}

// Stream is a layer's tar, uncompressed and verified. It belongs to one
// goroutine, that of its consumer; another one, of the stream's own, fetches,
// hashes and decompresses ahead of it.
type Stream struct {
	layer  *Layer
	cancel context.CancelFunc
	full   chan *chunk // closed by the producer after its last chunk
	free   chan *chunk

	// The producer's, until full is closed.
	made     int    // chunks in circulation
	failure  error  // why the producer stopped; nil at the end
	known    string // DiffID, when the producer could tell without extra work
	problems []Problem

	// The consumer's.
	cur  *chunk // lent out by Next, or being read
	rest []byte // what Read has not given of it
	sum  hash.Hash
	alg  string
	err  error
}

// Open starts to read the layer. The stream must be closed.
func (l *Layer) Open(ctx context.Context) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if encrypted(l.MediaType) {
		return nil, fmt.Errorf("%s: encrypted (%s)", l, l.MediaType)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{
		layer: l, cancel: cancel, alg: algorithm(l.DiffID),
		full: make(chan *chunk, ringSize), free: make(chan *chunk, ringSize),
	}
	s.sum = newHash(s.alg)
	go func() {
		defer close(s.full)
		s.failure = s.run(ctx)
	}()
	return s, nil
}

// Next gives the next piece of the tar, valid until the next call of any
// method. It returns io.EOF only after the blob's digest and size and the
// DiffID were found to be right; a [*DigestError] or [*SizeError] says what is
// not.
func (s *Stream) Next() ([]byte, error) {
	if len(s.rest) > 0 {
		b := s.rest
		s.rest = nil
		return b, nil
	}
	if s.err != nil {
		return nil, s.err
	}
	s.giveBack()
	c, ok := <-s.full
	if !ok {
		s.err = s.finish()
		return nil, s.err
	}
	s.cur = c
	if s.sum != nil {
		s.sum.Write(c.b)
	}
	return c.b, nil
}

// Read copies out of the pieces that [Stream.Next] gives.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 {
		b, err := s.Next()
		if err != nil {
			return 0, err
		}
		s.rest = b
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Drain reads to the end, so that everything is verified though the tar ended
// before. It returns nil where Next would return io.EOF.
func (s *Stream) Drain() error {
	for {
		if _, err := s.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// DiffID is the digest of the whole tar; empty before the end was reached.
func (s *Stream) DiffID() string {
	if s.err != io.EOF {
		return ""
	}
	return s.known
}

// Close stops reading and waits for the stream's goroutine. It may be called
// at any time, and again.
func (s *Stream) Close() error {
	s.cancel()
	s.rest = nil
	s.giveBack()
	for c := range s.full {
		s.free <- c
	}
	if s.err == nil {
		s.err = fmt.Errorf("%s: stream is closed", s.layer)
	}
	for ; s.made > 0; s.made-- {
		s.layer.image.chunks.Put(<-s.free)
	}
	return nil
}

func (s *Stream) giveBack() {
	if s.cur != nil {
		s.free <- s.cur
		s.cur = nil
	}
}

// finish judges what was read, when all of it was.
func (s *Stream) finish() error {
	if s.failure != nil {
		var d *DigestError
		if errors.As(s.failure, &d) {
			return s.failure
		}
		return fmt.Errorf("%s: %w", s.layer, s.failure)
	}
	l := s.layer
	if s.known == "" {
		s.known = formatDigest(s.alg, s.sum)
	}
	if l.DiffID != "" && s.known != l.DiffID {
		return &DigestError{What: l.String() + " uncompressed (DiffID)", Want: l.DiffID, Got: s.known}
	}
	if s.problems != nil {
		l.mu.Lock()
		l.problems = s.problems
		l.mu.Unlock()
	}
	return io.EOF
}

// run is the producer.
func (s *Stream) run(ctx context.Context) error {
	l := s.layer
	if l.produce != nil {
		w := &chunkWriter{s: s, ctx: ctx}
		problems, err := l.produce(ctx, w)
		s.problems = problems
		return errors.Join(err, w.flush())
	}
	blob, err := l.blob(ctx)
	if err != nil {
		return err
	}
	defer blob.Close()
	raw := &rawBlob{r: blob, layer: l, limit: l.image.limits.BlobBytes, fetched: l.image.fetched}
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(raw, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	head = head[:n]
	kind := sniff(head)
	raw.start(kind, head, s)

	in := io.MultiReader(bytes.NewReader(head), raw)
	fill, done, err := l.image.decompressor(in, kind)
	if err == nil {
		err = s.pump(ctx, fill, raw)
		done()
	}
	if err != nil {
		return raw.blame(ctx, err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return err
	}
	return raw.verify(s, kind)
}

// pump makes chunks until fill ends.
func (s *Stream) pump(ctx context.Context, fill filler, raw *rawBlob) error {
	limits := s.layer.image.limits
	var total int64
	for {
		c, err := s.buffer(ctx)
		if err != nil {
			return err
		}
		err = fill(c)
		total += int64(len(c.b))
		switch {
		case total > limits.LayerBytes:
			err = &LimitError{"the layer uncompressed", "LayerBytes", limits.LayerBytes}
		case total > ratioStart && total/limits.Ratio > raw.n:
			err = &LimitError{"the layer's compression ratio", "Ratio", limits.Ratio}
		}
		if len(c.b) == 0 {
			s.free <- c
		} else if perr := s.put(ctx, c); perr != nil {
			return perr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// buffer gives an empty chunk, waiting for the consumer when all are in use.
func (s *Stream) buffer(ctx context.Context) (*chunk, error) {
	if s.made < ringSize && len(s.free) == 0 {
		s.made++
		if c, ok := s.layer.image.chunks.Get().(*chunk); ok {
			return c, nil
		}
		return &chunk{}, nil
	}
	select {
	case c := <-s.free:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// put hands a chunk over. It never waits: there is room for all there are.
func (s *Stream) put(ctx context.Context, c *chunk) error {
	s.full <- c
	return context.Cause(ctx)
}

// chunkWriter makes chunks of what is written.
type chunkWriter struct {
	s   *Stream
	ctx context.Context
	c   *chunk
	n   int
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if w.c == nil {
			c, err := w.s.buffer(w.ctx)
			if err != nil {
				return written, err
			}
			w.c, w.n = c, 0
		}
		n := copy(w.c.room()[w.n:], p)
		w.n += n
		written += n
		p = p[n:]
		if w.n == chunkSize {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (w *chunkWriter) flush() error {
	c := w.c
	if c == nil {
		return nil
	}
	w.c = nil
	c.b = c.room()[:w.n]
	return w.s.put(w.ctx, c)
}
