package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Kind is a kind of source.
type Kind string

// The kinds of sources; each is also its prefix in a reference.
const (
	Registry      Kind = "registry"
	OCIDir        Kind = "oci-dir"
	OCIArchive    Kind = "oci-archive"
	DockerArchive Kind = "docker-archive"
	Docker        Kind = "docker"
	Podman        Kind = "podman"
	Containerd    Kind = "containerd"
	Dir           Kind = "dir"
	SBOM          Kind = "sbom"
)

func kinds() []Kind {
	return []Kind{Registry, OCIDir, OCIArchive, DockerArchive, Docker, Podman, Containerd, Dir, SBOM}
}

// Ref says where an image is. Name is what follows the prefix: a name in a
// registry or daemon, or a path. Behind the path of a layout or archive that
// holds several images, :TAG or @DIGEST chooses one.
type Ref struct {
	Kind Kind
	Name string
}

// String is the reference with its prefix; [ParseRef] reads it back.
func (r Ref) String() string { return string(r.Kind) + ":" + r.Name }

const maxRef = 8 << 10

// ParseRef reads a reference. A prefix (registry: oci-dir: oci-archive:
// docker-archive: docker: podman: containerd: dir: sbom:) decides; so the
// official images docker and registry need registry: in front of them when they
// have a tag. Without a prefix, what exists as a file or folder is looked at,
// and everything else is an image of a registry.
func ParseRef(s string) (Ref, error) {
	switch {
	case s == "":
		return Ref{}, errors.New("empty image reference")
	case len(s) > maxRef:
		return Ref{}, fmt.Errorf("image reference longer than %d bytes", maxRef)
	case strings.ContainsAny(s, "\x00\n\r"):
		return Ref{}, fmt.Errorf("image reference %q: control characters are not allowed", shorten(s))
	}
	if rest, ok := strings.CutPrefix(s, "docker://"); ok { // as skopeo and podman write it
		return checked(Ref{Kind: Registry, Name: rest})
	}
	for _, k := range kinds() {
		if rest, ok := strings.CutPrefix(s, string(k)+":"); ok {
			return checked(Ref{Kind: k, Name: rest})
		}
	}
	if r, ok, err := guessFile(s); ok || err != nil {
		return r, err
	}
	if looksLikePath(s) {
		return Ref{}, fmt.Errorf("%q: no such file or folder", shorten(s))
	}
	return checked(Ref{Kind: Registry, Name: s})
}

// looksLikePath tells what can be no name, and what hardly anybody would call
// an image.
func looksLikePath(s string) bool {
	for _, p := range []string{"/", "./", "../", "~"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.HasSuffix(s, ".tar") || strings.HasSuffix(s, ".tar.gz")
}

func checked(r Ref) (Ref, error) {
	if r.Name == "" {
		return Ref{}, fmt.Errorf("image reference %q: nothing behind the prefix", r)
	}
	if r.Kind == Registry {
		if _, _, err := parseName(r.Name); err != nil {
			return Ref{}, err
		}
	}
	return r, nil
}

// parseName reads a name of a registry. The tag is also given when a digest
// stands behind it.
func parseName(s string) (ref name.Reference, tag string, err error) {
	ref, err = name.ParseReference(s, name.WeakValidation)
	if err != nil || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") {
		return nil, "", fmt.Errorf("image reference %q: want [registry/]repository[:tag][@digest]", shorten(s))
	}
	switch r := ref.(type) {
	case name.Tag:
		return r, r.TagStr(), nil
	case name.Digest:
		if err := checkDigest(r.DigestStr()); err != nil {
			return nil, "", err
		}
		base, _, _ := strings.Cut(s, "@")
		if i := strings.LastIndexByte(base, ':'); i > strings.LastIndexByte(base, '/') {
			tag = base[i+1:]
		}
	}
	return ref, tag, nil
}

// guessFile tells what s is when it exists, in whole or up to a choice.
func guessFile(s string) (Ref, bool, error) {
	path, choice := splitChoice(s)
	fi, err := os.Stat(path)
	if err != nil {
		return Ref{}, false, nil
	}
	if fi.IsDir() {
		switch {
		case exists(filepath.Join(path, "oci-layout")) || exists(filepath.Join(path, "index.json")) && exists(filepath.Join(path, "blobs")):
			return Ref{OCIDir, s}, true, nil
		case choice != "":
			return Ref{}, false, nil // a folder called nginx does not hide nginx:1.25
		}
		return Ref{Dir, s}, true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Ref{}, false, err
	}
	defer f.Close()
	k, err := guessKind(f)
	switch {
	case err != nil:
		return Ref{}, false, fmt.Errorf("looking into %s: %w", path, err)
	case k == SBOM && choice != "":
		return Ref{}, false, nil
	}
	return Ref{k, s}, true, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// guessKind tells what a file is by its beginning and, for a tar, by its index.
func guessKind(f *os.File) (Kind, error) {
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return "", err
	}
	head = head[:n]
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	switch {
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("<")),
		bytes.Contains(text, []byte("SPDXVersion:")):
		return SBOM, nil
	case sniff(head) != plain:
		return guessCompressed(f, sniff(head))
	case !isTar(head):
		return "", errors.New("neither an image archive (tar) nor an SBOM")
	}
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	a, err := indexArchive(f, fi.Size(), Options{}.withDefaults().Limits)
	if err != nil {
		return "", err
	}
	return a.kind()
}

// kind is docker-archive when both kinds of index are there, since only
// Docker's names every tag.
func (a *archive) kind() (Kind, error) {
	switch {
	case a.has("manifest.json") || a.has("repositories"):
		return DockerArchive, nil
	case a.has("index.json"):
		return OCIArchive, nil
	}
	return "", errors.New("a tar, but not of an image: it has no manifest.json, repositories or index.json; for a root filesystem unpack it and use dir:PATH")
}

// splitChoice separates what names a file from what chooses an image in it:
// the longest beginning before a : or @ that exists is the path.
func splitChoice(s string) (path, choice string) {
	if exists(s) {
		return s, ""
	}
	for i := len(s) - 1; i > 0; i-- {
		if (s[i] == ':' || s[i] == '@') && exists(s[:i]) {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
