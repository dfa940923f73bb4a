package version

import "strings"

// pacmanVersion orders as libalpm's alpm_pkg_vercmp: the package release counts
// only where both versions have one.
type pacmanVersion struct{ evr }

func parsePacman(s string) (form, string) {
	v, reason := parseEVR(s)
	return &pacmanVersion{v}, reason
}

func (v *pacmanVersion) compare(o form) int {
	w := o.(*pacmanVersion)
	if c := compareTrimmed(v.epoch, w.epoch); c != 0 {
		return c
	}
	if c := compareALPM(v.version, w.version); c != 0 || v.release == "" || w.release == "" {
		return c
	}
	return compareALPM(v.release, w.release)
}

// compareALPM is an old branch of rpm's rule: "~" and "^" are plain separators,
// runs of separators of different length decide, and a trailing word makes a
// version older (1.0rc1 before 1.0).
func compareALPM(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		si, sj := i, j
		i, j = alpmSegment(a, i), alpmSegment(b, j)
		if i == len(a) || j == len(b) {
			break
		}
		if i-si != j-sj {
			return either(i-si > j-sj)
		}
		if isDigit(a[i]) != isDigit(b[j]) {
			return either(isDigit(a[i]))
		}
		si, sj = i, j
		if isDigit(a[i]) {
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
	x, y := byteAt(a, i), byteAt(b, j)
	switch {
	case x == 0 && y == 0:
		return 0
	case x == 0 && !isAlpha(y), isAlpha(x):
		return -1
	}
	return 1
}

func alpmSegment(s string, i int) int {
	for i < len(s) && !isAlnum(s[i]) {
		i++
	}
	return i
}
