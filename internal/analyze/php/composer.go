package php

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits of what is taken out of one file.
const (
	maxName     = 256     // bytes of a name or a version
	maxText     = 200     // bytes of a description, a licence, a supplier
	maxDepends  = 10_000  // dependencies of a package
	maxLicenses = 100     // licence statements of a package
	maxPackages = 100_000 // packages of one file
)

// composerPackage is a package as Composer's installed.json and lock write it.
type composerPackage struct {
	Name        loose           `json:"name"`
	Version     loose           `json:"version"`
	Description loose           `json:"description"`
	Homepage    loose           `json:"homepage"`
	License     json.RawMessage `json:"license"`
	Authors     json.RawMessage `json:"authors"`
	Require     json.RawMessage `json:"require"`
	InstallPath json.RawMessage `json:"install-path"` // null for one without files; missing in version 1
	Type        loose           `json:"type"`
	Dist        archive         `json:"dist"`
	Source      archive         `json:"source"`
}

type archive struct {
	Type      loose `json:"type"`
	Reference loose `json:"reference"`
	SHA1      loose `json:"shasum"`
}

// UnmarshalJSON implements json.Unmarshaler: anything but an object is none.
func (a *archive) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	type plain archive
	return json.Unmarshal(b, (*plain)(a))
}

// loose is a string that tolerates any other value as none.
type loose string

// UnmarshalJSON implements json.Unmarshaler.
func (s *loose) UnmarshalJSON(b []byte) error {
	*s = ""
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	return nil
}

// readInstalled reads installed.json: version 2 is an object, version 1 the
// list of packages itself.
func readInstalled(f *analyze.File, out *inventory.Record) error {
	dir := path.Dir(f.Path)
	err := composerLists(f, func(c *composerPackage, list string) {
		if list != "packages" && list != "" {
			return
		}
		p, ok := c.pack(f.Path)
		if !ok {
			return
		}
		p.Technique = inventory.TechMetadata
		if home := c.home(dir); home != "" {
			p.Files = inventory.NewFileList([]string{home + "/"})
		}
		out.Packages = append(out.Packages, p)
	})
	if err != nil {
		return fmt.Errorf("reading installed.json: %w", err)
	}
	return nil
}

// composerLists calls fn for the packages of the lists of a file, with the
// name of the list: "" where the file is one list.
func composerLists(f *analyze.File, fn func(c *composerPackage, list string)) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n := 0
	one := func(list string) error {
		if n++; n > maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
		var c composerPackage
		if err := r.Decode(&c); err != nil {
			return err
		}
		fn(&c, list)
		return nil
	}
	if r.Kind() == '[' {
		err = r.Elements(func() error { return one("") })
	} else {
		err = r.Members(func(list string) error {
			if list != "packages" && list != "packages-dev" {
				return nil
			}
			return r.Elements(func() error { return one(list) })
		})
	}
	if err != nil {
		return err
	}
	return r.End()
}

// home is the folder of an installed package, "" if it has none. Paths that
// leave the root are none.
func (c *composerPackage) home(dir string) string {
	if c.Type == "metapackage" || string(c.InstallPath) == "null" {
		return ""
	}
	rel := "../" + string(c.Name)
	if len(c.InstallPath) > 0 {
		var s loose
		if s.UnmarshalJSON(c.InstallPath) != nil || s == "" || len(s) > 4096 {
			return ""
		}
		rel = string(s)
	}
	home := path.Join(dir, rel)
	if path.IsAbs(rel) {
		home = path.Clean(rel)[1:]
	}
	if home == "." || home == ".." || strings.HasPrefix(home, "../") || strings.HasPrefix(dir, home+"/") {
		return "" // nothing is left of the root, or it would own everything
	}
	return home
}

func readLock(f *analyze.File, out *inventory.Record) error {
	err := composerLists(f, func(c *composerPackage, list string) {
		p, ok := c.pack(f.Path)
		if !ok || c.Dist.Type == "path" { // a folder of the project
			return
		}
		p.State, p.Technique = inventory.Declared, inventory.TechLockFile
		if list == "packages-dev" {
			p.Scope = "dev"
		}
		out.Packages = append(out.Packages, p)
	})
	if err != nil {
		return fmt.Errorf("reading composer.lock: %w", err)
	}
	return nil
}

func (c *composerPackage) pack(file string) (inventory.Package, bool) {
	vendor, name, _ := strings.Cut(string(c.Name), "/")
	if !validName(vendor) || !validName(name) {
		return inventory.Package{}, false
	}
	p := inventory.Package{Type: "composer", Namespace: vendor, Name: name, Version: string(c.Version), Path: file}
	if !validVersion(p.Version) {
		p.Version = ""
	}
	if strings.HasPrefix(p.Version, "dev-") || strings.HasSuffix(p.Version, "-dev") {
		if ref := string(c.Source.Reference); ref != "" && len(ref) <= maxName {
			p.Meta = map[string]string{"reference": clip(ref, maxName)}
		}
	}
	description, _, _ := strings.Cut(strings.TrimSpace(string(c.Description)), "\n")
	p.Description = clip(description, maxText)
	p.Homepage = clip(string(c.Homepage), 1<<10)
	p.Licenses = licenses(c.License)
	p.Supplier = firstAuthor(c.Authors)
	p.Depends = requires(c.Require)
	if sum := strings.ToLower(string(c.Dist.SHA1)); len(sum) == 40 && isHex(sum) {
		p.Hashes = map[string]string{"sha1": sum}
	}
	return p, true
}

func licenses(raw json.RawMessage) []inventory.License {
	var list []loose
	var one loose
	if one.UnmarshalJSON(raw) == nil && one != "" {
		list = []loose{one}
	} else if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []inventory.License
	for _, l := range list[:min(len(list), maxLicenses)] {
		if s := clip(strings.TrimSpace(string(l)), maxText); s != "" {
			out = append(out, inventory.License{Raw: s, Source: "declared"})
		}
	}
	return out
}

func firstAuthor(raw json.RawMessage) string {
	var list []struct {
		Name  loose `json:"name"`
		Email loose `json:"email"`
	}
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return ""
	}
	return person(string(list[0].Name), string(list[0].Email))
}

func person(name, mail string) string {
	switch {
	case mail == "":
		return clip(name, maxText)
	case name == "":
		return clip(mail, maxText)
	}
	return clip(name+" <"+mail+">", maxText)
}

// requires names the packages that are needed; PHP itself, its extensions and
// libraries (ext-, lib-) are none.
func requires(raw json.RawMessage) []string {
	var o map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &o) != nil {
		return nil
	}
	var names []string
	for k := range o {
		if vendor, name, ok := strings.Cut(k, "/"); ok && validName(vendor) && validName(name) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxDepends)]
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}

// validName reports whether s may be half of a package's name.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// validVersion reports whether s may be a version or a branch ("dev-feature/x").
func validVersion(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', strings.IndexByte(".-+_~/#", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// clip shortens s to at most n bytes without cutting a character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
