package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"
)

// verdict names the class of an error of this package or of compress/gzip.
func verdict(err error) string {
	var corrupt flate.CorruptInputError
	switch {
	case err == nil, err == io.EOF:
		return "ok"
	case errors.Is(err, ErrHeader), errors.Is(err, gzip.ErrHeader):
		return "header"
	case errors.Is(err, ErrChecksum), errors.Is(err, gzip.ErrChecksum):
		return "checksum"
	case errors.Is(err, ErrCorrupt), errors.As(err, &corrupt):
		return "corrupt"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected EOF"
	}
	return "other: " + err.Error()
}

// standard is the output and verdict of compress/gzip, limited to the first limit bytes of output.
func standard(r io.Reader, limit int64) ([]byte, string) {
	z, err := gzip.NewReader(r)
	if err == io.EOF {
		return nil, "unexpected EOF" // the deliberate difference: no input at all
	}
	if err != nil {
		return nil, verdict(err)
	}
	return drain(z, limit)
}

func drain(r io.Reader, limit int64) ([]byte, string) {
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, limit))
	if n == limit {
		return out.Bytes(), "limit"
	}
	return out.Bytes(), verdict(err)
}

// compare checks that z, reading input, agrees with compress/gzip, and returns the verdict.
func compare(t *testing.T, z *Reader, name string, input []byte) string {
	t.Helper()
	want, wantVerdict := standard(bytes.NewReader(input), limit)
	z.Reset(bytes.NewReader(input))
	got, gotVerdict := drain(z, limit)
	if gotVerdict != wantVerdict {
		t.Errorf("%s: verdict %q after %d bytes, want %q after %d", name, gotVerdict, len(got), wantVerdict, len(want))
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes of output, want %d; they differ at %d", name, len(got), len(want), difference(got, want))
	}
	return wantVerdict
}

// limit bounds what tests inflate.
const limit = 64 << 20

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// member wraps deflate data in a gzip member whose trailer suits the output.
func member(deflate, output []byte) []byte {
	b := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, deflate...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(output))
	return binary.LittleEndian.AppendUint32(b, uint32(len(output)))
}

// bitString makes deflate data of a description: words of 0 and 1 are bits in the order they are read; "hex:" words are whole bytes,
// which begin at the next byte.
func bitString(t testing.TB, words ...string) []byte {
	t.Helper()
	var b []byte
	var n int
	for _, w := range words {
		if len(w) > 4 && w[:4] == "hex:" {
			var p []byte
			if _, err := fmt.Sscanf(w[4:], "%x", &p); err != nil {
				t.Fatal(err)
			}
			b, n = append(b, p...), 0
			continue
		}
		for _, c := range w {
			if n == 0 {
				b = append(b, 0)
			}
			if c == '1' {
				b[len(b)-1] |= 1 << n
			}
			n = (n + 1) % 8
		}
	}
	return b
}
