package engine

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// Known makes an inventory of layers as they are remembered, without reading
// anything; nil where one of them is not remembered whole.
func (e *Engine) Known(ctx context.Context, diffIDs []inventory.Digest) (*inventory.Image, error) {
	if e.Layers == nil || len(diffIDs) == 0 {
		return nil, nil
	}
	layers := make([]inventory.Layer, len(diffIDs))
	for i, d := range diffIDs {
		l, have, ok, err := e.Layers.Layer(ctx, d, analyze.WalkVersion, append(e.Set.Keys(), analyze.WalkKey()))
		if err != nil || !ok {
			return nil, err
		}
		missing, empty := e.Set.Missing(l.Files, have)
		if missing != nil {
			return nil, nil
		}
		l.Records = append(l.Records, empty...)
		layers[i] = sorted(l)
	}
	img := inventory.Squash(layers)
	for i := range img.Layers {
		img.Layers[i].DiffID = diffIDs[i]
	}
	return img, nil
}

// identity is the digest an image is remembered by, "" where it has none.
func identity(img *inventory.Image) inventory.Digest {
	if img.Digest != "" {
		return img.Digest
	}
	return img.ConfigDigest
}

func diffIDs(img *inventory.Image) []inventory.Digest {
	out := make([]inventory.Digest, len(img.Layers))
	for i := range img.Layers {
		out[i] = img.Layers[i].DiffID
	}
	return out
}

// wholeTag is a tag with its registry and version spelled out, "" for none.
func wholeTag(tag string) string {
	if tag == "" {
		return ""
	}
	t := policy.ParseTag(tag)
	if t.Tag == "" {
		return "" // by digest: no tag moves
	}
	if t.Registry == "docker.io" && !strings.Contains(t.Repository, "/") {
		t.Repository = "library/" + t.Repository
	}
	return t.Registry + "/" + t.Repository + ":" + t.Tag
}

// Remember notes that an image was judged, so that later ones can be compared
// with it. Images without a digest (folders, bills of materials) are not.
func (j *Judge) Remember(ctx context.Context, img *inventory.Image, v *policy.Verdict, tag string) error {
	if j.Feeds == nil || j.Inventories == nil || identity(img) == "" || len(img.Layers) == 0 {
		return nil
	}
	err := j.Feeds.DB.PutImage(ctx, store.JudgedImage{Digest: identity(img), Layers: diffIDs(img), Inventory: v.InventoryDigest}, wholeTag(tag), v.At)
	if err != nil {
		return fmt.Errorf("remembering the image: %w", err)
	}
	return nil
}

const nothingRemembered = "nothing is remembered"

// related fills in the images that this one is compared with: ancestors, base
// and the image that had the tag before.
func (j *Judge) related(ctx context.Context, q *Question, s *policy.Subject) error {
	s.Untold = map[string]string{}
	if q.Base != nil {
		s.Base = q.Base
		s.Ancestors = []policy.Ancestor{{Digest: identity(q.Base), Tags: references(q.Base), Base: true}}
	}
	if j.Feeds == nil || j.Inventories == nil {
		s.Untold["previous"], s.Untold["base"] = nothingRemembered, nothingRemembered
		return nil
	}
	db := j.Feeds.DB
	known, err := db.Ancestors(ctx, diffIDs(q.Image), q.Now)
	if err != nil {
		return fmt.Errorf("looking up ancestors: %w", err)
	}
	for i := range known {
		if q.Base == nil || known[i].Digest != identity(q.Base) {
			s.Ancestors = append(s.Ancestors, policy.Ancestor{Digest: known[i].Digest, Tags: known[i].Tags})
		}
	}
	if s.Base == nil && len(known) > 0 {
		if s.Base, err = j.Inventories.Known(ctx, known[0].Layers); err != nil {
			return fmt.Errorf("reading the base image: %w", err)
		}
		if s.Base == nil {
			s.Untold["base"] = fmt.Sprintf("the layers of %s are not remembered any more", known[0].Digest)
		}
	}
	tag := wholeTag(q.Tag)
	if tag == "" || identity(q.Image) == "" {
		return nil
	}
	previous, ok, err := db.PreviousImage(ctx, tag, identity(q.Image), q.Now)
	if err != nil || !ok {
		return err
	}
	if s.Previous, err = j.Inventories.Known(ctx, previous.Layers); err != nil {
		return fmt.Errorf("reading the previous image of the tag: %w", err)
	}
	if s.Previous == nil {
		s.Untold["previous"] = fmt.Sprintf("the layers of %s are not remembered any more", previous.Digest)
	}
	return nil
}

// detected says when each finding was first seen in the image: when the image
// was first judged, or when the first of the advisories that report it began
// to speak of the package, whatever is later.
func (j *Judge) detected(ctx context.Context, q *Question) (map[policy.FindingKey]time.Time, error) {
	if j.Feeds == nil || j.Inventories == nil || q.Scan == nil || identity(q.Image) == "" {
		return nil, nil
	}
	first, err := j.Feeds.DB.ImageFirstJudged(ctx, identity(q.Image), q.Now)
	if err != nil {
		return nil, err
	}
	if first.IsZero() {
		first = q.Now
	}
	snap, _, err := j.Feeds.Snapshot(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	var claims []store.Claim
	for i := range q.Scan.Findings {
		for k := range q.Scan.Findings[i].Evidence {
			if e := &q.Scan.Findings[i].Evidence[k]; e.Affected {
				claims = append(claims, store.Claim{Source: e.Source, Record: e.Advisory, Key: e.Key})
			}
		}
	}
	since, err := snap.ClaimedSince(ctx, claims)
	if err != nil {
		return nil, err
	}
	out := map[policy.FindingKey]time.Time{}
	for i := range q.Scan.Findings {
		f := &q.Scan.Findings[i]
		var at time.Time
		for k := range f.Evidence {
			e := &f.Evidence[k]
			if t := since[store.Claim{Source: e.Source, Record: e.Advisory, Key: e.Key}]; e.Affected && !t.IsZero() && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
		if at.IsZero() {
			continue
		}
		if at.Before(first) {
			at = first
		}
		out[policy.FindingKey{Vulnerability: f.ID, Package: q.Image.Packages[f.Package].ID()}] = at
	}
	return out, nil
}

// cycles joins packages to release lines and the end of their support. What a
// distribution ships, the distribution supports; its packages have none.
func (j *Judge) cycles(ctx context.Context, q *Question) (map[int]policy.Cycle, error) {
	if j.Feeds == nil {
		return nil, nil
	}
	snap, _, err := j.Feeds.Snapshot(ctx, q.AsOf)
	if err != nil {
		return nil, err
	}
	products, err := snap.Products(ctx)
	if err != nil || len(products) == 0 {
		return nil, err
	}
	byName := map[string]string{"pkg:golang/stdlib": "go"}
	for id, product := range products {
		if purl, ok := strings.CutPrefix(id, "purl:"); ok {
			purl, _, _ = strings.Cut(purl, "?")
			if u, err := url.PathUnescape(purl); err == nil {
				purl = u
			}
			byName[strings.ToLower(purl)] = product
		}
	}
	out := map[int]policy.Cycle{}
	lines := map[string][]advisory.Cycle{}
	for i := range q.Image.Packages {
		p := &q.Image.Packages[i]
		if p.OS() || p.Owner != "" || p.Version == "" {
			continue
		}
		product := byName[strings.ToLower("pkg:"+p.Type+"/"+ecosystemPath(p))]
		if product == "" {
			continue
		}
		list, ok := lines[product]
		if !ok {
			if list, err = snap.Cycles(ctx, product); err != nil {
				return nil, err
			}
			lines[product] = list
		}
		if c := cycleOf(list, p.Version); c != nil {
			out[i] = policy.Cycle{Product: product, Name: c.Cycle, EOL: c.EOL, Ended: c.Ended, Latest: c.Latest}
		}
	}
	return out, nil
}

// ecosystemPath is a package's namespace and name as package URLs have them.
func ecosystemPath(p *inventory.Package) string {
	if p.Namespace != "" {
		return p.Namespace + "/" + p.Name
	}
	return p.Name
}

// cycleOf is the release line of a version: the longest whose name the version
// begins with, whole numbers being compared: 1.2 is not the line of 1.20.
func cycleOf(lines []advisory.Cycle, version string) *advisory.Cycle {
	version = strings.TrimPrefix(strings.TrimPrefix(version, "go"), "v")
	var best *advisory.Cycle
	for i := range lines {
		c := &lines[i]
		rest, ok := strings.CutPrefix(version, c.Cycle)
		if !ok || rest != "" && rest[0] >= '0' && rest[0] <= '9' || best != nil && len(best.Cycle) >= len(c.Cycle) {
			continue
		}
		best = c
	}
	return best
}

// asks reports whether a rule of the bundle asks a trigger, with a parameter
// if one is named: what no rule asks about is not looked up.
func asks(b *policy.Bundle, gate, trigger, param string) bool {
	for i := range b.RuleSets {
		for k := range b.RuleSets[i].Rules {
			r := &b.RuleSets[i].Rules[k]
			if strings.EqualFold(r.Gate, gate) && strings.EqualFold(r.Trigger, trigger) &&
				(param == "" || slices.ContainsFunc(r.Params, func(p policy.Param) bool { return strings.EqualFold(p.Name, param) })) {
				return true
			}
		}
	}
	return false
}
