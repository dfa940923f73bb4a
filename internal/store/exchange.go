package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// RecordChange is one record of a source as it is now, or the end of one.
type RecordChange struct {
	Item    feed.Item // empty when Removed is set
	Removed string    // identifier of a record that is gone
}

// Changes yields what is true of a source and became so after a generation,
// and what ceased to be; from 0 on, everything that is true. It holds a read
// transaction meanwhile: writers go on, and are not seen.
func (db *DB) Changes(ctx context.Context, source string, since int64, yield func(RecordChange) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	ids, err := rowsOf(ctx, tx, source, since)
	if err != nil {
		return err
	}
	type row struct {
		id         int64
		kind       int
		ext        string
		head, body []byte
	}
	for part := range slices.Chunk(ids, 1000) {
		first, last := part[0], part[len(part)-1]
		// "+": by the range of rows, not by the index of sources
		rows, err := tx.QueryContext(ctx, "SELECT id, kind, ext_id, head, body FROM records WHERE id BETWEEN ? AND ? AND +source = ? AND gen_to IS NULL AND gen_from > ? ORDER BY id", first, last, source, since)
		if err != nil {
			return err
		}
		var page []row
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.kind, &r.ext, &r.head, &r.body); err != nil {
				rows.Close()
				return err
			}
			page = append(page, r)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		affected, err := claimsBetween(ctx, tx, source, since, first, last)
		if err != nil {
			return err
		}
		for _, r := range page {
			item, err := itemOf(source, r.kind, r.ext, r.head, r.body, affected[r.id])
			if err != nil {
				return err
			}
			if err := yield(RecordChange{Item: item}); err != nil {
				return err
			}
		}
	}
	if since == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT r.ext_id FROM records r WHERE r.source = ? AND r.gen_to > ? AND r.gen_from <= ?
		AND NOT EXISTS (SELECT 1 FROM records n WHERE n.source = r.source AND n.ext_id = r.ext_id AND n.kind = r.kind AND n.gen_to IS NULL) ORDER BY r.ext_id`, source, since, since)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if err := yield(RecordChange{Removed: id}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rowsOf lists the rows of what is true of a source and became so after a
// generation.
func rowsOf(ctx context.Context, tx *sql.Tx, source string, since int64) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id FROM records WHERE source = ? AND gen_to IS NULL AND gen_from > ? ORDER BY id", source, since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// claimsBetween returns what the records of a source in a range of rows say of
// packages: one query for many records, by stream and name.
func claimsBetween(ctx context.Context, tx *sql.Tx, source string, since, first, last int64) (map[int64][]advisory.Affected, error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.record, k.stream, k.name, c.affected FROM records r JOIN claims c ON c.record = r.id JOIN feed_keys k ON k.id = c.key
		WHERE r.id BETWEEN ? AND ? AND +r.source = ? AND r.kind = ? AND r.gen_to IS NULL AND r.gen_from > ? ORDER BY c.record, k.stream, k.name`, first, last, source, kindAdvisory, since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64][]advisory.Affected{}
	for rows.Next() {
		var row int64
		var k advisory.Key
		var affected sql.RawBytes
		if err := rows.Scan(&row, &k.Stream, &k.Name, &affected); err != nil {
			return nil, err
		}
		list, err := decodeAffected(affected, k)
		if err != nil {
			return nil, err
		}
		out[row] = append(out[row], list...)
	}
	return out, rows.Err()
}

func itemOf(source string, kind int, ext string, head, body []byte, affected []advisory.Affected) (feed.Item, error) {
	switch kind {
	case kindExploited:
		var e advisory.Exploited
		return feed.Item{Exploited: &e}, decode(head, &e)
	case kindCycle:
		var c advisory.Cycle
		return feed.Item{Cycle: &c}, decode(head, &c)
	case kindStatement:
		var s advisory.Statement
		return feed.Item{Statement: &s}, decode(head, &s)
	case kindRepository:
		var r advisory.Repository
		return feed.Item{Repository: &r}, decode(head, &r)
	}
	var h wireHead
	if err := decode(head, &h); err != nil {
		return feed.Item{}, err
	}
	a := h.advisory(source, ext)
	if err := readBody(body, &a); err != nil {
		return feed.Item{}, err
	}
	a.Affected = affected
	return feed.Item{Advisory: &a}, nil
}

// Scores yields the scores of the latest day, in order of identifier.
func (db *DB) Scores(ctx context.Context, yield func(advisory.EPSS) error) error {
	var day int64
	if err := db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(day), -1) FROM epss").Scan(&day); err != nil || day < 0 {
		return err
	}
	rows, err := db.read.QueryContext(ctx, "SELECT data FROM epss WHERE day = ? ORDER BY first", day)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		raw, err := unpack(data)
		if err != nil {
			return err
		}
		var failed error
		err = decodeScores(raw, day, func(e advisory.EPSS) {
			if failed == nil {
				failed = yield(e)
			}
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Generation returns the present generation.
func (db *DB) Generation(ctx context.Context) (g int64, err error) {
	err = db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM generations").Scan(&g)
	return g, err
}

// Meta returns a value kept under a name, making it when there is none.
func (db *DB) Meta(ctx context.Context, name string, make func() (string, error)) (string, error) {
	var v string
	err := db.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&v)
	if !errors.Is(err, sql.ErrNoRows) {
		return v, err
	}
	fresh, err := make()
	if err != nil {
		return "", err
	}
	err = db.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&v)
	})
	return v, err
}

// PutExport notes that an export was handed out.
func (db *DB) PutExport(ctx context.Context, id string, generation int64, at time.Time) error {
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO exports (id, generation, at) VALUES (?, ?, ?)", id, generation, at.Unix())
		return err
	})
}

// Export returns the generation of an export that was handed out.
func (db *DB) Export(ctx context.Context, id string) (generation int64, err error) {
	err = db.read.QueryRowContext(ctx, "SELECT generation FROM exports WHERE id = ?", id).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return generation, err
}

// Import returns the last export that was taken of an origin; "" and 0 where
// there is none.
func (db *DB) Import(ctx context.Context, origin string) (export string, generation int64, err error) {
	err = db.read.QueryRowContext(ctx, "SELECT export, generation FROM imports WHERE origin = ?", origin).Scan(&export, &generation)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, nil
	}
	return export, generation, err
}

// PutImport notes that an export was taken.
func (db *DB) PutImport(ctx context.Context, origin, export string, generation int64, at time.Time) error {
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO imports (origin, export, generation, at) VALUES (?, ?, ?, ?)
			ON CONFLICT (origin) DO UPDATE SET export = excluded.export, generation = excluded.generation, at = excluded.at`, origin, export, generation, at.Unix())
		return err
	})
}
