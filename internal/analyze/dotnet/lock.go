package dotnet

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads what .NET projects declare: packages.lock.json,
// project.assets.json and packages.config.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements analyze.Analyzer.
func (Lock) Name() string { return "dotnet-lock" }

// Version implements analyze.Analyzer.
func (Lock) Version() int { return 1 }

// Wants implements analyze.Analyzer.
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	switch e.Path[strings.LastIndexByte(e.Path, '/')+1:] {
	case "packages.lock.json", "project.assets.json", "packages.config":
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
			data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
			switch path.Base(f.Path) {
			case "packages.lock.json":
				err = lockJSON(f.Path, data, out)
			case "project.assets.json":
				err = assetsJSON(f.Path, data, out)
			default:
				err = packagesConfig(f.Path, data, out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// declare lists a package once per file; several target frameworks may name it.
func declare(seen map[string]bool, p, id, version, scope string, depends []string, out *inventory.Record) (ok bool) {
	if !validName(id) || !validVersion(version) {
		return false
	}
	k := strings.ToLower(id) + "/" + version
	if seen[k] || len(seen) >= maxPackages {
		return true
	}
	seen[k] = true
	slices.Sort(depends)
	out.Packages = append(out.Packages, inventory.Package{
		Type: "nuget", Name: id, Version: version, Path: p, State: inventory.Declared, Scope: scope, Technique: inventory.TechLockFile, Depends: depends,
	})
	return true
}

func lockJSON(p string, data []byte, out *inventory.Record) error {
	var l struct {
		Dependencies map[string]map[string]struct {
			Type         string            `json:"type"`
			Resolved     string            `json:"resolved"`
			Dependencies map[string]string `json:"dependencies"`
		} `json:"dependencies"`
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("packages.lock.json: %w", err)
	}
	seen, bad := map[string]bool{}, 0
	for _, framework := range slices.Sorted(maps.Keys(l.Dependencies)) {
		for _, id := range slices.Sorted(maps.Keys(l.Dependencies[framework])) {
			d := l.Dependencies[framework][id]
			if strings.EqualFold(d.Type, "Project") {
				continue
			}
			if !declare(seen, p, id, d.Resolved, "", slices.Collect(maps.Keys(d.Dependencies)), out) {
				bad++
			}
		}
	}
	return broken(bad)
}

func assetsJSON(p string, data []byte, out *inventory.Record) error {
	var l struct {
		Libraries map[string]library `json:"libraries"`
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("project.assets.json: %w", err)
	}
	seen, bad := map[string]bool{}, 0
	for _, k := range slices.Sorted(maps.Keys(l.Libraries)) {
		if l.Libraries[k].Type != "package" {
			continue
		}
		id, version, _ := strings.Cut(k, "/")
		if !declare(seen, p, id, version, "", nil, out) {
			bad++
		}
	}
	return broken(bad)
}

func packagesConfig(p string, data []byte, out *inventory.Record) error {
	var l struct {
		XMLName  xml.Name `xml:"packages"`
		Packages []struct {
			ID      string `xml:"id,attr"`
			Version string `xml:"version,attr"`
			Dev     string `xml:"developmentDependency,attr"`
		} `xml:"package"`
	}
	if err := xml.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("packages.config: %w", err)
	}
	seen, bad := map[string]bool{}, 0
	for _, d := range l.Packages {
		scope := ""
		if strings.EqualFold(d.Dev, "true") {
			scope = "dev"
		}
		if !declare(seen, p, d.ID, d.Version, scope, nil, out) {
			bad++
		}
	}
	return broken(bad)
}

func broken(n int) error {
	if n > 0 {
		return fmt.Errorf("%d entries have no name and version", n)
	}
	return nil
}
