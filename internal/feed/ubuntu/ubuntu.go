// Package ubuntu reads the Ubuntu CVE tracker: a tree with a text file for
// every CVE, in folders active, retired and ignored, as its README describes it.
// How packages compare with it is left to others.
package ubuntu

import (
	"context"
	"errors"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Tracker{}} }

// Tracker is the Ubuntu CVE tracker. It gives one advisory for each CVE, with
// every source package, in the streams "ubuntu:VERSION" (what everybody gets)
// and "ubuntu-pro:VERSION", "ubuntu-pro-fips:VERSION" … (what subscribers get
// besides). What the tracker says of a release in development, of snaps, of
// phones and of packages that do not exist gives no claim.
//
// A state "needs-triage" counts as affected and not fixed, with a note, as it
// does in Ubuntu's own OSV and OVAL data.
type Tracker struct{}

var _ feed.Source = Tracker{}

// maxFile bounds one file of the tree, in bytes.
const maxFile = 16 << 20

// Info implements [feed.Source].
func (Tracker) Info() feed.Info {
	return feed.Info{
		Name: "ubuntu", Publisher: "Canonical", Describes: "state of every vulnerability in every Ubuntu release, by source package",
		URL:     "https://git.launchpad.net/ubuntu-cve-tracker/snapshot/ubuntu-cve-tracker-master.tar.gz",
		Streams: []string{"ubuntu:*", "ubuntu-pro:*", "ubuntu-pro-fips:*", "ubuntu-pro-fips-updates:*", "ubuntu-pro-fips-preview:*", "ubuntu-pro-realtime:*"},
		Licence: "CC-BY-SA-4.0", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// Fetch implements [feed.Source]. From is the tree as a folder or archive, one
// of its folders, or one of its files.
func (s Tracker) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		accept := func(name string) bool { _, ok := cveOf(name); return ok }
		unknown := map[string]bool{}
		files, err := out.Records(members, maxFile, accept, func(name string, raw []byte) error {
			f, err := parse(raw)
			if err != nil {
				return err
			}
			id, _ := cveOf(name)
			a := f.advisory(id, func(release string) {
				if !unknown[release] && len(unknown) < 100 {
					unknown[release] = true
					out.Bad("release "+shorten(release), errors.New("no Ubuntu release of that name is known; what is said of it is left out"))
				}
			})
			out.Yield(feed.Item{Advisory: a}, nil)
			return nil
		})
		if err == nil && files == 0 {
			err = errors.New("there is no file of the Ubuntu CVE tracker")
		}
		return err
	})
}

// cveOf tells which files are of a CVE.
func cveOf(name string) (string, bool) {
	dir, file := path.Split(name)
	switch path.Base(dir) {
	case "active", "retired", "ignored", ".":
		return file, strings.HasPrefix(file, "CVE-") && !strings.Contains(file, ".") && len(file) < 100
	}
	return "", false
}
