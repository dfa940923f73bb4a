// Package echo reads the advisories of Echo, which rebuilds packages of Debian.
// How packages compare with them is left to others.
package echo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
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

// Source is Echo's list: package → CVE → fixed version. It gives one advisory
// for each identifier, about source packages. Without a fixed version a package
// is affected and not fixed; with version "0" it never was affected.
type Source struct{}

var _ feed.Source = Source{}

// Info implements [feed.Source].
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "echo", Publisher: "Echo", Describes: "fixed versions of Echo's packages",
		URL: "https://advisory.echohq.com/data.json", Streams: []string{"echo"}, Licence: "not stated", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// maxEntries bounds what is held.
const maxEntries = 5_000_000

// Fetch implements [feed.Source]. From is data.json, or a folder or archive
// with it.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		claims, files := map[string][]claim{}, 0
		err := out.Each(members, func(m feed.Member) error {
			if ext := path.Ext(m.Name); ext != ".json" && ext != "" && in.From != "" {
				return nil
			}
			files++
			return read(m, claims, out.Yield)
		})
		if err == nil && files == 0 {
			err = errors.New("there is no data.json")
		}
		if err == nil && !out.Over() {
			advisories(claims, out.Yield)
		}
		return err
	})
}

type claim struct{ pkg, fixed string }

func read(m feed.Member, claims map[string][]claim, give func(feed.Item, error) bool) error {
	r := feed.NewJSONReader(m, 1<<20)
	n := 0
	for pkg, err := range r.Object() {
		if err != nil {
			return err
		}
		for id, err := range r.Object() {
			if err != nil {
				return err
			}
			var v struct {
				Fixed string `json:"fixed_version"`
			}
			err := r.Decode(&v)
			switch {
			case err != nil && !feed.IsJSONError(err):
				return err
			case err == nil && (pkg == "" || len(id) > 60 || !strings.ContainsAny(id, "0123456789") || strings.ContainsAny(id, " \n")):
				err = errors.New("it is no identifier")
			}
			if err != nil {
				if !give(feed.Item{}, &feed.BadRecord{Record: fmt.Sprintf("%.60s in %.60s", id, pkg), Err: err}) {
					return nil
				}
				continue
			}
			claims[id] = append(claims[id], claim{pkg, v.Fixed})
			if n++; n > maxEntries {
				return &feed.LimitError{What: m.Name, Limit: "entries", Most: maxEntries}
			}
		}
	}
	return r.End()
}

func advisories(claims map[string][]claim, give func(feed.Item, error) bool) {
	for _, id := range slices.Sorted(maps.Keys(claims)) {
		a := &advisory.Advisory{Source: "echo", ID: id}
		all := claims[id]
		slices.SortFunc(all, func(x, y claim) int { return cmp.Or(strings.Compare(x.pkg, y.pkg), strings.Compare(x.fixed, y.fixed)) })
		for _, c := range slices.Compact(all) {
			f := advisory.Affected{Key: advisory.Key{Stream: "echo", Name: advisory.Name("echo", c.pkg)}, Names: advisory.Source, Scheme: version.Deb}
			switch c.fixed {
			case "":
				f.Fix.State = advisory.NotFixed
			case "0":
				f.Status = advisory.StatusNotAffected
			default:
				f.Intervals = []advisory.Interval{{Fixed: c.fixed}}
				f.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{c.fixed}}
			}
			a.Affected = append(a.Affected, f)
		}
		if !give(feed.Item{Advisory: a}, nil) {
			return
		}
	}
}
