package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// scoreSource is the source whose records are scores.
const scoreSource = "epss"

// scoreBlock is how many scores one row holds.
const scoreBlock = 2048

// writeScores keeps one day's series, replacing one of the same day. A score
// takes its identifier, the length of what it shares with the one before, and
// two 32-bit numbers.
func writeScores(ctx context.Context, tx *sql.Tx, scores []advisory.EPSS) error {
	if len(scores) == 0 {
		return nil
	}
	slices.SortStableFunc(scores, func(a, b advisory.EPSS) int {
		if d := a.Date.Compare(b.Date); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	for len(scores) > 0 {
		day := scores[0].Date.Unix() / 86400
		n := 1
		for n < len(scores) && scores[n].Date.Unix()/86400 == day {
			n++
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM epss WHERE day = ?", day); err != nil {
			return err
		}
		for block := range slices.Chunk(scores[:n], scoreBlock) {
			if _, err := tx.ExecContext(ctx, "INSERT INTO epss (day, first, data) VALUES (?, ?, ?)", day, block[0].ID, pack(encodeScores(block))); err != nil {
				return err
			}
		}
		scores = scores[n:]
	}
	return nil
}

func encodeScores(block []advisory.EPSS) []byte {
	var b []byte
	prev := ""
	for _, s := range block {
		shared := 0
		for shared < len(prev) && shared < len(s.ID) && prev[shared] == s.ID[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(len(s.ID)-shared))
		b = append(b, s.ID[shared:]...)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(s.Score)))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(s.Percentile)))
		prev = s.ID
	}
	return b
}

var errScores = errors.New("broken block of EPSS scores")

// eachScore yields the scores of a block in order, until yield says no. The
// identifier is valid until the next.
func eachScore(b []byte, yield func(id []byte, score, percentile float32) bool) error {
	var id []byte
	for len(b) > 0 {
		shared, n := binary.Uvarint(b)
		if n <= 0 || shared > uint64(len(id)) {
			return errScores
		}
		b = b[n:]
		rest, n := binary.Uvarint(b)
		if n <= 0 || rest > uint64(len(b)-n) || uint64(len(b)-n)-rest < 8 {
			return errScores
		}
		id = append(id[:shared], b[n:n+int(rest)]...)
		b = b[n+int(rest):]
		if !yield(id, math.Float32frombits(binary.LittleEndian.Uint32(b)), math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))) {
			return nil
		}
		b = b[8:]
	}
	return nil
}

func decodeScores(b []byte, day int64, yield func(advisory.EPSS)) error {
	date := time.Unix(day*86400, 0).UTC()
	return eachScore(b, func(id []byte, score, percentile float32) bool {
		yield(advisory.EPSS{ID: string(id), Score: round5(score), Percentile: round5(percentile), Date: date})
		return true
	})
}

// findScores adds the scores of a block that are wanted. Like the block, ids
// are sorted; it returns those that lie behind it.
func findScores(b []byte, day int64, ids []string, out map[string]advisory.EPSS) ([]string, error) {
	date := time.Unix(day*86400, 0).UTC()
	err := eachScore(b, func(id []byte, score, percentile float32) bool {
		for len(ids) > 0 && ids[0] < string(id) {
			ids = ids[1:]
		}
		if len(ids) > 0 && ids[0] == string(id) {
			out[ids[0]] = advisory.EPSS{ID: ids[0], Score: round5(score), Percentile: round5(percentile), Date: date}
			ids = ids[1:]
		}
		return len(ids) > 0
	})
	return ids, err
}

// round5 undoes what 32 bits add: publishers give five decimals.
func round5(f float32) float64 { return math.Round(float64(f)*1e5) / 1e5 }

// EPSS returns the scores of vulnerabilities on the latest day known at that
// instant.
func (s *Snapshot) EPSS(ctx context.Context, ids []string) (map[string]advisory.EPSS, error) {
	if s.off[scoreSource] {
		return nil, nil
	}
	var day int64
	err := s.db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(day), -1) FROM epss WHERE day <= ?", s.At.Unix()/86400).Scan(&day)
	if err != nil || day < 0 {
		return nil, err
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	out := make(map[string]advisory.EPSS, len(ids))
	stmt, err := s.db.read.PrepareContext(ctx, "SELECT first, data FROM epss WHERE day = ? AND first <= ? ORDER BY first DESC LIMIT 1")
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	last := ""
	var raw []byte
	for len(ids) > 0 {
		id := ids[0]
		var first string
		var data sql.RawBytes
		rows, err := stmt.QueryContext(ctx, day, id)
		if err != nil {
			return nil, err
		}
		found := rows.Next()
		if found {
			if err = rows.Scan(&first, &data); err == nil && first != last {
				raw, err = unpackTo(raw[:0], data)
			}
		}
		if err = errors.Join(err, rows.Close(), rows.Err()); err != nil {
			return nil, err
		}
		if !found || first == last { // before the first block, or not in its own
			ids = ids[1:]
			continue
		}
		last = first
		if ids, err = findScores(raw, day, ids, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}
