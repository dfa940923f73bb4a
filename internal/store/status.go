package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// FeedStatus is what is known of a source's data.
type FeedStatus struct {
	Source     string     `json:"source"`
	State      feed.State `json:"state"`
	Generation int64      `json:"generation"`
	Records    int        `json:"records"`
	Changed    time.Time  `json:"changed,omitzero"`
	Checked    time.Time  `json:"checked,omitzero"`
	Tried      time.Time  `json:"tried,omitzero"`
	Error      string     `json:"error,omitempty"`
	Bad        int        `json:"bad"`
}

// Feeds returns the status of every source that was ever tried, by name.
func (db *DB) Feeds(ctx context.Context) ([]FeedStatus, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT f.source, f.state, f.generation, f.records, f.changed, f.checked, f.tried, f.error,
		(SELECT COUNT(*) FROM feed_bad b WHERE b.source = f.source) FROM feeds f ORDER BY f.source`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []FeedStatus
	for rows.Next() {
		var f FeedStatus
		var state string
		var changed, checked, tried int64
		if err := rows.Scan(&f.Source, &state, &f.Generation, &f.Records, &changed, &checked, &tried, &f.Error, &f.Bad); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(state), &f.State); err != nil {
			return nil, fmt.Errorf("state of %s: %w", f.Source, err)
		}
		f.Changed, f.Checked, f.Tried = fromUnix(changed), fromUnix(checked), fromUnix(tried)
		out = append(out, f)
	}
	return out, rows.Err()
}

// BadRecords lists what the last update of a source kept aside.
func (db *DB) BadRecords(ctx context.Context, source string) ([]feed.BadRecord, error) {
	rows, err := db.read.QueryContext(ctx, "SELECT record, error FROM feed_bad WHERE source = ? ORDER BY record", source)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []feed.BadRecord
	for rows.Next() {
		var b feed.BadRecord
		var text string
		if err := rows.Scan(&b.Record, &text); err != nil {
			return nil, err
		}
		b.Err = errors.New(text)
		out = append(out, b)
	}
	return out, rows.Err()
}

// RecordDiff is one record that differs between two instants.
type RecordDiff struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Change string `json:"change"` // added, changed, removed
}

// FeedDiff lists the records that differ between what was known at two
// instants, of one source or, with "", of all; by source and id.
func (db *DB) FeedDiff(ctx context.Context, source string, from, to time.Time) ([]RecordDiff, error) {
	var a, b int64
	for at, g := range map[time.Time]*int64{from: &a, to: &b} {
		if err := db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM generations WHERE at <= ?", at.UnixMilli()).Scan(g); err != nil {
			return nil, err
		}
	}
	rows, err := db.read.QueryContext(ctx, `SELECT r.source, r.ext_id, r.kind,
			MAX(CASE WHEN r.gen_from <= ? AND (r.gen_to IS NULL OR r.gen_to > ?) THEN r.id ELSE 0 END),
			MAX(CASE WHEN r.gen_from <= ? AND (r.gen_to IS NULL OR r.gen_to > ?) THEN r.id ELSE 0 END)
		FROM records r WHERE (r.gen_from > ? AND r.gen_from <= ? OR r.gen_to > ? AND r.gen_to <= ?) OR EXISTS (
			SELECT 1 FROM records n WHERE n.source = r.source AND n.ext_id = r.ext_id AND (n.gen_from > ? AND n.gen_from <= ? OR n.gen_to > ? AND n.gen_to <= ?))
		GROUP BY r.source, r.ext_id, r.kind ORDER BY r.source, r.ext_id`, a, a, b, b, a, b, a, b, a, b, a, b)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []RecordDiff
	for rows.Next() {
		var d RecordDiff
		var kind, before, after int64
		if err := rows.Scan(&d.Source, &d.ID, &kind, &before, &after); err != nil {
			return nil, err
		}
		switch {
		case source != "" && d.Source != source || before == after:
			continue
		case before == 0:
			d.Change = "added"
		case after == 0:
			d.Change = "removed"
		default:
			d.Change = "changed"
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
