package node

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits of reading an archive.
const (
	maxDirectory = 8 << 20 // bytes of an archive's table of contents
	maxInside    = 10_000  // packages inside one archive
)

// readArchive reads an archive of Yarn's cache: Yarn loads packages right out
// of it. It holds node_modules/NAME and what that bundles.
func readArchive(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	if f.Kind != inventory.KindZip {
		return nil
	}
	limited := &limitedReader{r: f.ReaderAt, left: maxDirectory}
	z, err := zip.NewReader(limited, f.Size)
	if errors.Is(err, errDirectory) {
		return fmt.Errorf("reading archive: its table of contents has more than the limit of %d bytes", maxDirectory)
	}
	if err != nil {
		return fmt.Errorf("reading archive: %w", err)
	}
	limited.left = -1
	found := 0
	var broken error
	for _, m := range z.File {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if classify(m.Name) != module {
			continue
		}
		if found++; found > maxInside {
			return fmt.Errorf("reading archive: more than the limit of %d packages", maxInside)
		}
		data, err := readMember(m)
		var p inventory.Package
		if err == nil {
			p, err = parseManifest(data, dirName(m.Name))
		}
		if err != nil {
			broken = errors.Join(broken, fmt.Errorf("%s: %w", clip(m.Name, maxText), err))
			continue
		}
		if p.Name != "" {
			p.Path, p.Inner = f.Path, clip(m.Name, 4096)
			p.Files = inventory.NewFileList([]string{f.Path})
			out.Packages = append(out.Packages, p)
		}
	}
	return broken
}

func readMember(m *zip.File) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("package.json has more than the limit of %d bytes", maxManifest)
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
