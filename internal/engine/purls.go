package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxPURLs bounds a list of package URLs.
const maxPURLs = 1_000_000

// ReadPURLs makes an inventory of package URLs, one a line; blank lines and
// those that begin with "#" are passed over. Every line that is no package URL
// is reported, all at once.
func ReadPURLs(r io.Reader, reference string) (*inventory.Image, error) {
	img := &inventory.Image{Reference: reference}
	var problems []error
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 64<<10)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, err := inventory.ParsePURL(line)
		if err != nil {
			if problems = append(problems, fmt.Errorf("line %d: %w", n, err)); len(problems) >= 20 {
				break
			}
			continue
		}
		if len(img.Packages) >= maxPURLs {
			return nil, fmt.Errorf("%s has more than the limit of %d package URLs", reference, maxPURLs)
		}
		p.Layer = -1
		img.Packages = append(img.Packages, p)
	}
	if err := sc.Err(); err != nil {
		problems = append(problems, err)
	}
	if len(problems) == 0 && len(img.Packages) == 0 {
		problems = append(problems, errors.New("no package URL in it"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return img, nil
}
