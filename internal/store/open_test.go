package store

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestOpenAtTheSameMoment opens one new database from many processes.
func TestOpenAtTheSameMoment(t *testing.T) {
	if path := os.Getenv("STORE_TEST_OPEN"); path != "" {
		db, err := OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	for round := range 3 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(round), "x.db")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				cmd := exec.Command(self, "-test.run=^TestOpenAtTheSameMoment$")
				cmd.Env = append(os.Environ(), "STORE_TEST_OPEN="+path)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
		wg.Wait()
	}
}
