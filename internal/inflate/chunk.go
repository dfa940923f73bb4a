package inflate

const (
	window = 32 << 10 // how far back a match may reach (RFC 1951, 2)

	// chunkBuf is the size of a chunk's buffer: a power of two, so that chunkMask keeps an index inside without a check, and room for what is loaded and stored in one piece there.
	chunkBuf  = chunkMask + 1 + 32
	chunkMask = 512<<10 - 1

	// slack is room for what one step of the decoder may write past a full chunk: 7 literals, a match of 258 bytes, and 31 bytes
	// by which the last of its copies may pass it.
	slack = 512

	outEnd = chunkMask + 1 - slack // a chunk filled to here is full
)

// A Chunk is a buffer for a piece of output of about 480 KiB: history, output, slack. The zero value is ready for [Reader.Fill].
// Chunks belong to the caller; reuse them, each is about half a MiB.
type Chunk struct {
	buf [chunkBuf]byte
	n   int
}

// Bytes returns the output that the last [Reader.Fill] wrote into c. It is valid until c is filled again and must not be written to before.
func (c *Chunk) Bytes() []byte { return c.buf[window : window+c.n] }
