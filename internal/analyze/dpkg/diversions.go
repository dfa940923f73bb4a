package dpkg

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxDiversions bounds the diversions of one database.
const maxDiversions = 100_000

// diverted reads dpkg-divert's database: three lines each, the path that
// packages bring, where it goes instead, and the package that keeps the path,
// ":" where the administrator diverted it.
func diverted(data []byte, file string) ([]inventory.Diversion, error) {
	var (
		list []inventory.Diversion
		bad  badEntries
		line [3]string
		n    int
	)
	for l := range strings.Lines(string(data)) {
		line[n] = strings.TrimSuffix(l, "\n")
		if n++; n < len(line) {
			continue
		}
		n = 0
		d := inventory.Diversion{Path: file, From: relative(line[0]), To: relative(line[1]), By: line[2]}
		if d.By == ":" {
			d.By = ""
		} else if !word([]byte(d.By)) {
			bad.add(fmt.Errorf("diversion by package %.80q", d.By))
			continue
		}
		if d.From == "" || d.To == "" {
			bad.add(fmt.Errorf("diversion from %.80q to %.80q", line[0], line[1]))
			continue
		}
		if len(list) == maxDiversions {
			bad.add(fmt.Errorf("more than the limit of %d diversions", maxDiversions))
			return list, bad.err()
		}
		list = append(list, d)
	}
	if n > 0 {
		bad.add(errors.New("the last diversion is cut off"))
	}
	return list, bad.err()
}
