// Package updateinfo reads the advisories of rpm distributions as they stand in
// their repositories: updateinfo.xml, which repomd.xml names; and the JSON forms
// in which some of them are published besides. How packages compare with them
// is left to others.
package updateinfo

import (
	"cmp"
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
	"iter"
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
		u.Items = s.items(ctx, func(c *collection, out *feed.Output) error { return c.folder(ctx, out, in.From) })
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
	u.Items = s.items(ctx, func(c *collection, _ *feed.Output) error {
		defer n.close()
		return n.read(c)
	})
	return u, nil
}

// items reads everything, then yields the advisories.
func (s Source) items(ctx context.Context, read func(*collection, *feed.Output) error) iter.Seq2[feed.Item, error] {
	return feed.Items(func(out *feed.Output) error {
		c := &collection{p: s.p, updates: map[string]*merged{}, modules: map[string]string{}, text: map[string]string{}}
		c.bad = func(record string, err error) {
			if out.Bad(record, err); out.Over() && c.err == nil {
				c.err = errors.New("the caller has enough")
			}
		}
		err := read(c, out)
		if err = cmp.Or(context.Cause(ctx), err, c.err); err != nil {
			return err
		}
		c.advisories(out.Yield)
		return nil
	})
}

// folder reads local files. What repomd.xml says of the content of a file is
// checked after all are read: it stands behind the files in the order of names.
func (c *collection) folder(ctx context.Context, out *feed.Output, from string) error {
	got, want := map[string]map[string]string{}, map[string]string{}
	files := 0
	only := unpackedName(filepath.Base(from)) // a file that is named is read, whatever its name
	if st, err := os.Stat(from); err != nil || st.IsDir() {
		only = ""
	}
	err := out.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
		switch {
		case path.Base(m.Name) == "repomd.xml":
			r, err := readRepomd(m)
			if err != nil {
				return err
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
				return err
			}
			got[m.Name] = sums.digests()
		}
		return c.err
	})
	if err != nil {
		return err
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
