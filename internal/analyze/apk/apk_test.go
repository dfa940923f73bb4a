package apk

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func run(t testing.TB, in string) *inventory.Record {
	t.Helper()
	return analyzetest.RunOne(t, Analyzer{}, "lib/apk/db/installed", in)
}

// The lists are the answer of apk-tools 2.10 to "apk list -I", the infos its
// answers to "apk info" for every package: description (-d), home page (-w),
// size (-s), "B" and the packages that require it (-r), "L" and its files (-L).
func TestAgainstAPK(t *testing.T) {
	for _, name := range []string{"alpine310", "wolfi"} {
		out := run(t, file(t, name+".installed"))
		if len(out.Problems) != 0 {
			t.Errorf("%s: %v", name, out.Problems)
		}
		var list []string
		info := make(map[string][]string)
		requiredBy := make(map[string][]string)
		for _, p := range out.Packages {
			origin := p.Source
			if origin == "" {
				origin = p.Name
			} else if p.SourceVersion != p.Version {
				t.Errorf("%s: version %q of the source of %s", name, p.SourceVersion, p.Name)
			}
			list = append(list, fmt.Sprintf("%s-%s %s {%s} (%s) [installed]", p.Name, p.Version, p.Arch, origin, p.Licenses[0].Raw))
			info[p.Name] = append([]string{p.Description, p.Homepage, strconv.FormatInt(p.Size, 10)}, p.Files.Strings()...)
			for _, d := range p.Depends {
				requiredBy[d] = append(requiredBy[d], p.Name+"-"+p.Version)
			}
		}
		slices.Sort(list)
		if diff := gocmp.Diff(strings.Split(strings.TrimSpace(file(t, name+".list")), "\n"), list); diff != "" {
			t.Errorf("%s (-apk +got):\n%s", name, diff)
		}
		wantInfo := make(map[string][]string)
		wantBy := make(map[string][]string)
		current := ""
		for line := range strings.Lines(file(t, name+".info")) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "== "):
				current = line[3:]
			case strings.HasPrefix(line, "B "):
				wantBy[current] = append(wantBy[current], line[2:])
			case strings.HasPrefix(line, "L "):
				wantInfo[current] = append(wantInfo[current], line[2:])
			default:
				wantInfo[current] = append(wantInfo[current], line)
			}
		}
		for _, lines := range wantInfo {
			slices.Sort(lines[3:])
		}
		if diff := gocmp.Diff(wantInfo, info); diff != "" {
			t.Errorf("%s (-apk +got):\n%s", name, diff)
		}
		for _, m := range []map[string][]string{wantBy, requiredBy} {
			for by := range maps.Values(m) {
				slices.Sort(by)
			}
		}
		if diff := gocmp.Diff(wantBy, requiredBy); diff != "" {
			t.Errorf("%s: required by (-apk +got):\n%s", name, diff)
		}
	}
}

func TestOddEntries(t *testing.T) {
	out := run(t, "\n\nP:a\nV:1-r0\nL:\nF:\nR:top\nF:usr/\nR:x y\r\nD:b>=1 !c so:none /bin/none a d@edge cmd:q=1\n\n"+
		"P:b\nV:2-r0\no:src\nL:MIT AND BSD\nf:sx\nc:0123\np:cmd:q=1\n\n"+
		"P:.deps\nV:20260101.1\nT:virtual meta package\nD:a\n\n"+
		"P:no version\nV:1\n\n"+
		"P:e\n\n"+
		"garbage\nP:g\nV:1-r1\nA:noarch")
	var got []string
	for _, p := range out.Packages {
		got = append(got, fmt.Sprint(p.Name, p.Version, p.Arch, p.Source, p.SourceVersion, p.Licenses, p.Depends, p.Files.Strings(), p.Meta))
	}
	want := []string{
		fmt.Sprint("a", "1-r0", "", "", "", []inventory.License(nil), []string{"b", "d"}, []string{"top", "usr/x y"}, map[string]string(nil)),
		fmt.Sprint("b", "2-r0", "", "src", "2-r0", []inventory.License{{Raw: "MIT AND BSD", Source: "declared"}}, []string(nil), []string{},
			map[string]string{"commit": "0123", "f": "sx"}),
		fmt.Sprint("g", "1-r1", "noarch", "", "", []inventory.License(nil), []string(nil), []string{}, map[string]string(nil)),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, "3 entries") {
		t.Errorf("problems %v, want one of 3 entries", out.Problems)
	}
	if out := run(t, "\x00\x01\x02 no database"); len(out.Problems) != 1 {
		t.Errorf("problems %v, want one", out.Problems)
	}
}

func TestWants(t *testing.T) {
	for p, want := range map[string]analyze.Interest{
		"lib/apk/db/installed": analyze.Alone, "usr/lib/apk/db/installed": analyze.Alone,
		"lib/apk/db/triggers": analyze.Ignore, "srv/lib/apk/db/installed": analyze.Ignore,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: p}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", p, got, want)
		}
	}
}

func BenchmarkInstalled(b *testing.B) {
	data := []byte(strings.Repeat(file(b, "alpine310.installed")+"\n", 20))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var out inventory.Record
		if err := read(b.Context(), "p", data, &out); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzInstalled(f *testing.F) {
	f.Add(file(f, "alpine310.installed"))
	f.Add(file(f, "wolfi.installed"))
	f.Fuzz(func(t *testing.T, in string) {
		for _, p := range run(t, in).Packages {
			if !word(p.Name) || !word(p.Version) {
				t.Errorf("package %+v", p)
			}
		}
	})
}
