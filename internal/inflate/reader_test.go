package inflate

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	kgzip "github.com/klauspost/compress/gzip"
)

// samples are data of many kinds, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func(n, values int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.IntN(values))
		}
		return b
	}
	skewed := make([]byte, 150_000) // long codes: each value half as likely as the one before
	for i := range skewed {
		skewed[i] = byte(min(63, int(rnd.ExpFloat64()*3)))
	}
	periods := []byte{}
	for n := 1; n < 70; n++ {
		periods = append(periods, bytes.Repeat(random(n, 256), 1+600/n)...)
	}
	m := map[string][]byte{
		"empty":       {},
		"one byte":    []byte("x"),
		"short":       []byte("to be or not to be, that is the question"),
		"zeros":       make([]byte, 1_000_000),
		"random":      random(200_000, 256),
		"few values":  random(100_000, 3),
		"skewed":      skewed,
		"periods":     periods,
		"window":      append(append(random(20_000, 256), make([]byte, 12_768)...), random(20_000, 256)...),
		"chunk":       random(outEnd-window, 256),
		"chunk and 1": random(outEnd-window+1, 4),
		"tar":         sampleTar(t),
		"text":        sampleText(t),
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	elf, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	m["executable"] = elf[:min(len(elf), 600_000)]
	return m
}

func sampleText(t testing.TB) []byte {
	var b bytes.Buffer
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files here: %v", err)
	}
	for _, f := range files {
		p, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(p)
	}
	return b.Bytes()
}

func sampleTar(t testing.TB) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	text := sampleText(t)
	for i := range 400 {
		p := text[i*37%len(text):]
		p = p[:min(len(p), i*11)]
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/share/doc/file-%d", i), Mode: 0o644, Size: int64(len(p))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pack compresses with compress/gzip; flush is after how many bytes to end a block, 0 for never.
func pack(t testing.TB, data []byte, level, flush int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, data, flush)
	return b.Bytes()
}

func kpack(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := kgzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, data, 0)
	return b.Bytes()
}

func write(t testing.TB, w interface {
	io.WriteCloser
	Flush() error
}, data []byte, flush int) {
	t.Helper()
	for flush > 0 && len(data) > flush {
		if _, err := w.Write(data[:flush]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		data = data[flush:]
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	z := NewReader(nil)
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
				for kind, packed := range map[string][]byte{
					"standard":  pack(t, data, level, 0),
					"flushed":   pack(t, data, level, 5000),
					"klauspost": kpack(t, data, max(level, kgzip.HuffmanOnly)),
				} {
					z.Reset(bytes.NewReader(packed))
					got, err := io.ReadAll(z)
					if err != nil || !bytes.Equal(got, data) {
						t.Fatalf("level %d, %s: error %v, %d bytes, want %d; they differ at %d", level, kind, err, len(got), len(data), difference(got, data))
					}
				}
			}
		})
	}
}

func TestOddReaders(t *testing.T) {
	data := sampleTar(t)
	data = append(data, data...)
	packed := slices.Concat(pack(t, data, 6, 0), pack(t, nil, 6, 0), pack(t, data[:1000], 0, 100))
	want := append(slices.Clone(data), data[:1000]...)
	sourceErr := errors.New("the line broke")
	tests := []struct {
		name string
		r    io.Reader
		want []byte
		err  error
	}{
		{"one byte at a time", iotest.OneByteReader(bytes.NewReader(packed)), want, io.EOF},
		{"half", iotest.HalfReader(bytes.NewReader(packed)), want, io.EOF},
		{"data with EOF", iotest.DataErrReader(bytes.NewReader(packed)), want, io.EOF},
		{"error behind the end", io.MultiReader(bytes.NewReader(packed), iotest.ErrReader(sourceErr)), want, sourceErr},
		{"error first", iotest.ErrReader(sourceErr), nil, sourceErr},
		{"nothing", strings.NewReader(""), nil, io.ErrUnexpectedEOF},
		{"no progress", idleReader{}, nil, io.ErrNoProgress},
		{"impossible count", lyingReader{}, nil, errBadSource},
	}
	for _, tt := range tests {
		z := NewReader(tt.r)
		var got []byte
		var err error
		for err == nil {
			var p []byte
			p, err = z.Next()
			if err == nil && len(p) == 0 {
				t.Fatalf("%s: Next returned no bytes and no error", tt.name)
			}
			got = append(got, p...)
		}
		if err != tt.err || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes and error %v, want %d and %v", tt.name, len(got), err, len(tt.want), tt.err)
		}
		if _, again := z.Next(); again != err {
			t.Errorf("%s: the error becomes %v", tt.name, again)
		}
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

type lyingReader struct{}

func (lyingReader) Read(p []byte) (int, error) { return len(p) + 1, nil }

// TestFailingSource breaks the source at every kind of place: what compress/gzip delivered before must be delivered.
func TestFailingSource(t *testing.T) {
	sourceErr := errors.New("the line broke")
	packed := slices.Concat(pack(t, sampleText(t)[:6000], 6, 3000), pack(t, []byte("abc"), 0, 0))
	for n := range len(packed) {
		broken := func() io.Reader {
			return io.MultiReader(bytes.NewReader(packed[:n]), iotest.ErrReader(sourceErr))
		}
		want, wantVerdict := standard(broken(), limit)
		got, gotVerdict := drain(NewReader(broken()), limit)
		if gotVerdict != wantVerdict || !bytes.Equal(got, want) {
			t.Fatalf("source broken at %d: %q after %d bytes, want %q after %d", n, gotVerdict, len(got), wantVerdict, len(want))
		}
	}
}

// TestFill passes chunks between two goroutines, as the reader's users do.
func TestFill(t *testing.T) {
	data := bytes.Repeat(sampleTar(t), 5)
	packed := pack(t, data, 6, 0)
	full, free := make(chan *Chunk, 3), make(chan *Chunk, 3)
	for range cap(free) {
		free <- new(Chunk)
	}
	var last error
	go func() {
		defer close(full)
		z := NewReader(bytes.NewReader(packed))
		for c := range free {
			if last = z.Fill(c); last != nil {
				return
			}
			full <- c
		}
	}()
	var got []byte
	for c := range full {
		got = append(got, c.Bytes()...)
		clear(c.buf[:]) // the reader must not depend on what it gave away
		free <- c
	}
	if last != io.EOF || !bytes.Equal(got, data) {
		t.Errorf("%d bytes and error %v, want %d and EOF", len(got), last, len(data))
	}
}

// TestMixedCalls reads with Fill, Next and Read in turn.
func TestMixedCalls(t *testing.T) {
	data := bytes.Repeat(sampleTar(t), 5)
	z := NewReader(bytes.NewReader(pack(t, data, 6, 0)))
	var got []byte
	var err error
	var c Chunk
	p := make([]byte, 1000)
	for i := 0; err == nil; i++ {
		var b []byte
		switch i % 3 {
		case 0:
			var n int
			n, err = z.Read(p)
			b = p[:n]
		case 1:
			err = z.Fill(&c)
			b = c.Bytes()
		case 2:
			b, err = z.Next()
		}
		got = append(got, b...)
	}
	if err != io.EOF || !bytes.Equal(got, data) {
		t.Errorf("%d bytes and error %v, want %d and EOF; they differ at %d", len(got), err, len(data), difference(got, data))
	}
}

func TestReadNothing(t *testing.T) {
	z := NewReader(strings.NewReader("not gzip"))
	if n, err := z.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v, want 0, nil", n, err)
	}
}
