package inflate

import "encoding/binary"

// margin is the input that one round of the fast loop may consume or load: three refills, each of which loads 8 bytes and moves on by at most 7.
const margin = 32

// outcome says why a decoding loop ended.
type outcome uint8

const (
	paused    outcome = iota // the chunk is full, or the input is short
	blockEnd                 // the block's last symbol was read
	corrupted                // a symbol that means nothing, or a distance that reaches before the beginning
	truncated                // the input ends
)

// decode decodes symbols of a compressed block to c from op on, and returns where it ended.
func (z *Reader) decode(c *Chunk, op uint) (uint, error) {
	z.more(lowWater)
	var why outcome
	if z.end-z.ip > margin {
		op, why = z.fast(c, op)
	} else {
		op, why = z.edge(c, op)
	}
	switch why {
	case blockEnd:
		z.endBlock()
	case corrupted:
		return op, z.corrupt()
	case truncated:
		return op, z.short()
	}
	return op, nil
}

// fast decodes while there is plenty of input and room. More than margin bytes of input must be there.
//
// Its speed rests on details; measure before you change any. Counts and shifts use the low bits of what they are given, so garbage above them may stay.
// A refill loads 8 bytes over what is already there, then counts only the whole bytes that were new.
func (z *Reader) fast(c *Chunk, op uint) (uint, outcome) {
	out := &c.buf
	bits, nb, ip, low := z.bits, uint32(z.nb), z.ip, z.low
	stop := z.end - margin
	why := paused
	for ip < stop && op < outEnd {
		bits |= binary.LittleEndian.Uint64(z.in[ip:ip+8]) << (nb & 63)
		ip += uint(^nb >> 3 & 7)
		nb |= 56

		e := z.lit[bits&litMask]
		if int32(e) < 0 {
			bits >>= e & 63
			nb -= e
			out[op] = byte(e >> 16)
			op++
			e = z.lit[bits&litMask]
			if int32(e) < 0 {
				bits >>= e & 63
				nb -= e
				out[op] = byte(e >> 16)
				op++
				e = z.lit[bits&litMask]
				if int32(e) < 0 {
					bits >>= e & 63
					nb -= e
					out[op] = byte(e >> 16)
					op++
					continue
				}
			}
		}
		if e&entrySpecial != 0 {
			if e&entryLink != 0 {
				bits >>= litRoot
				nb -= litRoot
				e = z.lit[(uint64(e>>16)+bits&(1<<(e>>8&15)-1))&uint64(len(z.lit)-1)]
				if int32(e) < 0 {
					bits >>= e & 63
					nb -= e
					out[op] = byte(e >> 16)
					op++
					continue
				}
			}
			if e&entrySpecial != 0 {
				why = corrupted
				if e&entryEnd != 0 {
					bits >>= e & 63
					nb -= e
					why = blockEnd
				}
				break
			}
		}
		length := uint(e>>16) + uint(bits&(1<<(e&63)-1)>>(e>>8&63))
		bits >>= e & 63
		nb -= e

		if uint8(nb) < maxCode+13 {
			bits |= binary.LittleEndian.Uint64(z.in[ip:ip+8]) << (nb & 63)
			ip += uint(^nb >> 3 & 7)
			nb |= 56
		}
		d := z.dist[bits&distMask]
		if d&entrySpecial != 0 {
			if d&entryLink == 0 {
				why = corrupted
				break
			}
			bits >>= distRoot
			nb -= distRoot
			d = z.dist[(uint64(d>>16)+bits&(1<<(d>>8&15)-1))&uint64(len(z.dist)-1)]
			if d&entrySpecial != 0 {
				why = corrupted
				break
			}
		}
		dist := uint(d>>16) + uint(bits&(1<<(d&63)-1)>>(d>>8&63))
		bits >>= d & 63
		nb -= d

		if dist > op-low {
			why = corrupted
			break
		}
		if dist >= 16 {
			src, dst := op-dist, op
			*(*[16]byte)(out[dst : dst+16]) = *(*[16]byte)(out[src : src+16])
			*(*[16]byte)(out[dst+16 : dst+32]) = *(*[16]byte)(out[src+16 : src+32])
			op += length
			for dst += 32; dst < op; dst += 16 {
				src := dst - dist
				*(*[16]byte)(out[dst : dst+16]) = *(*[16]byte)(out[src : src+16])
			}
		} else {
			repeat(out, op, dist, length)
			op += length
		}
	}
	z.giveBack(bits, uint(nb), ip)
	return op, why
}

// repeat writes length bytes to out from op on, each the byte dist < 16 before it. It may write up to 15 bytes more.
func repeat(out *[outEnd + slack]byte, op, dist, length uint) {
	end := op + length
	// The first 16 bytes are the pattern over and over; from there on it is copied from a whole number of its lengths before, at least 16.
	step := dist
	for i := uint(0); i < 16; i++ {
		out[op+i] = out[op+i-dist]
	}
	for step < 16 {
		step += dist
	}
	for op += 16; op < end; op += 16 {
		*(*[16]byte)(out[op : op+16]) = *(*[16]byte)(out[op-step : op-step+16])
	}
}

// edge decodes the last symbols before the input's end, one by one. It consumes no bit that is not there, and fails exactly as compress/flate does, which takes
// input to be short if fewer bits are left than the code for the end of the block has, whatever the next symbol.
func (z *Reader) edge(c *Chunk, op uint) (uint, outcome) {
	b := z.bitReader()
	why := paused
	for op < outEnd && why == paused {
		b.refill()
		op, why = z.edgeSymbol(&b, c, op)
	}
	b.done()
	return op, why
}

// edgeSymbol decodes a literal, a match, or the end of the block. It needs at most 48 bits.
func (z *Reader) edgeSymbol(b *bitReader, c *Chunk, op uint) (uint, outcome) {
	e := z.lit[b.bits&litMask]
	if b.left < int(z.litMin) {
		return op, truncated
	}
	if e&(entryLiteral|entryLink) == entryLink {
		if _, ok := b.take(litRoot); !ok {
			return op, truncated
		}
		e = z.lit[(uint64(e>>16)+b.bits&(1<<(e>>8&15)-1))&uint64(len(z.lit)-1)]
	}
	v, ok := b.take(uint(e & 63))
	switch {
	case !ok:
		return op, truncated
	case e&entryLiteral != 0:
		c.buf[op] = byte(e >> 16)
		return op + 1, paused
	case e&entryEnd != 0:
		return op, blockEnd
	case e&entrySpecial != 0:
		return op, corrupted
	}
	length := uint(e>>16) + v>>(e>>8&15)

	d := z.dist[b.bits&distMask]
	if d&entryLink != 0 {
		if _, ok := b.take(distRoot); !ok {
			return op, truncated
		}
		d = z.dist[(uint64(d>>16)+b.bits&(1<<(d>>8&15)-1))&uint64(len(z.dist)-1)]
	}
	v, ok = b.take(uint(d & 63))
	switch {
	case !ok:
		return op, truncated
	case d&entrySpecial != 0:
		return op, corrupted
	}
	dist := uint(d>>16) + v>>(d>>8&15)
	if dist > op-z.low {
		return op, corrupted
	}
	for range length {
		c.buf[op] = c.buf[op-dist]
		op++
	}
	return op, paused
}
