package inventory

import (
	"path"
	"strings"
)

// maxHops is how many symbolic links a look-up follows, as Linux does.
const maxHops = 40

// Resolve returns the entry that a process inside the image finds under a
// path, following symbolic links in every element; none leaves the root. It
// reports false where there is none, or the links are a loop.
func (t *Table) Resolve(name string) (File, bool) {
	rest := strings.Trim(name, "/")
	done := ""
	for hops := 0; ; {
		if rest == "" {
			return t.Lookup(done)
		}
		element, after, _ := strings.Cut(rest, "/")
		rest = after
		switch element {
		case "", ".":
			continue
		case "..":
			done = parent(done)
			continue
		}
		at := path.Join(done, element)
		f, ok := t.Lookup(at)
		if !ok {
			return File{}, false
		}
		if f.Type != Symlink {
			done = at
			continue
		}
		if hops++; hops > maxHops || len(f.Link)+len(rest) > 1<<16 {
			return File{}, false
		}
		if strings.HasPrefix(f.Link, "/") {
			done = ""
		}
		rest = strings.Trim(f.Link, "/") + "/" + rest
	}
}
