package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// stage holds an update between reading and writing: what is new stands in an
// unnamed temporary file, so that memory does not grow with the feed.
type stage struct {
	spool    *os.File
	w        *bufio.Writer
	total    int
	added    int
	same     int
	replaced []int64
	staged   int
	scores   []advisory.EPSS
	bad      []feed.BadRecord
	now      map[recordID]bool
}

func newStage() (*stage, error) {
	f, err := os.CreateTemp("", "tidewaiter-feed-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	return &stage{spool: f, w: bufio.NewWriterSize(f, 1<<20), now: map[recordID]bool{}}, nil
}

func (s *stage) close() { s.spool.Close() }

// stagedRecord is a record ready to be written.
type stagedRecord struct {
	Kind    int           `cbor:"1,keyasint"`
	ID      string        `cbor:"2,keyasint"`
	Digest  []byte        `cbor:"3,keyasint"`
	Head    []byte        `cbor:"4,keyasint"`
	Body    []byte        `cbor:"5,keyasint"`
	Claims  []stagedClaim `cbor:"6,keyasint"`
	Aliases []string      `cbor:"7,keyasint"`
	General []string      `cbor:"8,keyasint"` // those of Aliases about which the record says something as such
}

type stagedClaim struct {
	Stream   string `cbor:"1,keyasint"`
	Name     string `cbor:"2,keyasint"`
	Affected []byte `cbor:"3,keyasint"`
}

// maxBad bounds the records kept aside; a feed with more is broken as a whole.
const maxBad = 10_000

func (s *stage) read(ctx context.Context, source string, u *feed.Update, known knownRecords) error {
	for item, err := range u.Items {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			if s.bad = append(s.bad, *bad); len(s.bad) > maxBad {
				return fmt.Errorf("%s: more than %d records cannot be read, the last: %w", source, maxBad, err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if item.EPSS != nil {
			s.scores = append(s.scores, *item.EPSS)
			s.total++
			continue
		}
		r, err := stageItem(source, item)
		if err != nil {
			s.bad = append(s.bad, feed.BadRecord{Record: r.ID, Err: err})
			continue
		}
		id := recordID{r.Kind, r.ID}
		if s.now[id] {
			s.bad = append(s.bad, feed.BadRecord{Record: r.ID, Err: errors.New("a second record of this identifier")})
			continue
		}
		s.now[id] = true
		s.total++
		if k := known[id]; k != nil {
			k.seen = true
			if string(k.digest[:]) == string(r.Digest) {
				s.same++
				continue
			}
			s.replaced = append(s.replaced, k.row)
		} else {
			s.added++
		}
		b, err := encode(&r)
		if err != nil {
			return err
		}
		var n [4]byte
		binary.LittleEndian.PutUint32(n[:], uint32(len(b)))
		s.w.Write(n[:])
		if _, err := s.w.Write(b); err != nil {
			return err
		}
		s.staged++
	}
	return s.w.Flush()
}

// stageItem encodes one record. Its ID is set even where it fails.
func stageItem(source string, it feed.Item) (r stagedRecord, err error) {
	var head any
	switch {
	case it.Advisory != nil:
		a := it.Advisory
		r.Kind, r.ID = kindAdvisory, a.ID
		if a.ID == "" {
			return r, errors.New("it has no identifier")
		}
		h := headOf(a)
		head = &h
		if a.Details != "" || len(a.References) > 0 {
			w := wireBody{Details: a.Details}
			for _, ref := range a.References {
				w.References = append(w.References, wireReference(ref))
			}
			b, err := encode(&w)
			if err != nil {
				return r, err
			}
			r.Body = pack(b)
		}
		if r.Claims, err = stageClaims(a.Affected); err != nil {
			return r, err
		}
		r.Aliases = slices.Concat([]string{a.ID}, a.Aliases, a.Upstream)
		for _, name := range r.Aliases {
			if match.Supplements(a, name) {
				r.General = append(r.General, name)
			}
		}
	case it.Exploited != nil:
		e := it.Exploited
		r.Kind, r.ID, head = kindExploited, e.ID, e
		r.Claims = []stagedClaim{{Stream: streamExploited, Name: e.ID}}
	case it.Cycle != nil:
		c := it.Cycle
		r.Kind, r.ID, head = kindCycle, c.Product+"/"+c.Cycle, c
		r.Claims = []stagedClaim{{Stream: streamCycle, Name: c.Product}}
	case it.Statement != nil:
		st := it.Statement
		r.Kind, head = kindStatement, st
		r.ID = st.Document + "#" + st.Vulnerability + "#" + strings.Join(st.Products, " ") + "#" + strings.Join(st.Subcomponents, " ")
		r.Claims = []stagedClaim{{Stream: streamStatement, Name: st.Vulnerability}}
		r.Aliases = st.Aliases
	case it.Repository != nil:
		rep := it.Repository
		r.Kind, r.ID, head = kindRepository, rep.Name, rep
		r.Claims = []stagedClaim{{Stream: streamRepository, Name: rep.Name}}
	default:
		return r, errors.New("an item of no kind")
	}
	if r.ID == "" {
		return r, errors.New("it has no identifier")
	}
	slices.Sort(r.Aliases)
	r.Aliases = slices.Compact(r.Aliases)
	if r.Head, err = encode(head); err != nil {
		return r, err
	}
	h := sha256.New()
	for _, part := range [][]byte{r.Head, r.Body} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	for _, c := range r.Claims {
		fmt.Fprintf(h, "%q %q %d\n", c.Stream, c.Name, len(c.Affected))
		h.Write(c.Affected)
	}
	r.Digest = h.Sum(nil)[:16]
	return r, nil
}

// stageClaims puts the affected packages together by key.
func stageClaims(affected []advisory.Affected) ([]stagedClaim, error) {
	byKey := map[advisory.Key][]cbor.RawMessage{}
	var order []advisory.Key
	for i := range affected {
		k := affected[i].Key
		if k.Stream == "" || k.Name == "" {
			return nil, errors.New("an affected package has no name")
		}
		if byKey[k] == nil {
			order = append(order, k)
		}
		w, err := encode(wireOf(&affected[i]))
		if err != nil {
			return nil, err
		}
		byKey[k] = append(byKey[k], w)
	}
	slices.SortFunc(order, func(a, b advisory.Key) int {
		if d := strings.Compare(a.Stream, b.Stream); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	out := make([]stagedClaim, 0, len(order))
	for _, k := range order {
		// the order of a publisher's entries says nothing and may change
		slices.SortFunc(byKey[k], func(a, b cbor.RawMessage) int { return bytes.Compare(a, b) })
		b, err := encode(byKey[k])
		if err != nil {
			return nil, err
		}
		out = append(out, stagedClaim{k.Stream, k.Name, pack(b)})
	}
	return out, nil
}
