package vex

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// cycloneDX is a CycloneDX document in JSON (1.4 to 1.6) with vulnerabilities
// that somebody analysed. Vulnerabilities without an analysis are findings, no
// statements.
type cycloneDX struct {
	Serial   string      `json:"serialNumber"`
	Version  json.Number `json:"version"`
	Metadata struct {
		Time      string        `json:"timestamp"`
		Authors   []cdxParty    `json:"authors"`
		Maker     cdxParty      `json:"manufacturer"`
		OldMaker  cdxParty      `json:"manufacture"`
		Supplier  cdxParty      `json:"supplier"`
		Component *cdxComponent `json:"component"`
	} `json:"metadata"`
	Components []cdxComponent `json:"components"`
	Services   []cdxComponent `json:"services"`

	Vulnerabilities []struct {
		ID         string `json:"id"`
		References []struct {
			ID string `json:"id"`
		} `json:"references"`
		Published      string `json:"published"`
		Updated        string `json:"updated"`
		Recommendation string `json:"recommendation"`
		Workaround     string `json:"workaround"`
		Analysis       *struct {
			State         string `json:"state"`
			Justification string `json:"justification"`
			Detail        string `json:"detail"`
			First         string `json:"firstIssued"`
			Last          string `json:"lastUpdated"`
		} `json:"analysis"`
		Affects []struct {
			Ref      string      `json:"ref"`
			Versions cdxVersions `json:"versions"`
		} `json:"affects"`
	} `json:"vulnerabilities"`

	boms bomIndex
}

type cdxParty struct {
	Name string `json:"name"`
}

type cdxComponent struct {
	Ref     string `json:"bom-ref"`
	Type    string `json:"type"`
	Group   string `json:"group"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	CPE     string `json:"cpe"`
	Hashes  []struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	} `json:"hashes"`
	Components []cdxComponent `json:"components"`
	Services   []cdxComponent `json:"services"`
}

type cdxVersion struct {
	Version string `json:"version"`
	Range   string `json:"range"`
	Status  string `json:"status"`
}

// cdxVersions is a list; some writers leave the brackets out for one.
type cdxVersions []cdxVersion

func (v *cdxVersions) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		*v = make(cdxVersions, 1)
		return json.Unmarshal(b, &(*v)[0])
	}
	return json.Unmarshal(b, (*[]cdxVersion)(v))
}

func (c *cdxComponent) identity() identity {
	var id identity
	id.add(c.PURL)
	id.add(c.CPE)
	if c.Type == "container" {
		for _, h := range c.Hashes {
			id.hash(h.Algorithm, h.Content)
		}
	}
	if c.Name != "" {
		name := c.Name
		if c.Group != "" {
			name = c.Group + "/" + name
		}
		if c.Version != "" {
			// Not the name alone, which other versions have too.
			name = "pkg:generic/" + url.PathEscape(name) + "@" + url.PathEscape(c.Version)
		}
		id.others = append(id.others, name)
	}
	return id
}

// bomIndex holds the components of documents: by serial number without
// "urn:uuid:", then by bom-ref.
type bomIndex map[string]map[string]*cdxComponent

// add takes a document in, if it is CycloneDX with a serial number.
func (ix bomIndex) add(b []byte) {
	if nesting(b) > maxNesting {
		return
	}
	var x cycloneDX
	if json.Unmarshal(b, &x) != nil || x.Serial == "" {
		return
	}
	refs := x.refs()
	if len(refs) > 0 {
		ix[serial(x.Serial)] = refs
	}
}

func serial(s string) string { return strings.ToLower(strings.TrimPrefix(s, "urn:uuid:")) }

func (x *cycloneDX) refs() map[string]*cdxComponent {
	out := map[string]*cdxComponent{}
	var walk func([]cdxComponent)
	walk = func(cs []cdxComponent) {
		for i := range cs {
			c := &cs[i]
			if c.Ref != "" && out[c.Ref] == nil {
				out[c.Ref] = c
			}
			walk(c.Components)
			walk(c.Services)
		}
	}
	if c := x.Metadata.Component; c != nil {
		if c.Ref != "" {
			out[c.Ref] = c
		}
		walk(c.Components)
	}
	walk(x.Components)
	walk(x.Services)
	return out
}

func (x *cycloneDX) statements(d *draft) {
	refs := x.refs()
	document := x.Serial
	if document != "" && x.Version != "" {
		document += "/" + x.Version.String()
	}
	author := x.Metadata.Maker.Name
	if len(x.Metadata.Authors) > 0 {
		author = x.Metadata.Authors[0].Name
	}
	for _, alternative := range []string{x.Metadata.Supplier.Name, x.Metadata.OldMaker.Name} {
		if author == "" {
			author = alternative
		}
	}
	var image []string // what the document is about, if that is an image
	if c := x.Metadata.Component; c != nil {
		if id := c.identity(); c.Type == "container" || id.isImage() {
			if ps := id.products(); len(id.purls)+len(id.hashes) > 0 {
				image = ps
			}
		}
	}
	for i := range x.Vulnerabilities {
		v := &x.Vulnerabilities[i]
		if v.Analysis == nil || v.Analysis.State == "" {
			continue
		}
		base := advisory.Statement{
			Document: document, Author: author, Vulnerability: v.ID, Impact: v.Analysis.Detail,
			Time: newest(v.Analysis.Last, v.Analysis.First),
		}
		if base.Time.IsZero() {
			base.Time = newest(v.Updated, x.Metadata.Time)
		}
		for _, r := range v.References {
			base.Aliases = append(base.Aliases, r.ID)
		}
		status, ok := cdxStatus(v.Analysis.State)
		if !ok {
			d.problem("the statement about %s: the state %s is not known", shorten(v.ID), shorten(v.Analysis.State))
			continue
		}
		if len(v.Affects) == 0 {
			d.problem("the statement about %s names no product", shorten(v.ID))
			continue
		}
		if v.Analysis.State == "false_positive" && base.Impact == "" {
			base.Impact = "false positive"
		}
		reason, why := cdxJustification(v.Analysis.Justification)
		if why != "" {
			base.Impact = strings.TrimSuffix(why+": "+base.Impact, ": ")
		}
		for _, a := range v.Affects {
			id := x.resolve(a.Ref, refs)
			for _, said := range byVersion(id, a.Versions, status) {
				s := base
				s.Status = said.status
				switch said.status {
				case notAffected:
					s.Justification = reason
				case affected:
					s.Action = v.Recommendation
					if s.Action == "" {
						s.Action = v.Workaround
					}
				}
				s.Products = said.products
				if c := x.Metadata.Component; image != nil && (c.Ref == "" || a.Ref != c.Ref) {
					s.Products, s.Subcomponents = image, said.products
				}
				d.add(s)
			}
		}
	}
}

// resolve finds what an affected product is: a bom-ref of this document, a
// BOM-Link ("urn:cdx:SERIAL/VERSION#BOM-REF"), or a package URL.
func (x *cycloneDX) resolve(ref string, refs map[string]*cdxComponent) identity {
	if c := refs[ref]; c != nil {
		return c.identity()
	}
	var id identity
	if link, ok := strings.CutPrefix(ref, "urn:cdx:"); ok {
		doc, fragment, _ := strings.Cut(link, "#")
		uuid, _, _ := strings.Cut(doc, "/")
		if f, err := url.PathUnescape(fragment); err == nil {
			for _, part := range []string{fragment, f} {
				c := x.boms[strings.ToLower(uuid)][part]
				if c == nil && x.Serial != "" && serial(x.Serial) == strings.ToLower(uuid) {
					c = refs[part]
				}
				if c != nil {
					return c.identity()
				}
			}
		}
		// Escapes of the link itself are told from those of the package URL
		// by its beginning.
		if strings.HasPrefix(fragment, "pkg:") {
			id.add(fragment)
		} else if f, err := url.PathUnescape(fragment); err == nil && strings.HasPrefix(f, "pkg:") {
			id.add(f)
		}
		if len(id.purls) > 0 {
			return id
		}
		id.others = []string{ref}
		return id
	}
	id.add(ref)
	if len(id.others) > 0 {
		// The name of nothing: it must not match a package that happens to
		// have it.
		id.others = []string{"bom-ref:" + ref}
	}
	return id
}

// ofStatus are products of one status.
type ofStatus struct {
	status   string
	products []string
}

// byVersion gives the products of a component by their status: itself, or, if
// versions are listed, each of these. A range of versions makes a product that
// no package equals.
func byVersion(id identity, versions cdxVersions, status string) []ofStatus {
	all := id.products()
	if len(versions) == 0 {
		return []ofStatus{{status, all}}
	}
	var out []ofStatus
	for _, v := range versions {
		of := status
		switch v.Status {
		case "affected":
			of = affected
		case "unaffected":
			if of == affected || of == investigating {
				of = notAffected
			}
		case "unknown":
			of = investigating
		}
		what := v.Version
		if what == "" {
			what = v.Range
		}
		i := slices.IndexFunc(out, func(s ofStatus) bool { return s.status == of })
		if i < 0 {
			i = len(out)
			out = append(out, ofStatus{status: of})
		}
		for _, p := range all {
			out[i].products = append(out[i].products, withVersion(p, what))
		}
	}
	return out
}

// before is a package URL without qualifiers and subpath.
func before(purl string) string {
	purl, _, _ = strings.Cut(purl, "?")
	purl, _, _ = strings.Cut(purl, "#")
	return purl
}

// withVersion puts a version into a package URL in place of its own; anything
// else gets it behind a space.
func withVersion(p, v string) string {
	if v == "" {
		return p
	}
	if !strings.HasPrefix(p, "pkg:") {
		return p + " " + v
	}
	head := before(p)
	tail := p[len(head):]
	if i := strings.LastIndexByte(head, '@'); i > strings.LastIndexByte(head, '/') {
		head = head[:i]
	}
	return head + "@" + url.PathEscape(v) + tail
}

func cdxStatus(state string) (string, bool) {
	switch state {
	case "resolved", "resolved_with_pedigree":
		return fixed, true
	case "exploitable":
		return affected, true
	case "in_triage":
		return investigating, true
	case "not_affected", "false_positive":
		return notAffected, true
	}
	return "", false
}

// cdxJustification maps CycloneDX's words to OpenVEX's. why keeps those that
// say more than the word they are mapped to.
func cdxJustification(word string) (justification, why string) {
	switch word {
	case "":
		return "", ""
	case "code_not_present":
		return "vulnerable_code_not_present", ""
	case "code_not_reachable":
		return "vulnerable_code_not_in_execute_path", ""
	case "requires_configuration", "requires_dependency", "requires_environment":
		return "vulnerable_code_not_in_execute_path", word
	case "protected_by_compiler", "protected_at_runtime", "protected_at_perimeter", "protected_by_mitigating_control":
		return "inline_mitigations_already_exist", word
	}
	return "", word
}
