package bom

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spdx/tools-golang/tagvalue"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func testSchema(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
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

func compile(t *testing.T, main string, files map[string][]byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, text := range files {
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

func testImages(t testing.TB) []*inventory.Image {
	r := rand.New(rand.NewPCG(3, 4))
	images := append(realImages(t), sample(), &inventory.Image{}, &inventory.Image{Reference: "x", Packages: []inventory.Package{{}}})
	for range 10 {
		images = append(images, random(r, 20))
	}
	return images
}

func checkSchema(t *testing.T, s *jsonschema.Schema, f Format) {
	t.Helper()
	for i, img := range testImages(t) {
		text := write(t, f, img)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("image %d: %v", i, err)
			return
		}
	}
}

func cycloneDXSchema(t *testing.T) *jsonschema.Schema {
	const base = "http://cyclonedx.org/schema/"
	return compile(t, base+"bom-1.6.schema.json", map[string][]byte{
		base + "bom-1.6.schema.json":           testSchema(t, "bom-1.6.SNAPSHOT.schema.json.gz"),
		base + "spdx.SNAPSHOT.schema.json":     testSchema(t, "spdx.SNAPSHOT.schema.json.gz"),
		base + "jsf-0.82.SNAPSHOT.schema.json": testSchema(t, "jsf-0.82.SNAPSHOT.schema.json.gz"),
	})
}

func TestCycloneDXSchema(t *testing.T) {
	s := cycloneDXSchema(t)
	checkSchema(t, s, CycloneDXJSON)
	// The validator does find mistakes.
	broken := bytes.Replace(write(t, CycloneDXJSON, sample()), []byte(`"id":"MIT"`), []byte(`"id":"MITT"`), 1)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(broken))
	if err != nil {
		t.Fatal(err)
	}
	if s.Validate(doc) == nil {
		t.Error("an unknown licence identifier passes")
	}
}

func TestSPDXSchema(t *testing.T) {
	checkSchema(t, compile(t, "spdx.json", map[string][]byte{"spdx.json": testSchema(t, "spdx-2.3.schema.json")}), SPDXJSON)
}

// The tag-value form has no schema: another implementation reads it.
func TestTagValueReadable(t *testing.T) {
	for i, img := range testImages(t) {
		doc, err := tagvalue.Read(bytes.NewReader(write(t, SPDXTagValue, img)))
		if err != nil {
			t.Errorf("image %d: %v", i, err)
			continue
		}
		want := len(img.Packages) + len(img.Declared) + 1
		if img.Distro != nil {
			want++
		}
		if len(doc.Packages) != want {
			t.Errorf("image %d: %d packages, want %d", i, len(doc.Packages), want)
		}
	}
}

func TestOwnSchema(t *testing.T) {
	published, err := os.ReadFile("../../docs/schema/inventory-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, Schema()) {
		t.Error("docs/schema/inventory-1.json differs from internal/bom/schema/inventory-1.json")
	}
	checkSchema(t, compile(t, SchemaID, map[string][]byte{SchemaID: Schema()}), JSON)
}

// TestOwnSchemaComplete compares the schema with the Go types, field by field.
func TestOwnSchemaComplete(t *testing.T) {
	var doc struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"image": inventory.Image{}, "config": inventory.Config{}, "healthcheck": inventory.Healthcheck{}, "history": inventory.History{}, "layer": inventory.LayerInfo{},
		"distro": inventory.Distro{}, "package": inventory.Package{}, "location": inventory.Location{}, "license": inventory.License{}, "licenseFile": inventory.LicenseFile{},
		"binary": inventory.Binary{}, "fact": inventory.Fact{}, "coverage": inventory.Coverage{}, "problem": inventory.Problem{},
	} {
		def := doc.Defs[name]
		var fields, always []string
		for i := range reflect.TypeOf(v).NumField() {
			tag := reflect.TypeOf(v).Field(i).Tag.Get("json")
			field, opts, _ := strings.Cut(tag, ",")
			if field == "-" {
				continue
			}
			fields = append(fields, field)
			if opts == "" {
				always = append(always, field)
			}
		}
		var have []string
		for k := range def.Properties {
			have = append(have, k)
		}
		slices.Sort(fields)
		slices.Sort(have)
		slices.Sort(always)
		slices.Sort(def.Required)
		if !slices.Equal(fields, have) {
			t.Errorf("%s: the schema has the fields %q, the type %q", name, have, fields)
		}
		if !slices.Equal(always, def.Required) {
			t.Errorf("%s: the schema requires %q, always written are %q", name, def.Required, always)
		}
	}
}

func TestCycloneDXXSD(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint (Debian: libxml2-utils) is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"bom-1.6.SNAPSHOT.xsd", "spdx.SNAPSHOT.xsd"} {
		if err := os.WriteFile(filepath.Join(dir, name), testSchema(t, name+".gz"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--nonet", "--noout", "--schema", "bom-1.6.SNAPSHOT.xsd"}
	for i, img := range testImages(t) {
		name := string(rune('a'+i)) + ".xml"
		if err := os.WriteFile(filepath.Join(dir, name), write(t, CycloneDXXML, img), 0o666); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	cmd := exec.CommandContext(t.Context(), xmllint, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xmllint: %v\n%.4000s", err, out)
	}
}
