// Package oval reads OVAL definitions (Open Vulnerability and Assessment
// Language, version 5) of Linux distributions that use rpm: Red Hat, Oracle,
// SUSE, AlmaLinux, Azure Linux, CBL-Mariner, Photon OS.
//
// A definition's criteria, a tree of tests of a running system, become claims
// about packages. Tests that an image cannot answer (which kernel runs, by whom
// a package is signed) count as fulfilled; tests of the distribution, of the
// architecture and of rpm modules become the claim's stream, architectures and
// module. How packages compare with claims is left to others.
package oval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// source is one publisher's feed.
type source struct{ publisher }

var _ feed.Source = (*source)(nil)

// Info implements [feed.Source].
func (s *source) Info() feed.Info { return s.info }

// Fetch implements [feed.Source]. From is a document, or a folder or archive
// of documents named *.xml, packed or not. Of a folder that has documents
// itself, those in folders below are not read.
func (s *source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = func(yield func(feed.Item, error) bool) {
			g := s.gather(yield)
			g.err = g.members(ctx, in.From)
			u.State.Published = g.published
			g.finish(ctx)
		}
		return u, nil
	}
	downloads, err := s.download(ctx, in, state, &u.State)
	if err != nil {
		return nil, err
	}
	if downloads == nil {
		u.Whole, u.Unchanged, u.State.Published = false, true, state.Published
		return u, nil
	}
	u.Items = func(yield func(feed.Item, error) bool) {
		g := s.gather(yield)
		for _, d := range downloads {
			if g.err == nil && ctx.Err() == nil && !g.stopped {
				g.err = g.unpack(d)
			}
			d.Close()
		}
		u.State.Published = g.published
		g.finish(ctx)
	}
	return u, nil
}

// download gets all files if one of them changed, nil if none did: records are
// put together from all of them.
func (s *source) download(ctx context.Context, in feed.Input, known feed.State, next *feed.State) ([]*feed.Download, error) {
	base := strings.TrimSuffix(s.info.URL, "/")
	if in.URL != "" {
		base = strings.TrimSuffix(in.URL, "/")
	}
	files := s.files
	if s.choose != nil {
		d, err := in.Client.Get(ctx, base+"/", feed.Conditional{HTML: true, MaxBytes: 64 << 20})
		if err != nil {
			return nil, err
		}
		page, err := io.ReadAll(d)
		d.Close()
		if err != nil {
			return nil, err
		}
		if files = s.choose(string(page)); len(files) == 0 {
			return nil, fmt.Errorf("the listing at %s names none of the expected files", base)
		}
	}
	next.Parts = map[string]string{}
	out := make([]*feed.Download, len(files))
	get := func(i int, tag string) (changed bool, err error) {
		d, err := in.Client.Get(ctx, base+"/"+files[i], feed.Conditional{ETag: tag})
		if err != nil {
			return false, err
		}
		next.Parts[files[i]] = d.ETag
		if d.NotModified {
			return false, d.Close()
		}
		out[i] = d
		return true, nil
	}
	changed := len(known.Parts) != len(files)
	for i, f := range files {
		c, err := get(i, known.Parts[f])
		if err != nil {
			return nil, closeAll(out, err)
		}
		changed = changed || c
	}
	if !changed {
		maps.Copy(next.Parts, known.Parts)
		return nil, nil
	}
	for i := range files {
		if out[i] == nil {
			if c, err := get(i, ""); err != nil || !c {
				return nil, closeAll(out, cmpErr(err, errors.New("the server says Not Modified although nothing was asked")))
			}
		}
	}
	return out, nil
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func closeAll(ds []*feed.Download, err error) error {
	for _, d := range ds {
		if d != nil {
			d.Close()
		}
	}
	return err
}

// gatherer puts the records of one fetch together.
type gatherer struct {
	*source
	table     *table
	records   map[string]*record
	published time.Time
	read      int // documents
	yield     func(feed.Item, error) bool
	stopped   bool
	err       error
}

func (s *source) gather(yield func(feed.Item, error) bool) *gatherer {
	return &gatherer{source: s, table: newTable(), records: map[string]*record{}, yield: yield}
}

func (g *gatherer) bad(id string, err error) {
	if !g.stopped && !g.yield(feed.Item{}, &feed.BadRecord{Record: id, Err: err}) {
		g.stopped = true
	}
}

func (g *gatherer) members(ctx context.Context, from string) error {
	flat := false
	if entries, err := os.ReadDir(from); err == nil {
		flat = slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() && isDocument(e.Name()) })
	}
	single := filepath.Base(from)
	for m, err := range feed.Members(ctx, from, feed.Limits{}) {
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			g.bad(bad.Record, bad.Err)
			continue
		}
		if err != nil {
			return err
		}
		if !isDocument(m.Name) && !strings.HasPrefix(single, m.Name) || flat && strings.Contains(m.Name, "/") {
			continue
		}
		if err := g.document(m.Name, m); err != nil || g.stopped {
			return err
		}
	}
	return nil
}

func isDocument(name string) bool {
	ext := path.Ext(name)
	switch ext {
	case ".gz", ".bz2", ".xz", ".zst":
		ext = path.Ext(strings.TrimSuffix(name, ext))
	}
	return ext == ".xml"
}

func (g *gatherer) unpack(d *feed.Download) error {
	r, err := d.Unpacked(feed.Limits{})
	if err != nil {
		return err
	}
	defer r.Close()
	return g.document(d.URL, r)
}

// document takes one file in.
func (g *gatherer) document(file string, r io.Reader) error {
	doc, err := read(r, g.table)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	var streams []text
	if g.streams != nil {
		names, err := g.streams(doc)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if names == nil {
			return nil
		}
		for _, n := range names {
			streams = append(streams, g.table.put(n))
		}
	}
	g.read++
	if doc.timestamp.After(g.published) {
		g.published = doc.timestamp
	}
	e := &evaluator{document: doc, publisher: &g.publisher}
	for i, d := range doc.definitions {
		g.definition(e, d, streams)
		doc.definitions[i] = nil
		if g.stopped {
			break
		}
	}
	return nil
}

func (g *gatherer) definition(e *evaluator, d *definition, streams []text) {
	if d.class != "patch" && d.class != "vulnerability" {
		return // inventory, compliance
	}
	if streams == nil {
		for _, p := range d.platforms {
			if s, ok := g.platform(p); ok {
				streams = merge(streams, []text{g.table.put(s)})
			}
		}
	}
	id, url, cves := g.identify(d)
	base := g.base(g.table, d, id, url)
	claims, err := e.claimsOf(d, base, streams)
	if err != nil {
		g.bad(d.id, err)
		if claims == nil {
			return
		}
	}
	if g.settle != nil {
		g.settle(g.table, d, claims)
	}
	ids := cves
	if !g.byCVE(d) {
		if id == "" {
			id = d.id
		}
		ids = []string{id}
	}
	if len(ids) == 0 {
		g.bad(d.id, errors.New("it names no CVE"))
		return
	}
	for _, id := range ids {
		r := g.records[id]
		if r == nil {
			r = &record{Advisory: advisory.Advisory{Source: g.info.Name, ID: id}}
			g.records[id] = r
		}
		if !g.byCVE(d) {
			for _, c := range cves {
				if c != id {
					r.Upstream = append(r.Upstream, c)
				}
			}
		}
		g.describe(&r.Advisory, d, url, len(cves) <= 1)
		r.claims = append(r.claims, claims...)
	}
}

// finish yields the records, in the order of their ids, and then what ended
// the reading, if anything did.
func (g *gatherer) finish(ctx context.Context) {
	if ctx.Err() != nil {
		g.err = context.Cause(ctx)
	}
	if g.err == nil && g.read == 0 && !g.stopped {
		g.err = fmt.Errorf("there is no OVAL document of %s", g.info.Publisher)
	}
	if g.stopped {
		return
	}
	if g.err != nil {
		g.yield(feed.Item{}, g.err)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(g.records)) {
		a := g.publisher.finish(g.table, g.records[id])
		delete(g.records, id)
		if ctx.Err() != nil {
			g.yield(feed.Item{}, context.Cause(ctx))
			return
		}
		if !g.yield(feed.Item{Advisory: a}, nil) {
			return
		}
	}
}
