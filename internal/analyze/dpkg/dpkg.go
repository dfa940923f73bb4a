// Package dpkg reads the package databases of Debian and its descendants: the
// status file, the per-package files of distroless images, the lists of files
// each package owns, and the copyright files that state licences.
//
// Packages and their lists of files are separate facts, for they lie in
// separate files, often of separate layers; so are licences and diversions.
package dpkg

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads dpkg's databases:
//
//   - var/lib/dpkg/status: every package that has files in the file system,
//     see [present];
//   - var/lib/dpkg/status.d/NAME: one package each, as distroless images have
//     them, and NAME.md5sums beside it: its files;
//   - var/lib/dpkg/info/NAME[:ARCH].list: the files of a package; where a
//     layer holds NAME.md5sums without the list, that one;
//   - var/lib/dpkg/diversions: where files lie that packages bring under
//     another path;
//   - usr/share/doc/NAME/copyright: its licences.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "dpkg" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 2 }

const (
	adminDir     = "var/lib/dpkg/"
	statusFile   = adminDir + "status"
	divertFile   = adminDir + "diversions"
	statusDir    = adminDir + "status.d/"
	infoDir      = adminDir + "info/"
	docDir       = "usr/share/doc/"
	copyrightEnd = "/copyright"
	listEnd      = ".list"
	sumsEnd      = ".md5sums"
)

// Wants implements analyze.Analyzer. Lists come together, because sums count
// only where there is no list.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	switch classify(e.Path) {
	case status, singleStatus, singleSums, diversions, copyright:
		return analyze.Alone
	case list, sums:
		return analyze.Together
	}
	return analyze.Ignore
}

type class uint8

const (
	nothing class = iota
	status
	singleStatus
	singleSums
	list
	sums
	diversions
	copyright
)

func classify(p string) class {
	if rest, ok := strings.CutPrefix(p, docDir); ok {
		if name, ok := strings.CutSuffix(rest, copyrightEnd); ok && name != "" && strings.IndexByte(name, '/') < 0 {
			return copyright
		}
		return nothing
	}
	if !strings.HasPrefix(p, adminDir) {
		return nothing
	}
	if p == statusFile {
		return status
	}
	if p == divertFile {
		return diversions
	}
	if name, ok := strings.CutPrefix(p, infoDir); ok && strings.IndexByte(name, '/') < 0 {
		switch {
		case strings.HasSuffix(name, listEnd) && len(name) > len(listEnd):
			return list
		case strings.HasSuffix(name, sumsEnd) && len(name) > len(sumsEnd):
			return sums
		}
		return nothing
	}
	if name, ok := strings.CutPrefix(p, statusDir); ok && name != "" && strings.IndexByte(name, '/') < 0 {
		if strings.HasSuffix(name, sumsEnd) {
			return singleSums
		}
		return singleStatus
	}
	return nothing
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	lists := make(map[string]bool) // names that have a list; paths come in order, so lists come before sums
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		c := classify(f.Path)
		if c == nothing {
			continue
		}
		name := path.Base(f.Path)
		if c == sums && lists[strings.TrimSuffix(name, sumsEnd)] {
			continue
		}
		data, err := f.ReadAll(analyze.MaxText)
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		switch c {
		case status, singleStatus:
			err = readStatus(ctx, f.Path, data, c == singleStatus, out)
		case list:
			lists[strings.TrimSuffix(name, listEnd)] = true
			err = readList(f.Path, strings.TrimSuffix(name, listEnd), data, out)
		case sums, singleSums:
			err = readSums(f.Path, strings.TrimSuffix(name, sumsEnd), data, out)
		case diversions:
			var found []inventory.Diversion
			found, err = diverted(data, f.Path)
			out.Diverted = append(out.Diverted, found...)
		case copyright:
			var found []inventory.License
			found, err = licenses(data)
			if len(found) > 0 {
				out.Licenses = append(out.Licenses, inventory.LicenseFile{
					Path: f.Path, PackageType: "deb", Package: path.Base(path.Dir(f.Path)), Licenses: found,
				})
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}
