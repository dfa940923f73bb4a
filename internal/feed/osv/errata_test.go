package osv

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

func TestErrata(t *testing.T) {
	read := func(id, title string, related string, fixed ...string) *advisory.Advisory {
		var affected []string
		for _, f := range fixed {
			affected = append(affected, `{"package":{"ecosystem":"AlmaLinux:8","name":"vim"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"`+f+`"}]}]}`)
		}
		var src *source
		for _, s := range Sources() {
			if s.Info().Name == "osv-almalinux" {
				src = s.(*source)
			}
		}
		a, err := newParser(src.rules).parse([]byte(`{"id":"` + id + `","summary":"` + title + `","related":[` + related + `],"affected":[` + strings.Join(affected, ",") + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	say := func(a *advisory.Advisory) []string {
		var out []string
		for _, c := range a.Affected {
			out = append(out, strings.TrimSpace(c.Module+" < "+c.Intervals[0].Fixed+" of "+strings.Join(c.Fix.Versions, " ")))
		}
		return out
	}
	const cve = `"CVE-2021-3872"`
	tests := []struct {
		name string
		a    *advisory.Advisory
		want []string
	}{
		{"one build", read("ALSA-2021:4517", "Moderate: vim security update", cve, "2:8.0.1763-16.el8"), []string{"< 2:8.0.1763-16.el8 of 2:8.0.1763-16.el8"}},
		{"rebuilt", read("ALSA-2021:4517", "Moderate: vim security update", cve, "2:8.0.1763-16.el8_5.13", "2:8.0.1763-16.el8", "2:8.0.1763-16.el8"), []string{"< 2:8.0.1763-16.el8 of 2:8.0.1763-16.el8 2:8.0.1763-16.el8_5.13"}},
		{"a module", read("ALSA-1:2", "Important: nodejs:20 security update", cve, "1:2-1.module_el8.5.0+1", "1:2-1.module_el8.4.0+2"), []string{"nodejs:20 < 1:2-1.module_el8.4.0+2 of 1:2-1.module_el8.4.0+2 1:2-1.module_el8.5.0+1"}},
		{"two modules", read("ALSA-1:2", "Moderate: virt:rhel and virt-devel:rhel security, bug fix, and enhancement update", cve, "1-1.module_el8"), []string{"virt:rhel < 1-1.module_el8 of 1-1.module_el8", "virt-devel:rhel < 1-1.module_el8 of 1-1.module_el8"}},
		{"a module that the title does not name", read("ALSA-1:2", "Important: varnish security update", cve, "1-1.module_el8"), []string{"< 1-1.module_el8 of 1-1.module_el8"}},
		{"an identifier is no module", read("ALSA-2022:5468", "ALSA-2022:5468: php:8.0 security update (Important)", cve, "1-1.module_el8"), []string{"php:8.0 < 1-1.module_el8 of 1-1.module_el8"}},
		{"bugs only", read("ALBA-2020:4718", "aide bug fix update", "", "0.16-14.el8"), nil},
		{"enhancements only", read("ALEA-2020:4718", "aide enhancement update", "", "0.16-14.el8"), nil},
		{"bugs, and a vulnerability among them", read("ALBA-2020:4718", "aide bug fix update", cve, "0.16-14.el8"), []string{"< 0.16-14.el8 of 0.16-14.el8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, say(tt.a)); d != "" {
				t.Errorf("claims (-want +got):\n%s", d)
			}
		})
	}
}
