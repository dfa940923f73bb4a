package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// ScanOptions are the choices of one [Feeds.Scan].
type ScanOptions struct {
	AsOf       time.Time            // what was known at that instant; zero: now
	Statements []advisory.Statement // VEX documents of the owner
	Ignore     []IgnoreRule
}

// Scan finds the vulnerabilities of an inventory in what is known.
func (f *Feeds) Scan(ctx context.Context, img *inventory.Image, o ScanOptions) (*match.Scan, error) {
	snap, views, err := f.Snapshot(ctx, o.AsOf)
	if err != nil {
		return nil, err
	}
	in, err := matchInput(ctx, snap, img)
	if err != nil {
		return nil, err
	}
	r, err := f.find(ctx, in, snap, views, o.AsOf.IsZero())
	if err != nil {
		return nil, err
	}
	s := &match.Scan{Image: img, Findings: r.Findings, States: r.States, Problems: r.Problems, Generation: snap.Generation, At: f.Now().UTC()}
	if !o.AsOf.IsZero() {
		s.At = o.AsOf.UTC()
	}
	for _, v := range views {
		if v.Enabled && v.Status != nil {
			s.Feeds = append(s.Feeds, match.FeedState{Source: v.Name, Records: v.Status.Records, Revision: v.Status.State.Revision, Checked: v.Status.Checked, Stale: v.Stale, Error: v.Status.Error})
		}
	}
	if s.Distro, err = distroState(ctx, snap, img, s.At); err != nil {
		return nil, err
	}
	statements, err := snap.Statements(ctx, ids(s.Findings))
	if err != nil {
		return nil, err
	}
	match.ApplyStatements(s, append(slices.Clone(o.Statements), statements...))
	ApplyIgnore(s, o.Ignore)
	match.SortByRisk(s.Findings, img.Packages)
	return s, nil
}

// matchInput is what of an inventory is matched: its packages, and where Red
// Hat's came from.
func matchInput(ctx context.Context, snap *store.Snapshot, img *inventory.Image) (match.Input, error) {
	in := match.Input{Packages: img.Packages, Distro: img.Distro}
	byLayer := map[int][]string{}
	var all []string
	for i := range img.Facts {
		f := &img.Facts[i]
		if f.Kind != inventory.ContentSetsKind {
			continue
		}
		var c inventory.ContentSets
		if err := json.Unmarshal(f.Data, &c); err != nil {
			return in, fmt.Errorf("reading the content manifest %s: %w", f.Path, err)
		}
		byLayer[f.Layer] = append(byLayer[f.Layer], c.Sets...)
		all = append(all, c.Sets...)
	}
	if len(all) == 0 {
		return in, nil
	}
	slices.Sort(all)
	known, err := snap.Repositories(ctx, slices.Compact(all))
	if err != nil {
		return in, err
	}
	for _, layer := range slices.Sorted(maps.Keys(byLayer)) {
		sets := byLayer[layer]
		slices.Sort(sets)
		c := match.Content{Layer: layer, Sets: slices.Compact(sets)}
		for _, s := range c.Sets {
			c.CPEs = append(c.CPEs, known[s].CPEs...)
		}
		slices.Sort(c.CPEs)
		c.CPEs = slices.Compact(c.CPEs)
		in.Contents = append(in.Contents, c)
	}
	return in, nil
}

func (f *Feeds) matchOptions(views []FeedView, snap *store.Snapshot) match.Options {
	priority, replaces := map[string]int{}, map[string]string{}
	for _, v := range views {
		priority[v.Name] = v.Priority
		if v.Replaces != "" && v.Enabled {
			replaces[v.Replaces] = v.Name
		}
	}
	cves := func(ctx context.Context, ids []string) (map[string]string, error) {
		heads, err := snap.Heads(ctx, ids, nil)
		if err != nil {
			return nil, err
		}
		var records []advisory.Advisory
		for _, list := range heads {
			for _, a := range list {
				records = append(records, *a)
			}
		}
		return match.CVEs(records), nil
	}
	return match.Options{CVEs: cves, Coverage: snap, Priority: func(source string) int { return priority[source] }, Replaces: replaces, Claiming: snap.Claiming}
}

// distroState says whether the distribution is known, and for how long it is
// supported.
func distroState(ctx context.Context, snap *store.Snapshot, img *inventory.Image, now time.Time) (match.DistroState, error) {
	d := img.Distro
	var out match.DistroState
	if d == nil {
		if slices.ContainsFunc(img.Packages, func(p inventory.Package) bool { return p.OS() && p.Distro == "" }) {
			out.State, out.Message = match.UnknownDistro, "the image does not say which distribution it is"
		}
		return out, nil
	}
	stream, ok := match.Stream(d)
	out.Stream = stream
	switch known, stale := snap.Stream(stream); {
	case !ok:
		out.State, out.Message = match.UnknownDistro, fmt.Sprintf("no publisher is known to speak of %s %s", d.ID, d.Version)
	case !known:
		out.State, out.Message = match.NoData, fmt.Sprintf("there is no advisory data for %s", stream)
	case stale:
		out.State, out.Message = match.Stale, fmt.Sprintf("the advisory data for %s is older than its bound", stream)
	}
	product, cycle := lifeCycle(d)
	cycles, err := snap.Cycles(ctx, product)
	if err != nil {
		return out, err
	}
	for _, c := range cycles {
		if c.Cycle != cycle {
			continue
		}
		out.Product, out.EOL, out.Extend = product+" "+cycle, c.EOL, c.Extended
		out.Ended = c.Ended || !c.EOL.IsZero() && now.After(c.EOL)
	}
	return out, nil
}

// lifeCycle names a distribution's release in the words of endoflife.date.
func lifeCycle(d *inventory.Distro) (product, cycle string) {
	major, _, _ := strings.Cut(d.Version, ".")
	minor := d.Version
	if p := strings.SplitN(d.Version, ".", 3); len(p) > 1 {
		minor = p[0] + "." + p[1]
	}
	switch d.ID {
	case "debian", "fedora":
		return d.ID, major
	case "ubuntu", "alpine":
		return map[string]string{"ubuntu": "ubuntu", "alpine": "alpine-linux"}[d.ID], minor
	case "rhel":
		return "rhel", major
	case "centos":
		return "centos", major
	case "rocky":
		return "rocky-linux", major
	case "almalinux":
		return "almalinux", major
	case "ol":
		return "oracle-linux", major
	case "amzn":
		if strings.HasPrefix(d.Version, "201") {
			return "amazon-linux", "2018.03"
		}
		return "amazon-linux", d.Version
	case "sles", "sled":
		return "sles", d.Version
	case "opensuse-leap":
		return "opensuse", d.Version
	case "photon":
		return "photon", minor
	case "azurelinux", "mariner":
		return "azure-linux", minor
	}
	return d.ID, d.Version
}

// Explain tells why a vulnerability is reported for an inventory, or why not,
// and what statements and ignore rules do about it.
func (f *Feeds) Explain(ctx context.Context, img *inventory.Image, id string, o ScanOptions) (match.Explanation, error) {
	snap, views, err := f.Snapshot(ctx, o.AsOf)
	if err != nil {
		return match.Explanation{}, err
	}
	records, off, err := snap.Find(ctx, id)
	if err != nil {
		return match.Explanation{}, err
	}
	silent := map[string]bool{} // sources that know of it, and are off
	for _, r := range off {
		silent[r.Source] = true
	}
	// records that know the vulnerability by another name belong to it as well
	more := map[string]bool{id: true}
	for i := 0; i < len(records) && len(records) < 1000; i++ {
		if len(records[i].CVEs()) > 1 {
			continue
		}
		for _, alias := range append([]string{records[i].ID}, records[i].Aliases...) {
			if more[alias] {
				continue
			}
			more[alias] = true
			found, off, err := snap.Find(ctx, alias)
			for _, r := range off {
				silent[r.Source] = true
			}
			if err != nil {
				return match.Explanation{}, err
			}
			for _, r := range found {
				if !slices.ContainsFunc(records, func(x advisory.Advisory) bool { return x.Source == r.Source && x.ID == r.ID }) {
					records = append(records, r)
				}
			}
		}
	}
	in, err := matchInput(ctx, snap, img)
	if err != nil {
		return match.Explanation{}, err
	}
	e := match.Explain(id, in, records, f.matchOptions(views, snap))
	statements, err := snap.Statements(ctx, slices.Sorted(maps.Keys(more)))
	if err != nil {
		return match.Explanation{}, err
	}
	s := &match.Scan{Image: img, At: f.Now().UTC()}
	if !o.AsOf.IsZero() {
		s.At = o.AsOf.UTC()
	}
	e.Decide(s, func(s *match.Scan) {
		match.ApplyStatements(s, append(slices.Clone(o.Statements), statements...))
		ApplyIgnore(s, rulesAbout(o.Ignore, append(slices.Collect(maps.Keys(more)), ids(s.Findings)...)))
	})
	if len(silent) > 0 {
		e.Verdict += fmt.Sprintf("; sources that are off know of it too: %s", strings.Join(slices.Sorted(maps.Keys(silent)), ", "))
	}
	return e, nil
}
