package bom

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

// The parts of SPDX 2.3 that we write, in the words of its JSON form.

const (
	spdxVersion  = "SPDX-2.3"
	spdxDocument = "SPDXRef-DOCUMENT"
	spdxImage    = "SPDXRef-Image"
	spdxSystem   = "SPDXRef-OperatingSystem"
	noAssertion  = "NOASSERTION"

	// Comment of the relationship between the image and a declared package.
	declaredComment = "declared: a lock file or manifest names it, nothing says it is installed"
)

type spdxHead struct {
	Version     string        `json:"spdxVersion"`
	DataLicense string        `json:"dataLicense"`
	ID          string        `json:"SPDXID"`
	Name        string        `json:"name"`
	Namespace   string        `json:"documentNamespace"`
	Creation    spdxCreation  `json:"creationInfo"`
	Describes   []string      `json:"documentDescribes"`
	Extracted   []spdxLicense `json:"hasExtractedLicensingInfos,omitempty"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID          string           `json:"SPDXID"`
	Name        string           `json:"name"`
	Version     string           `json:"versionInfo,omitempty"`
	Supplier    string           `json:"supplier,omitempty"`
	Download    string           `json:"downloadLocation"`
	Analyzed    bool             `json:"filesAnalyzed"`
	Checksums   []spdxChecksum   `json:"checksums,omitempty"`
	Homepage    string           `json:"homepage,omitempty"`
	SourceInfo  string           `json:"sourceInfo,omitempty"`
	Concluded   string           `json:"licenseConcluded"`
	Declared    string           `json:"licenseDeclared"`
	Copyright   string           `json:"copyrightText"`
	Summary     string           `json:"summary,omitempty"`
	Purpose     string           `json:"primaryPackagePurpose,omitempty"`
	External    []spdxExternal   `json:"externalRefs,omitempty"`
	Annotations []spdxAnnotation `json:"annotations,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxExternal struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxAnnotation struct {
	Annotator string `json:"annotator"`
	Date      string `json:"annotationDate"`
	Type      string `json:"annotationType"`
	Comment   string `json:"comment"`
}

type spdxLicense struct {
	ID   string `json:"licenseId"`
	Text string `json:"extractedText"`
	Name string `json:"name,omitempty"`
}

type spdxRelation struct {
	From    string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	To      string `json:"relatedSpdxElement"`
	Comment string `json:"comment,omitempty"`
}

// spdxWriter makes the parts of one document.
type spdxWriter struct {
	img     *inventory.Image
	catalog *catalog
	created string
	tool    string
	// Licences without an SPDX identifier: their text by reference. They
	// stand before the packages, so they are collected first.
	extracted map[string]string
}

func newSPDXWriter(img *inventory.Image, o Options) *spdxWriter {
	w := &spdxWriter{
		img: img, catalog: newCatalog(img),
		created:   cmp.Or(o.created(img), "1970-01-01T00:00:00Z"),
		tool:      "Tool: " + oneLine(o.tool()),
		extracted: make(map[string]string),
	}
	if o.ToolVersion != "" {
		w.tool += "-" + oneLine(o.ToolVersion)
	}
	for _, p := range w.catalog.packages {
		for _, l := range p.Licenses {
			w.license(l)
		}
	}
	return w
}

func (w *spdxWriter) head(o Options) spdxHead {
	name := cmp.Or(w.img.Reference, string(w.img.Digest), "image")
	h := spdxHead{
		Version: spdxVersion, DataLicense: "CC0-1.0", ID: spdxDocument, Name: name,
		Namespace: "https://tidewaiter.dev/spdx/" + idString(name) + "-" + documentID(w.img, w.catalog, o),
		Creation:  spdxCreation{w.created, []string{w.tool}},
		Describes: []string{spdxImage},
	}
	for _, id := range slices.Sorted(maps.Keys(w.extracted)) {
		h.Extracted = append(h.Extracted, spdxLicense{ID: id, Text: w.extracted[id], Name: strings.TrimPrefix(id, "LicenseRef-")})
	}
	return h
}

// license is the expression of a licence in this document, or "".
func (w *spdxWriter) license(l inventory.License) string {
	text := cmp.Or(strings.TrimSpace(l.Raw), l.Expression)
	switch {
	case validExpression(l.Expression):
		for _, id := range licenseRefs(l.Expression) {
			if _, ok := w.extracted[id]; !ok {
				w.extracted[id] = text
			}
		}
		return l.Expression
	case text == "":
		return ""
	}
	ref := spdx.Ref(text)
	for n := 2; ; n++ {
		if old, ok := w.extracted[ref]; !ok || old == text {
			break
		}
		ref = fmt.Sprintf("%s-%d", spdx.Ref(text), n)
	}
	w.extracted[ref] = text
	return ref
}

// licenses are the declared and the detected licences of a package.
func (w *spdxWriter) licenses(ls []inventory.License) (declared, concluded string) {
	var exprs [2][]string
	for _, l := range ls {
		if e := w.license(l); e != "" {
			k := 0
			if l.Source == detectedLicense {
				k = 1
			}
			if !slices.Contains(exprs[k], e) {
				exprs[k] = append(exprs[k], e)
			}
		}
	}
	declared, concluded = noAssertion, noAssertion
	if exprs[0] != nil {
		declared = conjunction(exprs[0])
	}
	if exprs[1] != nil {
		concluded = conjunction(exprs[1])
	}
	return declared, concluded
}

// readSPDXLicenses is the inverse of licenses, as far as there is one.
func readSPDXLicenses(declared, concluded string, extracted map[string]string) []inventory.License {
	var out []inventory.License
	add := func(expr, source string) {
		if text, ok := extracted[expr]; ok {
			if text = strings.TrimSpace(text); text != "" && text != expr && text != noAssertion {
				out = append(out, inventory.License{Raw: text, Source: source})
				return
			}
		}
		out = appendLicense(out, expr, source)
	}
	add(declared, declaredLicense)
	if concluded != declared {
		add(concluded, detectedLicense)
	}
	return out
}

// image, system and each package are elements of the document.

func (w *spdxWriter) image() (*spdxPackage, error) {
	p := &spdxPackage{
		ID: spdxImage, Name: cmp.Or(w.img.Reference, string(w.img.Digest), "image"), Version: string(w.img.Digest), Download: noAssertion,
		Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion, Purpose: "CONTAINER",
	}
	if hex, ok := strings.CutPrefix(string(w.img.Digest), "sha256:"); ok && validHash("sha256", hex) {
		p.Checksums = []spdxChecksum{{"SHA256", strings.ToLower(hex)}}
	}
	if purl := ImagePURL(w.img); purl != "" {
		p.External = []spdxExternal{{"PACKAGE-MANAGER", "purl", purl}}
	}
	props, err := imageProperties(w.img)
	if err != nil {
		return nil, err
	}
	p.Annotations, err = w.annotate(props)
	return p, err
}

func (w *spdxWriter) system() *spdxPackage {
	d := w.img.Distro
	if d == nil || d.ID == "" {
		return nil
	}
	p := &spdxPackage{
		ID: spdxSystem, Name: d.ID, Version: d.Version, Download: noAssertion, Summary: d.PrettyName,
		Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion, Purpose: "OPERATING_SYSTEM",
	}
	p.External = cpeReferences(nil, []string{d.CPE})
	return p
}

func (w *spdxWriter) pkg(i int) (*spdxPackage, error) {
	q := w.catalog.packages[i]
	p := &spdxPackage{ID: w.id(i), Name: fullName(q), Version: q.Version, Download: noAssertion, Copyright: noAssertion, Summary: q.Description}
	if p.Name == "" {
		p.Name = noAssertion
	}
	p.Declared, p.Concluded = w.licenses(q.Licenses)
	p.Supplier = spdxAgent(q.Supplier)
	props, err := packageProperties(q, w.catalog.purls[i], readSPDXLicenses(p.Declared, p.Concluded, w.extracted))
	if err != nil {
		return nil, err
	}
	if readAgent(p.Supplier) != q.Supplier {
		props.add("supplier", q.Supplier)
	}
	if p.Homepage = WebAddress(q.Homepage); p.Homepage == "" {
		props.some("homepage", q.Homepage)
	}
	if q.Path != "" {
		p.SourceInfo = "found in " + q.Path
		if q.Inner != "" {
			p.SourceInfo += "!" + q.Inner
		}
	}
	for _, alg := range slices.Sorted(maps.Keys(q.Hashes)) {
		if cdxAlgorithm(alg) != "" && validHash(alg, q.Hashes[alg]) {
			p.Checksums = append(p.Checksums, spdxChecksum{strings.ToUpper(alg), strings.ToLower(q.Hashes[alg])})
		}
	}
	if purl := w.catalog.purls[i]; purl != "" {
		p.External = append(p.External, spdxExternal{"PACKAGE-MANAGER", "purl", purl})
	}
	p.External = cpeReferences(p.External, q.CPEs)
	for _, cpe := range q.CPEs {
		if !validCPE(cpe) {
			props.add("cpe", cpe)
		}
	}
	p.Annotations, err = w.annotate(props)
	return p, err
}

func cpeReferences(list []spdxExternal, cpes []string) []spdxExternal {
	for _, cpe := range cpes {
		if !validCPE(cpe) {
			continue
		}
		typ := "cpe22Type"
		if strings.HasPrefix(cpe, "cpe:2.3:") {
			typ = "cpe23Type"
		}
		list = append(list, spdxExternal{"SECURITY", typ, cpe})
	}
	return list
}

// annotate puts properties into one annotation: a JSON array of name and value.
func (w *spdxWriter) annotate(ps properties) ([]spdxAnnotation, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	text, err := encodeProperties(ps)
	return []spdxAnnotation{{w.tool, w.created, "OTHER", text}}, err
}

// encodeProperties is the comment of the annotation that holds properties.
func encodeProperties(ps properties) (string, error) {
	pairs := make([][2]string, len(ps))
	for i, p := range ps {
		pairs[i] = [2]string{strings.TrimPrefix(p.Name, propPrefix), p.Value}
	}
	b, err := json.Marshal(pairs)
	return propPrefix + string(b), err
}

// decodeProperties reads such a comment; ok is false for any other.
func decodeProperties(comment string) (ps properties, ok bool, err error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(comment), propPrefix)
	if !ok {
		return nil, false, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		return nil, true, fmt.Errorf("annotation of tidewaiter: %w", err)
	}
	for _, p := range pairs {
		ps.add(p[0], p[1])
	}
	return ps, true, nil
}

// id names package i: SPDXRef-TYPE-NAME-HASH.
func (w *spdxWriter) id(i int) string {
	p := w.catalog.packages[i]
	sum := sha256.Sum256([]byte(w.catalog.refs[i]))
	return "SPDXRef-" + idString(p.Type) + "-" + idString(p.Name) + "-" + hex.EncodeToString(sum[:8])
}

// idString makes s fit for an SPDX identifier: letters, digits, "." and "-".
func idString(s string) string {
	const most = 64
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < most; i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' {
			b.WriteByte(c)
		} else {
			b.WriteByte('-')
		}
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "x")
}

// relations yields the relationships of the document in order.
func (w *spdxWriter) relations(yield func(spdxRelation) error) error {
	if err := yield(spdxRelation{spdxDocument, "DESCRIBES", spdxImage, ""}); err != nil {
		return err
	}
	if w.system() != nil {
		if err := yield(spdxRelation{spdxImage, "CONTAINS", spdxSystem, ""}); err != nil {
			return err
		}
	}
	for i, p := range w.catalog.packages {
		r := spdxRelation{spdxImage, "CONTAINS", w.id(i), ""}
		if p.State == inventory.Declared {
			r.Type, r.Comment = "OTHER", declaredComment
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	for i, deps := range w.catalog.dependencies() {
		for _, k := range deps {
			if err := yield(spdxRelation{w.id(i), "DEPENDS_ON", w.id(k), ""}); err != nil {
				return err
			}
		}
	}
	return nil
}

// spdxAgent writes a maintainer or vendor as SPDX wants it (section 7.5): a
// person where there is an address, else an organization.
func spdxAgent(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	if name, rest, ok := strings.Cut(s, "<"); ok {
		if address, after, ok := strings.Cut(rest, ">"); ok && after == "" && strings.Contains(address, "@") && strings.TrimSpace(name) != "" {
			return "Person: " + strings.TrimSpace(name) + " (" + address + ")"
		}
	}
	return "Organization: " + s
}

// readAgent is the inverse of spdxAgent.
func readAgent(s string) string {
	s = strings.TrimSpace(s)
	for _, kind := range []string{"Person:", "Organization:"} {
		rest, ok := strings.CutPrefix(s, kind)
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		if i := strings.LastIndex(rest, " ("); i > 0 && strings.HasSuffix(rest, ")") {
			if address := rest[i+2 : len(rest)-1]; strings.Contains(address, "@") {
				return rest[:i] + " <" + address + ">"
			}
		}
		return strings.TrimSuffix(rest, " ()")
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
