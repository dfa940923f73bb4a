package csaf

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of what is fetched document by document.
const (
	maxChanges = 3000      // more than these, and the archive is fetched instead
	maxSingle  = 30_000    // documents that no archive has
	maxList    = 128 << 20 // bytes of a list of documents
)

// change is a line of changes.csv or deletions.csv: "2023/cve-2023-6212.json",
// "2024-08-04T10:17:22+00:00".
type change struct {
	path string
	at   time.Time
}

// network gets what is new. With an archive: all of it, and what changed since
// it was made; later only what changed since the last time.
func (s *source) network(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	base := strings.TrimSuffix(s.info.URL, "/")
	if in.URL != "" {
		base = strings.TrimSuffix(in.URL, "/")
	}
	if s.index != "" {
		return s.listed(ctx, in, base, state)
	}
	changes, err := s.list(ctx, in.Client, base+"/"+s.changes)
	if err != nil {
		return nil, err
	}
	var deletions []change
	if s.deletions != "" {
		if deletions, err = s.list(ctx, in.Client, base+"/"+s.deletions); err != nil {
			return nil, err
		}
	}
	newest := state.Published
	for _, c := range append(changes[:len(changes):len(changes)], deletions...) {
		if c.at.After(newest) {
			newest = c.at
		}
	}
	u := &feed.Update{State: feed.State{Fetched: time.Now().UTC(), Published: newest}}
	fresh, gone := since(changes, state.Published), since(deletions, state.Published)
	if !state.Published.IsZero() && len(fresh) <= maxChanges {
		if len(fresh)+len(gone) == 0 {
			u.Unchanged, u.State.Parts = true, state.Parts
			return u, nil
		}
		u.State.Parts = copyOf(state.Parts)
		u.Items = func(yield func(feed.Item, error) bool) {
			r := s.reader(u, yield)
			r.finish(ctx, r.increment(ctx, in.Client, base, fresh, gone))
		}
		return u, nil
	}
	d, made, err := s.getArchive(ctx, in.Client, base)
	if err != nil {
		return nil, err
	}
	u.Whole, u.State.Parts = true, map[string]string{}
	u.Items = func(yield func(feed.Item, error) bool) {
		defer d.Close()
		r := s.reader(u, yield)
		later := since(changes, made)
		skip := map[string]bool{}
		for _, c := range append(later[:len(later):len(later)], since(deletions, made)...) {
			skip[path.Base(c.path)] = true
		}
		isDocument := func(name string) bool { return path.Ext(name) == ".json" }
		err := r.members(d.Members(ctx, feed.Limits{Member: feed.MaxRecord}), isDocument, skip)
		for _, c := range later {
			if err != nil || r.stopped {
				break
			}
			_, err = r.fetch(ctx, in.Client, base, c.path)
		}
		r.finish(ctx, err)
	}
	return u, nil
}

// increment reads the documents that changed and names what was taken back.
func (r *reader) increment(ctx context.Context, c *feed.Client, base string, fresh, gone []change) error {
	now := map[string]bool{}
	for _, ch := range fresh {
		id := idOf(ch.path)
		old := r.forget(id)
		ids, err := r.fetch(ctx, c, base, ch.path)
		if err != nil || r.stopped {
			return err
		}
		if ids == nil && !r.seen[id] && !r.deleted[id] {
			continue // a bad record: what is known of it stays
		}
		for _, i := range ids {
			now[i] = true
		}
		r.update.Removed = append(r.update.Removed, old...)
	}
	for _, ch := range gone {
		r.update.Removed = append(r.update.Removed, r.forget(idOf(ch.path))...)
	}
	kept := r.update.Removed[:0]
	for _, id := range r.update.Removed {
		if !now[id] {
			kept = append(kept, id)
		}
	}
	r.update.Removed = kept
	return nil
}

// fetch reads one document. A document that is not there any more is passed
// over: the list of deletions says so too, or will.
func (r *reader) fetch(ctx context.Context, c *feed.Client, base, file string) ([]string, error) {
	d, err := c.Get(ctx, base+"/"+file, feed.Conditional{MaxBytes: feed.MaxRecord})
	var status *feed.StatusError
	if errors.As(err, &status) && (status.Code == 404 || status.Code == 410) {
		r.wrong(file, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	b, err := io.ReadAll(d)
	if err != nil {
		return nil, err
	}
	_, ids := r.document(file, b)
	return ids, nil
}

func (s *source) getArchive(ctx context.Context, c *feed.Client, base string) (d *feed.Download, made time.Time, err error) {
	url := base + "/" + s.archive
	if up, ok := strings.CutPrefix(s.archive, "../"); ok {
		url = base[:strings.LastIndexByte(base, '/')+1] + up
	}
	if strings.HasSuffix(s.archive, ".txt") {
		d, err := c.Get(ctx, url, feed.Conditional{MaxBytes: 4096})
		if err != nil {
			return nil, made, err
		}
		b, err := io.ReadAll(d)
		d.Close()
		if err != nil {
			return nil, made, err
		}
		name := strings.TrimSpace(string(b))
		if name == "" || strings.ContainsAny(name, "/\\ \n") || strings.HasPrefix(name, ".") {
			return nil, made, fmt.Errorf("%s names no archive: %s", s.archive, shorten(name))
		}
		url = base + "/" + name
	}
	if d, err = c.Get(ctx, url, feed.Conditional{}); err != nil {
		return nil, made, err
	}
	// The name says the day ("csaf_vex_2024-08-04.tar.zst"); what changed on
	// that day may or may not be in it.
	if day := regexp.MustCompile(`\d{4}-\d{2}-\d{2}`).FindString(path.Base(url)); day != "" {
		made = date(day)
	} else if t, err := time.Parse(time.RFC1123, d.LastModified); err == nil {
		made = t.Add(-24 * time.Hour)
	}
	return d, made, nil
}

// list reads changes.csv or deletions.csv.
func (s *source) list(ctx context.Context, c *feed.Client, url string) ([]change, error) {
	d, err := c.Get(ctx, url, feed.Conditional{MaxBytes: maxList})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	out, err := readChanges(d)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", url, err)
	}
	return out, nil
}

func readChanges(r io.Reader) ([]change, error) {
	in := csv.NewReader(bufio.NewReader(r))
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	var out []change
	for {
		f, err := in.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(f) < 2 {
			return nil, fmt.Errorf("line %d has %d fields, not 2", len(out)+1, len(f))
		}
		at := date(f[1])
		if at.IsZero() {
			return nil, fmt.Errorf("line %d: %s is no time", len(out)+1, shorten(f[1]))
		}
		if !plainPath(f[0]) {
			return nil, fmt.Errorf("line %d: %s is no path", len(out)+1, shorten(f[0]))
		}
		if strings.HasSuffix(f[0], ".json") {
			out = append(out, change{strings.Clone(f[0]), at})
		}
	}
}

// plainPath accepts paths that stay below where they are.
func plainPath(p string) bool {
	return p != "" && len(p) < 300 && path.Clean("/"+p) == "/"+p && !strings.ContainsAny(p, "?#%\\ ")
}

func since(cs []change, t time.Time) []change {
	var out []change
	for _, c := range cs {
		if c.at.After(t) {
			out = append(out, c)
		}
	}
	return out
}

// idOf gives the identifier of the document in a file: CVE-2023-6212 in
// "2023/cve-2023-6212.json", RHSA-2024:0010 in "2024/rhsa-2024_0010.json",
// openSUSE-SU-2016:1623-1 in "opensuse-su-2016_1623-1.json".
func idOf(file string) string {
	name := strings.TrimSuffix(path.Base(file), ".json")
	name = strings.ToUpper(strings.Replace(name, "_", ":", 1))
	if rest, ok := strings.CutPrefix(name, "OPENSUSE"); ok {
		name = "openSUSE" + rest
	}
	return name
}

// listed reads the documents that a list names and that were not read before.
func (s *source) listed(ctx context.Context, in feed.Input, base string, state feed.State) (*feed.Update, error) {
	d, err := in.Client.Get(ctx, base+"/"+s.index, feed.Conditional{MaxBytes: maxList, ETag: state.ETag})
	if err != nil {
		return nil, err
	}
	u := &feed.Update{State: feed.State{Fetched: time.Now().UTC(), ETag: d.ETag, Published: state.Published}}
	defer d.Close()
	if d.NotModified {
		u.Unchanged, u.State.Parts = true, state.Parts
		return u, nil
	}
	u.State.Parts = copyOf(state.Parts)
	var files []string
	lines := bufio.NewScanner(d)
	for lines.Scan() {
		f := strings.TrimSpace(lines.Text())
		if f == "" || u.State.Parts[f] != "" {
			continue
		}
		if !plainPath(f) {
			return nil, fmt.Errorf("%s names %s, which is no path", s.index, shorten(f))
		}
		if files = append(files, f); len(files) > maxSingle {
			return nil, &feed.LimitError{What: s.index, Limit: "documents", Most: maxSingle}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.index, err)
	}
	if len(files) == 0 {
		u.Unchanged = true
		return u, nil
	}
	u.Items = func(yield func(feed.Item, error) bool) {
		r := s.reader(u, yield)
		var err error
		for _, f := range files {
			if err != nil || r.stopped {
				break
			}
			if _, err = r.fetch(ctx, in.Client, base, f); err == nil {
				u.State.Parts[f] = "."
			}
		}
		r.finish(ctx, err)
	}
	return u, nil
}
