package analyze

import (
	"strings"
	"unicode/utf8"
)

// Limits on what one package may say of itself, in bytes.
const (
	MaxName = 256 // a name or a version
	MaxLine = 200 // a description, a licence, a supplier
)

// ValidName reports whether s can be a name or a version in a format that has
// no stricter rule of its own: UTF-8 of at most [MaxName] bytes without blanks,
// control characters, quotes, angle brackets, or the braces and dollar signs
// of placeholders.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxName || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '$' || c == '{' || c == '}' || c == '"' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

// FirstLine returns the first line of s that is not blank, without the blanks
// around it, clipped to [MaxLine].
func FirstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return Clip(strings.TrimSpace(s), MaxLine)
}

// Clip keeps at most n bytes of s, ending with a whole character. Bytes among
// them that are no UTF-8 become U+FFFD, which takes three bytes.
func Clip(s string, n int) string {
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

// Foreign reports whether a path is documentation, or lies in a folder that
// holds examples and tests of something else, or a cache of other people's
// sources: what is declared there is not declared for this image.
func Foreign(path string) bool {
	if strings.HasPrefix(path, "usr/share/doc/") {
		return true
	}
	for _, dir := range [...]string{"/testdata/", "/test/", "/tests/", "/fixtures/", "/__fixtures__/", "/spec/", "/example/", "/examples/", "/pkg/mod/", "/node_modules/"} {
		if strings.Contains(path, dir) {
			return true
		}
	}
	return false
}
