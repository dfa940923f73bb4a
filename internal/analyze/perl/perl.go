// Package perl reads distributions of CPAN: what cpanm, CPAN.pm and make
// installed, and Carton's lock file. Namespaces of their package URLs, the
// authors, are left out because not every witness knows them.
package perl

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads, in descending order of what they know,
//
//   - .meta/DISTRIBUTION/install.json of cpanm and MYMETA.json beside it;
//   - perllocal.pod, the log of installations, whose last word on a module
//     counts. It names the module, which is taken for the distribution's name
//     (Confidence 0.9);
//   - auto/MODULE/.packlist, the files, where they lie in the same layer. One
//     that nothing else speaks of is a package without a version.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "perl" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const (
	maxFile    = 16 << 20
	maxDepends = 1000
	maxFiles   = 200_000
	maxModules = 100_000
)

type kind uint8

const (
	none kind = iota
	install
	mymeta
	local
	packlist
)

func kindOf(p string) kind {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return none
	}
	switch p[i+1:] {
	case "install.json":
		if strings.Contains(p, "/.meta/") {
			return install
		}
	case "MYMETA.json":
		if strings.Contains(p, "/.meta/") {
			return mymeta
		}
	case "perllocal.pod":
		return local
	case ".packlist":
		if strings.Contains(p, "/auto/") {
			return packlist
		}
	}
	return none
}

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if kindOf(e.Path) != none && e.Size <= maxFile {
		return analyze.Together
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	metas := map[string]meta{} // by folder
	owned := map[string]*list{}
	var packages []inventory.Package
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		if err == nil {
			switch kindOf(f.Path) {
			case install:
				var p inventory.Package
				if p, err = readInstall(f.Path, data); err == nil {
					packages = append(packages, p)
				}
			case mymeta:
				var m meta
				if err = json.Unmarshal(data, &m); err == nil {
					metas[path.Dir(f.Path)] = m
				}
			case local:
				err = readLocal(f.Path, string(data), &packages)
			case packlist:
				l := readPacklist(f.Path, string(data))
				owned[l.key()] = l
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading %s: %w", path.Base(f.Path), err)
		}
	}
	for i := range packages {
		p := &packages[i]
		if m, ok := metas[path.Dir(p.Path)]; ok {
			m.describe(p)
		}
		l := list{arch: archDir(p.Path), name: p.Name}
		if l := owned[l.key()]; l != nil {
			p.Files, l.used = l.files, true
		}
	}
	for _, l := range owned {
		if !l.used && analyze.ValidName(l.name) {
			packages = append(packages, inventory.Package{Type: "cpan", Name: l.name, Path: l.path, Technique: inventory.TechFileName, Confidence: 0.8, Files: l.files})
		}
	}
	slices.SortFunc(packages, func(a, b inventory.Package) int { return inventory.ComparePackages(&a, &b) })
	out.Packages = append(out.Packages, packages...)
	return nil
}

// archDir is the folder of a library that files on its modules lie in.
func archDir(p string) string {
	for _, mark := range [...]string{"/.meta/", "/auto/", "/perllocal.pod"} {
		if i := strings.LastIndex(p, mark); i >= 0 {
			return p[:i]
		}
	}
	return ""
}

// list is what a .packlist says.
type list struct {
	path, arch, name string
	files            inventory.FileList
	used             bool
}

func (l *list) key() string { return l.arch + "\x00" + l.name }

func readPacklist(file, data string) *list {
	l := &list{path: file, arch: archDir(file)}
	module := strings.TrimSuffix(strings.TrimPrefix(file, l.arch+"/auto/"), "/.packlist")
	l.name = strings.ReplaceAll(module, "/", "-")
	var paths []string
	for s := range strings.Lines(data) {
		s, _, _ = strings.Cut(strings.TrimRight(s, "\r\n"), " type=")
		s, _, _ = strings.Cut(s, " from=")
		if s = strings.TrimLeft(s, "/"); s != "" && fs.ValidPath(s) && len(paths) < maxFiles {
			paths = append(paths, s)
		}
	}
	l.files = inventory.NewFileList(paths)
	return l
}

func readInstall(file string, data []byte) (inventory.Package, error) {
	p := inventory.Package{Type: "cpan", Path: file, Technique: inventory.TechMetadata}
	var doc struct {
		Dist     string `json:"dist"`
		Pathname string `json:"pathname"` // A/AU/AUTHOR/DISTRIBUTION.tar.gz
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return p, err
	}
	if doc.Dist == "" {
		doc.Dist = path.Base(path.Dir(file))
	}
	if p.Name, p.Version = splitDist(doc.Dist); p.Name == "" {
		return p, fmt.Errorf("%.80q is no distribution and version", doc.Dist)
	}
	setAuthor(&p, doc.Pathname)
	return p, nil
}

func setAuthor(p *inventory.Package, pathname string) {
	if e := strings.Split(strings.TrimPrefix(pathname, "authors/id/"), "/"); len(e) > 3 && analyze.ValidName(e[2]) {
		p.Meta = map[string]string{"author": e[2]}
	}
}

// splitDist takes "Foo-Bar-1.02" apart: the version is what begins with a
// digit, or "v" and one, and has no further dash but that of "-TRIAL".
func splitDist(s string) (name, version string) {
	if len(s) > 2*analyze.MaxName {
		return "", ""
	}
	for i := range len(s) {
		if s[i] == '-' && i > 0 && versionLike(s[i+1:]) {
			if name, version = s[:i], s[i+1:]; analyze.ValidName(name) && analyze.ValidName(version) {
				return name, version
			}
			break
		}
	}
	return "", ""
}

func versionLike(s string) bool {
	if i := strings.Index(s, "-TRIAL"); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimPrefix(s, "v")
	return s != "" && s[0] >= '0' && s[0] <= '9' && !strings.ContainsAny(s, "-/")
}

// meta is the part of CPAN::Meta::Spec 2 that is of use.
type meta struct {
	Abstract  string   `json:"abstract"`
	Author    []string `json:"author"`
	License   []string `json:"license"`
	Resources struct {
		Homepage string `json:"homepage"`
	} `json:"resources"`
	Prereqs struct {
		Runtime struct {
			Requires map[string]json.RawMessage `json:"requires"`
		} `json:"runtime"`
	} `json:"prereqs"`
}

func (m *meta) describe(p *inventory.Package) {
	p.Description = analyze.FirstLine(m.Abstract)
	p.Homepage = analyze.Clip(m.Resources.Homepage, 1024)
	if len(m.Author) > 0 {
		p.Supplier = analyze.FirstLine(m.Author[0])
	}
	for _, l := range m.License {
		if l = analyze.FirstLine(l); l != "" && l != "unknown" && len(p.Licenses) < 20 {
			p.Licenses = append(p.Licenses, inventory.License{Raw: l, Source: "declared"})
		}
	}
	for n := range m.Prereqs.Runtime.Requires {
		if n != "perl" && analyze.ValidName(n) && len(p.Depends) < maxDepends {
			p.Depends = append(p.Depends, n)
		}
	}
	slices.Sort(p.Depends)
}

// readLocal reads the log that installing by MakeMaker writes: a heading
// "=head2 DATE: C<Module> L<Foo::Bar|Foo::Bar>" and items as "C<VERSION: 1.0>".
func readLocal(file, data string, out *[]inventory.Package) error {
	versions := map[string]string{}
	module := ""
	for s := range strings.Lines(data) {
		s = strings.TrimSpace(s)
		if strings.HasPrefix(s, "=head2 ") {
			module = ""
			if _, rest, ok := strings.Cut(s, "C<Module> L<"); ok {
				module, _, _ = strings.Cut(rest, "|")
				module = strings.TrimSuffix(module, ">")
			}
			continue
		}
		if v, ok := strings.CutPrefix(s, "C<VERSION: "); ok && module != "" {
			if v = strings.TrimSpace(strings.TrimSuffix(v, ">")); !analyze.ValidName(v) || v == "undef" || v == "XS_VERSION" {
				v = ""
			}
			if len(versions) >= maxModules {
				return fmt.Errorf("more than the limit of %d modules", maxModules)
			}
			versions[module] = v
		}
	}
	known := map[[2]string]bool{} // cpanm's own record knows more
	arch := archDir(file)
	for i := range *out {
		if p := &(*out)[i]; archDir(p.Path) == arch {
			known[[2]string{p.Name, p.Version}] = true
		}
	}
	for module, v := range versions {
		name := strings.ReplaceAll(module, "::", "-")
		if analyze.ValidName(name) && !known[[2]string{name, v}] {
			*out = append(*out, inventory.Package{Type: "cpan", Name: name, Version: v, Path: file, Technique: inventory.TechMetadata, Confidence: 0.9})
		}
	}
	return nil
}
