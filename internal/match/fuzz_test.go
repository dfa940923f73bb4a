package match

import (
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func FuzzCPE(f *testing.F) {
	f.Add("cpe:2.3:a:nodejs:node.js:16.1.0:*:*:*:lts:*:*:*", "cpe:2.3:a:nodejs:node.js:*:*:*:*:lts:*:*:*", "16.1.0")
	f.Add(`cpe:2.3:a:x:c\+\+_lib:1.0:p1:*:*:*:*:*:*`, `cpe:2.3:a:x:c\+\+_lib:1.?:*:*:*:*:-:*:*`, "1.0p1")
	f.Add("cpe:2.3:o:xen:xen:4.8.0:*:*:*:*:*:*:*", "cpe:2.3:o:xen:xen:*:rc7:*:*:*:*:*:*", "4.8.0")
	f.Add(`cpe:2.3:\`, "cpe:/a:redhat:rhel_eus:9.2::appstream", "")
	f.Fuzz(func(t *testing.T, own, pattern, text string) {
		vendor, product, _, ok := cpeParts(own)
		if ok && (vendor == "" && product == "" && len(splitCPE(own)) < 6) {
			t.Errorf("%q has no parts", own)
		}
		redHatProduct(pattern)
		minor(text)
		flavour(text)
		c := newComparer()
		v, err := c.parse(version.Generic, text)
		if err != nil {
			return
		}
		p := inventory.Package{Type: "generic", Name: "x", Version: text, CPEs: []string{own}}
		if matches, certain := cpeMatches(pattern, &p, v, c); certain && !matches {
			t.Errorf("%q is certain not to match %q", pattern, own)
		}
	})
}
