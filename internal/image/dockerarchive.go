package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// dockerImage is an entry of manifest.json, which `docker save` writes since
// Docker 1.10.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func openDockerArchive(ctx context.Context, ref Ref, o Options) (*Image, error) {
	file, choice := splitChoice(ref.Name)
	a, err := openArchive(ctx, file, o)
	if err != nil {
		return nil, err
	}
	return openSaved(ctx, a, choice, o)
}

// openSaved opens what `docker save` wrote, at any time since 2013.
func openSaved(ctx context.Context, a *archive, choice string, o Options) (*Image, error) {
	img, err := func() (*Image, error) {
		switch {
		case a.has("manifest.json"):
			return savedImage(ctx, a, choice, o)
		case a.has("repositories"):
			return legacyImage(ctx, a, choice, o)
		case a.has("index.json"):
			return resolveLayout(ctx, a, choice, o)
		}
		return nil, errors.New("no docker archive, or only the beginning of one: it has neither manifest.json nor repositories")
	}()
	if err != nil {
		a.Close()
		return nil, err
	}
	img.close = a.Close
	return img, nil
}

func savedImage(ctx context.Context, a *archive, choice string, o Options) (*Image, error) {
	raw, err := readFile(a, "manifest.json", o.Limits.ManifestBytes, "ManifestBytes")
	if err != nil {
		return nil, err
	}
	var all []dockerImage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("reading manifest.json: %w", err)
	}
	if len(all) > o.Limits.IndexManifests {
		return nil, &LimitError{"the number of images in manifest.json", "IndexManifests", int64(o.Limits.IndexManifests)}
	}
	m, err := pickSaved(all, choice)
	if err != nil {
		return nil, err
	}
	if len(m.Layers) > o.Limits.Layers {
		return nil, &LimitError{"the number of layers", "Layers", int64(o.Limits.Layers)}
	}
	config, err := readFile(a, m.Config, o.Limits.ConfigBytes, "ConfigBytes")
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	digest := digestOf(config, "")
	if want := digestInName(m.Config); want != "" && want != digest {
		return nil, &DigestError{What: "configuration " + shorten(m.Config), Want: want, Got: digest}
	}
	img, ids, err := newImage(config)
	if err != nil {
		return nil, err
	}
	if len(ids) != len(m.Layers) {
		return nil, fmt.Errorf("manifest.json lists %d layers, the configuration %d", len(m.Layers), len(ids))
	}
	img.ConfigDigest, img.Tags = digest, m.RepoTags
	by := createdBy(&img.Config, len(ids))
	for i, name := range m.Layers {
		l, err := a.layer(name, o.Limits)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		l.Index, l.DiffID, l.CreatedBy = i, ids[i], by[i]
		img.Layers = append(img.Layers, l)
	}
	if err := img.platformAsked(o); err != nil {
		return nil, err
	}
	return img, img.findManifest(ctx, a, o)
}

func (i *Image) platformAsked(o Options) error {
	if o.Platform == "" || i.Platform == (Platform{}) {
		return nil
	}
	want, err := ParsePlatform(o.Platform)
	if err == nil && want.fit(i.Platform) == 0 {
		err = fmt.Errorf("no image for %s: there is only %s", want, i.Platform)
	}
	return err
}

// layer finds a layer's file; it is not read yet.
func (a *archive) layer(name string, limits Limits) (*Layer, error) {
	e, err := a.find(name)
	if err != nil {
		return nil, err
	}
	if e.size > limits.BlobBytes {
		return nil, &LimitError{shorten(name), "BlobBytes", limits.BlobBytes}
	}
	l := &Layer{Size: e.size}
	if strings.HasPrefix(inside(name), "blobs/") {
		l.Digest = digestInName(name)
	}
	l.blob = func(context.Context) (io.ReadCloser, error) {
		r, _, err := a.open(name)
		return r, err
	}
	return l, nil
}

// digestInName reads the digest out of HEX.json and blobs/sha256/HEX.
func digestInName(name string) string {
	d := defaultAlgorithm + ":" + strings.TrimSuffix(path.Base(name), ".json")
	if checkDigest(d) != nil {
		return ""
	}
	return d
}

// pickSaved finds the image that was asked for, by a tag, a repository and
// tag, or the digest of its configuration.
func pickSaved(all []dockerImage, choice string) (dockerImage, error) {
	var found []dockerImage
	var names []string
	for _, m := range all {
		if choice == "" || m.chosen(choice) {
			found = append(found, m)
		}
		if len(m.RepoTags) > 0 {
			names = append(names, m.RepoTags...)
		} else {
			names = append(names, digestInName(m.Config))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return dockerImage{}, errors.New("manifest.json lists no image")
	case len(found) == 0:
		return dockerImage{}, fmt.Errorf("%w: nothing called %q; there are: %s", ErrNotFound, shorten(choice), list(names))
	}
	for _, m := range found[1:] {
		if m.Config != found[0].Config {
			return dockerImage{}, fmt.Errorf("several images: choose one with PATH:REPOSITORY:TAG or PATH@DIGEST: %s", list(names))
		}
	}
	return found[0], nil
}

func (m dockerImage) chosen(choice string) bool {
	if digestInName(m.Config) == choice {
		return true
	}
	for _, t := range m.RepoTags {
		if t == choice || strings.HasSuffix(t, ":"+choice) {
			return true
		}
	}
	return false
}

// findManifest looks for the manifest in the OCI layout that Docker since 25
// writes beside manifest.json. Its absence is no error.
func (i *Image) findManifest(ctx context.Context, a *archive, o Options) error {
	if !a.has("index.json") {
		return nil
	}
	l := layout{a, o}
	index, err := l.index()
	if err != nil {
		return err
	}
	r, err := newResolver(l, o)
	if err != nil {
		return err
	}
	// A layout may list images that this archive does not hold, so what cannot
	// be read here is passed over: manifest.json has been followed already.
	all, err := r.flatten(ctx, index.Manifests, 1)
	if err != nil {
		return nil
	}
	for _, d := range all {
		raw, err := r.fetch(ctx, d)
		if err != nil {
			continue
		}
		doc, err := parseDocument(raw, o.Limits)
		if err != nil || doc.isIndex() || doc.Config.Digest != i.ConfigDigest || len(doc.Layers) != len(i.Layers) {
			continue
		}
		i.Digest, i.RawManifest, i.MediaType, i.Annotations = d.Digest, raw, doc.mediaType(), doc.Annotations
		for n, ld := range doc.Layers {
			if l := i.Layers[n]; l.Digest == ld.Digest {
				l.MediaType = ld.MediaType
			}
		}
		return nil
	}
	return nil
}
