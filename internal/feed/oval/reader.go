package oval

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// reader goes through the XML of a document, element by element.
type reader struct {
	d        *xml.Decoder
	doc      *document
	held     int64 // bytes of text
	entities int
	nodes    int   // of the definition being read
	problem  error // of the definition being read
}

// read reads a whole document; names are kept in t.
func read(r io.Reader, t *table) (*document, error) {
	x := &reader{
		d: feed.NewXMLDecoder(r, feed.XMLLimits{Depth: 100}),
		doc: &document{
			table: t, tests: map[text]test{}, objects: map[text]object{}, states: map[text]state{}, variables: map[text][]text{},
		},
	}
	root, err := x.root()
	if err != nil {
		return nil, err
	}
	if root.Name.Local != "oval_definitions" {
		return nil, fmt.Errorf("its root element is <%s>, not <oval_definitions>", root.Name.Local)
	}
	err = x.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "generator":
			return x.each(func(e xml.StartElement) error {
				s, err := x.text()
				if e.Name.Local == "timestamp" {
					x.doc.timestamp = date(strings.TrimSpace(s))
				}
				return err
			})
		case "definitions":
			return x.each(x.definition)
		case "tests":
			return x.each(x.test)
		case "objects":
			return x.each(x.object)
		case "states":
			return x.each(x.state)
		case "variables":
			return x.each(x.variable)
		}
		return x.d.Skip()
	})
	if err != nil {
		return nil, err
	}
	// Read to the end: what follows must be well-formed too, and a stream that
	// was cut off shows only there.
	for {
		switch t, err := x.d.Token(); t := t.(type) {
		case nil:
			if err == io.EOF {
				return x.doc, nil
			}
			return nil, err
		case xml.StartElement:
			return nil, fmt.Errorf("there is a second root element <%s>", t.Name.Local)
		}
	}
}

func (x *reader) root() (xml.StartElement, error) {
	for {
		t, err := x.d.Token()
		if err == io.EOF {
			return xml.StartElement{}, errors.New("it holds no XML element")
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		if e, ok := t.(xml.StartElement); ok {
			return e, nil
		}
	}
}

// each calls child for every element within the one that was just opened.
// child reads to the end of it.
func (x *reader) each(child func(xml.StartElement) error) error {
	for {
		t, err := x.d.Token()
		if err != nil {
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := child(t); err != nil {
				return err
			}
		}
	}
}

// text reads the text of the element that was just opened, to its end.
func (x *reader) text() (string, error) {
	var b strings.Builder
	for depth := 0; ; {
		t, err := x.d.Token()
		if err != nil {
			if err == io.EOF {
				return "", io.ErrUnexpectedEOF
			}
			return "", err
		}
		switch t := t.(type) {
		case xml.CharData:
			if b.Len()+len(t) > feed.MaxRecord {
				return "", limit("a text", "bytes", feed.MaxRecord)
			}
			b.Write(t)
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth == 0 {
				return b.String(), nil
			}
			depth--
		}
	}
}

// hold reads the text of an element that is kept.
func (x *reader) hold() (string, error) {
	s, err := x.text()
	s = strings.TrimSpace(s)
	if x.held += int64(len(s)); x.held > maxText {
		return "", limit("the document", "bytes of text", maxText)
	}
	return s, err
}

// word reads a short text that occurs again and again.
func (x *reader) word() (text, error) {
	s, err := x.text()
	return x.doc.put(strings.TrimSpace(s)), err
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (x *reader) id(e xml.StartElement, name string) text {
	return x.doc.put(strings.TrimSpace(attr(e, name)))
}

func (x *reader) definition(e xml.StartElement) error {
	if e.Name.Local != "definition" {
		return x.d.Skip()
	}
	if len(x.doc.definitions) >= maxDefinitions {
		return limit("the document", "definitions", maxDefinitions)
	}
	d := &definition{id: attr(e, "id"), class: attr(e, "class")}
	x.doc.definitions = append(x.doc.definitions, d)
	x.nodes, x.problem = 0, nil
	err := x.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "metadata":
			return x.metadata(d)
		case "criteria":
			n, err := x.criteria(e, 0)
			if err != nil {
				return fmt.Errorf("definition %s: %w", shorten(d.id), err)
			}
			d.criteria = &n
			return nil
		}
		return x.d.Skip()
	})
	d.problem = x.problem
	return err
}

func (x *reader) metadata(d *definition) error {
	return x.each(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "title":
			d.title, err = x.hold()
		case "description":
			d.description, err = x.hold()
		case "severity":
			d.severity, err = x.hold()
		case "patchable":
			d.patchable, err = x.hold()
		case "advisory_date":
			var s string
			s, err = x.text()
			d.issued = date(strings.TrimSpace(s))
		case "reference":
			d.references = append(d.references, reference{attr(e, "source"), strings.TrimSpace(attr(e, "ref_id")), strings.TrimSpace(attr(e, "ref_url"))})
			err = x.d.Skip()
		case "affected":
			err = x.each(func(e xml.StartElement) error {
				s, err := x.hold()
				if e.Name.Local == "platform" {
					d.platforms = append(d.platforms, s)
				}
				return err
			})
		case "advisory":
			err = x.advisory(d)
		default:
			err = x.d.Skip()
		}
		return err
	})
}

func (x *reader) advisory(d *definition) error {
	return x.each(func(e xml.StartElement) (err error) {
		switch e.Name.Local {
		case "severity":
			d.severity, err = x.hold()
		case "issued":
			d.issued = date(attr(e, "date"))
			err = x.d.Skip()
		case "updated":
			d.updated = date(attr(e, "date"))
			err = x.d.Skip()
		case "cve":
			c := cve{
				public: attr(e, "public"), cwe: attr(e, "cwe"),
				cvss2: attr(e, "cvss2"), cvss3: attr(e, "cvss3"), cvss4: attr(e, "cvss4"),
			}
			c.id, err = x.hold()
			d.cves = append(d.cves, c)
		case "affected_cpe_list":
			err = x.each(func(e xml.StartElement) error {
				s, err := x.hold()
				if e.Name.Local == "cpe" {
					d.cpes = append(d.cpes, s)
				}
				return err
			})
		case "affected":
			err = x.each(func(e xml.StartElement) error {
				if e.Name.Local != "resolution" {
					return x.d.Skip()
				}
				r := resolution{state: strings.TrimSpace(attr(e, "state"))}
				err := x.each(func(e xml.StartElement) error {
					s, err := x.hold()
					r.components = append(r.components, s)
					return err
				})
				d.resolutions = append(d.resolutions, r)
				return err
			})
		default:
			err = x.d.Skip()
		}
		return err
	})
}

// criteria reads <criteria>. An operator other than AND and OR makes the
// definition one that cannot be evaluated: ONE and XOR do not occur, and no
// claim about a single package follows from them.
func (x *reader) criteria(e xml.StartElement, depth int) (node, error) {
	n := node{negate: attr(e, "negate") == "true"}
	if depth > maxNesting {
		return n, limit("a definition", "nested criteria", maxNesting)
	}
	switch op := attr(e, "operator"); op {
	case "", "AND":
		n.and = true
	case "OR":
	default:
		x.problem = fmt.Errorf("the operator %s is not known", shorten(op))
	}
	err := x.each(func(e xml.StartElement) error {
		if x.nodes++; x.nodes > maxNodes {
			return limit("a definition", "criteria", maxNodes)
		}
		switch e.Name.Local {
		case "criteria":
			k, err := x.criteria(e, depth+1)
			n.kids = append(n.kids, k)
			return err
		case "criterion":
			n.kids = append(n.kids, node{
				negate: attr(e, "negate") == "true", test: x.id(e, "test_ref"), comment: x.doc.put(strings.TrimSpace(attr(e, "comment"))),
			})
		}
		return x.d.Skip()
	})
	return n, err
}

func (x *reader) count() error {
	if x.entities++; x.entities > maxEntities {
		return limit("the document", "tests, objects, states and variables", maxEntities)
	}
	return nil
}

func (x *reader) test(e xml.StartElement) error {
	var t test
	switch e.Name.Local {
	case "rpminfo_test", "dpkginfo_test":
		t.kind = kindPackage
	case "rpmverifyfile_test":
		t.kind = kindRelease
	case "uname_test":
		t.kind = kindUname
	case "textfilecontent54_test":
		t.kind = kindFile
	}
	id := x.id(e, "id")
	t.none = attr(e, "check_existence") == "none_exist"
	t.nobody = attr(e, "check") == "none satisfy"
	t.comment = x.doc.put(strings.TrimSpace(attr(e, "comment")))
	err := x.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "object":
			t.object = x.id(e, "object_ref")
		case "state":
			if len(t.states) >= 100 {
				return limit("a test", "states", 100)
			}
			t.states = append(t.states, x.id(e, "state_ref"))
		}
		return x.d.Skip()
	})
	x.doc.tests[id] = t
	return errors.Join(err, x.count())
}

func (x *reader) object(e xml.StartElement) error {
	var o object
	id := x.id(e, "id")
	err := x.each(func(e xml.StartElement) error {
		if e.Name.Local != "name" {
			return x.d.Skip()
		}
		o.variable = x.id(e, "var_ref")
		w, err := x.word()
		if w != 0 && attr(e, "operation") != "pattern match" {
			o.names = append(o.names, w)
		}
		return err
	})
	x.doc.objects[id] = o
	return errors.Join(err, x.count())
}

func (x *reader) state(e xml.StartElement) error {
	var s state
	id := x.id(e, "id")
	err := x.each(func(e xml.StartElement) (err error) {
		op := x.id(e, "operation")
		switch e.Name.Local {
		case "evr":
			s.evrOp = op
			s.evr, err = x.word()
		case "version":
			s.versionOp = op
			s.version, err = x.word()
		case "release":
			s.releaseOp = op
			s.release, err = x.word()
		case "arch":
			s.archOp = op
			s.arch, err = x.word()
		case "signature_keyid":
			s.signature = true
			err = x.d.Skip()
		default:
			err = x.d.Skip()
		}
		return err
	})
	x.doc.states[id] = s
	return errors.Join(err, x.count())
}

func (x *reader) variable(e xml.StartElement) error {
	id := x.id(e, "id")
	constant := e.Name.Local == "constant_variable"
	err := x.each(func(e xml.StartElement) error {
		if !constant || e.Name.Local != "value" {
			return x.d.Skip()
		}
		w, err := x.word()
		x.doc.variables[id] = append(x.doc.variables[id], w)
		return errors.Join(err, x.count())
	})
	return errors.Join(err, x.count())
}
