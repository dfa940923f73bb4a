package cli

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needGiants skips what takes minutes and gigabytes.
func needGiants(t *testing.T) {
	t.Helper()
	if os.Getenv("TIDEWAITER_GIANTS") == "" {
		t.Skip("takes minutes and gigabytes: set TIDEWAITER_GIANTS=1")
	}
}

// mostMemory is what a scan may take, in MiB, whatever the image.
const mostMemory = 256

// result checks a run and adds a line to the table of results, which
// TIDEWAITER_GIANTS_TABLE names.
func (r ran) result(t *testing.T, name string, code int, message string) {
	t.Helper()
	outcome := strings.TrimSpace(r.stderr)
	if i := strings.IndexByte(outcome, '\n'); i >= 0 {
		outcome = outcome[:i]
	}
	if r.code == exitGo {
		outcome = summary(r.stdout)
	}
	line := fmt.Sprintf("| %s | %d | %.1f | %.1f | %d: %s |\n", name, r.peak, r.wall.Seconds(), r.cpu.Seconds(), r.code, outcome)
	t.Log(line)
	if table := os.Getenv("TIDEWAITER_GIANTS_TABLE"); table != "" {
		f, err := os.OpenFile(table, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(line)
		f.Close()
	}
	if r.code != code {
		t.Errorf("exit code %d, want %d: %s", r.code, code, r.stderr)
	}
	if !regexp.MustCompile(message).MatchString(r.stderr + r.stdout) {
		t.Errorf("nothing says %q: %s", message, outcome)
	}
	if r.peak > mostMemory {
		t.Errorf("peak of %d MiB, more than %d", r.peak, mostMemory)
	}
}

// summary is what the table format says of packages and problems.
func summary(table string) string {
	var s []string
	for line := range strings.Lines(table) {
		for _, head := range [...]string{"Packages ", "Declared ", "Files ", "Problems "} {
			if strings.HasPrefix(line, head) {
				s = append(s, strings.Join(strings.Fields(line), " "))
			}
		}
		if strings.Contains(line, "limit") && len(s) > 0 {
			s = append(s, strings.TrimSpace(line))
			break
		}
	}
	return strings.Join(s, "; ")
}

// hostileSize is what is still read of a text.
const hostileSize = 32 << 20

// TestGiantDocuments reads, one by one, a document of every format that is as
// large as is still read, and hostile: full of packages, nested without end,
// or with a name of that size.
func TestGiantDocuments(t *testing.T) {
	needGiants(t)
	for _, d := range hostileDocs() {
		for _, kind := range [...]struct {
			name  string
			write func(io.Writer, int) error
		}{{"packages", d.write}, {"nested", d.nested}, {"name", d.giant}} {
			name := kind.name + " " + d.path
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(d.path)), 0o755); err != nil {
					t.Fatal(err)
				}
				size := hostileSize
				for _, small := range [...]struct {
					in   string
					size int
				}{{"go.mod", 4}, {"pom.xml", 4}, {"package.json", 8}, {"DESCRIPTION", 4}, {".gemspec", 8}, {".app", 8}, {".rockspec", 8}, {"/opam", 4}, {".conf", 8}, {"MYMETA.json", 16}, {".packlist", 16}, {"passwd", 16}, {".env", 5}} {
					if strings.HasSuffix(d.path, small.in) {
						size = small.size << 20
					}
				}
				f, err := os.Create(filepath.Join(dir, d.path))
				if err != nil {
					t.Fatal(err)
				}
				w := bufio.NewWriterSize(f, 1<<20)
				if err := kind.write(w, size-(64<<10)); err != nil {
					t.Fatal(err)
				}
				w.Flush()
				f.Close()
				r := runMain(t, nil, "sbom", "--no-cache", "--secrets", "dir:"+dir)
				if r.code == exitGo {
					r.result(t, name, exitGo, "")
				} else {
					r.result(t, name, exitUnknown, `limit "fact-memory"`)
				}
			})
		}
	}
}

// file writes a file to a tar.
func file(w *tar.Writer, name string, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}
