package ruby

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// gemspec is what a specification says in literals.
type gemspec struct {
	name, version, platform    string
	licenses, authors, depends []string
	homepage, summary          string
	files                      []string
}

// readGemspec reads a specification as RubyGems writes it, which is Ruby, but
// always of one shape: one statement a line, values as literals. Nothing is
// evaluated. Of a hand-written one the literals are taken.
func readGemspec(file string, k kind, data []byte, out *inventory.Record) error {
	g := parseGemspec(data)
	base := strings.TrimSuffix(path.Base(file), ".gemspec")
	if k == checkout {
		if g.name != base && !validName(g.name) {
			g.name = base
		}
	} else if !validName(g.name) || !validVersion(g.version) {
		g.name, g.version, g.platform = splitFullName(base)
		if g.version == "" {
			return fmt.Errorf("reading gemspec: neither it nor its name %q says name and version", clip(base, maxName))
		}
	}
	if !validName(g.name) {
		return fmt.Errorf("reading gemspec: %q is no name of a gem", clip(g.name, maxName))
	}
	if !validVersion(g.version) {
		g.version = ""
	}
	p := inventory.Package{
		Type: "gem", Name: g.name, Version: g.version, Path: file, Technique: inventory.TechMetadata,
		Supplier: clip(strings.Join(g.authors, ", "), maxText), Homepage: clip(g.homepage, 1<<10), Depends: g.depends,
	}
	summary, _, _ := strings.Cut(strings.TrimSpace(g.summary), "\n")
	p.Description = clip(summary, maxText)
	for _, l := range g.licenses {
		if l = clip(strings.TrimSpace(l), maxText); l != "" {
			p.Licenses = append(p.Licenses, inventory.License{Raw: l, Source: "declared"})
		}
	}
	full := g.name + "-" + g.version
	if g.platform != "" && g.platform != "ruby" && validPlatform(g.platform) {
		p.Qualifiers = map[string]string{"platform": g.platform}
		full += "-" + g.platform
	}
	dir := path.Dir(file)
	switch k {
	case checkout:
		if i := strings.LastIndexByte(path.Base(dir), '-'); i >= 0 {
			if rev := path.Base(dir)[i+1:]; len(rev) >= 7 && isHex(rev) {
				p.Meta = map[string]string{"revision": rev}
			}
		}
		p.Files = inventory.NewFileList([]string{dir + "/"})
	case installed:
		home := path.Dir(dir)
		p.Files = inventory.NewFileList([]string{path.Join(home, "gems", full) + "/", path.Join(home, "cache", full+".gem")})
	case standard:
		p.Files = inventory.NewFileList(standardFiles(path.Dir(path.Dir(dir)), full, g.files))
	}
	out.Packages = append(out.Packages, p)
	return nil
}

// standardFiles lists what a default gem owns: its folder below gems, and in
// Ruby's own library folder ("lib/ruby/3.1.0" for gems in
// "lib/ruby/gems/3.1.0") the files that the specification names.
func standardFiles(home, full string, files []string) []string {
	owned := []string{path.Join(home, "gems", full) + "/"}
	gems, api := path.Split(home)
	if path.Base(gems) != "gems" {
		return owned
	}
	lib := path.Join(path.Dir(path.Clean(gems)), api)
	for _, f := range files {
		if strings.HasSuffix(f, ".rb") && !strings.HasPrefix(f, "ext/") && !strings.Contains(f, "..") && f[0] != '/' && len(f) < 1024 && utf8.ValidString(f) {
			owned = append(owned, path.Join(lib, strings.TrimPrefix(f, "lib/")))
		}
	}
	return owned
}

// splitFullName takes "name-1.0.0-platform" apart, "" where it cannot.
func splitFullName(s string) (name, version, platform string) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '-' || s[i+1] < '0' || s[i+1] > '9' {
			continue
		}
		version, platform, _ = strings.Cut(s[i+1:], "-")
		if name = s[:i]; validName(name) && validVersion(version) {
			return name, version, platform
		}
	}
	return "", "", ""
}

func parseGemspec(data []byte) gemspec {
	var g gemspec
	others := false // the branch for RubyGems that knows no kinds of dependencies
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if rest, ok := bytes.CutPrefix(line, []byte("# stub: ")); ok {
			// "# stub: name version platform paths"; a second one lists extensions
			if f := strings.Fields(string(rest)); len(f) >= 3 && g.name == "" && validVersion(f[1]) {
				g.name, g.version, g.platform = f[0], f[1], f[2]
			}
			continue
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if string(line) == "else" {
			others = true
			continue
		}
		v, rest, ok := bytes.Cut(line, []byte("."))
		if !ok || len(v) > 10 || !bytes.Equal(v, []byte("s")) && !bytes.Equal(v, []byte("spec")) && !bytes.Equal(v, []byte("gem")) && !bytes.Equal(v, []byte("gemspec")) {
			continue
		}
		n := bytes.IndexAny(rest, " =(")
		if n < 0 {
			continue
		}
		attr, value := string(rest[:n]), bytes.TrimLeft(rest[n:], " ")
		if attr == "add_runtime_dependency" || attr == "add_dependency" {
			if d := first(literals(bytes.TrimPrefix(value, []byte("(")), 1)); !others && validName(d) && len(g.depends) < maxList && !slices.Contains(g.depends[max(0, len(g.depends)-64):], d) {
				g.depends = append(g.depends, d)
			}
			continue
		}
		value, ok = bytes.CutPrefix(value, []byte("="))
		if !ok {
			continue
		}
		value = bytes.TrimLeft(value, " ")
		switch attr {
		case "name":
			set(&g.name, value)
		case "version":
			set(&g.version, value)
		case "platform":
			set(&g.platform, value)
		case "homepage":
			set(&g.homepage, value)
		case "summary":
			set(&g.summary, value)
		case "license", "licenses":
			g.licenses = append(g.licenses, literals(value, 100)...)
		case "author", "authors":
			if len(g.authors) == 0 {
				g.authors = literals(value, 100)
			}
		case "files":
			g.files = literals(value, maxList)
		}
	}
	return g
}

func set(s *string, value []byte) {
	if v := literals(value, 1); *s == "" && len(v) > 0 {
		*s = v[0]
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// literals reads a string literal, or a list of them in brackets, at most
// limit. What is no literal (a constant, a call) ends it.
func literals(v []byte, limit int) []string {
	list := false
	if len(v) > 0 && v[0] == '[' {
		list, v = true, v[1:]
	}
	var out []string
	for len(out) < limit {
		v = bytes.TrimLeft(v, " ")
		s, rest, ok := literal(v)
		if !ok {
			break
		}
		v = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte(".freeze")), " ")
		if !list && len(v) > 0 && v[0] != ',' && !bytes.HasPrefix(v, []byte("if ")) && v[0] != '#' && v[0] != ')' && v[0] != ';' {
			break // only part of an expression
		}
		out = append(out, s)
		if !list || len(v) == 0 || v[0] != ',' {
			break
		}
		v = v[1:]
	}
	return out
}

// literal reads one string literal: "…", '…' or %q with brackets. A "…" in
// which something is to be put in is none.
func literal(v []byte) (s string, rest []byte, ok bool) {
	if len(v) < 2 {
		return "", nil, false
	}
	var end byte
	start := 1
	switch v[0] {
	case '"', '\'':
		end = v[0]
	case '%':
		if v[1] != 'q' || len(v) < 4 {
			return "", nil, false
		}
		switch v[2] {
		case '<':
			end = '>'
		case '{':
			end = '}'
		case '(':
			end = ')'
		case '[':
			end = ']'
		default:
			return "", nil, false
		}
		start = 3
	default:
		return "", nil, false
	}
	escaped := false
	for i := start; i < len(v); i++ {
		switch {
		case v[i] == '\\':
			escaped = true
			i++
		case v[i] == '#' && end == '"' && i+1 < len(v) && v[i+1] == '{':
			return "", nil, false
		case v[i] == end:
			raw := v[start:i]
			if !escaped {
				return string(raw), v[i+1:], true
			}
			if end == '"' {
				return unescape(raw), v[i+1:], true
			}
			return strings.NewReplacer(`\\`, `\`, `\`+string(end), string(end)).Replace(string(raw)), v[i+1:], true
		}
	}
	return "", nil, false
}

// unescape resolves what String#dump writes.
func unescape(raw []byte) string {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			b = append(b, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'e':
			b = append(b, 0x1b)
		case 'x':
			n := min(i+3, len(raw))
			if u, err := strconv.ParseUint(string(raw[i+1:n]), 16, 8); err == nil {
				b = append(b, byte(u))
				i = n - 1
			}
		case 'u':
			digits, next := raw[i+1:min(i+5, len(raw))], min(i+4, len(raw)-1)
			if i+1 < len(raw) && raw[i+1] == '{' {
				if n := bytes.IndexByte(raw[i:], '}'); n > 0 {
					digits, next = raw[i+2:i+n], i+n
				}
			}
			if u, err := strconv.ParseUint(string(digits), 16, 32); err == nil {
				b = utf8.AppendRune(b, rune(u))
				i = next
			}
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
