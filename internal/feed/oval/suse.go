package oval

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// SUSE is SUSE's OVAL, a file for each product. The files "-affected" say for
// each CVE which packages are fixed in which version, affected without a fix,
// and not affected; the files without it have the first of these only; the
// files "-patch" have advisories.
func SUSE() feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: "suse-oval", Publisher: "SUSE", Describes: "SUSE Linux Enterprise and openSUSE: fixed, unfixed and unaffected packages by CVE",
			URL: "https://ftp.suse.com/pub/projects/security/oval/", Streams: []string{"sles:*", "sle-micro:*", "opensuse-leap:*", "opensuse-tumbleweed"},
			Licence: "CC-BY-4.0", Fresh: 3 * 24 * time.Hour, Priority: 100,
		},
		source: "suse", choose: chooseSUSE,
		perCVE:   func(d *definition) bool { return d.class != "patch" },
		platform: suseStream,
	}}
}

// suseStream gives the stream of a product. Modules, extensions and the
// variants of SUSE Linux Enterprise have their packages in common with the
// server of the same service pack, whose stream they get; SUSE's other
// products have none.
func suseStream(product string) (string, bool) {
	name, ok := strings.CutPrefix(product, "openSUSE ")
	if ok {
		for prefix, id := range map[string]string{"Leap Micro ": "opensuse-leap-micro:", "Leap ": "opensuse-leap:", "": "opensuse-leap:"} {
			rest, ok := strings.CutPrefix(name, prefix)
			if v := leading(rest, true); ok && v != "" {
				return id + v, true
			}
		}
		return "opensuse-tumbleweed", strings.HasPrefix(name, "Tumbleweed")
	}
	name, ok = strings.CutPrefix(product, "SUSE ")
	if !ok {
		return "", false
	}
	if rest, ok := strings.CutPrefix(name, "Linux Micro "); ok {
		v := leading(rest, true)
		return "sle-micro:" + v, v != ""
	}
	if rest, ok := strings.CutPrefix(name, "Package Hub "); ok {
		name = "Linux Enterprise Package Hub " + rest
	}
	if strings.HasPrefix(name, "Linux Enterprise Storage ") {
		return "", false
	}
	stream, _, ok := advisory.OSVStream("SUSE:" + name)
	return stream, ok
}

// chooseSUSE picks from the listing the files that cover everything once.
func chooseSUSE(page string) []string {
	best := map[string]string{}
	for rest := page; ; {
		_, after, ok := strings.Cut(rest, `href="`)
		if !ok {
			break
		}
		var file string
		file, rest, _ = strings.Cut(after, `"`)
		file = path.Base(file)
		name, packed, ok := strings.Cut(file, "-affected.xml")
		if !ok || !wholeProduct(name) || packed != "" && packed != ".gz" && packed != ".bz2" {
			continue
		}
		if old, ok := best[name]; !ok || len(file) > len(old) {
			best[name] = file
		}
	}
	out := make([]string, 0, len(best))
	for _, file := range best {
		out = append(out, file)
	}
	slices.Sort(out)
	return out
}

// wholeProduct leaves out the files of single service packs, which the file of
// the product contains.
func wholeProduct(name string) bool {
	for _, prefix := range []string{"suse.linux.enterprise.micro.", "suse.linux.enterprise.server.", "suse.linux.enterprise.", "suse.linux.micro."} {
		if v, ok := strings.CutPrefix(name, prefix); ok {
			if prefix == "suse.linux.enterprise.server." && v != "11" {
				return false // part of suse.linux.enterprise.N
			}
			return v != "" && leading(v, false) == v
		}
	}
	return strings.HasPrefix(name, "opensuse.leap.") || name == "opensuse.tumbleweed"
}
