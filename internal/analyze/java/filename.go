package java

import (
	"path"
	"strings"
)

// fileName is what the name of an archive says by Maven's convention
// artifact-version[-classifier].extension, or OSGi's name_version.
type fileName struct {
	stem       string // artifact; the whole name without extension where there is no version
	version    string
	classifier string
}

func parseFileName(p string) fileName {
	base := path.Base(p)
	if ext := path.Ext(base); len(ext) > 1 && len(ext) < len(base) && archiveExt(ext[1:]) != 0 {
		base = base[:len(base)-len(ext)]
	}
	var f fileName
	base, f.classifier = cutClassifier(base)
	at := -1
	for i := len(base) - 2; i > 0; i-- {
		if base[i] == '-' && isDigit(base[i+1]) {
			if !versionShaped(base[i+1:]) {
				break
			}
			at = i
			// a build number or the time stamp of a snapshot belongs to the version before it
			if !buildShaped(base[i+1:]) {
				break
			}
		}
	}
	if at < 0 {
		if i := strings.LastIndexByte(base, '_'); i > 0 && strings.Count(base[i+1:], ".") >= 2 && versionShaped(base[i+1:]) {
			at = i
		}
	}
	if at < 0 {
		f.stem = base
		return f
	}
	f.stem, f.version = base[:at], base[at+1:]
	return f
}

// buildShaped reports whether v is a short number, or a time stamp as Maven
// gives to snapshots, 20240131.101112-3.
func buildShaped(v string) bool {
	stamp, build, ok := strings.Cut(v, "-")
	if !ok {
		stamp, build = "", v
	}
	if len(build) > 3 || !allDigits(build) {
		return false
	}
	return !ok || len(stamp) == 15 && stamp[8] == '.' && allDigits(stamp[:8]) && allDigits(stamp[9:])
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cutClassifier takes a well-known classifier off a name: what Maven, Gradle
// and Spring Boot add to the main artifact's name.
func cutClassifier(base string) (rest, classifier string) {
	for _, c := range [...]string{
		"sources", "javadoc", "tests", "test-sources", "jar-with-dependencies", "all", "shaded", "uber", "fat", "exec", "boot", "plain", "runner",
		"linux-x86_64", "linux-aarch_64", "linux-x86_64-fedora", "osx-x86_64", "osx-aarch_64", "windows-x86_64", "nohttp2", "hadoop2", "bundle", "nodep", "no_aop", "classes", "api-sources",
	} {
		if n := len(base) - len(c); n > 1 && base[n-1] == '-' && base[n:] == c {
			// only behind a version: commons-all is an artifact
			if i := strings.LastIndexByte(base[:n-1], '-'); i > 0 && i+1 < n && isDigit(base[i+1]) || strings.Contains(base[:n-1], "-SNAPSHOT") {
				return base[:n-1], c
			}
		}
	}
	return base, ""
}

// versionShaped reports whether v can be a version: a digit first, then
// letters, digits and . _ + ~ -, and no component that stands for any number.
func versionShaped(v string) bool {
	if v == "" || len(v) > 64 || !isDigit(v[0]) {
		return false
	}
	start := 0
	for i := 0; i <= len(v); i++ {
		if i == len(v) || v[i] == '.' || v[i] == '-' {
			if p := v[start:i]; p == "x" || p == "X" {
				return false
			}
			start = i + 1
			continue
		}
		switch c := v[i]; {
		case isDigit(c), c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '+', c == '~':
		default:
			return false
		}
	}
	return true
}

// cleanVersion returns the version in what a manifest or pom says, or "" where
// there is none: placeholders, words, dates of a build.
func cleanVersion(v string) string {
	v = strings.Trim(strings.TrimSpace(v), `"`)
	if i := strings.IndexAny(v, " ,;("); i >= 0 {
		v = v[:i]
	}
	if len(v) > 1 && (v[0] == 'v' || v[0] == 'V') && isDigit(v[1]) {
		v = v[1:]
	}
	if v == "" || len(v) > maxValue || strings.ContainsAny(v, "${}@:/\\<>|") || strings.IndexFunc(v, isControl) >= 0 {
		return ""
	}
	if !strings.ContainsAny(v, "0123456789") {
		return ""
	}
	if len(v) >= 10 && v[4] == '-' && v[7] == '-' && allDigits(v[:4]) && allDigits(v[5:7]) && allDigits(v[8:10]) {
		return "" // a date
	}
	return v
}

// manifestVersion is cleanVersion for attributes that builds fill with all
// sorts of things: the version must begin with a digit, and an eight-digit
// date or a commit is none.
func manifestVersion(v string) string {
	v = cleanVersion(v)
	if !versionShaped(v) || len(v) >= 8 && allDigits(v) || len(v) >= 13 && v[8] == '-' && allDigits(v[:8]) && allDigits(v[9:]) {
		return ""
	}
	if !strings.ContainsAny(v, ".-_") && len(v) > 5 {
		return ""
	}
	return v
}

// bundleVersion undoes what OSGi makes of a Maven version: a qualifier that is a
// placeholder or says SNAPSHOT of a released file is dropped.
func bundleVersion(v string) string {
	v = manifestVersion(v)
	for _, q := range [...]string{".qualifier", ".SNAPSHOT"} {
		if rest, ok := strings.CutSuffix(v, q); ok {
			if q == ".SNAPSHOT" {
				return rest + "-SNAPSHOT"
			}
			return rest
		}
	}
	return v
}

// cleanName returns a group or artifact id, or "" where s cannot be one.
func cleanName(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxValue {
		return ""
	}
	switch strings.ToLower(s) {
	case "unknown", "null", "none", "undefined", "unspecified", "unnamed":
		return ""
	}
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c), c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '_', c == '-', c == '+':
		default:
			return ""
		}
	}
	return s
}

// components splits a version for comparison: lower case, separators dropped,
// numbers without leading zeros, zeros at the end of the leading numbers and
// words that say nothing gone.
func components(v string) []string {
	parts := strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return r == '.' || r == '-' || r == '_' || r == '+' || r == '~' })
	var out []string
	numbers := true
	trim := func() {
		for numbers && len(out) > 1 && out[len(out)-1] == "0" {
			out = out[:len(out)-1]
		}
		numbers = false
	}
	for _, p := range parts {
		switch p {
		case "snapshot", "qualifier", "final", "ga", "release":
			continue
		}
		if allDigits(p) {
			if p = strings.TrimLeft(p, "0"); p == "" {
				p = "0"
			}
		} else {
			trim()
		}
		out = append(out, p)
	}
	trim()
	return out
}

// chooseVersion settles between the file name, which has the version as Maven
// writes it, and the manifest, which may know more.
func chooseVersion(file string, manifest []string) string {
	if len(manifest) == 0 {
		return file
	}
	if file == "" {
		return manifest[0]
	}
	f := components(file)
	for _, m := range manifest {
		if equal(f, components(m)) {
			return file
		}
	}
	for _, m := range manifest {
		if c := components(m); len(c) > len(f) && equal(f, c[:len(f)]) {
			return m
		}
	}
	return file
}

// agrees reports whether some version of the manifest says the same as the
// file name, or says it more exactly.
func agrees(file string, manifest []string) bool {
	f := components(file)
	for _, m := range manifest {
		if c := components(m); len(f) > 0 && len(c) >= len(f) && equal(f, c[:len(f)]) {
			return true
		}
	}
	return false
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
