package match

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// list answers match.Advisories from a slice.
type list []advisory.Advisory

func (l list) AdvisoriesFor(_ context.Context, keys []advisory.Key) ([]advisory.Advisory, error) {
	var out []advisory.Advisory
	for _, a := range l {
		if slices.ContainsFunc(a.Affected, func(x advisory.Affected) bool { return slices.Contains(keys, x.Key) }) {
			out = append(out, a)
		}
	}
	return out, nil
}

// broken fails.
type broken struct{}

func (broken) AdvisoriesFor(context.Context, []advisory.Key) ([]advisory.Advisory, error) {
	return nil, errors.New("disk full")
}

// covered knows some streams; the value tells whether their data is stale.
type covered map[string]bool

func (c covered) Stream(s string) (known, stale bool) { stale, known = c[s]; return known, stale }

// ranks is an order of sources.
func ranks(m map[string]int) func(string) int { return func(s string) int { return m[s] } }

// pkgs reads package URLs.
func pkgs(t testing.TB, urls ...string) []inventory.Package {
	t.Helper()
	var out []inventory.Package
	for _, u := range urls {
		p, err := inventory.ParsePURL(u)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// find matches and returns "ID" or "ID!" (suppressed) for each finding.
func find(t testing.TB, in Input, db Advisories, o Options) (Result, []string) {
	t.Helper()
	r, err := Find(t.Context(), in, db, o)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range r.Findings {
		id := f.ID
		if f.Suppressed != "" {
			id += "!"
		}
		ids = append(ids, id)
	}
	return r, ids
}

// says makes an advisory with claims.
func says(source, id string, affected ...advisory.Affected) advisory.Advisory {
	return advisory.Advisory{Source: source, ID: id, Affected: affected}
}

// on makes a claim about versions from to before fixed.
func on(stream, name string, scheme version.Scheme, introduced, fixed string) advisory.Affected {
	a := advisory.Affected{Key: advisory.Key{Stream: stream, Name: name}, Scheme: scheme, Intervals: []advisory.Interval{{Introduced: introduced, Fixed: fixed}}}
	if fixed != "" {
		a.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{fixed}}
	}
	return a
}

func with(a advisory.Affected, change func(*advisory.Affected)) advisory.Affected {
	change(&a)
	return a
}

func TestFindError(t *testing.T) {
	_, err := Find(t.Context(), Input{Packages: pkgs(t, "pkg:npm/a@1.0.0")}, broken{}, Options{})
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Find = %v", err)
	}
}

func TestIntervals(t *testing.T) {
	key := advisory.Key{Stream: "npm", Name: "a"}
	tests := []struct {
		name    string
		claim   advisory.Affected
		yes, no []string
	}{
		{"fixed", advisory.Affected{Intervals: []advisory.Interval{{Fixed: "1.5.0"}}}, []string{"0.0.1", "1.4.9", "1.5.0-rc.1"}, []string{"1.5.0", "1.5.1", "2.0.0"}},
		{"introduced and fixed", advisory.Affected{Intervals: []advisory.Interval{{Introduced: "1.0.0", Fixed: "1.5.0"}}}, []string{"1.0.0", "1.4.9"}, []string{"0.9.9", "1.0.0-rc.1", "1.5.0"}},
		{"introduced 0", advisory.Affected{Intervals: []advisory.Interval{{Introduced: "0", Fixed: "1.5.0"}}}, []string{"0.0.0-alpha"}, []string{"1.5.0"}},
		{"after", advisory.Affected{Intervals: []advisory.Interval{{Introduced: "1.0.0", After: true, Fixed: "1.5.0"}}}, []string{"1.0.1"}, []string{"1.0.0", "1.5.0"}},
		{"last affected", advisory.Affected{Intervals: []advisory.Interval{{LastAffected: "1.5.0"}}}, []string{"1.5.0", "1.4.0"}, []string{"1.5.1"}},
		{"open", advisory.Affected{Intervals: []advisory.Interval{{Introduced: "2.0.0"}}}, []string{"2.0.0", "99.0.0"}, []string{"1.9.9"}},
		{"nothing said", advisory.Affected{}, []string{"0.0.1", "99.0.0"}, nil},
		{"two runs", advisory.Affected{Intervals: []advisory.Interval{{Fixed: "1.5.0"}, {Introduced: "2.0.0", Fixed: "2.3.0"}}}, []string{"1.0.0", "2.1.0"}, []string{"1.5.0", "1.9.0", "2.3.0"}},
		{"contradiction", advisory.Affected{Intervals: []advisory.Interval{{Introduced: "2.0.0", Fixed: "1.0.0"}}}, nil, []string{"0.5.0", "1.5.0", "2.5.0"}},
		{"listed", advisory.Affected{Versions: []string{"1.2.3", "v1.3"}}, []string{"1.2.3", "1.2.3+build", "1.3.0"}, []string{"1.2.4"}},
		{"requirement", advisory.Affected{Requirement: ">=1.2.0 <1.4.0 || 2.x"}, []string{"1.2.0", "1.3.9", "2.7.1"}, []string{"1.4.0", "1.1.9", "3.0.0"}},
		{"unaffected", advisory.Affected{Intervals: []advisory.Interval{{Fixed: "3.0.0"}}, Unaffected: "~1.4.2 || >=2.5.0"}, []string{"1.4.1", "2.4.0"}, []string{"1.4.2", "1.4.9", "2.5.0", "3.0.0"}},
		{"unaffected alone", advisory.Affected{Unaffected: ">=1.0.0"}, []string{"0.9.0"}, []string{"1.0.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.claim.Key, tt.claim.Scheme = key, version.NPM
			for _, affected := range []bool{true, false} {
				for _, v := range map[bool][]string{true: tt.yes, false: tt.no}[affected] {
					r, ids := find(t, Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: v}}}, list{says("x", "CVE-2026-0001", tt.claim)}, Options{})
					if (len(ids) == 1) != affected || len(r.Problems) > 0 {
						t.Errorf("%s: affected is %v, want %v; %v", v, len(ids) == 1, affected, r.Problems)
					}
				}
			}
		})
	}
}

func TestUnreadableVersionsAreProblems(t *testing.T) {
	pkg := func(v string) Input {
		return Input{Packages: []inventory.Package{{Type: "npm", Name: "a", Version: v}}}
	}
	tests := []struct {
		name             string
		version          string
		claim            advisory.Affected
		found            bool
		problem          string
		state            State
		lowerSourceFound bool
	}{
		{"the fixed version", "1.0.0", on("npm", "a", version.NPM, "", "not a version"), false, `"not a version"`, "", true},
		{"the introduced version", "1.0.0", on("npm", "a", version.NPM, "?", "2.0.0"), false, `"?"`, "", true},
		{"the requirement", "1.0.0", advisory.Affected{Key: advisory.Key{Stream: "npm", Name: "a"}, Scheme: version.NPM, Requirement: ">>1"}, false, ">>1", "", true},
		{"one of two intervals, the other holds", "1.0.0", with(on("npm", "a", version.NPM, "", "2.0.0"), func(a *advisory.Affected) {
			a.Intervals = append(a.Intervals, advisory.Interval{Introduced: "!"})
		}), true, "", "", true},
		{"one of two intervals, the other does not", "3.0.0", with(on("npm", "a", version.NPM, "", "2.0.0"), func(a *advisory.Affected) {
			a.Intervals = append(a.Intervals, advisory.Interval{Introduced: "!"})
		}), false, `"!"`, "", true},
		{"the package's own", "latest", on("npm", "a", version.NPM, "", "2.0.0"), false, "", BadVersion, false},
		{"the package's own, which is listed", "latest", advisory.Affected{Key: advisory.Key{Stream: "npm", Name: "a"}, Scheme: version.NPM, Versions: []string{"latest"}}, true, "", BadVersion, true},
		{"the package's own, of which every version is affected", "latest", advisory.Affected{Key: advisory.Key{Stream: "npm", Name: "a"}, Scheme: version.NPM}, true, "", BadVersion, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, ids := find(t, pkg(tt.version), list{says("x", "CVE-2026-0001", tt.claim)}, Options{})
			if (len(ids) == 1) != tt.found {
				t.Errorf("found %v, want %v", ids, tt.found)
			}
			if got := strings.Join(r.Problems, "\n"); !strings.Contains(got, tt.problem) || tt.problem == "" && got != "" {
				t.Errorf("problems %q, want %q in it", got, tt.problem)
			}
			if state := Judged; len(r.States) > 0 {
				if state = r.States[0].State; state != tt.state {
					t.Errorf("state %q, want %q", state, tt.state)
				}
			} else if tt.state != "" {
				t.Errorf("no state, want %q", tt.state)
			}
			// whatever cannot be compared does not silence who says it is affected
			both := list{says("high", "CVE-2026-0001", tt.claim), says("low", "CVE-2026-0001", on("npm", "a", version.NPM, "", "99.0.0"))}
			_, ids = find(t, pkg(tt.version), both, Options{Priority: ranks(map[string]int{"high": 100, "low": 1})})
			if (len(ids) == 1) != tt.lowerSourceFound {
				t.Errorf("with a source of lower rank: found %v, want %v", ids, tt.lowerSourceFound)
			}
		})
	}
}

func TestWhoseWordCounts(t *testing.T) {
	const id = "CVE-2026-0001"
	deb := func(introduced, fixed string) advisory.Affected {
		return with(on("debian:12", "a", version.Deb, introduced, fixed), func(a *advisory.Affected) { a.Names = advisory.Source })
	}
	status := func(s advisory.Status) advisory.Affected {
		return advisory.Affected{Key: advisory.Key{Stream: "debian:12", Name: "a"}, Names: advisory.Source, Scheme: version.Deb, Status: s}
	}
	rank := ranks(map[string]int{"vendor": 100, "vendor2": 100, "second": 90, "general": 10})
	tests := []struct {
		name    string
		records list
		want    bool
	}{
		{"only the general database", list{says("general", id, deb("", "9"))}, true},
		{"the vendor says fixed", list{says("vendor", id, deb("", "1.0-1")), says("general", id, deb("", "9"))}, false},
		{"the vendor says not affected", list{says("vendor", id, status(advisory.StatusNotAffected)), says("general", id, deb("", "9"))}, false},
		{"the vendor says not affected, of other versions", list{says("vendor", id, with(status(advisory.StatusNotAffected), func(a *advisory.Affected) { a.Intervals = []advisory.Interval{{Introduced: "5"}} })), says("general", id, deb("", "9"))}, true},
		{"the vendor is investigating", list{says("vendor", id, status(advisory.StatusInvestigating)), says("general", id, deb("", "9"))}, true},
		{"the vendor could not determine it", list{says("vendor", id, status(advisory.StatusUndetermined)), says("general", id, deb("", "9"))}, true},
		{"investigating alone", list{says("vendor", id, status(advisory.StatusInvestigating))}, false},
		{"undetermined alone", list{says("vendor", id, status(advisory.StatusUndetermined))}, false},
		{"the vendor speaks of another vulnerability", list{says("vendor", "CVE-2026-0002", deb("", "1.0-1")), says("general", id, deb("", "9"))}, true},
		{"the vendor took it back", list{func() advisory.Advisory {
			a := says("vendor", id, deb("", "1.0-1"))
			a.Withdrawn = time.Unix(1, 0)
			return a
		}(), says("general", id, deb("", "9"))}, true},
		{"the vendor says affected, the general fixed", list{says("vendor", id, deb("", "9")), says("general", id, deb("", "1.0-1"))}, true},
		{"two vendors of one rank disagree", list{says("vendor", id, deb("", "1.0-1")), says("vendor2", id, deb("", "9"))}, true},
		{"two records of one vendor: one is for another line", list{says("vendor", id, deb("", "9")), func() advisory.Advisory {
			a := says("vendor", "DSA-1", deb("", "1.0-1"))
			a.Upstream = []string{id}
			return a
		}()}, true},
		{"the tracker is silent, the bulletin speaks", list{func() advisory.Advisory {
			a := says("second", "DSA-1", deb("", "9"))
			a.Upstream = []string{id}
			return a
		}()}, true},
		{"the tracker says fixed, the bulletin's version is older", list{says("vendor", id, deb("", "1.0-1")), func() advisory.Advisory {
			a := says("second", "DSA-1", deb("", "9"))
			a.Upstream = []string{id}
			return a
		}()}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, records := range []list{tt.records, slices.Clone(tt.records)} {
				_, ids := find(t, Input{Packages: pkgs(t, "pkg:deb/debian/a@1.0-1?distro=debian-12")}, records, Options{Priority: rank})
				if got := slices.Contains(ids, id); got != tt.want {
					t.Errorf("found %v, want %v (%v)", got, tt.want, ids)
				}
				slices.Reverse(records)
			}
		})
	}
}

func TestNamesAndArchitectures(t *testing.T) {
	in := Input{Packages: pkgs(t, "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1%2Bsrc")}
	claim := func(name string, names advisory.Names, fixed string, arches ...string) list {
		return list{says("x", "CVE-2026-0001", with(on("debian:12", name, version.Deb, "", fixed), func(a *advisory.Affected) { a.Names, a.Arches = names, arches }))}
	}
	tests := []struct {
		name    string
		records list
		want    bool
	}{
		{"source", claim("openssl", advisory.Source, "3.0.12"), true},
		{"source, its own version", claim("openssl", advisory.Source, "3.0.11-1+a"), false},
		{"binary of the source's name", claim("openssl", advisory.Binary, "3.0.12"), false},
		{"binary", claim("libssl3", advisory.Binary, "3.0.12"), true},
		{"source of the binary's name", claim("libssl3", advisory.Source, "3.0.12"), false},
		{"either, as source", claim("openssl", advisory.Either, "3.0.12"), true},
		{"either, as binary", claim("libssl3", advisory.Either, "3.0.12"), true},
		{"its architecture", claim("openssl", advisory.Source, "3.0.12", "arm64", "amd64"), true},
		{"another architecture", claim("openssl", advisory.Source, "3.0.12", "arm64"), false},
		{"another release", list{says("x", "CVE-2026-0001", with(on("debian:11", "openssl", version.Deb, "", "9"), func(a *advisory.Affected) { a.Names = advisory.Source }))}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, ids := find(t, in, tt.records, Options{}); (len(ids) == 1) != tt.want {
				t.Errorf("found %v, want %v", ids, tt.want)
			}
		})
	}
}

func TestModules(t *testing.T) {
	const id = "ALSA-1"
	claim := func(module, fixed string, names advisory.Names) advisory.Affected {
		return with(on("almalinux:8", "perl", version.RPM, "", fixed), func(a *advisory.Affected) { a.Module, a.Names = module, names })
	}
	const plain, built = "4:5.26.3-420.el8", "4:5.30.1-452.module_el8.4.0+2178+1"
	open := advisory.Affected{Key: advisory.Key{Stream: "almalinux:8", Name: "perl"}, Scheme: version.RPM, Fix: advisory.Fix{State: advisory.NotFixed}}
	tests := []struct {
		name, version, module string
		claims                []advisory.Affected
		want                  bool
	}{
		{"plain package, plain fix", plain, "", []advisory.Affected{claim("", "4:5.26.3-421.el8", "")}, true},
		{"plain package, fix of a module", plain, "", []advisory.Affected{claim("", "4:5.30.1-453.module_el8.4.0+1", "")}, false},
		{"plain package, fix of a named module", plain, "", []advisory.Affected{claim("perl:5.30", "4:5.30.1-453.module_el8.4.0+1", "")}, false},
		{"of the module", built, "perl:5.30:8040020210:abc", []advisory.Affected{claim("perl:5.30", "4:5.30.1-453.module_el8.4.0+1", "")}, true},
		{"of the module, mended", built, "perl:5.30:8040020210:abc", []advisory.Affected{claim("perl:5.30", "4:5.30.1-452.module_el8.4.0+2178+1", "")}, false},
		{"of another stream", built, "perl:5.30:8040020210:abc", []advisory.Affected{claim("perl:5.32", "4:5.32.1-453.module_el8.4.0+1", "")}, false},
		{"of another stream that begins alike", built, "perl:5.3:8040020210:abc", []advisory.Affected{claim("perl:5.30", "4:5.32.1-453.module_el8.4.0+1", "")}, false},
		{"of a module that is not told", built, "", []advisory.Affected{claim("perl:5.30", "4:5.30.1-453.module_el8.4.0+1", "")}, true},
		{"of a module that is not told, whose versions are of another stream", built, "", []advisory.Affected{claim("perl:5.32", "4:5.32.1-453.module_el8.4.0+1", "")}, false},
		{"of a module, plain fix", built, "perl:5.30:8040020210:abc", []advisory.Affected{claim("", "4:5.31-421.el8", "")}, false},
		{"of a module, fix of a module that is not told", built, "perl:5.30:1:a", []advisory.Affected{claim("", "4:5.30.1-453.module_el8.4.0+1", "")}, true},
		{"only packages of none", built, "perl:5.30:1:a", []advisory.Affected{claim("-", "9", "")}, false},
		{"only packages of none, of which it is", plain, "", []advisory.Affected{claim("-", "9:9", "")}, true},
		{"no fix, no module named", built, "perl:5.30:1:a", []advisory.Affected{open}, true},
		{"no fix, modules have words of their own", built, "perl:5.30:1:a", []advisory.Affected{open, with(claim("perl:5.30", "", ""), func(a *advisory.Affected) { a.Intervals, a.Status = nil, advisory.StatusNotAffected })}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Packages: []inventory.Package{{Type: "rpm", Name: "perl", Version: tt.version, Module: tt.module, Distro: "almalinux:8"}}}
			if _, ids := find(t, in, list{says("x", id, tt.claims...)}, Options{}); (len(ids) == 1) != tt.want {
				t.Errorf("found %v, want %v", ids, tt.want)
			}
		})
	}
}

func TestRepositoriesOfRedHat(t *testing.T) {
	claim := func(repository, fixed string) advisory.Affected {
		a := with(on("rhel:9", "openssl", version.RPM, "", fixed), func(a *advisory.Affected) { a.Repository = repository })
		if fixed == "" {
			a.Intervals, a.Fix = nil, advisory.Fix{State: advisory.NotFixed}
		}
		return a
	}
	const (
		main = "cpe:/o:redhat:enterprise_linux:9::baseos"
		eus  = "cpe:/o:redhat:rhel_eus:9.2::baseos"
		els  = "cpe:/o:redhat:rhel_els:9"
		sat  = "cpe:/a:redhat:satellite:6.14::el9"
	)
	tests := []struct {
		name, version string
		claims        []advisory.Affected
		want          string // "": not found; "-": found, no fix; else the fix shown first
	}{
		{"old", "1:3.0.7-1.el9", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "1:3.0.7-16.el9_2.3")}, "1:3.0.7-25.el9_3"},
		{"mended", "1:3.0.7-25.el9_3", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "1:3.0.7-16.el9_2.3")}, ""},
		{"extended support, mended there", "1:3.0.7-16.el9_2.3", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "1:3.0.7-16.el9_2.3")}, ""},
		{"extended support, later still", "1:3.0.7-17.el9_2.1", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "1:3.0.7-16.el9_2.3")}, ""},
		{"extended support, before its fix", "1:3.0.7-16.el9_2.1", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "1:3.0.7-16.el9_2.3")}, "1:3.0.7-16.el9_2.3"},
		{"extended support, which has no fix", "1:3.0.7-16.el9_2.1", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "")}, "1:3.0.7-25.el9_3"},
		{"extended support without a fix is not about others", "1:3.0.7-27.el9", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(eus, "")}, ""},
		{"extended life is for the whole release", "1:3.0.7-1.el9", []advisory.Affected{claim(els, "1:3.0.7-30.el9")}, "1:3.0.7-30.el9"},
		{"a product with builds of its own", "1:3.0.7-1.el9", []advisory.Affected{claim(sat, "1:3.2-1.el9sat")}, ""},
		{"a build of that product", "1:3.1-1.el9sat", []advisory.Affected{claim(sat, "1:3.2-1.el9sat")}, "1:3.2-1.el9sat"},
		{"a product without a fix, and the distribution's word", "1:3.0.7-25.el9_3", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3"), claim(sat, "")}, ""},
		{"the distribution's fix is not for another product's build", "1:3.0.1-1.el9sat", []advisory.Affected{claim(main, "1:3.0.7-25.el9_3")}, ""},
		{"nor is its word that there is none", "1:3.0.1-1.el9sat", []advisory.Affected{claim(main, "")}, ""},
		{"a product without a fix alone", "1:3.0.7-25.el9_3", []advisory.Affected{claim(sat, "")}, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Packages: []inventory.Package{{Type: "rpm", Name: "openssl", Version: tt.version, Distro: "rhel:9"}}}
			r, ids := find(t, in, list{says("redhat", "CVE-2026-0001", tt.claims...)}, Options{})
			got := ""
			if len(ids) == 1 {
				if got = r.Findings[0].Fix.First(); got == "" {
					got = "-"
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFixesInOrder(t *testing.T) {
	claim := func(fixed ...string) advisory.Affected {
		a := advisory.Affected{Key: advisory.Key{Stream: "pypi", Name: "django"}, Scheme: version.PEP440, Fix: advisory.Fix{State: advisory.Fixed, Versions: fixed}}
		from := ""
		for _, f := range fixed {
			a.Intervals = append(a.Intervals, advisory.Interval{Introduced: from, Fixed: f})
			from = strings.Split(f, ".")[0] + "." + strings.Split(f, ".")[1] + ".99"
		}
		return a
	}
	rest := func(a advisory.Affected, s advisory.FixState) advisory.Affected {
		a.Fix, a.Intervals = advisory.Fix{State: s}, nil
		return a
	}
	tests := []struct {
		name    string
		version string
		records list
		want    advisory.Fix
	}{
		{"the line at hand first", "3.1", list{says("x", "CVE-2026-0001", claim("2.2.28", "3.2.13", "4.0.4"))}, advisory.Fix{State: advisory.Fixed, Versions: []string{"3.2.13", "4.0.4", "2.2.28"}}},
		{"the intervals' where no fix is told", "3.1", list{says("x", "CVE-2026-0001", rest(claim("4"+".0"), ""), with(claim("3.2.13"), func(a *advisory.Affected) { a.Fix = advisory.Fix{} }))}, advisory.Fix{State: advisory.Fixed, Versions: []string{"3.2.13"}}},
		{"of two records the one that mends both", "3.1", list{says("x", "CVE-2026-0001", claim("3.2.13")), says("x", "GHSA-1", claim("3.2.14"))}, advisory.Fix{State: advisory.Fixed, Versions: []string{"3.2.13"}}},
		{"fixed before will not fix", "3.1", list{says("x", "CVE-2026-0001", rest(claim("3.2"), advisory.WontFix), claim("3.2.13"))}, advisory.Fix{State: advisory.Fixed, Versions: []string{"3.2.13"}}},
		{"will not fix", "3.1", list{says("x", "CVE-2026-0001", rest(claim("3.2"), advisory.WontFix))}, advisory.Fix{State: advisory.WontFix}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := find(t, Input{Packages: []inventory.Package{{Type: "pypi", Name: "Django", Version: tt.version}}}, tt.records, Options{})
			if len(r.Findings) == 0 {
				t.Fatal("not found")
			}
			if d := cmp.Diff(tt.want, r.Findings[0].Fix); d != "" {
				t.Errorf("Fix (-want +got):\n%s", d)
			}
		})
	}
	same := list{says("x", "CVE-2026-0001", claim("3.2.13")), func() advisory.Advisory {
		a := says("x", "BUNDLE-2", claim("3.2.14"))
		a.Upstream = []string{"CVE-2026-0001", "CVE-2026-0002"}
		return a
	}()}
	r, _ := find(t, Input{Packages: []inventory.Package{{Type: "pypi", Name: "Django", Version: "3.1"}}}, same, Options{})
	if len(r.Findings) != 2 || r.Findings[0].Fix.First() != "3.2.14" {
		t.Errorf("a vulnerability that two records mend: %+v", r.Findings)
	}
}

func TestOwnedPackages(t *testing.T) {
	in := Input{
		Packages: []inventory.Package{
			{Type: "deb", Name: "python3-yaml", Version: "6.0-1"},
			{Type: "pypi", Name: "PyYAML", Version: "5.3", Owner: "deb/python3-yaml"},
			{Type: "pypi", Name: "PyYAML", Version: "5.3"},
		},
		Distro: &inventory.Distro{ID: "debian", Version: "12"},
	}
	db := list{says("osv-pypi", "CVE-2020-14343", on("pypi", "pyyaml", version.PEP440, "", "5.4"))}
	if _, ids := find(t, in, db, Options{}); !slices.Equal(ids, []string{"CVE-2020-14343!", "CVE-2020-14343"}) {
		t.Errorf("found %v", ids)
	}
	if _, ids := find(t, in, db, Options{Coverage: covered{"debian:12": false, "pypi": false}}); !slices.Equal(ids, []string{"CVE-2020-14343!", "CVE-2020-14343"}) {
		t.Errorf("with data of the distribution: %v", ids)
	}
	// nobody speaks for the distribution: its packages' contents are not silenced
	if _, ids := find(t, in, db, Options{Coverage: covered{"pypi": false}}); !slices.Equal(ids, []string{"CVE-2020-14343", "CVE-2020-14343"}) {
		t.Errorf("without data of the distribution: %v", ids)
	}
	in.Distro = nil
	if _, ids := find(t, in, db, Options{}); !slices.Equal(ids, []string{"CVE-2020-14343", "CVE-2020-14343"}) {
		t.Errorf("of an unknown distribution: %v", ids)
	}
}

// FuzzFind makes packages and claims of random pieces: no panic, and the same
// answer whatever the order of the records.
func FuzzFind(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, i*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		rnd := rand.New(rand.NewPCG(a, b))
		pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
		versionOf := func() string {
			return pick("", "0", "1.0", "1.0-1", "2:1.0-1.el8_4.2", "1.2.3-4.module+el8.1+x", "1.0~rc1", "bad version", "v1.2.3-0.20200101000000-abcdefabcdef", "1.0-r3", strings.Repeat("1.", 20)+"1", "()", "*")
		}
		names := []string{"a", "b", "g:a", "@s/a", "v:p"}
		streams := []string{"debian:12", "rhel:8", "npm", "pypi", "cpe", "maven"}
		idOf := func() string { return pick("CVE-2026-0001", "CVE-2026-0002", "GHSA-1", "GHSA-2", "X-1", "") }
		var in Input
		for range 1 + rnd.IntN(5) {
			in.Packages = append(in.Packages, inventory.Package{
				Type: pick("deb", "rpm", "npm", "pypi", "generic", "maven", "weird"), Namespace: pick("", "", "@s", "g"), Name: pick("a", "b"), Version: versionOf(), Source: pick("", "b"), SourceVersion: versionOf(),
				Arch: pick("", "amd64", "noarch"), Module: pick("", "m:1:2:3"), Owner: pick("", "deb/a"), Distro: pick("", "debian:12", "rhel:8", "x:y"),
				CPEs: []string{pick("cpe:2.3:a:v:p:1.0:*:*:*:*:*:*:*", "cpe:2.3:a:v:p", "", "cpe:2.3:a:v\\:p:p:*:p1:*:*:*:*:*:*")}, Confidence: rnd.Float64(),
			})
		}
		if rnd.IntN(2) == 0 {
			in.Distro = &inventory.Distro{ID: pick("debian", "rhel", "unknown"), Version: pick("12", "8.4", "")}
		}
		var db list
		for i := range rnd.IntN(8) {
			adv := advisory.Advisory{Source: pick("s1", "s2", "s3"), ID: fmt.Sprintf("%s%d", pick("CVE-2026-000", "GHSA-", "X-"), i), Aliases: []string{idOf(), idOf()}}
			if rnd.IntN(3) == 0 {
				adv.Upstream = []string{idOf(), idOf()}
			}
			if rnd.IntN(8) == 0 {
				adv.Withdrawn = time.Unix(1, 0)
			}
			for range rnd.IntN(4) {
				x := advisory.Affected{
					Key: advisory.Key{Stream: streams[rnd.IntN(len(streams))], Name: names[rnd.IntN(len(names))]}, Names: advisory.Names(pick("", "source", "either")),
					Scheme: version.Scheme(pick("deb", "rpm", "npm", "pep440", "generic", "", "nonsense")), Requirement: pick("", "", ">=1", "<<", "[1,2)"), Unaffected: pick("", "", "<1", "~>"),
					Status: advisory.Status(pick("", "", "not-affected", "investigating")), Module: pick("", "", "m:1", "-"), Repository: pick("", "", "cpe:/a:redhat:rhel_eus:8.4::x", "https://x"),
					CPE: pick("", "", "cpe:2.3:a:v:p:1.*:*:*:*:*:*:*:*", "cpe:2.3:a"), Fix: advisory.Fix{State: advisory.FixState(pick("", "fixed", "wont-fix")), Versions: []string{versionOf()}},
				}
				for range rnd.IntN(3) {
					x.Intervals = append(x.Intervals, advisory.Interval{Introduced: versionOf(), Fixed: versionOf(), LastAffected: versionOf(), After: rnd.IntN(2) == 0})
				}
				adv.Affected = append(adv.Affected, x)
			}
			db = append(db, adv)
		}
		o := Options{Priority: ranks(map[string]int{"s1": 3, "s2": 2, "s3": 2})}
		first, err := Find(t.Context(), in, db, o)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Find(t.Context(), in, db, o)
		if d := cmp.Diff(first, again); d != "" {
			t.Fatalf("two runs differ:\n%s", d)
		}
		for i := range first.Findings {
			if fd := &first.Findings[i]; fd.Confidence <= 0 || fd.Confidence > 1 || len(fd.Evidence) == 0 || fd.ID == "" {
				t.Fatalf("finding %+v", fd)
			}
			e := Explain(first.Findings[i].ID, in, db, o)
			if len(e.Packages) == 0 {
				t.Fatalf("%s is reported, but its explanation speaks of no package: %s", first.Findings[i].ID, e.Verdict)
			}
		}
		SortByRisk(first.Findings, in.Packages)
	})
}
