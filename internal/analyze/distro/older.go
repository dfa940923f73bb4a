package distro

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// known names, as the first lines of release files begin; longer ones before
// shorter ones with the same beginning. The identifiers are those, in lower case, that
// later releases of the same distribution have in os-release.
var known = [...]struct{ prefix, id, like string }{
	{"Red Hat Enterprise Linux", "rhel", "fedora"},
	{"Red Hat Linux", "redhat", ""},
	{"CentOS", "centos", "rhel fedora"},
	{"Fedora", "fedora", ""},
	{"Oracle Linux", "ol", "fedora"},
	{"Enterprise Linux Enterprise Linux", "ol", "fedora"},
	{"Rocky Linux", "rocky", "rhel centos fedora"},
	{"AlmaLinux", "almalinux", "rhel centos fedora"},
	{"Amazon Linux", "amzn", "rhel fedora"},
	{"Scientific Linux", "scientific", "rhel centos fedora"},
	{"CloudLinux", "cloudlinux", "rhel fedora centos"},
	{"Virtuozzo", "virtuozzo", "rhel fedora"},
	{"openEuler", "openeuler", ""},
	{"EulerOS", "euleros", "rhel fedora centos"},
	{"Anolis OS", "anolis", "rhel fedora centos"},
	{"Alibaba Cloud Linux", "alinux", "rhel fedora centos anolis"},
	{"VMware Photon", "photon", ""},
	{"CBL-Mariner", "mariner", ""},
	{"Microsoft Azure Linux", "azurelinux", ""},
	{"Azure Linux", "azurelinux", ""},
	{"Gentoo", "gentoo", ""},
	{"Slackware", "slackware", ""},
}

// release reads the one line that Red Hat Linux began with, "NAME release
// VERSION (CODENAME)", and its relatives without the word "release".
func release(data string) (inventory.Distro, error) {
	line := firstLine(data)
	name, rest, ok := strings.Cut(line, " release ")
	version := ""
	if ok {
		version, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
	} else if i := strings.IndexAny(line, "0123456789"); i > 0 {
		name = line[:i]
		version, rest, _ = strings.Cut(line[i:], " ")
	}
	var d inventory.Distro
	if name = strings.TrimSpace(name); name == "" || version == "" || !clean(line) {
		return d, nil // ALT Linux has "altlinux-release" there, which says nothing
	}
	d.Name, d.PrettyName, d.Version = name, line, version
	if _, code, ok := strings.Cut(rest, "("); ok {
		d.Codename, _, _ = strings.Cut(code, ")")
	}
	for _, k := range known {
		if strings.HasPrefix(name, k.prefix) {
			d.ID, d.IDLike = k.id, strings.Fields(k.like)
			break
		}
	}
	switch d.ID {
	case "":
		d.ID = identifier(strings.TrimSuffix(strings.TrimSuffix(name, " Server"), " Linux"))
	case "mariner", "azurelinux":
		// the file has the date of the build as well; feeds and os-release have not
		if parts := strings.SplitN(d.Version, ".", 3); len(parts) == 3 {
			d.Version, d.Build = parts[0]+"."+parts[1], d.Version
		}
	}
	if len(d.IDLike) == 0 {
		d.IDLike = nil
	}
	return d, nil
}

// suseRelease reads a line such as release reads, and VERSION, PATCHLEVEL and
// CODENAME below it.
func suseRelease(data string) (inventory.Distro, error) {
	d := inventory.Distro{PrettyName: firstLine(data), IDLike: []string{"suse"}}
	switch {
	case !clean(d.PrettyName):
		return inventory.Distro{}, nil
	case strings.HasPrefix(d.PrettyName, "SUSE Linux Enterprise Desktop"):
		d.ID, d.Name = "sled", "SLED"
	case strings.HasPrefix(d.PrettyName, "SUSE Linux Enterprise"):
		d.ID, d.Name = "sles", "SLES"
	case strings.HasPrefix(d.PrettyName, "openSUSE"):
		d.ID, d.Name = "opensuse", "openSUSE"
	default:
		return inventory.Distro{}, nil
	}
	patch := ""
	for line := range strings.Lines(data) {
		key, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); !clean(value) {
			continue
		}
		switch strings.TrimSpace(key) {
		case "VERSION":
			d.Version = value
		case "PATCHLEVEL":
			patch = value
		case "CODENAME":
			d.Codename = value
		}
	}
	if d.Version != "" && patch != "" && patch != "0" {
		d.Version += "." + patch
	}
	return d, nil
}

func alpineRelease(data string) (inventory.Distro, error) {
	v := firstLine(data)
	if v == "" || !clean(v) || strings.ContainsAny(v, " \t") {
		return inventory.Distro{}, nil
	}
	return inventory.Distro{ID: "alpine", Name: "Alpine Linux", Version: v}, nil
}

// archRelease: the file is mostly empty; that it is there says enough.
func archRelease(string) (inventory.Distro, error) {
	return inventory.Distro{ID: "arch", Name: "Arch Linux"}, nil
}

// debianVersion reads "9.13" or "trixie/sid". Point releases are not versions
// of their own: VERSION_ID of Debian 9.13 is 9.
func debianVersion(data string) (inventory.Distro, error) {
	v := firstLine(data)
	if v == "" || !clean(v) || strings.ContainsAny(v, " \t") {
		return inventory.Distro{}, nil
	}
	d := inventory.Distro{ID: "debian", Name: "Debian GNU/Linux", PrettyName: "Debian GNU/Linux " + v}
	if v[0] >= '0' && v[0] <= '9' {
		d.Version, _, _ = strings.Cut(v, ".")
	} else {
		d.Codename, _, _ = strings.Cut(v, "/")
	}
	return d, nil
}

func firstLine(data string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(data, " \t\r\n"), "\n")
	return strings.TrimSpace(line)
}
