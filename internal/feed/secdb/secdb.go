// Package secdb reads the security databases of apk distributions: files that
// list, for each package, which vulnerabilities a version fixed. A version "0"
// says that the package was never affected. How packages compare with it is
// left to others.
package secdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
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
	read := func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		db := s.database(out)
		if err := cmp.Or(db.members(members, out), context.Cause(ctx)); err != nil || out.Over() {
			return err
		}
		db.advisories(out.Yield)
		return nil
	}
	if in.From != "" {
		return in.All(ctx, "", state, read)
	}
	parts, err := s.parts(ctx, in.Client, cmp.Or(in.URL, s.info.URL))
	if err != nil {
		return nil, err
	}
	return in.Parts(ctx, parts, state, read)
}

func (s Source) database(out *feed.Output) *database {
	db := &database{source: s.info.Name, ids: map[string]*entry{}, page: "https://images.chainguard.dev/security/", bad: out.Bad}
	switch s.info.Name {
	case "alpine":
		db.page = "https://security.alpinelinux.org/vuln/"
	case "minimos":
		db.page, db.stream = "https://images.minimus.io/vulnerabilities/", "minimos"
	default:
		db.stream = s.info.Name
	}
	return db
}

func (db *database) members(members iter.Seq2[feed.Member, error], out *feed.Output) error {
	seen := map[string]bool{}
	err := out.Each(members, func(m feed.Member) error {
		ext := path.Ext(m.Name)
		stem := strings.TrimSuffix(m.Name, ext)
		if ext != ".json" && ext != ".yaml" && ext != ".yml" && ext != "" || seen[stem] {
			return nil
		}
		seen[stem] = true // "main.json" stands before "main.yaml"
		return db.read(m)
	})
	if err == nil && len(seen) == 0 {
		err = errors.New("there is no security database")
	}
	return err
}

// parts are the files to get: the one of a publisher, or those of every branch
// that Alpine's index lists.
func (s Source) parts(ctx context.Context, c *feed.Client, base string) ([]feed.Part, error) {
	if s.info.Name != "alpine" || strings.HasSuffix(base, ".json") {
		return []feed.Part{{Key: base, URL: base}}, nil
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
	var out []feed.Part
	for _, b := range branches {
		main, community := b+"/main.json", b+"/community.json" // branches before 3.3 have none
		out = append(out, feed.Part{Key: base + main, Name: main, URL: base + main},
			feed.Part{Key: base + community, Name: community, URL: base + community, Optional: true})
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
