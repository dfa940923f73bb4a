// Package secdb reads the security databases of apk distributions: files that
// list, for each package, which vulnerabilities a version fixed. A version "0"
// says that the package was never affected. How packages compare with it is
// left to others.
package secdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Source is the security database of one publisher. It gives one advisory for
// each identifier with all packages and releases that name it; packages are
// source packages ("origin" of apk).
type Source struct{ info feed.Info }

var _ feed.Source = Source{}

// Sources are the feeds of this package.
func Sources() []feed.Source {
	const terms = "its terms of use restrict it since 2025; turn it on if yours allow it"
	return []feed.Source{
		Source{feed.Info{
			Name: "alpine", Publisher: "Alpine Linux", Describes: "which version of a package fixed what, for every branch of Alpine Linux",
			URL: "https://secdb.alpinelinux.org/", Streams: []string{"alpine:*"}, Licence: "not stated", Fresh: 48 * time.Hour, Priority: 100,
		}},
		Source{feed.Info{
			Name: "wolfi", Publisher: "Chainguard", Describes: "which version of a package fixed what, for Wolfi",
			URL: "https://packages.wolfi.dev/os/security.json", Streams: []string{"wolfi"}, Licence: "Chainguard's terms", Off: terms, Fresh: 48 * time.Hour, Priority: 100,
		}},
		Source{feed.Info{
			Name: "chainguard", Publisher: "Chainguard", Describes: "which version of a package fixed what, for Chainguard's images",
			URL: "https://packages.cgr.dev/chainguard/security.json", Streams: []string{"chainguard"}, Licence: "Chainguard's terms", Off: terms, Fresh: 48 * time.Hour, Priority: 100,
		}},
		Source{feed.Info{
			Name: "minimos", Publisher: "Minimus", Describes: "which version of a package fixed what, for MinimOS",
			URL: "https://packages.mini.dev/advisories/secdb/security.json", Streams: []string{"minimos"}, Licence: "not stated", Fresh: 48 * time.Hour, Priority: 100,
		}},
	}
}

// Info implements [feed.Source].
func (s Source) Info() feed.Info { return s.info }

// Fetch implements [feed.Source]. From is a file, JSON or YAML, or a folder or
// archive of them; where a file is there in both forms, JSON is read.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = s.items(ctx, func(db *database) error { return db.folder(ctx, in.From) })
		return u, nil
	}
	base := in.URL
	if base == "" {
		base = s.info.URL
	}
	files, err := s.files(ctx, in.Client, base)
	if err != nil {
		return nil, err
	}
	downloads, err := all(ctx, in.Client, files, state.Parts, u)
	if err != nil {
		return nil, err
	}
	if u.Unchanged {
		return u, nil
	}
	u.Items = s.items(ctx, func(db *database) error {
		defer closeAll(downloads)
		for _, d := range downloads {
			r, err := d.Unpacked(feed.Limits{})
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(d.URL, base)
			err = db.read(feed.Member{Name: name, Size: -1, Reader: r})
			r.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
	return u, nil
}

// items reads everything, then yields the advisories.
func (s Source) items(ctx context.Context, read func(*database) error) func(func(feed.Item, error) bool) {
	return func(yield func(feed.Item, error) bool) {
		over := false
		db := &database{source: s.info.Name, ids: map[string]*entry{}, page: "https://images.chainguard.dev/security/"}
		switch s.info.Name {
		case "alpine":
			db.page = "https://security.alpinelinux.org/vuln/"
		case "minimos":
			db.page, db.stream = "https://images.minimus.io/vulnerabilities/", "minimos"
		default:
			db.stream = s.info.Name
		}
		db.bad = func(record string, err error) {
			over = over || !yield(feed.Item{}, &feed.BadRecord{Record: record, Err: err})
		}
		err := read(db)
		switch {
		case over:
		case ctx.Err() != nil:
			yield(feed.Item{}, context.Cause(ctx))
		case err != nil:
			yield(feed.Item{}, err)
		default:
			db.advisories(yield)
		}
	}
}

// folder reads local files.
func (db *database) folder(ctx context.Context, from string) error {
	seen := map[string]bool{}
	for m, err := range feed.Members(ctx, from, feed.Limits{}) {
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			db.bad(bad.Record, bad.Err)
			continue
		}
		if err != nil {
			return err
		}
		ext := path.Ext(m.Name)
		stem := strings.TrimSuffix(m.Name, ext)
		if ext != ".json" && ext != ".yaml" && ext != ".yml" && ext != "" || seen[stem] {
			continue
		}
		seen[stem] = true // "main.json" stands before "main.yaml"
		if err := db.read(m); err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return errors.New("there is no security database")
	}
	return nil
}

// files are the addresses to get: the one of a publisher, or every branch that
// Alpine's index lists.
func (s Source) files(ctx context.Context, c *feed.Client, base string) ([]string, error) {
	if s.info.Name != "alpine" || strings.HasSuffix(base, ".json") {
		return []string{base}, nil
	}
	base = strings.TrimSuffix(base, "/") + "/"
	d, err := c.Get(ctx, base, feed.Conditional{HTML: true, MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	page, err := io.ReadAll(d)
	if err != nil {
		return nil, err
	}
	branches := branchesOf(string(page))
	if len(branches) == 0 {
		return nil, fmt.Errorf("%s lists no branch of Alpine Linux", base)
	}
	var out []string
	for _, b := range branches {
		out = append(out, base+b+"/main.json", base+b+"/community.json")
	}
	return out, nil
}

// branchesOf finds the folders in an index page: links to "v3.18/" and "edge/".
func branchesOf(page string) []string {
	var out []string
	for rest := page; ; {
		_, after, ok := strings.Cut(rest, `href="`)
		link, tail, ok2 := strings.Cut(after, `"`)
		if !ok || !ok2 {
			slices.Sort(out)
			return slices.Compact(out)
		}
		rest = tail
		name := strings.TrimSuffix(strings.TrimPrefix(link, "./"), "/")
		if name == link {
			continue
		}
		number, isVersion := strings.CutPrefix(name, "v")
		if name == "edge" || isVersion && number != "" && strings.Trim(number, "0123456789.") == "" && len(out) < 1000 {
			out = append(out, name)
		}
	}
}

// all downloads the files; where at least one has changed it downloads those
// again that have not, because advisories are put together out of all of them.
func all(ctx context.Context, c *feed.Client, files []string, known map[string]string, u *feed.Update) (out []*feed.Download, err error) {
	u.State.Parts = map[string]string{}
	out = make([]*feed.Download, len(files))
	changed := false
	defer func() {
		if err != nil || u.Unchanged {
			closeAll(out)
		}
	}()
	for i, f := range files {
		d, err := c.Get(ctx, f, feed.Conditional{ETag: known[f]})
		if missing(f, err) {
			continue
		}
		if err != nil {
			return out, err
		}
		out[i] = d
		changed = changed || !d.NotModified
		if d.ETag != "" {
			u.State.Parts[f] = d.ETag
		}
	}
	if !changed && len(u.State.Parts) > 0 {
		u.Unchanged, u.Whole = true, false
		return out, nil
	}
	for i, d := range out {
		if d != nil && d.NotModified {
			d.Close()
			if out[i], err = c.Get(ctx, files[i], feed.Conditional{}); err != nil {
				return out, err
			}
			u.State.Parts[files[i]] = out[i].ETag
		}
	}
	out = slices.DeleteFunc(out, func(d *feed.Download) bool { return d == nil })
	return out, nil
}

// missing tells the branches before 3.3, which have no community repository.
func missing(file string, err error) bool {
	var status *feed.StatusError
	return strings.HasSuffix(file, "/community.json") && errors.As(err, &status) && status.Code == http.StatusNotFound
}

func closeAll(downloads []*feed.Download) {
	for _, d := range downloads {
		if d != nil {
			d.Close()
		}
	}
}
