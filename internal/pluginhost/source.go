package pluginhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// source makes a plugin a feed.Source. Plugins have no network: what they are
// to read is downloaded for them, or is the file or folder that --from names.
type source struct{ p *Plugin }

var _ feed.Source = (*source)(nil)

// own is the address of a plugin that needs none.
const own = "plugin:"

// maxState bounds what a source may ask to be remembered, in bytes.
const maxState = 64 << 10

func (s *source) Info() feed.Info {
	d := s.p.desc.Source
	fresh, _ := time.ParseDuration(d.Fresh) // checked with the description
	return feed.Info{Name: d.Name, Publisher: d.Publisher, Describes: s.p.desc.Help, URL: cmp.Or(d.URL, own+d.Name), Streams: d.Ecosystems, Partial: d.Ecosystems, Licence: d.Licence, Fresh: fresh, Priority: 200}
}

func (s *source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	if s.p.host.config.OSV == nil {
		return nil, errors.New("nobody here reads OSV")
	}
	folder, err := s.p.request()
	if err != nil {
		return nil, s.p.error(err)
	}
	files, next, err := s.hand(ctx, folder, in, state)
	if err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	if next == nil { // nothing new
		os.RemoveAll(folder)
		state.Fetched = time.Now().UTC()
		return &feed.Update{Unchanged: true, State: state}, nil
	}
	u := &feed.Update{Whole: true}
	// Whether the update is whole, or nothing is new, the first answer says:
	// records wait in memory until then.
	r := &plugin.Request{Method: plugin.MethodFetch, Folder: folder, Files: files, State: state.Revision}
	if in.From != "" {
		r.State = ""
	}
	var last plugin.Answer
	size := int64(0)
	take := func(a *plugin.Answer) error {
		for _, raw := range a.Advisories {
			if size += int64(len(raw)); size > 16*s.p.host.limits.Output {
				return fmt.Errorf("it answered more than the limit \"plugin output\" of %d bytes", 16*s.p.host.limits.Output)
			}
		}
		last.Advisories = append(last.Advisories, a.Advisories...)
		last.Removed = append(last.Removed, a.Removed...)
		last.State, last.Whole, last.Unchanged = cmp.Or(a.State, last.State), last.Whole || a.Whole, last.Unchanged || a.Unchanged
		return nil
	}
	if s.p.Plain {
		var b []byte
		if b, err = s.p.script(ctx, []string{"source"}, []string{"TIDEWAITER_FILES=" + folder + "/files", "TIDEWAITER_STATE=" + r.State}, s.p.host.limits.Fetch, 16*s.p.host.limits.Output); err == nil {
			var a plugin.Answer
			if a, err = plainAdvisories(b); err != nil {
				err = s.p.error(fmt.Errorf("its answer is not of the plain mode: %w", err))
			} else {
				err = take(&a)
			}
		}
	} else {
		err = s.p.call(ctx, r, s.p.host.limits.Fetch, 16*s.p.host.limits.Output, take)
	}
	os.RemoveAll(folder)
	switch {
	case err != nil:
		return nil, err
	case len(last.State) > maxState:
		return nil, s.p.error(fmt.Errorf("it wants more remembered than the limit of %d bytes", maxState))
	case last.Unchanged && len(last.Advisories)+len(last.Removed) > 0:
		return nil, s.p.error(errors.New("it says that nothing is new, and answers records"))
	case last.Whole && len(last.Removed) > 0:
		return nil, s.p.error(errors.New("it says that it answers everything, and what was removed"))
	}
	u.State = *next
	u.State.Revision, u.State.Fetched = cmp.Or(last.State, state.Revision), time.Now().UTC()
	if last.Unchanged {
		return &feed.Update{Unchanged: true, State: u.State}, nil
	}
	u.Whole, u.Removed = last.Whole, last.Removed
	name := s.p.desc.Source.Name
	u.Items = func(yield func(feed.Item, error) bool) {
		for i, raw := range last.Advisories {
			if err := ctx.Err(); err != nil {
				yield(feed.Item{}, err)
				return
			}
			for a, err := range s.p.host.config.OSV(name, raw) {
				if err != nil {
					if !yield(feed.Item{}, &feed.BadRecord{Record: fmt.Sprintf("record %d, %s", i+1, quote(raw)), Err: err}) {
						return
					}
				} else if a != nil && !yield(feed.Item{Advisory: a}, nil) {
					return
				}
			}
		}
	}
	return u, nil
}

// hand puts what the plugin is to read into folder/files. A nil state says that
// the publisher has nothing new.
func (s *source) hand(ctx context.Context, folder string, in feed.Input, state feed.State) ([]plugin.File, *feed.State, error) {
	root := filepath.Join(folder, "files")
	if err := errors.Join(os.Chmod(folder, 0o755), os.Mkdir(root, 0o755), os.Chmod(root, 0o755)); err != nil {
		return nil, nil, s.p.error(err)
	}
	url := cmp.Or(in.URL, s.p.desc.Source.URL)
	if in.From == "" {
		if url == "" || strings.HasPrefix(url, own) {
			return nil, &feed.State{}, nil
		}
		d, err := in.Client.Get(ctx, url, feed.Conditional{ETag: state.ETag, LastModified: state.LastModified})
		if err != nil {
			return nil, nil, err
		}
		defer d.Close()
		if d.NotModified {
			return nil, nil, nil
		}
		name := path.Base(strings.SplitN(url, "?", 2)[0])
		if name == "." || name == "/" || len(name) > 200 {
			name = "download"
		}
		if err := writeFile(filepath.Join(root, name), 0o444, d); err != nil {
			return nil, nil, s.p.error(err)
		}
		return []plugin.File{{Path: name, Size: d.Size(), Mode: "0444"}}, &feed.State{ETag: d.ETag, LastModified: d.LastModified}, nil
	}
	var list []plugin.File
	var left int64 = 4 << 30
	add := func(from, name string) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := mkdirs(root, filepath.Dir(name)); err != nil {
			return err
		}
		n := &counter{r: io.LimitReader(f, left+1)}
		if err := writeFile(filepath.Join(root, name), 0o444, n); err != nil {
			return err
		}
		if left -= n.n; left < 0 || len(list) >= 100_000 {
			return fmt.Errorf("%s has more than 4 GiB or 100,000 files", in.From)
		}
		list = append(list, plugin.File{Path: filepath.ToSlash(name), Size: n.n, Mode: "0444"})
		return nil
	}
	info, err := os.Stat(in.From)
	if err == nil && !info.IsDir() {
		err = add(in.From, filepath.Base(in.From))
	} else if err == nil {
		err = filepath.WalkDir(in.From, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(in.From, p)
			if err != nil {
				return err
			}
			return add(p, name)
		})
	}
	if err != nil {
		return nil, nil, err
	}
	return list, &feed.State{}, nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
