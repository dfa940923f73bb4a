package sbomfile

import (
	"strings"
	"unicode/utf8"
)

// Limits on what one package may say of itself, in bytes.
const (
	maxName = 256
	maxText = 200
)

// valid reports whether s can be a name or a version: printable, without
// blanks, no placeholder, and of reasonable length.
func valid(s string) bool {
	if len(s) == 0 || len(s) > maxName || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '$' || c == '{' || c == '}' || c == '"' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

// line is the first line of s, cut to the length of a description.
func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return clip(strings.TrimSpace(s), maxText)
}

// clip cuts s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for i := 0; i < utf8.UTFMax && len(s) > 0; i++ {
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
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
