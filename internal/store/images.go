package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// JudgedImage is an image that was judged before.
type JudgedImage struct {
	Digest    inventory.Digest   // of the manifest, else of the configuration
	Layers    []inventory.Digest // DiffIDs, from the lowest up
	Inventory string             // digest of the inventory when it was first judged
	First     time.Time          // when that was
	Tags      []string           // every tag it ever had, the latest first
}

// PutImage notes that an image was judged, and which tag it had then ("" for
// none). What is known of it stays as it is; a tag that moved gets a new row.
func (db *DB) PutImage(ctx context.Context, img JudgedImage, tag string, now time.Time) error {
	lines := make([]string, len(img.Layers))
	for i, d := range img.Layers {
		lines[i] = string(d)
	}
	chains := chainIDs(img.Layers)
	return db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO images (digest, chain, layers, inventory, first) VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
			string(img.Digest), chains[len(chains)-1], strings.Join(lines, "\n"), img.Inventory, now.UnixMilli())
		if err != nil || tag == "" {
			return err
		}
		var last string
		err = tx.QueryRowContext(ctx, "SELECT digest FROM tags WHERE tag = ? ORDER BY at DESC LIMIT 1", tag).Scan(&last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) || last == string(img.Digest) {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO tags (tag, at, digest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", tag, now.UnixMilli(), string(img.Digest))
		return err
	})
}

// ImageFirstJudged says when an image was first judged, the zero time when it
// was not up to that instant.
func (db *DB) ImageFirstJudged(ctx context.Context, digest inventory.Digest, at time.Time) (time.Time, error) {
	var ms int64
	err := db.read.QueryRowContext(ctx, "SELECT first FROM images WHERE digest = ? AND first <= ?", string(digest), at.UnixMilli()).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return time.UnixMilli(ms).UTC(), err
}

// PreviousImage is the image that had a tag before the one with the digest,
// as was known at an instant. ok is false where there was none.
func (db *DB) PreviousImage(ctx context.Context, tag string, digest inventory.Digest, at time.Time) (img JudgedImage, ok bool, err error) {
	var found string
	err = db.read.QueryRowContext(ctx, "SELECT digest FROM tags WHERE tag = ? AND at <= ? AND digest <> ? ORDER BY at DESC LIMIT 1", tag, at.UnixMilli(), string(digest)).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return img, false, nil
	}
	if err != nil {
		return img, false, err
	}
	list, err := db.images(ctx, "digest", []string{found}, at)
	if err != nil || len(list) == 0 {
		return img, false, err
	}
	return list[0], true, nil
}

// Ancestors are the images whose layers an image of these layers begins with,
// the nearest first, as was known at an instant. An image of exactly these
// layers is none.
func (db *DB) Ancestors(ctx context.Context, layers []inventory.Digest, at time.Time) ([]JudgedImage, error) {
	if len(layers) < 2 {
		return nil, nil
	}
	chains := chainIDs(layers)[1:] // an image without layers is nobody's ancestor
	out, err := db.images(ctx, "chain", chains[:len(chains)-1], at)
	slices.SortStableFunc(out, func(a, b JudgedImage) int { return len(b.Layers) - len(a.Layers) })
	return out, err
}

func (db *DB) images(ctx context.Context, column string, values []string, at time.Time) ([]JudgedImage, error) {
	args := make([]any, 0, len(values)+1)
	for _, v := range values {
		args = append(args, v)
	}
	rows, err := db.read.QueryContext(ctx, "SELECT digest, layers, inventory, first FROM images WHERE "+column+" IN ("+marks(len(values))+") AND first <= ? ORDER BY first, digest", append(args, at.UnixMilli())...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []JudgedImage
	for rows.Next() {
		var img JudgedImage
		var layers string
		var first int64
		if err := rows.Scan(&img.Digest, &layers, &img.Inventory, &first); err != nil {
			return nil, err
		}
		for line := range strings.SplitSeq(layers, "\n") {
			if line != "" {
				img.Layers = append(img.Layers, inventory.Digest(line))
			}
		}
		img.First = time.UnixMilli(first).UTC()
		out = append(out, img)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Tags, err = db.tags(ctx, out[i].Digest, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (db *DB) tags(ctx context.Context, digest inventory.Digest, at time.Time) ([]string, error) {
	rows, err := db.read.QueryContext(ctx, "SELECT tag FROM tags WHERE digest = ? AND at <= ? GROUP BY tag ORDER BY MAX(at) DESC, tag", string(digest), at.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var tag string
		if err := rows.Scan(&tag); err != nil {
			return nil, err
		}
		out = append(out, tag)
	}
	return out, rows.Err()
}

// chainIDs are the chain ids (OCI image specification, config.md) of no
// layers, of the lowest, of the two lowest, and so on.
func chainIDs(layers []inventory.Digest) []string {
	out := []string{""}
	chain := ""
	for _, d := range layers {
		if chain == "" {
			chain = string(d)
		} else {
			sum := sha256.Sum256([]byte(chain + " " + string(d)))
			chain = "sha256:" + hex.EncodeToString(sum[:])
		}
		out = append(out, chain)
	}
	return out
}
