package lua

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// The tree was made by luarocks 3.8.0, which lists it as "inspectx 1.2.3-2
// installed" and put the module to share/lua/5.3/inspectx.lua.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:luarocks/inspectx@1.2.3-2")
	p := analyzetest.Find(t, r, "inspectx")
	if p.Licenses[0].Raw != "MIT <http://opensource.org/licenses/MIT>" || p.Description != "Shows tables" || p.Homepage != "https://github.com/example/inspectx" || p.Depends != nil {
		t.Errorf("%+v", p)
	}
	want := []string{"usr/local/lib/luarocks/rocks-5.3/inspectx/1.2.3-2/", "usr/local/share/lua/5.3/inspectx.lua"}
	if len(r.Owned) != 1 || !slices.Equal(r.Owned[0].Files.Strings(), want) {
		t.Errorf("%+v", r.Owned)
	}
}

func TestRockspec(t *testing.T) {
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{"t/lib/luarocks/rocks-5.1/Lapis/1.16.0-1/Lapis-1.16.0-1.rockspec": {Data: []byte(`
package = "lapis" -- a comment = "x"
version = "1.16.0-1"
--[[ license = { "no" } ]]
local v = "a" .. package
description = { summary = "A framework", license = [[MIT]], }
dependencies = {
  "lua >= 5.1", "ansicolors", 'Date >= 1.0'; "etlua", -- last
}
build = { type = "builtin", install = { bin = { "bin/lapis" } } }
`)}})
	analyzetest.Check(t, r, "pkg:luarocks/lapis@1.16.0-1")
	p := analyzetest.Find(t, r, "lapis")
	if !slices.Equal(p.Depends, []string{"ansicolors", "date", "etlua"}) || p.Licenses[0].Raw != "MIT" {
		t.Errorf("%+v", p)
	}
}

func TestBroken(t *testing.T) {
	const dir = "l/lib/luarocks/rocks-5.1/a/1-1/"
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		dir + "a-1-1.rockspec": {Data: []byte("description = {" + strings.Repeat("{", 1000))},
		dir + "rock_manifest":  {Data: []byte(`rock_manifest = { lua = { ["../../../etc/passwd"] = "x", [".."] = { passwd = "x" }, ok = "x" } }`)},
		"src/a-1-1.rockspec":   {Data: []byte("")},
	})
	if len(r.Packages) != 1 || len(r.Problems) != 1 || len(r.Owned) != 1 || !slices.Equal(r.Owned[0].Files.Strings(), []string{dir, "l/share/lua/5.1/ok"}) {
		t.Errorf("%+v", r)
	}
}

func FuzzLua(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"lib/luarocks/rocks-5.1/a/1-1/a-1-1.rockspec", "lib/luarocks/rocks-5.1/a/1-1/rock_manifest"}, nil, "testdata")
}
