package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// join puts the facts of all layers together: what needs several files, or
// files of several layers, is decided here, once.
func join(img *Image, layers []Layer, paths map[string]*presence, elf *programs, links *linkMap, all bool) {
	j := joiner{img: img, elf: elf, paths: paths, links: links, all: all, origins: newOrigins(layers, paths)}
	for i := range layers {
		for k := range layers[i].Records {
			j.collect(i, &layers[i].Records[k])
		}
	}
	j.attachFiles()
	j.divert()
	j.own()
	j.ownModules()
	j.binaries()
	j.dropDoubtful()
	j.licenses()
	j.finish()
}

// occurrence is one package at one place of one layer.
type occurrence struct {
	Package
	analyzer string
	hidden   bool
}

type joiner struct {
	img     *Image
	paths   map[string]*presence
	elf     *programs
	links   *linkMap
	all     bool
	origins *origins

	found    []*occurrence
	owned    []Ownership
	diverted map[string]*Diversion // by From
	licence  []LicenseFile
	programs []Binary
	owner    map[string]*occurrence // path of interest to the OS package that owns it
	exact    map[string]*occurrence // path of interest to the language package that lists it
	dirs     map[string]*occurrence // directory to the language package that owns everything below
	claim    map[string]string      // path of an executable to what accounts for it
}

// distroFiles orders the files a distribution names itself in: earlier ones
// win. The generic files come last, because descendants keep those of the
// distribution they come from.
var distroFiles = []string{
	"etc/os-release", "usr/lib/os-release", "lib/os-release",
	"etc/rocky-release", "etc/almalinux-release", "etc/oracle-release", "etc/centos-release", "etc/fedora-release", "etc/photon-release",
	"etc/mariner-release", "etc/azurelinux-release", "etc/openEuler-release", "etc/SuSE-release", "etc/alpine-release", "etc/slackware-version",
	"etc/redhat-release", "etc/system-release",
	"etc/lsb-release", "etc/openwrt_release",
	"etc/gentoo-release", "etc/arch-release", "etc/debian_version",
}

func distroRank(path string) int {
	if i := slices.Index(distroFiles, path); i >= 0 {
		return i
	}
	if strings.HasSuffix(path, "/sys-root/usr/lib/os-release") {
		return 2 // Bottlerocket
	}
	return len(distroFiles)
}

func (j *joiner) collect(layer int, r *Record) {
	shown := func(path string) bool { return j.paths[path].visible(layer) }
	for i := range r.Distros {
		d := r.Distros[i]
		if !shown(d.Path) {
			continue
		}
		old := j.img.Distro
		if old == nil || distroRank(d.Path) < distroRank(old.Path) ||
			distroRank(d.Path) == distroRank(old.Path) && (old.Version == "" && d.Version != "" || (d.Version != "") == (old.Version != "") && d.Path < old.Path) {
			j.img.Distro = &d
		}
	}
	for i := range r.Packages {
		visible := shown(r.Packages[i].Path)
		if !visible && !j.all {
			continue
		}
		o := &occurrence{Package: r.Packages[i], analyzer: r.Analyzer, hidden: !visible}
		o.Layer = layer
		if visible {
			o.Layer = j.origins.origin(&o.Package, layer)
		}
		j.found = append(j.found, o)
	}
	for i := range r.Owned {
		if shown(r.Owned[i].Path) || j.all {
			j.owned = append(j.owned, r.Owned[i])
		}
	}
	for i := range r.Diverted {
		if d := &r.Diverted[i]; shown(d.Path) {
			if j.diverted == nil {
				j.diverted = map[string]*Diversion{}
			}
			j.diverted[d.From] = d
		}
	}
	for i := range r.Licenses {
		if shown(r.Licenses[i].Path) {
			l := r.Licenses[i]
			l.Layer = layer
			j.licence = append(j.licence, l)
		}
	}
	for i := range r.Binaries {
		if shown(r.Binaries[i].Path) {
			b := r.Binaries[i]
			b.Layer = layer
			j.programs = append(j.programs, b)
		}
	}
	for _, f := range r.Facts {
		f.Layer, f.Hidden = layer, !shown(f.Path)
		j.img.Facts = append(j.img.Facts, f)
	}
	for _, p := range r.Problems {
		pr := j.paths[p.Path]
		if p.Path == "" || j.all || len(pr.history) == 0 || pr.visible(layer) {
			p.Layer = layer
			p.Analyzer = cmp.Or(p.Analyzer, r.Analyzer)
			j.img.Problems = append(j.img.Problems, p)
		}
	}
}

// attachFiles gives packages the file lists that stand in files of their own:
// by type, name and architecture, and for language packages by the directory
// they share.
func (j *joiner) attachFiles() {
	if len(j.owned) == 0 {
		return
	}
	type key struct{ typ, name string }
	lists := map[key][]*Ownership{}
	for i := range j.owned {
		o := &j.owned[i]
		k := key{o.Type, o.Name}
		lists[k] = append(lists[k], o)
	}
	for i := range j.found {
		p := &j.found[i].Package
		if p.Files.Len() > 0 {
			continue
		}
		for _, o := range lists[key{p.Type, p.Name}] {
			if !OSType(p.Type) && parent(o.Path) != parent(p.Path) {
				continue
			}
			if o.Arch != "" && p.Arch != "" && o.Arch != p.Arch {
				continue
			}
			p.Files = o.Files
			if o.Arch != "" {
				break // the list of just this architecture
			}
		}
	}
}

// divert makes the file lists of Debian packages say where dpkg really put
// the files. It compares paths as they are written, as dpkg does.
func (j *joiner) divert() {
	if len(j.diverted) == 0 {
		return
	}
	for i := range j.found {
		p := &j.found[i].Package
		if p.Type != "deb" || j.found[i].hidden {
			continue
		}
		diverted := func(path []byte) *Diversion {
			if d := j.diverted[string(path)]; d != nil && d.By != p.Name {
				return d
			}
			return nil
		}
		touched := false
		for path := range p.Files.All() {
			if touched = diverted(path) != nil; touched {
				break
			}
		}
		if !touched {
			continue
		}
		paths := make([]string, 0, p.Files.Len())
		for path := range p.Files.All() {
			if d := diverted(path); d != nil {
				paths = append(paths, d.To)
			} else {
				paths = append(paths, string(path))
			}
		}
		p.Files = NewFileList(paths)
	}
}

// own finds which OS package owns the paths that matter: executables and the
// files that make language packages.
func (j *joiner) own() {
	j.owner = map[string]*occurrence{}
	j.claim = map[string]string{}
	for i := range j.found {
		if !j.found[i].OS() {
			j.owner[j.found[i].Path] = nil
		}
	}
	for i := range j.elf.list {
		j.owner[j.elf.list[i].Path] = nil
	}
	for i := range j.licence {
		if l := &j.licence[i]; l.Package == "" {
			j.owner[l.Path] = nil
		}
	}
	for i := range j.found {
		o := j.found[i]
		if o.OS() && !o.hidden {
			j.eachFile(o.Files, func(p []byte) {
				if old, ok := j.owner[string(p)]; ok && old == nil {
					j.owner[string(p)] = o
				}
			})
		}
	}
	for i := range j.found {
		o := j.found[i]
		if o.OS() || o.State != Installed {
			continue
		}
		if owner := j.owner[o.Path]; owner != nil {
			o.Owner = owner.Type + "/" + owner.Name
		}
	}
}

// ownModules finds which language package owns the paths that matter, and
// which directories are whole such a package's.
func (j *joiner) ownModules() {
	j.exact, j.dirs = map[string]*occurrence{}, map[string]*occurrence{}
	for i := range j.found {
		o := j.found[i]
		if o.OS() || o.hidden || o.State != Installed {
			continue
		}
		j.exact[o.Path] = o
		j.eachFile(o.Files, func(p []byte) {
			if len(p) > 0 && p[len(p)-1] == '/' {
				j.dirs[string(p[:len(p)-1])] = o
			} else if _, ok := j.owner[string(p)]; ok {
				j.exact[string(p)] = o
			}
		})
	}
}

// module returns the language package that lists a path or, being the nearest
// above, lives around it.
func (j *joiner) module(path string) *occurrence {
	if o := j.exact[path]; o != nil {
		return o
	}
	if len(j.dirs) > 0 {
		for d := parent(path); d != ""; d = parent(d) {
			if o := j.dirs[d]; o != nil {
				return o
			}
		}
	}
	return nil
}

// eachFile yields the paths of a list where links really put them. The bytes
// are valid until the next.
func (j *joiner) eachFile(l FileList, yield func([]byte)) {
	var dir, real string
	var buf []byte
	known := false
	for p := range l.All() {
		i := len(p) - 1
		for i >= 0 && p[i] != '/' {
			i--
		}
		if i <= 0 || len(j.links.target) == 0 {
			yield(p)
			continue
		}
		if !known || string(p[:i]) != dir {
			dir = string(p[:i])
			real, _ = j.links.resolveDir(dir)
			known = true
		}
		if real == dir {
			yield(p)
			continue
		}
		buf = buf[:0]
		if real != "" {
			buf = append(append(buf, real...), '/')
		}
		buf = append(buf, p[i+1:]...)
		yield(buf)
	}
}

// binaries decides what accounts for each executable: the OS package that
// owns it, the language package that lists it or lives in it, or what its
// signature says. The rest is listed.
func (j *joiner) binaries() {
	account := func(path string) string {
		o := j.owner[path]
		if o == nil {
			o = j.module(path)
		}
		if o == nil {
			return ""
		}
		return o.Type + "/" + o.Name
	}
	known := map[string]*Binary{}
	for i := range j.programs {
		known[j.programs[i].Path] = &j.programs[i]
	}
	cov := &j.img.Coverage
	if n := j.elf.more; n > 0 {
		cov.Executables, cov.Bytes = n, j.elf.bytes
		j.img.Problems = append(j.img.Problems, Problem{Analyzer: "squash", Layer: -1, Limit: "executables",
			Message: fmt.Sprintf("%d executables beyond the limit of %d count as attributed to no package and are not listed", n, maxPrograms)})
	}
	for i := range j.elf.list {
		c := &j.elf.list[i]
		path := c.Path
		by := account(path)
		b := known[path]
		if by == "" && b != nil {
			by = j.listless(b.Products)
		}
		if by == "" && b != nil && len(b.Products) > 0 {
			for _, p := range b.Products {
				p.Path = path
				o := &occurrence{Package: p, analyzer: "binary"}
				o.Layer = c.Layer
				j.found = append(j.found, o)
			}
			by = "generic/" + b.Products[0].Name
		}
		if c.Link != "" {
			if t, ok := j.img.Files.Lookup(c.Link); ok && t.Layer == c.Layer && t.Type == Regular {
				continue // the same bytes, counted under their first name
			}
		}
		cov.Executables++
		cov.Bytes += c.Size
		if by != "" {
			cov.AttributedFiles++
			cov.AttributedBytes += c.Size
			continue
		}
		if b == nil {
			b = &Binary{Path: path}
		}
		left := *b
		left.Layer, left.Size, left.Products = c.Layer, c.Size, nil
		j.img.Binaries = append(j.img.Binaries, left)
	}
}

// listless finds the OS package that a recognised product belongs to where
// package databases keep no file lists, as in older distroless images: one of
// that name, or made of a source of that name, in the same upstream version.
func (j *joiner) listless(products []Package) string {
	for i := range products {
		for k := range j.found {
			o := j.found[k]
			if !o.OS() || o.hidden || o.Files.Len() > 0 || o.Name != products[i].Name && o.Source != products[i].Name {
				continue
			}
			version := o.Version
			if _, rest, ok := strings.Cut(version, ":"); ok {
				version = rest
			}
			if rest, ok := strings.CutPrefix(version, products[i].Version); ok && (rest == "" || strings.IndexByte("-+~_:", rest[0]) >= 0) {
				return o.Type + "/" + o.Name
			}
		}
	}
	return ""
}

// dropDoubtful removes what was only guessed from a file that a better
// witness of the same type accounts for: an assembly that a deps.json lists.
func (j *joiner) dropDoubtful() {
	sure := map[string]string{} // path to type
	for i := range j.found {
		o := j.found[i]
		if o.Type == "nuget" && o.Confidence == 0 && o.State == Installed {
			j.eachFile(o.Files, func(p []byte) { sure[string(p)] = o.Type })
		}
	}
	if len(sure) == 0 {
		return
	}
	j.found = slices.DeleteFunc(j.found, func(o *occurrence) bool {
		return o.Confidence > 0 && sure[o.Path] == o.Type
	})
}
