package inflate

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// layers returns the paths of the distinct gzip layers of the corpus, largest last. The corpus is the folder named by TIDEWAITER_CORPUS, whose oci/ holds OCI layouts.
func layers(t testing.TB) []string {
	t.Helper()
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set: no real layers")
	}
	blobs, err := filepath.Glob(filepath.Join(corpus, "oci", "*", "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var paths []string
	for _, p := range blobs {
		if digest := filepath.Base(p); !seen[digest] && isGzip(p) {
			seen[digest] = true
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		t.Skipf("no gzip layers below %s", corpus)
	}
	return paths
}

func isGzip(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && magic == [2]byte{0x1f, 0x8b}
}

// TestCorpus compares with compress/gzip over every real layer.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	paths := layers(t)
	var total int64
	for _, path := range paths {
		packed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := sha256.New()
		std, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		wantLen, wantErr := io.Copy(want, std)
		got := sha256.New()
		gotLen, gotErr := io.Copy(got, NewReader(bytes.NewReader(packed)))
		if verdict(gotErr) != verdict(wantErr) || gotLen != wantLen || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s: %d bytes, error %v, SHA-256 %x; want %d, %v, %x", path, gotLen, gotErr, got.Sum(nil), wantLen, wantErr, want.Sum(nil))
		}
		total += gotLen
	}
	t.Logf("%d layers, %d MB of output", len(paths), total/1e6)
}
