// Package rpm reads rpm's package databases in the three forms there are
// (Berkeley DB hash, NDB, SQLite) and the manifests that stand in for them in
// images without rpm. It needs neither a database library nor a file on disk.
//
// Signatures and header digests are not verified.
package rpm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads, below var/lib/rpm, usr/lib/sysimage/rpm and usr/share/rpm,
// Packages (Berkeley DB), Packages.db (NDB) and rpmdb.sqlite, told apart by
// content; and var/lib/rpmmanifest/container-manifest-2. All packages but
// public keys are listed, with their files.
//
// A write-ahead log beside an SQLite database is a Problem: what it holds is
// not read.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "rpm" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

const (
	manifestFile = "var/lib/rpmmanifest/container-manifest-2"
	logEnd       = "rpmdb.sqlite-wal"
)

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	var name string
	switch {
	case len(e.Path) < len("var/lib/rpm/") || e.Path[0] != 'u' && e.Path[0] != 'v':
		return analyze.Ignore
	case strings.HasPrefix(e.Path, "var/lib/rpm/"):
		name = e.Path[len("var/lib/rpm/"):]
	case strings.HasPrefix(e.Path, "usr/lib/sysimage/rpm/"):
		name = e.Path[len("usr/lib/sysimage/rpm/"):]
	case strings.HasPrefix(e.Path, "usr/share/rpm/"):
		name = e.Path[len("usr/share/rpm/"):]
	case e.Path == manifestFile:
		return analyze.Alone
	}
	switch name {
	case "Packages", "Packages.db", "rpmdb.sqlite":
		return analyze.Alone
	case logEnd:
		if e.Size > 0 {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err == nil {
			switch {
			case f.Size == 0: // left by a tool that only looked
			case f.Path == manifestFile:
				err = readManifest(f, out)
			case strings.HasSuffix(f.Path, logEnd):
				err = errors.New("a write-ahead log that is not empty: changes in it are not read")
			default:
				err = readDatabase(ctx, f, out)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading the package database: %w", err)
		}
	}
	return nil
}

// Limits on one database.
const (
	maxPackages = 200_000
	maxBroken   = 10_000   // entries that cannot be read: then the rest is not tried
	maxBlob     = 64 << 20 // bytes of one header; the largest known have some 20 MiB
)

// eachBlob yields every header of a database.
func eachBlob(ctx context.Context, f *analyze.File, yield func([]byte) error) error {
	r := &reader{r: f, data: f.Bytes(), size: f.Size, stop: ctx.Err}
	head, err := r.at(0, min(f.Size, 32))
	if err != nil {
		return err
	}
	var blobs func(*reader, func([]byte) error) error
	switch {
	case isSQLite(head):
		blobs = sqliteBlobs
	case isNDB(head):
		blobs = ndbBlobs
	case isBDB(head):
		blobs = bdbBlobs
	default:
		return errors.New("neither Berkeley DB (hash) nor NDB nor SQLite")
	}
	var total int64
	return blobs(r, func(blob []byte) error {
		// every blob has bytes of its own; more of them than the file has means pages used twice
		if total += int64(len(blob)); total > f.Size {
			return fmt.Errorf("packages hold more than the %d bytes of the file", f.Size)
		}
		return yield(blob)
	})
}

// readDatabase appends the packages of one database.
func readDatabase(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	var bad badEntries
	db := database{path: f.Path, graph: newGraph(), first: len(out.Packages), out: out}
	err := eachBlob(ctx, f, func(blob []byte) error {
		if len(out.Packages)-db.first >= maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
		if err := db.add(blob); err != nil {
			return bad.add(err)
		}
		return ctx.Err()
	})
	return errors.Join(err, bad.err(), db.finish())
}

// badEntries counts what could not be used of one file, and keeps the first.
type badEntries struct {
	n     int
	first error
}

// add returns an error when there are too many to go on.
func (b *badEntries) add(err error) error {
	if b.n == 0 {
		b.first = err
	}
	if b.n++; b.n > maxBroken {
		return fmt.Errorf("more than the limit of %d broken entries", maxBroken)
	}
	return nil
}

func (b *badEntries) err() error {
	switch b.n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("an entry cannot be read: %w", b.first)
	}
	return fmt.Errorf("%d entries cannot be read, the first: %w", b.n, b.first)
}
