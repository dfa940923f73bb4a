package tidewaiter

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tidewaiter/tidewaiter/"

// numbers is the order of the house: a package imports only packages of
// smaller numbers. A folder's number holds for the packages below it unless
// they have one of their own.
var numbers = map[string]int{
	".":                     0, // the documents that the program prints
	"internal/inflate":      1,
	"internal/compact":      1,
	"internal/jsontext":     1,
	"internal/version":      1,
	"internal/spdx":         1,
	"internal/ledger":       1,
	"internal/inventory":    2,
	"internal/advisory":     2,
	"internal/object":       2,
	"internal/match":        3,
	"internal/image":        3,
	"internal/policy":       4,
	"internal/analyze":      4,
	"internal/feed":         4,
	"internal/bom":          4,
	"internal/notify":       4,
	"plugin":                4,
	"internal/analyze/*":    5,
	"internal/feed/*":       5,
	"internal/policy/gates": 5,
	"internal/report":       5,
	"internal/query":        5,
	"internal/pluginhost":   6,
	"internal/store":        7,
	"internal/auth":         7,
	"internal/engine":       8,
	"internal/work":         9,
	"internal/api":          10,
	"internal/ui":           10,
	"internal/cli":          11,
	"cmd/tidewaiter":        12,
	"bench":                 12, // programs that measure
	"internal/bench":        12,
}

func number(pkg string) (int, bool) {
	if n, ok := numbers[pkg]; ok {
		return n, true
	}
	if n, ok := numbers[path.Dir(pkg)+"/*"]; ok {
		return n, true
	}
	for d := path.Dir(pkg); d != "."; d = path.Dir(d) {
		if n, ok := numbers[d]; ok {
			return n, true
		}
	}
	return 0, false
}

func TestImportsGoDown(t *testing.T) {
	leaves := 0
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "examples" || d.Name() == "docs") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(p))
		from, ok := number(pkg)
		if !ok {
			t.Errorf("%s has no place in the list of this test", pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			n, ok := number(to)
			if !ok {
				t.Errorf("%s: %s has no place in the list of this test", p, to)
				continue
			}
			if n >= from {
				t.Errorf("%s: %s (%d) imports %s (%d), which is not below it", p, pkg, from, to, n)
			}
			if n == 5 && to != "internal/report" && to != "internal/query" {
				leaves++
				if filepath.ToSlash(p) != "internal/cli/builtin.go" {
					t.Errorf("%s imports the leaf %s; only internal/cli/builtin.go may", p, to)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if leaves == 0 {
		t.Error("no leaf is imported: this test looked at nothing")
	}
}

// The pure packages know no files, no network, no SQL and no clock.
func TestThePureStayPure(t *testing.T) {
	pure := []string{"internal/version", "internal/spdx", "internal/inventory", "internal/advisory", "internal/match", "internal/policy", "internal/ledger"}
	banned := []string{"os", "net", "net/http", "database/sql", "log", "log/slog", "os/exec", "syscall"}
	for _, dir := range pure {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range files {
			if strings.HasSuffix(p, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range f.Imports {
				name, _ := strconv.Unquote(imp.Path.Value)
				for _, b := range banned {
					if name == b {
						t.Errorf("%s imports %s: %s is pure", p, b, dir)
					}
				}
			}
		}
	}
}
