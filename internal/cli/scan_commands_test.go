package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/bom"
)

func TestScanExitCodes(t *testing.T) {
	c := newTool(t)
	c.does(0, "feed", "import", "osv-npm="+osvZip(t, map[string]string{
		"GHSA-1": npmRecord("GHSA-1", "fixable", "2.0.0", "HIGH"),
		"GHSA-2": npmRecord("GHSA-2", "hopeless", "", "CRITICAL"),
		"GHSA-3": npmRecord("GHSA-3", "slight", "2.0.0", "LOW"),
	}))
	file := func(name, text string) string {
		path := filepath.Join(c.data, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const yes, hopeless = "purl:pkg:npm/fixable@1.0.0", "purl:pkg:npm/hopeless@1.0.0"
	vex := file("vex.json", `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex-1","author":"me","timestamp":"2026-05-01T00:00:00Z","version":1,
		"statements":[{"vulnerability":{"name":"GHSA-1"},"products":[{"@id":"pkg:npm/fixable"}],"status":"not_affected","justification":"vulnerable_code_not_present"}]}`)
	other := file("other.json", `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex-2","author":"me","timestamp":"2026-05-01T00:00:00Z","version":1,
		"statements":[{"vulnerability":{"name":"GHSA-1"},"products":[{"@id":"pkg:npm/fixable@1.0.1"}],"status":"not_affected","justification":"vulnerable_code_not_present"}]}`)
	ignore := file("ignore.yaml", "- {id: GHSA-1, reason: known}\n")
	expired := file("expired.yaml", "- {id: GHSA-1, reason: known, expires: 2020-01-31}\n")
	lasting := file("lasting.yaml", "- {id: 'GHSA-*', package: 'fix*', reason: known, expires: 2999-01-31}\n")
	elsewhere := file("elsewhere.yaml", "- {id: GHSA-1, package: other, reason: known}\n")
	reasonless := file("reasonless.yaml", "- {id: GHSA-1}\n- {id: GHSA-2, reason: r, expires: soon}\n")
	mixed := file("purls.txt", "# a list\npkg:npm/fixable@2.0.0\n\npkg:npm/slight@1.0.0\npkg:cpan/JSON@1\n")
	broken := file("broken.txt", "pkg:npm/a@1\nnonsense\nalso nonsense\n")
	tests := []struct {
		code int
		want string
		args []string
	}{
		{0, "GHSA-1", []string{yes}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high"}},
		{1, "GHSA-1", []string{yes, "--fail-on", "negligible"}},
		{0, "GHSA-1", []string{yes, "--fail-on", "critical"}},
		{2, "use negligible", []string{yes, "--fail-on", "terrible"}},
		{0, "", []string{"purl:pkg:npm/fixable@2.0.0", "--fail-on", "low"}},
		{1, "GHSA-2", []string{hopeless, "--fail-on", "high"}},
		{0, "", []string{hopeless, "--fail-on", "high", "--only-fixed"}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high", "--only-fixed"}},
		{0, "", []string{yes, "--fail-on", "high", "--vex", vex}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high", "--vex", other}},
		{0, "vulnerable_code_not_present", []string{yes, "--vex", vex, "--show-suppressed"}},
		{2, "no such file", []string{yes, "--vex", "nothing.json"}},
		{0, "", []string{yes, "--fail-on", "high", "--ignore-file", ignore}},
		{0, "ignored: known", []string{yes, "--ignore-file", ignore, "--show-suppressed"}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high", "--ignore-file", expired}},
		{0, "", []string{yes, "--fail-on", "high", "--ignore-file", lasting}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high", "--ignore-file", elsewhere}},
		{2, "rule 1 gives no reason.*rule 2: expires", []string{yes, "--ignore-file", reasonless}},
		{0, "GHSA-3", []string{"purls:" + mixed}},
		{1, "GHSA-3", []string{"purls:" + mixed, "--fail-on", "low"}},
		{0, "", []string{"purls:" + mixed, "--fail-on", "medium"}},
		{2, "line 2.*line 3", []string{"purls:" + broken}},
		{2, "no such file", []string{"purls:nothing.txt"}},
		{2, `no advisory data for "pypi"`, []string{"purl:pkg:pypi/x@1"}},
		{0, `no advisory data for "pypi"`, []string{"purl:pkg:pypi/x@1", "--allow-unknown"}},
		{2, "", []string{"purl:pkg:npm/fixable@latest"}},
		{1, "GHSA-1", []string{yes, "--fail-on", "high", "--as-of", "2999-01-01", "--allow-unknown"}},
		{2, "no advisory data", []string{yes, "--fail-on", "high", "--as-of", "2020-01-01"}},
		{2, "is no instant", []string{yes, "--as-of", "yesterday"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			c := &tool{t, c.data}
			c.says(tt.code, tt.want, append([]string{"scan"}, tt.args...)...)
		})
	}
	c.says(0, "is reported for 1 of 1.*1.0.0 < 2.0.0", "explain", yes, "GHSA-1")
	c.says(0, "not reported.*2.0.0 ≥ 2.0.0, which is fixed", "explain", "purl:pkg:npm/fixable@2.0.0", "GHSA-1")
	// what the owner decided shows in explanations and in every scan
	c.says(0, "is found in 1 of 1.*suppressed: VEX not_affected.*VEX GHSA-1 not_affected.*not_affected: 1 finding", "explain", yes, "GHSA-1", "--vex", vex)
	c.says(0, "is reported for 1 of 1.*VEX GHSA-1 .*in none of the products", "explain", yes, "GHSA-1", "--vex", other)
	c.says(0, "suppressed: ignored: known.*ignore rule GHSA-1: known: ignored 1 finding", "explain", yes, "GHSA-1", "--ignore-file", ignore)
	c.says(0, "is reported for 1 of 1.*ignore rule GHSA-1: known: has expired", "explain", yes, "GHSA-1", "--ignore-file", expired)
	c.says(0, `"suppressed": "ignored: known".*"matched": 1`, "explain", yes, "GHSA-1", "--ignore-file", ignore, "--json")
	c.says(2, "no such file", "explain", yes, "GHSA-1", "--vex", "nothing.json")
	c.says(2, "rule 1 gives no reason", "explain", yes, "GHSA-1", "--ignore-file", reasonless)
	for _, format := range []string{"table", "json", "csv", "markdown", "html", "sarif", "junit", "gitlab", "github", "cyclonedx-json", "openvex", "csaf-vex"} {
		c.says(0, "in none of the products that the statement names", "scan", yes, "--vex", other, "-o", format)
	}
	c.says(0, "the image has none", "explain", "purl:pkg:npm/x@2.0.0", "GHSA-1")
	c.says(0, "no record of CVE-1999-0001 is known", "explain", yes, "CVE-1999-0001")
}

// scanned are the findings of a scan, as "ID package version fix".
func scanned(c *tool, args ...string) []string {
	c.t.Helper()
	out := filepath.Join(c.t.TempDir(), "scan.json")
	c.does(0, append([]string{"scan", "-o", "json=" + out, "--allow-unknown"}, args...)...)
	b, err := os.ReadFile(out)
	if err != nil {
		c.t.Fatal(err)
	}
	var doc struct {
		Findings []struct {
			ID      string
			Package struct{ Name, Version string }
			Fix     struct{ Versions []string }
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		c.t.Fatal(err)
	}
	var list []string
	for _, f := range doc.Findings {
		list = append(list, fmt.Sprint(f.ID, " ", f.Package.Name, " ", f.Package.Version, " ", f.Fix.Versions))
	}
	slices.Sort(list)
	return list
}

// TestScanOfBillsOfMaterials compares the findings of an image with those of
// each of our own documents about it.
func TestScanOfBillsOfMaterials(t *testing.T) {
	feeds := feedFolder(t)
	image := filepath.Join(feeds, "../../images/distroless.tar") // of Debian 9
	if _, err := os.Stat(image); err != nil {
		t.Skip("the image is not there: ", err)
	}
	c := newTool(t)
	c.does(0, "feed", "import", "debian="+filepath.Join(feeds, "debian/security-tracker.json.gz"), "debian-dsa="+filepath.Join(feeds, "debian/tracker-lists"))
	want := scanned(c, image)
	if len(want) == 0 {
		t.Fatal("nothing is found in the image")
	}
	t.Logf("%d findings: %v", len(want), want)
	for _, f := range bom.Formats() {
		name := filepath.Join(c.data, "bom")
		c.does(0, "sbom", image, "-o", string(f)+"="+name)
		input := "sbom:" + name
		if f == bom.PURLs {
			input = "purls:" + name
		}
		if got := scanned(c, input); !slices.Equal(got, want) {
			t.Errorf("%s: %d findings, the image has %d:\n%v", f, len(got), len(want), got)
		}
	}
}
