package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
)

// descriptor points to a manifest, a configuration or a layer (OCI image
// specification, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls"`
	Annotations map[string]string `json:"annotations"`
	Platform    *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
}

// document is a manifest, or an index when it has Manifests.
type document struct {
	MediaType   string            `json:"mediaType"`
	Config      *descriptor       `json:"config"`
	Layers      []descriptor      `json:"layers"`
	Manifests   []descriptor      `json:"manifests"`
	Annotations map[string]string `json:"annotations"`

	SchemaVersion int             `json:"schemaVersion"`
	FSLayers      json.RawMessage `json:"fsLayers"`
}

var errSchema1 = errors.New("the image has a manifest of schema 1, which proves nothing about its layers and which Docker removed in 2024: push it again with a current tool")

// parseDocument reads a manifest or an index. Both at once is refused, as
// readers differ in which they see (CVE-2021-41190).
func parseDocument(raw []byte, limits Limits) (document, error) {
	var d document
	if trimmed := strings.TrimSpace(string(raw[:min(len(raw), 64)])); strings.HasPrefix(trimmed, "<") {
		return d, fmt.Errorf("%w instead of a manifest", ErrHTML)
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("reading the manifest: %w", err)
	}
	switch {
	case d.SchemaVersion == 1 || d.FSLayers != nil:
		return d, errSchema1
	case d.Manifests != nil && (d.Config != nil || d.Layers != nil):
		return d, errors.New("the manifest is an index and an image at once")
	case d.Manifests == nil && d.Config == nil:
		return d, fmt.Errorf("neither an image manifest nor an index (media type %q)", shorten(d.MediaType))
	case len(d.Layers) > limits.Layers:
		return d, &LimitError{"the number of layers", "Layers", int64(limits.Layers)}
	case len(d.Manifests) > limits.IndexManifests:
		return d, &LimitError{"the number of manifests in the index", "IndexManifests", int64(limits.IndexManifests)}
	}
	if d.isIndex() && (d.MediaType == typeOCIManifest || d.MediaType == typeDockerManifest) ||
		!d.isIndex() && (d.MediaType == typeOCIIndex || d.MediaType == typeDockerList) {
		return d, fmt.Errorf("the manifest says it is %s, which it is not", d.MediaType)
	}
	all := slices.Concat(d.Manifests, d.Layers)
	if d.Config != nil {
		all = append(all, *d.Config)
	}
	for _, e := range all {
		if err := e.check(); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d descriptor) check() error {
	if err := checkDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("%s: negative size %d", d.Digest, d.Size)
	}
	return nil
}

func (d document) isIndex() bool { return d.Manifests != nil }

// mediaType is what the document says of itself, or what it must be.
func (d document) mediaType() string {
	switch {
	case d.MediaType != "":
		return d.MediaType
	case d.isIndex():
		return typeOCIIndex
	}
	return typeOCIManifest
}

// platform is what an index says about an entry; ok is false when it says nothing.
func (d descriptor) platform() (p Platform, ok bool) {
	if d.Platform == nil || d.Platform.OS == "" || d.Platform.Architecture == "" {
		return Platform{}, false
	}
	return Platform{d.Platform.OS, d.Platform.Architecture, d.Platform.Variant}.normal(), true
}

// isAttestation knows what BuildKit puts beside images into an index.
func (d descriptor) isAttestation() bool {
	if d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" {
		return true
	}
	p, ok := d.platform()
	return ok && p.OS == "unknown" && p.Arch == "unknown"
}

// configFile is the image configuration (OCI image specification, config.md)
// as it is written. Times are text because real ones are not always valid.
type configFile struct {
	Created      string        `json:"created"`
	Author       string        `json:"author"`
	Architecture string        `json:"architecture"`
	OS           string        `json:"os"`
	Variant      string        `json:"variant"`
	Config       *runConfig    `json:"config"`
	History      []historyJSON `json:"history"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

type historyJSON struct {
	Created    string `json:"created"`
	CreatedBy  string `json:"created_by"`
	Author     string `json:"author"`
	Comment    string `json:"comment"`
	EmptyLayer bool   `json:"empty_layer"`
}

type runConfig struct {
	User         string
	Env          []string
	Entrypoint   textOrList
	Cmd          textOrList
	Volumes      map[string]any
	WorkingDir   string
	Labels       map[string]string
	ExposedPorts map[string]any
	StopSignal   string
	OnBuild      []string
	Shell        textOrList
	Healthcheck  *struct {
		Test                                          textOrList
		Interval, Timeout, StartPeriod, StartInterval time.Duration
		Retries                                       int
	}
}

// textOrList is a list of arguments, which old configurations give as one text.
type textOrList []string

func (t *textOrList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = nil
		if one != "" {
			*t = textOrList{one}
		}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*t = many
	return nil
}

// parseConfig reads a configuration and the DiffIDs of its layers.
func parseConfig(raw []byte) (Config, []string, error) {
	var f configFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return Config{}, nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	for _, id := range f.RootFS.DiffIDs {
		if err := checkDigest(id); err != nil {
			return Config{}, nil, fmt.Errorf("reading the image's configuration: DiffID %w", err)
		}
	}
	c := Config{
		Created: parseTime(f.Created), Author: f.Author,
		Architecture: f.Architecture, OS: f.OS, Variant: f.Variant,
	}
	for _, h := range f.History {
		c.History = append(c.History, History{
			Created: parseTime(h.Created), CreatedBy: h.CreatedBy,
			Author: h.Author, Comment: h.Comment, EmptyLayer: h.EmptyLayer,
		})
	}
	running(&c, f.Config)
	return c, f.RootFS.DiffIDs, nil
}

// running takes what the configuration says of how the image runs.
func running(c *Config, r *runConfig) {
	if r == nil {
		return
	}
	c.User, c.WorkingDir, c.StopSignal = r.User, r.WorkingDir, r.StopSignal
	c.Env, c.OnBuild, c.Labels = r.Env, r.OnBuild, r.Labels
	c.Entrypoint, c.Cmd, c.Shell = r.Entrypoint, r.Cmd, r.Shell
	c.ExposedPorts, c.Volumes = sortedKeys(r.ExposedPorts), sortedKeys(r.Volumes)
	if h := r.Healthcheck; h != nil {
		c.Healthcheck = &Healthcheck{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	}
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parseTime is zero for what is no time: a wrong date spoils nothing else.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// createdBy gives each of n layers its instruction. When the history does not
// fit, none gets one: a wrong instruction would blame the wrong person.
func createdBy(c *Config, n int) []string {
	by := make([]string, 0, n)
	for _, h := range c.History {
		if !h.EmptyLayer {
			by = append(by, h.CreatedBy)
		}
	}
	if len(by) != n {
		return make([]string, n)
	}
	return by
}
