package dpkg

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestDigests(t *testing.T) {
	rec := analyzetest.Run(t, Digests{}, fstest.MapFS{
		"var/lib/dpkg/info/libc6:amd64.md5sums": {Data: []byte("0123456789abcdef0123456789ABCDEF  lib/libc.so\nnonsense\n")},
		"var/lib/dpkg/status.d/tzdata.md5sums":  {Data: []byte("0123456789abcdef0123456789abcdef  usr/share/zoneinfo/UTC\n")},
		"var/lib/dpkg/diversions":               {Data: []byte("/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n/cut/off\n")},
	})
	var got []inventory.PackageDigests
	for _, f := range rec.Facts {
		var d inventory.PackageDigests
		if err := json.Unmarshal(f.Data, &d); err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	const sum = "0123456789abcdef0123456789abcdef"
	want := []inventory.PackageDigests{
		{Type: "diversion", Name: "dash", Files: []inventory.FileDigest{{Path: "bin/sh", Link: "bin/sh.distrib"}}},
		{Type: "diversion", Name: ":", Files: []inventory.FileDigest{{Path: "usr/bin/x", Link: "usr/bin/x.real"}}},
		{Type: "deb", Name: "libc6", Algorithm: "md5", Files: []inventory.FileDigest{{Path: "lib/libc.so", Digest: sum}}},
		{Type: "deb", Name: "tzdata", Algorithm: "md5", Files: []inventory.FileDigest{{Path: "usr/share/zoneinfo/UTC", Digest: sum}}},
	}
	if d := cmp.Diff(want, got); d != "" || len(rec.Problems) != 2 {
		t.Errorf("%s %v", d, rec.Problems)
	}
}

func FuzzDigests(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef  usr/bin/x\n"), []byte("/a\n/b\nc\n"))
	f.Fuzz(func(t *testing.T, sums, diversions []byte) {
		list, _ := digests(sums)
		for _, d := range list {
			if len(d.Digest) != 32 || d.Path == "" {
				t.Errorf("%+v", d)
			}
		}
		moved, _ := diverted(diversions, divertFile)
		for _, d := range moved {
			if d.From == "" || d.To == "" || d.By == ":" {
				t.Errorf("%+v", d)
			}
		}
		if err := readDiversions(diversions, divertFile, &inventory.Record{}); err == nil && bytes.Count(diversions, []byte("\n")) >= 3 && len(moved) == 0 {
			t.Error("nothing read and nothing said")
		}
	})
}
