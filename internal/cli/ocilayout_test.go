package cli

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// layout is an OCI layout in a folder that tests build layer by layer,
// streaming.
type layout struct {
	dir    string
	layers []layoutBlob
}

type layoutBlob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	diffID    string
}

type counter struct {
	w io.Writer
	h hash.Hash
	n int64
}

func newCounter(w io.Writer) *counter { return &counter{w: w, h: sha256.New()} }

func (c *counter) Write(b []byte) (int, error) {
	c.h.Write(b)
	c.n += int64(len(b))
	return c.w.Write(b)
}

func (c *counter) digest() string { return fmt.Sprintf("sha256:%x", c.h.Sum(nil)) }

func newLayout(t testing.TB, dir string) *layout {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &layout{dir: dir}
}

// raw appends a layer whose uncompressed bytes write writes, compressed with
// "gzip", "zstd" or "".
func (l *layout) raw(t testing.TB, compression string, write func(io.Writer) error) {
	t.Helper()
	f, err := os.CreateTemp(l.dir, "blob")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	blob := newCounter(f)
	buffered := bufio.NewWriterSize(blob, 1<<20)
	var pack io.WriteCloser
	media := "application/vnd.oci.image.layer.v1.tar"
	switch compression {
	case "gzip":
		pack, err = kgzip.NewWriterLevel(buffered, gzip.BestSpeed)
		media += "+gzip"
	case "zstd":
		pack, err = zstd.NewWriter(buffered, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		media += "+zstd"
	default:
		pack = nopCloser{buffered}
	}
	if err != nil {
		t.Fatal(err)
	}
	content := newCounter(pack)
	if err := write(content); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	b := layoutBlob{media, blob.digest(), blob.n, content.digest()}
	if err := os.Rename(f.Name(), l.blob(b.Digest)); err != nil {
		t.Fatal(err)
	}
	l.layers = append(l.layers, b)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// layer appends a layer of tar entries.
func (l *layout) layer(t testing.TB, compression string, write func(*tar.Writer) error) {
	t.Helper()
	l.raw(t, compression, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 256<<10)
		tw := tar.NewWriter(b)
		if err := write(tw); err != nil {
			return err
		}
		if err := tw.Close(); err != nil {
			return err
		}
		return b.Flush()
	})
}

func (l *layout) blob(digest string) string {
	return filepath.Join(l.dir, "blobs", "sha256", digest[len("sha256:"):])
}

func (l *layout) put(t testing.TB, v any) layoutBlob {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	b := layoutBlob{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)), Size: int64(len(data))}
	if err := os.WriteFile(l.blob(b.Digest), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// finish writes configuration, manifest and index, and returns the image's
// argument on the command line.
func (l *layout) finish(t testing.TB) string {
	t.Helper()
	var diffIDs []string
	for _, b := range l.layers {
		diffIDs = append(diffIDs, b.diffID)
	}
	config := l.put(t, map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}})
	config.MediaType = "application/vnd.oci.image.config.v1+json"
	manifest := l.put(t, map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": l.layers})
	manifest.MediaType = "application/vnd.oci.image.manifest.v1+json"
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []layoutBlob{manifest}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(l.dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "oci-dir:" + l.dir
}
