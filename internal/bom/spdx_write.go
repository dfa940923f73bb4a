package bom

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// writeSPDXJSON writes SPDX 2.3 as JSON, a package or relationship a line.
func writeSPDXJSON(w *bufio.Writer, img *inventory.Image, o Options) error {
	d := newSPDXWriter(img, o)
	head, err := marshal(d.head(o))
	if err != nil {
		return err
	}
	_, _ = w.Write(head[:len(head)-1]) // bufio.Writer keeps errors until Flush
	_, _ = w.WriteString(",\n\"packages\":[")
	first := true
	item := func(v any) error {
		if !first {
			_ = w.WriteByte(',')
		}
		first = false
		_ = w.WriteByte('\n')
		return encode(w, v)
	}
	if err := d.eachPackage(func(p *spdxPackage) error { return item(p) }); err != nil {
		return err
	}
	_, _ = w.WriteString("\n],\n\"relationships\":[")
	first = true
	if err := d.relations(func(r spdxRelation) error { return item(&r) }); err != nil {
		return err
	}
	_, _ = w.WriteString("\n]}\n")
	return nil
}

// eachPackage yields the image, its distribution and its packages.
func (w *spdxWriter) eachPackage(yield func(*spdxPackage) error) error {
	img, err := w.image()
	if err != nil {
		return err
	}
	if err := yield(img); err != nil {
		return err
	}
	if system := w.system(); system != nil {
		if err := yield(system); err != nil {
			return err
		}
	}
	for i := range w.catalog.packages {
		p, err := w.pkg(i)
		if err != nil {
			return err
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// writeTagValue writes SPDX 2.3 in its tag-value form.
func writeTagValue(w *bufio.Writer, img *inventory.Image, o Options) error {
	d := newSPDXWriter(img, o)
	t := tagWriter{w}
	h := d.head(o)
	t.line("SPDXVersion", h.Version)
	t.line("DataLicense", h.DataLicense)
	t.line("SPDXID", h.ID)
	t.line("DocumentName", h.Name)
	t.line("DocumentNamespace", h.Namespace)
	for _, c := range h.Creation.Creators {
		t.line("Creator", c)
	}
	t.line("Created", h.Creation.Created)
	err := d.eachPackage(func(p *spdxPackage) error {
		t.pkg(p)
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range h.Extracted {
		_ = w.WriteByte('\n')
		t.line("LicenseID", l.ID)
		t.text("ExtractedText", l.Text)
		t.line("LicenseName", l.Name)
	}
	_ = w.WriteByte('\n')
	return d.relations(func(r spdxRelation) error {
		t.line("Relationship", r.From+" "+r.Type+" "+r.To)
		t.line("RelationshipComment", r.Comment)
		return nil
	})
}

// tagWriter writes tags; bufio.Writer keeps its errors until Flush.
type tagWriter struct{ w *bufio.Writer }

// line writes a tag whose value is one line, unless it is empty.
func (t tagWriter) line(tag, value string) {
	if value = oneLine(value); value != "" {
		fmt.Fprintf(t.w, "%s: %s\n", tag, value)
	}
}

// text writes a tag whose value may have several lines. The end mark cannot
// stand inside the value (section 4.4 knows no escape).
func (t tagWriter) text(tag, value string) {
	if value != "" {
		fmt.Fprintf(t.w, "%s: <text>%s</text>\n", tag, strings.ReplaceAll(value, "</text>", "</ text>"))
	}
}

func (t tagWriter) pkg(p *spdxPackage) {
	_ = t.w.WriteByte('\n')
	t.line("PackageName", p.Name)
	t.line("SPDXID", p.ID)
	t.line("PackageVersion", p.Version)
	t.line("PackageSupplier", p.Supplier)
	t.line("PackageDownloadLocation", p.Download)
	t.line("FilesAnalyzed", "false")
	for _, c := range p.Checksums {
		t.line("PackageChecksum", c.Algorithm+": "+c.Value)
	}
	t.line("PackageHomePage", p.Homepage)
	t.text("PackageSourceInfo", p.SourceInfo)
	t.line("PackageLicenseConcluded", p.Concluded)
	t.line("PackageLicenseDeclared", p.Declared)
	t.line("PackageCopyrightText", p.Copyright)
	t.text("PackageSummary", p.Summary)
	t.line("PrimaryPackagePurpose", p.Purpose)
	for _, e := range p.External {
		t.line("ExternalRef", e.Category+" "+e.Type+" "+e.Locator)
	}
	for _, a := range p.Annotations {
		t.line("Annotator", a.Annotator)
		t.line("AnnotationDate", a.Date)
		t.line("AnnotationType", a.Type)
		t.line("SPDXREF", p.ID)
		t.text("AnnotationComment", a.Comment)
	}
}
