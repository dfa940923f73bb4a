// Package debian reads what the Debian security tracker says, in its two
// forms: the JSON with the state of every source package in every release, and
// the lists of the advisories DSA and DLA. How packages compare with it is left
// to others.
package debian

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Tracker{}, Lists{}} }

// Tracker is the security tracker's JSON: package → CVE → releases. It gives
// one advisory for each CVE (or TEMP-… where none is assigned yet) with every
// source package and release. A fixed version of "0" means that no version of
// that release was ever affected; "undetermined" that nobody knows yet; an
// urgency of "unimportant" that Debian sees no vulnerability in the packages it
// builds: its claim stays, with the level negligible.
type Tracker struct{}

// Lists are the files DSA/list and DLA/list of the tracker's repository: one
// advisory each, with the CVEs it is about and the fixed version of every
// release it was made for.
type Lists struct{}

var (
	_ feed.Source = Tracker{}
	_ feed.Source = Lists{}
)

// Info implements [feed.Source].
func (Tracker) Info() feed.Info {
	return feed.Info{
		Name: "debian", Publisher: "Debian", Describes: "state of every vulnerability in every Debian release, by source package",
		URL: "https://security-tracker.debian.org/tracker/data/json", Streams: []string{"debian:*"},
		Licence: "MIT", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// Info implements [feed.Source].
func (Lists) Info() feed.Info {
	return feed.Info{
		Name: "debian-dsa", Publisher: "Debian", Describes: "Debian's security advisories, DSA and DLA",
		URL: "https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data", Streams: []string{"debian:*"},
		Licence: "MIT", Fresh: 7 * 24 * time.Hour, Priority: 90,
	}
}

// Fetch implements [feed.Source]. From is the JSON, or a folder or archive with
// just one file *.json.
func (s Tracker) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		read := ""
		err := out.Each(members, func(m feed.Member) error {
			if in.From != "" && path.Ext(m.Name) != "" && path.Ext(m.Name) != ".json" {
				return nil
			}
			if read != "" {
				return fmt.Errorf("%s is there too; one of them must be named", read)
			}
			read = m.Name
			return readTracker(m, out.Yield)
		})
		if err == nil && read == "" {
			err = errors.New("there is no JSON of the security tracker")
		}
		return cmp.Or(context.Cause(ctx), err)
	})
}

// Fetch implements [feed.Source]. From is one of the lists, or a folder or
// archive with files DSA/list and DLA/list, or DSA-list and DLA-list.
func (s Lists) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	read := func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		l := &lists{unknown: map[string]bool{}, out: out}
		found := 0
		err := out.Each(members, func(m feed.Member) error {
			if !isList(m.Name) {
				return nil
			}
			found++
			return l.read(m.Name, m)
		})
		if err == nil && found == 0 {
			err = errors.New("there is neither a list of DSA nor one of DLA")
		}
		return cmp.Or(context.Cause(ctx), err)
	}
	if in.From != "" {
		return in.All(ctx, "", state, read)
	}
	base := strings.TrimSuffix(cmp.Or(in.URL, s.Info().URL), "/") + "/"
	var parts []feed.Part
	for _, f := range []string{"DSA/list", "DLA/list"} {
		parts = append(parts, feed.Part{Key: f, Name: f, URL: base + f})
	}
	return in.Parts(ctx, parts, state, read)
}

func isList(name string) bool {
	dir, file := path.Split(name)
	dir = path.Base(dir)
	switch {
	case file == "list":
		return dir == "DSA" || dir == "DLA"
	case dir == "DSA" || dir == "DLA":
		return false
	}
	return strings.HasPrefix(file, "DSA") || strings.HasPrefix(file, "DLA")
}
