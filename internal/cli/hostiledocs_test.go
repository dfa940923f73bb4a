package cli

import (
	"fmt"
	"io"
	"strings"
)

// hostileDoc is a document that an analyzer reads: where it stands, and how a
// valid one goes on and on.
type hostileDoc struct {
	path  string
	head  string
	entry func(i int) string // entry i is a package of its own
	sep   string
	tail  string
	open  string // what nests, once more per level
}

// write writes a document of about size bytes.
func (d *hostileDoc) write(w io.Writer, size int) error {
	n, err := io.WriteString(w, d.head)
	for i := 0; n < size-len(d.tail) && err == nil; i++ {
		if i > 0 && d.sep != "" {
			io.WriteString(w, d.sep)
			n += len(d.sep)
		}
		var k int
		k, err = io.WriteString(w, d.entry(i))
		n += k
	}
	if err == nil {
		_, err = io.WriteString(w, d.tail)
	}
	return err
}

// nested writes a document that nests until it has size bytes.
func (d *hostileDoc) nested(w io.Writer, size int) error {
	if _, err := io.WriteString(w, d.head); err != nil {
		return err
	}
	chunk := strings.Repeat(d.open, 4096)
	for n := len(d.head); n < size; n += len(chunk) {
		if _, err := io.WriteString(w, chunk); err != nil {
			return err
		}
	}
	return nil
}

// giant writes a document whose first entry has a name of size bytes.
func (d *hostileDoc) giant(w io.Writer, size int) error {
	e := d.entry(7777777)
	at := strings.Index(e, "7777777")
	if _, err := io.WriteString(w, d.head+e[:at]); err != nil {
		return err
	}
	chunk := strings.Repeat("a", 64<<10)
	for n := len(d.head); n < size; n += len(chunk) {
		if _, err := io.WriteString(w, chunk); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, e[at:]+d.tail)
	return err
}

func numbered(format string) func(int) string {
	return func(i int) string { return fmt.Sprintf(format, i) }
}

// twice is numbered for a format that takes the number two times.
func twice(format string) func(int) string {
	return func(i int) string { return fmt.Sprintf(format, i, i) }
}

// hostileDocs lists a document per format that is read whole or line by line.
func hostileDocs() []hostileDoc {
	return []hostileDoc{
		{"app/package-lock.json", `{"lockfileVersion":3,"packages":{`, numbered(`"node_modules/p%07d":{"version":"1.0.0"}`), ",", `}}`, `"a":{"b":[{`},
		{"v1/package-lock.json", `{"lockfileVersion":1,"dependencies":{`, numbered(`"p%07d":{"version":"1.0.0"}`), ",", `}}`, `"p":{"version":"1","dependencies":{`},
		{"app/yarn.lock", "# yarn lockfile v1\n\n", numbered("p%07d@^1.0.0:\n  version \"1.0.0\"\n"), "\n", "", "  "},
		{"berry/yarn.lock", "__metadata:\n  version: 8\n\n", twice("\"p%07d@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"p%07d@npm:1.0.0\"\n  languageName: node\n"), "\n", "", "  "},
		{"app/pnpm-lock.yaml", "lockfileVersion: '9.0'\n\npackages:\n\n", numbered("  p%07d@1.0.0:\n    resolution: {integrity: sha512-AA==}\n"), "\n", "", "[{a: "},
		{"v6/pnpm-lock.yaml", "lockfileVersion: '6.0'\n\npackages:\n\n", numbered("  /p%07d@1.0.0:\n    resolution: {integrity: sha512-AA==}\n"), "\n", "", "- "},
		{"app/bun.lock", "{\"lockfileVersion\":1,\"workspaces\":{\"\":{}},\"packages\":{\n", twice(`"p%07d": ["p%07d@1.0.0", "", {}, ""]`), ",\n", "}}", `"a":[{"b":`},
		{"app/requirements.txt", "", numbered("p%07d==1.0\n"), "", "", "("},
		{"app/Pipfile.lock", `{"_meta":{},"default":{`, numbered(`"p%07d":{"version":"==1.0"}`), ",", `}}`, `"a":{"b":[{`},
		{"app/poetry.lock", "", numbered("[[package]]\nname = \"p%07d\"\nversion = \"1.0\"\n"), "\n", "", "a = [[[["},
		{"app/pdm.lock", "", numbered("[[package]]\nname = \"p%07d\"\nversion = \"1.0\"\n"), "\n", "", "a = {b = {"},
		{"app/uv.lock", "version = 1\n", numbered("[[package]]\nname = \"p%07d\"\nversion = \"1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n"), "\n", "", "a.b.c.d."},
		{"app/pylock.toml", "lock-version = \"1.0\"\n", numbered("[[packages]]\nname = \"p%07d\"\nversion = \"1.0\"\n"), "\n", "", "[a.b.c]\n"},
		{"app/Gemfile.lock", "GEM\n  remote: https://rubygems.org/\n  specs:\n", numbered("    p%07d (1.0)\n"), "", "\n", "  "},
		{"app/pom.xml", "<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies>", numbered("<dependency><groupId>g</groupId><artifactId>p%07d</artifactId><version>1</version></dependency>"), "", "</dependencies></project>", "<dependency>"},
		{"app/gradle.lockfile", "", numbered("g:p%07d:1.0=compileClasspath\n"), "", "", "a:"},
		{"app/go.mod", "module example.com/m\n\nrequire (\n", numbered("\texample.com/p%07d v1.0.0\n"), "", ")\n", "("},
		{"app/Cargo.lock", "version = 4\n\n", numbered("[[package]]\nname = \"p%07d\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"), "\n", "", "a = [["},
		{"app/packages.lock.json", `{"version":1,"dependencies":{"net8.0":{`, numbered(`"P%07d":{"type":"Direct","resolved":"1.0.0"}`), ",", `}}}`, `"a":{"b":[{`},
		{"app/project.assets.json", `{"version":3,"libraries":{`, numbered(`"P%07d/1.0.0":{"type":"package"}`), ",", `}}`, `"a":{"b":[{`},
		{"app/packages.config", `<?xml version="1.0"?><packages>`, numbered(`<package id="P%07d" version="1.0.0"/>`), "", `</packages>`, `<package>`},
		{"app/app.deps.json", `{"runtimeTarget":{"name":"n"},"targets":{"n":{}},"libraries":{`, numbered(`"P%07d/1.0.0":{"type":"package"}`), ",", `}}`, `"a":{"b":[{`},
		{"targets/app.deps.json", `{"runtimeTarget":{"name":"n"},"libraries":{},"targets":{"n":{`, numbered(`"P%07d/1.0.0":{"runtime":{"a.dll":{}}}`), ",", `}}}`, `"a":{"runtime":{"b":[{`},
		{"app/vendor/composer/installed.json", `{"packages":[`, numbered(`{"name":"v/p%07d","version":"1.0.0"}`), ",", `]}`, `{"a":[`},
		{"v1/vendor/composer/installed.json", `[`, numbered(`{"name":"v/p%07d","version":"1.0.0"}`), ",", `]`, `[`},
		{"app/composer.lock", `{"packages":[`, numbered(`{"name":"v/p%07d","version":"1.0.0"}`), ",", `],"packages-dev":[]}`, `[[{"a":`},
		{"usr/share/php/.registry/a.reg", `a:3:{s:4:"name";s:1:"a";s:7:"version";s:5:"1.0.0";s:8:"filelist";a:9999999:{`, numbered(`s:8:"p%07d";a:0:{}`), "", `}}`, `a:1:{i:0;`},
		{"app/mix.lock", "%{\n", numbered("  \"p%07d\": {:hex, :p, \"1.0.0\", \"aa\", [:mix], [], \"hexpm\", \"bb\"}"), ",\n", "}\n", "[{"},
		{"app/rebar.lock", "[", numbered("{<<\"p%07d\">>,{pkg,<<\"p\">>,<<\"1.0.0\">>},0}"), ",\n", "].\n", "[{"},
		{"app/pubspec.lock", "packages:\n", numbered("  p%07d:\n    dependency: transitive\n    source: hosted\n    version: \"1.0.0\"\n"), "", "", "- "},
		{"app/.dart_tool/package_config.json", `{"configVersion":2,"packages":[`, twice(`{"name":"p%07d","rootUri":"file:///root/.pub-cache/hosted/pub.dev/p%07d-1.0.0"}`), ",", `]}`, `[{"a":`},
		{"app/Package.resolved", `{"version":2,"pins":[`, twice(`{"identity":"p%07d","kind":"remoteSourceControl","location":"https://example.com/a/p%07d","state":{"version":"1.0.0"}}`), ",", `]}`, `[{"a":`},
		{"app/Podfile.lock", "PODS:\n", numbered("  - P%07d (1.0.0)\n"), "", "", "- "},
		{"app/cabal.project.freeze", "constraints: ", numbered("any.p%07d ==1.0"), ",\n             ", "\n", "("},
		{"app/stack.yaml.lock", "packages:\n", numbered("- completed:\n    hackage: p%07d-1.0@sha256:aa,1\n"), "", "", "- "},
		{"app/renv.lock", `{"R":{"Version":"4.3.0"},"Packages":{`, twice(`"p%07d":{"Package":"p%07d","Version":"1.0","Source":"Repository","Repository":"CRAN"}`), ",", `}}`, `"a":{"b":[{`},
		{"app/packrat.lock", "PackratFormat: 1.4\n\n", numbered("Package: p%07d\nSource: CRAN\nVersion: 1.0\n"), "\n", "", " "},
		{"app/cpanfile.snapshot", "# carton snapshot format: version 1.0\nDISTRIBUTIONS\n", twice("  P%07d-1.0\n    pathname: A/AB/ABC/P%07d-1.0.tar.gz\n"), "", "", "  "},
		{"app/Manifest.toml", "manifest_format = \"2.0\"\n\n", numbered("[[deps.P%07d]]\nuuid = \"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa\"\nversion = \"1.0.0\"\n"), "\n", "", "a = [["},
		{"app/conan.lock", `{"version":"0.5","requires":[`, numbered(`"p%07d/1.0#aa%%1"`), ",", `]}`, `[[`},
		{"v1/conan.lock", `{"graph_lock":{"nodes":{`, twice(`"%d":{"ref":"p%07d/1.0"}`), ",", `},"revisions_enabled":false},"version":"0.4"}`, `"a":{"b":[{`},
		{"app/x.cdx.json", `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`, twice(`{"type":"library","name":"p%07d","version":"1","purl":"pkg:npm/p%07d@1"}`), ",", `]}`, `{"components":[`},
		{"app/x.spdx.json", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"x","packages":[`, twice(`{"SPDXID":"SPDXRef-%d","name":"p%07d","versionInfo":"1"}`), ",", `]}`, `{"a":[`},
		{"app/x.cdx.xml", `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>`, twice(`<component type="library"><name>p%07d</name><version>1</version><purl>pkg:npm/p%07d@1</purl></component>`), "", `</components></bom>`, `<component><components>`},
		{"app/x.spdx", "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: x\n\n", twice("PackageName: p%07d\nSPDXID: SPDXRef-%d\nPackageVersion: 1\n"), "\n", "", "PackageName: <text>"},
		{"var/lib/dpkg/status", "", numbered("Package: p%07d\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"), "\n", "", " "},
		{"var/lib/dpkg/info/p.list", "/.\n", numbered("/p%07d\n"), "", "", "/a"},
		{"usr/share/doc/p/copyright", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n", numbered("Files: *\nCopyright: x\nLicense: L%07d\n"), "\n", "", "License: ("},
		{"lib/apk/db/installed", "", numbered("P:p%07d\nV:1.0-r0\nA:x86_64\n"), "\n", "\n", "F:a\n"},
		{"files/lib/apk/db/installed", "", numbered("P:p%07d\nV:1.0-r0\nA:x86_64\n"), "\n", "\n", "F:a\n"},
		{"var/lib/pacman/local/p-1-1/desc", "%NAME%\np\n\n%VERSION%\n1-1\n\n%DEPENDS%\n", numbered("p%07d\n"), "", "\n", "%"},
		{"var/lib/pacman/local/p-1-1/files", "%FILES%\n", numbered("usr/p%07d\n"), "", "\n", "a/"},
		{"var/db/pkg/a/p-1/CONTENTS", "", numbered("obj /usr/p%07d d41d8cd98f00b204e9800998ecf8427e 1\n"), "", "", "dir /a"},
		{"usr/lib/python3/dist-packages/p-1.dist-info/RECORD", "", numbered("p/f%07d.py,sha256=aa,1\n"), "", "", "\""},
		{"usr/lib/python3/dist-packages/p-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: p\nVersion: 1\n", numbered("Requires-Dist: p%07d\n"), "", "\n", "License: ("},
		{"opt/conda/conda-meta/p-1-0.json", `{"name":"p","version":"1","build":"0","files":[`, numbered(`"f%07d"`), ",", `]}`, `[{"a":`},
		{"root/buildinfo/content_manifests/p.json", `{"metadata":{},"content_sets":[`, numbered(`"f%07d"`), ",", `]}`, `[{"a":`},
		{"var/lib/rpmmanifest/container-manifest-2", "", numbered("p%07d\t1-1\t1\t1\tv\t(none)\t1\tnoarch\t0\tp-1.src.rpm\n"), "", "", "\t"},
		{"app/package.json", `{"name":"p","version":"1.0.0","dependencies":{`, numbered(`"p%07d":"1"`), ",", `}}`, `"a":{"b":[{`},
		{"usr/lib/R/library/p/DESCRIPTION", "Package: p\nVersion: 1\nBuilt: R 4.0\nDepends: ", numbered("p%07d"), ", ", "\n", "("},
		{"usr/share/gems/specifications/p-1.gemspec", "Gem::Specification.new do |s|\n  s.name = \"p\"\n  s.version = \"1\"\n", numbered("  s.add_runtime_dependency(%%q<p%07d>, [\">= 0\"])\n"), "", "end\n", "["},
		{"usr/lib/erlang/lib/p-1/ebin/p.app", "{application,p,[{vsn,\"1\"},{applications,[", numbered("p%07d"), ",", "]}]}.\n", "[{"},
		{"usr/share/lua/luarocks/rocks-5.3/p/1-1/p-1-1.rockspec", "package = \"p\"\nversion = \"1-1\"\ndependencies = {\n", numbered("\"p%07d\""), ",\n", "}\n", "{{"},
		{"root/.opam/default/.opam-switch/packages/p.1/opam", "opam-version: \"2.0\"\ndepends: [\n", numbered("\"p%07d\"\n"), "", "]\n", "[("},
		{"usr/lib/ghc/package.conf.d/p-1.conf", "name: p\nversion: 1\nid: p-1\ndepends: ", numbered("p%07d-1"), " ", "\n", "("},
		{"usr/local/lib/perl5/x/.meta/P-1/MYMETA.json", `{"name":"P","version":"1","prereqs":{"runtime":{"requires":{`, numbered(`"P%07d":"0"`), ",", `}}}}`, `"a":{"b":[{`},
		{"usr/local/lib/perl5/auto/P/.packlist", "", numbered("/usr/local/lib/perl5/p%07d.pm\n"), "", "", "/a"},
		{"etc/passwd", "", numbered("p%07d:x:1:1::/:/bin/sh\n"), "", "", ":"},
		{"app/config.env", "", numbered("PASSWORD_%07d=hunter2hunter2\n"), "", "", "(("},
	}
}
