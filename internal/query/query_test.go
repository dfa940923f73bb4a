package query

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func table(t *testing.T, files ...inventory.File) *inventory.Table {
	t.Helper()
	var b inventory.Builder
	for _, f := range files {
		b.Add(f)
	}
	return b.Table()
}

func layers(ids ...string) (out []inventory.LayerInfo) {
	for _, id := range ids {
		out = append(out, inventory.LayerInfo{DiffID: inventory.Digest(id)})
	}
	return out
}

// subject is an image that is called by its name wherever a query names it.
func subject(name string, img inventory.Image) Subject {
	img.ConfigDigest = inventory.Digest("sha256:" + name + strings.Repeat("0", 64-len(name)))
	return Subject{Name: name, Image: &img}
}

func byName(t *testing.T, name string) Query {
	t.Helper()
	for _, q := range Builtin() {
		if q.Spec().Name == name {
			return q
		}
	}
	t.Fatalf("no query %s", name)
	return nil
}

// rows are the answer without the columns that name the image.
func rows(t *testing.T, name string, in Input) []string {
	t.Helper()
	got, err := byName(t, name).Run(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range got.Rows {
		for i, c := range got.Columns {
			if c == "Image_Id" || c == "Repo_Tags" || c == "Compare_Image_Id" || c == "Compare_Repo_Tags" {
				r[i] = ""
			}
		}
		out = append(out, strings.TrimSpace(strings.Join(r, " ")))
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestSpecsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range Builtin() {
		s := q.Spec()
		if s.Summary == "" || seen[s.Name] || strings.ToLower(s.Name) != s.Name {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
		for i, p := range s.Params {
			if p.Help == "" || p.Repeated && i != len(s.Params)-1 {
				t.Errorf("%s: parameter %+v", s.Name, p)
			}
		}
		if _, err := q.Run(t.Context(), &Input{}); err == nil || !strings.Contains(err.Error(), "image") {
			t.Errorf("%s without an image: %v", s.Name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	s := Spec{Name: "q", Params: []Param{{Name: "a", Required: true}, {Name: "b"}}}
	one := []Subject{subject("aa", inventory.Image{})}
	for _, c := range []struct {
		params []string
		want   string
	}{{nil, "needs a"}, {[]string{"1"}, ""}, {[]string{"1", "2"}, ""}, {[]string{"1", "2", "3"}, "takes 2 parameters"}} {
		err := s.Check(&Input{Images: one, Params: c.params})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.params, err)
		}
	}
	if err := s.Check(&Input{Images: append(one, one...), Params: []string{"1"}}); err == nil {
		t.Error("two images for a query about one")
	}
	if got := s.Usage(); got != "A [B]" {
		t.Error(got)
	}
}

func TestPackages(t *testing.T) {
	s := subject("aa", inventory.Image{Packages: []inventory.Package{
		{Type: "deb", Name: "openssl", Version: "3.0.1-1", Licenses: []inventory.License{{Expression: "Apache-2.0"}}},
		{Type: "npm", Namespace: "@types", Name: "express", Version: "4.17.1", Path: "a/package.json",
			Locations: []inventory.Location{{Path: "a/package.json"}, {Path: "b/package.json"}}},
		{Type: "npm", Name: "express", Version: "4.19.2", Path: "c/package.json", Licenses: []inventory.License{{Raw: "GPL version 3"}}},
	}})
	in := func(words ...string) Input { return Input{Images: []Subject{s}, Params: words} }
	expect(t, rows(t, "list-packages", in()), "openssl 3.0.1-1")
	expect(t, rows(t, "list-packages", in("bash")))
	expect(t, rows(t, "has-package", in("openssl", "nothing")), "openssl openssl 3.0.1-1 deb")
	expect(t, rows(t, "list-npms", in("@types/express")), "@types/express 4.17.1 /a/package.json", "@types/express 4.17.1 /b/package.json")
	expect(t, rows(t, "list-package-licenses", in("gpl")), "express 4.19.2 GPL version 3")
}

func TestNonPackagedFilesFollowLinkedDirectories(t *testing.T) {
	img := inventory.Image{
		Packages: []inventory.Package{
			{Type: "deb", Name: "libc6", Path: "var/lib/dpkg/status", Files: inventory.NewFileList([]string{"lib/libc.so"})},
			{Type: "npm", Name: "x", Path: "opt/x/package.json", Files: inventory.NewFileList([]string{"opt/x/"})},
		},
		Files: table(t,
			inventory.File{Path: "lib", Type: inventory.Symlink, Link: "usr/lib"},
			inventory.File{Path: "usr/lib/libc.so"}, inventory.File{Path: "usr/lib/alien.so"}, inventory.File{Path: "usr/lib/deep/er/alien.so"},
			inventory.File{Path: "opt/x/lib/a.js"}, inventory.File{Path: "opt/y"}, inventory.File{Path: "var/lib/dpkg/status"}),
	}
	s := subject("aa", img)
	in := func(words ...string) Input { return Input{Images: []Subject{s}, Params: words} }
	expect(t, rows(t, "show-non-packaged-files", in()), "/lib", "/opt/y", "/usr/lib/alien.so", "/usr/lib/deep/er/alien.so")
	expect(t, rows(t, "show-non-packaged-files", in("2", "/usr")), "/usr/lib")
	expect(t, rows(t, "show-non-packaged-files", in("all", "exclude=/usr/lib/deep", "exclude=/opt")), "/lib", "/usr/lib/alien.so")
	if _, err := byName(t, "show-non-packaged-files").Run(t.Context(), &Input{Images: []Subject{s}, Params: []string{"x"}}); err == nil {
		t.Error("a parameter that means nothing was taken")
	}
	other := subject("bb", inventory.Image{Files: table(t, inventory.File{Path: "opt/y"}, inventory.File{Path: "lib", Type: inventory.Symlink, Link: "usr/lib"})})
	expect(t, rows(t, "show-non-packaged-files-diff", Input{Images: []Subject{s}, Compare: &other}), "/usr/lib/alien.so", "/usr/lib/deep/er/alien.so")
}

func TestLinksThatGoRoundEnd(t *testing.T) {
	links := map[string]string{"a": "b", "b": "a", "c": "../../etc"}
	for _, p := range []string{"a/x", "c/passwd", "d/x"} {
		if got := realParent(p, links); p == "c/passwd" && got != "etc/passwd" || p == "d/x" && got != p {
			t.Errorf("%s: %s", p, got)
		}
	}
}

func TestDiffs(t *testing.T) {
	a := subject("aa", inventory.Image{
		Packages: []inventory.Package{{Type: "deb", Name: "same", Version: "1"}, {Type: "deb", Name: "newer", Version: "2"}, {Type: "gem", Name: "added", Version: "1"}},
		Files:    table(t, inventory.File{Path: "f", Size: 1, SHA256: [32]byte{1}}, inventory.File{Path: "l", Type: inventory.Symlink, Link: "f"}, inventory.File{Path: "same", Size: 1, SHA256: [32]byte{7}}),
	})
	b := subject("bb", inventory.Image{
		Packages: []inventory.Package{{Type: "deb", Name: "same", Version: "1"}, {Type: "deb", Name: "newer", Version: "1"}, {Type: "deb", Name: "removed", Version: "1"}},
		Files:    table(t, inventory.File{Path: "f", Size: 1, SHA256: [32]byte{2}}, inventory.File{Path: "gone", Type: inventory.Directory}, inventory.File{Path: "same", Size: 1, SHA256: [32]byte{7}}),
	})
	in := Input{Images: []Subject{a}, Compare: &b}
	expect(t, rows(t, "show-pkg-diffs", in), "deb newer 2 1", "deb removed NOTINSTALLED 1", "gem added 1 NOTINSTALLED")
	zeros := strings.Repeat("00", 31)
	expect(t, rows(t, "show-file-diffs", in), "/f 01"+zeros+" 02"+zeros, "/l symlink:f NOTINSTALLED", "/gone NOTINSTALLED directory")
	in.Params = []string{"exclude=/f", "exclude=/g"}
	expect(t, rows(t, "show-file-diffs", in), "/l symlink:f NOTINSTALLED")
}

// Three images: child and grandchild are built on base, other on nothing.
func TestFamily(t *testing.T) {
	images := []Subject{
		subject("cccccccccccc", inventory.Image{Layers: layers("1", "2", "3")}),
		subject("aaaaaaaaaaaa", inventory.Image{Layers: layers("1")}),
		subject("dddddddddddd", inventory.Image{Layers: layers("9", "2")}),
		subject("bbbbbbbbbbbb", inventory.Image{Layers: layers("1", "2")}),
	}
	if d := cmp.Diff([]int{1, 3, 0}, family(images, 0)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{2}, family(images, 2)); d != "" {
		t.Error(d)
	}
	// The vulnerability came with the middle image: mend there, build the last again.
	found := func(s *Subject, ids ...string) {
		s.Image.Packages = []inventory.Package{{Type: "deb", Name: "p", Version: "1"}}
		s.Scan = &match.Scan{Image: s.Image}
		for _, id := range ids {
			s.Scan.Findings = append(s.Scan.Findings, match.Finding{ID: id, Severity: "high", Fix: advisory.Fix{Versions: []string{"2"}}})
		}
	}
	found(&images[0], "CVE-2020-1", "CVE-2020-2")
	found(&images[1])
	found(&images[2], "CVE-2020-1")
	found(&images[3], "CVE-2020-1")
	expect(t, rows(t, "cve-scan", Input{Images: images, Params: []string{"High"}}),
		"CVE-2020-1 high 3 p-1 2 bbbbbbbbbbbb,dddddddddddd cccccccccccc -",
		"CVE-2020-2 high 1 p-1 2 cccccccccccc - -")
	expect(t, rows(t, "cve-scan-simple", Input{Images: images, Params: []string{"low"}}))
	expect(t, rows(t, "common-packages", Input{Images: []Subject{images[0], images[3]}, Compare: &Subject{Name: "base", Image: &inventory.Image{Layers: layers("1")}}}),
		"- deb/p 2")
}

func TestSizeBinsHoldTheirUpperBound(t *testing.T) {
	of := func(size int64) Subject {
		return subject("aaaaaaaaaaaa", inventory.Image{Files: table(t, inventory.File{Path: "f", Size: size}, inventory.File{Path: "g", Size: size, Link: "f"})})
	}
	expect(t, rows(t, "size-bins", Input{Images: []Subject{of(25_000_000), of(25_000_001), of(2_000_000_000)}, Params: []string{"0", "25", "50"}}),
		"0-25 1 aaaaaaaaaaaa", "25-50 1 aaaaaaaaaaaa", "50-max 1 aaaaaaaaaaaa")
	for _, bad := range [][]string{{"5"}, {"0", "10", "10"}, {"0", "x"}} {
		if _, err := byName(t, "size-bins").Run(t.Context(), &Input{Images: []Subject{of(1)}, Params: bad}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// What an image says where a kept file was never leads out of the folder.
func TestKeptFilesStayBelowTheDestination(t *testing.T) {
	fact := func(path, content string) inventory.Fact {
		data, err := json.Marshal(policy.RetrievedFile{Content: []byte(content)})
		if err != nil {
			t.Fatal(err)
		}
		return inventory.Fact{Kind: policy.FactRetrievedFile, Path: path, Data: data}
	}
	dir := filepath.Join(t.TempDir(), "to")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := subject("aa", inventory.Image{Facts: []inventory.Fact{fact("etc/app/conf", "kept")}})
	expect(t, rows(t, "get-retrieved-files", Input{Images: []Subject{s}, Params: []string{dir}}), "/etc/app/conf "+filepath.Join(dir, "etc/app/conf"))
	if b, err := os.ReadFile(filepath.Join(dir, "etc/app/conf")); err != nil || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	s.Image.Facts = []inventory.Fact{fact("../out", "x")}
	if _, err := byName(t, "get-retrieved-files").Run(t.Context(), &Input{Images: []Subject{s}, Params: []string{dir}}); err == nil {
		t.Error("a path led out of the destination")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "out")); err == nil {
		t.Error("something was written outside")
	}
}

func TestVerdicts(t *testing.T) {
	s := subject("aa", inventory.Image{})
	if _, err := byName(t, "has-final-gateaction").Run(t.Context(), &Input{Images: []Subject{s}}); err == nil {
		t.Error("an image without a verdict has an action")
	}
	s.Verdict = &policy.Verdict{Action: policy.Stop, Reason: policy.ByPolicy, Rows: []policy.Row{
		{Gate: "dockerfile", Trigger: "instruction", Action: policy.Warn, Message: "m"}, {Gate: "always", Trigger: "always", Action: policy.Stop, Message: "n"}}}
	expect(t, rows(t, "has-gateaction", Input{Images: []Subject{s}, Params: []string{"STOP"}}), "always always stop n")
	expect(t, rows(t, "has-final-gateaction", Input{Images: []Subject{s}, Params: []string{"go"}}))
	expect(t, rows(t, "has-final-gateaction", Input{Images: []Subject{s}}), "stop "+string(policy.ByPolicy))
}
