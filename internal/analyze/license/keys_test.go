package license

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "write keys.txt anew, after a change of the library's version")

// TestKeys makes the table of words from the library's own texts: of each the
// three rarest words that cannot be left out.
func TestKeys(t *testing.T) {
	var list []licensecheck.License
	for _, l := range licensecheck.BuiltinLicenses() {
		if l.LRE != "" {
			list = append(list, l)
		}
	}
	frequency := map[string]int{}
	for _, l := range list {
		seen := map[string]bool{}
		for _, w := range strings.FieldsFunc(strings.ToLower(l.LRE), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if !seen[w] {
				seen[w] = true
				frequency[w]++
			}
		}
	}
	var b strings.Builder
	for _, l := range list {
		words := required(l.LRE)
		slices.Sort(words)
		words = slices.Compact(words)
		slices.SortStableFunc(words, func(a, b string) int { return frequency[a] - frequency[b] })
		words = words[:min(len(words), 3)]
		if by, ok := byHand[l.ID]; ok {
			words = by
		}
		b.WriteString(l.ID + "\t" + strings.Join(words, " ") + "\n")
	}
	if *update {
		if err := os.WriteFile("keys.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != keyText {
		t.Error("keys.txt is not what the library's texts give; run go test -run TestKeys -update")
	}
}

// byHand are words for texts that are alternatives as a whole, or that the
// library has with words run together.
var byHand = map[string][]string{
	"Apache-2.0": {"apache"}, "MPL-1.0": {"mozilla"}, "MPL-1.1": {"mozilla"}, "MPL-2.0": {"mozilla"},
	"CDDL-1.0": {"common", "development", "distribution"}, "MIT-CMU": {"publicity", "supporting", "advertising"},
}

// required returns the words of an expression that every match has: outside
// any group, made of letters only, and none the library spells in two ways.
func required(lre string) []string {
	for {
		before, rest, ok := strings.Cut(lre, "//**")
		_, after, closed := strings.Cut(rest, "**//")
		if !ok || !closed {
			break
		}
		lre = before + " " + after
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(lre); i++ {
		switch {
		case strings.HasPrefix(lre[i:], "(("):
			depth++
			i++
		case strings.HasPrefix(lre[i:], "))") && depth > 0:
			depth--
			i++
			b.WriteByte(' ')
		case depth == 0:
			b.WriteByte(lre[i])
		}
	}
	var out []string
	for w := range strings.FieldsSeq(strings.ToLower(b.String())) {
		w = strings.Trim(w, ".,;:()\"`*")
		if len(w) < minWord || len(w) > maxWord || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		switch w {
		case "these", "this", "those", "they", "them", "copy", "copies", "license", "licence", "licensed", "licenced", "licenses", "licences":
			continue
		}
		out = append(out, w)
	}
	return out
}
