package rpm

import (
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func FuzzDigests(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x03\xe8\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x01abc\x00"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		_ = readDigests("var/lib/rpm/rpmdb.sqlite", blob, &inventory.Record{})
	})
}
