// Command floor measures what any scanner must at least do with an image: read
// each layer's blob, take its SHA-256, inflate it (klauspost/compress), take
// the SHA-256 of the tar, and walk the tar headers; two layers at once.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor OCI-LAYOUT")
		os.Exit(2)
	}
	entries, err := floor(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(2)
	}
	fmt.Println(entries, "entries")
}

type descriptor struct {
	MediaType string       `json:"mediaType"`
	Digest    string       `json:"digest"`
	Manifests []descriptor `json:"manifests"`
	Layers    []descriptor `json:"layers"`
}

func blob(dir, digest string) string {
	return filepath.Join(dir, "blobs", strings.Replace(digest, ":", "/", 1))
}

func readJSON(path string) (descriptor, error) {
	var d descriptor
	b, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(b, &d)
}

func floor(dir string) (int, error) {
	d, err := readJSON(filepath.Join(dir, "index.json"))
	for err == nil && len(d.Layers) == 0 {
		if len(d.Manifests) == 0 {
			return 0, fmt.Errorf("no image in %s", dir)
		}
		d, err = readJSON(blob(dir, d.Manifests[0].Digest))
	}
	if err != nil {
		return 0, err
	}
	counts := make([]int, len(d.Layers))
	var g errgroup.Group
	g.SetLimit(2)
	for i, l := range d.Layers {
		g.Go(func() error {
			var err error
			counts[i], err = layer(blob(dir, l.Digest), l.Digest)
			return err
		})
	}
	err = g.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return n, err
}

func layer(path, digest string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	blobSum, tarSum := sha256.New(), sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(f, blobSum), 256<<10)
	magic, err := in.Peek(4)
	if err != nil {
		return 0, err
	}
	var plain io.Reader = in
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return 0, err
		}
		plain = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return 0, err
		}
		defer z.Close()
		plain = z
	}
	tr := tar.NewReader(io.TeeReader(plain, tarSum))
	n := 0
	for {
		if _, err := tr.Next(); err == io.EOF {
			break
		} else if err != nil {
			return n, err
		}
		n++
	}
	if _, err := io.Copy(tarSum, plain); err != nil {
		return n, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return n, err
	}
	if got := "sha256:" + hex.EncodeToString(blobSum.Sum(nil)); got != digest {
		return n, fmt.Errorf("%s has digest %s", digest, got)
	}
	return n, nil
}
