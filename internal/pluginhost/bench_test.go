package pluginhost

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// BenchmarkUnwanted is what a plugin costs a scan of 59,000 files in which it
// wants nothing: finding it, its remembered description, and the questions.
func BenchmarkUnwanted(b *testing.B) {
	cache, path := b.TempDir(), install(b, "acme", bashManifest)
	works(b, open(b, Config{Paths: []string{path}, Cache: cache}))
	var entries []analyze.Entry
	for i := range 59_000 {
		entries = append(entries, analyze.Entry{Path: fmt.Sprintf("usr/lib/python3/dist-packages/p%d/module%d.py", i%500, i), Mode: 0o644, Size: 4000, Kind: inventory.KindText})
	}
	for b.Loop() {
		h := open(b, Config{Paths: []string{path}, Cache: cache})
		a := h.Analyzers(nil)[0]
		for _, e := range entries {
			if a.Wants(e) != analyze.Ignore {
				b.Fatal("it wants something")
			}
		}
		if n := h.plugins[0].Stats().Started; n != 0 {
			b.Fatalf("%d processes were started", n)
		}
	}
}

// BenchmarkPython100Files is what a plugin in Python adds to a scan in which it
// wants 100 files: its start, the files, its answer, its end.
func BenchmarkPython100Files(b *testing.B) {
	need(b, "python3")
	cache, path := b.TempDir(), install(b, "echo.py", strings.Replace(strings.Replace(pythonEcho, `, "layer": True`, "", 1), `known = [json.loads(l)["purl"] for l in open(r["folder"] + "/packages.jsonl")]`, "known = []", 1))
	works(b, open(b, Config{Paths: []string{path}, Cache: cache}))
	files := fstest.MapFS{}
	for i := range 100 {
		files[fmt.Sprintf("etc/d%d/f%d.conf", i%10, i)] = &fstest.MapFile{Data: []byte(strings.Repeat("x", 900))}
	}
	for b.Loop() {
		h := open(b, Config{Paths: []string{path}, Cache: cache})
		var out inventory.Record
		if err := h.Analyzers(nil)[0].Analyze(b.Context(), files, &out); err != nil || len(out.Facts) != 100 {
			b.Fatal(err, len(out.Facts))
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGate1000Calls is 1,000 questions to a gate in Python, over one
// process, its start included.
func BenchmarkGate1000Calls(b *testing.B) {
	need(b, "python3")
	gate := strings.Replace(pythonEcho, `n = sum(1 for _ in open(r["image"] + "/packages.jsonl"))`, `n = seen.setdefault(r["image"], None) or sum(1 for _ in open(r["image"] + "/packages.jsonl")); seen[r["image"]] = n`, 1)
	gate = strings.Replace(gate, "for line in sys.stdin:", "seen = {}\nfor line in sys.stdin:", 1)
	cache, path := b.TempDir(), install(b, "echo.py", gate)
	works(b, open(b, Config{Paths: []string{path}, Cache: cache}))
	img := &inventory.Image{}
	for i := range 500 {
		img.Packages = append(img.Packages, inventory.Package{Type: "deb", Name: fmt.Sprint("p", i), Version: "1"})
	}
	for b.Loop() {
		h := open(b, Config{Paths: []string{path}, Cache: cache})
		s := &policy.Subject{Image: img, Now: time.Unix(0, 0)}
		for range 1000 {
			hits, err := tryEvaluate(h, "count", s, map[string]string{"max": "10"})
			if err != nil || len(hits) != 1 {
				b.Fatal(hits, err)
			}
		}
		if n := h.plugins[0].Stats().Started; n != 1 {
			b.Fatalf("%d processes", n)
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
