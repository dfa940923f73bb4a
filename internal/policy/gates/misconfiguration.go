package gates

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func misconfiguration() policy.Gate {
	return newGate("misconfiguration", "Settings of the image, and of what runs in it, that weaken it",
		trigger{policy.TriggerSpec{Name: "check", Description: "A check failed with at least the given severity", Params: []policy.ParamSpec{
			{Name: "severity", Type: policy.Enum, Values: severities()[2:], Default: "low", Example: "high", Description: "Least severity"},
			{Name: "ids", Type: policy.List, Example: "TW-SSH-001", Description: "Ids of checks; without it all count"},
			{Name: "exclude_ids", Type: policy.List, Example: "TW-IMG-004", Description: "Ids of checks that do not count"},
			{Name: "exclude", Type: policy.Regexp, Example: "/usr/share/doc/.*", Description: "Regular expression, matched at the start of the path, of what does not count"},
		}}, misconfigured},
	)
}

func misconfigured(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactMisconfigured) {
		return unknown("the image was not checked for misconfiguration"), nil
	}
	facts, err := policy.Facts[policy.Misconfiguration](s, policy.FactMisconfigured)
	if err != nil {
		return nil, err
	}
	least, ids, exclude := advisory.Level(p.Text("severity")).Rank(), wanted(p.List("ids")), p.Regexp("exclude")
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		if f.Hidden || advisory.LevelOf(f.Fact.Severity).Rank() < least || ids != nil && !ids[f.Fact.ID] || slices.Contains(p.List("exclude_ids"), f.Fact.ID) || exclude != nil && exclude.MatchString(f.Path) {
			continue
		}
		if !f.Fact.From.IsZero() && s.Now.Before(f.Fact.From) || !f.Fact.Until.IsZero() && !s.Now.Before(f.Fact.Until) {
			continue
		}
		message := fmt.Sprintf("%s %s", f.Fact.ID, f.Fact.Title)
		if f.Path != "" {
			message += " in " + f.Path
		}
		if f.Fact.Message != "" {
			message += ": " + f.Fact.Message
		}
		out = append(out, policy.Hit{ID: f.Fact.ID + "+" + f.Path, Message: message, Remedy: f.Fact.Remedy,
			Evidence: policy.Evidence{Path: f.Path, Line: f.Fact.Line, Layer: s.LayerDigest(f.Layer), Detail: "severity " + f.Fact.Severity}})
	}
	return out, nil
}

func stig() policy.Gate {
	return newGate("stig", "STIG evaluations that are attached to the image",
		trigger{policy.TriggerSpec{Name: "evaluation_passed", Description: "No evaluation of the image passed, or one failed", Params: []policy.ParamSpec{
			{Name: "profiles", Type: policy.List, Example: "ubuntu-22.04-stig", Description: "Profiles that must have passed; without it any one"},
		}}, stigPassed},
	)
}

func stigPassed(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	facts, err := policy.Facts[policy.STIG](s, policy.FactSTIG)
	if err != nil {
		return nil, err
	}
	passed := map[string]bool{}
	for i := range facts {
		passed[facts[i].Fact.Profile] = facts[i].Fact.Passed
	}
	var out []policy.Hit
	for _, profile := range p.List("profiles") {
		if ok, there := passed[profile]; !there {
			out = append(out, hit(fmt.Sprintf("No STIG evaluation of profile %s is attached to the image", profile))...)
		} else if !ok {
			out = append(out, hit(fmt.Sprintf("The STIG evaluation of profile %s failed", profile))...)
		}
	}
	if len(p.List("profiles")) > 0 {
		return out, nil
	}
	if len(passed) == 0 {
		return hit("No STIG evaluation is attached to the image"), nil
	}
	for i := range facts {
		if !facts[i].Fact.Passed {
			out = append(out, hit(fmt.Sprintf("The STIG evaluation of profile %s failed", facts[i].Fact.Profile))...)
		}
	}
	return out, nil
}
