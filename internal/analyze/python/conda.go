package python

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// readConda reads a record of conda-meta: one package of an environment, in
// any language, whose files are relative to the environment's folder.
func readConda(file string, data []byte, out *inventory.Record) error {
	var m struct {
		Name    string   `json:"name"`
		Version string   `json:"version"`
		Build   string   `json:"build"`
		Channel string   `json:"channel"`
		Subdir  string   `json:"subdir"`
		License string   `json:"license"`
		FN      string   `json:"fn"`
		URL     string   `json:"url"`
		MD5     string   `json:"md5"`
		SHA256  string   `json:"sha256"`
		Depends []string `json:"depends"`
		Files   []string `json:"files"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("reading conda record: %w", err)
	}
	if !validName(m.Name) || !validVersion(m.Version) {
		if m.Name == "" && m.Version == "" {
			return nil // another file of conda's in this folder
		}
		return fmt.Errorf("reading conda record: no package %q of version %q", clip(m.Name, maxName), clip(m.Version, maxName))
	}
	p := inventory.Package{
		Type: "conda", Name: m.Name, Version: m.Version, Path: file, Technique: inventory.TechMetadata,
		Qualifiers: map[string]string{},
	}
	for _, q := range [...][2]string{{"build", m.Build}, {"channel", channel(m.Channel)}, {"subdir", m.Subdir}, {"type", archiveType(m.FN)}} {
		if q[1] != "" {
			p.Qualifiers[q[0]] = clip(q[1], maxName)
		}
	}
	if m.License != "" {
		p.Licenses = []inventory.License{{Raw: clip(m.License, maxText), Source: "declared"}}
	}
	for _, d := range m.Depends[:min(len(m.Depends), maxDepends)] {
		if name, _, _ := strings.Cut(d, " "); name != "" {
			p.Depends = append(p.Depends, clip(name, maxName))
		}
	}
	for _, h := range [...][2]string{{"md5", m.MD5}, {"sha256", m.SHA256}} {
		if isHex(h[1]) {
			if p.Hashes == nil {
				p.Hashes = map[string]string{}
			}
			p.Hashes[h[0]] = strings.ToLower(h[1])
		}
	}
	if strings.HasPrefix(m.URL, "http") {
		p.Meta = map[string]string{"url": clip(m.URL, 1<<10)}
	}
	base := path.Dir(path.Dir(file))
	paths := make([]string, 0, min(len(m.Files), maxFiles))
	for _, f := range m.Files[:min(len(m.Files), maxFiles)] {
		if f = resolve(base, f); f != "" {
			paths = append(paths, f)
		}
	}
	p.Files = inventory.NewFileList(paths)
	out.Packages = append(out.Packages, p)
	if len(m.Files) > maxFiles {
		return fmt.Errorf("reading conda record: more than the limit of %d files", maxFiles)
	}
	return nil
}

// channel is the last element of a channel's name, "main" of "pkgs/main" and
// of an address that ends in it and the platform.
func channel(s string) string {
	s = strings.TrimSuffix(s, "/")
	last := path.Base(s)
	if strings.Contains(s, "://") && (last == "noarch" || strings.HasPrefix(last, "linux-") || strings.HasPrefix(last, "win-") || strings.HasPrefix(last, "osx-")) {
		last = path.Base(path.Dir(s))
	}
	if last == "." {
		return ""
	}
	return last
}

func archiveType(fn string) string {
	switch {
	case strings.HasSuffix(fn, ".conda"):
		return "conda"
	case strings.HasSuffix(fn, ".tar.bz2"):
		return "tar.bz2"
	}
	return ""
}

func isHex(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
