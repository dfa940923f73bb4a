package java

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed groups.txt
var groupsText string

// groupRule is a line of groups.txt.
type groupRule struct {
	pattern  string
	group    string
	dir      string // "" for any
	artifact string // "" for the name that matched
}

type groupTable struct {
	artifacts []groupRule
	bundles   []groupRule
}

var groups = sync.OnceValue(func() groupTable {
	var t groupTable
	for line := range strings.Lines(groupsText) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0][0] == '#' {
			continue
		}
		if bsn, ok := strings.CutPrefix(f[0], "="); ok {
			t.bundles = append(t.bundles, groupRule{pattern: bsn, group: f[1], artifact: f[2]})
			continue
		}
		r := groupRule{pattern: f[0], group: f[1], dir: f[2]}
		if r.dir == "-" {
			r.dir = ""
		}
		if len(f) > 3 {
			r.artifact = f[3]
		}
		t.artifacts = append(t.artifacts, r)
	}
	return t
})

// knownArtifact looks up an artifact's name; has tells whether the archive has
// entries below a directory.
func knownArtifact(name string, has func(dir string) bool) (coordinates, bool) {
	for _, r := range groups().artifacts {
		rest, ok := matchPattern(r.pattern, name)
		if !ok || r.dir != "" && !has(r.dir) {
			continue
		}
		if r.artifact == "" {
			return coordinates{group: r.group, artifact: name}, true
		}
		return coordinates{group: r.group, artifact: strings.Replace(r.artifact, "*", rest, 1)}, true
	}
	return coordinates{}, false
}

// knownBundle looks up a symbolic name.
func knownBundle(bsn string) (coordinates, bool) {
	for _, r := range groups().bundles {
		if rest, ok := matchPattern(r.pattern, bsn); ok {
			return coordinates{group: r.group, artifact: strings.Replace(r.artifact, "*", strings.ReplaceAll(rest, ".", sepOf(r)), 1)}, true
		}
	}
	return coordinates{}, false
}

// sepOf is how a rule's artifacts separate the words that a symbolic name separates by dots.
func sepOf(r groupRule) string {
	if strings.Contains(r.artifact, "-") {
		return "-"
	}
	return "."
}

func matchPattern(pattern, s string) (rest string, ok bool) {
	for i := range len(pattern) {
		switch pattern[i] {
		case '*':
			return s, true
		case '#':
			n := 0
			for n < len(s) && isDigit(s[n]) {
				n++
			}
			if n == 0 {
				return "", false
			}
			s = s[n:]
		default:
			if s == "" || s[0] != pattern[i] {
				return "", false
			}
			s = s[1:]
		}
	}
	return "", s == ""
}
