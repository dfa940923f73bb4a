package license

import (
	_ "embed" // the tables
	"slices"
	"strings"
	"sync"

	"github.com/google/licensecheck"
)

// known is one text the library knows, or a few that are alike. To compare a
// text with all of them at once, the library builds an automaton that takes
// more than a second of processor time; one for each, built when first needed,
// takes a millisecond or so, and most are never needed: a licence is looked
// for only in texts that have its rarest words.
type known struct {
	licenses []licensecheck.License
	words    [][]uint16 // of each licence, into the table of words: all must occur
	once     sync.Once
	scanner  *licensecheck.Scanner
}

func (k *known) scan(text []byte) []licensecheck.Match {
	k.once.Do(func() {
		// the texts are the library's own; a test compiles all of them
		k.scanner, _ = licensecheck.NewScanner(k.licenses)
	})
	if k.scanner == nil {
		return nil
	}
	return k.scanner.Scan(text).Match
}

// table is everything that is known, in the order to look for it.
type table struct {
	list  []*known
	words map[string]uint16
	urls  map[string]string // address of a licence, without scheme, to its id
}

// keyText has a line for each text of the library, in its order: the id, a
// tab, and the words. A test makes it.
//
//go:embed keys.txt
var keyText string

// first are the licences that most texts are: looked for before all others.
var first = [...]string{"MIT", "ISC", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause"}

// group names the licences that are compiled as one: a text that may be one of
// them may be each, and together they take no longer to compile.
func group(l *licensecheck.License) string {
	const notice = 3000 // the notices of GNU's licences are shorter, their texts longer
	switch {
	case strings.Contains(l.ID, "GPL") && len(l.LRE) < notice:
		return "gpl"
	case strings.Contains(l.ID, "GFDL") && len(l.LRE) < notice:
		return "gfdl"
	}
	switch l.ID {
	case "MIT-0", "X11", "MIT-NoAd", "NCSA":
		return "mit"
	case "HPND", "HPND-sell-variant", "NTP", "MIT-CMU":
		return "hpnd"
	}
	return ""
}

var texts = sync.OnceValue(func() *table {
	t := &table{words: map[string]uint16{}, urls: map[string]string{}}
	lines := strings.Split(strings.TrimSuffix(keyText, "\n"), "\n")
	groups := map[string]*known{}
	front := make([]*known, len(first))
	var rest []*known
	n := 0
	for _, l := range licensecheck.BuiltinLicenses() {
		if l.URL != "" {
			t.urls[l.URL] = l.ID
		}
		if l.LRE == "" {
			continue
		}
		var words []uint16
		if n < len(lines) {
			// a line of another licence would hide this one: without words it is always looked for
			if id, list, _ := strings.Cut(lines[n], "\t"); id == l.ID {
				words = t.indexes(list)
			}
		}
		n++
		l.URL = ""
		name := group(&l)
		k := groups[name]
		if k == nil || name == "" {
			k = &known{}
			groups[name] = k
			if i := slices.Index(first[:], l.ID); i >= 0 && front[i] == nil {
				front[i] = k
			} else {
				rest = append(rest, k)
			}
		}
		k.licenses = append(k.licenses, l)
		k.words = append(k.words, words)
	}
	t.list = slices.DeleteFunc(append(front, rest...), func(k *known) bool { return k == nil })
	return t
})

// indexes are the places of words in the table, which takes new ones.
func (t *table) indexes(words string) []uint16 {
	var out []uint16
	for w := range strings.FieldsSeq(words) {
		i, ok := t.words[w]
		if !ok {
			i = uint16(len(t.words))
			t.words[w] = i
		}
		out = append(out, i)
	}
	return out
}

// wordSet are the words of the table that a text has.
type wordSet []uint64

func (t *table) wordsOf(text []byte) wordSet {
	set := make(wordSet, len(t.words)/64+1)
	var buf [maxWord]byte
	n := 0
	end := func() {
		if n >= minWord && n <= len(buf) {
			if i, ok := t.words[string(buf[:n])]; ok {
				set[i/64] |= 1 << (i % 64)
			}
		}
		n = 0
	}
	for _, c := range text {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c < 'a' || c > 'z':
			end()
			continue
		}
		if n < len(buf) {
			buf[n] = c
		}
		n++
	}
	end()
	return set
}

// Lengths of the words in the table.
const (
	minWord = 4
	maxWord = 32
)

// may reports whether a text with these words may be one of the licences.
func (s wordSet) may(k *known) bool {
	return slices.ContainsFunc(k.words, func(words []uint16) bool {
		for _, i := range words {
			if s[i/64]&(1<<(i%64)) == 0 {
				return false
			}
		}
		return true
	})
}

// digestText has the SHA-256 of texts that lie in most images, and what they
// are.
//
//go:embed digests.txt
var digestText string

var digests = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(digestText) {
		if sum, id, ok := strings.Cut(strings.TrimSpace(line), " "); ok && sum != "#" {
			m[sum] = id
		}
	}
	return m
})
