package match

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

const imageDigest = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func vexScan() *Scan {
	return &Scan{
		Image: &inventory.Image{Reference: "ghcr.io/Org/app:1.2", Digest: imageDigest, Packages: []inventory.Package{
			{Type: "pypi", Name: "PyYAML", Version: "5.3"},
			{Type: "deb", Name: "libssl3", Namespace: "debian", Version: "3.0.9-1", Arch: "amd64", Distro: "debian:12", Source: "openssl"},
			{Type: "npm", Namespace: "@babel", Name: "core", Version: "7.0.0"},
		}},
		Findings: []Finding{
			{ID: "CVE-2026-0001", Aliases: []string{"GHSA-1"}, Package: 0},
			{ID: "CVE-2026-0002", Package: 1},
			{ID: "CVE-2026-0001", Package: 2},
		},
	}
}

func TestStatements(t *testing.T) {
	st := func(id, status string, products []string, parts ...string) advisory.Statement {
		return advisory.Statement{Vulnerability: id, Status: status, Products: products, Subcomponents: parts, Justification: "because", Author: "me"}
	}
	one := func(s string) []string { return []string{s} }
	tests := []struct {
		name string
		st   advisory.Statement
		want string // of each finding: "s" suppressed, "-" not
		why  string
	}{
		{"by package URL", st("CVE-2026-0001", "not_affected", one("pkg:pypi/pyyaml@5.3")), "s--", "1 finding"},
		{"as its metadata writes it", st("CVE-2026-0001", "not_affected", one("pkg:pypi/PyYAML@5.3")), "s--", ""},
		{"by alias", st("GHSA-1", "fixed", one("pkg:pypi/pyyaml")), "s--", ""},
		{"by alias of the statement", advisory.Statement{Vulnerability: "X", Aliases: one("CVE-2026-0002"), Status: "fixed", Products: one("pkg:deb/debian/libssl3")}, "-s-", ""},
		{"of another version", st("CVE-2026-0001", "not_affected", one("pkg:pypi/pyyaml@5.4")), "---", "in none of the products"},
		{"of an unknown vulnerability", st("CVE-2026-9999", "not_affected", one("pkg:pypi/pyyaml")), "---", "was not found"},
		{"a scope", st("CVE-2026-0001", "not_affected", one("pkg:npm/%40babel/core@7.0.0")), "--s", ""},
		{"another scope", st("CVE-2026-0001", "not_affected", one("pkg:npm/%40other/core@7.0.0")), "---", ""},
		{"no scope", st("CVE-2026-0001", "not_affected", one("pkg:npm/core@7.0.0")), "--s", ""},
		{"the source package", st("CVE-2026-0002", "not_affected", one("pkg:deb/debian/openssl@3.0.9-1?arch=source")), "-s-", ""},
		{"another source package", st("CVE-2026-0002", "not_affected", one("pkg:deb/debian/curl?arch=source")), "---", ""},
		{"its architecture", st("CVE-2026-0002", "not_affected", one("pkg:deb/debian/libssl3@3.0.9-1?arch=amd64")), "-s-", ""},
		{"another architecture", st("CVE-2026-0002", "not_affected", one("pkg:deb/debian/libssl3@3.0.9-1?arch=arm64")), "---", ""},
		{"another release", st("CVE-2026-0002", "not_affected", one("pkg:deb/debian/libssl3@3.0.9-1?distro=debian-11")), "---", ""},
		{"the image", st("CVE-2026-0001", "not_affected", one("ghcr.io/Org/app:1.2")), "s-s", "2 findings"},
		{"its digest", st("CVE-2026-0001", "not_affected", one(imageDigest)), "s-s", ""},
		{"the image by digest", st("CVE-2026-0001", "not_affected", one("pkg:oci/app@sha256%3A"+imageDigest[7:])), "s-s", ""},
		{"another digest", st("CVE-2026-0001", "not_affected", one("pkg:oci/app@sha256%3A"+strings.Repeat("0", 64))), "---", ""},
		{"the image by name", st("CVE-2026-0001", "not_affected", one("pkg:oci/app?repository_url=ghcr.io/org")), "s-s", ""},
		{"the image by name and place", st("CVE-2026-0001", "not_affected", one("pkg:oci/app?repository_url=ghcr.io/org/app")), "s-s", ""},
		{"an image of that name elsewhere", st("CVE-2026-0001", "not_affected", one("pkg:oci/app?repository_url=quay.io/other")), "---", ""},
		{"another tag", st("CVE-2026-0001", "not_affected", one("pkg:oci/app?tag=1.3")), "---", ""},
		{"a part of the image", st("CVE-2026-0001", "not_affected", one("ghcr.io/Org/app:1.2"), "pkg:npm/%40babel/core"), "--s", ""},
		{"a part that is not there", st("CVE-2026-0001", "not_affected", one("ghcr.io/Org/app:1.2"), "pkg:npm/lodash"), "---", ""},
		{"affected changes nothing", st("CVE-2026-0001", "affected", one("ghcr.io/Org/app:1.2")), "---", "affected: 2"},
		{"no product", st("CVE-2026-0001", "not_affected", one("")), "---", ""},
		{"broken", st("CVE-2026-0001", "not_affected", one("pkg:")), "---", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := vexScan()
			ApplyStatements(s, []advisory.Statement{tt.st})
			if got := marks(s); got != tt.want {
				t.Errorf("suppressed %s, want %s", got, tt.want)
			}
			if len(s.VEX) != 1 || !strings.Contains(s.VEX[0].Message, tt.why) {
				t.Errorf("result %+v, want %q in it", s.VEX, tt.why)
			}
		})
	}
}

func marks(s *Scan) string {
	out := ""
	for _, f := range s.Findings {
		if f.Suppressed != "" {
			out += "s"
		} else {
			out += "-"
		}
	}
	return out
}

func TestTheNewestStatementCounts(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }
	no := advisory.Statement{Vulnerability: "CVE-2026-0001", Status: "not_affected", Products: []string{"pkg:pypi/pyyaml"}, Time: day(1)}
	yes := no
	yes.Status, yes.Time = "affected", day(2)
	for _, order := range [][]advisory.Statement{{no, yes}, {yes, no}} {
		s := vexScan()
		ApplyStatements(s, order)
		if marks(s) != "---" {
			t.Errorf("an older statement counts: %s", marks(s))
		}
	}
	yes.Time = day(0)
	s := vexScan()
	s.Findings[2].Suppressed = "owned"
	yes.Products = append(yes.Products, "pkg:npm/%40babel/core")
	ApplyStatements(s, []advisory.Statement{no, yes})
	if marks(s) != "s-s" || s.Findings[2].Suppressed != "owned" {
		t.Errorf("a statement lifted what it did not suppress: %+v", s.Findings)
	}
}

func BenchmarkStatements(b *testing.B) {
	s := vexScan()
	s.Findings = nil
	var sts []advisory.Statement
	for i := range 10000 {
		id := fmt.Sprintf("CVE-2026-%05d", i)
		s.Findings = append(s.Findings, Finding{ID: id, Package: i % 3})
		sts = append(sts, advisory.Statement{Vulnerability: id, Status: "not_affected", Products: []string{"pkg:pypi/pyyaml"}})
	}
	for b.Loop() {
		s.VEX = nil
		ApplyStatements(s, sts)
	}
}
