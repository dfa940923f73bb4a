package inflate

import (
	"encoding/binary"
	"hash/crc32"
)

// Flags of a member's header (RFC 1952, 2.3.1). The others are ignored.
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
)

// maxString is the longest name or comment, with its final zero byte, that is accepted; compress/gzip has the same limit.
const maxString = 512

// readHeader reads a member's header. At the end of the input, behind at least one member, it returns [io.EOF].
func (z *Reader) readHeader() error {
	h, err := z.peek(10)
	if err != nil {
		if z.end == z.ip && !z.first {
			return z.srcErr
		}
		return err
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		return ErrHeader
	}
	flags, n := h[3], uint(10)
	if flags&flagExtra != 0 {
		if h, err = z.peek(n + 2); err != nil {
			return err
		}
		n += 2 + uint(binary.LittleEndian.Uint16(h[n:]))
		if _, err = z.peek(n); err != nil {
			return err
		}
	}
	for _, flag := range []byte{flagName, flagComment} {
		if flags&flag == 0 {
			continue
		}
		if n, err = z.endOfString(n); err != nil {
			return err
		}
	}
	if flags&flagHeaderCRC != 0 {
		if h, err = z.peek(n + 2); err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(h[n:]) != uint16(crc32.ChecksumIEEE(h[:n])) {
			return ErrHeader
		}
		n += 2
	}
	z.ip += n
	return nil
}

// endOfString returns the offset behind the zero-terminated string that begins n bytes into the header.
func (z *Reader) endOfString(n uint) (uint, error) {
	for range maxString {
		h, err := z.peek(n + 1)
		if err != nil {
			return 0, err
		}
		n++
		if h[n-1] == 0 {
			return n, nil
		}
	}
	return 0, ErrHeader
}

// readTrailer checks the CRC-32 and the length at the end of a member (RFC 1952, 2.3.1).
func (z *Reader) readTrailer() error {
	t, err := z.peek(8)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(t) != z.crc || binary.LittleEndian.Uint32(t[4:]) != z.size {
		return ErrChecksum
	}
	z.ip += 8
	return nil
}
