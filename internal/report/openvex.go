package report

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

type (
	vexDocument struct {
		Context    string         `json:"@context"`
		ID         string         `json:"@id"`
		Author     string         `json:"author"`
		Timestamp  string         `json:"timestamp"`
		Version    int            `json:"version"`
		Tooling    string         `json:"tooling"`
		Statements []vexStatement `json:"statements"`
	}
	vexStatement struct {
		Vulnerability vexVulnerability `json:"vulnerability"`
		Products      []vexProduct     `json:"products"`
		Status        string           `json:"status"`
		Notes         string           `json:"status_notes,omitempty"`
		Justification string           `json:"justification,omitempty"`
		Impact        string           `json:"impact_statement,omitempty"`
		Action        string           `json:"action_statement,omitempty"`
	}
	vexVulnerability struct {
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Aliases     []string `json:"aliases,omitempty"`
	}
	vexProduct struct {
		ID            string            `json:"@id"`
		Identifiers   map[string]string `json:"identifiers,omitempty"`
		Hashes        map[string]string `json:"hashes,omitempty"`
		Subcomponents []vexProduct      `json:"subcomponents,omitempty"`
	}
)

// writeOpenVEX writes OpenVEX 0.2.0. The product of a statement is the image,
// its subcomponents are the packages; where the image has no digest, the
// packages are the products. What counts is affected, unless the package's
// identity is a guess at less than even odds: under_investigation. What VEX
// statements or the owning package's distribution suppress is not_affected or
// fixed; what the owner's ignore rules suppress is affected all the same, with
// the rule's reason as the action. A scan without findings gives a document
// without statements, which readers take but the format's schema does not.
func (v *view) writeOpenVEX(w io.Writer) error {
	doc := vexDocument{
		Context: "https://openvex.dev/ns/v0.2.0", Author: orText(printable(v.o.Author), v.tool()),
		Timestamp: v.created().Format(time.RFC3339), Version: 1, Statements: []vexStatement{},
		Tooling: v.tool() + " " + v.toolVersion() + ", advisories of generation " + thousands(int(v.Generation)),
	}
	for _, u := range v.Unknowns {
		doc.Tooling += "; " + printable(u.String())
	}
	for _, a := range v.applied() {
		doc.Tooling += "; " + a.text
	}
	image := bom.ImagePURL(v.Image)
	index := map[string]int{}
	for i := range v.Findings {
		f := &v.Findings[i]
		p := v.Package(f)
		s := vexStatement{Vulnerability: vexVulnerability{Name: printable(f.ID), Description: printable(f.Summary)}}
		for _, a := range f.Aliases {
			if a = printable(a); !slices.Contains(s.Vulnerability.Aliases, a) {
				s.Vulnerability.Aliases = append(s.Vulnerability.Aliases, a)
			}
		}
		switch d := decide(f); d.kind {
		case affected:
			s.Status, s.Action = "affected", printable(advice(f, p))
		case doubtful:
			s.Status, s.Notes = "under_investigation", "The identity of the package is a guess; certainty "+certainty(f)+"."
		case mended:
			s.Status, s.Notes = "fixed", printable(f.Suppressed)
		case accepted:
			s.Status, s.Action = "affected", printable(advice(f, p)+" Accepted by the owner, "+f.Suppressed)
		case exempt:
			s.Status, s.Justification = "not_affected", d.justification
			if d.justification == "" { // either, not both
				s.Impact = printable(f.Suppressed)
			} else {
				s.Notes = printable(f.Suppressed)
			}
		}
		key := strings.Join([]string{f.ID, s.Status, s.Notes, s.Justification, s.Impact, s.Action}, "\x00")
		k, ok := index[key]
		if !ok {
			k = len(doc.Statements)
			index[key] = k
			if image != "" {
				s.Products = []vexProduct{vexImage(v.Image, image)}
			}
			doc.Statements = append(doc.Statements, s)
		}
		into := &doc.Statements[k].Products
		if image != "" {
			into = &doc.Statements[k].Products[0].Subcomponents
		}
		if c := vexPackage(p); !slices.ContainsFunc(*into, func(have vexProduct) bool { return have.ID == c.ID }) {
			*into = append(*into, c)
		}
	}
	text, err := toJSON(doc)
	if err != nil {
		return err
	}
	doc.ID = "urn:uuid:" + uuid("openvex", text)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(doc)
}

func vexImage(img *inventory.Image, purl string) vexProduct {
	out := vexProduct{ID: purl, Identifiers: map[string]string{"purl": purl}}
	if hex, ok := strings.CutPrefix(string(img.Digest), "sha256:"); ok {
		out.Hashes = map[string]string{"sha-256": hex}
	}
	return out
}

func vexPackage(p *inventory.Package) vexProduct {
	purl := p.PURL()
	if _, err := inventory.ParsePURL(purl); err != nil {
		return vexProduct{ID: "urn:uuid:" + uuid("package", p.ID(), p.Path, p.Inner)} // it has no name
	}
	return vexProduct{ID: purl, Identifiers: map[string]string{"purl": purl}}
}

// packagesOf are the indices of the packages of findings, each once.
func packagesOf(findings []match.Finding) []int {
	var out []int
	seen := map[int]bool{}
	for i := range findings {
		if k := findings[i].Package; !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
