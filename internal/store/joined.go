package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
)

func joinedKey(key string) string      { return "images/" + key + ".joined" }
func joinedFilesKey(key string) string { return "images/" + key + ".files" }

// Joined returns the joined inventory of an image that was kept under key; ok
// is false where there is none, or a damaged one. Its file table is nil unless
// files asks for it.
func (s *Layers) Joined(ctx context.Context, key string, files bool) (img *inventory.Image, ok bool, err error) {
	var digest, filesDigest, diffIDs string
	var used int64
	err = s.DB.read.QueryRowContext(ctx, "SELECT digest, files, diff_ids, used FROM joined_images WHERE key = ?", key).Scan(&digest, &filesDigest, &diffIDs, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("looking up a joined image: %w", err)
	}
	b, ok, err := s.verified(ctx, joinedKey(key), digest)
	if !ok {
		return nil, false, err
	}
	if img, err = inventory.UnmarshalJoined(b); err != nil {
		return nil, false, nil // made by another release: it is joined again
	}
	if files {
		b, ok, err := s.verified(ctx, joinedFilesKey(key), filesDigest)
		if !ok {
			return nil, false, err
		}
		if img.Files, err = inventory.UnmarshalTable(b); err != nil {
			return nil, false, nil
		}
	}
	if now := time.Now().Unix(); now-used > 3600 {
		return img, true, s.joinedUsed(ctx, key, strings.Fields(diffIDs), now)
	}
	return img, true, nil
}

// verified reads an object; ok is false where it is not there (pruned at this
// moment, or by hand) or not what was written.
func (s *Layers) verified(ctx context.Context, key, digest string) (b []byte, ok bool, err error) {
	b, err = s.Objects.Get(ctx, key)
	if errors.Is(err, object.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", key, err)
	}
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:]) == digest, nil
}

// joinedUsed notes that an image and its layers were used.
func (s *Layers) joinedUsed(ctx context.Context, key string, diffIDs []string, now int64) error {
	return s.DB.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE joined_images SET used = ? WHERE key = ?", now, key); err != nil {
			return err
		}
		for _, d := range diffIDs {
			if _, err := tx.ExecContext(ctx, "UPDATE layers SET used = ? WHERE diff_id = ?", now, d); err != nil {
				return err
			}
		}
		return nil
	})
}

// PutJoined keeps the joined inventory of an image under a key that stands
// for everything it depends on: its layers, its configuration, the analyzers,
// the joins.
func (s *Layers) PutJoined(ctx context.Context, key string, img *inventory.Image) error {
	record := img.AppendJoined(nil)
	if err := s.Objects.Put(ctx, joinedKey(key), record); err != nil {
		return fmt.Errorf("keeping a joined image: %w", err)
	}
	sum, size := sha256.New(), int64(0)
	err := s.Objects.Write(ctx, joinedFilesKey(key), func(w io.Writer) (err error) {
		size, err = img.Files.WriteTo(io.MultiWriter(w, sum))
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the file table of an image: %w", err)
	}
	digest := sha256.Sum256(record)
	var diffIDs strings.Builder
	for i := range img.Layers {
		diffIDs.WriteString(string(img.Layers[i].DiffID) + " ")
	}
	now := time.Now().Unix()
	return s.DB.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO joined_images (key, diff_ids, bytes, digest, files, created, used) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET diff_ids = excluded.diff_ids, bytes = excluded.bytes, digest = excluded.digest, files = excluded.files, used = excluded.used`,
			key, strings.TrimSpace(diffIDs.String()), int64(len(record))+size, hex.EncodeToString(digest[:]), hex.EncodeToString(sum.Sum(nil)), now, now)
		return err
	})
}

// JoinedStat is what the cache holds of one image.
type JoinedStat struct {
	Key     string    `json:"image"` // digest of what its inventory was made of
	Layers  int       `json:"layers"`
	Bytes   int64     `json:"bytes"` // record and file table
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"` // last, to the hour
}

// JoinedStats lists every joined image, the least recently used first.
func (s *Layers) JoinedStats(ctx context.Context) ([]JoinedStat, error) {
	rows, err := s.DB.read.QueryContext(ctx, "SELECT key, diff_ids, bytes, created, used FROM joined_images ORDER BY used, key")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []JoinedStat
	for rows.Next() {
		var st JoinedStat
		var diffIDs string
		var created, used int64
		if err := rows.Scan(&st.Key, &diffIDs, &st.Bytes, &created, &used); err != nil {
			return nil, err
		}
		st.Layers = len(strings.Fields(diffIDs))
		st.Created, st.Used = time.Unix(created, 0).UTC(), time.Unix(used, 0).UTC()
		out = append(out, st)
	}
	return out, rows.Err()
}

// DeleteJoined forgets joined images. They are joined again when they are met
// again.
func (s *Layers) DeleteJoined(ctx context.Context, keys []string) error {
	err := s.DB.update(ctx, func(tx *sql.Tx) error {
		for _, k := range keys {
			if _, err := tx.ExecContext(ctx, "DELETE FROM joined_images WHERE key = ?", k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := errors.Join(s.Objects.Delete(ctx, joinedKey(k)), s.Objects.Delete(ctx, joinedFilesKey(k))); err != nil {
			return err
		}
	}
	return nil
}
