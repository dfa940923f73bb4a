package updateinfo

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// publishers are the sources of this package.
func publishers() []*publisher {
	none := func(*update, rpm) string { return "" }
	return []*publisher{
		{
			info: feed.Info{
				Name: "amazon", Publisher: "Amazon", Describes: "advisories of Amazon Linux 1, 2 with its extras, and 2023",
				URL: "https://cdn.amazonlinux.com/", Streams: []string{"amzn:*"}, Licence: "not stated", Fresh: 2 * day, Priority: 100,
			},
			vendor: "amazon", prefixes: []string{"ALAS"}, streams: amazonStream, from: extrasFrom, page: amazonPage, get: (*network).amazon,
		},
		{
			info: feed.Info{
				Name: "almalinux-errata", Publisher: "AlmaLinux", Describes: "errata of AlmaLinux",
				URL: "https://errata.almalinux.org/", Streams: []string{"almalinux:*"}, Licence: "not stated", Fresh: 2 * day, Priority: 95,
			},
			vendor: "almalinux", prefixes: []string{"ALSA-", "ALBA-", "ALEA-"}, streams: enterprise("almalinux"), from: none,
			page: almaPage, get: (*network).almalinux,
		},
		{
			info: feed.Info{
				Name: "rocky-errata", Publisher: "Rocky Linux", Describes: "errata of Rocky Linux",
				URL: "https://dl.rockylinux.org/pub/rocky/", Streams: []string{"rocky:*"}, Licence: "not stated", Fresh: 2 * day, Priority: 95,
			},
			vendor: "rocky", prefixes: []string{"RLSA-", "RLBA-", "RLEA-", "RXSA-"}, streams: enterprise("rocky"), from: none,
			page: func(id, _ string) string { return "https://errata.rockylinux.org/" + id }, get: (*network).rocky,
		},
		{
			info: feed.Info{
				Name: "fedora", Publisher: "Fedora", Describes: "updates of Fedora",
				URL: "https://dl.fedoraproject.org/pub/fedora/linux/updates/", Streams: []string{"fedora:*"}, Licence: "not stated", Fresh: 2 * day, Priority: 100,
			},
			vendor: "fedora", prefixes: []string{"FEDORA-"}, others: []string{"FEDORA-EPEL-", "FEDORA-FLATPAK-", "FEDORA-CONTAINER-"}, streams: fedoraStream, from: none,
			page: bodhiPage, get: (*network).fedora,
		},
		{
			info: feed.Info{
				Name: "epel", Publisher: "Fedora", Describes: "updates of EPEL, for Red Hat Enterprise Linux and its rebuilds",
				URL: "https://dl.fedoraproject.org/pub/epel/", Streams: []string{"rhel:*", "rocky:*", "almalinux:*", "ol:*"}, Licence: "not stated", Fresh: 2 * day, Priority: 60,
				Off: "it speaks of the packages of EPEL only: alone it would make these distributions look as if they were known",
			},
			vendor: "fedora", prefixes: []string{"FEDORA-EPEL-"}, others: []string{"FEDORA-"}, streams: epelStreams, from: none, page: bodhiPage, get: (*network).epel,
		},
		{
			info: feed.Info{
				Name: "bottlerocket", Publisher: "Bottlerocket", Describes: "advisories of Bottlerocket",
				URL: "https://advisories.bottlerocket.aws/updateinfo.xml.gz", Streams: []string{"bottlerocket"}, Licence: "not stated", Fresh: 7 * day, Priority: 100,
			},
			vendor: "bottlerocket", prefixes: []string{"BRSA-", "GHSA-", "CVE-"}, streams: func(*update, rpm) []string { return []string{"bottlerocket"} }, from: none,
			page: func(_, _ string) string { return "" }, get: (*network).direct,
		},
	}
}

func stream(id, version string) []string {
	if s, ok := advisory.DistroStream(id, version, ""); ok {
		return []string{s}
	}
	return nil
}

// digits returns the number that s begins with.
func digits(s string) string {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n]
}

// amazonStream goes by the name of the collection ("amazon-linux-2---docker"),
// or else by the identifier: ALAS-…, ALAS2-…, ALAS2DOCKER-…, ALAS2023-….
func amazonStream(u *update, p rpm) []string {
	if rest, ok := strings.CutPrefix(p.Collection, "amazon-linux-"); ok {
		if n := digits(rest); n != "" {
			return stream("amzn", n)
		}
		if strings.HasPrefix(rest, "ami") {
			return stream("amzn", "1")
		}
	}
	n, _ := cutALAS(u.ID)
	return stream("amzn", n)
}

// cutALAS takes "ALAS2KERNEL-5.15-2022-001" apart: version 2, topic KERNEL-5.15.
func cutALAS(id string) (number, topic string) {
	rest := strings.TrimPrefix(id, "ALAS")
	for _, n := range []string{"2022", "2023", "2"} {
		if after, ok := strings.CutPrefix(rest, n); ok {
			number, rest = n, after
			break
		}
	}
	if number == "" {
		number = "1"
	}
	parts := strings.Split(rest, "-")
	if len(parts) < 3 {
		return number, ""
	}
	return number, strings.Join(parts[:len(parts)-2], "-")
}

// extrasFrom is the lower bound of what an advisory of the extras of Amazon
// Linux 2 is about. A topic such as "kernel-5.15" or "php8.2" has packages of
// the names that the core and other topics have, too, at other versions, and an
// installed package does not say where it came from: so the topic's number is
// taken for the first version, where the package's begins with it.
func extrasFrom(u *update, p rpm) string {
	number, topic := cutALAS(u.ID)
	if number != "2" || topic == "" {
		return ""
	}
	i := len(topic)
	for i > 0 && ('0' <= topic[i-1] && topic[i-1] <= '9' || topic[i-1] == '.') {
		i--
	}
	n := strings.Trim(topic[i:], ".")
	if n == "" || p.Version != n && !strings.HasPrefix(p.Version, n+".") {
		return ""
	}
	if p.Epoch != "" && p.Epoch != "0" {
		n = p.Epoch + ":" + n
	}
	return n
}

func amazonPage(id, _ string) string {
	number, _ := cutALAS(id)
	const base = "https://alas.aws.amazon.com/"
	if number == "1" {
		return base + id + ".html"
	}
	return base + "AL" + number + "/ALAS" + strings.TrimPrefix(id, "ALAS"+number) + ".html"
}

func bodhiPage(id, _ string) string { return "https://bodhi.fedoraproject.org/updates/" + id }

func almaPage(id, stream string) string {
	release, ok := strings.CutPrefix(stream, "almalinux:")
	if !ok {
		return ""
	}
	return "https://errata.almalinux.org/" + release + "/" + strings.Replace(id, ":", "-", 1) + ".html"
}

// enterprise goes by the release of the package ("8.el8_4", "1.module+el8.5.0"),
// or else by the name of the collection or product.
func enterprise(id string) func(*update, rpm) []string {
	return func(u *update, p rpm) []string {
		if n := elOf(p.Release); n != "" {
			return stream(id, n)
		}
		for _, s := range []string{p.Collection, u.Release} {
			if i := strings.IndexAny(s, "0123456789"); i >= 0 {
				return stream(id, digits(s[i:]))
			}
		}
		return nil
	}
}

// elOf finds the 8 in "8.el8_4" and "1.module+el8.5.0+2632".
func elOf(release string) string {
	for i := 0; i+3 < len(release); i++ {
		if (release[i] == '.' || release[i] == '_' || release[i] == '+') && release[i+1:i+3] == "el" {
			if n := digits(release[i+3:]); n != "" {
				return n
			}
		}
	}
	return ""
}

// fedoraStream reads "Fedora 43", "Fedora 38 Modular", "F43".
func fedoraStream(u *update, p rpm) []string {
	for _, s := range []string{u.Release, p.Collection} {
		rest, ok := strings.CutPrefix(s, "Fedora ")
		if !ok {
			rest, ok = strings.CutPrefix(s, "F")
		}
		if n := digits(rest); ok && n != "" {
			return stream("fedora", n)
		}
	}
	return nil
}

// epelStreams reads "Fedora EPEL 9", "EL-6", "EPEL-7". Its packages lie on Red
// Hat's system and on every rebuild.
func epelStreams(u *update, p rpm) []string {
	for _, s := range []string{u.Release, p.Collection} {
		for _, prefix := range []string{"Fedora EPEL ", "Fedora EPEL-", "EPEL-", "EL-"} {
			rest, ok := strings.CutPrefix(s, prefix)
			n := digits(rest)
			if !ok || n == "" {
				continue
			}
			var out []string
			for _, id := range []string{"almalinux", "ol", "rhel", "rocky"} {
				out = append(out, stream(id, n)...)
			}
			return out
		}
	}
	return nil
}
