// Package dotnet finds NuGet packages: what .deps.json files say a published
// application or a shared framework consists of, what assemblies say of
// themselves, what lies in NuGet's folder of restored packages, and what lock
// files declare.
package dotnet

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// Analyzer reads .deps.json files, also that of a single-file application;
// assemblies; and .nuspec files of restored packages.
//
// A package of a .deps.json owns its assemblies (Files), so that what they say
// of themselves can be dropped. Packages that bring no file of their own,
// because the shared framework has it, are only declared. The application and
// its projects are of type generic: no registry has them.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "dotnet" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	switch e.Kind {
	case inventory.KindPE, inventory.KindELFExec:
		return analyze.Alone
	}
	switch {
	case strings.HasSuffix(e.Path, ".deps.json"):
		return analyze.Alone
	case strings.HasSuffix(e.Path, ".nuspec") && strings.Contains(e.Path, ".nuget/packages/"):
		return analyze.Alone
	}
	return analyze.Ignore
}

const (
	maxPackages  = 100_000
	maxNames     = 1_000_000 // dependencies and files of all libraries of a deps.json
	maxString    = 512
	maxNuspec    = 1 << 20
	sureAssembly = 0.7 // the name of an assembly is mostly that of its package
)

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = file(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

func file(f *analyze.File, out *inventory.Record) error {
	switch {
	case strings.HasSuffix(f.Path, ".deps.json"):
		return depsJSON(f.Path, "", f.Reader(), out)
	case strings.HasSuffix(f.Path, ".nuspec"):
		data, err := f.ReadAll(maxNuspec)
		if err != nil {
			return err
		}
		return nuspec(f.Path, data, out)
	}
	if done, err := bundle(f, out); done || err != nil {
		return err
	}
	if p := openPE(f); p != nil && p.clr.rva != 0 {
		return describeAssembly(p, out)
	}
	return nil
}

// describeAssembly makes a package of a managed assembly. Satellites, which
// hold another language's texts, are parts of theirs; publisher policies are
// no programs.
func describeAssembly(p *peFile, out *inventory.Record) error {
	a, err := p.assembly()
	if err != nil || a == nil {
		return err
	}
	if a.culture != "" && a.culture != "neutral" || strings.HasSuffix(a.name, ".resources") || policy(a.name) {
		return nil
	}
	if !validName(a.name) {
		return fmt.Errorf("assembly is named %.100q", a.name)
	}
	v := p.versionStrings()
	full := fmt.Sprintf("%d.%d.%d.%d", a.version[0], a.version[1], a.version[2], a.version[3])
	version := ""
	for _, s := range [...]string{v["ProductVersion"], v["FileVersion"], full} {
		if version = productVersion(s); version != "" {
			break
		}
	}
	pkg := inventory.Package{
		Type: "nuget", Name: a.name, Version: version, Path: p.f.Path, Technique: inventory.TechManifest, Confidence: sureAssembly,
		Supplier: text(v["CompanyName"]),
	}
	setMeta(&pkg, "assemblyVersion", full)
	setMeta(&pkg, "fileVersion", v["FileVersion"])
	out.Packages = append(out.Packages, pkg)
	return nil
}

// productVersion takes the version out of what a build wrote into a version
// resource: 13.0.1+abcdef is 13.0.1; 0.0.0.0 and words are none.
func productVersion(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "+ ,("); i >= 0 {
		s = s[:i]
	}
	if !validVersion(s) || !strings.Contains(s, ".") || strings.Trim(s, "0.") == "" {
		return ""
	}
	// NuGet writes a fourth number only where it is not zero
	if v, ok := strings.CutSuffix(s, ".0"); ok && strings.Count(v, ".") == 2 {
		return v
	}
	return s
}

// policy reports whether an assembly only redirects from older versions of
// another: policy.MAJOR.MINOR.NAME.
func policy(name string) bool {
	rest, ok := strings.CutPrefix(name, "policy.")
	return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

type depsTarget struct {
	Dependencies   map[string]string          `json:"dependencies"`
	Runtime        map[string]json.RawMessage `json:"runtime"`
	Native         map[string]json.RawMessage `json:"native"`
	Resources      map[string]json.RawMessage `json:"resources"`
	RuntimeTargets map[string]json.RawMessage `json:"runtimeTargets"`
}

type library struct {
	Type   string `json:"type"`
	SHA512 string `json:"sha512"`

	sum string // in hexadecimal
}

// keep shortens what is kept of a library.
func (l *library) keep() {
	l.sum = sha512(l.SHA512)
	l.SHA512 = ""
	if len(l.Type) > maxString {
		l.Type = l.Type[:maxString]
	}
}

// depsJSON reads a runtime configuration (dotnet/sdk,
// documentation/specs/runtime-configuration-file.md). It goes through the text
// once for each of its parts, whose order is free.
func depsJSON(p, inner string, text *io.SectionReader, out *inventory.Record) error {
	if text.Size() > analyze.MaxStream {
		return &analyze.TooLargeError{Path: p, Size: text.Size(), Limit: analyze.MaxStream}
	}
	d := depsFile{path: p, inner: inner, libraries: map[string]library{}}
	for _, part := range [...]func(*jsontext.Reader, string) error{d.head, d.library, d.target} {
		r := jsontext.New(io.NewSectionReader(text, 0, text.Size()), analyze.MaxValue)
		if r.Kind() == '[' && !d.is {
			return r.Skip() // another tool's
		}
		err := r.Members(func(key string) error { return part(r, key) })
		if err == nil {
			err = r.End()
		}
		if err != nil {
			return fmt.Errorf("deps.json: %w", err)
		}
		if !d.is {
			return nil // other tools use the name, too
		}
	}
	d.rest()
	out.Packages = append(out.Packages, d.packages...)
	if d.more > 0 {
		out.Problems = append(out.Problems, inventory.Problem{
			Analyzer: out.Analyzer, Path: p, Limit: "libraries of a deps.json",
			Message: fmt.Sprintf("%d libraries, of which %d are listed", d.more+maxPackages, maxPackages),
		})
	}
	if d.bad > 0 {
		return fmt.Errorf("%d libraries have no name and version", d.bad)
	}
	return nil
}

// depsFile is what is kept of a deps.json until all its parts are read.
type depsFile struct {
	path, inner string
	is          bool               // it has libraries
	targetName  string             // of what it runs on
	libraries   map[string]library // those whose place in the target was not read yet
	hasTarget   bool
	packages    []inventory.Package
	bad, more   int
	names       int // of dependencies and files
}

func (d *depsFile) head(r *jsontext.Reader, key string) error {
	switch key {
	case "libraries":
		d.is = true
	case "runtimeTarget":
		raw, err := r.Value()
		if err != nil {
			return err
		}
		var name struct {
			Name string `json:"name"`
		}
		// a string in files of the first versions
		if json.Unmarshal(raw, &name) != nil {
			_ = json.Unmarshal(raw, &name.Name)
		}
		d.targetName = name.Name
	}
	return nil
}

func (d *depsFile) library(r *jsontext.Reader, key string) error {
	if key != "libraries" {
		return nil
	}
	return r.Members(func(key string) error {
		if len(d.libraries) >= maxPackages {
			d.more++
			return nil
		}
		var l library
		if err := r.Decode(&l); err != nil {
			return err
		}
		if id, version, ok := strings.Cut(key, "/"); id == "" {
			return nil
		} else if !ok || !validName(strings.TrimPrefix(id, "runtimepack.")) || !validVersion(version) {
			d.bad++
			return nil
		}
		l.keep()
		d.libraries[key] = l
		return nil
	})
}

func (d *depsFile) target(r *jsontext.Reader, key string) error {
	if key != "targets" {
		return nil
	}
	return r.Members(func(name string) error {
		if name != d.targetName {
			return nil
		}
		d.hasTarget = true
		return r.Members(func(key string) error {
			l, ok := d.libraries[key]
			if !ok {
				return nil
			}
			var t depsTarget
			if err := r.Decode(&t); err != nil {
				return err
			}
			if d.names += len(t.Dependencies) + len(t.Runtime) + len(t.Native) + len(t.Resources) + len(t.RuntimeTargets); d.names > maxNames {
				return fmt.Errorf("more than the limit of %d dependencies and files", maxNames)
			}
			delete(d.libraries, key)
			d.add(key, l, t)
			return nil
		})
	})
}

// rest lists what has no place in the target, and orders the packages.
func (d *depsFile) rest() {
	for _, k := range slices.Sorted(maps.Keys(d.libraries)) {
		d.add(k, d.libraries[k], depsTarget{})
	}
	slices.SortFunc(d.packages, func(a, b inventory.Package) int { return inventory.ComparePackages(&a, &b) })
}

func (d *depsFile) add(key string, l library, t depsTarget) {
	id, version, _ := strings.Cut(key, "/")
	pkg := inventory.Package{Type: "nuget", Name: strings.TrimPrefix(id, "runtimepack."), Version: version, Path: d.path, Inner: d.inner, Technique: inventory.TechMetadata}
	switch l.Type {
	case "package", "runtimepack", "":
		if d.hasTarget && len(t.Runtime)+len(t.Native)+len(t.Resources)+len(t.RuntimeTargets) == 0 {
			pkg.State = inventory.Declared
		}
	default: // project, reference, referenceassembly …
		pkg.Type = "generic"
		setMeta(&pkg, "type", l.Type)
	}
	if l.sum != "" {
		pkg.Hashes = map[string]string{"sha512": l.sum}
	}
	for dep := range t.Dependencies {
		if validName(dep) {
			pkg.Depends = append(pkg.Depends, dep)
		}
	}
	slices.Sort(pkg.Depends)
	if d.inner == "" {
		dir := path.Dir(d.path) + "/"
		if dir == "./" {
			dir = ""
		}
		pkg.Files = inventory.NewFileList(assets(dir, t, sharedFramework(d.path) && len(t.Runtime) > 0))
	}
	d.packages = append(d.packages, pkg)
}

// assets lists where publishing puts the files of a package: assemblies and
// native libraries beside the .deps.json, translations in a folder of their
// language, files for one platform at their full path.
func assets(dir string, t depsTarget, whole bool) []string {
	if whole {
		return []string{dir}
	}
	var out []string
	for f := range t.Runtime {
		out = append(out, dir+path.Base(f))
	}
	for f := range t.Native {
		out = append(out, dir+path.Base(f))
		if strings.Contains(f, "/") {
			out = append(out, dir+path.Clean(f))
		}
	}
	for f := range t.Resources {
		out = append(out, dir+path.Base(path.Dir(f))+"/"+path.Base(f))
	}
	for f := range t.RuntimeTargets {
		out = append(out, dir+path.Clean(f))
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.Contains(s, "../") || len(s) > 4096 })
}

// sharedFramework reports whether p is shared/NAME/VERSION/NAME.deps.json.
func sharedFramework(p string) bool {
	parts := strings.Split(p, "/")
	n := len(parts)
	return n >= 4 && parts[n-4] == "shared" && parts[n-1] == parts[n-3]+".deps.json"
}

// sha512 turns "sha512-" and base64 into hexadecimal.
func sha512(s string) string {
	s = strings.TrimPrefix(s, "sha512-")
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 64 {
		return ""
	}
	return hex.EncodeToString(b)
}

// nuspec reads the description of a package in the folder of restored
// packages: there, but not part of an application.
func nuspec(p string, data []byte, out *inventory.Record) error {
	var n struct {
		XMLName  xml.Name `xml:"package"`
		Metadata struct {
			ID          string `xml:"id"`
			Version     string `xml:"version"`
			Authors     string `xml:"authors"`
			ProjectURL  string `xml:"projectUrl"`
			Description string `xml:"description"`
			LicenseURL  string `xml:"licenseUrl"`
			License     struct {
				Type  string `xml:"type,attr"`
				Value string `xml:",chardata"`
			} `xml:"license"`
		} `xml:"metadata"`
	}
	if err := xml.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("nuspec: %w", err)
	}
	m := n.Metadata
	m.ID, m.Version = strings.TrimSpace(m.ID), strings.TrimSpace(m.Version)
	if !validName(m.ID) || !validVersion(m.Version) {
		return fmt.Errorf("nuspec: no id and version")
	}
	pkg := inventory.Package{
		Type: "nuget", Name: m.ID, Version: m.Version, Path: p, State: inventory.Declared, Technique: inventory.TechMetadata,
		Supplier: text(m.Authors), Description: firstLine(m.Description),
	}
	if strings.HasPrefix(m.ProjectURL, "http") {
		pkg.Homepage = text(m.ProjectURL)
	}
	switch l := text(m.License.Value); {
	case l != "" && m.License.Type == "expression":
		pkg.Licenses = []inventory.License{{Raw: l, Source: "declared"}}
	case text(m.LicenseURL) != "" && !strings.Contains(m.LicenseURL, "aka.ms/deprecateLicenseUrl"):
		pkg.Licenses = []inventory.License{{Raw: text(m.LicenseURL), Source: "declared"}}
	}
	out.Packages = append(out.Packages, pkg)
	return nil
}

// validName reports whether s can be the id of a package or an assembly's name.
func validName(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '_', c == '-', c == '+', c >= 0x80:
		default:
			return false
		}
	}
	return true
}

// validVersion reports whether s begins with a number and holds what versions hold.
func validVersion(s string) bool {
	if s == "" || len(s) > 256 || s[0] < '0' || s[0] > '9' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '_', c == '-', c == '+':
		default:
			return false
		}
	}
	return true
}

// text makes one short line of a value.
func text(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(s) > maxString {
		return ""
	}
	return s
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > 200 {
		cut := 200
		for cut > 0 && s[cut]&0xc0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	return s
}

func setMeta(p *inventory.Package, key, value string) {
	if value = text(value); value == "" {
		return
	}
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	p.Meta[key] = value
}
