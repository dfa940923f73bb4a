// Package cvev5 reads the CVE List: records of the CVE JSON format 5, in which
// whoever assigned a CVE, and others after them, describe it.
package cvev5

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{List{}} }

// List is the CVE List, one advisory for each CVE. Most records name what is
// affected in words; a claim is made only of those that name a package of an
// ecosystem, by a package URL or by the address of its registry. Nothing is ever
// taken back: what is rejected stays as a withdrawn advisory.
//
// After the first update, which reads all of the list's repository, only the
// records are fetched that its log of changes names.
type List struct {
	log string // of changes; "": the list's own
}

var _ feed.Source = List{}

const (
	archiveURL = "https://github.com/CVEProject/cvelistV5/archive/refs/heads/main.zip"
	logURL     = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/cves/deltaLog.json"

	maxFile = 16 << 20 // bytes of one record
	// maxChanges is how many records are fetched one by one at most; of more the
	// whole list is faster.
	maxChanges = 3000
)

// Info implements [feed.Source].
func (List) Info() feed.Info {
	return feed.Info{
		Name: "cve", Publisher: "CVE Program", Describes: "CVE records as their assigners wrote them: titles, descriptions, CVSS, and some packages",
		URL: archiveURL, Streams: []string{"npm", "pypi", "gem", "maven", "cargo", "nuget", "composer", "golang", "hex", "pub", "hackage", "cran"},
		Off:     "its archive has half a gigabyte, and nvd has the same records",
		Partial: []string{"npm", "pypi", "gem", "maven", "cargo", "nuget", "composer", "golang", "hex", "pub", "hackage", "cran"},
		Licence: "CVE terms of use", Fresh: 48 * time.Hour, Priority: 20,
	}
}

// Fetch implements [feed.Source]. From is a record, or a folder or archive with
// files CVE-….json: the list's repository, one of its releases, or a delta. What
// comes from files is added to what is known: a file need not be all.
func (s List) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{State: feed.State{Fetched: time.Now().UTC(), Published: state.Published, Revision: state.Revision}}
	r := &reader{seen: map[string]struct{}{}}
	if in.From != "" {
		u.Items = r.items(func() error { return r.members(feed.Members(ctx, in.From, feed.Limits{}), &u.State) })
		return u, nil
	}
	address := cmp.Or(in.URL, archiveURL)
	if !state.Published.IsZero() && (address == archiveURL || s.log != "") {
		log := cmp.Or(s.log, logURL)
		ids, last, ok, err := changes(ctx, in.Client, log, state.Published)
		switch {
		case err != nil:
			return nil, err
		case ok && len(ids) == 0:
			u.State.ETag, u.State.LastModified = state.ETag, state.LastModified
			return &feed.Update{Unchanged: true, State: u.State}, nil
		case ok:
			u.State.Published, u.State.Revision = last, last.Format(time.RFC3339)
			base := strings.TrimSuffix(log, path.Base(log))
			u.Items = r.items(func() error { return r.records(ctx, in.Client, base, ids) })
			return u, nil
		}
	}
	d, err := in.Client.Get(ctx, address, feed.Conditional{ETag: state.ETag, LastModified: state.LastModified})
	if err != nil {
		return nil, err
	}
	u.State.ETag, u.State.LastModified = d.ETag, d.LastModified
	if d.NotModified {
		return &feed.Update{Unchanged: true, State: u.State}, d.Close()
	}
	u.Whole = true
	u.Items = r.items(func() error {
		defer d.Close()
		return r.members(d.Members(ctx, feed.Limits{}), &u.State)
	})
	return u, nil
}

// change is an entry of the log: what one run of the list's own update brought.
type change struct {
	Time    time.Time `json:"fetchTime"`
	New     []named   `json:"new"`
	Updated []named   `json:"updated"`
}

type named struct {
	ID string `json:"cveId"`
}

// changes reads the log, newest first, back to since. ok is false when it does
// not reach back so far, or names too many records.
func changes(ctx context.Context, c *feed.Client, log string, since time.Time) (ids []string, last time.Time, ok bool, err error) {
	d, err := c.Get(ctx, log, feed.Conditional{MaxBytes: 256 << 20})
	if err != nil {
		return nil, last, false, err
	}
	defer d.Close()
	last = since
	j := feed.NewJSONReader(d, feed.MaxRecord)
	for _, err := range j.Array() {
		var e change
		if err == nil {
			err = j.Decode(&e)
		}
		if err != nil {
			return nil, last, false, fmt.Errorf("reading %s: %w", log, err)
		}
		if !e.Time.After(since) {
			ok = true
			break
		}
		if e.Time.After(last) {
			last = e.Time
		}
		for _, n := range slices.Concat(e.New, e.Updated) {
			if advisory.IsCVE(n.ID) {
				ids = append(ids, n.ID)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids, last.UTC(), ok && len(ids) <= maxChanges, nil
}

// reader turns records into items.
type reader struct {
	*feed.Output
	seen map[string]struct{}
}

func (r *reader) items(read func() error) iter.Seq2[feed.Item, error] {
	return feed.Items(func(out *feed.Output) error {
		r.Output = out
		return read()
	})
}

// records fetches records one by one from the folder at base.
func (r *reader) records(ctx context.Context, c *feed.Client, base string, ids []string) error {
	for _, id := range ids {
		_, rest, _ := strings.Cut(id, "-")
		year, number, _ := strings.Cut(rest, "-")
		d, err := c.Get(ctx, base+year+"/"+number[:len(number)-3]+"xxx/"+id+".json", feed.Conditional{MaxBytes: maxFile})
		if err != nil {
			return err
		}
		raw, err := feed.Member{Name: id, Size: d.Size(), Reader: d}.Bytes(nil, maxFile)
		d.Close()
		if err != nil {
			return err
		}
		if r.record(id, raw); r.Over() {
			return nil
		}
	}
	return nil
}

// members reads the records among files, and of which moment they are.
func (r *reader) members(members iter.Seq2[feed.Member, error], next *feed.State) error {
	found, all := false, 0
	var buf []byte
	err := r.Each(members, func(m feed.Member) (err error) {
		base := path.Base(m.Name)
		all++
		if base != "delta.json" && (!strings.HasPrefix(base, "CVE-") || !strings.HasSuffix(base, ".json")) {
			return nil
		}
		buf, err = m.Bytes(buf, maxFile)
		if limit := (*feed.LimitError)(nil); errors.As(err, &limit) {
			r.Bad(m.Name, err)
			return nil
		}
		if err != nil {
			return err
		}
		if base == "delta.json" {
			var e change
			if err := json.Unmarshal(buf, &e); err == nil && !e.Time.IsZero() {
				next.Published, next.Revision = e.Time.UTC(), e.Time.UTC().Format(time.RFC3339)
			}
			return nil
		}
		found = true
		r.record(m.Name, buf)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("there is no record CVE-….json among %d files", all)
	}
	return err
}

func (r *reader) record(name string, raw []byte) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		r.Bad(name, err)
		return
	}
	a, err := d.advisory()
	if err != nil {
		r.Bad(name, err)
		return
	}
	if _, twice := r.seen[a.ID]; twice {
		r.Bad(name, fmt.Errorf("another file is about %s too", a.ID))
		return
	}
	r.seen[a.ID] = struct{}{}
	r.Yield(feed.Item{Advisory: a}, nil)
}
