package gates

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func distro() policy.Gate {
	return newGate("distro", "The image's distribution",
		trigger{policy.TriggerSpec{Name: "deny", Description: "The image is of a distribution in a version that satisfies the comparison", Params: []policy.ParamSpec{
			{Name: "distro", Type: policy.String, Required: true, Example: "debian", Description: "Name of the distribution, as in os-release"},
			{Name: "version", Type: policy.String, Required: true, Example: "11", Description: "Version to compare with"},
			{Name: "check", Type: policy.Enum, Values: comparisons(), Required: true, Example: "<", Description: "How to compare"},
		}}, distroDeny},
		trigger{policy.TriggerSpec{Name: "eol", Description: "The distribution's release gets no more support", Params: []policy.ParamSpec{
			{Name: "days_before", Type: policy.Duration, Default: "0", Example: "90", Description: "Fire this many days before the end"},
			{Name: "extended", Type: policy.Bool, Default: "false", Example: "true", Description: "Whether paid extended support counts"},
		}}, distroEOL},
		trigger{policy.TriggerSpec{Name: "unknown", Description: "The image has packages of an operating system, but does not say which"}, distroUnknown},
	)
}

func distroDeny(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	d := s.Image.Distro
	if d == nil || !strings.EqualFold(d.ID, p.Text("distro")) {
		return nil, nil
	}
	if d.Version == "" {
		return unknown("the image does not say which version of %s it is", d.ID), nil
	}
	c, err := version.Compare(version.Generic, d.Version, p.Text("version"))
	if err != nil {
		return nil, fmt.Errorf("comparing versions of %s: %w", d.ID, err)
	}
	if !holds(p.Text("check"), c) {
		return nil, nil
	}
	return []policy.Hit{{Message: fmt.Sprintf("Distro %s version %s is denied (%s %s)", d.ID, d.Version, p.Text("check"), p.Text("version")), Evidence: policy.Evidence{Path: policy.Absolute(d.Path)}}}, nil
}

func distroEOL(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	d := s.Image.Distro
	if d == nil {
		return nil, nil
	}
	if s.Scan == nil {
		return notMatched(s), nil
	}
	st := &s.Scan.Distro
	eol, ended := st.EOL, st.Ended
	if p.Bool("extended") && !st.Extend.IsZero() {
		eol, ended = st.Extend, false
	}
	if eol.IsZero() && !ended {
		return unknown("it is not known how long %s %s is supported", d.ID, d.Version), nil
	}
	text := ends(s, ended, eol, p.Int("days_before"))
	if text == "" {
		return nil, nil
	}
	return []policy.Hit{{Message: fmt.Sprintf("Support of distro %s version %s %s", d.ID, d.Version, text), Evidence: policy.Evidence{Path: policy.Absolute(d.Path)}, Remedy: "Build on a release that is supported"}}, nil
}

func distroUnknown(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if s.Image.Distro != nil {
		return nil, nil
	}
	for i := range s.Image.Packages {
		if p := &s.Image.Packages[i]; p.OS() {
			return []policy.Hit{{Message: "The image has packages of an operating system, but does not say which", Evidence: evidence(s, p)}}, nil
		}
	}
	return nil, nil
}
