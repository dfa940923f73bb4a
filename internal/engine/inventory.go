// Package engine holds the use cases, each readable from top to bottom.
package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// Engine does the work of the product. Its fields are set once; it is safe
// for concurrent use.
type Engine struct {
	Set            *analyze.Set
	ImageAnalyzers []analyze.ImageAnalyzer
	Verify         Verification  // of the files of OS packages
	Layers         *store.Layers // nil: nothing is remembered
	Parallel       int           // layers read at once; 0 means as many as there are processors
	Log            *slog.Logger
	// Build identifies the program: what another build has put together out of
	// layers is not taken, because it may have done so by other rules.
	Build string
}

// InventoryOptions are the choices of one [Engine.Inventory].
type InventoryOptions struct {
	Image     image.Options
	AllLayers bool // also what lower layers still contain
	// NoFiles says that the caller does not look at the image's file table:
	// of a known image it is then not read, and nil.
	NoFiles bool
	// Progress, when set, is told what happens. It is called from many goroutines.
	Progress func(Progress)
}

// Progress is one step of reading an image.
type Progress struct {
	Opened *image.Image // the image was opened; its layers are known
	Layer  int          // a layer, when Opened is nil
	Bytes  int64        // bytes of the blob just read
	Done   bool         // the layer is finished
	Known  bool         // it was known and not read
}

// Inventory opens an image, reads the layers that are not known yet, each
// in one pass (hard links may need another), and returns everything inside. An image that cannot
// be read whole, or whose digests are wrong, is an error; what an analyzer
// could not read is a Problem in the inventory.
func (e *Engine) Inventory(ctx context.Context, ref image.Ref, o InventoryOptions) (*inventory.Image, error) {
	if ref.Kind == image.SBOM {
		return readSBOM(ref)
	}
	o.Image.Fetched = func(layer int, n int64) { o.report(Progress{Layer: layer, Bytes: n}) }
	src, err := image.Open(ctx, ref, o.Image)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	o.report(Progress{Opened: src})
	key := e.joinedKey(src, o)
	if img := e.joined(ctx, src, key, o); img != nil {
		describe(img, src)
		return img, nil
	}
	layers, err := e.readLayers(ctx, src, o)
	if err != nil {
		return nil, err
	}
	var img *inventory.Image
	if o.AllLayers {
		img = inventory.AllLayers(layers)
	} else {
		img = inventory.Squash(layers)
	}
	describe(img, src)
	if err := e.verify(ctx, src, layers, img); err != nil {
		return nil, err
	}
	whole := true
	for _, a := range e.ImageAnalyzers {
		if err := a.AnalyzeImage(ctx, &img.Config, img); err != nil {
			whole = false
			img.Problems = append(img.Problems, inventory.Problem{Analyzer: a.Name(), Layer: -1, Message: err.Error()})
		}
	}
	for i := range layers {
		whole = whole && !slices.ContainsFunc(layers[i].Records, func(r inventory.Record) bool { return r.Forget })
	}
	if whole && sameSource(layers) {
		e.keepJoined(ctx, key, img)
	}
	return img, nil
}

func (o *InventoryOptions) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// readLayers returns every layer of the image, the largest read first. A
// layer that occurs twice is read once.
func (e *Engine) readLayers(ctx context.Context, src *image.Image, o InventoryOptions) ([]inventory.Layer, error) {
	layers := make([]inventory.Layer, len(src.Layers))
	order := slices.Clone(src.Layers)
	slices.SortStableFunc(order, func(a, b *image.Layer) int { return int(min(max(b.Size-a.Size, -1), 1)) })
	group, ctx := errgroup.WithContext(ctx)
	parallel := e.Parallel
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	group.SetLimit(parallel)
	var first sync.Map // DiffID to the index of the layer that is read
	again := map[int]int{}
	set := e.Set.ForImage()
	for _, l := range order {
		if l.DiffID != "" {
			if i, loaded := first.LoadOrStore(l.DiffID, l.Index); loaded {
				again[l.Index] = i.(int)
				continue
			}
		}
		group.Go(func() error {
			var err error
			var known bool
			layers[l.Index], known, err = e.readLayer(ctx, set, l)
			o.report(Progress{Layer: l.Index, Done: true, Known: known})
			if err != nil {
				if strings.Contains(err.Error(), l.String()) {
					return err // the stream has named it
				}
				return fmt.Errorf("%s: %w", l, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, j := range again {
		layers[i] = layers[j]
	}
	if e.Layers != nil {
		var used []inventory.Digest
		for i := range layers {
			used = append(used, layers[i].DiffID)
		}
		if err := e.Layers.Touch(ctx, used); err != nil {
			e.Log.Warn("layer cache: use not noted", "error", err)
		}
	}
	return layers, nil
}

// readLayer returns one layer: as it is remembered, or read from its first
// byte to its last and then remembered. A cache that does not work is no
// reason to fail: it is logged.
func (e *Engine) readLayer(ctx context.Context, set *analyze.Set, src *image.Layer) (inventory.Layer, bool, error) {
	var known inventory.Layer
	diffID := inventory.Digest(src.DiffID)
	if e.Layers != nil && diffID != "" {
		l, have, ok, err := e.Layers.Layer(ctx, diffID, analyze.WalkVersion, append(e.Set.Keys(), analyze.WalkKey()))
		switch {
		case ctx.Err() != nil:
			return known, false, ctx.Err()
		case err != nil:
			e.Log.Warn("layer cache: look-up failed, reading the layer", "layer", diffID, "error", err)
		case ok:
			if err := set.Count(&l); err != nil {
				return known, false, err
			}
			missing, empty := set.Missing(l.Files, have)
			l.Records = append(l.Records, empty...)
			if missing == nil {
				if len(empty) > 0 {
					e.remember(ctx, l)
				}
				return sorted(l), true, nil
			}
			missing.Known = l.Records
			set, known = missing, l
		}
	}
	stream, err := src.Open(ctx)
	if err != nil {
		return inventory.Layer{}, false, err
	}
	defer stream.Close()
	l, err := set.LayerAgain(ctx, stream, func(ctx context.Context) (io.ReadCloser, error) { return src.Open(ctx) })
	if err != nil {
		return inventory.Layer{}, false, err
	}
	if err := stream.Drain(); err != nil {
		return inventory.Layer{}, false, err
	}
	l.DiffID = inventory.Digest(stream.DiffID())
	for _, p := range src.Problems() {
		l.Records = append(l.Records, inventory.Record{Analyzer: sourceRecord, Problems: []inventory.Problem{{Analyzer: sourceRecord, Path: p.Path, Message: p.Err.Error()}}})
	}
	l.Records = append(l.Records, slices.DeleteFunc(known.Records, func(r inventory.Record) bool { return r.Analyzer == analyze.WalkKey().Analyzer })...)
	if diffID != "" {
		e.remember(ctx, l)
	}
	return sorted(l), false, nil
}

// sourceRecord is the record of what the source of a layer could not read.
const sourceRecord = "source"

func sorted(l inventory.Layer) inventory.Layer {
	slices.SortStableFunc(l.Records, func(a, b inventory.Record) int { return strings.Compare(a.Analyzer, b.Analyzer) })
	return l
}

func (e *Engine) remember(ctx context.Context, l inventory.Layer) {
	if e.Layers == nil {
		return
	}
	l.Records = slices.DeleteFunc(slices.Clone(l.Records), func(r inventory.Record) bool { return r.Forget })
	if err := e.Layers.PutLayer(ctx, l, analyze.WalkVersion); err != nil && ctx.Err() == nil {
		e.Log.Warn("layer cache: layer not kept", "layer", l.DiffID, "error", err)
	}
}

// describe copies what the source says of the image.
func describe(img *inventory.Image, src *image.Image) {
	img.Reference = src.Reference
	img.Tags = src.Tags
	img.Digest = inventory.Digest(src.Digest)
	img.IndexDigest = inventory.Digest(src.IndexDigest)
	img.ConfigDigest = inventory.Digest(src.ConfigDigest)
	img.Annotations = src.Annotations
	img.Config = src.Config
	for i, l := range src.Layers {
		info := &img.Layers[i]
		info.Digest, info.MediaType, info.Size, info.CreatedBy = inventory.Digest(l.Digest), l.MediaType, l.Size, l.CreatedBy
	}
}

// readSBOM takes a bill of materials for the inventory.
func readSBOM(ref image.Ref) (*inventory.Image, error) {
	var r io.Reader = os.Stdin
	if ref.Name != "-" {
		f, err := os.Open(ref.Name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	img, _, err := bom.Read(r, bom.Limits{})
	if err != nil {
		return nil, fmt.Errorf("reading the SBOM %s: %w", ref.Name, err)
	}
	if img.Reference == "" {
		img.Reference = "sbom:" + ref.Name
	}
	return img, nil
}
