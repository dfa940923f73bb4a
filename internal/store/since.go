package store

import (
	"context"
	"database/sql"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// Mark says what was known at one moment, so that it can be told later whether
// more is known of something.
type Mark struct {
	Generation int64
	At         int64 // Unix milliseconds of the generation: a number that another database has as well means nothing
	Record     int64 // the last row of records
	Scores     int64 // generation of the EPSS scores
	Day        int64 // and their day
}

// Mark returns the mark of the snapshot.
func (s *Snapshot) Mark(ctx context.Context) (Mark, error) {
	m := Mark{Generation: s.Generation}
	err := s.db.read.QueryRowContext(ctx, `SELECT COALESCE((SELECT at FROM generations WHERE id = ?), 0),
		COALESCE((SELECT id FROM records WHERE gen_from <= ? ORDER BY id DESC LIMIT 1), 0),
		COALESCE((SELECT generation FROM feeds WHERE source = ?), 0), COALESCE((SELECT MAX(day) FROM epss WHERE day <= ?), -1)`,
		s.Generation, s.Generation, scoreSource, s.At.Unix()/86400).Scan(&m.At, &m.Record, &m.Scores, &m.Day)
	return m, err
}

// Changes are the keys and names of records that began or ceased to be true.
type Changes struct {
	Keys  map[advisory.Key]bool
	Names map[string]bool // identifiers of vulnerabilities, and aliases
}

// maxChanges is how many records may have changed before it is no longer told
// which.
const maxChanges = 50_000

// Since says what has changed since a mark. ok is false where that cannot be
// told: the mark is of another database or of its future, or too much changed.
func (s *Snapshot) Since(ctx context.Context, m Mark) (c Changes, ok bool, err error) {
	c = Changes{Keys: map[advisory.Key]bool{}, Names: map[string]bool{}}
	var at, n int64
	if err := s.db.read.QueryRowContext(ctx, "SELECT COALESCE((SELECT at FROM generations WHERE id = ?), 0)", m.Generation).Scan(&at); err != nil {
		return c, false, err
	}
	if m.Generation > s.Generation || at != m.At {
		return c, false, nil
	}
	if m.Generation == s.Generation {
		return c, true, nil
	}
	const changed = "SELECT id FROM records WHERE id > ? UNION SELECT id FROM records WHERE gen_to > ?"
	args := []any{m.Record, m.Generation}
	if err := s.db.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM ("+changed+") LIMIT ?)", append(args, maxChanges+1)...).Scan(&n); err != nil || n > maxChanges {
		return c, false, err
	}
	err = s.each(ctx, "SELECT DISTINCT k.stream, k.name FROM claims c JOIN feed_keys k ON k.id = c.key WHERE c.record IN ("+changed+")", args, func(rows *sql.Rows) error {
		var k advisory.Key
		err := rows.Scan(&k.Stream, &k.Name)
		c.Keys[k] = true
		if k.Stream == streamExploited {
			c.Names[k.Name] = true
		}
		return err
	})
	if err != nil {
		return c, false, err
	}
	err = s.each(ctx, "SELECT DISTINCT alias FROM aliases WHERE record IN ("+changed+")", args, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		c.Names[name] = true
		return err
	})
	return c, err == nil, err
}
