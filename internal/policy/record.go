package policy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// MaxRecordSize is how large a record is at most, in bytes, decompressed.
const MaxRecordSize = 1 << 30

const (
	recordFormat  = "tidewaiter-verdict-record"
	recordVersion = 1
)

// Record is a verdict with everything it was derived from: whoever has it can
// derive the verdict again, without the image, the database or the network.
// What advisories made the findings is in the findings' evidence; the
// advisories themselves are not here.
type Record struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Program string `json:"program,omitempty"` // that made it, for information
	// Gates is the digest of the descriptions of all gates the bundle names.
	Gates     string          `json:"gates"`
	Tag       string          `json:"tag"`
	Now       time.Time       `json:"now"`
	Bundle    json.RawMessage `json:"bundle"`
	Inventory recordImage     `json:"inventory"`
	Scan      *recordScan     `json:"scan"` // null: the image was not matched
	Context   recordContext   `json:"context"`
	Verdict   Verdict         `json:"verdict"`
}

// recordImage is an inventory with its file table, which is binary.
type recordImage struct {
	Image *inventory.Image `json:"image"`
	Files []byte           `json:"files"`
}

type recordScan struct {
	Findings   []match.Finding      `json:"findings"`
	States     []match.PackageState `json:"states"`
	Problems   []string             `json:"problems"`
	Distro     match.DistroState    `json:"distro"`
	Feeds      []match.FeedState    `json:"feeds"` // with their revisions
	Generation int64                `json:"generation"`
}

type recordContext struct {
	Collected    map[string]bool          `json:"collected"`
	Dockerfile   Dockerfile               `json:"dockerfile"`
	Base         *recordImage             `json:"base,omitempty"`
	Previous     *recordImage             `json:"previous,omitempty"`
	Untold       map[string]string        `json:"untold"`
	Ancestors    []Ancestor               `json:"ancestors"`
	Sources      []Source                 `json:"sources"`
	Streams      map[string]StreamData    `json:"streams"`
	Detected     map[FindingKey]time.Time `json:"detected"`
	PackageFeeds map[string]*PackageFeed  `json:"packageFeeds"`
	Cycles       map[int]Cycle            `json:"cycles"`
	Annotations  map[string]string        `json:"annotations"`
}

func newRecordImage(img *inventory.Image) (*recordImage, error) {
	if img == nil {
		return nil, nil
	}
	files, err := img.Files.MarshalBinary()
	return &recordImage{img, files}, err
}

func (r *recordImage) image() (*inventory.Image, error) {
	if r == nil {
		return nil, nil
	}
	if r.Image == nil {
		return nil, errors.New("there is no inventory")
	}
	files, err := inventory.UnmarshalTable(r.Files)
	if err != nil {
		return nil, fmt.Errorf("reading the file table: %w", err)
	}
	img := *r.Image
	img.Files = files
	return &img, nil
}

// gatesDigest is the SHA-256 of the descriptions of the gates that a bundle
// names.
func gatesDigest(b *Bundle, gates []Gate) (string, error) {
	named := map[string]bool{}
	for i := range b.RuleSets {
		for k := range b.RuleSets[i].Rules {
			named[lower(b.RuleSets[i].Rules[k].Gate)] = true
		}
	}
	doc, err := SpecDocument(slices.DeleteFunc(slices.Clone(gates), func(g Gate) bool { return !named[lower(g.Spec().Name)] }), b.Format)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(doc)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// NewRecord makes the record of a verdict, of the subject and bundle it was
// derived from.
func NewRecord(s *Subject, b *Bundle, v *Verdict, gates []Gate, program string) (*Record, error) {
	r := &Record{Format: recordFormat, Version: recordVersion, Program: program, Tag: s.Tag, Now: s.Now.UTC(), Verdict: *v}
	var err error
	if r.Bundle, err = Encode(b); err != nil {
		return nil, fmt.Errorf("recording the bundle: %w", err)
	}
	if r.Gates, err = gatesDigest(b, gates); err != nil {
		return nil, fmt.Errorf("recording the gates: %w", err)
	}
	img, err := newRecordImage(s.Image)
	if err != nil {
		return nil, fmt.Errorf("recording the inventory: %w", err)
	}
	r.Inventory = *img
	if c := s.Scan; c != nil {
		r.Scan = &recordScan{c.Findings, c.States, c.Problems, c.Distro, c.Feeds, c.Generation}
	}
	r.Context = recordContext{Collected: s.Collected, Dockerfile: s.Dockerfile, Untold: s.Untold, Ancestors: s.Ancestors, Sources: s.Sources, Streams: s.Streams, Detected: s.Detected, PackageFeeds: s.PackageFeeds, Cycles: s.Cycles, Annotations: s.Annotations}
	if r.Context.Base, err = newRecordImage(s.Base); err != nil {
		return nil, fmt.Errorf("recording the base image: %w", err)
	}
	if r.Context.Previous, err = newRecordImage(s.Previous); err != nil {
		return nil, fmt.Errorf("recording the previous image: %w", err)
	}
	return r, nil
}

// Write writes the record as JSON.
func (r *Record) Write(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// ReadRecord reads a record, compressed by gzip or not. Members that a record
// does not have are errors.
func ReadRecord(in io.Reader) (*Record, error) {
	var head [2]byte
	n, err := io.ReadFull(in, head[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, err
	}
	in = io.MultiReader(bytes.NewReader(head[:n]), in)
	if head == [2]byte{0x1f, 0x8b} {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("decompressing the record: %w", err)
		}
	}
	limited := &io.LimitedReader{R: in, N: MaxRecordSize + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	var r Record
	err = d.Decode(&r)
	if err == nil {
		_, err = d.Token()
		if err == nil {
			err = errors.New("something follows the record")
		} else if err == io.EOF {
			err = nil
		}
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the record is larger than %d bytes (limit MaxRecordSize)", MaxRecordSize)
	case err != nil:
		return nil, fmt.Errorf("the record cannot be read: %w", err)
	case r.Format != recordFormat:
		return nil, fmt.Errorf("this is no record of a verdict (format %q); check -o verdict-record=FILE writes one", r.Format)
	case r.Version != recordVersion:
		return nil, fmt.Errorf("the record is of version %d, and this program reads version %d", r.Version, recordVersion)
	}
	return &r, nil
}

// Subject is what the verdict was derived from.
func (r *Record) Subject() (*Subject, error) {
	c := &r.Context
	s := &Subject{Tag: r.Tag, Now: r.Now, Collected: c.Collected, Dockerfile: c.Dockerfile, Untold: c.Untold, Ancestors: c.Ancestors, Sources: c.Sources,
		Streams: c.Streams, Detected: c.Detected, PackageFeeds: c.PackageFeeds, Cycles: c.Cycles, Annotations: c.Annotations}
	var err error
	if s.Image, err = r.Inventory.image(); err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	if s.Base, err = c.Base.image(); err != nil {
		return nil, fmt.Errorf("base image: %w", err)
	}
	if s.Previous, err = c.Previous.image(); err != nil {
		return nil, fmt.Errorf("previous image: %w", err)
	}
	if r.Scan != nil {
		s.Scan = &match.Scan{Image: s.Image, Findings: r.Scan.Findings, States: r.Scan.States, Problems: r.Scan.Problems, Distro: r.Scan.Distro, Feeds: r.Scan.Feeds, Generation: r.Scan.Generation, At: r.Now}
		for i := range s.Scan.Findings {
			if p := s.Scan.Findings[i].Package; p < 0 || p >= len(s.Image.Packages) {
				return nil, fmt.Errorf("findings: finding %d is of package %d, and there are %d", i, p, len(s.Image.Packages))
			}
		}
		for i := range s.Scan.States {
			if p := s.Scan.States[i].Package; p < 0 || p >= len(s.Image.Packages) {
				return nil, fmt.Errorf("findings: state %d is of package %d, and there are %d", i, p, len(s.Image.Packages))
			}
		}
	}
	return s, nil
}

// UnmarshalText reads what MarshalText writes.
func (k *FindingKey) UnmarshalText(text []byte) error {
	id, pkg, ok := strings.Cut(string(text), "\x00")
	if !ok {
		return fmt.Errorf("%q is no vulnerability and package", text)
	}
	k.Vulnerability, k.Package = id, pkg
	return nil
}
