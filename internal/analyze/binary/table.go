package binary

import (
	_ "embed" // the table
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed signatures.txt
var signatureText string

// signature says how one product is recognised; signatures.txt describes the
// fields.
type signature struct {
	name     string
	cpes     []string // vendor:product
	files    []glob
	anchors  []string // any of them shows the product in a file of any name
	excludes []string // any of them shows that it is another
	matches  []match
	strings  []*pattern // of whole strings
	given    *match     // its groups are {1}, {2} … in strings
	fileName *pattern   // the version is in the file's name
	goPaths  []string   // main packages, or prefixes of them ending in "/"
	tail     bool       // a string may be the end of a longer one
	largest  bool       // of several strings the largest is meant
	embed    bool       // also reported when a part of another program
	names    bool       // also search symbol names
	proven   bool       // a test has seen it in a real binary
}

// match is a literal and the pattern around it.
type match struct {
	literal string
	*pattern
}

// pattern is a regular expression, compiled when first used.
type pattern struct {
	source string
	get    func() *regexp.Regexp
}

func newPattern(source string) *pattern {
	return &pattern{source, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(?s)" + source) })}
}

// glob is a file name with stars, cut at them.
type glob []string

// match returns what the first star stands for.
func (g glob) match(name string) (star string, ok bool) {
	name, ok = strings.CutPrefix(name, g[0])
	if !ok || len(g) == 1 {
		return "", ok && name == ""
	}
	last := g[len(g)-1]
	for i, part := range g[1 : len(g)-1] {
		before, rest, found := strings.Cut(name, part)
		if !found {
			return "", false
		}
		if i == 0 {
			star = before
		}
		name = rest
	}
	if len(g) == 2 {
		star = strings.TrimSuffix(name, last)
	}
	return star, strings.HasSuffix(name, last)
}

// globOf is a file name of a signature.
type globOf struct {
	glob
	sig *signature
}

// role is what a literal of the search means to a signature.
type role struct {
	sig  *signature
	kind roleKind
	n    int // index of the match
}

type roleKind uint8

const (
	roleMatch roleKind = iota
	roleAnchor
	roleExclude
	roleGiven
)

// table is the signatures, arranged for search.
type table struct {
	list   []*signature
	exact  map[string][]*signature // by whole file name
	globs  [256][]globOf           // file names with a star, by their first byte
	any    []globOf                // file names that begin with a star
	byGo   map[string]*signature
	search func() *search
}

// search is the literals of all signatures.
type search struct {
	*multi
	roles [][]role // by literal
}

var signatures = sync.OnceValue(func() *table {
	t, err := parseTable(signatureText)
	if err != nil {
		panic(err) // a test reads the table
	}
	return t
})

func parseTable(text string) (*table, error) {
	t := &table{exact: map[string][]*signature{}, byGo: map[string]*signature{}}
	var sig *signature
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			sig = &signature{name: strings.TrimSuffix(name, "]")}
			t.list = append(t.list, sig)
			continue
		}
		if sig == nil {
			return nil, fmt.Errorf("signatures: line %d: no product", n)
		}
		key, value, _ := strings.Cut(line, " ")
		if err := sig.set(key, value); err != nil {
			return nil, fmt.Errorf("signatures: line %d: %w", n, err)
		}
	}
	for _, sig := range t.list {
		for _, g := range sig.files {
			switch {
			case len(g) == 1:
				t.exact[g[0]] = append(t.exact[g[0]], sig)
			case g[0] == "":
				t.any = append(t.any, globOf{g, sig})
			default:
				t.globs[g[0][0]] = append(t.globs[g[0][0]], globOf{g, sig})
			}
		}
		for _, p := range sig.goPaths {
			t.byGo[p] = sig
		}
	}
	t.search = sync.OnceValue(t.buildSearch)
	return t, nil
}

func (sig *signature) set(key, value string) error {
	switch key {
	case "cpe":
		sig.cpes = strings.Fields(value)
	case "file":
		for _, f := range strings.Fields(value) {
			sig.files = append(sig.files, strings.Split(f, "*"))
		}
	case "anchor":
		sig.anchors = append(sig.anchors, value)
		return checkLiteral(value)
	case "exclude":
		sig.excludes = append(sig.excludes, value)
		return checkLiteral(value)
	case "match", "given":
		quoted, err := strconv.QuotedPrefix(value)
		if err != nil {
			return err
		}
		literal, err := strconv.Unquote(quoted)
		if err != nil {
			return err
		}
		m := match{literal, newPattern(strings.TrimSpace(value[len(quoted):]))}
		if key == "given" {
			sig.given = &m
		} else {
			sig.matches = append(sig.matches, m)
		}
		return checkLiteral(literal)
	case "string":
		sig.strings = append(sig.strings, newPattern("^(?:"+value+")$"))
	case "name":
		sig.fileName = newPattern("^(?:" + value + ")$")
	case "go":
		sig.goPaths = strings.Fields(value)
	case "embed":
		sig.embed = true
	case "tail":
		sig.tail = true
	case "largest":
		sig.largest = true
	case "symbols":
		sig.names = true
	case "proven":
		sig.proven = true
	default:
		return fmt.Errorf("unknown field %q", key)
	}
	return nil
}

func checkLiteral(s string) error {
	if len(s) < minLiteral || len(s) > maxLiteral {
		return fmt.Errorf("literal %q: want %d to %d bytes", s, minLiteral, maxLiteral)
	}
	return nil
}

func (t *table) buildSearch() *search {
	s := &search{}
	index := map[string]int{}
	add := func(literal string, r role) {
		i, ok := index[literal]
		if !ok {
			i = len(s.roles)
			index[literal] = i
			s.roles = append(s.roles, nil)
		}
		s.roles[i] = append(s.roles[i], r)
	}
	for _, sig := range t.list {
		for i, m := range sig.matches {
			add(m.literal, role{sig, roleMatch, i})
		}
		for _, a := range sig.anchors {
			add(a, role{sig, roleAnchor, 0})
		}
		for _, x := range sig.excludes {
			add(x, role{sig, roleExclude, 0})
		}
		if sig.given != nil {
			add(sig.given.literal, role{sig, roleGiven, 0})
		}
	}
	literals := make([][]byte, len(index))
	for l, i := range index {
		literals[i] = []byte(l)
	}
	s.multi = newMulti(literals)
	return s
}

// named returns the signatures that know a file by one of its names, and
// what the star of the pattern stands for.
func (t *table) named(names ...string) []candidate {
	var out []candidate
	add := func(sig *signature, star string) {
		for _, c := range out {
			if c.sig == sig {
				return
			}
		}
		out = append(out, candidate{sig: sig, star: star, named: true})
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		for _, sig := range t.exact[name] {
			add(sig, "")
		}
		for _, list := range [...][]globOf{t.globs[name[0]], t.any} {
			for _, g := range list {
				if star, ok := g.match(name); ok {
					add(g.sig, star)
				}
			}
		}
	}
	return out
}

// goMain returns the signature of a Go program by the path of its main package.
func (t *table) goMain(path string) *signature {
	if sig := t.byGo[path]; sig != nil {
		return sig
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			if sig := t.byGo[path[:i+1]]; sig != nil {
				return sig
			}
		}
	}
	return nil
}
