package policy

import (
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// Subject is everything an evaluation may look at. It is not changed by
// evaluations and may be used by several at once. It must not be copied.
type Subject struct {
	// Image is the inventory; it must not be nil.
	Image *inventory.Image
	// Scan holds findings and the state of the data they come from; nil: the
	// image was not matched, and rules about vulnerabilities are unknowns.
	Scan *match.Scan
	// Tag is the evaluated tag as it would be pulled; "" for none.
	Tag string
	// Now is the instant taken as now.
	Now time.Time

	// Collected names the kinds of facts that were looked for, so that their
	// absence means something. Nil: all.
	Collected map[string]bool
	// Dockerfile is the one that was given or reconstructed.
	Dockerfile Dockerfile

	// Base is the inventory of the image this one was built on, Previous that
	// of the image that had the same tag before; nil where unknown.
	Base     *inventory.Image
	Previous *inventory.Image
	// Untold says of "base" and "previous" why they are nil though there may be
	// such an image; where it says nothing, there is none.
	Untold map[string]string
	// Ancestors are the images this one was built on, nearest first.
	Ancestors []Ancestor
	// Sources are the inventories of source trees related to the image.
	Sources []Source

	// Streams tells of the vulnerability data of distribution streams
	// ("debian:12"). Where it has no entry, Scan.Feeds is asked.
	Streams map[string]StreamData
	// Detected says when a finding was first seen in the image.
	Detected map[FindingKey]time.Time
	// PackageFeeds hold what registries say of packages: "npm", "gem".
	PackageFeeds map[string]*PackageFeed
	// Cycles are end-of-life dates of packages, by index of Image.Packages.
	Cycles map[int]Cycle

	// Annotations are what the owner noted on the image.
	Annotations map[string]string

	// Digests of the inputs, recorded in the verdict; computed where empty.
	InventoryDigest string
	FindingsDigest  string

	mu   sync.Mutex
	memo map[string]any
}

// Dockerfile is a Dockerfile and how it came about.
type Dockerfile struct {
	Mode DockerfileMode
	Text string
}

// DockerfileMode says where a Dockerfile is from.
type DockerfileMode string

// The modes: given by somebody, made from the image's history, none.
const (
	ModeActual  DockerfileMode = "Actual"
	ModeGuessed DockerfileMode = "Guessed"
	ModeUnknown DockerfileMode = "Unknown"
)

// Ancestor is an image that another was built on.
type Ancestor struct {
	Digest inventory.Digest `json:"digest"`
	Tags   []string         `json:"tags,omitempty"` // full: docker.io/library/debian:12
	Base   bool             `json:"base,omitempty"` // the one to be compared with, where the nearest is not
}

// Source is the inventory of a source tree.
type Source struct {
	Name     string
	Packages []inventory.Package
}

// StreamData tells of the vulnerability data of one stream.
type StreamData struct {
	Records int       // 0: there is none
	Synced  time.Time // when it was last brought up to date; zero: never
	Error   string    // why that cannot be told
}

// FindingKey identifies a finding in an image.
type FindingKey struct {
	Vulnerability string
	Package       string // inventory.Package.ID
}

// MarshalText writes the key for maps in JSON.
func (k FindingKey) MarshalText() ([]byte, error) {
	return []byte(k.Vulnerability + "\x00" + k.Package), nil
}

// PackageFeed is what a registry says of packages. It need only hold the
// packages of the image.
type PackageFeed struct {
	Synced   time.Time // zero: never
	Packages map[string]FeedPackage
}

// FeedPackage is one package of a registry.
type FeedPackage struct {
	Latest   string
	Versions []string
}

// Cycle is the support of the release line of a package.
type Cycle struct {
	Product string
	Name    string
	EOL     time.Time // zero with Ended: ended, no date known
	Ended   bool
	Latest  string
}

// Memo returns what f makes of the subject, once for every key. f must not
// call Memo with the same key.
func Memo[T any](s *Subject, key string, f func() T) T {
	s.mu.Lock()
	v, ok := s.memo[key]
	s.mu.Unlock()
	if !ok {
		made := f()
		s.mu.Lock()
		if v, ok = s.memo[key]; !ok {
			if s.memo == nil {
				s.memo = map[string]any{}
			}
			v = made
			s.memo[key] = made
		}
		s.mu.Unlock()
	}
	return v.(T)
}

// Memo2 is [Memo] for what may fail.
func Memo2[T any](s *Subject, key string, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	r := Memo(s, key, func() result { v, err := f(); return result{v, err} })
	return r.v, r.err
}

// LayerDigest is the DiffID of a layer of the image, "" for an index that it
// does not have.
func (s *Subject) LayerDigest(i int) inventory.Digest {
	if i < 0 || i >= len(s.Image.Layers) {
		return ""
	}
	return s.Image.Layers[i].DiffID
}

// Looked reports whether facts of a kind were looked for.
func (s *Subject) Looked(kind string) bool { return s.Collected == nil || s.Collected[kind] }

// BaseAncestor is the ancestor to be taken as the base image.
func (s *Subject) BaseAncestor() (Ancestor, bool) {
	for _, a := range s.Ancestors {
		if a.Base {
			return a, true
		}
	}
	if len(s.Ancestors) > 0 {
		return s.Ancestors[0], true
	}
	return Ancestor{}, false
}
