package content

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// BenchmarkLayer searches the files of a layer of the corpus for the five
// expressions of a 1_0 configuration.
func BenchmarkLayer(b *testing.B) {
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		b.Skip("TIDEWAITER_CORPUS is not set")
	}
	s := &Search{Kind: SecretKind, Expressions: Defaults()}
	dir := filepath.Join(corpus, ".work", "layers", "node-app", "fs")
	var files []*analyze.FileSet
	size := int64(0)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, dir+"/")
		if e := (analyze.Entry{Path: rel, Size: info.Size()}); s.Wants(e) != analyze.Ignore {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			size += info.Size()
			files = append(files, analyze.NewFileSet(analyze.NewFile(e, text)))
		}
		return nil
	})
	if err != nil {
		b.Skip(err)
	}
	b.SetBytes(size)
	b.ReportMetric(float64(len(files)), "files")
	for b.Loop() {
		var rec inventory.Record
		for _, f := range files {
			if err := s.Analyze(b.Context(), f, &rec); err != nil {
				b.Fatal(err)
			}
		}
	}
}
