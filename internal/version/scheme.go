package version

import "strings"

// Scheme names a way of ordering versions.
type Scheme string

// The schemes. An ecosystem that orders exactly like another has none of its
// own: Ubuntu is Deb, Wolfi is APK, Rust's registry is Cargo.
const (
	Deb      Scheme = "deb"      // dpkg, Debian policy 5.6.12
	RPM      Scheme = "rpm"      // librpm
	APK      Scheme = "apk"      // apk-tools 3
	Pacman   Scheme = "pacman"   // libalpm
	Portage  Scheme = "portage"  // Gentoo, PMS chapter 3
	PEP440   Scheme = "pep440"   // Python
	NPM      Scheme = "npm"      // node-semver, loose
	SemVer   Scheme = "semver"   // Semantic Versioning 2.0.0, "v" and missing numbers allowed
	Go       Scheme = "go"       // modules, toolchain and standard library
	Maven    Scheme = "maven"    // ComparableVersion of Maven 3.8
	Gem      Scheme = "gem"      // Gem::Version
	Composer Scheme = "composer" // composer/semver
	NuGet    Scheme = "nuget"    // NuGetVersion
	Cargo    Scheme = "cargo"    // Rust; build metadata does not count
	CRAN     Scheme = "cran"     // R's package_version
	Hex      Scheme = "hex"      // Elixir's Version
	Pub      Scheme = "pub"      // pub_semver; build metadata counts
	Hackage  Scheme = "hackage"  // Cabal's Version
	Conan    Scheme = "conan"    // Conan 2
	Swift    Scheme = "swift"    // Swift Package Manager
	Julia    Scheme = "julia"    // VersionNumber; build metadata counts
	Opam     Scheme = "opam"     // OpamVersionCompare
	Bitnami  Scheme = "bitnami"  // SemVer with package revisions
	Generic  Scheme = "generic"  // anything with a number in it
)

// Schemes returns every scheme.
func Schemes() []Scheme {
	return []Scheme{
		Deb, RPM, APK, Pacman, Portage, PEP440, NPM, SemVer, Go, Maven, Gem, Composer, NuGet, Cargo, CRAN, Hex, Pub,
		Hackage, Conan, Swift, Julia, Opam, Bitnami, Generic,
	}
}

// parserOf returns the parser of a scheme, nil if there is none. A parser gets a
// text that is neither empty nor too long, and returns either a form or a reason.
func parserOf(s Scheme) func(string) (form, string) {
	switch s {
	case Deb:
		return parseDeb
	case RPM:
		return parseRPM
	case APK:
		return parseAPK
	case Pacman:
		return parsePacman
	case Portage:
		return parsePortage
	case PEP440:
		return parsePEP440
	case NPM:
		return parseNPM
	case SemVer:
		return parseSemVer
	case Go:
		return parseGo
	case Maven:
		return parseMaven
	case Gem:
		return parseGem
	case Composer:
		return parseComposer
	case NuGet:
		return parseNuGet
	case Cargo:
		return parseCargo
	case CRAN:
		return parseCRAN
	case Hex:
		return parseHex
	case Pub:
		return parsePub
	case Hackage:
		return parseHackage
	case Conan:
		return parseConan
	case Swift:
		return parseSwift
	case Julia:
		return parseJulia
	case Opam:
		return parseOpam
	case Bitnami:
		return parseBitnami
	case Generic:
		return parseGeneric
	}
	return nil
}

// SchemeOf returns the scheme of an ecosystem, named as in OSV records
// ("Debian:12", "crates.io", "Rocky Linux:9") or by a purl type ("deb", "cargo",
// "golang"); case and what follows the colon do not matter. It returns false for
// names it does not know: then there is no order to rely on, and callers say so
// rather than guess one.
//
// Ecosystems in which a third party repackages others ("Root:Debian:12",
// "TuxCare:PyPI") have the scheme of the ecosystem behind the colon.
func SchemeOf(ecosystem string) (Scheme, bool) {
	name, rest, _ := strings.Cut(ecosystem, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "debian", "ubuntu", "deb", "dpkg", "echo", "raspbian", "devuan", "kali":
		return Deb, true
	case "rpm", "red hat", "redhat", "rhel", "rocky linux", "rocky", "almalinux", "centos", "fedora", "oracle linux", "oracle",
		"suse", "opensuse", "sles", "amazon linux", "amazon", "amzn", "azure linux", "azurelinux", "cbl-mariner", "mariner", "photon os", "photon",
		"mageia", "openeuler", "anolis", "anolis os", "alt linux", "alt", "hummingbird", "bottlerocket":
		return RPM, true
	case "alpine", "wolfi", "chainguard", "minimos", "alpaquita", "bellsoft hardened containers", "cleanstart", "apk", "postmarketos":
		return APK, true
	case "arch linux", "arch", "alpm", "pacman", "manjaro":
		return Pacman, true
	case "gentoo", "ebuild", "portage":
		return Portage, true
	case "pypi", "python":
		return PEP440, true
	case "npm":
		return NPM, true
	case "go", "golang":
		return Go, true
	case "maven":
		return Maven, true
	case "rubygems", "gem", "ruby":
		return Gem, true
	case "packagist", "composer", "php", "drupal":
		return Composer, true
	case "nuget":
		return NuGet, true
	case "crates.io", "cargo", "rust":
		return Cargo, true
	case "cran", "bioconductor":
		return CRAN, true
	case "hex", "erlang", "elixir":
		return Hex, true
	case "pub", "dart":
		return Pub, true
	case "hackage", "ghc", "haskell":
		return Hackage, true
	case "conancenter", "conan":
		return Conan, true
	case "swifturl", "swift", "cocoapods":
		return Swift, true
	case "julia":
		return Julia, true
	case "opam", "ocaml":
		return Opam, true
	case "bitnami":
		return Bitnami, true
	case "semver", "kubernetes", "k8s", "github", "githubactions", "github actions", "terraform", "helm", "vscode", "vscode-extension",
		"docker hardened images":
		return SemVer, true
	case "generic", "homebrew", "brew", "linux", "android", "oss-fuzz", "freebsd", "cpe", "nix":
		return Generic, true
	case "root", "tuxcare", "seal":
		if rest != "" {
			return SchemeOf(rest)
		}
	}
	return "", false
}
