package osv

import (
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// bucket is where osv.dev publishes its collections.
const bucket = "https://osv-vulnerabilities.storage.googleapis.com/"

// Reasons for which a source is off until its owner turns it on.
const (
	native = "its publisher's own feed, which says more, is on: "
	terms  = "Chainguard restricts the use of its advisory data since May 2025: turn it on if its terms allow you"
)

// collection is one line of the list of sources.
type collection struct {
	name       string // of the source, without "osv-"
	ecosystem  string // OSV's name; a folder of the bucket unless url says otherwise
	more       string // of further ecosystems in it, comma-separated
	also       string // names by which it means its own
	streams    string // space-separated
	names      advisory.Names
	bundles    bool
	publisher  string
	licence    string
	priority   int
	off        string
	url        string
	describing string
}

// Priorities of sources. Publishers' own feeds of distributions have 100.
const (
	forDistribution = 70 // the same data by way of osv.dev
	forEcosystem    = 60
)

func collections() []collection {
	const (
		ghsa = "CC-BY-4.0"
		src  = advisory.Source
	)
	return []collection{
		{name: "pypi", ecosystem: "PyPI", streams: "pypi", licence: "CC-BY-4.0"},
		{name: "npm", ecosystem: "npm", streams: "npm", licence: ghsa + ", Apache-2.0 (malicious packages)"},
		{name: "go", ecosystem: "Go", streams: "golang", publisher: "go", licence: "CC-BY-4.0"},
		{name: "maven", ecosystem: "Maven", streams: "maven", licence: ghsa},
		{name: "crates.io", ecosystem: "crates.io", streams: "cargo", publisher: "rustsec", licence: "CC0-1.0, CC-BY-4.0"},
		{name: "rubygems", ecosystem: "RubyGems", streams: "gem", publisher: "rubysec", licence: ghsa},
		{name: "nuget", ecosystem: "NuGet", streams: "nuget", licence: ghsa},
		{name: "packagist", ecosystem: "Packagist", streams: "composer", licence: ghsa},
		{name: "hex", ecosystem: "Hex", streams: "hex", licence: ghsa},
		{name: "pub", ecosystem: "Pub", streams: "pub", licence: ghsa},
		{name: "cran", ecosystem: "CRAN", streams: "cran", publisher: "r-consortium", licence: "Apache-2.0"},
		{name: "bioconductor", ecosystem: "Bioconductor", streams: "bioconductor", publisher: "r-consortium", licence: "Apache-2.0"},
		{name: "hackage", ecosystem: "Hackage", more: "GHC", streams: "hackage ghc", publisher: "haskell", licence: "CC0-1.0"},
		{name: "swifturl", ecosystem: "SwiftURL", streams: "swift", licence: ghsa},
		{name: "conancenter", ecosystem: "ConanCenter", streams: "conan", publisher: "conan", licence: "not stated"},
		{name: "julia", ecosystem: "Julia", streams: "julia", publisher: "julia", licence: "CC-BY-4.0"},
		{name: "opam", ecosystem: "opam", streams: "opam", publisher: "ocaml", licence: "CC0-1.0"},
		{name: "github-actions", ecosystem: "GitHub Actions", streams: "githubactions", licence: ghsa},
		{name: "bitnami", ecosystem: "Bitnami", streams: "bitnami", publisher: "bitnami", licence: "Apache-2.0"},
		{name: "homebrew", ecosystem: "Homebrew", streams: "brew", publisher: "homebrew", licence: "CC0-1.0"},
		{name: "kubernetes", ecosystem: "Kubernetes", streams: "kubernetes", publisher: "kubernetes", licence: "not stated",
			url:        "https://github.com/kubernetes-sigs/cve-feed-osv/archive/refs/heads/main.tar.gz",
			describing: "Kubernetes itself, by component and release of Kubernetes"},
		{name: "drupal", ecosystem: "Packagist", streams: "composer", publisher: "drupal", licence: "MIT",
			url: "https://github.com/DrupalSecurityTeam/drupal-advisory-database/archive/refs/heads/main.tar.gz",
			off: "its records are also in osv-packagist", describing: "Drupal and its modules"},
		{name: "psf", ecosystem: "PSF", publisher: "psf", licence: "CC-BY-4.0",
			url:        "https://github.com/psf/advisory-database/archive/refs/heads/main.tar.gz",
			off:        "it names commits of CPython, which cannot be compared with versions: its records can be looked up, but match nothing",
			describing: "CPython, by commit"},

		{name: "debian", ecosystem: "Debian", streams: "debian:*", names: src, bundles: true, publisher: "debian", licence: "MIT", off: native + "debian"},
		{name: "ubuntu", ecosystem: "Ubuntu", streams: "ubuntu:* ubuntu-pro:* ubuntu-pro-fips:* ubuntu-pro-fips-updates:* ubuntu-pro-fips-preview:* ubuntu-pro-realtime:*",
			names: src, bundles: true, publisher: "ubuntu", licence: "CC-BY-SA-4.0", off: native + "ubuntu"},
		{name: "alpine", ecosystem: "Alpine", streams: "alpine:*", names: src, bundles: true, publisher: "alpine", licence: "not stated", off: native + "alpine"},
		{name: "wolfi", ecosystem: "Wolfi", streams: "wolfi", names: src, bundles: true, publisher: "wolfi", licence: "Chainguard's terms", off: terms},
		{name: "chainguard", ecosystem: "Chainguard", streams: "chainguard", names: src, bundles: true, publisher: "chainguard", licence: "Chainguard's terms", off: terms},
		{name: "almalinux", ecosystem: "AlmaLinux", streams: "almalinux:*", bundles: true, publisher: "almalinux", licence: "MIT", priority: 100},
		{name: "rocky", ecosystem: "Rocky Linux", streams: "rocky:*", bundles: true, publisher: "rocky", licence: "CC-BY-4.0", off: native + "rocky-errata"},
		{name: "redhat", ecosystem: "Red Hat", streams: "rhel:*", bundles: true, publisher: "redhat", licence: "CC-BY-4.0", off: native + "redhat-vex"},
		{name: "suse", ecosystem: "SUSE", streams: "sles:* sle-micro:*", names: src, bundles: true, publisher: "suse", licence: "CC-BY-4.0", off: native + "suse-oval"},
		{name: "opensuse", ecosystem: "openSUSE", streams: "opensuse-leap:* opensuse-tumbleweed", names: src, bundles: true, publisher: "suse", licence: "CC-BY-4.0", off: native + "suse-oval"},
		{name: "mageia", ecosystem: "Mageia", streams: "mageia:*", names: src, bundles: true, publisher: "mageia", licence: "CC-BY-SA-4.0", priority: 100},
		{name: "azure-linux", ecosystem: "Azure Linux", streams: "azurelinux:*", names: advisory.Either, bundles: true, publisher: "microsoft", licence: "MIT", off: native + "azurelinux"},
		{name: "openeuler", ecosystem: "openEuler", streams: "openeuler:*", names: src, bundles: true, publisher: "openeuler", licence: "MulanPSL-2.0", off: native + "openeuler"},
		{name: "minimos", ecosystem: "MinimOS", streams: "minimos", names: advisory.Either, bundles: true, publisher: "minimus", licence: "not stated", off: native + "minimos"},
		{name: "echo", ecosystem: "Echo", streams: "echo", names: src, bundles: true, publisher: "echo", licence: "not stated", off: native + "echo"},
		// About half of its records call their ecosystem "Alpine", without a
		// release, and are about CleanStart's own packages all the same.
		{name: "cleanstart", ecosystem: "CleanStart", also: "Alpine", streams: "cleanstart", names: advisory.Either, bundles: true, publisher: "cleanstart", licence: "Apache-2.0", priority: 100},
	}
}

func (c collection) source() *source {
	s := &source{
		info: feed.Info{
			Name: "osv-" + c.name, Publisher: "osv.dev", Describes: c.describing, URL: c.url,
			Streams: strings.Fields(c.streams), Licence: c.licence, Off: c.off,
			Fresh: 3 * 24 * time.Hour, Priority: c.priority,
		},
		rules: rules{source: "osv-" + c.name, names: c.names, bundles: c.bundles, speaker: c.publisher},
	}
	if s.info.Describes == "" {
		s.info.Describes = c.ecosystem + ", as collected by osv.dev"
	}
	if s.info.URL == "" {
		s.info.URL = bucket + strings.ReplaceAll(c.ecosystem, " ", "%20") + "/all.zip"
	}
	if s.speaker == "" {
		s.speaker = "osv"
	}
	switch {
	case s.info.Priority > 0:
	case strings.Contains(c.streams, ":*") || c.bundles:
		s.info.Priority = forDistribution
	default:
		s.info.Priority = forEcosystem
	}
	s.ecosystems = []string{c.ecosystem}
	if c.more != "" {
		s.ecosystems = append(s.ecosystems, strings.Split(c.more, ",")...)
	}
	if c.also != "" {
		s.also = strings.Split(c.also, ",")
	}
	return s
}

// Sources returns every source of this package: one for each ecosystem,
// "osv-npm" and so on, GitHub's advisory database, "ghsa", and the owner's own
// advisories, "own".
func Sources() []feed.Source {
	var out []feed.Source
	for _, c := range collections() {
		out = append(out, c.source())
	}
	return append(out, ghsaSource(), ownSource())
}

// ghsaSource is the advisory database of GitHub: a repository with a file for
// each record. Those that nobody at GitHub has reviewed name no packages and
// are left out.
func ghsaSource() *source {
	return &source{
		info: feed.Info{
			Name: "ghsa", Publisher: "GitHub", Describes: "GitHub's reviewed advisories for every ecosystem, from its repository",
			URL:     "https://github.com/github/advisory-database/archive/refs/heads/main.tar.gz",
			Streams: []string{"cargo", "composer", "gem", "githubactions", "golang", "hex", "maven", "npm", "nuget", "pub", "pypi", "swift"},
			Licence: "CC-BY-4.0", Fresh: 3 * 24 * time.Hour, Priority: 50,
			Off: "its records are also in the osv- sources of their ecosystems",
		},
		rules: rules{
			source: "ghsa", speaker: "github",
			ecosystems: []string{"crates.io", "Packagist", "RubyGems", "GitHub Actions", "Go", "Hex", "Maven", "npm", "NuGet", "Pub", "PyPI", "SwiftURL"},
			accept:     func(w *wire) bool { return w.specific.Reviewed == nil || *w.specific.Reviewed },
		},
	}
}

// ownSource reads what the owner writes.
func ownSource() *source {
	return &source{
		own: true,
		info: feed.Info{
			Name: "own", Publisher: "the owner", Describes: "the owner's own advisories: OSV JSON, or the YAML of docs/own-advisories.md",
			Off: "there are none yet: name a file or folder", Fresh: 10 * 365 * 24 * time.Hour, Priority: 1000,
		},
		rules: rules{source: "own", speaker: "own", names: advisory.Binary},
	}
}
