package python

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits of reading an archive.
const (
	maxDirectory = 8 << 20 // bytes of an archive's table of contents
	maxMetadata  = 4 << 20 // bytes of a metadata file inside an archive
	maxInside    = 10_000  // distributions inside one archive
)

// readArchive reads a wheel, a zipped egg, or an application in one file
// (pex, shiv), which holds distributions of any number.
func readArchive(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	if f.Kind != inventory.KindZip && f.Kind != inventory.KindScript {
		return nil // an egg-link's folder, a text: nothing of ours
	}
	limited := &limitedReader{r: f.ReaderAt, left: maxDirectory}
	z, err := zip.NewReader(limited, f.Size)
	if err != nil {
		if errors.Is(err, errDirectory) {
			return fmt.Errorf("reading archive: its table of contents has more than the limit of %d bytes", maxDirectory)
		}
		if f.Kind == inventory.KindScript {
			return nil // a plain script of that name
		}
		return fmt.Errorf("reading archive: %w", err)
	}
	limited.left = -1
	wheel := strings.HasSuffix(f.Path, ".whl")
	egg := strings.HasSuffix(f.Path, ".egg")
	found := 0
	var broken error
	for _, m := range z.File {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		dir, base := splitPath(m.Name)
		var ok bool
		switch base {
		case "METADATA":
			ok = strings.HasSuffix(dir, ".dist-info") && !(wheel && strings.Contains(dir, "/")) && !egg
		case "PKG-INFO":
			ok = egg && dir == "EGG-INFO" || !wheel && !egg && strings.HasSuffix(dir, ".egg-info")
		}
		if !ok || fixture("lib-packages/"+m.Name) {
			continue
		}
		if found++; found > maxInside {
			return fmt.Errorf("reading archive: more than the limit of %d distributions", maxInside)
		}
		data, err := readMember(m)
		if err == nil {
			var p inventory.Package
			if p, err = parseMetadata(m.Name, data); p.Name != "" {
				p.Path, p.Inner = f.Path, m.Name
				if wheel {
					p.State, p.Scope = inventory.Declared, "wheel"
				} else {
					p.Files = inventory.NewFileList([]string{f.Path})
				}
				out.Packages = append(out.Packages, p)
			}
		}
		if err != nil {
			broken = errors.Join(broken, fmt.Errorf("%s: %w", clip(m.Name, maxText), err))
		}
	}
	return broken
}

func splitPath(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

func readMember(m *zip.File) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxMetadata {
		return nil, fmt.Errorf("metadata has more than the limit of %d bytes", maxMetadata)
	}
	return data, nil
}

var errDirectory = errors.New("table of contents too large")

// limitedReader bounds what archive/zip reads, and so keeps, of a table of
// contents. left < 0 is without limit. It is used by one goroutine.
type limitedReader struct {
	r    io.ReaderAt
	left int64
}

func (l *limitedReader) ReadAt(p []byte, off int64) (int, error) {
	if l.left >= 0 {
		if int64(len(p)) > l.left {
			return 0, errDirectory
		}
		l.left -= int64(len(p))
	}
	return l.r.ReadAt(p, off)
}
