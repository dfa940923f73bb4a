package nvd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// configuration says which products are vulnerable, and together with which
// others: nodes of criteria, joined by Operator ("" means OR).
type configuration struct {
	Operator string `json:"operator"`
	Negate   bool   `json:"negate"`
	Nodes    []node `json:"nodes"`
}

type node struct {
	Operator string      `json:"operator"`
	Negate   bool        `json:"negate"`
	Matches  []criterion `json:"cpeMatch"`
}

type criterion struct {
	Vulnerable     bool   `json:"vulnerable"`
	Criteria       string `json:"criteria"` // CPE 2.3
	StartIncluding string `json:"versionStartIncluding"`
	StartExcluding string `json:"versionStartExcluding"`
	EndIncluding   string `json:"versionEndIncluding"`
	EndExcluding   string `json:"versionEndExcluding"`
}

// claim is what criteria share that differ in their versions only.
type claim struct {
	name, pattern string
	all           bool // every version: kept apart from those that name some
	with          int  // index of the list of what must be there too, -1: nothing
	note          string
}

// claims gathers the affected products of a record.
type claims struct {
	copied   int // names in all lists made so far
	order    []claim
	affected map[claim]*advisory.Affected
	withs    [][]string
	numbers  map[string]int // of each list in withs
	problems []error
}

// affected turns configurations into claims. Only criteria marked vulnerable
// are claims; the others say where. A problem is a criterion that is no CPE 2.3
// name.
func affected(cs []configuration) ([]advisory.Affected, []error) {
	g := claims{affected: map[claim]*advisory.Affected{}, numbers: map[string]int{}}
	for i := range cs {
		g.configuration(&cs[i])
	}
	out := make([]advisory.Affected, 0, len(g.order))
	for _, c := range g.order {
		a := g.affected[c]
		slices.Sort(a.Versions)
		a.Versions = slices.Compact(a.Versions)
		slices.SortFunc(a.Intervals, func(x, y advisory.Interval) int {
			return cmp.Or(strings.Compare(x.Introduced, y.Introduced), strings.Compare(x.Fixed, y.Fixed), strings.Compare(x.LastAffected, y.LastAffected))
		})
		a.Intervals = slices.Compact(a.Intervals)
		out = append(out, *a)
	}
	slices.SortStableFunc(out, func(a, b advisory.Affected) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.CPE, b.CPE), slices.Compare(a.With, b.With), len(a.Intervals)+len(a.Versions)-len(b.Intervals)-len(b.Versions))
	})
	if len(out) == 0 {
		out = nil
	}
	return out, g.problems
}

func (g *claims) configuration(c *configuration) {
	if c.Negate {
		// It holds for whatever is not listed: nothing can be looked up by that.
		g.problems = append(g.problems, fmt.Errorf("a configuration is negated: it is left out"))
		return
	}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if n.Negate {
			if c.Operator != "AND" {
				g.problems = append(g.problems, fmt.Errorf("a node is negated: it is left out"))
			}
			continue
		}
		with, note := -1, ""
		if c.Operator == "AND" {
			var others []string
			for k := range c.Nodes {
				switch o := &c.Nodes[k]; {
				case k == i || g.copied > maxWith:
				case o.Negate:
					note = "not together with " + strings.Join(names(o.Matches), " or ")
				default:
					others = append(others, names(o.Matches)...)
					g.copied += len(c.Nodes)
				}
			}
			with = g.with(others)
		}
		for k := range n.Matches {
			m := &n.Matches[k]
			if !m.Vulnerable {
				continue
			}
			w := with
			if n.Operator == "AND" && len(n.Matches) > 1 && g.copied <= maxWith {
				others := names(slices.Delete(slices.Clone(n.Matches), k, k+1))
				if with >= 0 {
					others = append(others, g.withs[with]...)
				}
				w = g.with(others)
			}
			if g.copied > maxWith {
				g.problems = append(g.problems, &feed.LimitError{What: "a configuration", Limit: "names that must be there together", Most: maxWith})
				return
			}
			g.add(m, w, note)
		}
	}
}

func names(ms []criterion) []string {
	out := make([]string, 0, len(ms))
	for i := range ms {
		out = append(out, ms[i].Criteria)
	}
	return out
}

// maxWith bounds the names in all lists of what must be there too, which grow
// with the square of their configuration.
const maxWith = 1 << 20

// with gives equal lists one number.
func (g *claims) with(list []string) int {
	if len(list) == 0 || g.copied > maxWith {
		return -1
	}
	g.copied += len(list)
	slices.Sort(list)
	list = slices.Compact(list)
	key := strings.Join(list, "\n")
	i, known := g.numbers[key]
	if !known {
		i = len(g.withs)
		g.withs = append(g.withs, list)
		g.numbers[key] = i
	}
	return i
}

func (g *claims) add(m *criterion, with int, note string) {
	f, ok := splitCPE(m.Criteria)
	if !ok {
		g.problems = append(g.problems, fmt.Errorf("%q is no CPE 2.3 name", shorten(m.Criteria)))
		return
	}
	c := claim{name: f[3] + ":" + f[4], pattern: m.Criteria, with: with, note: note}
	in := advisory.Interval{Introduced: m.StartIncluding, Fixed: m.EndExcluding, LastAffected: m.EndIncluding}
	if m.StartExcluding != "" {
		in.Introduced, in.After = m.StartExcluding, true
	}
	exact := ""
	switch {
	case in != (advisory.Interval{}):
	case f[5] != "*" && f[5] != "-" && f[5] != "" && !wild(f[5]) && !wild(f[6]):
		// Versions are listed one criterion each, by the hundred: together
		// they are one claim whose pattern leaves the version open.
		exact = unescape(f[5])
		if f[6] != "*" && f[6] != "-" {
			exact += unescape(f[6])
		}
		f[5], f[6] = "*", "*"
		c.pattern = strings.Join(f[:], ":")
	default:
		c.all = true
	}
	a := g.affected[c]
	if a == nil {
		a = &advisory.Affected{Key: advisory.Key{Stream: "cpe", Name: c.name}, Scheme: version.Generic, CPE: c.pattern, Note: note}
		if with >= 0 {
			a.With = g.withs[with]
		}
		g.affected[c] = a
		g.order = append(g.order, c)
	}
	switch {
	case exact != "":
		a.Versions = append(a.Versions, exact)
	case !c.all:
		a.Intervals = append(a.Intervals, in)
	}
}

// splitCPE takes a formatted string (NISTIR 7695, 6.2) apart; the fields stay
// escaped.
func splitCPE(s string) (f [13]string, ok bool) {
	n, start := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ':':
			if n == len(f) {
				return f, false
			}
			f[n] = s[start:i]
			n++
			start = i + 1
		case s[i] == '\\':
			i++
		}
	}
	return f, n == len(f) && f[0] == "cpe" && f[1] == "2.3" && f[3] != "" && f[4] != "" && len(s) <= 4096
}

// wild reports whether a field has an unescaped wildcard beside other text.
func wild(field string) bool {
	if field == "*" {
		return false
	}
	for i := 0; i < len(field); i++ {
		switch field[i] {
		case '\\':
			i++
		case '*', '?':
			return true
		}
	}
	return false
}

func unescape(s string) string { return strings.ReplaceAll(s, `\`, "") }
