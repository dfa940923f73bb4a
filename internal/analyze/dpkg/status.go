package dpkg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what one status file may hold. Names are limited to what fits
// into a file name, for dpkg makes file names of them.
const (
	maxPackages    = 100_000
	maxName        = 255
	maxText        = 1024 // of maintainer, home page …
	maxDescription = 200
	maxDepends     = 4096
)

// entry is one paragraph of a status file. The slices lie in the file.
type entry struct {
	name, version, arch, status, source []byte
	maintainer, homepage, description   []byte
	size, section, priority, essential  []byte
	depends, preDepends                 []byte
}

// readStatus appends the packages of a status file. single says that it is
// one of status.d, where every package is installed, whatever its status.
func readStatus(ctx context.Context, path string, data []byte, single bool, out *inventory.Record) error {
	var (
		e      entry
		fields int
		bad    badEntries
		shared = make(interner)
		before = len(out.Packages)
	)
	for key, value := range paragraphs(data) {
		if len(key) > 0 {
			fields++
			e.set(key, value)
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if present(e.status) || single {
			if len(out.Packages)-before >= maxPackages {
				bad.add(fmt.Errorf("more than the limit of %d packages", maxPackages))
				break
			}
			if p, err := e.pack(path, shared); err != nil {
				bad.add(err)
			} else {
				out.Packages = append(out.Packages, p)
			}
		}
		e = entry{}
	}
	if fields == 0 && len(bytes.TrimSpace(data)) > 0 {
		return errors.New("not a package database: no field in it")
	}
	return bad.err()
}

// present tells from a Status field ("want flag state") whether the package's
// files are there. After config-files and not-installed they are not; in the
// states between, unpacking has at least begun (dpkg(1), package states).
// dpkg always writes the field; entries without it are other tools', and
// these write down only what they put there.
func present(status []byte) bool {
	if len(status) == 0 {
		return true
	}
	state := status[bytes.LastIndexByte(status, ' ')+1:]
	return !bytes.EqualFold(state, []byte("not-installed")) && !bytes.EqualFold(state, []byte("config-files"))
}

func (e *entry) set(key, value []byte) {
	switch string(key) {
	case "package":
		e.name = value
	case "version":
		e.version = value
	case "architecture":
		e.arch = value
	case "status":
		e.status = value
	case "source":
		e.source = value
	case "maintainer":
		e.maintainer = value
	case "homepage":
		e.homepage = value
	case "description":
		e.description = firstLine(value)
	case "installed-size":
		e.size = value
	case "section":
		e.section = value
	case "priority":
		e.priority = value
	case "essential":
		e.essential = value
	case "depends":
		e.depends = value
	case "pre-depends":
		e.preDepends = value
	}
}

func (e *entry) pack(path string, shared interner) (inventory.Package, error) {
	if !word(e.name) {
		return inventory.Package{}, fmt.Errorf("package name %.80q", e.name)
	}
	if !word(e.version) {
		return inventory.Package{}, fmt.Errorf("version %.80q of package %s", e.version, e.name)
	}
	p := inventory.Package{
		Type:        "deb",
		Name:        string(e.name),
		Version:     string(e.version),
		Path:        path,
		Technique:   inventory.TechDatabase,
		Supplier:    shared.text(e.maintainer, maxText),
		Homepage:    text(e.homepage, maxText),
		Description: text(e.description, maxDescription),
	}
	if word(e.arch) {
		p.Arch = shared.text(e.arch, maxName)
	}
	p.Source, p.SourceVersion = source(e.source, &p)
	if kib, err := strconv.ParseInt(string(e.size), 10, 64); err == nil && kib > 0 && kib < 1<<50 {
		p.Size = kib << 10
	}
	p.Depends = depends(depends(nil, e.preDepends), e.depends)
	slices.Sort(p.Depends)
	p.Depends = slices.Clip(slices.Compact(p.Depends))
	meta := func(key string, value []byte) {
		if len(value) == 0 || len(value) > maxName {
			return
		}
		if p.Meta == nil {
			p.Meta = make(map[string]string, 3)
		}
		p.Meta[key] = shared.text(value, maxName)
	}
	meta("Section", e.section)
	meta("Priority", e.priority)
	if bytes.EqualFold(e.essential, []byte("yes")) {
		meta("Essential", []byte("yes"))
	}
	// "hold ok installed" is as good as any; what is half done is worth knowing
	if i := bytes.IndexByte(e.status, ' '); i >= 0 && string(e.status[i:]) != " ok installed" {
		meta("Status", e.status)
	}
	return p, nil
}

// source splits a Source field, "NAME" or "NAME (VERSION)"; without a version
// it is the package's own. Both are empty when they say nothing new.
func source(field []byte, p *inventory.Package) (name, version string) {
	head, rest, _ := bytes.Cut(field, []byte("("))
	n := bytes.TrimSpace(head)
	v, _, _ := bytes.Cut(rest, []byte(")"))
	v = bytes.TrimSpace(v)
	if !word(n) {
		n = []byte(p.Name)
	}
	if !word(v) {
		v = []byte(p.Version)
	}
	if string(n) == p.Name && string(v) == p.Version {
		return "", ""
	}
	return string(n), string(v)
}

// depends appends the names in a dependency field: alternatives all, without
// versions and architectures.
func depends(names []string, field []byte) []string {
	for len(field) > 0 {
		i := bytes.IndexAny(field, ",|")
		one := field
		if i >= 0 {
			one, field = field[:i], field[i+1:]
		} else {
			field = nil
		}
		one = bytes.TrimSpace(one)
		if j := bytes.IndexAny(one, " \t\n([<:"); j >= 0 {
			one = one[:j]
		}
		if word(one) && len(names) < maxDepends {
			names = append(names, string(one))
		}
	}
	return names
}

// word reports whether b can be a name or version: printable, without blanks,
// and of reasonable length.
func word(b []byte) bool {
	if len(b) == 0 || len(b) > maxName {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// text makes a string of at most limit bytes, one line, valid UTF-8.
func text(b []byte, limit int) string {
	if len(b) > limit {
		b = b[:limit]
		for n := 0; n < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b[max(0, len(b)-utf8.UTFMax):]); n++ {
			b = b[:len(b)-1]
		}
	}
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	if strings.ContainsAny(s, "\n\r") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

// interner keeps one copy of the strings that occur again and again.
type interner map[string]string

func (m interner) text(b []byte, limit int) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := m[string(b)]; ok {
		return s
	}
	s := text(b, limit)
	m[string(b)] = s
	return s
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
