package policy

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Tag is an evaluated tag, taken apart for mapping.
type Tag struct {
	Registry   string
	Repository string
	Tag        string
	Digest     string // with its algorithm
	ID         string // 64 hexadecimal digits
}

// NoTag is what is evaluated when there is no tag: only wildcards match it.
const NoTag = "*/*:*"

// ParseTag takes apart what looks like a pull string, by the rules of mapping:
// "library/" is not inserted, a registry is told by a port, a dot or one of a
// few names, and stray characters are kept.
func ParseTag(s string) Tag {
	s = strings.TrimSpace(s)
	switch {
	case s == "" || s == NoTag:
		return Tag{Registry: "*", Repository: "*", Tag: "*"}
	case strings.HasPrefix(s, "sha256:"):
		return Tag{Registry: "docker.io", Digest: s}
	case isHex64(s):
		return Tag{Registry: "docker.io", ID: s}
	}
	t := Tag{Registry: "docker.io", Repository: s}
	if first, rest, ok := strings.Cut(s, "/"); ok {
		if first == "dockerhub" {
			first = "docker.io"
		}
		if isRegistry(first) {
			t.Registry, t.Repository = first, rest
		}
	}
	if repo, digest, ok := strings.Cut(t.Repository, "@"); ok {
		t.Repository, t.Digest = repo, digest
		if name, _, ok := cutTag(repo); ok {
			t.Repository = name
		}
		return t
	}
	t.Tag = "latest"
	if name, tag, ok := cutTag(t.Repository); ok {
		t.Repository, t.Tag = name, tag
	}
	return t
}

func cutTag(s string) (repository, tag string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.IndexByte(s[i:], '/') >= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func isRegistry(s string) bool {
	switch s {
	case "docker.io", "localhost", "localhost.localdomain", "localbuild":
		return true
	}
	return strings.ContainsAny(s, ":.")
}

func isHex64(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// target is the image that mappings and image lists are asked about.
type target struct {
	tag     Tag
	digests []string
	id      string
}

func newTarget(s *Subject) target {
	t := target{tag: ParseTag(s.Tag)}
	for _, d := range []string{string(s.Image.Digest), string(s.Image.IndexDigest), t.tag.Digest} {
		if d != "" {
			t.digests = append(t.digests, d)
		}
	}
	t.id = strings.TrimPrefix(string(s.Image.ConfigDigest), "sha256:")
	if t.id == "" {
		t.id = t.tag.ID
	}
	return t
}

// imageMatcher is a compiled mapping or image list entry.
type imageMatcher struct {
	registry, repository, tag Pattern
	kind, value               string
}

// compileMatcher reads the patterns of a mapping or image rule.
func compileMatcher(ps *problems, path, registry, repository string, image ImageRef) imageMatcher {
	m := imageMatcher{kind: image.Type, value: image.Value}
	parse := func(path, s string) Pattern {
		p, err := ParsePattern(s)
		if err != nil {
			ps.errorf(ValidationError, path, "%v", err)
		}
		return p
	}
	m.registry = parse(child(path, "registry"), registry)
	m.repository = parse(child(path, "repository"), repository)
	switch image.Type {
	case "tag":
		m.tag = parse(child(child(path, "image"), "value"), image.Value)
	case "digest", "id":
	default:
		ps.add(Problem{Type: ValidationError, Path: child(child(path, "image"), "type"), Message: "unknown way to tell an image", Allowed: []string{"tag", "digest", "id"}})
	}
	return m
}

func (m *imageMatcher) match(t *target) bool {
	if !m.registry.Match(t.tag.Registry) || !m.repository.Match(t.tag.Repository) {
		return false
	}
	switch m.kind {
	case "tag":
		return t.tag.Tag != "" && m.tag.Match(t.tag.Tag)
	case "digest":
		for _, d := range t.digests {
			if d == m.value {
				return true
			}
		}
	case "id":
		return t.id != "" && t.id == strings.TrimPrefix(m.value, "sha256:")
	}
	return false
}

// imageID is the image id as the 1_0 interface writes it.
func imageID(img *inventory.Image) string {
	return strings.TrimPrefix(string(img.ConfigDigest), "sha256:")
}
