// Package java finds the artifacts of the Maven world: archives (jar, war, ear
// and their like) nested to any depth and what is packed into them, exploded
// archives, Java runtimes, and, as declared, what pom.xml files and Gradle's
// lock files name. It leaves to others which operating system package owns an
// archive and how licences are written in SPDX.
package java

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads Java archives, the pom.properties of exploded ones, and the
// release file of Java runtimes. An archive is one package, however many of
// its files name it: see [clues.identify] for the rules. Artifacts that a
// pom.properties inside an archive names besides the archive itself are
// packages of their own, with Meta["parent"].
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "java" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 2 }

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	base := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	switch dot := strings.LastIndexByte(base, '.'); {
	case dot < 0:
		if base == "release" && e.Size <= maxRelease && e.Kind == inventory.KindText {
			return analyze.Alone
		}
		// a program that is an archive: java -jar needs no extension
		if e.Kind == inventory.KindZip {
			return analyze.Alone
		}
	case base == "pom.properties":
		if strings.Contains(e.Path, "META-INF/maven/") {
			return analyze.Alone
		}
	default:
		switch archiveExt(base[dot+1:]) {
		case usual:
			// a shell script may stand before the archive
			if e.Size > 0 {
				return analyze.Alone
			}
		case unusual:
			if e.Kind == inventory.KindZip {
				return analyze.Alone
			}
		}
	}
	return analyze.Ignore
}

// extKind tells how surely an extension says "Java archive".
type extKind int

const (
	usual   extKind = iota + 1
	unusual         // other formats use it, too: the content decides
)

func archiveExt(ext string) extKind {
	if len(ext) > 4 {
		return 0
	}
	switch ext {
	case "jar", "war", "ear", "jpi", "hpi":
		return usual
	case "par", "sar", "nar", "kar", "lpkg", "rar", "aar", "har", "wab", "eba", "esa":
		return unusual
	case "JAR", "WAR", "EAR":
		return usual
	}
	return 0
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		switch path.Base(f.Path) {
		case "release":
			err = analyzeRelease(f, out)
		case "pom.properties":
			err = analyzeExploded(f, out)
		default:
			w := &walk{ctx: ctx, out: out, file: f}
			w.top()
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// analyzeExploded reads a META-INF/maven/GROUP/ARTIFACT/pom.properties that
// lies in a directory: of a war that a server unpacked, say.
func analyzeExploded(f *analyze.File, out *inventory.Record) error {
	data, err := f.ReadAll(maxProperties)
	if err != nil {
		return err
	}
	c := completeProperties(parseProperties(data), f.Path)
	if c.artifact == "" || c.group == "" {
		return errors.New("neither names an artifact nor lies in a directory that does")
	}
	out.Packages = append(out.Packages, inventory.Package{
		Type: "maven", Namespace: c.group, Name: c.artifact, Version: c.version, Path: f.Path, Technique: inventory.TechPom,
	})
	return nil
}

// completeProperties cleans the coordinates of a pom.properties and fills in
// from its path META-INF/maven/GROUP/ARTIFACT/ what it does not say.
func completeProperties(c coordinates, p string) coordinates {
	c = coordinates{cleanName(c.group), cleanName(c.artifact), cleanVersion(c.version)}
	dir := path.Dir(p)
	if c.artifact == "" {
		c.artifact = cleanName(path.Base(dir))
	}
	if c.group == "" {
		c.group = cleanName(path.Base(path.Dir(dir)))
	}
	return c
}
