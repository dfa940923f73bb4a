package match

import (
	"cmp"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Stream names the key stream of an image's distribution. It knows more than
// [advisory.DistroStream] where VERSION_ID does not tell the release: openEuler
// names the service pack only in words, Debian's testing and unstable give
// neither number nor difference.
func Stream(d *inventory.Distro) (stream string, ok bool) {
	if d == nil {
		return "", false
	}
	version, codename := d.Version, d.Codename
	switch {
	case d.ID == "openeuler":
		if release, pack, ok := openEulerRelease(d.PrettyName); ok && release == version && pack != "" {
			version += "-" + pack
		}
	case d.ID == "debian" && version == "" && strings.HasSuffix(d.PrettyName, "/sid"):
		// "forky/sid" stands in both. Testing is made of packages of unstable,
		// so a version that mends the one mends the other.
		codename = "sid"
	}
	return advisory.DistroStream(d.ID, version, codename)
}

// openEulerRelease reads "openEuler 22.03 (LTS-SP3)".
func openEulerRelease(pretty string) (release, pack string, ok bool) {
	_, rest, ok := strings.Cut(pretty, " ")
	if !ok {
		return "", "", false
	}
	release, rest, _ = strings.Cut(rest, " ")
	pack = strings.Trim(rest, "()")
	return release, pack, !strings.ContainsAny(pack, " ()")
}

// streamOf is the distribution stream of an OS package: its own, where an
// SBOM or a package URL says one, else that of the image.
func streamOf(p *inventory.Package, d *inventory.Distro) (string, bool) {
	if p.Distro == "" || d != nil && p.Distro == d.ID+":"+cmp.Or(d.Version, d.Codename) {
		return Stream(d)
	}
	id, v, _ := strings.Cut(p.Distro, ":")
	codename := ""
	if d != nil && d.ID == id {
		codename = d.Codename
	}
	if codename == "" && v != "" && (v[0] < '0' || v[0] > '9') {
		codename, v = v, ""
	}
	return advisory.DistroStream(id, v, codename)
}

// proStream is the stream of what only subscribers of Ubuntu Pro get for a
// release of Ubuntu.
func proStream(stream string) (string, bool) {
	version, ok := strings.CutPrefix(stream, "ubuntu:")
	return "ubuntu-pro:" + version, ok
}

// ofPro tells a build for Ubuntu Pro by its version: "8.32-4.1ubuntu1+esm1".
func ofPro(version string) bool { return strings.Contains(version, "esm") }

// otherSupport says why a claim about a release of Ubuntu is not for a package:
// where a record speaks of it both with and without Pro, the one that the
// package was built for is heard. A record that speaks of one alone is.
func otherSupport(l lookup, cl claim) string {
	stream := cl.affected.Stream
	version, pro := strings.CutPrefix(stream, "ubuntu-pro:")
	if !pro {
		var ok bool
		if version, ok = strings.CutPrefix(stream, "ubuntu:"); !ok {
			return ""
		}
	}
	if pro == ofPro(l.version) {
		return ""
	}
	other := advisory.Key{Stream: "ubuntu-pro:" + version, Name: cl.affected.Name}
	if pro {
		other.Stream = "ubuntu:" + version
	}
	for i := range cl.advisory.Affected {
		if cl.advisory.Affected[i].Key == other {
			if pro {
				return "speaks of the package with Ubuntu Pro; the package was built without"
			}
			return "speaks of the package without Ubuntu Pro; the package was built for it"
		}
	}
	return ""
}
