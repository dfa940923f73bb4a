package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Suite is a file of cases that policies are tested by.
type Suite struct {
	Policy string     `json:"policy"` // file beside the suite's, or name of one that comes with the program; of cases that name none
	Now    *time.Time `json:"now"`    // the instant taken as now, of cases that name none
	Cases  []Case     `json:"cases"`
}

// Case is one image, and what a policy has to say of it. Exactly one of
// Image, Inventory, Record and Given says what is judged.
type Case struct {
	Name      string      `json:"name"`
	Policy    string      `json:"policy"`
	Now       *time.Time  `json:"now"`
	Tag       string      `json:"tag"`
	Image     string      `json:"image"`     // as check takes it; files are looked for beside the suite's
	Inventory string      `json:"inventory"` // file that sbom -o json wrote
	Record    string      `json:"record"`    // file that check -o verdict-record wrote
	Given     *Given      `json:"given"`     // an image told in the case
	Expect    Expectation `json:"expect"`
}

// Given is an image told by its parts.
type Given struct {
	Distro     *GivenDistro      `json:"distro"`
	Packages   []string          `json:"packages"` // package URLs
	Licenses   map[string]string `json:"licenses"` // SPDX expressions, by the package's name
	Findings   []GivenFinding    `json:"findings"`
	Unjudged   []GivenState      `json:"unjudged"` // packages that matching could not judge
	Files      []GivenFile       `json:"files"`
	Binaries   []GivenFile       `json:"binaries"`   // executables that no package accounts for
	Base       string            `json:"base"`       // tag of the image it was built on
	Support    []GivenSupport    `json:"support"`    // when that of packages ends
	Config     inventory.Config  `json:"config"`     // user, exposedPorts, env, labels, healthcheck …
	Dockerfile string            `json:"dockerfile"` // given with the image; "" for none
	Facts      []GivenFact       `json:"facts"`
	Unread     []string          `json:"unread"`    // paths that could not be read
	DataAge    *int              `json:"dataAge"`   // days since the vulnerability data was brought up to date; null: there is none
	Unmatched  bool              `json:"unmatched"` // nobody looked for vulnerabilities
	Labels     map[string]string `json:"annotations"`
}

// GivenDistro is the image's distribution.
type GivenDistro struct {
	ID      string     `json:"id"`
	Version string     `json:"version"`
	EOL     *time.Time `json:"eol"` // when its support ends
}

// GivenFinding is a vulnerability in one of the packages.
type GivenFinding struct {
	ID        string   `json:"id"`
	Package   string   `json:"package"` // its name
	Severity  string   `json:"severity"`
	Fixed     string   `json:"fixed"`   // version, "" for none
	WontFix   bool     `json:"wontFix"` // the vendor has said so
	CVSS      float64  `json:"cvss"`    // version 3, of NVD
	Exploited bool     `json:"exploited"`
	EPSS      *float64 `json:"epss"`
}

// GivenState is a package that matching could not judge.
type GivenState struct {
	Package string `json:"package"`
	State   string `json:"state"` // no-data, unknown-distro, no-version …
}

// GivenFile is a file of the image.
type GivenFile struct {
	Path string `json:"path"`
	Mode string `json:"mode"` // octal; 0644 without
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Size int64  `json:"size"`

	Device       string   `json:"device"`       // "block 8:0" or "character 1:3"; "" for a regular file
	Capabilities []string `json:"capabilities"` // names, effective and permitted
}

// GivenSupport is the release line of a package, and when its support ends.
type GivenSupport struct {
	Package string    `json:"package"` // its name
	Line    string    `json:"line"`
	EOL     time.Time `json:"eol"`
}

// GivenFact is something an analyzer would have learned.
type GivenFact struct {
	Kind string          `json:"kind"`
	Path string          `json:"path"`
	Data json.RawMessage `json:"data"`
}

// Expectation is what a verdict must be like. What it does not mention may be
// anything.
type Expectation struct {
	Action    string        `json:"action"`
	Reason    string        `json:"reason"`
	Mapping   *string       `json:"mapping"`   // name or id of the mapping; "" for none
	Rows      []ExpectedRow `json:"rows"`      // each must be there
	Not       []ExpectedRow `json:"not"`       // none of them may be there
	OnlyThese bool          `json:"onlyThese"` // there are no other rows
	Unknowns  []string      `json:"unknowns"`  // patterns; each must match what could not be told
	Known     bool          `json:"known"`     // nothing was unknown
	Problems  []string      `json:"problems"`  // patterns; each must match a problem of the policy
}

// ExpectedRow describes rows. Texts are patterns, in which * stands for
// anything; what is not given may be anything.
type ExpectedRow struct {
	Rule    string `json:"rule"`
	Gate    string `json:"gate"`
	Trigger string `json:"trigger"`
	Action  string `json:"action"`
	ID      string `json:"id"` // trigger id
	Message string `json:"message"`
	Path    string `json:"path"`
	Package string `json:"package"` // part of the package URL: pkg:npm/minimist@*
	Allowed *bool  `json:"allowed"` // silenced by an allowlist, or not
	Count   *int   `json:"count"`   // exactly so many; without it one at least
}

// maxSuite bounds a file of cases.
const maxSuite = 16 << 20

// ReadSuite reads cases, in YAML or JSON. What is wrong with their form is
// reported at once.
func ReadSuite(r io.Reader) (*Suite, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSuite+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSuite {
		return nil, fmt.Errorf("the cases have more than the limit of %d bytes", maxSuite)
	}
	// JSON is YAML; by way of JSON the members' types are checked.
	var tree any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	var s Suite
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(s.Cases) == 0 {
		bad("there are no cases")
	}
	names := map[string]bool{}
	for i := range s.Cases {
		c := &s.Cases[i]
		if c.Name == "" || names[c.Name] {
			bad("case %d has no name of its own (%q)", i+1, c.Name)
		}
		names[c.Name] = true
		n := 0
		for _, given := range []bool{c.Image != "", c.Inventory != "", c.Record != "", c.Given != nil} {
			if given {
				n++
			}
		}
		if n != 1 {
			bad("case %q must say one of image, inventory, record and given; it says %d", c.Name, n)
		}
		if c.Policy == "" {
			if c.Policy = s.Policy; c.Policy == "" && c.Record == "" {
				bad("case %q names no policy, and neither does the file", c.Name)
			}
		}
		if c.Now == nil {
			c.Now = s.Now
		}
		if c.Given != nil && c.Now == nil {
			bad("case %q names no instant to take as now, and neither does the file", c.Name)
		}
		for _, err := range c.Expect.check() {
			bad("case %q: %w", c.Name, err)
		}
	}
	return &s, errors.Join(problems...)
}

func (e *Expectation) check() []error {
	var out []error
	if e.Action != "" {
		if _, err := policy.ParseAction(e.Action); err != nil {
			out = append(out, err)
		}
	}
	if e.Reason != "" && !slices.Contains([]policy.Reason{policy.ByPolicy, policy.ByAllowed, policy.ByDenied}, policy.Reason(e.Reason)) {
		out = append(out, fmt.Errorf("there is no reason %q; use %s, %s or %s", e.Reason, policy.ByPolicy, policy.ByAllowed, policy.ByDenied))
	}
	for _, rows := range [][]ExpectedRow{e.Rows, e.Not} {
		for i := range rows {
			r := &rows[i]
			if *r == (ExpectedRow{}) {
				out = append(out, errors.New("an expected row says nothing"))
			}
			if r.Action != "" {
				if _, err := policy.ParseAction(r.Action); err != nil {
					out = append(out, err)
				}
			}
		}
	}
	if e.Action == "" && e.Reason == "" && e.Mapping == nil && len(e.Rows)+len(e.Not)+len(e.Unknowns)+len(e.Problems) == 0 && !e.OnlyThese && !e.Known {
		out = append(out, errors.New("it expects nothing"))
	}
	return out
}

// Subject is the image that was told, as matching and analyzers would have
// left it.
func (g *Given) Subject(tag string, now time.Time) (*policy.Subject, error) {
	img := &inventory.Image{Reference: tag, Digest: "sha256:given", Config: g.Config, Annotations: g.Labels, Layers: []inventory.LayerInfo{{DiffID: "sha256:given"}}}
	if img.Config.OS == "" {
		img.Config.OS = "linux"
	}
	scan := &match.Scan{Image: img, At: now}
	if d := g.Distro; d != nil {
		img.Distro = &inventory.Distro{ID: d.ID, Version: d.Version, Path: "etc/os-release"}
		scan.Distro.Stream, _ = advisory.DistroStream(d.ID, d.Version, "")
		if d.EOL != nil {
			scan.Distro.EOL, scan.Distro.Ended = *d.EOL, now.After(*d.EOL)
		}
	}
	byName := map[string]int{}
	for _, text := range g.Packages {
		p, err := inventory.ParsePURL(text)
		if err != nil {
			return nil, fmt.Errorf("packages: %w", err)
		}
		byName[p.Name] = len(img.Packages)
		img.Packages = append(img.Packages, p)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(g.Licenses)) {
		k, ok := byName[name]
		if !ok {
			problems = append(problems, fmt.Errorf("licenses: there is no package %q", name))
			continue
		}
		img.Packages[k].Licenses = []inventory.License{{Expression: g.Licenses[name]}}
	}
	for i := range g.Findings {
		f, err := g.Findings[i].finding(byName)
		problems = append(problems, err)
		scan.Findings = append(scan.Findings, f)
	}
	for _, st := range g.Unjudged {
		k, ok := byName[st.Package]
		if !ok {
			problems = append(problems, fmt.Errorf("unjudged: there is no package %q", st.Package))
			continue
		}
		scan.States = append(scan.States, match.PackageState{Package: k, State: match.State(st.State)})
	}
	var files inventory.Builder
	for _, f := range g.Files {
		mode := int64(0o644)
		if f.Mode != "" {
			if _, err := fmt.Sscanf(f.Mode, "%o", &mode); err != nil || mode < 0 || mode > 0o7777 {
				problems = append(problems, fmt.Errorf("files: %s: %q is no file mode in octal digits", f.Path, f.Mode))
			}
		}
		file := inventory.File{Path: strings.TrimPrefix(f.Path, "/"), Perm: uint16(mode & 0o7777), UID: f.UID, GID: f.GID, Size: f.Size}
		if err := f.special(&file); err != nil {
			problems = append(problems, fmt.Errorf("files: %s: %w", f.Path, err))
		}
		files.Add(file)
	}
	img.Files = files.Table()
	collected := map[string]bool{}
	for _, f := range g.Facts {
		collected[f.Kind] = true
		if len(f.Data) > 0 && !bytes.Equal(f.Data, []byte("null")) {
			img.Facts = append(img.Facts, inventory.Fact{Kind: f.Kind, Path: strings.TrimPrefix(f.Path, "/"), Data: f.Data})
		}
	}
	for _, path := range g.Unread {
		img.Problems = append(img.Problems, inventory.Problem{Analyzer: "given", Path: strings.TrimPrefix(path, "/"), Message: "could not be read"})
	}
	if g.DataAge != nil {
		scan.Feeds = []match.FeedState{{Source: "given", Records: 1, Checked: now.AddDate(0, 0, -*g.DataAge)}}
	} else {
		scan.Distro.State = match.NoData
	}
	s := &policy.Subject{Image: img, Scan: scan, Tag: tag, Now: now, Collected: collected, Dockerfile: guessDockerfile(&img.Config), Annotations: g.Labels}
	for _, f := range g.Binaries {
		img.Binaries = append(img.Binaries, inventory.Binary{Path: strings.TrimPrefix(f.Path, "/"), Size: f.Size})
	}
	if g.Base != "" {
		s.Ancestors = []policy.Ancestor{{Digest: "sha256:base", Tags: []string{g.Base}, Base: true}}
	}
	s.Cycles = map[int]policy.Cycle{}
	for _, c := range g.Support {
		k, ok := byName[c.Package]
		if !ok {
			problems = append(problems, fmt.Errorf("support: there is no package %q", c.Package))
			continue
		}
		s.Cycles[k] = policy.Cycle{Product: c.Package, Name: c.Line, EOL: c.EOL}
	}
	if g.Dockerfile != "" {
		s.Dockerfile = policy.Dockerfile{Mode: policy.ModeActual, Text: g.Dockerfile}
	}
	if d := img.Distro; d != nil {
		data := policy.StreamData{}
		if g.DataAge != nil {
			data = policy.StreamData{Records: 1, Synced: scan.Feeds[0].Checked}
		}
		s.Streams = map[string]policy.StreamData{d.ID + ":" + d.Version: data}
	}
	if g.Unmatched {
		s.Scan, s.Streams = nil, nil
	}
	return s, errors.Join(problems...)
}

// special makes a file a device, or gives it capabilities.
func (f *GivenFile) special(file *inventory.File) error {
	if f.Device != "" {
		kind, numbers, _ := strings.Cut(f.Device, " ")
		major, minor, _ := strings.Cut(numbers, ":")
		a, err := strconv.ParseUint(major, 10, 32)
		b, err2 := strconv.ParseUint(minor, 10, 32)
		if err != nil || err2 != nil || kind != "block" && kind != "character" {
			return fmt.Errorf("%q is no device such as \"block 8:0\" or \"character 1:3\"", f.Device)
		}
		file.Type, file.Major, file.Minor = inventory.CharDevice, uint32(a), uint32(b)
		if kind == "block" {
			file.Type = inventory.BlockDevice
		}
	}
	caps := inventory.Capabilities{Revision: 2, Effective: true}
	for _, name := range f.Capabilities {
		n, err := inventory.CapabilityNumber(name)
		if err != nil {
			return err
		}
		caps.Permitted |= 1 << n
	}
	if caps.Permitted != 0 {
		file.Caps = caps.Attribute()
	}
	return nil
}

func (f *GivenFinding) finding(byName map[string]int) (match.Finding, error) {
	k, ok := byName[f.Package]
	if !ok {
		return match.Finding{}, fmt.Errorf("finding %s: there is no package %q", f.ID, f.Package)
	}
	out := match.Finding{ID: f.ID, Package: k, Confidence: 1}
	at := slices.IndexFunc(advisory.Levels(), func(l advisory.Level) bool { return strings.EqualFold(l.String(), f.Severity) })
	if at < 0 {
		return out, fmt.Errorf("finding %s: there is no severity %q; use one of %v", f.ID, f.Severity, advisory.Levels())
	}
	out.Severity = advisory.Levels()[at]
	switch {
	case f.Fixed != "":
		out.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{f.Fixed}}
	case f.WontFix:
		out.Fix.State = advisory.WontFix
	}
	if f.CVSS > 0 {
		out.Scores = []advisory.Severity{{Source: "nvd", Type: "CVSS_V3", Score: f.CVSS}}
	}
	if f.Exploited {
		out.Exploited = &advisory.Exploited{ID: f.ID}
	}
	if f.EPSS != nil {
		out.EPSS = &advisory.EPSS{ID: f.ID, Score: *f.EPSS}
	}
	return out, nil
}

// Evaluate judges what a case tells by a bundle.
func (c *Case) Evaluate(ctx context.Context, s *policy.Subject, b *policy.Bundle, known *policy.Cache) ([]string, policy.Verdict, error) {
	e, err := known.Evaluator(b, "")
	if err != nil {
		return nil, policy.Verdict{}, err
	}
	v, err := e.Evaluate(ctx, s)
	if err != nil {
		return nil, v, err
	}
	return c.Expect.Compare(&v, b), v, nil
}
