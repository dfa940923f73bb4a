package match

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func TestCPE(t *testing.T) {
	tests := []struct {
		own, pattern string
		interval     advisory.Interval
		want         float64 // confidence; 0: not found
	}{
		{"cpe:2.3:a:openssl:openssl:3.0.1:*:*:*:*:*:*:*", "cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*", advisory.Interval{Introduced: "3.0.0", Fixed: "3.0.7"}, 0.6},
		{"cpe:2.3:a:openssl:openssl:3.0.7:*:*:*:*:*:*:*", "cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*", advisory.Interval{Introduced: "3.0.0", Fixed: "3.0.7"}, 0},
		{"cpe:2.3:a:openssl:openssl:1.0.2:*:*:*:*:*:*:*", "cpe:2.3:a:openssl:openssl:1.0.2:*:*:*:*:*:*:*", advisory.Interval{}, 0.6},
		{"cpe:2.3:a:openssl:openssl:1.0.2:a:*:*:*:*:*:*", "cpe:2.3:a:openssl:openssl:1.0.2:a:*:*:*:*:*:*", advisory.Interval{}, 0.6},
		{"cpe:2.3:a:openssl:openssl:1.0.2b:*:*:*:*:*:*:*", "cpe:2.3:a:openssl:openssl:1.0.2:a:*:*:*:*:*:*", advisory.Interval{}, 0},
		{"cpe:2.3:a:nodejs:node.js:18.1.0:*:*:*:*:*:*:*", "cpe:2.3:a:nodejs:node.js:*:*:*:*:-:*:*:*", advisory.Interval{Fixed: "18.5.0"}, 0.6},
		{"cpe:2.3:a:nodejs:node.js:16.1.0:*:*:*:*:*:*:*", "cpe:2.3:a:nodejs:node.js:*:*:*:*:lts:*:*:*", advisory.Interval{Fixed: "16.5.0"}, 0.4},
		{"cpe:2.3:a:nodejs:node.js:16.1.0:*:*:*:-:*:*:*", "cpe:2.3:a:nodejs:node.js:*:*:*:*:lts:*:*:*", advisory.Interval{Fixed: "16.5.0"}, 0},
		{"cpe:2.3:a:nodejs:node.js:16.1.0:*:*:*:lts:*:*:*", "cpe:2.3:a:nodejs:node.js:*:*:*:*:lts:*:*:*", advisory.Interval{Fixed: "16.5.0"}, 0.6},
		{"cpe:2.3:o:linux:linux_kernel:5.1:*:*:*:*:*:*:*", "cpe:2.3:a:linux:linux_kernel:*:*:*:*:*:*:*:*", advisory.Interval{}, 0},
		{`cpe:2.3:a:x:c\+\+_lib:1.0:*:*:*:*:*:*:*`, `cpe:2.3:a:x:c\+\+_lib:*:*:*:*:*:*:*:*`, advisory.Interval{Fixed: "2"}, 0.6},
		{"cpe:2.3:a:x:y:1.4.7:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:1.4.*:*:*:*:*:*:*:*", advisory.Interval{}, 0.6},
		{"cpe:2.3:a:x:y:1.5.7:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:1.4.*:*:*:*:*:*:*:*", advisory.Interval{}, 0},
		{"cpe:2.3:a:x:y:1.5.7:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:-:*:*:*:*:*:*:*", advisory.Interval{}, 0},
		{"cpe:2.3:a:x:y:1.5.7:*:*:*:*:*:*:*", "cpe:2.3:a:x", advisory.Interval{}, 0},
		// an update of any version: unknown of the package, had, another
		{"cpe:2.3:o:xen:xen:4.8.0:*:*:*:*:*:*:*", "cpe:2.3:o:xen:xen:*:rc7:*:*:*:*:*:*", advisory.Interval{LastAffected: "4.9.0"}, 0.4},
		{"cpe:2.3:o:xen:xen:4.8.0:rc7:*:*:*:*:*:*", "cpe:2.3:o:xen:xen:*:rc7:*:*:*:*:*:*", advisory.Interval{LastAffected: "4.9.0"}, 0.6},
		{"cpe:2.3:o:xen:xen:4.8.0:rc1:*:*:*:*:*:*", "cpe:2.3:o:xen:xen:*:rc7:*:*:*:*:*:*", advisory.Interval{LastAffected: "4.9.0"}, 0},
		{"cpe:2.3:o:xen:xen:4.8.0:*:*:*:*:*:*:*", "cpe:2.3:o:xen:xen:*:-:*:*:*:*:*:*", advisory.Interval{LastAffected: "4.9.0"}, 0.6},
		// for another platform, for a platform that a program may be for, for the package's own
		{"cpe:2.3:a:redis:redis:3.0.2:*:*:*:*:*:*:*", "cpe:2.3:a:redis:redis:*:*:*:*:*:node.js:*:*", advisory.Interval{Fixed: "3.1.1"}, 0},
		{"cpe:2.3:a:x:y:1.0:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:*:*:*:*:*:windows:*:*", advisory.Interval{Fixed: "2"}, 0},
		{"cpe:2.3:a:x:y:1.0:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:*:*:*:*:*:linux:*:*", advisory.Interval{Fixed: "2"}, 0.4},
		{"cpe:2.3:a:x:y:1.0:*:*:*:*:node.js:*:*", "cpe:2.3:a:x:y:*:*:*:*:*:node.js:*:*", advisory.Interval{Fixed: "2"}, 0.6},
	}
	for _, tt := range tests {
		t.Run(tt.own+" "+tt.pattern, func(t *testing.T) {
			vendor, product, v, ok := cpeParts(tt.own)
			if !ok {
				t.Fatal("no CPE")
			}
			claim := advisory.Affected{Key: advisory.Key{Stream: "cpe", Name: vendor + ":" + product}, Scheme: version.Generic, CPE: tt.pattern}
			if tt.interval != (advisory.Interval{}) {
				claim.Intervals = []advisory.Interval{tt.interval}
			}
			in := Input{Packages: []inventory.Package{{Type: "generic", Name: product, Version: v, CPEs: []string{tt.own}}}}
			r, _ := find(t, in, list{says("nvd", "CVE-2026-0001", claim)}, Options{})
			got := 0.0
			if len(r.Findings) > 0 {
				got = r.Findings[0].Confidence
			}
			if got != tt.want {
				t.Errorf("confidence %v, want %v", got, tt.want)
			}
		})
	}
	// only together with something else: a weaker guess, and it says so
	claim := advisory.Affected{Key: advisory.Key{Stream: "cpe", Name: "x:y"}, Scheme: version.Generic, With: []string{"cpe:2.3:o:z:z"}}
	in := Input{Packages: []inventory.Package{{Type: "generic", Name: "y", Version: "1", CPEs: []string{"cpe:2.3:a:x:y:1"}, Confidence: 0.5}}}
	if r, _ := find(t, in, list{says("nvd", "CVE-2026-0001", claim)}, Options{}); len(r.Findings) != 1 || r.Findings[0].Confidence != 0.15 || r.Findings[0].Evidence[0].Note == "" {
		t.Errorf("%+v", r.Findings)
	}
	// what has an identity of its own is not guessed at by CPE
	in = Input{Packages: []inventory.Package{{Type: "npm", Name: "y", Version: "1.0.0", CPEs: []string{"cpe:2.3:a:x:y:1.0.0"}}}}
	if r, _ := find(t, in, list{says("nvd", "CVE-2026-0001", claim)}, Options{}); len(r.Findings) > 0 {
		t.Errorf("an npm package was matched by CPE: %+v", r.Findings)
	}
}

// A product without a version keeps nobody of lower rank from being heard.
func TestCPEWithoutVersion(t *testing.T) {
	key := advisory.Key{Stream: "cpe", Name: "x:y"}
	none := advisory.Affected{Key: key, Scheme: version.Generic, CPE: "cpe:2.3:a:x:y:-:*:*:*:*:*:*:*"}
	real := advisory.Affected{Key: key, Scheme: version.Generic, CPE: "cpe:2.3:a:x:y:*:*:*:*:*:*:*:*", Intervals: []advisory.Interval{{Fixed: "2"}}}
	in := Input{Packages: []inventory.Package{{Type: "generic", Name: "y", Version: "1", CPEs: []string{"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}}}}
	o := Options{Priority: ranks(map[string]int{"high": 2, "low": 1})}
	if _, got := find(t, in, list{says("high", "CVE-2026-0001", none)}, o); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if _, got := find(t, in, list{says("high", "CVE-2026-0001", none), says("low", "CVE-2026-0001", real)}, o); len(got) != 1 {
		t.Errorf("found %v", got)
	}
}

// CVE-2026-0001 is overridden with another product, CVE-2026-0002 without any
// word on products, CVE-2026-0003 not at all.
func TestReplacedRecords(t *testing.T) {
	on := func(name string) advisory.Affected {
		return advisory.Affected{Key: advisory.Key{Stream: "cpe", Name: name}, Scheme: version.Generic, Intervals: []advisory.Interval{{Fixed: "2"}}}
	}
	db := list{
		says("nvd", "CVE-2026-0001", on("x:y")), says("nvd", "CVE-2026-0002", on("x:y")), says("nvd", "CVE-2026-0003", on("x:y")),
		says("other", "CVE-2026-0001", on("x:z")), says("other", "CVE-2026-0002"),
	}
	in := Input{Packages: []inventory.Package{{Type: "generic", Name: "y", Version: "1", CPEs: []string{"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}}}}
	o := Options{Replaces: map[string]string{"nvd": "other"}, Claiming: func(_ context.Context, source string, ids []string) (map[string]bool, error) {
		if source != "other" || len(ids) != 3 {
			t.Errorf("asked %s for %v", source, ids)
		}
		return map[string]bool{"CVE-2026-0001": true}, nil
	}}
	if _, got := find(t, in, db, o); !slices.Equal(got, []string{"CVE-2026-0002", "CVE-2026-0003"}) {
		t.Errorf("found %v", got)
	}
	e := Explain("CVE-2026-0001", in, []advisory.Advisory{db[0], db[3]}, o)
	if len(e.Packages) != 1 || e.Packages[0].Finding != nil || !strings.Contains(e.Packages[0].Reason, "another source's record stands") {
		t.Errorf("explained: %+v", e)
	}
	if e := Explain("CVE-2026-0002", in, []advisory.Advisory{db[1], db[4]}, o); len(e.Packages) != 1 || e.Packages[0].Finding == nil {
		t.Errorf("explained: %+v", e)
	}
}

func TestWildcard(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{{"*", "", true}, {"1.?", "1.2", true}, {"1.?", "1.22", false}, {"1*3*5", "12345", true}, {"1*3*5", "1234", false}, {"", "x", false}, {"a*b*c*d*e*f", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}} {
		if got := wildcard(tt.pattern, tt.s); got != tt.want {
			t.Errorf("wildcard(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}
