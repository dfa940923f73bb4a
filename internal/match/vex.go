package match

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// ApplyStatements suppresses findings that a VEX statement says are not there
// (not_affected, fixed), and records of every statement what it matched or
// why nothing. Of several statements about one finding the newest counts.
func ApplyStatements(s *Scan, statements []advisory.Statement) {
	order := slices.Clone(statements)
	slices.SortStableFunc(order, func(a, b advisory.Statement) int { return a.Time.Compare(b.Time) })
	byID := map[string][]int{}
	for i := range s.Findings {
		f := &s.Findings[i]
		byID[f.ID] = append(byID[f.ID], i)
		for _, alias := range f.Aliases {
			byID[alias] = append(byID[alias], i)
		}
	}
	canonical := map[int]*inventory.Package{} // packages as a package URL names them, by index
	said := map[int]bool{}                    // findings that a statement suppressed
	for _, st := range order {
		r := StatementResult{Statement: st}
		var about []int
		for _, id := range append([]string{st.Vulnerability}, st.Aliases...) {
			about = append(about, byID[id]...)
		}
		slices.Sort(about)
		about = slices.Compact(about)
		products := readProducts(&st)
		for _, i := range about {
			f := &s.Findings[i]
			p := s.Package(f)
			c := canonical[f.Package]
			if c == nil {
				c = canonicalPackage(p)
				canonical[f.Package] = c
			}
			if !products.speakOf(s.Image, p, c) {
				continue
			}
			r.Matched++
			switch st.Status {
			case "not_affected", "fixed":
				if f.Suppressed == "" || said[i] {
					f.Suppressed = vexReason(&st)
					said[i] = true
				}
			default:
				if said[i] {
					f.Suppressed = ""
					said[i] = false
				}
			}
		}
		switch {
		case r.Matched > 0:
			r.Message = fmt.Sprintf("%s: %d findings", st.Status, r.Matched)
			if r.Matched == 1 {
				r.Message = st.Status + ": 1 finding"
			}
		case len(about) > 0:
			r.Message = "the vulnerability was found, but in none of the products that the statement names"
		default:
			r.Message = "the vulnerability was not found in the image"
		}
		s.VEX = append(s.VEX, r)
	}
}

func vexReason(st *advisory.Statement) string {
	out := "VEX " + st.Status
	if st.Justification != "" {
		out += " (" + st.Justification + ")"
	}
	if st.Author != "" {
		out += " by " + st.Author
	}
	return out
}

// product is a product of a statement, read once.
type product struct {
	text string
	purl *inventory.Package // nil: it is no package URL
}

// products are those of a statement.
type products struct{ whole, parts []product }

func readProducts(st *advisory.Statement) products {
	read := func(texts []string) []product {
		out := make([]product, 0, len(texts))
		for _, t := range texts {
			p := product{text: t}
			if strings.HasPrefix(t, "pkg:") {
				if q, err := inventory.ParsePURL(t); err == nil {
					p.purl = &q
				}
			}
			out = append(out, p)
		}
		return out
	}
	return products{read(st.Products), read(st.Subcomponents)}
}

// canonicalPackage is a package with names as its package URL has them: nobody
// writes "PyYAML" the way its metadata does.
func canonicalPackage(p *inventory.Package) *inventory.Package {
	if c, err := inventory.ParsePURL(p.PURL()); err == nil {
		return &c
	}
	return p
}

// speakOf reports whether a statement's products are the package, or the
// image with the package among the subcomponents (or with none named). c is
// the package in canonical form.
func (ps products) speakOf(img *inventory.Image, p, c *inventory.Package) bool {
	for i := range ps.whole {
		if ps.whole[i].isPackage(p, c) {
			return true
		}
		if !productIsImage(ps.whole[i].text, img) {
			continue
		}
		if len(ps.parts) == 0 {
			return true
		}
		for k := range ps.parts {
			if ps.parts[k].isPackage(p, c) {
				return true
			}
		}
	}
	return false
}

// isPackage compares a purl, a CPE or a bare name with a package. A purl
// without version means every version; without a qualifier, any value of it.
// One of the architecture "src" or "source" names a source package.
func (pr *product) isPackage(p, c *inventory.Package) bool {
	if strings.HasPrefix(pr.text, "cpe:") {
		return slices.Contains(p.CPEs, pr.text)
	}
	if !strings.HasPrefix(pr.text, "pkg:") {
		return pr.text == p.Name
	}
	q := pr.purl
	if q == nil || q.Type != c.Type || q.Namespace != "" && c.Namespace != "" && q.Namespace != c.Namespace ||
		q.Namespace != "" && c.Namespace == "" && !c.OS() || q.Distro != "" && p.Distro != "" && q.Distro != p.Distro {
		return false
	}
	if c.OS() && (q.Arch == "src" || q.Arch == "source") {
		return q.Name == cmp.Or(c.Source, c.Name) && (q.Version == "" || q.Version == cmp.Or(c.SourceVersion, c.Version))
	}
	return q.Name == c.Name && (q.Version == "" || q.Version == c.Version) && (q.Arch == "" || q.Arch == c.Arch)
}

// productIsImage compares a product with the image: its digests, its
// reference, or a pkg:oci purl.
func productIsImage(product string, img *inventory.Image) bool {
	if product == "" {
		return false
	}
	if strings.HasPrefix(product, "pkg:oci/") || strings.HasPrefix(product, "pkg:docker/") {
		q, err := inventory.ParsePURL(product)
		if err != nil {
			return false
		}
		name, tag := splitReference(img.Reference)
		if strings.Contains(q.Version, ":") { // a digest says all
			return q.Version == string(img.Digest) || q.Version == string(img.IndexDigest)
		}
		if u := strings.Trim(strings.ToLower(q.Qualifiers["repository_url"]), "/"); u != "" && name != u && name != u+"/"+q.Name && !strings.HasSuffix(name, "/"+u) && !strings.HasSuffix(name, "/"+u+"/"+q.Name) {
			return false
		}
		if want := cmp.Or(q.Version, q.Qualifiers["tag"]); want != "" && want != tag {
			return false
		}
		if q.Namespace != "" && !strings.HasSuffix(name, q.Namespace+"/"+q.Name) {
			return false
		}
		return q.Name == name[strings.LastIndexByte(name, '/')+1:]
	}
	return product == img.Reference || product == string(img.Digest) || product == string(img.IndexDigest) || product == string(img.ConfigDigest) ||
		img.Digest != "" && strings.HasSuffix(product, "@"+string(img.Digest))
}

// splitReference cuts a reference into its repository and its tag.
func splitReference(reference string) (name, tag string) {
	name, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
	}
	return strings.ToLower(name), tag
}
