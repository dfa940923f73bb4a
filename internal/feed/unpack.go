package feed

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/tidewaiter/tidewaiter/internal/inflate"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the history that a compressed stream may make us keep.
const maxWindow = 256 << 20

// decompress unpacks a stream if its first bytes say that it is compressed;
// c.is tells. close must be called when the reader is done with.
func decompress(c *counter) (r io.Reader, close func(), err error) {
	in := bufio.NewReaderSize(c, 64<<10)
	head, err := in.Peek(18)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	nop := func() {}
	c.is = true
	switch {
	case len(head) >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8:
		return inflate.NewReader(in), nop, nil
	case len(head) >= 10 && string(head[:3]) == "BZh" && head[3] >= '1' && head[3] <= '9' && (string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17rE8P\x90"):
		return bzip2.NewReader(in), nop, nil
	case len(head) >= 18 && string(head[:6]) == "\xfd7zXZ\x00":
		if n := xzDictionary(head); n > maxWindow {
			return nil, nil, &LimitError{"its xz dictionary", "bytes", maxWindow}
		}
		x, err := xz.NewReader(in)
		return x, nop, err
	case len(head) >= 4 && isZstd(binary.LittleEndian.Uint32(head)):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	c.is = false
	return in, nop, nil
}

func isZstd(magic uint32) bool { return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50 }

// xzDictionary returns the dictionary size that the first block asks for: .xz
// file format 1.2.1, 3.1 and 5.3.1.
func xzDictionary(head []byte) int64 {
	// 12 bytes of stream header, size of block header, flags, then filters:
	// identifier 0x21 (LZMA2), 1 byte of properties.
	if head[12] == 0 || head[13]&0xc3 != 0 || head[14] != 0x21 || head[15] != 1 {
		return 0
	}
	bits := int64(head[16])
	if bits >= 40 {
		return 1 << 32
	}
	return (2 | bits&1) << (bits/2 + 11)
}

func trimPacked(name string) string {
	for _, ext := range []string{".gz", ".bz2", ".xz", ".zst", ".zstd"} {
		if s, ok := strings.CutSuffix(name, ext); ok && s != "" {
			return s
		}
	}
	return name
}

func isZip(head []byte) bool {
	return len(head) >= 4 && (string(head[:4]) == "PK\x03\x04" || string(head[:4]) == "PK\x05\x06")
}

// isTar looks at the checksum of a header; old tars have no magic.
func isTar(b []byte) bool {
	if len(b) < 512 {
		return false
	}
	var sum, want int64
	for i, c := range b[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	field := strings.Trim(string(b[148:156]), " \x00")
	if field == "" || len(field) > 7 {
		return false
	}
	for i := range len(field) {
		if field[i] < '0' || field[i] > '7' {
			return false
		}
		want = want<<3 | int64(field[i]-'0')
	}
	return sum == want && sum > 8*' '
}

// ratioBase tells how many packed bytes were read for what came out.
type ratioBase interface{ packedBytes() int64 }

// counter counts what is read of a packed stream.
type counter struct {
	r  io.Reader
	n  int64
	is bool // it is compressed
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) packedBytes() int64 {
	if !c.is {
		return -1
	}
	return c.n
}

// fixed is the packed size where it is known before.
type fixed uint64

func (f fixed) packedBytes() int64 { return int64(min(uint64(f), 1<<62)) }

// stream bounds what comes out of a file, or out of a member of a zip: in all,
// and for each packed byte. What it finds ends the walk.
func (o *opener) stream(r io.Reader, name string, packed ratioBase) io.Reader {
	return &bounded{o: o, r: r, name: name, packed: packed}
}

type bounded struct {
	o      *opener
	r      io.Reader
	name   string
	packed ratioBase
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.o.over != nil {
		return 0, b.o.over
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.o.total += int64(n)
	if l := b.o.limits.Total; b.o.total > l {
		b.o.over = &LimitError{b.name, "unpacked bytes in all", l}
		return 0, b.o.over
	}
	if b.n > 64<<20 {
		if in, l := b.packed.packedBytes(), b.o.limits.Ratio; in >= 0 && b.n/max(in, 1) > l {
			b.o.over = &LimitError{b.name, "unpacked bytes for each packed one", l}
			return 0, b.o.over
		}
	}
	return n, err
}

// one bounds the size of one member.
func (o *opener) one(r io.Reader, name string) io.Reader {
	return &single{r, name, o.limits.Member, o.limits.Member}
}

type single struct {
	r          io.Reader
	name       string
	left, most int64
}

func (s *single) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, &LimitError{s.name, "unpacked bytes of one file", s.most}
	}
	return n, err
}

// budget is a ReaderAt that gives so many bytes; without bound when negative.
type budget struct {
	r    io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if b.left -= int64(len(p)); b.left < 0 {
			b.left = 0
			return 0, &LimitError{"the directory of the archive", "bytes", 512 << 20}
		}
	}
	return b.r.ReadAt(p, off)
}

// peeker is a buffered reader one can look ahead in.
type peeker struct{ *bufio.Reader }

func newPeeker(r io.Reader) peeker { return peeker{bufio.NewReaderSize(r, 64<<10)} }

// peek returns up to n bytes; fewer only at the end.
func (p peeker) peek(n int) ([]byte, error) {
	b, err := p.Peek(n)
	if errors.Is(err, io.EOF) {
		return b, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("at its start: %w", err)
	}
	return b, nil
}
