package ubuntu

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// state is what the tracker says of a package in a release: a word, and a
// version or a remark in brackets.
type state struct{ word, note string }

// parseState reads "released (1.2-3ubuntu1)". Brackets are sometimes doubled,
// square, or forgotten.
func parseState(s string) state {
	i := strings.IndexAny(s, " \t([")
	if i < 0 {
		return state{word: s}
	}
	note := strings.TrimSpace(s[i:])
	if open := strings.TrimLeft(note, "(["); open != note {
		n := len(note) - len(open)
		if end := strings.LastIndexAny(open, ")]"); end >= 0 {
			open = open[:end]
		}
		if n > 1 || !balanced(open) {
			open = strings.TrimRight(open, ")]")
		}
		note = strings.TrimSpace(open)
	}
	return state{s[:i], note}
}

func balanced(s string) bool {
	return strings.Count(s, "(") == strings.Count(s, ")") && strings.Count(s, "[") == strings.Count(s, "]")
}

// version returns the version that the note is, "" if it is none.
func (s state) version() string {
	v, _, _ := strings.Cut(s.note, ",")
	v = strings.Trim(v, " ()[]")
	if v == "" || strings.ContainsAny(v, " \t") || !strings.ContainsAny(v, "0123456789") {
		return ""
	}
	return v
}

// was reads what the state of an extended release repeats of the release
// itself: "DNE (trusty was released [1.2-3])".
func (s state) was(codename string) (state, bool) {
	rest, ok := strings.CutPrefix(s.note, codename+" was ")
	if !ok {
		return state{}, false
	}
	return parseState(rest), true
}

// release is a name of the tracker taken apart.
type release struct {
	codename string
	kind     string // "": as everybody gets it; "esm", "fips" …: by subscription
}

// parseRelease tells what a name stands for; ok is false for what is no release
// that packages can be told to belong to: "upstream", "devel", snaps, phones.
func parseRelease(name string) (r release, ok bool) {
	left, right, slash := strings.Cut(name, "/")
	switch {
	case !slash:
		switch name {
		case "upstream", "devel", "product", "snap":
			return r, false
		}
		return release{codename: name}, true
	case right == "esm":
		return release{left, "esm"}, true
	}
	switch left {
	case "esm-infra", "esm-apps", "esm-infra-legacy", "esm-apps-legacy":
		return release{right, "esm"}, true
	case "fips", "fips-updates", "fips-preview", "realtime":
		return release{right, left}, true
	}
	return r, false
}

// line is the state of one package in one release.
type line struct {
	name string // of the release, as it is written
	release
	text string
}

// affected gives the claims about one source package. Releases of one code name
// are taken together: what everybody gets, and what only subscribers do.
func (f *cveFile) affected(pkg string, unknown func(string)) []advisory.Affected {
	all := f.states[pkg]
	slices.SortStableFunc(all, func(a, b line) int {
		if d := strings.Compare(a.codename, b.codename); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	var out []advisory.Affected
	for len(all) > 0 {
		code, n := all[0].codename, 1
		for n < len(all) && all[n].codename == code {
			n++
		}
		lines := all[:n]
		all = all[n:]
		if n == 1 && lines[0].text == "DNE" {
			continue
		}
		number := advisory.UbuntuRelease(code)
		if number == "" {
			unknown(code)
			continue
		}
		var common *state
		var extended []state
		for _, l := range lines {
			s := parseState(l.text)
			if s.word == "DNE" {
				if was, ok := s.was(code); ok && common == nil {
					common = &was
				}
				if l.kind == "" {
					common = &state{word: "DNE"}
				}
				continue
			}
			if l.kind == "" {
				common = &s
				continue
			}
			if l.kind == "esm" {
				extended = append(extended, s)
			}
			if a, ok := s.affected(); ok {
				out = append(out, f.finish(a, pkg, code, subscription(l.kind)+":"+number))
			}
		}
		if a, ok := forAll(common, extended); ok {
			out = append(out, f.finish(a, pkg, code, "ubuntu:"+number))
		}
	}
	slices.SortStableFunc(out, func(a, b advisory.Affected) int {
		if d := strings.Compare(a.Stream, b.Stream); d != 0 {
			return d
		}
		return strings.Compare(a.Note+a.Fix.First(), b.Note+b.Fix.First())
	})
	return out
}

func subscription(kind string) string {
	switch kind {
	case "fips", "fips-updates", "fips-preview", "realtime":
		return "ubuntu-pro-" + kind
	}
	return "ubuntu-pro"
}

func (f *cveFile) finish(a advisory.Affected, pkg, codename, stream string) advisory.Affected {
	a.Key = advisory.Key{Stream: stream, Name: advisory.Name(stream, pkg)}
	a.Names, a.Scheme = advisory.Source, version.Deb
	a.Severities = f.severities(pkg, codename)
	tags := strings.TrimSpace(f.tags[pkg] + " " + f.tags[pkg+"_"+codename])
	if tags != "" {
		a.Note = remarks(a.Note, "tags: "+strings.ReplaceAll(tags, "\n", " "))
	}
	return a
}

// forAll is the claim about a system without a subscription. A fix that only
// subscribers get leaves it affected, with the state "will not be fixed" and the
// version in the note: whoever has that version is a subscriber, and not affected.
func forAll(common *state, extended []state) (a advisory.Affected, ok bool) {
	fixed, harmless, open := "", (*state)(nil), (*state)(nil)
	for i, e := range extended {
		switch {
		case e.fixes() && e.version() != "":
			fixed = e.version()
		case e.word == "not-affected":
			harmless = &extended[i]
		default:
			open = &extended[i]
		}
	}
	if common != nil && common.word == "DNE" {
		return a, false
	}
	if common != nil && common.fixes() && onlyExtended(*common) {
		fixed, common = common.version(), nil
	}
	switch {
	case common != nil && common.word == "ignored" && fixed == "" && harmless != nil, common == nil && fixed == "" && harmless != nil && open == nil:
		a, ok = harmless.affected()
		a.Note = remarks("as Ubuntu Pro found", a.Note)
	case common != nil:
		if a, ok = common.affected(); !ok {
			return a, false
		}
		if a.Status == advisory.StatusAffected && a.Fix.State != advisory.Fixed && fixed != "" {
			a.Intervals = []advisory.Interval{{Fixed: fixed}}
		} else {
			fixed = ""
		}
	case fixed != "":
		a, ok = advisory.Affected{Intervals: []advisory.Interval{{Fixed: fixed}}, Fix: advisory.Fix{State: advisory.WontFix}}, true
	case open != nil:
		if a, ok = open.affected(); a.Status == advisory.StatusAffected {
			a.Fix = advisory.Fix{State: advisory.WontFix}
		}
		a.Note = remarks("only Ubuntu Pro is supported", a.Note)
	}
	if fixed != "" {
		a.Note = remarks(a.Note, "fixed in ESM: "+fixed)
	}
	return a, ok
}

func (s state) fixes() bool { return s.word == "released" || s.word == "released-esm" }

// onlyExtended tells a fix that is in no public archive.
func onlyExtended(s state) bool {
	v := s.version()
	return s.word == "released-esm" || strings.Contains(v, "+esm") || strings.Contains(v, "~esm")
}

// affected is the claim of one state by itself; ok is false where the package
// does not exist.
func (s state) affected() (a advisory.Affected, ok bool) {
	a.Note = s.note
	switch s.word {
	case "DNE", "":
		return a, false
	case "released", "released-esm":
		v := s.version()
		if v == "" {
			a.Status, a.Fix.State = advisory.StatusUndetermined, advisory.Fixed
			a.Note = remarks("released, but in which version is not said", s.note)
			return a, true
		}
		a.Intervals, a.Note = []advisory.Interval{{Fixed: v}}, ""
		a.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{v}}
	case "not-affected":
		a.Status = advisory.StatusNotAffected
	case "pending":
		a.Fix.State = advisory.NotFixed
		if v := s.version(); v != "" {
			a.Intervals = []advisory.Interval{{Fixed: v}}
		}
		a.Note = remarks("a fix is on its way", s.note)
	case "deferred":
		a.Fix.State = advisory.Deferred
	case "ignored":
		a.Fix.State = advisory.WontFix
		if endOfLife(s.note) {
			a.Fix.State = advisory.EndOfLife
		}
	case "needed", "active":
		a.Fix.State = advisory.NotFixed
	case "needs-triage", "in-triage", "needs-analysis":
		// Ubuntu's own OSV and OVAL give these as affected, too.
		a.Fix.State = advisory.NotFixed
		a.Note = remarks("not yet judged", s.note)
	default:
		a.Status = advisory.StatusUndetermined
		a.Note = remarks("state "+shorten(s.word), s.note)
	}
	return a, true
}

func endOfLife(note string) bool {
	for _, s := range []string{"end-of-life", "end of life", "end of standard support", "out of standard support", "end of ESM support", "EOL"} {
		if strings.Contains(note, s) {
			return true
		}
	}
	return false
}

func remarks(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
