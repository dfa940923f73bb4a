package engine

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// asked is an analyzer like those of plugins: it counts how often it is asked,
// and looks at what others learned.
type asked struct {
	name, config string
	layer        bool
	fails        bool
	times        int
	known        []string
}

func (a *asked) Name() string         { return a.name }
func (a *asked) Version() int         { return 1 }
func (a *asked) ConfigDigest() string { return a.config }
func (a *asked) NeedsLayer() bool     { return a.layer }
func (a *asked) Wants(e analyze.Entry) analyze.Interest {
	if e.Path == "etc/os-release" {
		return analyze.Together
	}
	return analyze.Ignore
}
func (a *asked) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return a.AnalyzeLayer(ctx, files, nil, out)
}
func (a *asked) AnalyzeLayer(_ context.Context, _ fs.FS, known []inventory.Record, out *inventory.Record) error {
	a.times++
	for i := range known {
		a.known = append(a.known, known[i].Analyzer)
	}
	if a.fails {
		out.Forget = true
		return errors.New("out to lunch")
	}
	out.Facts = append(out.Facts, inventory.Fact{Kind: a.name, Path: "etc/os-release", Data: []byte(`{}`)})
	return nil
}

func TestPluginsAreAskedWhenTheyMust(t *testing.T) {
	db, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	layers := &store.Layers{DB: db, Objects: object.Folder{Dir: t.TempDir()}}
	ref, err := image.ParseRef("docker-archive:../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	read := func(list ...analyze.Analyzer) *inventory.Image {
		t.Helper()
		e := &Engine{Set: &analyze.Set{Analyzers: list}, Layers: layers, Log: slog.New(slog.DiscardHandler)}
		img, err := e.Inventory(t.Context(), ref, InventoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	other := &asked{name: "other", config: "1"}
	one := &asked{name: "one", config: "1", layer: true}
	read(one, other)
	read(one, other)
	if one.times != 1 || other.times != 1 {
		t.Errorf("asked %d and %d times about one layer", one.times, other.times)
	}
	if strings.Join(one.known, " ") != "other" {
		t.Errorf("knew of %v", one.known)
	}
	// a changed one is asked again, and sees what is remembered of the others
	changed := &asked{name: "one", config: "2", layer: true}
	read(changed, other)
	if changed.times != 1 || other.times != 1 || !strings.Contains(strings.Join(changed.known, " "), "other") {
		t.Errorf("asked %d and %d times, knew of %v", changed.times, other.times, changed.known)
	}
	// one that failed is asked again the next time, and what it could not say shows
	broken := &asked{name: "broken", config: "1", fails: true}
	for range 2 {
		img := read(broken, other)
		if len(img.Problems) != 1 || !strings.Contains(img.Problems[0].Message, "out to lunch") {
			t.Errorf("problems %v", img.Problems)
		}
	}
	if broken.times != 2 || other.times != 1 {
		t.Errorf("asked %d and %d times", broken.times, other.times)
	}
	broken.fails = false
	if img := read(broken, other); len(img.Problems) != 0 || len(img.Facts) != 2 {
		t.Errorf("problems %v, facts %v", img.Problems, img.Facts)
	}
}
