package java

import (
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// How sure an identity is. A pom.properties is certain; the others are
// conclusions.
const (
	sureNested  = 0.8 // named by a pom.properties inside another artifact's archive
	sureCoords  = 0.9 // the manifest or the place in a repository gives group, artifact and version
	sureDerived = 0.7 // group from the table of well-known artifacts, or worked out from the symbolic name
	sureName    = 0.5 // manifest without a group
	sureFile    = 0.4 // file name without a group
)

// identity is what an archive is.
type identity struct {
	coordinates
	classifier string
	technique  string
	confidence float64 // 0: certain
}

// clues is what an archive tells about itself besides its pom.
type clues struct {
	path     string // of the file, or the entry that holds the archive
	file     fileName
	manifest manifest
	has      func(dir string) bool // are there entries below the directory?
}

// identify names an archive that has no pom of its own, by the first rule that
// knows: coordinates in the manifest; the place in a Maven repository or Gradle
// cache; well-known bundles; then name, version and group one by one from
// manifest and file name. A group is never made up: it is known, written, or
// left out.
func (c *clues) identify() (identity, bool) {
	id := identity{classifier: c.file.classifier}
	if coords, ok := c.manifestCoordinates(); ok {
		id.coordinates, id.technique, id.confidence = coords, inventory.TechManifest, sureCoords
		return id, true
	}
	if coords, ok := repositoryPlace(c.path); ok {
		id.coordinates, id.technique, id.confidence = coords, inventory.TechFileName, sureCoords
		return id, true
	}
	versions := c.versions()
	id.version = chooseVersion(cleanVersion(c.file.version), versions)
	if id.version == "" {
		id.version = manifestVersion(c.manifest.get("specification-version"))
	}
	name, technique := c.name(versions)
	if name == "" {
		return id, false
	}
	id.artifact, id.technique = name, technique
	if group, artifact := c.group(name); group != "" {
		id.group, id.artifact, id.confidence = group, artifact, sureDerived
		return id, true
	}
	if technique == inventory.TechFileName && id.version != "" && agrees(id.version, versions) {
		id.technique = inventory.TechManifest
	}
	id.confidence = sureFile
	if id.technique == inventory.TechManifest {
		id.confidence = sureName
	}
	return id, true
}

// manifestCoordinates reads the manifests that give all three: those of
// Jenkins plugins (Group-Id, Short-Name, Plugin-Version) and of the Nebula
// plugins of Gradle (Implementation-Title: group#artifact;version).
func (c *clues) manifestCoordinates() (coordinates, bool) {
	m := c.manifest
	if group, rest, ok := strings.Cut(m.get("implementation-title"), "#"); ok {
		artifact, version, _ := strings.Cut(rest, ";")
		if version = cleanVersion(version); version == "" {
			version = cleanVersion(m.get("implementation-version"))
		}
		if g, a := cleanName(group), cleanName(artifact); g != "" && a != "" && version != "" {
			return coordinates{g, a, version}, true
		}
	}
	artifact := cleanName(m.get("artifact-id"))
	if artifact == "" {
		artifact = cleanName(m.get("short-name"))
	}
	version := cleanVersion(m.get("plugin-version"))
	if version == "" {
		version = cleanVersion(m.get("implementation-version"))
	}
	if g := cleanName(m.get("group-id")); g != "" && artifact != "" && version != "" {
		return coordinates{g, artifact, version}, true
	}
	return coordinates{}, false
}

// repositoryPlace reads coordinates off the directories of a local Maven
// repository (group/parts/artifact/version/artifact-version.jar below
// "repository" or "maven-repo") or of Gradle's cache (files-2.1/group/artifact/version/hash/).
func repositoryPlace(p string) (coordinates, bool) {
	parts := strings.Split(p, "/")
	n := len(parts)
	if n < 5 {
		return coordinates{}, false
	}
	base := parts[n-1]
	if n >= 6 && parts[n-6] == "files-2.1" {
		c := coordinates{cleanName(parts[n-5]), cleanName(parts[n-4]), cleanVersion(parts[n-3])}
		return c, c.group != "" && c.version != "" && strings.HasPrefix(base, c.artifact+"-"+c.version)
	}
	artifact, version := parts[n-3], parts[n-2]
	if cleanName(artifact) == "" || cleanVersion(version) != version || !strings.HasPrefix(base, artifact+"-"+version) {
		return coordinates{}, false
	}
	for i := n - 4; i > 0; i-- {
		if parts[i-1] == "repository" || parts[i-1] == "maven-repo" || parts[i-1] == "m2" {
			group := cleanName(strings.Join(parts[i:n-3], "."))
			return coordinates{group, artifact, version}, group != ""
		}
	}
	return coordinates{}, false
}

// versions lists the versions the manifest gives, most trusted first.
func (c *clues) versions() []string {
	var out []string
	for _, v := range [...]string{
		manifestVersion(c.manifest.get("plugin-version")),
		manifestVersion(c.manifest.get("implementation-version")),
		bundleVersion(c.manifest.get("bundle-version")),
		manifestVersion(c.manifest.part["implementation-version"]),
	} {
		if v != "" && v != "0.0.0" {
			out = append(out, v)
		}
	}
	return out
}

// name chooses the artifact's name. The file name is right when its version is
// the manifest's; else the manifest goes first, so that a renamed archive keeps
// its name.
func (c *clues) name(versions []string) (name, technique string) {
	stem := cleanName(c.file.stem)
	title := cleanName(c.manifest.get("implementation-title"))
	if title == "" {
		title = cleanName(c.manifest.part["implementation-title"])
	}
	if title != strings.ToLower(title) && !strings.EqualFold(title, stem) {
		title = "" // a heading rather than an artifact
	}
	bsn := cleanName(c.manifest.symbolicName())
	confirmed := stem != "" && (agrees(c.file.version, versions) && c.file.version != "")
	switch {
	case confirmed:
		return stem, inventory.TechFileName
	case bsn != "" && knows(bsn):
		if a, _ := knownBundle(bsn); a.artifact != "" && !strings.HasPrefix(stem, a.artifact+"-") {
			return a.artifact, inventory.TechManifest
		}
		return stem, inventory.TechFileName
	case title != "" && !strings.Contains(title, "."):
		if strings.HasPrefix(stem, title+"-") {
			return stem, inventory.TechFileName
		}
		return title, inventory.TechManifest
	case stem != "" && (bsn == "" || related(stem, bsn)):
		return stem, inventory.TechFileName
	case bsn != "":
		return bsn, inventory.TechManifest
	}
	return stem, inventory.TechFileName
}

func knows(bsn string) bool {
	_, ok := knownBundle(bsn)
	return ok
}

// related reports whether the last words of a symbolic name are those of a file's stem.
func related(stem, bsn string) bool {
	s, b := words(stem), words(bsn)
	return strings.HasSuffix("."+b, "."+s) || strings.HasSuffix("."+s, b[strings.LastIndexByte(b, '.')+1:])
}

func words(s string) string {
	return strings.ToLower(strings.NewReplacer("-", ".", "_", ".").Replace(s))
}

// group finds the group of an artifact, and its true name where the archive
// goes by another.
func (c *clues) group(name string) (group, artifact string) {
	bsn := cleanName(c.manifest.symbolicName())
	bundle, known := knownBundle(bsn)
	if known && (name == bundle.artifact || name == bsn) {
		return bundle.group, bundle.artifact
	}
	if k, ok := knownArtifact(name, c.has); ok {
		return k.group, k.artifact
	}
	if known {
		// a variant of the bundle, named by its file: commons-logging-api
		if strings.HasPrefix(name, bundle.artifact+"-") {
			return bundle.group, name
		}
		return bundle.group, bundle.artifact
	}
	// the interfaces of Java EE and Jakarta EE: jakarta.servlet:jakarta.servlet-api
	if api, ok := strings.CutSuffix(name, "-api"); ok && (strings.HasPrefix(api, "jakarta.") || strings.HasPrefix(api, "javax.")) {
		return api, name
	}
	// Maven's archiver used to write the group as the vendor's id; sbt does
	if v := c.manifest.get("implementation-vendor-id"); groupShaped(v) {
		return v, name
	}
	return groupOfSymbolic(bsn, name), name
}

// groupShaped reports whether an Implementation-Vendor-Id is a group rather
// than a whole organisation.
func groupShaped(v string) bool {
	switch v {
	case "org.apache", "com.sun", "com.ibm", "com.oracle", "org.eclipse", "com.google", "org.jboss":
		return false
	}
	return cleanName(v) == v && v != "" && strings.Count(v, ".") >= 1 && v == strings.ToLower(v) && !strings.HasPrefix(v, ".") && !strings.HasSuffix(v, ".")
}

// groupOfSymbolic undoes how maven-bundle-plugin makes a symbolic name of group
// and artifact: group.artifact, where words that the artifact repeats from the
// end of the group are written once. It answers only where that is unambiguous.
func groupOfSymbolic(bsn, artifact string) string {
	if bsn == "" || artifact == "" {
		return ""
	}
	// org.example + tool-core: org.example.tool-core
	if g, ok := strings.CutSuffix(bsn, "."+artifact); ok && strings.Contains(g, ".") && (strings.Contains(artifact, "-") || strings.Count(g, ".") >= 1) {
		return g
	}
	// org.example.tool + tool-core: org.example.tool.core
	for i := strings.IndexByte(artifact, '-'); i > 0; {
		rest := "." + strings.ReplaceAll(artifact[i+1:], "-", ".")
		if g, ok := strings.CutSuffix(bsn, rest); ok && strings.HasSuffix(g, "."+strings.ReplaceAll(artifact[:i], "-", ".")) {
			return g
		}
		j := strings.IndexByte(artifact[i+1:], '-')
		if j < 0 {
			break
		}
		i += 1 + j
	}
	// org.tool + tool: org.tool
	if strings.Count(bsn, ".") == 1 && !strings.Contains(artifact, "-") && strings.HasSuffix(bsn, "."+artifact) {
		return bsn
	}
	return ""
}

// own picks, of the artifacts that pom.properties files in an archive name,
// the one the archive itself is; the others were packed into it. -1 means
// none of them.
func (c *clues) own(poms []pomFile) int {
	best, bestScore, ties := -1, 0, 0
	for i, p := range poms {
		s := c.score(p)
		switch {
		case s > bestScore:
			best, bestScore, ties = i, s, 0
		case s == bestScore && best >= 0:
			ties++
		}
	}
	if len(poms) == 1 {
		if best < 0 && !c.contradicts(poms[0].coordinates) {
			best = 0
		}
		return best
	}
	if ties > 0 && bestScore < scoreName {
		return -1
	}
	return best
}

// contradicts reports whether an archive says plainly that it is something
// else than the only pom in it, for which nothing speaks.
func (c *clues) contradicts(pom coordinates) bool {
	if c.file.version != "" && c.file.version != pom.version {
		return true
	}
	id, ok := c.identify()
	return ok && id.group != "" && (id.group != pom.group || id.artifact != pom.artifact)
}

const (
	scoreName    = 8
	scoreStrong  = 4
	scoreVersion = 3
	scoreHint    = 2
)

func (c *clues) score(p pomFile) int {
	s := 0
	base := path.Base(c.path)
	stem := words(c.file.stem)
	a := words(p.artifact)
	switch {
	case strings.HasPrefix(base, p.artifact+"-"+p.version):
		return 4*scoreName + len(p.artifact) // the file is called exactly so
	case stem == a:
		s += scoreName
	case strings.HasSuffix(stem, "."+a), strings.HasPrefix(a, stem+"."), strings.HasSuffix(a, "."+stem), withoutMajor(stem) == a:
		s += scoreStrong
	}
	m := c.manifest
	if cleanName(m.get("implementation-title")) == p.artifact {
		s += scoreStrong
	}
	if bsn := words(m.symbolicName()); bsn != "" && (bsn == a || bsn == words(p.group)+"."+a || strings.HasSuffix(bsn, "."+a) || groupOfSymbolic(m.symbolicName(), p.artifact) == p.group) {
		s += scoreStrong
	}
	if m.get("short-name") == p.artifact || m.get("artifact-id") == p.artifact {
		s += scoreName
	}
	if v := m.get("implementation-vendor-id"); v != "" && v == p.group {
		s += scoreHint
	}
	for _, class := range [...]string{m.get("start-class"), m.get("main-class")} {
		if strings.HasPrefix(class, p.group+".") && !launcher(class) {
			s += scoreHint
			break
		}
	}
	if s > 0 && p.version != "" {
		if c.file.version == p.version || agrees(p.version, c.versions()) {
			s += scoreVersion
		}
	}
	return s
}

// withoutMajor takes a number off the first word, which distributions add to
// tell major versions apart: maven3.core is maven.core.
func withoutMajor(stem string) string {
	first, rest, ok := strings.Cut(stem, ".")
	first = strings.TrimRight(first, "0123456789")
	if !ok || first == "" {
		return first
	}
	return first + "." + rest
}

// launcher reports whether a main class is that of a framework, which starts
// other people's applications.
func launcher(class string) bool {
	switch class {
	case "io.vertx.core.Launcher", "io.vertx.launcher.application.VertxApplication", "clojure.main", "org.jruby.Main", "groovy.ui.GroovyMain", "io.ktor.server.netty.EngineMain", "play.core.server.ProdServerStart":
		return true
	}
	return strings.HasPrefix(class, "org.springframework.boot.loader.") || strings.HasPrefix(class, "io.quarkus.bootstrap.") || strings.HasPrefix(class, "io.micronaut.function.")
}
