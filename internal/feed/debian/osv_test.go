package debian

import (
	"archive/zip"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

// maintenance is how Debian calls updates that mend no vulnerability.
var maintenance = regexp.MustCompile(`(?i)regression|end.of.(life|support)|new (timezone database|upstream version|package)|bugfix update|database update|version number correction|crash fix`)

// TestListsAgainstOSV compares every fixed version with the records that were
// made out of the same lists by another program.
func TestListsAgainstOSV(t *testing.T) {
	z, err := zip.OpenReader(feedtest.Shared(t, "osv/Debian/all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	got, _, err := feedtest.Advisories(t, Lists{}, feed.Input{From: feedtest.Shared(t, "debian/tracker-lists")})
	if err != nil {
		t.Fatal(err)
	}
	records, compared, left := 0, 0, 0
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			ID, Summary string
			Upstream    []string
			Affected    []struct {
				Package struct{ Name, Ecosystem string }
				Ranges  []struct {
					Events []struct{ Fixed string }
				}
			}
		}
		err = json.NewDecoder(r).Decode(&v)
		r.Close()
		if err != nil {
			t.Fatal(f.Name, err)
		}
		records++
		if got[v.ID] == nil {
			t.Errorf("%s is missing", v.ID)
			continue
		}
		if len(v.Upstream) == 0 && maintenance.MatchString(v.Summary) {
			if left++; len(got[v.ID].Affected) > 0 {
				t.Errorf("%s, %s, is about no vulnerability and claims something", v.ID, v.Summary)
			}
			continue
		}
		for _, a := range v.Affected {
			stream := "debian:" + strings.TrimPrefix(a.Package.Ecosystem, "Debian:")
			stream, _, _ = strings.Cut(stream, ".")
			ours := map[string]bool{}
			for _, f := range feedtest.Claims(got[v.ID], stream, a.Package.Name) {
				ours[f.Fix.First()] = true
			}
			for _, r := range a.Ranges {
				for _, e := range r.Events {
					if e.Fixed != "" {
						if compared++; !ours[e.Fixed] {
							t.Errorf("%s, %s %s: %v, want %s", v.ID, stream, a.Package.Name, ours, e.Fixed)
						}
					}
				}
			}
		}
	}
	if records != 8905 || compared != 10173 {
		t.Errorf("%d records, %d versions", records, compared)
	}
	t.Logf("%d records, %d versions agree; %d are not about vulnerabilities", records, compared, left)
}
