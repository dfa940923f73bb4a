package version

import (
	"strings"
)

// evr is [epoch:]version[-release], shared by rpm and pacman.
type evr struct {
	epoch, version, release string
}

// parseEVR takes s apart at its first colon and last hyphen. "(none)", which
// rpm prints for a missing epoch, is taken as none.
func parseEVR(s string) (evr, string) {
	var v evr
	v.version = strings.TrimPrefix(s, "(none):")
	if e, rest, ok := strings.Cut(v.version, ":"); ok {
		if !allDigits(e) {
			return v, "the epoch before the colon is no number"
		}
		v.epoch, v.version = trimZeros(e), rest
	}
	if i := strings.LastIndexByte(v.version, '-'); i >= 0 {
		v.version, v.release = v.version[:i], v.version[i+1:]
		if v.release == "" {
			return v, "the release after the hyphen is empty"
		}
	}
	switch {
	case !only(v.version, "._+~^-") || !only(v.release, "._+~^"):
		return v, "it holds a character other than letters, digits and ._+~^-"
	case v.version == "":
		return v, "the version is missing"
	}
	return v, ""
}

// rpmVersion orders as librpm's rpmverCmp: a missing release is older than any.
// In a range a missing release stands for every release, see rpmBound.
type rpmVersion struct{ evr }

func parseRPM(s string) (form, string) {
	v, reason := parseEVR(s)
	return &rpmVersion{v}, reason
}

func (v *rpmVersion) compare(o form) int {
	w := o.(*rpmVersion)
	if c := compareTrimmed(v.epoch, w.epoch); c != 0 {
		return c
	}
	if c := compareRPM(v.version, w.version); c != 0 {
		return c
	}
	return compareRPM(v.release, w.release)
}

// compareRPM compares two versions or two releases: segments of digits or
// letters, a digit segment newer than letters; "~" before the end, "^" after it
// but before any further segment; other characters only separate.
func compareRPM(a, b string) int {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		i, j = rpmSegment(a, i), rpmSegment(b, j)
		x, y := byteAt(a, i), byteAt(b, j)
		if x == '~' || y == '~' {
			if x != y {
				return either(y == '~')
			}
			i, j = i+1, j+1
			continue
		}
		if x == '^' || y == '^' {
			switch {
			case x == 0:
				return -1
			case y == 0:
				return 1
			case x != y:
				return either(y == '^')
			}
			i, j = i+1, j+1
			continue
		}
		if x == 0 || y == 0 {
			break
		}
		if isDigit(x) != isDigit(y) {
			return either(isDigit(x))
		}
		si, sj := i, j
		if isDigit(x) {
			i, j = digits(a, i), digits(b, j)
			if c := compareNumbers(a[si:i], b[sj:j]); c != 0 {
				return c
			}
			continue
		}
		i, j = letters(a, i), letters(b, j)
		if c := strings.Compare(a[si:i], b[sj:j]); c != 0 {
			return c
		}
	}
	switch {
	case i < len(a):
		return 1
	case j < len(b):
		return -1
	}
	return 0
}

func rpmSegment(s string, i int) int {
	for i < len(s) && !isAlnum(s[i]) && s[i] != '~' && s[i] != '^' {
		i++
	}
	return i
}

func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func either(newer bool) int {
	if newer {
		return 1
	}
	return -1
}
