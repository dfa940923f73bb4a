package pluginhost

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// defaultMaxSize bounds files where a plugin gives no bound.
const defaultMaxSize = 16 << 20

// wants decides which files an analyzer gets. It is quick: most files are
// nobody's, and are told by their last element or their beginning.
type wants []want

type want struct {
	plugin.Want
	patterns []pattern
	heads    []string
}

// pattern is a path pattern, in elements; "**" is any number of them.
type pattern struct {
	parts []string
	exact string // the last element where it has no wildcard
	last  bool   // it speaks of the last element alone
}

func newWants(list []plugin.Want) (wants, error) {
	if len(list) > maxWants {
		return nil, fmt.Errorf("more than %d wants", maxWants)
	}
	var out wants
	for _, w := range list {
		n := want{Want: w}
		if len(w.Paths) == 0 && len(w.Types) == 0 && !w.Executable {
			return nil, errors.New("a want names neither paths nor types: it would read the whole image")
		}
		if len(w.Paths) > maxWants || len(w.Types) > maxWants || len(w.Head) > maxWants {
			return nil, fmt.Errorf("a want names more than %d paths, types or heads", maxWants)
		}
		for _, p := range w.Paths {
			q, err := newPattern(p)
			if err != nil {
				return nil, err
			}
			n.patterns = append(n.patterns, q)
		}
		for _, h := range w.Head {
			b, err := hex.DecodeString(h)
			if err != nil || len(b) == 0 || len(b) > 64 {
				return nil, fmt.Errorf("the head %s is not 1 to 64 bytes in hexadecimal", quote([]byte(h)))
			}
			n.heads = append(n.heads, string(b))
		}
		if w.MaxSize < 0 {
			return nil, errors.New("maxSize is negative")
		}
		if n.MaxSize == 0 {
			n.MaxSize = defaultMaxSize
		}
		out = append(out, n)
	}
	return out, nil
}

func newPattern(s string) (pattern, error) {
	s = strings.TrimPrefix(s, "/")
	if s == "" || len(s) > 1024 {
		return pattern{}, fmt.Errorf("the path pattern %s is empty or longer than 1024 bytes", quote([]byte(s)))
	}
	p := pattern{parts: strings.Split(s, "/")}
	if len(p.parts) > 32 {
		return p, fmt.Errorf("the path pattern %s has more than 32 elements", quote([]byte(s)))
	}
	for _, part := range p.parts {
		if _, err := path.Match(part, ""); err != nil {
			return p, fmt.Errorf("the path pattern %s: %w", quote([]byte(s)), err)
		}
	}
	p.last = len(p.parts) == 1
	if l := p.parts[len(p.parts)-1]; !strings.ContainsAny(l, `*?[\`) {
		p.exact = l
	}
	return p, nil
}

func (p *pattern) fits(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if p.exact != "" && p.exact != base {
		return false
	}
	if p.last {
		ok, _ := path.Match(p.parts[0], base) // the pattern was checked
		return ok || p.parts[0] == "**"
	}
	return fit(p.parts, name)
}

// fit matches elements; steps are bounded by the pattern's 32 elements and the
// depth of paths.
func fit(parts []string, name string) bool {
	back, rest := -1, "" // where the last "**" would take one element more
	i := 0
	for {
		if i < len(parts) && parts[i] == "**" {
			if i++; i == len(parts) {
				return true
			}
			back, rest = i, name
			continue
		}
		first, after, more := strings.Cut(name, "/")
		ok := false
		if i < len(parts) {
			ok, _ = path.Match(parts[i], first)
		}
		if ok && (more == (i+1 < len(parts))) {
			if !more {
				return true
			}
			i, name = i+1, after
			continue
		}
		if back < 0 {
			return false
		}
		_, next, has := strings.Cut(rest, "/")
		if !has {
			return false
		}
		i, name, rest = back, next, next
	}
}

// of answers analyze's question.
func (ws wants) of(e analyze.Entry) analyze.Interest {
	for i := range ws {
		w := &ws[i]
		if e.Size > w.MaxSize || w.Executable && e.Mode&0o111 == 0 {
			continue
		}
		if len(w.Types) > 0 && !slices.Contains(w.Types, e.Kind.String()) {
			continue
		}
		if len(w.patterns) > 0 && !slices.ContainsFunc(w.patterns, func(p pattern) bool { return p.fits(e.Path) }) {
			continue
		}
		return analyze.Together
	}
	return analyze.Ignore
}

// begins reports whether a file's first bytes fit a want that it fits
// otherwise.
func (ws wants) begins(e analyze.Entry, head []byte) bool {
	for i := range ws {
		if (wants{ws[i]}).of(e) == analyze.Ignore {
			continue
		}
		if len(ws[i].heads) == 0 || slices.ContainsFunc(ws[i].heads, func(h string) bool { return strings.HasPrefix(string(head), h) }) {
			return true
		}
	}
	return false
}
