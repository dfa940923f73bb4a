package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// place says where a folder of many publishers' files has those of a source:
// patterns of which the first counts that something matches, the last by name of
// what it matches, so that of files with a date it is the newest.
type place struct {
	source   string
	whole    []string
	examples string // a folder of single documents, some broken on purpose
}

// places is the layout that docs/feeds.md describes.
func places() []place {
	osv := func(source, folder string) place {
		return place{source, []string{"osv/" + folder + "/all.zip"}, "osv/" + folder + "/sample"}
	}
	return []place{
		{"debian", []string{"debian/security-tracker.json*"}, "debian/sample"},
		{"debian-dsa", []string{"debian/tracker-lists"}, ""},
		{"ubuntu", []string{"ubuntu/ubuntu-cve-tracker*"}, "ubuntu/sample"},
		{"alpine", []string{"alpine-secdb/v*/*"}, "alpine-secdb/sample"},
		{"wolfi", []string{"wolfi/security.json*"}, "wolfi/sample"},
		{"chainguard", []string{"chainguard/security.json*"}, "chainguard/sample"},
		{"minimos", []string{"minimos/security.json*"}, "minimos/sample"},
		{"echo", []string{"echo/data.json*"}, "echo/sample"},
		{"azurelinux", []string{"azurelinux/azurelinux-*-oval.xml*"}, "azurelinux/sample"},
		{"mariner", []string{"azurelinux/cbl-mariner-*-oval.xml*"}, "azurelinux/sample"},
		{"amazon", nil, "amazon/sample"},
		{"almalinux-errata", nil, "almalinux/sample"},
		{"almalinux-oval", []string{"almalinux/org.almalinux.*.xml*"}, "almalinux/sample"},
		{"rocky-errata", nil, "rocky/sample"},
		{"oracle", []string{"oracle/com.oracle.elsa-*.xml*"}, "oracle/sample"},
		{"fedora", nil, "fedora/sample"},
		{"epel", nil, "fedora/sample"},
		{"bottlerocket", []string{"bottlerocket/updateinfo.xml*"}, "bottlerocket/sample"},
		{"arch", []string{"arch/all.json*"}, "arch/sample"},
		{"gentoo", nil, "gentoo/sample"},
		{"photon", []string{"photon/cve_data_photon*"}, "photon/sample"},
		{"photon-oval", []string{"photon/com.vmware.phsa-*.xml*"}, "photon/sample"},
		{"openeuler", nil, "openeuler/sample"},
		{"suse-oval", nil, "suse/sample"},
		{"suse-csaf", []string{"suse/csaf.tar*"}, "suse/sample"},
		{"suse-csaf-vex", []string{"suse/csaf-vex.tar*"}, "suse/sample"},
		{"redhat-vex", []string{"redhat/csaf_vex*.tar*"}, "redhat/sample"},
		{"redhat-csaf", []string{"redhat/csaf_advisories*.tar*"}, "redhat/sample"},
		{"redhat-oval", nil, "redhat/sample"},
		{"redhat-repositories", []string{"redhat/repository-to-cpe.json*"}, "redhat/sample/vuls-data-update/repository2cpe"},

		osv("osv-almalinux", "AlmaLinux"), osv("osv-bitnami", "Bitnami"), osv("osv-cleanstart", "CleanStart"), osv("osv-cran", "CRAN"), osv("osv-crates.io", "crates.io"),
		osv("osv-debian", "Debian"), osv("osv-drupal", "Packagist-drupal"), osv("osv-go", "Go"), osv("osv-hackage", "Hackage"), osv("osv-hex", "Hex"), osv("osv-homebrew", "Homebrew"),
		osv("osv-julia", "Julia"), osv("osv-kubernetes", "Kubernetes"), osv("osv-maven", "Maven"), osv("osv-npm", "npm"), osv("osv-nuget", "NuGet"), osv("osv-opam", "opam"),
		osv("osv-packagist", "Packagist"), osv("osv-psf", "PSF"), osv("osv-pub", "Pub"), osv("osv-pypi", "PyPI"), osv("osv-rubygems", "RubyGems"), osv("osv-swifturl", "SwiftURL"), osv("osv-wolfi", "Wolfi"),
		{"osv-alpine", []string{"osv/Alpine/all.zip"}, "alpine-secdb/sample/vuls-data-update/osv"},
		{"osv-chainguard", []string{"osv/Chainguard/all.zip"}, "chainguard/sample"},
		{"osv-echo", []string{"osv/Echo/all.zip"}, "echo/sample"},
		{"osv-mageia", []string{"osv/Mageia/all.zip"}, "mageia/sample"},
		{"osv-minimos", []string{"osv/MinimOS/all.zip"}, "minimos/sample"},
		{"osv-openeuler", []string{"osv/openEuler/all.zip"}, "openeuler/sample/vuls-data-update/osv"},
		{"osv-redhat", []string{"osv/Red Hat/all.zip"}, "redhat/sample/vuls-data-update/osv"},
		{"osv-rocky", []string{"osv/Rocky Linux/all.zip"}, "rocky/sample"},
		{"osv-suse", []string{"osv/SUSE/all.zip"}, "suse/sample/vuls-data-update/osv"},
		{"osv-ubuntu", []string{"osv/Ubuntu/all.zip"}, "ubuntu/sample"},
		{"ghsa", []string{"ghsa/advisories"}, "ghsa/sample"},

		{"nvd", []string{"nvd/nvdcve-*.json*", "nvd/nvdcve-*"}, "nvd/sample"},
		{"nvd-overrides", []string{"nvd/nvd-data-overrides*"}, ""},
		{"cve", []string{"cve-v5/cves"}, "cve-v5/sample"},
		{"kev", []string{"kev/known_exploited_vulnerabilities.json*", "kev/known_exploited_vulnerabilities.csv*"}, "kev/sample"},
		{"epss", []string{"epss/epss_scores-*.csv*"}, "epss/sample"},
		{"eol", []string{"eol/all.json"}, "eol/sample"},
		{"rubysec", []string{"rubysec/ruby-advisory-db*"}, ""},
		{"friendsofphp", []string{"friendsofphp/security-advisories*"}, ""},
		{"nodejs-security-wg", []string{"nodejs-security-wg/vuln*"}, ""},
		{"retirejs", []string{"retirejs/jsrepository*.json"}, ""},
		{"elixir", []string{"elixir/elixir-security-advisories*"}, ""},
		{"vex", []string{"vex"}, "chainguard/sample/vunnel/input/openvex"},
		{"own", []string{"own"}, ""},
	}
}

// hasFolder reports whether a source's pattern names one of many files of a
// folder, of which it reads those that are its own.
func hasFolder(source string) bool {
	switch source {
	case "alpine", "mariner", "nvd", "eol", "retirejs", "photon", "photon-oval", "almalinux-oval":
		return true
	}
	return false
}

// FolderPart is what a folder has for one source.
type FolderPart struct {
	Source string
	Path   string // file or folder
	// Examples: Path holds single documents of which some may be broken; see
	// [Feeds.RefreshExamples].
	Examples bool
}

// Folder finds what a folder has for each source: SOURCE or SOURCE.EXT where its
// owner laid it out so, or publishers' files as docs/feeds.md describes. With
// examples also collections of single documents, for sources of which nothing
// better is there. left names what no source takes, below the folder.
func (f *Feeds) Folder(dir string, examples bool) (parts []FolderPart, left []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	taken := map[string]bool{}
	take := func(rel string) { taken[strings.SplitN(filepath.ToSlash(rel), "/", 2)[0]] = true }
	byName := map[string]place{}
	for _, p := range places() {
		byName[p.source] = p
	}
	for _, s := range f.Sources {
		name := s.Info().Name
		p := byName[name]
		var found string
		for _, pattern := range append([]string{name, name + ".*"}, p.whole...) {
			list, err := filepath.Glob(filepath.Join(globEscape(dir), filepath.FromSlash(pattern)))
			if err != nil {
				return nil, nil, err
			}
			// a publisher's folder of the source's name that has its files deeper
			// down, or several sources' files, is none of the owner's
			if pattern == name && len(p.whole)+len(p.examples) > 0 && len(list) == 1 && isDir(list[0]) && strings.HasPrefix(cmpFirst(p), name+"/") {
				continue
			}
			if len(list) > 0 {
				found = list[len(list)-1]
				if pattern != name && pattern != name+".*" && hasFolder(name) {
					found = filepath.Join(dir, filepath.FromSlash(strings.SplitN(pattern, "/", 2)[0]))
				}
				break
			}
		}
		part := FolderPart{Source: name, Path: found}
		if found == "" {
			if p.examples == "" || !examples {
				continue
			}
			part.Path, part.Examples = filepath.Join(dir, filepath.FromSlash(p.examples)), true
			if !isDir(part.Path) {
				continue
			}
		}
		rel, err := filepath.Rel(dir, part.Path)
		if err != nil {
			return nil, nil, err
		}
		take(rel)
		parts = append(parts, part)
	}
	for _, e := range entries {
		if n := e.Name(); !taken[n] && !strings.HasPrefix(n, ".") && (e.IsDir() || strings.Contains(strings.ToLower(n), "advisor")) {
			left = append(left, n)
		}
	}
	return parts, left, nil
}

// cmpFirst is where a place looks first.
func cmpFirst(p place) string {
	if len(p.whole) > 0 {
		return p.whole[0]
	}
	return p.examples
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Limits of examples.
const (
	maxExamples     = 10_000
	maxExampleBytes = 256 << 20 // of one file
)

// ExamplesChange is what examples changed, and how many of their files were
// left out.
type ExamplesChange struct {
	store.FeedChange
	Files, Refused int
}

// RefreshExamples updates a source with a folder of single documents, of which
// every one that the source cannot read, or that says nothing to it, is left
// out. It is no update of what the publisher has.
func (f *Feeds) RefreshExamples(ctx context.Context, name, folder string, o RefreshOptions) (change ExamplesChange, err error) {
	src, err := f.source(name)
	if err != nil {
		return change, err
	}
	tmp, err := os.MkdirTemp("", "tidewaiter-examples-")
	if err != nil {
		return change, err
	}
	defer os.RemoveAll(tmp)
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if change.Files++; change.Files > maxExamples {
			return &feed.LimitError{What: folder, Limit: "examples", Most: maxExamples}
		}
		if !says(ctx, src, p) {
			change.Refused++
			return nil
		}
		rel, err := filepath.Rel(folder, p)
		if err != nil {
			return err
		}
		return copyFile(filepath.Join(tmp, rel), p)
	})
	if err != nil {
		return change, err
	}
	if change.Files == change.Refused {
		return change, fmt.Errorf("%s: none of %d files in %s says anything that it understands", name, change.Files, folder)
	}
	o.From = tmp
	change.FeedChange, err = f.Refresh(ctx, name, o)
	return change, err
}

// says reports whether a file by itself gives a source a record, and nothing
// that would end an update.
func says(ctx context.Context, src feed.Source, file string) bool {
	u, err := src.Fetch(ctx, feed.Input{From: file}, feed.State{})
	if err != nil || u.Items == nil {
		return false
	}
	some := false
	for _, err := range u.Items {
		var bad *feed.BadRecord
		if err != nil && !errors.As(err, &bad) {
			return false
		}
		some = some || err == nil
	}
	return some
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, maxExampleBytes+1))
	if err == nil && n > maxExampleBytes {
		err = &feed.LimitError{What: from, Limit: "bytes of an example", Most: maxExampleBytes}
	}
	return errors.Join(err, out.Close())
}
