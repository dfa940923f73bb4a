package java

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads what Java projects declare: the dependencies of a pom.xml and
// those of Gradle's lock files. Nothing of it is installed by that. A
// dependency whose version another file decides has none.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements analyze.Analyzer.
func (Lock) Name() string { return "java-lock" }

// Version implements analyze.Analyzer.
func (Lock) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	base := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	switch base {
	case "pom.xml":
		// that of an unpacked archive belongs to an installed artifact, which is Analyzer's
		if !strings.Contains(e.Path, "META-INF/maven/") {
			return analyze.Alone
		}
	case "gradle.lockfile", "buildscript-gradle.lockfile", "settings-gradle.lockfile":
		return analyze.Alone
	default:
		if strings.HasSuffix(base, ".lockfile") && strings.Contains(e.Path, "gradle/dependency-locks/") {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// Analyze implements analyze.Analyzer.
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		limit := int64(analyze.MaxText)
		if path.Base(f.Path) == "pom.xml" {
			limit = maxPom
		}
		if err == nil {
			data, err = f.ReadAll(limit)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if path.Base(f.Path) == "pom.xml" {
			lockPom(f.Path, data, out)
		} else {
			lockGradle(f.Path, data, out)
		}
	}
	return nil
}

func lockPom(p string, data []byte, out *inventory.Record) {
	x, err := parsePom(data)
	if err == errNoProject {
		return // some other pom.xml
	}
	if err != nil {
		analyze.Problemf(out, p, "reading pom.xml: %w", err)
	}
	managed := map[string]dependency{}
	for _, d := range x.managed {
		managed[x.expand(d.group)+":"+x.expand(d.artifact)] = d
	}
	self := x.self()
	for _, d := range x.depends {
		c := coordinates{cleanName(x.expand(d.group)), cleanName(x.expand(d.artifact)), x.expand(d.version)}
		if c.group == "" || c.artifact == "" || c.group == self.group && c.artifact == self.artifact {
			continue
		}
		m := managed[c.group+":"+c.artifact]
		if c.version == "" {
			c.version = x.expand(m.version)
		}
		if d.scope == "" {
			d.scope = m.scope
		}
		pkg := inventory.Package{
			Type: "maven", Namespace: c.group, Name: c.artifact, Path: p, State: inventory.Declared, Technique: inventory.TechLockFile, Scope: mavenScope(d),
		}
		if strings.ContainsAny(c.version, "[](),") || strings.Contains(c.version, "${") {
			setMeta(&pkg, "requirement", c.version)
		} else {
			pkg.Version = cleanVersion(c.version)
		}
		if cl := cleanName(x.expand(d.classifier)); cl != "" {
			pkg.Qualifiers = map[string]string{"classifier": cl}
		}
		out.Packages = append(out.Packages, pkg)
	}
}

func mavenScope(d dependency) string {
	switch {
	case d.scope == "test", d.scope == "provided", d.scope == "system", d.scope == "import":
		return d.scope
	case d.optional:
		return "optional"
	}
	return ""
}

// lockGradle reads a lock file of Gradle: group:artifact:version=configurations
// per line, or, in the older one file per configuration, without them.
func lockGradle(p string, data []byte, out *inventory.Record) {
	base := path.Base(p)
	bad, listed := 0, 0
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || bytes.HasPrefix(line, []byte("empty=")) {
			continue
		}
		what, configurations, _ := strings.Cut(string(line), "=")
		f := strings.SplitN(what, ":", 4)
		var c coordinates
		if len(f) == 3 {
			c = coordinates{cleanName(f[0]), cleanName(f[1]), cleanVersion(f[2])}
		}
		if c.group == "" || c.artifact == "" || c.version == "" {
			bad++
			continue
		}
		if listed++; listed > maxLocked {
			analyze.Problemf(out, p, "more than the limit of %d packages", maxLocked)
			break
		}
		pkg := inventory.Package{
			Type: "maven", Namespace: c.group, Name: c.artifact, Version: c.version, Path: p, State: inventory.Declared, Technique: inventory.TechLockFile,
		}
		switch {
		case strings.HasPrefix(base, "buildscript-"), strings.HasPrefix(base, "settings-"):
			pkg.Scope = "build"
		case base != "gradle.lockfile":
			pkg.Scope = gradleScope(strings.TrimSuffix(base, ".lockfile"))
		default:
			pkg.Scope = gradleScope(configurations)
		}
		out.Packages = append(out.Packages, pkg)
	}
	if bad > 0 {
		analyze.Problemf(out, p, "%d lines are not group:artifact:version", bad)
	}
}

// gradleScope is "test" or "build" when every configuration is one of that.
func gradleScope(configurations string) string {
	all, test, build := 0, 0, 0
	for c := range strings.SplitSeq(configurations, ",") {
		all++
		l := strings.ToLower(c)
		switch {
		case strings.Contains(l, "test"):
			test++
		case strings.Contains(l, "annotationprocessor"), strings.HasSuffix(l, "pmd"), strings.HasSuffix(l, "checkstyle"), strings.HasSuffix(l, "jacocoagent"), strings.HasSuffix(l, "jacocoant"), l == "kapt", l == "classpath":
			build++
		}
	}
	switch all {
	case test:
		return "test"
	case test + build:
		return "build"
	}
	return ""
}
