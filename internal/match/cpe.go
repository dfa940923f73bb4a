package match

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// cpeMatches compares the parts of a CPE 2.3 pattern that say more than
// vendor and product, which are the key: part, version (when the pattern has
// one instead of an interval), update, edition, language, software edition,
// target software and hardware. What the package's CPE leaves open does not
// contradict; what the pattern demands and the package denies does.
func cpeMatches(pattern string, p *inventory.Package, v version.Version, c *comparer) bool {
	want := splitCPE(pattern)
	if len(want) < 6 {
		return false
	}
	for _, own := range p.CPEs {
		have := splitCPE(own)
		if len(have) < 6 || have[3] != want[3] || have[4] != want[4] || have[2] != want[2] {
			continue
		}
		if !cpeVersion(want, v, c) {
			continue
		}
		ok := true
		for i := 7; i < len(want) && i < 13; i++ {
			if !cpeField(want[i], field(have, i)) {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

func field(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return "*"
}

func cpeField(want, have string) bool {
	return want == "*" || want == have || have == "*" || want == "-" && have == "*"
}

// cpeVersion compares an exact version in the pattern, with its update.
func cpeVersion(want []string, v version.Version, c *comparer) bool {
	w := unescape(want[5])
	if w == "*" || w == "-" {
		return w == "*"
	}
	if u := field(want, 6); u != "*" && u != "-" {
		w += unescape(u)
	}
	if strings.ContainsAny(w, "*?") {
		return wildcard(w, v.String())
	}
	x, err := c.parse(version.Generic, w)
	return err == nil && x.Compare(v) == 0
}

// wildcard matches a pattern of literal text, "*" and "?".
func wildcard(pattern, s string) bool {
	star, back := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, back = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			back++
			i, j = star+1, back
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
