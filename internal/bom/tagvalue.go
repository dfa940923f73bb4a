package bom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tagReader reads SPDX 2.2 and 2.3 in tag-value form.
type tagReader struct {
	r    *bufio.Reader
	line int

	x        spdxReader
	found    []*spdxFound
	byID     map[string]*spdxFound
	pkg      *spdxFound      // the package whose tags follow
	single   map[string]bool // tags it has had
	license  *spdxLicense
	annotate string // element that an annotation is about
	version  string
}

// readTagValue reads a document.
func readTagValue(r *bufio.Reader, b *builder) error {
	t := tagReader{r: r, x: spdxReader{b: b}, byID: make(map[string]*spdxFound)}
	for {
		tag, value, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = t.take(tag, value)
		}
		if err != nil {
			return fmt.Errorf("line %d, %s: %w", t.line, tag, err)
		}
	}
	t.endLicense()
	if err := checkSPDXVersion(t.version); err != nil {
		return err
	}
	for _, f := range t.found {
		if err := t.x.take(f); err != nil {
			return err
		}
	}
	return t.x.finish()
}

// next reads one tag with its value, which spans lines between <text> and </text>.
func (t *tagReader) next() (tag, value string, err error) {
	for {
		line, err := t.r.ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			return "document", "", err
		}
		t.line++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		tag, value, ok := strings.Cut(line, ":")
		if !ok {
			return "document", "", fmt.Errorf("%.60q is not a tag with a value", line)
		}
		tag, value = strings.TrimSpace(tag), strings.TrimSpace(value)
		text, ok := strings.CutPrefix(value, "<text>")
		if !ok {
			return tag, value, nil
		}
		if before, _, ok := strings.Cut(text, "</text>"); ok {
			return tag, before, nil
		}
		var b strings.Builder
		b.WriteString(text)
		b.WriteByte('\n')
		for {
			line, err := t.r.ReadString('\n')
			t.line++
			before, _, ok := strings.Cut(line, "</text>")
			b.WriteString(before)
			if ok {
				return tag, b.String(), nil
			}
			if errors.Is(err, io.EOF) {
				return tag, "", errors.New("<text> without </text>")
			}
			if err != nil {
				return tag, "", err
			}
		}
	}
}

func (t *tagReader) take(tag, value string) error {
	switch tag {
	case "SPDXVersion":
		t.version = value
		return nil
	case "DocumentName":
		t.x.name = value
		return nil
	case "PackageName":
		if err := t.x.b.count(); err != nil {
			return err
		}
		t.endLicense()
		t.pkg, t.single = &spdxFound{name: value}, make(map[string]bool, 16)
		t.found = append(t.found, t.pkg)
		return nil
	case "FileName", "SnippetSPDXID", "SnippetSPDXIdentifier":
		t.endLicense()
		t.pkg = nil
		return nil
	case "LicenseID":
		t.endLicense()
		t.pkg, t.license = nil, &spdxLicense{ID: value}
		return nil
	case "Relationship":
		f := strings.Fields(value)
		if len(f) < 3 {
			return fmt.Errorf("want ELEMENT TYPE ELEMENT, found %.60q", value)
		}
		return t.x.relationship(spdxRelation{From: f[0], Type: f[1], To: f[2]})
	case "Annotator":
		t.annotate = ""
		return nil
	case "SPDXREF":
		t.annotate = value
		return nil
	case "AnnotationComment":
		f := t.byID[t.annotate]
		if f == nil && t.annotate == "" {
			f = t.pkg
		}
		if f != nil && strings.HasPrefix(value, propPrefix) {
			f.comments = append(f.comments, value)
		}
		return nil
	}
	if t.license != nil {
		switch tag {
		case "ExtractedText":
			t.license.Text = value
		case "LicenseName":
			t.license.Name = value
		}
		return nil
	}
	if t.pkg != nil {
		return t.field(tag, value)
	}
	return nil
}

func (t *tagReader) endLicense() {
	if t.license != nil {
		t.x.license(*t.license)
		t.license = nil
	}
}

// field takes a tag of the package.
func (t *tagReader) field(tag, value string) error {
	f := t.pkg
	switch tag {
	case "PackageChecksum":
		alg, sum, _ := strings.Cut(value, ":")
		f.checksums = append(f.checksums, spdxChecksum{strings.TrimSpace(alg), strings.TrimSpace(sum)})
		return nil
	case "ExternalRef":
		parts := strings.Fields(value)
		if len(parts) < 3 {
			return fmt.Errorf("want CATEGORY TYPE LOCATOR, found %.60q", value)
		}
		f.external(spdxExternal{parts[0], parts[1], parts[2]})
		return nil
	}
	to := f.single(tag)
	if to == nil {
		return nil
	}
	if t.single[tag] {
		return fmt.Errorf("package %q has the tag twice", f.name)
	}
	t.single[tag] = true
	*to = value
	if tag == "SPDXID" {
		t.byID[value] = f
	}
	return nil
}

// single is where the value of a tag goes that a package has once.
func (f *spdxFound) single(tag string) *string {
	switch tag {
	case "SPDXID":
		return &f.id
	case "PackageVersion":
		return &f.version
	case "PackageSupplier":
		return &f.supplier
	case "PackageOriginator":
		return &f.originator
	case "PackageHomePage":
		return &f.homepage
	case "PackageSourceInfo":
		return &f.sourceInfo
	case "PrimaryPackagePurpose":
		return &f.purpose
	case "PackageSummary":
		return &f.summary
	case "PackageDescription":
		return &f.description
	case "PackageLicenseDeclared":
		return &f.declared
	case "PackageLicenseConcluded":
		return &f.concluded
	}
	return nil
}
