package node

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestClassify(t *testing.T) {
	for path, want := range map[string]kind{
		"app/node_modules/a/package.json":                                        module,
		"node_modules/a/package.json":                                            module,
		"app/node_modules/@s/a/package.json":                                     module,
		"app/node_modules/a/node_modules/b/package.json":                         module,
		"app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json":             module,
		"app/node_modules/.pnpm/@s+a@1.0.0_b@2/node_modules/@s/a/package.json":   module,
		"usr/local/lib/node_modules/pnpm/dist/node_modules/a/package.json":       module,
		"usr/share/npm/node_modules/a/package.json":                              module,
		"usr/share/nodejs/a/package.json":                                        module,
		"usr/share/nodejs/@types/a/package.json":                                 module,
		"usr/lib/nodejs/a/package.json":                                          module,
		"usr/lib/x86_64-linux-gnu/nodejs/a/package.json":                         module,
		"app/.yarn/unplugged/a-npm-1.0.0-0123456789/node_modules/a/package.json": module,
		"app/node_modules/benchmark/node_modules/a/package.json":                 module,
		"app/node_modules/@test/example/node_modules/a/package.json":             module,
		"app/test/node_modules/a/package.json":                                   module,
		"app/.yarn/cache/a-npm-1.0.0-0123456789-0123456789.zip":                  archive,
		"package.json":                                                             application,
		"app/package.json":                                                         application,
		"opt/yarn-v1.22.22/package.json":                                           application,
		"usr/share/npm/package.json":                                               application,
		"app/packages/harbour/package.json":                                        application,
		"app/node_modules/a/dist/esm/package.json":                                 none,
		"app/node_modules/@s/a/lib/package.json":                                   none,
		"app/node_modules/.cache/x/package.json":                                   none,
		"app/node_modules/package.json":                                            none,
		"app/node_modules/@s/package.json":                                         none,
		"app/node_modules/resolve/test/fixtures/node_modules/a/package.json":       none,
		"app/node_modules/a/node_modules/b/examples/x/node_modules/c/package.json": none,
		"app/test/fixtures/x/package.json":                                         none,
		"usr/share/nodejs/a/lib/package.json":                                      none,
		"usr/lib/ruby/gems/3.1.0/gems/x-1/vscode/package.json":                     none,
		"usr/lib/python3/dist-packages/x/package.json":                             none,
		"usr/share/doc/x/package.json":                                             none,
		"srv/www/vendor/x/y/package.json":                                          none,
		"app/xpackage.json":                                                        none,
		"app/package.json/x":                                                       none,
		"app/data.zip":                                                             none,
	} {
		if got := classify(path); got != want {
			t.Errorf("classify(%s) = %d, want %d", path, got, want)
		}
	}
}

// is-number 7.0.0 and @babel/highlight 7.25.9 are the registry's own files;
// the archive is one of Yarn 4's cache.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.NoProblems(t, r)
	licence := []inventory.License{{Raw: "MIT", Source: "declared"}}
	want := []inventory.Package{
		{
			Type: "npm", Name: "escape-string-regexp", Version: "1.0.5", Licenses: licence, Supplier: "Sindre Sorhus <sindresorhus@gmail.com>",
			Homepage: "https://github.com/sindresorhus/escape-string-regexp", Description: "Escape RegExp special characters",
			Path: "app/.yarn/cache/escape-string-regexp-npm-1.0.5-3284de402f-a968ad453d.zip", Inner: "node_modules/escape-string-regexp/package.json",
			Files: inventory.NewFileList([]string{"app/.yarn/cache/escape-string-regexp-npm-1.0.5-3284de402f-a968ad453d.zip"}),
		},
		{
			Type: "npm", Namespace: "@babel", Name: "highlight", Version: "7.25.9", Licenses: licence, Supplier: "The Babel Team",
			Homepage: "https://babel.dev/docs/en/next/babel-highlight", Description: "Syntax highlight JavaScript strings for output in terminals.",
			Depends: []string{"@babel/helper-validator-identifier", "chalk", "js-tokens", "picocolors"},
			Path:    "app/node_modules/@babel/highlight/package.json", Files: inventory.NewFileList([]string{"app/node_modules/@babel/highlight/"}),
		},
		{
			Type: "npm", Name: "is-number", Version: "7.0.0", Licenses: licence, Supplier: "Jon Schlinkert",
			Homepage: "https://github.com/jonschlinkert/is-number", Description: "Returns true if a number or string value is a finite number. Useful for regex matches, parsing, user input, etc.",
			Path: "app/node_modules/is-number/package.json", Files: inventory.NewFileList([]string{"app/node_modules/is-number/"}),
		},
		{
			Type: "npm", Name: "tide-app", Version: "1.0.0", Meta: map[string]string{"private": "true", "root": "application"}, Path: "app/package.json",
			Depends: []string{"@babel/code-frame", "chokidar", "is-odd", "lodash4", "react", "use-sync-external-store"},
		},
	}
	for i := range want {
		want[i].Technique = inventory.TechMetadata
	}
	if d := cmp.Diff(want, r.Packages, cmp.AllowUnexported(inventory.FileList{})); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

func TestManifestForms(t *testing.T) {
	tests := []struct {
		name, at, content string
		want              string // name@version licences supplier homepage
		problem           bool
	}{
		{"old forms", "app/node_modules/a/package.json", `{"name":"a","version":"1.0.0","licenses":[{"type":"MIT","url":"x"},{"type":"GPL-2.0"}],"author":{"name":"N","email":"e@x"},"repository":{"url":"git+https://example.org/a.git"}}`, "a@1.0.0 MIT,GPL-2.0 N <e@x> https://example.org/a", false},
		{"licence object", "app/node_modules/a/package.json", `{"name":"a","version":"1.0.0","license":{"type":"ISC"},"repository":"github:x/a"}`, "a@1.0.0 ISC  https://github.com/x/a", false},
		{"odd types", "app/node_modules/a/package.json", `{"name":"a","version":"1.0.0","license":7,"author":[1],"dependencies":[],"homepage":{},"repository":3,"private":"yes"}`, "a@1.0.0   ", false},
		{"no name", "app/node_modules/@s/b/package.json", `{"version":"2.0.0"}`, "@s/b@2.0.0   ", false},
		{"alias", "app/node_modules/alias/package.json", `{"name":"real","version":"2.0.0"}`, "real@2.0.0   ", false},
		{"no version", "app/node_modules/a/package.json", `{"name":"a"}`, "a@   ", false},
		{"placeholder", "app/node_modules/a/package.json", `{"name":"a","version":"${version}"}`, "a@   ", false},
		{"wrong case", "app/node_modules/a/package.json", `{"name":"a","version":"1.0.0","Version":"2.0.0","NAME":"z"}`, "a@1.0.0   ", false},
		{"only type", "app/node_modules/a/package.json", `{"type":"module"}`, "", false},
		{"bad name", "app/node_modules/a/package.json", `{"name":"a\u0007b","version":"1.0.0"}`, "", false},
		{"broken", "app/node_modules/a/package.json", `{"name":"a",`, "", true},
		{"broken elsewhere", "app/package.json", `{{name}}`, "", false},
		{"application without version", "app/package.json", `{"name":"a"}`, "", false},
		{"byte order mark", "app/node_modules/a/package.json", "\ufeff{\"name\":\"a\",\"version\":\"1.0.0\"}", "a@1.0.0   ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzetest.RunOne(t, Analyzer{}, tt.at, []byte(tt.content))
			got := ""
			for _, p := range r.Packages {
				var ls []string
				for _, l := range p.Licenses {
					ls = append(ls, l.Raw)
				}
				got += fullName(&p) + "@" + p.Version + " " + strings.Join(ls, ",") + " " + p.Supplier + " " + p.Homepage
			}
			if got != tt.want || (len(r.Problems) > 0) != tt.problem {
				t.Errorf("got %q, problems %v, want %q", got, r.Problems, tt.want)
			}
		})
	}
}

// installed lists "path:name@version" as npm ls does.
func installed(r *inventory.Record) []string {
	var out []string
	for _, p := range r.Packages {
		out = append(out, strings.TrimSuffix(p.Path, "/package.json")+":"+fullName(&p)+"@"+p.Version)
	}
	slices.Sort(out)
	return out
}

// npmLs is "npm ls --all --parseable --long" with paths below root.
func npmLs(t *testing.T, root string, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("no npm to ask")
	}
	said, _ := exec.Command("npm", append([]string{"ls", "--all", "--parseable", "--long"}, args...)...).Output() // fails on unmet peers
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(said)), "\n") {
		line = strings.TrimPrefix(line, root+"/")
		dir, spec, _ := strings.Cut(line, ":")
		if _, alias, ok := strings.Cut(spec, "@npm:"); ok {
			spec = alias
		}
		spec, _, _ = strings.Cut(spec, ":") // marks such as EXTRANEOUS
		if spec != "" {
			out = append(out, dir+":"+spec)
		}
	}
	slices.Sort(out)
	return out
}

func TestCorpusApp(t *testing.T) {
	root := analyzetest.Layer(t, "node-app")
	r := analyzetest.RunDir(t, Analyzer{}, root)
	analyzetest.NoProblems(t, r)
	want := npmLs(t, root, "--prefix", filepath.Join(root, "app"))
	got := installed(r)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	licensed := 0
	for _, p := range r.Packages {
		if len(p.Licenses) > 0 {
			licensed++
		}
	}
	t.Logf("npm says %d, found %d, with licence %d", len(want), len(got), licensed)
}

// What pnpm bundles below its own dist folder npm does not list.
func TestCorpusGlobal(t *testing.T) {
	root := analyzetest.Layer(t, "node-global")
	r := analyzetest.RunDir(t, Analyzer{}, root)
	analyzetest.NoProblems(t, r)
	want := npmLs(t, root, "--global", "--prefix", filepath.Join(root, "usr/local"))
	var got, bundled []string
	for _, s := range installed(r) {
		if strings.HasPrefix(s, "usr/local/lib/node_modules/pnpm/dist/node_modules/") {
			bundled = append(bundled, s)
		} else {
			got = append(got, s)
		}
	}
	want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "usr/local/lib:") })
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	t.Logf("npm says %d, found %d and %d bundled in pnpm", len(want), len(got), len(bundled))
}

// Debian's packages: one package.json directly below each folder, as Node.js
// itself reads it.
func TestCorpusDebian(t *testing.T) {
	root := analyzetest.Layer(t, "node-debs")
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node to ask")
	}
	const script = `const fs=require("fs"),path=require("path"),root=process.argv[1],out=[];
const one=d=>{try{const p=require(path.join(root,d,"package.json"));out.push(d+":"+p.name+"@"+p.version)}catch(e){}};
for(const n of fs.readdirSync(path.join(root,"usr/share/nodejs"))){const d="usr/share/nodejs/"+n;
if(n[0]==="@")for(const m of fs.readdirSync(path.join(root,d)))one(d+"/"+m);else one(d)}console.log(JSON.stringify(out))`
	said, err := exec.Command(node, "-e", script, root).Output()
	if err != nil {
		t.Skip("node cannot list:", err)
	}
	var want []string
	if err := json.Unmarshal(said, &want); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	r := analyzetest.RunDir(t, Analyzer{}, root)
	analyzetest.NoProblems(t, r)
	got := installed(r)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	t.Logf("%d packages", len(got))
}

func BenchmarkWants(b *testing.B) {
	paths := []string{"usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/python3/dist-packages/yaml/__init__.py", "usr/share/doc/libc6/copyright", "app/node_modules/x/lib/index.js"}
	b.ReportAllocs()
	for i := range b.N {
		e := analyze.Entry{Path: paths[i%len(paths)]}
		if (Analyzer{}).Wants(e)+(LockAnalyzer{}).Wants(e) != analyze.Ignore {
			b.Fatal(e.Path)
		}
	}
}
