package inflate_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/inflate"
)

// One goroutine inflates, another hashes; the chunks go round between them.
func ExampleReader_Fill() {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(bytes.Repeat([]byte("the quick brown fox\n"), 100_000))
	w.Close()

	full, free := make(chan *inflate.Chunk, 2), make(chan *inflate.Chunk, 2)
	free <- new(inflate.Chunk)
	free <- new(inflate.Chunk)
	var err error
	go func() {
		defer close(full)
		z := inflate.NewReader(&packed)
		for c := range free {
			if err = z.Fill(c); err != nil {
				return
			}
			full <- c
		}
	}()

	h, n := sha256.New(), 0
	for c := range full {
		h.Write(c.Bytes())
		n += len(c.Bytes())
		free <- c
	}
	if err != io.EOF {
		fmt.Println(err)
	}
	fmt.Printf("%d bytes, SHA-256 %x…\n", n, h.Sum(nil)[:4])
	// Output: 2000000 bytes, SHA-256 3f575a6b…
}
