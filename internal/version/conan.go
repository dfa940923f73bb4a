package version

import (
	"strings"
)

// conanVersion is a version as Conan 2 sees it: items separated by dots, each a
// number or a word, zeros dropped from the end; then a pre-release and a build
// of the same kind.
type conanVersion struct {
	items []conanItem // without the zeros at the end
	pre   []conanItem
	build []conanItem
	main  []string // the items as written, for ranges
	isPre bool
	built bool
}

type conanItem struct {
	text   string // a number in its shortest form, or the word
	number bool
}

// parseConan reads letters, digits and _.+- as Conan allows them in a reference.
// Items that begin with a sign are refused: Python would read numbers from them.
func parseConan(s string) (form, string) {
	switch {
	case !only(s, "_.+-"):
		return nil, "it holds a character other than letters, digits and _.+-"
	case !isAlnum(s[0]) && s[0] != '_':
		return nil, "it does not begin with a letter, digit or underscore"
	case strings.Contains(s, "--"), strings.Contains(s, ".-"), strings.Contains(s, ".+"), strings.Contains(s, "++"), strings.Contains(s, "+-"), strings.Contains(s, "-+"):
		return nil, "two separators follow each other"
	}
	v := &conanVersion{}
	if i := strings.LastIndexByte(s, '+'); i >= 0 {
		v.build, v.built = conanItems(s[i+1:]), true
		s = s[:i]
	}
	s, pre, isPre := strings.Cut(s, "-")
	if isPre {
		v.pre, v.isPre = conanItems(pre), true
	}
	v.items = conanItems(s)
	v.main = strings.Split(s, ".")
	return v, ""
}

func conanItems(s string) []conanItem {
	var list []conanItem
	for text := range strings.SplitSeq(s, ".") {
		it := conanItem{text: text}
		// Underscores between digits only group them, as in Python's int().
		if n := strings.ReplaceAll(text, "_", ""); allDigits(n) && !strings.Contains("_"+text+"_", "__") {
			it = conanItem{decimal(trimZeros(n)), true}
		}
		list = append(list, it)
	}
	for len(list) > 0 && list[len(list)-1].number && list[len(list)-1].text == "0" {
		list = list[:len(list)-1]
	}
	return list
}

func (v *conanVersion) compare(o form) int {
	w := o.(*conanVersion)
	if c := compareConan(v.items, w.items); c != 0 {
		return c
	}
	if v.isPre != w.isPre {
		return either(w.isPre)
	}
	if c := compareConan(v.pre, w.pre); c != 0 {
		return c
	}
	if v.built != w.built {
		return either(v.built)
	}
	return compareConan(v.build, w.build)
}

// compareConan compares a number and a word as text; so 9 < 10 < "1a" < 9 is a
// circle in Conan, too.
func compareConan(a, b []conanItem) int {
	for i := range min(len(a), len(b)) {
		c := 0
		if a[i].number && b[i].number {
			c = compareNumbers(a[i].text, b[i].text)
		} else {
			c = strings.Compare(a[i].text, b[i].text)
		}
		if c != 0 {
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
