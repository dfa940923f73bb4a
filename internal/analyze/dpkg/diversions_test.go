package dpkg

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// dpkg diverts files of packages made here and installs these. Each file holds
// the name of the package it is from, which is then the truth on its owner.
func TestDiversionsOfDpkg(t *testing.T) {
	for _, tool := range []string{"dpkg", "dpkg-deb", "dpkg-divert"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("dpkg installs into a root of its own only for the superuser")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(arg ...string) {
		t.Helper()
		if b, err := exec.Command(arg[0], arg[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", arg, err, b)
		}
	}
	write(root+"/var/lib/dpkg/status", "")
	if err := os.MkdirAll(root+"/var/lib/dpkg/updates", 0o755); err != nil {
		t.Fatal(err)
	}
	run("dpkg-divert", "--root="+root, "--package", "keeper", "--no-rename", "--divert", "/usr/bin/tool.moved", "--add", "/usr/bin/tool")
	run("dpkg-divert", "--root="+root, "--local", "--no-rename", "--divert", "/usr/lib/far/away", "--add", "/usr/bin/other")
	if err := os.MkdirAll(root+"/usr/lib/far", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]string{"keeper": {"tool"}, "mover": {"tool", "other", "plain"}} {
		tree := filepath.Join(dir, name)
		write(tree+"/DEBIAN/control", "Package: "+name+"\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: for a test\n")
		for _, f := range files {
			write(tree+"/usr/bin/"+f, name)
		}
		run("dpkg-deb", "--build", "--root-owner-group", tree, tree+".deb")
	}
	run("dpkg", "--root="+root, "--log=/dev/null", "--install", dir+"/keeper.deb", dir+"/mover.deb")

	want := map[string]string{}
	var table inventory.Builder
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		f := inventory.File{Path: p}
		if d.IsDir() {
			f.Type = inventory.Directory
		} else if strings.HasPrefix(p, "usr/") {
			b, err := os.ReadFile(filepath.Join(root, p))
			if err != nil {
				return err
			}
			want[p] = string(b)
		}
		table.Add(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := analyzetest.Run(t, Analyzer{}, os.DirFS(root))
	analyzetest.NoProblems(t, rec)
	got := map[string]string{}
	for _, p := range inventory.Squash([]inventory.Layer{{Files: table.Table(), Records: []inventory.Record{*rec}}}).Packages {
		for f := range p.Files.All() {
			got[string(f)] += p.Name
		}
	}
	if len(want) != 4 {
		t.Errorf("dpkg left %v", want)
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("owners (-dpkg +got):\n%s", d)
	}
}

func TestDiversions(t *testing.T) {
	list, err := diverted([]byte("/a\n/b\np\n/c\n\np\n/d\n/e\n:\n/f\n/g\nno name\n/cut\n/off\n"), divertFile)
	want := []inventory.Diversion{{Path: divertFile, From: "a", To: "b", By: "p"}, {Path: divertFile, From: "d", To: "e"}}
	if d := gocmp.Diff(want, list); d != "" {
		t.Error(d)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "3 entries cannot be read") {
		t.Error(err)
	}
	var many strings.Builder
	for i := range maxDiversions + 1 {
		fmt.Fprintf(&many, "/%d\n/%dx\n:\n", i, i)
	}
	if list, err := diverted([]byte(many.String()), divertFile); len(list) != maxDiversions || err == nil || !strings.Contains(err.Error(), "limit of 100000 diversions") {
		t.Error(len(list), err)
	}
}
