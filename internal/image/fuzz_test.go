package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{
		"nginx", "nginx:1.25", "docker.io/library/nginx@sha256:" + strings.Repeat("a", 64), "localhost:5000/x:y@sha512:z",
		"oci-dir:/tmp:tag", "docker-archive:a.tar:repo:tag", "docker:nginx", "sbom:x.json", "dir:/", "registry:", "::", "a@b@c", "[::1]:5000/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			return
		}
		if again, err := ParseRef(r.String()); err != nil || again != r {
			t.Errorf("ParseRef(%q) = %q; ParseRef of that = %q, %v", s, r, again, err)
		}
	})
}

// FuzzArchive opens anything as an image archive and reads its layers.
func FuzzArchive(f *testing.F) {
	m := makeImage(f, amd64(), gzLayer(tarOf(f, "a")))
	for _, files := range [][]archiveFile{saved(f, []string{"a:b"}, m), legacy(f, tarOf(f, "a"))} {
		b, err := os.ReadFile(writeArchive(f, files...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	if paths, _ := filepath.Glob("../../../shared/images/apk-wolfi.tar"); len(paths) == 1 {
		b, err := os.ReadFile(paths[0])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	limits := Limits{LayerBytes: 1 << 20, ArchiveEntries: 100, Layers: 10}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := Options{Limits: limits}.withDefaults()
		a, err := indexArchive(bytes.NewReader(b), int64(len(b)), o.Limits)
		if err != nil {
			return
		}
		a.close = func() error { return nil }
		img, err := openSaved(t.Context(), a, "", o)
		if err != nil {
			return
		}
		img.limits = o.Limits
		for _, l := range img.Layers {
			l.image = img
			readFuzzed(t, l)
		}
	})
}

func readFuzzed(t *testing.T, l *Layer) {
	s, err := l.Open(t.Context())
	if err != nil {
		return
	}
	defer s.Close()
	b, err := io.ReadAll(s)
	if err == nil && l.DiffID != "" && sha(b) != l.DiffID && strings.HasPrefix(l.DiffID, "sha256:") {
		t.Errorf("content has %s, DiffID is %s", sha(b), l.DiffID)
	}
	if int64(len(b)) > l.image.limits.LayerBytes+chunkSize+512 {
		t.Errorf("read %d bytes, the limit is %d", len(b), l.image.limits.LayerBytes)
	}
}

// blobMap is content in memory.
type blobMap map[string][]byte

func (m blobMap) manifest(_ context.Context, d descriptor) ([]byte, error) {
	b, ok := m[d.Digest]
	if !ok {
		return nil, errNoEntry
	}
	return b, nil
}

func (m blobMap) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	b, err := m.manifest(ctx, d)
	return io.NopCloser(bytes.NewReader(b)), err
}

func (blobMap) Close() error { return nil }

func FuzzManifest(f *testing.F) {
	m := makeImage(f, amd64(), gzLayer(tarOf(f, "a")))
	config := m.blobs[m.config.Digest]
	f.Add(m.raw, config)
	f.Add(indexOf(f, m.entry("linux/amd64"), m.entry("linux/arm64")), config)
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[]}`), []byte(`{"rootfs":{"diff_ids":null},"config":{"Cmd":"x"}}`))
	f.Fuzz(func(t *testing.T, raw, config []byte) {
		content := blobMap{sha(raw): raw, sha(config): config, m.manifest.Digest: m.raw}
		r, err := newResolver(content, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		img, err := r.image(t.Context(), raw, sha(raw))
		if err != nil {
			return
		}
		if sha(img.RawConfig) != img.ConfigDigest || sha(img.RawManifest) != img.Digest {
			t.Errorf("unverified: %s, %s", img.ConfigDigest, img.Digest)
		}
		if c, ids, err := parseConfig(config); err == nil && len(createdBy(&c, len(ids))) != len(ids) {
			t.Error("createdBy has another length")
		}
	})
}

func FuzzContainerdMessage(f *testing.F) {
	d := protoNumber(protoText(protoText(nil, 1, typeOCIIndex), 2, "sha256:"+strings.Repeat("a", 64)), 3, 1<<40)
	f.Add(protoText(protoText(nil, 1, "docker.io/library/nginx:1"), 3, string(d)))
	f.Add([]byte{0x0d, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := parseContainerdImage(b); err != nil && !errors.Is(err, errProto) {
			t.Error(err)
		}
	})
}
