package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// BenchmarkLayer asks about every file of a layer of the corpus, and checks
// those that are wanted; then the image of it.
func BenchmarkLayer(b *testing.B) {
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		b.Skip("TIDEWAITER_CORPUS is not set")
	}
	dir := filepath.Join(corpus, ".work", "layers", "node-app", "fs")
	var entries []analyze.Entry
	files := map[string][]byte{}
	var table inventory.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, dir+"/")
		e := analyze.Entry{Path: rel, Mode: 0o644, Size: int64(len(text)), Kind: analyze.Sniff(rel, text)}
		entries = append(entries, e)
		table.Add(inventory.File{Path: rel, Perm: 0o644, Size: e.Size, Kind: e.Kind})
		if (Analyzer{}).Wants(e) != analyze.Ignore {
			files[rel] = text
		}
		return nil
	})
	if err != nil {
		b.Skip(err)
	}
	t := table.Table()
	b.Run("wants", func(b *testing.B) {
		for b.Loop() {
			for _, e := range entries {
				(Analyzer{}).Wants(e)
			}
		}
		b.ReportMetric(float64(len(entries)), "files")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			var rec inventory.Record
			for p, text := range files {
				if err := (Analyzer{}).Analyze(b.Context(), analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: p, Kind: analyze.Sniff(p, text)}, text)), &rec); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(len(files)), "files")
	})
	b.Run("image", func(b *testing.B) {
		for b.Loop() {
			img := &inventory.Image{Files: t}
			if err := (ImageAnalyzer{}).AnalyzeImage(b.Context(), &inventory.Config{}, img); err != nil {
				b.Fatal(err)
			}
		}
	})
}
