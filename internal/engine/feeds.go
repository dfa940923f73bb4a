package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// Feeds holds the sources and the owner's choices about them.
type Feeds struct {
	DB      *store.DB
	Sources []feed.Source
	Client  *feed.Client
	Now     func() time.Time
	Log     *slog.Logger
	Answers *store.Answers // what was matched before; nil: nothing is kept
	Build   string         // identifies the program: what another build found is not taken
}

// FeedSetting is what an owner decides about one source.
type FeedSetting struct {
	Enabled  *bool         `json:"enabled,omitempty"`  // nil: as the source itself says
	URL      string        `json:"url,omitempty"`      // instead of the publisher's
	Priority *int          `json:"priority,omitempty"` // nil: the source's own
	Fresh    time.Duration `json:"fresh,omitempty"`    // bound of age; 0: the source's own
	Pinned   bool          `json:"pinned,omitempty"`   // not updated, whatever is asked
}

// FeedView is a source with its settings and what is known of its data.
type FeedView struct {
	feed.Info
	Setting FeedSetting       `json:"setting"`
	Enabled bool              `json:"enabled"`
	Status  *store.FeedStatus `json:"status,omitempty"` // nil: never updated
	Stale   bool              `json:"stale"`
}

// ErrNoSource says that there is no source of that name.
var ErrNoSource = errors.New("no such source")

func (f *Feeds) source(name string) (feed.Source, error) {
	for _, s := range f.Sources {
		if s.Info().Name == name {
			return s, nil
		}
	}
	var like []string
	for _, s := range f.Sources {
		if n := s.Info().Name; strings.Contains(n, name) || strings.Contains(name, n) {
			like = append(like, n)
		}
	}
	if len(like) > 0 {
		return nil, fmt.Errorf("%w: %q; is it %s?", ErrNoSource, name, strings.Join(like, ", "))
	}
	return nil, fmt.Errorf("%w: %q; feed list shows all", ErrNoSource, name)
}

// Views returns every source, by name.
func (f *Feeds) Views(ctx context.Context) ([]FeedView, error) {
	settings, err := store.FeedSettings[FeedSetting](ctx, f.DB)
	if err != nil {
		return nil, err
	}
	statuses, err := f.DB.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]*store.FeedStatus{}
	for i := range statuses {
		byName[statuses[i].Source] = &statuses[i]
	}
	var out []FeedView
	for _, s := range f.Sources {
		v := FeedView{Info: s.Info(), Setting: settings[s.Info().Name]}
		v.Status = byName[v.Name]
		// a source without an upstream has only what its owner gave it, to be used
		v.Enabled = v.Off == "" || v.URL == "" && v.Status != nil && v.Status.Records > 0
		if v.Setting.Enabled != nil {
			v.Enabled = *v.Setting.Enabled
		}
		if v.Setting.Priority != nil {
			v.Priority = *v.Setting.Priority
		}
		v.Fresh = cmp.Or(v.Setting.Fresh, v.Fresh)
		v.Stale = v.Status == nil || v.Fresh > 0 && f.Now().Sub(v.Status.Checked) > v.Fresh
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b FeedView) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Set keeps the owner's choice about a source.
func (f *Feeds) Set(ctx context.Context, name string, change func(*FeedSetting)) error {
	if _, err := f.source(name); err != nil {
		return err
	}
	settings, err := store.FeedSettings[FeedSetting](ctx, f.DB)
	if err != nil {
		return err
	}
	s := settings[name]
	change(&s)
	return store.PutFeedSetting(ctx, f.DB, name, s)
}

// RefreshOptions are the choices of one update.
type RefreshOptions struct {
	From  string // a file or folder in the upstream's format, instead of the network
	Force bool   // take a shrunken feed, and update a pinned one
}

// Refresh updates one source: what the publisher has is read and compared,
// then taken in one transaction. A failure changes nothing but the record of
// the failure.
func (f *Feeds) Refresh(ctx context.Context, name string, o RefreshOptions) (store.FeedChange, error) {
	src, err := f.source(name)
	if err != nil {
		return store.FeedChange{}, err
	}
	settings, err := store.FeedSettings[FeedSetting](ctx, f.DB)
	if err != nil {
		return store.FeedChange{}, err
	}
	if settings[name].Pinned && !o.Force {
		return store.FeedChange{}, fmt.Errorf("%s is pinned; unpin it, or use --force", name)
	}
	var state feed.State
	if o.From == "" {
		statuses, err := f.DB.Feeds(ctx)
		if err != nil {
			return store.FeedChange{}, err
		}
		for _, s := range statuses {
			if s.Source == name {
				state = s.State
			}
		}
	}
	change, err := f.refresh(ctx, src, feed.Input{From: o.From, URL: settings[name].URL, Client: f.Client}, state, store.Guard{Force: o.Force})
	if err != nil && ctx.Err() == nil {
		if ferr := f.DB.FeedFailed(ctx, name, err, f.Now()); ferr != nil {
			f.Log.Error("feed: failure not noted", "source", name, "error", ferr)
		}
	}
	return change, err
}

func (f *Feeds) refresh(ctx context.Context, src feed.Source, in feed.Input, state feed.State, g store.Guard) (store.FeedChange, error) {
	name := src.Info().Name
	u, err := src.Fetch(ctx, in, state)
	if err != nil {
		return store.FeedChange{Source: name}, fmt.Errorf("fetching %s: %w", name, err)
	}
	return f.DB.ApplyFeed(ctx, name, u, g, f.Now())
}

// Snapshot fixes what is known at an instant; zero means now.
func (f *Feeds) Snapshot(ctx context.Context, asOf time.Time) (*store.Snapshot, []FeedView, error) {
	views, err := f.Views(ctx)
	if err != nil {
		return nil, nil, err
	}
	byName := map[string]FeedView{}
	for _, v := range views {
		byName[v.Name] = v
	}
	s, err := f.DB.Snapshot(ctx, store.SnapshotOptions{
		AsOf:    asOf,
		Now:     f.Now(),
		Off:     func(source string) bool { v, ok := byName[source]; return ok && !v.Enabled },
		Partial: func(source, stream string) bool { return slices.Contains(byName[source].Partial, stream) },
		Fresh:   func(source string) time.Duration { return byName[source].Fresh },
	})
	return s, views, err
}
