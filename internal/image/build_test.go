package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// made is an image in memory: every blob and manifest by its digest.
type made struct {
	blobs    map[string][]byte
	manifest descriptor
	raw      []byte
	layers   []descriptor
	diffIDs  []string
	config   descriptor
}

func sha(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// tarOf makes a tar of files with the given sizes and some content.
func tarOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		data := bytes.Repeat([]byte(n), 1000)
		if err := w.WriteHeader(&tar.Header{Name: n, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a tar that hardly compresses.
func noise(t testing.TB, size int) []byte {
	t.Helper()
	data := make([]byte, size)
	state := uint64(88172645463325252)
	for i := range data {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		data[i] = byte(state)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: int64(size)}); err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

// blobOf is a layer: what is stored, what is in it, and what the manifest calls it.
type blobOf struct {
	stored, content []byte
	mediaType       string
}

func gzLayer(content []byte) blobOf {
	return blobOf{gz(content), content, "application/vnd.oci.image.layer.v1.tar+gzip"}
}

func makeImage(t testing.TB, platform Platform, layers ...blobOf) *made {
	t.Helper()
	m := &made{blobs: map[string][]byte{}}
	var history []map[string]any
	for i, l := range layers {
		m.diffIDs = append(m.diffIDs, sha(l.content))
		m.layers = append(m.layers, descriptor{MediaType: l.mediaType, Digest: sha(l.stored), Size: int64(len(l.stored))})
		m.blobs[sha(l.stored)] = l.stored
		history = append(history, map[string]any{"created_by": fmt.Sprintf("COPY %d /", i)}, map[string]any{"created_by": "ENV x", "empty_layer": true})
	}
	config := marshal(t, map[string]any{
		"os": platform.OS, "architecture": platform.Arch, "variant": platform.Variant,
		"config":  map[string]any{"Env": []string{"A=b"}, "ExposedPorts": map[string]any{"80/tcp": map[string]any{}}},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": m.diffIDs},
		"history": history,
	})
	m.config = descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: sha(config), Size: int64(len(config))}
	m.blobs[m.config.Digest] = config
	m.seal(t)
	return m
}

// seal writes the manifest, after a test changed what it lists.
func (m *made) seal(t testing.TB) {
	t.Helper()
	m.raw = marshal(t, map[string]any{"schemaVersion": 2, "mediaType": typeOCIManifest, "config": plainDescriptor(m.config), "layers": plainDescriptors(m.layers)})
	m.manifest = descriptor{MediaType: typeOCIManifest, Digest: sha(m.raw), Size: int64(len(m.raw))}
	m.blobs[m.manifest.Digest] = m.raw
}

func plainDescriptor(d descriptor) map[string]any {
	m := map[string]any{"mediaType": d.MediaType, "digest": d.Digest, "size": d.Size}
	if d.URLs != nil {
		m["urls"] = d.URLs
	}
	if d.Annotations != nil {
		m["annotations"] = d.Annotations
	}
	return m
}

func plainDescriptors(ds []descriptor) []map[string]any {
	out := []map[string]any{}
	for _, d := range ds {
		out = append(out, plainDescriptor(d))
	}
	return out
}

// entry is how an index lists the image.
func (m *made) entry(platform string, annotations ...string) map[string]any {
	e := plainDescriptor(m.manifest)
	if platform != "" {
		p, _ := ParsePlatform(platform)
		e["platform"] = map[string]any{"os": p.OS, "architecture": p.Arch, "variant": p.Variant}
	}
	a := map[string]string{}
	for i := 0; i+1 < len(annotations); i += 2 {
		a[annotations[i]] = annotations[i+1]
	}
	e["annotations"] = a
	return e
}

func indexOf(t testing.TB, entries ...map[string]any) []byte {
	if entries == nil {
		entries = []map[string]any{}
	}
	return marshal(t, map[string]any{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": entries})
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeLayout makes an OCI layout with the given index and blobs.
func writeLayout(t testing.TB, index []byte, blobs ...map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	write("index.json", index)
	for _, m := range blobs {
		for d, b := range m {
			write(blobPath(d), b)
		}
	}
	return dir
}

// archiveFile is a file of an archive made for a test.
type archiveFile struct {
	name, link string
	data       []byte
}

func writeArchive(t testing.TB, files ...archiveFile) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if f.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.link, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write(f.data)
	}
	w.Close()
	p := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(p, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// fakeRegistry serves images over TLS, and whatever faults a test adds.
type fakeRegistry struct {
	*httptest.Server
	host string
	opts Options

	mu    sync.Mutex
	tags  map[string][]byte
	blobs map[string][]byte
	// fault answers instead of the registry when it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool
	log   []string
}

func newRegistry(t testing.TB, images ...*made) *fakeRegistry {
	t.Helper()
	f := &fakeRegistry{tags: map[string][]byte{}, blobs: map[string][]byte{}}
	f.Server = httptest.NewTLSServer(f)
	t.Cleanup(f.Close)
	f.host = strings.TrimPrefix(f.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o644); err != nil {
		t.Fatal(err)
	}
	f.opts = Options{firstWait: 5 * time.Millisecond, CAFiles: []string{ca}, AuthFile: emptyAuth(t), Timeouts: Timeouts{Stall: 300 * time.Millisecond, Answer: 2 * time.Second}}
	for _, m := range images {
		f.add(m)
	}
	return f
}

func emptyAuth(t testing.TB) string {
	p := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(p, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fakeRegistry) add(m *made) {
	for d, b := range m.blobs {
		f.blobs[d] = b
	}
	f.tags["latest"] = m.raw
}

func (f *fakeRegistry) requests(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, l := range f.log {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

func (f *fakeRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.log = append(f.log, r.Method+" "+r.URL.Path+" "+r.Header.Get("Range"))
	f.mu.Unlock()
	if f.fault != nil && f.fault(w, r) {
		return
	}
	_, id, _ := strings.Cut(r.URL.Path, "/manifests/")
	b, ok := f.tags[id]
	if !ok {
		b, ok = f.blobs[id]
	}
	kind := "application/octet-stream"
	switch {
	case r.URL.Path == "/v2/":
		return
	case ok && id != "":
		var d document
		json.Unmarshal(b, &d)
		kind = d.mediaType()
		w.Header().Set("Docker-Content-Digest", sha(b))
	default:
		_, id, _ = strings.Cut(r.URL.Path, "/blobs/")
		if b, ok = f.blobs[id]; !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"UNKNOWN","message":"it is not here"}]}`)
			return
		}
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// noLeaks fails when goroutines of this package outlive the test.
func noLeaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		buf := make([]byte, 1<<20)
		var stacks string
		for range 100 {
			stacks = string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(stacks, "image.(*Stream)") && !strings.Contains(stacks, "image.(*download)") &&
				!strings.Contains(stacks, "image.(*stallReader)") && !strings.Contains(stacks, "image.(*retrier)") {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("goroutines left:\n%s", stacks)
	})
}
