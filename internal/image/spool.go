package image

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps r in a temporary file without a name, which is gone when it is
// closed or the program ends.
func spool(ctx context.Context, r io.Reader, o Options) (*os.File, error) {
	f, err := os.CreateTemp(o.TempDir, "tidewaiter-*.tar")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	n, err := io.Copy(f, io.LimitReader(contextReader{ctx, r}, o.Limits.SpoolBytes+1))
	if err == nil && n > o.Limits.SpoolBytes {
		err = &LimitError{"the temporary file", "SpoolBytes", o.Limits.SpoolBytes}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("writing the image to a temporary file in %s: %w", o.TempDir, err)
	}
	return f, nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// openArchive indexes a tar. A compressed one is uncompressed to a temporary
// file first, as its files could not be reached otherwise.
func openArchive(ctx context.Context, name string, o Options) (*archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	head := make([]byte, sniffBytes)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		f.Close()
		return nil, err
	}
	kind := sniff(head[:n])
	if kind == plain {
		return openTar(f, o.Limits)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limit := max(ratioStart, fi.Size()*o.Limits.Ratio)
	if o.Limits.SpoolBytes > limit {
		o.Limits.SpoolBytes = limit
	}
	u, done, err := decompress(bufio.NewReaderSize(f, 256<<10), kind)
	if err != nil {
		return nil, err
	}
	defer done()
	g, err := spool(ctx, u, o)
	var le *LimitError
	if errors.As(err, &le) && le.Limit == limit {
		return nil, &LimitError{"the archive's compression ratio", "Ratio", o.Limits.Ratio}
	}
	if err != nil {
		return nil, err
	}
	return openTar(g, o.Limits)
}

// guessCompressed looks at the names in a compressed tar, as far as needed.
func guessCompressed(f *os.File, kind compression) (Kind, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	u, done, err := decompress(f, kind)
	if err != nil {
		return "", err
	}
	defer done()
	limits := Options{}.withDefaults().Limits
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	seen := &archive{entries: map[string]archiveEntry{}}
	r := tar.NewReader(io.LimitReader(u, min(limits.SpoolBytes, max(ratioStart, fi.Size()*limits.Ratio))))
	for range limits.ArchiveEntries {
		h, err := r.Next()
		if err != nil && err != io.EOF {
			return "", err
		}
		if err == io.EOF {
			break
		}
		name := inside(h.Name)
		seen.entries[name] = archiveEntry{}
		if k, err := seen.kind(); err == nil && k == DockerArchive {
			return k, nil
		}
	}
	return seen.kind()
}
