package feedtest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Shared is a file or folder of the real feeds, data/feeds/NAME in the folder
// shared that lies beside the repository or that TIDEWAITER_SHARED names. A test
// that does not find it is skipped.
func Shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	for dir, _ := filepath.Abs("."); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feeds are not there: %v", err)
	}
	return p
}

// Folder is a new folder with files, content by path.
func Folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(content))
	}
	return dir
}

// File is a new file in a folder of its own.
func File(t testing.TB, name, content string) string {
	t.Helper()
	return filepath.Join(Folder(t, map[string]string{name: content}), name)
}

// Half is a copy of a file that breaks off in the middle.
func Half(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), filepath.Base(name))
	write(t, half, raw[:len(raw)/2])
	return half
}

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Download fetches file, which has so many records, over the network, and then
// again what has not changed.
func Download(t *testing.T, s feed.Source, file string, records int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeFile(w, r, file)
	}))
	defer server.Close()
	in := feed.Input{URL: server.URL + "/" + filepath.Base(file), Client: &feed.Client{Tries: 1}}
	got := Fetch(t, s, in, feed.State{})
	if got.Err != nil || len(got.Order) != records {
		t.Fatal(got.Err, len(got.Order))
	}
	if got = Fetch(t, s, in, got.Update.State); got.Err != nil || !got.Update.Unchanged {
		t.Error(got.Err)
	}
}

// Benchmark fetches a file or folder, which has so many records.
func Benchmark(b *testing.B, s feed.Source, from string, records int) {
	b.Helper()
	for b.Loop() {
		Fetch(b, s, feed.Input{From: from}, feed.State{})
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
