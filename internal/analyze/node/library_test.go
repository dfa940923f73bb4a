package node

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// testdata/library/NAME-VERSION holds the first 200 bytes of files that the
// npm package of that name and version brings: the folder is the truth.
func TestLibraries(t *testing.T) {
	rec := analyzetest.Run(t, Libraries{}, os.DirFS("testdata/library"))
	analyzetest.NoProblems(t, rec)
	files, err := filepath.Glob("testdata/library/*/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Packages) != len(files) || len(files) < 19 {
		t.Errorf("%d packages in %d files", len(rec.Packages), len(files))
	}
	for _, p := range rec.Packages {
		want := strings.Replace(path.Dir(p.Path), "jquery-ui-dist", "jquery-ui", 1)
		if got := p.Name + "-" + p.Version; got != want {
			t.Errorf("%s is taken for %s", p.Path, got)
		}
		if p.Type != "npm" || p.Confidence != bannerConfidence || p.Technique != inventory.TechBanner || p.State != inventory.Installed {
			t.Errorf("%+v", p)
		}
	}
}

// Every file of a library's name in its own npm package says that package's
// version, or nothing.
func TestLibrariesInTheirPackages(t *testing.T) {
	seen := 0
	modules := filepath.Join(analyzetest.Layer(t, "node-app"), "app/node_modules")
	for i := range libraries {
		name := libraries[i].name
		dir := filepath.Join(modules, name)
		manifest, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil {
			continue // not among the packages of the layer
		}
		// the path leaves node_modules out: in there, package.json speaks
		for _, p := range analyzetest.Run(t, Libraries{}, os.DirFS(dir)).Packages {
			seen++
			if !strings.Contains(string(manifest), `"version": "`+p.Version+`"`) || p.Name != name {
				t.Errorf("%s/%s is taken for %s %s", name, p.Path, p.Name, p.Version)
			}
		}
	}
	if seen == 0 {
		t.Error("no file recognised")
	}
}

func TestLibraryFiles(t *testing.T) {
	for _, c := range []struct{ file, head, want string }{
		{"srv/jquery-3.4.1.min.js", "!function(){}", "jquery 3.4.1 file name"},
		{"srv/jquery-3.4.1.js", "/*! jQuery v3.4.2 | */", "jquery 3.4.2 comment in the file"},
		{"srv/js/bootstrap-4.6.2.bundle.min.js", "", "bootstrap 4.6.2 file name"},
		{"srv/JQuery.min.js", "\uFEFF/*!\r\n * jQuery JavaScript Library v2.0.0-beta1\r\n", "jquery 2.0.0-beta1 comment in the file"},
		{"srv/moment.js", "//! moment.js\r\n//! version : 2.9.0\r\n", "moment 2.9.0 comment in the file"},
		{"srv/jquery-ui-1.12.1.js", "", "jquery-ui 1.12.1 file name"},
		{"node_modules/x/vendor/jquery.js", "/*! jQuery v1.2.3 */", "jquery 1.2.3 comment in the file"},
		{"node_modules/jquery/dist/jquery.js", "/*! jQuery v1.2.3 */", ""},
		{"srv/jquery.validate.js", "/*! jQuery Validation Plugin - v1.11.1 */", ""},
		{"srv/jquery.form.js", "/*! Form, for jQuery v1.2.3 */", ""},
		{"srv/jquery.js", "var a; /*! jQuery v1.2.3 */", ""},
		{"srv/jquery.js", "/*! jQuery v@VERSION */", ""},
		{"srv/jquery.js", "/*! jQuery v3 */", ""},
		{"srv/jquery.js", "/*! jQuery v3.4", ""},
		{"srv/jquery-3.4.min.js", "", ""},
		{"srv/jquery-1.2.3-plugin.js", "", ""},
		{"srv/jquery-plugin-1.2.3.js", "", ""},
		{"srv/d3-array-1.2.3.js", "// https://d3js.org/d3-array/ v1.2.4 Copyright", ""},
		{"srv/vuex.js", "/*!\n * vuex v3.1.1\n", ""},
	} {
		got := ""
		if p, ok := libraryFile(c.file, c.head); ok {
			got = p.Name + " " + p.Version + " " + p.Technique
		}
		if got != c.want {
			t.Errorf("%s %q: %q, want %q", c.file, c.head, got, c.want)
		}
	}
	for p, want := range map[string]analyze.Interest{
		"srv/jquery.js": analyze.Alone, "jquery.min.js": analyze.Alone, "srv/jquery.js.map": analyze.Ignore, "srv/app.js": analyze.Ignore, "srv/.js": analyze.Ignore,
		"usr/share/doc/a/jquery.js": analyze.Ignore, "a/node_modules/vue/dist/vue.js": analyze.Ignore, "a/node_modules/b/vue.js": analyze.Alone,
	} {
		if got := (Libraries{}).Wants(analyze.Entry{Path: p}); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func FuzzLibraries(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Libraries{}}, []string{"srv/jquery-1.2.3.js", "srv/moment.js", "srv/handlebars.min.js"}, nil, "testdata/library")
}
