package store

import (
	"fmt"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// The stored forms of records. Keys are small numbers, never used again for
// anything else; unknown ones are passed over, so that an older release reads
// what a newer one wrote.

type wireHead struct {
	Aliases    []string       `cbor:"1,keyasint,omitempty"`
	Related    []string       `cbor:"2,keyasint,omitempty"`
	Upstream   []string       `cbor:"3,keyasint,omitempty"`
	Summary    string         `cbor:"4,keyasint,omitempty"`
	Severities []wireSeverity `cbor:"5,keyasint,omitempty"`
	CWEs       []string       `cbor:"6,keyasint,omitempty"`
	URL        string         `cbor:"7,keyasint,omitempty"`
	Published  int64          `cbor:"8,keyasint,omitempty"` // Unix seconds
	Modified   int64          `cbor:"9,keyasint,omitempty"`
	Withdrawn  int64          `cbor:"10,keyasint,omitempty"`
	Disputed   bool           `cbor:"11,keyasint,omitempty"`
	Malicious  bool           `cbor:"12,keyasint,omitempty"`
}

type wireBody struct {
	Details    string          `cbor:"1,keyasint,omitempty"`
	References []wireReference `cbor:"2,keyasint,omitempty"`
}

type wireReference struct {
	Type string `cbor:"1,keyasint,omitempty"`
	URL  string `cbor:"2,keyasint"`
}

type wireSeverity struct {
	Source string  `cbor:"1,keyasint,omitempty"`
	Type   string  `cbor:"2,keyasint,omitempty"`
	Vector string  `cbor:"3,keyasint,omitempty"`
	Score  float64 `cbor:"4,keyasint,omitempty"`
	Label  string  `cbor:"5,keyasint,omitempty"`
	Raw    string  `cbor:"6,keyasint,omitempty"`
}

type wireAffected struct {
	Names       string         `cbor:"1,keyasint,omitempty"`
	Scheme      string         `cbor:"2,keyasint,omitempty"`
	Intervals   []wireInterval `cbor:"3,keyasint,omitempty"`
	Versions    []string       `cbor:"4,keyasint,omitempty"`
	Requirement string         `cbor:"5,keyasint,omitempty"`
	Unaffected  string         `cbor:"6,keyasint,omitempty"`
	Status      string         `cbor:"7,keyasint,omitempty"`
	FixState    string         `cbor:"8,keyasint,omitempty"`
	FixVersions []string       `cbor:"9,keyasint,omitempty"`
	FixDate     int64          `cbor:"10,keyasint,omitempty"`
	FixAdvisory string         `cbor:"11,keyasint,omitempty"`
	FixURL      string         `cbor:"12,keyasint,omitempty"`
	Arches      []string       `cbor:"13,keyasint,omitempty"`
	Module      string         `cbor:"14,keyasint,omitempty"`
	Repository  string         `cbor:"15,keyasint,omitempty"`
	CPE         string         `cbor:"16,keyasint,omitempty"`
	With        []string       `cbor:"17,keyasint,omitempty"`
	Severities  []wireSeverity `cbor:"18,keyasint,omitempty"`
	Note        string         `cbor:"19,keyasint,omitempty"`
}

type wireInterval struct {
	Introduced   string `cbor:"1,keyasint,omitempty"`
	Fixed        string `cbor:"2,keyasint,omitempty"`
	LastAffected string `cbor:"3,keyasint,omitempty"`
	After        bool   `cbor:"4,keyasint,omitempty"`
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func wireSeverities(in []advisory.Severity) []wireSeverity {
	var out []wireSeverity
	for _, s := range in {
		out = append(out, wireSeverity{s.Source, s.Type, s.Vector, s.Score, string(s.Label), s.Raw})
	}
	return out
}

func severities(in []wireSeverity) []advisory.Severity {
	var out []advisory.Severity
	for _, s := range in {
		out = append(out, advisory.Severity{Source: s.Source, Type: s.Type, Vector: s.Vector, Score: s.Score, Label: advisory.Level(s.Label), Raw: s.Raw})
	}
	return out
}

func headOf(a *advisory.Advisory) wireHead {
	return wireHead{
		Aliases: a.Aliases, Related: a.Related, Upstream: a.Upstream, Summary: a.Summary, Severities: wireSeverities(a.Severities),
		CWEs: a.CWEs, URL: a.URL, Published: unix(a.Published), Modified: unix(a.Modified), Withdrawn: unix(a.Withdrawn),
		Disputed: a.Disputed, Malicious: a.Malicious,
	}
}

func (h *wireHead) advisory(source, id string) advisory.Advisory {
	return advisory.Advisory{
		Source: source, ID: id, Aliases: h.Aliases, Related: h.Related, Upstream: h.Upstream, Summary: h.Summary, Severities: severities(h.Severities),
		CWEs: h.CWEs, URL: h.URL, Published: fromUnix(h.Published), Modified: fromUnix(h.Modified), Withdrawn: fromUnix(h.Withdrawn),
		Disputed: h.Disputed, Malicious: h.Malicious,
	}
}

func wireOf(a *advisory.Affected) wireAffected {
	w := wireAffected{
		Names: string(a.Names), Scheme: string(a.Scheme), Versions: a.Versions, Requirement: a.Requirement, Unaffected: a.Unaffected, Status: string(a.Status),
		FixState: string(a.Fix.State), FixVersions: a.Fix.Versions, FixDate: unix(a.Fix.Date), FixAdvisory: a.Fix.Advisory, FixURL: a.Fix.URL,
		Arches: a.Arches, Module: a.Module, Repository: a.Repository, CPE: a.CPE, With: a.With, Severities: wireSeverities(a.Severities), Note: a.Note,
	}
	for _, i := range a.Intervals {
		w.Intervals = append(w.Intervals, wireInterval(i))
	}
	return w
}

func (w *wireAffected) affected(key advisory.Key) advisory.Affected {
	a := advisory.Affected{
		Key: key, Names: advisory.Names(w.Names), Scheme: version.Scheme(w.Scheme), Versions: w.Versions, Requirement: w.Requirement, Unaffected: w.Unaffected,
		Status: advisory.Status(w.Status),
		Fix:    advisory.Fix{State: advisory.FixState(w.FixState), Versions: w.FixVersions, Date: fromUnix(w.FixDate), Advisory: w.FixAdvisory, URL: w.FixURL},
		Arches: w.Arches, Module: w.Module, Repository: w.Repository, CPE: w.CPE, With: w.With, Severities: severities(w.Severities), Note: w.Note,
	}
	for _, i := range w.Intervals {
		a.Intervals = append(a.Intervals, advisory.Interval(i))
	}
	return a
}

var codec = sync.OnceValues(func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CanonicalEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{MaxArrayElements: 1 << 24, MaxNestedLevels: 16}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
})

func encode(v any) ([]byte, error) {
	enc, _ := codec()
	return enc.Marshal(v)
}

func decode(b []byte, v any) error {
	_, dec := codec()
	return dec.Unmarshal(b, v)
}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err)
	}
	return e
})

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		panic(err)
	}
	return d
})

// pack compresses b where that gains; the first byte tells.
func pack(b []byte) []byte {
	if len(b) > 200 {
		if z := zstdEncoder().EncodeAll(b, []byte{1}); len(z) <= len(b) {
			return z
		}
	}
	return append([]byte{0}, b...)
}

// unpack returns what pack was given; it may be a part of b.
func unpack(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0] == 0 {
		return b[1:], nil
	}
	return unpackTo(nil, b)
}

// unpackTo appends what pack was given.
func unpackTo(to, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return to, nil
	}
	switch b[0] {
	case 0:
		return append(to, b[1:]...), nil
	case 1:
		return zstdDecoder().DecodeAll(b[1:], to)
	}
	return nil, fmt.Errorf("stored text of unknown form %d", b[0])
}
