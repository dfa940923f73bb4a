package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// runExample is the program in this process; what it prints, and its exit code.
func runExample(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(append([]string{"--data-dir", t.TempDir()}, args...), strings.NewReader(""), &out, &errs)
	t.Logf("%s: %d %s", strings.Join(args, " "), code, errs.String())
	return out.String(), code
}

// The example plugins on real images, through the program: none has a problem
// with any of them, and where the answer is known by other means it is that.
func TestExamplePluginsOnRealImages(t *testing.T) {
	for _, tool := range []string{"/bin/bash", "/usr/bin/python3", "/usr/bin/perl"} {
		if _, err := os.Stat(tool); err != nil {
			t.Skipf("no %s", tool)
		}
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no cc")
	}
	examples, err := filepath.Abs("../../examples/plugins")
	if err != nil {
		t.Fatal(err)
	}
	elf := filepath.Join(t.TempDir(), "elf-hardening")
	if out, err := exec.Command(cc, "-O2", "-o", elf, filepath.Join(examples, "elf-hardening/plugin.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	plugins := []string{"--plugin", elf}
	for _, p := range []string{"acme-manifest", "cron-inventory", "terraform-state", "licence-header", "internal-hosts"} {
		plugins = append(plugins, "--plugin", filepath.Join(examples, p))
	}
	for _, name := range []string{"debian-base", "debian-slim-python", "secrets"} {
		t.Run(name, func(t *testing.T) {
			text, code := runExample(t, append([]string{"sbom", "-o", "json", corpusImage(t, name)}, plugins...)...)
			if code != 0 {
				t.Fatalf("exit code %d", code)
			}
			var doc struct {
				Image struct {
					Facts    []inventory.Fact    `json:"facts"`
					Problems []inventory.Problem `json:"problems"`
				} `json:"image"`
			}
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			for _, p := range doc.Image.Problems {
				if strings.HasPrefix(p.Analyzer, "plugin") {
					t.Errorf("%+v", p)
				}
			}
			kinds := map[string]int{}
			for _, f := range doc.Image.Facts {
				kinds[f.Kind]++
			}
			// Every image of Debian has some hundred programs, and a job of apt or dpkg.
			if kinds["elf-hardening"] < 300 || kinds["cron-job"] == 0 {
				t.Errorf("%v", kinds)
			}
			t.Log(kinds)
		})
	}
	// The two that find -perm finds in the layer that the one has more.
	text, code := runExample(t, "query", "show-suid-diffs", "--plugin", filepath.Join(examples, "show-suid-diffs"), "-o", "csv", "--compare", corpusImage(t, "debian-base"), corpusImage(t, "secrets"))
	if want := "File,Change,Input_Image_Mode,Compare_Image_Mode\n/usr/local/bin/rootsh,added,4755,NOTINSTALLED\n/usr/local/bin/sgidtool,added,2755,NOTINSTALLED\n"; code != 0 || text != want {
		t.Errorf("%d: %s", code, text)
	}
	// As many as the built-in query of another form has.
	text, _ = runExample(t, "query", "packages-by-licence", "--plugin", filepath.Join(examples, "packages-by-licence"), "-o", "csv", corpusImage(t, "debian-base"), "gpl-3")
	other, _ := runExample(t, "query", "list-package-licenses", "-o", "csv", corpusImage(t, "debian-base"), "gpl-3")
	if n, m := strings.Count(text, "\n"), strings.Count(other, "\n"); n != m || n < 10 {
		t.Errorf("%d and %d lines", n, m)
	}
}
