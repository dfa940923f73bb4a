// Package photon reads the vulnerability metadata of Photon OS: one JSON file
// for each release. How packages compare with it is left to others.
package photon

import (
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

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Source{}} }

// Source is Photon's metadata. It gives one advisory for each identifier with
// all packages and releases. The files name binary packages as well as source
// packages, so both are compared.
type Source struct{}

var _ feed.Source = Source{}

// Info implements [feed.Source].
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "photon", Publisher: "Photon OS", Describes: "fixed versions of packages for every release of Photon OS",
		URL: "https://packages.broadcom.com/photon/photon_cve_metadata/", Streams: []string{"photon:*"}, Licence: "not stated", Fresh: 48 * time.Hour, Priority: 100,
	}
}

// maxEntries bounds what is held.
const maxEntries = 5_000_000

// record is one line of a file.
type record struct {
	ID       string   `json:"cve_id"`
	Package  string   `json:"pkg"`
	Score    *float64 `json:"cve_score"`
	Affected string   `json:"aff_ver"` // "all versions before 1.2-3.ph4 are vulnerable", "NA"
	Resolved string   `json:"res_ver"` // "1.2-3.ph4", "NA"
	Status   string   `json:"status"`  // "Fixed", "Not Affected"; not in old files
}

// Fetch implements [feed.Source]. From is a file cve_data_photonRELEASE.json, or
// a folder or archive of them.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	read := func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		db := &database{ids: map[string][]claim{}, scores: map[string]float64{}, bad: out.Bad}
		if err := cmp.Or(db.members(members, out), context.Cause(ctx)); err != nil || out.Over() {
			return err
		}
		db.advisories(out.Yield)
		return nil
	}
	if in.From != "" {
		return in.All(ctx, "", state, read)
	}
	base := strings.TrimSuffix(cmp.Or(in.URL, s.Info().URL), "/") + "/"
	releases, err := branches(ctx, in.Client, base)
	if err != nil {
		return nil, err
	}
	parts := make([]feed.Part, len(releases))
	for i, r := range releases {
		parts[i] = feed.Part{Key: r, Name: fileOf(r), URL: base + fileOf(r)}
	}
	return in.Parts(ctx, parts, state, read)
}

func fileOf(release string) string { return "cve_data_photon" + release + ".json" }

// branches reads photon_versions.json.
func branches(ctx context.Context, c *feed.Client, base string) ([]string, error) {
	d, err := c.Get(ctx, base+"photon_versions.json", feed.Conditional{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var doc struct {
		Branches []string `json:"branches"`
	}
	if err := feed.NewJSONReader(d, 1<<20).Decode(&doc); err != nil {
		return nil, fmt.Errorf("reading %sphoton_versions.json: %w", base, err)
	}
	for _, b := range doc.Branches {
		if b == "" || strings.Trim(b, "0123456789.") != "" || len(b) > 20 {
			return nil, fmt.Errorf("%sphoton_versions.json: %.60q is no release", base, b)
		}
	}
	if len(doc.Branches) == 0 || len(doc.Branches) > 100 {
		return nil, fmt.Errorf("%sphoton_versions.json names %d releases", base, len(doc.Branches))
	}
	return doc.Branches, nil
}

// database collects the files: they are by release, advisories by identifier.
type database struct {
	ids     map[string][]claim
	scores  map[string]float64
	entries int
	bad     func(record string, err error)
}

type claim struct {
	key           advisory.Key
	status, fixed string
}

func (db *database) members(members iter.Seq2[feed.Member, error], out *feed.Output) error {
	files := 0
	err := out.Each(members, func(m feed.Member) error {
		if base := path.Base(m.Name); !strings.HasPrefix(base, "cve_data_photon") || path.Ext(base) != ".json" {
			return nil
		}
		files++
		return db.read(m)
	})
	if err == nil && files == 0 {
		err = errors.New("there is no file cve_data_photonRELEASE.json")
	}
	return err
}

// read takes a file in. Its release is part of its name.
func (db *database) read(m feed.Member) error {
	name := strings.TrimPrefix(path.Base(m.Name), "cve_data_photon")
	n := 0
	for n < len(name) && ('0' <= name[n] && name[n] <= '9' || name[n] == '.') {
		n++
	}
	stream, ok := advisory.DistroStream("photon", strings.Trim(name[:n], "."), "")
	if !ok {
		return errors.New("its name tells no release")
	}
	r := feed.NewJSONReader(m, 1<<20)
	for i, err := range r.Array() {
		if err != nil {
			return err
		}
		var v record
		switch err := r.Decode(&v); {
		case feed.IsJSONError(err):
			db.bad(fmt.Sprintf("%s, record %d", m.Name, i), err)
		case err != nil:
			return err
		default:
			if err := db.add(stream, &v); err != nil {
				db.bad(fmt.Sprintf("%s, record %d", m.Name, i), err)
			}
		}
		if db.entries++; db.entries > maxEntries {
			return &feed.LimitError{What: "what the files hold", Limit: "records", Most: maxEntries}
		}
	}
	return r.End()
}

func (db *database) add(stream string, v *record) error {
	if strings.HasPrefix(v.ID, "CVE-") && !advisory.IsCVE(v.ID) || !strings.ContainsAny(v.ID, "0123456789") || strings.ContainsAny(v.ID, " \t\n") || len(v.ID) > 60 {
		return fmt.Errorf("%.60q is no identifier", v.ID)
	}
	if v.Package == "" {
		return fmt.Errorf("%s: a package has no name", v.ID)
	}
	c := claim{key: advisory.Key{Stream: stream, Name: advisory.Name(stream, v.Package)}, status: v.Status}
	if v.Resolved != "" && v.Resolved != "NA" {
		c.fixed = v.Resolved
	} else if _, rest, ok := strings.Cut(v.Affected, "before "); ok {
		c.fixed, _, _ = strings.Cut(rest, " ")
	}
	db.ids[v.ID] = append(db.ids[v.ID], c)
	if v.Score != nil && 0 < *v.Score && *v.Score <= 10 {
		db.scores[v.ID] = max(db.scores[v.ID], *v.Score)
	}
	return nil
}

func (db *database) advisories(yield func(feed.Item, error) bool) {
	for _, id := range slices.Sorted(maps.Keys(db.ids)) {
		a := &advisory.Advisory{Source: "photon", ID: id}
		if s := db.scores[id]; s > 0 {
			a.Severities = []advisory.Severity{{Source: "photon", Type: "CVSS_V3", Score: s, Label: advisory.LevelOfScore("CVSS_V3", s)}}
		}
		claims := db.ids[id]
		slices.SortFunc(claims, func(x, y claim) int {
			return cmp.Or(strings.Compare(x.key.Name, y.key.Name), strings.Compare(x.key.Stream, y.key.Stream), strings.Compare(x.status, y.status), strings.Compare(x.fixed, y.fixed))
		})
		for _, c := range slices.Compact(claims) {
			a.Affected = append(a.Affected, c.affected())
		}
		delete(db.ids, id)
		if !yield(feed.Item{Advisory: a}, nil) {
			return
		}
	}
}

func (c claim) affected() advisory.Affected {
	f := advisory.Affected{Key: c.key, Names: advisory.Either, Scheme: version.RPM}
	switch {
	case strings.EqualFold(c.status, "Not Affected"):
		f.Status = advisory.StatusNotAffected
	case c.fixed != "":
		f.Intervals = []advisory.Interval{{Fixed: c.fixed}}
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{c.fixed}}
	default:
		f.Status = advisory.StatusUndetermined
		f.Note = "neither the affected nor the fixed versions are said"
		if c.status != "" {
			f.Note = c.status + ", but " + f.Note
		}
	}
	return f
}
