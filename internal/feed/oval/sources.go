package oval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source {
	return []feed.Source{RedHat(), Oracle(), SUSE(), AlmaLinux(), AzureLinux(), Mariner(), Photon()}
}

// RedHat is Red Hat's OVAL v2: advisories as patch definitions, and for each
// CVE what is affected without a fix and what is not affected.
func RedHat() feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: "redhat-oval", Publisher: "Red Hat", Describes: "Red Hat's advisories and unfixed vulnerabilities, as OVAL",
			URL: "https://security.access.redhat.com/data/oval/v2/", Streams: []string{"rhel:*"}, Licence: "CC-BY-4.0",
			Off:   "Red Hat ended its OVAL feed; redhat-vex has the same and more",
			Fresh: 3 * 24 * time.Hour, Priority: 80,
		},
		source: "redhat", plainNames: true,
		files: []string{
			"RHEL6/rhel-6-including-unpatched.oval.xml.bz2", "RHEL7/rhel-7-including-unpatched.oval.xml.bz2",
			"RHEL8/rhel-8-including-unpatched.oval.xml.bz2", "RHEL9/rhel-9-including-unpatched.oval.xml.bz2",
		},
		platform: numbered("rhel", "Red Hat Enterprise Linux ", false),
		perCVE:   func(d *definition) bool { return d.class != "patch" },
		claim: func(t *table, d *definition, c *claim) {
			c.repository = t.put(repository(d.cpes))
		},
		settle: settleRedHat,
	}}
}

// Oracle is Oracle Linux's one file of all errata.
func Oracle() feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: "oracle", Publisher: "Oracle", Describes: "Oracle Linux security errata (ELSA)",
			URL: "https://linux.oracle.com/security/oval/", Streams: []string{"ol:*"}, Licence: "Oracle's terms of use",
			Fresh: 3 * 24 * time.Hour, Priority: 100,
		},
		source: "oracle", plainNames: true, systemArches: true,
		files:    []string{"com.oracle.elsa-all.xml.bz2"},
		platform: numbered("ol", "Oracle Linux ", false),
	}}
}

// AlmaLinux is AlmaLinux's OVAL, one file for each release.
func AlmaLinux() feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: "almalinux-oval", Publisher: "AlmaLinux", Describes: "AlmaLinux errata (ALSA), as OVAL",
			URL: "https://security.almalinux.org/oval/", Streams: []string{"almalinux:*"}, Licence: "MIT",
			Off:   "osv-almalinux has the same advisories",
			Fresh: 3 * 24 * time.Hour, Priority: 80,
		},
		source: "almalinux", plainNames: true,
		files:    []string{"org.almalinux.alsa-8.xml.bz2", "org.almalinux.alsa-9.xml.bz2", "org.almalinux.alsa-10.xml.bz2"},
		platform: numbered("almalinux", "AlmaLinux ", false),
	}}
}

// AzureLinux is Microsoft's OVAL for Azure Linux 3. It speaks of source
// packages, one definition for each CVE and package.
func AzureLinux() feed.Source {
	return azure("azurelinux", "Azure Linux", "azurelinux-3.0-oval.xml")
}

// Mariner is the same for CBL-Mariner, as Azure Linux was called before.
func Mariner() feed.Source {
	return azure("mariner", "CBL-Mariner", "cbl-mariner-1.0-oval.xml", "cbl-mariner-2.0-oval.xml")
}

func azure(id, product string, files ...string) feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: id, Publisher: "Microsoft", Describes: product + ": vulnerabilities by source package",
			URL: "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main/", Streams: []string{id + ":*"}, Licence: "MIT",
			Fresh: 3 * 24 * time.Hour, Priority: 100,
		},
		source: "microsoft", names: advisory.Source, aboutPackages: true,
		perCVE:   func(*definition) bool { return true },
		files:    files,
		platform: func(string) (string, bool) { return "", false },
		streams: func(doc *document) ([]string, error) {
			return azureStreams(id, product, doc)
		},
		claim: func(t *table, d *definition, c *claim) {
			switch d.patchable {
			case "true":
			case "Not Applicable":
				c.status = t.put(string(advisory.StatusNotAffected))
				c.note = t.put("no longer applicable, or never was")
			}
			if d.patchable == "true" && !d.issued.IsZero() {
				c.day = int32(d.issued.Unix() / 86400)
			}
			if d.severity != "" {
				c.level = t.put(d.severity)
			}
		},
	}}
}

// azureStreams tells the release of a file, whose definitions name only the
// product, by the tag that versions end with: "cm2", "azl3".
func azureStreams(id, product string, doc *document) ([]string, error) {
	for _, d := range doc.definitions {
		if !slices.Contains(d.platforms, product) {
			return nil, nil
		}
	}
	tags := map[string]int{}
	for _, s := range doc.states {
		evr := doc.get(s.evr)
		tags[evr[strings.LastIndexByte(evr, '.')+1:]]++
	}
	best := ""
	for tag, n := range tags {
		if n > tags[best] || n == tags[best] && tag < best {
			best = tag
		}
	}
	for _, p := range []string{"cm", "azl"} {
		if rest, ok := strings.CutPrefix(best, p); ok && rest != "" && leading(rest, false) == rest {
			return []string{id + ":" + rest + ".0"}, nil
		}
	}
	return nil, fmt.Errorf("its versions do not tell the release of %s", product)
}

// Photon is VMware's OVAL for Photon OS, one file for each release. Several of
// its definitions share an advisory and differ in package and CVEs, so records
// are made by CVE.
func Photon() feed.Source {
	return &source{publisher{
		info: feed.Info{
			Name: "photon-oval", Publisher: "VMware", Describes: "Photon OS security advisories (PHSA)",
			URL: "https://packages.broadcom.com/photon/photon_oval_definitions/", Streams: []string{"photon:*"}, Licence: "Photon OS is Apache-2.0; the data names no licence",
			Fresh: 7 * 24 * time.Hour, Priority: 100,
		},
		source: "photon", plainNames: true, aboutPackages: true,
		perCVE: func(*definition) bool { return true },
		files:  []string{"com.vmware.phsa-photon3.xml.gz", "com.vmware.phsa-photon4.xml.gz", "com.vmware.phsa-photon5.xml.gz"},
		platform: func(product string) (string, bool) {
			s, ok := numbered("photon", "Photon OS ", true)(strings.Replace(product, "Photon OS ", "Photon ", 1))
			if !ok {
				s, ok = numbered("photon", "Photon ", true)(strings.Replace(product, "Photon OS ", "Photon ", 1))
			}
			if ok && !strings.Contains(s, ".") {
				s += ".0" // as os-release has it
			}
			return s, ok
		},
		claim: func(t *table, d *definition, c *claim) {
			// "PHSA:00001:3.0:0036", issued in 2019, is PHSA-2019-3.0-0036.
			if parts := strings.Split(t.get(c.advisory), ":"); len(parts) == 4 && !d.issued.IsZero() {
				c.advisory = t.put(parts[0] + "-" + d.issued.Format("2006") + "-" + parts[2] + "-" + parts[3])
			}
			if d.severity != "" {
				c.level = t.put(d.severity)
			}
		},
	}}
}

// numbered reads a product that is a fixed text and a number.
func numbered(id, prefix string, minor bool) func(string) (string, bool) {
	return func(product string) (string, bool) {
		rest, ok := strings.CutPrefix(product, prefix)
		n := leading(rest, minor)
		return id + ":" + n, ok && n != ""
	}
}

// repository gives the CPE that stands for a definition's list: the most
// general one, an operating system before an application.
func repository(cpes []string) string {
	best := ""
	for _, c := range cpes {
		if best == "" || cmp.Or(
			-cmp.Compare(b2i(strings.HasPrefix(c, "cpe:/o:")), b2i(strings.HasPrefix(best, "cpe:/o:"))),
			cmp.Compare(len(c), len(best)), strings.Compare(c, best)) < 0 {
			best = c
		}
	}
	return best
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// settleRedHat applies what Red Hat says of components without a fix.
func settleRedHat(t *table, d *definition, claims []claim) {
	if len(d.resolutions) == 0 {
		return
	}
	states := map[string]string{}
	for _, r := range d.resolutions {
		for _, c := range r.components {
			states[c] = r.state // "tar", "maven:3.6/guava"
		}
	}
	for i := range claims {
		c := &claims[i]
		if c.fixed != 0 || c.status != 0 {
			continue
		}
		word, ok := states[t.get(c.name)]
		if c.module != 0 {
			word, ok = states[t.get(c.module)+"/"+t.get(c.name)]
		}
		if !ok && len(d.resolutions) == 1 {
			word = d.resolutions[0].state
		}
		status, state := resolutionOf(word)
		c.status, c.state = t.put(string(status)), t.put(string(state))
		if word != "Affected" {
			c.note = t.put(word)
		}
	}
}

func resolutionOf(word string) (advisory.Status, advisory.FixState) {
	switch strings.ToLower(word) {
	case "will not fix":
		return advisory.StatusAffected, advisory.WontFix
	case "fix deferred":
		return advisory.StatusAffected, advisory.Deferred
	case "out of support scope":
		return advisory.StatusAffected, advisory.EndOfLife
	case "under investigation":
		return advisory.StatusInvestigating, advisory.FixUnknown
	case "not affected":
		return advisory.StatusNotAffected, advisory.FixUnknown
	}
	return advisory.StatusAffected, advisory.NotFixed
}
