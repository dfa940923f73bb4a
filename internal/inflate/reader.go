// Package inflate reads gzip streams (RFC 1952, RFC 1951) several times faster than the usual Go readers; what the bytes mean is left to others.
//
// A [Reader] decodes into [Chunk] buffers. A chunk carries the 32 KiB of history that matches may point into in front of its output, and some slack behind it,
// so the decoder writes every byte once, in its final place, and nothing is copied again but that history.
//
// There are three ways to use it, from the fastest to the most convenient:
//
//   - [Reader.Fill] decodes into chunks that the caller owns. One goroutine fills chunks and hands them over, another consumes and returns them:
//     inflating and consuming overlap, and no byte of output is copied.
//   - [Reader.Next] returns the output chunk by chunk, in a buffer of the reader.
//   - [Reader.Read] makes it an [io.Reader], at the price of one copy.
//
// Output and verdict are those of compress/gzip in its default, multi-member mode, for every input, with one deliberate difference: an input of no bytes at all is
// [io.ErrUnexpectedEOF]; compress/gzip reports it from NewReader as [io.EOF], which here would read as an empty stream that is fine.
package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The ways in which a stream can be bad. A stream that ends too early is [io.ErrUnexpectedEOF]; an error of the source is returned as it is.
var (
	// ErrHeader says that a member has no valid gzip header; garbage behind the last member is one case of it.
	ErrHeader = errors.New("gzip: invalid header")
	// ErrCorrupt says that the deflate data break the format. Errors wrap it and add the approximate offset in the compressed input.
	ErrCorrupt = errors.New("gzip: corrupt deflate data")
	// ErrChecksum says that the data do not have the CRC-32 or the length that the trailer states.
	ErrChecksum = errors.New("gzip: wrong checksum or length")
)

const (
	inputSize = 128 << 10 // bytes asked from the source at once
	inputPad  = 16        // readable bytes behind the input, for loads that pass its end
	lowWater  = 1 << 10   // input that a step wants; more than the longest block header (562 bytes)
)

// state says what the next bits of the input are.
type state uint8

const (
	atMember  state = iota // a member's header, or the end
	atBlock                // a block's header
	inStored               // the bytes of a stored block
	inHuffman              // the symbols of a compressed block
	atTrailer              // a member's checksum and length
)

// A Reader decompresses one gzip stream of one or more members. It is not safe for concurrent use, but may pass from goroutine to goroutine.
//
// Data are checked when their member ends: treat what was handed out as tentative until [io.EOF].
// A Reader holds about 200 KiB, and one [Chunk] more once Next or Read is used. It never holds more, whatever the input says.
type Reader struct {
	src    io.Reader
	srcErr error // why no more input can be had
	err    error // what the next call returns
	state  state
	final  bool // the current block is its member's last
	first  bool // no member has been read yet
	fixed  bool // the tables hold the fixed codes of RFC 1951, 3.2.6

	stored uint   // bytes left in the stored block
	crc    uint32 // of the member's output, up to mark
	size   uint32 // of the member's output up to mark, modulo 2^32

	// Positions in the chunk being filled.
	mark uint // output up to here is part of crc and size
	low  uint // where the history begins that matches may use

	own     *Chunk // for Next and Read
	pending []byte // of own, not yet read by Read

	// Input: in[ip:end] and, before it, the nb low bits of bits. Between steps nb < 8, and higher bits of bits are zero.
	bits uint64
	nb   uint
	ip   uint
	end  uint
	base int64 // offset of in[0] in the stream

	lit    litTable
	dist   distTable
	flat   bool // most symbols of the block are literals of 8 bits
	litMin uint // fewest bits a literal/length code may be read from; see edge

	histLen uint
	hist    [window]byte // the newest histLen bytes of output, at its end
	in      [inputSize + inputPad]byte
}

var _ io.Reader = (*Reader)(nil)

// NewReader returns a reader of the gzip stream r. It reads nothing before the first call for data.
// Afterwards it reads ahead, in pieces of up to 128 KiB, and may have read past the end of the stream.
func NewReader(r io.Reader) *Reader {
	z := new(Reader)
	z.Reset(r)
	return z
}

// Reset makes z a reader of r, as NewReader would, keeping its buffers. Chunks stay with whom they are.
func (z *Reader) Reset(r io.Reader) {
	z.src, z.srcErr, z.err = r, nil, nil
	z.state, z.final, z.first = atMember, false, true
	z.stored, z.crc, z.size = 0, 0, 0
	z.pending = nil
	z.bits, z.nb, z.ip, z.end, z.base = 0, 0, 0, 0, 0
	z.histLen = 0
}

// Next returns the next piece of output, at least one byte, valid until the following call of any method.
// At the end, after the checks of the last member, the error is [io.EOF]. Output before an error is always handed out first. Errors stay.
func (z *Reader) Next() ([]byte, error) {
	if len(z.pending) > 0 {
		p := z.pending
		z.pending = nil
		return p, nil
	}
	if z.own == nil {
		if z.err != nil {
			return nil, z.err
		}
		z.own = new(Chunk)
	}
	if err := z.Fill(z.own); err != nil {
		return nil, err
	}
	return z.own.Bytes(), nil
}

// Read implements [io.Reader].
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(z.pending) == 0 {
		b, err := z.Next()
		if err != nil {
			return 0, err
		}
		z.pending = b
	}
	n := copy(p, z.pending)
	z.pending = z.pending[n:]
	return n, nil
}

// Fill decodes the next piece of output into c and returns when c is full or the stream ends. With a nil error [Chunk.Bytes] is not empty;
// with an error it is, and the error is that of Next.
//
// The reader keeps nothing of c: as soon as Fill returns, c belongs to the caller, may go to another goroutine, and may be filled again
// by this or by another reader when nobody reads its bytes any more. Calls of Fill, Next and Read may be mixed.
func (z *Reader) Fill(c *Chunk) error {
	c.n = 0
	if len(z.pending) > 0 {
		c.n = copy(c.buf[window:outEnd], z.pending)
		z.pending = z.pending[c.n:]
		return nil
	}
	if z.err != nil {
		return z.err
	}
	copy(c.buf[window-z.histLen:window], z.hist[window-z.histLen:])
	z.low, z.mark = window-z.histLen, window
	op := uint(window)
	for op < outEnd && z.err == nil {
		op, z.err = z.step(c, op)
	}
	z.sum(c, op)
	z.histLen = min(op-z.low, window)
	copy(z.hist[window-z.histLen:], c.buf[op-z.histLen:op])
	c.n = int(op - window)
	if c.n > 0 {
		return nil // the error, if any, comes with the next call
	}
	return z.err
}

// step does whatever is next, writes output to c from op on, and returns where it ended.
func (z *Reader) step(c *Chunk, op uint) (uint, error) {
	switch z.state {
	case atMember:
		if err := z.readHeader(); err != nil {
			return op, err
		}
		z.first = false
		z.crc, z.size, z.mark, z.low = 0, 0, op, op
		z.state = atBlock
		return op, nil
	case atBlock:
		return op, z.readBlockHeader()
	case inStored:
		return z.copyStored(c, op)
	case inHuffman:
		return z.decode(c, op)
	default:
		z.sum(c, op)
		z.state = atMember
		return op, z.readTrailer()
	}
}

// sum takes the output up to op into the checksum and the length.
func (z *Reader) sum(c *Chunk, op uint) {
	p := c.buf[z.mark:op]
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	z.size += uint32(len(p))
	z.mark = op
}

// endBlock sets the state for what follows a block.
func (z *Reader) endBlock() {
	z.state = atBlock
	if z.final {
		// The trailer begins at a byte; fewer than 8 bits are held here.
		z.bits, z.nb = 0, 0
		z.state = atTrailer
	}
}

func (z *Reader) corrupt() error {
	return fmt.Errorf("%w near byte %d", ErrCorrupt, z.base+int64(z.ip))
}
