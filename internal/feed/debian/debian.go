// Package debian reads what the Debian security tracker says, in its two
// forms: the JSON with the state of every source package in every release, and
// the lists of the advisories DSA and DLA. How packages compare with it is left
// to others.
package debian

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Tracker{}, Lists{}} }

// Tracker is the security tracker's JSON: package → CVE → releases. It gives
// one advisory for each CVE (or TEMP-… where none is assigned yet) with every
// source package and release. A fixed version of "0" means that no version of
// that release was ever affected; "undetermined" that nobody knows yet; an
// urgency of "unimportant" that Debian sees no vulnerability in the packages it
// builds: its claim stays, with the level negligible.
type Tracker struct{}

// Lists are the files DSA/list and DLA/list of the tracker's repository: one
// advisory each, with the CVEs it is about and the fixed version of every
// release it was made for.
type Lists struct{}

var (
	_ feed.Source = Tracker{}
	_ feed.Source = Lists{}
)

// Info implements [feed.Source].
func (Tracker) Info() feed.Info {
	return feed.Info{
		Name: "debian", Publisher: "Debian", Describes: "state of every vulnerability in every Debian release, by source package",
		URL: "https://security-tracker.debian.org/tracker/data/json", Streams: []string{"debian:*"},
		Licence: "MIT", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// Info implements [feed.Source].
func (Lists) Info() feed.Info {
	return feed.Info{
		Name: "debian-dsa", Publisher: "Debian", Describes: "Debian's security advisories, DSA and DLA",
		URL: "https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data", Streams: []string{"debian:*"},
		Licence: "MIT", Fresh: 7 * 24 * time.Hour, Priority: 90,
	}
}

// Fetch implements [feed.Source]. From is the JSON, or a folder or archive with
// just one file *.json.
func (s Tracker) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	members, done := feed.Members(ctx, in.From, feed.Limits{}), func() {}
	next := feed.State{Fetched: time.Now().UTC()}
	if in.From == "" {
		url := in.URL
		if url == "" {
			url = s.Info().URL
		}
		d, err := in.Client.Get(ctx, url, feed.Conditional{ETag: state.ETag, LastModified: state.LastModified})
		if err != nil {
			return nil, err
		}
		next.ETag, next.LastModified = d.ETag, d.LastModified
		if d.NotModified {
			return &feed.Update{Unchanged: true, State: next}, d.Close()
		}
		members, done = d.Members(ctx, feed.Limits{}), func() { d.Close() }
	}
	u := &feed.Update{Whole: true, State: next}
	u.Items = func(yield func(feed.Item, error) bool) {
		defer done()
		yield = once(yield)
		read := ""
		err := each(members, func(m feed.Member) (bool, error) {
			if in.From != "" && path.Ext(m.Name) != "" && path.Ext(m.Name) != ".json" {
				return true, nil
			}
			if read != "" {
				return false, fmt.Errorf("both %s and %s are there; one of them must be named", read, m.Name)
			}
			read = m.Name
			if err := readTracker(m, yield); err != nil {
				return false, fmt.Errorf("reading %s: %w", m.Name, err)
			}
			return true, nil
		}, yield)
		if err == nil && read == "" {
			err = errors.New("there is no JSON of the security tracker")
		}
		finish(ctx, err, yield)
	}
	return u, nil
}

// Fetch implements [feed.Source]. From is one of the lists, or a folder or
// archive with files DSA/list and DLA/list, or DSA-list and DLA-list.
func (s Lists) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	l := &lists{unknown: map[string]bool{}}
	if in.From != "" {
		u.Items = func(yield func(feed.Item, error) bool) {
			yield = once(yield)
			l.yield = yield
			found := 0
			err := each(feed.Members(ctx, in.From, feed.Limits{}), func(m feed.Member) (bool, error) {
				if !isList(m.Name) {
					return true, nil
				}
				found++
				return !l.stopped, l.read(m.Name, m)
			}, yield)
			if err == nil && found == 0 {
				err = errors.New("there is neither a list of DSA nor one of DLA")
			}
			finish(ctx, err, yield)
		}
		return u, nil
	}
	base := in.URL
	if base == "" {
		base = s.Info().URL
	}
	files := []string{"DSA/list", "DLA/list"}
	downloads, parts, err := both(ctx, in.Client, base, files, state.Parts)
	if err != nil {
		return nil, err
	}
	u.State.Parts = parts
	if downloads == nil {
		u.Whole, u.Unchanged = false, true
		return u, nil
	}
	u.Items = func(yield func(feed.Item, error) bool) {
		yield = once(yield)
		l.yield = yield
		var failed error
		for i, d := range downloads {
			if failed == nil && !l.stopped {
				failed = l.download(files[i], d)
			}
			d.Close()
		}
		finish(ctx, failed, yield)
	}
	return u, nil
}

func (l *lists) download(file string, d *feed.Download) error {
	r, err := d.Unpacked(feed.Limits{})
	if err != nil {
		return err
	}
	defer r.Close()
	return l.read(file, r)
}

// both downloads all files if one of them changed; nil if none did.
func both(ctx context.Context, c *feed.Client, base string, files []string, known map[string]string) (out []*feed.Download, parts map[string]string, err error) {
	parts = map[string]string{}
	for attempt := range 2 {
		out, changed := []*feed.Download(nil), 0
		for _, f := range files {
			var cond feed.Conditional
			if attempt == 0 {
				cond.ETag = known[f]
			}
			d, err := c.Get(ctx, strings.TrimSuffix(base, "/")+"/"+f, cond)
			if err != nil {
				for _, d := range out {
					d.Close()
				}
				return nil, nil, err
			}
			parts[f] = d.ETag
			if !d.NotModified {
				changed++
			}
			out = append(out, d)
		}
		if changed == len(files) {
			return out, parts, nil
		}
		for _, d := range out {
			d.Close()
		}
		if changed == 0 {
			maps.Copy(parts, known)
			return nil, parts, nil
		}
	}
	return nil, nil, errors.New("the server says Not Modified although nothing was asked")
}

func isList(name string) bool {
	dir, file := path.Split(name)
	dir = path.Base(dir)
	switch {
	case file == "list":
		return dir == "DSA" || dir == "DLA"
	case dir == "DSA" || dir == "DLA":
		return false
	}
	return strings.HasPrefix(file, "DSA") || strings.HasPrefix(file, "DLA")
}

// each calls read for every member until it wants no more; bad members are
// passed on.
func each(members iter.Seq2[feed.Member, error], read func(feed.Member) (bool, error), yield func(feed.Item, error) bool) error {
	for m, err := range members {
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			if !yield(feed.Item{}, bad) {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		if more, err := read(m); err != nil || !more {
			return err
		}
	}
	return nil
}

// once keeps an iteration that the caller has ended from going on.
func once(yield func(feed.Item, error) bool) func(feed.Item, error) bool {
	over := false
	return func(it feed.Item, err error) bool {
		over = over || !yield(it, err)
		return !over
	}
}

// finish yields what ended the reading, if anything did.
func finish(ctx context.Context, err error, yield func(feed.Item, error) bool) {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		yield(feed.Item{}, err)
	}
}
