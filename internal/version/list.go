package version

// listVersion is a list of numbers, compared in turn, the shorter list first
// where one begins with the other (1.0 before 1.0.0). Numbers have no leading
// zeros.
type listVersion []string

// parseCRAN reads what R's package_version reads: numbers separated by dots or
// hyphens.
func parseCRAN(s string) (form, string) { return parseList(s, ".-") }

// parseHackage reads Cabal's version: numbers separated by dots.
func parseHackage(s string) (form, string) { return parseList(s, ".") }

func parseList(s, separators string) (form, string) {
	var v listVersion
	for i := 0; ; i++ {
		e := digits(s, i)
		if e == i {
			return nil, "it is not a list of numbers separated by " + separators
		}
		v = append(v, trimZeros(s[i:e]))
		if i = e; i == len(s) {
			return &v, ""
		}
		if s[i] != separators[0] && s[i] != separators[len(separators)-1] {
			return nil, "it is not a list of numbers separated by " + separators
		}
	}
}

func (v *listVersion) compare(o form) int { return compareLists(*v, *o.(*listVersion)) }

func compareLists(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if c := compareTrimmed(a[i], b[i]); c != 0 {
			return c
		}
	}
	switch {
	case len(a) > len(b):
		return 1
	case len(a) < len(b):
		return -1
	}
	return 0
}
