package erlang

import (
	"strings"
	"unicode/utf8"
)

// valid reports whether s can be a name: printable, without blanks, and of
// reasonable length.
func valid(s string) bool {
	if len(s) == 0 || len(s) > maxName || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '{' || c == '}' || c == '%' || c == '/' {
			return false
		}
	}
	return true
}

// version reports whether s can be a version, and not a word ("git") or a
// placeholder.
func version(s string) bool {
	return valid(s) && s[0] >= '0' && s[0] <= '9'
}

// line is the first line of s, cut to what a description may have.
func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return clip(strings.TrimSpace(s), maxText)
}

// clip cuts s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for len(s) > 0 && n-len(s) < utf8.UTFMax {
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// cpe is the name of an application in the formatted string of CPE 2.3.
func cpe(vendor, product, version string) string {
	var b strings.Builder
	b.WriteString("cpe:2.3:a:" + vendor + ":" + product + ":")
	for i := range len(version) {
		c := version[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_') {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteString(":*:*:*:*:*:*:*")
	return b.String()
}

// foreign reports whether a path is documentation, or lies in a folder that
// holds examples and tests of something else, or a cache of other people's
// sources: what is declared there is not declared for this image.
func foreign(p string) bool {
	if strings.HasPrefix(p, "usr/share/doc/") {
		return true
	}
	for _, dir := range [...]string{"/testdata/", "/test/", "/tests/", "/fixtures/", "/__fixtures__/", "/spec/", "/example/", "/examples/", "/pkg/mod/", "/node_modules/"} {
		if strings.Contains(p, dir) {
			return true
		}
	}
	return false
}
