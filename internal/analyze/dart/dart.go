// Package dart reads packages of Dart and Flutter: those in pub's cache, and
// the lock files of projects.
package dart

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads the packages in pub's cache, hosted/SERVER/NAME-VERSION.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "dart" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, "/pubspec.yaml") {
		if _, name, _ := cached(strings.TrimSuffix(e.Path, "/pubspec.yaml")); name != "" {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// cached takes ".../hosted/SERVER/NAME-VERSION" apart. The name, an identifier
// of Dart, has no dash.
func cached(dir string) (server, name, version string) {
	i := strings.LastIndexByte(dir, '/')
	if i < 0 {
		return "", "", ""
	}
	name, version, _ = strings.Cut(dir[i+1:], "-")
	dir = dir[:i]
	if i = strings.LastIndexByte(dir, '/'); i < 0 || !analyze.ValidName(name) || !analyze.ValidName(version) {
		return "", "", ""
	}
	server, dir = dir[i+1:], dir[:i]
	if dir != "hosted" && !strings.HasSuffix(dir, "/hosted") {
		return "", "", ""
	}
	return server, name, version
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return each(ctx, files, out, func(f *analyze.File) error {
		data, err := f.ReadAll(maxPubspec)
		if err != nil {
			return err
		}
		dir := strings.TrimSuffix(f.Path, "/pubspec.yaml")
		server, name, version := cached(dir)
		if name == "" {
			return nil
		}
		p := inventory.Package{Type: "pub", Name: name, Version: version, Path: f.Path, Technique: inventory.TechMetadata,
			Files: inventory.NewFileList([]string{dir + "/"})}
		setServer(&p, server)
		for raw := range bytes.Lines(data) {
			key, value, ok := pair(string(raw))
			if !ok || raw[0] == ' ' {
				continue
			}
			switch key {
			case "description":
				if value != ">" && value != ">-" && value != "|" && value != "|-" {
					p.Description = analyze.FirstLine(value)
				}
			case "homepage":
				p.Homepage = analyze.Clip(value, 1024)
			case "repository":
				if p.Homepage == "" {
					p.Homepage = analyze.Clip(value, 1024)
				}
			}
		}
		out.Packages = append(out.Packages, p)
		return nil
	})
}

// setServer notes a server other than the public one.
func setServer(p *inventory.Package, server string) {
	server = strings.TrimSuffix(strings.TrimPrefix(server, "https://"), "/")
	switch server {
	case "", "pub.dev", "pub.dartlang.org", "pub.flutter-io.cn", "pub.flutter-io.com":
		return
	}
	server = strings.ReplaceAll(server, "%47", "/")
	if i := strings.LastIndexByte(server, '@'); i >= 0 { // a user, maybe with a password
		server = server[i+1:]
	}
	p.Qualifiers = map[string]string{"repository_url": analyze.Clip(server, 1024)}
}

func each(ctx context.Context, files fs.FS, out *inventory.Record, read func(f *analyze.File) error) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = read(f)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading %s: %w", f.Path[strings.LastIndexByte(f.Path, '/')+1:], err)
		}
	}
	return nil
}

// pair reads "key: value" of YAML; the value is without its quotes.
func pair(s string) (key, value string, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] == '#' || s[0] == '-' {
		return "", "", false
	}
	key, value, ok = strings.Cut(s, ":")
	if !ok || value != "" && value[0] != ' ' {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return strings.Trim(key, `"'`), value, true
}

const (
	maxPackages = 100_000 // of one lock file
	maxPubspec  = 4 << 20 // bytes of a pubspec.yaml
)

var errPackages = fmt.Errorf("more than the limit of %d packages", maxPackages)
