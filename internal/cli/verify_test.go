package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// verify runs verify on a record and returns its failing steps, in order.
func (c *command) verify(record []byte) (code int, failed []string, text string) {
	c.t.Helper()
	code, out, errs := c.run("verify", "--json", c.file("record", string(record)))
	var doc struct {
		Stands bool
		Steps  []policy.Step
	}
	if code == 2 {
		return code, nil, errs
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		c.t.Fatal(err, out, errs)
	}
	for _, s := range doc.Steps {
		if !s.OK {
			failed = append(failed, s.Name)
		}
	}
	if doc.Stands != (failed == nil) || doc.Stands != (code == 0) {
		c.t.Errorf("exit code %d, stands %v, failed %v", code, doc.Stands, failed)
	}
	return code, failed, out
}

// fullRecord is the record of a verdict on the example image with something in
// every member.
func fullRecord(t *testing.T, c *command) []byte {
	t.Helper()
	own := c.file("own.yaml", "id: ACME-2026-1\nsummary: a test\nseverity: high\npackages:\n  - purl: pkg:apk/alpine/busybox?distro=alpine-3.10\n    fixed: 99.0-r0\n")
	if code, _, errs := c.run("feed", "update", "own", "--from", own); code != 0 {
		t.Fatal(errs)
	}
	bundle := c.file("full.json", bundleText(strings.Join([]string{
		askRule("v", "vulnerabilities", "package", "package_type", "all", "max_days_since_creation", "0"), askRule("f", "files", "name_match", "regex", "/bin/busybox$"),
		askRule("d", "dockerfile", "no_dockerfile_provided"), askRule("k", "secret_scans", "content_regex_checks"), askRule("p", "pkgdiff", "pkgadd"), askRule("e", "packages", "eol"),
		askRule("b", "base_image", "package_added"),
	}, ","), `"whitelisted_images":[{"id":"l","name":"x","registry":"*","repository":"no/such","image":{"type":"tag","value":"*"}}],"blacklisted_images":[]`))
	file := filepath.Join(c.dir, "full.record")
	if code, _, errs := c.run("check", alpine, "--policy", bundle, "--base", alpine, "-o", "verdict-record="+file, "--tag", "example.com/app:1"); code == 0 && errs != "" {
		t.Fatal(errs)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := policy.ReadRecord(in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Subject()
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := policy.Decode(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	// The test writes JSON with sorted members; facts keep theirs as they are.
	for _, img := range []*inventory.Image{s.Image, s.Base} {
		for i := range img.Facts {
			var v any
			if err := json.Unmarshal(img.Facts[i].Data, &v); err != nil {
				t.Fatal(err)
			}
			if img.Facts[i].Data, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What a check of an example image does not fill.
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.Previous = &inventory.Image{Reference: "before", Packages: []inventory.Package{{Type: "apk", Name: "musl", Version: "1"}}, Files: s.Image.Files}
	s.Untold = map[string]string{"previous": "x"}
	s.Sources = []policy.Source{{Name: "git", Packages: s.Previous.Packages}}
	s.PackageFeeds = map[string]*policy.PackageFeed{"npm": {Synced: at, Packages: map[string]policy.FeedPackage{"a": {Latest: "1", Versions: []string{"1"}}}}}
	s.Cycles = map[int]policy.Cycle{0: {Product: "p", Name: "1", EOL: at, Latest: "1.1"}}
	s.Annotations = map[string]string{"a": "b"}
	s.Scan.States = []match.PackageState{{Package: 1, State: match.NoData, Stream: "s", Message: "m"}}
	s.Scan.Problems = []string{"one"}
	f := &s.Scan.Findings[0]
	f.Exploited, f.EPSS = &advisory.Exploited{ID: f.ID}, &advisory.EPSS{ID: f.ID, Score: 0.5, Percentile: 0.5}
	f.Scores = []advisory.Severity{{Source: "nvd", Type: "CVSS_V3", Score: 7}}
	v, err := policy.Evaluate(t.Context(), b, s, policyGates())
	if err != nil {
		t.Fatal(err)
	}
	if r, err = policy.NewRecord(s, b, &v, policyGates(), "test"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// leaf is a value of a JSON document, and how to put another in its place.
type leaf struct {
	path string // with [] for every index and {} for every key of a map
	old  any
	set  func(any)
}

func leaves(path string, v any, set func(any), yield func(leaf)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			leaves(path+"."+k, v[k], func(n any) { v[k] = n }, yield)
		}
	case []any:
		for i := range v {
			leaves(path+"[]", v[i], func(n any) { v[i] = n }, yield)
		}
		if len(v) > 0 {
			yield(leaf{path + " shortened", v, func(any) { set(v[:len(v)-1]) }})
		}
	default:
		yield(leaf{path, v, set})
	}
}

func altered(old any) any {
	switch v := old.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t.Add(time.Second).Format(time.RFC3339Nano)
		}
		return v + "x"
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n + 1
		}
		return 0.25
	case bool:
		return !v
	case nil:
		return "x"
	}
	return old
}

// TestVerifyNamesTheStep alters one value of every kind of place in a record,
// each alone, and wants the step named that first rests on it.
func TestVerifyNamesTheStep(t *testing.T) {
	c := newCommand(t)
	record := fullRecord(t, c)
	if code, failed, text := c.verify(record); code != 0 {
		t.Fatalf("%v\n%s", failed, text)
	}
	steps := []struct{ prefix, step string }{
		{".bundle", "bundle"}, {".inventory", "inventory"}, {".scan", "findings"}, {".context", "context"}, {".now", "instant"}, {".tag", "tag"}, {".gates", "gates"},
		{".verdict.bundleDigest", "bundle"}, {".verdict.inventoryDigest", "inventory"}, {".verdict.findingsDigest", "findings"}, {".verdict.contextDigest", "context"}, {".verdict.generation", "findings"},
		{".verdict.at", "instant"}, {".verdict.tag", "tag"}, {".verdict.image", "image"}, {".verdict.bundleID", "bundle"}, {".verdict.format", "bundle"}, {".verdict.mapping", "mapping"},
		{".verdict.problems", "problems"}, {".verdict.rows[].action", "allowlists"}, {".verdict.rows[].allowlisted", "allowlists"}, {".verdict.rows", "rules"}, {".verdict.unknowns", "unknowns"},
		{".verdict.ruleSets", "policies"}, {".verdict.policyAction", "policies"}, {".verdict.allowed", "image lists"}, {".verdict.denied", "image lists"}, {".verdict.action", "final action"}, {".verdict.reason", "final action"},
	}
	parse := func() any {
		t.Helper()
		d := json.NewDecoder(bytes.NewReader(record))
		d.UseNumber()
		var doc any
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	kinds := map[string]bool{}
	var places []string
	leaves("", parse(), nil, func(l leaf) {
		if !kinds[l.path] {
			kinds[l.path] = true
			places = append(places, l.path)
		}
	})
	unreadable := 0
	for _, place := range places {
		if place == ".program" {
			continue // for information
		}
		doc := parse()
		done := false
		leaves("", doc, nil, func(l leaf) {
			if l.path == place && !done {
				done = true
				l.set(altered(l.old))
			}
		})
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		code, failed, text := c.verify(data)
		if code == 2 {
			if unreadable++; !strings.Contains(text, "record") {
				t.Errorf("%s: %s", place, text)
			}
			continue
		}
		want := ""
		for _, s := range steps {
			if strings.HasPrefix(place, s.prefix) {
				want = s.step
				break
			}
		}
		if code != 1 || failed[0] != want {
			t.Errorf("%s: exit code %d, steps %v fail, want %q first", place, code, failed, want)
		}
	}
	if len(places) < 200 || unreadable > len(places)/4 {
		t.Errorf("only %d places, %d of them made the record unreadable", len(places), unreadable)
	}
	t.Logf("%d places, %d unreadable", len(places), unreadable)
}

func TestVerifyRefuses(t *testing.T) {
	c := newCommand(t)
	for text, want := range map[string]string{
		"":    "cannot be read",
		"{}":  "this is no record of a verdict",
		"[1]": "cannot be read",
		`{"format":"tidewaiter-verdict-record","version":2}`: "version 2",
		`{"format":"tidewaiter-verdict-record","more":1}`:    "unknown field",
		"\x1f\x8bnonsense": "decompressing",
	} {
		if code, _, errs := c.run("verify", c.file("r", text)); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: exit code %d, %s", text, code, errs)
		}
	}
	if code, _, errs := c.run("verify", "missing"); code != 2 || !strings.Contains(errs, "missing") {
		t.Error(errs)
	}
}

// TestVerifyRealImages: records of real images come back to the same bytes.
func TestVerifyRealImages(t *testing.T) {
	c := newCommand(t)
	for _, name := range []string{"debian-java", "debian-many-layers", "secrets"} {
		image := corpusImage(t, name)
		for _, pol := range []string{"default", "strict"} {
			file := filepath.Join(c.dir, name+".gz")
			c.run("check", image, "--policy", pol, "-o", "verdict-record="+file)
			code, out, errs := c.run("verify", file)
			if code != 0 || !strings.Contains(out, "stands.") {
				t.Errorf("%s, %s: %s%s", name, pol, out, errs)
			}
		}
	}
	if got := fmt.Sprint(checkFormats()); !strings.Contains(got, verdictRecord) {
		t.Error(got)
	}
}
