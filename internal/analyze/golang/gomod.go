package golang

import (
	"context"
	"io/fs"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Mod reads go.mod files of source trees: what they require, as declared. The
// modules that lie in a module cache, a vendor directory or a test's data are
// somebody else's source and declare nothing here, and the go command ignores
// directories whose names begin with an underscore.
type Mod struct{}

var _ analyze.Analyzer = Mod{}

// Name implements analyze.Analyzer.
func (Mod) Name() string { return "golang-mod" }

// Version implements analyze.Analyzer.
func (Mod) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Mod) Wants(e analyze.Entry) analyze.Interest {
	rest, ok := strings.CutSuffix(e.Path, "go.mod")
	if !ok || rest != "" && rest[len(rest)-1] != '/' {
		return analyze.Ignore
	}
	if strings.Contains(rest, "pkg/mod/") || strings.Contains(rest, "/vendor/") || strings.Contains(rest, "/testdata/") || strings.Contains(rest, "/_") || strings.HasPrefix(rest, "usr/share/gocode/") {
		return analyze.Ignore
	}
	return analyze.Alone
}

// maxMod bounds a go.mod file.
const maxMod = 4 << 20

// Analyze implements analyze.Analyzer.
func (Mod) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxMod)
		}
		if err == nil {
			err = readMod(f.Path, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading go.mod: %w", err)
		}
	}
	return nil
}

func readMod(path string, data []byte, out *inventory.Record) error {
	// the lax reader knows no replacements, the strict one refuses what a newer toolchain added
	m, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		var lax error
		if m, lax = modfile.ParseLax("go.mod", data, nil); lax != nil {
			return err
		}
	}
	// the toolchain's own modules hold the standard library and its commands
	if m.Module != nil && (m.Module.Mod.Path == "std" || m.Module.Mod.Path == "cmd") {
		return nil
	}
	type key struct{ path, version string }
	replaced := make(map[key]*modfile.Replace, len(m.Replace))
	for _, r := range m.Replace {
		replaced[key{r.Old.Path, r.Old.Version}] = r
	}
	for _, r := range m.Require {
		p := inventory.Package{
			Type: "golang", Name: r.Mod.Path, Version: r.Mod.Version, Path: path, State: inventory.Declared, Technique: inventory.TechLockFile,
		}
		rep := replaced[key{r.Mod.Path, r.Mod.Version}]
		if rep == nil {
			rep = replaced[key{r.Mod.Path, ""}]
		}
		switch {
		case rep == nil:
		case rep.New.Version == "":
			p.Confidence = sureLocal
			setMeta(&p, "replaced-by", rep.New.Path)
		default:
			setMeta(&p, "replaces", r.Mod.Path+"@"+r.Mod.Version)
			p.Name, p.Version = rep.New.Path, rep.New.Version
		}
		if r.Indirect {
			setMeta(&p, "indirect", "true")
		}
		if p.Version = cleanVersion(p.Version); validPath(p.Name) {
			out.Packages = append(out.Packages, p)
		}
	}
	return nil
}
