package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	// Known are records of the layer that were made before, for analyzers that
	// look at them; see [LayerAnalyzer] and [Set.Missing].
	Known []inventory.Record

	once  sync.Once
	files *pool   // shared with the sets made of this one
	facts *budget // of the layers of one image; nil: of each layer by itself
}

// pool bounds what the wanted files of all layers take together.
type pool struct {
	alone *semaphore.Weighted // memory of files that wait for their analysis
	held  budget              // memory of files that are kept until their layer ends
	disk  budget
	whole chan struct{} // taken by the one that reads a large file whole
}

// ForImage returns a Set for the layers of one image, which shares the memory
// of files with s and bounds the memory of all facts of that image.
func (s *Set) ForImage() *Set {
	return &Set{Analyzers: s.Analyzers, Limits: s.Limits, files: s.pool(), facts: new(budget)}
}

// Count counts a layer that was not read again as one of this image.
func (s *Set) Count(l *inventory.Layer) error {
	if s.facts == nil {
		return nil
	}
	return s.learn(s.facts, l.Weight(), "")
}

// FactMemory is the limit on the memory of all that is learned of an image.
func (s *Set) FactMemory() int64 { return s.limits().FactMemory }

// learn notes that facts take n more bytes.
func (s *Set) learn(facts *budget, n int64, path string) error {
	if most := s.limits().FactMemory; !facts.take(n, most) {
		return &LimitError{Limit: "fact-memory", Value: most, Path: path}
	}
	return nil
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
	Sparse     int64  // bytes of all sparse files of one layer, holes included; a file beyond is a Problem, unread; default 16 GiB
	Facts      int    // packages, licences, binaries … learned of one layer by one analyzer; what is beyond is a Problem, more than twice this by all of them an error; default 100,000
	FactMemory int64  // bytes of memory of all facts and problems of one image; beyond is an error; default 48 MiB
	Linked     int    // files of one layer that are read again for the names that hard links give them; what is beyond is a Problem; default 50,000
	LinkedSize int64  // bytes of them; what is beyond is a Problem; default 2 GiB
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
	l.Sparse = cmp.Or(l.Sparse, 16<<30)
	l.Facts = cmp.Or(l.Facts, 100_000)
	l.FactMemory = cmp.Or(l.FactMemory, 48<<20)
	l.Linked = cmp.Or(l.Linked, 50_000)
	l.LinkedSize = cmp.Or(l.LinkedSize, 2<<30)
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
	missing := &Set{Limits: s.Limits, files: s.pool(), facts: s.facts}
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

func (s *Set) limits() Limits { return s.Limits.withDefaults() }

func (s *Set) pool() *pool {
	s.once.Do(func() {
		if s.files == nil {
			s.files = &pool{alone: semaphore.NewWeighted(s.limits().Memory), whole: make(chan struct{}, 1)}
		}
	})
	return s.files
}
