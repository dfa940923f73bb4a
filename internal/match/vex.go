package match

import (
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
	said := map[int]bool{} // findings that a statement suppressed
	for _, st := range order {
		r := StatementResult{Statement: st}
		byID := 0
		for i := range s.Findings {
			f := &s.Findings[i]
			if !sameVulnerability(f, &st) {
				continue
			}
			byID++
			if !speaksOf(&st, s.Image, s.Package(f)) {
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
		case byID > 0:
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

func sameVulnerability(f *Finding, st *advisory.Statement) bool {
	for _, id := range append([]string{st.Vulnerability}, st.Aliases...) {
		if f.ID == id || slices.Contains(f.Aliases, id) {
			return true
		}
	}
	return false
}

// speaksOf reports whether a statement's products are the package, or the
// image with the package among the subcomponents (or with none named).
func speaksOf(st *advisory.Statement, img *inventory.Image, p *inventory.Package) bool {
	for _, product := range st.Products {
		if productIsPackage(product, p) {
			return true
		}
		if !productIsImage(product, img) {
			continue
		}
		if len(st.Subcomponents) == 0 {
			return true
		}
		for _, sub := range st.Subcomponents {
			if productIsPackage(sub, p) {
				return true
			}
		}
	}
	return false
}

// productIsPackage compares a purl or CPE with a package. A purl without
// version means every version; without a qualifier, any value of it.
func productIsPackage(product string, p *inventory.Package) bool {
	if strings.HasPrefix(product, "cpe:") {
		return slices.Contains(p.CPEs, product)
	}
	if !strings.HasPrefix(product, "pkg:") {
		return product == p.Name
	}
	q, err := inventory.ParsePURL(product)
	if err != nil {
		return false
	}
	return q.Type == p.Type && q.Name == p.Name && (q.Namespace == p.Namespace || q.Namespace == "") &&
		(q.Version == "" || q.Version == p.Version) && (q.Arch == "" || q.Arch == p.Arch)
}

// productIsImage compares a product with the image: its digests, its
// reference, or a pkg:oci purl.
func productIsImage(product string, img *inventory.Image) bool {
	if product == "" {
		return false
	}
	if rest, ok := strings.CutPrefix(product, "pkg:oci/"); ok {
		name, tail, _ := strings.Cut(rest, "@")
		digest, _, _ := strings.Cut(tail, "?")
		digest = strings.ReplaceAll(digest, "%3A", ":")
		digest = strings.ReplaceAll(digest, "%3a", ":")
		if digest != "" {
			return digest == string(img.Digest) || digest == string(img.IndexDigest)
		}
		name, _, _ = strings.Cut(name, "?")
		return name == lastName(img.Reference)
	}
	return product == img.Reference || product == string(img.Digest) || product == string(img.IndexDigest) || product == string(img.ConfigDigest) ||
		img.Digest != "" && strings.HasSuffix(product, "@"+string(img.Digest))
}

func lastName(reference string) string {
	r := reference[strings.LastIndexByte(reference, '/')+1:]
	r, _, _ = strings.Cut(r, "@")
	r, _, _ = strings.Cut(r, ":")
	return r
}
