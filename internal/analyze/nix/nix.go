// Package nix reads the store of the package manager Nix. What is installed
// shows in the names of the store's folders and nowhere else that is always
// there: most images have neither Nix's database nor derivations. So this is
// an analyzer of the finished image, not of files.
package nix

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer lists the packages of nix/store and gnu/store (of Guix): folders
// HASH-NAME-VERSION[-OUTPUT]. A folder whose name has no version (a script, a
// set of links, a source) is none, and neither is a file. The outputs of one
// package are one package at several places. Executables below such a folder
// are accounted for by it.
//
// The name is the one in the store, with the prefix that some have there:
// "python3.11-requests".
type Analyzer struct{}

var _ analyze.ImageAnalyzer = Analyzer{}

// Name implements [analyze.ImageAnalyzer].
func (Analyzer) Name() string { return "nix" }

// Version implements [analyze.ImageAnalyzer].
func (Analyzer) Version() int { return 1 }

const maxPackages = 100_000

// AnalyzeImage implements [analyze.ImageAnalyzer].
func (Analyzer) AnalyzeImage(ctx context.Context, _ *inventory.Config, img *inventory.Image) error {
	var found []inventory.Package
	index := map[[3]string]int{}
	folders := map[string]bool{}
	dropped := 0
	for _, s := range [...]struct{ dir, typ string }{{"gnu/store", "guix"}, {"nix/store", "nix"}} {
		n := 0
		for f := range img.Files.Below(s.dir) {
			if n++; n%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if f.Type != inventory.Directory || strings.Count(f.Path, "/") != 2 {
				continue
			}
			name, version, output := parse(path.Base(f.Path))
			if name == "" {
				continue
			}
			folders[f.Path] = true
			at := inventory.Location{Path: f.Path, Layer: f.Layer, Analyzer: "nix", Technique: inventory.TechFileName}
			if k, ok := index[[3]string{s.typ, name, version}]; ok {
				p := &found[k]
				p.Locations = append(p.Locations, at)
				p.Layer = min(p.Layer, f.Layer)
				continue
			}
			if len(found) == maxPackages {
				dropped++
				continue
			}
			p := inventory.Package{
				Type: s.typ, Name: name, Version: version, Path: f.Path, Technique: inventory.TechFileName, Layer: f.Layer, Locations: []inventory.Location{at},
			}
			if output != "" {
				p.Meta = map[string]string{"output": output}
			}
			index[[3]string{s.typ, name, version}] = len(found)
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	img.Packages = append(img.Packages, found...)
	slices.SortStableFunc(img.Packages, func(a, b inventory.Package) int { return inventory.ComparePackages(&a, &b) })
	img.Binaries = slices.DeleteFunc(img.Binaries, func(b inventory.Binary) bool {
		if !folders[storeFolder(b.Path)] {
			return false
		}
		img.Coverage.AttributedFiles++
		img.Coverage.AttributedBytes += b.Size
		return true
	})
	if dropped > 0 {
		return fmt.Errorf("%d packages beyond the limit of %d", dropped, maxPackages)
	}
	return nil
}

// storeFolder is the first three elements of a path.
func storeFolder(p string) string {
	n := 0
	for i := range len(p) {
		if p[i] == '/' {
			if n++; n == 3 {
				return p[:i]
			}
		}
	}
	return p
}

// parse takes HASH-NAME-VERSION[-OUTPUT] apart. As in Nix itself, the version
// begins behind the first dash that no letter follows.
func parse(base string) (name, version, output string) {
	if len(base) < 34 || len(base) > 255 || base[32] != '-' {
		return "", "", ""
	}
	for i := range 32 { // Nix's base 32 has no e, o, t and u; Guix's is the same
		if c := base[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return "", "", ""
		}
	}
	s := base[33:]
	for i := 1; i+1 < len(s); i++ {
		c := s[i+1] | 0x20
		if s[i] != '-' || c >= 'a' && c <= 'z' {
			continue
		}
		name, version = s[:i], s[i+1:]
		break
	}
	if name == "" || version[0] < '0' || version[0] > '9' || notPackage(version) {
		return "", "", ""
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 && isOutput(version[i+1:]) {
		version, output = version[:i], version[i+1:]
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return "", "", ""
		}
	}
	return name, version, output
}

// isOutput reports whether s is a usual name of a derivation's output.
func isOutput(s string) bool {
	switch s {
	case "bin", "data", "debug", "dev", "devdoc", "devman", "dist", "doc", "fish_completion", "getent", "info", "lib", "libexec", "libgcc", "locales",
		"mail", "man", "modules", "mount", "out", "py", "pysrc", "python", "runtime", "server", "static", "swap", "terminfo", "tex", "tools", "xz":
		return true
	}
	return false
}

// notPackage reports whether a version's end says that the folder holds a
// source, or links into other folders.
func notPackage(version string) bool {
	for _, end := range [...]string{"-env", "-source", "-src", "-wrapper-env", ".drv", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".zip", ".patch", ".lock", ".chroot"} {
		if strings.HasSuffix(version, end) {
			return true
		}
	}
	return false
}
