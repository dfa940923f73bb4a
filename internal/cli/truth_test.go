package cli

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/image"
)

// TestAgainstRawFiles compares the findings of images with those of a program
// that was written without regard to ours: testdata/truth/affected.py reads the
// package databases and publishers' files itself and compares versions with
// dpkg. Where every package is taken to have one version of long ago, each
// claim about each package counts.
func TestAgainstRawFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it imports whole feeds")
	}
	for _, tool := range []string{"python3", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	folder := feedFolder(t)
	f := realFeeds(t, "debian", "debian-dsa", "alpine", "wolfi")
	e := &engine.Engine{Set: &analyze.Set{Analyzers: analyzers()}, Log: slog.New(slog.DiscardHandler)}
	images := []string{filepath.Join(folder, "../../images/distroless.tar"), filepath.Join(folder, "../../images/alpine310.tar"), filepath.Join(folder, "../../images/apk-wolfi.tar")}
	if corpus := os.Getenv("TIDEWAITER_CORPUS"); corpus != "" {
		images = append(images, filepath.Join(corpus, "tar", "debian-base.tar"))
	}
	for _, name := range images {
		for _, version := range []string{"", "0", "1.1.1", "5.10.100"} {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".tar")+" "+version, func(t *testing.T) {
				ref, err := image.ParseRef(name)
				if err != nil {
					t.Fatal(err)
				}
				img, err := e.Inventory(t.Context(), ref, engine.InventoryOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for i := range img.Packages {
					if p := &img.Packages[i]; version != "" && p.OS() {
						p.Version, p.SourceVersion = version, ""
					}
				}
				s, err := f.Scan(t.Context(), img, engine.ScanOptions{})
				if err != nil {
					t.Fatal(err)
				}
				names := map[string]bool{} // NAME VERSION ID of every name of a finding
				findings := map[string][]string{}
				for i := range s.Findings {
					x := &s.Findings[i]
					p := s.Package(x)
					if !p.OS() || x.Suppressed != "" {
						continue
					}
					at := p.Name + "\t" + p.Version + "\t"
					for _, id := range append([]string{x.ID}, x.Aliases...) {
						names[at+id] = true
						findings[at+x.ID] = append(findings[at+x.ID], at+id)
					}
				}
				cmd := exec.CommandContext(t.Context(), "python3", "testdata/truth/affected.py", name, folder, version)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s", err, stderr.String())
				}
				truth := map[string]bool{}
				for line := range strings.Lines(string(out)) {
					line = strings.TrimSuffix(line, "\n")
					if truth[line] = true; !names[line] {
						t.Errorf("not found: %q", line)
					}
				}
				for at, all := range findings {
					right := false
					for _, id := range all {
						right = right || truth[id]
					}
					if !right {
						t.Errorf("found against the publisher's file: %q", at)
					}
				}
				t.Logf("%d packages, %d findings, %d pairs of the raw files", len(img.Packages), len(findings), len(truth))
			})
		}
	}
}
