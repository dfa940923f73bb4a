package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
)

func TestJoinedComesBack(t *testing.T) {
	dir := t.TempDir()
	s := &Layers{DB: open(t), Objects: object.Folder{Dir: dir}}
	ctx := t.Context()
	if _, ok, err := s.Joined(ctx, "k", true); ok || err != nil {
		t.Fatalf("an unknown image: %v, %v", ok, err)
	}
	want := inventory.Squash([]inventory.Layer{testLayer()})
	for range 2 { // keeping it twice changes nothing
		if err := s.PutJoined(ctx, "k", want); err != nil {
			t.Fatal(err)
		}
	}
	got, ok, err := s.Joined(ctx, "k", true)
	if !ok || err != nil {
		t.Fatalf("Joined = %v, %v", ok, err)
	}
	opts := cmp.Comparer(func(a, b inventory.FileList) bool { return cmp.Equal(a.Strings(), b.Strings()) })
	tables := cmp.Comparer(func(a, b *inventory.Table) bool {
		x, _ := a.MarshalBinary()
		y, _ := b.MarshalBinary()
		return string(x) == string(y)
	})
	if d := cmp.Diff(want, got, opts, tables); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, ok, _ := s.Joined(ctx, "k", false); !ok || got.Files != nil {
		t.Errorf("without files: %v, %v", ok, got.Files)
	}

	// damage is not taken, and writing again mends it
	for _, name := range []string{"k.joined", "k.files"} {
		path := filepath.Join(dir, "images", name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, damage := range [][]byte{b[:len(b)-1], append([]byte{b[0] ^ 1}, b[1:]...), nil} {
			if err := os.WriteFile(path, damage, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := s.Joined(ctx, "k", true); ok || err != nil {
				t.Errorf("damaged %s: %v, %v", name, ok, err)
			}
		}
		os.Remove(path)
		if _, ok, err := s.Joined(ctx, "k", true); ok || err != nil {
			t.Errorf("without %s: %v, %v", name, ok, err)
		}
		if err := s.PutJoined(ctx, "k", want); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := s.Joined(ctx, "k", true); !ok {
			t.Errorf("%s was not mended", name)
		}
	}

	// use is noted, of the image and of its layers
	if err := s.PutLayer(ctx, testLayer(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.write.Exec("UPDATE joined_images SET used = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.write.Exec("UPDATE layers SET used = 0"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Joined(ctx, "k", false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	images, err := s.JoinedStats(ctx)
	if err != nil || len(images) != 1 || time.Since(images[0].Used) > time.Hour || images[0].Layers != 1 || images[0].Bytes == 0 {
		t.Errorf("JoinedStats = %+v, %v", images, err)
	}
	if layers, _ := s.Stats(ctx); time.Since(layers[0].Used) > time.Hour {
		t.Errorf("the layer was last used at %v", layers[0].Used)
	}
	if err := s.DeleteJoined(ctx, []string{"k", "unknown"}); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Joined(ctx, "k", false); ok {
		t.Error("still there")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "images", "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
