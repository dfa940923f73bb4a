package osv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
	"go.yaml.in/yaml/v3"
)

// ownRecord is one advisory of the owner: docs/own-advisories.md.
type ownRecord struct {
	ID         string       `yaml:"id"`
	Aliases    words        `yaml:"aliases"`
	Related    words        `yaml:"related"`
	Summary    string       `yaml:"summary"`
	Details    string       `yaml:"details"`
	Severity   words        `yaml:"severity"`
	CWEs       words        `yaml:"cwes"`
	References words        `yaml:"references"`
	Published  string       `yaml:"published"`
	Modified   string       `yaml:"modified"`
	Withdrawn  string       `yaml:"withdrawn"`
	Malicious  bool         `yaml:"malicious"`
	Packages   []ownPackage `yaml:"packages"`
}

type ownPackage struct {
	PURL      string `yaml:"purl"`
	Ecosystem string `yaml:"ecosystem"`
	Name      string `yaml:"name"`
	Affected  words  `yaml:"affected"`
	Versions  words  `yaml:"versions"`
	Fixed     words  `yaml:"fixed"`
	Status    string `yaml:"status"`
	Arches    words  `yaml:"arches"`
	Severity  words  `yaml:"severity"`
	Note      string `yaml:"note"`
}

// words is one word or a list of them.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!null" && n.Value != "" {
			*w = words{n.Value}
		}
		return nil
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: a word was expected", c.Line)
			}
			*w = append(*w, c.Value)
		}
		return nil
	}
	return fmt.Errorf("line %d: a word or a list of words was expected", n.Line)
}

// Record reads one record of OSV JSON as the named source's, for sources that
// others write. What is doubtful in a record that is kept is an error after it.
func Record(source string, record []byte) iter.Seq2[*advisory.Advisory, error] {
	return func(yield func(*advisory.Advisory, error) bool) {
		p := newParser(rules{source: source, speaker: source, names: advisory.Binary})
		if !yield(p.parse(record)) {
			return
		}
		for _, doubt := range p.doubts {
			if !yield(nil, doubt) {
				return
			}
		}
	}
}

// isYAML tells YAML from JSON, which is YAML too.
func isYAML(b []byte) bool {
	c := firstByte(b)
	return c != '{' && c != '['
}

func firstByte(b []byte) byte {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// maxOwnFile bounds a file of the owner's advisories: YAML is held whole.
const maxOwnFile = 16 << 20

// ownYAML reads the owner's advisories: one a document, or a list of them.
func ownYAML(p *parser, b []byte) iter.Seq2[*advisory.Advisory, error] {
	return func(yield func(*advisory.Advisory, error) bool) {
		if len(b) > maxOwnFile {
			yield(nil, fmt.Errorf("it exceeds the limit of %d bytes of one YAML file", maxOwnFile))
			return
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		for {
			p.id = ""
			var doc yaml.Node
			if err := dec.Decode(&doc); err == io.EOF {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			nodes := doc.Content
			if len(nodes) == 1 && nodes[0].Kind == yaml.SequenceNode {
				nodes = nodes[0].Content
			}
			for _, n := range nodes {
				p.id = ""
				if !yield(p.own(n)) {
					return
				}
			}
		}
	}
}

func (p *parser) own(n *yaml.Node) (*advisory.Advisory, error) {
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: an advisory was expected", n.Line)
	}
	// Keys that are not ours are mistakes: a misspelt "afected" would make
	// every version affected.
	if err := known(n, "id", "aliases", "related", "summary", "details", "severity", "cwes", "references", "published", "modified", "withdrawn", "malicious", "packages"); err != nil {
		return nil, err
	}
	var w ownRecord
	if err := n.Decode(&w); err != nil {
		return nil, err
	}
	if w.ID == "" || len(w.ID) > maxID {
		return nil, fmt.Errorf("line %d: an advisory needs an id of at most %d bytes", n.Line, maxID)
	}
	p.id = w.ID
	if len(w.Packages) == 0 {
		return nil, fmt.Errorf("line %d: it names no packages", n.Line)
	}
	seen := map[string]bool{w.ID: true}
	a := &advisory.Advisory{
		Source: p.source, ID: w.ID, Summary: w.Summary, Details: w.Details, Malicious: w.Malicious,
		Aliases: identifiers(w.Aliases, seen), Related: identifiers(w.Related, seen),
		CWEs: (&databaseSpecific{CWEIDs: looseWords(w.CWEs)}).cwes(), Severities: p.ownSeverities(w.Severity),
	}
	for i, url := range w.References {
		if i == 0 {
			a.URL = url
		}
		a.References = append(a.References, advisory.Reference{Type: "WEB", URL: url})
	}
	for _, d := range []struct {
		name, text string
		to         *time.Time
	}{{"published", w.Published, &a.Published}, {"modified", w.Modified, &a.Modified}, {"withdrawn", w.Withdrawn, &a.Withdrawn}} {
		var err error
		if *d.to, err = readTime(d.text); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	for i := range w.Packages {
		c, err := p.ownClaim(&w.Packages[i])
		if err != nil {
			return nil, fmt.Errorf("package %d: %w", i+1, err)
		}
		a.Affected = append(a.Affected, c)
	}
	return a, nil
}

// known reports keys of an advisory or its packages that do not exist.
func known(n *yaml.Node, keys ...string) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !slices.Contains(keys, k.Value) {
			return fmt.Errorf("line %d: there is no %q", k.Line, short(k.Value))
		}
		if k.Value != "packages" {
			continue
		}
		for _, e := range v.Content {
			if e.Kind != yaml.MappingNode {
				return fmt.Errorf("line %d: a package was expected", e.Line)
			}
			if err := known(e, "purl", "ecosystem", "name", "affected", "versions", "fixed", "status", "arches", "severity", "note"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) ownSeverities(in words) []advisory.Severity {
	var out []advisory.Severity
	for _, s := range in {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, severity(p.speaker, "", short(s)))
		}
	}
	return out
}

func (p *parser) ownClaim(w *ownPackage) (advisory.Affected, error) {
	c, err := ownKey(w)
	if err != nil {
		return c, err
	}
	c.Arches, c.Note, c.Severities = w.Arches, w.Note, p.ownSeverities(w.Severity)
	for _, v := range slices.Concat(w.Versions, w.Fixed) {
		if _, err := version.Parse(c.Scheme, v); err != nil {
			return c, err
		}
	}
	c.Versions = w.Versions
	if len(w.Affected) > 0 {
		c.Requirement = strings.Join(w.Affected, " || ")
		if _, err := version.ParseRange(c.Scheme, c.Requirement); err != nil {
			return c, err
		}
	}
	p.versions = nil
	p.fix(&c, w.Fixed)
	switch w.Status {
	case "":
		if len(w.Fixed) == 0 {
			c.Fix.State = advisory.FixUnknown
		}
	case "not-fixed", "wont-fix", "deferred", "end-of-life", "workaround":
		if len(w.Fixed) > 0 {
			return c, fmt.Errorf("it is fixed in %s and has the status %q", w.Fixed[0], w.Status)
		}
		c.Fix.State = advisory.FixState(w.Status)
	case "not-affected":
		c.Status = advisory.StatusNotAffected
	default:
		return c, fmt.Errorf("there is no status %q", short(w.Status))
	}
	if len(w.Fixed) > 0 && c.Requirement == "" && len(c.Versions) == 0 {
		if len(w.Fixed) > 1 {
			return c, errors.New("with several fixed versions it must say which are affected")
		}
		c.Intervals = []advisory.Interval{{Fixed: w.Fixed[0]}}
	}
	return c, nil
}

// ownKey finds out which package is meant.
func ownKey(w *ownPackage) (c advisory.Affected, err error) {
	ecosystem, name := w.Ecosystem, w.Name
	switch {
	case w.PURL != "":
		if ecosystem != "" || name != "" {
			return c, errors.New("a package is named by a purl, or by ecosystem and name, not both")
		}
		pkg, err := inventory.ParsePURL(w.PURL)
		if err != nil {
			return c, err
		}
		if pkg.Version != "" {
			return c, fmt.Errorf("%s: the version belongs under \"affected\" or \"versions\"", w.PURL)
		}
		ecosystem, name = pkg.Type, pkg.Name
		switch {
		case pkg.OS():
			id, release, _ := strings.Cut(pkg.Distro, ":")
			stream, ok := advisory.DistroStream(id, release, release)
			if !ok {
				return c, fmt.Errorf("%s: which release of which distribution? Say ?distro=debian-12", w.PURL)
			}
			c.Stream, c.Names = stream, advisory.Either
		case pkg.Type == "maven":
			name = pkg.Namespace + ":" + name
		case pkg.Namespace != "":
			name = pkg.Namespace + "/" + name
		}
		if c.Stream == "" {
			c.Stream = pkg.Type
		}
	case ecosystem == "" || name == "":
		return c, errors.New("a package needs a purl, or ecosystem and name")
	default:
		stream, repository, ok := advisory.OSVStream(ecosystem)
		if !ok {
			return c, fmt.Errorf("the ecosystem %q is not known; write it as OSV does: \"npm\", \"PyPI\", \"Debian:12\"", short(ecosystem))
		}
		c.Stream, c.Repository = stream, repository
		if id, release, ok := strings.Cut(stream, ":"); ok {
			c.Names = advisory.Either
			if id == "debian" {
				c.Stream, _ = advisory.DistroStream(id, release, release)
			}
		}
	}
	var ok bool
	if c.Scheme, ok = version.SchemeOf(ecosystem); !ok {
		return c, fmt.Errorf("nobody knows how versions of %q are ordered", short(ecosystem))
	}
	c.Name = advisory.Name(c.Stream, name)
	return c, nil
}
