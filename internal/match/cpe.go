package match

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// cpeMatches compares the parts of a CPE 2.3 pattern that say more than
// vendor and product, which are the key: part, version (when the pattern has
// one instead of an interval), update (with the version, or of any), edition, language, software edition,
// target software and hardware. What the package's CPE leaves open does not
// contradict; what the pattern demands and the package denies does. certain is
// false where the package leaves open what the pattern demands.
func cpeMatches(pattern string, p *inventory.Package, v version.Version, c *comparer) (matches, certain bool) {
	want := splitCPE(pattern)
	if len(want) < 6 {
		return false, false
	}
	for _, own := range p.CPEs {
		have := splitCPE(own)
		if len(have) < 6 || have[3] != want[3] || have[4] != want[4] || have[2] != want[2] || !cpeVersion(want, v, c) {
			continue
		}
		ok, sure := true, true
		from := 7
		if want[5] == "*" {
			from = 6 // an update of whatever version
		}
		for i := from; i < len(want) && i < 13; i++ {
			w, h := want[i], field(have, i)
			switch {
			case w == "*" || w == h || h == "-" && w == "":
			case h == "*" && i == targetSoftware && otherPlatform(w):
				ok = false
			case h == "*":
				sure = sure && w == "-" // the plain edition is what one has without a word
			default:
				ok = false
			}
		}
		if ok && (sure || !matches) {
			matches, certain = true, sure
		}
	}
	return matches, certain
}

// targetSoftware is the place of the platform in a CPE 2.3 name.
const targetSoftware = 10

// otherPlatform reports whether software for a platform cannot be a program or
// library for Linux, which is what is looked for by CPE: it is for another
// system, or a module or plug-in of something.
func otherPlatform(target string) bool {
	switch target {
	case "windows", "windows_10", "windows_server", "macos", "mac_os", "mac_os_x", "iphone_os", "ios", "ipados", "android", "freebsd", "openbsd", "netbsd", "solaris", "aix",
		"node.js", "wordpress", "jenkins", "drupal", "joomla", `joomla\!`, "typo3", "magento", "python", "pypi", "ruby", "rubygems", "rails", "perl", "php", "rust", "go", "java",
		".net", `asp.net`, "chrome", "firefox", "edge", "internet_explorer", "safari", "eclipse", "visual_studio_code", "gitlab", "nextcloud", "confluence", "jira":
		return true
	}
	return false
}

// noVersion reports whether a claim is about a product whose version is "not
// applicable": NVD writes so where nobody said which versions are affected.
func noVersion(a *advisory.Affected) bool {
	return len(a.Intervals)+len(a.Versions) == 0 && field(splitCPE(a.CPE), 5) == "-"
}

func field(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return "*"
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
