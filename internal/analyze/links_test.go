package analyze

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// counted opens a layer again and counts how often, and how far it was read.
type counted struct {
	b      []byte
	opened int
	bytes.Reader
}

func (c *counted) open(context.Context) (io.ReadCloser, error) {
	c.opened++
	c.Reader.Reset(c.b)
	return io.NopCloser(&c.Reader), nil
}

func elf(kind byte, rest string) string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16] = kind
	return string(head) + rest
}

func manifests() []Analyzer {
	programs := func(e Entry) Interest {
		if e.Kind.ELF() {
			return Alone
		}
		return Ignore
	}
	both := func(e Entry) Interest {
		if strings.HasSuffix(e.Path, "/package.json") || strings.HasSuffix(e.Path, "LICENSE") {
			return Together
		}
		return Ignore
	}
	return []Analyzer{
		recorder{name: "elf", want: programs},
		recorder{name: "licence", want: both},
		recorder{name: "node", want: suffix("/package.json", Alone)},
		recorder{name: "perl", want: suffix("bin/perl", Alone)},
	}
}

// known is what the records of a layer say, sorted: a file that is read later
// stands later in a record.
func known(l inventory.Layer) (out []string) {
	for _, r := range l.Records {
		for _, p := range r.Packages {
			out = append(out, fmt.Sprintf("%s %s %s %d", r.Analyzer, p.Path, p.Name, p.Size))
		}
		for _, p := range r.Problems {
			out = append(out, fmt.Sprintf("%s problem %s %s %s", r.Analyzer, p.Path, p.Limit, p.Message))
		}
	}
	slices.Sort(out)
	return out
}

// TestLinksToNamesNobodyWants compares layers whose content stands under the
// names of a store, which nobody wants, with the same files the other way round.
func TestLinksToNamesNobodyWants(t *testing.T) {
	type pair struct{ store, body, first string }
	files := []pair{
		{"pnpm/store/v3/files/00/a1", `{"name":"a"}`, "srv/app/node_modules/.pnpm/a@1/node_modules/a/package.json"},
		{"pnpm/store/v3/files/00/b2", `{"name":"b"}` + strings.Repeat(" ", 4000), "srv/app/node_modules/.pnpm/b@1/node_modules/b/package.json"},
		{"pnpm/store/v3/files/01/c3", "MIT", "srv/app/node_modules/.pnpm/b@1/node_modules/b/LICENSE"},
		{"opt/busybox", elf(3, "busybox"), "usr/bin/[["},
		{"opt/p5", elf(2, "perl"), "usr/bin/perl"},
		{"opt/empty", "", "usr/e/package.json"},
	}
	further := [][2]string{ // more names, some of them links to links
		{"srv/b/package.json", "pnpm/store/v3/files/00/b2"},
		{"srv/c/package.json", "srv/b/package.json"},
		{"srv/c/index.js", "srv/b/package.json"},
		{"usr/bin/ls", "usr/bin/[["},
		{"usr/local/bin/perl", "usr/bin/perl"},
	}
	var stored, straight []member
	for _, f := range files {
		stored = append(stored, file(f.store, f.body))
		straight = append(straight, file(f.first, f.body))
	}
	stored = append(stored, file("tail", strings.Repeat("t", 200_000)))
	for _, f := range files {
		stored = append(stored, link(f.first, f.store))
		straight = append(straight, link(f.store, f.first))
	}
	for _, f := range further {
		stored, straight = append(stored, link(f[0], f[1])), append(straight, link(f[0], f[1]))
	}
	straight = append(straight, file("tail", strings.Repeat("t", 200_000)))
	for _, memory := range []int64{1 << 20, 4} { // in memory; spooled
		for _, replaced := range []bool{false, true} {
			t.Run(fmt.Sprint(memory, replaced), func(t *testing.T) {
				s := &Set{Limits: Limits{MemoryFile: memory, Held: memory, Memory: 8192}, Analyzers: manifests()}
				stored, straight := stored, straight
				if replaced { // an entry of the same path and size before, whose content does not count
					old := file("pnpm/store/v3/files/00/a1", `{"name":"z"}`)
					stored = append([]member{old}, stored...)
				}
				want, err := s.Layer(t.Context(), archive(t, straight...))
				if err != nil {
					t.Fatal(err)
				}
				c := &counted{b: archive(t, stored...).Bytes()}
				got, err := s.LayerAgain(t.Context(), bytes.NewReader(c.b), c.open)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(known(want), known(got)); d != "" {
					t.Errorf("records (-the other way round +got):\n%s", d)
				}
				if n := len(known(got)); n != 19 { // counted by hand
					t.Errorf("%d facts:\n%s", n, strings.Join(known(got), "\n"))
				}
				if c.opened != 1 || c.Len() < 200_000 {
					t.Errorf("opened %d times, %d bytes were left: it should stop behind the last file", c.opened, c.Len())
				}
				given(t, s)
				// whoever wants the first names too needs no second reading
				c.opened = 0
				all := &Set{Analyzers: []Analyzer{recorder{name: "all", want: suffix("", Alone)}}}
				if _, err := all.LayerAgain(t.Context(), bytes.NewReader(c.b), c.open); err != nil || c.opened > 0 {
					t.Errorf("opened %d times, %v", c.opened, err)
				}
			})
		}
	}
}

func given(t *testing.T, s *Set) {
	t.Helper()
	if u := s.pool().held.used.Load() + s.pool().disk.used.Load(); u != 0 {
		t.Errorf("%d bytes were not given back", u)
	}
	if !s.pool().alone.TryAcquire(s.limits().Memory) {
		t.Error("memory was not given back")
	}
	s.pool().alone.Release(s.limits().Memory)
}

func TestSecondReadingThatFails(t *testing.T) {
	members := []member{file("store/1", `{"name":"1"}`), file("x", strings.Repeat("x", 5000)), file("store/2", `{"name":"2"}`), link("a/package.json", "store/1"), link("b/package.json", "store/2")}
	b := archive(t, members...).Bytes()
	other := slices.Clone(members)
	other[2] = file("store/2", `{"name":"3"}`)
	for name, tt := range map[string]struct {
		again  Reopen
		limits Limits
		want   []string // problems: path, limit, a part of the message
		forget bool
	}{
		"whole":    {again: (&counted{b: b}).open},
		"none":     {want: []string{"a/package.json||first name \"store/1\"", "b/package.json||first name \"store/2\""}},
		"refused":  {again: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("gone away") }, want: []string{"a/package.json||gone away", "b/package.json||gone away"}, forget: true},
		"cut":      {again: (&counted{b: b[:4000]}).open, want: []string{"b/package.json||unexpected EOF"}, forget: true},
		"changed":  {again: (&counted{b: archive(t, other...).Bytes()}).open, want: []string{"b/package.json||did not meet its content"}, forget: true},
		"number":   {again: (&counted{b: b}).open, limits: Limits{Linked: 1}, want: []string{"b/package.json|linked files|1 files"}},
		"size":     {again: (&counted{b: b}).open, limits: Limits{LinkedSize: 20}, want: []string{"b/package.json|linked size|limit of 20"}},
		"one file": {again: (&counted{b: b}).open, limits: Limits{WantedFile: 11}, want: []string{"a/package.json|wanted file|12 bytes", "b/package.json|wanted file|12 bytes"}},
		"scratch":  {again: (&counted{b: b}).open, limits: Limits{MemoryFile: 11, Scratch: 11}, want: []string{"a/package.json|scratch|limit of 11", "b/package.json|scratch|limit of 11"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Set{Limits: tt.limits, Analyzers: []Analyzer{recorder{name: "node", want: suffix("/package.json", Alone)}}}
			l, err := s.LayerAgain(t.Context(), bytes.NewReader(b), tt.again)
			if err != nil {
				t.Fatal(err)
			}
			r := l.Records[0]
			if len(r.Packages)+len(tt.want) != 2 || r.Forget != tt.forget || len(r.Problems) != len(tt.want) {
				t.Fatalf("record %+v", r)
			}
			for i, want := range tt.want {
				w, p := strings.Split(want, "|"), r.Problems[i]
				if p.Path != w[0] || p.Limit != w[1] || !strings.Contains(p.Message, w[2]) {
					t.Errorf("problem %+v, want %q", p, want)
				}
			}
			given(t, s)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Set{Analyzers: []Analyzer{recorder{name: "node", want: suffix("/package.json", Alone)}}}
	if _, err := s.LayerAgain(ctx, bytes.NewReader(b), func(context.Context) (io.ReadCloser, error) {
		cancel()
		return io.NopCloser(bytes.NewReader(b)), nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while reading again: %v", err)
	}
	given(t, s)
}

// TestHostileLinks has links in rings and chains, to names that come later or
// never, and very many of them.
func TestHostileLinks(t *testing.T) {
	node := []Analyzer{recorder{name: "node", want: suffix("/package.json", Alone)}}
	t.Run("order", func(t *testing.T) {
		c := &counted{b: archive(t,
			link("a/package.json", "later"), link("b/package.json", "b/package.json"),
			link("c/package.json", "d/package.json"), link("d/package.json", "c/package.json"),
			link("e/package.json", "nowhere"), link("f/package.json", "folder"), link("g/package.json", "symbolic"),
			link("h/package.json", "h1"), link("h1", "h2"), link("h2", "h3"), link("h3", "later"),
			link("i/package.json", "later"), file("i/package.json", "its own"),
			member{tar.Header{Name: "folder/", Typeflag: tar.TypeDir}, ""},
			member{tar.Header{Name: "symbolic", Linkname: "later", Typeflag: tar.TypeSymlink}, ""},
			file("later", "content")).Bytes()}
		l, err := (&Set{Analyzers: node}).LayerAgain(t.Context(), bytes.NewReader(c.b), c.open)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range known(l) {
			f := strings.Fields(k)
			got = append(got, strings.Join(f[:min(3, len(f))], " "))
		}
		content, own := "ed7002b4", "354872f4" // sha256sum of "content" and "its own"
		want := []string{
			"node a/package.json " + content, "node h/package.json " + content, "node i/package.json " + own,
			"walk problem b/package.json", "walk problem c/package.json", "walk problem d/package.json", "walk problem e/package.json", "walk problem f/package.json",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
	for _, tt := range []struct {
		name  string
		files int
		want  string
	}{{"one file", 1, "facts of one layer"}, {"many files", 30_000, "linked files"}} {
		t.Run("100,000 links to "+tt.name, func(t *testing.T) {
			c := &counted{b: manyLinks(t, tt.files, 100_000)}
			s := &Set{Analyzers: node, Limits: Limits{Facts: 50_000, Linked: 20_000}}
			l, err := s.LayerAgain(t.Context(), bytes.NewReader(c.b), c.open)
			if err != nil {
				t.Fatal(err)
			}
			r := l.Records[0]
			if len(r.Packages) != 50_000 || c.opened != 1 || !strings.Contains(fmt.Sprint(r.Problems), tt.want) {
				t.Errorf("%d packages, opened %d times, problems %.300s", len(r.Packages), c.opened, fmt.Sprint(r.Problems))
			}
			given(t, s)
		})
	}
}

func manyLinks(t *testing.T, files, links int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range files {
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("store/%d", i), Typeflag: tar.TypeReg, Mode: 0o644, Size: 1})
		w.Write([]byte{byte(i)})
	}
	for i := range links {
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("m/%d/package.json", i), Linkname: fmt.Sprintf("store/%d", i%files), Typeflag: tar.TypeLink})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
