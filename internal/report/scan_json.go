package report

import (
	"bufio"
	_ "embed" // the schema
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// ScanSchemaID names our JSON format of scans, and ScanSchemaVersion the
// version of it that is written. Fields may be added within version 1.
const (
	ScanSchemaID      = "https://tidewaiter.dev/schema/scan-1.json"
	ScanSchemaVersion = 1
)

//go:embed schema/scan-1.json
var scanSchema []byte

// ScanSchema is the JSON Schema (draft 2020-12) of our JSON format of scans.
func ScanSchema() []byte { return slices.Clone(scanSchema) }

// scanDocument is everything but the findings, which are written one by one.
type scanDocument struct {
	Schema        string                  `json:"schema"`
	SchemaVersion int                     `json:"schemaVersion"`
	Tool          scanTool                `json:"tool"`
	Created       string                  `json:"created"`
	Generation    int64                   `json:"generation"`
	At            time.Time               `json:"at,omitzero"`
	Image         scanImage               `json:"image"`
	Distro        match.DistroState       `json:"distro,omitzero"`
	Summary       Summary                 `json:"summary"`
	Unknowns      []Unknown               `json:"unknowns"`
	States        []scanState             `json:"states"`
	Problems      []string                `json:"problems"`
	Feeds         []match.FeedState       `json:"feeds"`
	VEX           []match.StatementResult `json:"vex"`
	Ignored       []match.IgnoreResult    `json:"ignored"`
}

type scanTool struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// scanImage is a summary: the whole inventory is package bom's JSON.
type scanImage struct {
	Reference    string              `json:"reference"`
	Tags         []string            `json:"tags,omitempty"`
	Digest       inventory.Digest    `json:"digest,omitempty"`
	IndexDigest  inventory.Digest    `json:"indexDigest,omitempty"`
	ConfigDigest inventory.Digest    `json:"configDigest,omitempty"`
	Created      time.Time           `json:"created,omitzero"`
	OS           string              `json:"os,omitempty"`
	Architecture string              `json:"architecture,omitempty"`
	Variant      string              `json:"variant,omitempty"`
	Distro       *inventory.Distro   `json:"distro,omitempty"`
	Layers       int                 `json:"layers"`
	Packages     map[string]int      `json:"packages"` // by type
	Problems     []inventory.Problem `json:"problems,omitempty"`
}

// scanPackage is what identifies a package and where it is.
type scanPackage struct {
	PURL          string               `json:"purl,omitempty"`
	Type          string               `json:"type"`
	Namespace     string               `json:"namespace,omitempty"`
	Name          string               `json:"name"`
	Version       string               `json:"version,omitempty"`
	Arch          string               `json:"arch,omitempty"`
	Source        string               `json:"source,omitempty"`
	SourceVersion string               `json:"sourceVersion,omitempty"`
	Module        string               `json:"module,omitempty"`
	Distro        string               `json:"distro,omitempty"`
	CPEs          []string             `json:"cpes,omitempty"`
	Path          string               `json:"path,omitempty"`
	Inner         string               `json:"inner,omitempty"`
	Technique     string               `json:"technique,omitempty"`
	Layer         int                  `json:"layer"`
	Locations     []inventory.Location `json:"locations,omitempty"`
	Owner         string               `json:"owner,omitempty"`
}

// scanFinding is a finding with its package in place of the index.
type scanFinding struct {
	match.Finding
	Package scanPackage `json:"package"`
	Advice  string      `json:"advice"`
}

type scanState struct {
	State   match.State `json:"state"`
	Stream  string      `json:"stream,omitempty"`
	Message string      `json:"message,omitempty"`
	Package scanPackage `json:"package"`
}

func scanPackageOf(p *inventory.Package) scanPackage {
	return scanPackage{
		PURL: p.PURL(), Type: p.Type, Namespace: p.Namespace, Name: p.Name, Version: p.Version, Arch: p.Arch,
		Source: p.Source, SourceVersion: p.SourceVersion, Module: p.Module, Distro: p.Distro, CPEs: p.CPEs,
		Path: p.Path, Inner: p.Inner, Technique: p.Technique, Layer: p.Layer, Locations: p.Locations, Owner: p.Owner,
	}
}

// writeJSON writes our JSON, a finding a line.
func (v *view) writeJSON(w io.Writer) error {
	img := v.Image
	doc := scanDocument{
		Schema: ScanSchemaID, SchemaVersion: ScanSchemaVersion, Tool: scanTool{v.tool(), v.o.ToolVersion},
		Created: v.created().Format(time.RFC3339), Generation: v.Generation, At: v.At,
		Image: scanImage{
			Reference: img.Reference, Tags: img.Tags, Digest: img.Digest, IndexDigest: img.IndexDigest, ConfigDigest: img.ConfigDigest,
			Created: img.Config.Created, OS: img.Config.OS, Architecture: img.Config.Architecture, Variant: img.Config.Variant,
			Distro: img.Distro, Layers: len(img.Layers), Packages: map[string]int{}, Problems: img.Problems,
		},
		Distro: v.Distro, Summary: v.Summary, Unknowns: list(v.Unknowns), States: []scanState{}, Problems: list(v.Problems),
		Feeds: list(v.Feeds), VEX: list(v.VEX), Ignored: list(v.Ignored),
	}
	for i := range img.Packages {
		doc.Image.Packages[img.Packages[i].Type]++
	}
	for _, s := range v.States {
		doc.States = append(doc.States, scanState{s.State, s.Stream, s.Message, scanPackageOf(&img.Packages[s.Package])})
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	head, err := toJSON(doc)
	if err != nil {
		return err
	}
	// Without the closing bracket: the findings go inside.
	_, _ = bw.WriteString(head[:len(head)-1] + ",\n\"findings\":[") // bufio.Writer keeps errors until Flush
	e := json.NewEncoder(bw)
	e.SetEscapeHTML(false)
	for i := range v.Findings {
		f := &v.Findings[i]
		p := v.Package(f)
		_, _ = bw.WriteString(map[bool]string{true: "\n", false: ","}[i == 0])
		if err := e.Encode(scanFinding{*f, scanPackageOf(p), advice(f, p)}); err != nil {
			return err
		}
	}
	_, _ = bw.WriteString("]}\n")
	return bw.Flush()
}

// list is a slice that JSON writes as [] where it is empty.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
