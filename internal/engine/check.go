package engine

import (
	"context"
	"fmt"
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
	// Feeds tells what is known besides the findings, and holds the memory of
	// images; nil: nothing is.
	Feeds *Feeds
	// Inventories makes the inventories of other images that are remembered;
	// nil: nothing is remembered.
	Inventories *Engine
}

// Question is what a [Judge] is asked.
type Question struct {
	Image  *inventory.Image
	Scan   *match.Scan // nil: the image was not matched
	Bundle *policy.Bundle
	Tag    string // as it would be pulled; "" for none
	Now    time.Time
	AsOf   time.Time        // what was known at that instant; zero: now
	Base   *inventory.Image // the image it was built on, where somebody says; nil: as is remembered
	// Dockerfile is the one the image was built by, "" where nobody gave it.
	Dockerfile string
}

// Check judges an image by a bundle. What is not there is not known, and
// rules that ask about it are among the verdict's unknowns. The same inputs
// give the same verdict. What is wrong with the bundle is in the verdict,
// which then is stop.
func (j *Judge) Check(ctx context.Context, q Question) (policy.Verdict, error) {
	subject, err := j.Subject(ctx, q)
	if err != nil {
		return policy.Verdict{}, err
	}
	return policy.Evaluate(ctx, q.Bundle, subject, j.Gates)
}

// Subject is everything the question's policy may look at.
func (j *Judge) Subject(ctx context.Context, q Question) (*policy.Subject, error) {
	s := &policy.Subject{
		Image: q.Image, Scan: q.Scan, Tag: q.Tag, Now: q.Now,
		Collected: j.collected(q.Image), Dockerfile: guessDockerfile(&q.Image.Config), Annotations: q.Image.Annotations,
	}
	if q.Dockerfile != "" {
		s.Dockerfile = policy.Dockerfile{Mode: policy.ModeActual, Text: q.Dockerfile}
	}
	if q.Scan != nil {
		s.Streams = streams(q.Scan)
	}
	if err := j.related(ctx, &q, s); err != nil {
		return nil, err
	}
	var err error
	if asks(q.Bundle, "vulnerabilities", "package", "max_days_since_creation") {
		if s.Detected, err = j.detected(ctx, &q); err != nil {
			return nil, fmt.Errorf("looking up when findings were first seen: %w", err)
		}
	}
	if asks(q.Bundle, "packages", "eol", "") {
		if s.Cycles, err = j.cycles(ctx, &q); err != nil {
			return nil, fmt.Errorf("looking up the end of support: %w", err)
		}
	}
	return s, nil
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
