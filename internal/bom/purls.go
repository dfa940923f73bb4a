package bom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// writePURLs writes the package URLs of the installed packages, sorted, each once.
func writePURLs(w *bufio.Writer, img *inventory.Image) error {
	list := make([]string, 0, len(img.Packages))
	for i := range img.Packages {
		if purl := img.Packages[i].PURL(); purl != "" {
			list = append(list, purl)
		}
	}
	slices.Sort(list)
	for _, purl := range slices.Compact(list) {
		_, _ = w.WriteString(purl) // bufio.Writer keeps errors until Flush
		_ = w.WriteByte('\n')
	}
	return nil
}

// readPURLs reads a list of package URLs, one a line; blank lines and lines
// that start with # are comments.
func readPURLs(r *bufio.Reader, b *builder) error {
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' {
			if err := b.count(); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			p, perr := inventory.ParsePURL(line)
			if perr != nil {
				return fmt.Errorf("line %d: %w", n, perr)
			}
			p.Layer = -1
			guessed(&p)
			b.add("", p)
		}
		if err != nil {
			return nil
		}
	}
}
