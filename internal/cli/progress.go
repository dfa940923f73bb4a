package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/tidewaiter/tidewaiter/internal/engine"
)

// progress shows on a terminal how far the reading of an image is. In CI, in
// a pipe and with --quiet it shows nothing.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	on      bool
	started time.Time
	shown   time.Time
	layers  int
	done    int
	known   int
	total   int64 // bytes of all blobs, -1 when unknown
	bytes   int64
}

func (a *app) progress() *progress {
	f, ok := a.err.(*os.File)
	on := ok && !a.quiet && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
	return &progress{w: a.err, on: on, started: time.Now()}
}

func (p *progress) report(e engine.Progress) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.Opened != nil:
		p.layers = len(e.Opened.Layers)
		for _, l := range e.Opened.Layers {
			if l.Size < 0 || p.total < 0 {
				p.total = -1
				continue
			}
			p.total += l.Size
		}
	case e.Done:
		p.done++
		if e.Known {
			p.known++
		}
	default:
		p.bytes += e.Bytes
	}
	if time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	speed := float64(p.bytes) / max(time.Since(p.started).Seconds(), 0.001)
	of := ""
	if p.total > 0 {
		of = " of " + size(p.total)
	}
	fmt.Fprintf(p.w, "\r\x1b[Klayers %d/%d  %s%s  %s/s", p.done, p.layers, size(p.bytes), of, size(int64(speed)))
}

// clear removes the line.
func (p *progress) clear() {
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.0f GiB", float64(n)/(1<<30))
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
