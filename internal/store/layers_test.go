package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
)

const diffID = inventory.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

func testLayer() inventory.Layer {
	var b inventory.Builder
	b.Add(inventory.File{Path: "etc", Type: inventory.Directory})
	b.Add(inventory.File{Path: "etc/os-release", Size: 3, SHA256: [32]byte{1}})
	return inventory.Layer{DiffID: diffID, Files: b.Table(), Records: []inventory.Record{
		{Analyzer: "dpkg", Version: 1, Packages: []inventory.Package{{Type: "deb", Name: "curl", Version: "8", Path: "s", Files: inventory.NewFileList([]string{"usr/bin/curl"}), Meta: map[string]string{"a": "b"}}}},
		{Analyzer: "rpm", Version: 2},
		{Analyzer: "secret", Version: 1, Config: "c1", Facts: []inventory.Fact{{Kind: "secret", Path: "x", Data: []byte(`{"a":1}`)}}},
	}}
}

func TestLayerComesBack(t *testing.T) {
	dir := t.TempDir()
	s := &Layers{DB: open(t), Objects: object.Folder{Dir: dir}}
	keys := []analyze.Key{{Analyzer: "dpkg", Version: 1}, {Analyzer: "rpm", Version: 2}, {Analyzer: "secret", Version: 1, Config: "c1"}, {Analyzer: "new", Version: 1}}
	if _, _, ok, err := s.Layer(t.Context(), diffID, 1, keys); ok || err != nil {
		t.Fatalf("an unknown layer: %v, %v", ok, err)
	}
	want := testLayer()
	for range 2 { // keeping it twice changes nothing
		if err := s.PutLayer(t.Context(), want, 1); err != nil {
			t.Fatal(err)
		}
	}
	got, have, ok, err := s.Layer(t.Context(), diffID, 1, keys)
	if !ok || err != nil {
		t.Fatalf("Layer = %v, %v", ok, err)
	}
	opts := cmp.Comparer(func(a, b inventory.FileList) bool { return cmp.Equal(a.Strings(), b.Strings()) })
	if d := cmp.Diff(want.Records, got.Records, opts); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if got.Files.Len() != 2 {
		t.Errorf("%d files", got.Files.Len())
	}
	if len(have) != 3 || have[keys[3]] {
		t.Errorf("have = %v", have)
	}
	// another configuration or version of the analyzer, another walk: not known
	if _, have, _, _ := s.Layer(t.Context(), diffID, 1, []analyze.Key{{Analyzer: "secret", Version: 1, Config: "c2"}, {Analyzer: "dpkg", Version: 2}}); len(have) != 0 {
		t.Errorf("records of other keys: %v", have)
	}
	if _, _, ok, _ := s.Layer(t.Context(), diffID, 2, keys); ok {
		t.Error("a table of another walk was taken")
	}
	// damage is found
	file := filepath.Join(dir, "layers", "sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.files")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := s.Layer(t.Context(), diffID, 1, keys); ok || err != nil {
		t.Errorf("a damaged table: %v, %v", ok, err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || len(stats) != 1 || stats[0].Records != 3 || stats[0].Entries != 2 {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
	if err := s.Delete(t.Context(), []inventory.Digest{diffID}); err != nil {
		t.Fatal(err)
	}
	if stats, _ := s.Stats(t.Context()); len(stats) != 0 {
		t.Errorf("after Delete: %+v", stats)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	db, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.Exec("PRAGMA user_version = 999"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := OpenSQLite(t.Context(), path); err == nil {
		t.Error("a newer schema was opened")
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "t.db")
	for b.Loop() {
		db, err := OpenSQLite(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}
