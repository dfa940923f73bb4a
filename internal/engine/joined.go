package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// joinedKey stands for everything that the joined inventory of an image
// depends on: its layers in their order, its configuration, the walk, all
// analyzers with their versions and configurations, the build of the program
// with its joins, and the choices that change it. It is "" where nothing can be kept: without a cache, or
// where a layer has no DiffID.
func (e *Engine) joinedKey(src *image.Image, o InventoryOptions) string {
	if e.Layers == nil || src.ConfigDigest == "" || len(src.Layers) == 0 {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "build %s\nanalyzers %s\nwalk %v\nall layers %t\nfact memory %d\nverify %d\nconfig %s\n", e.Build, e.Set.Fingerprint(), analyze.WalkKey(), o.AllLayers, e.Set.FactMemory(), e.Verify, src.ConfigDigest)
	for _, a := range e.ImageAnalyzers {
		config := ""
		if c, ok := a.(interface{ ConfigDigest() string }); ok {
			config = c.ConfigDigest()
		}
		fmt.Fprintf(h, "image %s %d %s\n", a.Name(), a.Version(), config)
	}
	for _, l := range src.Layers {
		if l.DiffID == "" {
			return ""
		}
		fmt.Fprintf(h, "%s\n", l.DiffID)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// joined returns the inventory of an image that was joined before, nil where
// it was not. A cache that does not work is no reason to fail.
func (e *Engine) joined(ctx context.Context, src *image.Image, key string, o InventoryOptions) *inventory.Image {
	if key == "" {
		return nil
	}
	img, ok, err := e.Layers.Joined(ctx, key, !o.NoFiles)
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("layer cache: look-up of a known image", "error", err)
	}
	if !ok || len(img.Layers) != len(src.Layers) {
		return nil
	}
	for _, l := range src.Layers {
		o.report(Progress{Layer: l.Index, Done: true, Known: true})
	}
	return img
}

// keepJoined remembers a joined inventory for the next time.
func (e *Engine) keepJoined(ctx context.Context, key string, img *inventory.Image) {
	if key == "" || ctx.Err() != nil {
		return
	}
	if err := e.Layers.PutJoined(ctx, key, img); err != nil && ctx.Err() == nil {
		e.Log.Warn("layer cache: joined image not kept", "error", err)
	}
}

// sameSource reports whether the layers hold nothing but what stands in their
// blobs: what a source could not read of them may be readable the next time, and
// an analyzer that failed may succeed.
func sameSource(layers []inventory.Layer) bool {
	for i := range layers {
		for k := range layers[i].Records {
			if r := &layers[i].Records[k]; r.Analyzer == sourceRecord || r.Forget {
				return false
			}
		}
	}
	return true
}
