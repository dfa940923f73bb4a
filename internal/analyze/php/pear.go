package php

import (
	"fmt"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// readPEAR reads an entry of the registry that pear and pecl keep: the
// package's package.xml as a PHP array, serialized.
func readPEAR(f *analyze.File, out *inventory.Record) error {
	file := f.Path
	data, err := f.ReadAll(analyze.MaxText)
	if err != nil {
		return err
	}
	v, err := unserialize(data)
	if err != nil {
		return fmt.Errorf("reading PEAR registry: %w", err)
	}
	m, _ := v.(map[string]any)
	name, channel := str(m["name"]), str(m["channel"])
	if name == "" {
		name = str(m["package"]) // package.xml 1.0
	}
	version := str(m["version"])
	if t, ok := m["version"].(map[string]any); ok {
		version = str(t["release"])
	}
	if channel == "" {
		channel = "pear.php.net"
		if _, of, ok := strings.Cut(path.Base(path.Dir(file)), ".channel."); ok {
			channel = of
		}
	}
	if !validName(name) || !validName(channel) {
		return fmt.Errorf("reading PEAR registry: no package %q of channel %q", clip(name, maxName), clip(channel, maxName))
	}
	if !validVersion(version) {
		version = ""
	}
	p := inventory.Package{Type: "pear", Namespace: channel, Name: name, Version: version, Path: file, Technique: inventory.TechMetadata}
	summary, _, _ := strings.Cut(strings.TrimSpace(str(m["summary"])), "\n")
	p.Description = clip(summary, maxText)
	license := content(m["license"])
	if license == "" {
		license = content(m["release_license"])
	}
	if license = clip(license, maxText); license != "" {
		p.Licenses = []inventory.License{{Raw: license, Source: "declared"}}
	}
	for _, k := range [...]string{"lead", "maintainers"} {
		lead, _ := m[k].(map[string]any)
		if first, ok := lead["0"].(map[string]any); ok { // one, or a list
			lead = first
		}
		if s := person(str(lead["name"]), str(lead["email"])); s != "" && p.Supplier == "" {
			p.Supplier = s
		}
	}
	if files, ok := m["filelist"].(map[string]any); ok {
		paths := make([]string, 0, len(files))
		for _, f := range files {
			t, _ := f.(map[string]any)
			at := str(t["installed_as"])
			if len(at) > 1 && at[0] == '/' && len(at) <= 4096 {
				paths = append(paths, path.Clean(at)[1:])
			}
		}
		p.Files = inventory.NewFileList(paths)
	}
	out.Packages = append(out.Packages, p)
	return nil
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// content is the text of an XML element: itself, or beside its attributes.
func content(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["_content"]
	}
	return strings.TrimSpace(str(v))
}
