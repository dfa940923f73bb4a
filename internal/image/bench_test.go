package image

import (
	"path/filepath"
	"testing"
)

// BenchmarkStream reads and verifies every layer of an image, one after the other.
func BenchmarkStream(b *testing.B) {
	dir := corpus(b)
	img := mustOpen(b, "oci-dir:"+filepath.Join(dir, "oci", "debian-java"), Options{})
	for b.Loop() {
		var size int64
		for _, l := range img.Layers {
			s, err := l.Open(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for {
				p, err := s.Next()
				if err != nil {
					break
				}
				size += int64(len(p))
			}
			if s.DiffID() != l.DiffID {
				b.Fatal(s.err)
			}
			s.Close()
		}
		b.SetBytes(size)
	}
}
