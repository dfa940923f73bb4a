package osv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// wholeAt is the part of the state that tells when the whole collection was
// fetched last, listTag that of the list of changes.
const (
	wholeAt = "whole"
	listTag = "modified_id.csv"
)

const (
	// wholeEvery is how long changes alone are fetched. The list of changes
	// does not tell what was taken back, and a record can change without a
	// newer date: the whole collection shows both.
	wholeEvery = 7 * 24 * time.Hour
	// overlap is fetched again: records get into the list some time after
	// the date they bear.
	overlap = time.Hour
	// mostChanges is the number of changes from which on the whole is cheaper.
	mostChanges = 2000
	// atOnce is the number of records fetched at a time.
	atOnce = 8
)

// recent reports whether the changes since state will do.
func (s *source) recent(state feed.State) bool {
	at, err := time.Parse(time.RFC3339, state.Parts[wholeAt])
	return err == nil && state.Revision != "" && s.clock().Sub(at) < wholeEvery
}

// changes fetches the records that changed since state. No update and no error:
// the whole is to be fetched instead.
func (s *source) changes(ctx context.Context, c *feed.Client, base string, state feed.State) (*feed.Update, error) {
	since, err := time.Parse(time.RFC3339Nano, state.Revision)
	if err != nil {
		return nil, nil
	}
	d, err := c.Get(ctx, base+"/"+listTag, feed.Conditional{ETag: state.Parts[listTag]})
	if missing := (*feed.StatusError)(nil); errors.As(err, &missing) {
		return nil, nil // a mirror without the list
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	next := state
	next.Fetched = s.clock().UTC()
	if d.NotModified {
		return &feed.Update{Unchanged: true, State: next}, nil
	}
	ids, latest, err := changed(d, since.Add(-overlap), next.Fetched)
	if err != nil {
		return nil, fmt.Errorf("reading %s/%s: %w", base, listTag, err)
	}
	if len(ids) > mostChanges {
		return nil, nil
	}
	next.Parts = maps.Clone(state.Parts)
	next.Parts[listTag] = d.ETag
	if latest.After(since) {
		next.Revision, next.Published = latest.Format(time.RFC3339Nano), latest
	}
	if len(ids) == 0 {
		return &feed.Update{Unchanged: true, State: next}, nil
	}
	u := &feed.Update{}
	u.Items = s.items(ctx, fetchAll(ctx, c, base, ids, &u.Removed), false, func(time.Time) { u.State = next })
	return u, nil
}

// changed reads the list: a time and an identifier on each line. latest is the
// newest time that is not in the future.
func changed(d *feed.Download, since, now time.Time) (ids []string, latest time.Time, err error) {
	sc := bufio.NewScanner(d)
	for line := 1; sc.Scan(); line++ {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		at, id, ok := strings.Cut(sc.Text(), ",")
		t, err := time.Parse(time.RFC3339Nano, at)
		id = strings.TrimSpace(id)
		if !ok || err != nil || id == "" || len(id) > maxID {
			return nil, latest, fmt.Errorf("line %d is not a time and an identifier", line)
		}
		if t.After(latest) && !t.After(now) {
			latest = t
		}
		// The list is sorted, the newest first; but it is short enough not
		// to rely on that.
		if !t.Before(since) && len(ids) <= mostChanges {
			ids = append(ids, path.Base(id))
		}
	}
	return ids, latest, sc.Err()
}

// fetchAll downloads records, some at a time, and yields them in order. What
// is not there any more goes to removed.
func fetchAll(ctx context.Context, c *feed.Client, base string, ids []string, removed *[]string) iter.Seq2[feed.Member, error] {
	type result struct {
		d   *feed.Download
		err error
	}
	return func(yield func(feed.Member, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		results := make([]chan result, len(ids))
		for i := range results {
			results[i] = make(chan result, 1)
		}
		// A place is given back when a record was read, not when it came, so
		// that only so many are held.
		places := make(chan bool, atOnce)
		running.Go(func() {
			for i, id := range ids {
				select {
				case places <- true:
				case <-ctx.Done():
					return
				}
				running.Go(func() {
					d, err := c.Get(ctx, base+"/"+url.PathEscape(id)+".json", feed.Conditional{MaxBytes: feed.MaxRecord})
					results[i] <- result{d, err}
				})
			}
		})
		for i, id := range ids {
			var r result
			select {
			case r = <-results[i]:
			case <-ctx.Done():
				yield(feed.Member{}, ctx.Err())
				return
			}
			if status := (*feed.StatusError)(nil); errors.As(r.err, &status) && status.Code == http.StatusNotFound {
				*removed = append(*removed, id)
				<-places
				continue
			}
			if r.err != nil {
				yield(feed.Member{}, r.err)
				return
			}
			more := yield(feed.Member{Name: id + ".json", Size: r.d.Size(), Reader: r.d}, nil)
			r.d.Close()
			<-places
			if !more {
				return
			}
		}
	}
}
