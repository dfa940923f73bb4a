package bom

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// catalog holds the packages of an image in the order in which they are
// written, installed before declared, with what both SBOM formats need.
type catalog struct {
	packages  []*inventory.Package
	installed int // the first of them
	purls     []string
	refs      []string // unique; the package URL where that is
}

func newCatalog(img *inventory.Image) *catalog {
	c := &catalog{installed: len(img.Packages)}
	for _, list := range [][]inventory.Package{img.Packages, img.Declared} {
		for i := range list {
			c.packages = append(c.packages, &list[i])
		}
	}
	c.purls = make([]string, len(c.packages))
	times := make(map[string]int, len(c.packages))
	for i, p := range c.packages {
		c.purls[i] = p.PURL()
		if _, err := inventory.ParsePURL(c.purls[i]); err != nil {
			c.purls[i] = "" // no name, or not UTF-8
		}
		times[c.purls[i]]++
	}
	taken := make(map[string]bool, len(c.packages))
	c.refs = make([]string, len(c.packages))
	for i, p := range c.packages {
		ref := c.purls[i]
		if ref == "" {
			ref = "package"
		}
		if c.purls[i] == "" || times[c.purls[i]] > 1 {
			// What differs, so that the name stays when others come and go.
			sep := "?"
			if strings.Contains(ref, "?") {
				sep = "&"
			}
			sum := sha256.Sum256([]byte(p.ID() + "\x00" + p.Path + "\x00" + p.Inner))
			ref += sep + "package-id=" + hex.EncodeToString(sum[:8])
			for taken[ref] {
				ref += "0"
			}
		}
		taken[ref] = true
		c.refs[i] = ref
	}
	return c
}

// dependencies returns, for each package, the indices of those it depends on,
// as far as their names can be found in the image among packages of its type.
func (c *catalog) dependencies() [][]int {
	type name struct{ typ, name string }
	var byName map[name][]int
	out := make([][]int, len(c.packages))
	for i, p := range c.packages {
		if len(p.Depends) == 0 {
			continue
		}
		if byName == nil {
			byName = make(map[name][]int, len(c.packages))
			for k, q := range c.packages {
				n := name{q.Type, dependName(q.Type, fullName(q))}
				byName[n] = append(byName[n], k)
			}
		}
		for _, d := range p.Depends {
			for alternative := range strings.SplitSeq(d, "|") {
				candidates := byName[name{p.Type, dependName(p.Type, alternative)}]
				if k := c.closest(i, candidates); k >= 0 {
					out[i] = append(out[i], k)
					break
				}
			}
		}
		slices.Sort(out[i])
		out[i] = slices.Compact(out[i])
	}
	return out
}

// dependName strips what a dependency says beyond the name: versions,
// architectures, extras.
func dependName(typ, s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t(<>=~;["); i > 0 {
		s = s[:i]
	}
	switch typ {
	case "deb":
		s, _, _ = strings.Cut(s, ":")
	case "pypi":
		s = inventory.NormalizePyPI(s)
	}
	return s
}

// closest picks, of several packages of one name, that of the same state and
// architecture whose path shares most directories with package i: the
// neighbour in the same node_modules or site-packages. -1 if there is none.
func (c *catalog) closest(i int, candidates []int) int {
	p := c.packages[i]
	best, bestScore, bestLen := -1, -1, 0
	for _, k := range candidates {
		q := c.packages[k]
		if k == i || q.State != p.State {
			continue
		}
		score := 2 * sharedDirs(p.Path, q.Path)
		if q.Arch == p.Arch {
			score++
		}
		if score > bestScore || score == bestScore && len(q.Path) < bestLen {
			best, bestScore, bestLen = k, score, len(q.Path)
		}
	}
	return best
}

func sharedDirs(a, b string) int {
	n := 0
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == '/' {
			n++
		}
	}
	return n
}
