package match

import (
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
