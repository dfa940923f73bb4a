// Package ubuntu reads the Ubuntu CVE tracker: a tree with a text file for
// every CVE, in folders active, retired and ignored, as its README describes it.
// How packages compare with it is left to others.
package ubuntu

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Tracker{}} }

// Tracker is the Ubuntu CVE tracker. It gives one advisory for each CVE, with
// every source package, in the streams "ubuntu:VERSION" (what everybody gets)
// and "ubuntu-pro:VERSION", "ubuntu-pro-fips:VERSION" … (what subscribers get
// besides). What the tracker says of a release in development, of snaps, of
// phones and of packages that do not exist gives no claim.
//
// A state "needs-triage" counts as affected and not fixed, with a note, as it
// does in Ubuntu's own OSV and OVAL data.
type Tracker struct{}

var _ feed.Source = Tracker{}

// maxFile bounds one file of the tree, in bytes.
const maxFile = 16 << 20

// Info implements [feed.Source].
func (Tracker) Info() feed.Info {
	return feed.Info{
		Name: "ubuntu", Publisher: "Canonical", Describes: "state of every vulnerability in every Ubuntu release, by source package",
		URL:     "https://git.launchpad.net/ubuntu-cve-tracker/snapshot/ubuntu-cve-tracker-master.tar.gz",
		Streams: []string{"ubuntu:*", "ubuntu-pro:*", "ubuntu-pro-fips:*", "ubuntu-pro-fips-updates:*", "ubuntu-pro-fips-preview:*", "ubuntu-pro-realtime:*"},
		Licence: "CC-BY-SA-4.0", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// Fetch implements [feed.Source]. From is the tree as a folder or archive, one
// of its folders, or one of its files.
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
		t := reader{yield: yield, unknown: map[string]bool{}}
		files := 0
		for m, err := range members {
			if bad := (*feed.BadRecord)(nil); err != nil && !errors.As(err, &bad) {
				yield(feed.Item{}, err)
				return
			} else if err != nil {
				t.bad(bad.Record, bad.Err)
			} else if id, ok := cveOf(m.Name); ok {
				files++
				if err := t.file(id, m); err != nil {
					yield(feed.Item{}, fmt.Errorf("reading %s: %w", m.Name, err))
					return
				}
			}
			if t.stopped {
				return
			}
		}
		if files == 0 {
			yield(feed.Item{}, errors.New("there is no file of the Ubuntu CVE tracker"))
		}
	}
	return u, nil
}

// cveOf tells which files are of a CVE.
func cveOf(name string) (string, bool) {
	dir, file := path.Split(name)
	switch path.Base(dir) {
	case "active", "retired", "ignored", ".":
		return file, strings.HasPrefix(file, "CVE-") && !strings.Contains(file, ".") && len(file) < 100
	}
	return "", false
}

type reader struct {
	yield   func(feed.Item, error) bool
	unknown map[string]bool
	buf     []byte
	stopped bool
}

func (t *reader) bad(record string, err error) {
	if !t.stopped && !t.yield(feed.Item{}, &feed.BadRecord{Record: record, Err: err}) {
		t.stopped = true
	}
}

// file reads one file; an error is one of the whole tree.
func (t *reader) file(id string, m feed.Member) error {
	b, err := m.Bytes(t.buf, maxFile)
	if limit := (*feed.LimitError)(nil); errors.As(err, &limit) && limit.Most == maxFile {
		t.bad(m.Name, err)
		return nil
	} else if err != nil {
		return err
	}
	t.buf = b
	f, err := parse(b)
	if err != nil {
		t.bad(m.Name, err)
		return nil
	}
	a := f.advisory(id, func(release string) {
		if !t.unknown[release] && len(t.unknown) < 100 {
			t.unknown[release] = true
			t.bad("release "+shorten(release), errors.New("no Ubuntu release of that name is known; what is said of it is left out"))
		}
	})
	if !t.stopped && !t.yield(feed.Item{Advisory: a}, nil) {
		t.stopped = true
	}
	return nil
}
