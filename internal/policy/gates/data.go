package gates

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// data lets a policy act on what the record does not know; by themselves
// unknowns never change an action.
func data() policy.Gate {
	return newGate("data", "What a verdict rests on: vulnerability data that is missing or stale, packages that could not be judged, files that could not be read",
		trigger{policy.TriggerSpec{Name: "stale", Description: "A source of vulnerability data is too old, or failed", Params: []policy.ParamSpec{
			{Name: "max_days", Type: policy.Duration, Example: "3", Description: "Days since a source was last checked; without it each source's own bound counts"},
			{Name: "sources", Type: policy.List, Example: "nvd,debian", Description: "Sources; without it all count"},
		}}, dataStale},
		trigger{policy.TriggerSpec{Name: "missing", Description: "There is no vulnerability data for packages of the image", Params: []policy.ParamSpec{
			{Name: "states", Type: policy.List, Example: "no-data,unknown-distro", Description: "States that count: no-version, bad-version, unknown-distro, unknown-type, no-data, stale; without it no-data and unknown-distro"},
		}, Prepare: prepareStates}, dataMissing},
		trigger{policy.TriggerSpec{Name: "not_scanned", Description: "The image was not matched against vulnerability data"}, notScanned},
		trigger{policy.TriggerSpec{Name: "unread_files", Description: "Something in the image could not be read, or not wholly", Params: []policy.ParamSpec{
			{Name: "exclude", Type: policy.Regexp, Example: "/usr/share/.*", Description: "Regular expression, matched at the start of the path, of what does not count"},
			{Name: "analyzers", Type: policy.List, Example: "dpkg,java", Description: "Analyzers; without it all count"},
		}}, unreadFiles},
	)
}

func dataStale(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	sources := wanted(p.List("sources"))
	var out []policy.Hit
	for i := range s.Scan.Feeds {
		f := &s.Scan.Feeds[i]
		if sources != nil && !sources[f.Source] {
			continue
		}
		stale := f.Stale
		if p.Has("max_days") {
			stale = f.Checked.IsZero() || f.Checked.Before(s.Now.Add(-daysOf(p.Int("max_days"))))
		}
		if stale {
			out = append(out, policy.Hit{ID: "stale+" + f.Source, Message: fmt.Sprintf("Vulnerability data of %s is stale", f.Source), Evidence: policy.Evidence{Detail: f.Error}, Remedy: "Bring the vulnerability data up to date"})
		}
		delete(sources, f.Source)
	}
	for _, name := range slices.Sorted(slices.Values(p.List("sources"))) {
		if sources[name] {
			out = append(out, policy.Hit{ID: "stale+" + name, Message: fmt.Sprintf("There is no vulnerability data of %s", name), Remedy: "Bring the vulnerability data up to date"})
		}
	}
	return out, nil
}

func prepareStates(p policy.Params) (any, error) {
	known := []match.State{match.NoVersion, match.BadVersion, match.UnknownDistro, match.UnknownType, match.NoData, match.Stale}
	set := map[match.State]bool{}
	for _, s := range p.List("states") {
		if !slices.Contains(known, match.State(s)) {
			return nil, fmt.Errorf("parameter states: %q is none of %v", s, known)
		}
		set[match.State(s)] = true
	}
	if len(set) == 0 {
		set[match.NoData], set[match.UnknownDistro] = true, true
	}
	return set, nil
}

func dataMissing(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	states, _ := p.Prepared().(map[match.State]bool)
	var out []policy.Hit
	for i := range s.Scan.States {
		st := &s.Scan.States[i]
		if !states[st.State] || st.Package < 0 || st.Package >= len(s.Image.Packages) {
			continue
		}
		pkg := &s.Image.Packages[st.Package]
		e := evidence(s, pkg)
		e.Detail = cmp.Or(st.Message, e.Detail)
		out = append(out, policy.Hit{ID: string(st.State) + "+" + idPart(pkg), Message: fmt.Sprintf("Package %s (%s) could not be judged: %s", pkg.Name, typeName(pkg), st.State), Evidence: e})
	}
	return out, nil
}

func notScanned(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if s.Scan != nil {
		return nil, nil
	}
	return hit("The image was not matched against vulnerability data"), nil
}

func unreadFiles(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	exclude, analyzers := p.Regexp("exclude"), wanted(p.List("analyzers"))
	var out []policy.Hit
	for i := range s.Image.Problems {
		pr := &s.Image.Problems[i]
		name := policy.Absolute(pr.Path)
		if analyzers != nil && !analyzers[pr.Analyzer] || exclude != nil && exclude.MatchString(name) {
			continue
		}
		out = append(out, policy.Hit{ID: "unread+" + pr.Analyzer + "+" + name, Message: fmt.Sprintf("%s could not be read wholly: %s", cmp.Or(name, "The image"), pr.Message), Evidence: policy.Evidence{Path: name, Layer: s.LayerDigest(pr.Layer), Detail: pr.Limit}})
	}
	return out, nil
}
