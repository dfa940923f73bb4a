package java

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// manifest holds the attributes of a MANIFEST.MF that say what an archive is:
// those of the main section, and of the first other section that has an
// implementation title (JAR File Specification, "Manifest Specification").
type manifest struct {
	main, part map[string]string // by lower-case name; only those of manifestKeys
}

func (m manifest) get(key string) string { return m.main[key] }

func manifestKey(k string) bool {
	switch k {
	case "implementation-title", "implementation-version", "implementation-vendor", "implementation-vendor-id",
		"specification-title", "specification-version", "specification-vendor",
		"bundle-symbolicname", "bundle-version", "bundle-name", "bundle-license", "bundle-vendor", "bundle-docurl", "bundle-description",
		"automatic-module-name", "extension-name", "main-class", "start-class", "spring-boot-version",
		"group-id", "artifact-id", "short-name", "plugin-version", "build-type", "fragment-host":
		return true
	}
	return false
}

// parseManifest reads as much as there is: a manifest that is cut off or
// wrong somewhere still says what it says.
func parseManifest(b []byte) manifest {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	m := manifest{main: map[string]string{}}
	section := m.main
	first := true
	var key string
	var value []byte
	flush := func() {
		if key != "" && len(value) <= 4096 {
			if _, double := section[key]; !double {
				section[key] = cleanText(value)
			}
		}
		key, value = "", nil
	}
	endSection := func() bool {
		flush()
		if !first && m.part == nil && section["implementation-title"] != "" {
			m.part = section
		}
		return m.part == nil
	}
	for len(b) > 0 {
		var line []byte
		if i := bytes.IndexAny(b, "\r\n"); i < 0 {
			line, b = b, nil
		} else {
			n := 1
			if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
				n = 2
			}
			line, b = b[:i], b[i+n:]
		}
		switch {
		case len(line) == 0:
			if len(section) == 0 && first && key == "" {
				continue // blank lines before the main section
			}
			if !endSection() {
				return m
			}
			section, first = map[string]string{}, false
		case line[0] == ' ':
			if key != "" {
				value = append(value, line[1:]...)
			}
		default:
			flush()
			k, v, ok := bytes.Cut(line, []byte(":"))
			if !ok || len(k) > 70 {
				continue
			}
			if k := strings.ToLower(string(bytes.TrimSpace(k))); manifestKey(k) {
				key, value = k, append([]byte(nil), bytes.TrimPrefix(v, []byte(" "))...)
			}
		}
	}
	endSection()
	return m
}

// cleanText makes a line of text out of what a file says: valid UTF-8 (bytes
// that are not are taken for Latin-1), no control characters, no outer blanks.
func cleanText(b []byte) string {
	if !utf8.Valid(b) {
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		b = []byte(string(r))
	}
	if bytes.IndexFunc(b, isControl) >= 0 {
		b = bytes.Map(func(r rune) rune {
			if isControl(r) {
				return ' '
			}
			return r
		}, b)
	}
	return string(bytes.TrimSpace(b))
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// symbolicName is the Bundle-SymbolicName without its directives.
func (m manifest) symbolicName() string {
	s, _, _ := strings.Cut(m.get("bundle-symbolicname"), ";")
	return strings.TrimSpace(s)
}

// licenses splits a Bundle-License (OSGi Core, 3.2.1.10): a list of names or
// addresses, each with attributes after a semicolon.
func (m manifest) licenses() []string {
	var out []string
	for _, part := range splitUnquoted(m.get("bundle-license"), ',') {
		name := splitUnquoted(part, ';')[0]
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if name != "" && name != "<<EXTERNAL>>" {
			out = append(out, name)
		}
	}
	return out
}

// splitUnquoted splits at sep outside of double quotes.
func splitUnquoted(s string, sep byte) []string {
	var out []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}
