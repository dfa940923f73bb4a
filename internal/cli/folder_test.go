package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/engine"
)

// TestFolderOfPublishers compares what is found in the folder of real feeds with
// the files that its README lists.
func TestFolderOfPublishers(t *testing.T) {
	dir := feedFolder(t)
	f := &engine.Feeds{Sources: sources()}
	parts, left, err := f.Folder(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Skip(err)
	}
	covers := func(file string) bool {
		return slices.ContainsFunc(parts, func(p engine.FolderPart) bool {
			rel, err := filepath.Rel(p.Path, filepath.Join(dir, file))
			return err == nil && !strings.HasPrefix(rel, "..")
		})
	}
	files := 0
	for line := range strings.Lines(string(readme)) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " ")
		if !ok || !strings.HasPrefix(line, "| ") || !strings.Contains(name, "/") || strings.HasSuffix(name, "/sample") || strings.Contains(name, "<") {
			continue
		}
		switch {
		case strings.HasSuffix(name, "verbatim-ghsa-sample.zip"): // beside all.zip, which has the same records
		case !covers(name):
			t.Errorf("nothing takes %s", name)
		default:
			files++
		}
	}
	if files < 65 {
		t.Errorf("%d files of the README were found", files)
	}
	with, leftWith, err := f.Folder(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"alt", "anolis", "freebsd", "hummingbird", "seal", "secureos"}, leftWith); d != "" {
		t.Errorf("left with examples (-want +got):\n%s", d)
	}
	if len(with) <= len(parts) || len(left) <= len(leftWith) {
		t.Errorf("%d parts without examples, %d with", len(parts), len(with))
	}
	for _, p := range parts {
		if p.Examples {
			t.Errorf("%s: examples were not asked for", p.Source)
		}
	}
}

func TestFolderOfTheOwner(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own/a.yaml": "", "kev.json": "{}", "osv-npm.zip": "", "redhat-vex/a.json": "{}", "nvd/nvdcve-2.0-2024.json": "{}", "nvd/sample/x.json": "broken", "elsewhere/x.json": "{}",
		"epss/epss_scores-2026-01-01.csv.gz": "", "epss/epss_scores-2026-01-02.csv.gz": "",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parts, left, err := (&engine.Feeds{Sources: sources()}).Folder(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range parts {
		got[p.Source], _ = filepath.Rel(dir, p.Path)
	}
	want := map[string]string{"own": "own", "kev": "kev.json", "osv-npm": "osv-npm.zip", "redhat-vex": "redhat-vex", "nvd": "nvd", "epss": "epss/epss_scores-2026-01-02.csv.gz"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"elsewhere"}, left); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
	if _, _, err := (&engine.Feeds{}).Folder(filepath.Join(dir, "nothing"), false); err == nil {
		t.Error("a folder that is not there was taken")
	}
}

func TestImportOfAFolder(t *testing.T) {
	c := newTool(t)
	dir := t.TempDir()
	copyFiles(t, dir, osvZip(t, map[string]string{"GHSA-1": npmRecord("GHSA-1", "fixable", "2.0.0", "HIGH")}))
	zip, _ := filepath.Glob(filepath.Join(dir, "*"))
	if err := os.Rename(zip[0], filepath.Join(dir, "osv-npm.zip")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "unknown"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.says(0, "osv-npm .*1 records: 1 new.*left in .*unknown: no source takes it", "feed", "import", dir)
	c.says(2, "holds nothing that a source could take", "feed", "import", t.TempDir())
	examples := filepath.Join(feedFolder(t), "bottlerocket")
	mirror := t.TempDir()
	if err := os.CopyFS(filepath.Join(mirror, "bottlerocket"), os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	c.says(2, "holds nothing", "feed", "import", mirror)
	c.says(0, "bottlerocket .*3 records.*examples: 2 of 4 files", "feed", "import", "--samples", mirror)
}
