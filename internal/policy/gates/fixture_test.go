package gates

import (
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

const dockerText = `# a comment
FROM debian:12 AS build
RUN apt-get update && \
    apt-get install -y curl
EXPOSE 22 8080/tcp 53/udp 9000-9010
USER [app]
LABEL a=b
user nobody
USER root
`

const passwdText = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin

games:x:5:60:games:/usr/games:/usr/sbin/nologin
games:x:6:61:games:/usr/games:/bin/sh
short:x:7
`

func fact(t testing.TB, kind, path string, v any) inventory.Fact {
	t.Helper()
	f, err := policy.NewFact(kind, path, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func table(files ...inventory.File) *inventory.Table {
	var b inventory.Builder
	for _, f := range files {
		b.Add(f)
	}
	return b.Table()
}

// image is a Debian image with packages of five ecosystems. The versions and
// paths are those of real packages.
func image(t testing.TB) *inventory.Image {
	sum := [32]byte{0xab, 0xcd}
	return &inventory.Image{
		Reference: "registry.example.com:5000/prod/app:v1.2", Digest: "sha256:d1", ConfigDigest: "sha256:c1",
		Config: inventory.Config{OS: "linux", Architecture: "amd64"},
		Layers: []inventory.LayerInfo{{DiffID: "sha256:l0", Size: 700 << 20}, {DiffID: "sha256:l1", Size: 100 << 20}, {DiffID: "sha256:l2"}, {DiffID: "sha256:l3"}, {DiffID: "sha256:l4"}},
		Distro: &inventory.Distro{Path: "etc/os-release", ID: "debian", Version: "12", IDLike: []string{"debian", "linux"}},
		Packages: []inventory.Package{
			{Type: "deb", Name: "openssl", Version: "3.0.11-1~deb12u2", Path: "var/lib/dpkg/status", Licenses: []inventory.License{{Expression: "OpenSSL", Raw: "OpenSSL GPL-2"}}},
			{Type: "deb", Name: "zlib1g", Version: "1:1.2.13.dfsg-1", Path: "var/lib/dpkg/status", Licenses: []inventory.License{{Expression: "Zlib"}}},
			{Type: "gem", Name: "rake", Version: "13.0.6", Path: "usr/lib/ruby/gems/3.1.0/specifications/rake-13.0.6.gemspec", Licenses: []inventory.License{{Expression: "MIT"}}},
			{Type: "maven", Namespace: "org.apache.logging.log4j", Name: "log4j-core", Version: "2.14.1", Path: "app/app.jar", Inner: "BOOT-INF/lib/log4j-core-2.14.1.jar!META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties",
				Licenses: []inventory.License{{Expression: "AGPL-3.0-only OR SSPL-1.0"}}},
			{Type: "npm", Name: "minimist", Version: "1.2.5", Path: "usr/lib/node_modules/minimist/package.json", Layer: 1},
			{Type: "pypi", Name: "requests", Version: "2.25.1", Path: "usr/lib/python3/dist-packages/requests-2.25.1.dist-info/METADATA"},
		},
		Binaries: []inventory.Binary{{Path: "usr/local/bin/tool", Size: 5000, BuildID: "b1", Layer: 1}, {Path: "usr/local/bin/node", Size: 9000, Products: []inventory.Package{{Name: "node"}}}},
		Coverage: inventory.Coverage{Executables: 10, Bytes: 1000, AttributedFiles: 9, AttributedBytes: 900},
		Files: table(
			inventory.File{Path: "app", Type: inventory.Directory, Perm: 0o755},
			inventory.File{Path: "app/app.jar", Perm: 0o644, UID: 1000, GID: 1000, Layer: 1},
			inventory.File{Path: "etc", Type: inventory.Directory, Perm: 0o755},
			inventory.File{Path: "etc/passwd", Perm: 0o644},
			inventory.File{Path: "etc/shadow", Perm: 0o644, Size: 5, SHA256: sum},
			inventory.File{Path: "tmp", Type: inventory.Directory, Perm: 0o1777},
			inventory.File{Path: "usr/bin/su", Perm: 0o4755},
			inventory.File{Path: "usr/bin/link", Type: inventory.Symlink, Perm: 0o777, Link: "su"},
			inventory.File{Path: "var/open", Perm: 0o666},
		),
		Facts: []inventory.Fact{
			fact(t, policy.FactSecretMatch, "root/.ssh/id_rsa", policy.ContentMatch{Name: "PRIV_KEY", Expression: "(?i)-+BEGIN.*PRIVATE KEY-+", Lines: []int{0}}),
			fact(t, policy.FactSecretMatch, "etc/aws", policy.ContentMatch{Name: "AWS_ACCESS_KEY", Expression: "(?i).*aws", Lines: []int{3}}),
			fact(t, policy.FactContentMatch, "app/readme", policy.ContentMatch{Name: "CONTACT", Expression: ".*@example.com"}),
			fact(t, policy.FactContentMatch, "app/other", policy.ContentMatch{Expression: "^TODO"}),
			fact(t, policy.FactRetrievedFile, "etc/passwd", policy.RetrievedFile{Content: []byte(passwdText)}),
			fact(t, policy.FactRetrievedFile, "etc/httpd.conf", policy.RetrievedFile{Content: []byte("SSLEngine on\n  Listen 80")}),
			fact(t, policy.FactMalware, "tmp/eicar.com", policy.Malware{Scanner: "clamav", Signature: "Eicar-Test-Signature"}),
			fact(t, policy.FactMalwareScan, "", policy.MalwareScan{Scanner: "clamav", Completed: true}),
			fact(t, policy.FactPackageFile, "usr/bin/openssl", policy.PackageFile{Package: "openssl", Status: "changed"}),
			fact(t, policy.FactPackageFile, "etc/ssl/openssl.cnf", policy.PackageFile{Package: "openssl", Status: "changed", Config: true}),
			fact(t, policy.FactPackageFile, "usr/lib/libz.so.1", policy.PackageFile{Package: "zlib1g", Status: "missing"}),
			fact(t, policy.FactAccountFile, "etc/passwd", policy.AccountFile{Database: "passwd", Findings: []policy.AccountFinding{{Kind: "uid-0", Name: "toor", Line: 4}, {Kind: "duplicate-gid", Name: "x"}}}),
			fact(t, policy.FactSecret, "app/.env", policy.Secret{Rule: "stripe-key", Line: 3, Confidence: 0.9, Validity: "valid"}),
			fact(t, policy.FactMisconfigured, "etc/ssh/sshd_config", policy.Misconfiguration{ID: "TW-SSH-001", Title: "root may log in", Severity: "high", Line: 12, Remedy: "PermitRootLogin no"}),
		},
	}
}

// subject is the fixture with everything a gate may look at.
func subject(t testing.TB) *policy.Subject {
	img := image(t)
	vector := "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" // 7.5: exploitability 3.9, impact 3.6
	scan := &match.Scan{Image: img, At: now, Generation: 7,
		Findings: []match.Finding{
			{ID: "CVE-2024-0001", Package: 0, Severity: advisory.High, URL: "https://security-tracker.debian.org/tracker/CVE-2024-0001", Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"3.0.13-1~deb12u1"}, Date: now.Add(-days(20))},
				Scores:    []advisory.Severity{{Source: "nvd", Type: "CVSS_V3", Vector: vector, Score: 7.5}, {Source: "debian", Type: "CVSS_V3", Vector: vector, Score: 5.5}},
				Exploited: &advisory.Exploited{ID: "CVE-2024-0001", Ransomware: true}, EPSS: &advisory.EPSS{Score: 0.9, Percentile: 0.99}},
			{ID: "CVE-2023-45853", Package: 1, Severity: advisory.Critical, Fix: advisory.Fix{State: advisory.WontFix}},
			{ID: "CVE-2021-44228", Aliases: []string{"GHSA-jfh8-c2jp-5v3q"}, Package: 3, Severity: advisory.Critical, URL: "https://u", Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"2.15.0", "2.12.2"}}},
			{ID: "CVE-2021-44906", Package: 4, Severity: advisory.Medium, URL: "https://m"},
			{ID: "MAL-2025-1", Package: 5, Severity: advisory.Unknown, URL: "https://mal"},
			{ID: "CVE-2000-0001", Package: 2, Severity: advisory.Critical, Suppressed: "VEX not_affected"},
		},
		Feeds:  []match.FeedState{{Source: "debian", Records: 100, Checked: now.Add(-days(5))}, {Source: "nvd", Records: 5, Checked: now, Stale: true}},
		Distro: match.DistroState{Stream: "debian:12", EOL: now.Add(days(60))},
		States: nil,
	}
	return &policy.Subject{Image: img, Scan: scan, Tag: "registry.example.com:5000/prod/app:v1.2", Now: now,
		Dockerfile: policy.Dockerfile{Mode: policy.ModeActual, Text: dockerText},
		Detected:   map[policy.FindingKey]time.Time{{Vulnerability: "CVE-2024-0001", Package: img.Packages[0].ID()}: now.Add(-days(30))},
		PackageFeeds: map[string]*policy.PackageFeed{
			"npm": {Synced: now, Packages: map[string]policy.FeedPackage{"minimist": {Latest: "1.2.8", Versions: []string{"1.2.5", "1.2.8"}}}},
			"gem": {Synced: now, Packages: map[string]policy.FeedPackage{"rake": {Latest: "13.1.0", Versions: []string{"13.1.0"}}}},
		},
		Cycles:    map[int]policy.Cycle{0: {Product: "openssl", Name: "3.0", EOL: now.Add(days(30))}},
		Ancestors: []policy.Ancestor{{Digest: "sha256:base", Tags: []string{"docker.io/library/debian:12"}}},
		Base: &inventory.Image{Packages: []inventory.Package{{Type: "deb", Name: "openssl", Version: "3.0.9-1"}, {Type: "deb", Name: "tar", Version: "1.34"}},
			Files: table(inventory.File{Path: "usr/bin/passwd", Perm: 0o4755}, inventory.File{Path: "usr/bin/su", Perm: 0o4711})},
		Previous: &inventory.Image{Packages: []inventory.Package{{Type: "deb", Name: "openssl", Version: "3.0.9-1"}, {Type: "deb", Name: "tar", Version: "1.34"}, {Type: "gem", Name: "rake", Version: "13.0.6"}}},
		Sources:  []policy.Source{{Name: "git", Packages: []inventory.Package{{Type: "npm", Name: "minimist", Version: "1.2.8"}, {Type: "npm", Name: "left-pad", Version: "1.3.0"}}}},
	}
}
