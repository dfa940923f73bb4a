// Package plugin is the wire contract between Tidewaiter and its plugins,
// version 1, and a kit for plugins written in Go: [Main]. It imports the
// standard library alone. docs/plugins.md tells the same for every language.
//
// A plugin is an executable. Called with the argument "describe" it prints a
// [Description] as one JSON object and ends. Called with "serve" it reads
// requests, one JSON object a line, from standard input, answers each on
// standard output, and ends when its input ends. What it writes to standard
// error is logged.
package plugin

import "encoding/json"

// Protocol is the version of the contract; it is in every description.
const Protocol = "tidewaiter.plugin/1"

// Kind is what a plugin can be to Tidewaiter.
type Kind string

// The kinds. An executable may be several of them. Notifiers are named in the
// protocol and not yet run.
const (
	Analyzer Kind = "analyzer"
	Gate     Kind = "gate"
	Source   Kind = "source"
	Query    Kind = "query"
	Notifier Kind = "notifier"
)

// Description is the answer to "describe". For every kind but the notifier the
// part of the same name must be there.
type Description struct {
	Protocol string `json:"protocol"`
	Name     string `json:"name"`    // lower case letters, digits and "-", at most 64
	Version  string `json:"version"` // raised when the same input would give another answer
	Help     string `json:"help"`    // one line: what it is for
	Kinds    []Kind `json:"kinds"`

	// Parameters are those of the plugin as a whole, set in the configuration
	// and sent with every request as settings.
	Parameters []Parameter `json:"parameters,omitempty"`

	Analyzer *AnalyzerPart `json:"analyzer,omitempty"`
	Gate     *GatePart     `json:"gate,omitempty"`
	Source   *SourcePart   `json:"source,omitempty"`
	Query    *QueryPart    `json:"query,omitempty"`
}

// Parameter is a typed parameter of a plugin, a trigger or a query.
type Parameter struct {
	Name string `json:"name"`
	// Type is string (also ""), enum, boolean, integer, float, list (a,b),
	// number-list, pipe-list (a|b), name-version, regexp, size, path, octal or
	// days, as in policies.
	Type     string   `json:"type,omitempty"`
	Help     string   `json:"help"`
	Example  string   `json:"example,omitempty"`
	Values   []string `json:"values,omitempty"` // of an enum
	Required bool     `json:"required,omitempty"`
	Default  string   `json:"default,omitempty"`
}

// AnalyzerPart says what an analyzer wants and learns.
type AnalyzerPart struct {
	Wants []Want `json:"wants"` // a file that one of them fits is wanted
	// Facts are the kinds of facts it answers; of other kinds it may not.
	Facts []string `json:"facts,omitempty"`
	// Layer asks for what the built-in analyzers learned of the same layer.
	Layer bool `json:"layer,omitempty"`
}

// Want describes files; every field that is given must fit.
type Want struct {
	// Paths are patterns of whole paths without a leading slash: "*" stands
	// for anything but "/", "?" for one such character, "**" for any number of
	// folders, "[a-z]" for one of a set. A pattern without "/" fits the last
	// element of a path.
	Paths []string `json:"paths,omitempty"`
	// Types are kinds of content as Tidewaiter tells them from the first
	// bytes: text, script, json, xml, elf, elf-library, zip, gzip, pem …
	Types   []string `json:"types,omitempty"`
	MaxSize int64    `json:"maxSize,omitempty"` // bytes; 0: 16 MiB
	// Executable: only files with an execute bit.
	Executable bool `json:"executable,omitempty"`
	// Head asks for files that begin with one of these, in hexadecimal, at
	// most 64 bytes. Give a path or a type as well: a file is read first.
	Head []string `json:"head,omitempty"`
}

// GatePart describes a gate.
type GatePart struct {
	Name     string    `json:"name,omitempty"` // as rules write it; "": the plugin's
	Help     string    `json:"help,omitempty"`
	Triggers []Trigger `json:"triggers"`
	Needs    []Need    `json:"needs,omitempty"`
}

// Trigger is a question of a gate.
type Trigger struct {
	Name       string      `json:"name"`
	Help       string      `json:"help"`
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Need is a part of an image that a gate or query wants to see. The image
// itself is always there.
type Need string

// The parts; see [Folder].
const (
	Packages Need = "packages"
	Findings Need = "findings"
	Facts    Need = "facts"
	Files    Need = "files"
	Verdict  Need = "verdict" // of queries only
	Base     Need = "base"    // the image this one was built on, with the same parts; of gates only
)

// SourcePart describes a source of advisories.
type SourcePart struct {
	Name       string   `json:"name,omitempty"` // as feed commands know it; "": the plugin's
	Publisher  string   `json:"publisher,omitempty"`
	Licence    string   `json:"licence,omitempty"`
	Ecosystems []string `json:"ecosystems,omitempty"` // purl types or "ID:VERSION" of distributions it speaks of
	// URL is downloaded for the plugin, which has no network itself. Without
	// one it gets what --from names, or nothing.
	URL   string `json:"url,omitempty"`
	Fresh string `json:"fresh,omitempty"` // older data is stale, such as 48h; "": 168h
}

// QueryPart describes a query.
type QueryPart struct {
	Name       string      `json:"name,omitempty"` // as "tidewaiter query" knows it; "": the plugin's
	Images     string      `json:"images"`         // one, two or many
	Parameters []Parameter `json:"parameters,omitempty"`
	Needs      []Need      `json:"needs,omitempty"`
}

// Request is one line to the plugin.
type Request struct {
	ID       int64             `json:"id"`
	Method   string            `json:"method"` // analyze, evaluate, fetch, query
	Settings map[string]string `json:"settings,omitempty"`

	// Folder holds the input of analyze ("files" below it, and the layer's
	// lists where asked for) and fetch ("files").
	Folder string `json:"folder,omitempty"`
	Files  []File `json:"files,omitempty"` // of analyze: what is below Folder/files; of fetch too

	Trigger    string            `json:"trigger,omitempty"`    // of evaluate
	Parameters map[string]string `json:"parameters,omitempty"` // of evaluate and query
	Image      string            `json:"image,omitempty"`      // of evaluate: folder of the image
	Images     []string          `json:"images,omitempty"`     // of query: folders of images

	State string `json:"state,omitempty"` // of fetch: what the last one answered
}

// The methods.
const (
	MethodAnalyze  = "analyze"
	MethodEvaluate = "evaluate"
	MethodFetch    = "fetch"
	MethodQuery    = "query"
)

// Answer is one line from the plugin, with the request's id. With More another
// line of the same id follows; what they hold is taken together.
type Answer struct {
	ID    int64  `json:"id"`
	More  bool   `json:"more,omitempty"`
	Error string `json:"error,omitempty"` // the request could not be answered

	Packages []Package `json:"packages,omitempty"` // of analyze
	Facts    []Fact    `json:"facts,omitempty"`
	Problems []Problem `json:"problems,omitempty"`

	Hits []Hit `json:"hits,omitempty"` // of evaluate

	Advisories []json.RawMessage `json:"advisories,omitempty"` // of fetch: OSV
	State      string            `json:"state,omitempty"`
	Whole      bool              `json:"whole,omitempty"`     // Advisories are all there are; what is not among them was taken back
	Unchanged  bool              `json:"unchanged,omitempty"` // there is nothing new
	Removed    []string          `json:"removed,omitempty"`   // ids taken back

	Columns  []string   `json:"columns,omitempty"` // of query; "*name" asks for sorting by it
	Rows     [][]string `json:"rows,omitempty"`
	Warnings []string   `json:"warnings,omitempty"`
}

// Hit is one thing a trigger found.
type Hit struct {
	ID      string `json:"id,omitempty"` // trigger id; "": made from gate, trigger and message
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	// Unknown: not a hit but something the record could not answer.
	Unknown bool   `json:"unknown,omitempty"`
	Package string `json:"package,omitempty"` // package URL
	Version string `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Finding string `json:"finding,omitempty"` // vulnerability id
	Detail  string `json:"detail,omitempty"`
}

// Problem is something a plugin could not read.
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}
