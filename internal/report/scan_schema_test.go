package report

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

func schemaText(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// compile compiles the first of the schemas, which may refer to the others.
func compile(t *testing.T, main string, schemas map[string][]byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, text := range schemas {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(main)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// Every JSON format follows its schema, whatever is in the scan, and each
// schema finds a mistake.
func TestScanSchemas(t *testing.T) {
	const cdx = "../bom/testdata/schema/"
	const base = "http://cyclonedx.org/schema/"
	for _, tt := range []struct {
		format, main string
		schemas      map[string]string
		good, bad    string // a replacement that breaks the document
	}{
		{"json", ScanSchemaID, map[string]string{ScanSchemaID: "schema/scan-1.json"}, `"state":"ended"`, `"state":"endet"`},
		{"cyclonedx-json", base + "bom-1.6.schema.json", map[string]string{
			base + "bom-1.6.schema.json": cdx + "bom-1.6.SNAPSHOT.schema.json.gz", base + "spdx.SNAPSHOT.schema.json": cdx + "spdx.SNAPSHOT.schema.json.gz",
			base + "jsf-0.82.SNAPSHOT.schema.json": cdx + "jsf-0.82.SNAPSHOT.schema.json.gz",
		}, `"state":"resolved"`, `"state":"done"`},
		{SARIF, "sarif.json", map[string]string{"sarif.json": "testdata/schema/sarif-2.1.0.json.gz"}, `"level": "note"`, `"level": "fine"`},
		{GitLab, "gitlab.json", map[string]string{"gitlab.json": "testdata/schema/gitlab.json"}, `"severity": "High"`, `"severity": "high"`},
		{OpenVEX, "openvex.json", map[string]string{"openvex.json": "testdata/schema/openvex.json"}, `"action_statement"`, `"action"`},
		{CSAFVEX, "csaf.json", map[string]string{"csaf.json": "testdata/schema/csaf-2.0.json.gz"}, `"vendor_fix"`, `"fix"`},
	} {
		t.Run(tt.format, func(t *testing.T) {
			schemas := map[string][]byte{"https://www.first.org/cvss/cvss-v2.0.json": []byte("{}"), "https://www.first.org/cvss/cvss-v3.0.json": []byte("{}"), "https://www.first.org/cvss/cvss-v3.1.json": []byte("{}")}
			for name, path := range tt.schemas {
				schemas[name] = schemaText(t, path)
			}
			s := compile(t, tt.main, schemas)
			for name, scan := range testScans() {
				if err := valid(t, s, renderScan(t, tt.format, scan, Options{Suppressed: true})); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			text := renderScan(t, tt.format, sampleScan(), Options{Suppressed: true})
			if !strings.Contains(text, tt.good) {
				t.Fatalf("%s is nowhere in it", tt.good)
			}
			if valid(t, s, strings.ReplaceAll(text, tt.good, tt.bad)) == nil {
				t.Errorf("the schema takes %s", tt.bad)
			}
		})
	}
}

func TestScanXMLSchemas(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint (Debian: libxml2-utils) is not installed")
	}
	dir := t.TempDir()
	put := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bom-1.6.SNAPSHOT.xsd", "spdx.SNAPSHOT.xsd"} {
		put(name, schemaText(t, "../bom/testdata/schema/"+name+".gz"))
	}
	put("junit.xsd", schemaText(t, "testdata/schema/junit.xsd"))
	for format, xsd := range map[string]string{"cyclonedx-xml": "bom-1.6.SNAPSHOT.xsd", JUnit: "junit.xsd"} {
		args := []string{"--nonet", "--noout", "--schema", xsd}
		for name, scan := range testScans() {
			put(format+name, []byte(renderScan(t, format, scan, Options{Suppressed: true})))
			args = append(args, format+name)
		}
		cmd := exec.CommandContext(t.Context(), xmllint, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%.4000s", format, err, out)
		}
	}
}

// The published schema is the embedded one and has every field of the types
// that are written, no more.
func TestScanSchemaComplete(t *testing.T) {
	published, err := os.ReadFile("../../docs/schema/scan-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, ScanSchema()) {
		t.Error("docs/schema/scan-1.json differs from internal/report/schema/scan-1.json")
	}
	type object struct {
		Properties map[string]any `json:"properties"`
		Required   []string       `json:"required"`
	}
	var doc struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(ScanSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	doc.Defs[""] = doc.object
	for name, v := range map[string]any{
		"": scanDocument{}, "image": scanImage{}, "distroState": match.DistroState{}, "summary": Summary{}, "unknown": Unknown{}, "package": scanPackage{},
		"finding": scanFinding{}, "severity": advisory.Severity{}, "fix": advisory.Fix{}, "exploited": advisory.Exploited{}, "epss": advisory.EPSS{}, "evidence": match.Evidence{},
		"packageState": scanState{}, "feed": match.FeedState{}, "statementResult": match.StatementResult{}, "statement": advisory.Statement{}, "ignoreResult": match.IgnoreResult{},
	} {
		fields, always := jsonFields(reflect.TypeOf(v))
		if name == "" { // written one by one
			fields, always = append(fields, "findings"), append(always, "findings")
		}
		var have []string
		for k := range doc.Defs[name].Properties {
			have = append(have, k)
		}
		slices.Sort(fields)
		slices.Sort(always)
		slices.Sort(have)
		required := slices.Sorted(slices.Values(doc.Defs[name].Required))
		if d := cmp.Diff(slices.Compact(fields), have); d != "" {
			t.Errorf("%q: fields (-type +schema):\n%s", name, d)
		}
		if d := cmp.Diff(slices.Compact(always), required); d != "" {
			t.Errorf("%q: required (-type +schema):\n%s", name, d)
		}
	}
}

func jsonFields(t reflect.Type) (fields, always []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			a, b := jsonFields(f.Type)
			fields, always = append(fields, a...), append(always, b...)
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
		if opts == "" {
			always = append(always, name)
		}
	}
	return fields, always
}

// What the JSON holds is what the scan holds.
func TestScanJSONComplete(t *testing.T) {
	s := sampleScan()
	var got struct {
		Generation int64
		Findings   []struct {
			match.Finding
			Package scanPackage `json:"package"`
		}
		States []scanState
		Feeds  []match.FeedState
		VEX    []match.StatementResult
	}
	if err := json.Unmarshal([]byte(renderScan(t, "json", s, Options{})), &got); err != nil {
		t.Fatal(err)
	}
	for i := range got.Findings {
		want := s.Findings[i]
		got.Findings[i].Finding.Package = want.Package
		if d := cmp.Diff(want, got.Findings[i].Finding); d != "" {
			t.Errorf("finding %d (-want +got):\n%s", i, d)
		}
		if p := s.Package(&want); got.Findings[i].Package.PURL != p.PURL() || got.Findings[i].Package.Path != p.Path {
			t.Errorf("finding %d: package %+v", i, got.Findings[i].Package)
		}
	}
	if len(got.Findings) != len(s.Findings) || len(got.States) != len(s.States) || !cmp.Equal(got.Feeds, s.Feeds) || !cmp.Equal(got.VEX, s.VEX) || got.Generation != 42 {
		t.Error("something is missing")
	}
}

// A reader of RFC 4180 gets whole records, and no cell is a formula.
func TestScanCSV(t *testing.T) {
	for name, s := range testScans() {
		records, err := csv.NewReader(strings.NewReader(renderScan(t, CSV, s, Options{}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if want := 1 + len(s.Findings) + len(s.States) + len(unknowns(s)) + len(s.VEX) + len(s.Ignored); len(records) != want {
			t.Errorf("%s: %d records, want %d", name, len(records), want)
		}
		for _, r := range records {
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s: %q is a formula", name, cell)
				}
			}
		}
	}
	for in, want := range map[string]string{"=1+1": "'=1+1", " -2": "'-2", "@x": "'@x", "＝1": "'＝1", "1-2": "1-2", "a\r\nb": "a b", "": ""} {
		if got := csvCell(in); got != want {
			t.Errorf("csvCell(%q) = %q, want %q", in, got, want)
		}
	}
}
