package image

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tidewaiter/tidewaiter/internal/inflate"
)

type compression string

const (
	plain    compression = "none"
	gzipped  compression = "gzip"
	zstanded compression = "zstd"
)

// sniffBytes is how much of a blob's beginning is needed to know what it is.
const sniffBytes = 512

// sniff tells the compression by the first bytes, since media types lie. What
// it gives beyond the three constants is known but not supported.
func sniff(head []byte) compression {
	switch {
	case isTar(head):
		return plain // even if its first file's name begins like something else
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		// A skippable frame may come first (RFC 8878, 3.1.2).
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}):
		return zstanded
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return "xz"
	case bytes.HasPrefix(head, []byte("BZh")):
		return "bzip2"
	}
	return plain
}

// isTar knows POSIX and GNU headers; archives older than 1988 it does not.
func isTar(head []byte) bool {
	return len(head) >= 263 && string(head[257:262]) == "ustar"
}

// filler puts the next piece of content into c.b. The last piece may come
// together with io.EOF or an error, and may be empty.
type filler func(c *chunk) error

// decompressor reads r, a blob, to its end. What follows the compressed data
// in it is an error. done must be called when no more is read.
func (i *Image) decompressor(r io.Reader, kind compression) (fill filler, done func(), err error) {
	if kind == gzipped {
		z, ok := i.readers.Get().(*inflate.Reader)
		if ok {
			z.Reset(r)
		} else {
			z = inflate.NewReader(r)
		}
		return func(c *chunk) error {
			err := z.Fill(&c.inflated)
			c.b = c.inflated.Bytes()
			return err
		}, func() { i.readers.Put(z) }, nil
	}
	u, done, err := decompress(r, kind)
	if err != nil {
		return nil, nil, err
	}
	return func(c *chunk) error {
		b, n := c.room(), 0
		var err error
		for n < len(b) && err == nil {
			var m int
			m, err = u.Read(b[n:])
			n += m
		}
		c.b = b[:n]
		return err
	}, done, nil
}

// decompress is decompressor as an io.Reader.
func decompress(r io.Reader, kind compression) (u io.Reader, done func(), err error) {
	switch kind {
	case plain:
		return r, func() {}, nil
	case gzipped:
		return inflate.NewReader(r), func() {}, nil
	case zstanded:
		// In the calling goroutine; a window is allocated as it fills.
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	}
	return nil, nil, fmt.Errorf("compressed with %s, which no image specification allows", kind)
}

// encrypted tells layers that cannot be read without a key.
func encrypted(mediaType string) bool { return strings.HasSuffix(mediaType, "+encrypted") }
