package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// An exchange file carries the database, or what changed since an earlier
// file, across an air gap:
//
//	"tidewaiter feeds 1\n"
//	header: one line of JSON, [ExchangeHeader]
//	body: zstd; records of four bytes of length, little-endian, and JSON,
//	      in the order of the header's sources; a last one of length 0
//	signature: 32 bytes SHA-256 of all before, 64 bytes Ed25519 of
//	      "tidewaiter feeds 1\n" and these 32 bytes
//
// A reader verifies the signature over the whole file before it parses the
// body, and the counts of the header before it changes anything.
const exchangeMagic = "tidewaiter feeds 1\n"

// scoreSource is the source whose records are scores.
const scoreSource = "epss"

const signatureLen = sha256.Size + ed25519.SignatureSize

// Limits of reading an exchange file.
const (
	maxExchangeHeader = 4 << 20
	maxExchangeRecord = 64 << 20
)

// ExchangeHeader describes an exchange file.
type ExchangeHeader struct {
	ID         string           `json:"id"`
	Base       string           `json:"base,omitempty"` // the export this is a delta of
	Created    time.Time        `json:"created"`
	Generation int64            `json:"generation"` // the signer's
	Key        string           `json:"key"`        // base64 of the signer's public key
	Sources    []ExchangeSource `json:"sources"`
}

// ExchangeSource is what the file holds of one source.
type ExchangeSource struct {
	Name    string     `json:"name"`
	Records int        `json:"records"` // in the file
	Removed int        `json:"removed"`
	Scores  int        `json:"scores,omitempty"`
	Total   int        `json:"total"` // true at the signer
	State   feed.State `json:"state"`
}

// exchangeRecord is one record of the body.
type exchangeRecord struct {
	Source  string     `json:"s"`
	Item    *feed.Item `json:"i,omitempty"`
	Removed string     `json:"r,omitempty"`
}

// signingKey returns the database's own key, made when it is first needed.
func (f *Feeds) signingKey(ctx context.Context) (ed25519.PrivateKey, error) {
	text, err := f.DB.Meta(ctx, "exchange-key", func() (string, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return base64.StdEncoding.EncodeToString(key.Seed()), err
	})
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("the stored signing key is damaged")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ExchangeKey returns the public key that exports of this database are signed
// with, in base64: whoever imports them names it.
func (f *Feeds) ExchangeKey(ctx context.Context) (string, error) {
	key, err := f.signingKey(ctx)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)), nil
}

// Export writes everything that is known, or with since (the id of an earlier
// export) what changed after it.
func (f *Feeds) Export(ctx context.Context, w io.Writer, since string) (ExchangeHeader, error) {
	var from int64
	if since != "" {
		var err error
		if from, err = f.DB.Export(ctx, since); err != nil {
			return ExchangeHeader{}, fmt.Errorf("export %q: %w: it was not made here; make a full export", since, err)
		}
	}
	key, err := f.signingKey(ctx)
	if err != nil {
		return ExchangeHeader{}, err
	}
	h := ExchangeHeader{Base: since, Created: f.Now().UTC().Truncate(time.Second), Key: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}
	if h.Generation, err = f.DB.Generation(ctx); err != nil {
		return h, err
	}
	statuses, err := f.DB.Feeds(ctx)
	if err != nil {
		return h, err
	}
	// The body is made first: its counts stand in the header.
	tmp, err := os.CreateTemp("", "tidewaiter-export-*")
	if err != nil {
		return h, err
	}
	defer tmp.Close()
	os.Remove(tmp.Name())
	if err := f.exportBody(ctx, tmp, &h, statuses, from); err != nil {
		return h, err
	}
	var id [12]byte
	rand.Read(id[:])
	h.ID = h.Created.Format("20060102T150405Z") + "-" + hex.EncodeToString(id[:])
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	line, err := json.Marshal(h)
	if err != nil {
		return h, err
	}
	if _, err := fmt.Fprintf(out, "%s%s\n", exchangeMagic, line); err != nil {
		return h, err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return h, err
	}
	if _, err := io.Copy(out, tmp); err != nil {
		return h, err
	}
	digest := sum.Sum(nil)
	if _, err := w.Write(slices.Concat(digest, ed25519.Sign(key, append([]byte(exchangeMagic), digest...)))); err != nil {
		return h, err
	}
	return h, f.DB.PutExport(ctx, h.ID, h.Generation, h.Created)
}

func (f *Feeds) exportBody(ctx context.Context, w io.Writer, h *ExchangeHeader, statuses []store.FeedStatus, from int64) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(2))
	if err != nil {
		return err
	}
	put := func(r exchangeRecord) error {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		var n [4]byte
		binary.LittleEndian.PutUint32(n[:], uint32(len(b)))
		if _, err := z.Write(n[:]); err != nil {
			return err
		}
		_, err = z.Write(b)
		return err
	}
	for _, st := range statuses {
		if st.Changed.IsZero() {
			continue // tried, never got
		}
		s := ExchangeSource{Name: st.Source, Total: st.Records, State: st.State}
		err := f.DB.Changes(ctx, st.Source, from, func(c store.RecordChange) error {
			if c.Removed != "" {
				s.Removed++
				return put(exchangeRecord{Source: st.Source, Removed: c.Removed})
			}
			s.Records++
			return put(exchangeRecord{Source: st.Source, Item: &c.Item})
		})
		if err == nil && st.Source == scoreSource && st.Generation > from {
			err = f.DB.Scores(ctx, func(e advisory.EPSS) error {
				s.Scores++
				return put(exchangeRecord{Source: st.Source, Item: &feed.Item{EPSS: &e}})
			})
		}
		if err != nil {
			return fmt.Errorf("exporting %s: %w", st.Source, err)
		}
		h.Sources = append(h.Sources, s)
	}
	if err := binary.Write(z, binary.LittleEndian, uint32(0)); err != nil {
		return err
	}
	return z.Close()
}

// ImportOptions say whom an import trusts.
type ImportOptions struct {
	// Keys are the public keys, base64, whose signature counts.
	Keys  []string
	Force bool // take an older file than the last one, and feeds that shrank
}

// Verify reads an exchange file whole and checks its signature; with no keys
// it only checks that the file is what its own key signed.
func Verify(r io.ReadSeeker, keys []string) (ExchangeHeader, int64, error) {
	var h ExchangeHeader
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return h, 0, err
	}
	if size < int64(len(exchangeMagic)+signatureLen) {
		return h, 0, errors.New("the file is too short for an export: it was cut, or is none")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return h, 0, err
	}
	sum := sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(io.LimitReader(r, size-int64(signatureLen)), sum), 1<<20)
	magic := make([]byte, len(exchangeMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != exchangeMagic {
		if bytes.HasPrefix(magic, []byte("tidewaiter feeds ")) {
			return h, 0, fmt.Errorf("the export is of another format, %q: this release reads %q", strings.TrimSpace(string(magic)), strings.TrimSpace(exchangeMagic))
		}
		return h, 0, errors.New("the file is no export of Tidewaiter")
	}
	line, err := readLine(in, maxExchangeHeader)
	if err != nil {
		return h, 0, fmt.Errorf("the export was cut, or altered: its header does not end: %w", err)
	}
	start := int64(len(exchangeMagic) + len(line) + 1)
	if _, err := io.Copy(io.Discard, in); err != nil {
		return h, 0, err
	}
	sig := make([]byte, signatureLen)
	if _, err := r.Seek(-int64(signatureLen), io.SeekEnd); err != nil {
		return h, 0, err
	}
	if _, err := io.ReadFull(r, sig); err != nil {
		return h, 0, err
	}
	if !bytes.Equal(sum.Sum(nil), sig[:sha256.Size]) {
		return h, 0, errors.New("the checksum does not fit: the export was cut or altered")
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, 0, fmt.Errorf("reading the header: %w", err)
	}
	if len(keys) > 0 && !slices.Contains(keys, h.Key) {
		return h, 0, fmt.Errorf("the export is signed by the key %s, which is not among those trusted here", h.Key)
	}
	public, err := base64.StdEncoding.DecodeString(h.Key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return h, 0, errors.New("the header's key is none")
	}
	if !ed25519.Verify(public, append([]byte(exchangeMagic), sig[:sha256.Size]...), sig[sha256.Size:]) {
		return h, 0, errors.New("the signature is wrong: the export was altered")
	}
	return h, start, nil
}

func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > limit {
			return nil, fmt.Errorf("longer than the limit of %d bytes", limit)
		}
		if err == nil {
			return line[:len(line)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// Import takes an exchange file: signature, order and completeness are
// verified before anything changes; then source after source is taken, each
// whole or not at all. A file that was interrupted can be imported again.
func (f *Feeds) Import(ctx context.Context, r io.ReadSeeker, o ImportOptions) (ExchangeHeader, []store.FeedChange, error) {
	if len(o.Keys) == 0 {
		return ExchangeHeader{}, nil, errors.New("no key is trusted: name the exporter's key (feed key prints it there)")
	}
	h, start, err := Verify(r, o.Keys)
	if err != nil {
		return h, nil, err
	}
	last, generation, err := f.DB.Import(ctx, h.Key)
	if err != nil {
		return h, nil, err
	}
	switch {
	case h.Base != "" && h.Base != last && h.ID != last:
		return h, nil, fmt.Errorf("the export is a delta of %s, but the last one taken of that key is %s: take the missing one first, or a full export", h.Base, orNone(last))
	case h.Generation < generation && !o.Force:
		return h, nil, fmt.Errorf("the export is older than what is there (generation %d, taken was %d); use --force if this is wanted", h.Generation, generation)
	}
	if err := f.checkBody(ctx, r, start, &h); err != nil {
		return h, nil, err
	}
	// The records of a source stand together, in the order of the header: one
	// pass serves all of them.
	next, stop := iter.Pull2(func(yield func(exchangeRecord, error) bool) {
		err := eachRecord(ctx, r, start, func(rec exchangeRecord) (bool, error) { return yield(rec, nil), nil })
		if err != nil {
			yield(exchangeRecord{}, err)
		}
	})
	defer stop()
	ahead, failure, more := next()
	var changes []store.FeedChange
	for _, s := range h.Sources {
		u := &feed.Update{Whole: h.Base == "", State: s.State}
		u.Items = func(yield func(feed.Item, error) bool) {
			for more && failure == nil && ahead.Source == s.Name {
				if ahead.Removed != "" {
					u.Removed = append(u.Removed, ahead.Removed)
				} else if !yield(*ahead.Item, nil) {
					return
				}
				ahead, failure, more = next()
			}
			if failure != nil {
				yield(feed.Item{}, failure)
			}
		}
		u.Unchanged = h.Base != "" && s.Records+s.Removed+s.Scores == 0
		c, err := f.DB.ApplyFeed(ctx, s.Name, u, store.Guard{Force: o.Force}, f.Now())
		if err != nil {
			return h, changes, err
		}
		changes = append(changes, c)
	}
	return h, changes, f.DB.PutImport(ctx, h.Key, h.ID, h.Generation, f.Now())
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// checkBody reads the body once and compares it with the header.
func (f *Feeds) checkBody(ctx context.Context, r io.ReadSeeker, start int64, h *ExchangeHeader) error {
	have := map[string]*ExchangeSource{}
	for _, s := range h.Sources {
		have[s.Name] = &ExchangeSource{}
	}
	err := eachRecord(ctx, r, start, func(rec exchangeRecord) (bool, error) {
		s := have[rec.Source]
		switch {
		case s == nil:
			return false, fmt.Errorf("a record of %q, which the header does not name", rec.Source)
		case rec.Removed != "":
			s.Removed++
		case rec.Item == nil:
			return false, errors.New("a record that holds nothing")
		case rec.Item.EPSS != nil:
			s.Scores++
		default:
			s.Records++
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("reading the export: %w", err)
	}
	for _, s := range h.Sources {
		if got := have[s.Name]; got.Records != s.Records || got.Removed != s.Removed || got.Scores != s.Scores {
			return fmt.Errorf("the export is not complete: of %s it has %d records where its header says %d", s.Name, got.Records+got.Removed+got.Scores, s.Records+s.Removed+s.Scores)
		}
	}
	return nil
}

func eachRecord(ctx context.Context, r io.ReadSeeker, start int64, yield func(exchangeRecord) (bool, error)) error {
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return err
	}
	z, err := zstd.NewReader(io.LimitReader(r, end-start-int64(signatureLen)), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	in := bufio.NewReaderSize(z, 1<<20)
	var buf []byte
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var n uint32
		if err := binary.Read(in, binary.LittleEndian, &n); err != nil {
			return fmt.Errorf("the body ends too early: %w", err)
		}
		if n == 0 {
			return nil
		}
		if n > maxExchangeRecord {
			return fmt.Errorf("a record of %d bytes is larger than the limit of %d", n, maxExchangeRecord)
		}
		buf = slices.Grow(buf[:0], int(n))[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return fmt.Errorf("the body ends too early: %w", err)
		}
		var rec exchangeRecord
		if err := json.Unmarshal(buf, &rec); err != nil {
			return err
		}
		more, err := yield(rec)
		if err != nil || !more {
			return err
		}
	}
}
