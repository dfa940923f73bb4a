package erlang

import (
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// valid reports whether s can be a name: printable, without blanks, and of
// reasonable length. Unlike analyze.ValidName it refuses what stands in a path
// or a template of Erlang's tools.
func valid(s string) bool {
	if len(s) == 0 || len(s) > analyze.MaxName || !utf8.ValidString(s) {
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
