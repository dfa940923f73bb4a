// Package elixirsec reads elixir-security-advisories: one YAML file for each
// vulnerability of a Hex package.
package elixirsec

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Database{}} }

// Database is the database: one advisory for each file, under the UUID it bears.
//
// A version is affected unless it satisfies one of patched_versions or one of
// unaffected_versions: both together are Affected.Unaffected, joined by "||".
type Database struct{}

var _ feed.Source = Database{}

// Info implements [feed.Source].
func (Database) Info() feed.Info {
	return feed.Info{
		Partial: []string{"hex"},
		Name:    "elixir", Publisher: "Dependabot", Describes: "vulnerabilities of Hex packages, up to 2022",
		URL:     "https://github.com/dependabot/elixir-security-advisories/archive/refs/heads/master.zip",
		Streams: []string{"hex"}, Licence: "CC0-1.0", Fresh: 90 * 24 * time.Hour, Priority: 50,
	}
}

const (
	maxFile  = 1 << 20 // bytes of one advisory
	maxFiles = 500_000
)

// Fetch implements [feed.Source]. From is the repository as a folder or archive:
// files packages/NAME/….yml.
func (s Database) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	members, done := feed.Members(ctx, in.From, feed.Limits{}), func() error { return nil }
	if in.From == "" {
		d, err := in.Client.Get(ctx, cmp.Or(in.URL, s.Info().URL), feed.Conditional{ETag: state.ETag, LastModified: state.LastModified})
		if err != nil {
			return nil, err
		}
		u.State.ETag, u.State.LastModified = d.ETag, d.LastModified
		if d.NotModified {
			return &feed.Update{Unchanged: true, State: u.State}, d.Close()
		}
		members, done = d.Members(ctx, feed.Limits{}), d.Close
	}
	u.Items = func(yield func(feed.Item, error) bool) {
		defer done()
		if err := read(members, yield); err != nil && err != errStopped {
			yield(feed.Item{}, err)
		}
	}
	return u, nil
}

var errStopped = errors.New("the caller has enough")

func read(members func(func(feed.Member, error) bool), yield func(feed.Item, error) bool) error {
	bad := func(record string, err error) error {
		if !yield(feed.Item{}, &feed.BadRecord{Record: record, Err: err}) {
			return errStopped
		}
		return nil
	}
	seen := map[string]bool{}
	files := 0
	var buf []byte
	for m, err := range members {
		if b := (*feed.BadRecord)(nil); errors.As(err, &b) {
			if err := bad(b.Record, b.Err); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if !isAdvisory(m.Name) {
			continue
		}
		if files++; files > maxFiles {
			return &feed.LimitError{What: "the database", Limit: "files", Most: maxFiles}
		}
		buf, err = m.Bytes(buf, maxFile)
		var a *advisory.Advisory
		if limit := (*feed.LimitError)(nil); err != nil && !errors.As(err, &limit) {
			return fmt.Errorf("reading %s: %w", m.Name, err)
		}
		if err == nil {
			a, err = parse(buf)
		}
		if err == nil && seen[a.ID] {
			err = fmt.Errorf("another file has the identifier %s too", a.ID)
		}
		if err != nil {
			if err := bad(m.Name, err); err != nil {
				return err
			}
			continue
		}
		seen[a.ID] = true
		if !yield(feed.Item{Advisory: a}, nil) {
			return errStopped
		}
	}
	if files == 0 {
		return errors.New("there is no advisory: no file packages/NAME/….yml")
	}
	return nil
}

func isAdvisory(name string) bool {
	parts := strings.Split(name, "/")
	return path.Ext(name) == ".yml" && (len(parts) == 1 || len(parts) >= 3 && parts[len(parts)-3] == "packages")
}

// entry is one file.
type entry struct {
	ID          string   `yaml:"id"`
	Package     string   `yaml:"package"`
	Date        string   `yaml:"disclosure_date"`
	CVE         string   `yaml:"cve"`
	Link        string   `yaml:"link"`
	Title       string   `yaml:"title"`
	Description string   `yaml:"description"`
	Patched     []string `yaml:"patched_versions"`
	Unaffected  []string `yaml:"unaffected_versions"`
}

func parse(raw []byte) (*advisory.Advisory, error) {
	var e entry
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&e); err != nil {
		return nil, err
	}
	if e.ID == "" || e.Package == "" {
		return nil, errors.New("it has no id or no package")
	}
	a := &advisory.Advisory{
		Source: "elixir", ID: e.ID, URL: e.Link,
		Summary: strings.TrimSpace(e.Title), Details: strings.TrimSpace(e.Description),
	}
	if e.CVE != "" {
		cve := "CVE-" + strings.TrimPrefix(e.CVE, "CVE-")
		if !advisory.IsCVE(cve) {
			return nil, fmt.Errorf("%.80q is no CVE identifier", cve)
		}
		a.Aliases = []string{cve}
	}
	if e.Link != "" {
		a.References = []advisory.Reference{{Type: "WEB", URL: e.Link}}
	}
	a.Published, _ = time.Parse(time.DateOnly, e.Date)
	f := advisory.Affected{
		Key: advisory.Key{Stream: "hex", Name: advisory.Name("hex", e.Package)}, Scheme: version.Hex,
		Unaffected: strings.Join(slices.Concat(e.Patched, e.Unaffected), " || "), Fix: advisory.Fix{State: advisory.NotFixed},
	}
	if len(e.Patched) > 0 {
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: fixes(e.Patched)}
	}
	a.Affected = []advisory.Affected{f}
	return a, nil
}

// fixes are the versions with which requirements such as ">= 1.3.2" and
// "~> 1.2.3" begin, in order.
func fixes(patched []string) []string {
	var out []string
	for _, r := range patched {
		v, ok := strings.CutPrefix(r, ">=")
		if !ok {
			v, ok = strings.CutPrefix(r, "~>")
		}
		v = strings.TrimSpace(v)
		if _, err := version.Parse(version.Hex, v); ok && err == nil {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		c, _ := version.Compare(version.Hex, a, b)
		return c
	})
	return slices.Compact(out)
}
