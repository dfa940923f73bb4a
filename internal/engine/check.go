package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Judge judges images by policies. It is safe for concurrent use.
type Judge struct {
	Gates []policy.Gate
	// Looked are the kinds of facts that the analyzers look for: where there is
	// none of such a kind, the image has none. Of every other kind nothing is
	// known.
	Looked []string
}

// Check judges an image by a bundle. What is not there is not known, and
// rules that ask about it are among the verdict's unknowns: s is nil when the
// image was not matched, base when the image it was built on is not known, tag
// is "" when it has none. The same arguments give the same verdict. What is
// wrong with the bundle is in the verdict, which then is stop.
func (j *Judge) Check(ctx context.Context, img *inventory.Image, s *match.Scan, bundle *policy.Bundle, tag string, now time.Time, base *inventory.Image) (policy.Verdict, error) {
	subject := &policy.Subject{
		Image: img, Scan: s, Tag: tag, Now: now, Base: base,
		Collected: j.collected(img), Dockerfile: guessDockerfile(&img.Config), Annotations: img.Annotations,
	}
	if s != nil {
		subject.Streams = streams(s)
	}
	if base != nil {
		subject.Ancestors = []policy.Ancestor{{Digest: base.Digest, Tags: references(base), Base: true}}
	}
	return policy.Evaluate(ctx, bundle, subject, j.Gates)
}

// collected says which kinds of facts were looked for in the image. In what a
// bill of materials or a list of packages names nobody looked for anything.
func (j *Judge) collected(img *inventory.Image) map[string]bool {
	out := map[string]bool{}
	for i := range img.Facts {
		out[img.Facts[i].Kind] = true
	}
	if len(img.Layers) == 0 && img.Files.Len() == 0 {
		return out
	}
	for _, kind := range j.Looked {
		out[kind] = true
	}
	return out
}

// references are the names by which an image can be pulled.
func references(img *inventory.Image) []string {
	out := slices.Clone(img.Tags)
	if img.Reference != "" && !slices.Contains(out, img.Reference) {
		out = append(out, img.Reference)
	}
	return out
}

// streams tells of the data of the image's distribution: all that sources
// which speak of it have, brought up to date when the freshest of them was.
// Whether that one covers the release, matching has found out.
func streams(s *match.Scan) map[string]policy.StreamData {
	d := s.Image.Distro
	if d == nil || d.ID == "" {
		return nil
	}
	var data policy.StreamData
	known := false
	for i := range s.Feeds {
		f := &s.Feeds[i]
		if !speaksOf(f.Source, d.ID) {
			continue
		}
		known = true
		data.Records += f.Records
		if f.Checked.After(data.Synced) {
			data.Synced = f.Checked
		}
		if f.Error != "" {
			data.Error = f.Error
		}
	}
	switch s.Distro.State {
	case match.NoData, match.UnknownDistro:
		known, data.Records = true, 0
	}
	if !known {
		return nil
	}
	return map[string]policy.StreamData{d.ID: data, d.ID + ":" + d.Version: data, s.Distro.Stream: data}
}

// speaksOf reports whether a source of advisories, as the product names it, is
// one of a distribution: "debian", "debian-dsa", "osv-debian".
func speaksOf(source, id string) bool {
	switch id {
	case "rhel", "centos":
		id = "redhat"
	case "amzn":
		id = "amazon"
	case "ol":
		id = "oracle"
	case "sles", "sled":
		id = "suse"
	case "opensuse-leap", "opensuse-tumbleweed":
		return speaksOf(source, "suse") || speaksOf(source, "opensuse")
	case "azurelinux", "mariner":
		return source == "azurelinux" || source == "mariner" || source == "osv-azure-linux"
	}
	source = strings.TrimPrefix(source, "osv-")
	rest, ok := strings.CutPrefix(source, strings.ToLower(id))
	return ok && (rest == "" || rest[0] == '-')
}
