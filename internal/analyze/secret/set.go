package secret

import (
	"crypto/sha256"
	_ "embed" // the rules
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed rules.txt
var rulesText string

//go:embed services.txt
var servicesText string

//go:embed files.txt
var filesText string

// set is rules, arranged for search.
type set struct {
	rules     []*rule
	literals  []string  // the keywords, by the owner that searches report
	roles     [][]*rule // by literal
	published []string  // values that documentation has made known to all
	digest    string    // of the rules

	all      func() *search // of every rule
	specific func() *search // without the generic rules

	base  map[string][]*rule // rules with paths, by the last element of these
	ext   map[string][]*rule // the same, where that is "*.ext"
	globs []*rule            // the same, where it is neither
}

// builtin is the rules that the program brings.
var builtin = sync.OnceValue(func() *set {
	s, err := newSet(nil)
	if err != nil {
		panic(err) // a test reads the tables
	}
	return s
})

// newSet arranges the built-in rules with further ones, which replace those
// of the same ID.
func newSet(more []Rule) (*set, error) {
	if err := Validate(more); err != nil {
		return nil, err
	}
	s := &set{base: map[string][]*rule{}, ext: map[string][]*rule{}}
	var rules []Rule
	sum := sha256.New()
	for _, t := range []string{rulesText, servicesText, filesText} {
		list, published, err := parse(t)
		if err != nil {
			return nil, err
		}
		rules = append(rules, list...)
		s.published = append(s.published, published...)
		fmt.Fprintf(sum, "%d %s", len(t), t)
	}
	for _, r := range more {
		r.Keywords, r.Paths = slices.Clone(r.Keywords), slices.Clone(r.Paths)
		i := slices.IndexFunc(rules, func(old Rule) bool { return old.ID == r.ID })
		if i >= 0 {
			rules[i] = r
		} else {
			rules = append(rules, r)
		}
	}
	if len(more) > 0 {
		data, err := json.Marshal(more)
		if err != nil {
			return nil, err
		}
		sum.Write(data)
	}
	s.digest = hex.EncodeToString(sum.Sum(nil)[:16])
	index := map[string]int{}
	for i := range rules {
		if err := rules[i].normalise(); err != nil {
			return nil, fmt.Errorf("rule %s: %w", rules[i].ID, err)
		}
		r, err := newRule(&rules[i], false)
		if err != nil {
			return nil, err
		}
		r.index = i
		s.rules = append(s.rules, r)
		for _, k := range r.Keywords {
			n, ok := index[k]
			if !ok {
				n = len(s.literals)
				index[k] = n
				s.literals = append(s.literals, k)
				s.roles = append(s.roles, nil)
			}
			s.roles[n] = append(s.roles[n], r)
		}
		if len(r.Keywords) == 0 {
			s.addPaths(r)
		}
	}
	s.all = sync.OnceValue(func() *search { return s.newSearch(func(*rule) bool { return true }) })
	s.specific = sync.OnceValue(func() *search { return s.newSearch(func(r *rule) bool { return !r.Generic }) })
	return s, nil
}

// newSearch makes the search for the keywords of some rules. A keyword of
// three bytes is too short for it: it becomes one literal for every letter
// and digit that may follow it or, where it begins with punctuation, precede
// it.
func (s *set) newSearch(which func(*rule) bool) *search {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var list []literal
	for i, k := range s.literals {
		if !slices.ContainsFunc(s.roles[i], which) {
			continue
		}
		switch {
		case len(k) >= minLiteral:
			list = append(list, literal{text: k, owner: i})
		case wordByte(k[0]):
			for _, c := range letters + "_-" {
				list = append(list, literal{text: k + string(c), owner: i})
			}
		default:
			for _, c := range letters {
				list = append(list, literal{text: string(c) + k, owner: i, skip: 1})
			}
		}
	}
	return newSearch(list)
}

func (s *set) addPaths(r *rule) {
	other := false
	for _, g := range r.paths {
		last := g.parts[len(g.parts)-1]
		switch {
		case !strings.Contains(last, "*"):
			if !slices.Contains(s.base[last], r) {
				s.base[last] = append(s.base[last], r)
			}
		case strings.HasPrefix(last, "*.") && strings.Count(last, "*")+strings.Count(last, ".") == 2:
			if !slices.Contains(s.ext[last[2:]], r) {
				s.ext[last[2:]] = append(s.ext[last[2:]], r)
			}
		default:
			other = true
		}
	}
	if other {
		s.globs = append(s.globs, r)
	}
}

// named calls yield with the rules that a file has by its path alone.
func (s *set) named(path string, yield func(*rule)) {
	base := baseName(path)
	for _, r := range s.base[base] {
		if r.at(path) {
			yield(r)
		}
	}
	if i := strings.LastIndexByte(base, '.'); i >= 0 {
		for _, r := range s.ext[base[i+1:]] {
			if r.at(path) && !slices.Contains(s.base[base], r) {
				yield(r)
			}
		}
	}
	for _, r := range s.globs {
		if r.at(path) && !slices.Contains(s.base[base], r) {
			yield(r)
		}
	}
}

// at reports whether the rule holds at a path.
func (r *rule) at(path string) bool {
	if len(r.paths) == 0 {
		return true
	}
	for i := range r.paths {
		if r.paths[i].match(path) {
			return true
		}
	}
	return false
}

// glob is a pattern of the last elements of a path; a "*" stands for any part
// of one element. One that begins with "/" is a pattern of the whole path.
type glob struct {
	parts []string
	whole bool
}

func newGlob(pattern string) glob {
	rest, whole := strings.CutPrefix(pattern, "/")
	return glob{strings.Split(rest, "/"), whole}
}

func (g *glob) match(path string) bool {
	for i := len(g.parts) - 1; i >= 0; i-- {
		if path == "" {
			return false
		}
		cut := strings.LastIndexByte(path, '/')
		if !starMatch(g.parts[i], path[cut+1:]) {
			return false
		}
		path = path[:max(cut, 0)]
	}
	return path == "" || !g.whole
}

// starMatch matches a pattern of stars and literals.
func starMatch(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
