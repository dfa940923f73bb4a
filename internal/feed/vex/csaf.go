package vex

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// csafVEX is a CSAF 2.0 document, as far as the profile VEX goes (section 4.5).
type csafVEX struct {
	Document struct {
		Publisher struct {
			Name string `json:"name"`
		} `json:"publisher"`
		Tracking struct {
			ID      string `json:"id"`
			Current string `json:"current_release_date"`
			Initial string `json:"initial_release_date"`
		} `json:"tracking"`
	} `json:"document"`
	Tree struct {
		Branches      []csafBranch  `json:"branches"`
		Products      []csafProduct `json:"full_product_names"`
		Relationships []struct {
			Product   csafProduct `json:"full_product_name"`
			Component string      `json:"product_reference"`
			Platform  string      `json:"relates_to_product_reference"`
		} `json:"relationships"`
		Groups []struct {
			ID       string   `json:"group_id"`
			Products []string `json:"product_ids"`
		} `json:"product_groups"`
	} `json:"product_tree"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities"`
}

type csafVulnerability struct {
	CVE string `json:"cve"`
	IDs []struct {
		Text string `json:"text"`
	} `json:"ids"`
	Status struct {
		Affected      []string `json:"known_affected"`
		NotAffected   []string `json:"known_not_affected"`
		Fixed         []string `json:"fixed"`
		FirstFixed    []string `json:"first_fixed"`
		FirstAffected []string `json:"first_affected"`
		LastAffected  []string `json:"last_affected"`
		Investigating []string `json:"under_investigation"`
	} `json:"product_status"`
	Flags []struct {
		Label string `json:"label"`
		csafAmong
	} `json:"flags"`
	Threats []struct {
		Category string `json:"category"`
		Details  string `json:"details"`
		csafAmong
	} `json:"threats"`
	Remediations []struct {
		Details string `json:"details"`
		csafAmong
	} `json:"remediations"`
}

type csafAmong struct {
	Products []string `json:"product_ids"`
	Groups   []string `json:"group_ids"`
}

type csafBranch struct {
	Product  *csafProduct `json:"product"`
	Branches []csafBranch `json:"branches"`
}

type csafProduct struct {
	ID     string `json:"product_id"`
	Name   string `json:"name"`
	Helper struct {
		PURL   string `json:"purl"`
		CPE    string `json:"cpe"`
		Hashes []struct {
			Files []struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"file_hashes"`
		} `json:"hashes"`
	} `json:"product_identification_helper"`
}

func (p *csafProduct) products() []string {
	var id identity
	id.add(p.Helper.PURL)
	id.add(p.Helper.CPE)
	for _, h := range p.Helper.Hashes {
		for _, f := range h.Files {
			id.hash(f.Algorithm, f.Value)
		}
	}
	if p.Name != "" {
		id.others = append(id.others, p.Name)
	} else {
		id.others = append(id.others, p.ID)
	}
	return id.products()
}

// csafTree finds products.
type csafTree struct {
	products map[string]*csafProduct
	parts    map[string][2]string // component, platform
	groups   map[string][]string
	draft    *draft
}

func (x *csafVEX) tree(d *draft) *csafTree {
	t := &csafTree{map[string]*csafProduct{}, map[string][2]string{}, map[string][]string{}, d}
	t.branches(x.Tree.Branches)
	for i := range x.Tree.Products {
		t.products[x.Tree.Products[i].ID] = &x.Tree.Products[i]
	}
	for _, r := range x.Tree.Relationships {
		t.parts[r.Product.ID] = [2]string{r.Component, r.Platform}
	}
	for _, g := range x.Tree.Groups {
		t.groups[g.ID] = g.Products
	}
	return t
}

func (t *csafTree) branches(bs []csafBranch) {
	for i := range bs {
		if p := bs[i].Product; p != nil {
			t.products[p.ID] = p
		}
		t.branches(bs[i].Branches)
	}
}

func (t *csafTree) all(a csafAmong) []string {
	out := slices.Clone(a.Products)
	for _, g := range a.Groups {
		if !t.draft.spend(len(t.groups[g])) {
			break
		}
		out = append(out, t.groups[g]...)
	}
	return out
}

// resolve gives a product and, where it is a part of another, that one.
func (t *csafTree) resolve(id string) (part, platform *csafProduct) {
	pair, ok := t.parts[id]
	if !ok {
		return t.products[id], nil
	}
	part = t.products[pair[0]]
	for range 10 {
		if platform = t.products[pair[1]]; platform != nil {
			return part, platform
		}
		if pair, ok = t.parts[pair[1]]; !ok {
			break
		}
	}
	return nil, nil
}

func (x *csafVEX) statements(d *draft) {
	t := x.tree(d)
	base := advisory.Statement{
		Document: x.Document.Tracking.ID, Author: x.Document.Publisher.Name,
		Time: newest(x.Document.Tracking.Current, x.Document.Tracking.Initial),
	}
	if base.Document == "" {
		d.problem("it has no identifier (document.tracking.id)")
		return
	}
	for i := range x.Vulnerabilities {
		v := &x.Vulnerabilities[i]
		base.Vulnerability, base.Aliases = v.CVE, nil
		for _, id := range v.IDs {
			if s := id.Text; strings.ContainsAny(s, "0123456789") && strings.Contains(s, "-") && !strings.ContainsAny(s, " /") {
				base.Aliases = append(base.Aliases, s)
			}
		}
		if base.Vulnerability == "" && len(base.Aliases) > 0 {
			base.Vulnerability = base.Aliases[0]
		}
		why := t.reasons(v)
		s := &v.Status
		for _, of := range []struct {
			status string
			ids    []string
		}{
			{notAffected, s.NotAffected}, {fixed, s.Fixed}, {fixed, s.FirstFixed}, {affected, s.Affected},
			{affected, s.FirstAffected}, {affected, s.LastAffected}, {investigating, s.Investigating},
		} {
			t.state(d, base, of.status, of.ids, why)
		}
	}
}

// reason is what is said of one product besides its status.
type reason struct{ justification, impact, action string }

func (t *csafTree) reasons(v *csafVulnerability) map[string]reason {
	out := map[string]reason{}
	for _, f := range v.Flags {
		for _, id := range t.all(f.csafAmong) {
			r := out[id]
			r.justification = f.Label
			out[id] = r
		}
	}
	for _, f := range v.Threats {
		if f.Category == "impact" {
			for _, id := range t.all(f.csafAmong) {
				r := out[id]
				r.impact = f.Details
				out[id] = r
			}
		}
	}
	for _, f := range v.Remediations {
		for _, id := range t.all(f.csafAmong) {
			r := out[id]
			if r.action == "" {
				r.action = f.Details
			}
			out[id] = r
		}
	}
	return out
}

// state makes the statements of one status: products with the same reasons
// together, and the parts of one platform together. A part counts only within
// its platform.
func (t *csafTree) state(d *draft, base advisory.Statement, status string, ids []string, why map[string]reason) {
	type key struct {
		reason
		platform string
	}
	groups := map[key]*advisory.Statement{}
	var order []key
	for _, id := range ids {
		part, platform := t.resolve(id)
		if part == nil {
			d.problem("the statement about %s: the product %s is not defined", shorten(base.Vulnerability), shorten(id))
			continue
		}
		k := key{reason: why[id]}
		if status != affected {
			k.action = ""
		}
		if platform != nil {
			k.platform = platform.ID
		}
		s := groups[k]
		if s == nil {
			c := base
			c.Status, c.Justification, c.Impact, c.Action = status, k.justification, k.impact, k.action
			justify(&c)
			if platform != nil {
				c.Products = platform.products()
			}
			s = &c
			groups[k] = s
			order = append(order, k)
		}
		if platform != nil {
			s.Subcomponents = append(s.Subcomponents, part.products()...)
		} else {
			s.Products = append(s.Products, part.products()...)
		}
	}
	for _, k := range order {
		d.add(*groups[k])
	}
}
