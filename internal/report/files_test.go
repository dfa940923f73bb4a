package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestFiles(t *testing.T) {
	var b inventory.Builder
	b.Add(inventory.File{Path: "bin", Type: inventory.Symlink, Perm: 0o777, Link: "usr/bin"})
	b.Add(inventory.File{Path: "dev/null", Type: inventory.CharDevice, Perm: 0o666, Major: 1, Minor: 3})
	b.Add(inventory.File{Path: "usr/bin/su", Perm: 0o4755, UID: 1, GID: 2, Size: 3, MTime: 86400, SHA256: [32]byte{0xab}, Kind: inventory.KindELFExec})
	var out strings.Builder
	if err := Write(&out, Files, &inventory.Image{Files: b.Table()}, Options{}); err != nil {
		t.Fatal(err)
	}
	want := `{"path":"bin","type":"symlink","mode":"0777","uid":0,"gid":0,"size":0,"mtime":"1970-01-01T00:00:00Z","link":"usr/bin","layer":0}
{"path":"dev/null","type":"char-device","mode":"0666","uid":0,"gid":0,"size":0,"mtime":"1970-01-01T00:00:00Z","device":"1:3","layer":0}
{"path":"usr/bin/su","type":"file","mode":"04755","uid":1,"gid":2,"size":3,"mtime":"1970-01-02T00:00:00Z","kind":"elf","sha256":"ab` + strings.Repeat("0", 62) + `","layer":0}
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
