package pluginhost

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/plugin"
)

const examplesDir = "../../examples/plugins"

// example returns a plugin of examples/plugins, built where it must be. What it
// is written in must be there, or the test is skipped.
func example(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(path, "plugin"))
	switch {
	case exists(filepath.Join(path, "plugin.c")):
		return built(t, name, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", "{}", filepath.Join(path, "plugin.c"))
	case exists(filepath.Join(path, "main.go")):
		return built(t, name, "go", "build", "-o", "{}", path)
	case err != nil:
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(script), "\n")
	tool := first[strings.LastIndexAny(first, "/ ")+1:]
	if tool == "bash" {
		if !exists("/bin/bash") {
			t.Skip("no /bin/bash")
		}
		return path
	}
	need(t, tool)
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// built builds a plugin into a folder of the test, {} among the arguments.
func built(t testing.TB, name, tool string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("%s is not installed, with which %s is built", tool, name)
	}
	exe := filepath.Join(t.TempDir(), "plugin")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{}", exe)
	}
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return exe
}

// openExamples opens a host with examples, which must all be of use.
func openExamples(t testing.TB, c Config, names ...string) *Host {
	t.Helper()
	for _, n := range names {
		c.Paths = append(c.Paths, example(t, n))
	}
	h := open(t, c)
	if len(h.plugins) != len(names) {
		t.Fatalf("plugins: %v", errorsOf(h))
	}
	for _, p := range h.plugins {
		if p.Err != nil {
			t.Fatalf("plugins: %v", errorsOf(h))
		}
	}
	return h
}

// learn runs the only analyzer of a host over the files of a layer that it
// wants, and returns what it learned as lines, sorted.
func learn(t testing.TB, h *Host, files fstest.MapFS) []string {
	t.Helper()
	a := h.Analyzers(nil)[0]
	wanted := fstest.MapFS{}
	for path, f := range files {
		if a.Wants(analyze.Entry{Path: path, Mode: 0o644, Size: int64(len(f.Data)), Kind: analyze.Sniff(path, f.Data)}) != analyze.Ignore {
			wanted[path] = f
		}
	}
	var out inventory.Record
	if err := a.Analyze(t.Context(), wanted, &out); err != nil {
		t.Fatal(err)
	}
	return linesOf(&out)
}

func linesOf(r *inventory.Record) []string {
	var lines []string
	for i := range r.Packages {
		p := &r.Packages[i]
		line := p.PURL() + " " + p.Path
		for _, l := range p.Licenses {
			line += " " + l.Expression
		}
		lines = append(lines, line)
	}
	for _, f := range r.Facts {
		lines = append(lines, f.Path+" "+string(f.Data))
	}
	for _, p := range r.Problems {
		lines = append(lines, "problem "+p.Path+" "+p.Message)
	}
	slices.Sort(lines)
	return lines
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func same(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// Every example is described, says how it is used, is in the table of the
// README, and has the kit as it is now.
func TestExamples(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(examplesDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(examplesDir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[plugin.Kind]int{}
	var mu sync.Mutex
	t.Run("each", func(t *testing.T) {
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			name := e.Name()
			t.Run(name, func(t *testing.T) {
				folder := filepath.Join(examplesDir, name)
				for file, kit := range map[string]string{"tidewaiter.py": plugin.PythonKit, "tidewaiter.sh": plugin.BashKit} {
					if b, err := os.ReadFile(filepath.Join(folder, file)); err == nil && string(b) != kit {
						t.Errorf("%s is not the kit as it is now: cp plugin/%s examples/plugins/%s/", file, file, name)
					}
				}
				var source []byte
				for _, file := range []string{"plugin", "plugin.c", "main.go"} {
					if b, err := os.ReadFile(filepath.Join(folder, file)); err == nil && (file != "plugin" || string(b[:2]) == "#!") {
						source = b
					}
				}
				for _, part := range []string{name + " (", "Install: cp -r ", "Try: "} {
					if !strings.Contains(string(source), part) {
						t.Errorf("its head does not have %q", part)
					}
				}
				if !regexp.MustCompile(`(?m)^\| \[` + name + `\]`).Match(readme) {
					t.Error("it is not in the table of the README")
				}
				p := works(t, openExamples(t, Config{}, name))
				if d := p.Description(); d.Name != name || d.Help == "" {
					t.Errorf("it calls itself %s: %s", d.Name, d.Help)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, k := range p.Description().Kinds {
					kinds[k]++
				}
			})
		}
	})
	t.Log(kinds)
}

func TestExampleAcmeManifest(t *testing.T) {
	h := openExamples(t, Config{}, "acme-manifest")
	same(t, []string{
		`opt/acme/rudder/manifest {"name":"rudder","needs":"keel mast"}`,
		"pkg:generic/acme/keel@1 opt/acme/keel/manifest GPL-2.0-only",
		"pkg:generic/acme/rudder@2.4.1 opt/acme/rudder/manifest Apache-2.0",
		"problem opt/acme/bad/manifest it has no name or version, or one with other signs than letters, digits and ._-",
		"problem opt/acme/empty/manifest it has no name or version, or one with other signs than letters, digits and ._-",
	}, learn(t, h, fstest.MapFS{
		"opt/acme/rudder/manifest":  text("name: rudder\r\nversion: 2.4.1\r\nlicence: Apache-2.0\nneeds: keel mast"), // no last line end
		"opt/acme/keel/manifest":    text("licence:   GPL-2.0-only\nunknown: x\nversion: 1\nname: keel\n"),
		"opt/acme/bad/manifest":     text("name: a b\nversion: 1\n"),
		"opt/acme/empty/manifest":   text(""),
		"opt/acme/manifest":         text("name: not\nversion: wanted\n"),
		"opt/acme/deep/er/manifest": text("name: not\nversion: wanted\n"),
	}))
}

func TestExampleLicenceHeader(t *testing.T) {
	files := fstest.MapFS{
		"app/src/bare.py":      text("print(1)\n"),
		"app/src/said.py":      text("#!/usr/bin/python3\n# SPDX-License-Identifier: MIT\n"),
		"app/src/__init__.py":  text("\n"),
		"srv/vendor/none.js":   text("/* SPDX-License-Identifier: */\n"),
		"opt/x/late.go":        text(strings.Repeat("//\n", 20) + "// SPDX-License-Identifier: MIT\n"),
		"opt/x/binary.c":       text("\xff\xfe\x00\n"),
		"usr/lib/python3/a.py": text("print(1)\n"),
		"app/readme.md":        text("no source\n"),
	}
	missing := `{"missing":"no SPDX-License-Identifier in the first 20 lines"}`
	same(t, []string{
		"app/src/bare.py " + missing,
		"opt/x/binary.c " + missing,
		"opt/x/late.go " + missing,
		`srv/vendor/none.js {"missing":"its SPDX-License-Identifier names no licence"}`,
	}, learn(t, openExamples(t, Config{}, "licence-header"), files))

	more := Config{Settings: map[string]map[string]string{"licence-header": {"lines": "21"}}}
	if got := learn(t, openExamples(t, more, "licence-header"), files); len(got) != 3 || strings.Contains(strings.Join(got, " "), "late.go") {
		t.Errorf("with 21 lines: %v", got)
	}
}

func TestExampleTerraformState(t *testing.T) {
	h := openExamples(t, Config{}, "terraform-state")
	got := learn(t, h, terraformStates())
	for i := range got { // what Python says of it differs from release to release
		if at := strings.Index(got[i], "Error:"); at > 0 {
			got[i] = got[i][:at+len("Error")]
		}
	}
	same(t, []string{
		`app/old.tfstate {"outputs":2,"resources":{"aws_db_instance":1,"data.aws_ami":1},"sensitiveAttributes":0,"sensitiveOutputs":["key"],"stateVersion":3,"terraform":"0.11.14"}`,
		`app/terraform.tfstate {"outputs":2,"resources":{"aws_instance":2,"data.aws_ami":1},"sensitiveAttributes":1,"sensitiveOutputs":["pw"],"stateVersion":4,"terraform":"1.5.7"}`,
		`app/terraform.tfstate.1700000000.backup {"outputs":0,"resources":{},"sensitiveAttributes":0,"sensitiveOutputs":[],"stateVersion":4,"terraform":""}`,
		"problem app/cut.tfstate cannot be read as a state: JSONDecodeError",
		"problem app/deep.tfstate cannot be read as a state: RecursionError",
		"problem app/list.tfstate cannot be read as a state: ValueError",
		"problem app/odd.tfstate cannot be read as a state: AttributeError",
	}, got)
}

func terraformStates() fstest.MapFS {
	return fstest.MapFS{
		"app/terraform.tfstate": text(`{"version":4,"terraform_version":"1.5.7","outputs":{"pw":{"value":"hunter2","type":"string","sensitive":true},"ip":{"value":"1"}},
			"resources":[{"mode":"managed","type":"aws_instance","name":"w","instances":[{"sensitive_attributes":[[{"type":"get_attr","value":"user_data"}]]},{}]},{"mode":"data","type":"aws_ami","name":"u","instances":[{}]}]}`),
		"app/terraform.tfstate.1700000000.backup": text(`{"version":4}`),
		"app/old.tfstate": text(`{"version":3,"terraform_version":"0.11.14","modules":[{"path":["root"],"outputs":{"key":{"sensitive":true,"type":"string","value":"k"},"b":{"value":"x"}},
			"resources":{"aws_db_instance.main":{"type":"aws_db_instance"},"data.aws_ami.u":{"type":"aws_ami"}}}]}`),
		"app/cut.tfstate":  text("{"),
		"app/list.tfstate": text("[]"),
		"app/odd.tfstate":  text(`{"version":4,"resources":[1]}`),
		"app/deep.tfstate": text(strings.Repeat("[", 100_000)),
		"app/x.tf":         text("resource {}"),
	}
}

func TestExampleInternalHosts(t *testing.T) {
	files := fstest.MapFS{
		"etc/app.conf": text("db=jdbc:postgresql://DB01.prod.corp:5432/x\n# see wiki.intranet.\nnot.internal.example.com a.internalx x-foo.corp-y\n" +
			"foo.corp foo.corp, bar.lan;user@mail.lan\n"),
		"app/config.json":  text(`{"url": "https://api.internal/v1", "other": "https://example.com"}`),
		"usr/share/a.yaml": text("host: printer.home.arpa\n"),
		"usr/bin/tool":     text("#!/bin/sh\ncurl http://not.wanted.corp\n"),
		"etc/binary":       text("\x00\x01\x02foo.corp\x00"),
	}
	h := openExamples(t, Config{}, "internal-hosts")
	got := learn(t, h, files)
	same(t, []string{
		`app/config.json {"host":"api.internal","line":"1"}`,
		`etc/app.conf {"host":"bar.lan","line":"4"}`,
		`etc/app.conf {"host":"db01.prod.corp","line":"1"}`,
		`etc/app.conf {"host":"foo.corp","line":"4"}`,
		`etc/app.conf {"host":"mail.lan","line":"4"}`,
		`etc/app.conf {"host":"wiki.intranet","line":"2"}`,
		`usr/share/a.yaml {"host":"printer.home.arpa","line":"1"}`,
	}, got)

	// The same by another tool: grep, with the same words.
	var with strings.Builder
	for _, path := range []string{"etc/app.conf", "app/config.json", "usr/share/a.yaml"} {
		with.Write(files[path].Data)
	}
	grep := exec.Command("grep", "-oiP", `(?<![\w.-])([a-z0-9-]+\.)+(internal|intranet|corp|lan|home\.arpa)(?![\w-]|\.[\w-])`)
	grep.Stdin = strings.NewReader(with.String())
	if out, err := grep.Output(); err != nil {
		t.Logf("no grep -P to compare with: %v", err)
	} else {
		found := strings.Fields(strings.ToLower(string(out)))
		slices.Sort(found)
		if n := len(slices.Compact(found)); n != len(got) {
			t.Errorf("grep finds %d names, the plugin %d", n, len(got))
		}
	}

	own := Config{Settings: map[string]map[string]string{"internal-hosts": {"domains": "example.com"}}}
	same(t, []string{`etc/app.conf {"host":"not.internal.example.com","line":"3"}`}, learn(t, openExamples(t, own, "internal-hosts"), files))
}

func TestExampleCronInventory(t *testing.T) {
	same(t, []string{
		`etc/cron.d/app {"command":"/usr/bin/php -f x | tee \"y z\"","line":"3","schedule":"*/5 * * * *","user":"www-data"}`,
		`etc/cron.d/app {"command":"touch /tmp/x","line":"4","schedule":"@reboot","user":"root"}`,
		`etc/cron.daily/clean {"command":"/etc/cron.daily/clean","line":"0","schedule":"@daily","user":"root"}`,
		`etc/crontab {"command":"cd / \u0026\u0026 run-parts --report /etc/cron.hourly","line":"2","schedule":"17 * * * *","user":"root"}`,
		`etc/crontabs/root {"command":"run-parts /etc/periodic/15min","line":"1","schedule":"*/15 * * * *","user":"root"}`,
		`etc/periodic/weekly/x y {"command":"/etc/periodic/weekly/x y","line":"0","schedule":"@weekly","user":"root"}`,
		"problem etc/cron.d/app line 6 is no job: it ends too early",
		`var/spool/cron/crontabs/joe {"command":"backup.sh *","line":"1","schedule":"0 0 * * *","user":"joe"}`,
	}, learn(t, openExamples(t, Config{}, "cron-inventory"), fstest.MapFS{
		"etc/crontab":                 text("SHELL=/bin/sh\n17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n#\n"),
		"etc/cron.d/app":              text("# c\nPATH=/bin\n*/5 * * * *  www-data   /usr/bin/php -f x | tee \"y z\"\n  @reboot root touch /tmp/x\n\n1 2 3 4 5\n"),
		"etc/cron.d/.placeholder":     text("# do not remove\n"),
		"etc/cron.daily/clean":        text("#!/bin/sh\n"),
		"etc/periodic/weekly/x y":     text("#!/bin/sh\n"),
		"etc/crontabs/root":           text("*/15\t*\t*\t*\t*\trun-parts /etc/periodic/15min"),
		"var/spool/cron/crontabs/joe": text("0 0 * * * backup.sh *"),
	}))
}
