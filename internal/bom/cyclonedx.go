package bom

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The parts of CycloneDX that we write and read. The tags for XML serve the
// reader; cdxXML writes.

const (
	cdxVersion   = "1.6"
	cdxNamespace = "http://cyclonedx.org/schema/bom/"
)

type cdxComponent struct {
	Type        string         `json:"type" xml:"type,attr"`
	Ref         string         `json:"bom-ref,omitempty" xml:"bom-ref,attr,omitempty"`
	Supplier    *cdxOrg        `json:"supplier,omitempty" xml:"supplier,omitempty"`
	Author      string         `json:"-" xml:"author,omitempty"`
	Publisher   string         `json:"-" xml:"publisher,omitempty"`
	Group       string         `json:"group,omitempty" xml:"group,omitempty"`
	Name        string         `json:"name" xml:"name"`
	Version     string         `json:"version,omitempty" xml:"version,omitempty"`
	Description string         `json:"description,omitempty" xml:"description,omitempty"`
	Scope       string         `json:"scope,omitempty" xml:"scope,omitempty"`
	Hashes      []cdxHash      `json:"hashes,omitempty" xml:"hashes>hash,omitempty"`
	Licenses    *cdxLicenses   `json:"licenses,omitempty" xml:"licenses,omitempty"`
	CPE         string         `json:"cpe,omitempty" xml:"cpe,omitempty"`
	PURL        string         `json:"purl,omitempty" xml:"purl,omitempty"`
	References  []cdxReference `json:"externalReferences,omitempty" xml:"externalReferences>reference,omitempty"`
	Properties  properties     `json:"properties,omitempty" xml:"properties>property,omitempty"`
	Components  []cdxComponent `json:"-" xml:"components>component,omitempty"` // read from XML only
	Evidence    *cdxEvidence   `json:"evidence,omitempty" xml:"evidence,omitempty"`
}

type cdxOrg struct {
	Name string `json:"name,omitempty" xml:"name,omitempty"`
}

type cdxHash struct {
	Alg     string `json:"alg" xml:"alg,attr"`
	Content string `json:"content" xml:",chardata"`
}

type cdxReference struct {
	URL  string `json:"url" xml:"url"`
	Type string `json:"type" xml:"type,attr"`
}

type cdxEvidence struct {
	Identity    []cdxIdentity   `json:"identity,omitempty" xml:"identity,omitempty"`
	Occurrences []cdxOccurrence `json:"occurrences,omitempty" xml:"occurrences>occurrence,omitempty"`
	Licenses    *cdxLicenses    `json:"licenses,omitempty" xml:"licenses,omitempty"`
}

type cdxIdentity struct {
	Field      string      `json:"field" xml:"field"`
	Confidence float64     `json:"confidence" xml:"confidence"`
	Methods    []cdxMethod `json:"methods" xml:"methods>method"`
}

type cdxMethod struct {
	Technique  string  `json:"technique" xml:"technique"`
	Confidence float64 `json:"confidence" xml:"confidence"`
	Value      string  `json:"value,omitempty" xml:"value,omitempty"`
}

type cdxOccurrence struct {
	Location string `json:"location" xml:"location"`
}

// cdxLicenses is either a list of licences or one expression.
type cdxLicenses struct {
	List       []cdxLicense    `xml:"license,omitempty"`
	Expression []cdxExpression `xml:"expression,omitempty"`
}

type cdxLicense struct {
	ID              string `json:"id,omitempty" xml:"id,omitempty"`
	Name            string `json:"name,omitempty" xml:"name,omitempty"`
	Acknowledgement string `json:"acknowledgement,omitempty" xml:"acknowledgement,attr,omitempty"`
}

type cdxExpression struct {
	Expression      string `json:"expression" xml:",chardata"`
	Acknowledgement string `json:"acknowledgement,omitempty" xml:"acknowledgement,attr,omitempty"`
}

// MarshalJSON writes the list that JSON has in place of XML's elements.
func (l *cdxLicenses) MarshalJSON() ([]byte, error) {
	if len(l.Expression) > 0 {
		return marshal(l.Expression)
	}
	type choice struct {
		License *cdxLicense `json:"license"`
	}
	list := make([]choice, len(l.List))
	for i := range l.List {
		list[i].License = &l.List[i]
	}
	return marshal(list)
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

type cdxDependency struct {
	Ref       string          `json:"ref" xml:"ref,attr"`
	DependsOn []string        `json:"dependsOn,omitempty" xml:"-"`
	Children  []cdxDependency `json:"-" xml:"dependency,omitempty"`
}

// CycloneDX's names of hash algorithms, by ours.
func cdxAlgorithm(ours string) string {
	switch ours {
	case "md5":
		return "MD5"
	case "sha1":
		return "SHA-1"
	case "sha256":
		return "SHA-256"
	case "sha384":
		return "SHA-384"
	case "sha512":
		return "SHA-512"
	}
	return ""
}

// hashName is our name of a hash algorithm in whatever spelling: SHA-256,
// SHA256, sha256.
func hashName(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "")
}

// validHash reports whether s is a hash of an algorithm in hexadecimal.
func validHash(alg, s string) bool {
	want := 0
	switch alg {
	case "md5":
		want = 32
	case "sha1":
		want = 40
	case "sha256":
		want = 64
	case "sha384":
		want = 96
	case "sha512":
		want = 128
	}
	if want == 0 || len(s) != want {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// cdxLicensesOf puts licences into CycloneDX's words: a list of identifiers
// where each is one; an expression where all are expressions; else a list of
// identifiers and names.
func cdxLicensesOf(ls []inventory.License) *cdxLicenses {
	if len(ls) == 0 {
		return nil
	}
	simple, valid, source := true, true, ls[0].Source
	exprs := make([]string, len(ls))
	for i, l := range ls {
		exprs[i] = l.Expression
		simple = simple && listed(l.Expression)
		valid = valid && validExpression(l.Expression)
		if l.Source != source {
			source = ""
		}
	}
	if valid && !simple {
		return &cdxLicenses{Expression: []cdxExpression{{conjunction(exprs), acknowledgement(source)}}}
	}
	var out cdxLicenses
	for _, l := range ls {
		c := cdxLicense{Acknowledgement: acknowledgement(l.Source)}
		switch {
		case listed(l.Expression):
			c.ID = l.Expression
		case l.Expression != "":
			c.Name = l.Expression
		case strings.TrimSpace(l.Raw) != "":
			c.Name = l.Raw
		default:
			continue
		}
		out.List = append(out.List, c)
	}
	if out.List == nil {
		return nil
	}
	return &out
}

// read is the inverse of cdxLicensesOf, as far as there is one.
func (l *cdxLicenses) read() []inventory.License {
	if l == nil {
		return nil
	}
	var out []inventory.License
	for _, e := range l.Expression {
		out = appendLicense(out, e.Expression, licenseSource(e.Acknowledgement))
	}
	for _, c := range l.List {
		text := c.ID
		if text == "" {
			text = c.Name
		}
		out = appendLicense(out, text, licenseSource(c.Acknowledgement))
	}
	return out
}

func acknowledgement(source string) string {
	switch source {
	case declaredLicense:
		return "declared"
	case detectedLicense:
		return "concluded"
	}
	return ""
}

func licenseSource(acknowledgement string) string {
	if acknowledgement == "concluded" {
		return detectedLicense
	}
	return declaredLicense
}

// cdxTechnique is CycloneDX's word for how a package was found.
func cdxTechnique(technique string) string {
	switch technique {
	case inventory.TechDatabase, inventory.TechMetadata, inventory.TechManifest, inventory.TechPom, inventory.TechLockFile:
		return "manifest-analysis"
	case inventory.TechFileName:
		return "filename"
	case inventory.TechBuildInfo, inventory.TechSignature:
		return "binary-analysis"
	case inventory.TechBanner:
		return "source-code-analysis"
	case inventory.TechHash:
		return "hash-comparison"
	case inventory.TechSBOM, inventory.TechHint:
		return "attestation"
	}
	return "other"
}

// WebAddress returns s if it is an absolute http or https address that can
// stand in any document, else "".
func WebAddress(s string) string {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("<>\"{}|\\^`", s[i]) >= 0 {
			return ""
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || strings.Count(s, "#") > 1 {
		return ""
	}
	return s
}

// validCPE reports whether s can stand in a field for CPE names. What is
// stricter in the XML schema than in CPE 2.2 and 2.3 is checked, too: five
// components of the plain characters, or escaped ones, and so on.
func validCPE(s string) bool {
	if rest, ok := strings.CutPrefix(s, "cpe:2.3:"); ok {
		return validCPE23(rest)
	}
	rest, ok := strings.CutPrefix(s, "cpe:/")
	if !ok {
		return false
	}
	parts := strings.Split(rest, ":")
	if len(parts) > 7 || len(parts[0]) > 1 || strings.Trim(parts[0], "ahoAHO") != "" {
		return false
	}
	for _, p := range parts[1:] {
		for i := range len(p) {
			if !wordByte(p[i]) && p[i] != '~' && p[i] != '%' {
				return false
			}
		}
	}
	return true
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// validCPE23 checks part, vendor, product, version, update, edition,
// language, software edition, target software, target hardware, other.
func validCPE23(s string) bool {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	parts = append(parts, s[start:])
	if len(parts) != 11 || len(parts[0]) != 1 || !strings.Contains("aho*-", parts[0]) {
		return false
	}
	for n, p := range parts[1:] {
		if p == "*" || p == "-" {
			continue
		}
		if n == 5 { // language: ll, lll, ll-CC, ll-999
			lang, region, _ := strings.Cut(p, "-")
			if len(lang) < 2 || len(lang) > 3 || strings.Contains(p, "-") && len(region) != 2 && len(region) != 3 {
				return false
			}
			continue
		}
		core := strings.Trim(p, "?")
		if core == p {
			core = strings.TrimPrefix(p, "*")
			if strings.HasSuffix(core, "*") && !strings.HasSuffix(core, `\*`) {
				core = core[:len(core)-1]
			}
		}
		if core == "" {
			return false
		}
		for i := 0; i < len(core); i++ {
			if core[i] == '\\' {
				if i++; i >= len(core) || strings.IndexByte("\\*?!\"#$%&'()+,/:;<=>@[]^`{|}~", core[i]) < 0 {
					return false
				}
			} else if !wordByte(core[i]) {
				return false
			}
		}
	}
	return true
}
