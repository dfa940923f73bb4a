package analyze

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Set is a list of analyzers with the limits they work under. It holds no
// state of a scan; one Set serves any number of layers at once and bounds the
// memory of all of them together.
type Set struct {
	Analyzers []Analyzer
	Limits    Limits

	once  sync.Once
	alone *semaphore.Weighted // memory of files that wait for their analysis
	held  budget              // memory of files that are kept until their layer ends
	disk  budget
}

// Limits bound what reading one layer may take. Zero fields take the default.
type Limits struct {
	MemoryFile int64  // a wanted file up to this size is held in memory, a larger one is spooled; default 16 MiB
	Memory     int64  // of all files that wait for their analysis: reading waits when it is used up; default 48 MiB, at least MemoryFile
	Held       int64  // of all files kept until their layer ends: what does not fit is spooled; default 32 MiB
	Scratch    int64  // bytes of all spooled files together; what does not fit is a Problem; default 8 GiB
	ScratchDir string // default: the system's folder for temporary files
	Entries    int    // entries of one layer; default 20,000,000
	PathLength int    // bytes of a path or link target; default 8,192 (Linux stops at 4,096)
	PathDepth  int    // elements of a path; default 4,096
	Together   int    // files kept for one Together analyzer of one layer; default 200,000
	WantedFile int64  // a larger wanted file is a Problem, unread; default 4 GiB
	Problems   int    // kept per analyzer and layer; the rest is counted; default 1,000
}

func (l Limits) withDefaults() Limits {
	l.MemoryFile = cmp.Or(l.MemoryFile, 16<<20)
	l.Memory = max(cmp.Or(l.Memory, 48<<20), l.MemoryFile)
	l.Held = cmp.Or(l.Held, 32<<20)
	l.Scratch = cmp.Or(l.Scratch, 8<<30)
	l.Entries = cmp.Or(l.Entries, 20_000_000)
	l.PathLength = cmp.Or(l.PathLength, 8192)
	l.PathDepth = cmp.Or(l.PathDepth, 4096)
	l.Together = cmp.Or(l.Together, 200_000)
	l.WantedFile = cmp.Or(l.WantedFile, 4<<30)
	l.Problems = cmp.Or(l.Problems, 1000)
	return l
}

// LimitError says which limit a layer broke. The layer is unreadable.
type LimitError struct {
	Limit string
	Value int64
	Path  string
}

func (e *LimitError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("layer breaks the limit %q of %d", e.Limit, e.Value)
	}
	return fmt.Sprintf("layer breaks the limit %q of %d at %.200q", e.Limit, e.Value, e.Path)
}

// Key names the record that an analyzer makes: what changes whenever the same
// files would yield another record.
type Key struct {
	Analyzer string
	Version  int
	Config   string
}

// KeyOf returns the key of an analyzer's records.
func KeyOf(a Analyzer) Key {
	k := Key{Analyzer: a.Name(), Version: a.Version()}
	if c, ok := a.(Configured); ok {
		k.Config = c.ConfigDigest()
	}
	return k
}

// Keys returns the keys of all analyzers, sorted.
func (s *Set) Keys() []Key {
	var keys []Key
	for _, a := range s.Analyzers {
		keys = append(keys, KeyOf(a))
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Analyzer, b.Analyzer) })
	return keys
}

// Fingerprint identifies the walk itself and all analyzers, versions and
// configurations.
func (s *Set) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "walk %d\n", WalkVersion)
	for _, k := range s.Keys() {
		fmt.Fprintf(h, "%s %d %s\n", k.Analyzer, k.Version, k.Config)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Missing returns a Set of the analyzers that have no record yet among keys,
// or nil, with empty records of those that want nothing of the layer, as its
// file table shows: these need no reading.
func (s *Set) Missing(files *inventory.Table, have map[Key]bool) (*Set, []inventory.Record) {
	missing := &Set{Limits: s.Limits}
	for _, a := range s.Analyzers {
		if !have[KeyOf(a)] {
			missing.Analyzers = append(missing.Analyzers, a)
		}
	}
	if len(missing.Analyzers) == 0 {
		return nil, nil
	}
	wanted := make([]bool, len(missing.Analyzers))
	for f := range files.All() {
		if f.Type != inventory.Regular {
			continue
		}
		e := Entry{Path: f.Path, Mode: f.Mode(), Size: f.Size, Kind: f.Kind}
		for i, a := range missing.Analyzers {
			if !wanted[i] && a.Wants(e) != Ignore {
				wanted[i] = true
			}
		}
	}
	var empty []inventory.Record
	var rest []Analyzer
	for i, a := range missing.Analyzers {
		if wanted[i] {
			rest = append(rest, a)
		} else {
			empty = append(empty, newRecord(a))
		}
	}
	missing.Analyzers = rest
	if len(rest) == 0 {
		return nil, empty
	}
	return missing, empty
}

func newRecord(a Analyzer) inventory.Record {
	k := KeyOf(a)
	return inventory.Record{Analyzer: k.Analyzer, Version: k.Version, Config: k.Config}
}

// runner runs the analyzers over the wanted files of one layer, in order, in
// one goroutine of its own beside the walk.
type runner struct {
	set      *Set
	ctx      context.Context
	records  []inventory.Record
	together [][]*File
	dropped  []int // files beyond Limits.Together

	queue chan job
	done  chan struct{}
	err   error
}

type job struct {
	file  *File
	alone []int // indexes of the analyzers
	keep  bool
}

func (s *Set) newRunner(ctx context.Context) *runner {
	r := &runner{
		set: s, ctx: ctx, queue: make(chan job, 64), done: make(chan struct{}),
		records:  make([]inventory.Record, len(s.Analyzers)),
		together: make([][]*File, len(s.Analyzers)),
		dropped:  make([]int, len(s.Analyzers)),
	}
	for i, a := range s.Analyzers {
		r.records[i] = newRecord(a)
	}
	go r.run()
	return r
}

func (r *runner) run() {
	defer close(r.done)
	for j := range r.queue {
		for _, i := range j.alone {
			if r.ctx.Err() == nil {
				r.analyze(i, &FileSet{files: []*File{j.file}}, j.file.Path)
			}
		}
		if !j.keep {
			j.file.release()
		}
	}
	for i := range r.set.Analyzers {
		if files := r.together[i]; len(files) > 0 && r.ctx.Err() == nil {
			r.analyze(i, NewFileSet(files...), "")
		}
	}
	for _, files := range r.together {
		for _, f := range files {
			f.release()
		}
	}
	r.err = r.ctx.Err()
	for i := range r.records {
		rec := &r.records[i]
		if n := r.dropped[i]; n > 0 {
			rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Limit: "files of one layer",
				Message: fmt.Sprintf("%d files beyond the limit of %d were not read", n, r.set.Limits.withDefaults().Together)})
		}
		if most := r.set.Limits.withDefaults().Problems; len(rec.Problems) > most {
			more := len(rec.Problems) - most
			rec.Problems = append(rec.Problems[:most:most], inventory.Problem{Analyzer: rec.Analyzer, Limit: "problems of one layer",
				Message: fmt.Sprintf("%d more problems are not listed", more)})
		}
	}
}

// analyze calls one analyzer. A panic on hostile input is a bug of ours; it
// costs that analyzer's result for that file, visibly, not the scan.
func (r *runner) analyze(i int, files fs.FS, path string) {
	rec := &r.records[i]
	defer func() {
		if p := recover(); p != nil {
			rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Path: path,
				Message: fmt.Sprintf("analyzer stopped on an internal error: %v", p)})
		}
	}()
	err := r.set.Analyzers[i].Analyze(r.ctx, files, rec)
	if err != nil && r.ctx.Err() == nil {
		Problemf(rec, path, "%w", err)
	}
}

// want decides who gets a file.
func (r *runner) want(e Entry) (alone []int, together []int) {
	for i, a := range r.set.Analyzers {
		switch a.Wants(e) {
		case Alone:
			alone = append(alone, i)
		case Together:
			if len(r.together[i]) >= r.set.Limits.withDefaults().Together {
				r.dropped[i]++
				continue
			}
			together = append(together, i)
		}
	}
	return alone, together
}

// finish waits for all analyses and returns the records in order of name.
func (r *runner) finish() ([]inventory.Record, error) {
	close(r.queue)
	<-r.done
	slices.SortFunc(r.records, func(a, b inventory.Record) int { return strings.Compare(a.Analyzer, b.Analyzer) })
	return r.records, r.err
}

func (s *Set) limits() Limits { return s.Limits.withDefaults() }

func (s *Set) memory() *semaphore.Weighted {
	s.once.Do(func() { s.alone = semaphore.NewWeighted(s.limits().Memory) })
	return s.alone
}
