package node

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func fullName(p *inventory.Package) string {
	if p.Namespace != "" {
		return p.Namespace + "/" + p.Name
	}
	return p.Name
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.Split(strings.TrimSpace(string(data)), "\n")
	slices.Sort(out)
	return out
}

// One project (dependencies, an alias, a development and an optional one, a
// workspace) was locked by npm 10 (lockfile versions 1, 2, 3), Yarn 1.22 and
// 4, pnpm 6, 8 and 12, Bun 1.3. tools.truth is what "npm ls --all
// --package-lock-only" prints of it, without the project's own packages; "yarn
// list", "pnpm ls" and "bun pm ls" of the others print the same (Bun without
// fsevents, which it lists only on macOS). Yarn 4 adds node-gyp for fsevents:
// berry.truth is "yarn info -AR".
func TestLockFilesAgainstTools(t *testing.T) {
	tests := []struct {
		fixture, as, truth string
		scopes             string
	}{
		{"npm1.json", "package-lock.json", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"npm2.json", "npm-shrinkwrap.json", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"npm3.json", "package-lock.json", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"yarn1.lock", "yarn.lock", "tools.truth", ""},
		{"berry.lock", "yarn.lock", "berry.truth", "fsevents:optional"},
		{"pnpm5.yaml", "pnpm-lock.yaml", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"pnpm6.yaml", "pnpm-lock.yaml", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"pnpm9.yaml", "pnpm-lock.yaml", "tools.truth", "fsevents:optional mkdirp:dev"},
		{"bun.lock", "bun.lock", "tools.truth", "fsevents:optional mkdirp:dev"},
	}
	for _, tt := range tests {
		t.Run(tt.fixture, func(t *testing.T) {
			data, err := os.ReadFile("testdata/lock/" + tt.fixture)
			if err != nil {
				t.Fatal(err)
			}
			r := analyzetest.RunOne(t, LockAnalyzer{}, "app/"+tt.as, data)
			analyzetest.NoProblems(t, r)
			var got, scopes []string
			for _, p := range r.Packages {
				got = append(got, fullName(&p)+"@"+p.Version)
				if p.Scope != "" {
					scopes = append(scopes, p.Name+":"+p.Scope)
				}
				if p.State != inventory.Declared || p.Type != "npm" || p.Path != "app/"+tt.as {
					t.Errorf("%s: %+v", p.Name, p)
				}
				if p.Name == "chokidar" {
					want := []string{"anymatch", "braces", "glob-parent", "is-binary-path", "is-glob", "normalize-path", "readdirp"}
					depends := slices.DeleteFunc(slices.Clone(p.Depends), func(s string) bool { return s == "fsevents" })
					if d := cmp.Diff(want, depends); d != "" {
						t.Errorf("depends of chokidar, want -, got +:\n%s", d)
					}
				}
				// integrity of lodash-4.17.21.tgz, sha512, as every lock but Yarn's later ones has it
				const lodash = "bf690311ee7b95e713ba568322e3533f2dd1cb880b189e99d4edef13592b81764daec43e2c54c61d5c558dc5cfb35ecb85b65519e74026ff17675b6f8f916f4a"
				if p.Name == "lodash" && tt.fixture != "berry.lock" && p.Hashes["sha512"] != lodash {
					t.Errorf("lodash: hashes %v", p.Hashes)
				}
			}
			slices.Sort(got)
			slices.Sort(scopes)
			if d := cmp.Diff(lines(t, "testdata/lock/"+tt.truth), got); d != "" {
				t.Errorf("want -, got +:\n%s", d)
			}
			if s := strings.Join(scopes, " "); s != tt.scopes {
				t.Errorf("scopes %q, want %q", s, tt.scopes)
			}
		})
	}
}

func TestLockWants(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"app/package-lock.json":                            analyze.Alone,
		"yarn.lock":                                        analyze.Alone,
		"app/pnpm-lock.yaml":                               analyze.Alone,
		"app/bun.lockb":                                    analyze.Alone,
		"app/node_modules/.package-lock.json":              analyze.Ignore,
		"app/node_modules/combined-stream/yarn.lock":       analyze.Ignore,
		"usr/lib/ruby/gems/3.1.0/gems/x/package-lock.json": analyze.Ignore,
		"usr/share/nodejs/x/package-lock.json":             analyze.Ignore,
		"app/package.json":                                 analyze.Ignore,
	} {
		if got := (LockAnalyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
}

func TestLockOddEntries(t *testing.T) {
	tests := []struct{ name, as, content, want string }{
		{
			"yarn 1 git, file and link", "yarn.lock",
			"# yarn lockfile v1\n\n\"a@git+https://example.org/a.git\":\n  version \"1.0.0\"\n  resolved \"git+https://example.org/a.git#0123456789012345678901234567890123456789\"\n\n" +
				"\"b@file:../b\":\n  version \"2.0.0\"\n\nc@link:./c:\n  version \"0.0.0\"\n  uid \"\"\n\n\"d@1 || 2\", d@^1.0.0:\n  version \"1.5.0\"\n",
			"a@1.0.0 d@1.5.0",
		},
		{
			"npm 1 git and file", "package-lock.json",
			`{"lockfileVersion":1,"dependencies":{"a":{"version":"git+ssh://git@example.org/a.git#0123"},"b":{"version":"file:../b"},"c":{"version":"1.0.0","bundled":true,"dependencies":{"d":{"version":"2.0.0","dev":true}}}}}`,
			"c@1.0.0 d@2.0.0",
		},
		{
			"npm 3 link, workspace and alias", "package-lock.json",
			`{"lockfileVersion":3,"packages":{"":{"name":"x","version":"1.0.0"},"packages/a":{"name":"@x/a","version":"3.0.0"},"node_modules/@x/a":{"resolved":"packages/a","link":true},"node_modules/b":{"name":"real","version":"1.1.0"},"node_modules/c/node_modules/@s/d":{"version":"2.0.0","inBundle":true,"license":"MIT"}}}`,
			"@s/d@2.0.0 real@1.1.0",
		},
		{
			"pnpm 9 long key, tarball and folder", "pnpm-lock.yaml",
			"lockfileVersion: '9.0'\npackages:\n\n  ? '@a/b@1.0.0'\n  : resolution: {integrity: sha512-x}\n    engines: {node: '>=6'}\n\n  c@https://example.org/c.tgz:\n    resolution: {tarball: https://example.org/c.tgz}\n    version: 4.0.0\n    name: c\n\n" +
				"  d@file:d:\n    resolution: {directory: d, type: directory}\n",
			"@a/b@1.0.0 c@4.0.0",
		},
		{
			"pnpm 5 peers", "pnpm-lock.yaml",
			"lockfileVersion: 5.4\npackages:\n\n  /@a/b/1.0.0_react@17.0.2+x@1.0.0:\n    resolution: {integrity: sha512-x}\n    dev: true\n\n  /c/2.0.0_@d/e@1.0.0:\n    dev: false\n  github.com/x/y/0123:\n    resolution: {tarball: https://codeload.github.com/x/y/tar.gz/0123}\n    name: y\n    version: 7.0.0\n",
			"@a/b@1.0.0 c@2.0.0 y@7.0.0",
		},
		{
			"berry patch and virtual", "yarn.lock",
			"__metadata:\n  version: 6\n\n\"typescript@^5\":\n  version: 5.4.5\n  resolution: \"typescript@npm:5.4.5\"\n  languageName: node\n  linkType: hard\n\n\"typescript@patch:typescript@^5#optional!builtin<compat/typescript>\":\n  version: 5.4.5\n" +
				"  resolution: \"typescript@patch:typescript@npm%3A5.4.5#optional!builtin<compat/typescript>::version=5.4.5&hash=5da071\"\n  languageName: node\n  linkType: hard\n\n\"x@portal:../x\":\n  version: 0.0.0-use.local\n  resolution: \"x@portal:../x::locator=y%40workspace%3A.\"\n  languageName: node\n  linkType: hard\n",
			"typescript@5.4.5",
		},
		{
			"bun nested and comments", "bun.lock",
			"{ // text\n \"lockfileVersion\": 1, /* x */ \"workspaces\": {\"\": {\"name\": \"r\", \"devDependencies\": {\"a\": \"1\",},},}, \"packages\": {\n\"a\": [\"a@1.0.0\", \"\", {\"dependencies\": {\"b\": \"2\"}}, \"sha512-x\"],\n\"a/b\": [\"b@2.0.0\", \"\", {}, \"\"], \"b\": [\"b@3.0.0\", \"\", {}, \"\"], \"w\": [\"w@workspace:w\"], \"g\": [\"g@github:x/g#0123\", {}, \"x-g-0123\"],\n}, }",
			"a@1.0.0 b@2.0.0 b@3.0.0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := analyzetest.RunOne(t, LockAnalyzer{}, tt.as, []byte(tt.content))
			analyzetest.NoProblems(t, r)
			var got []string
			for _, p := range r.Packages {
				got = append(got, fullName(&p)+"@"+p.Version)
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestLockProblems(t *testing.T) {
	for name, content := range map[string]string{
		"package-lock.json": `{"dependencies":{"a":{"version":"1.0.0","dependencies":` + strings.Repeat(`{"a":{"dependencies":`, 300) + `{}` + strings.Repeat("}}", 300) + `}}}`,
		"pnpm-lock.yaml":    "packages:\n" + deepYAML(100),
		"bun.lock":          "{",
		"bun.lockb":         "#!/usr/bin/env bun\nbun-lockfile-format-v0\n",
	} {
		if r := analyzetest.RunOne(t, LockAnalyzer{}, name, []byte(content)); len(r.Problems) != 1 {
			t.Errorf("%s: problems %+v, want one", name, r.Problems)
		}
	}
}

func deepYAML(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}
