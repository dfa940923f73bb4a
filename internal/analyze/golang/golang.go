// Package golang reads the build information of Go programs: main module,
// dependencies and the standard library, and what go.mod files declare. Which
// advisories a module's version falls under is left to others.
package golang

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads the build information of ELF, PE and Mach-O programs and
// libraries that the Go toolchain made (format: go.dev/src/debug/buildinfo).
//
// A program gives its main module, one package per dependency, as replaced, and
// the package stdlib of type golang with the toolchain's version, as the Go
// vulnerability database names it. Programs built without modules have only
// stdlib.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "golang" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	switch e.Kind {
	case inventory.KindELFExec, inventory.KindELFLib, inventory.KindPE, inventory.KindMachO:
		if e.Size >= minProgram {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

const (
	// minProgram is less than what the smallest Go program has; a packed one may be small.
	minProgram = 16 << 10
	// maxModules bounds the dependencies of one program.
	maxModules = 100_000
	// maxString bounds module paths, versions and sums, in bytes.
	maxString = 1024
)

// Confidences of what is not simply written down.
const (
	sureLinkerFlag = 0.6 // version of the main module, set by -ldflags -X
	sureLocal      = 0.5 // module replaced by a local directory: the version is that of the original
)

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = program(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading build information: %w", err)
		}
	}
	return nil
}

var (
	errPacked = errors.New("packed by UPX: what it was built from cannot be told")
	errNoInfo = errors.New("a Go program without build information")
)

func program(f *analyze.File, out *inventory.Record) error {
	switch v, err := look(f); {
	case err != nil:
		return err
	case v == isPacked:
		return errPacked
	case v == isBare:
		return errNoInfo
	case v != isGo:
		return nil
	}
	info, err := read(f)
	if err != nil {
		return err
	}
	describe(f.Path, info, out)
	return nil
}

// read decodes the build information. The readers of package debug do not
// promise to bear every hostile file, so a panic is an error here.
func read(f *analyze.File) (info *buildinfo.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading executable: %v", p)
		}
	}()
	return buildinfo.Read(f)
}

func describe(path string, info *buildinfo.BuildInfo, out *inventory.Record) {
	std := module(path, "stdlib", toolchainVersion(info.GoVersion))
	setMeta(&std, "go", info.GoVersion)
	if info.Main.Path == "" {
		setMeta(&std, "path", info.Path)
	} else if p, ok := mainModule(path, info); ok {
		out.Packages = append(out.Packages, p)
	}
	for i, m := range info.Deps {
		if i == maxModules {
			out.Problems = append(out.Problems, inventory.Problem{
				Analyzer: out.Analyzer, Path: path, Limit: "modules of a program",
				Message: fmt.Sprintf("more than %d modules", maxModules),
			})
			break
		}
		if m == nil {
			continue
		}
		if p, ok := dependency(path, m); ok {
			out.Packages = append(out.Packages, p)
		} else {
			analyze.Problemf(out, path, "module %.100q is no module path", m.Path)
		}
	}
	if std.Version != "" {
		out.Packages = append(out.Packages, std)
	}
}

func module(path, name, version string) inventory.Package {
	return inventory.Package{Type: "golang", Name: name, Version: cleanVersion(version), Path: path, Technique: inventory.TechBuildInfo}
}

// dependency is a module that was linked in. Where it was replaced, the
// replacement is what is there.
func dependency(path string, m *debug.Module) (inventory.Package, bool) {
	r := m.Replace
	if r == nil {
		p := module(path, m.Path, m.Version)
		setMeta(&p, "h1", sum(m.Sum))
		return p, validPath(m.Path)
	}
	if localPath(r.Path) {
		p := module(path, m.Path, m.Version)
		p.Confidence = sureLocal
		setMeta(&p, "replaced-by", r.Path)
		return p, validPath(m.Path)
	}
	p := module(path, r.Path, r.Version)
	setMeta(&p, "h1", sum(r.Sum))
	was := m.Path
	if m.Version != "" {
		was += "@" + m.Version
	}
	setMeta(&p, "replaces", was)
	return p, validPath(r.Path)
}

// localPath reports whether a replacement is a directory (Go Modules
// Reference, "replace directive").
func localPath(p string) bool {
	return p == "." || p == ".." || strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/") ||
		len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/') || strings.HasPrefix(p, `.\`) || strings.HasPrefix(p, `..\`)
}

func mainModule(path string, info *buildinfo.BuildInfo) (inventory.Package, bool) {
	p := module(path, info.Main.Path, info.Main.Version)
	setMeta(&p, "h1", sum(info.Main.Sum))
	if info.Path != info.Main.Path {
		setMeta(&p, "path", info.Path)
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "CGO_ENABLED", "-trimpath", "-buildmode", "GOFIPS140", "GOEXPERIMENT", "vcs", "vcs.revision", "vcs.time", "vcs.modified":
			setMeta(&p, s.Key, s.Value)
		case "-ldflags":
			if p.Version != "" {
				continue
			}
			if v, flag := linkerVersion(s.Value, info.Main.Path); v != "" {
				p.Version, p.Confidence = v, sureLinkerFlag
				setMeta(&p, "-X", flag)
			}
		}
	}
	return p, validPath(info.Main.Path)
}

// linkerVersion finds a version that -X sets in the linker flags: in package
// main, else in a package of the main module, else in a package version.
func linkerVersion(flags, mainPath string) (version, flag string) {
	best := 0
	for _, f := range linkerFlags(flags) {
		target, value, ok := strings.Cut(f, "=")
		if !ok {
			continue
		}
		dot := strings.LastIndexByte(target, '.')
		if dot < 0 || !versionName(target[dot+1:]) || !released(value) {
			continue
		}
		pkg, rank := target[:dot], 0
		switch {
		case pkg == "main":
			rank = 3
		case pkg == mainPath || strings.HasPrefix(pkg, mainPath+"/"):
			rank = 2
		case strings.HasSuffix(pkg, "/version"):
			rank = 1
		}
		if rank > best {
			best, version, flag = rank, value, f
		}
	}
	if version != "" && version[0] != 'v' {
		version = "v" + version
	}
	return cleanVersion(version), flag
}

func versionName(id string) bool {
	switch strings.ToLower(id) {
	case "version", "gitversion", "appversion", "buildversion", "releaseversion", "ver", "tag", "gittag", "semver":
		return true
	}
	return false
}

// released reports whether s is a version of at least two numbers.
func released(s string) bool {
	s = strings.TrimPrefix(s, "v")
	major, rest, ok := strings.Cut(s, ".")
	return ok && len(s) <= 128 && digits(major) && rest != "" && rest[0] >= '0' && rest[0] <= '9' && !strings.ContainsAny(s, " ${}/\\\"'")
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// linkerFlags returns the arguments of -X, quotes taken off as cmd/go does.
func linkerFlags(flags string) []string {
	var words []string
	for s := strings.TrimSpace(flags); s != "" && len(words) < 1000; s = strings.TrimLeft(s, " \t\n") {
		var w strings.Builder
		i := 0
		for i < len(s) && s[i] != ' ' && s[i] != '\t' && s[i] != '\n' {
			if q := s[i]; q == '"' || q == '\'' {
				end := strings.IndexByte(s[i+1:], q)
				if end < 0 {
					end = len(s) - i - 1
				}
				w.WriteString(s[i+1 : i+1+end])
				i = min(i+end+2, len(s))
				continue
			}
			w.WriteByte(s[i])
			i++
		}
		words, s = append(words, w.String()), s[i:]
	}
	var out []string
	for i := 0; i < len(words); i++ {
		w := strings.TrimPrefix(words[i], "-")
		switch {
		case w == "-X" || w == "X" && words[i] != "X":
			if i++; i < len(words) {
				out = append(out, words[i])
			}
		case strings.HasPrefix(w, "X=") && words[i] != w:
			out = append(out, w[2:])
		case strings.HasPrefix(w, "-X="):
			out = append(out, w[3:])
		}
	}
	return out
}

// toolchainVersion is the standard library's version as the vulnerability
// database writes it: go1.21.3 X:nocoverageredesign is 1.21.3. Development
// versions stay as they are.
func toolchainVersion(v string) string {
	rest, ok := strings.CutPrefix(v, "go")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return v
	}
	n := 0
	for n < len(rest) && (rest[n] == '.' || rest[n] >= '0' && rest[n] <= '9') {
		n++
	}
	for _, pre := range [...]string{"rc", "beta"} {
		if strings.HasPrefix(rest[n:], pre) {
			n += len(pre)
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			break
		}
	}
	return strings.TrimSuffix(rest[:n], ".")
}

// cleanVersion drops what is no version: (devel), control characters.
func cleanVersion(v string) string {
	if v == "(devel)" || len(v) > maxString || strings.IndexFunc(v, isControl) >= 0 {
		return ""
	}
	return v
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }

func validPath(p string) bool {
	return p != "" && len(p) <= maxString && strings.IndexFunc(p, func(r rune) bool { return r <= ' ' || isControl(r) }) < 0
}

// sum is the hash of a module's content, without the name of the method.
func sum(s string) string { return strings.TrimPrefix(s, "h1:") }

func setMeta(p *inventory.Package, key, value string) {
	if value == "" || len(value) > maxString || strings.IndexFunc(value, isControl) >= 0 {
		return
	}
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	p.Meta[key] = value
}
