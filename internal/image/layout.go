package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// layout is an OCI image layout (OCI image specification, image-layout.md), as
// a folder or as a tar.
type layout struct {
	files
	o Options
}

const (
	refName       = "org.opencontainers.image.ref.name"
	containerName = "io.containerd.image.name"
)

func openLayoutDir(ctx context.Context, ref Ref, o Options) (*Image, error) {
	path, choice := splitChoice(ref.Name)
	d, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	return openLayout(ctx, d, choice, o)
}

func openLayoutArchive(ctx context.Context, ref Ref, o Options) (*Image, error) {
	path, choice := splitChoice(ref.Name)
	a, err := openArchive(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return openLayout(ctx, a, choice, o)
}

func openLayout(ctx context.Context, fs files, choice string, o Options) (*Image, error) {
	img, err := resolveLayout(ctx, fs, choice, o)
	if err != nil {
		fs.Close()
		return nil, err
	}
	return img, nil
}

func resolveLayout(ctx context.Context, fs files, choice string, o Options) (*Image, error) {
	l := layout{fs, o}
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	r, err := newResolver(l, o)
	if err != nil {
		return nil, err
	}
	entries, err := pick(index.Manifests, choice)
	if err != nil {
		return nil, err
	}
	d := entries[0]
	if len(entries) > 1 {
		if d, _, err = r.choose(ctx, entries); err != nil {
			return nil, err
		}
	}
	raw, err := r.fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	img, err := r.image(ctx, raw, d.Digest)
	if err != nil {
		return nil, err
	}
	for _, e := range index.Manifests {
		if e.Digest == d.Digest && e.name() != "" {
			img.Tags = append(img.Tags, e.name())
		}
	}
	return img, nil
}

// index reads index.json, which nothing vouches for.
func (l layout) index() (document, error) {
	raw, err := readFile(l, "index.json", l.o.Limits.ManifestBytes, "ManifestBytes")
	if errors.Is(err, errNoEntry) {
		return document{}, errors.New("no OCI layout: index.json is missing")
	}
	if err != nil {
		return document{}, err
	}
	doc, err := parseDocument(raw, l.o.Limits)
	if err == nil && !doc.isIndex() {
		err = errors.New("it is no index")
	}
	if err != nil {
		return document{}, fmt.Errorf("index.json: %w", err)
	}
	return doc, nil
}

// pick finds the entries of index.json that were asked for. Several remain
// only when they can be one image for several platforms.
func pick(all []descriptor, choice string) ([]descriptor, error) {
	var found []descriptor
	for _, d := range all {
		if !d.isAttestation() && d.chosen(choice) {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		if choice != "" {
			return nil, fmt.Errorf("%w: nothing called %q; there are: %s", ErrNotFound, shorten(choice), choices(all))
		}
		return nil, errors.New("the layout lists no image")
	}
	digests, names, platforms := map[string]bool{}, map[string]bool{}, 0
	for _, d := range found {
		digests[d.Digest], names[d.name()] = true, true
		if _, ok := d.platform(); ok {
			platforms++
		}
	}
	if len(digests) == 1 {
		return found[:1], nil
	}
	if len(names) > 1 || platforms < len(found) {
		return nil, fmt.Errorf("several images: choose one with PATH:NAME or PATH@DIGEST: %s", choices(found))
	}
	return found, nil
}

// name is the image's full name when there is one, or its tag.
func (d descriptor) name() string {
	if n := d.Annotations[containerName]; n != "" {
		return n
	}
	return d.Annotations[refName]
}

// chosen tells whether choice, a name, tag or digest, means d.
func (d descriptor) chosen(choice string) bool {
	if choice == "" || d.Digest == choice {
		return true
	}
	for _, n := range []string{d.Annotations[refName], d.Annotations[containerName]} {
		if n == choice || n != "" && strings.HasSuffix(n, ":"+choice) {
			return true
		}
	}
	return false
}

func choices(ds []descriptor) string {
	var names []string
	for _, d := range ds {
		if d.isAttestation() {
			continue
		}
		n := d.name()
		if n == "" {
			n = d.Digest
		}
		names = append(names, n)
	}
	return list(names)
}

func blobPath(digest string) string {
	return "blobs/" + strings.Replace(digest, ":", "/", 1)
}

func (l layout) manifest(_ context.Context, d descriptor) ([]byte, error) {
	return readFile(l, blobPath(d.Digest), l.o.Limits.ManifestBytes, "ManifestBytes")
}

func (l layout) blob(_ context.Context, d descriptor) (io.ReadCloser, error) {
	r, size, err := l.open(blobPath(d.Digest))
	if err != nil {
		return nil, err
	}
	if size != d.Size {
		r.Close()
		return nil, &SizeError{What: d.Digest, Want: d.Size, Got: size}
	}
	return r, nil
}
