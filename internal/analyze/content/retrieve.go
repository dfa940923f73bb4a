package content

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// File is the content of a file that the configuration asked for.
type File struct {
	Content []byte `json:"content"`
}

// Limits of [Retrieve].
const (
	DefaultRetrieveSize = 1000 << 10 // bytes of one file
	maxRetrieved        = 1000       // files of one layer
	maxRetrievedBytes   = 64 << 20   // of all files of one layer
	maxPaths            = 10_000     // of a configuration
)

// DefaultPaths are the files that a 1_0 configuration keeps.
func DefaultPaths() []string { return []string{"/etc/passwd"} }

// Retrieve keeps files whole. A file of more than MaxSize bytes is not kept; a
// Problem says so. A Retrieve must not be copied or changed after its first
// use.
type Retrieve struct {
	// Paths are absolute; "*", "?" and "[…]" match within one element, as
	// path.Match has it, and "/**" at the end everything below. What is
	// asked for in /bin, /lib, /lib64 or /sbin is also kept from below /usr,
	// where those are links, and os-release from where it really lies.
	Paths []string
	// MaxSize is in bytes; 0 means DefaultRetrieveSize.
	MaxSize int64

	once     sync.Once
	exact    map[string]bool
	patterns []string
}

var _ analyze.Configured = (*Retrieve)(nil)

// CheckPath reports why a path cannot be used.
func CheckPath(p string) error {
	if !strings.HasPrefix(p, "/") || len(p) < 2 {
		return fmt.Errorf("%q is no absolute path of a file", p)
	}
	if _, err := path.Match(p, ""); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return nil
}

// Name implements [analyze.Analyzer].
func (*Retrieve) Name() string { return "retrieved-files" }

// Version implements [analyze.Analyzer].
func (*Retrieve) Version() int { return 1 }

// ConfigDigest implements [analyze.Configured].
func (r *Retrieve) ConfigDigest() string { return digest(r.maxSize(), r.Paths) }

func (r *Retrieve) maxSize() int64 {
	if r.MaxSize <= 0 {
		return DefaultRetrieveSize
	}
	return r.MaxSize
}

func (r *Retrieve) prepare() {
	r.once.Do(func() {
		r.exact = map[string]bool{}
		for i, p := range r.Paths {
			if i >= maxPaths {
				break
			}
			p = strings.Trim(path.Clean(p), "/")
			r.add(p)
			first, _, _ := strings.Cut(p, "/")
			switch first {
			case "bin", "lib", "lib64", "sbin":
				r.add("usr/" + p)
			}
			if p == "etc/os-release" {
				r.add("usr/lib/os-release")
			}
		}
	})
}

func (r *Retrieve) add(p string) {
	if strings.ContainsAny(p, `*?[\`) {
		r.patterns = append(r.patterns, p)
	} else {
		r.exact[p] = true
	}
}

// Wants implements [analyze.Analyzer].
func (r *Retrieve) Wants(e analyze.Entry) analyze.Interest {
	r.prepare()
	if r.exact[e.Path] {
		return analyze.Alone
	}
	for _, p := range r.patterns {
		if dir, ok := strings.CutSuffix(p, "/**"); ok {
			if below(dir, e.Path) {
				return analyze.Alone
			}
			continue
		}
		if ok, _ := path.Match(p, e.Path); ok {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// below reports whether a file lies below a directory, which may be a pattern.
func below(dir, file string) bool {
	n := strings.Count(dir, "/") + 1
	at := 0
	for range n {
		i := strings.IndexByte(file[at:], '/')
		if i < 0 {
			return false
		}
		at += i + 1
	}
	ok, _ := path.Match(dir, file[:at-1])
	return ok
}

// Analyze implements [analyze.Analyzer].
func (r *Retrieve) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		total := 0
		for i := range out.Facts {
			total += len(out.Facts[i].Data)
		}
		if len(out.Facts) >= maxRetrieved || total+int(min(f.Size, r.maxSize())) > maxRetrievedBytes {
			out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: f.Path, Limit: "retrieved files",
				Message: fmt.Sprintf("the file was not kept: of one layer at most %d files and %d bytes are", maxRetrieved, maxRetrievedBytes)})
			continue
		}
		text, err := f.ReadAll(r.maxSize())
		if err != nil {
			analyze.Problemf(out, f.Path, "the file was not kept: %w", err)
			continue
		}
		data, err := json.Marshal(File{Content: text})
		if err != nil {
			return fmt.Errorf("writing the fact of %s: %w", f.Path, err)
		}
		out.Facts = append(out.Facts, inventory.Fact{Kind: RetrievedKind, Path: f.Path, Data: data})
	}
	return nil
}
