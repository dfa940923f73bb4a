package vex

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// sourceName is the name of the feed, and the source of every statement.
const sourceName = "vex"

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Documents{}} }

// Documents are VEX documents that the owner supplies.
type Documents struct{}

var _ feed.Source = Documents{}

// Info implements [feed.Source].
func (Documents) Info() feed.Info {
	return feed.Info{
		Name: sourceName, Publisher: "the owner", Describes: "statements of VEX documents: OpenVEX, CSAF VEX, CycloneDX VEX",
		Licence: "the documents' own", Off: "it has no documents until the owner names some",
	}
}

// Fetch implements [feed.Source]. From is a document, or a folder or archive of
// documents named *.json or *.vex; CycloneDX documents may speak of the
// components of others among them. Without From the document at URL is read.
// A document that is none is a bad record, and so is a statement that makes no
// sense.
func (s Documents) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From == "" {
		if in.URL == "" {
			return nil, errors.New("the source vex has no address: name a file or folder of VEX documents")
		}
		d, err := in.Client.Get(ctx, in.URL, feed.Conditional{ETag: state.ETag, LastModified: state.LastModified, MaxBytes: 1 << 30})
		if err != nil {
			return nil, err
		}
		u.State.ETag, u.State.LastModified = d.ETag, d.LastModified
		if d.NotModified {
			u.Whole, u.Unchanged = false, true
			return u, d.Close()
		}
		u.Items = func(yield func(feed.Item, error) bool) {
			defer d.Close()
			run(ctx, func() func(func(feed.Member, error) bool) { return d.Members(ctx, limits()) }, true, u, yield)
		}
		return u, nil
	}
	u.Items = func(yield func(feed.Item, error) bool) {
		run(ctx, func() func(func(feed.Member, error) bool) { return feed.Members(ctx, in.From, limits()) }, false, u, yield)
	}
	return u, nil
}

func limits() feed.Limits { return feed.Limits{Member: feed.MaxRecord, Members: 1_000_000} }

// run reads all documents twice: first for the components that others may
// speak of.
func run(ctx context.Context, members func() func(func(feed.Member, error) bool), any bool, u *feed.Update, yield func(feed.Item, error) bool) {
	boms := bomIndex{}
	var buf []byte
	files := 0
	for m, err := range members() {
		if files++; err != nil || !wanted(m.Name) {
			continue // said in the second turn
		}
		if buf, err = m.Bytes(buf, feed.MaxRecord); err == nil {
			boms.add(buf)
		}
	}
	over, read := false, 0
	give := func(it feed.Item, err error) {
		over = over || !yield(it, err)
	}
	seen := map[string]bool{}
	for m, err := range members() {
		var bad *feed.BadRecord
		if errors.As(err, &bad) {
			give(feed.Item{}, bad)
			continue
		}
		if err != nil {
			give(feed.Item{}, err)
			return
		}
		if !wanted(m.Name) && !any && files > 1 {
			continue
		}
		if buf, err = m.Bytes(buf, feed.MaxRecord); err != nil {
			give(feed.Item{}, fmt.Errorf("reading %s: %w", m.Name, err))
			return
		}
		statements, problems, err := parse(buf, m.Name, boms)
		if err != nil {
			give(feed.Item{}, &feed.BadRecord{Record: m.Name, Err: err})
		} else {
			read++
		}
		for _, p := range problems {
			give(feed.Item{}, &feed.BadRecord{Record: m.Name, Err: p})
		}
		for i := range statements {
			if over {
				return
			}
			st := &statements[i]
			// Two documents of one identifier: the first file counts.
			key := st.Document + "\x00" + st.Vulnerability + fmt.Sprintf("%q%q", st.Products, st.Subcomponents)
			if seen[key] {
				give(feed.Item{}, &feed.BadRecord{Record: m.Name, Err: fmt.Errorf("another file has the document %s too", shorten(st.Document))})
				break
			}
			seen[key] = true
			if st.Time.After(u.State.Published) {
				u.State.Published = st.Time
			}
			give(feed.Item{Statement: st}, nil)
		}
		if over {
			return
		}
	}
	switch {
	case ctx.Err() != nil:
		give(feed.Item{}, context.Cause(ctx))
	case read == 0:
		give(feed.Item{}, errors.New("there is no VEX document"))
	}
}

func wanted(name string) bool {
	switch path.Ext(name) {
	case ".json", ".vex", ".jsonld":
		return true
	}
	return false
}
