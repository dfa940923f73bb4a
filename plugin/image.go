package plugin

import "encoding/json"

// Folder names the files of an image's folder. All lists are JSON objects, one
// a line. A plugin of the plain mode finds tables instead, of the same names
// with ".tsv" and a header line, and image.txt with "key value" lines.
const (
	ImageFile    = "image.json"     // an [Image]
	PackagesFile = "packages.jsonl" // [Package]
	FindingsFile = "findings.jsonl" // [Finding]
	FactsFile    = "facts.jsonl"    // [Fact]
	FilesFile    = "files.jsonl"    // [File]
	VerdictFile  = "verdict.json"   // a [Judgement]
	BaseFolder   = "base"           // the folder of the base image, where there is one
)

// Image is what an image is.
type Image struct {
	Reference    string            `json:"reference"`
	Tag          string            `json:"tag,omitempty"` // by which a policy knows it
	Tags         []string          `json:"tags,omitempty"`
	Digest       string            `json:"digest,omitempty"`
	ConfigDigest string            `json:"configDigest,omitempty"`
	Now          string            `json:"now"` // RFC 3339: the instant taken as now; a plugin uses no other clock
	Distro       *Distro           `json:"distro,omitempty"`
	Config       Config            `json:"config"`
	Layers       []Layer           `json:"layers"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Dockerfile   string            `json:"dockerfile,omitempty"`
	Packages     int               `json:"packages"`
	Problems     []Problem         `json:"problems,omitempty"`
	// Matched says whether the image was compared with advisories: without,
	// the absence of findings means nothing.
	Matched bool `json:"matched"`
	// Looked are the kinds of facts that were looked for; the absence of a
	// fact of another kind means nothing. Null: all.
	Looked []string `json:"looked"`
}

// Distro is the distribution.
type Distro struct {
	ID       string `json:"id"`
	Version  string `json:"version,omitempty"`
	Codename string `json:"codename,omitempty"`
	Name     string `json:"name,omitempty"`
}

// Config is the image's configuration.
type Config struct {
	Created      string            `json:"created,omitempty"` // RFC 3339
	Author       string            `json:"author,omitempty"`
	OS           string            `json:"os,omitempty"`
	Architecture string            `json:"architecture,omitempty"`
	User         string            `json:"user,omitempty"`
	Env          []string          `json:"env,omitempty"`
	Entrypoint   []string          `json:"entrypoint,omitempty"`
	Cmd          []string          `json:"cmd,omitempty"`
	WorkingDir   string            `json:"workingDir,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Ports        []string          `json:"ports,omitempty"`
	Volumes      []string          `json:"volumes,omitempty"`
	Healthcheck  []string          `json:"healthcheck,omitempty"`
	History      []History         `json:"history,omitempty"`
}

// History is one step of the image's making.
type History struct {
	Created    string `json:"created,omitempty"`
	CreatedBy  string `json:"createdBy,omitempty"`
	EmptyLayer bool   `json:"emptyLayer,omitempty"`
}

// Layer is one layer, the lowest first.
type Layer struct {
	DiffID    string `json:"diffID"`
	Digest    string `json:"digest,omitempty"`
	Size      int64  `json:"size"`
	CreatedBy string `json:"createdBy,omitempty"`
}

// Package is a package: in an image's list, and in an analyzer's answer. Only
// what is marked "answer" is read from an answer.
type Package struct {
	PURL     string   `json:"purl"`               // answer: required
	Path     string   `json:"path,omitempty"`     // answer: the file that makes it exist, without leading slash; "": the only file of the request
	Licenses []string `json:"licenses,omitempty"` // answer
	Supplier string   `json:"supplier,omitempty"` // answer
	Homepage string   `json:"homepage,omitempty"` // answer
	// Description is one line. Answer.
	Description string `json:"description,omitempty"`
	// Declared: only spoken of, as by a lock file. Answer.
	Declared bool     `json:"declared,omitempty"`
	Depends  []string `json:"depends,omitempty"` // answer: names
	// Owns are paths of files that belong to the package; one that ends in
	// "/" owns everything below. Answer.
	Owns   []string          `json:"owns,omitempty"`
	CPEs   []string          `json:"cpes,omitempty"`   // answer
	Hashes map[string]string `json:"hashes,omitempty"` // answer: algorithm to hexadecimal digits, of the package's archive

	Type    string   `json:"type,omitempty"`
	Name    string   `json:"name,omitempty"` // with namespace, as its ecosystem writes it
	Version string   `json:"version,omitempty"`
	Arch    string   `json:"arch,omitempty"`
	Source  string   `json:"source,omitempty"`
	Distro  string   `json:"distro,omitempty"`
	Owner   string   `json:"owner,omitempty"`
	Layer   int      `json:"layer"`
	Paths   []string `json:"paths,omitempty"`
}

// Finding is a vulnerability of a package.
type Finding struct {
	ID         string   `json:"id"`
	Aliases    []string `json:"aliases,omitempty"`
	Severity   string   `json:"severity"`
	Package    string   `json:"package"` // package URL
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Fixed      []string `json:"fixed,omitempty"` // versions
	FixState   string   `json:"fixState,omitempty"`
	EPSS       float64  `json:"epss,omitempty"`
	Exploited  bool     `json:"exploited,omitempty"`
	CVSS       float64  `json:"cvss,omitempty"`
	CWEs       []string `json:"cwes,omitempty"`
	Summary    string   `json:"summary,omitempty"`
	Published  string   `json:"published,omitempty"`
	Suppressed string   `json:"suppressed,omitempty"` // why it does not count
	URL        string   `json:"url,omitempty"`
	Layer      int      `json:"layer"`
}

// Fact is any further thing an analyzer learned. Data is a JSON object.
type Fact struct {
	Kind  string          `json:"kind"`
	Path  string          `json:"path,omitempty"`
	Data  json.RawMessage `json:"data"`
	Layer int             `json:"layer,omitempty"`
}

// File is a file of an image, or one handed to an analyzer.
type File struct {
	Path   string `json:"path"` // no leading slash
	Type   string `json:"type,omitempty"`
	Kind   string `json:"kind,omitempty"` // of content
	Mode   string `json:"mode"`           // octal digits
	UID    int    `json:"uid,omitempty"`
	GID    int    `json:"gid,omitempty"`
	Size   int64  `json:"size"`
	Link   string `json:"link,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Layer  int    `json:"layer,omitempty"`
}

// Judgement is the verdict over an image.
type Judgement struct {
	Action   string   `json:"action"` // go, warn or stop
	Reason   string   `json:"reason"`
	Policy   string   `json:"policy"`
	Rows     []Row    `json:"rows"`
	Unknowns []string `json:"unknowns,omitempty"`
}

// Row is one row of a verdict.
type Row struct {
	Gate      string `json:"gate"`
	Trigger   string `json:"trigger"`
	TriggerID string `json:"triggerID"`
	Action    string `json:"action"`
	Message   string `json:"message"`
	Allowed   bool   `json:"allowed,omitempty"` // an allowlist silenced it
	Package   string `json:"package,omitempty"`
	Path      string `json:"path,omitempty"`
}
