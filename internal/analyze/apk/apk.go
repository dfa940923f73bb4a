// Package apk reads the package database of Alpine Linux and the
// distributions built with its tools.
package apk

import (
	"context"
	"io/fs"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads lib/apk/db/installed, and usr/lib/apk/db/installed where
// /usr is merged: the packages with their files.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "apk" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if e.Path == "lib/apk/db/installed" || e.Path == "usr/lib/apk/db/installed" {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = read(ctx, f.Path, data, out)
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
