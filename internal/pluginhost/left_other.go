//go:build !linux

package pluginhost

import (
	"log/slog"
	"os"
	"path/filepath"
)

func lockFolder(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
}

func removeLeft(string, *slog.Logger) {}
