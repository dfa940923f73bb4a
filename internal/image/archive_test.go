package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func amd64() Platform { return Platform{OS: "linux", Arch: "amd64"} }

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("err = %v, want %q", err, want)
	}
}

func TestPlatforms(t *testing.T) {
	images := map[string]*made{}
	var entries []map[string]any
	blobs := []map[string][]byte{}
	for _, p := range []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64"} {
		parsed, _ := ParsePlatform(p)
		m := makeImage(t, parsed, gzLayer(tarOf(t, p)))
		images[p] = m
		entries = append(entries, m.entry(p))
		blobs = append(blobs, m.blobs)
	}
	attestation := makeImage(t, Platform{"unknown", "unknown", ""}, gzLayer(tarOf(t, "x")))
	entries = append(entries, attestation.entry("unknown/unknown", "vnd.docker.reference.type", "attestation-manifest"))
	index := indexOf(t, entries...)
	inner := descriptor{MediaType: typeOCIIndex, Digest: sha(index), Size: int64(len(index))}
	blobs = append(blobs, map[string][]byte{inner.Digest: index})
	outer := indexOf(t, plainDescriptor(inner))

	for _, tt := range []struct{ platform, want string }{
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"linux/arm64", "linux/arm64/v8"},
		{"linux/aarch64/v8", "linux/arm64/v8"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/v6", "linux/arm/v6"},
		{"windows/amd64", "windows/amd64"},
	} {
		for name, index := range map[string][]byte{"flat": index, "nested": outer} {
			img, err := tryOpen(t, "oci-dir:"+writeLayout(t, index, blobs...), Options{Platform: tt.platform})
			if err != nil {
				t.Errorf("%s %s: %v", name, tt.platform, err)
				continue
			}
			if img.Digest != images[tt.want].manifest.Digest {
				t.Errorf("%s %s: got %s", name, tt.platform, img.Platform)
			}
			if name == "nested" && img.IndexDigest != inner.Digest {
				t.Errorf("IndexDigest = %q, want %q", img.IndexDigest, inner.Digest)
			}
		}
	}
	dir := writeLayout(t, index, blobs...)
	_, err := tryOpen(t, dir, Options{Platform: "linux/s390x"})
	wantError(t, err, "no image for linux/s390x; there are: linux/amd64, linux/arm64, linux/arm/v6, linux/arm/v7, windows/amd64 (choose with --platform)")
	_, err = tryOpen(t, dir, Options{Platform: "amd64"})
	wantError(t, err, "want os/architecture")

	only := images["windows/amd64"]
	one := writeLayout(t, indexOf(t, only.entry("windows/amd64")), only.blobs)
	if img, err := tryOpen(t, one, Options{}); err != nil || img.Platform.OS != "windows" {
		t.Errorf("the only image of a layout: %v", err)
	}
	_, err = tryOpen(t, one, Options{Platform: "linux/amd64"})
	wantError(t, err, "there is only windows/amd64")
}

func TestIndexBombs(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	blobs := map[string][]byte{}
	d := m.entry("linux/amd64")
	for range 8 {
		b := indexOf(t, d)
		blobs[sha(b)] = b
		d = plainDescriptor(descriptor{MediaType: typeOCIIndex, Digest: sha(b), Size: int64(len(b))})
	}
	_, err := tryOpen(t, writeLayout(t, indexOf(t, d), m.blobs, blobs), Options{})
	wantError(t, err, "IndexDepth = 4")

	// Each index lists the next one a hundred times.
	d = m.entry("linux/amd64")
	for range 4 {
		var entries []map[string]any
		for range 100 {
			entries = append(entries, d)
		}
		b := indexOf(t, entries...)
		blobs[sha(b)] = b
		d = plainDescriptor(descriptor{MediaType: typeOCIIndex, Digest: sha(b), Size: int64(len(b))})
	}
	_, err = tryOpen(t, writeLayout(t, indexOf(t, d), m.blobs, blobs), Options{})
	wantError(t, err, "IndexManifests = 10000")
}

// TestIndexOfLargeIndexes lists one large nested index many times over.
func TestIndexOfLargeIndexes(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	var entries []map[string]any
	blobs := map[string][]byte{}
	for i := range 100 {
		b := indexOf(t, m.entry("linux/amd64", "padding", strings.Repeat("x", 1<<20), "number", fmt.Sprint(i)))
		blobs[sha(b)] = b
		entries = append(entries, plainDescriptor(descriptor{MediaType: typeOCIIndex, Digest: sha(b), Size: int64(len(b))}))
	}
	all := indexOf(t, entries...)
	blobs[sha(all)] = all
	outer := indexOf(t, plainDescriptor(descriptor{MediaType: typeOCIIndex, Digest: sha(all), Size: int64(len(all))}))
	_, err := tryOpen(t, writeLayout(t, outer, m.blobs, blobs), Options{})
	wantError(t, err, "ManifestBytes")
}

func TestChoiceInLayout(t *testing.T) {
	a := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	b := makeImage(t, amd64(), gzLayer(tarOf(t, "b")))
	index := indexOf(t, a.entry("", refName, "v1"), b.entry("", refName, "v2"), b.entry("", containerName, "docker.io/team/b:latest", refName, "latest"))
	dir := writeLayout(t, index, a.blobs, b.blobs)
	_, err := tryOpen(t, dir, Options{})
	wantError(t, err, "several images: choose one with PATH:NAME or PATH@DIGEST: v1, v2, docker.io/team/b:latest")
	for choice, want := range map[string]*made{
		":v1": a, ":v2": b, "@" + a.manifest.Digest: a, ":latest": b, ":docker.io/team/b:latest": b,
	} {
		img, err := tryOpen(t, dir+choice, Options{}) // without a prefix, too
		if err != nil || img.Digest != want.manifest.Digest || img.Ref.Kind != OCIDir {
			t.Errorf("%s: %v", choice, err)
		}
	}
	_, err = tryOpen(t, "oci-dir:"+dir+":v3", Options{})
	wantError(t, err, `nothing called "v3"; there are: v1, v2`)
	if !errors.Is(err, ErrNotFound) {
		t.Error("not ErrNotFound")
	}
}

// saved makes a docker archive of images, in the form since Docker 1.10.
func saved(t testing.TB, tags []string, images ...*made) []archiveFile {
	var files []archiveFile
	var list []map[string]any
	for i, m := range images {
		name := strings.TrimPrefix(m.config.Digest, "sha256:") + ".json"
		e := map[string]any{"Config": name, "Layers": []string{}}
		if i < len(tags) {
			e["RepoTags"] = []string{tags[i]}
		}
		for n, l := range m.layers {
			p := fmt.Sprintf("%d-%d/layer.tar", i, n)
			e["Layers"] = append(e["Layers"].([]string), p)
			files = append(files, archiveFile{name: p, data: m.blobs[l.Digest]})
		}
		list = append(list, e)
		files = append(files, archiveFile{name: name, data: m.blobs[m.config.Digest]})
	}
	return append(files, archiveFile{name: "manifest.json", data: marshal(t, list)})
}

func TestDockerArchive(t *testing.T) {
	a := makeImage(t, amd64(), gzLayer(tarOf(t, "a")), blobOf{tarOf(t, "b"), tarOf(t, "b"), ""})
	b := makeImage(t, amd64(), gzLayer(tarOf(t, "c")))
	files := saved(t, []string{"team/a:1", "team/b:1"}, a, b)
	path := writeArchive(t, files...)
	_, err := tryOpen(t, path, Options{})
	wantError(t, err, "several images: choose one with PATH:REPOSITORY:TAG or PATH@DIGEST: team/a:1, team/b:1")
	img := mustOpen(t, path+":team/a:1", Options{})
	if img.ConfigDigest != a.config.Digest || img.Digest != "" || img.Tags[0] != "team/a:1" || img.Layers[0].Size != a.layers[0].Size {
		t.Errorf("got %+v", img)
	}
	readAllLayers(t, img)
	for _, choice := range []string{":team/b:1", "@" + b.config.Digest} {
		if img := mustOpen(t, "docker-archive:"+path+choice, Options{}); img.ConfigDigest != b.config.Digest {
			t.Errorf("%s: got %s", choice, img.ConfigDigest)
		}
	}

	whole, _ := os.ReadFile(path)
	for name, packed := range map[string][]byte{"gz": gz(whole), "zst": zst(t, whole)} {
		p := filepath.Join(t.TempDir(), "a.tar."+name)
		os.WriteFile(p, packed, 0o644)
		tmp := t.TempDir()
		img := mustOpen(t, p+":team/a:1", Options{TempDir: tmp})
		if img.Ref.Kind != DockerArchive {
			t.Errorf("%s: guessed %s", name, img.Ref.Kind)
		}
		readAllLayers(t, img)
		if left, _ := os.ReadDir(tmp); len(left) != 0 {
			t.Errorf("%s: the temporary file has a name: %v", name, left)
		}
		_, err := tryOpen(t, p+":team/a:1", Options{Limits: Limits{SpoolBytes: 5000}})
		wantError(t, err, "SpoolBytes = 5000")
	}
}

func TestArchiveBomb(t *testing.T) {
	files := archiveFile{name: "zeros", data: make([]byte, 100<<20)}
	whole, err := os.ReadFile(writeArchive(t, files))
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "bomb.tar.gz")
	os.WriteFile(p, gz(whole), 0o644)
	_, err = tryOpen(t, "docker-archive:"+p, Options{Limits: Limits{Ratio: 100}})
	wantError(t, err, "the archive's compression ratio exceeds the limit Ratio = 100")
}

func TestDockerArchiveFaults(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")), gzLayer(tarOf(t, "b")))
	good := saved(t, nil, m)
	change := func(f func([]archiveFile) []archiveFile) string {
		return writeArchive(t, f(append([]archiveFile(nil), good...))...)
	}
	open := func(path string) error {
		img, err := tryOpen(t, "docker-archive:"+path, Options{})
		if err != nil {
			return err
		}
		for _, l := range img.Layers {
			s, err := l.Open(t.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Drain(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := open(change(func(f []archiveFile) []archiveFile { return f })); err != nil {
		t.Fatal(err)
	}
	// The second layer as a link to where it is, as Docker 1.10 to 24 write it.
	linked := change(func(f []archiveFile) []archiveFile {
		f[1].name = "elsewhere/layer.tar"
		return append(f, archiveFile{name: "0-1/layer.tar", link: "../elsewhere/layer.tar"})
	})
	if err := open(linked); err != nil {
		t.Errorf("linked layer: %v", err)
	}
	for _, tt := range []struct {
		name, want string
		path       string
	}{
		{"missing layer", "0-1/layer.tar: no such file", change(func(f []archiveFile) []archiveFile { return append(f[:1:1], f[2:]...) })},
		{"layer twice", "holds this name twice", change(func(f []archiveFile) []archiveFile { return append(f, f[1]) })},
		{"link circle", "too many links", change(func(f []archiveFile) []archiveFile {
			f[1] = archiveFile{name: "0-1/layer.tar", link: "../x"}
			return append(f, archiveFile{name: "x", link: "0-1/layer.tar"})
		})},
		{"link out", "etc/passwd: no such file", change(func(f []archiveFile) []archiveFile {
			f[1] = archiveFile{name: "0-1/layer.tar", link: "/etc/passwd"}
			return f
		})},
		{"config is another", "digest mismatch", change(func(f []archiveFile) []archiveFile {
			f[2].data = append([]byte(" "), f[2].data...)
			return f
		})},
		{"layer is another", "(DiffID): digest mismatch", change(func(f []archiveFile) []archiveFile {
			f[1].data = gz(tarOf(t, "z"))
			return f
		})},
		{"broken gzip", "corrupt", change(func(f []archiveFile) []archiveFile {
			f[1].data = bytes.Clone(f[1].data)
			f[1].data[20] ^= 0xff
			f[1].data[21] ^= 0xff
			f[1].data[22] ^= 0xff
			return f
		})},
		{"half a gzip", "unexpected EOF", change(func(f []archiveFile) []archiveFile {
			f[1].data = f[1].data[:len(f[1].data)/2]
			return f
		})},
		{"manifest.json is no JSON", "reading manifest.json", change(func(f []archiveFile) []archiveFile {
			f[len(f)-1].data = []byte("[{")
			return f
		})},
		{"empty manifest.json", "lists no image", change(func(f []archiveFile) []archiveFile {
			f[len(f)-1].data = []byte("[]")
			return f
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			err := open(tt.path)
			if tt.name == "broken gzip" && err != nil && strings.Contains(err.Error(), "mismatch") {
				return // the damage may also decode to something else
			}
			wantError(t, err, tt.want)
			t.Log(err)
		})
	}
	t.Run("truncated", func(t *testing.T) {
		whole, _ := os.ReadFile(linked)
		for _, n := range []int{0, 1, 100, 512, 700, 1024, len(whole) / 2} {
			p := filepath.Join(t.TempDir(), "t.tar")
			os.WriteFile(p, whole[:n], 0o644)
			if err := open(p); err == nil {
				t.Errorf("%d bytes of %d are fine", n, len(whole))
			}
		}
	})
	t.Run("too many files", func(t *testing.T) {
		_, err := tryOpen(t, "docker-archive:"+linked, Options{Limits: Limits{ArchiveEntries: 3}})
		wantError(t, err, "ArchiveEntries = 3")
	})
}

// legacy makes an archive as Docker before 1.10 wrote it.
func legacy(t testing.TB, layers ...[]byte) []archiveFile {
	var files []archiveFile
	parent, id := "", ""
	for i, l := range layers {
		id = strings.TrimPrefix(sha([]byte{byte(i)}), "sha256:")
		files = append(files,
			archiveFile{name: id + "/VERSION", data: []byte("1.0")},
			archiveFile{name: id + "/json", data: marshal(t, map[string]any{
				"id": id, "parent": parent, "created": "2014-01-02T03:04:05Z", "os": "linux", "architecture": "amd64",
				"config":           map[string]any{"Env": []string{"A=b"}, "Cmd": []string{"/bin/sh"}},
				"container_config": map[string]any{"Cmd": []string{"/bin/sh", "-c", fmt.Sprint("step ", i)}},
			})},
			archiveFile{name: id + "/layer.tar", data: l})
		parent = id
	}
	return append(files, archiveFile{name: "repositories", data: marshal(t, map[string]any{"busybox": map[string]string{"1": id, "latest": id}})})
}

func TestLegacyArchive(t *testing.T) {
	layers := [][]byte{tarOf(t, "a"), tarOf(t, "b")}
	img := mustOpen(t, writeArchive(t, legacy(t, layers...)...), Options{})
	if img.Ref.Kind != DockerArchive || len(img.Layers) != 2 || strings.Join(img.Tags, " ") != "busybox:1 busybox:latest" || img.Platform != amd64() {
		t.Fatalf("got %s, %d layers, %q, %s", img.Ref.Kind, len(img.Layers), img.Tags, img.Platform)
	}
	if l := img.Layers[0]; l.CreatedBy != "/bin/sh -c step 0" || img.Config.History[0].CreatedBy != l.CreatedBy || l.DiffID != "" {
		t.Errorf("layer 0 = %+v", l)
	}
	for i, l := range img.Layers {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, layers[i]) || s.DiffID() != sha(layers[i]) {
			t.Errorf("layer %d: %v, DiffID %s", i, err, s.DiffID())
		}
		s.Close()
	}
	circle := legacy(t, layers...)
	for i, f := range circle {
		circle[i].data = bytes.Replace(f.data, []byte(`"parent":""`), []byte(`"parent":"`+strings.TrimSuffix(circle[3].name, "/VERSION")+`"`), 1)
	}
	_, err := tryOpen(t, writeArchive(t, circle...), Options{})
	wantError(t, err, "its own ancestor")
}

func TestManifestFaults(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	config, layer := plainDescriptor(m.config), plainDescriptor(m.layers[0])
	many := make([]map[string]any, 1001)
	for i := range many {
		many[i] = layer
	}
	helm := plainDescriptor(descriptor{MediaType: "application/vnd.cncf.helm.config.v1+json", Digest: m.config.Digest, Size: m.config.Size})
	for name, tt := range map[string]struct {
		doc  map[string]any
		want string
	}{
		"index and image":   {map[string]any{"schemaVersion": 2, "config": config, "layers": []any{layer}, "manifests": []any{}}, "index and an image at once"},
		"lying media type":  {map[string]any{"schemaVersion": 2, "mediaType": typeOCIIndex, "config": config, "layers": []any{layer}}, "which it is not"},
		"nothing":           {map[string]any{"schemaVersion": 2}, "neither an image manifest nor an index"},
		"too many layers":   {map[string]any{"config": config, "layers": many}, "Layers = 1000"},
		"layer count":       {map[string]any{"config": config, "layers": []any{layer, layer}}, "lists 2 layers, the configuration 1"},
		"digest is a path":  {map[string]any{"config": map[string]any{"digest": "sha256:../../../etc/passwd"}}, "is not a digest"},
		"unknown algorithm": {map[string]any{"config": map[string]any{"digest": "md5:d41d8cd98f00b204e9800998ecf8427e"}}, "is not a digest"},
		"negative size":     {map[string]any{"config": map[string]any{"digest": m.config.Digest, "size": -1}}, "negative size"},
		"huge config":       {map[string]any{"config": map[string]any{"digest": m.config.Digest, "size": 1 << 40}, "layers": []any{layer}}, "ConfigBytes = 8388608"},
		"wrong config size": {map[string]any{"config": map[string]any{"digest": m.config.Digest, "size": 5}, "layers": []any{layer}}, "size mismatch: expected 5"},
		"huge layer":        {map[string]any{"config": config, "layers": []any{map[string]any{"digest": m.layers[0].Digest, "size": 1 << 50}}}, "BlobBytes"},
		"a chart":           {map[string]any{"config": helm, "layers": []any{}}, "not a container image (its configuration is application/vnd.cncf.helm.config.v1+json)"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := marshal(t, tt.doc)
			index := indexOf(t, plainDescriptor(descriptor{MediaType: typeOCIManifest, Digest: sha(raw), Size: int64(len(raw))}))
			_, err := tryOpen(t, writeLayout(t, index, m.blobs, map[string][]byte{sha(raw): raw}), Options{})
			wantError(t, err, tt.want)
			t.Log(err)
		})
	}
}

func TestLayoutStaysInside(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	dir := writeLayout(t, indexOf(t, m.entry("linux/amd64")), m.blobs)
	outside := filepath.Join(t.TempDir(), "config")
	os.WriteFile(outside, m.blobs[m.config.Digest], 0o644)
	at := filepath.Join(dir, blobPath(m.config.Digest))
	os.Remove(at)
	if err := os.Symlink(outside, at); err != nil {
		t.Fatal(err)
	}
	_, err := tryOpen(t, dir, Options{})
	wantError(t, err, "escapes")
}

func TestLimitsOfLayers(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: 200 << 20})
	io.CopyN(w, zeroReader{}, 200<<20)
	w.Close()
	m := makeImage(t, amd64(), gzLayer(b.Bytes()), blobOf{zst(t, b.Bytes()), b.Bytes(), "application/vnd.oci.image.layer.v1.tar+zstd"})
	dir := writeLayout(t, indexOf(t, m.entry("linux/amd64")), m.blobs)
	for _, tt := range []struct {
		limits Limits
		want   string
	}{
		{Limits{LayerBytes: 100 << 20, Ratio: 1 << 40}, "LayerBytes = 104857600"},
		{Limits{Ratio: 100}, "Ratio = 100"},
		{Limits{BlobBytes: 1000}, "BlobBytes = 1000"},
	} {
		noLeaks(t)
		img, err := tryOpen(t, dir, Options{Limits: tt.limits})
		if err != nil {
			wantError(t, err, tt.want)
			continue
		}
		for _, l := range img.Layers {
			s, err := l.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = s.Drain()
			wantError(t, err, tt.want)
			var limit *LimitError
			if !errors.As(err, &limit) {
				t.Errorf("%T is no LimitError", err)
			}
			s.Close()
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }
