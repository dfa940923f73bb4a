package advisory

import "strings"

// DistroStream names the key stream of a distribution's packages, from the
// words of its os-release: ID, VERSION_ID, VERSION_CODENAME. ok is false when
// no publisher is known to speak of it, and for a release that cannot be told.
//
// CentOS answers to Red Hat's advisories, whose packages it rebuilds; every
// other rebuild has a publisher of its own.
func DistroStream(id, version, codename string) (stream string, ok bool) {
	major, _, _ := strings.Cut(version, ".")
	majorMinor := major
	if parts := strings.SplitN(version, ".", 3); len(parts) >= 2 {
		majorMinor = parts[0] + "." + parts[1]
	}
	switch id {
	case "amazon", "alma", "oracle", "cbl-mariner": // as scanners' package URLs call them
		id = map[string]string{"amazon": "amzn", "alma": "almalinux", "oracle": "ol", "cbl-mariner": "mariner"}[id]
	}
	switch id {
	case "debian":
		if version == "" {
			version = debianReleases[codename]
		}
		if version == "" && (codename == "sid" || codename == "unstable" || codename == "") {
			return "debian:unstable", codename != ""
		}
		major, _, _ = strings.Cut(version, ".")
		return "debian:" + major, version != ""
	case "ubuntu":
		if version == "" {
			version = ubuntuReleases[codename]
		}
		return "ubuntu:" + version, version != ""
	case "fedora", "openeuler", "openEuler", "anolis", "mageia":
		return strings.ToLower(id) + ":" + version, version != ""
	case "photon", "azurelinux", "mariner":
		if major == majorMinor { // "3" and a build's "3.0.20240727" are 3.0 as well
			majorMinor += ".0"
		}
		return id + ":" + majorMinor, version != ""
	case "alpine":
		if strings.Contains(version, "_alpha") || version == "edge" || codename == "edge" {
			return "alpine:edge", true
		}
		return "alpine:" + majorMinor, strings.Contains(version, ".")
	case "wolfi", "chainguard", "arch", "gentoo", "bottlerocket", "opensuse-tumbleweed", "cleanstart", "minimos", "echo":
		return id, true
	case "archarm", "artix", "endeavouros", "manjaro":
		return "arch", false
	case "rhel", "centos", "redhat":
		return "rhel:" + major, version != ""
	case "rocky", "almalinux", "ol":
		return id + ":" + major, version != ""
	case "amzn":
		if strings.HasPrefix(version, "201") {
			return "amzn:1", true // 2016.09 … 2018.03
		}
		return "amzn:" + major, version != ""
	case "opensuse-microos":
		return "opensuse-tumbleweed", true // of whose packages it is made
	case "sles", "sled", "sles_sap", "sle_hpc", "sle-hpc", "suse-microos", "sle-micro", "sl-micro", "opensuse-leap", "opensuse-leap-micro", "opensuse":
		switch id {
		case "sled", "sles_sap", "sle_hpc", "sle-hpc":
			id = "sles"
		case "opensuse":
			if len(version) == len("20171231") && !strings.Contains(version, ".") {
				return "opensuse-tumbleweed", true // before it had a name of its own
			}
			id = "opensuse-leap"
		case "suse-microos", "sl-micro":
			id = "sle-micro"
		}
		return id + ":" + version, version != ""
	}
	return "", false
}

var debianReleases = map[string]string{
	"buzz": "1.1", "rex": "1.2", "bo": "1.3", "hamm": "2.0", "slink": "2.1", "potato": "2.2", "woody": "3.0", "sarge": "3.1",
	"etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11",
	"bookworm": "12", "trixie": "13", "forky": "14", "duke": "15",
}

// DebianRelease returns the number of a Debian release's code name, "" for
// one that has none; sid is "unstable".
func DebianRelease(codename string) string {
	if codename == "sid" {
		return "unstable"
	}
	r := debianReleases[codename]
	r, _, _ = strings.Cut(r, ".")
	return r
}

// UbuntuRelease returns the version of an Ubuntu code name, "" for an unknown one.
func UbuntuRelease(codename string) string { return ubuntuReleases[codename] }

var ubuntuReleases = map[string]string{
	"warty": "4.10", "hoary": "5.04", "breezy": "5.10", "dapper": "6.06", "edgy": "6.10", "feisty": "7.04", "gutsy": "7.10", "hardy": "8.04",
	"intrepid": "8.10", "jaunty": "9.04", "karmic": "9.10", "lucid": "10.04", "maverick": "10.10", "natty": "11.04", "oneiric": "11.10",
	"precise": "12.04", "quantal": "12.10", "raring": "13.04", "saucy": "13.10", "trusty": "14.04", "utopic": "14.10", "vivid": "15.04",
	"wily": "15.10", "xenial": "16.04", "yakkety": "16.10", "zesty": "17.04", "artful": "17.10", "bionic": "18.04", "cosmic": "18.10",
	"disco": "19.04", "eoan": "19.10", "focal": "20.04", "groovy": "20.10", "hirsute": "21.04", "impish": "21.10", "jammy": "22.04",
	"kinetic": "22.10", "lunar": "23.04", "mantic": "23.10", "noble": "24.04", "oracular": "24.10", "plucky": "25.04", "questing": "25.10",
}

// OSVStream turns an ecosystem of the OSV schema ("PyPI", "Debian:12",
// "Alpine:v3.18", "Rocky Linux:9", "Ubuntu:22.04:LTS") into a key stream.
// repository is what follows the colon of a language ecosystem: a registry of
// its own ("https://packages.drupal.org/8"). ok is false for ecosystems that
// name no packages we know ("GIT", "OSS-Fuzz", "Android" …).
func OSVStream(ecosystem string) (stream, repository string, ok bool) {
	name, rest, _ := strings.Cut(ecosystem, ":")
	switch name {
	case "PyPI":
		stream = "pypi"
	case "npm":
		stream = "npm"
	case "RubyGems":
		stream = "gem"
	case "Maven":
		stream = "maven"
	case "Go":
		stream = "golang"
	case "crates.io":
		stream = "cargo"
	case "NuGet":
		stream = "nuget"
	case "Packagist":
		stream = "composer"
	case "Hex":
		stream = "hex"
	case "Pub":
		stream = "pub"
	case "CRAN":
		stream = "cran"
	case "Bioconductor":
		stream = "bioconductor"
	case "Hackage":
		stream = "hackage"
	case "GHC":
		stream = "ghc"
	case "SwiftURL":
		stream = "swift"
	case "ConanCenter":
		stream = "conan"
	case "Julia":
		stream = "julia"
	case "opam":
		stream = "opam"
	case "Bitnami":
		stream = "bitnami"
	case "GitHub Actions":
		stream = "githubactions"
	case "Homebrew":
		stream = "brew"
	case "Kubernetes":
		stream = "kubernetes"
	case "VSCode":
		stream = "vscode-extension"
	}
	if stream != "" {
		return stream, rest, true
	}
	release, tail, _ := strings.Cut(rest, ":")
	switch name {
	case "Debian":
		if release == "" {
			return "", "", false
		}
		if r := DebianRelease(release); r != "" {
			release = r
		} else if release[0] >= '0' && release[0] <= '9' {
			release, _, _ = strings.Cut(release, ".") // "4.0" is release 4
		}
		return "debian:" + release, "", true
	case "Ubuntu":
		if release == "Pro" || release == "Pro-FIPS" || release == "Pro-FIPS-updates" || release == "Pro-FIPS-preview" || release == "Pro-Realtime" {
			v, _, _ := strings.Cut(tail, ":")
			return "ubuntu-" + strings.ToLower(release) + ":" + v, "", v != ""
		}
		return "ubuntu:" + release, "", release != ""
	case "Alpine":
		return "alpine:" + strings.TrimPrefix(release, "v"), "", release != ""
	case "Wolfi", "Chainguard", "CleanStart", "MinimOS", "Echo":
		return strings.ToLower(name), "", true
	case "AlmaLinux":
		return "almalinux:" + release, "", release != ""
	case "Rocky Linux":
		return "rocky:" + release, "", release != ""
	case "Azure Linux":
		// what was called CBL-Mariner up to 2.0
		id := "azurelinux"
		if r, _, _ := strings.Cut(release, "."); r == "1" || r == "2" {
			id = "mariner"
		}
		stream, ok = DistroStream(id, release, "")
		return stream, "", ok
	case "Mageia":
		return "mageia:" + release, "", release != ""
	case "Photon OS":
		stream, ok = DistroStream("photon", release, "")
		return stream, "", ok
	case "openEuler":
		return "openeuler:" + rest, "", rest != ""
	case "Red Hat":
		return redHatStream(rest)
	case "SUSE":
		return suseStream(rest)
	case "openSUSE":
		if v, ok := strings.CutPrefix(rest, "Leap "); ok {
			return "opensuse-leap:" + v, "", true
		}
		return "opensuse-tumbleweed", "", rest == "Tumbleweed"
	}
	return "", "", false
}

// redHatStream reads the tail of "Red Hat:enterprise_linux:9::appstream": the
// CPE of a product without its beginning. What is built for a release,
// "ocp_tools:4.15::el9", has the stream of that release.
func redHatStream(cpe string) (string, string, bool) {
	parts := strings.Split(cpe, ":")
	if len(parts) < 2 {
		return "", "", false
	}
	repository := "cpe:/" + map[bool]string{true: "o", false: "a"}[parts[0] == "enterprise_linux" && len(parts) < 4] + ":redhat:" + cpe
	for _, p := range parts[2:] {
		if n, ok := strings.CutPrefix(p, "el"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			return "rhel:" + n, repository, true
		}
	}
	switch parts[0] {
	case "enterprise_linux", "rhel_eus", "rhel_aus", "rhel_tus", "rhel_e4s", "rhel_els", "rhel_eus_long_life", "rhel_mission_critical":
		major, _, _ := strings.Cut(parts[1], ".")
		return "rhel:" + major, repository, major != ""
	}
	return "", "", false
}

// suseStream reads "Linux Enterprise Server 15 SP4" and its like.
func suseStream(product string) (string, string, bool) {
	rest, ok := strings.CutPrefix(product, "Linux Enterprise ")
	if !ok && strings.HasPrefix(product, "Package Hub ") {
		rest, ok = product, true // packages for the enterprise server
	}
	if !ok {
		return "", "", false
	}
	id := "sles"
	if strings.HasPrefix(rest, "Micro") {
		id = "sle-micro"
	}
	words := strings.Fields(rest)
	for i, w := range words {
		if w[0] < '0' || w[0] > '9' {
			continue
		}
		if i+1 < len(words) && strings.HasPrefix(words[i+1], "SP") {
			return id + ":" + w + "." + strings.TrimPrefix(strings.SplitN(words[i+1], "-", 2)[0], "SP"), "", true
		}
		return id + ":" + strings.SplitN(w, "-", 2)[0], "", true
	}
	return "", "", false
}

// Name writes a package's name as keys of that stream have it. For "maven",
// "composer" and "npm" it is the whole coordinate: "group:artifact",
// "vendor/name", "@scope/name".
func Name(stream, name string) string {
	switch stream {
	case "pypi":
		return pep503(name)
	case "npm", "cargo", "golang", "maven", "hackage", "cran", "bioconductor", "julia", "opam", "gem", "hex", "pub", "conan":
		return name
	case "nuget", "composer", "githubactions", "swift", "bitnami":
		return strings.ToLower(name)
	}
	return name
}

// pep503 normalises a Python project's name: lower case, runs of "-", "_" and
// "." are one "-".
func pep503(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	dash := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '-' || c == '_' || c == '.':
			dash = b.Len() > 0
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteByte(c)
	}
	return b.String()
}
