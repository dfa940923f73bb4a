package csaf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of a repository map.
const (
	maxRepositories   = 1_000_000
	maxRepositoryCPEs = 10_000 // of one repository
)

// Repositories is Red Hat's repository-to-cpe.json: which products, as claims
// name them in [advisory.Affected.Repository], a repository has the content of.
// One [advisory.Repository] for each content set,
// "rhel-9-for-x86_64-baseos-rpms".
type Repositories struct{}

var _ feed.Source = Repositories{}

// Info implements [feed.Source].
func (Repositories) Info() feed.Info {
	return feed.Info{
		Name: "redhat-repositories", Publisher: "Red Hat", Describes: "which repository of Red Hat has which product's packages",
		URL: "https://security.access.redhat.com/data/metrics/repository-to-cpe.json", Licence: "CC-BY-4.0", Fresh: 30 * 24 * time.Hour,
	}
}

// Fetch implements [feed.Source]. From is the map, or a folder or archive with
// nothing else in it.
func (s Repositories) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		maps := 0
		err := out.Each(members, func(m feed.Member) error {
			if maps++; maps > 1 {
				return fmt.Errorf("%s is there besides another: one repository map must be named", m.Name)
			}
			return readRepositories(m, func(r *advisory.Repository, err error) bool {
				if err != nil {
					out.Bad(r.Name, err)
					return !out.Over()
				}
				return out.Yield(feed.Item{Repository: r}, nil)
			})
		})
		if err == nil && maps == 0 && !out.Over() {
			return errors.New("there is no repository map")
		}
		return err
	})
}

// readRepositories yields every repository of a map, in the map's order, until
// yield returns false. A repository with an error has only its name.
func readRepositories(r io.Reader, yield func(*advisory.Repository, error) bool) error {
	in := feed.NewJSONReader(r, 1<<20)
	found, n := false, 0
	for key, err := range in.Object() {
		if err != nil {
			return fmt.Errorf("reading the repository map: %w", err)
		}
		if key != "data" {
			continue
		}
		found = true
		for name, err := range in.Object() {
			if err != nil {
				return fmt.Errorf("reading the repository map: %w", err)
			}
			var v struct {
				CPEs []string `json:"cpes"`
			}
			if err := in.Decode(&v); err != nil {
				return fmt.Errorf("reading the repository %s: %w", shorten(name), err)
			}
			if n++; n > maxRepositories {
				return &feed.LimitError{What: "the repository map", Limit: "repositories", Most: maxRepositories}
			}
			rep := &advisory.Repository{Source: Repositories{}.Info().Name, Name: name}
			if len(v.CPEs) > maxRepositoryCPEs {
				if !yield(rep, &feed.LimitError{What: "the repository", Limit: "CPEs", Most: maxRepositoryCPEs}) {
					return nil
				}
				continue
			}
			slices.Sort(v.CPEs)
			rep.CPEs = slices.Compact(v.CPEs)
			if !yield(rep, nil) {
				return nil
			}
		}
	}
	if err := in.End(); err != nil {
		return fmt.Errorf("reading the repository map: %w", err)
	}
	if !found {
		return errors.New("it is no repository map: it has no member \"data\"")
	}
	return nil
}
