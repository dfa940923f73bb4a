// Package homebrew reads what Homebrew installed.
package homebrew

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads Cellar/NAME/VERSION/INSTALL_RECEIPT.json, the package, and
// the formula beside it, .brew/NAME.rb, for its licence where that is a plain
// string. The version, with the formula's revision ("_1"), is the folder's.
// Formulas of other taps than homebrew/core have their tap as namespace.
// Casks, which macOS alone has, are not read.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "homebrew" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

const (
	receipt    = "INSTALL_RECEIPT.json"
	maxFile    = 4 << 20
	maxDepends = 1000
)

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, "/"+receipt) || strings.HasSuffix(e.Path, ".rb") && strings.Contains(e.Path, "/.brew/") {
		if name, _, _ := keg(e.Path); name != "" {
			return analyze.Alone
		}
	}
	return analyze.Ignore
}

// keg takes "…Cellar/NAME/VERSION/FILE" and "…/.brew/NAME.rb" apart; dir is the
// folder of the version.
func keg(path string) (name, version, dir string) {
	i := strings.LastIndex("/"+path, "/Cellar/")
	if i < 0 || strings.Contains(path, "/testdata/") {
		return "", "", ""
	}
	rest := path[i+len("Cellar/"):]
	name, rest, _ = strings.Cut(rest, "/")
	version, rest, _ = strings.Cut(rest, "/")
	if !analyze.ValidName(name) || !analyze.ValidName(version) || rest != receipt && rest != ".brew/"+name+".rb" {
		return "", "", ""
	}
	return name, version, strings.TrimSuffix(path, rest)
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		if err == nil {
			if strings.HasSuffix(f.Path, ".rb") {
				readFormula(f.Path, data, out)
			} else {
				err = readReceipt(f.Path, data, out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading Homebrew's receipt: %w", err)
		}
	}
	return nil
}

func readReceipt(file string, data []byte, out *inventory.Record) error {
	name, version, dir := keg(file)
	if name == "" {
		return nil
	}
	p := inventory.Package{
		Type: "brew", Name: name, Version: version, Path: file, Technique: inventory.TechDatabase, Files: inventory.NewFileList([]string{dir}),
	}
	var doc struct {
		Source struct {
			Tap string `json:"tap"`
		} `json:"source"`
		Depends []struct {
			Name string `json:"full_name"`
		} `json:"runtime_dependencies"`
		Arch string `json:"arch"`
	}
	err := json.Unmarshal(data, &doc)
	if tap := doc.Source.Tap; tap != "homebrew/core" && analyze.ValidName(tap) {
		p.Namespace = tap
	}
	if analyze.ValidName(doc.Arch) {
		p.Arch = doc.Arch
	}
	for _, d := range doc.Depends {
		if analyze.ValidName(d.Name) && len(p.Depends) < maxDepends {
			p.Depends = append(p.Depends, d.Name)
		}
	}
	out.Packages = append(out.Packages, p) // the folder says what it is, whatever the receipt holds
	if err != nil {
		return fmt.Errorf("only the folder tells the package: %w", err)
	}
	return nil
}

// readFormula looks for the line: license "SPDX".
func readFormula(file string, data []byte, out *inventory.Record) {
	name, _, _ := keg(file)
	for raw := range bytes.Lines(data) {
		s, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), "license ")
		if !ok {
			continue
		}
		if s = strings.TrimSpace(s); len(s) > 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2 {
			out.Licenses = append(out.Licenses, inventory.LicenseFile{
				Path: file, PackageType: "brew", Package: name, Licenses: []inventory.License{{Raw: analyze.Clip(s[1:len(s)-1], analyze.MaxLine), Source: "declared"}},
			})
		}
		return
	}
}
