// Package arch reads the advisories of the Arch Linux security team: groups of
// vulnerabilities (AVG) in packages built together. How packages compare with
// them is left to others.
package arch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Source{}} }

// Source is the tracker's list of all groups. A group is one advisory, about
// binary packages. Every version before the fixed one counts as affected: the
// version that the tracker calls affected is only the one it was seen in.
type Source struct{}

var _ feed.Source = Source{}

const page = "https://security.archlinux.org/"

// Info implements [feed.Source].
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "arch", Publisher: "Arch Linux", Describes: "groups of vulnerabilities in the packages of Arch Linux",
		URL: page + "all.json", Streams: []string{"arch"}, Licence: "not stated", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// group is one AVG.
type group struct {
	Name       string   `json:"name"`
	Packages   []string `json:"packages"`
	Status     string   `json:"status"`
	Severity   string   `json:"severity"`
	Type       string   `json:"type"`
	Affected   string   `json:"affected"`
	Fixed      string   `json:"fixed"`
	Ticket     any      `json:"ticket"`
	Issues     []string `json:"issues"`
	Advisories []string `json:"advisories"`
}

// Fetch implements [feed.Source]. From is all.json, or a folder or archive of
// such files.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		files := 0
		err := out.Each(members, func(m feed.Member) error {
			if ext := path.Ext(m.Name); ext != ".json" && ext != "" && in.From != "" {
				return nil
			}
			files++
			return read(m, out.Yield)
		})
		if err == nil && files == 0 {
			err = errors.New("there is no list of groups")
		}
		return err
	})
}

func read(m feed.Member, give func(feed.Item, error) bool) error {
	r := feed.NewJSONReader(m, feed.MaxRecord)
	for i, err := range r.Array() {
		if err != nil {
			return err
		}
		var g group
		var a *advisory.Advisory
		err := r.Decode(&g)
		if err == nil {
			a, err = g.advisory()
		} else if !feed.IsJSONError(err) {
			return err
		}
		if err != nil {
			err = &feed.BadRecord{Record: cmp.Or(g.Name, fmt.Sprintf("%s, group %d", m.Name, i)), Err: err}
		}
		if !give(feed.Item{Advisory: a}, err) {
			return nil
		}
	}
	return r.End()
}

func (g *group) advisory() (*advisory.Advisory, error) {
	if !strings.HasPrefix(g.Name, "AVG-") || len(g.Name) > 40 {
		return nil, fmt.Errorf("%.60q is no name of a group", g.Name)
	}
	a := &advisory.Advisory{Source: "arch", ID: g.Name, Summary: g.Type, URL: page + g.Name}
	for _, id := range g.Issues {
		if advisory.IsCVE(id) {
			a.Upstream = append(a.Upstream, id)
		} else if id != "" {
			a.Related = append(a.Related, id)
		}
	}
	slices.Sort(a.Upstream)
	a.Upstream = slices.Compact(a.Upstream)
	if g.Severity != "" && g.Severity != "Unknown" {
		a.Severities = []advisory.Severity{{Source: "arch", Type: "LABEL", Label: advisory.LevelOf(g.Severity), Raw: g.Severity}}
	}
	for _, id := range g.Advisories {
		a.References = append(a.References, advisory.Reference{Type: "ADVISORY", URL: page + id})
	}
	if g.Ticket != nil && fmt.Sprint(g.Ticket) != "" {
		a.References = append(a.References, advisory.Reference{Type: "REPORT", URL: "https://bugs.archlinux.org/task/" + fmt.Sprint(g.Ticket)})
	}
	f := advisory.Affected{Scheme: version.Pacman}
	switch g.Status {
	case "Fixed":
		if g.Fixed == "" {
			return nil, errors.New("it is fixed, but in which version is not said")
		}
		f.Intervals = []advisory.Interval{{Fixed: g.Fixed}}
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{g.Fixed}, URL: a.URL}
		if len(g.Advisories) > 0 {
			f.Fix.Advisory, f.Fix.URL = g.Advisories[0], page+g.Advisories[0]
		}
	case "Vulnerable", "Testing":
		f.Fix.State = advisory.NotFixed
		if g.Fixed != "" {
			f.Intervals = []advisory.Interval{{Fixed: g.Fixed}}
			f.Note = "fixed in testing: " + g.Fixed
		}
	case "Not affected":
		f.Status = advisory.StatusNotAffected
	case "Unknown":
		f.Status = advisory.StatusUndetermined
	default:
		return nil, fmt.Errorf("the status %.60q is unknown", g.Status)
	}
	slices.Sort(g.Packages)
	for _, name := range slices.Compact(g.Packages) {
		if name == "" {
			return nil, errors.New("a package has no name")
		}
		f.Key = advisory.Key{Stream: "arch", Name: advisory.Name("arch", name)}
		a.Affected = append(a.Affected, f)
	}
	return a, nil
}
