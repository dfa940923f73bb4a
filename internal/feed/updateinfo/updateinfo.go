// Package updateinfo reads the advisories of rpm distributions as they stand in
// their repositories: updateinfo.xml, which repomd.xml names; and the JSON forms
// in which some of them are published besides. How packages compare with them
// is left to others.
package updateinfo

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Source are the advisories of one publisher, about binary packages. Updates
// that mend no vulnerability are left out: those of another type than
// "security" that name no CVE.
type Source struct{ p *publisher }

var _ feed.Source = Source{}

// Sources are the feeds of this package.
func Sources() []feed.Source {
	var out []feed.Source
	for _, p := range publishers() {
		out = append(out, Source{p})
	}
	return out
}

// Info implements [feed.Source].
func (s Source) Info() feed.Info { return s.p.info }

// Fetch implements [feed.Source]. From is an updateinfo.xml, one of the JSON
// forms, or a folder or archive of them: copies of repositories with their
// repomd.xml, whose checksums of the content are verified, or pages of an
// interface. Input.URL is a repository, a mirror list, or a file.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = s.items(ctx, func(c *collection) error { return c.folder(ctx, in.From) })
		return u, nil
	}
	n := &network{ctx: ctx, client: in.Client, base: in.URL, known: state.Parts, parts: map[string]string{}}
	err := error(nil)
	if n.base != "" {
		err = n.direct()
	} else {
		n.base = s.p.info.URL
		err = s.p.get(n)
	}
	if err != nil {
		n.close()
		return nil, err
	}
	u.State.Parts = n.parts
	if n.unchanged() {
		n.close()
		u.Whole, u.Unchanged = false, true
		return u, nil
	}
	u.Items = s.items(ctx, func(c *collection) error {
		defer n.close()
		return n.read(c)
	})
	return u, nil
}

// items reads everything, then yields the advisories.
func (s Source) items(ctx context.Context, read func(*collection) error) func(func(feed.Item, error) bool) {
	return func(yield func(feed.Item, error) bool) {
		over := false
		c := &collection{p: s.p, updates: map[string]*merged{}, modules: map[string]string{}, text: map[string]string{}}
		c.bad = func(record string, err error) {
			over = over || !yield(feed.Item{}, &feed.BadRecord{Record: record, Err: err})
			if over && c.err == nil {
				c.err = errors.New("the caller has enough")
			}
		}
		err := read(c)
		switch {
		case over:
		case ctx.Err() != nil:
			yield(feed.Item{}, context.Cause(ctx))
		case err != nil:
			yield(feed.Item{}, err)
		case c.err != nil:
			yield(feed.Item{}, c.err)
		default:
			c.advisories(yield)
		}
	}
}

// folder reads local files. What repomd.xml says of the content of a file is
// checked after all are read: it stands behind the files in the order of names.
func (c *collection) folder(ctx context.Context, from string) error {
	got, want := map[string]map[string]string{}, map[string]string{}
	files := 0
	only := unpackedName(filepath.Base(from)) // a file that is named is read, whatever its name
	if st, err := os.Stat(from); err != nil || st.IsDir() {
		only = ""
	}
	for m, err := range feed.Members(ctx, from, feed.Limits{}) {
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			c.bad(bad.Record, bad.Err)
			continue
		}
		if err != nil {
			return err
		}
		switch {
		case path.Base(m.Name) == "repomd.xml":
			r, err := readRepomd(m)
			if err != nil {
				return fmt.Errorf("reading %s: %w", m.Name, err)
			}
			for _, f := range []*repoFile{r.Updateinfo, r.Modules} {
				if f != nil && f.Open != "" {
					want[path.Join(path.Dir(path.Dir(m.Name)), unpackedName(f.Href))] = f.Open
				}
			}
		case isUpdateinfo(m.Name) || isModules(m.Name) || path.Ext(m.Name) == ".json" || m.Name == only:
			files++
			sums := newSums()
			if err := c.file(m.Name, io.TeeReader(m, sums)); err != nil {
				return fmt.Errorf("reading %s: %w", m.Name, err)
			}
			got[m.Name] = sums.digests()
		}
		if c.err != nil {
			return c.err
		}
	}
	for name, digest := range want {
		kind, _, _ := strings.Cut(digest, ":")
		if have := got[name]; have != nil && have[kind] != "" && have[kind] != digest {
			return fmt.Errorf("reading %s: %w", name, &feed.DigestError{Want: digest, Got: have[kind]})
		}
	}
	if files == 0 {
		return errors.New("there is neither an updateinfo.xml nor another file of advisories")
	}
	return nil
}

// file reads one file of any of the formats.
func (c *collection) file(name string, r io.Reader) error {
	switch path.Ext(name) {
	case ".json":
		_, err := readJSON(r, c.add, c.bad)
		if err == nil && c.err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		return err
	case ".yaml":
		if err := readModules(r, c.modules); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}
	return readXML(r, c.add)
}

// unpackedName is the name that [feed.Members] gives a compressed file.
func unpackedName(name string) string {
	for _, ext := range []string{".gz", ".bz2", ".xz", ".zst"} {
		if s, ok := strings.CutSuffix(name, ext); ok {
			return s
		}
	}
	return name
}

// sums takes the digests of a file that repositories use.
type sums struct {
	io.Writer
	hashes map[string]hash.Hash
}

func newSums() sums {
	h := map[string]hash.Hash{"sha256": sha256.New(), "sha512": sha512.New(), "sha1": sha1.New(), "md5": md5.New()}
	return sums{io.MultiWriter(h["sha256"], h["sha512"], h["sha1"], h["md5"]), h}
}

func (s sums) digests() map[string]string {
	out := map[string]string{}
	for kind, h := range s.hashes {
		out[kind] = kind + ":" + hex.EncodeToString(h.Sum(nil))
	}
	return out
}
