package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// Kinds of records. The numbers are stored.
const (
	kindAdvisory   = 1
	kindExploited  = 2
	kindCycle      = 3
	kindStatement  = 4
	kindRepository = 5
)

// Streams under which records that are no advisories are found.
const (
	streamExploited  = "exploited"  // name: CVE
	streamCycle      = "eol"        // name: product
	streamStatement  = "vex"        // name: vulnerability
	streamRepository = "repository" // name: of the repository
)

// Guard refuses an update that looks like an accident.
type Guard struct {
	// Shrink is the least share of the known records that a whole update must
	// bring; 0 means a half. Feeds of fewer than 100 records are not checked.
	Shrink float64
	Force  bool // take it all the same
}

// ShrunkenError says that a whole update brought suspiciously little.
type ShrunkenError struct {
	Source    string
	Had, Have int
}

func (e *ShrunkenError) Error() string {
	return fmt.Sprintf("%s now has %d records where %d were known: nothing was changed; use --force if this is right", e.Source, e.Have, e.Had)
}

// FeedChange says what an update changed.
type FeedChange struct {
	Source     string    `json:"source"`
	Generation int64     `json:"generation"` // 0: nothing changed
	Added      int       `json:"added"`
	Changed    int       `json:"changed"`
	Removed    int       `json:"removed"`
	Same       int       `json:"same"`
	Records    int       `json:"records"` // true now
	Bad        int       `json:"bad"`     // kept aside
	At         time.Time `json:"at"`
}

// ApplyFeed takes an update of a source. Everything is read and compared
// first; then one transaction closes what is no longer true, opens what is
// new, raises the generation, and keeps the source's state. An error, also one
// of the update's items, changes nothing.
func (db *DB) ApplyFeed(ctx context.Context, source string, u *feed.Update, g Guard, now time.Time) (FeedChange, error) {
	c := FeedChange{Source: source, At: now.UTC()}
	if u.Unchanged {
		return c, db.feedChecked(ctx, source, u.State, now)
	}
	known, err := db.known(ctx, source)
	if err != nil {
		return c, err
	}
	s, err := newStage()
	if err != nil {
		return c, err
	}
	defer s.close()
	if err := s.read(ctx, source, u, known); err != nil {
		return c, err
	}
	var gone []int64
	if u.Whole {
		if had := len(known); !g.Force && had >= 100 && float64(s.total) < float64(had)*max(g.Shrink, 0.5) {
			return c, &ShrunkenError{source, had, s.total}
		}
		for _, b := range s.bad {
			known.keep(b.Record)
		}
		for _, k := range known {
			if !k.seen {
				gone = append(gone, k.row)
				c.Removed++
			}
		}
	} else {
		for _, id := range u.Removed {
			for kind := kindAdvisory; kind <= kindStatement; kind++ {
				if k := known[recordID{kind, id}]; k != nil && !k.seen {
					k.seen = true
					gone = append(gone, k.row)
					c.Removed++
				}
			}
		}
	}
	gone = append(gone, s.replaced...)
	c.Added, c.Changed, c.Same, c.Bad = s.added, len(s.replaced), s.same, len(s.bad)
	c.Records = len(known) - c.Removed + c.Added
	err = db.update(ctx, func(tx *sql.Tx) error {
		if len(gone)+s.added+len(s.scores) > 0 {
			note := fmt.Sprintf("+%d ~%d -%d", c.Added, c.Changed, c.Removed)
			if err := tx.QueryRowContext(ctx, "INSERT INTO generations (at, kind, source, note) VALUES (?, 'feed', ?, ?) RETURNING id", now.UnixMilli(), source, note).Scan(&c.Generation); err != nil {
				return err
			}
		}
		if err := closeRecords(ctx, tx, gone, c.Generation); err != nil {
			return err
		}
		if err := s.write(ctx, tx, source, c.Generation); err != nil {
			return err
		}
		if err := writeScores(ctx, tx, s.scores); err != nil {
			return err
		}
		return s.finish(ctx, tx, source, u.State, &c, now)
	})
	if err != nil {
		return FeedChange{Source: source}, fmt.Errorf("keeping the records of %s: %w", source, err)
	}
	return c, nil
}

type recordID struct {
	kind int
	id   string
}

type knownRecord struct {
	row    int64
	digest [16]byte
	seen   bool
}

// knownRecords are the true records of a source.
type knownRecords map[recordID]*knownRecord

// keep leaves in force what is known of a record that can now not be read: it
// is named by its identifier or by a file that is called like it. What it was
// is better than nothing.
func (ks knownRecords) keep(record string) {
	base := path.Base(record)
	for _, id := range []string{record, base, strings.TrimSuffix(base, path.Ext(base))} {
		for kind := kindAdvisory; kind <= kindStatement; kind++ {
			if k := ks[recordID{kind, id}]; k != nil {
				k.seen = true
			}
		}
	}
}

func (db *DB) known(ctx context.Context, source string) (knownRecords, error) {
	rows, err := db.read.QueryContext(ctx, "SELECT id, kind, ext_id, digest FROM records WHERE source = ? AND gen_to IS NULL", source)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := knownRecords{}
	for rows.Next() {
		var k knownRecord
		var id recordID
		var digest []byte
		if err := rows.Scan(&k.row, &id.kind, &id.id, &digest); err != nil {
			return nil, err
		}
		copy(k.digest[:], digest)
		out[id] = &k
	}
	return out, rows.Err()
}

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

func closeRecords(ctx context.Context, tx *sql.Tx, rows []int64, generation int64) error {
	stmt, err := tx.PrepareContext(ctx, "UPDATE records SET gen_to = ? WHERE id = ?")
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, generation, row); err != nil {
			return err
		}
	}
	return nil
}

// write moves what is staged into the tables, in batches.
func (s *stage) write(ctx context.Context, tx *sql.Tx, source string, generation int64) error {
	if s.staged == 0 {
		return nil
	}
	if _, err := s.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var row int64
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM records").Scan(&row); err != nil {
		return err
	}
	keys, err := newKeyring(ctx, tx)
	if err != nil {
		return err
	}
	records := newBatch(ctx, tx, "INSERT INTO records (id, kind, source, ext_id, digest, head, body, gen_from) VALUES ", 8, "")
	claims := newBatch(ctx, tx, "INSERT INTO claims (key, record, affected) VALUES ", 3, "")
	aliases := newBatch(ctx, tx, "INSERT INTO aliases (alias, record, general) VALUES ", 3, "")
	in := bufio.NewReaderSize(s.spool, 1<<20)
	for range s.staged {
		var n [4]byte
		if _, err := io.ReadFull(in, n[:]); err != nil {
			return err
		}
		b := make([]byte, binary.LittleEndian.Uint32(n[:]))
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
		var r stagedRecord
		if err := decode(b, &r); err != nil {
			return err
		}
		row++
		var body any
		if len(r.Body) > 0 {
			body = r.Body
		}
		if err := records.add(row, r.Kind, source, r.ID, r.Digest, r.Head, body, generation); err != nil {
			return err
		}
		for _, c := range r.Claims {
			key, err := keys.id(ctx, c.Stream, c.Name)
			if err != nil {
				return err
			}
			var affected any
			if c.Affected != nil {
				affected = c.Affected
			}
			if err := claims.add(key, row, affected); err != nil {
				return err
			}
		}
		for _, a := range r.Aliases {
			if err := aliases.add(a, row, slices.Contains(r.General, a)); err != nil {
				return err
			}
		}
	}
	return errors.Join(keys.flush(), records.flush(), claims.flush(), aliases.flush())
}

// finish keeps the state of the source and what was wrong.
func (s *stage) finish(ctx context.Context, tx *sql.Tx, source string, state feed.State, c *FeedChange, now time.Time) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if len(s.scores) > 0 {
		c.Records = s.total
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO feeds (source, state, generation, records, changed, checked, tried, error) VALUES (?, ?, ?, ?, ?, ?, ?, '')
		ON CONFLICT (source) DO UPDATE SET state = excluded.state, records = excluded.records, checked = excluded.checked, tried = excluded.tried, error = '',
		generation = CASE WHEN excluded.generation > 0 THEN excluded.generation ELSE feeds.generation END,
		changed = CASE WHEN excluded.generation > 0 THEN excluded.changed ELSE feeds.changed END`,
		source, string(raw), c.Generation, c.Records, now.Unix(), now.Unix(), now.Unix())
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM feed_bad WHERE source = ?", source); err != nil {
		return err
	}
	bad := newBatch(ctx, tx, "INSERT INTO feed_bad (source, record, error) VALUES ", 3, "")
	for _, b := range s.bad {
		if err := bad.add(source, b.Record, b.Err.Error()); err != nil {
			return err
		}
	}
	if err := bad.flush(); err != nil {
		return err
	}
	if c.Generation == 0 {
		return nil
	}
	// A stream that lost its last record is kept: it was there at other instants.
	if _, err := tx.ExecContext(ctx, "UPDATE feed_streams SET records = 0 WHERE source = ?", source); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO feed_streams (source, stream, records)
		SELECT r.source, k.stream, COUNT(DISTINCT r.id) FROM records r JOIN claims c ON c.record = r.id JOIN feed_keys k ON k.id = c.key
		WHERE r.source = ? AND r.gen_to IS NULL GROUP BY r.source, k.stream
		ON CONFLICT (source, stream) DO UPDATE SET records = excluded.records`, source)
	return err
}

// feedChecked notes a check that found nothing new.
func (db *DB) feedChecked(ctx context.Context, source string, state feed.State, now time.Time) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE feeds SET state = ?, checked = ?, tried = ?, error = '' WHERE source = ?", string(raw), now.Unix(), now.Unix(), source)
		return err
	})
}

// FeedFailed notes a try that failed. The data stays in force.
func (db *DB) FeedFailed(ctx context.Context, source string, failure error, now time.Time) error {
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO feeds (source, state, generation, records, changed, checked, tried, error) VALUES (?, '{}', 0, 0, 0, 0, ?, ?)
			ON CONFLICT (source) DO UPDATE SET tried = excluded.tried, error = excluded.error`, source, now.Unix(), failure.Error())
		return err
	})
}

// FeedSettings returns the owner's choices by source.
func FeedSettings[T any](ctx context.Context, db *DB) (map[string]T, error) {
	rows, err := db.read.QueryContext(ctx, "SELECT source, setting FROM feed_settings")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]T{}
	for rows.Next() {
		var name, raw string
		var v T
		if err := rows.Scan(&name, &raw); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			return nil, fmt.Errorf("setting of %s: %w", name, err)
		}
		out[name] = v
	}
	return out, rows.Err()
}

// PutFeedSetting keeps the owner's choice about a source.
func PutFeedSetting[T any](ctx context.Context, db *DB, source string, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO feed_settings (source, setting) VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET setting = excluded.setting", source, string(raw))
		return err
	})
}
