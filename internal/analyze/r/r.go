// Package r reads packages of R: installed ones, of CRAN and Bioconductor, and
// the lock files of renv and Packrat.
package r

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads the DESCRIPTION of installed packages: those that have the
// field Built, which installing adds. What comes with R itself (Priority:
// base) is one package of type "generic", "R", found by its package base.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "r" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if strings.HasSuffix(e.Path, "/DESCRIPTION") && !strings.HasPrefix(e.Path, "usr/share/doc/") && e.Size > 0 {
		return analyze.Alone
	}
	return analyze.Ignore
}

const (
	maxDescription = 4 << 20
	maxDepends     = 1000
	maxPackages    = 100_000 // of one lock file
)

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxDescription)
		}
		if tl := (*analyze.TooLargeError)(nil); errors.As(err, &tl) {
			continue // many things are called DESCRIPTION; R's are small
		}
		if err == nil {
			err = readDescription(f.Path, data, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading DESCRIPTION: %w", err)
		}
	}
	return nil
}

// fields calls each with every field of a Debian control file, which is what
// DESCRIPTION is; lines that go on are joined by blanks. An empty line ends a
// record: each gets "" for it.
func fields(data []byte, each func(key, value string)) {
	key := ""
	var value strings.Builder
	flush := func() {
		if key != "" {
			each(key, value.String())
		}
		key = ""
		value.Reset()
	}
	for raw := range bytes.Lines(data) {
		s := strings.TrimRight(string(raw), "\r\n")
		switch {
		case strings.TrimSpace(s) == "":
			flush()
			each("", "")
		case s[0] == ' ' || s[0] == '\t':
			if value.Len() > 0 {
				value.WriteByte(' ')
			}
			value.WriteString(strings.TrimSpace(s))
		default:
			flush()
			k, v, ok := strings.Cut(s, ":")
			if ok {
				key = k
				value.WriteString(strings.TrimSpace(v))
			}
		}
	}
	flush()
}

type description struct {
	p                                     inventory.Package
	built, priority, repository, biocView string
	gitURL                                string
}

func readDescription(file string, data []byte, out *inventory.Record) error {
	if !bytes.Contains(data, []byte("Built:")) || !bytes.Contains(data, []byte("Package:")) {
		return nil
	}
	d := description{p: inventory.Package{Type: "cran", Path: file, Technique: inventory.TechMetadata}}
	fields(data, d.set)
	p := &d.p
	if d.built == "" || p.Name == "" {
		return nil
	}
	if !analyze.ValidName(p.Name) || !version(p.Version) {
		return fmt.Errorf("package %.80q, version %.80q", p.Name, p.Version)
	}
	dir := path.Dir(file)
	p.Files = inventory.NewFileList([]string{dir + "/"})
	switch {
	case d.priority == "base":
		if p.Name != "base" {
			return nil
		}
		d.base(dir)
	case d.bioconductor():
		p.Type = "bioconductor"
	}
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
	out.Packages = append(out.Packages, *p)
	return nil
}

func (d *description) set(key, v string) {
	p := &d.p
	switch key {
	case "Package":
		p.Name = v
	case "Version":
		p.Version = v
	case "Built":
		d.built = v
	case "Priority":
		d.priority = v
	case "Repository":
		d.repository = v
	case "biocViews":
		d.biocView = v
	case "git_url":
		d.gitURL = v
	case "Title":
		p.Description = analyze.FirstLine(v)
	case "Maintainer":
		p.Supplier = analyze.Clip(v, analyze.MaxLine)
	case "License":
		p.Licenses = []inventory.License{{Raw: analyze.Clip(v, analyze.MaxLine), Source: "declared"}}
	case "URL":
		v, _, _ = strings.Cut(v, ",")
		v, _, _ = strings.Cut(strings.TrimSpace(v), " ")
		p.Homepage = analyze.Clip(v, 1024)
	case "RemoteType", "RemoteSha", "RemoteUrl":
		if analyze.ValidName(v) && !strings.Contains(v, "@") {
			if p.Meta == nil {
				p.Meta = map[string]string{}
			}
			p.Meta[key] = v
		}
	case "Depends", "Imports", "LinkingTo":
		for n := range strings.SplitSeq(v, ",") {
			n, _, _ = strings.Cut(n, "(")
			if n = strings.TrimSpace(n); n != "R" && analyze.ValidName(n) && len(p.Depends) < maxDepends {
				p.Depends = append(p.Depends, n)
			}
		}
	}
}

// bioconductor tells where a package is from. Some of CRAN have biocViews, too.
func (d *description) bioconductor() bool {
	return strings.HasPrefix(d.repository, "Bioconductor") || strings.Contains(d.gitURL, "git.bioconductor.org") ||
		d.biocView != "" && d.repository == "" && d.p.Meta["RemoteType"] == ""
}

// base makes R itself of its package base, in HOME/library.
func (d *description) base(dir string) {
	p := &d.p
	library := path.Dir(dir)
	home := path.Dir(library)
	var owned []string
	for _, n := range [...]string{"base", "compiler", "datasets", "grDevices", "graphics", "grid", "methods", "parallel", "splines", "stats", "stats4",
		"tcltk", "tools", "translations", "utils"} {
		owned = append(owned, path.Join(library, n)+"/")
	}
	if path.Base(library) == "library" && home != "." {
		for _, n := range [...]string{"bin", "etc", "include", "lib", "modules", "share"} {
			owned = append(owned, path.Join(home, n)+"/")
		}
	}
	p.Type, p.Name, p.Description, p.Depends, p.Licenses = "generic", "R", "", nil, nil
	p.Files = inventory.NewFileList(owned)
	p.CPEs = []string{"cpe:2.3:a:r-project:r:" + p.Version + ":*:*:*:*:*:*:*"}
}

// version reports whether s is a version of an R package: numbers with
// periods and dashes between them.
func version(s string) bool {
	if !analyze.ValidName(s) || s[0] < '0' || s[0] > '9' {
		return false
	}
	return strings.Trim(s, "0123456789.-") == ""
}
