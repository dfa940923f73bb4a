// Package analyze reads a layer once, in one pass, and learns everything in
// it: the file table with hashes, and what each [Analyzer] makes of the files
// it wants. The analyzers themselves are the packages below this one, one per
// format; which of them run is the caller's list.
package analyze

import (
	"context"
	"io/fs"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads one format. Implementations hold no state: one value serves
// many layers at once, from many goroutines.
type Analyzer interface {
	// Name is unique and stable; it appears in every record it makes.
	Name() string
	// Version is raised when the same files would yield another result.
	Version() int
	// Wants is asked about every regular file of a layer, before its content
	// is read and again, from the stored file table, without the content. It
	// must decide on the entry alone and be quick: most files are nobody's.
	Wants(Entry) Interest
	// Analyze reads files and appends what it learns to out. With [Alone] it
	// is called once per file and files holds just that one; with [Together]
	// once per layer, when all are there. Use [Each] and [ReadAll].
	//
	// What is wrong with one file is a Problem in out, and the other files
	// are still read. An error means that the analyzer as a whole could not
	// work; it becomes a Problem, too. Analyze must return soon after ctx is
	// done, must not keep files, and must bound its own memory by the
	// content: see [MaxText].
	Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error
}

// Configured is an Analyzer whose result depends on a configuration. Its
// digest is part of the key of its records.
type Configured interface {
	Analyzer
	ConfigDigest() string
}

// LayerAnalyzer is an Analyzer that also looks at what the others learned of
// the same layer. Where NeedsLayer says so, all files it wants are Together,
// AnalyzeLayer is called instead of Analyze, after all others; known are their
// records, which it must not change. What others' records depend on is then
// part of its own ConfigDigest.
type LayerAnalyzer interface {
	Configured
	NeedsLayer() bool
	AnalyzeLayer(ctx context.Context, files fs.FS, known []inventory.Record, out *inventory.Record) error
}

// ImageAnalyzer learns from the image configuration and the finished
// inventory: environment, labels, history. It runs once, after Squash, and
// what it adds is kept under (layers, configuration, Name, Version): it must not
// look at the image's reference, tags, digests and annotations, which do not
// count there. One with a configuration of its own has a method ConfigDigest as
// [Configured] does.
type ImageAnalyzer interface {
	Name() string
	Version() int
	AnalyzeImage(ctx context.Context, config *inventory.Config, img *inventory.Image) error
}

// Entry is what is known of a file before it is read.
type Entry struct {
	Path string // as in inventory.File: no leading slash
	Mode fs.FileMode
	Size int64
	Kind inventory.Kind // from the first bytes
}

// Interest is the answer to "do you want this file?".
type Interest int

const (
	Ignore   Interest = iota
	Alone             // read it, analyze it, forget it
	Together          // keep it until the layer ends; for small files that need each other
)

// Limits in bytes on files of text that an analyzer reads; larger ones are a
// Problem. The lock file of a large monorepo has 10 to 20 MB.
const (
	MaxText   = 32 << 20  // one that is held whole (YAML, TOML, XML, package databases in text form)
	MaxStream = 128 << 20 // one that is gone through without holding it: see [File.JSON]
	MaxValue  = 1 << 20   // a single value of JSON that is taken whole
)
