package pluginhost

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/plugin"
)

func TestMain(m *testing.M) {
	Launch()
	os.Exit(m.Run())
}

// install puts a plugin into a folder of its own and returns its path.
func install(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a host with plugins; tools that they are written in must be there.
func open(t testing.TB, c Config) *Host {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("plugins are walled in on Linux only")
	}
	h, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/" + tool); err != nil {
		t.Skipf("%s is not installed in /usr/bin, where plugins look", tool)
	}
}

// works fails the test when a plugin is of no use.
func works(t testing.TB, h *Host) *Plugin {
	t.Helper()
	if len(h.plugins) != 1 || h.plugins[0].Err != nil {
		t.Fatalf("plugins: %v", errorsOf(h))
	}
	return h.plugins[0]
}

func errorsOf(h *Host) []string {
	var out []string
	for _, p := range h.plugins {
		if p.Err != nil {
			out = append(out, p.Err.Error())
		} else {
			out = append(out, p.Name())
		}
	}
	return out
}

const bashManifest = `#!/bin/bash
case $1 in
help)
	echo "name acme-manifest
version 1.2
help Packages of the in-house manifest
kind analyzer
wants opt/acme/*.txt
fact acme-release"
	;;
analyze)
	cd "$TIDEWAITER_FILES"
	find . -type f | sed 's|^\./||' | sort | while read -r f; do
		while read -r name version licence; do
			case $name in
			release) printf 'fact\tacme-release\t%s\tnumber=%s\tname=%s\n' "$f" "$version" "$licence" ;;
			'') ;;
			*) printf 'package\tpkg:generic/%s@%s\t%s\t%s\n' "$name" "$version" "$f" "$licence" ;;
			esac
		done <"$f"
	done
	;;
esac
`

const pythonEcho = `#!/usr/bin/python3
import json, sys, os
if sys.argv[1] == "describe":
    print(json.dumps({"protocol": "tidewaiter.plugin/1", "name": "echo", "version": "1", "help": "Answers what it sees", "kinds": ["analyzer", "gate", "query"],
        "parameters": [{"name": "greeting", "help": "what it says", "default": "hello"}],
        "analyzer": {"wants": [{"paths": ["**/*.conf"], "maxSize": 1000}], "facts": ["echo"], "layer": True},
        "gate": {"triggers": [{"name": "count", "help": "more packages than there may be", "parameters": [{"name": "max", "type": "integer", "help": "how many", "required": True}]}], "needs": ["packages"]},
        "query": {"images": "one", "parameters": [{"name": "type", "help": "of packages"}], "needs": ["packages"]}}))
    sys.exit()
for line in sys.stdin:
    r = json.loads(line)
    a = {"id": r["id"]}
    if r["method"] == "analyze":
        known = [json.loads(l)["purl"] for l in open(r["folder"] + "/packages.jsonl")]
        a["facts"] = [{"kind": "echo", "path": f["path"], "data": {"text": open(r["folder"] + "/files/" + f["path"]).read(), "greeting": r["settings"]["greeting"], "known": known}} for f in r["files"]]
    elif r["method"] == "evaluate":
        n = sum(1 for _ in open(r["image"] + "/packages.jsonl"))
        a["hits"] = [{"message": "%d packages, more than %s" % (n, r["parameters"]["max"]), "path": "/etc/os-release"}] if n > int(r["parameters"]["max"]) else []
    else:
        ps = [json.loads(l) for l in open(r["images"][0] + "/packages.jsonl")]
        a["columns"] = ["*name", "version"]
        a["rows"] = [[p["name"], p["version"]] for p in ps if r["parameters"].get("type", p["type"]) == p["type"]]
    print(json.dumps(a), flush=True)
`

func TestBashAnalyzer(t *testing.T) {
	h := open(t, Config{Paths: []string{install(t, "acme", bashManifest)}})
	p := works(t, h)
	if !p.Plain {
		t.Error("a script without JSON is not told from one with")
	}
	files := fstest.MapFS{
		"opt/acme/a.txt": {Data: []byte("widget 1.0 MIT\nrelease 7 spring\n")},
		"opt/acme/b.txt": {Data: []byte("gadget 2.1 Apache License 2.0\n")},
	}
	var got inventory.Record
	if err := h.Analyzers(nil)[0].Analyze(t.Context(), files, &got); err != nil {
		t.Fatal(err)
	}
	want := inventory.Record{
		Packages: []inventory.Package{
			{Type: "generic", Name: "widget", Version: "1.0", Path: "opt/acme/a.txt", Technique: "plugin", Licenses: []inventory.License{{Expression: "MIT", Source: "declared"}}},
			{Type: "generic", Name: "gadget", Version: "2.1", Path: "opt/acme/b.txt", Technique: "plugin", Licenses: []inventory.License{{Expression: "Apache-2.0", Raw: "Apache License 2.0", Source: "declared"}}},
		},
		Facts: []inventory.Fact{{Kind: "acme-release", Path: "opt/acme/a.txt", Data: []byte(`{"name":"spring","number":"7"}`)}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(inventory.FileList{})); d != "" {
		t.Error(d)
	}
}

func TestPythonPlugin(t *testing.T) {
	need(t, "python3")
	h := open(t, Config{Paths: []string{install(t, "echo.py", pythonEcho)}, Settings: map[string]map[string]string{"echo": {"greeting": "good day"}}})
	p := works(t, h)
	a := h.Analyzers(nil)[0].(*analyzer)
	files := fstest.MapFS{"etc/x.conf": {Data: []byte("hot")}}
	var got inventory.Record
	known := []inventory.Record{{Packages: []inventory.Package{{Type: "npm", Name: "left-pad", Version: "1"}}}}
	if err := a.AnalyzeLayer(t.Context(), files, known, &got); err != nil {
		t.Fatal(err)
	}
	want := []inventory.Fact{{Kind: "echo", Path: "etc/x.conf", Data: []byte(`{"greeting":"good day","known":["pkg:npm/left-pad@1"],"text":"hot"}`)}}
	if d := cmp.Diff(want, got.Facts); d != "" {
		t.Error(d)
	}
	img := &inventory.Image{Packages: []inventory.Package{{Type: "deb", Name: "b", Version: "2"}, {Type: "npm", Name: "a", Version: "1"}}}
	hits := evaluate(t, h, "count", img, map[string]string{"max": "1"})
	if d := cmp.Diff([]policy.Hit{{Message: "2 packages, more than 1", Evidence: policy.Evidence{Path: "/etc/os-release"}}}, hits); d != "" {
		t.Error(d)
	}
	if hits := evaluate(t, h, "count", img, map[string]string{"max": "2"}); len(hits) != 0 {
		t.Error(hits)
	}
	if n := p.Stats().Started; n != 2 {
		t.Errorf("%d processes for a description and three requests, want 2", n)
	}
}

func evaluate(t testing.TB, h *Host, trigger string, img *inventory.Image, params map[string]string) []policy.Hit {
	t.Helper()
	hits, err := tryEvaluate(h, trigger, &policy.Subject{Image: img, Now: time.Unix(0, 0)}, params)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func tryEvaluate(h *Host, trigger string, s *policy.Subject, params map[string]string) ([]policy.Hit, error) {
	g := h.Gates()[0]
	spec := g.Spec()
	for i := range spec.Triggers {
		if spec.Triggers[i].Name == trigger {
			p, err := spec.Triggers[i].With("", params)
			if err != nil {
				return nil, err
			}
			return g.Evaluate(context.Background(), trigger, s, p)
		}
	}
	return nil, os.ErrNotExist
}

// What was learned of a plugin is remembered: it is not started for a
// description twice, nor for an image in which it wants nothing.
func TestDescriptionIsRemembered(t *testing.T) {
	cache, path := t.TempDir(), install(t, "acme", bashManifest)
	first := works(t, open(t, Config{Paths: []string{path}, Cache: cache}))
	if n := first.Stats().Started; n != 2 { // describe, help
		t.Errorf("%d starts", n)
	}
	again := works(t, open(t, Config{Paths: []string{path}, Cache: cache}))
	if n := again.Stats().Started; n != 0 {
		t.Errorf("%d starts of one that is known", n)
	}
	if d := cmp.Diff(first.desc, again.desc); d != "" {
		t.Error(d)
	}
}

// A changed binary under the same version is another analyzer.
func TestChangedBinaryChangesTheKey(t *testing.T) {
	path := install(t, "acme", bashManifest)
	key := func() string {
		h := open(t, Config{Paths: []string{path}})
		works(t, h)
		return h.Analyzers(nil)[0].(*analyzer).ConfigDigest()
	}
	before, same := key(), key()
	if before != same {
		t.Error("the same plugin has two keys")
	}
	h := open(t, Config{Paths: []string{path}})
	if err := os.WriteFile(path, []byte(bashManifest+"# harmless\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out inventory.Record
	h.plugins[0].mu.Lock()
	h.plugins[0].exe, h.plugins[0].dir = "", "" // as if it had not run yet
	h.plugins[0].mu.Unlock()
	err := h.Analyzers(nil)[0].Analyze(t.Context(), fstest.MapFS{"opt/acme/a.txt": {Data: []byte("a 1\n")}}, &out)
	if err == nil || !strings.Contains(err.Error(), "changed") || !out.Forget {
		t.Errorf("a plugin that changed while it was used: %v", err)
	}
	if after := key(); after == before {
		t.Error("a changed plugin has the same key")
	}
}

func TestTwoOfOneName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(bashManifest+"# "+name+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, Config{Folder: dir, Paths: []string{filepath.Join(dir, "one")}}) // named and in the folder: one
	got := errorsOf(h)
	if len(got) != 2 || !strings.Contains(got[0], "neither is used") || !strings.Contains(got[1], "neither is used") || len(h.Analyzers(nil)) != 0 {
		t.Error(got)
	}
	img := &inventory.Image{}
	if err := h.Broken().AnalyzeImage(t.Context(), nil, img); err != nil || len(img.Problems) != 2 {
		t.Error(img.Problems, err)
	}
}

func TestFolderPlugin(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lib.sh"), []byte("describe() { echo 'name sourced\nversion 1\nhelp x\nkind query\nimages one'; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plugin"), []byte("#!/bin/bash\n. \"${0%/*}/lib.sh\"\n[ $1 = help ] && describe\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := works(t, open(t, Config{Paths: []string{dir}})).Digest
	if err := os.WriteFile(filepath.Join(dir, "lib.sh"), []byte("describe() { echo 'name sourced\nversion 1\nhelp y\nkind query\nimages one'; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if after := works(t, open(t, Config{Paths: []string{dir}})).Digest; after == before {
		t.Error("a changed file beside the executable does not show in the digest")
	}
}

func TestBadDescriptions(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not executable by its first line": {"echo hello\n", "no program"},
		"no interpreter":                   {"#!/no/such/interpreter\n", "interpreter"},
		"silent":                           {"#!/bin/bash\n", "its description is wrong"},
		"fails":                            {"#!/bin/bash\necho broken tooth >&2; exit 3\n", "broken tooth"},
		"another protocol":                 {"#!/bin/bash\necho '{\"protocol\":\"tidewaiter.plugin/9\",\"name\":\"x\",\"version\":\"1\",\"help\":\"\",\"kinds\":[\"query\"]}'\n", "tidewaiter.plugin/9"},
		"misspelt member":                  {"#!/bin/bash\necho '{\"protocol\":\"tidewaiter.plugin/1\",\"nam\":\"x\"}'\n", "nam"},
		"wants everything":                 {"#!/bin/bash\necho 'name x\nversion 1\nkind analyzer'\n", "whole image"},
		"name with a slash":                {"#!/bin/bash\necho 'name ../x\nversion 1\nkind query'\n", "its name"},
		"binary":                           {"#!/bin/bash\nhead -c 4096 /dev/urandom\n", "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, Config{Paths: []string{install(t, "bad", c.text)}})
			if err := h.plugins[0].Err; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	path := install(t, "open", bashManifest)
	if err := os.Chmod(path, 0o757); err != nil {
		t.Fatal(err)
	}
	if err := open(t, Config{Paths: []string{path}}).plugins[0].Err; err == nil || !strings.Contains(err.Error(), "everybody may change") {
		t.Error(err)
	}
}

// What this kernel holds is what the tests of escapes rest on.
func TestWhatHolds(t *testing.T) {
	h := open(t, Config{Paths: []string{install(t, "acme", bashManifest)}})
	held, err := works(t, h).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("held: %s", strings.Join(held.Parts, ", "))
	for _, l := range held.Missing {
		t.Logf("missing: %s: %s", l.Part, l.Why)
	}
	if os.Geteuid() == 0 && !held.has(partNobody) && !held.has(partUser) {
		t.Error("a plugin of root is root")
	}
}

func TestStderrIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := open(t, Config{Paths: []string{install(t, "talks", strings.Replace(bashManifest, "analyze)", "analyze) echo deep in thought >/dev/stderr; ", 1))}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	works(t, h)
	var out inventory.Record
	if err := h.Analyzers(nil)[0].Analyze(t.Context(), fstest.MapFS{"opt/acme/a.txt": {Data: []byte("a 1\n")}}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "deep in thought") {
		t.Error(log.String())
	}
}

func TestGoPlugin(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool")
	}
	exe := filepath.Join(t.TempDir(), "kit")
	cmd := exec.Command(goTool, "build", "-o", exe, "./testdata/kit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := open(t, Config{Paths: []string{exe}})
	works(t, h)
	img := &inventory.Image{Packages: []inventory.Package{{Type: "deb", Name: "b", Version: "2"}}, Config: inventory.Config{Labels: map[string]string{"team": "tide"}}}
	hits := evaluate(t, h, "label", img, map[string]string{"name": "team", "value": "ebb"})
	if d := cmp.Diff([]policy.Hit{{Message: "label team is tide, not ebb", Evidence: policy.Evidence{Detail: "1 packages"}}}, hits); d != "" {
		t.Error(d)
	}
	_, err = tryEvaluate(h, "label", &policy.Subject{Image: img}, map[string]string{"name": "none", "value": "x"})
	if err == nil || !strings.Contains(err.Error(), "there is no label none") {
		t.Error(err)
	}
	if n := h.plugins[0].Stats().Started; n != 2 {
		t.Errorf("%d processes; one that says it cannot answer is not at fault", n)
	}
	_ = plugin.Protocol
}
