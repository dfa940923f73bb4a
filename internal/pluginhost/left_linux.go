package pluginhost

import (
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockFolder marks a folder as one of a process that lives.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return f, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// removeLeft removes what processes left that were killed: folders of ours whose
// lock nobody holds.
func removeLeft(tmp string, log *slog.Logger) {
	dirs, err := filepath.Glob(filepath.Join(tmp, runPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		var s unix.Stat_t
		if unix.Lstat(dir, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Geteuid() {
			continue // another user's, whatever is in it
		}
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // just being made
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			if err := os.RemoveAll(dir); err != nil {
				log.Warn("plugins: a folder of an earlier run is left", "folder", dir, "error", err)
			}
		}
		f.Close()
	}
}
