package ruby

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// LockAnalyzer reads Bundler's Gemfile.lock and gems.locked. All of it is
// Declared; which groups need a gem, such a file does not say. Gems from
// folders of the project are left out, and so are lock files inside
// installed gems.
type LockAnalyzer struct{}

var _ analyze.Analyzer = LockAnalyzer{}

// Name implements [analyze.Analyzer].
func (LockAnalyzer) Name() string { return "ruby-lock" }

// Version implements [analyze.Analyzer].
func (LockAnalyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (LockAnalyzer) Wants(e analyze.Entry) analyze.Interest {
	if isLock(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

func isLock(file string) bool {
	switch base := file[strings.LastIndexByte(file, '/')+1:]; {
	case base != "Gemfile.lock" && base != "gems.locked":
		return false
	case strings.Contains(file, "/gems/"), strings.Contains(file, "/node_modules/"), strings.HasPrefix(file, "usr/share/doc/"),
		strings.HasPrefix(file, "usr/lib/ruby/"), strings.HasPrefix(file, "usr/share/rubygems-integration/"):
		return false
	}
	return true
}

// Analyze implements [analyze.Analyzer].
func (LockAnalyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = readLock(f.Path, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// readLock reads sections (GEM, GIT, PATH, PLUGIN SOURCE, CHECKSUMS …) that
// indentation takes apart: two blanks for properties, four for gems
// "name (version-platform)", six for what each needs.
func readLock(file string, data []byte, out *inventory.Record) error {
	var section, revision string
	specs := false
	at := map[[2]string]int{}      // name and version to place in out
	variants := map[int]int{}      // platforms of a gem
	var current *inventory.Package // whose dependencies follow
	var sums map[[2]string]string  // of CHECKSUMS
	firstPackage := len(out.Packages)
	for line := range bytes.Lines(data) {
		text := string(bytes.TrimRight(line, "\r\n "))
		trimmed := strings.TrimLeft(text, " ")
		indent := len(text) - len(trimmed)
		switch {
		case trimmed == "":
			continue
		case strings.HasPrefix(text, "<<<<<<<") || strings.HasPrefix(text, ">>>>>>>") || strings.HasPrefix(text, "======="):
			return fmt.Errorf("reading %s: it holds merge conflicts", file[strings.LastIndexByte(file, '/')+1:])
		case indent == 0:
			section, revision, specs, current = text, "", false, nil
		case section == "CHECKSUMS" && indent == 2:
			name, rest, _ := strings.Cut(trimmed, " (")
			version, sum, _ := strings.Cut(rest, ")")
			if sum = strings.TrimPrefix(strings.TrimSpace(sum), "sha256="); len(sum) == 64 && isHex(sum) {
				if sums == nil {
					sums = map[[2]string]string{}
				}
				sums[[2]string{name, version}] = sum
			}
		case section != "GEM" && section != "GIT" && section != "PLUGIN SOURCE":
		case indent == 2:
			specs = trimmed == "specs:"
			if r, ok := strings.CutPrefix(trimmed, "revision: "); ok && isHex(r) {
				revision = clip(r, maxName)
			}
		case indent == 4 && specs:
			current = nil
			name, version, platform := splitSpec(trimmed)
			if !validName(name) || !validVersion(version) {
				continue
			}
			key := [2]string{name, version}
			if i, ok := at[key]; ok { // the same for another platform
				variants[i]++
				out.Packages[i].Qualifiers = nil
				continue
			}
			if len(at) == maxPackages {
				return fmt.Errorf("reading lock: more than the limit of %d packages", maxPackages)
			}
			p := inventory.Package{Type: "gem", Name: name, Version: version, Path: file, State: inventory.Declared, Technique: inventory.TechLockFile}
			if platform != "" {
				p.Qualifiers = map[string]string{"platform": platform}
			}
			if revision != "" {
				p.Meta = map[string]string{"revision": revision}
			}
			at[key] = len(out.Packages)
			out.Packages = append(out.Packages, p)
			current = &out.Packages[len(out.Packages)-1]
		case indent == 6 && current != nil && len(current.Depends) < maxList:
			name, _, _ := strings.Cut(trimmed, " ")
			if name = strings.TrimSuffix(name, "!"); validName(name) {
				current.Depends = append(current.Depends, name)
			}
		}
	}
	for i := firstPackage; i < len(out.Packages) && sums != nil; i++ {
		p := &out.Packages[i]
		version := p.Version
		if s := p.Qualifiers["platform"]; s != "" {
			version += "-" + s
		}
		if sum := sums[[2]string{p.Name, version}]; sum != "" && variants[i] == 0 {
			p.Hashes = map[string]string{"sha256": sum}
		}
	}
	return nil
}

// splitSpec takes "name (1.0.0-platform)" apart.
func splitSpec(s string) (name, version, platform string) {
	name, rest, ok := strings.Cut(s, " (")
	if !ok {
		return "", "", ""
	}
	version, platform, _ = strings.Cut(strings.TrimSuffix(rest, ")"), "-")
	if platform != "" && !validPlatform(platform) {
		platform = ""
	}
	return name, version, platform
}
