package inflate

const (
	window    = 32 << 10  // how far back a match may reach (RFC 1951, 2)
	chunkSize = 256 << 10 // a chunk with this much output is full

	// slack is room for what one step of the decoder may write past a full chunk: two literals and a match of 258 bytes begun just before the end,
	// and 31 bytes by which the last of its copies may pass it.
	slack = 320

	outEnd = window + chunkSize // a chunk filled to here is full
)

// A Chunk is a buffer for a piece of output of about 256 KiB: history, output, slack. The zero value is ready for [Reader.Fill].
// Chunks belong to the caller; reuse them, each is about 290 KiB.
type Chunk struct {
	n   int
	buf [outEnd + slack]byte
}

// Bytes returns the output that the last [Reader.Fill] wrote into c, at most 260 bytes more than 256 KiB. It is valid until c is filled again and must not be written to before.
func (c *Chunk) Bytes() []byte { return c.buf[window : window+c.n] }
