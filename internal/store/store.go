// Package store holds all SQL. One text serves SQLite and PostgreSQL; what
// differs stands in dialect.go. Values come and go in the terms of the pure
// packages.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations
var migrations embed.FS

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// ErrNewer says that a newer release of Tidewaiter made the database.
var ErrNewer = errors.New("the database was made by a newer release: use that release, or another folder")

// schemaVersion is the number of the last migration.
const schemaVersion = 6

// DB is the database. It is safe for concurrent use, by several processes
// too: writers wait for each other, up to ten seconds, readers wait for nobody.
type DB struct {
	write *sql.DB // one connection
	read  *sql.DB
}

// OpenSQLite opens the database file, making it and its folder when they are
// not there, and brings it to the present schema.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	dsn := func(extra string) string {
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)" + extra
	}
	write, err := sql.Open("sqlite", dsn("&_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	db := &DB{write: write}
	if err := db.migrate(ctx); err != nil {
		write.Close()
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	if db.read, err = sql.Open("sqlite", dsn("&_pragma=query_only(1)")); err != nil {
		write.Close()
		return nil, err
	}
	db.read.SetMaxOpenConns(4)
	return db, nil
}

// migrate brings the schema up to date. Several processes may do so at one
// moment: who finds the way barred looks again.
func (db *DB) migrate(ctx context.Context) error {
	for try := 0; ; try++ {
		err := db.migrateOnce(ctx)
		if err == nil || try >= 200 || !raced(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// migrateOnce is one try. The number of the schema stands in the file's header
// as well, so that the usual start asks one question only.
func (db *DB) migrateOnce(ctx context.Context) error {
	var have int
	if err := db.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have == schemaVersion {
		return nil
	}
	if have > schemaVersion {
		return ErrNewer
	}
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.write, dir)
	if err != nil {
		return err
	}
	if _, err = p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	_, err = db.write.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	return err
}

// raced reports whether another process is doing the same migration at this
// moment: what it has made so far stands in our way.
func raced(err error) bool {
	text := err.Error()
	for _, s := range []string{"already exists", "UNIQUE constraint", "duplicate column", "database is locked", "no such table"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.write.Close())
}

// update runs f in a transaction that may write.
func (db *DB) update(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
