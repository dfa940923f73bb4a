package analyzetest

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Corpus is the folder of real images that TIDEWAITER_CORPUS names; a test
// without it is skipped.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TIDEWAITER_CORPUS")
	if dir == "" {
		t.Skip("TIDEWAITER_CORPUS is not set: no real images to compare with")
	}
	return dir
}

// Layers matches unpacked layers of the corpus: pattern is in the form of
// [filepath.Match] and begins with the layer's name and "fs", such as
// "*/fs/bin/*".
func Layers(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(Corpus(t), ".work", "layers", filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Layer is the folder with the unpacked content of one layer of the corpus; a
// test that does not find it is skipped.
func Layer(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(Corpus(t), ".work", "layers", name, "fs")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no unpacked layer %s: %v", name, err)
	}
	return dir
}

// Shared is a file of the folder that lies beside the repository, or that
// TIDEWAITER_SHARED names; a test that does not find it is skipped.
func Shared(t testing.TB, name ...string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	for dir, _ := filepath.Abs("."); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	p := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("not among the shared files: %v", err)
	}
	return p
}

// Gunzip returns the content of a compressed file of this package.
func Gunzip(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
