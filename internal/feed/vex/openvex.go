package vex

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// openVEX is a document of OpenVEX 0.2.0, or of 0.0.1, where vulnerabilities
// and products are strings and subcomponents stand beside the products.
type openVEX struct {
	ID         string `json:"@id"`
	Author     string `json:"author"`
	Time       string `json:"timestamp"`
	Updated    string `json:"last_updated"`
	Statements []struct {
		Vulnerability openVulnerability `json:"vulnerability"`
		Products      []openProduct     `json:"products"`
		Subcomponents []openProduct     `json:"subcomponents"`
		Status        string            `json:"status"`
		Justification string            `json:"justification"`
		Impact        string            `json:"impact_statement"`
		Action        string            `json:"action_statement"`
		Notes         string            `json:"status_notes"`
		Time          string            `json:"timestamp"`
		Updated       string            `json:"last_updated"`
	} `json:"statements"`

	subject []string // digests that an attestation is about
}

type openVulnerability struct {
	ID      string   `json:"@id"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
}

func (v *openVulnerability) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.Name)
	}
	type plain openVulnerability
	return json.Unmarshal(b, (*plain)(v))
}

type openProduct struct {
	ID            string            `json:"@id"`
	Identifiers   map[string]string `json:"identifiers"`
	Hashes        map[string]string `json:"hashes"`
	Subcomponents []openProduct     `json:"subcomponents"`
}

func (p *openProduct) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &p.ID)
	}
	type plain openProduct
	return json.Unmarshal(b, (*plain)(p))
}

func (p *openProduct) products() []string {
	var id identity
	id.add(p.ID)
	for _, kind := range []string{"purl", "cpe23", "cpe22"} {
		if s := p.Identifiers[kind]; s != "" {
			id.add(s)
		}
	}
	for _, algorithm := range []string{"sha-256", "sha256", "sha-512", "sha512"} {
		if s := p.Hashes[algorithm]; s != "" {
			id.hash(algorithm, s)
		}
	}
	return unique(id.products())
}

func (x *openVEX) statements(d *draft) {
	for i := range x.Statements {
		st := &x.Statements[i]
		base := advisory.Statement{
			Document: x.ID, Author: x.Author, Vulnerability: st.Vulnerability.Name, Aliases: st.Vulnerability.Aliases,
			Status: st.Status, Justification: st.Justification, Impact: st.Impact, Action: st.Action,
			Time: newest(st.Time, st.Updated),
		}
		if base.Time.IsZero() {
			base.Time = newest(x.Time, x.Updated)
		}
		if base.Vulnerability == "" {
			// An address of the vulnerability ends in its name.
			base.Vulnerability = st.Vulnerability.ID[strings.LastIndexByte(st.Vulnerability.ID, '/')+1:]
		}
		if base.Impact == "" {
			base.Impact = st.Notes
		}
		justify(&base)
		var common []string
		for k := range st.Subcomponents {
			common = append(common, st.Subcomponents[k].products()...)
		}
		products := st.Products
		if len(products) == 0 && len(x.subject) > 0 {
			s := base
			s.Products, s.Subcomponents = x.subject, common
			d.add(s)
			continue
		}
		// Products whose subcomponents are the same make one statement.
		groups := map[string]*advisory.Statement{}
		var order []string
		common = unique(common)
		every := strings.Join(common, "\x00")
		for k := range products {
			subs, key := common, every
			if own := products[k].Subcomponents; len(own) > 0 {
				subs = slices.Clone(common)
				for n := range own {
					subs = append(subs, own[n].products()...)
				}
				if !d.spend(len(subs)) {
					return
				}
				key = strings.Join(subs, "\x00")
			}
			g := groups[key]
			if g == nil {
				s := base
				s.Subcomponents = subs
				g = &s
				groups[key] = g
				order = append(order, key)
			}
			g.Products = append(g.Products, products[k].products()...)
		}
		if len(order) == 0 {
			d.add(base)
		}
		for _, key := range order {
			d.add(*groups[key])
		}
	}
}

// justify keeps a justification if it is one of OpenVEX's words; any other
// text is part of the explanation.
func justify(s *advisory.Statement) {
	switch s.Justification {
	case "", "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
		"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist":
		return
	}
	s.Impact = strings.TrimSuffix(s.Justification+": "+s.Impact, ": ")
	s.Justification = ""
}

// attested is an in-toto statement about images whose predicate is OpenVEX.
// Its signature, if it had one, is not looked at here.
type attested struct {
	Subject []struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	Predicate openVEX `json:"predicate"`
}

func (x *attested) statements(d *draft) {
	for _, s := range x.Subject {
		if hex := s.Digest["sha256"]; hex != "" {
			x.Predicate.subject = append(x.Predicate.subject, fmt.Sprintf("sha256:%s", strings.ToLower(hex)))
		}
	}
	x.Predicate.statements(d)
}
