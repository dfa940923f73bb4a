package dotnet

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
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
		if err == nil {
			switch path.Base(f.Path) {
			case "packages.lock.json":
				err = lockJSON(f, out)
			case "project.assets.json":
				err = assetsJSON(f, out)
			default:
				var data []byte
				if data, err = f.ReadAll(analyze.MaxText); err == nil {
					err = packagesConfig(f.Path, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), out)
				}
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
		}
	}
	return nil
}

// declarer lists a package once per file; several target frameworks may name
// it.
type declarer struct {
	seen  map[string]bool
	names int // of dependencies
	bad   int // entries without a name and version
}

func (d *declarer) add(p, id, version, scope string, depends []string, out *inventory.Record) error {
	if !validName(id) || !validVersion(version) {
		d.bad++
		return nil
	}
	k := strings.ToLower(id) + "/" + version
	if d.seen[k] {
		return nil
	}
	if len(d.seen) >= maxPackages {
		return fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	if d.names += len(depends); d.names > maxNames {
		return fmt.Errorf("more than the limit of %d dependencies", maxNames)
	}
	d.seen[k] = true
	slices.Sort(depends)
	out.Packages = append(out.Packages, inventory.Package{
		Type: "nuget", Name: id, Version: version, Path: p, State: inventory.Declared, Scope: scope, Technique: inventory.TechLockFile, Depends: depends,
	})
	return nil
}

func lockJSON(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	d := declarer{seen: map[string]bool{}}
	err = r.Members(func(key string) error {
		if key != "dependencies" {
			return nil
		}
		return r.Members(func(string) error { // of a framework
			return r.Members(func(id string) error {
				var kind, resolved string
				var depends []string
				err := r.Members(func(key string) (err error) {
					switch key {
					case "type":
						return r.Decode(&kind)
					case "resolved":
						return r.Decode(&resolved)
					case "dependencies":
						depends, err = r.Keys(maxNames)
					}
					return err
				})
				if err != nil || strings.EqualFold(kind, "Project") {
					return err
				}
				return d.add(f.Path, id, resolved, "", depends, out)
			})
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("packages.lock.json: %w", err)
	}
	return broken(d.bad)
}

func assetsJSON(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	d := declarer{seen: map[string]bool{}}
	err = r.Members(func(key string) error {
		if key != "libraries" {
			return nil
		}
		return r.Members(func(key string) error {
			kind := ""
			err := r.Members(func(key string) error {
				if key == "type" {
					return r.Decode(&kind)
				}
				return nil
			})
			if err != nil || kind != "package" {
				return err
			}
			id, version, _ := strings.Cut(key, "/")
			return d.add(f.Path, id, version, "", nil, out)
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("project.assets.json: %w", err)
	}
	return broken(d.bad)
}

func packagesConfig(p string, data []byte, out *inventory.Record) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	d := declarer{seen: map[string]bool{}}
	depth, root := 0, false
	for {
		t, err := dec.RawToken()
		if err == io.EOF && depth == 0 && root {
			return broken(d.bad)
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("packages.config: %w", err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			if depth == 0 && t.Name.Local != "packages" {
				return fmt.Errorf("packages.config: it is <%.100s>", t.Name.Local)
			}
			depth, root = depth+1, true
			if depth != 2 || t.Name.Local != "package" {
				continue
			}
			var id, version, scope string
			for _, a := range t.Attr {
				switch a.Name.Local {
				case "id":
					id = a.Value
				case "version":
					version = a.Value
				case "developmentDependency":
					if strings.EqualFold(a.Value, "true") {
						scope = "dev"
					}
				}
			}
			if err := d.add(p, id, version, scope, nil, out); err != nil {
				return fmt.Errorf("packages.config: %w", err)
			}
		}
	}
}

func broken(n int) error {
	if n > 0 {
		return fmt.Errorf("%d entries have no name and version", n)
	}
	return nil
}
