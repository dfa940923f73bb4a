// Package vex reads documents in which somebody states whether a product is
// affected by a vulnerability (VEX): OpenVEX 0.2.0 and 0.0.1, CSAF 2.0 of the
// profile VEX, and CycloneDX. Applying statements to findings is left to
// others.
//
// A statement suppresses findings, so nothing is ever widened on the way: a
// product of a certain version that has no package URL does not become a name
// that all versions share, and a range of versions, which statements cannot
// express, becomes a product that is shown but matches nothing.
package vex

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of one document, besides [feed.MaxRecord] bytes.
const (
	maxStatements = 1_000_000
	maxNesting    = 200
	maxProducts   = 5_000_000 // identifiers in all statements
)

// The statuses, in OpenVEX's words.
const (
	notAffected   = "not_affected"
	affected      = "affected"
	fixed         = "fixed"
	investigating = "under_investigation"
)

// Read reads one document of any of the formats, told by its content. name
// stands for the document in messages, and where it has no identifier.
//
// Statements come in the order of the document; of several about the same
// vulnerability, products and subcomponents only the newest. A statement that
// makes no sense, such as one of an unknown status, is an error; the
// statements that do are returned with it.
func Read(r io.Reader, name string) ([]advisory.Statement, error) {
	b, err := io.ReadAll(io.LimitReader(r, feed.MaxRecord+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(b) > feed.MaxRecord {
		return nil, &feed.LimitError{What: name, Limit: "bytes of one document", Most: feed.MaxRecord}
	}
	statements, problems, err := parse(b, name, nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(problems) > 0 {
		return statements, fmt.Errorf("reading %s: %w", name, errors.Join(problems...))
	}
	return statements, nil
}

// document is one of the formats.
type document interface {
	statements(d *draft)
}

// parse reads a document. boms finds the components of other CycloneDX
// documents; it may be nil. problems are about single statements.
func parse(b []byte, name string, boms bomIndex) (out []advisory.Statement, problems []error, err error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	doc, err := detect(b, boms)
	if err != nil {
		return nil, nil, err
	}
	d := &draft{name: name, index: map[string]int{}}
	doc.statements(d)
	if d.over != nil {
		return nil, nil, d.over
	}
	return d.out, d.problems, nil
}

func detect(b []byte, boms bomIndex) (document, error) {
	if s := strings.ToLower(string(bytes.TrimSpace(b[:min(len(b), 100)]))); strings.HasPrefix(s, "<") {
		if strings.HasPrefix(s, "<!doctype html") || strings.HasPrefix(s, "<html") {
			return nil, errors.New("it is a web page, not a VEX document")
		}
		return nil, errors.New("it is XML; VEX documents are read as JSON only")
	}
	if n := nesting(b); n > maxNesting {
		return nil, &feed.LimitError{What: "it", Limit: "nested values", Most: maxNesting}
	}
	var head struct {
		Context   any             `json:"@context"`
		Format    string          `json:"bomFormat"`
		Document  json.RawMessage `json:"document"`
		Type      string          `json:"_type"`
		Predicate json.RawMessage `json:"predicate"`
		Kind      string          `json:"predicateType"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("it is no VEX document: %w", err)
	}
	switch {
	case head.Format == "CycloneDX":
		x := &cycloneDX{boms: boms}
		return x, decode(b, x)
	case strings.Contains(fmt.Sprint(head.Context), "openvex"):
		x := &openVEX{}
		return x, decode(b, x)
	case strings.HasPrefix(head.Type, "https://in-toto.io/Statement/") && strings.Contains(head.Kind, "openvex"):
		x := &attested{}
		return x, decode(b, x)
	case len(head.Document) > 0:
		x := &csafVEX{}
		return x, decode(b, x)
	}
	return nil, errors.New("it is no VEX document: neither OpenVEX, CSAF nor CycloneDX")
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	return nil
}

// nesting is how deep brackets nest.
func nesting(b []byte) int {
	deep, most, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case '{', '[':
			if !quoted {
				deep++
				most = max(most, deep)
			}
		case '}', ']':
			if !quoted {
				deep--
			}
		}
	}
	return most
}

// draft collects the statements of a document.
type draft struct {
	name     string
	out      []advisory.Statement
	index    map[string]int
	products int
	problems []error
	over     error // a limit that was exceeded
}

func (d *draft) problem(format string, args ...any) {
	if len(d.problems) < 100 {
		d.problems = append(d.problems, fmt.Errorf(format, args...))
	}
}

// spend counts identifiers of products; false: there are too many.
func (d *draft) spend(n int) bool {
	if d.products += n; d.products > maxProducts && d.over == nil {
		d.over = &feed.LimitError{What: "it", Limit: "products", Most: maxProducts}
	}
	return d.over == nil
}

// add takes a statement in, unless a newer one about the same is there.
func (d *draft) add(s advisory.Statement) {
	if d.over != nil {
		return
	}
	where := fmt.Sprintf("the statement about %s", shorten(s.Vulnerability))
	switch {
	case s.Vulnerability == "":
		d.problem("a statement names no vulnerability")
		return
	case len(s.Products) == 0:
		d.problem("%s names no product", where)
		return
	}
	switch s.Status {
	case notAffected, affected, fixed, investigating:
	default:
		d.problem("%s: the status %s is not known", where, shorten(s.Status))
		return
	}
	s.Source = sourceName
	s.Document = cmp.Or(s.Document, d.name)
	s.Products, s.Subcomponents = unique(s.Products), unique(s.Subcomponents)
	preferCVE(&s)
	key := s.Vulnerability + "\x00" + strings.Join(s.Products, "\x01") + "\x00" + strings.Join(s.Subcomponents, "\x01")
	if i, ok := d.index[key]; ok {
		if !s.Time.Before(d.out[i].Time) {
			d.out[i] = s
		}
		return
	}
	if !d.spend(len(s.Products) + len(s.Subcomponents)) {
		return
	}
	if len(d.out) >= maxStatements {
		d.over = &feed.LimitError{What: "it", Limit: "statements", Most: maxStatements}
		return
	}
	d.index[key] = len(d.out)
	d.out = append(d.out, s)
}

// preferCVE names a vulnerability by its CVE, as findings are, and keeps the
// document's own name among the aliases.
func preferCVE(s *advisory.Statement) {
	all := unique(append([]string{s.Vulnerability}, s.Aliases...))
	if i := slices.IndexFunc(all, advisory.IsCVE); i > 0 && !advisory.IsCVE(s.Vulnerability) {
		s.Vulnerability = all[i]
	}
	s.Aliases = slices.DeleteFunc(all, func(a string) bool { return a == s.Vulnerability })
	if len(s.Aliases) == 0 {
		s.Aliases = nil
	}
}

// unique drops doubles and empty strings; the order stays.
func unique(in []string) []string {
	var out []string
	seen := make(map[string]bool, len(in))
	for _, s := range in {
		if s = strings.TrimSpace(s); s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// identity is what a document knows of a product.
type identity struct {
	purls, cpes, hashes, others []string // hashes: "sha256:HEX"
}

// products gives the identifiers to compare with: those that say the most. A
// package URL without a version that has a digest beside it means that one
// artifact, not every version; names and addresses count where there is
// nothing better.
func (i *identity) products() []string {
	var exact, loose []string
	for _, p := range i.purls {
		if hasVersion(p) {
			exact = append(exact, p)
		} else {
			loose = append(loose, p)
		}
	}
	switch {
	case len(exact) > 0:
		return slices.Concat(exact, i.cpes, i.hashes)
	case len(i.hashes) > 0:
		return i.hashes
	case len(loose)+len(i.cpes) > 0:
		return append(loose, i.cpes...)
	}
	return i.others
}

// add sorts in an identifier of a kind that only its form tells.
func (i *identity) add(s string) {
	switch s = strings.TrimSpace(s); {
	case s == "":
	case strings.HasPrefix(s, "pkg:"):
		i.purls = append(i.purls, s)
	case strings.HasPrefix(s, "cpe:"):
		i.cpes = append(i.cpes, s)
	default:
		i.others = append(i.others, s)
	}
}

// hash adds a digest; algorithm is as any of the formats writes it.
func (i *identity) hash(algorithm, hex string) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(algorithm)) {
	case "sha256":
		i.hashes = append(i.hashes, "sha256:"+strings.ToLower(hex))
	case "sha512":
		i.hashes = append(i.hashes, "sha512:"+strings.ToLower(hex))
	}
}

func hasVersion(purl string) bool {
	purl, _, _ = strings.Cut(purl, "?")
	purl, _, _ = strings.Cut(purl, "#")
	return strings.Contains(purl[strings.LastIndexByte(purl, '/')+1:], "@")
}

// isImage reports whether an identity is that of a container image.
func (i *identity) isImage() bool {
	return slices.ContainsFunc(i.purls, func(p string) bool { return strings.HasPrefix(p, "pkg:oci/") || strings.HasPrefix(p, "pkg:docker/") })
}

// newest is the latest of several times, of which any may be missing or not
// readable.
func newest(times ...string) time.Time {
	var out time.Time
	for _, s := range times {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.After(out) && t.Year() > 1 {
			out = t
		}
	}
	return out.UTC()
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
