// Package friendsofphp reads the PHP Security Advisories Database: one YAML file
// for each vulnerability and Composer package.
package friendsofphp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
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

// Database is the database: one advisory for each CVE, with all packages that
// have a file of it; where there is no CVE, for each file, named by its path
// ("cakephp/cakephp/2015-08-06"). Each branch is an interval; its upper bound is
// a fixed version unless another branch begins there or contains it.
type Database struct{}

var _ feed.Source = Database{}

// Info implements [feed.Source].
func (Database) Info() feed.Info {
	return feed.Info{
		Name: "friendsofphp", Publisher: "FriendsOfPHP", Describes: "vulnerabilities of Composer packages",
		URL:     "https://github.com/FriendsOfPHP/security-advisories/archive/refs/heads/master.zip",
		Streams: []string{"composer"}, Licence: "Unlicense", Fresh: 7 * 24 * time.Hour, Priority: 60,
	}
}

const (
	maxFile  = 1 << 20 // bytes of one advisory
	maxLines = 500     // branches of one advisory, which are compared with one another
)

// Fetch implements [feed.Source]. From is the repository as a folder or archive:
// files VENDOR/NAME/….yaml.
func (s Database) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		r := reader{byID: map[string]*advisory.Advisory{}}
		files, err := out.Records(members, maxFile, isAdvisory, r.file)
		if err != nil {
			return err
		}
		if files == 0 {
			return errors.New("there is no advisory: no file .yaml")
		}
		for _, id := range slices.Sorted(maps.Keys(r.byID)) {
			a := r.byID[id]
			slices.SortStableFunc(a.Affected, func(x, y advisory.Affected) int { return strings.Compare(x.Name, y.Name) })
			if !out.Yield(feed.Item{Advisory: a}, nil) {
				break
			}
		}
		return nil
	})
}

func isAdvisory(name string) bool {
	return path.Ext(name) == ".yaml" && !slices.ContainsFunc(strings.Split(name, "/"), func(p string) bool { return strings.HasPrefix(p, ".") })
}

// reader gathers the files of one CVE, which lie in several folders.
type reader struct{ byID map[string]*advisory.Advisory }

// entry is one file.
type entry struct {
	Title      string            `yaml:"title"`
	Link       string            `yaml:"link"`
	CVE        string            `yaml:"cve"`
	Reference  string            `yaml:"reference"`
	Repository *bool             `yaml:"composer-repository"`
	Branches   map[string]branch `yaml:"branches"`
}

type branch struct {
	Time     string   `yaml:"time"` // when it was fixed; empty: it is not
	Versions []string `yaml:"versions"`
}

func (r *reader) file(name string, raw []byte) error {
	var e entry
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&e); err != nil {
		return err
	}
	pkg, ok := strings.CutPrefix(e.Reference, "composer://")
	if !ok || !strings.Contains(pkg, "/") {
		return fmt.Errorf("its reference %.80q is no Composer package", e.Reference)
	}
	if len(e.Branches) > maxLines {
		return &feed.LimitError{What: name, Limit: "branches", Most: maxLines}
	}
	pkg = advisory.Name("composer", pkg)
	id := strings.TrimSpace(e.CVE)
	if id == "" {
		id = pkg + "/" + strings.TrimSuffix(path.Base(name), ".yaml")
	} else if !advisory.IsCVE(id) {
		return fmt.Errorf("%.80q is no CVE identifier", id)
	}
	f, err := e.affected(pkg)
	if err != nil {
		return err
	}
	a := r.byID[id]
	if a == nil {
		a = &advisory.Advisory{Source: "friendsofphp", ID: id, Summary: strings.TrimSpace(e.Title), URL: e.Link}
		r.byID[id] = a
	}
	a.Affected = append(a.Affected, f)
	if e.Link != "" && !slices.ContainsFunc(a.References, func(r advisory.Reference) bool { return r.URL == e.Link }) {
		a.References = append(a.References, advisory.Reference{Type: "ADVISORY", URL: e.Link})
	}
	return nil
}

func (e *entry) affected(pkg string) (advisory.Affected, error) {
	f := advisory.Affected{Key: advisory.Key{Stream: "composer", Name: pkg}, Scheme: version.Composer}
	if e.Repository != nil && !*e.Repository {
		f.Note = "not a package of packagist.org"
	}
	names := slices.Sorted(maps.Keys(e.Branches))
	var uppers []string // of branches that are fixed
	var requirements []string
	plain := true
	for _, name := range names {
		b := e.Branches[name]
		if len(b.Versions) == 0 {
			return f, fmt.Errorf("the branch %.80q names no versions", name)
		}
		in, ok := interval(b.Versions)
		plain = plain && ok
		f.Intervals = append(f.Intervals, in)
		requirements = append(requirements, strings.Join(b.Versions, ","))
		at, fixed := moment(b.Time)
		if !fixed {
			continue
		}
		uppers = append(uppers, in.Fixed)
		if f.Fix.Date.IsZero() || at.Before(f.Fix.Date) && !at.IsZero() {
			f.Fix.Date = at
		}
	}
	if len(names) == 0 {
		return f, errors.New("it has no branches")
	}
	f.Fix.State = advisory.NotFixed
	if len(uppers) > 0 {
		f.Fix.State = advisory.Fixed
	}
	if !plain {
		f.Intervals, f.Requirement = nil, strings.Join(requirements, " || ")
		return f, nil
	}
	sortIntervals(f.Intervals)
	f.Fix.Versions = fixes(uppers, f.Intervals)
	return f, nil
}

// interval reads a list such as [">=2.0.0", "<2.1.0"].
func interval(list []string) (in advisory.Interval, ok bool) {
	for _, s := range list {
		s = strings.TrimSpace(s)
		op := s[:len(s)-len(strings.TrimLeft(s, "<>="))]
		v := strings.TrimSpace(s[len(op):])
		upper := in.Fixed != "" || in.LastAffected != ""
		switch {
		case v == "" || strings.ContainsAny(v, " ,|<>=!^~*"):
			return in, false
		case op == ">=" && in.Introduced == "":
			in.Introduced = v
		case op == ">" && in.Introduced == "":
			in.Introduced, in.After = v, true
		case op == "<" && !upper:
			in.Fixed = v
		case op == "<=" && !upper:
			in.LastAffected = v
		default:
			return in, false
		}
	}
	return in, true
}

// moment reads when a branch was fixed; false: it is not. Of a time that cannot
// be read only that it was is known.
func moment(s string) (time.Time, bool) {
	if s == "" || s == "null" || s == "~" {
		return time.Time{}, false
	}
	for _, layout := range []string{"2006-1-2 15:04:05", "2006-1-2 15:04:05 -0700", "2006-1-2 15:04", "2006-1-2", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, true
}

// sortIntervals orders by lower bound; bounds that cannot be read keep their place.
func sortIntervals(list []advisory.Interval) {
	slices.SortStableFunc(list, func(a, b advisory.Interval) int {
		x, y := cmp.Or(a.Introduced, "0"), cmp.Or(b.Introduced, "0")
		c, err := version.Compare(version.Composer, x, y)
		if err != nil {
			return strings.Compare(x, y)
		}
		return c
	})
}

// fixes are the upper bounds that no interval contains, in order.
func fixes(uppers []string, intervals []advisory.Interval) []string {
	type bound struct {
		text string
		v    version.Version
	}
	var out []bound
	for _, s := range uppers {
		v, err := version.Parse(version.Composer, s)
		if err != nil || slices.ContainsFunc(out, func(b bound) bool { return b.text == s }) {
			continue
		}
		if !slices.ContainsFunc(intervals, func(in advisory.Interval) bool { return contains(in, v) }) {
			out = append(out, bound{s, v})
		}
	}
	slices.SortStableFunc(out, func(a, b bound) int { return a.v.Compare(b.v) })
	var texts []string
	for _, b := range out {
		texts = append(texts, b.text)
	}
	return texts
}

func contains(in advisory.Interval, v version.Version) bool {
	above := func(s string) int { // of v and s, 0 where s cannot be read
		w, err := version.Parse(version.Composer, s)
		if err != nil {
			return 0
		}
		return v.Compare(w)
	}
	if in.Introduced != "" && (above(in.Introduced) < 0 || in.After && above(in.Introduced) == 0) {
		return false
	}
	switch {
	case in.Fixed != "":
		return above(in.Fixed) < 0
	case in.LastAffected != "":
		return above(in.LastAffected) <= 0
	}
	return true
}
