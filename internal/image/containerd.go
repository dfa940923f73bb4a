package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// containerd reads from containerd's image and content services. Its API is
// gRPC, which is HTTP/2 with framed messages; three small calls do not need a
// library of five megabytes.
type containerd struct {
	client    *http.Client
	idle      func()
	namespace string
	o         Options
}

func openContainerd(ctx context.Context, ref Ref, o Options) (*Image, error) {
	run := os.Getenv("XDG_RUNTIME_DIR")
	socket := o.ContainerdSocket
	setDefault(&socket, os.Getenv("CONTAINERD_ADDRESS"))
	socket, err := findSocket(Containerd, strings.TrimPrefix(socket, "unix://"), []string{
		"/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock",
		filepath.Join(run, "containerd/containerd.sock"),
	})
	if err != nil {
		return nil, err
	}
	t := &http.Transport{DialContext: unixDialer(socket, o), Protocols: new(http.Protocols), DisableCompression: true}
	t.Protocols.SetUnencryptedHTTP2(true)
	c := &containerd{client: &http.Client{Transport: t}, idle: t.CloseIdleConnections, o: o}
	img, err := c.open(ctx, ref.Name)
	if err != nil {
		c.Close()
		return nil, err
	}
	return img, nil
}

func (c *containerd) open(ctx context.Context, given string) (*Image, error) {
	found, d, err := c.find(ctx, given)
	if err != nil {
		return nil, err
	}
	r, err := newResolver(c, c.o)
	if err != nil {
		return nil, err
	}
	raw, err := r.fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	img, err := r.image(ctx, raw, d.Digest)
	if err != nil {
		return nil, err
	}
	img.Reference = found
	if n, tag, err := parseName(found); err == nil {
		img.Registry, img.Repository, img.Tag = publicName(n.Context().RegistryStr()), n.Context().RepositoryStr(), tag
	}
	img.Tags, img.RepoDigests, err = c.names(ctx, d.Digest)
	return img, err
}

// find looks for the image by the given name and by its full name, in the
// namespaces where it may be.
func (c *containerd) find(ctx context.Context, given string) (string, descriptor, error) {
	names := []string{given}
	if n, _, err := parseName(given); err == nil {
		full := publicName(n.Context().RegistryStr()) + "/" + n.Context().RepositoryStr()
		switch n := n.(type) {
		case name.Tag:
			full += ":" + n.TagStr()
		case name.Digest:
			full += "@" + n.DigestStr()
		}
		if full != given {
			names = append(names, full)
		}
	}
	spaces := []string{"default", "k8s.io"}
	if ns := c.o.ContainerdNamespace; ns != "" {
		spaces = []string{ns}
	} else if ns := os.Getenv("CONTAINERD_NAMESPACE"); ns != "" {
		spaces = []string{ns}
	}
	for _, c.namespace = range spaces {
		for _, n := range names {
			d, err := c.lookUp(ctx, n)
			if err == nil {
				return n, d, nil
			}
			if !errors.Is(err, ErrNotFound) {
				return "", d, err
			}
		}
	}
	return "", descriptor{}, fmt.Errorf("%w: containerd has no %s in its namespaces %s (choose another with --containerd-namespace)",
		ErrNotFound, shorten(given), strings.Join(spaces, ", "))
}

// lookUp is Images.Get.
func (c *containerd) lookUp(ctx context.Context, name string) (descriptor, error) {
	var d descriptor
	err := c.call(ctx, "images.v1.Images/Get", protoText(nil, 1, name), func(m []byte) error {
		fields, err := protoFields(m)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.num == 1 {
				_, d, err = parseContainerdImage(f.text)
			}
		}
		return err
	})
	if err == nil {
		err = d.check()
	}
	return d, err
}

// parseContainerdImage reads a name and what it stands for.
func parseContainerdImage(b []byte) (name string, d descriptor, err error) {
	fields, err := protoFields(b)
	if err != nil {
		return "", d, err
	}
	for _, f := range fields {
		switch f.num {
		case 1:
			name = string(f.text)
		case 3:
			target, err := protoFields(f.text)
			if err != nil {
				return "", d, err
			}
			for _, f := range target {
				switch f.num {
				case 1:
					d.MediaType = string(f.text)
				case 2:
					d.Digest = string(f.text)
				case 3:
					d.Size = int64(f.number)
				}
			}
		}
	}
	return name, d, nil
}

// names is Images.List: every name of the image.
func (c *containerd) names(ctx context.Context, digest string) (tags, digests []string, err error) {
	filter := protoText(nil, 1, "target.digest=="+strconv.Quote(digest))
	err = c.call(ctx, "images.v1.Images/List", filter, func(m []byte) error {
		fields, err := protoFields(m)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.num != 1 {
				continue
			}
			n, _, err := parseContainerdImage(f.text)
			switch {
			case err != nil:
				return err
			case strings.Contains(n, "@"):
				digests = append(digests, n)
			case strings.Contains(n, "/"): // and not the sha256:… that Kubernetes adds
				tags = append(tags, n)
			}
		}
		return nil
	})
	return tags, digests, err
}

func (c *containerd) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	b, err := c.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return readAll(b, c.o.Limits.ManifestBytes, "manifest "+d.Digest, "ManifestBytes")
}

// blob is Content.Read.
func (c *containerd) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	s, err := c.start(ctx, "content.v1.Content/Read", protoText(nil, 1, d.Digest))
	if err != nil {
		return nil, err
	}
	b := &contentReader{stream: s}
	if err := b.more(); err != nil && err != io.EOF { // so that a missing one is seen at once
		s.Close()
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("containerd does not keep %s; perhaps it discards layers that it has unpacked (discard_unpacked_layers), or holds another platform only: %w", d.Digest, err)
		}
		return nil, err
	}
	return b, nil
}

// contentReader joins the data of Content.Read's answers.
type contentReader struct {
	stream *grpcStream
	data   []byte
	err    error
}

func (b *contentReader) more() error {
	m, err := b.stream.next()
	if err != nil {
		b.err = err
		return err
	}
	fields, err := protoFields(m)
	if err != nil {
		b.err = err
		return err
	}
	for _, f := range fields {
		if f.num == 2 {
			b.data = f.text
		}
	}
	return nil
}

func (b *contentReader) Read(p []byte) (int, error) {
	for len(b.data) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if err := b.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *contentReader) Close() error { return b.stream.Close() }

func (c *containerd) Close() error {
	c.idle()
	return nil
}
