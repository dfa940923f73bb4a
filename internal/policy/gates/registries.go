package gates

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// registry is what differs between the gates of npm and RubyGems packages.
type registry struct {
	gate, kind, feed                                    string
	newer, unknown, version, listed, listed2            string
	notLatest, notOfficial, badVersion, denied, noFeeds string
}

func npms() policy.Gate {
	return registry{gate: "npms", kind: "npm", feed: "npm", newer: "newer_version_in_feed", unknown: "unknown_in_feeds", version: "version_not_in_feeds",
		listed: "blacklisted_name_version", listed2: "denylisted_name_version",
		notLatest:   "NPMNOTLATEST Package (%s) version (%s) installed but is not the latest version (%s)",
		notOfficial: "NPMNOTOFFICIAL Package (%s) in container but not in official NPM feed.",
		badVersion:  "NPMBADVERSION Package (%s) version (%s) installed but version is not in the official feed for this package (%s)",
		denied:      "NPM Package is blacklisted: ",
		noFeeds:     "NPM packages are present but the anchore npm feed is not available - will be unable to perform checks that require feed data",
	}.build("Packages of npm, compared with what the registry has")
}

func rubyGems() policy.Gate {
	return registry{gate: "ruby_gems", kind: "gem", feed: "gem", newer: "newer_version_found_in_feed", unknown: "not_found_in_feed", version: "version_not_found_in_feed",
		listed: "blacklist", listed2: "denylist",
		notLatest:   "Package (%s) version (%s) installed but is not the latest version (%s)",
		notOfficial: "GEMNOTOFFICIAL Package (%s) in container but not in official GEM feed.",
		badVersion:  "GEMBADVERSION Package (%s) version (%s) installed but version is not in the official feed for this package (%s)",
		denied:      "Gem Package is blacklisted: ",
		noFeeds:     "Gem packages are present but the anchore gem feed is not available - will be unable to perform checks that require feed data",
	}.build("Packages of RubyGems, compared with what the registry has")
}

func (r registry) build(description string) policy.Gate {
	return newGate(r.gate, description,
		trigger{policy.TriggerSpec{Name: r.newer, Description: "The registry has a newer version than the one installed"}, r.compared(r.isNewer)},
		trigger{policy.TriggerSpec{Name: r.unknown, Description: "The registry does not know the package"}, r.compared(r.isUnknown)},
		trigger{policy.TriggerSpec{Name: r.version, Description: "The registry knows the package, but not the version installed"}, r.compared(r.isBadVersion)},
		trigger{policy.TriggerSpec{Name: r.listed, Name2: r.listed2, Description: "The package is installed, in the given version if one is given", Params: []policy.ParamSpec{
			{Name: "name", Type: policy.String, Required: true, Example: "time_diff", Description: "Name of the package"},
			{Name: "version", Type: policy.String, Example: "0.2.9", Description: "Exact version"},
		}}, r.isListed},
		trigger{policy.TriggerSpec{Name: "feed_data_unavailable", Description: "There is no data of the registry"}, r.feedMissing},
	)
}

// installed are the registry's packages in the image.
func (r registry) installed(s *policy.Subject) []*inventory.Package {
	return policy.Memo(s, "packages of type "+r.kind, func() []*inventory.Package {
		var out []*inventory.Package
		for i := range s.Image.Packages {
			if p := &s.Image.Packages[i]; p.Type == r.kind {
				out = append(out, p)
			}
		}
		return out
	})
}

// compared asks about every package and version once, if the registry's data
// knows any of the image's packages.
func (r registry) compared(ask func(name, version string, known policy.FeedPackage, ok bool) string) func(context.Context, *policy.Subject, policy.Params) ([]policy.Hit, error) {
	return func(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
		installed := r.installed(s)
		if len(installed) == 0 {
			return nil, nil
		}
		feed := s.PackageFeeds[r.feed]
		if feed == nil || feed.Synced.IsZero() {
			return unknown("there is no data of the %s registry", r.feed), nil
		}
		if !slices.ContainsFunc(installed, func(p *inventory.Package) bool { _, ok := feed.Packages[match.EcosystemName(p)]; return ok }) {
			return nil, nil
		}
		var out []policy.Hit
		seen := map[[2]string]bool{}
		for _, p := range installed {
			name := match.EcosystemName(p)
			if seen[[2]string{name, p.Version}] {
				continue
			}
			seen[[2]string{name, p.Version}] = true
			known, ok := feed.Packages[name]
			message := ask(name, p.Version, known, ok)
			if message == "" || len(out) > 0 && slices.ContainsFunc(out, func(h policy.Hit) bool { return h.Message == message }) {
				continue
			}
			h := policy.Hit{Message: message, Evidence: evidence(s, p)}
			if ok && known.Latest != "" {
				h.Remedy = "Update " + name + " to " + known.Latest
			}
			out = append(out, h)
		}
		return out, nil
	}
}

func (r registry) isNewer(name, version string, known policy.FeedPackage, ok bool) string {
	if !ok || known.Latest == "" || version == known.Latest {
		return ""
	}
	return fmt.Sprintf(r.notLatest, name, version, known.Latest)
}

func (r registry) isUnknown(name, _ string, _ policy.FeedPackage, ok bool) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(r.notOfficial, name)
}

func (r registry) isBadVersion(name, version string, known policy.FeedPackage, ok bool) string {
	if !ok || slices.Contains(known.Versions, version) {
		return ""
	}
	return fmt.Sprintf(r.badVersion, name, version, pythonList(known.Versions))
}

func (r registry) isListed(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	name, version := p.Text("name"), p.Text("version")
	for _, pkg := range r.installed(s) {
		if match.EcosystemName(pkg) != name || version != "" && pkg.Version != version {
			continue
		}
		message := r.denied + name
		if version != "" {
			message += "-" + version
		}
		return []policy.Hit{{Message: message, Evidence: evidence(s, pkg)}}, nil
	}
	return nil, nil
}

func (r registry) feedMissing(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if feed := s.PackageFeeds[r.feed]; feed != nil && !feed.Synced.IsZero() {
		return nil, nil
	}
	return hit(r.noFeeds), nil
}
