package match

import (
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// owners knows which OS packages their distribution speaks of.
type owners struct {
	answered map[string]bool // "TYPE/NAME" of the OS packages: is there a word of the distribution?
	distro   bool            // is there one for the image's distribution?
}

func newOwners(in Input, c Coverage) *owners {
	o := &owners{answered: map[string]bool{}}
	speaks := func(p *inventory.Package) bool {
		ls, state := lookups(p, in.Distro)
		if state != Judged || len(ls) == 0 {
			return false
		}
		if c == nil {
			return true
		}
		known, _ := c.Stream(ls[0].key.Stream)
		return known
	}
	for i := range in.Packages {
		if p := &in.Packages[i]; p.OS() {
			o.answered[p.Type+"/"+p.Name] = o.answered[p.Type+"/"+p.Name] || speaks(p)
		}
	}
	if in.Distro != nil {
		o.distro = speaks(&inventory.Package{Type: "deb", Name: "any", Version: "0"})
	}
	return o
}

// suppress silences the findings of a package that an OS package owns: it
// answers to the distribution. Where nobody speaks for the distribution they
// stand: silence about both would be no answer.
func (o *owners) suppress(p *inventory.Package, fs []Finding) {
	answered, listed := o.answered[p.Owner]
	if !listed {
		answered = o.distro
	}
	if !answered {
		return
	}
	for i := range fs {
		fs[i].Suppressed = "owned by " + p.Owner + ": its distribution speaks of it"
	}
}
