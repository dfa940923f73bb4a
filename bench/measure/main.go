// Command measure runs tidewaiter beside the floor, and beside syft and trivy
// where they are on PATH, over every OCI layout of a corpus. The commands
// alternate, so that the ratios hold on a noisy machine; medians are printed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	runs := flag.Int("runs", 5, "runs of each command")
	corpus := flag.String("corpus", "", "folder with oci/NAME layouts")
	tool := flag.String("tidewaiter", "", "the program")
	floor := flag.String("floor", "", "the floor's program")
	only := flag.String("only", "", "comma-separated names of images")
	flag.Parse()
	if err := measure(*runs, *corpus, *tool, *floor, *only); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
}

// sample is one run of a command.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // bytes, of the largest process
}

type series []sample

func (s series) median(f func(sample) float64) float64 {
	v := make([]float64, len(s))
	for i := range s {
		v[i] = f(s[i])
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func wall(s sample) float64 { return s.wall.Seconds() }
func cpu(s sample) float64  { return s.cpu.Seconds() }
func mem(s sample) float64  { return float64(s.rss) / (1 << 20) }

func run(out io.Writer, args ...string) (sample, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout = out
	var errs strings.Builder
	cmd.Stderr = &errs
	t := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(t)}
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.rss = u.Maxrss << 10
	}
	return s, nil
}

type contender struct {
	name string
	args func(layout string) []string
	data series
}

func measure(runs int, corpus, tool, floor, only string) error {
	images, err := filepath.Glob(filepath.Join(corpus, "oci", "*", "oci-layout"))
	if err != nil || len(images) == 0 {
		return fmt.Errorf("no images below %s/oci", corpus)
	}
	cache, err := os.MkdirTemp("", "tidewaiter-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	start, err := startUp(runs, tool)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "image\tblobs MB\tcold s\tCPU s\tfloor s\tCPU s\twall ratio\tCPU ratio\tall on s\twall ratio\tknown ms\tpeak MiB\tpackages\t"
	var peers []string
	for _, p := range []string{"syft", "trivy"} {
		if _, err := exec.LookPath(p); err == nil {
			peers = append(peers, p)
			head += p + " s\tCPU s\tMiB\t"
		}
	}
	fmt.Fprintln(w, head)
	// "known" reads an image whose layers and inventory are remembered.
	product, productAll, n := 0.0, 0.0, 0
	for _, image := range images {
		dir := filepath.Dir(image)
		name := filepath.Base(dir)
		if only != "" && !slices.Contains(strings.Split(only, ","), name) {
			continue
		}
		cs := []*contender{
			{name: "cold", args: func(l string) []string {
				return []string{tool, "sbom", "-q", "--no-cache", "--license-texts=false", "-o", "json", "oci-dir:" + l}
			}},
			{name: "floor", args: func(l string) []string { return []string{floor, l} }},
			{name: "cached", args: func(l string) []string {
				return []string{tool, "sbom", "-q", "--data-dir", cache, "-o", "json", "oci-dir:" + l}
			}},
			{name: "all on", args: func(l string) []string {
				return []string{tool, "sbom", "-q", "--no-cache", "--secrets", "--license-texts", "--content-search", "NEVER=tidewaiter-bench-[0-9]+", "-o", "json", "oci-dir:" + l}
			}},
		}
		for _, p := range peers {
			switch p {
			case "syft":
				cs = append(cs, &contender{name: p, args: func(l string) []string { return []string{"syft", "-q", "-o", "json", "oci-dir:" + l} }})
			case "trivy":
				cs = append(cs, &contender{name: p, args: func(l string) []string {
					return []string{"trivy", "image", "--quiet", "--scanners", "license", "--input", l, "--format", "json", "--cache-backend", "memory"}
				}})
			}
		}
		for round := range runs + 1 { // the first is not counted: it warms the caches
			for _, c := range cs {
				s, err := run(io.Discard, c.args(dir)...)
				if err != nil {
					return err
				}
				if round > 0 {
					c.data = append(c.data, s)
				}
			}
		}
		count, err := packages(tool, cache, dir)
		if err != nil {
			return err
		}
		cold, fl, cached := cs[0].data, cs[1].data, cs[2].data
		ratio := pairs(cold, fl, wall)
		all := cs[3].data
		ratioAll := pairs(all, fl, wall)
		product += math.Log(ratio)
		productAll += math.Log(ratioAll)
		n++
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%d\t", name, blobs(dir), cold.median(wall), cold.median(cpu), fl.median(wall), fl.median(cpu),
			ratio, pairs(cold, fl, cpu), all.median(wall), ratioAll, cached.median(wall)*1000, max(cold.median(mem), all.median(mem)), count)
		for _, c := range cs[4:] {
			fmt.Fprintf(w, "%.2f\t%.2f\t%.0f\t", c.data.median(wall), c.data.median(cpu), c.data.median(mem))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	mean := func(sum float64) float64 { return math.Exp(sum / float64(max(n, 1))) }
	fmt.Printf("geometric mean of the wall ratio to the floor: %.2f, with secrets, contents, settings and licence texts: %.2f; start to first byte: %.1f ms\n", mean(product), mean(productAll), start*1000)
	return nil
}

// pairs is the median of the ratios run by run.
func pairs(a, b series, f func(sample) float64) float64 {
	v := make([]float64, len(a))
	for i := range a {
		v[i] = f(a[i]) / max(f(b[i]), 1e-6)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func startUp(runs int, tool string) (float64, error) {
	var s series
	for range runs + 1 {
		x, err := run(io.Discard, tool, "version")
		if err != nil {
			return 0, err
		}
		s = append(s, x)
	}
	return s.median(wall), nil
}

func packages(tool, cache, dir string) (int, error) {
	var b strings.Builder
	if _, err := run(&b, tool, "sbom", "-q", "--data-dir", cache, "-o", "json", "oci-dir:"+dir); err != nil {
		return 0, err
	}
	var doc struct {
		Image struct{ Packages []struct{} }
	}
	err := json.Unmarshal([]byte(b.String()), &doc)
	return len(doc.Image.Packages), err
}

func blobs(dir string) float64 {
	var n int64
	filepath.Walk(filepath.Join(dir, "blobs"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return float64(n) / 1e6
}
