package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
)

// Layers keeps what was learned from layers: the file tables as objects, the
// rest in the database.
type Layers struct {
	DB      *DB
	Objects object.Folder
}

func tableKey(diffID inventory.Digest) string {
	name := strings.Replace(string(diffID), ":", "-", 1)
	return "layers/" + name + ".files"
}

// Layer returns what is known of a layer: ok is false where its file table is
// not there or was made by another version of the walk. The layer has the
// records of the keys given, as far as they are there; have tells which.
func (s *Layers) Layer(ctx context.Context, diffID inventory.Digest, walk int, keys []analyze.Key) (l inventory.Layer, have map[analyze.Key]bool, ok bool, err error) {
	var version int
	var digest string
	err = s.DB.read.QueryRowContext(ctx, "SELECT walk, digest FROM layers WHERE diff_id = ?", string(diffID)).Scan(&version, &digest)
	if errors.Is(err, sql.ErrNoRows) || err == nil && version != walk {
		return l, nil, false, nil
	}
	if err != nil {
		return l, nil, false, fmt.Errorf("looking up layer %s: %w", diffID, err)
	}
	b, err := s.Objects.Get(ctx, tableKey(diffID))
	if errors.Is(err, object.ErrNotFound) {
		return l, nil, false, nil // pruned at this moment, or by hand: it can be read again
	}
	if err != nil {
		return l, nil, false, fmt.Errorf("reading the file table of layer %s: %w", diffID, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != digest {
		return l, nil, false, nil // damaged: it can be read again
	}
	table, err := inventory.UnmarshalTable(b)
	if err != nil {
		return l, nil, false, nil
	}
	l = inventory.Layer{DiffID: diffID, Files: table}
	have = map[analyze.Key]bool{}
	wanted := map[analyze.Key]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	rows, err := s.DB.read.QueryContext(ctx, "SELECT analyzer, version, config, data FROM layer_records WHERE diff_id = ? ORDER BY analyzer", string(diffID))
	if err != nil {
		return l, nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var k analyze.Key
		var data []byte
		if err := rows.Scan(&k.Analyzer, &k.Version, &k.Config, &data); err != nil {
			return l, nil, false, err
		}
		if !wanted[k] {
			continue
		}
		r := inventory.Record{Analyzer: k.Analyzer, Version: k.Version, Config: k.Config}
		if data != nil {
			if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&r); err != nil {
				continue // of another release, or damaged: the analyzer is asked again
			}
		}
		have[k] = true
		l.Records = append(l.Records, r)
	}
	return l, have, true, rows.Err()
}

// PutLayer keeps a layer's file table and records. Records that are there
// already are left as they are.
func (s *Layers) PutLayer(ctx context.Context, l inventory.Layer, walk int) error {
	sum, size := sha256.New(), int64(0)
	err := s.Objects.Write(ctx, tableKey(l.DiffID), func(w io.Writer) (err error) {
		size, err = l.Files.WriteTo(io.MultiWriter(w, sum))
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the file table of layer %s: %w", l.DiffID, err)
	}
	now := time.Now().Unix()
	blobs := make([][]byte, len(l.Records))
	for i := range l.Records {
		if blobs[i], err = encodeRecord(&l.Records[i]); err != nil {
			return err
		}
	}
	return s.DB.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO layers (diff_id, walk, entries, bytes, digest, created, used) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (diff_id) DO UPDATE SET walk = excluded.walk, entries = excluded.entries, bytes = excluded.bytes, digest = excluded.digest, used = excluded.used`,
			string(l.DiffID), walk, l.Files.Len(), size, hex.EncodeToString(sum.Sum(nil)), now, now)
		if err != nil {
			return err
		}
		for i := range l.Records {
			r := &l.Records[i]
			_, err := tx.ExecContext(ctx, `INSERT INTO layer_records (diff_id, analyzer, version, config, data) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (diff_id, analyzer, version, config) DO UPDATE SET data = excluded.data`,
				string(l.DiffID), r.Analyzer, r.Version, r.Config, blobs[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// encodeRecord returns nil for a record that holds nothing.
func encodeRecord(r *inventory.Record) ([]byte, error) {
	if len(r.Packages)+len(r.Owned)+len(r.Diverted)+len(r.Distros)+len(r.Licenses)+len(r.Binaries)+len(r.Facts)+len(r.Problems) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(r); err != nil {
		return nil, fmt.Errorf("encoding the record of %s: %w", r.Analyzer, err)
	}
	return b.Bytes(), nil
}

// LayerStat is what the cache holds of one layer.
type LayerStat struct {
	DiffID  inventory.Digest `json:"diffID"`
	Entries int              `json:"entries"`
	Bytes   int64            `json:"bytes"` // table and records
	Records int              `json:"records"`
	Created time.Time        `json:"created"`
	Used    time.Time        `json:"used"` // last, to the hour
}

// Stats lists every layer, the least recently used first.
func (s *Layers) Stats(ctx context.Context) ([]LayerStat, error) {
	rows, err := s.DB.read.QueryContext(ctx, `SELECT l.diff_id, l.entries, l.bytes + COALESCE(SUM(LENGTH(r.data)), 0), COUNT(r.analyzer), l.created, l.used
		FROM layers l LEFT JOIN layer_records r ON r.diff_id = l.diff_id GROUP BY l.diff_id, l.entries, l.bytes, l.created, l.used ORDER BY l.used, l.diff_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []LayerStat
	for rows.Next() {
		var st LayerStat
		var created, used int64
		if err := rows.Scan(&st.DiffID, &st.Entries, &st.Bytes, &st.Records, &created, &used); err != nil {
			return nil, err
		}
		st.Created, st.Used = time.Unix(created, 0).UTC(), time.Unix(used, 0).UTC()
		out = append(out, st)
	}
	return out, rows.Err()
}

// Touch notes that layers were used. To spare writes it does so once an hour.
func (s *Layers) Touch(ctx context.Context, diffIDs []inventory.Digest) error {
	now := time.Now().Unix()
	var old []string
	for _, d := range diffIDs {
		var used int64
		if err := s.DB.read.QueryRowContext(ctx, "SELECT used FROM layers WHERE diff_id = ?", string(d)).Scan(&used); err == nil && now-used > 3600 {
			old = append(old, string(d))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return s.DB.update(ctx, func(tx *sql.Tx) error {
		for _, d := range old {
			if _, err := tx.ExecContext(ctx, "UPDATE layers SET used = ? WHERE diff_id = ?", now, d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete forgets layers. They are read again when they are met again.
func (s *Layers) Delete(ctx context.Context, diffIDs []inventory.Digest) error {
	err := s.DB.update(ctx, func(tx *sql.Tx) error {
		for _, d := range diffIDs {
			if _, err := tx.ExecContext(ctx, "DELETE FROM layer_records WHERE diff_id = ?", string(d)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM layers WHERE diff_id = ?", string(d)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range diffIDs {
		if err := s.Objects.Delete(ctx, tableKey(d)); err != nil {
			return err
		}
	}
	return nil
}
