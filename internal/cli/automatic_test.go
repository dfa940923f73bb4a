package cli

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	order "github.com/tidewaiter/tidewaiter/internal/version"
)

// boundary is a version that a record names, and what follows from that.
type boundary struct {
	pkg      inventory.Package
	record   string
	affected bool
}

// TestEveryBoundary takes every version that an affected range of a feed names
// and asks whether matching says of it what the range says. The ranges are
// read and evaluated here by themselves; only the order of versions is ours,
// which has tests of its own against the ecosystems' tools.
func TestEveryBoundary(t *testing.T) {
	if os.Getenv("TIDEWAITER_BOUNDARIES") == "" {
		t.Skip("it matches every boundary of whole feeds, for many minutes: set TIDEWAITER_BOUNDARIES=1")
	}
	feeds := feedFolder(t)
	for _, tt := range []struct{ source, path, ecosystem, kind string }{
		{"osv-pypi", "osv/PyPI/all.zip", "PyPI", "pypi"}, {"osv-npm", "osv/npm/all.zip", "npm", "npm"}, {"osv-maven", "osv/Maven/all.zip", "Maven", "maven"},
		{"osv-go", "osv/Go/all.zip", "Go", "golang"}, {"osv-crates.io", "osv/crates.io/all.zip", "crates.io", "cargo"}, {"osv-rubygems", "osv/RubyGems/all.zip", "RubyGems", "gem"},
		{"osv-nuget", "osv/NuGet/all.zip", "NuGet", "nuget"}, {"osv-bitnami", "osv/Bitnami/all.zip", "Bitnami", "bitnami"}, {"osv-julia", "osv/Julia/all.zip", "Julia", "julia"},
		{"osv-hackage", "osv/Hackage/all.zip", "Hackage", "hackage"}, {"osv-cran", "osv/CRAN/all.zip", "CRAN", "cran"}, {"debian", "debian/security-tracker.json.gz", "", "deb"},
	} {
		t.Run(tt.source, func(t *testing.T) {
			var list []boundary
			if tt.kind == "deb" {
				list = debianBoundaries(t, filepath.Join(feeds, tt.path))
			} else {
				scheme, _ := order.SchemeOf(tt.ecosystem)
				for id, r := range readRecords(t, filepath.Join(feeds, tt.path)) {
					if r["withdrawn"] == nil {
						list = append(list, osvBoundaries(tt.ecosystem, tt.kind, scheme, id, r)...)
					}
				}
			}
			// A package with a thousand records costs their product: a part of
			// its boundaries, evenly spread, must do.
			slices.SortFunc(list, func(a, b boundary) int {
				return cmp.Or(strings.Compare(a.pkg.Name, b.pkg.Name), strings.Compare(a.record, b.record), strings.Compare(a.pkg.Version, b.pkg.Version), strings.Compare(a.pkg.Distro, b.pkg.Distro))
			})
			count, seen := map[string]int{}, map[string]int{}
			for _, b := range list {
				count[b.pkg.Name]++
			}
			list = slices.DeleteFunc(list, func(b boundary) bool {
				seen[b.pkg.Name]++
				return seen[b.pkg.Name]%(1+count[b.pkg.Name]/100) != 0
			})
			f := realFeeds(t, tt.source)
			type at struct {
				pkg    int
				record string
			}
			got := map[at]bool{}
			problems := 0
			const batch = 200
			for first := 0; first < len(list); first += batch {
				img := &inventory.Image{}
				for _, b := range list[first:min(first+batch, len(list))] {
					img.Packages = append(img.Packages, b.pkg)
				}
				s, err := f.Scan(t.Context(), img, engine.ScanOptions{})
				if err != nil {
					t.Fatal(err)
				}
				problems += len(s.Problems)
				for i := range s.Findings {
					for _, e := range s.Findings[i].Evidence {
						if e.Affected && e.Status == "" {
							got[at{first + s.Findings[i].Package, e.Advisory}] = true
						}
					}
				}
			}
			yes, wrong := 0, 0
			for i, b := range list {
				if b.affected {
					yes++
				}
				if got[at{i, b.record}] != b.affected {
					if wrong++; wrong <= 10 {
						t.Errorf("%s, %s: affected is %v, want %v", b.pkg.PURL(), b.record, !b.affected, b.affected)
					}
				}
			}
			t.Logf("%d boundaries, %d affected, %d wrong; %d problems", len(list), yes, wrong, problems)
			if len(list) == 0 {
				t.Error("no boundary was tried")
			}
		})
	}
}

// osvBoundaries are those of one record in OSV's format.
func osvBoundaries(ecosystem, kind string, scheme order.Scheme, id string, record map[string]any) []boundary {
	raw, _ := json.Marshal(record)
	var r struct {
		Affected []struct {
			Package struct{ Ecosystem, Name string }
			Ranges  []struct {
				Type   string
				Events []map[string]string
			}
			Versions []string
			Database struct {
				Informational string
				Last          string `json:"last_known_affected_version_range"`
			} `json:"database_specific"`
		}
	}
	if json.Unmarshal(raw, &r) != nil {
		return nil
	}
	var out []boundary
	names := map[string]bool{}
	for _, a := range r.Affected {
		if a.Package.Ecosystem != ecosystem || names[a.Package.Name] {
			continue
		}
		names[a.Package.Name] = true
		// RustSec's notices are about care, not about holes.
		harmless := a.Database.Informational == "unmaintained" || a.Database.Informational == "notice"
		var runs [][]map[string]string
		listed := map[string]bool{}
		closed := true
		for _, b := range r.Affected {
			if b.Package != a.Package {
				continue
			}
			for _, v := range b.Versions {
				listed[v] = true
			}
			closed = closed && b.Database.Last == ""
			for _, g := range b.Ranges {
				if g.Type != "GIT" {
					runs = append(runs, g.Events)
				}
			}
		}
		tried := map[string]bool{}
		for _, events := range runs {
			for _, e := range events {
				for _, text := range e {
					v, err := order.Parse(scheme, text)
					if text == "0" || tried[text] || err != nil || !closed {
						continue
					}
					tried[text] = true
					want, sure := listed[text], true
					for _, ev := range runs {
						in, ok := holds(scheme, ev, v)
						want, sure = want || in, sure && ok
					}
					if sure {
						out = append(out, boundary{inventory.Package{Type: kind, Name: a.Package.Name, Version: text}, id, want && !harmless})
					}
				}
			}
		}
	}
	return out
}

// holds follows the events of a range in the publisher's order; ok is false
// for one that cannot be read, or that does not begin.
func holds(scheme order.Scheme, events []map[string]string, v order.Version) (in, ok bool) {
	open := false
	var from order.Version
	for _, e := range events {
		for kind, text := range e {
			w, err := order.Parse(scheme, text)
			if text != "0" && err != nil {
				return false, false
			}
			switch kind {
			case "introduced":
				if !in {
					open = text == "0" || v.Compare(w) >= 0
				}
				from = w
			case "fixed":
				if w.Compare(from) < 0 {
					return false, false // it ends before it begins
				}
				in = in || open && v.Compare(w) < 0
				open = false
			case "last_affected":
				in = in || open && v.Compare(w) <= 0
				open = false
			default:
				return false, false
			}
		}
	}
	return in || open, true
}

// debianBoundaries are the fixed versions of Debian's tracker, and one just
// below each: "~" sorts before everything.
func debianBoundaries(t *testing.T, name string) []boundary {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var tracker map[string]map[string]struct {
		Releases map[string]struct {
			Status string
			Fixed  string `json:"fixed_version"`
		}
	}
	if err := json.NewDecoder(z).Decode(&tracker); err != nil {
		t.Fatal(err)
	}
	releases := map[string]string{"wheezy": "7", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11"}
	var out []boundary
	for pkg, cves := range tracker {
		for cve, c := range cves {
			for codename, r := range c.Releases {
				if n := releases[codename]; n != "" && r.Status == "resolved" && r.Fixed != "0" {
					p := inventory.Package{Type: "deb", Name: pkg, Version: r.Fixed, Distro: "debian:" + n}
					out = append(out, boundary{p, cve, false})
					p.Version += "~"
					out = append(out, boundary{p, cve, true})
				}
			}
		}
	}
	return out
}
