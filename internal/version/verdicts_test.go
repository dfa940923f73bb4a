package version

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// letterNumber finds 5.1p1, see apkVersion.
var letterNumber = regexp.MustCompile(`[0-9][a-z][0-9]`)

// TestVerdicts compares with what tools answered that can be installed on few
// machines: apk-tools, Portage and Conan. The first line of each file names the
// tool; x stands for a pair that it refused.
func TestVerdicts(t *testing.T) {
	files, err := filepath.Glob(cmp.Or(os.Getenv("TIDEWAITER_VERDICTS"), filepath.Join("testdata", "verdicts", "*.txt")))
	if err != nil || len(files) == 0 {
		t.Fatal("no verdicts", err)
	}
	for _, file := range files {
		scheme := Scheme(strings.TrimSuffix(filepath.Base(file), ".txt"))
		t.Run(string(scheme), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(b)) {
				f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				if len(f) != 3 {
					continue
				}
				n++
				got := "x"
				if c, err := Compare(scheme, f[0], f[1]); err == nil {
					got = symbol(c)
				}
				if got == "x" && scheme == Conan || f[2] == "x" && scheme == APK && letterNumber.MatchString(line) {
					continue // Conan refuses nothing, and apk-tools 2 read what 3 refuses
				}
				if got != f[2] {
					t.Errorf("%s %s %s, we say %s", f[0], f[2], f[1], got)
				}
			}
			if n < 1000 {
				t.Errorf("only %d verdicts", n)
			}
		})
	}
}
