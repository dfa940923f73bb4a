package apk

import (
	"encoding/json"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestDigests(t *testing.T) {
	rec := &inventory.Record{}
	// the digest is what sha1sum says of an empty file
	err := readDigests("lib/apk/db/installed", "P:a\nV:1\nF:etc\nR:empty\na:0:42:640\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\nF:\nR:top\n\nP:none\n\nP:b\nF:x\nR:y\nZ:Q1short\n", rec)
	if err == nil || len(rec.Facts) != 2 {
		t.Fatalf("%v %+v", err, rec.Facts)
	}
	var d inventory.PackageDigests
	if err := json.Unmarshal(rec.Facts[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	if f := d.Files[0]; d.Name != "a" || len(d.Files) != 2 || f.Path != "etc/empty" || f.Digest != "da39a3ee5e6b4b0d3255bfef95601890afd80709" || *f.Mode != 0o640 || !f.Config || d.Files[1].Path != "top" || *d.Files[1].Mode != 0o644 {
		t.Errorf("%+v", d)
	}
}

func FuzzDigests(f *testing.F) {
	f.Add("P:a\nF:etc\nR:empty\na:0:42:640\nZ:Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=\n\n")
	f.Fuzz(func(t *testing.T, text string) { _ = readDigests("lib/apk/db/installed", text, &inventory.Record{}) })
}
