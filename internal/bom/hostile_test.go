package bom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadErrors(t *testing.T) {
	cdx := func(body string) string { return `{"bomFormat":"CycloneDX","specVersion":"1.6",` + body + `}` }
	tests := []struct{ name, doc, want string }{
		{"empty", "", "empty"},
		{"blank", " \n\n", "neither JSON nor XML"},
		{"rubbish", "hello", "neither JSON nor XML"},
		{"html", "<html><body>", `the root element is html`},
		{"other json", `{"a":1}`, "neither CycloneDX nor SPDX"},
		{"array", `[1]`, "neither JSON nor XML"},
		{"two formats", cdx(`"spdxVersion":"SPDX-2.3"`), "both cyclonedx-json and spdx-json"},
		{"wrong type", cdx(`"components":[{"type":"library","name":"a"},{"type":"library","name":7}]`), "components[1].name: want a string, found a number"},
		{"object for array", cdx(`"components":{"a":1}`), "components: want an array, found an object"},
		{"license", cdx(`"components":[{"licenses":[{"license":{"id":[]}}]}]`), "components[0].licenses[0].license.id: want a string, found an array"},
		{"double key", cdx(`"components":[{"type":"library","name":"a","purl":"pkg:npm/a","name":"b"}]`), "components[0].name: the key occurs twice"},
		{"double list", cdx(`"components":[],"components":[]`), "components: the key occurs twice"},
		{"double in ignored", cdx(`"x":{"y":1,"y":2}`), "x.y: the key occurs twice"},
		{"truncated", cdx(`"components":[{"type":"lib`)[:60], "ends too early"},
		{"trailing", cdx(`"components":[]`) + "{}", "something follows"},
		{"control", cdx("\"components\":[{\"name\":\"a\nb\"}]"), "control character"},
		{"escape", cdx(`"components":[{"name":"\x"}]`), "unknown escape"},
		{"number", cdx(`"version":01`), "is not a number"},
		{"cdx version", `{"bomFormat":"CycloneDX","specVersion":"2.0"}`, "specVersion"},
		{"cdx format", `{"bomFormat":"Other","specVersion":"1.6"}`, "bomFormat"},
		{"spdx version", `{"spdxVersion":"SPDX-9.0"}`, "spdxVersion"},
		{"own version", `{"schemaVersion":2,"image":{}}`, "schemaVersion"},
		{"own type", `{"schemaVersion":1,"image":{"packages":[{"type":"npm","name":["x"]}]}}`, "image.packages[0]: field name"},
		{"own field", `{"schemaVersion":1,"image":{"layers":[{"diffID":1}]}}`, "image.layers: field layers.diffID"},
		{"own state", `{"schemaVersion":1,"image":{"packages":[{"type":"npm","name":"x","state":"declared"}]}}`, "image.packages[0]: a package of state"},
		{"own properties", cdx(`"components":[{"type":"library","name":"a","bom-ref":"r","properties":[{"name":"tidewaiter:layer","value":"x"}]}]`), `component "r": property tidewaiter:layer`},
		{"xml syntax", `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components><component>`, "unexpected EOF"},
		{"xml namespace", `<bom xmlns="http://example.org/"/>`, "not bom of CycloneDX"},
		{"xml entity", `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components><component type="library"><name>&lol;</name></component></components></bom>`, "invalid character entity"},
		{
			"xml bomb", `<?xml version="1.0"?><!DOCTYPE bom [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components><component type="library"><name>&b;</name></component></components></bom>`,
			"document type declarations are not accepted",
		},
		{"tag twice", "SPDXVersion: SPDX-2.3\nPackageName: a\nPackageVersion: 1\nPackageVersion: 2\n", "line 4, PackageVersion: package \"a\" has the tag twice"},
		{"tag without value", "SPDXVersion: SPDX-2.3\nhello\n", "line 2, document"},
		{"text without end", "SPDXVersion: SPDX-2.3\nPackageName: a\nPackageComment: <text>b\n", "<text> without </text>"},
		{"relationship", "SPDXVersion: SPDX-2.3\nRelationship: a b\n", "line 2, Relationship"},
		{"tag version", "SPDXVersion: SPDX-1.0\n", "spdxVersion"},
		{"purl", "pkg:npm/a\nnpm/b\n", "line 2"},
		{"syft", `{"artifacts":[{"name":"a","locations":[{"path":3}]}]}`, "artifacts[0].locations[0].path: want a string, found a number"},
		{"spdx 3", `{"@graph":[]}`, "@graph"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Read(strings.NewReader(tt.doc), Limits{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestReadLimits(t *testing.T) {
	many := func(start, one, sep string, n int, end string) string {
		return start + strings.TrimSuffix(strings.Repeat(one+sep, n), sep) + end
	}
	deep := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	tests := []struct{ name, doc, limit string }{
		{"cyclonedx components", many(`{"bomFormat":"CycloneDX","components":[`, `{"name":"a"}`, ",", 11, `]}`), "components"},
		{"xml components", many(`<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><components>`, `<component type="library"><name>a</name></component>`, "", 11, `</components></bom>`), "components"},
		{"spdx packages", many(`{"spdxVersion":"SPDX-2.3","packages":[`, `{"name":"a"}`, ",", 11, `]}`), "components"},
		{"tag-value packages", many("SPDXVersion: SPDX-2.3\n", "PackageName: a\n", "", 11, ""), "components"},
		{"syft artifacts", many(`{"artifacts":[`, `{"name":"a"}`, ",", 11, `]}`), "components"},
		{"own packages", many(`{"schemaVersion":1,"image":{"packages":[`, `{"type":"a","name":"a"}`, ",", 11, `]}}`), "components"},
		{"purls", many("", "pkg:npm/a\n", "", 11, ""), "components"},
		{"spdx 3 elements", many(`{"@graph":[`, `{"type":"x"}`, ",", 11, `]}`), "components"},
		{"dependencies", many(`{"bomFormat":"CycloneDX","dependencies":[`, `{"ref":"a","dependsOn":["b","c","d","e","f","g","h","i","j"]}`, ",", 20, `]}`), "relations"},
		{"relationships", many(`{"spdxVersion":"SPDX-2.3","relationships":[`, `{"spdxElementId":"a","relationshipType":"DEPENDS_ON","relatedSpdxElement":"b"}`, ",", 101, `]}`), "relations"},
		{"nested components", `{"bomFormat":"CycloneDX","components":` + deep(`[{"components":`, `}]`, 30), "nesting"},
		{"nested rubbish", `{"bomFormat":"CycloneDX","x":` + deep("[", "]", 5000) + "}", "nesting"},
		{"nested xml", `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">` + deep(`<components><component type="library">`, `</component></components>`, 60) + "</bom>", "nesting"},
		{"bytes", `{"bomFormat":"CycloneDX","x":"` + strings.Repeat("a", 5000) + `"}`, "bytes"},
		{"bytes xml", `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">` + strings.Repeat(" ", 9000) + `</bom>`, "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := Limits{Components: 10, Depth: 40, Bytes: 1 << 20}
			if strings.HasPrefix(tt.name, "nested") {
				limits.Components = 1000
			}
			if strings.HasPrefix(tt.name, "bytes") {
				limits.Bytes = 4500
			}
			_, _, err := Read(strings.NewReader(tt.doc), limits)
			var limit *LimitError
			if !errors.As(err, &limit) || !strings.Contains(limit.Limit, tt.limit) {
				t.Errorf("Read: %v, want the limit of %s", err, tt.limit)
			}
		})
	}
	exact := `{"bomFormat":"CycloneDX"}`
	if _, _, err := Read(strings.NewReader(exact), Limits{Bytes: int64(len(exact))}); err != nil {
		t.Errorf("a document of exactly the limit: %v", err)
	}
}

type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrClosedPipe
	}
	return n, err
}

func TestReadPassesErrors(t *testing.T) {
	for _, doc := range []string{`{"bomFormat":`, `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">`, "SPDXVersion: SPDX-2.3\n", "pkg:npm/a\n"} {
		if _, _, err := Read(brokenReader{strings.NewReader(doc)}, Limits{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%q: %v, want the reader's error", doc, err)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWritePassesErrors(t *testing.T) {
	for _, f := range Formats() {
		if err := Write(fullDisk{}, f, sample(), Options{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v, want the writer's error", f, err)
		}
	}
	if err := Write(io.Discard, SyftJSON, sample(), Options{}); err == nil {
		t.Error("Syft's format is written")
	}
}

func addSeeds(f *testing.F, formats ...Format) {
	files, err := filepath.Glob("testdata/foreign/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if formats[0] == CycloneDXJSON {
			f.Add(text)
		}
	}
	// A small one: large seeds make a slow fuzzer.
	img := sample()
	img.Packages, img.Declared, img.Layers, img.Problems = img.Packages[3:5], img.Declared[:1], img.Layers[:1], img.Problems[:1]
	for _, format := range formats {
		f.Add(write(f, format, img))
	}
}

// fuzzRead: what was read can be written in every format, and read again.
func fuzzRead(t *testing.T, doc []byte) {
	img, _, err := Read(bytes.NewReader(doc), Limits{Components: 1000})
	if err != nil {
		return
	}
	for _, format := range lossless {
		text := write(t, format, img)
		again, got, err := Read(bytes.NewReader(text), Limits{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", format, err, text)
		}
		if got != format {
			t.Fatalf("%s is read as %s", format, got)
		}
		if len(again.Packages) != len(img.Packages) || len(again.Declared) != len(img.Declared) {
			t.Fatalf("%s: %d and %d packages, want %d and %d\n%s", format, len(again.Packages), len(again.Declared), len(img.Packages), len(img.Declared), text)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	addSeeds(f, CycloneDXJSON, SPDXJSON, JSON)
	f.Fuzz(fuzzRead)
}

func FuzzReadXML(f *testing.F) {
	addSeeds(f, CycloneDXXML)
	f.Fuzz(fuzzRead)
}

func FuzzReadTagValue(f *testing.F) {
	addSeeds(f, SPDXTagValue)
	f.Fuzz(fuzzRead)
}

func FuzzReadPURLs(f *testing.F) {
	addSeeds(f, PURLs)
	f.Fuzz(fuzzRead)
}

// FuzzScanner: the scanner accepts what encoding/json accepts, and reads
// strings as it does.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,null,"x\u00e9\ud83d\ude00\ud800\\"]}`, `""`, `"\ud83d\ude00"`, `0`, `[[],{}]`, "\"\xff\"", `1.`, `tru`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		s := newScanner(bufio.NewReaderSize(bytes.NewReader(doc), 16), 200)
		err := s.skip()
		if err == nil {
			err = s.end()
		}
		if err != nil && (strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "limit")) {
			return
		}
		if valid := json.Valid(doc); valid != (err == nil) {
			t.Fatalf("valid is %v, but: %v", valid, err)
		}
		var want string
		if err == nil && json.Unmarshal(doc, &want) == nil {
			got, err := newScanner(bufio.NewReaderSize(bytes.NewReader(doc), 16), 200).str()
			if err != nil || strings.ReplaceAll(got, "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
				t.Fatalf("read %q (%v), want %q", got, err, want)
			}
		}
	})
}
