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

	// rules with paths, by the last element of these
	base   map[string][]*rule // it has no star
	ext    map[string][]*rule // it begins with a star; by what follows its last "."
	folder map[string][]*rule // it is a star; by the element before
	prefix [256][]*rule       // a star follows a first byte
	any    []*rule            // anything else
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
	s := &set{base: map[string][]*rule{}, ext: map[string][]*rule{}, folder: map[string][]*rule{}}
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
	for _, g := range r.paths {
		last := g.parts[len(g.parts)-1]
		dot := strings.LastIndexByte(last, '.')
		switch star := strings.IndexByte(last, '*'); {
		case star < 0:
			s.base[last] = appendNew(s.base[last], r)
		case star > 0:
			s.prefix[last[0]] = appendNew(s.prefix[last[0]], r)
		case last == "*" && len(g.parts) > 1 && !strings.Contains(g.parts[len(g.parts)-2], "*"):
			dir := g.parts[len(g.parts)-2]
			s.folder[dir] = appendNew(s.folder[dir], r)
		case dot > 0 && !strings.Contains(last[dot:], "*"):
			s.ext[last[dot+1:]] = appendNew(s.ext[last[dot+1:]], r)
		default:
			s.any = appendNew(s.any, r)
		}
	}
}

func appendNew(list []*rule, r *rule) []*rule {
	if slices.Contains(list, r) {
		return list
	}
	return append(list, r)
}

// named calls yield with the rules that a file has by its path alone, each
// once.
func (s *set) named(path string, yield func(*rule)) {
	slash := strings.LastIndexByte(path, '/')
	base := path[slash+1:]
	if base == "" {
		return
	}
	var lists [5][]*rule
	lists[0], lists[1], lists[2] = s.base[base], s.prefix[base[0]], s.any
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 {
		lists[3] = s.ext[base[dot+1:]]
	}
	if slash > 0 && len(s.folder) > 0 {
		lists[4] = s.folder[baseName(path[:slash])]
	}
	for i, list := range lists {
		for _, r := range list {
			if !r.at(path) {
				continue
			}
			seen := false
			for _, before := range lists[:i] {
				seen = seen || slices.Contains(before, r)
			}
			if !seen {
				yield(r)
			}
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

// RulesInForce returns all rules, the built-in ones among them, in the
// order they are tried.
func (a *Analyzer) RulesInForce() ([]Rule, error) {
	s, err := a.rules()
	if err != nil {
		return nil, err
	}
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = *r.Rule
	}
	return out, nil
}
