package bom

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// cdxXML writes CycloneDX in XML. It does without encoding/xml, which would
// write empty lists and takes three times as long. bufio.Writer keeps errors
// until Flush.
type cdxXML struct{ w *bufio.Writer }

func (e *cdxXML) start(id string) {
	fmt.Fprintf(e.w, "%s<bom xmlns=\"%s%s\" serialNumber=\"urn:uuid:%s\" version=\"1\">", xml.Header, cdxNamespace, cdxVersion, id)
}

func (e *cdxXML) value(_ string, v any) error { return e.item(v) }

func (e *cdxXML) open(name string)  { e.raw("\n<", name, ">") }
func (e *cdxXML) close(name string) { e.raw("\n</", name, ">") }
func (e *cdxXML) end()              { e.raw("\n</bom>\n") }

func (e *cdxXML) item(v any) error {
	e.raw("\n")
	switch v := v.(type) {
	case *cdxMetadata:
		e.raw("<metadata>")
		e.text("timestamp", v.Timestamp)
		e.raw("<tools><components>")
		for i := range v.Tools.Components {
			e.component(&v.Tools.Components[i])
		}
		e.raw("</components></tools>")
		e.component(&v.Component)
		e.raw("</metadata>")
	case *cdxComponent:
		e.component(v)
	case *cdxVulnerability:
		e.vulnerability(v)
	case *cdxDependency:
		e.raw("<dependency")
		e.attr("ref", v.Ref)
		if len(v.DependsOn) == 0 {
			e.raw("/>")
			return nil
		}
		e.raw(">")
		for _, ref := range v.DependsOn {
			e.raw("<dependency")
			e.attr("ref", ref)
			e.raw("/>")
		}
		e.raw("</dependency>")
	default:
		return fmt.Errorf("%T has no form in XML", v)
	}
	return nil
}

func (e *cdxXML) raw(parts ...string) {
	for _, p := range parts {
		_, _ = e.w.WriteString(p)
	}
}

func (e *cdxXML) attr(name, value string) {
	if value != "" {
		e.raw(" ", name, `="`)
		e.escape(value)
		e.raw(`"`)
	}
}

// text writes an element, unless it is empty.
func (e *cdxXML) text(name, value string) {
	if value != "" {
		e.must(name, value)
	}
}

func (e *cdxXML) must(name, value string) {
	e.raw("<", name, ">")
	e.escape(value)
	e.raw("</", name, ">")
}

// component writes the elements in the order of the XML schema.
func (e *cdxXML) component(c *cdxComponent) {
	e.raw("<component")
	e.attr("type", c.Type)
	e.attr("bom-ref", c.Ref)
	e.raw(">")
	if c.Supplier != nil {
		e.raw("<supplier>")
		e.text("name", c.Supplier.Name)
		e.raw("</supplier>")
	}
	e.text("group", c.Group)
	e.must("name", c.Name)
	e.text("version", c.Version)
	e.text("description", c.Description)
	e.text("scope", c.Scope)
	if len(c.Hashes) > 0 {
		e.raw("<hashes>")
		for _, h := range c.Hashes {
			e.raw("<hash")
			e.attr("alg", h.Alg)
			e.raw(">", h.Content, "</hash>")
		}
		e.raw("</hashes>")
	}
	e.licenses(c.Licenses)
	e.text("cpe", c.CPE)
	e.text("purl", c.PURL)
	if len(c.References) > 0 {
		e.raw("<externalReferences>")
		for _, r := range c.References {
			e.raw("<reference")
			e.attr("type", r.Type)
			e.raw(">")
			e.must("url", r.URL)
			e.raw("</reference>")
		}
		e.raw("</externalReferences>")
	}
	e.properties(c.Properties)
	e.evidence(c.Evidence)
	e.raw("</component>")
}

func (e *cdxXML) properties(ps properties) {
	if len(ps) == 0 {
		return
	}
	e.raw("<properties>")
	for _, p := range ps {
		e.raw("<property")
		e.attr("name", p.Name)
		e.raw(">")
		e.escape(p.Value)
		e.raw("</property>")
	}
	e.raw("</properties>")
}

func (e *cdxXML) licenses(l *cdxLicenses) {
	if l == nil {
		return
	}
	e.raw("<licenses>")
	for _, c := range l.List {
		e.raw("<license")
		e.attr("acknowledgement", c.Acknowledgement)
		e.raw(">")
		e.text("id", c.ID)
		e.text("name", c.Name)
		e.raw("</license>")
	}
	for _, x := range l.Expression {
		e.raw("<expression")
		e.attr("acknowledgement", x.Acknowledgement)
		e.raw(">")
		e.escape(x.Expression)
		e.raw("</expression>")
	}
	e.raw("</licenses>")
}

func (e *cdxXML) evidence(v *cdxEvidence) {
	if v == nil {
		return
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	e.raw("<evidence>")
	for _, id := range v.Identity {
		e.raw("<identity>")
		e.must("field", id.Field)
		e.must("confidence", number(id.Confidence))
		e.raw("<methods>")
		for _, m := range id.Methods {
			e.raw("<method>")
			e.must("technique", m.Technique)
			e.must("confidence", number(m.Confidence))
			e.text("value", m.Value)
			e.raw("</method>")
		}
		e.raw("</methods></identity>")
	}
	if len(v.Occurrences) > 0 {
		e.raw("<occurrences>")
		for _, o := range v.Occurrences {
			e.raw("<occurrence>")
			e.must("location", o.Location)
			e.raw("</occurrence>")
		}
		e.raw("</occurrences>")
	}
	e.licenses(v.Licenses)
	e.raw("</evidence>")
}

// escape writes text for content and attributes. What XML 1.0 cannot hold
// becomes U+FFFD; line breaks and tabs are written as references, because
// readers turn those of attributes into blanks.
func (e *cdxXML) escape(s string) {
	start := 0
	put := func(i, n int, with string) {
		e.raw(s[start:i], with)
		start = i + n
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
				put(i, n, "\uFFFD")
			}
			i += n
			continue
		}
		switch {
		case c == '&':
			put(i, 1, "&amp;")
		case c == '<':
			put(i, 1, "&lt;")
		case c == '>':
			put(i, 1, "&gt;")
		case c == '"':
			put(i, 1, "&quot;")
		case c == '\n' || c == '\t' || c == '\r':
			put(i, 1, "&#"+strconv.Itoa(int(c))+";")
		case c < ' ':
			put(i, 1, "\uFFFD")
		}
		i++
	}
	e.raw(s[start:])
}
