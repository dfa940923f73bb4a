package apk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what one database may hold.
const (
	maxPackages    = 100_000
	maxFiles       = 1_000_000 // of one package
	maxPaths       = 128 << 20 // bytes of all paths of one package
	maxPath        = 8192
	maxName        = 512
	maxText        = 4096
	maxDescription = 200
	maxDepends     = 4096
)

// parser reads the database: a line is a letter, a colon and a value; an
// empty line ends a package. Upper-case letters are fields of the package
// (the apk index has the same) up to the first F, which names a directory;
// R names a file in the directory named last, a and Z tell of that file.
type parser struct {
	path string
	out  *inventory.Record

	p        inventory.Package
	lines    int // of this package
	depends  string
	provides string
	broken   string // "f": what of the package is broken, in letters
	virtual  bool
	dir      string
	files    []string
	bytes    int // of files

	needs []string          // what each package depends on
	first int               // index of the first package in out
	by    map[string]string // capability to the package that provides it
}

func read(ctx context.Context, path string, data []byte, out *inventory.Record) error {
	s := parser{path: path, out: out, first: len(out.Packages), by: make(map[string]string)}
	var bad badEntries
	fields := 0
	text := string(data) // one copy, which all files are parts of until they are packed
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.end(); err != nil {
				bad.add(err)
			}
			if len(out.Packages)-s.first >= maxPackages {
				bad.add(fmt.Errorf("more than the limit of %d packages", maxPackages))
				break
			}
			continue
		}
		s.lines++
		if len(line) < 2 || line[1] != ':' {
			bad.add(fmt.Errorf("line %.80q", line))
			continue
		}
		fields++
		if err := s.field(line[0], line[2:]); err != nil {
			bad.add(err)
		}
	}
	if err := s.end(); err != nil {
		bad.add(err)
	}
	s.resolve()
	if fields == 0 && bad.n > 0 {
		return errors.New("not a package database: no field in it")
	}
	return bad.err()
}

func (s *parser) field(letter byte, v string) error {
	switch letter {
	case 'P':
		s.p.Name = v
	case 'V':
		s.p.Version = v
	case 'A':
		s.p.Arch = v
	case 'L':
		s.p.Licenses = nil
		if v != "" {
			s.p.Licenses = []inventory.License{{Raw: text(v, maxText), Source: "declared"}}
		}
	case 'T':
		s.virtual = v == "virtual meta package"
		s.p.Description = text(v, maxDescription)
	case 'o':
		s.p.Source = v
	case 'm':
		s.p.Supplier = text(v, maxText)
	case 'U':
		s.p.Homepage = text(v, maxText)
	case 'I':
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
			s.p.Size = n
		}
	case 'c':
		if word(v) {
			s.p.Meta = map[string]string{"commit": strings.Clone(v)}
		}
	case 'f':
		s.broken = v
	case 'D':
		s.depends = v
	case 'p':
		s.provides = v
	case 'F':
		s.dir = strings.Trim(v, "/")
	case 'R':
		n := len(s.dir) + 1 + len(v)
		if v == "" || n > maxPath || strings.IndexByte(v, 0) >= 0 {
			return fmt.Errorf("file %.80q of package %s", v, s.p.Name)
		}
		if len(s.files) == maxFiles || s.bytes+n > maxPaths {
			if s.bytes <= maxPaths {
				s.bytes = maxPaths + 1
				return fmt.Errorf("more than the limit of %d files or %d bytes of paths in package %s", maxFiles, maxPaths, s.p.Name)
			}
			return nil
		}
		s.bytes += n
		if s.dir == "" {
			s.files = append(s.files, v)
		} else {
			s.files = append(s.files, s.dir+"/"+v)
		}
	}
	return nil
}

// end completes the package whose lines were read.
func (s *parser) end() error {
	if s.lines == 0 {
		return nil
	}
	p, files, depends, provides, broken, virtual := s.p, s.files, s.depends, s.provides, s.broken, s.virtual
	s.p, s.files, s.depends, s.provides, s.broken, s.virtual = inventory.Package{}, s.files[:0], "", "", "", false
	s.lines, s.dir, s.bytes = 0, "", 0
	if !word(p.Name) {
		return fmt.Errorf("package name %.80q", p.Name)
	}
	if !word(p.Version) {
		return fmt.Errorf("version %.80q of package %s", p.Version, p.Name)
	}
	if virtual && len(files) == 0 {
		return nil // made by "apk add --virtual": a name for a set of other packages
	}
	if !word(p.Arch) {
		p.Arch = ""
	}
	// where the source has the package's name, it has its version as well
	if p.Source == p.Name || !word(p.Source) {
		p.Source = ""
	} else {
		p.SourceVersion = p.Version
	}
	if word(broken) {
		if p.Meta == nil {
			p.Meta = make(map[string]string, 1)
		}
		p.Meta["f"] = strings.Clone(broken)
	}
	// strings must not keep the whole database in memory
	p.Type, p.Path, p.Technique = "apk", s.path, inventory.TechDatabase
	p.Name, p.Version, p.Arch = strings.Clone(p.Name), strings.Clone(p.Version), strings.Clone(p.Arch)
	p.Source, p.SourceVersion = strings.Clone(p.Source), strings.Clone(p.SourceVersion)
	if p.SourceVersion != "" {
		p.SourceVersion = p.Version
	}
	p.Files = inventory.NewFileList(files)
	clear(files)
	s.out.Packages = append(s.out.Packages, p)
	s.needs = append(s.needs, depends)
	s.by[p.Name] = p.Name
	for c := range strings.FieldsSeq(provides) {
		if c = capability(c); s.by[c] == "" {
			s.by[c] = p.Name
		}
	}
	return nil
}

// capability cuts version and repository off a dependency.
func capability(s string) string {
	if i := strings.IndexAny(s, "<>=~@"); i >= 0 {
		return s[:i]
	}
	return s
}

// resolve sets Depends: most dependencies name libraries, commands and files,
// and what provides them stands only in the database. Names of packages that
// are not there are kept, conflicts ("!name") are none.
func (s *parser) resolve() {
	for i, needs := range s.needs {
		p := &s.out.Packages[s.first+i]
		n := 0
		for d := range strings.FieldsSeq(needs) {
			c := capability(d)
			if c == "" || c[0] == '!' {
				continue
			}
			name := s.by[c]
			if name == "" && !strings.ContainsAny(c, ":/") && word(c) {
				name = strings.Clone(c)
			}
			if name == "" || name == p.Name {
				continue
			}
			if n++; n > maxDepends {
				break
			}
			p.Depends = append(p.Depends, name)
		}
		slices.Sort(p.Depends)
		p.Depends = slices.Clip(slices.Compact(p.Depends))
	}
}

// word reports whether s can be a name or version: printable, without blanks,
// and of reasonable length.
func word(s string) bool {
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// text makes a copy of at most limit bytes, valid UTF-8.
func text(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for n := 0; n < utf8.UTFMax && len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]); n++ {
			s = s[:len(s)-1]
		}
	}
	return strings.Clone(strings.ToValidUTF8(s, "\uFFFD"))
}

// badEntries counts what could not be used of one file, and keeps the first.
type badEntries struct {
	n     int
	first error
}

func (b *badEntries) add(err error) {
	if b.n == 0 {
		b.first = err
	}
	b.n++
}

func (b *badEntries) err() error {
	switch b.n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("an entry cannot be read: %w", b.first)
	}
	return fmt.Errorf("%d entries cannot be read, the first: %w", b.n, b.first)
}
