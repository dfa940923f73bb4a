package python

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// requirement is one pinned line of a requirements file.
type requirement struct {
	name, version, marker string
	hashes                []string // "sha256:…"
}

// readVendored reads the list of what is copied into a "_vendor" folder. The
// copies have no metadata of their own, so they are spoken of, not installed.
func readVendored(file string, data []byte, out *inventory.Record) error {
	reqs, err := parseRequirements(data)
	for _, r := range reqs {
		p := newPackage(file, r.name, r.version)
		p.State, p.Scope = inventory.Declared, "vendored"
		out.Packages = append(out.Packages, p)
	}
	return err
}

// readRequirements reads the pins of a requirements file. Files that it
// includes are read for themselves, where they are named like one.
func readRequirements(file string, data []byte, out *inventory.Record) error {
	reqs, err := parseRequirements(data)
	scope := requirementsScope(file)
	for _, r := range reqs {
		p := declared(file, r.name, r.version, scope, r.marker)
		if len(r.hashes) == 1 {
			setHash(&p, r.hashes[0])
		}
		out.Packages = append(out.Packages, p)
	}
	return err
}

// requirementsScope is what the name of a requirements file, or of its
// folder, says that it is for.
func requirementsScope(file string) string {
	base, folder := path.Base(file), path.Base(path.Dir(file))
	switch {
	case strings.Contains(base, "test"), folder == "test", folder == "tests":
		return "test"
	case strings.Contains(base, "dev"), strings.Contains(base, "lint"), strings.Contains(base, "doc"), folder == "doc", folder == "docs":
		return "dev"
	case strings.Contains(base, "build"):
		return "build"
	}
	return ""
}

// parseRequirements reads the lines that pin a version with == or ===. All
// other lines (ranges, addresses, options, includes) name no version.
func parseRequirements(data []byte) ([]requirement, error) {
	data = decodeText(data)
	var out []requirement
	var joined []byte
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\r\n")
		if n := len(line); n > 0 && line[n-1] == '\\' {
			if len(joined)+n <= 1<<20 {
				joined = append(append(joined, line[:n-1]...), ' ')
			}
			continue
		}
		if joined != nil {
			line = append(joined, line...)
			joined = nil
		}
		r, ok := parseRequirement(string(line))
		if !ok {
			continue
		}
		if len(out) == maxPackages {
			return out, fmt.Errorf("reading requirements: more than the limit of %d packages", maxPackages)
		}
		out = append(out, r)
	}
	if r, ok := parseRequirement(string(joined)); ok {
		out = append(out, r)
	}
	return out, nil
}

// decodeText turns UTF-16, which PowerShell writes, into UTF-8.
func decodeText(data []byte) []byte {
	if len(data) < 2 {
		return data
	}
	var first int
	switch {
	case data[0] == 0xff && data[1] == 0xfe:
		first = 0
	case data[0] == 0xfe && data[1] == 0xff:
		first = 1
	default:
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i+first])|uint16(data[i+1-first])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// parseRequirement reads one logical line, "name[extras]==version ; marker
// --hash=… # comment".
func parseRequirement(line string) (requirement, bool) {
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == '-' {
		return requirement{}, false
	}
	var r requirement
	if i := strings.Index(line, " --"); i >= 0 {
		for opt := range strings.FieldsSeq(line[i:]) {
			if h, ok := strings.CutPrefix(opt, "--hash="); ok && len(r.hashes) < 100 {
				r.hashes = append(r.hashes, h)
			}
		}
		line = line[:i]
	}
	line, r.marker, _ = strings.Cut(line, ";")
	r.marker = strings.TrimSpace(r.marker)
	r.name = requirementName(line)
	if r.name == "" {
		return requirement{}, false
	}
	rest := strings.TrimSpace(strings.TrimSpace(line)[len(r.name):])
	if strings.HasPrefix(rest, "[") {
		_, after, ok := strings.Cut(rest, "]")
		if !ok {
			return requirement{}, false
		}
		rest = strings.TrimSpace(after)
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")")
	r.version = pinned(rest)
	return r, r.version != ""
}

// pinned is the version that a version specifier leaves as the only one, or "".
func pinned(spec string) string {
	for clause := range strings.SplitSeq(spec, ",") {
		v, ok := strings.CutPrefix(strings.TrimSpace(clause), "==")
		if !ok {
			continue
		}
		v = strings.TrimSpace(strings.TrimPrefix(v, "="))
		if validVersion(v) { // a wildcard is none
			return v
		}
	}
	return ""
}
