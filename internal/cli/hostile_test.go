package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A member of an archive whose content is not what its checksum says.
func TestZIPWithABrokenMember(t *testing.T) {
	c := newTool(t)
	records := map[string]string{}
	for i := range 3 {
		id := fmt.Sprintf("GHSA-%d", i)
		records[id] = npmRecord(id, "left-pad", "1.0.0", "HIGH")
	}
	good := osvZip(t, records)
	c.says(0, "3 records: 3 new", "feed", "import", "osv-npm="+good)
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("GHSA-1.json")) + len("GHSA-1.json") + 20 // in its packed bytes
	b[at] ^= 0xff
	broken := filepath.Join(t.TempDir(), "all.zip")
	if err := os.WriteFile(broken, b, 0o600); err != nil {
		t.Fatal(err)
	}
	before := c.does(0, "feed", "search", "left-pad", "--json")
	c.says(0, "osv-npm +nothing new, 1 kept aside", "feed", "import", "osv-npm="+broken)
	c.says(0, "kept aside: .*GHSA-1.json", "feed", "status", "osv-npm")
	if after := c.does(0, "feed", "search", "left-pad", "--json"); after != before {
		t.Error("a broken archive changed something")
	}
}

// An OVAL file that declares entities is refused before they are put in.
func TestOVALWithEntities(t *testing.T) {
	c := newTool(t)
	name := filepath.Join(t.TempDir(), "azurelinux-3.0-oval.xml")
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE oval_definitions [<!ENTITY a0 \"boom\">")
	for i := range 20 {
		fmt.Fprintf(&b, "<!ENTITY a%d \"%s\">", i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]>\n<oval_definitions><definitions><definition id=\"x\">&a20;</definition></definitions></oval_definitions>\n")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c.says(2, "azurelinux.*declares entities", "feed", "import", "azurelinux="+name)
	c.says(0, "no source was updated yet|last try failed", "feed", "status")
}

// Records that contradict themselves, that are each other's aliases, and that
// have versions nobody writes: none keeps the others from being found.
func TestHostileRecords(t *testing.T) {
	c := newTool(t)
	alias := func(id string, aliases ...string) string {
		return strings.Replace(npmRecord(id, "ring", "2.0.0", "HIGH"), `"affected"`, `"aliases":["`+strings.Join(aliases, `","`)+`"],"affected"`, 1)
	}
	records := map[string]string{
		"A-1": alias("A-1", "B-1", "A-1"), "B-1": alias("B-1", "C-1"), "C-1": alias("C-1", "A-1", "B-1"),
		"GHSA-ok":    npmRecord("GHSA-ok", "plain", "2.0.0", "HIGH"),
		"GHSA-long":  npmRecord("GHSA-long", "long", strings.Repeat("9", 100_000), "HIGH"),
		"GHSA-crazy": strings.Replace(npmRecord("GHSA-crazy", "crazy", "1.0.0", "HIGH"), `{"introduced":"0"}`, `{"introduced":"2.0.0"}`, 1),
	}
	c.says(0, "osv-npm .*kept aside", "feed", "import", "osv-npm="+osvZip(t, records))
	c.says(0, "kept aside: GHSA-crazy.*contradicts itself", "feed", "status", "osv-npm")
	c.says(0, "kept aside: GHSA-long", "feed", "status", "osv-npm")
	if got := scanned(c, "purl:pkg:npm/ring@1.0.0"); len(got) != 1 {
		t.Errorf("aliases in a ring give %q", got)
	}
	c.says(0, "is reported for 1 of 1", "explain", "purl:pkg:npm/ring@1.0.0", "B-1")
	if got := scanned(c, "purl:pkg:npm/plain@1.0.0"); len(got) != 1 {
		t.Errorf("beside bad records: %q", got)
	}
	// a package whose version nobody can read is not judged, which is said
	c.says(2, "", "scan", "purl:pkg:npm/plain@"+strings.Repeat("1.", 20_000)+"x")
}
