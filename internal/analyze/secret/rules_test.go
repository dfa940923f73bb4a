package secret

import (
	"fmt"
	"math/rand/v2"
	resyntax "regexp/syntax"
	"slices"
	"strings"
	"testing"
)

// TestTables compiles every built-in rule.
func TestTables(t *testing.T) {
	services := map[string]bool{}
	seen := map[string]bool{}
	for _, r := range builtin().rules {
		if seen[r.ID] {
			t.Errorf("%s: twice", r.ID)
		}
		seen[r.ID] = true
		if _, err := newRule(r.Rule, true); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		if r.Service != "" {
			services[r.Service] = true
		}
	}
	t.Logf("%d rules, %d services, %d keywords, %d literals, %d of them specific", len(builtin().rules), len(services), len(builtin().literals), len(builtin().all().literals), len(builtin().specific().literals))
	if len(services) < 120 {
		t.Errorf("%d services: want 120", len(services))
	}
}

// TestEveryRule makes a random text that the pattern of each rule describes
// and expects it to be found where such a thing stands: keywords, patterns
// and bounds of entropy must agree.
func TestEveryRule(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, r := range builtin().rules {
		if r.Form == Present || r.Form == built || r.Check != "" && r.Check != "password" || strings.HasSuffix(r.ID, "-header") || r.Category == CategoryConnection {
			continue // have tests of their own
		}
		t.Run(r.ID, func(t *testing.T) {
			for range 20 {
				if !findsOwn(t, r, rnd) {
					return
				}
			}
		})
	}
}

func findsOwn(t *testing.T, r *rule, rnd *rand.Rand) bool {
	pattern := r.Pattern
	re, err := resyntax.Parse(pattern, resyntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	path, text := "srv/app/settings.conf", ""
	for try := 0; ; try++ {
		var b strings.Builder
		generate(&b, re.Simplify(), rnd)
		text = b.String()
		if !placeholder([]byte(text)) || try > 100 {
			break
		}
	}
	if len(r.paths) > 0 {
		path = "srv/" + strings.ReplaceAll(strings.TrimPrefix(r.Paths[0], "/"), "*", "some")
	}
	if r.Form == Value {
		name := ""
		for _, k := range r.Keywords {
			for _, tail := range []string{"", "_secret", "_token", "_key", "_password", "_api_token", "_write_key", "_client_secret", "_consumer_key", "_private_key", "_hec", "_pat"} {
				if name == "" && (r.Name == "" || r.name().MatchString(k+tail)) && !strings.ContainsAny(k, ` "'`) {
					name = k + tail
				}
			}
		}
		if name == "" {
			t.Errorf("no name for %q", r.Name)
			return false
		}
		text = "# settings\n" + strings.ToUpper(name) + " = \"" + text + "\"\n"
	} else if r.Form != Whole {
		if !slices.ContainsFunc(r.Keywords, func(k string) bool { return strings.Contains(strings.ToLower(text), k) }) {
			text = r.Keywords[0] + " " + text
		}
		text = "# settings\nvalue: " + text + "\nother: 1\n"
	}
	found, err := builtin().scan(t.Context(), path, []byte(text), []byte("k"))
	if err != nil || !slices.ContainsFunc(found, func(f Found) bool {
		return f.Rule == r.ID || f.Confidence >= r.Confidence*0.75 && f.Service != "" || f.Service == r.Service
	}) {
		t.Errorf("not found in %s: %q, but %v %v", path, text, found, err)
		return false
	}
	return true
}

// generate writes a random text that matches re.
func generate(b *strings.Builder, re *resyntax.Regexp, rnd *rand.Rand) {
	switch re.Op {
	case resyntax.OpLiteral:
		for _, r := range re.Rune {
			b.WriteRune(r)
		}
	case resyntax.OpCharClass:
		var pick []rune
		for i := 0; i < len(re.Rune); i += 2 {
			for c := max(re.Rune[i], '!'); c <= min(re.Rune[i+1], '~'); c++ {
				if !strings.ContainsRune("\"'`$<>[](){}\\#%&*/.:~|!@;,^?=+", c) || len(re.Rune) < 4 {
					pick = append(pick, c)
				}
			}
		}
		if len(pick) == 0 {
			if len(re.Rune) > 1 && re.Rune[0] <= '\n' {
				b.WriteByte(' ')
				return
			}
			pick = []rune{re.Rune[0]}
		}
		b.WriteRune(pick[rnd.IntN(len(pick))])
	case resyntax.OpAnyChar, resyntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case resyntax.OpCapture, resyntax.OpConcat:
		for _, s := range re.Sub {
			generate(b, s, rnd)
		}
	case resyntax.OpAlternate:
		generate(b, re.Sub[rnd.IntN(len(re.Sub))], rnd)
	case resyntax.OpStar, resyntax.OpQuest:
		if rnd.IntN(4) == 0 {
			generate(b, re.Sub[0], rnd)
		}
	case resyntax.OpPlus:
		for range 1 + rnd.IntN(8) {
			generate(b, re.Sub[0], rnd)
		}
	case resyntax.OpRepeat:
		n := re.Min
		if re.Max > n {
			n += min(re.Max-n, 8)
		}
		for range n {
			generate(b, re.Sub[0], rnd)
		}
	case resyntax.OpEmptyMatch, resyntax.OpBeginLine, resyntax.OpBeginText, resyntax.OpEndLine, resyntax.OpEndText, resyntax.OpWordBoundary:
	default:
		panic(fmt.Sprint(re.Op))
	}
}

// TestSearch compares the search with looking for each literal alone.
func TestSearch(t *testing.T) {
	words := []string{"abcd", "bcde", "token", "x://", "ghp_", "password", "AKIA"}
	var list []literal
	for i, w := range words {
		list = append(list, literal{text: strings.ToLower(w), owner: i})
	}
	s := newSearch(list)
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := range 2000 {
		var b strings.Builder
		for b.Len() < n%97 {
			if w := words[rnd.IntN(len(words))]; rnd.IntN(3) == 0 {
				b.WriteString(w)
			} else {
				b.WriteByte(byte('a' + rnd.IntN(5)))
			}
		}
		text := b.String()
		want := map[string]int{}
		for i, w := range words {
			for at := range len(text) {
				if strings.HasPrefix(strings.ToLower(text[at:]), strings.ToLower(w)) {
					want[fmt.Sprint(i, " ", at)]++
				}
			}
		}
		got := map[string]int{}
		s.each([]byte(text), func(l, at int) bool { got[fmt.Sprint(l, " ", at)]++; return true })
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
	}
}
