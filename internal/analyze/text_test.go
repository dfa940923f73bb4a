package analyze

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "libstdc++-6": true, "1:2.0~rc1+b2": true, "@scope/name": true, "Ünïcode": true, strings.Repeat("a", MaxName): true,
		"": false, "a b": false, "a\tb": false, "a\x00": false, "a\x7f": false, "${version}": false, "{{name}}": false, `"a"`: false, "<a>": false,
		"a\xff": false, strings.Repeat("a", MaxName+1): false,
	} {
		if got := ValidName(s); got != want {
			t.Errorf("ValidName(%q) = %v", s, got)
		}
	}
}

func TestFirstLine(t *testing.T) {
	for s, want := range map[string]string{
		"":                            "",
		" \n ":                        "",
		"\n\n  one \r\ntwo":           "one",
		strings.Repeat("ab", MaxLine): strings.Repeat("ab", MaxLine/2),
	} {
		if got := FirstLine(s); got != want {
			t.Errorf("FirstLine(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	tests := []struct {
		s    string
		n    int
		want string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abc", 2, "ab"},
		{"aé", 2, "a"},
		{"a€b", 4, "a€"},
		{"a€b", 3, "a"},
		{"a😀", 4, "a"},
		{"😀", 3, ""},
		{"a\uFFFDb", 4, "a\uFFFD"},
		{"a\xffb", 9, "a\uFFFDb"},
		{"a\xff\xffb", 4, "a\uFFFDb"},
	}
	for _, tt := range tests {
		if got := Clip(tt.s, tt.n); got != tt.want || !utf8.ValidString(got) {
			t.Errorf("Clip(%q, %d) = %q, want %q", tt.s, tt.n, got, tt.want)
		}
	}
}

func TestForeign(t *testing.T) {
	for path, want := range map[string]bool{
		"usr/share/doc/x/Manifest.toml":               true,
		"app/testdata/x.lock":                         true,
		"srv/app/spec/renv.lock":                      true,
		"root/go/pkg/mod/example.org/a@v1/conan.lock": true,
		"app/node_modules/a/Package.resolved":         true,
		"app/conan.lock":                              false,
		"conan.lock":                                  false,
		"app/latest/conan.lock":                       false,
		"opt/usr/share/doc/conan.lock":                false,
	} {
		if got := Foreign(path); got != want {
			t.Errorf("Foreign(%q) = %v", path, got)
		}
	}
}
