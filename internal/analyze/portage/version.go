package portage

import "strings"

// split takes NAME-VERSION[-rREVISION] apart. A name may hold hyphens, but
// not end in one that a version follows (PMS 3.1.2), so the first hyphen that
// is followed by a version and nothing else is the one. version is "" if
// there is none.
func split(pf string) (name, version string) {
	for i := 1; i < len(pf); i++ {
		if pf[i] == '-' && isVersion(pf[i+1:]) {
			return pf[:i], pf[i+1:]
		}
	}
	return pf, ""
}

// isVersion tells whether s is a version (PMS 3.2): numbers with dots, a
// letter, suffixes such as _rc1, and a revision.
func isVersion(s string) bool {
	s, ok := digits(s)
	if !ok {
		return false
	}
	for strings.HasPrefix(s, ".") {
		if s, ok = digits(s[1:]); !ok {
			return false
		}
	}
	if len(s) > 0 && s[0] >= 'a' && s[0] <= 'z' {
		s = s[1:]
	}
suffixes:
	for strings.HasPrefix(s, "_") {
		for _, suffix := range [...]string{"alpha", "beta", "pre", "rc", "p"} {
			if rest, ok := strings.CutPrefix(s[1:], suffix); ok {
				s, _ = digits(rest)
				continue suffixes
			}
		}
		return false
	}
	if rest, ok := strings.CutPrefix(s, "-r"); ok {
		s, ok = digits(rest)
		return ok && s == ""
	}
	return s == ""
}

// digits cuts off leading digits, and tells whether there were any.
func digits(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[n:], n > 0
}
