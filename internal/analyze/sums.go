package analyze

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Sums reads the tar stream of a layer again and returns further digests of
// files: want has, by path as in the layer's file table, what makes the digest.
// Of two files of one path the later counts. It reads r to its end.
func Sums(ctx context.Context, r io.Reader, want map[string]func() hash.Hash) (map[string][]byte, error) {
	out := make(map[string][]byte, len(want))
	buf := make([]byte, 256<<10)
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			_, err := io.CopyBuffer(io.Discard, onlyReader{r}, buf)
			return out, err
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, fmt.Errorf("reading the tar header after %d entries: %w", n, err)
		}
		if n&1023 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, '\x00':
		default:
			continue
		}
		p := clean(h.Name)
		make, ok := want[p]
		if !ok {
			continue
		}
		sum := make()
		if _, err := io.CopyBuffer(sum, onlyReader{tr}, buf); err != nil {
			return nil, fmt.Errorf("reading %s: %w", p, err)
		}
		out[p] = sum.Sum(nil)
	}
}
