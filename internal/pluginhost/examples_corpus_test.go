package pluginhost

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// layers are the unpacked layers of the corpus.
func layers(t *testing.T) []string {
	t.Helper()
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set: no real layers")
	}
	list, err := filepath.Glob(filepath.Join(corpus, ".work/layers/*/fs"))
	if err != nil || len(list) == 0 {
		t.Skipf("the corpus has no unpacked layers: %v", err)
	}
	// One image has dozens of layers that say the same.
	return slices.DeleteFunc(list, func(dir string) bool { return strings.HasPrefix(filepath.Base(filepath.Dir(dir)), "ml-") })
}

// wantedOf are the files of a folder that the only analyzer of a host wants.
func wantedOf(t *testing.T, h *Host, folder string) fstest.MapFS {
	t.Helper()
	a := h.Analyzers(nil)[0]
	out := fstest.MapFS{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() > 1<<20 {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		e := analyze.Entry{Path: name, Mode: info.Mode(), Size: info.Size()}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, 4096)
		n, _ := f.Read(head)
		if e.Kind = analyze.Sniff(name, head[:n]); a.Wants(e) == analyze.Ignore {
			return nil
		}
		rest, err := io.ReadAll(f)
		out[name] = &fstest.MapFile{Data: append(head[:n], rest...), Mode: info.Mode()}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// factsOf are the facts of lines as learn returns them: path, and one member of
// the data.
func factsOf(t *testing.T, lines []string, member string) []string {
	t.Helper()
	var out []string
	for _, l := range lines {
		path, data, ok := strings.Cut(l, " {")
		if !ok || strings.HasPrefix(l, "problem ") {
			t.Errorf("%s", l)
			continue
		}
		var d map[string]string
		if err := json.Unmarshal([]byte("{"+data), &d); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		out = append(out, path+":"+d[member])
	}
	slices.Sort(out)
	return out
}

// What the analyzers find in real layers is what grep finds.
func TestExamplesOnCorpus(t *testing.T) {
	dirs := layers(t)
	t.Run("internal-hosts", func(t *testing.T) {
		// No internal name is in the corpus; these two are, everywhere.
		h := openExamples(t, Config{Settings: map[string]map[string]string{"internal-hosts": {"domains": "debian.org,github.com"}}}, "internal-hosts")
		found := 0
		for _, dir := range dirs {
			files := wantedOf(t, h, dir)
			got := factsOf(t, learn(t, h, files), "host")
			want := grep(t, dir, files, `(?<![\w.-])([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+(debian\.org|github\.com)(?!\.?[\w-])`)
			same(t, want, got)
			found += len(got)
		}
		t.Logf("%d names in %d layers", found, len(dirs))
	})
	t.Run("licence-header", func(t *testing.T) {
		h := openExamples(t, Config{Settings: map[string]map[string]string{"licence-header": {"lines": "100000"}}}, "licence-header")
		found := 0
		for _, dir := range dirs {
			files := wantedOf(t, h, dir)
			got := factsOf(t, learn(t, h, files), "")
			with := map[string]bool{}
			for _, match := range grep(t, dir, files, `SPDX-License-Identifier:[ \t]*[A-Za-z(]`) {
				path, _, _ := strings.Cut(match, ":")
				with[path] = true
			}
			var want []string
			for name, f := range files {
				if len(bytes.TrimSpace(f.Data)) > 0 && !with[name] {
					want = append(want, name+":")
				}
			}
			slices.Sort(want)
			same(t, want, got)
			found += len(got)
		}
		t.Logf("%d files without a licence in %d layers", found, len(dirs))
	})
	t.Run("cron-inventory", func(t *testing.T) {
		h := openExamples(t, Config{}, "cron-inventory")
		found := 0
		for _, dir := range dirs {
			files := wantedOf(t, h, dir)
			got := factsOf(t, learn(t, h, files), "line")
			var want []string
			for name := range files {
				if strings.HasSuffix(name, "/.placeholder") {
					continue
				}
				if d := filepath.Base(filepath.Dir(name)); strings.HasPrefix(d, "cron.") && d != "cron.d" {
					want = append(want, name+":0")
					continue
				}
				out, _ := exec.Command("grep", "-nE", `^[[:blank:]]*(@|[0-9*])`, filepath.Join(dir, name)).Output()
				for line := range strings.Lines(string(out)) {
					n, _, _ := strings.Cut(line, ":")
					want = append(want, name+":"+n)
				}
			}
			slices.Sort(want)
			same(t, want, got)
			found += len(got)
		}
		t.Logf("%d jobs in %d layers", found, len(dirs))
	})
}

// grep finds a pattern in files, as "path:match" in lower case, each once.
func grep(t *testing.T, dir string, files fstest.MapFS, pattern string) []string {
	t.Helper()
	var list bytes.Buffer
	for name := range files {
		list.WriteString(name + "\x00")
	}
	cmd := exec.Command("xargs", "-0", "-r", "grep", "-aoHP", "--", pattern)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, &list, append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 123 { // grep found nothing
			t.Skipf("no grep -P to compare with: %v", err)
		}
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		path, match, _ := strings.Cut(strings.TrimSpace(line), ":")
		found = append(found, path+":"+strings.ToLower(match))
	}
	slices.Sort(found)
	return slices.Compact(found)
}
