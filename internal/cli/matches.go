package cli

import (
	"context"
	"path/filepath"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// keepMatches lets what is matched be kept beside the feeds. Without it
// matching takes longer and finds the same.
func (a *app) keepMatches(ctx context.Context, f *engine.Feeds) (done func()) {
	path, err := a.matchesFile()
	if err == nil {
		f.Answers, err = store.OpenAnswers(ctx, path)
	}
	if err != nil {
		a.log.Warn("kept matches: not available, matching every package", "error", err)
		return func() {}
	}
	return func() { f.Answers.Close() }
}

func (a *app) matchesFile() (string, error) {
	dir, err := a.data()
	return filepath.Join(dir, "matches.db"), err
}
