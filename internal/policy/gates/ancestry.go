package gates

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func ancestry() policy.Gate {
	list := func(name, example, what string) []policy.ParamSpec {
		return []policy.ParamSpec{{Name: name, Type: policy.List, Required: true, Example: example, Description: what}}
	}
	return newGate("ancestry", "The images that this one was built on",
		trigger{policy.TriggerSpec{Name: "allowed_base_image_digest", Description: "The base image is none of the allowed ones", Params: list("base_digest", "sha256:4a5a…", "Digests of allowed base images")},
			baseAllowed("base_digest", func(a policy.Ancestor, list []string) bool { return slices.Contains(list, string(a.Digest)) })},
		trigger{policy.TriggerSpec{Name: "allowed_base_image_tag", Description: "The base image has none of the allowed tags", Params: list("base_tag", "docker.io/library/debian:12", "Tags of allowed base images")},
			baseAllowed("base_tag", hasTag)},
		trigger{policy.TriggerSpec{Name: "denylist_ancestor_image_digest", Description: "An ancestor is one of the denied ones", Params: list("ancestor_digest", "sha256:4a5a…", "Digests of denied ancestors")},
			ancestorDenied("ancestor_digest", func(a policy.Ancestor, list []string) bool { return slices.Contains(list, string(a.Digest)) })},
		trigger{policy.TriggerSpec{Name: "denylist_ancestor_image_tag", Description: "An ancestor has one of the denied tags", Params: list("ancestor_tag", "docker.io/library/debian:9", "Tags of denied ancestors")},
			ancestorDenied("ancestor_tag", hasTag)},
		trigger{policy.TriggerSpec{Name: "no_ancestors_analyzed", Description: "No ancestor of the image is known"}, noAncestors},
	)
}

// hasTag compares tags with and without their registry spelled out.
func hasTag(a policy.Ancestor, list []string) bool {
	return slices.ContainsFunc(a.Tags, func(tag string) bool {
		return slices.ContainsFunc(list, func(want string) bool { return tag == want || fullTag(tag) == fullTag(want) })
	})
}

func fullTag(s string) string {
	t := policy.ParseTag(s)
	if t.Registry == "docker.io" && !strings.Contains(t.Repository, "/") {
		t.Repository = "library/" + t.Repository
	}
	return t.Registry + "/" + t.Repository + ":" + t.Tag + "@" + t.Digest
}

func ancestorName(a policy.Ancestor) string {
	if len(a.Tags) > 0 {
		return a.Tags[0] + " (" + string(a.Digest) + ")"
	}
	return string(a.Digest)
}

func baseAllowed(param string, listed func(policy.Ancestor, []string) bool) func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error) {
	return func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
		a, ok := s.BaseAncestor()
		if !ok {
			return unknown("the base image is not known"), nil
		}
		if listed(a, p.List(param)) {
			return nil, nil
		}
		return hit(fmt.Sprintf("Base image %s is not among the allowed base images", ancestorName(a))), nil
	}
}

func ancestorDenied(param string, listed func(policy.Ancestor, []string) bool) func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error) {
	return func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
		if len(s.Ancestors) == 0 {
			return unknown("no ancestor of the image is known"), nil
		}
		var out []policy.Hit
		for _, a := range s.Ancestors {
			if listed(a, p.List(param)) {
				out = append(out, hit(fmt.Sprintf("Image is built on %s, which is denied", ancestorName(a)))...)
			}
		}
		return out, nil
	}
}

func noAncestors(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if len(s.Ancestors) > 0 {
		return nil, nil
	}
	return hit("No ancestor of the image has been analyzed"), nil
}
