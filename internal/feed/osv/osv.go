// Package osv reads advisories in the Open Source Vulnerability format
// (https://ossf.github.io/osv-schema/, 1.x): the collections that osv.dev
// publishes for every ecosystem, GitHub's advisory database, which has the same
// format, and the owner's own advisories, in it or in a small YAML of ours.
//
// A source speaks of its own ecosystem only. A record that also names packages
// of others is found in their collections too; kept here, those claims would
// make an ecosystem look covered whose data was never loaded.
//
// What cannot be compared is said, not guessed: a claim that gives commits only
// has the status "undetermined"; one whose upper bound was lost on the way says
// so in its note.
package osv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// source is one collection.
type source struct {
	info feed.Info
	rules
	// own: YAML of ours is read as well.
	own bool
	// now tells the time; nil: the real one.
	now func() time.Time
}

// rules say how records of a collection are to be read.
type rules struct {
	source     string           // name of the feed
	ecosystems []string         // what it speaks of, without what follows the colon; nil: everything
	also       []string         // names of other ecosystems by which it means the first of its own
	names      advisory.Names   // whose names its packages have
	bundles    bool             // records are a distribution's bulletins about CVEs, whichever field names them
	speaker    string           // who judges severity, where the identifier does not tell
	accept     func(*wire) bool // nil: every record
}

var _ feed.Source = (*source)(nil)

func (s *source) Info() feed.Info { return s.info }

// Fetch reads the whole collection, or over the network, when there is a
// recent enough whole one already, the records that changed since.
func (s *source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	if in.From != "" {
		return s.local(ctx, in.From), nil
	}
	url := cmp.Or(in.URL, s.info.URL)
	if url == "" {
		return nil, fmt.Errorf("%s has no address: name a file or folder with --from, or an address in the configuration", s.info.Name)
	}
	if base, ok := strings.CutSuffix(url, "/all.zip"); ok && s.recent(state) {
		u, err := s.changes(ctx, in.Client, base, state)
		if u != nil || err != nil {
			return u, err
		}
	}
	return s.whole(ctx, in.Client, url, state)
}

func (s *source) clock() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// local reads a file or folder. A single record is a change, not everything.
func (s *source) local(ctx context.Context, name string) *feed.Update {
	u := &feed.Update{Whole: !s.single(name)}
	u.Items = s.items(ctx, feed.Members(ctx, name, feed.Limits{}), true, func(newest time.Time) {
		u.State = feed.State{Fetched: s.clock().UTC(), Published: newest}
	})
	return u
}

// single reports whether name is one file with one record.
func (s *source) single(name string) bool {
	if s.own {
		return false // the file is all there is
	}
	d, err := feed.OpenFile(name)
	if err != nil {
		return false
	}
	defer d.Close()
	r, err := d.Unpacked(feed.Limits{})
	if err != nil {
		return false
	}
	defer r.Close()
	return feed.NewJSONReader(r, 1).Kind() == '{'
}

// whole downloads the collection.
func (s *source) whole(ctx context.Context, c *feed.Client, url string, state feed.State) (*feed.Update, error) {
	d, err := c.Get(ctx, url, feed.Conditional{ETag: state.ETag, LastModified: state.LastModified})
	if err != nil {
		return nil, err
	}
	if d.NotModified {
		d.Close()
		state.Fetched = s.clock().UTC()
		state.Parts = map[string]string{wholeAt: state.Fetched.Format(time.RFC3339)}
		return &feed.Update{Unchanged: true, State: state}, nil
	}
	u := &feed.Update{Whole: true}
	items := s.items(ctx, d.Members(ctx, feed.Limits{}), true, func(newest time.Time) {
		now := s.clock().UTC()
		u.State = feed.State{
			ETag: d.ETag, LastModified: d.LastModified, Fetched: now, Published: newest,
			Revision: newest.Format(time.RFC3339Nano), Parts: map[string]string{wholeAt: now.Format(time.RFC3339)},
		}
	})
	u.Items = func(yield func(feed.Item, error) bool) {
		defer d.Close()
		items(yield)
	}
	return u, nil
}

// items turns members into records. need: there must be at least one. done is
// called at the end, if nothing broke, with the date of the latest change.
func (s *source) items(ctx context.Context, members iter.Seq2[feed.Member, error], need bool, done func(newest time.Time)) iter.Seq2[feed.Item, error] {
	return func(yield func(feed.Item, error) bool) {
		p := newParser(s.rules)
		var buf []byte
		found := false
		var newest time.Time
		now := s.clock()
		for m, err := range members {
			if err != nil {
				if !yield(feed.Item{}, err) || !isBad(err) {
					return
				}
				continue
			}
			kind := s.kind(m.Name)
			if kind == "" {
				continue
			}
			found = true
			if buf, err = m.Bytes(buf, feed.MaxRecord); err != nil {
				if !yield(feed.Item{}, &feed.BadRecord{Record: m.Name, Err: err}) {
					return
				}
				continue
			}
			for a, err := range s.records(p, kind, m, buf) {
				if err != nil {
					if !yield(feed.Item{}, &feed.BadRecord{Record: cmp.Or(p.id, m.Name), Err: err}) {
						return
					}
					continue
				}
				if a == nil {
					continue
				}
				// A date in the future would hide all changes until then.
				if a.Modified.After(newest) && !a.Modified.After(now) {
					newest = a.Modified
				}
				if !yield(feed.Item{Advisory: a}, nil) {
					return
				}
				for _, doubt := range p.doubts {
					if !yield(feed.Item{}, &feed.BadRecord{Record: a.ID, Err: doubt}) {
						return
					}
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(feed.Item{}, err)
			return
		}
		if need && !found {
			yield(feed.Item{}, fmt.Errorf("%s: there is not one record: is this the right file?", s.info.Name))
			return
		}
		done(newest)
	}
}

func isBad(err error) bool {
	var bad *feed.BadRecord
	return errors.As(err, &bad)
}

// kind says how a member is to be read: "json", "yaml", or "" for not at all.
func (s *source) kind(name string) string {
	for part := range strings.SplitSeq(name, "/") {
		if part == "unreviewed" || strings.HasPrefix(part, ".") {
			return ""
		}
	}
	switch ext := strings.ToLower(path.Ext(name)); {
	case ext == ".json":
		return "json"
	case s.own && (ext == ".yaml" || ext == ".yml"):
		return "yaml"
	case s.own && ext == "":
		return "yaml"
	}
	return ""
}

// records are those of one file.
func (s *source) records(p *parser, kind string, m feed.Member, b []byte) iter.Seq2[*advisory.Advisory, error] {
	return func(yield func(*advisory.Advisory, error) bool) {
		p.id = ""
		if kind == "yaml" || s.own && isYAML(b) {
			for a, err := range ownYAML(p, b) {
				if !yield(a, err) {
					return
				}
			}
			return
		}
		if s.own && firstByte(b) == '[' {
			r := feed.NewJSONReader(strings.NewReader(string(b)), feed.MaxRecord)
			for _, err := range r.Array() {
				p.id = ""
				var one []byte
				if err == nil {
					one, err = r.Value()
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(p.parse(one)) {
					return
				}
			}
			return
		}
		yield(p.parse(b))
	}
}
