package rust

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads Cargo.lock files, formats 1 to 4, as declared. Members of the
// workspace, which have no source, are left out. Which crates only tests or
// build scripts need, the format does not say.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements analyze.Analyzer.
func (Lock) Name() string { return "rust-lock" }

// Version implements analyze.Analyzer.
func (Lock) Version() int { return 1 }

// Wants implements analyze.Analyzer. Lock files of crates in Cargo's own
// store are other people's.
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	rest, ok := strings.CutSuffix(e.Path, "Cargo.lock")
	if ok && (rest == "" || rest[len(rest)-1] == '/') && !strings.Contains(rest, "cargo/registry/") && !strings.Contains(rest, "/vendor/") {
		return analyze.Alone
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
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = readLock(f.Path, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading Cargo.lock: %w", err)
		}
	}
	return nil
}

type locked struct {
	name, version, source, checksum string
	depends                         []string
}

// readLock reads what Cargo writes: tables of strings and arrays of strings,
// a key or an element a line.
func readLock(path string, data []byte, out *inventory.Record) error {
	var all []locked
	var cur *locked
	sums := map[string]string{} // formats before 2 list them apart: "checksum NAME VERSION (SOURCE)"
	inMeta, inDeps, bad, line := false, false, 0, 0
	for raw := range bytes.Lines(data) {
		line++
		s := strings.TrimSpace(string(raw))
		switch {
		case s == "" || s[0] == '#':
		case inDeps:
			if s == "]" {
				inDeps = false
			} else if v, ok := quoted(strings.TrimSuffix(s, ",")); ok && cur != nil {
				cur.depends = append(cur.depends, v)
			} else if !ok {
				bad++
			}
		case s == "[[package]]":
			if len(all) >= maxCrates {
				return fmt.Errorf("line %d: more than %d packages", line, maxCrates)
			}
			all = append(all, locked{})
			cur, inMeta = &all[len(all)-1], false
		case s[0] == '[':
			cur, inMeta = nil, s == "[metadata]"
		default:
			k, v, ok := strings.Cut(s, " = ")
			if !ok {
				if k, v, ok = strings.Cut(s, "="); !ok {
					bad++
					continue
				}
			}
			k, v = strings.TrimSpace(k), strings.TrimSpace(v)
			if k == "dependencies" && strings.HasPrefix(v, "[") {
				inDeps = v == "["
				if !inDeps && cur != nil {
					for d := range strings.SplitSeq(strings.Trim(v, "[]"), ",") {
						if d, ok := quoted(strings.TrimSpace(d)); ok {
							cur.depends = append(cur.depends, d)
						}
					}
				}
				continue
			}
			text, isText := quoted(v)
			if inMeta {
				if key, ok := quoted(k); ok && isText {
					sums[strings.TrimPrefix(key, "checksum ")] = text
				}
				continue
			}
			if cur == nil || !isText {
				continue
			}
			switch k {
			case "name":
				cur.name = text
			case "version":
				cur.version = text
			case "source":
				cur.source = text
			case "checksum":
				cur.checksum = text
			}
		}
	}
	for _, l := range all {
		if l.source == "" {
			continue
		}
		if !crateName([]byte(l.name)) || !semver([]byte(l.version)) {
			bad++
			continue
		}
		p := inventory.Package{Type: "cargo", Name: l.name, Version: l.version, Path: path, State: inventory.Declared, Technique: inventory.TechLockFile}
		if l.checksum == "" {
			l.checksum = sums[l.name+" "+l.version+" ("+l.source+")"]
		}
		if len(l.checksum) == 64 {
			p.Hashes = map[string]string{"sha256": strings.ToLower(l.checksum)}
		}
		if !strings.HasPrefix(l.source, "registry+https://github.com/rust-lang/crates.io-index") && len(l.source) <= 4*maxString {
			p.Meta = map[string]string{"source": strings.Map(printable, l.source)}
		}
		for _, d := range l.depends {
			name, _, _ := strings.Cut(d, " ")
			p.Depends = append(p.Depends, name)
		}
		out.Packages = append(out.Packages, p)
	}
	if bad > 0 {
		return fmt.Errorf("%d lines or entries could not be read", bad)
	}
	return nil
}

// quoted unquotes a basic string of TOML; Cargo writes no others.
func quoted(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	if strings.IndexByte(s, '\\') < 0 {
		s = s[1 : len(s)-1]
		return s, strings.IndexByte(s, '"') < 0
	}
	v, err := strconv.Unquote(s)
	return v, err == nil
}
