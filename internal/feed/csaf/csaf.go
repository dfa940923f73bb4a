// Package csaf reads the advisories and VEX documents that publishers of rpm
// distributions keep in the Common Security Advisory Framework, version 2.0:
// Red Hat, SUSE and openEuler; of the latter also CVRF, which came before.
//
// A product of a document, "this package as a part of that platform", becomes
// a claim about the package in the platform's stream; products that no rpm
// package can match (container images, libraries in middleware, platforms as a
// whole) are passed over. So are builds that a document calls not affected
// because the advisory they came with is about something else.
package csaf

import (
	"context"
	"errors"
	"fmt"
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

// Sources are the feeds of this package.
func Sources() []feed.Source {
	return []feed.Source{RedHatVEX(), RedHatAdvisories(), SUSEVEX(), SUSEAdvisories(), OpenEuler(), Repositories{}}
}

// RedHatVEX is what Red Hat says of each CVE in each product.
func RedHatVEX() feed.Source {
	return &source{
		info: feed.Info{
			Name: "redhat-vex", Publisher: "Red Hat", Describes: "Red Hat's word on every CVE in every product: fixed, affected, will not fix, not affected",
			URL: "https://security.access.redhat.com/data/csaf/v2/vex/", Streams: []string{"rhel:*"}, Licence: "CC-BY-4.0",
			Fresh: 48 * time.Hour, Priority: 100,
		},
		vendor:  redhatVendor(advisory.IsCVE),
		archive: "archive_latest.txt", changes: "changes.csv", deletions: "deletions.csv",
	}
}

// RedHatAdvisories are Red Hat's advisories, RHSA.
func RedHatAdvisories() feed.Source {
	return &source{
		info: feed.Info{
			Name: "redhat-csaf", Publisher: "Red Hat", Describes: "Red Hat's security advisories (RHSA)",
			URL: "https://security.access.redhat.com/data/csaf/v2/advisories/", Streams: []string{"rhel:*"}, Licence: "CC-BY-4.0",
			Off:   "redhat-vex has the same by CVE, and what has no fix",
			Fresh: 48 * time.Hour, Priority: 90,
		},
		vendor:  redhatVendor(func(id string) bool { return !advisory.IsCVE(id) }),
		archive: "archive_latest.txt", changes: "changes.csv", deletions: "deletions.csv",
	}
}

// SUSEVEX is what SUSE says of each CVE in each product.
func SUSEVEX() feed.Source {
	return &source{
		info: feed.Info{
			Name: "suse-csaf-vex", Publisher: "SUSE", Describes: "SUSE's word on every CVE in every product",
			URL: "https://ftp.suse.com/pub/projects/security/csaf-vex/", Streams: []string{"sles:*", "sle-micro:*", "opensuse-leap:*", "opensuse-tumbleweed"},
			Licence: "CC-BY-4.0", Off: "suse-oval has the same in much less", Fresh: 3 * 24 * time.Hour, Priority: 90,
		},
		vendor:  suseVendor(advisory.IsCVE),
		archive: "../csaf-vex.tar.bz2", changes: "changes.csv",
	}
}

// SUSEAdvisories are SUSE's advisories, SUSE-SU and openSUSE-SU.
func SUSEAdvisories() feed.Source {
	return &source{
		info: feed.Info{
			Name: "suse-csaf", Publisher: "SUSE", Describes: "SUSE's security advisories (SUSE-SU, openSUSE-SU)",
			URL: "https://ftp.suse.com/pub/projects/security/csaf/", Streams: []string{"sles:*", "sle-micro:*", "opensuse-leap:*", "opensuse-tumbleweed"},
			Licence: "CC-BY-4.0", Off: "suse-oval has the same by CVE, and what has no fix", Fresh: 3 * 24 * time.Hour, Priority: 80,
		},
		vendor:  suseVendor(func(id string) bool { return !advisory.IsCVE(id) }),
		archive: "../csaf.tar.bz2", changes: "changes.csv",
	}
}

// OpenEuler is openEuler's word on each CVE. Files may also be its advisories,
// in CSAF or CVRF.
func OpenEuler() feed.Source {
	return &source{
		info: feed.Info{
			Name: "openeuler", Publisher: "openEuler", Describes: "openEuler's security notices by CVE",
			URL: "https://repo.openeuler.org/security/data/csaf/cve/", Streams: []string{"openeuler:*"}, Licence: "not stated",
			Fresh: 7 * 24 * time.Hour, Priority: 100,
		},
		vendor: openEulerVendor(), index: "index.txt", cvrf: true,
	}
}

// source is one publisher's feed.
type source struct {
	info   feed.Info
	vendor vendor

	// Where things are, below the address. archive is a file, or, when it ends
	// in .txt, a file that names it.
	archive, changes, deletions string
	index                       string // a list of all documents, where there is no archive
	cvrf                        bool   // *.xml is read too
}

var _ feed.Source = (*source)(nil)

// Info implements [feed.Source].
func (s *source) Info() feed.Info { return s.info }

// Fetch implements [feed.Source]. From is a document, or a folder or archive of
// documents; a file that is no document of this feed's publisher is a bad
// record, and one that another feed of the publisher has is passed over. Where a
// document is there twice the first counts, in order of path.
func (s *source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	if in.From == "" {
		return s.network(ctx, in, state)
	}
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC(), Parts: map[string]string{}}}
	u.Items = func(yield func(feed.Item, error) bool) {
		r := s.reader(u, yield)
		r.local = true
		err := r.members(feed.Members(ctx, in.From, feed.Limits{Member: feed.MaxRecord}), s.wantsIn(in.From), nil)
		r.finish(ctx, err)
	}
	return u, nil
}

// wantsIn tells which members of a file or folder are documents.
func (s *source) wantsIn(from string) func(name string) bool {
	st, err := os.Stat(from)
	single := err == nil && !st.IsDir()
	return func(name string) bool {
		switch path.Ext(name) {
		case ".json":
			return true
		case ".xml":
			return s.cvrf || single && name == filepath.Base(from)
		}
		return single && strings.HasPrefix(filepath.Base(from), name)
	}
}

// reader makes records of documents.
type reader struct {
	*source
	update  *feed.Update
	yield   func(feed.Item, error) bool
	seen    map[string]bool
	deleted map[string]bool // documents that say so of themselves
	local   bool
	buf     []byte
	read    int // documents of the publisher
	bad     int
	stopped bool
}

func (s *source) reader(u *feed.Update, yield func(feed.Item, error) bool) *reader {
	return &reader{source: s, update: u, yield: yield, seen: map[string]bool{}, deleted: map[string]bool{}}
}

func (r *reader) give(it feed.Item, err error) {
	if !r.stopped && !r.yield(it, err) {
		r.stopped = true
	}
}

func (r *reader) wrong(record string, err error) {
	r.bad++
	r.give(feed.Item{}, &feed.BadRecord{Record: record, Err: err})
}

// members reads all documents; those in skip are left out.
func (r *reader) members(ms func(func(feed.Member, error) bool), wants func(string) bool, skip map[string]bool) error {
	for m, err := range ms {
		if bad := (*feed.BadRecord)(nil); errors.As(err, &bad) {
			r.wrong(bad.Record, bad.Err)
			continue
		}
		if err != nil {
			return err
		}
		if !wants(m.Name) || skip[path.Base(m.Name)] {
			continue
		}
		r.buf, err = m.Bytes(r.buf, feed.MaxRecord)
		if limit := (*feed.LimitError)(nil); errors.As(err, &limit) {
			r.wrong(m.Name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", m.Name, err)
		}
		r.document(m.Name, r.buf)
		if r.stopped {
			return nil
		}
	}
	return nil
}

// document makes the records of one document, and returns their ids.
func (r *reader) document(name string, b []byte) (id string, ids []string) {
	if title := htmlStart(b); title {
		r.wrong(name, errors.New("it is a web page"))
		return "", nil
	}
	var d *document
	var err error
	if r.cvrf && path.Ext(name) == ".xml" {
		d, err = parseCVRF(b)
	} else {
		d, err = parse(b)
	}
	if err != nil {
		r.wrong(name, err)
		return "", nil
	}
	id = d.Document.Tracking.ID
	if strings.EqualFold(d.Document.Tracking.Status, "deleted") {
		r.read++
		r.deleted[id] = true
		return id, nil
	}
	p := d.Document.Publisher
	if who := strings.ToLower(p.Name + " " + p.Namespace); !strings.Contains(who, r.vendor.publisher) {
		r.wrong(name, fmt.Errorf("its publisher is %s, not %s", shorten(p.Name), r.info.Publisher))
		return "", nil
	}
	r.read++
	if !r.vendor.ours(id) || r.seen[id] {
		return "", nil
	}
	r.seen[id] = true
	as, problems, err := r.vendor.advisories(r.info.Name, d)
	if err != nil {
		r.wrong(name, err)
		return "", nil
	}
	if len(problems) > 0 {
		r.wrong(id, joined(problems))
	}
	parts := ""
	for _, a := range as {
		if t := a.Modified; r.local && t.After(r.update.State.Published) {
			r.update.State.Published = t
		}
		ids = append(ids, a.ID)
		if _, part, ok := strings.Cut(a.ID, "#"); ok {
			parts = strings.TrimSpace(parts + " " + part)
		}
		r.give(feed.Item{Advisory: a}, nil)
	}
	if parts != "" {
		r.update.State.Parts[id] = parts
	}
	return id, ids
}

// joined makes one error of those of single products.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return fmt.Errorf("%w (and %d more of its products)", errs[0], len(errs)-1)
}

func (r *reader) finish(ctx context.Context, err error) {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil && r.read == 0 && r.update.Whole && !r.stopped {
		err = fmt.Errorf("there is no document of %s", r.info.Publisher)
	}
	if len(r.update.State.Parts) == 0 {
		r.update.State.Parts = nil
	}
	slices.Sort(r.update.Removed)
	if err != nil {
		r.give(feed.Item{}, err)
	}
}

// htmlStart reports whether b begins as a web page does.
func htmlStart(b []byte) bool {
	s := strings.ToLower(strings.TrimSpace(string(b[:min(len(b), 64)])))
	return strings.HasPrefix(s, "<!doctype html") || strings.HasPrefix(s, "<html")
}

// idsOf gives the ids of the records that a document had, as remembered.
func idsOf(id string, parts map[string]string) []string {
	if parts[id] == "" {
		return []string{id}
	}
	var out []string
	for p := range strings.FieldsSeq(parts[id]) {
		out = append(out, id+"#"+p)
	}
	return out
}

// forget drops what is remembered of a document and names its records.
func (r *reader) forget(id string) []string {
	old := idsOf(id, r.update.State.Parts)
	delete(r.update.State.Parts, id)
	return old
}

func copyOf(m map[string]string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	return out
}
