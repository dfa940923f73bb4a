package inflate

import "encoding/binary"

const (
	// margin is the input that one round of the fast loop may still load: three refills, each of which loads 8 bytes and moves on by at most 7.
	margin = 32
	// fastInput is the input above which the fast loop makes progress: its first refill alone may take 7 bytes.
	fastInput = margin + 8
)

// flatLit is what an entry of a literal whose code has 8 bits looks like through flatMask.
const (
	flatLit  = entryLiteral | 8
	flatMask = entryLiteral | 63
)

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
	if z.end-z.ip > fastInput {
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

// refill loads 8 bytes over those that bits already holds and counts the whole bytes that are new: afterwards 56 bits or more are there.
// Of nb only the low six bits count, before and after; so a table entry may be subtracted from it as it is.
func (z *Reader) refill(bits uint64, nb uint32, ip uint) (uint64, uint32, uint) {
	i := ip & (inputSize - 1)
	return bits | binary.LittleEndian.Uint64(z.in[i:i+8])<<(nb&63), nb | 56, ip + uint(^nb>>3&7)
}

// value is the length or distance that entry e and its extra bits mean; bits begins with e's code.
func value(e uint32, bits uint64) uint {
	return uint(e>>16) + uint(bits&(1<<(e&63)-1)>>(e>>8&63))
}

// subTable is the index of the entry that link e and the bits behind it lead to.
func subTable(e uint32, bits uint64) uint64 {
	return uint64(e>>16) + bits&(1<<(e>>8&15)-1)
}

// fast decodes while there is plenty of input and room. More than fastInput bytes of input must be there.
//
// Its speed rests on details; measure before you change any. Indexes are masked rather than checked. The next entry is looked up before a match is copied, and bits are
// consumed before the value of what they were is computed, because what the next symbol is decides how soon the processor can go on.
func (z *Reader) fast(c *Chunk, op uint) (uint, outcome) {
	out, low, stop, flat := &c.buf, z.low, z.end-margin, z.flat
	why := paused
	bits, nb, ip := z.refill(z.bits, uint32(z.nb), z.ip)
	e := z.lit[bits&litMask]
	for ip < stop && op < outEnd {
		if flat && e&flatMask == flatLit {
			// The way the codes of this block are, the next literal likely has 8 bits too: look there at once, without waiting for what
			// this entry says, up to six times. Barely compressible data decode nearly twice as fast.
			to := (*[6]byte)(out[op&chunkMask:])
			to[0] = byte(e >> 16)
			e = z.lit[bits>>8&litMask]
			if e&flatMask != flatLit {
				bits, nb, op = bits>>8, nb-8, op+1
				goto general
			}
			to[1] = byte(e >> 16)
			e = z.lit[bits>>16&litMask]
			if e&flatMask != flatLit {
				bits, nb, op = bits>>16, nb-16, op+2
				goto general
			}
			to[2] = byte(e >> 16)
			e = z.lit[bits>>24&litMask]
			if e&flatMask != flatLit {
				bits, nb, op = bits>>24, nb-24, op+3
				goto general
			}
			to[3] = byte(e >> 16)
			e = z.lit[bits>>32&litMask]
			if e&flatMask != flatLit {
				bits, nb, op = bits>>32, nb-32, op+4
				goto general
			}
			to[4] = byte(e >> 16)
			e = z.lit[bits>>40&litMask]
			if e&flatMask != flatLit {
				bits, nb, op = bits>>40, nb-40, op+5
				goto general
			}
			to[5] = byte(e >> 16)
			bits, nb, op = bits>>48, nb-48, op+6
			bits, nb, ip = z.refill(bits, nb, ip)
			e = z.lit[bits&litMask]
			continue
		general:
			bits, nb, ip = z.refill(bits, nb, ip)
		}
		// Before the next refill at most 42 bits are used: two literals of 11 bits and a length of 15 and 5 extra.
		if int32(e) < 0 {
			bits >>= e & 63
			nb -= e
			out[op&chunkMask] = byte(e >> 16)
			op++
			e = z.lit[bits&litMask]
			if int32(e) < 0 {
				bits >>= e & 63
				nb -= e
				out[op&chunkMask] = byte(e >> 16)
				op++
				e = z.lit[bits&litMask]
				if int32(e) < 0 {
					bits >>= e & 63
					nb -= e
					out[op&chunkMask] = byte(e >> 16)
					op++
					bits, nb, ip = z.refill(bits, nb, ip)
					e = z.lit[bits&litMask]
					continue
				}
			}
		}
		if int16(e) < 0 { // entrySpecial
			if e&entryLink != 0 {
				bits >>= litRoot
				nb -= litRoot
				e = z.lit[subTable(e, bits)&uint64(len(z.lit)-1)]
				if int32(e) < 0 {
					bits >>= e & 63
					nb -= e
					out[op&chunkMask] = byte(e >> 16)
					op++
					bits, nb, ip = z.refill(bits, nb, ip)
					e = z.lit[bits&litMask]
					continue
				}
			}
			if int16(e) < 0 {
				why = corrupted
				if e&entryEnd != 0 {
					bits >>= e & 63
					nb -= e
					why = blockEnd
				}
				break
			}
		}
		saved := bits
		bits >>= e & 63
		nb -= e
		length := value(e, saved)

		if uint8(nb) < maxCode+13 {
			bits, nb, ip = z.refill(bits, nb, ip)
		}
		d := z.dist[bits&distMask]
		if int16(d) < 0 {
			if d&entryLink == 0 {
				why = corrupted
				break
			}
			bits >>= distRoot
			nb -= distRoot
			d = z.dist[subTable(d, bits)&uint64(len(z.dist)-1)]
			if int16(d) < 0 {
				why = corrupted
				break
			}
		}
		saved = bits
		bits >>= d & 63
		nb -= d
		dist := value(d, saved)
		if dist > op-low {
			why = corrupted
			break
		}
		bits, nb, ip = z.refill(bits, nb, ip)
		e = z.lit[bits&litMask]

		if dist >= 16 {
			copy32(out, op, op-dist)
			if length > 32 {
				copyLong(out, op, op-dist, length)
			}
		} else {
			repeat(out, op, dist, length)
		}
		op += length
	}
	z.giveBack(bits, uint(nb), ip)
	return op, why
}

// copy32 copies 32 bytes, which may overlap from 16 bytes on.
func copy32(out *[chunkBuf]byte, to, from uint) {
	to, from = to&chunkMask, from&chunkMask
	d, s := (*[32]byte)(out[to:to+32]), (*[32]byte)(out[from:from+32])
	*(*[16]byte)(d[:16]) = *(*[16]byte)(s[:16])
	*(*[16]byte)(d[16:]) = *(*[16]byte)(s[16:])
}

// copyLong copies what of a match of length bytes lies behind its first 32, and up to 31 bytes more.
func copyLong(out *[chunkBuf]byte, to, from, length uint) {
	for i := uint(32); i < length; i += 32 {
		copy32(out, to+i, from+i)
	}
}

// repeat writes length bytes to out from op on, each the byte dist < 16 before it, and up to 31 bytes more.
func repeat(out *[chunkBuf]byte, op, dist, length uint) {
	// The first 16 bytes are the pattern over and over; from there on it is copied from a whole number of its lengths before, at least 16.
	for i := range uint(16) {
		out[(op+i)&chunkMask] = out[(op+i-dist)&chunkMask]
	}
	step := dist
	for step < 16 {
		step += dist
	}
	for i := uint(16); i < length; i += 32 {
		copy32(out, op+i, op+i-step)
	}
}
