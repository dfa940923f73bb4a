package secret

import (
	"bytes"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxText bounds the files that are searched: 5 MiB. Larger texts are data.
const maxText = 5 << 20

// candidateFile reports whether a file may hold a secret in text, by its
// entry alone. What it leaves out is listed in the package's documentation.
func candidateFile(e analyze.Entry) bool {
	switch e.Kind {
	case inventory.KindText, inventory.KindScript, inventory.KindPEM, inventory.KindJSON, inventory.KindXML:
	default:
		return false
	}
	return e.Size >= 8 && e.Size <= maxText && !skippedExt(e.Path) && !skippedName(baseName(e.Path)) && !skippedFolder(e.Path)
}

// skippedExt reports whether the name's end says that a person wrote the
// file for readers, or a program for a compiler.
func skippedExt(path string) bool {
	i := len(path) - 1
	for i >= 0 && path[i] != '.' && path[i] != '/' && len(path)-i <= 12 {
		i--
	}
	if i < 0 || path[i] != '.' {
		return false
	}
	switch path[i+1:] {
	case "map", "po", "pot", "md5sums", "sha256sums", "shlibs", "triggers", "symbols", // generated
		"h", "hh", "hpp", "hxx", "inl", "ph", "pyi", "rbs", "rbi", "d", "tcc", // declarations
		"css", "scss", "sass", "less", "svg", "eps", "ps", "afm", "bdf", "hyp", "dic", "aff", "tex", "sty", // presentation
		"pod", "man", "1", "2", "3", "4", "5", "6", "7", "8", "9", "3pm", "info", "ronn", "rdoc", "ri", "texi", // documentation
		"tsbuildinfo", "snap", "flow", "gemspec", "lcov", "el", "elc", "vim":
		return true
	case "ts", "mts", "cts":
		return i >= 2 && path[i-2:i] == ".d"
	}
	return false
}

func skippedName(base string) bool {
	if base == "" {
		return false
	}
	switch base[0] {
	case 'L', 'l':
		return strings.HasPrefix(base, "LICEN") || strings.HasPrefix(base, "licen")
	case 'C', 'c':
		return strings.HasPrefix(base, "COPYING") || strings.HasPrefix(base, "COPYRIGHT") || base == "copyright" ||
			strings.HasPrefix(base, "CHANGE") || strings.HasPrefix(base, "changelog") || strings.HasPrefix(base, "CONTRIBUTING")
	case 'A':
		return strings.HasPrefix(base, "AUTHORS")
	case 'N':
		return strings.HasPrefix(base, "NEWS") || strings.HasPrefix(base, "NOTICE")
	}
	return false
}

// skippedFolder reports whether a file lies where distributions keep
// documentation, translations, declarations and package databases.
func skippedFolder(path string) bool {
	rest, ok := strings.CutPrefix(path, "usr/")
	if !ok {
		switch {
		case strings.HasPrefix(path, "var/lib/"):
			rest = path[len("var/lib/"):]
			return strings.HasPrefix(rest, "dpkg/") || strings.HasPrefix(rest, "apt/lists/") || strings.HasPrefix(rest, "rpm/") || strings.HasPrefix(rest, "pacman/") || strings.HasPrefix(rest, "ucf/")
		case strings.HasPrefix(path, "lib/"):
			rest = path[len("lib/"):]
			return strings.HasPrefix(rest, "apk/") || strings.HasPrefix(rest, "firmware/") || strings.HasPrefix(rest, "modules/")
		}
		return strings.HasPrefix(path, "proc/") || strings.HasPrefix(path, "sys/") || strings.HasPrefix(path, "var/cache/") || documentOfLibrary(path)
	}
	switch {
	case strings.HasPrefix(rest, "share/"):
		folder, _, _ := strings.Cut(rest[len("share/"):], "/")
		switch folder {
		case "doc", "man", "info", "locale", "i18n", "zoneinfo", "ca-certificates", "icons", "fonts", "mime", "X11", "terminfo", "tabset", "unicode", "misc", "licenses", "common-licenses",
			"vim", "emacs", "help", "gtk-doc", "javadoc", "ri", "xml", "sgml", "aclocal", "bash-completion", "zsh", "fish", "dict", "myspell", "hunspell", "ghostscript", "poppler", "color", "mysql-test":
			return true
		}
	case strings.HasPrefix(rest, "include/"), strings.HasPrefix(rest, "lib/locale/"), strings.HasPrefix(rest, "lib/modules/"), strings.HasPrefix(rest, "lib/firmware/"), strings.HasPrefix(rest, "src/linux"):
		return true
	}
	return documentOfLibrary(path)
}

// documentOfLibrary reports whether a file is a text for readers of an
// installed package.
func documentOfLibrary(path string) bool {
	switch {
	case strings.HasSuffix(path, ".md"), strings.HasSuffix(path, ".markdown"), strings.HasSuffix(path, ".rst"), strings.HasSuffix(path, ".html"), strings.HasSuffix(path, ".adoc"):
		return inLibrary(path)
	}
	return false
}

// inLibrary reports whether a path lies in the tree of an installed package
// of a language or of the distribution.
func inLibrary(path string) bool {
	if strings.HasPrefix(path, "usr/lib") || strings.HasPrefix(path, "usr/share/") || strings.HasPrefix(path, "lib/") || strings.HasPrefix(path, "usr/local/lib/") || strings.HasPrefix(path, "usr/local/go/") {
		return true
	}
	for _, s := range []string{"node_modules/", "site-packages/", "dist-packages/", "/gems/", "/vendor/", "/bower_components/", "/go/pkg/mod/", "/.cargo/registry/", "/jspm_packages/"} {
		if strings.Contains(path, s) {
			return true
		}
	}
	return false
}

// syntaxOf says how a file writes assignments, and whether generic rules
// hold in it.
func syntaxOf(path string, text []byte) (syntax, bool) {
	base := baseName(path)
	ext := strings.ToLower(base[strings.LastIndexByte(base, '.')+1:])
	syn := loose
	switch ext {
	case "js", "mjs", "cjs", "ts", "mts", "cts", "tsx", "jsx", "py", "rb", "go", "java", "php", "phtml", "cs", "vb", "c", "cc", "cpp", "cxx", "m", "mm", "rs", "pl", "pm", "t", "lua", "scala", "kt", "kts", "groovy",
		"swift", "r", "ex", "exs", "erl", "clj", "cljs", "vue", "svelte", "html", "htm", "jsp", "erb", "haml", "ejs", "hbs", "hs", "ml", "dart", "coffee", "sql", "nim", "zig", "tcl", "jl", "bas", "awk", "m4", "cmake":
		syn = code
	case "json", "json5", "jsonc", "ipynb", "webmanifest", "har":
		syn = data
	}
	return syn, !inLibrary(path) && !minified(base, ext, text)
}

// minified reports whether code was made by a program.
func minified(base, ext string, text []byte) bool {
	if ext != "js" && ext != "mjs" && ext != "cjs" && ext != "html" {
		return false
	}
	if strings.Contains(base, ".min.") || strings.Contains(base, "bundle") {
		return true
	}
	head := text[:min(len(text), 16<<10)]
	return len(head) >= 2048 && bytes.Count(head, []byte{'\n'}) < len(head)/300
}

// contextOf says in what surroundings a file lies, and what that does to
// confidence.
func contextOf(path string) (context string, factor float64) {
	rest := path
	for {
		dir, more, ok := strings.Cut(rest, "/")
		if !ok {
			break
		}
		switch strings.ToLower(dir) {
		case "test", "tests", "testing", "testdata", "test-data", "test_data", "__tests__", "spec", "specs", "fixture", "fixtures", "__fixtures__", "mock", "mocks", "__mocks__", "e2e", "testcases", "unittest", "unittests", "selftest", "dummyserver", "testutil", "testutils", "testsuite":
			return ContextTest, 0.4
		case "doc", "docs", "documentation", "man", "javadoc", "wiki":
			return ContextDocumentation, 0.4
		case "example", "examples", "sample", "samples", "demo", "demos", "snippets", "tutorial", "tutorials":
			return ContextExample, 0.4
		}
		rest = more
	}
	base := strings.ToLower(baseName(path))
	stem, ext := base, ""
	if i := strings.LastIndexByte(base, '.'); i > 0 {
		stem, ext = base[:i], base[i+1:]
	}
	switch ext {
	case "md", "markdown", "rst", "adoc", "asciidoc", "html", "htm":
		return ContextDocumentation, 0.4
	case "example", "sample", "dist", "template", "tmpl", "tpl", "j2", "erb":
		return ContextExample, 0.5
	}
	switch {
	case strings.HasPrefix(base, "readme"), base == "pkg-info", stem == "swagger", stem == "openapi", base == "metadata" && strings.Contains(path, "-info/"):
		return ContextDocumentation, 0.4
	case strings.HasPrefix(base, "example.") || strings.HasSuffix(stem, ".example") || strings.HasSuffix(stem, "-example") || strings.HasSuffix(stem, ".sample") || strings.HasSuffix(stem, "-sample"):
		return ContextExample, 0.5
	case strings.HasSuffix(stem, "_test") || strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") || strings.HasSuffix(stem, "_spec") || strings.HasPrefix(base, "test") || strings.Contains(stem, "_test_"):
		return ContextTest, 0.4
	case inLibrary(path):
		return ContextLibrary, 0.75
	}
	return "", 1
}
