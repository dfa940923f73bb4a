package secret

import (
	"syscall"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// corpusFiles are the files of the application layer of the Node image that
// the analyzer wants, and every entry of the layer.
func corpusFiles(b *testing.B) (files []*analyze.File, all []analyze.Entry, size int64) {
	a := &Analyzer{}
	each(b, layerOf(b, "node-app"), func(e analyze.Entry, read func() []byte) {
		all = append(all, e)
		if a.Wants(e) != analyze.Ignore {
			files = append(files, analyze.NewFile(e, read()))
			size += e.Size
		}
	})
	return files, all, size
}

func BenchmarkAnalyze(b *testing.B) {
	files, _, size := corpusFiles(b)
	sets := make([]*analyze.FileSet, len(files))
	for i, f := range files {
		sets[i] = analyze.NewFileSet(f)
	}
	a := &Analyzer{}
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		var rec inventory.Record
		for _, s := range sets {
			if err := a.Analyze(b.Context(), s, &rec); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, start, size)
}

// BenchmarkSearch is the search for keywords alone.
func BenchmarkSearch(b *testing.B) {
	files, _, size := corpusFiles(b)
	s := builtin().specific()
	start := cpu()
	for b.Loop() {
		n := 0
		for _, f := range files {
			s.each(f.Bytes(), func(int, int) bool { n++; return true })
		}
		b.ReportMetric(float64(n), "hits")
	}
	report(b, start, size)
}

func BenchmarkWants(b *testing.B) {
	_, all, _ := corpusFiles(b)
	a := &Analyzer{}
	n := 0
	start := cpu()
	for b.Loop() {
		for _, e := range all {
			if a.Wants(e) != analyze.Ignore {
				n++
			}
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(len(all)), "cpu-ns/file")
}

func BenchmarkRules(b *testing.B) {
	for b.Loop() {
		s, err := newSet(nil)
		if err != nil {
			b.Fatal(err)
		}
		s.all()
	}
}

// cpu is the time that the process has used of the processor: on a busy
// machine the clock says little.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, start time.Duration, size int64) {
	used := (cpu() - start).Seconds() / float64(b.N)
	b.ReportMetric(float64(size)/1e6/used, "MB/cpu-s")
	b.ReportMetric(used*1e3, "cpu-ms/op")
}
