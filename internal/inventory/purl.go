package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of [ParsePURL].
const (
	maxPURL           = 16 << 10 // bytes
	maxPURLQualifiers = 64
)

// PURL is the package's package URL in canonical form (ECMA-427), or "" for a
// package without a name. Architecture, distribution, rpm epoch, source
// package and module stream become the qualifiers arch, distro (ID-VERSION),
// epoch, upstream (SOURCE@VERSION) and rpmmod.
//
// Names are normalised as the type definitions say, with one exception: Go
// module paths and npm names keep their case, because their registries tell
// github.com/BurntSushi/toml from github.com/burntsushi/toml.
func (p *Package) PURL() string {
	typ, namespace, name := purlParts(p)
	if name == "" {
		return ""
	}
	version, epoch := p.Version, ""
	switch typ {
	case "rpm":
		epoch, version = cutEpoch(version)
		if epoch == "0" {
			epoch = ""
		}
	case "huggingface", "luarocks":
		version = strings.ToLower(version)
	}

	var b strings.Builder
	b.Grow(len(typ) + len(namespace) + len(name) + len(version) + len(p.Distro) + len(p.Arch) + len(p.Source) + len(p.SourceVersion) + len(p.Module) + len(p.Subpath) + 64)
	b.WriteString("pkg:")
	b.WriteString(typ)
	writeSegments(&b, namespace, '/')
	b.WriteByte('/')
	escapePURL(&b, name)
	if version != "" {
		b.WriteByte('@')
		escapePURL(&b, version)
	}
	p.writeQualifiers(&b, epoch)
	writeSegments(&b, p.Subpath, '#')
	return b.String()
}

// purlParts splits and normalises what identifies the package.
func purlParts(p *Package) (typ, namespace, name string) {
	typ = strings.ToLower(p.Type)
	if !validPURLType(typ) {
		typ = "generic"
	}
	namespace, name = p.Namespace, p.Name
	switch typ {
	case "golang":
		if namespace != "" {
			name = namespace + "/" + name
		}
		namespace, name = splitLast(name)
	case "npm", "composer", "github", "bitbucket", "gitlab", "swift", "huggingface", "ebuild":
		if namespace == "" {
			namespace, name = splitLast(name)
		}
	}
	switch typ {
	case "alpm", "apk", "bitbucket", "brew", "composer", "deb", "github", "gitlab", "hex":
		return typ, strings.ToLower(namespace), strings.ToLower(name)
	case "rpm", "qpkg":
		return typ, strings.ToLower(namespace), name
	case "bitnami", "oci":
		return typ, namespace, strings.ToLower(name)
	case "pypi":
		return typ, namespace, NormalizePyPI(name)
	case "pub":
		return typ, namespace, strings.ReplaceAll(strings.ToLower(name), "-", "_")
	case "cpan": // a distribution, not a module: its name has no "::"
		return typ, strings.ToUpper(namespace), strings.ReplaceAll(name, "::", "-")
	}
	return typ, namespace, name
}

type qualifier struct{ key, value string }

func (p *Package) writeQualifiers(b *strings.Builder, epoch string) {
	var buf [12]qualifier
	qs := buf[:0]
	add := func(key, value string) {
		if value != "" {
			qs = append(qs, qualifier{key, value})
		}
	}
	add("arch", p.Arch)
	if p.Distro != "" {
		id, version, ok := strings.Cut(p.Distro, ":")
		if ok && version != "" {
			id += "-" + version
		}
		add("distro", id)
	}
	add("epoch", epoch)
	if p.OS() {
		add("rpmmod", p.Module)
		if source := p.Source; source != "" || p.SourceVersion != "" {
			if source == "" {
				source = p.Name
			}
			if p.SourceVersion != "" {
				source += "@" + p.SourceVersion
			}
			add("upstream", source)
		}
	}
	if own := len(qs); len(p.Qualifiers) > 0 {
		for k, v := range p.Qualifiers {
			k = strings.ToLower(k)
			if validQualifierKey(k) && !slices.ContainsFunc(qs[:own], func(q qualifier) bool { return q.key == k }) {
				add(k, v)
			}
		}
		slices.SortFunc(qs, func(a, b qualifier) int {
			if c := strings.Compare(a.key, b.key); c != 0 {
				return c
			}
			return strings.Compare(a.value, b.value)
		})
		// Keys that differ in case alone: one of them, always the same.
		qs = slices.CompactFunc(qs, func(a, b qualifier) bool { return a.key == b.key })
	}
	sep := byte('?')
	for _, q := range qs {
		b.WriteByte(sep)
		b.WriteString(q.key)
		b.WriteByte('=')
		escapePURL(b, q.value)
		sep = '&'
	}
}

// ParsePURL reads a package URL into the fields that [Package.PURL] writes
// from. A Go module's path is whole in Name. It is lenient where real
// documents are (an npm scope that is not encoded, a missing version, the
// requirements of single types) and refuses what has no type or no name, what
// is not UTF-8, and what is longer than 16 KiB or has more than 64 qualifiers.
func ParsePURL(s string) (Package, error) {
	p, err := parsePURL(s)
	if err != nil {
		if len(s) > 200 {
			s = s[:200] + "…"
		}
		return Package{}, fmt.Errorf("parsing package URL %q: %w", s, err)
	}
	return p, nil
}

func parsePURL(s string) (Package, error) {
	var p Package
	if len(s) > maxPURL {
		return p, fmt.Errorf("longer than the limit of %d bytes", maxPURL)
	}
	if len(s) < 4 || !strings.EqualFold(s[:4], "pkg:") {
		return p, errors.New(`does not start with "pkg:"`)
	}
	rest := strings.TrimLeft(s[4:], "/")
	rest, subpath, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	typ, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return p, errors.New("has no type or no name")
	}
	p.Type = strings.ToLower(typ)
	if !validPURLType(p.Type) {
		return p, errors.New("type is not valid")
	}

	version := ""
	// An @ that starts a path element other than the last is an npm scope.
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		scope := (i == 0 || rest[i-1] == '/') && strings.IndexByte(rest[i:], '/') > 0
		if !scope {
			rest, version = rest[:i], rest[i+1:]
		}
	}
	namespace, name := splitLast(rest)
	var err error
	if p.Version, err = unescapePURL(version); err != nil {
		return p, fmt.Errorf("version: %w", err)
	}
	if p.Name, err = unescapePURL(name); err != nil {
		return p, fmt.Errorf("name: %w", err)
	}
	if p.Namespace, err = readSegments(namespace, false); err != nil {
		return p, fmt.Errorf("namespace: %w", err)
	}
	if p.Subpath, err = readSegments(subpath, true); err != nil {
		return p, fmt.Errorf("subpath: %w", err)
	}
	if p.Name == "" {
		return p, errors.New("has no name")
	}
	if p.Type == "golang" {
		if p.Namespace != "" {
			p.Namespace, p.Name = "", p.Namespace+"/"+p.Name
		}
	} else {
		p.Type, p.Namespace, p.Name = purlParts(&p)
	}
	if p.Type == "rpm" {
		if epoch, version := cutEpoch(p.Version); epoch == "0" {
			p.Version = version
		}
	}
	if err := p.readQualifiers(query); err != nil {
		return p, err
	}
	return p, nil
}

// cutEpoch splits an rpm version EPOCH:VERSION-RELEASE.
func cutEpoch(s string) (epoch, version string) {
	if e, v, ok := strings.Cut(s, ":"); ok && digits(e) && v != "" && !strings.Contains(v, ":") {
		return e, v
	}
	return "", s
}

func (p *Package) readQualifiers(query string) error {
	for n := 0; query != ""; n++ {
		if n >= maxPURLQualifiers {
			return fmt.Errorf("more than the limit of %d qualifiers", maxPURLQualifiers)
		}
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		key, raw, _ := strings.Cut(pair, "=")
		key = strings.ToLower(key)
		if !validQualifierKey(key) {
			return fmt.Errorf("qualifier key %q is not valid", key)
		}
		value, err := unescapePURL(raw)
		if err != nil {
			return fmt.Errorf("qualifier %s: %w", key, err)
		}
		if value != "" && !p.takeQualifier(key, value) {
			if _, double := p.Qualifiers[key]; double {
				return fmt.Errorf("qualifier %s occurs twice", key)
			}
			if p.Qualifiers == nil {
				p.Qualifiers = make(map[string]string)
			}
			p.Qualifiers[key] = value
		}
	}
	return nil
}

// takeQualifier puts a qualifier into the field it belongs to, if there is one.
func (p *Package) takeQualifier(key, value string) bool {
	switch key {
	case "arch":
		p.Arch = value
		return true
	case "distro":
		namespace := p.Namespace
		if p.Type == "ebuild" { // there it is the category
			namespace = "gentoo"
		}
		p.Distro = parseDistro(value, namespace)
		return true
	}
	if !p.OS() {
		return false
	}
	switch key {
	case "epoch":
		if p.Type != "rpm" || !digits(value) {
			return false
		}
		if p.Version != "" && value != "0" && !strings.Contains(p.Version, ":") {
			p.Version = value + ":" + p.Version
		}
	case "rpmmod", "modularitylabel":
		p.Module = value
	case "upstream":
		p.Source, p.SourceVersion = parseUpstream(value)
	default:
		return false
	}
	return true
}

// parseUpstream reads SOURCE, SOURCE@VERSION or the file name of a source rpm.
func parseUpstream(s string) (name, version string) {
	if nvr, ok := strings.CutSuffix(strings.TrimSuffix(s, ".nosrc.rpm"), ".src.rpm"); ok || len(nvr) < len(s) {
		nv, release := cutLast(nvr, '-')
		if n, v := cutLast(nv, '-'); n != "" && v != "" && release != "" {
			return n, v + "-" + release
		}
		return nvr, ""
	}
	if i := strings.LastIndexByte(s, '@'); i > 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// parseDistro turns ID-VERSION, or a bare release or code name, into ID:VERSION.
func parseDistro(s, namespace string) string {
	if s == namespace {
		return s
	}
	for i := 1; i+1 < len(s); i++ {
		if s[i] == '-' && s[i+1] >= '0' && s[i+1] <= '9' {
			return s[:i] + ":" + s[i+1:]
		}
	}
	if namespace == "" {
		return s
	}
	if version, ok := strings.CutPrefix(s, namespace+"-"); ok && version != "" {
		return namespace + ":" + version
	}
	if !strings.Contains(s, "-") {
		return namespace + ":" + s
	}
	return s
}

// NormalizePyPI is a Python project's name as PEP 503 normalises it.
func NormalizePyPI(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		c := s[i]
		clean = c != '_' && c != '.' && (c < 'A' || c > 'Z') && (c != '-' || i == 0 || s[i-1] != '-')
	}
	if clean {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '-' || c == '_' || c == '.':
			if n := len(out); n == 0 || out[n-1] != '-' {
				out = append(out, '-')
			}
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func writeSegments(b *strings.Builder, s string, first byte) {
	sep := first
	for s != "" {
		var seg string
		seg, s, _ = strings.Cut(s, "/")
		if seg == "" || first == '#' && (seg == "." || seg == "..") {
			continue
		}
		b.WriteByte(sep)
		escapePURL(b, seg)
		sep = '/'
	}
}

func readSegments(s string, subpath bool) (string, error) {
	if s == "" {
		return "", nil
	}
	var b strings.Builder
	for s != "" {
		var seg string
		seg, s, _ = strings.Cut(s, "/")
		seg, err := unescapePURL(seg)
		if err != nil {
			return "", err
		}
		if seg == "" || subpath && (seg == "." || seg == "..") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(seg)
	}
	return b.String(), nil
}

const upperHex = "0123456789ABCDEF"

// escapePURL percent-encodes all but letters, digits, "-._~" and the colon
// (ECMA-427, section Character encoding).
func escapePURL(b *strings.Builder, s string) {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || c == ':' {
			continue
		}
		b.WriteString(s[start:i])
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
		start = i + 1
	}
	b.WriteString(s[start:])
}

func unescapePURL(s string) (string, error) {
	if strings.IndexByte(s, '%') >= 0 {
		out := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c == '%' {
				if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
					return "", errors.New("broken percent-encoding")
				}
				c = byte(unhex(s[i+1])<<4 | unhex(s[i+2]))
				i += 2
			}
			out = append(out, c)
		}
		s = string(out)
	}
	if !utf8.ValidString(s) {
		return "", errors.New("not UTF-8")
	}
	return s, nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// validPURLType: letters, digits, period, plus and dash; not a digit first.
func validPURLType(t string) bool {
	for i := 0; i < len(t); i++ {
		c := t[i]
		digit := c >= '0' && c <= '9'
		if !(c >= 'a' && c <= 'z' || digit && i > 0 || c == '.' || c == '-' || c == '+') {
			return false
		}
	}
	return t != ""
}

// validQualifierKey: letters, digits, period, dash and underscore; not a digit first.
func validQualifierKey(k string) bool {
	for i := 0; i < len(k); i++ {
		c := k[i]
		digit := c >= '0' && c <= '9'
		if !(c >= 'a' && c <= 'z' || digit && i > 0 || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return k != ""
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// splitLast cuts a path at its last slash.
func splitLast(s string) (dir, base string) {
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// cutLast cuts at the last sep; without one, before is "".
func cutLast(s string, sep byte) (before, after string) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}
