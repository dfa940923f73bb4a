package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
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
