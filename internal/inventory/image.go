package inventory

import "time"

// Config is what an image configuration says, in the terms of the OCI image
// specification.
type Config struct {
	Created      time.Time         `json:"created,omitzero"` // zero when missing or unreadable
	Author       string            `json:"author,omitempty"`
	OS           string            `json:"os,omitempty"`
	Architecture string            `json:"architecture,omitempty"`
	Variant      string            `json:"variant,omitempty"`
	User         string            `json:"user,omitempty"`
	Env          []string          `json:"env,omitempty"`
	Entrypoint   []string          `json:"entrypoint,omitempty"`
	Cmd          []string          `json:"cmd,omitempty"`
	WorkingDir   string            `json:"workingDir,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	ExposedPorts []string          `json:"exposedPorts,omitempty"` // sorted, "22/tcp"
	Volumes      []string          `json:"volumes,omitempty"`      // sorted
	StopSignal   string            `json:"stopSignal,omitempty"`
	Shell        []string          `json:"shell,omitempty"`
	OnBuild      []string          `json:"onBuild,omitempty"`
	Healthcheck  *Healthcheck      `json:"healthcheck,omitempty"`
	History      []History         `json:"history,omitempty"`
}

// Healthcheck is the image's health check.
type Healthcheck struct {
	Test          []string      `json:"test,omitempty"`
	Interval      time.Duration `json:"interval,omitempty"`
	Timeout       time.Duration `json:"timeout,omitempty"`
	StartPeriod   time.Duration `json:"startPeriod,omitempty"`
	StartInterval time.Duration `json:"startInterval,omitempty"`
	Retries       int           `json:"retries,omitempty"`
}

// History is one step of the image's making; every step that is not empty
// made one layer.
type History struct {
	Created    time.Time `json:"created,omitzero"` // zero when missing or unreadable
	CreatedBy  string    `json:"createdBy,omitempty"`
	Author     string    `json:"author,omitempty"`
	Comment    string    `json:"comment,omitempty"`
	EmptyLayer bool      `json:"emptyLayer,omitempty"`
}

// LayerInfo is what an image says of one of its layers.
type LayerInfo struct {
	DiffID    Digest `json:"diffID"`
	Digest    Digest `json:"digest,omitempty"` // of the blob; "" where the source has none
	MediaType string `json:"mediaType,omitempty"`
	Size      int64  `json:"size"` // of the blob, bytes
	CreatedBy string `json:"createdBy,omitempty"`
	Files     int    `json:"files"` // entries in its table
}

// Image is the inventory of one image.
type Image struct {
	Reference    string            `json:"reference"`
	Tags         []string          `json:"tags,omitempty"`
	Digest       Digest            `json:"digest,omitempty"` // of the manifest
	IndexDigest  Digest            `json:"indexDigest,omitempty"`
	ConfigDigest Digest            `json:"configDigest,omitempty"` // the image id
	Annotations  map[string]string `json:"annotations,omitempty"`
	Config       Config            `json:"config"`
	Layers       []LayerInfo       `json:"layers"`

	Distro   *Distro       `json:"distro,omitempty"`
	Packages []Package     `json:"packages"`           // installed, sorted
	Declared []Package     `json:"declared,omitempty"` // only spoken of by lock files and manifests, sorted
	Licenses []LicenseFile `json:"licenseFiles,omitempty"`
	Binaries []Binary      `json:"binaries,omitempty"` // executables that no package accounts for
	Facts    []Fact        `json:"facts,omitempty"`
	Coverage Coverage      `json:"coverage"`
	Problems []Problem     `json:"problems,omitempty"`

	Files *Table `json:"-"` // every visible entry, with the layer it is from
}

// Coverage says which share of the executable bytes a package accounts for.
// Executables are ELF programs and libraries; hard links count once.
type Coverage struct {
	Executables     int   `json:"executables"`
	Bytes           int64 `json:"bytes"`
	AttributedFiles int   `json:"attributedFiles"`
	AttributedBytes int64 `json:"attributedBytes"`
}
