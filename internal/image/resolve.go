package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// content is a place that keeps manifests and blobs under their digests.
// Nobody has verified what it gives.
type content interface {
	// manifest gives a manifest or an index.
	manifest(ctx context.Context, d descriptor) ([]byte, error)
	// blob gives a configuration or layer. A missing one is errNoEntry or ErrNotFound.
	blob(ctx context.Context, d descriptor) (io.ReadCloser, error)
	Close() error
}

// resolver finds the one image that was asked for behind a manifest or index.
type resolver struct {
	content
	o       Options
	want    Platform
	asked   bool  // want was asked for, not assumed
	listed  int   // manifests seen in indexes
	bytes   int64 // of all manifests and indexes fetched
	foreign func(ctx context.Context, d descriptor, url string) (io.ReadCloser, error)
}

func newResolver(c content, o Options) (*resolver, error) {
	r := &resolver{content: c, o: o, want: defaultPlatform(), foreign: foreignBlobs(o)}
	if o.Platform != "" {
		p, err := ParsePlatform(o.Platform)
		if err != nil {
			return nil, err
		}
		r.want, r.asked = p, true
	}
	return r, nil
}

// fetch reads and verifies a manifest or index.
func (r *resolver) fetch(ctx context.Context, d descriptor) ([]byte, error) {
	if d.Size > r.o.Limits.ManifestBytes {
		return nil, &LimitError{"manifest " + d.Digest, "ManifestBytes", r.o.Limits.ManifestBytes}
	}
	if r.bytes > manifestsTogether*r.o.Limits.ManifestBytes {
		return nil, &LimitError{fmt.Sprintf("a %dth of all manifests together", manifestsTogether), "ManifestBytes", r.o.Limits.ManifestBytes}
	}
	raw, err := r.manifest(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("fetching manifest %s: %w", d.Digest, err)
	}
	r.bytes += int64(len(raw))
	return raw, verify("manifest "+d.Digest, raw, d.Digest, d.Size)
}

// manifestsTogether times the limit of one manifest is what all indexes and
// manifests on the way to an image may have.
const manifestsTogether = 16

// image goes from a manifest or index, already verified against digest, to
// the image.
func (r *resolver) image(ctx context.Context, raw []byte, digest string) (*Image, error) {
	doc, err := parseDocument(raw, r.o.Limits)
	if err != nil {
		return nil, err
	}
	indexDigest, sure := "", false
	if doc.isIndex() {
		indexDigest = digest
		var d descriptor
		d, sure, err = r.choose(ctx, doc.Manifests)
		if err != nil {
			return nil, err
		}
		digest = d.Digest
		if raw, err = r.fetch(ctx, d); err != nil {
			return nil, err
		}
		if doc, err = parseDocument(raw, r.o.Limits); err != nil {
			return nil, err
		}
		if doc.isIndex() {
			return nil, fmt.Errorf("%s: listed as an image, but is an index", digest)
		}
	}
	img, err := r.build(ctx, doc)
	if err != nil {
		return nil, err
	}
	img.Digest, img.IndexDigest, img.RawManifest = digest, indexDigest, raw
	if !sure && r.asked && r.want.fit(img.Platform) == 0 && img.Platform != (Platform{}) {
		return nil, fmt.Errorf("no image for %s: there is only %s", r.want, img.Platform)
	}
	return img, nil
}

// choose finds the entry of an index for the platform; sure tells that the
// index says so.
func (r *resolver) choose(ctx context.Context, entries []descriptor) (best descriptor, sure bool, err error) {
	all, err := r.flatten(ctx, entries, 1)
	if err != nil {
		return best, false, err
	}
	var silent []descriptor // say nothing about their platform
	var there []string
	fit := 0
	for _, d := range all {
		p, ok := d.platform()
		if !ok {
			silent = append(silent, d)
			there = append(there, d.Digest)
			continue
		}
		there = append(there, p.String())
		if f := r.want.fit(p); f > fit { // the first of equals, as everywhere
			best, fit = d, f
		}
	}
	switch {
	case fit > 0:
		return best, true, nil
	case len(all) == 0:
		return best, false, errors.New("the index lists no image")
	case len(silent) == 1:
		return silent[0], false, nil
	case len(all) == 1 && !r.asked:
		return all[0], false, nil
	}
	return best, false, fmt.Errorf("no image for %s; there are: %s (choose with --platform)", r.want, list(there))
}

// flatten replaces nested indexes by what they list, leaving attestations out.
func (r *resolver) flatten(ctx context.Context, entries []descriptor, depth int) ([]descriptor, error) {
	if depth > r.o.Limits.IndexDepth {
		return nil, &LimitError{"the nesting of indexes", "IndexDepth", int64(r.o.Limits.IndexDepth)}
	}
	if r.listed += len(entries); r.listed > r.o.Limits.IndexManifests {
		return nil, &LimitError{"the number of manifests in indexes", "IndexManifests", int64(r.o.Limits.IndexManifests)}
	}
	var all []descriptor
	for _, d := range entries {
		switch {
		case d.isAttestation():
		case d.MediaType == typeOCIIndex || d.MediaType == typeDockerList:
			raw, err := r.fetch(ctx, d)
			if err != nil {
				return nil, err
			}
			doc, err := parseDocument(raw, r.o.Limits)
			if err != nil {
				return nil, fmt.Errorf("nested index %s: %w", d.Digest, err)
			}
			if !doc.isIndex() {
				return nil, fmt.Errorf("%s: listed as an index, but is an image", d.Digest)
			}
			nested, err := r.flatten(ctx, doc.Manifests, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, nested...)
		default:
			all = append(all, d)
		}
	}
	return all, nil
}

// build reads the configuration and puts the image together.
func (r *resolver) build(ctx context.Context, doc document) (*Image, error) {
	raw, err := r.config(ctx, *doc.Config)
	if err != nil {
		return nil, err
	}
	img, ids, err := newImage(raw)
	if err != nil {
		return nil, notAnImage(doc, err)
	}
	if len(ids) != len(doc.Layers) {
		return nil, notAnImage(doc, fmt.Errorf("the manifest lists %d layers, the configuration %d", len(doc.Layers), len(ids)))
	}
	img.ConfigDigest, img.MediaType, img.Annotations = doc.Config.Digest, doc.mediaType(), doc.Annotations
	img.close = r.content.Close
	by := createdBy(&img.Config, len(ids))
	for i, d := range doc.Layers {
		if d.Size > r.o.Limits.BlobBytes {
			return nil, &LimitError{"layer " + d.Digest, "BlobBytes", r.o.Limits.BlobBytes}
		}
		img.Layers = append(img.Layers, &Layer{
			Index: i, Digest: d.Digest, DiffID: ids[i], MediaType: d.MediaType, Size: d.Size,
			CreatedBy: by[i], URLs: d.URLs,
			blob: func(ctx context.Context) (io.ReadCloser, error) { return r.layer(ctx, d) },
		})
	}
	return img, nil
}

// newImage makes an image of a configuration.
func newImage(rawConfig []byte) (*Image, []string, error) {
	c, ids, err := parseConfig(rawConfig)
	if err != nil {
		return nil, nil, err
	}
	img := &Image{RawConfig: rawConfig, Config: c}
	if c.OS != "" && c.Architecture != "" {
		img.Platform = Platform{c.OS, c.Architecture, c.Variant}.normal()
	}
	return img, ids, nil
}

// notAnImage explains charts, signatures and other things that registries keep
// under manifests too.
func notAnImage(doc document, err error) error {
	switch t := doc.Config.MediaType; {
	case strings.HasPrefix(t, "application/vnd.oci.image.config."),
		strings.HasPrefix(t, "application/vnd.docker.container.image."), t == "":
		return err
	default:
		return fmt.Errorf("not a container image (its configuration is %s): %w", shorten(t), err)
	}
}

func (r *resolver) config(ctx context.Context, d descriptor) ([]byte, error) {
	limit := r.o.Limits.ConfigBytes
	if d.Size > limit {
		return nil, &LimitError{"configuration " + d.Digest, "ConfigBytes", limit}
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeouts.Manifest)
	defer cancel()
	b, err := r.blob(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("fetching configuration %s: %w", d.Digest, err)
	}
	defer b.Close()
	raw, err := readAll(b, limit, "configuration "+d.Digest, "ConfigBytes")
	if err != nil {
		return nil, err
	}
	return raw, verify("configuration "+d.Digest, raw, d.Digest, d.Size)
}

// layer gives a layer's blob, from where it may also be kept when the source
// does not have it (foreign layers).
func (r *resolver) layer(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	b, err := r.blob(ctx, d)
	if err == nil || len(d.URLs) == 0 || !errors.Is(err, ErrNotFound) && !errors.Is(err, errNoEntry) {
		return b, err
	}
	for _, u := range d.URLs[:min(len(d.URLs), 4)] {
		b, ferr := r.foreign(ctx, d, u)
		if ferr == nil {
			return b, nil
		}
		err = errors.Join(err, fmt.Errorf("foreign layer: %w", ferr))
	}
	return nil, err
}

// list joins names, a bounded number of them, each once.
func list(names []string) string {
	const most = 30
	var uniq []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			uniq = append(uniq, shorten(n))
		}
	}
	if len(uniq) > most {
		return strings.Join(uniq[:most], ", ") + fmt.Sprintf(" and %d more", len(uniq)-most)
	}
	return strings.Join(uniq, ", ")
}
