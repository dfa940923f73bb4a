package rpm

import (
	"bytes"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what one database may provide and require.
const (
	maxCapabilities = 2_000_000
	maxRequires     = 100_000 // of one package
)

// graph finds which packages the packages of one database need. rpm's
// requirements are names of capabilities, seldom of packages; who provides
// them stands in the same database and nowhere else.
type graph struct {
	ids       map[string]uint32 // of capabilities
	names     []string          // of capabilities, by id
	providers []int32           // package that provides a capability, by id; -1 for none. The first one counts.
	packages  [][]uint32        // what each package requires
	texts     map[string]string // strings that occur again and again
	limited   bool
}

func newGraph() *graph {
	return &graph{ids: make(map[string]uint32, 4096), texts: make(map[string]string)}
}

// text makes a string and keeps one copy of it.
func (g *graph) text(b []byte) string {
	if s, ok := g.texts[string(b)]; ok {
		return s
	}
	s := text(b, maxText)
	g.texts[string(b)] = s
	return s
}

func (g *graph) id(capability []byte) uint32 {
	if id, ok := g.ids[string(capability)]; ok {
		return id
	}
	id := uint32(len(g.names))
	name := string(capability)
	g.ids[name] = id
	g.names = append(g.names, name)
	g.providers = append(g.providers, -1)
	return id
}

// add notes what the next package provides and requires.
func (g *graph) add(h *header) {
	n := int32(len(g.packages))
	h.texts(tagProvideName, func(b []byte) bool {
		if len(g.names) >= maxCapabilities {
			g.limited = true
			return false
		}
		if id := g.id(b); g.providers[id] < 0 {
			g.providers[id] = n
		}
		return true
	})
	requires := make([]uint32, 0, min(h.entries[tagRequireName].count, 1024))
	h.texts(tagRequireName, func(b []byte) bool {
		// features of rpm itself and boolean expressions are no capabilities
		if len(b) == 0 || b[0] == '(' || bytes.HasPrefix(b, []byte("rpmlib(")) {
			return true
		}
		if len(g.names) >= maxCapabilities || len(requires) == maxRequires {
			g.limited = true
			return false
		}
		if id := g.id(b); len(requires) == 0 || requires[len(requires)-1] != id {
			requires = append(requires, id)
		}
		return true
	})
	g.packages = append(g.packages, requires)
}

// resolve sets Depends of the packages, which must be those that were added.
func (g *graph) resolve(packages []inventory.Package) {
	if len(packages) != len(g.packages) {
		return
	}
	g.resolveFiles(packages)
	var needed []int32
	for i := range packages {
		needed = needed[:0]
		for _, id := range g.packages[i] {
			if by := g.providers[id]; by >= 0 && int(by) != i {
				needed = append(needed, by)
			}
		}
		if len(needed) == 0 {
			continue
		}
		slices.Sort(needed)
		needed = slices.Compact(needed)
		names := make([]string, 0, len(needed))
		for _, by := range needed {
			if packages[by].Name != packages[i].Name {
				names = append(names, packages[by].Name)
			}
		}
		slices.Sort(names)
		packages[i].Depends = slices.Compact(names)
	}
}

// resolveFiles finds owners of required files that nobody provides by name.
func (g *graph) resolveFiles(packages []inventory.Package) {
	missing := 0
	for id, name := range g.names {
		if len(name) > 1 && name[0] == '/' && g.providers[id] < 0 {
			missing++
		}
	}
	if missing == 0 {
		return
	}
	paths := make(map[string]uint32, missing)
	for id, name := range g.names {
		if len(name) > 1 && name[0] == '/' && g.providers[id] < 0 {
			paths[name[1:]] = uint32(id)
		}
	}
	for i := range packages {
		for p := range packages[i].Files.All() {
			if id, ok := paths[string(p)]; ok {
				g.providers[id] = int32(i)
				delete(paths, string(p))
			}
		}
	}
}
