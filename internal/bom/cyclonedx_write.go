package bom

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

const defaultTool = "tidewaiter"

func (o Options) tool() string {
	if o.Tool == "" {
		return defaultTool
	}
	return o.Tool
}

// created is the time a document states, in UTC to the second, or "".
func (o Options) created(img *inventory.Image) string {
	if o.Created.IsZero() {
		return dateTime(img.Config.Created)
	}
	return dateTime(o.Created)
}

// documentID is a UUID (version 8, RFC 9562) made from what the document is
// about: the image, its packages and their vulnerabilities, the writer and the time.
func documentID(img *inventory.Image, c *catalog, o Options) string {
	h := sha256.New()
	for _, s := range []string{img.Reference, string(img.Digest), string(img.ConfigDigest), o.tool(), o.ToolVersion, o.created(img)} {
		writeField(h, s)
	}
	for i := range c.refs {
		writeField(h, c.refs[i])
		writeField(h, string(c.packages[i].State))
	}
	for i := range o.Vulnerabilities {
		writeField(h, o.Vulnerabilities[i].ID)
		writeField(h, o.Vulnerabilities[i].Analysis.State)
		for _, a := range o.Vulnerabilities[i].Affects {
			writeField(h, strconv.Itoa(a.Package))
		}
	}
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func writeField(h hash.Hash, s string) {
	_, _ = io.WriteString(h, s) // a hash never fails
	_, _ = h.Write([]byte{0})
}

type cdxMetadata struct {
	Timestamp string       `json:"timestamp,omitempty"`
	Tools     cdxTools     `json:"tools"`
	Component cdxComponent `json:"component"`
}

type cdxTools struct {
	Components []cdxComponent `json:"components"`
}

// writeCycloneDX writes version 1.6, one component a line.
func writeCycloneDX(w *bufio.Writer, img *inventory.Image, o Options, asXML bool) error {
	c := newCatalog(img)
	meta, err := cdxMetadataOf(img, o)
	if err != nil {
		return err
	}
	var e cdxEncoder = &cdxJSON{w: w}
	if asXML {
		e = &cdxXML{w: w}
	}
	e.start(documentID(img, c, o))
	if err := e.value("metadata", meta); err != nil {
		return err
	}
	e.open("components")
	system := cdxSystem(img.Distro)
	if system != nil {
		if err := e.item(system); err != nil {
			return err
		}
	}
	for i := range c.packages {
		comp, err := cdxPackage(c.packages[i], c.refs[i], c.purls[i])
		if err != nil {
			return err
		}
		if err := e.item(comp); err != nil {
			return err
		}
	}
	e.close("components")
	e.open("dependencies")
	root := cdxDependency{Ref: meta.Component.Ref, DependsOn: c.refs[:c.installed]}
	if system != nil {
		root.DependsOn = slices.Concat([]string{system.Ref}, root.DependsOn)
	}
	if err := e.item(&root); err != nil {
		return err
	}
	if system != nil {
		if err := e.item(&cdxDependency{Ref: system.Ref}); err != nil {
			return err
		}
	}
	for i, deps := range c.dependencies() {
		d := cdxDependency{Ref: c.refs[i]}
		for _, k := range deps {
			d.DependsOn = append(d.DependsOn, c.refs[k])
		}
		if err := e.item(&d); err != nil {
			return err
		}
	}
	e.close("dependencies")
	if o.Vulnerabilities != nil {
		e.open("vulnerabilities")
		for i := range o.Vulnerabilities {
			if err := e.item(cdxVulnerabilityOf(&o.Vulnerabilities[i], c)); err != nil {
				return err
			}
		}
		e.close("vulnerabilities")
	}
	e.end()
	return nil
}

func cdxMetadataOf(img *inventory.Image, o Options) (*cdxMetadata, error) {
	props, err := imageProperties(img)
	if err != nil {
		return nil, err
	}
	props.addAll(o.Properties)
	name := img.Reference
	if name == "" {
		name = string(img.Digest)
	}
	root := cdxComponent{Type: "container", Name: name, Version: string(img.Digest), PURL: ImagePURL(img), Properties: props}
	root.Ref = root.PURL
	if root.Ref == "" {
		root.Ref = "image:" + name
	}
	return &cdxMetadata{
		Timestamp: o.created(img),
		Tools:     cdxTools{[]cdxComponent{{Type: "application", Name: o.tool(), Version: o.ToolVersion}}},
		Component: root,
	}, nil
}

func cdxSystem(d *inventory.Distro) *cdxComponent {
	if d == nil || d.ID == "" {
		return nil
	}
	c := &cdxComponent{Type: "operating-system", Ref: "os:" + d.ID + "@" + d.Version, Name: d.ID, Version: d.Version, Description: d.PrettyName}
	if validCPE(d.CPE) {
		c.CPE = d.CPE
	}
	return c
}

func cdxPackage(p *inventory.Package, ref, purl string) (*cdxComponent, error) {
	stated, texts := bySource(p)
	c := &cdxComponent{Type: "library", Ref: ref, Name: p.Name, Version: p.Version, Description: p.Description, PURL: purl, Licenses: cdxLicensesOf(stated), Evidence: cdxEvidenceOf(p)}
	if l := cdxLicensesOf(texts); l != nil {
		if c.Evidence == nil {
			c.Evidence = new(cdxEvidence)
		}
		c.Evidence.Licenses = l
	}
	if p.Technique == inventory.TechSignature {
		c.Type = "application"
	}
	if !p.OS() {
		c.Group = p.Namespace
	}
	if len(c.Version) > 1024 { // the schema's limit
		c.Version = strings.ToValidUTF8(c.Version[:1024], "")
	}
	if p.State == inventory.Declared {
		c.Scope = "excluded"
	}
	props, err := packageProperties(p, purl, c.licenses())
	if err != nil {
		return nil, err
	}
	if p.Supplier != "" {
		c.Supplier = &cdxOrg{p.Supplier}
	}
	for _, alg := range slices.Sorted(maps.Keys(p.Hashes)) {
		if name := cdxAlgorithm(alg); name != "" && validHash(alg, p.Hashes[alg]) {
			c.Hashes = append(c.Hashes, cdxHash{name, p.Hashes[alg]})
		}
	}
	for _, cpe := range p.CPEs {
		if c.CPE == "" && validCPE(cpe) {
			c.CPE = cpe
		} else {
			props.add("cpe", cpe)
		}
	}
	if address := WebAddress(p.Homepage); address != "" {
		c.References = []cdxReference{{address, "website"}}
	} else {
		props.some("homepage", p.Homepage)
	}
	c.Properties = props
	return c, nil
}

// bySource are the licences that stand for a package: the declared ones, with
// those that texts show as evidence; without any declared, the detected ones.
func bySource(p *inventory.Package) (stated, texts []inventory.License) {
	stated = p.StatedLicenses()
	if len(stated) < len(p.Licenses) {
		texts = p.DetectedLicenses()
	}
	return stated, texts
}

// licenses are the licences that a reader finds in a component.
func (c *cdxComponent) licenses() []inventory.License {
	out := c.Licenses.read()
	if c.Evidence != nil {
		for _, l := range c.Evidence.Licenses.read() {
			l.Source = detectedLicense
			out = append(out, l)
		}
	}
	return out
}

func cdxEvidenceOf(p *inventory.Package) *cdxEvidence {
	var e cdxEvidence
	if p.Technique != "" {
		confidence := p.Confidence
		if confidence <= 0 || confidence > 1 {
			confidence = 1
		}
		field := "purl"
		if p.Name == "" {
			field = "name"
		}
		e.Identity = []cdxIdentity{{Field: field, Confidence: confidence, Methods: []cdxMethod{{cdxTechnique(p.Technique), confidence, p.Technique}}}}
	}
	for _, l := range p.Locations {
		place := "/" + l.Path
		if l.Inner != "" {
			place += "!" + l.Inner
		}
		e.Occurrences = append(e.Occurrences, cdxOccurrence{place})
	}
	if e.Identity == nil && e.Occurrences == nil {
		return nil
	}
	return &e
}

// cdxEncoder writes the frame of a document.
type cdxEncoder interface {
	start(id string)
	value(name string, v any) error
	open(name string)
	item(v any) error
	close(name string)
	end()
}

// cdxJSON ignores errors of w: bufio.Writer keeps them until Flush.
type cdxJSON struct {
	w     *bufio.Writer
	items int
}

func (e *cdxJSON) start(id string) {
	fmt.Fprintf(e.w, "{\n\"$schema\":\"http://cyclonedx.org/schema/bom-%s.schema.json\",\n\"bomFormat\":\"CycloneDX\",\n\"specVersion\":\"%s\",\n\"serialNumber\":\"urn:uuid:%s\",\n\"version\":1", cdxVersion, cdxVersion, id)
}

func (e *cdxJSON) value(name string, v any) error {
	fmt.Fprintf(e.w, ",\n%q:", name)
	return encode(e.w, v)
}

func (e *cdxJSON) open(name string) {
	fmt.Fprintf(e.w, ",\n%q:[", name)
	e.items = 0
}

func (e *cdxJSON) item(v any) error {
	if e.items > 0 {
		_ = e.w.WriteByte(',')
	}
	e.items++
	_ = e.w.WriteByte('\n')
	return encode(e.w, v)
}

func (e *cdxJSON) close(string) { _, _ = e.w.WriteString("\n]") }
func (e *cdxJSON) end()         { _, _ = e.w.WriteString("\n}\n") }

// encode writes v as JSON, without the line break that json.Encoder adds.
func encode(w *bufio.Writer, v any) error {
	e := json.NewEncoder(trimmer{w})
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// trimmer drops the line break at the end of each write.
type trimmer struct{ w *bufio.Writer }

func (t trimmer) Write(p []byte) (int, error) {
	q := p
	if n := len(q); n > 0 && q[n-1] == '\n' {
		q = q[:n-1]
	}
	if _, err := t.w.Write(q); err != nil {
		return 0, err
	}
	return len(p), nil
}
