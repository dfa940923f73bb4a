package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// Claim is what a record says of a key.
type Claim struct {
	Source, Record string
	Key            advisory.Key
}

// ClaimedSince says since when, without a break, records have spoken of keys.
// Claims that are not in force at the snapshot's generation are not in the
// result. What a record said of the key at first may have been something else.
func (s *Snapshot) ClaimedSince(ctx context.Context, claims []Claim) (map[Claim]time.Time, error) {
	wanted := map[Claim]bool{}
	names := map[string]map[string]bool{} // by stream
	for _, c := range claims {
		wanted[c] = true
		if names[c.Key.Stream] == nil {
			names[c.Key.Stream] = map[string]bool{}
		}
		names[c.Key.Stream][c.Key.Name] = true
	}
	type span struct{ from, to, at int64 } // to: 0 for now
	spans := map[Claim][]span{}
	for stream, set := range names {
		for part := range slices.Chunk(slices.Sorted(maps.Keys(set)), 400) {
			args := []any{stream}
			for _, n := range part {
				args = append(args, n)
			}
			err := s.each(ctx, "SELECT k.name, r.source, r.ext_id, r.gen_from, COALESCE(r.gen_to, 0), COALESCE(g.at, 0) FROM feed_keys k JOIN claims c ON c.key = k.id JOIN records r ON r.id = c.record LEFT JOIN generations g ON g.id = r.gen_from "+
				"WHERE k.stream = ? AND k.name IN ("+marks(len(part))+") AND r.kind = 1 AND r.gen_from <= ?", append(args, s.Generation), func(rows *sql.Rows) error {
				c := Claim{Key: advisory.Key{Stream: stream}}
				var sp span
				err := rows.Scan(&c.Key.Name, &c.Source, &c.Record, &sp.from, &sp.to, &sp.at)
				if err == nil && wanted[c] {
					spans[c] = append(spans[c], sp)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	out := map[Claim]time.Time{}
	for c, list := range spans {
		slices.SortFunc(list, func(a, b span) int { return cmp.Compare(b.from, a.from) })
		if last := list[0]; last.to != 0 && last.to <= s.Generation {
			continue
		}
		since := list[0]
		for _, sp := range list[1:] {
			if sp.to != since.from {
				break
			}
			since = sp
		}
		if since.at > 0 {
			out[c] = time.UnixMilli(since.at).UTC()
		}
	}
	return out, nil
}

// Repositories returns what is known of repositories, by name.
func (s *Snapshot) Repositories(ctx context.Context, names []string) (map[string]advisory.Repository, error) {
	out := map[string]advisory.Repository{}
	err := s.named(ctx, kindRepository, streamRepository, names, func(source string, head []byte) error {
		var r advisory.Repository
		if err := decode(head, &r); err != nil {
			return err
		}
		r.Source = source
		out[r.Name] = r
		return nil
	})
	return out, err
}

// Claiming returns which of the identifiers a source has a record of that
// claims something.
func (s *Snapshot) Claiming(ctx context.Context, source string, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	if s.off[source] {
		return out, nil
	}
	for part := range slices.Chunk(ids, 400) {
		args := []any{source}
		for _, id := range part {
			args = append(args, id)
		}
		err := s.each(ctx, "SELECT r.ext_id FROM records r WHERE r.source = ? AND r.ext_id IN ("+marks(len(part))+") AND r.kind = 1 AND "+valid+" AND EXISTS (SELECT 1 FROM claims c WHERE c.record = r.id)",
			append(args, s.Generation, s.Generation), func(rows *sql.Rows) error {
				var id string
				err := rows.Scan(&id)
				out[id] = true
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
