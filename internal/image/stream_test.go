package image

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// layerOf opens a one-layer image of which every part can be made wrong.
func layerOf(t testing.TB, l blobOf, change func(m *made)) *Layer {
	t.Helper()
	m := makeImage(t, amd64(), l)
	if change != nil {
		change(m)
		m.seal(t)
	}
	return mustOpen(t, "oci-dir:"+writeLayout(t, indexOf(t, m.entry("linux/amd64")), m.blobs), Options{}).Layers[0]
}

func TestStreamContent(t *testing.T) {
	big := noise(t, 3<<20)
	half := len(big) / 2
	skippable := append([]byte{0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0}, "hello"...)
	withTail := append(bytes.Clone(big), make([]byte, 100_000)...)
	named := append([]byte("\x1f\x8bfile"), tarOf(t, "x")[6:]...) // a tar whose first name begins like gzip
	for name, l := range map[string]blobOf{
		"gzip":                gzLayer(big),
		"gzip of members":     {append(gz(big[:half]), gz(big[half:])...), big, "application/vnd.oci.image.layer.v1.tar+gzip"},
		"gzip of nothing":     gzLayer(nil),
		"nothing":             {nil, nil, "application/vnd.oci.image.layer.v1.tar"},
		"tail behind tar":     gzLayer(withTail),
		"plain":               {big, big, ""},
		"plain like gzip":     {named, named, "application/vnd.oci.image.layer.v1.tar"},
		"zstd":                {zst(t, big), big, "application/vnd.oci.image.layer.v1.tar+zstd"},
		"zstd of frames":      {append(zst(t, big[:half]), zst(t, big[half:])...), big, ""},
		"zstd, skipped last":  {append(zst(t, big), skippable...), big, ""},
		"zstd, skipped first": {append(bytes.Clone(skippable), zst(t, big)...), big, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			layer := layerOf(t, l, nil)
			s, err := layer.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			// Read and Next in turns give every byte once.
			var got []byte
			buf := make([]byte, 1000)
			for i := 0; err == nil; i++ {
				if i%2 == 0 {
					var n int
					n, err = s.Read(buf)
					got = append(got, buf[:n]...)
				} else {
					var b []byte
					b, err = s.Next()
					got = append(got, b...)
				}
			}
			if err != io.EOF || !bytes.Equal(got, l.content) || s.DiffID() != sha(l.content) {
				t.Errorf("%d bytes of %d, DiffID %s, %v", len(got), len(l.content), s.DiffID(), err)
			}
			if _, err := s.Next(); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			if err := s.Drain(); err != nil {
				t.Errorf("Drain after the end: %v", err)
			}
		})
	}
}

func TestStreamFaults(t *testing.T) {
	content := noise(t, 1<<20)
	other := sha([]byte("other"))
	for _, tt := range []struct {
		name   string
		layer  blobOf
		change func(m *made)
		want   string
	}{
		{"wrong DiffID", gzLayer(content), func(m *made) { replaceDiffID(t, m, other) }, "(DiffID): digest mismatch: expected " + other + ", got " + sha(content)},
		{"wrong DiffID, plain", blobOf{content, content, ""}, func(m *made) { replaceDiffID(t, m, other) }, "(DiffID): digest mismatch"},
		{"flipped byte", gzLayer(content), func(m *made) { flip(m, 500_000) }, "blob: digest mismatch"},
		{"flipped byte, plain", blobOf{content, content, ""}, func(m *made) { flip(m, 500_000) }, "blob: digest mismatch"},
		{"flipped byte, zstd", blobOf{zst(t, content), content, ""}, func(m *made) { flip(m, 500_000) }, "blob: digest mismatch"},
		{"flipped magic", gzLayer(content), func(m *made) { flip(m, 0) }, "blob: digest mismatch"},
		{"truncated", gzLayer(content), func(m *made) {
			d := m.layers[0].Digest
			m.blobs[d] = m.blobs[d][:1000]
		}, "size mismatch"},
		{"built truncated", blobOf{gz(content)[:500_000], content, ""}, nil, "the blob is as the manifest says, but broken: unexpected EOF"},
		{"built with garbage behind", blobOf{append(gz(content), "garbage"...), content, ""}, nil, "but broken"},
		{"xz", blobOf{[]byte("\xfd7zXZ\x00rest"), content, ""}, nil, "compressed with xz"},
		{"encrypted", blobOf{gz(content), content, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}, nil, "encrypted"},
		{"missing", gzLayer(content), func(m *made) { delete(m.blobs, m.layers[0].Digest) }, "no such file in it"},
		{"zstd with a huge window", blobOf{[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0}, content, ""}, nil, "window size exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			s, err := layerOf(t, tt.layer, tt.change).Open(t.Context())
			if err == nil {
				defer s.Close()
				err = s.Drain()
				if _, again := s.Next(); again == nil || err == nil || again.Error() != err.Error() {
					t.Errorf("the error does not stay: %v, then %v", err, again)
				}
				if s.DiffID() != "" {
					t.Error("a DiffID was given")
				}
			}
			wantError(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), "layer 0") {
				t.Errorf("%v does not name the layer", err)
			}
			var d *DigestError
			if strings.Contains(tt.want, "digest mismatch") && !errors.As(err, &d) {
				t.Errorf("%T is no DigestError", err)
			}
			t.Log(err)
		})
	}
}

func flip(m *made, at int) {
	d := m.layers[0].Digest
	m.blobs[d] = bytes.Clone(m.blobs[d])
	m.blobs[d][at] ^= 4
}

func replaceDiffID(t testing.TB, m *made, id string) {
	config := bytes.Replace(m.blobs[m.config.Digest], []byte(m.diffIDs[0]), []byte(id), 1)
	m.config.Digest, m.config.Size = sha(config), int64(len(config))
	m.blobs[m.config.Digest] = config
}

func TestSHA512(t *testing.T) {
	content := tarOf(t, "a")
	for _, stored := range [][]byte{gz(content), content} {
		digest := fmt.Sprintf("sha512:%x", sha512.Sum512(stored))
		m := makeImage(t, amd64(), blobOf{stored, content, ""})
		m.layers[0].Digest = digest
		m.seal(t)
		content := blobMap{m.manifest.Digest: m.raw, m.config.Digest: m.blobs[m.config.Digest], digest: stored}
		r, err := newResolver(content, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		img, err := r.image(t.Context(), m.raw, m.manifest.Digest)
		if err != nil {
			t.Fatal(err)
		}
		img.limits = r.o.Limits
		img.Layers[0].image = img
		s, err := img.Layers[0].Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(); err != nil || s.DiffID() != m.diffIDs[0] {
			t.Errorf("%v, DiffID %s", err, s.DiffID())
		}
		s.Close()
		content[digest] = bytes.Replace(stored, stored[len(stored)-9:], []byte("123456789"), 1)
		s, _ = img.Layers[0].Open(t.Context())
		if err := s.Drain(); err == nil {
			t.Error("changed blob: no error")
		}
		s.Close()
	}
}

func TestStreamsAtOnce(t *testing.T) {
	noLeaks(t)
	layer := layerOf(t, gzLayer(noise(t, 2<<20)), nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := layer.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if i%2 == 0 {
				s.Next()
				return
			}
			if err := s.Drain(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestStreamCancelled(t *testing.T) {
	noLeaks(t)
	layer := layerOf(t, gzLayer(noise(t, 8<<20)), nil)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := layer.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Drain(); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if _, err := layer.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}
