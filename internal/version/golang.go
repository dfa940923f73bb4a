package version

import "strings"

// parseGo reads module versions (SemVer, "v" optional, pseudo-versions and
// "+incompatible" included) and versions of the toolchain and standard library
// as Go writes them: "go1.21.3", "1.21rc2", "go1.22.3 X:boringcrypto",
// "go1.21.3-vendor". A toolchain version becomes the SemVer under which the Go
// vulnerability database lists it, so "go1.21rc2" equals "1.21.0-rc.2".
func parseGo(s string) (form, string) {
	if t, ok := strings.CutPrefix(s, "go"); ok {
		if i := strings.IndexAny(t, " +-"); i >= 0 {
			t = t[:i]
		}
		return parseToolchain(t, true)
	}
	if !strings.ContainsAny(s, "-+") && strings.ContainsAny(s, "br") {
		return parseToolchain(s, false)
	}
	return dialect{parts: 3, prefix: "v", strict: true}.parse(s)
}

// parseToolchain reads major.minor[.patch | betaN | rcN]. From Go 1.21 on the
// first release has a patch number, and "go1.21" alone names the language,
// which is older than any release candidate.
func parseToolchain(s string, named bool) (form, string) {
	const reason = "it is no version of the Go toolchain"
	numbers, word, n := s, "", ""
	for _, w := range []string{"beta", "rc"} {
		if i := strings.Index(s, w); i >= 0 {
			numbers, word, n = s[:i], w, s[i+len(w):]
			if !allDigits(n) {
				return nil, reason
			}
		}
	}
	f, bad := dialect{parts: 3, strict: true}.parse(numbers)
	if bad != "" {
		return nil, reason
	}
	v := f.(*semver)
	patched := strings.Count(numbers, ".") == 2
	switch {
	case v.isPre || v.build != "" || patched && word != "":
		return nil, reason
	case word != "":
		v.isPre, v.pre = true, word+"."+n
	case named && !patched && (v.number[0] != "1" || compareTrimmed(v.number[1], "21") >= 0):
		v.isPre, v.pre = true, "0"
	}
	return v, ""
}
