package binary

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// TestImage finds what Alpine's own programs are, without apk: the versions
// are those of its package database.
func TestImage(t *testing.T) {
	f, err := os.Open(analyzetest.Shared(t, "images", "alpine310.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := map[string]string{}
	got := map[string]string{}
	eachLayerFile(t, f, func(name string, data []byte) {
		if name == "lib/apk/db/installed" {
			for entry := range strings.SplitSeq(string(data), "\n\n") {
				var pkg, version string
				for line := range strings.Lines(entry) {
					switch line = strings.TrimSpace(line); {
					case strings.HasPrefix(line, "P:"):
						pkg = line[2:]
					case strings.HasPrefix(line, "V:"):
						version, _, _ = strings.Cut(line[2:], "-r")
					}
				}
				want[pkg] = version
			}
		}
		if len(data) > 64 && string(data[:4]) == "\x7fELF" {
			for _, b := range run(t, data, "opt/"+filepath.Base(name), false).Binaries {
				for _, p := range b.Products {
					got[p.Name] = p.Version
				}
			}
		}
	})
	for product, pkg := range map[string]string{"busybox": "busybox", "musl": "musl", "zlib": "zlib"} {
		if got[product] == "" || got[product] != want[pkg] {
			t.Errorf("%s: %q, apk has %q", product, got[product], want[pkg])
		}
	}
	t.Log(got)
}

// eachLayerFile walks the layers of a docker archive.
func eachLayerFile(t *testing.T, r io.ReadSeeker, visit func(name string, data []byte)) {
	t.Helper()
	read := func(want string) []byte {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			if h.Name == want {
				data, err := io.ReadAll(tr)
				if err != nil {
					t.Fatal(err)
				}
				return data
			}
		}
	}
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(read("manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	for _, layer := range manifest[0].Layers {
		var in io.Reader = bytes.NewReader(read(layer))
		if z, err := gzip.NewReader(in); err == nil {
			in = z
		} else {
			in = bytes.NewReader(read(layer))
		}
		for tr := tar.NewReader(in); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			visit(h.Name, data)
		}
	}
}
