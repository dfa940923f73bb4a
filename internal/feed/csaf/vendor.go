package csaf

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// vendor is what differs from one publisher's documents to another's.
type vendor struct {
	source    string // of severities
	publisher string // document.publisher.name or namespace contains it
	// ours tells by the document's identifier whether it is of this feed.
	ours func(id string) bool
	// stream gives the key stream of a platform, and the repository that
	// claims are about; ok is false for a platform that is no distribution.
	stream func(p *product) (stream, repository string, ok bool)
	// component reads a part that has no package URL. versioned: the status
	// is one of a certain version. ok is false for what is no rpm package.
	component func(p *product, versioned bool) (c component, ok bool)
	// advisoryOf finds the advisory in the address of a fix.
	advisoryOf func(url string) string
}

func redhatVendor(ours func(string) bool) vendor {
	return vendor{
		source: "redhat", publisher: "redhat.com", ours: ours,
		stream: redhatStream, component: redhatComponent, advisoryOf: lastPart("RHSA-", "RHBA-", "RHEA-"),
	}
}

// redhatStream reads the CPE of a product. The extended lines of RHEL (EUS, AUS,
// E4S …) and the products on top of it have its streams; their CPE, in
// repository, says that they are something else.
func redhatStream(p *product) (stream, repository string, ok bool) {
	repository = p.Helper.CPE
	part, ok := strings.CutPrefix(repository, "cpe:/")
	if !ok {
		return "", "", false
	}
	f := strings.Split(part, ":")
	if len(f) < 4 || f[1] != "redhat" {
		return "", "", false
	}
	// "…::el8": what it is built for.
	for i := len(f) - 1; i >= 4; i-- {
		if n, ok := strings.CutPrefix(f[i], "el"); ok && number(n) == n && n != "" {
			return "rhel:" + n, repository, true
		}
	}
	switch name := f[2]; {
	case name == "enterprise_linux", name == "rhel_eus", name == "rhel_aus", name == "rhel_tus", name == "rhel_e4s", name == "rhel_els",
		name == "rhel_eus_long_life", name == "rhel_mission_critical", name == "rhel_cluster", name == "rhel_cluster_storage",
		name == "rhel_productivity", name == "rhel_virtualization", name == "rhel_extras", strings.HasPrefix(name, "rhel_extras_"):
		n := number(f[3])
		return "rhel:" + n, repository, n != ""
	}
	return "", "", false
}

// number gives the digits that s begins with.
func number(s string) string {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// redhatComponent reads the names of older documents: "telnet-1:0.17-65.el7_6.src"
// for what is fixed; else "firefox" or, in a module, "log4j:2/log4j", which
// are source packages. "rhel8/nodejs-16" is a container image.
func redhatComponent(p *product, versioned bool) (component, bool) {
	if versioned {
		return fromNEVRA(p.ID)
	}
	name := p.Name
	c := component{name: name, arch: "src"}
	if module, rest, ok := strings.Cut(name, "/"); ok {
		if c.module = moduleOf(module); c.module == "" || c.module != module {
			return c, false
		}
		c.name = rest
	}
	if c.name == "" || strings.ContainsAny(c.name, " :/@") {
		return c, false
	}
	return c, true
}

func suseVendor(ours func(string) bool) vendor {
	return vendor{
		source: "suse", publisher: "suse", ours: ours,
		stream: func(p *product) (string, string, bool) {
			s, ok := suseStream(p.Name)
			return s, "", ok
		},
		component: func(p *product, versioned bool) (component, bool) {
			if versioned {
				return fromNEVRA(p.ID)
			}
			c := component{name: p.ID}
			return c, c.name != "" && !strings.ContainsAny(c.name, " :/@")
		},
		advisoryOf: func(string) string { return "" },
	}
}

// suseStream gives the stream of a product. Modules, extensions and the
// variants of SUSE Linux Enterprise have their packages in common with the
// server of the same service pack, whose stream they get; SUSE's other
// products have none.
func suseStream(product string) (string, bool) {
	if name, ok := strings.CutPrefix(product, "openSUSE "); ok {
		if strings.HasPrefix(name, "Tumbleweed") {
			return "opensuse-tumbleweed", true
		}
		id := "opensuse-leap:"
		if rest, ok := strings.CutPrefix(name, "Leap Micro "); ok {
			id, name = "opensuse-leap-micro:", rest
		}
		v := strings.TrimPrefix(name, "Leap ")
		if v, _, _ = strings.Cut(v, " "); number(v) == "" {
			return "", false
		}
		return id + v, true
	}
	name, ok := strings.CutPrefix(product, "SUSE ")
	if !ok || strings.HasPrefix(name, "Linux Enterprise Storage ") {
		return "", false
	}
	if rest, ok := strings.CutPrefix(name, "Linux Micro "); ok {
		v, _, _ := strings.Cut(rest, " ")
		return "sle-micro:" + v, number(v) != ""
	}
	if rest, ok := strings.CutPrefix(name, "Package Hub "); ok {
		name = "Linux Enterprise Package Hub " + rest
	}
	stream, _, ok := advisory.OSVStream("SUSE:" + name)
	return stream, ok
}

func openEulerVendor() vendor {
	return vendor{
		source: "openeuler", publisher: "openeuler", ours: func(string) bool { return true },
		stream: func(p *product) (string, string, bool) {
			s, ok := openEulerStream(p.ID)
			return s, "", ok
		},
		component: func(p *product, versioned bool) (component, bool) {
			return fromNEVRA(p.ID)
		},
		advisoryOf: func(url string) string {
			_, id, _ := strings.Cut(url, "id=")
			return id
		},
	}
}

// openEulerStream reads "openEuler-22.03-LTS-SP3".
func openEulerStream(product string) (string, bool) {
	release, ok := strings.CutPrefix(product, "openEuler-")
	if !ok || number(release) == "" {
		return "", false
	}
	stream, _, ok := advisory.OSVStream("openEuler:" + release)
	return stream, ok
}

// lastPart finds an identifier at the end of an address.
func lastPart(prefixes ...string) func(string) string {
	return func(url string) string {
		id := url[strings.LastIndexByte(url, '/')+1:]
		for _, p := range prefixes {
			if strings.HasPrefix(id, p) {
				return id
			}
		}
		return ""
	}
}
