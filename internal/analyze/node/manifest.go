package node

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// Limits of what is taken out of one file.
const (
	maxManifest = 8 << 20 // bytes of a package.json
	maxField    = 1 << 20 // bytes of one of its fields
	maxName     = 256     // bytes of a name or a version
	maxText     = 200     // bytes of a description, a licence, a supplier
	maxDepends  = 10_000  // dependencies of a package
	maxLicenses = 100     // licence statements of a package
	maxPackages = 100_000 // packages of one file
)

// parseManifest makes a package of a package.json. place is the name of its
// folder, which stands in where the file has none. A file that describes no
// package (no name, or one that cannot be) gives one without Name.
func parseManifest(data []byte, place string) (inventory.Package, error) {
	m, err := manifestFields(data)
	if err != nil {
		return inventory.Package{}, fmt.Errorf("reading package.json: %w", err)
	}
	full, version := text(m["name"]), strings.TrimSpace(text(m["version"]))
	if !validName(full) {
		if full != "" || version == "" || !validName(place) {
			return inventory.Package{}, nil
		}
		full = place
	}
	if !validVersion(version) {
		version = ""
	}
	p := newPackage(full, version)
	p.Technique = inventory.TechMetadata
	p.Licenses = licenses(m["license"], m["licenses"])
	p.Supplier = person(m["author"])
	if p.Supplier == "" {
		p.Supplier = firstPerson(m["maintainers"])
	}
	p.Homepage = homepage(m["homepage"], m["repository"])
	description, _, _ := strings.Cut(strings.TrimSpace(text(m["description"])), "\n")
	p.Description = clip(description, maxText)
	p.Depends = keys(m["dependencies"])
	if h := text(m["_integrity"]); h != "" {
		p.Hashes = integrity(h)
	} else if h := text(m["_shasum"]); isHex(h) && len(h) == 40 {
		p.Hashes = map[string]string{"sha1": strings.ToLower(h)}
	}
	if string(m["private"]) == "true" {
		setMeta(&p, "private", "true")
	}
	return p, nil
}

// manifestFields returns the fields of a package.json that say something of
// the package.
func manifestFields(data []byte) (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	r := jsontext.New(bytes.NewReader(data), maxField)
	err := r.Members(func(key string) error {
		switch key {
		case "name", "version", "license", "licenses", "author", "maintainers", "homepage", "repository", "description", "dependencies", "_integrity", "_shasum", "private":
			raw, err := r.Value()
			m[key] = bytes.Clone(raw)
			return err
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	return m, err
}

// newPackage makes a package of a name with its scope.
func newPackage(full, version string) inventory.Package {
	p := inventory.Package{Type: "npm", Name: full, Version: version}
	if scope, name, ok := strings.Cut(full, "/"); ok {
		p.Namespace, p.Name = scope, name
	}
	return p
}

func setMeta(p *inventory.Package, key, value string) {
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	p.Meta[key] = value
}

// text is raw as a string, "" if it is anything else.
func text(raw json.RawMessage) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// licenses reads "license", an expression or, of old, an object or a list,
// and "licenses", of old a list.
func licenses(raws ...json.RawMessage) []inventory.License {
	var out []inventory.License
	add := func(s string) {
		s = clip(strings.TrimSpace(s), maxText)
		if s != "" && len(out) < maxLicenses && !slices.ContainsFunc(out, func(l inventory.License) bool { return l.Raw == s }) {
			out = append(out, inventory.License{Raw: s, Source: "declared"})
		}
	}
	one := func(raw json.RawMessage) {
		if s := text(raw); s != "" {
			add(s)
			return
		}
		var o map[string]json.RawMessage
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		for _, k := range [...]string{"type", "name", "url"} {
			if s := text(o[k]); s != "" {
				add(s)
				return
			}
		}
	}
	for _, raw := range raws {
		if len(raw) > 0 && raw[0] == '[' {
			var list []json.RawMessage
			if json.Unmarshal(raw, &list) == nil {
				for _, r := range list[:min(len(list), maxLicenses)] {
					one(r)
				}
			}
			continue
		}
		one(raw)
	}
	return out
}

// person reads "Name <mail> (address)" or the object of these.
func person(raw json.RawMessage) string {
	if s := text(raw); s != "" {
		if i := strings.Index(s, " ("); i > 0 {
			s = s[:i]
		}
		return clip(strings.TrimSpace(s), maxText)
	}
	var o map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &o) != nil {
		return ""
	}
	name, mail := text(o["name"]), text(o["email"])
	switch {
	case mail == "":
		return clip(name, maxText)
	case name == "":
		return clip(mail, maxText)
	}
	return clip(name+" <"+mail+">", maxText)
}

func firstPerson(raw json.RawMessage) string {
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return ""
	}
	return person(list[0])
}

// homepage is the address of the package, else that of its repository, which
// is an address, an object with one, or "user/repository" of GitHub.
func homepage(home, repository json.RawMessage) string {
	if s := text(home); strings.Contains(s, "://") {
		return clip(s, 1<<10)
	}
	s := text(repository)
	if s == "" && len(repository) > 0 && repository[0] == '{' {
		var o map[string]json.RawMessage
		if json.Unmarshal(repository, &o) == nil {
			s = text(o["url"])
		}
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "git+"), ".git")
	switch {
	case s == "":
		return ""
	case strings.HasPrefix(s, "git://"):
		s = "https" + s[3:]
	case strings.HasPrefix(s, "github:"):
		s = "https://github.com/" + s[7:]
	case !strings.Contains(s, ":") && strings.Count(s, "/") == 1:
		s = "https://github.com/" + s
	}
	if !strings.HasPrefix(s, "http") {
		return ""
	}
	return clip(s, 1<<10)
}

// keys are the keys of an object, sorted.
func keys(raw json.RawMessage) []string {
	var o map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &o) != nil || len(o) == 0 {
		return nil
	}
	names := make([]string, 0, len(o))
	for k := range o {
		if validName(k) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxDepends)]
}

// integrity reads subresource integrity, "sha512-BASE64" of one or several
// algorithms, into hexadecimal digits.
func integrity(s string) map[string]string {
	var out map[string]string
	for part := range strings.FieldsSeq(s) {
		alg, sum, ok := strings.Cut(part, "-")
		if !ok || len(sum) > 200 {
			continue
		}
		sum, _, _ = strings.Cut(sum, "?")
		switch alg {
		case "sha1", "sha256", "sha384", "sha512":
			if raw, err := base64.StdEncoding.DecodeString(sum); err == nil && len(raw) >= 20 {
				if out == nil {
					out = map[string]string{}
				}
				out[alg] = hex.EncodeToString(raw)
			}
		}
	}
	return out
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return s != ""
}

// validName reports whether s may be a package's name, "name" or
// "@scope/name", by the rules for old names: they had upper case and more.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' {
		return false
	}
	slashes := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9', strings.IndexByte("-_.~!'()*", c) >= 0:
		case c == '@' && i == 0:
		case c == '/' && s[0] == '@' && i > 1 && i < len(s)-1:
			slashes++
		default:
			return false
		}
	}
	return slashes <= 1 && (s[0] == '@') == (slashes == 1)
}

// validVersion reports whether s may be a version: no address, no range, no
// placeholder.
func validVersion(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	digit := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z', strings.IndexByte(".-+_~", c) >= 0:
		default:
			return false
		}
	}
	return digit && s[0] != '~'
}

// clip shortens s to at most n bytes without cutting a character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
