package inflate

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// header makes a gzip header with these flags and what follows the first ten bytes.
func header(flags byte, rest ...string) []byte {
	b := []byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3}
	for _, s := range rest {
		b = append(b, s...)
	}
	return b
}

func TestHeaders(t *testing.T) {
	ok := member([]byte{3, 0}, nil) // an empty fixed block
	body := ok[10:]
	long := func(n int) string { return string(bytes.Repeat([]byte("n"), n)) }
	tests := []struct {
		name  string
		input []byte
		want  string
	}{
		{"nothing", nil, "unexpected EOF"},
		{"plain", ok, "ok"},
		{"one byte", ok[:1], "unexpected EOF"},
		{"nine bytes", ok[:9], "unexpected EOF"},
		{"header only", ok[:10], "unexpected EOF"},
		{"not gzip", []byte("#!/bin/sh\nexit 0\n"), "header"},
		{"not gzip, short", []byte("#!/bin"), "unexpected EOF"},
		{"other method", append([]byte{0x1f, 0x8b, 7}, ok[3:]...), "header"},
		{"text flag", append(header(1), body...), "ok"},
		{"reserved flags", append(header(0xe0), body...), "ok"},
		{"extra", append(header(4, "\x03\x00abc"), body...), "ok"},
		{"extra, empty", append(header(4, "\x00\x00"), body...), "ok"},
		{"extra, longest", append(header(4, "\xff\xff", long(65535)), body...), "ok"},
		{"extra cut", header(4, "\x03\x00ab"), "unexpected EOF"},
		{"extra length cut", header(4, "\x03"), "unexpected EOF"},
		{"name", append(header(8, "layer.tar\x00"), body...), "ok"},
		{"name, Latin-1", append(header(8, "\xe9\x00"), body...), "ok"},
		{"name cut", header(8, "layer.tar"), "unexpected EOF"},
		{"name, longest", append(header(8, long(511), "\x00"), body...), "ok"},
		{"name too long", append(header(8, long(512), "\x00"), body...), "header"},
		{"name too long, cut", header(8, long(512)), "header"},
		{"comment", append(header(16, "x\x00"), body...), "ok"},
		{"comment too long", append(header(16, long(600), "\x00"), body...), "header"},
		{"name and comment", append(header(24, "a\x00b\x00"), body...), "ok"},
		{"all", append(header(28, "\x01\x00x", "a\x00b\x00"), body...), "ok"},
		{"all, longest", append(header(28, "\xff\xff", long(65535), long(511), "\x00", long(511), "\x00"), body...), "ok"},
		{"header CRC", append(append(header(2), crc16(header(2))...), body...), "ok"},
		{"header CRC, all", append(append(header(30, "\x01\x00xa\x00b\x00"), crc16(header(30, "\x01\x00xa\x00b\x00"))...), body...), "ok"},
		{"header CRC wrong", append(header(2, "ab"), body...), "header"},
		{"header CRC cut", header(2, "a"), "unexpected EOF"},
		{"trailer cut", ok[:len(ok)-1], "unexpected EOF"},
		{"no trailer", ok[:len(ok)-8], "unexpected EOF"},
		{"wrong CRC", append(slices.Clone(ok[:12]), 1, 0, 0, 0, 0, 0, 0, 0), "checksum"},
		{"wrong length", append(slices.Clone(ok[:12]), 0, 0, 0, 0, 1, 0, 0, 0), "checksum"},
		{"two members", slices.Concat(ok, ok), "ok"},
		{"second member bad", slices.Concat(ok, header(2, "ab"), body), "header"},
		{"second member cut", slices.Concat(ok, ok[:7]), "unexpected EOF"},
		{"zeros behind", slices.Concat(ok, make([]byte, 512)), "header"},
		{"one zero behind", slices.Concat(ok, []byte{0}), "unexpected EOF"},
		{"garbage behind", slices.Concat(ok, []byte("more than ten bytes")), "header"},
	}
	z := NewReader(nil)
	for _, tt := range tests {
		if got := compare(t, z, tt.name, tt.input); got != tt.want {
			t.Errorf("%s: compress/gzip says %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestBlocks has deflate data written by hand, mostly wrong. Codes of Huffman blocks appear in the order of their bits.
func TestBlocks(t *testing.T) {
	const (
		fixed   = "110"      // last block, fixed codes: 00110000+n for literals, 0000000 end, 0000001 length 3, 5 bits of distance
		dynamic = "101"      // last block, own codes
		lit0    = "00110000" // literal 0
		end     = "0000000"
		len3    = "0000001"
	)
	// pre are lengths of the code-length code that give symbols 0, 1 and 18 codes of 2 bits or less: 18 → "11", 0 → "0", 1 → "10".
	pre18 := []string{dynamic, "00000", "00000", "0111", // 257, 1 code lengths, 18 lengths of code lengths (sent least significant bit first: 14 = 0111)
		"000", "000", "010", // 16, 17, 18: two bits
		"100", "000", "000", "000", "000", "000", "000", "000", "000", "000", "000", "000", "000", "000", "010"} // 0: one bit; 1: two bits
	tests := []struct {
		name   string
		bits   []string
		output string
		want   string // empty: whatever compress/gzip says
	}{
		{"fixed, empty", []string{fixed, end}, "", "ok"},
		{"fixed, literal", []string{fixed, lit0, end}, "\x00", "ok"},
		{"fixed, match", []string{fixed, lit0, len3, "00000", end}, "\x00\x00\x00\x00", "ok"},
		{"distance before the beginning", []string{fixed, lit0, len3, "00001", end}, "\x00", "corrupt"},
		{"distance, nothing before", []string{fixed, len3, "00000", end}, "", "corrupt"},
		{"distance symbol 30", []string{fixed, lit0, len3, "11110", end}, "", "corrupt"},
		{"distance symbol 31", []string{fixed, lit0, len3, "11111", end}, "", "corrupt"},
		{"length symbol 286", []string{fixed, lit0, "11000110", "00000", end}, "", "corrupt"},
		{"length symbol 287", []string{fixed, lit0, "11000111", "00000", end}, "", "corrupt"},
		{"length symbol 286, cut", []string{fixed, "11000110"}, "", "corrupt"},
		{"reserved block", []string{"111"}, "", "corrupt"},
		{"reserved block, not last", []string{"011", "0000000000"}, "", "corrupt"},
		{"stored", []string{"100", "hex:0300fcff616263"}, "abc", "ok"},
		{"stored, empty", []string{"100", "hex:0000ffff"}, "", "ok"},
		{"stored, empty, then fixed", []string{"000", "hex:0000ffff", fixed, lit0, end}, "\x00", "ok"},
		{"stored, wrong complement", []string{"100", "hex:0300fbff616263"}, "", "corrupt"},
		{"match into stored", []string{"000", "hex:0300fcff616263", fixed, len3, "00010", end}, "abcabc", "ok"},
		{"286 literal codes", []string{dynamic, "10111", "00000", "0000"}, "", ""}, // allowed; what follows is not
		{"287 literal codes", []string{dynamic, "01111", "00000", "0000"}, "", "corrupt"},
		{"31 distance codes", []string{dynamic, "00000", "01111", "0000"}, "", "corrupt"},
		{"code-length code over-full", []string{dynamic, "00000", "00000", "0000", "100", "100", "100", "000"}, "", "corrupt"},
		{"code-length code incomplete", []string{dynamic, "00000", "00000", "0000", "010", "000", "000", "000"}, "", "corrupt"},
		{"code-length code empty", []string{dynamic, "00000", "00000", "0000", "000", "000", "000", "000"}, "", "corrupt"},
		{"repeat of nothing", []string{dynamic, "00000", "00000", "0000", "100", "000", "000", "000", "0", "00"}, "", "corrupt"},
		{"repeat of nothing, cut", []string{dynamic, "00000", "00000", "0000", "100", "000", "000", "000", "0"}, "", "corrupt"},
		// 138 + 118 zeros, one length of 1 for the end of the block, one 0 for the distance.
		{"end of block as only symbol", append(slices.Clone(pre18), "11", "1111111", "11", "1101011", "10", "0", "0"), "", "ok"},
		{"end of block as only symbol, wrong bit", append(slices.Clone(pre18), "11", "1111111", "11", "1101011", "10", "0", "1"), "", "corrupt"},
		{"no literal symbol at all", append(slices.Clone(pre18), "11", "1111111", "11", "1101011", "0", "0", "0"), "", "corrupt"},
		{"lengths past their number", append(slices.Clone(pre18), "11", "1111111", "11", "1111111", "10", "0", "0"), "", "corrupt"},
	}
	z := NewReader(nil)
	for _, tt := range tests {
		deflate := bitString(t, tt.bits...)
		for _, pad := range []int{0, 1, 7, 100} { // input that ends near is decoded by other code than input that goes on
			input := append(member(deflate, []byte(tt.output)), make([]byte, pad)...)
			want := tt.want
			if pad > 0 && want == "ok" {
				want = map[bool]string{true: "unexpected EOF", false: "header"}[pad < 10]
			}
			name := fmt.Sprintf("%s, %d bytes behind", tt.name, pad)
			if got := compare(t, z, name, input); want != "" && got != want {
				t.Errorf("%s: compress/gzip says %q, want %q", name, got, want)
			}
		}
		for n := range len(deflate) {
			compare(t, z, fmt.Sprintf("%s, cut at %d", tt.name, n), member(deflate, nil)[:10+n])
		}
	}
}

// TestRandomCodes decodes random bits with random codes, long ones and impossible ones among them, behind a block of history.
func TestRandomCodes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	z := NewReader(nil)
	seen := map[string]int{}
	history := make([]byte, 40_000)
	for i := range history {
		history[i] = byte(rnd.IntN(256))
	}
	for i := range 1500 {
		var w bitWriter
		w.b = append(w.b, 0, 0x40, 0x9c, 0xbf, 0x63) // stored, 40,000 bytes
		w.b = append(w.b, history...)
		lits, dists := 257+rnd.IntN(30), 1+rnd.IntN(30)
		w.put(0b100|uint(rnd.IntN(2)), 3)
		w.put(uint(lits-257), 5)
		w.put(uint(dists-1), 5)
		w.put(15, 4)
		for _, sym := range preOrder {
			w.put(map[bool]uint{true: 4}[sym < 16], 3) // lengths 0 to 15 with 4 bits each
		}
		code := append(randomCode(rnd, lits), randomCode(rnd, dists)...)
		if i%8 == 0 {
			code[rnd.IntN(len(code))] = uint8(rnd.IntN(16))
		}
		for _, n := range code {
			w.put(uint(bits.Reverse8(n)>>4), 4)
		}
		for range rnd.IntN(3000) {
			w.put(uint(rnd.IntN(256)), 8)
		}
		seen[compare(t, z, fmt.Sprintf("round %d", i), member(w.b, nil))]++
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("verdicts: %v", seen)
}

// randomCode returns the lengths of a complete code over some of n symbols.
func randomCode(rnd *rand.Rand, n int) []uint8 {
	used := 2 + rnd.IntN(max(n-1, 1))
	if n < 2 || rnd.IntN(20) == 0 {
		used = rnd.IntN(2)
	}
	lens := make([]uint8, n)
	if used < 2 {
		lens[rnd.IntN(n)] = uint8(used)
		return lens
	}
	leaves := []uint8{0}
	for stuck := 0; len(leaves) < min(used, n) && stuck < 1000; {
		i := rnd.IntN(len(leaves))
		if rnd.IntN(3) > 0 {
			i = len(leaves) - 1 // deep trees, for long codes
		}
		if leaves[i] == maxCode {
			stuck++
			continue
		}
		leaves[i]++
		leaves = append(leaves, leaves[i])
	}
	for i, at := range rnd.Perm(n)[:len(leaves)] {
		lens[at] = leaves[i]
	}
	return lens
}

// bitWriter appends bits to b, the lowest first.
type bitWriter struct {
	b []byte
	n uint
}

func (w *bitWriter) put(v, n uint) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// TestDamaged flips bits, cuts, and joins streams of every kind, thousands of times.
func TestDamaged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	rounds := 60
	if testing.Short() {
		rounds = 6
	}
	z := NewReader(nil)
	seen := map[string]int{}
	for name, data := range samples(t) {
		data = data[:min(len(data), 50_000)]
		for _, level := range []int{-2, 0, 1, 6, 9} {
			packed := pack(t, data, level, []int{0, 700, 9000}[rnd.IntN(3)])
			for i := range rounds {
				p := slices.Clone(packed)
				switch i % 4 {
				case 0, 1: // flip a few bits, mostly early, where the headers are
					for range 1 + rnd.IntN(3) {
						at := rnd.IntN(len(p))
						if i%8 < 4 {
							at = rnd.IntN(min(len(p), 200))
						}
						p[at] ^= 1 << rnd.IntN(8)
					}
				case 2:
					p = p[:rnd.IntN(len(p))]
				case 3: // cut in the middle and go on elsewhere
					p = append(p[:rnd.IntN(len(p))], packed[rnd.IntN(len(packed)):]...)
				}
				seen[compare(t, z, fmt.Sprintf("%s, level %d, round %d", name, level, i), p)]++
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
	t.Logf("verdicts: %v", seen)
	for _, v := range []string{"corrupt", "header", "checksum", "unexpected EOF"} {
		if seen[v] == 0 {
			t.Errorf("no stream was %q", v)
		}
	}
}

// TestEveryCut cuts streams at every byte: what was decoded before the end must be exactly what compress/gzip decodes.
func TestEveryCut(t *testing.T) {
	z := NewReader(nil)
	for name, data := range samples(t) {
		data = data[:min(len(data), 2000)]
		for _, level := range []int{-2, 0, 6} {
			packed := pack(t, data, level, 900)
			for n := range packed {
				compare(t, z, fmt.Sprintf("%s, level %d, cut at %d", name, level, n), packed[:n])
			}
		}
	}
}

func crc16(b []byte) []byte {
	sum := crc32.ChecksumIEEE(b)
	return []byte{byte(sum), byte(sum >> 8)}
}
