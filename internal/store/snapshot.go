package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// Snapshot is what was known at one generation. It answers match.Advisories
// and match.Coverage. It is a value of a moment; take a new one to see more.
type Snapshot struct {
	db         *DB
	Generation int64
	At         time.Time
	off        map[string]bool // sources whose records do not count
	streams    map[string]streamState
}

// streamState tells whether a stream is covered, by old data only, and
// whether there is any record of it at all.
type streamState struct{ known, stale, any bool }

// SnapshotOptions choose what counts.
type SnapshotOptions struct {
	AsOf    time.Time                         // zero: now
	Off     func(source string) bool          // nil: every source counts
	Partial func(source, stream string) bool  // sources that do not make a stream covered; nil: none
	Fresh   func(source string) time.Duration // bound of age; nil or 0: none
	Now     time.Time                         // for ages
}

// Snapshot fixes the generation that was in force.
func (db *DB) Snapshot(ctx context.Context, o SnapshotOptions) (*Snapshot, error) {
	s := &Snapshot{db: db, At: o.AsOf, off: map[string]bool{}, streams: map[string]streamState{}}
	if s.At.IsZero() {
		s.At = o.Now
	}
	q, args := "SELECT COALESCE(MAX(id), 0) FROM generations", []any{}
	if !o.AsOf.IsZero() {
		q, args = q+" WHERE at <= ?", []any{o.AsOf.UnixMilli()}
	}
	if err := db.read.QueryRowContext(ctx, q, args...).Scan(&s.Generation); err != nil {
		return nil, err
	}
	ages, err := s.sources(ctx, o)
	if err != nil {
		return nil, err
	}
	type pair struct{ source, stream string }
	var pairs []pair
	err = s.each(ctx, "SELECT source, stream FROM feed_streams WHERE records > 0 OR ?", []any{!o.AsOf.IsZero()}, func(rows *sql.Rows) error {
		var p pair
		err := rows.Scan(&p.source, &p.stream)
		pairs = append(pairs, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		stale, then := ages[p.source]
		if !then || s.off[p.source] {
			continue
		}
		if !o.AsOf.IsZero() {
			var some bool
			err := db.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM feed_keys k JOIN claims c ON c.key = k.id JOIN records r ON r.id = c.record WHERE k.stream = ? AND r.source = ? AND "+valid+")",
				p.stream, p.source, s.Generation, s.Generation).Scan(&some)
			if err != nil {
				return nil, err
			}
			if !some {
				continue
			}
		}
		// one fresh source is enough to speak of a stream
		old := s.streams[p.stream]
		if o.Partial != nil && o.Partial(p.source, p.stream) {
			s.streams[p.stream] = streamState{old.known, old.stale, true}
			continue
		}
		s.streams[p.stream] = streamState{true, stale && (!old.known || old.stale), true}
	}
	return s, nil
}

// sources tells which sources there was data of, and whether it was stale. Of
// an instant in the past only the changes are known, not the checks between
// them: the age is taken from the last change, which is rather too old.
func (s *Snapshot) sources(ctx context.Context, o SnapshotOptions) (map[string]bool, error) {
	q, args := "SELECT source, checked, 0 FROM feeds", []any{}
	if !o.AsOf.IsZero() {
		q, args = "SELECT f.source, f.checked, (SELECT MAX(g.at) FROM generations g WHERE g.source = f.source AND g.id <= ?) FROM feeds f", []any{s.Generation}
	}
	out := map[string]bool{}
	err := s.each(ctx, q, args, func(rows *sql.Rows) error {
		var source string
		var checked int64
		var changed sql.NullInt64
		if err := rows.Scan(&source, &checked, &changed); err != nil {
			return err
		}
		if o.Off != nil && o.Off(source) {
			s.off[source] = true
		}
		at, now := time.Unix(checked, 0), o.Now
		if !o.AsOf.IsZero() {
			if !changed.Valid {
				return nil // nothing was known of it then
			}
			now = o.AsOf
			if at.After(now) {
				at = time.UnixMilli(changed.Int64)
			}
		}
		out[source] = false
		if o.Fresh != nil {
			if bound := o.Fresh(source); bound > 0 && now.Sub(at) > bound {
				out[source] = true
			}
		}
		return nil
	})
	return out, err
}

// Stream implements match.Coverage.
func (s *Snapshot) Stream(stream string) (known, stale bool) {
	st := s.streams[stream]
	return st.known, st.stale
}

// Streams returns every stream there is data for, sorted.
func (s *Snapshot) Streams() []string {
	var out []string
	for k := range s.streams {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// valid is the condition that a record is true at the generation.
const valid = "r.gen_from <= ? AND (r.gen_to IS NULL OR r.gen_to > ?)"

// AdvisoriesFor implements match.Advisories: the advisories that speak of one
// of the keys, with what they say of these keys, without long texts.
func (s *Snapshot) AdvisoriesFor(ctx context.Context, keys []advisory.Key) ([]advisory.Advisory, error) {
	byStream := map[string][]string{}
	for _, k := range keys {
		byStream[k.Stream] = append(byStream[k.Stream], k.Name)
	}
	at := map[int64]int{}
	var ids []int64
	var out []advisory.Advisory
	for stream, names := range byStream {
		if !s.streams[stream].any {
			continue
		}
		slices.Sort(names)
		for part := range slices.Chunk(names, 400) {
			q := "SELECT k.name, r.id, r.source, r.ext_id, r.head, c.affected FROM feed_keys k JOIN claims c ON c.key = k.id JOIN records r ON r.id = c.record " +
				"WHERE k.stream = ? AND k.name IN (" + marks(len(part)) + ") AND r.kind = 1 AND " + valid
			args := []any{stream}
			for _, n := range part {
				args = append(args, n)
			}
			args = append(args, s.Generation, s.Generation)
			err := s.each(ctx, q, args, func(rows *sql.Rows) error {
				var name, source, id string
				var row int64
				var head, affected sql.RawBytes
				if err := rows.Scan(&name, &row, &source, &id, &head, &affected); err != nil {
					return err
				}
				if s.off[source] {
					return nil
				}
				i, ok := at[row]
				if !ok {
					var h wireHead
					if err := decode(head, &h); err != nil {
						return fmt.Errorf("record %s of %s: %w", id, source, err)
					}
					i = len(out)
					at[row] = i
					out = append(out, h.advisory(source, id))
					ids = append(ids, row)
				}
				list, err := decodeAffected(affected, advisory.Key{Stream: stream, Name: name})
				if err != nil {
					return fmt.Errorf("record %s of %s: %w", id, source, err)
				}
				out[i].Affected = append(out[i].Affected, list...)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(out, func(a, b advisory.Advisory) int {
		if d := strings.Compare(a.Source, b.Source); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

func decodeAffected(b []byte, key advisory.Key) ([]advisory.Affected, error) {
	raw, err := unpack(b)
	if err != nil {
		return nil, err
	}
	var list []wireAffected
	if err := decode(raw, &list); err != nil {
		return nil, err
	}
	out := make([]advisory.Affected, len(list))
	for i := range list {
		out[i] = list[i].affected(key)
	}
	return out, nil
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func (s *Snapshot) each(ctx context.Context, q string, args []any, f func(*sql.Rows) error) error {
	rows, err := s.db.read.QueryContext(ctx, q, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// named yields the heads of records of a kind found under a name.
func (s *Snapshot) named(ctx context.Context, kind int, stream string, names []string, f func(source string, head []byte) error) error {
	if !s.streams[stream].any {
		return nil
	}
	for part := range slices.Chunk(names, 400) {
		args := []any{stream}
		for _, n := range part {
			args = append(args, n)
		}
		args = append(args, kind, s.Generation, s.Generation)
		err := s.each(ctx, "SELECT r.source, r.head FROM feed_keys k JOIN claims c ON c.key = k.id JOIN records r ON r.id = c.record WHERE k.stream = ? AND k.name IN ("+
			marks(len(part))+") AND r.kind = ? AND "+valid+" ORDER BY r.source, r.ext_id", args, func(rows *sql.Rows) error {
			var source string
			var head []byte
			if err := rows.Scan(&source, &head); err != nil {
				return err
			}
			if s.off[source] {
				return nil
			}
			return f(source, head)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Exploited returns the entries of catalogues of exploited vulnerabilities.
func (s *Snapshot) Exploited(ctx context.Context, ids []string) (map[string]advisory.Exploited, error) {
	out := map[string]advisory.Exploited{}
	err := s.named(ctx, kindExploited, streamExploited, ids, func(source string, head []byte) error {
		var e advisory.Exploited
		if err := decode(head, &e); err != nil {
			return err
		}
		e.Source = source
		if _, ok := out[e.ID]; !ok {
			out[e.ID] = e
		}
		return nil
	})
	return out, err
}

// Cycles returns the release lines of a product.
func (s *Snapshot) Cycles(ctx context.Context, product string) ([]advisory.Cycle, error) {
	var out []advisory.Cycle
	err := s.named(ctx, kindCycle, streamCycle, []string{product}, func(source string, head []byte) error {
		var c advisory.Cycle
		if err := decode(head, &c); err != nil {
			return err
		}
		c.Source = source
		out = append(out, c)
		return nil
	})
	return out, err
}

// Products returns which products the catalogues of release lines know by each
// identifier ("purl:pkg:npm/express"), one release line of each being asked.
func (s *Snapshot) Products(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := s.each(ctx, "SELECT source, head FROM records WHERE id IN (SELECT MIN(r.id) FROM records r JOIN claims c ON c.record = r.id WHERE r.kind = ? AND "+valid+" GROUP BY c.key) ORDER BY source, ext_id",
		[]any{kindCycle, s.Generation, s.Generation}, func(rows *sql.Rows) error {
			var source string
			var head sql.RawBytes
			if err := rows.Scan(&source, &head); err != nil || s.off[source] {
				return err
			}
			var c advisory.Cycle
			if err := decode(head, &c); err != nil {
				return err
			}
			for _, id := range c.Identifiers {
				if _, ok := out[id]; !ok {
					out[id] = c.Product
				}
			}
			return nil
		})
	return out, err
}

// Statements returns VEX statements about vulnerabilities.
func (s *Snapshot) Statements(ctx context.Context, ids []string) ([]advisory.Statement, error) {
	var out []advisory.Statement
	err := s.named(ctx, kindStatement, streamStatement, ids, func(source string, head []byte) error {
		var st advisory.Statement
		if err := decode(head, &st); err != nil {
			return err
		}
		st.Source = source
		out = append(out, st)
		return nil
	})
	return out, err
}

// Find returns every advisory that has the identifier, whole, as its own, an
// alias or upstream: those of sources that count, and those of sources that are
// off.
func (s *Snapshot) Find(ctx context.Context, id string) (on, off []advisory.Advisory, err error) {
	all, err := s.find(ctx, id)
	for _, a := range all {
		if s.off[a.Source] {
			off = append(off, a)
		} else {
			on = append(on, a)
		}
	}
	return on, off, err
}

func (s *Snapshot) find(ctx context.Context, id string) ([]advisory.Advisory, error) {
	var out []advisory.Advisory
	var rowsOf []int64
	err := s.each(ctx, "SELECT r.id, r.source, r.ext_id, r.head, r.body FROM aliases a JOIN records r ON r.id = a.record WHERE a.alias = ? AND r.kind = 1 AND "+valid+" ORDER BY r.source, r.ext_id",
		[]any{id, s.Generation, s.Generation}, func(rows *sql.Rows) error {
			var row int64
			var source, ext string
			var head, body []byte
			if err := rows.Scan(&row, &source, &ext, &head, &body); err != nil {
				return err
			}
			var h wireHead
			if err := decode(head, &h); err != nil {
				return err
			}
			a := h.advisory(source, ext)
			if err := readBody(body, &a); err != nil {
				return err
			}
			out = append(out, a)
			rowsOf = append(rowsOf, row)
			return nil
		})
	if err != nil {
		return nil, err
	}
	for i, row := range rowsOf {
		err := s.each(ctx, "SELECT k.stream, k.name, c.affected FROM claims c JOIN feed_keys k ON k.id = c.key WHERE c.record = ? ORDER BY k.stream, k.name", []any{row}, func(rows *sql.Rows) error {
			var k advisory.Key
			var affected []byte
			if err := rows.Scan(&k.Stream, &k.Name, &affected); err != nil {
				return err
			}
			list, err := decodeAffected(affected, k)
			out[i].Affected = append(out[i].Affected, list...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readBody(b []byte, a *advisory.Advisory) error {
	if b == nil {
		return nil
	}
	raw, err := unpack(b)
	if err != nil {
		return err
	}
	var w wireBody
	if err := decode(raw, &w); err != nil {
		return err
	}
	a.Details = w.Details
	for _, r := range w.References {
		a.References = append(a.References, advisory.Reference(r))
	}
	return nil
}

// Heads returns, by identifier, the advisories that may say something of the
// vulnerability of that name as such (see [match.Supplements]), without what
// they say of packages and without long texts; by source and id. Records that
// skip, where it is not nil, names are left out.
func (s *Snapshot) Heads(ctx context.Context, ids []string, skip func(alias, source, id string) bool) (map[string][]*advisory.Advisory, error) {
	out := map[string][]*advisory.Advisory{}
	known := map[int64]*advisory.Advisory{} // a record has several names
	for part := range slices.Chunk(ids, 400) {
		args := []any{}
		for _, id := range part {
			args = append(args, id)
		}
		args = append(args, s.Generation, s.Generation)
		err := s.each(ctx, "SELECT a.alias, r.id, r.source, r.ext_id, r.head FROM aliases a JOIN records r ON r.id = a.record WHERE a.alias IN ("+marks(len(part))+") AND (a.general = 1 OR a.general IS NULL) AND r.kind = 1 AND "+valid,
			args, func(rows *sql.Rows) error {
				var alias, source, id string
				var row int64
				var head sql.RawBytes
				if err := rows.Scan(&alias, &row, &source, &id, &head); err != nil {
					return err
				}
				if s.off[source] || skip != nil && skip(alias, source, id) {
					return nil
				}
				a := known[row]
				if a == nil {
					var h wireHead
					if err := decode(head, &h); err != nil {
						return err
					}
					record := h.advisory(source, id)
					a = &record
					known[row] = a
				}
				if match.Supplements(a, alias) {
					out[alias] = append(out[alias], a)
				}
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *advisory.Advisory) int {
			return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.ID, b.ID))
		})
	}
	return out, nil
}
