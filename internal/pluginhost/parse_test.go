package pluginhost

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/query"
	"github.com/tidewaiter/tidewaiter/plugin"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, yes, no string
	}{
		{"etc/*-release", "etc/os-release", "etc/x/os-release usr/etc/os-release etc/os-releases"},
		{"*.conf", "a.conf x/y/b.conf", "a.conf/x conf"},
		{"**/*.conf", "a.conf x/b.conf x/y/z/b.conf", "a.confx"},
		{"opt/**", "opt/a opt/a/b/c", "opt xopt/a usr/opt/a"},
		{"opt/**/MANIFEST", "opt/MANIFEST opt/a/MANIFEST opt/a/b/MANIFEST", "opt/a/MANIFEST/x MANIFEST"},
		{"a/**/b/**/c", "a/b/c a/x/b/c a/b/x/c a/b/b/c a/x/y/b/z/c", "a/c a/b b/c"},
		{"/etc/passwd", "etc/passwd", "passwd x/etc/passwd"},
		{"[ab]?/x", "ab/x b1/x", "c1/x a/x"},
		{"**", "a a/b/c", ""},
		{".bash_history", "root/.bash_history .bash_history", "x.bash_history"},
	} {
		p, err := newPattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, y := range strings.Fields(c.yes) {
			if !p.fits(y) {
				t.Errorf("%s does not fit %s", c.pattern, y)
			}
		}
		for _, n := range strings.Fields(c.no) {
			if p.fits(n) {
				t.Errorf("%s fits %s", c.pattern, n)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	word := func(from string, most int) string {
		var b strings.Builder
		for range 1 + r.IntN(most) {
			b.WriteByte(from[r.IntN(len(from))])
		}
		return strings.ReplaceAll(b.String(), "+", "**")
	}
	for range 50_000 {
		pattern, name := "x/"+word("ab*?//+", 10), "x/"+word("ab//", 10)
		if p, err := newPattern(pattern); err == nil && p.fits(name) != slowFit(p.parts, strings.Split(name, "/")) {
			t.Fatalf("%q of %q: %v", pattern, name, p.fits(name))
		}
	}
	for _, bad := range []string{"", "/", "[", strings.Repeat("a/", 40), strings.Repeat("a", 2000)} {
		if _, err := newPattern(bad); err == nil {
			t.Errorf("%.20q is a pattern", bad)
		}
	}
}

// slowFit is what patterns mean, tried every way.
func slowFit(parts, names []string) bool {
	switch {
	case len(parts) == 0:
		return len(names) == 0
	case parts[0] == "**":
		for i := range len(names) + 1 {
			if i == len(names) && len(parts) == 1 && i == 0 {
				break // a folder's content is not the folder
			}
			if slowFit(parts[1:], names[i:]) {
				return true
			}
		}
		return false
	case len(names) == 0:
		return false
	}
	ok, _ := path.Match(parts[0], names[0])
	return ok && slowFit(parts[1:], names[1:])
}

func FuzzPattern(f *testing.F) {
	f.Add("opt/**/x", "opt/a/x")
	f.Add("a/**/b/**/c", "a/b/b/c")
	f.Add("**/**/*", "x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := newPattern(pattern)
		if err != nil || p.last || name == "" || strings.Count(name, "/") > 12 || len(name) > 200 || strings.Count(pattern, "**") > 4 {
			return
		}
		if got, want := p.fits(name), slowFit(p.parts, strings.Split(name, "/")); got != want {
			t.Errorf("%q of %q: %v, want %v", pattern, name, got, want)
		}
	})
}

func TestPlainTable(t *testing.T) {
	columns, rows, err := plainTable([]byte("Package *Count\nleft____pad 10\n\nnone 9\n"), 10)
	table := query.Table{Columns: columns, Rows: rows}
	sortTable(&table)
	want := query.Table{Columns: []string{"Package", "Count"}, Rows: [][]string{{"", "9"}, {"left pad", "10"}}}
	if d := cmp.Diff(want, table); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, bad := range []string{"", "a b\nc\n", "a\tb\nc d\n", "a\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"} {
		if _, _, err := plainTable([]byte(bad), 10); err == nil {
			t.Errorf("%q is a table", bad)
		}
	}
}

func TestPlainAdvisories(t *testing.T) {
	a, err := plainAdvisories([]byte("state seven\n{\"id\":\"A-1\"}\nid\tecosystem\tpackage\tfixed\tversions\tseverity\nB-1\tnpm\tx\t2\t\thigh\nB-1\tnpm\ty\t\t1.0, 1.1\thigh\n"))
	if err != nil || a.State != "seven" || !a.Whole {
		t.Fatalf("%+v, %v", a, err)
	}
	var got []string
	for _, r := range a.Advisories {
		got = append(got, string(r))
	}
	want := []string{`{"id":"A-1"}`,
		`{"affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"events":[{"introduced":"0"},{"fixed":"2"}],"type":"ECOSYSTEM"}]},{"package":{"ecosystem":"npm","name":"y"},"versions":["1.0","1.1"]}],"database_specific":{"severity":"HIGH"},"id":"B-1"}`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"id\tecosystem\nx\ty\n", "nonsense\tid\nx\ty\n", "id ecosystem package\nx npm\n"} {
		if _, err := plainAdvisories([]byte(bad)); err == nil {
			t.Errorf("%q is a feed", bad)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{
		"name x\nversion 1\nhelp h\nkind analyzer\nkind gate\nkind query\nkind source\nwants a/*\ntype text\nmax-size 1mb\nfact k\ntrigger t x\nparam p enum:a,b! x\nneeds packages\nimages two\nurl https://x/\n",
		"package pkg:npm/a@1 x MIT\nfact\tk\tx\ta=b\nproblem x y\n", "hit x\npath /a\nline 3\nunknown y\n", "a *b\n1 2\n", "a\tb\n1\t2\n",
		"id\tecosystem\tpackage\nA\tnpm\tx\n", "state x\nunchanged\n{\"id\":\"x\"}\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := plainDescription(b); err == nil && check(&d) == nil {
			if d.Analyzer != nil {
				if _, err := newWants(d.Analyzer.Wants); err != nil {
					t.Errorf("a checked description has wants that are none: %v", err)
				}
			}
			for _, s := range []string{d.Name, d.Version, d.Help} {
				if clean(s, 500) != s {
					t.Errorf("%q is shown as it is", s)
				}
			}
		}
		if a, err := plainAnalysis(b, 100); err == nil && len(a.Packages)+len(a.Facts)+len(a.Problems) > 100 {
			t.Error("more than the limit")
		}
		if h, err := plainHits(b, 100); err == nil && len(h) > 100 {
			t.Error("more than the limit")
		}
		if c, rows, err := plainTable(b, 100); err == nil {
			table := query.Table{Columns: c, Rows: rows}
			sortTable(&table)
			if err := table.Validate(); err != nil {
				t.Error(err)
			}
		}
		_, _ = plainAdvisories(b) // must not panic
		var a plugin.Answer
		_ = decode(b, &a) // must not panic
		var d plugin.Description
		if decode(b, &d) == nil {
			_ = check(&d) // must not panic
		}
	})
}
