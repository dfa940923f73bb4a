package python

import (
	"fmt"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// readConda reads a record of conda-meta: one package of an environment, in
// any language, whose files are relative to the environment's folder.
func readConda(f *analyze.File, out *inventory.Record) error {
	file := f.Path
	var m condaRecord
	base := path.Dir(path.Dir(file))
	var paths []string
	r, err := f.JSON()
	if err != nil {
		return err
	}
	files := 0
	err = r.Members(func(key string) error {
		if key == "files" {
			return r.Elements(func() error {
				s, err := r.String()
				if files++; err != nil || files > maxFiles {
					return err
				}
				if s = resolve(base, s); s != "" {
					paths = append(paths, s)
				}
				return nil
			})
		}
		return m.field(r, key)
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("reading conda record: %w", err)
	}
	if !validName(m.Name) || !validVersion(m.Version) {
		if m.Name == "" && m.Version == "" {
			return nil // another file of conda's in this folder
		}
		return fmt.Errorf("reading conda record: no package %q of version %q", clip(m.Name, maxName), clip(m.Version, maxName))
	}
	p := inventory.Package{
		Type: "conda", Name: m.Name, Version: m.Version, Path: file, Technique: inventory.TechMetadata,
		Qualifiers: map[string]string{},
	}
	for _, q := range [...][2]string{{"build", m.Build}, {"channel", channel(m.Channel)}, {"subdir", m.Subdir}, {"type", archiveType(m.FN)}} {
		if q[1] != "" {
			p.Qualifiers[q[0]] = clip(q[1], maxName)
		}
	}
	if m.License != "" {
		p.Licenses = []inventory.License{{Raw: clip(m.License, maxText), Source: "declared"}}
	}
	for _, d := range m.Depends[:min(len(m.Depends), maxDepends)] {
		if name, _, _ := strings.Cut(d, " "); name != "" {
			p.Depends = append(p.Depends, clip(name, maxName))
		}
	}
	for _, h := range [...][2]string{{"md5", m.MD5}, {"sha256", m.SHA256}} {
		if isHex(h[1]) {
			if p.Hashes == nil {
				p.Hashes = map[string]string{}
			}
			p.Hashes[h[0]] = strings.ToLower(h[1])
		}
	}
	if strings.HasPrefix(m.URL, "http") {
		p.Meta = map[string]string{"url": clip(m.URL, 1<<10)}
	}
	p.Files = inventory.NewFileList(paths)
	out.Packages = append(out.Packages, p)
	if files > maxFiles {
		return fmt.Errorf("reading conda record: more than the limit of %d files", maxFiles)
	}
	return nil
}

// condaRecord is what is kept of a record besides its files.
type condaRecord struct {
	Name, Version, Build, Channel, Subdir, License, FN, URL, MD5, SHA256 string

	Depends []string
}

// field takes the value of a field.
func (m *condaRecord) field(r *jsontext.Reader, key string) error {
	to, ok := map[string]*string{
		"name": &m.Name, "version": &m.Version, "build": &m.Build, "channel": &m.Channel, "subdir": &m.Subdir,
		"license": &m.License, "fn": &m.FN, "url": &m.URL, "md5": &m.MD5, "sha256": &m.SHA256,
	}[key]
	switch {
	case ok:
		return r.Decode(to)
	case key == "depends":
		return r.Decode(&m.Depends)
	}
	return nil
}

// channel is the last element of a channel's name, "main" of "pkgs/main" and
// of an address that ends in it and the platform.
func channel(s string) string {
	s = strings.TrimSuffix(s, "/")
	last := path.Base(s)
	if strings.Contains(s, "://") && (last == "noarch" || strings.HasPrefix(last, "linux-") || strings.HasPrefix(last, "win-") || strings.HasPrefix(last, "osx-")) {
		last = path.Base(path.Dir(s))
	}
	if last == "." {
		return ""
	}
	return last
}

func archiveType(fn string) string {
	switch {
	case strings.HasSuffix(fn, ".conda"):
		return "conda"
	case strings.HasSuffix(fn, ".tar.bz2"):
		return "tar.bz2"
	}
	return ""
}

func isHex(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
