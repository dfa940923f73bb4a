package binary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits of the search in one file.
const (
	maxSearched = 512 << 20 // bytes of data sections
	maxTries    = 200       // occurrences of the literals of one product that are looked at
	maxVersions = 64        // different strings that look like the version of one product

	chunkSize  = 1 << 20
	before     = 64 // bytes before a literal that its pattern may use
	after      = 256
	maxLiteral = 128
	maxString  = 64 // bytes of a whole string that may be a version
)

// How sure a finding is: a version beside the product's name, or a string of
// its own in a file that is the product; or part of another program.
const (
	sureMatch  = 0.9
	sureString = 0.7
)

// limitError says which limit stopped a search.
type limitError struct {
	name  string
	limit int64
}

func (e *limitError) Error() string {
	return fmt.Sprintf("searching for known products stopped at the limit of %d for %s", e.limit, e.name)
}

// scan looks for products in one file.
type scan struct {
	ctx   context.Context
	file  *analyze.File
	elf   *elfFile
	table *table
	limit *limitError
	err   error
	buf   []byte
}

// candidate is a signature that may be what the file is.
type candidate struct {
	sig      *signature
	named    bool   // by file name or SONAME
	star     string // what the star in the file name stands for
	anchored bool
	excluded bool
	given    []string
	version  string
	bare     bool // the version is a string of its own
	tries    int
}

// products returns what the file is. With everywhere set, files of any name
// are searched for all signatures.
func (s *scan) products(everywhere bool) []inventory.Package {
	base := path.Base(s.file.Path)
	named := s.table.named(base, s.elf.soname)
	var out []inventory.Package
	if s.elf.language == "go" {
		if p, ok := s.goProduct(named, everywhere); ok {
			return append(out, p)
		}
		if len(named) == 0 {
			return nil // Go programs hold no C libraries but through cgo, whose strings prove nothing of the program
		}
		everywhere = false
	}
	if len(named) == 0 && !everywhere {
		return nil
	}
	found := s.search(named, everywhere)
	for _, c := range found {
		if c.excluded {
			continue
		}
		sure := sureMatch
		if c.bare {
			sure = sureString
		}
		technique := inventory.TechSignature
		if c.version == "" && c.named && c.sig.fileName != nil {
			if m := c.sig.fileName.get().FindStringSubmatch(base); m != nil {
				c.version, technique, sure = joinGroups(m[1:]), inventory.TechFileName, sureString
			}
		}
		if !plausible(c.version) {
			continue
		}
		if !c.named {
			// a library inside another program, or a program under another name
			if len(c.sig.anchors) > 0 && !c.anchored {
				continue
			}
			if c.sig.embed {
				if s.linked(c.sig) {
					continue // the version of the headers it was compiled with
				}
				sure = sureString
			}
		}
		out = append(out, product(s.file, c.sig, c.version, technique, sure, !c.named && c.sig.embed))
	}
	slices.SortFunc(out, func(a, b inventory.Package) int { return inventory.ComparePackages(&a, &b) })
	return out
}

// linked reports whether the file loads the library of a signature instead
// of containing it.
func (s *scan) linked(sig *signature) bool {
	for _, lib := range s.elf.needed {
		for _, g := range sig.files {
			if _, ok := g.match(lib); ok {
				return true
			}
		}
	}
	return false
}

// search reads the data of the file once and, where a product keeps its
// version in a string of its own, once more.
func (s *scan) search(named []candidate, everywhere bool) []*candidate {
	byName := map[*signature]*candidate{}
	var order []*candidate
	for i := range named {
		byName[named[i].sig] = &named[i]
		order = append(order, &named[i])
	}
	get := func(sig *signature) *candidate {
		c := byName[sig]
		if c == nil && everywhere {
			c = &candidate{sig: sig}
			byName[sig] = c
			order = append(order, c)
		}
		return c
	}
	regions := s.elf.data()
	if slices.ContainsFunc(named, func(c candidate) bool { return c.sig.names }) {
		regions = append(slices.Clip(regions), s.elf.names()...)
	}
	set := s.table.search()
	s.chunks(regions, func(chunk []byte, from, to int) bool {
		set.each(chunk, func(literal, at int) bool {
			if at < from || at >= to {
				return true
			}
			for _, r := range set.roles[literal] {
				if c := get(r.sig); c != nil {
					c.take(r, chunk, at)
				}
			}
			return s.ctx.Err() == nil
		})
		return true
	})
	var bare []*candidate
	for _, c := range order {
		if c.version == "" && !c.excluded && len(c.sig.strings) > 0 && (c.named || c.anchored) {
			bare = append(bare, c)
		}
	}
	if len(bare) > 0 && s.err == nil {
		s.searchStrings(regions, bare)
	}
	return order
}

// take learns from an occurrence of a literal.
func (c *candidate) take(r role, chunk []byte, at int) {
	switch r.kind {
	case roleAnchor:
		c.anchored = true
		return
	case roleExclude:
		c.excluded = true
		return
	}
	var p *pattern
	if r.kind == roleMatch {
		if c.version != "" {
			return
		}
		p = c.sig.matches[r.n].pattern
	} else {
		if c.given != nil {
			return
		}
		p = c.sig.given.pattern
	}
	if c.tries++; c.tries > maxTries {
		return
	}
	window := chunk[max(0, at-before):min(len(chunk), at+after)]
	m := p.get().FindSubmatch(window)
	if m == nil {
		return
	}
	groups := make([]string, 0, len(m))
	for _, g := range m[1:] {
		groups = append(groups, string(g))
	}
	if r.kind == roleGiven {
		c.given = groups
		return
	}
	if v := joinGroups(groups); plausible(v) {
		c.version = v
	}
}

// joinGroups makes a version of what the groups of a pattern matched; numbers
// of several groups lose leading zeros ("2", "09", "14" is 2.9.14).
func joinGroups(groups []string) string {
	var parts []string
	for _, g := range groups {
		if g == "" {
			continue
		}
		if len(groups) > 1 {
			if n, err := strconv.Atoi(g); err == nil {
				g = strconv.Itoa(n)
			}
		}
		parts = append(parts, g)
	}
	return strings.Join(parts, ".")
}

// plausible reports whether v can be a version: it has a digit and nothing
// that does not belong into one.
func plausible(v string) bool {
	digit := false
	for i := range len(v) {
		c := v[i]
		if c <= ' ' || c > '~' || strings.IndexByte("%{}$\"'<>\\", c) >= 0 {
			return false
		}
		digit = digit || isDigit(c)
	}
	return digit && len(v) <= maxString && strings.Trim(v, "0.") != ""
}

// chunks gives the bytes of regions in pieces. Places in [from, to) of a
// piece are this piece's to judge; what lies around them is context.
func (s *scan) chunks(regions []section, visit func(chunk []byte, from, to int) bool) {
	var total uint64
	for _, r := range regions {
		if s.err != nil || s.ctx.Err() != nil {
			return
		}
		if r.off >= uint64(s.file.Size) {
			continue
		}
		r.size = min(r.size, uint64(s.file.Size)-r.off)
		if total += r.size; total > maxSearched {
			s.limit = &limitError{"data of one file in bytes", maxSearched}
			return
		}
		if data := s.file.Bytes(); data != nil {
			if part := data[r.off : r.off+r.size]; !visit(part, 0, len(part)) {
				return
			}
			continue
		}
		if !s.chunksOf(r, visit) {
			return
		}
	}
}

func (s *scan) chunksOf(r section, visit func(chunk []byte, from, to int) bool) bool {
	if s.buf == nil {
		s.buf = make([]byte, chunkSize)
	}
	const overlap = before + after + maxLiteral
	from := 0 // first place of the piece that no piece before has judged
	for at, n := uint64(0), 0; ; {
		want := int(min(uint64(len(s.buf)-n), r.size-at))
		m, err := s.file.ReadAt(s.buf[n:n+want], int64(r.off+at))
		if m < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			s.err = err
			return false
		}
		n, at = n+want, at+uint64(want)
		if at == r.size {
			return visit(s.buf[:n], from, n)
		}
		to := n - after - maxLiteral
		if s.ctx.Err() != nil || !visit(s.buf[:n], from, to) {
			return false
		}
		copy(s.buf, s.buf[n-overlap:n])
		n, from = overlap, before
	}
}
