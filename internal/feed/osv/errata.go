package osv

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// errata makes of the claims of a distribution's bulletin what they mean; all
// but the first of these is about rpm.
//
//   - A bulletin about bugs or enhancements that names no vulnerability says
//     nothing about being vulnerable: it is kept for looking up, its claims are
//     not. This goes for Debian's as well.
//   - A bulletin is rebuilt for later minor releases and for flavours; each build
//     is listed with its own version. A package is mended from the lowest on.
//   - Packages of a module are marked in their release, but of which module they
//     are only the title says.
func errata(a *advisory.Advisory) {
	if len(a.Affected) == 0 || a.Affected[0].Scheme != version.RPM && a.Affected[0].Scheme != version.Deb {
		return
	}
	if len(a.CVEs()) == 0 && len(a.Upstream) == 0 && (bugfix(a.ID) || a.Affected[0].Scheme == version.Deb && advisory.Maintenance(a.Summary)) {
		a.Affected = nil
		return
	}
	if a.Affected[0].Scheme != version.RPM {
		return
	}
	a.Affected = rebuilds(a.Affected)
	modules := modulesOf(a.Summary)
	if len(modules) == 0 {
		return
	}
	var out []advisory.Affected
	for _, c := range a.Affected {
		if c.Module != "" || !slices.ContainsFunc(c.Fix.Versions, inModule) {
			out = append(out, c)
			continue
		}
		for _, m := range modules {
			c.Module = m
			out = append(out, c)
		}
	}
	a.Affected = out
}

// bugfix tells by its identifier a bulletin that is not about security: ALBA,
// RLEA, RHBA …
func bugfix(id string) bool {
	kind, _, ok := strings.Cut(id, "-")
	return ok && len(kind) == 4 && (strings.HasSuffix(kind, "BA") || strings.HasSuffix(kind, "EA"))
}

// inModule tells a version that was built in a module.
func inModule(v string) bool { return strings.Contains(v, ".module") }

// rebuilds puts claims together that differ in nothing but the fixed version,
// those of modules apart from others.
func rebuilds(in []advisory.Affected) []advisory.Affected {
	type line struct {
		advisory.Key
		names  advisory.Names
		module bool
		arches string
	}
	first := map[line]int{}
	out := in[:0]
	for _, c := range in {
		if len(c.Intervals) != 1 || c.Intervals[0].Introduced != "" || c.Intervals[0].Fixed == "" || len(c.Versions) > 0 || c.Status != advisory.StatusAffected {
			out = append(out, c)
			continue
		}
		l := line{c.Key, c.Names, inModule(c.Intervals[0].Fixed), strings.Join(c.Arches, " ")}
		i, known := first[l]
		if !known {
			first[l] = len(out)
			out = append(out, c)
			continue
		}
		have, fixed := &out[i], c.Intervals[0].Fixed
		if slices.Contains(have.Fix.Versions, fixed) {
			continue
		}
		have.Fix.Versions = append(slices.Clone(have.Fix.Versions), fixed)
		slices.SortStableFunc(have.Fix.Versions, func(a, b string) int {
			d, err := version.Compare(version.RPM, a, b)
			if err != nil {
				return 0
			}
			return d
		})
		have.Intervals = []advisory.Interval{{Fixed: have.Fix.Versions[0]}}
	}
	return out
}

// modulesOf reads the modules out of a title: "Important: nodejs:20 security
// update", "Moderate: virt:rhel and virt-devel:rhel security update",
// "ALSA-2022:5468: php:8.0 security update (Important)".
func modulesOf(title string) []string {
	var out []string
	for _, word := range strings.Fields(title) {
		name, stream, ok := strings.Cut(strings.TrimRight(word, ",;"), ":")
		if !ok || name == "" || stream == "" || strings.ContainsAny(stream, ":()/") || strings.ContainsAny(name, "()/") || identifier(name) {
			continue
		}
		if m := name + ":" + stream; !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// identifier tells "ALSA-2022", of which "5468" is no module stream.
func identifier(s string) bool {
	kind, year, ok := strings.Cut(s, "-")
	return ok && len(kind) == 4 && kind == strings.ToUpper(kind) && len(year) == 4
}
