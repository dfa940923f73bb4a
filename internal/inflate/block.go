package inflate

import "encoding/binary"

// bitReader reads the bits of a block's header. It knows how many are left, so input that ends is told from input that is wrong.
type bitReader struct {
	z    *Reader
	bits uint64
	nb   uint
	ip   uint
	left int // bits before the end of the input; what is loaded past it is never used
}

func (z *Reader) bitReader() bitReader {
	return bitReader{z: z, bits: z.bits, nb: z.nb, ip: z.ip, left: int(z.nb) + 8*int(z.end-z.ip)}
}

// refill makes 56 bits available, of which left are real.
func (b *bitReader) refill() {
	b.bits |= binary.LittleEndian.Uint64(b.z.in[b.ip:]) << (b.nb & 63)
	b.ip += (63 - b.nb) >> 3 & 7
	b.nb |= 56
}

// take returns the next n bits, n at most 32, of those that refill made available.
func (b *bitReader) take(n uint) (uint, bool) {
	if b.left < int(n) {
		return 0, false
	}
	v := uint(b.bits & (1<<n - 1))
	b.bits >>= n & 63
	b.nb -= n
	b.left -= int(n)
	return v, true
}

// done hands what was not taken back to the reader.
func (b *bitReader) done() { b.z.giveBack(b.bits, b.nb, b.ip) }

// readBlockHeader reads the header of a block and makes ready to read its contents (RFC 1951, 3.2.3).
func (z *Reader) readBlockHeader() error {
	z.more(lowWater)
	b := z.bitReader()
	b.refill()
	h, ok := b.take(3)
	if !ok {
		return z.short()
	}
	z.final = h&1 != 0
	switch h >> 1 {
	case 0:
		b.done()
		return z.readStoredHeader()
	case 1:
		z.fixedCodes()
	case 2:
		if err := z.dynamicCodes(&b); err != nil {
			return err
		}
	default:
		b.done()
		return z.corrupt()
	}
	b.done()
	z.state = inHuffman
	return nil
}

// readStoredHeader reads the length of a stored block, which begins at the next byte (RFC 1951, 3.2.4).
func (z *Reader) readStoredHeader() error {
	z.bits, z.nb = 0, 0
	h, err := z.peek(4)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint16(h)
	if n != ^binary.LittleEndian.Uint16(h[2:]) {
		return z.corrupt()
	}
	z.ip += 4
	z.stored = uint(n)
	z.state = inStored
	return nil
}

// copyStored copies bytes of a stored block to c from op on, and returns where it ended.
func (z *Reader) copyStored(c *Chunk, op uint) (uint, error) {
	if z.stored == 0 {
		z.endBlock()
		return op, nil
	}
	z.more(1)
	if z.ip == z.end {
		return op, z.short()
	}
	n := min(z.stored, z.end-z.ip, outEnd-op)
	copy(c.buf[op:op+n], z.in[z.ip:z.ip+n])
	z.ip += n
	z.stored -= n
	return op + n, nil
}

// fixedCodes makes the tables of the fixed codes (RFC 1951, 3.2.6).
func (z *Reader) fixedCodes() {
	if z.fixed {
		return
	}
	var lens [fixedLits]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	var c codes
	c.sort(lens[:], 256, lengthSymbols[:])
	c.build(z.lit[:], litRoot)
	for i := range lens[:fixedDists] {
		lens[i] = 5
	}
	c.sort(lens[:fixedDists], 0, distSymbols[:])
	c.build(z.dist[:], distRoot)
	z.litMin = 7
	z.fixed, z.flat = true, false
}

// isFlat says whether at least three quarters of a block's symbols are to be expected to be literals with codes of 8 bits, which have a share of 1/256 each.
func isFlat(literals []uint8) bool {
	n := 0
	for _, bits := range literals {
		if bits == 8 {
			n++
		}
	}
	return n >= 192
}

// preOrder is the order in which the lengths of the code-length code are sent (RFC 1951, 3.2.7).
var preOrder = [preCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicCodes reads the codes of a block that brings its own (RFC 1951, 3.2.7) and makes their tables. What b took is lost if it fails.
func (z *Reader) dynamicCodes(b *bitReader) error {
	h, ok := b.take(14)
	if !ok {
		return z.short()
	}
	lits, dists, pres := int(h&31)+257, int(h>>5&31)+1, int(h>>10)+4
	if lits > maxLits || dists > maxDists {
		return z.corrupt()
	}
	var c codes
	var lens [maxCodeLens]uint8
	var pre [preCodes]uint8
	b.refill()
	for i, sym := range preOrder[:pres] {
		if i == 16 {
			b.refill()
		}
		n, ok := b.take(3)
		if !ok {
			return z.short()
		}
		pre[sym] = uint8(n)
	}
	c.sort(pre[:], preCodes, nil)
	var t [1 << preRoot]uint32
	if !c.build(t[:], preRoot) {
		return z.corrupt()
	}
	if err := z.readCodeLengths(b, &t, lens[:lits+dists]); err != nil {
		return err
	}

	z.fixed = false
	c.sort(lens[:lits], 256, lengthSymbols[:])
	if !c.build(z.lit[:], litRoot) {
		return z.corrupt()
	}
	c.sort(lens[lits:lits+dists], 0, distSymbols[:])
	if !c.build(z.dist[:], distRoot) {
		return z.corrupt()
	}
	z.litMin = uint(lens[endOfBlock])
	z.flat = isFlat(lens[:endOfBlock])
	return nil
}

// readCodeLengths fills lens with the lengths that the code-length code t encodes.
func (z *Reader) readCodeLengths(b *bitReader, t *[1 << preRoot]uint32, lens []uint8) error {
	for i := 0; i < len(lens); {
		b.refill()
		e := t[b.bits&(1<<preRoot-1)]
		if _, ok := b.take(uint(e & 63)); !ok {
			return z.short()
		}
		if e&entrySpecial != 0 {
			return z.corrupt()
		}
		sym := uint8(e >> 16)
		if sym < 16 {
			lens[i] = sym
			i++
			continue
		}
		repeat, extra, value := 3, uint(3), uint8(0)
		switch sym {
		case 16:
			if i == 0 {
				return z.corrupt()
			}
			extra, value = 2, lens[i-1]
		case 18:
			repeat, extra = 11, 7
		}
		n, ok := b.take(extra)
		if !ok {
			return z.short()
		}
		repeat += int(n)
		if repeat > len(lens)-i {
			return z.corrupt()
		}
		for range repeat {
			lens[i] = value
			i++
		}
	}
	return nil
}
