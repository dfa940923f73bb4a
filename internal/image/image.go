// Package image opens container images, wherever they are kept, and gives
// their layers as verified tar streams. What is inside a layer it leaves to
// package analyze.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Image is one opened image of one platform. Its fields are read-only. Layers
// may be read from several goroutines at once; [Image.Close] must come last.
type Image struct {
	Ref       Ref
	Reference string // for registries and containerd the full name, such as docker.io/library/nginx:1.25; otherwise Ref as text

	// Where the image is kept in a registry; empty for other sources.
	Registry, Repository, Tag string

	Tags        []string // every repository:tag that the source itself gives the image
	RepoDigests []string // repository@digest, as far as a daemon knows them

	// Digest is that of the manifest, computed over RawManifest. It is empty for
	// sources that have no manifest: docker archives without one, directories.
	Digest string
	// IndexDigest is that of the outermost index through which the manifest was
	// chosen; empty when there was none.
	IndexDigest  string
	ConfigDigest string // of RawConfig; empty for directories and archives older than Docker 1.10
	MediaType    string // of the manifest
	RawManifest  []byte
	RawConfig    []byte

	Platform    Platform
	Annotations map[string]string // of the manifest
	Config      Config
	Layers      []*Layer // bottom first

	close   func() error
	closed  sync.Once
	chunks  sync.Pool // of *chunk, shared by the streams
	readers sync.Pool // of *inflate.Reader, likewise
	limits  Limits
	fetched func(layer int, n int64)
}

// Layer is one layer of an opened image.
type Layer struct {
	Index     int    // 0 is the lowest
	Digest    string // of the blob as it is kept; empty where the source has none
	DiffID    string // of the uncompressed tar; empty for directories and archives older than Docker 1.10
	MediaType string // as the manifest says; empty where it says nothing
	Size      int64  // of the blob in bytes; -1 when unknown
	CreatedBy string // the instruction of the history that made it; empty when the history does not say
	URLs      []string

	image *Image
	blob  func(ctx context.Context) (io.ReadCloser, error)
	// produce, when set, writes the tar itself; blob is then nil.
	produce  func(ctx context.Context, w io.Writer) ([]Problem, error)
	problems []Problem
	mu       sync.Mutex
}

// The configuration is in the terms of the inventory.
type (
	Config      = inventory.Config
	Healthcheck = inventory.Healthcheck
	History     = inventory.History
)

// Problem is something of a directory that could not be read.
type Problem struct {
	Path string // relative to the root
	Err  error
}

// Open finds the image and reads its manifest and configuration; layers are
// read by [Layer.Open]. Daemons are the exception: Docker and Podman hand out
// an image only as a whole, which Open keeps in an unnamed temporary file.
//
// An image that does not exist gives [ErrNotFound], one that may not be read
// [ErrDenied], an SBOM [ErrSBOM].
func Open(ctx context.Context, ref Ref, o Options) (*Image, error) {
	o = o.withDefaults()
	open, ok := map[Kind]func(context.Context, Ref, Options) (*Image, error){
		Registry:      openRegistry,
		OCIDir:        openLayoutDir,
		OCIArchive:    openLayoutArchive,
		DockerArchive: openDockerArchive,
		Docker:        openDaemon,
		Podman:        openDaemon,
		Containerd:    openContainerd,
		Dir:           openRootfs,
	}[ref.Kind]
	switch {
	case ref.Kind == SBOM:
		return nil, fmt.Errorf("%s: %w", ref, ErrSBOM)
	case !ok:
		return nil, fmt.Errorf("%s: unknown kind of source", ref)
	}
	img, err := open(ctx, ref, o)
	if err != nil {
		if errors.Is(err, ctx.Err()) && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("opening %s: %w", ref, err)
	}
	img.Ref = ref
	if img.Reference == "" {
		img.Reference = ref.String()
	}
	img.limits, img.fetched = o.Limits, o.Fetched
	for _, l := range img.Layers {
		l.image = img
	}
	return img, nil
}

// Close frees what the image holds: connections, open files. Streams must be
// closed before. It may be called again.
func (i *Image) Close() error {
	var err error
	i.closed.Do(func() {
		if i.close != nil {
			err = i.close()
		}
	})
	return err
}

// String names the layer in errors.
func (l *Layer) String() string {
	switch {
	case l.Digest != "":
		return fmt.Sprintf("layer %d (%s)", l.Index, l.Digest)
	case l.DiffID != "":
		return fmt.Sprintf("layer %d (DiffID %s)", l.Index, l.DiffID)
	}
	return fmt.Sprintf("layer %d", l.Index)
}

// Problems are the files of a directory that could not be read. They are known
// when the layer's stream has ended; other sources have none.
func (l *Layer) Problems() []Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problems
}
