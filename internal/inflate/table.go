package inflate

import "math/bits"

// A decoding table is indexed with the next root bits of the input. Codes longer than that lead to a sub-table behind the 1<<root entries of the main one,
// which is indexed with the bits that follow. Codes are complete, so the space that sub-tables can need is known: 2,342 entries in all for 288 symbols and 11 bits, and
// 402 for 32 symbols and 8 bits (zlib's examples/enough.c counts them). The arrays are the next powers of two, so a masked index needs no bounds check.
type (
	litTable  [4096]uint32
	distTable [512]uint32
)

const (
	litRoot     = 11
	litMask     = 1<<litRoot - 1
	distRoot    = 8
	distMask    = 1<<distRoot - 1
	preRoot     = 7
	maxCode     = 15 // longest code (RFC 1951, 3.2.7)
	maxLits     = 286
	maxDists    = 30
	endOfBlock  = 256
	fixedLits   = 288
	fixedDists  = 32
	preCodes    = 19
	maxCodeLens = maxLits + maxDists
)

// An entry packs everything a symbol needs:
//
//	bits 0-5    bits to consume: the code and the extra bits behind it; in a sub-table, without the root bits consumed before
//	bits 8-11   bits of the code alone; the extra bits begin there. In a link, the bits that index the sub-table
//	bit 13      special: end of block
//	bit 14      special: link to a sub-table
//	bit 15      special: one of the two above, or no valid symbol
//	bits 16-30  the literal, the smallest length or distance, or where the sub-table begins
//	bit 31      literal
//
// Bits 6 and 7 are zero, so an entry can be subtracted from a count of which only the low byte is used.
const (
	entryEnd     = 1 << 13
	entryLink    = 1 << 14
	entrySpecial = 1 << 15
	entryLiteral = 1 << 31

	entryInvalid = entrySpecial
)

// lengthSymbols are the entries of the symbols from 256 on before their code's length is added (RFC 1951, 3.2.5); the last two are never valid.
var lengthSymbols = [fixedLits - 256]uint32{
	entrySpecial | entryEnd,
	3 << 16, 4 << 16, 5 << 16, 6 << 16, 7 << 16, 8 << 16, 9 << 16, 10 << 16,
	11<<16 | 1, 13<<16 | 1, 15<<16 | 1, 17<<16 | 1, 19<<16 | 2, 23<<16 | 2, 27<<16 | 2, 31<<16 | 2,
	35<<16 | 3, 43<<16 | 3, 51<<16 | 3, 59<<16 | 3, 67<<16 | 4, 83<<16 | 4, 99<<16 | 4, 115<<16 | 4,
	131<<16 | 5, 163<<16 | 5, 195<<16 | 5, 227<<16 | 5, 258 << 16, entryInvalid, entryInvalid,
}

// distSymbols are the same for distances.
var distSymbols = [fixedDists]uint32{
	1 << 16, 2 << 16, 3 << 16, 4 << 16, 5<<16 | 1, 7<<16 | 1, 9<<16 | 2, 13<<16 | 2, 17<<16 | 3, 25<<16 | 3, 33<<16 | 4, 49<<16 | 4,
	65<<16 | 5, 97<<16 | 5, 129<<16 | 6, 193<<16 | 6, 257<<16 | 7, 385<<16 | 7, 513<<16 | 8, 769<<16 | 8, 1025<<16 | 9, 1537<<16 | 9,
	2049<<16 | 10, 3073<<16 | 10, 4097<<16 | 11, 6145<<16 | 11, 8193<<16 | 12, 12289<<16 | 12, 16385<<16 | 13, 24577<<16 | 13, entryInvalid, entryInvalid,
}

// codes collects the symbols of one code, ordered by length and then by value, which is the order of the codes themselves (RFC 1951, 3.2.2).
type codes struct {
	count  [maxCode + 1]uint
	sorted [fixedLits]uint32
}

// sort orders the symbols of lens, at most fixedLits, by the length of their code. Symbol i's entry is literal i if i < literals, and symbols[i-literals] otherwise.
func (c *codes) sort(lens []uint8, literals int, symbols []uint32) {
	c.count = [maxCode + 1]uint{}
	for _, n := range lens {
		c.count[n&maxCode]++
	}
	c.count[0] = 0
	var next [maxCode + 1]uint
	for n := 1; n < maxCode; n++ {
		next[n+1] = next[n] + c.count[n]
	}
	for i, n := range lens {
		if n == 0 {
			continue
		}
		e := entryLiteral | uint32(i)<<16
		if i >= literals {
			e = symbols[i-literals]
		}
		c.sorted[next[n&maxCode]] = e
		next[n&maxCode]++
	}
}

// build makes the decoding table t, whose main part has 1<<root entries, of the sorted symbols. It reports whether the code is acceptable: complete, or without
// any symbol, or with one symbol of one bit. Bits that mean nothing in the last two lead to an invalid entry.
func (c *codes) build(t []uint32, root uint) bool {
	space, total := uint(0), uint(0)
	for n := 1; n <= maxCode; n++ {
		space += c.count[n] << (maxCode - n)
		total += c.count[n]
	}
	if space != 1<<maxCode {
		return c.buildDegenerate(t[:1<<root], total)
	}

	// Codes come most significant bit first, so code holds them reversed, and is counted up from its high end.
	code, i := uint(0), 0
	for n := uint(1); n <= root; n++ {
		// So far the table is right for n-1 bits; every entry holds for both values of the bit that is added. (Where codes are
		// longer it holds nothing yet.)
		copy(t[1<<(n-1):1<<n], t[:1<<(n-1)])
		for range c.count[n] {
			t[code] = c.sorted[i] + uint32(n)*0x101
			i++
			code = nextCode(code, n)
		}
	}

	used, prefix := uint(1)<<root, ^uint(0)
	start, end := used, used
	for n := root + 1; n <= maxCode; n++ {
		for left := c.count[n]; left > 0; left-- {
			if p := code & (1<<root - 1); p != prefix {
				// The sub-table is as wide as the codes that share this prefix need.
				width, fill := n-root, left
				for fill < 1<<width && root+width < maxCode {
					width++
					fill = fill<<1 + c.count[root+width]
				}
				prefix, start, end = p, end, end+1<<width
				t[p] = uint32(start)<<16 | entrySpecial | entryLink | uint32(width)<<8 | uint32(root)
			}
			e := c.sorted[i] + uint32(n-root)*0x101
			i++
			for j := start + code>>root; j < end; j += 1 << (n - root) {
				t[j] = e
			}
			code = nextCode(code, n)
		}
	}
	return true
}

// nextCode adds one to a reversed code of n bits. Behind the last code, all ones, it returns 0.
func nextCode(code, n uint) uint {
	top := uint(bits.Len(code ^ (1<<n - 1))) // the highest zero
	if top == 0 {
		return 0
	}
	bit := uint(1) << (top - 1)
	return code&(bit-1) | bit
}

func (c *codes) buildDegenerate(t []uint32, total uint) bool {
	switch {
	case total == 0:
		for i := range t {
			t[i] = entryInvalid
		}
	case total == 1 && c.count[1] == 1:
		for i := 0; i < len(t); i += 2 {
			t[i], t[i+1] = c.sorted[0]+0x101, entryInvalid|1
		}
	default:
		return false
	}
	return true
}
