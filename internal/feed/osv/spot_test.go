package osv

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// TestRealRecords compares records with what stands in the files, read by eye.
func TestRealRecords(t *testing.T) {
	type iv = advisory.Interval
	key := func(stream, name string) advisory.Key { return advisory.Key{Stream: stream, Name: name} }
	fixed := func(v ...string) advisory.Fix { return advisory.Fix{State: advisory.Fixed, Versions: v} }
	tests := []struct {
		source, dir, id   string
		aliases, upstream string
		url               string
		first             advisory.Affected // of all
		claims            int
		severities        []advisory.Severity
	}{
		{"osv-go", "Go", "GO-2024-3110", "CVE-2024-45310 GHSA-jfvp-7x6p-h2pv", "", "https://pkg.go.dev/vuln/GO-2024-3110", advisory.Affected{
			Key: key("golang", "github.com/opencontainers/runc"), Scheme: "go", Intervals: []iv{{Fixed: "1.1.14"}, {Introduced: "1.2.0-rc.1", Fixed: "1.2.0-rc.3"}}, Fix: fixed("1.1.14", "1.2.0-rc.3"),
		}, 1, nil},
		{"osv-go", "Go", "GO-2023-1840", "CVE-2023-29403", "", "https://pkg.go.dev/vuln/GO-2023-1840", advisory.Affected{
			Key: key("golang", "stdlib"), Scheme: "go", Intervals: []iv{{Fixed: "1.19.10"}, {Introduced: "1.20.0-0", Fixed: "1.20.5"}}, Fix: fixed("1.19.10", "1.20.5"),
		}, 1, nil},
		{"osv-almalinux", "AlmaLinux", "ALSA-2023:1405", "", "CVE-2022-4304 CVE-2022-4450 CVE-2023-0215 CVE-2023-0286", "https://errata.almalinux.org/8/ALSA-2023-1405.html", advisory.Affected{
			Key: key("almalinux:8", "openssl"), Scheme: "rpm", Intervals: []iv{{Fixed: "1:1.1.1k-9.el8_7"}}, Fix: fixed("1:1.1.1k-9.el8_7"),
		}, 4, nil},
		{"osv-crates.io", "crates.io", "RUSTSEC-2023-0039", "CVE-2023-53161 GHSA-29mf-62xx-28jq", "", "https://rustsec.org/advisories/RUSTSEC-2023-0039.html", advisory.Affected{
			// [1.2.0, 1.2.0) is empty
			Key: key("cargo", "buffered-reader"), Scheme: "cargo", Intervals: []iv{{Introduced: "0.0.0-0", Fixed: "1.0.2"}, {Introduced: "1.1.0", Fixed: "1.1.5"}}, Fix: fixed("1.0.2", "1.1.5", "1.2.0"),
		}, 1, nil},
		{"osv-crates.io", "crates.io", "RUSTSEC-2021-0127", "", "", "https://rustsec.org/advisories/RUSTSEC-2021-0127.html", advisory.Affected{
			Key: key("cargo", "serde_cbor"), Scheme: "cargo", Intervals: []iv{{Introduced: "0.0.0-0"}}, Status: advisory.StatusNotAffected, Note: "informational: unmaintained",
		}, 1, nil},
		{"osv-pypi", "PyPI", "PYSEC-2023-72", "CVE-2023-32007", "", "https://osv.dev/vulnerability/PYSEC-2023-72", advisory.Affected{
			// three runs that touch, not in order
			Key: key("pypi", "pyspark"), Scheme: "pep440", Intervals: []iv{{Fixed: "3.1.1"}, {Introduced: "3.2.0", Fixed: "3.2.2"}, {Introduced: "3.1.1", Fixed: "3.2.0"}}, Fix: fixed("3.2.2"),
		}, 1, nil},
		{"osv-rubygems", "RubyGems", "CVE-2012-2660", "", "", "https://nvd.nist.gov/vuln/detail/CVE-2012-2660", advisory.Affected{
			Key: key("gem", "activerecord"), Scheme: "gem", Intervals: []iv{{Fixed: "3.0.13"}, {Introduced: "3.1", Fixed: "3.1.5"}, {Introduced: "3.2", Fixed: "3.2.4"}}, Fix: fixed("3.0.13", "3.1.5", "3.2.4"),
		}, 1, []advisory.Severity{{Source: "rubysec", Type: "CVSS_V2", Score: 7.5, Label: "high"}}},
		{"osv-npm", "npm", "CVE-2012-5881", "", "", "https://nvd.nist.gov/vuln/detail/CVE-2012-5881", advisory.Affected{
			Key: key("npm", "yui2"), Scheme: "npm", Intervals: []iv{{Introduced: "2.4.0"}}, Note: "the upper bound was lost in the source: later versions may not be affected",
		}, 1, []advisory.Severity{{Source: "osv", Type: "LABEL", Label: "medium", Raw: "MODERATE"}}},
		{"osv-maven", "Maven", "GHSA-57m8-f3v5-hm5m", "CVE-2023-4586", "", "https://github.com/advisories/GHSA-57m8-f3v5-hm5m", advisory.Affected{
			Key: key("maven", "io.netty:netty-handler"), Scheme: "maven", Intervals: []iv{{Introduced: "4.1.0.Final", LastAffected: "4.1.99.Final"}},
		}, 1, []advisory.Severity{
			{Source: "github", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N", Score: 5.3, Label: "medium"},
			{Source: "github", Type: "LABEL", Label: "medium", Raw: "MODERATE"},
		}},
		{"osv-wolfi", "Wolfi", "CGA-g2fx-jmhx-gvv4", "", "CVE-2024-24788 GHSA-2jwv-jmq4-4j3r", "https://images.chainguard.dev/security/CGA-g2fx-jmhx-gvv4", advisory.Affected{
			Key: key("wolfi", "spegel"), Names: advisory.Source, Scheme: "apk", Intervals: []iv{{Fixed: "0.0.22-r1"}}, Fix: fixed("0.0.22-r1"),
		}, 1, nil},
		{"osv-wolfi", "Wolfi", "CGA-2267-f6h9-4h4p", "", "CVE-2019-10202 GHSA-c27h-mcmw-48hv", "https://images.chainguard.dev/security/CGA-2267-f6h9-4h4p", advisory.Affected{
			Key: key("wolfi", "spark-3.5"), Names: advisory.Source, Scheme: "apk", Intervals: []iv{{}}, Fix: advisory.Fix{State: advisory.WontFix},
		}, 1, nil},
		{"osv-debian", "Debian", "DSA-5000-1", "", "CVE-2021-35550 CVE-2021-35556 CVE-2021-35559 CVE-2021-35561 CVE-2021-35564 CVE-2021-35565 CVE-2021-35567 CVE-2021-35578 CVE-2021-35586 CVE-2021-35603", "https://security-tracker.debian.org/tracker/DSA-5000-1", advisory.Affected{
			Key: key("debian:11", "openjdk-11"), Names: advisory.Source, Scheme: "deb", Intervals: []iv{{Fixed: "11.0.13+8-1~deb11u1"}}, Fix: fixed("11.0.13+8-1~deb11u1"),
		}, 1, nil},
		{"osv-bitnami", "Bitnami", "BIT-elasticsearch-2026-63136", "CVE-2026-63136", "", "https://osv.dev/vulnerability/BIT-elasticsearch-2026-63136", advisory.Affected{
			// the third run is [9.4.0, 9.3.4)
			Key: key("bitnami", "elasticsearch"), Scheme: "bitnami", Intervals: []iv{{Introduced: "8.0.0", Fixed: "8.19.15"}, {Introduced: "9.0.0", Fixed: "9.2.9"}}, Fix: fixed("8.19.15", "9.2.9", "9.3.4"),
			Severities: []advisory.Severity{{Source: "bitnami", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", Score: 6.5, Label: "medium"}},
			Note:       "its range contradicts itself: 9.3.4 ends nothing, and nothing ends what begins with 9.4.0",
		}, 1, []advisory.Severity{{Source: "bitnami", Type: "LABEL", Label: "medium", Raw: "Medium"}}},
		{"osv-cleanstart", "CleanStart", "CLEANSTART-2026-MS00856", "", "CVE-2026-40217 CVE-2026-44307 CVE-2026-44431 CVE-2026-44432 CVE-2026-45309 CVE-2026-48522 CVE-2026-48523 CVE-2026-48524 CVE-2026-48525 CVE-2026-48526 GHSA-2h4p-vjrc-8xpq GHSA-g794-3fmp-753h GHSA-mf9v-mfxr-j63j GHSA-qccp-gfcp-xxvc GHSA-wxxx-gvqv-xp7p", "https://osv.dev/vulnerability/CLEANSTART-2026-MS00856", advisory.Affected{
			// "Alpine" there; its list of versions holds the fixed one
			Key: key("cleanstart", "airflow-3"), Names: advisory.Either, Scheme: "apk", Intervals: []iv{{Fixed: "3.1.8-r3"}}, Fix: fixed("3.1.8-r3"), Note: "its list of affected versions holds the fixed one, which was left out",
		}, 1, nil},
		{"osv-hackage", "Hackage", "HSEC-2023-0001", "CVE-2022-3433", "", "https://osv.dev/vulnerability/HSEC-2023-0001", advisory.Affected{
			Key: key("hackage", "aeson"), Scheme: "hackage", Intervals: []iv{{Introduced: "0.4.0.0", Fixed: "2.0.1.0"}}, Fix: fixed("2.0.1.0"),
			Severities: []advisory.Severity{{Source: "haskell", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", Score: 6.5, Label: "medium"}},
		}, 1, nil},
		{"osv-drupal", "Packagist-drupal", "DRUPAL-CONTRIB-2025-013", "CVE-2025-31684", "", "https://osv.dev/vulnerability/DRUPAL-CONTRIB-2025-013", advisory.Affected{
			Key: key("composer", "drupal/oauth2_client"), Scheme: "composer", Intervals: []iv{{Fixed: "4.1.3"}}, Fix: fixed("4.1.3"), Repository: "https://packages.drupal.org/8",
		}, 1, nil},
		{"osv-kubernetes", "Kubernetes", "CVE-2020-8559", "", "", "https://www.cve.org/cverecord?id=CVE-2020-8559", advisory.Affected{
			Key: key("kubernetes", "k8s.io/apiserver"), Scheme: "semver", Intervals: []iv{{Fixed: "1.16.13"}, {Introduced: "1.17.0", Fixed: "1.17.9"}, {Introduced: "1.18.0", Fixed: "1.18.6"}}, Fix: fixed("1.16.13", "1.17.9", "1.18.6"),
			Severities: []advisory.Severity{{Source: "kubernetes", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:H/PR:H/UI:R/S:U/C:H/I:H/A:H", Score: 6.4, Label: "medium"}},
		}, 1, nil},
		{"osv-cran", "CRAN", "RSEC-2023-0", "", "", "", advisory.Affected{
			// lists 0.1.0, 0.1.1 and 1.0.0, which its range holds
			Key: key("cran", "readxl"), Scheme: "cran", Intervals: []iv{{Introduced: "0.1.0", Fixed: "1.1.0"}}, Fix: fixed("1.1.0"),
		}, 1, nil},
	}
	read := map[string]map[string]*advisory.Advisory{}
	for _, tt := range tests {
		all := read[tt.dir]
		if all == nil {
			all, _, _ = collect(t, sourceOf(t, tt.source), shared(t, "feeds", "osv", tt.dir, "all.zip"))
			read[tt.dir] = all
		}
		a := all[tt.id]
		if a == nil {
			t.Errorf("%s is not there", tt.id)
			continue
		}
		if got := strings.Join(a.Aliases, " "); got != tt.aliases {
			t.Errorf("%s: aliases %q, want %q", tt.id, got, tt.aliases)
		}
		if got := strings.Join(a.Upstream, " "); got != tt.upstream && tt.url != "" {
			t.Errorf("%s: upstream %q, want %q", tt.id, got, tt.upstream)
		}
		if a.URL != tt.url && tt.url != "" {
			t.Errorf("%s: URL %q, want %q", tt.id, a.URL, tt.url)
		}
		if len(a.Affected) != tt.claims {
			t.Errorf("%s: %d claims, want %d", tt.id, len(a.Affected), tt.claims)
			continue
		}
		if d := cmp.Diff(tt.first, a.Affected[0]); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.id, d)
		}
		if d := cmp.Diff(tt.severities, a.Severities); d != "" {
			t.Errorf("%s: severities (-want +got):\n%s", tt.id, d)
		}
	}

	g := read["Go"]["GO-2023-2385"]
	if want := "in the project's own versions, which are not those of its modules: fixed in 5.0.4-0.20231016150651-428517fef5b9"; g.Affected[1].Note != want || g.Affected[1].Fix.State != advisory.NotFixed {
		t.Errorf("custom ranges: %+v", g.Affected[1])
	}
	if !g.Published.IsZero() || !g.Modified.Equal(time.Date(2025, 8, 18, 13, 21, 40, 0, time.UTC)) {
		t.Errorf("published %v, modified %v; want none, and 2025-08-18T13:21:40Z", g.Published, g.Modified)
	}
	m := read["Maven"]["GHSA-57m8-f3v5-hm5m"]
	if !m.Withdrawn.Equal(time.Date(2023, 11, 1, 17, 54, 21, 0, time.UTC)) || strings.Join(m.CWEs, " ") != "CWE-295" {
		t.Errorf("withdrawn %v, CWEs %v", m.Withdrawn, m.CWEs)
	}
	if l := read["PyPI"]["PYSEC-2022-15"].Affected[0]; l.Status != advisory.StatusUndetermined || l.Note != "it names no versions" {
		t.Errorf("a claim without versions: %+v", l)
	}
}
