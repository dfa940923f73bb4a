package analyze

import (
	"os"

	"golang.org/x/sys/unix"
)

// namelessTemp makes a temporary file that never has a name, where the file
// system can do that.
func namelessTemp(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	return os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
}
