package store

import (
	"context"
	"database/sql"
	"strings"
)

// batch collects rows for one INSERT of many. SQLite takes at most 32,766
// values a statement, PostgreSQL 65,535.
type batch struct {
	ctx    context.Context
	tx     *sql.Tx
	prefix string
	suffix string
	cols   int
	max    int
	args   []any
	full   *sql.Stmt // for max rows
}

func newBatch(ctx context.Context, tx *sql.Tx, prefix string, cols int, suffix string) *batch {
	return &batch{ctx: ctx, tx: tx, prefix: prefix, suffix: suffix, cols: cols, max: 800 / cols}
}

func (b *batch) add(values ...any) error {
	b.args = append(b.args, values...)
	if len(b.args) < b.max*b.cols {
		return nil
	}
	return b.flush()
}

func (b *batch) text(rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", b.cols), ",") + ")"
	return b.prefix + strings.TrimSuffix(strings.Repeat(row+",", rows), ",") + b.suffix
}

func (b *batch) flush() error {
	rows := len(b.args) / b.cols
	if rows == 0 {
		return nil
	}
	var err error
	if rows == b.max {
		if b.full == nil {
			if b.full, err = b.tx.PrepareContext(b.ctx, b.text(rows)); err != nil {
				return err
			}
		}
		_, err = b.full.ExecContext(b.ctx, b.args...)
	} else {
		_, err = b.tx.ExecContext(b.ctx, b.text(rows), b.args...)
	}
	clear(b.args)
	b.args = b.args[:0]
	return err
}

// keyring gives (stream, name) pairs their numbers, making new ones.
type keyring struct {
	tx    *sql.Tx
	ids   map[string]int64
	next  int64
	fresh *batch
	find  *sql.Stmt
}

func newKeyring(ctx context.Context, tx *sql.Tx) (*keyring, error) {
	k := &keyring{tx: tx, ids: map[string]int64{}, fresh: newBatch(ctx, tx, "INSERT INTO feed_keys (id, stream, name) VALUES ", 3, "")}
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM feed_keys").Scan(&k.next); err != nil {
		return nil, err
	}
	var err error
	k.find, err = tx.PrepareContext(ctx, "SELECT id FROM feed_keys WHERE stream = ? AND name = ?")
	return k, err
}

func (k *keyring) id(ctx context.Context, stream, name string) (int64, error) {
	s := stream + "\x00" + name
	if id, ok := k.ids[s]; ok {
		return id, nil
	}
	var id int64
	err := k.find.QueryRowContext(ctx, stream, name).Scan(&id)
	if err == sql.ErrNoRows {
		k.next++
		id = k.next
		err = k.fresh.add(id, stream, name)
	}
	if err != nil {
		return 0, err
	}
	k.ids[s] = id
	return id, nil
}

func (k *keyring) flush() error { return k.fresh.flush() }
