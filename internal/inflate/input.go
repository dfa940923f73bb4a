package inflate

import (
	"errors"
	"io"
)

var errBadSource = errors.New("inflate: the source returned an impossible count")

// more makes n bytes available at z.ip, n at most inputSize; fewer only if the source has ended or failed, which z.srcErr then says.
func (z *Reader) more(n uint) {
	if z.end-z.ip >= n || z.srcErr != nil {
		return
	}
	copy(z.in[:], z.in[z.ip:z.end])
	z.base += int64(z.ip)
	z.ip, z.end = 0, z.end-z.ip
	for idle := 0; z.end < n && z.srcErr == nil; {
		p := z.in[z.end:inputSize]
		m, err := z.src.Read(p)
		switch {
		case m < 0 || m > len(p):
			z.srcErr = errBadSource
			return
		case m > 0:
			idle = 0
		case err == nil:
			if idle++; idle == 100 {
				err = io.ErrNoProgress
			}
		}
		z.end += uint(m)
		z.srcErr = err
	}
}

// peek returns the next n bytes of the input, n at most inputSize, without consuming them. The bit buffer must be empty.
func (z *Reader) peek(n uint) ([]byte, error) {
	z.more(n)
	if z.end-z.ip < n {
		return nil, z.short()
	}
	return z.in[z.ip : z.ip+n], nil
}

// short is the error for input that ends where more must follow.
func (z *Reader) short() error {
	if z.srcErr == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return z.srcErr
}

// giveBack takes whole bytes that the bit buffer holds back into the input, and clears what the buffer holds beyond its count.
func (z *Reader) giveBack(bits uint64, nb, ip uint) {
	z.ip = ip - nb>>3&7
	z.nb = nb & 7
	z.bits = bits & (1<<z.nb - 1)
}
