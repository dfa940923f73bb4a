package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// maxRecordFiles bounds the files that [Output.Records] reads.
const maxRecordFiles = 500_000

// All is the update of a publisher who has everything in one place: the files
// of in.From, or those that [Download.Members] finds in what [Input.Latest]
// downloads. read goes through them once, as [Items] describes.
func (in Input) All(ctx context.Context, url string, state State, read func(files iter.Seq2[Member, error], out *Output) error) (*Update, error) {
	if in.From != "" {
		u := &Update{Whole: true, State: State{Fetched: time.Now().UTC()}}
		u.Items = Items(func(out *Output) error { return read(Members(ctx, in.From, Limits{}), out) })
		return u, nil
	}
	u, d, err := in.Latest(ctx, url, state, Conditional{})
	if d == nil {
		return u, err
	}
	u.Items = Items(func(out *Output) error {
		defer d.Close()
		return read(d.Members(ctx, Limits{}), out)
	})
	return u, nil
}

// Latest downloads what is at in.URL, or else at url. If that is what state
// remembers, the update is unchanged and there is no download. Otherwise the
// update is a whole one, with the download's validators as its state; its Items,
// and closing the download, are left to the caller. cond says what else the
// answer must be.
func (in Input) Latest(ctx context.Context, url string, state State, cond Conditional) (*Update, *Download, error) {
	cond.ETag, cond.LastModified = state.ETag, state.LastModified
	d, err := in.Client.Get(ctx, cmp.Or(in.URL, url), cond)
	if err != nil {
		return nil, nil, err
	}
	next := State{Fetched: time.Now().UTC(), ETag: d.ETag, LastModified: d.LastModified}
	if d.NotModified {
		next.Revision, next.Published = state.Revision, state.Published
		return &Update{Unchanged: true, State: next}, nil, d.Close()
	}
	return &Update{Whole: true, State: next}, d, nil
}

// Part is one of the files that together are what a publisher has.
type Part struct {
	Key      string // in [State.Parts]
	Name     string // of its member
	URL      string
	Optional bool // it need not be there: 404 is no error
}

// Parts is the update of a publisher whose records are put together out of
// several files. If each of them is still what state remembers, and none of them
// is gone, it is unchanged;
// otherwise read goes through all of them, in their order, as [Items] describes.
func (in Input) Parts(ctx context.Context, parts []Part, state State, read func(files iter.Seq2[Member, error], out *Output) error) (*Update, error) {
	u := &Update{State: State{Fetched: time.Now().UTC(), Parts: map[string]string{}}}
	var downloads []*Download
	closeAll := func() {
		for _, d := range downloads {
			d.Close()
		}
	}
	var there []Part
	for _, p := range parts {
		d, err := in.Client.Get(ctx, p.URL, Conditional{ETag: state.Parts[p.Key]})
		if status := (*StatusError)(nil); p.Optional && errors.As(err, &status) && status.Code == http.StatusNotFound {
			_, had := state.Parts[p.Key]
			u.Whole = u.Whole || had // what it had is gone
			continue
		}
		if err != nil {
			closeAll()
			return nil, err
		}
		downloads, there = append(downloads, d), append(there, p)
		u.Whole = u.Whole || !d.NotModified
		if d.ETag != "" {
			u.State.Parts[p.Key] = d.ETag
		}
	}
	if !u.Whole {
		closeAll()
		u.Unchanged = true
		return u, nil
	}
	for i, d := range downloads {
		if !d.NotModified {
			continue
		}
		again, err := in.Client.Get(ctx, there[i].URL, Conditional{})
		if err != nil {
			closeAll()
			return nil, err
		}
		d.Close()
		downloads[i], u.State.Parts[there[i].Key] = again, again.ETag
	}
	u.Items = Items(func(out *Output) error {
		defer closeAll()
		return read(contents(there, downloads), out)
	})
	return u, nil
}

// contents yields the parts, unpacked.
func contents(parts []Part, downloads []*Download) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		for i, d := range downloads {
			r, err := d.Unpacked(Limits{})
			if err != nil {
				yield(Member{}, err)
				return
			}
			more := yield(Member{Name: parts[i].Name, Size: -1, Reader: r}, nil)
			r.Close()
			if !more {
				return
			}
		}
	}
}

// Output hands the items of an update to whoever ranges over it, until they
// want no more; then it drops what comes.
type Output struct {
	yield func(Item, error) bool
	over  bool
}

// Items is the sequence of an update that read makes. What read returns ends
// the sequence, if it is an error and anybody still listens. read should return
// soon after out is over.
func Items(read func(out *Output) error) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		out := NewOutput(yield)
		if err := read(out); err != nil {
			out.Yield(Item{}, err)
		}
	}
}

// NewOutput hands items to yield.
func NewOutput(yield func(Item, error) bool) *Output { return &Output{yield: yield} }

// Over reports whether nobody wants more.
func (o *Output) Over() bool { return o.over }

// Yield hands over an item, or an error as [Source] describes them. It reports
// whether more is wanted.
func (o *Output) Yield(it Item, err error) bool {
	o.over = o.over || !o.yield(it, err)
	return !o.over
}

// Bad hands over a [*BadRecord].
func (o *Output) Bad(record string, err error) {
	o.Yield(Item{}, &BadRecord{Record: record, Err: err})
}

// Each calls read for every file until it fails, which ends the update, or
// nobody wants more. Bad members are handed on.
func (o *Output) Each(files iter.Seq2[Member, error], read func(Member) error) error {
	for m, err := range files {
		bad := (*BadRecord)(nil)
		switch {
		case errors.As(err, &bad):
			o.Yield(Item{}, bad)
		case err != nil:
			return err
		default:
			if err := read(m); err != nil {
				return fmt.Errorf("reading %s: %w", m.Name, err)
			}
		}
		if o.over {
			return nil
		}
	}
	return nil
}

// Records reads files that are one record each: those whose name is accepted,
// at most 500,000, at most limit bytes of each. Such a file that is longer or
// that read refuses is a bad record, named by its file. read must not keep raw.
// files is how many there were.
func (o *Output) Records(members iter.Seq2[Member, error], limit int64, accept func(name string) bool, read func(name string, raw []byte) error) (files int, err error) {
	var buf []byte
	err = o.Each(members, func(m Member) error {
		if !accept(m.Name) {
			return nil
		}
		if files++; files > maxRecordFiles {
			return &LimitError{What: "the database", Limit: "files", Most: maxRecordFiles}
		}
		raw, err := m.Bytes(buf, limit)
		buf = raw[:0]
		if over := (*LimitError)(nil); err != nil && !(errors.As(err, &over) && over.Limit == recordBytes) {
			return err
		}
		if err == nil {
			err = read(m.Name, raw)
		}
		if err != nil {
			o.Bad(m.Name, err)
		}
		return nil
	})
	return files, err
}
