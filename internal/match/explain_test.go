package match

import (
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func TestExplain(t *testing.T) {
	const id = "CVE-2026-0001"
	ssl := func(change func(*advisory.Affected)) list {
		a := with(on("debian:12", "openssl", version.Deb, "3.0.0", "3.0.11-1~deb12u2"), func(a *advisory.Affected) { a.Names = advisory.Source })
		if change != nil {
			change(&a)
		}
		return list{says("debian", id, a)}
	}
	debian := &inventory.Distro{ID: "debian", Version: "12"}
	libssl := func(v string) Input {
		return Input{Packages: pkgs(t, "pkg:deb/debian/libssl3@"+v+"?arch=amd64&upstream=openssl"), Distro: debian}
	}
	withdrawn := ssl(nil)
	withdrawn[0].Withdrawn = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name     string
		in       Input
		records  list
		verdict  string
		reason   string
		reported bool
	}{
		{"reported", libssl("3.0.9-1"), ssl(nil), "is reported for 1 of 1", "reported: 3.0.9-1 ≥ 3.0.0; 3.0.9-1 < 3.0.11-1~deb12u2, which is fixed (debian CVE-2026-0001)", true},
		{"fixed", libssl("3.0.11-1"), ssl(nil), "not reported", "not reported: 3.0.11-1 ≥ 3.0.11-1~deb12u2, which is fixed", false},
		{"not yet introduced", libssl("1.1.1"), ssl(nil), "not reported", "not reported: 1.1.1 < 3.0.0, the first affected", false},
		{"status", libssl("3.0.9-1"), ssl(func(a *advisory.Affected) { a.Status, a.Intervals = advisory.StatusNotAffected, nil }), "not reported", "not reported: the publisher says not-affected", false},
		{"investigating", libssl("3.0.9-1"), ssl(func(a *advisory.Affected) { a.Status = advisory.StatusInvestigating }), "not reported", "the publisher says investigating", false},
		{"withdrawn", libssl("3.0.9-1"), withdrawn, "not reported", "not reported: debian CVE-2026-0001 was withdrawn on 2026-03-01", false},
		{"architecture", libssl("3.0.9-1"), ssl(func(a *advisory.Affected) { a.Arches = []string{"s390x"} }), "not reported", "is for s390x only", false},
		{"the vendor silenced a general database", libssl("3.0.11-1"), append(ssl(nil), says("nvd", id, with(ssl(nil)[0].Affected[0], func(a *advisory.Affected) { a.Intervals = nil }))), "not reported", "not reported: 3.0.11-1 ≥ 3.0.11-1~deb12u2, which is fixed (debian", false},
		{"unreadable", libssl("3.0.9-1"), ssl(func(a *advisory.Affected) { a.Intervals[0].Fixed = "()" }), "not reported", "nothing can be concluded", false},
		{"unknown id", libssl("3.0.9-1"), nil, "no record of CVE-2026-0001 is known", "", false},
		{"no such package", Input{Packages: pkgs(t, "pkg:deb/debian/bash@5?distro=debian-12")}, ssl(nil), "speak of debian:12 openssl; the image has none", "", false},
		{"unknown distribution", Input{Packages: pkgs(t, "pkg:deb/x/openssl@3.0.9-1")}, ssl(nil), "not reported", "not judged: the distribution is unknown", false},
		{"no version", Input{Packages: pkgs(t, "pkg:deb/debian/openssl?distro=debian-12")}, ssl(nil), "not reported", "not judged: the package has no version", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Priority: ranks(map[string]int{"debian": 100})}
			e := Explain(id, tt.in, tt.records, o)
			if !strings.Contains(e.Verdict, tt.verdict) {
				t.Errorf("verdict %q, want %q in it", e.Verdict, tt.verdict)
			}
			if tt.reason == "" {
				if len(e.Packages) > 0 {
					t.Errorf("it speaks of packages: %+v", e.Packages)
				}
				return
			}
			if len(e.Packages) != 1 {
				t.Fatalf("%d packages", len(e.Packages))
			}
			p := e.Packages[0]
			if !strings.Contains(p.Reason, tt.reason) || (p.Finding != nil) != tt.reported {
				t.Errorf("reason %q (finding %v), want %q in it", p.Reason, p.Finding, tt.reason)
			}
			// scanning says the same
			if _, ids := find(t, tt.in, tt.records, o); (len(ids) > 0) != tt.reported {
				t.Errorf("a scan finds %v", ids)
			}
		})
	}
	owned := Input{Packages: []inventory.Package{{Type: "deb", Name: "openssl", Version: "3.0.11-1"}, {Type: "npm", Name: "a", Version: "1.0.0", Owner: "deb/openssl"}}, Distro: debian}
	e := Explain(id, owned, list{says("x", id, on("npm", "a", version.NPM, "", "2.0.0"))}, Options{})
	if len(e.Packages) != 1 || !strings.HasPrefix(e.Packages[0].Reason, "suppressed: owned by deb/openssl") || e.Packages[0].Finding == nil {
		t.Errorf("%+v", e)
	}
}
