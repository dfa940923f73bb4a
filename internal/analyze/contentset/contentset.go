// Package contentset reads the content manifests that Red Hat's build systems
// leave in images: from which content sets (repositories) the packages of the
// layers so far were installed. Which products these are the publisher's
// repository map says; here they are names.
//
// Read are root/buildinfo/content_manifests/*.json (atomic-reactor's schema
// content_manifest.json, version 1) and the same in usr/share/buildinfo, where
// newer builds have content-sets.json beside it.
package contentset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads content manifests.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Limits of one manifest.
const (
	maxSize = 64 << 20 // bytes; manifests list sources of layered products, too
	maxSets = 10_000   // content sets
	maxName = 512      // bytes of one name
)

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "contentset" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if isManifest(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

func isManifest(p string) bool {
	rest, ok := strings.CutPrefix(p, "root/buildinfo/")
	if !ok {
		if rest, ok = strings.CutPrefix(p, "usr/share/buildinfo/"); !ok {
			return false
		}
	}
	if rest == "content-sets.json" {
		return true
	}
	name, ok := strings.CutPrefix(rest, "content_manifests/")
	return ok && strings.HasSuffix(name, ".json") && !strings.Contains(name, "/")
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !isManifest(f.Path) {
			continue
		}
		var sets []string
		if err == nil {
			sets, err = read(f)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading the content manifest: %w", err)
			continue
		}
		if len(sets) == 0 {
			continue // of an image made of nothing but source code
		}
		data, err := json.Marshal(inventory.ContentSets{Sets: sets})
		if err != nil {
			return err
		}
		out.Facts = append(out.Facts, inventory.Fact{Kind: inventory.ContentSetsKind, Path: f.Path, Data: data})
	}
	return nil
}

func read(f *analyze.File) ([]string, error) {
	b, err := f.ReadAll(maxSize)
	if err != nil {
		return nil, err
	}
	return parse(b)
}

// parse returns the content sets of a manifest, sorted.
func parse(b []byte) ([]string, error) {
	var m struct {
		Metadata json.RawMessage `json:"metadata"`
		Sets     []string        `json:"content_sets"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	if m.Metadata == nil && m.Sets == nil {
		return nil, errors.New("it has neither metadata nor content_sets")
	}
	if len(m.Sets) > maxSets {
		return nil, fmt.Errorf("it breaks the limit \"content sets\" of %d", maxSets)
	}
	for _, s := range m.Sets {
		if len(s) > maxName {
			return nil, fmt.Errorf("it breaks the limit \"bytes of a name\" of %d", maxName)
		}
	}
	slices.Sort(m.Sets)
	return slices.DeleteFunc(slices.Compact(m.Sets), func(s string) bool { return s == "" }), nil
}
