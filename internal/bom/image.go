package bom

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// ImagePURL names an image by its digest: pkg:oci/NAME@sha256:…?arch=…&repository_url=…&tag=….
// It is "" where neither a name nor a digest is known.
func ImagePURL(img *inventory.Image) string {
	source, ref := cutSource(img.Reference)
	ref, _, _ = strings.Cut(ref, "@")
	tag := ""
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		ref, tag = ref[:i], ref[i+1:]
	}
	p := inventory.Package{Type: "oci", Name: ref[strings.LastIndexByte(ref, '/')+1:], Version: string(img.Digest), Arch: img.Config.Architecture}
	if p.Name == "" || img.Digest == "" {
		return ""
	}
	if source == "" {
		p.Qualifiers = map[string]string{"repository_url": repository(ref), "tag": tag}
	}
	return p.PURL()
}

// cutSource splits the prefix of a source that is not a registry off a
// reference: "oci-dir", "docker-archive", "dir" and so on.
func cutSource(ref string) (source, rest string) {
	prefix, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return "", ref
	}
	switch prefix {
	case "registry", "docker", "podman", "containerd":
		return "", rest
	case "oci-dir", "oci-archive", "docker-archive", "dir", "sbom":
		return prefix, strings.TrimRight(rest, "/")
	}
	return "", ref
}

// repository is the full name of a repository: Docker Hub is the registry of
// names without one.
func repository(name string) string {
	first, _, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		return "docker.io/library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return name
	}
	return "docker.io/" + name
}

// readImageName takes what other tools say of the image into img: a name, a
// digest or image id, a package URL of type oci.
func readImageName(img *inventory.Image, name, version, purl string) {
	if img.Reference == "" {
		img.Reference = name
	}
	if img.Digest == "" && isDigest(version) {
		img.Digest = inventory.Digest(version)
	}
	if p, err := inventory.ParsePURL(purl); err == nil && (p.Type == "oci" || p.Type == "docker") {
		if img.Digest == "" && isDigest(p.Version) {
			img.Digest = inventory.Digest(p.Version)
		}
		if img.Config.Architecture == "" {
			img.Config.Architecture = p.Arch
		}
	}
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && validHash("sha256", hex)
}
