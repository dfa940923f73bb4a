package inflate

import (
	"bytes"
	"testing"
)

// FuzzReader looks for input about which we and compress/gzip disagree. Run it with -fuzzminimizetime 10x; by default most of its time goes to making input smaller.
func FuzzReader(f *testing.F) {
	text := sampleText(f)
	for _, level := range []int{-2, 0, 1, 6, 9} {
		f.Add(pack(f, text[:3000], level, 0))
		f.Add(pack(f, text[:500], level, 90))
		f.Add(kpack(f, text[:2000], max(level, -2)))
	}
	f.Add(append(pack(f, nil, 6, 0), pack(f, []byte("abc"), 6, 0)...))
	f.Add(pack(f, make([]byte, 100_000), 9, 0))
	f.Add(member(bitString(f, "110", "00110000", "0000001", "00001"), nil))
	z := NewReader(nil)
	f.Fuzz(func(t *testing.T, input []byte) {
		compare(t, z, "as it is", input)
		// Nearly every damaged stream fails its checksum: also with the trailer that the output deserves, as far as it can be found.
		if out, v := standard(bytes.NewReader(input), 1<<20); v == "checksum" && len(input) > 18 {
			compare(t, z, "with its trailer", append(input[:len(input)-8:len(input)-8], member(nil, out)[10:]...))
		}
		// Bare deflate data, so that the fuzzer need not keep a header intact.
		compare(t, z, "as deflate data", member(input, nil))
	})
}
