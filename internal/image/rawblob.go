package image

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
)

// rawBlob counts and hashes a layer's blob as it comes from its source.
type rawBlob struct {
	r       io.Reader
	layer   *Layer
	limit   int64
	fetched func(layer int, n int64)

	n   int64
	sum hash.Hash // nil when nothing is promised about the blob
	err error     // of the source, other than io.EOF
}

func (b *rawBlob) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.fetched != nil && n > 0 {
		b.fetched(b.layer.Index, int64(n))
	}
	switch size := b.layer.Size; {
	case size >= 0 && b.n > size:
		err = &SizeError{What: "blob", Want: size, Got: b.n}
	case b.n > b.limit:
		err = &LimitError{"the blob", "BlobBytes", b.limit}
	}
	if b.sum != nil {
		b.sum.Write(p[:n])
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// start decides who hashes what, once the beginning has been read. Of a plain
// layer the blob is the tar: one hash, made here, serves for both.
func (b *rawBlob) start(kind compression, head []byte, s *Stream) {
	switch {
	case kind == plain && (b.layer.Digest == "" || algorithm(b.layer.Digest) == s.alg):
		b.sum = s.sum
		s.sum = nil // the consumer has nothing to hash
	case b.layer.Digest != "":
		b.sum = newHash(algorithm(b.layer.Digest))
	}
	if b.sum != nil {
		b.sum.Write(head)
	}
}

// verify compares the whole blob, which must have been read, with what the
// manifest promises.
func (b *rawBlob) verify(s *Stream, kind compression) error {
	l := b.layer
	if l.Size >= 0 && b.n != l.Size {
		return &SizeError{What: "blob", Want: l.Size, Got: b.n}
	}
	if b.sum == nil {
		return nil
	}
	alg := s.alg
	if l.Digest != "" {
		alg = algorithm(l.Digest)
	}
	got := formatDigest(alg, b.sum)
	if l.Digest != "" && got != l.Digest {
		return &DigestError{What: l.String() + " blob", Want: l.Digest, Got: got}
	}
	if kind == plain && alg == s.alg {
		s.known = got
	}
	return nil
}

// blame finds out why decompressing failed: the source, a corrupt blob, or an
// image that was built corrupt.
func (b *rawBlob) blame(ctx context.Context, err error) error {
	var limit *LimitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.err != nil:
		return b.err
	case errors.As(err, &limit) || b.sum == nil:
		return err
	}
	if _, rerr := io.Copy(io.Discard, b); rerr != nil {
		return errors.Join(err, rerr)
	}
	if got := formatDigest(algorithm(b.layer.Digest), b.sum); b.layer.Digest != "" && got != b.layer.Digest {
		return &DigestError{What: b.layer.String() + " blob", Want: b.layer.Digest, Got: got}
	}
	return fmt.Errorf("the blob is as the manifest says, but broken: %w", err)
}
