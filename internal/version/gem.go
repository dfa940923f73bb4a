package version

import "strings"

// gemVersion is a Gem::Version: numbers and words, zeros dropped from the end
// of the numbers and from the end of the whole.
type gemVersion struct {
	segments []string // numbers without leading zeros, "" is zero
	numbers  int      // how many of them stand before the first word
	release  []string // the numbers before the first word as written, for "~>"
}

// parseGem reads what Gem::Version reads. A platform after the hyphen
// ("1.2.3-x86_64-linux", "1.2.3-java") is part of a gem's full name, not of its
// version, and is dropped; another word there marks a pre-release, as in
// RubyGems.
func parseGem(s string) (form, string) {
	const reason = "it is not a number followed by numbers and words separated by dots"
	if i := strings.IndexByte(s, '-'); i > 0 && isGemPlatform(s[i+1:]) {
		s = s[:i]
	}
	main, pre, hasPre := strings.Cut(s, "-")
	for n, part := range strings.Split(main, ".") {
		if part == "" || !only(part, "") || n == 0 && !allDigits(part) {
			return nil, reason
		}
	}
	if hasPre {
		for part := range strings.SplitSeq(pre, ".") {
			if part == "" || !only(part, "-") {
				return nil, reason
			}
		}
	}
	v := &gemVersion{numbers: -1}
	v.split(main)
	if hasPre {
		for part := range strings.SplitSeq(pre, "-") {
			v.split("pre")
			v.split(part)
		}
	}
	if v.numbers < 0 {
		v.numbers = len(v.segments)
	}
	v.release = v.segments[:v.numbers:v.numbers]
	v.trim()
	return v, ""
}

// split cuts s into runs of digits and runs of letters.
func (v *gemVersion) split(s string) {
	for i := 0; i < len(s); {
		e := digits(s, i)
		if e > i {
			v.segments = append(v.segments, trimZeros(s[i:e]))
		} else if e = letters(s, i); e > i {
			if v.numbers < 0 {
				v.numbers = len(v.segments)
			}
			v.segments = append(v.segments, s[i:e])
		} else {
			e++
		}
		i = e
	}
}

func (v *gemVersion) trim() {
	words := v.segments[v.numbers:]
	for len(words) > 0 && words[len(words)-1] == "" {
		words = words[:len(words)-1]
	}
	numbers := v.release
	for len(numbers) > 0 && numbers[len(numbers)-1] == "" {
		numbers = numbers[:len(numbers)-1]
	}
	v.segments = append(numbers[:len(numbers):len(numbers)], words...)
}

func (v *gemVersion) compare(o form) int {
	return compareGem(v.segments, o.(*gemVersion).segments)
}

func compareGem(a, b []string) int {
	for i := range max(len(a), len(b)) {
		x, y := gemSegment(a, i), gemSegment(b, i)
		m, n := x != "" && isAlpha(x[0]), y != "" && isAlpha(y[0])
		c := 0
		switch {
		case m != n:
			c = either(n)
		case m:
			c = strings.Compare(x, y)
		default:
			c = compareTrimmed(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// gemSegment returns zero where a list has ended.
func gemSegment(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return ""
}

// isGemPlatform tells whether s begins with a word that RubyGems uses for a
// processor, an operating system or a Ruby engine.
func isGemPlatform(s string) bool {
	word, _, _ := strings.Cut(s, "-")
	switch word {
	case "java", "jruby", "universal", "mswin32", "mswin64", "mingw32", "dalvik", "dotnet", "linux", "darwin",
		"x86", "x64", "x86_64", "i386", "i486", "i586", "i686", "amd64", "arm", "arm64", "aarch64", "armv5", "armv6l",
		"armv7", "armv7l", "powerpc", "ppc", "ppc64", "ppc64le", "powerpc64le", "s390x", "riscv64", "sparc", "mips", "mips64", "loongarch64", "wasm32":
		return true
	}
	return false
}
