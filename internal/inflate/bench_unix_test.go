//go:build unix

package inflate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
)

// BenchmarkInflate compares CPU time per layer of the corpus, in turns with compress/gzip and klauspost/compress, and reports the medians.
// The sub-benchmark "all" inflates nothing: it sums up the medians of the others.
func BenchmarkInflate(b *testing.B) {
	var all [3]time.Duration
	var output int64
	z := NewReader(nil)
	var c Chunk
	run := []func(r io.Reader) (int64, error){
		func(r io.Reader) (n int64, err error) {
			z.Reset(r)
			for err = z.Fill(&c); err == nil; err = z.Fill(&c) {
				n += int64(len(c.Bytes()))
			}
			if err == io.EOF {
				err = nil
			}
			return n, err
		},
		func(r io.Reader) (int64, error) {
			k, err := kgzip.NewReader(r)
			if err != nil {
				return 0, err
			}
			return k.WriteTo(io.Discard)
		},
		func(r io.Reader) (int64, error) {
			s, err := gzip.NewReader(r)
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, s)
		},
	}
	for _, path := range layers(b) {
		packed, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		if len(packed) < 1<<20 {
			continue
		}
		var medians [3]time.Duration
		var n int64
		b.Run(filepath.Base(path)[:12], func(b *testing.B) {
			var times [3][]time.Duration
			for b.Loop() {
				for i, f := range run {
					before := cpuTime(b)
					if n, err = f(bytes.NewReader(packed)); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], cpuTime(b)-before)
				}
			}
			for i := range times {
				slices.Sort(times[i])
				medians[i] = times[i][len(times[i])/2]
			}
			report(b, n, medians, fmt.Sprintf("%.2f", float64(n)/float64(len(packed))))
		})
		for i := range all {
			all[i] += medians[i]
		}
		if medians[0] > 0 {
			output += n
		}
	}
	b.Run("all", func(b *testing.B) {
		if output == 0 {
			b.Skip("no layer was selected")
		}
		report(b, output, all, "")
	})
}

func report(b *testing.B, n int64, times [3]time.Duration, ratio string) {
	rate := func(i int) float64 { return float64(n) / 1e6 / times[i].Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(0), "MB/s")
	b.ReportMetric(rate(1), "klauspost-MB/s")
	b.ReportMetric(rate(2), "stdlib-MB/s")
	b.ReportMetric(float64(times[1])/float64(times[0]), "x-klauspost")
	b.Logf("%d MB of output, %s times the input", n/1e6, ratio)
}

// cpuTime is what this process has used in user mode.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}
