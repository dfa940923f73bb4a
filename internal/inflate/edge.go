package inflate

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
		e = z.lit[subTable(e, b.bits)&uint64(len(z.lit)-1)]
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
		d = z.dist[subTable(d, b.bits)&uint64(len(z.dist)-1)]
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
