package nvd

import (
	"context"
	"slices"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// everything answers with all advisories, which is more than was asked for.
type everything []advisory.Advisory

func (e everything) AdvisoriesFor(context.Context, []advisory.Key) ([]advisory.Advisory, error) {
	return e, nil
}

// What the feeds say is found by a program's CPE. The verdicts are those of the
// projects' own announcements.
func TestMatch(t *testing.T) {
	var all everything
	for _, year := range []string{"2014", "2016", "2022"} {
		got, _ := fetch(t, NVD{}, feed.Input{From: feedtest.Shared(t, "nvd/nvdcve-2.0-"+year+".json.gz")}, feed.State{})
		if got.Err != nil {
			t.Fatal(got.Err)
		}
		for _, id := range got.Order {
			all = append(all, *got.Advisories[id])
		}
	}
	for _, tt := range []struct {
		cpe, version, id string
		want             bool
	}{
		{"cpe:2.3:a:openssl:openssl:1.0.1f:*:*:*:*:*:*:*", "1.0.1f", "CVE-2014-0160", true},
		{"cpe:2.3:a:openssl:openssl:1.0.1:*:*:*:*:*:*:*", "1.0.1", "CVE-2014-0160", true},
		{"cpe:2.3:a:openssl:openssl:1.0.1g:*:*:*:*:*:*:*", "1.0.1g", "CVE-2014-0160", false},
		{"cpe:2.3:a:openssl:openssl:1.0.0m:*:*:*:*:*:*:*", "1.0.0m", "CVE-2014-0160", false},
		{"cpe:2.3:a:moodle:moodle:3.11.4:*:*:*:*:*:*:*", "3.11.4", "CVE-2022-0333", true},
		{"cpe:2.3:a:moodle:moodle:3.11.5:*:*:*:*:*:*:*", "3.11.5", "CVE-2022-0333", false},
		{"cpe:2.3:a:gnu:bash:4.3:*:*:*:*:*:*:*", "4.3", "CVE-2014-6271", true},
		{"cpe:2.3:a:gnu:bash:5.0:*:*:*:*:*:*:*", "5.0", "CVE-2014-6271", false},
	} {
		r, err := match.Find(t.Context(), match.Input{Packages: []inventory.Package{{Type: "generic", Name: "x", Version: tt.version, CPEs: []string{tt.cpe}}}}, all, match.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Findings, func(f match.Finding) bool { return f.ID == tt.id }); got != tt.want {
			t.Errorf("%s has %s: %v, want %v", tt.cpe, tt.id, got, tt.want)
		}
	}
}
