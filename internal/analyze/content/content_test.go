package content

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func analyzeText(t testing.TB, a analyze.Analyzer, path string, text []byte) inventory.Record {
	t.Helper()
	var rec inventory.Record
	e := analyze.Entry{Path: path, Mode: 0o644, Size: int64(len(text)), Kind: analyze.Sniff(path, text)}
	if a.Wants(e) == analyze.Ignore {
		return rec
	}
	if err := a.Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(e, text)), &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

func matches(t testing.TB, rec inventory.Record) []Match {
	t.Helper()
	var out []Match
	for _, f := range rec.Facts {
		var m Match
		if err := json.Unmarshal(f.Data, &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// TestLikePython compares with Python 3.11, whose re.match over the lines of
// testdata/lines.txt made testdata/python.json: the dialect that the
// expressions of 1_0 configurations are written in.
func TestLikePython(t *testing.T) {
	text, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []Match
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	s := &Search{Kind: ContentKind}
	for _, m := range want {
		s.Expressions = append(s.Expressions, Expression{m.Name, m.Expression})
	}
	rec := analyzeText(t, s, "lines.txt", text)
	if d := cmp.Diff(want, matches(t, rec)); d != "" {
		t.Error(d)
	}
	if len(rec.Problems) > 0 {
		t.Error(rec.Problems)
	}
	for i, e := range Defaults() {
		if e != s.Expressions[i] {
			t.Errorf("default %d is %v, want %v", i, e, s.Expressions[i])
		}
	}
}

// linesOf are the lines that an expression matches.
func linesOf(e *expression, text []byte) ([]int, string) {
	w := work{text: text, at: make([]progress, 1)}
	p := &w.at[0]
	newLiterals([]*expression{e}).find(text, func(_, pos int) { e.line(pos, &w, p) })
	for len(e.literals) == 0 && p.next < len(text) && p.limit == "" {
		e.line(p.next, &w, p)
	}
	return p.lines, p.limit
}

// Looking for literals first must not lose a line.
func TestLiteralsLoseNothing(t *testing.T) {
	text, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Repeat(append(text, '\n'), 3)
	with := 0
	for _, e := range append(Defaults(), Expression{"", `.*(foo|bar)baz|qux`}, Expression{"", `x|y`}, Expression{"", `.*[ps]a[st]sword$`}, Expression{"", `.*(?i:PassWord)`}) {
		c, err := compile(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.literals) > 0 {
			with++
		}
		fast, _ := linesOf(c, text)
		c.literals = nil
		slow, _ := linesOf(c, text)
		if !reflect.DeepEqual(fast, slow) || e.Name != "" && len(fast) == 0 {
			t.Errorf("%s: %v with literals, %v without", e.label(), fast, slow)
		}
	}
	if with != 7 {
		t.Errorf("%d expressions have literals, want 7", with)
	}
	for text, want := range map[string]string{
		`(?i).*api(-|_)key( *=+ *)[A-Z]{3}`: "api-key api_key", `.*\d+`: "", `abc*`: "", `abcde*`: "abcd", `abcd*`: "", `(?:secret|token)+x`: "secret token", `a{4}`: "aaaa", `(?:abcd|x)y`: "", `(?:abcd|xyz)w`: "abcdw xyzw",
	} {
		c, err := compile(Expression{"", text})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(bytes.Join(c.literals, []byte(" "))); got != want {
			t.Errorf("literals of %s: %q, want %q", text, got, want)
		}
	}
}

func TestParseExpression(t *testing.T) {
	for text, want := range map[string]Expression{
		"A_1=x=y": {"A_1", "x=y"}, "x": {"", "x"}, "(?i)a=b": {"", "(?i)a=b"}, "a b=c": {"", "a b=c"}, "=x": {"", "=x"}, "N=": {"", "N="},
	} {
		if got := ParseExpression(text); got != want {
			t.Errorf("ParseExpression(%q) = %v, want %v", text, got, want)
		}
	}
	for _, bad := range []string{"", "(", "a**", "[z-a]", "(?<!", strings.Repeat("a", maxExpression+1)} {
		if (Expression{"N", bad}).Check() == nil {
			t.Errorf("%.20q is accepted", bad)
		}
	}
}

// An expression that backtracks for ever ends at its limit, and says so; after
// a few such files the others are not tried.
func TestTimeIsBounded(t *testing.T) {
	s := &Search{Kind: ContentKind, Expressions: []Expression{{"slow", `(?:a|aa)+(?=c)`}, {"quick", `aaa`}}}
	var rec inventory.Record
	const more = 200 // files, which would take 20 s
	for range maxSlowFiles + more {
		f := analyze.NewFile(analyze.Entry{Path: "slow"}, []byte(strings.Repeat("a", 80)+"b"))
		if err := s.Analyze(t.Context(), analyze.NewFileSet(f), &rec); err != nil {
			t.Fatal(err)
		}
	}
	if len(matches(t, rec)) != maxSlowFiles+more || len(rec.Problems) != maxSlowFiles+more {
		t.Errorf("%d matches, %d problems", len(matches(t, rec)), len(rec.Problems))
	}
	for _, p := range rec.Problems {
		if p.Limit != limitTime || p.Path != "slow" {
			t.Error(p)
		}
	}
}

func TestBounds(t *testing.T) {
	s := &Search{Kind: SecretKind, Expressions: []Expression{{"x", "x"}}, MaxSize: 5000}
	rec := analyzeText(t, s, "many", []byte(strings.Repeat("x\n", 2000)))
	if m := matches(t, rec); len(m) != 1 || len(m[0].Lines) != maxLines || m[0].Lines[999] != 999 || len(rec.Problems) != 1 || rec.Problems[0].Limit != "lines of one file" {
		t.Errorf("%v, problems %v", len(m), rec.Problems)
	}
	for size, want := range map[int64]analyze.Interest{0: analyze.Ignore, 1: analyze.Alone, 5000: analyze.Alone, 5001: analyze.Ignore} {
		if got := s.Wants(analyze.Entry{Path: "f", Size: size}); got != want {
			t.Errorf("%d bytes: %v", size, got)
		}
	}
	if (&Search{Kind: ContentKind}).Wants(analyze.Entry{Path: "f", Size: 1}) != analyze.Ignore {
		t.Error("a search for nothing wants files")
	}
	long := &Search{Kind: ContentKind, Expressions: []Expression{{"x", "x(?=y)"}}, MaxSize: 1 << 20}
	if rec := analyzeText(t, long, "f", []byte(strings.Repeat("x", maxLine)+"\nxy")); len(matches(t, rec)) != 1 || matches(t, rec)[0].Lines[0] != 1 {
		t.Errorf("%v %v", matches(t, rec), rec.Problems)
	}
	if rec := analyzeText(t, long, "f", []byte("x"+strings.Repeat("y", maxLine)+"\n")); len(rec.Problems) != 1 || rec.Problems[0].Limit != limitLine {
		t.Error(rec.Problems)
	}
	a, b := &Search{Expressions: Defaults()}, &Search{Expressions: Defaults(), MaxSize: 1}
	if a.ConfigDigest() == b.ConfigDigest() || a.ConfigDigest() != (&Search{Expressions: Defaults()}).ConfigDigest() {
		t.Error("the digest does not tell configurations apart")
	}
}

func TestRetrieve(t *testing.T) {
	r := &Retrieve{Paths: []string{"/etc/passwd", "/etc/os-release", "/lib/x.conf", "/etc/nginx/*.conf", "/opt/*/conf/**"}, MaxSize: 10}
	for path, want := range map[string]bool{
		"etc/passwd": true, "etc/passwd-": false, "usr/lib/os-release": true, "etc/os-release": true, "usr/lib/x.conf": true, "lib/x.conf": true,
		"etc/nginx/nginx.conf": true, "etc/nginx/a/b.conf": false, "opt/a/conf/b": true, "opt/a/conf/b/c": true, "opt/a/b/conf/c": false, "opt/conf/x": false, "opt/a/conf": false, "usr/etc/passwd": false,
	} {
		if got := r.Wants(analyze.Entry{Path: path, Size: 1}) == analyze.Alone; got != want {
			t.Errorf("Wants(%s) = %v", path, got)
		}
	}
	rec := analyzeText(t, r, "etc/passwd", []byte("\x00root\xff"))
	var f File
	if err := json.Unmarshal(rec.Facts[0].Data, &f); err != nil || string(f.Content) != "\x00root\xff" || rec.Facts[0].Kind != RetrievedKind {
		t.Errorf("%v %v", rec, err)
	}
	if rec := analyzeText(t, r, "etc/passwd", []byte("root:x:0:0:root:/root")); len(rec.Facts) != 0 || len(rec.Problems) != 1 || rec.Problems[0].Limit != "file size" {
		t.Errorf("%v", rec)
	}
	if rec := analyzeText(t, &Retrieve{Paths: DefaultPaths()}, "etc/passwd", nil); len(rec.Facts) != 1 {
		t.Error("an empty file is not kept")
	}
	many := inventory.Record{Facts: make([]inventory.Fact, maxRetrieved)}
	if err := r.Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: "etc/passwd"}, nil)), &many); err != nil || len(many.Facts) != maxRetrieved || len(many.Problems) != 1 || many.Problems[0].Limit != "retrieved files" {
		t.Error(len(many.Facts), many.Problems, err)
	}
	for _, bad := range []string{"", "etc/passwd", "/", "/a[", "relative/*"} {
		if CheckPath(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, e := range Defaults() {
		f.Add(e.Text, "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n-----BEGIN PRIVATE KEY-----")
	}
	f.Add(`(?P<a>x)(?P=a)[]\]]\1(?<=a(b)c)\Z`, "xx]x")
	f.Fuzz(func(t *testing.T, expression, text string) {
		c, err := compile(Expression{"f", expression})
		if err != nil || len(text) > 1000 || len(expression) > 200 {
			return
		}
		lines, limit := linesOf(c, []byte(text))
		if limit != "" || c.back == nil && c.linear == nil {
			return
		}
		c.literals = nil
		all, limit := linesOf(c, []byte(text))
		ascii := strings.IndexFunc(expression+text, func(r rune) bool { return r > 127 }) < 0
		if limit == "" && ascii && !reflect.DeepEqual(lines, all) {
			t.Errorf("%q over %q: lines %v with literals, %v without", expression, text, lines, all)
		}
	})
}
