package cli

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tool runs commands on a database of its own.
type tool struct {
	t    *testing.T
	data string
}

func newTool(t *testing.T) *tool { return &tool{t, t.TempDir()} }

// does runs a command, checks its exit code, and returns both outputs.
func (c *tool) does(code int, args ...string) string {
	c.t.Helper()
	var out bytes.Buffer
	if got := Main(append(args, "--data-dir", c.data, "-q"), strings.NewReader(""), &out, &out); got != code {
		c.t.Fatalf("tidewaiter %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, &out)
	}
	return out.String()
}

// says runs a command and checks that its output matches a pattern.
func (c *tool) says(code int, pattern string, args ...string) string {
	c.t.Helper()
	out := c.does(code, args...)
	if !regexp.MustCompile("(?s)" + pattern).MatchString(out) {
		c.t.Errorf("tidewaiter %s: output\n%s\ndoes not match %s", strings.Join(args, " "), out, pattern)
	}
	return out
}

// osvZip writes a collection as osv.dev publishes them.
func osvZip(t *testing.T, records map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for id, body := range records {
		w, err := z.Create(id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, body)
	}
	z.Close()
	name := filepath.Join(t.TempDir(), "all.zip")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// npmRecord is a record about one npm package; without fixed there is no fix.
func npmRecord(id, name, fixed, severity string) string {
	end := ""
	if fixed != "" {
		end = `,{"fixed":"` + fixed + `"}`
	}
	return `{"id":"` + id + `","modified":"2026-05-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"` + name + `"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}` + end +
		`]}]}],"database_specific":{"severity":"` + severity + `"}}`
}

func npmRecords(n int, fixed string) map[string]string {
	out := map[string]string{}
	for i := range n {
		id := fmt.Sprintf("GHSA-%04d", i)
		out[id] = npmRecord(id, "left-pad", fixed, "HIGH")
	}
	return out
}

func TestFeedUpdates(t *testing.T) {
	c := newTool(t)
	c.says(0, "no source was updated yet", "feed", "status")
	c.says(0, "osv-npm +on +60.*osv-wolfi +off", "feed", "list")
	c.says(2, `"osv-nmp"; feed list shows all|no such source`, "feed", "update", "osv-nmp")
	c.says(0, "osv-npm +200 records: 200 new, 0 changed, 0 gone", "feed", "import", "osv-npm="+osvZip(t, npmRecords(200, "1.0.0")))
	c.says(0, "nothing new", "feed", "update", "osv-npm", "--from", osvZip(t, npmRecords(200, "1.0.0")))
	before := c.does(0, "feed", "search", "left-pad", "--json")

	// whatever is wrong with a file changes nothing
	whole, err := os.ReadFile(osvZip(t, npmRecords(200, "2.0.0")))
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string][]byte{
		"truncated.zip": whole[:len(whole)/2],
		"html.zip":      []byte("<!DOCTYPE html><html><body>503 Service Unavailable</body></html>"),
		"empty.zip":     {},
	}
	for name, b := range wrong {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c.says(2, "osv-npm.*1 of 1 sources failed", "feed", "update", "osv-npm", "--from", path)
		c.says(0, "osv-npm +200 .*last try failed", "feed", "status")
	}
	c.says(2, "has 50 records where 200 were known", "feed", "update", "osv-npm", "--from", osvZip(t, npmRecords(50, "1.0.0")))
	c.says(2, "no such file", "feed", "update", "osv-npm", "--from", filepath.Join(t.TempDir(), "nothing.zip"))
	if after := c.does(0, "feed", "search", "left-pad", "--json"); after != before {
		t.Errorf("a failed update changed something")
	}
	c.says(0, "150 gone", "feed", "update", "osv-npm", "--from", osvZip(t, npmRecords(50, "1.0.0")), "--force")

	// bad records are kept aside
	records := npmRecords(60, "1.0.0")
	records["GHSA-bad"] = `{"id":"GHSA-bad","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"SEMVER","events":[{"fixed":"` + strings.Repeat("1.", 600) + `"}]}]}]}`
	c.says(0, "60 records: 10 new.*1 kept aside", "feed", "update", "osv-npm", "--from", osvZip(t, records))
	c.says(0, "kept aside: .*GHSA-bad", "feed", "status", "osv-npm")

	// what was known of a record that can now not be read stays in force
	records = npmRecords(60, "1.5.0")
	records["GHSA-0007"] = "{"
	c.says(0, "60 records: 0 new, 59 changed, 0 gone, 1 kept aside", "feed", "update", "osv-npm", "--from", osvZip(t, records))
	c.says(0, "GHSA-0007", "feed", "search", "GHSA-0007")

	// the owner decides
	c.does(0, "feed", "set", "osv-npm", "--pin", "--priority", "7", "--fresh", "48h", "--url", "https://mirror.example.com/npm/all.zip")
	c.says(2, "is pinned", "feed", "update", "osv-npm", "--from", osvZip(t, npmRecords(60, "9.0.0")))
	c.says(0, "osv-npm +on +7", "feed", "list")
	c.does(0, "feed", "set", "osv-npm", "--unpin")
	c.does(0, "feed", "update", "osv-npm", "--from", osvZip(t, npmRecords(60, "3.0.0")))
	c.does(0, "scan", "purl:pkg:npm/left-pad@3.0.0")
	c.does(1, "scan", "purl:pkg:npm/left-pad@2.0.0", "--fail-on", "high")
	c.does(0, "feed", "disable", "osv-npm")
	c.says(2, `no advisory data for "npm"`, "scan", "purl:pkg:npm/left-pad@2.0.0")
	c.says(0, "sources that are off know of it too: osv-npm", "explain", "purl:pkg:npm/left-pad@2.0.0", "GHSA-0001")
	c.does(0, "feed", "enable", "osv-npm")
	c.says(0, "GHSA-0001", "feed", "search", "GHSA-0001")
	c.says(1, "nothing is known", "feed", "search", "CVE-1999-0001")
	c.says(0, "added +osv-npm GHSA-0000.*60 records", "feed", "diff", "--source", "osv-npm", "--since", time.Now().Add(-time.Hour).Format(time.RFC3339))
	c.says(0, "^0 records", "feed", "diff", "--source", "debian", "--since", "2020-01-01")
}

func TestExchangeCommands(t *testing.T) {
	from, to := newTool(t), newTool(t)
	from.does(0, "feed", "import", "osv-npm="+osvZip(t, npmRecords(30, "1.0.0")))
	file := func(name string) string { return filepath.Join(from.data, name) }
	out := from.says(0, "export .*: 1 sources, 30 records", "feed", "export", file("all.tw"))
	id := strings.TrimSuffix(strings.Fields(out)[1], ":")
	key := strings.TrimSpace(from.does(0, "feed", "key"))
	other := strings.TrimSpace(to.does(0, "feed", "key"))
	from.does(0, "feed", "import", "osv-npm="+osvZip(t, npmRecords(31, "2.0.0")))
	from.says(0, "31 records", "feed", "export", "--since", id, file("delta.tw"))

	to.says(2, "no key is trusted", "feed", "import", file("all.tw"))
	to.says(2, "not among those trusted", "feed", "import", "--key", other, file("all.tw"))
	to.says(2, "not among those trusted", "feed", "verify", "--key", other, file("all.tw"))
	to.says(2, "delta of "+id, "feed", "import", "--key", key, file("delta.tw"))
	b, err := os.ReadFile(file("all.tw"))
	if err != nil {
		t.Fatal(err)
	}
	for name, cut := range map[string][]byte{"half.tw": b[:len(b)/2], "short.tw": b[:len(b)-1], "empty.tw": nil, "altered.tw": append(append(bytes.Clone(b[:len(b)/2]), b[len(b)/2]^1), b[len(b)/2+1:]...)} {
		if err := os.WriteFile(file(name), cut, 0o600); err != nil {
			t.Fatal(err)
		}
		to.does(2, "feed", "verify", "--key", key, file(name))
		to.does(2, "feed", "import", "--key", key, file(name))
	}
	to.says(0, "no source was updated yet", "feed", "status")
	to.says(0, "signed by "+regexp.QuoteMeta(key)+".*osv-npm +30 records", "feed", "verify", "--key", key, file("all.tw"))
	to.says(0, "30 new", "feed", "import", "--key", key, file("all.tw"))
	to.says(0, "1 new, 30 changed", "feed", "import", "--key", key, file("delta.tw"))
	to.says(2, "older", "feed", "import", "--key", key, file("all.tw"))
	if a, b := from.does(0, "feed", "search", "left-pad", "--json"), to.does(0, "feed", "search", "left-pad", "--json"); a != b {
		t.Error("the two databases differ")
	}
	to.says(1, "GHSA-0030", "scan", "purl:pkg:npm/left-pad@1.0.0", "--fail-on", "high")
}

// TestUpdateOfARealFeed compares the counts of an update with those of a plain
// comparison of the publisher's files.
func TestUpdateOfARealFeed(t *testing.T) {
	feeds := feedFolder(t)
	older, newer := filepath.Join(feeds, "osv/RubyGems/all.zip"), filepath.Join(feeds, "../updates/osv/RubyGems/all.zip")
	a, b := readRecords(t, older), readRecords(t, newer)
	added, changed, removed := 0, 0, 0
	for id, r := range b {
		if old, ok := a[id]; !ok {
			added++
		} else if !reflect.DeepEqual(old, r) {
			changed++
		}
	}
	for id := range a {
		if _, ok := b[id]; !ok {
			removed++
		}
	}
	c := newTool(t)
	c.says(0, fmt.Sprintf("%d new", len(a)), "feed", "import", "osv-rubygems="+older)
	between := time.Now().Add(10 * time.Millisecond)
	time.Sleep(time.Until(between) + 10*time.Millisecond)
	c.says(0, fmt.Sprintf("%d records: %d new, %d changed, %d gone", len(b), added, changed, removed), "feed", "update", "osv-rubygems", "--from", newer)
	t.Logf("%d records, then %d: %d added, %d changed, %d removed", len(a), len(b), added, changed, removed)
	list := c.does(0, "feed", "diff", "--since", between.UTC().Format(time.RFC3339Nano), "--json")
	var diff []struct{ Change string }
	if err := json.Unmarshal([]byte(list), &diff); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, d := range diff {
		counts[d.Change]++
	}
	if counts["added"] != added || counts["changed"] != changed || counts["removed"] != removed {
		t.Errorf("diff lists %v", counts)
	}
	// a record that only the newer file has, seen from both instants
	for id, r := range b {
		if _, ok := a[id]; ok {
			continue
		}
		name := r["affected"].([]any)[0].(map[string]any)["package"].(map[string]any)["name"].(string)
		now := c.does(0, "explain", "purl:pkg:gem/"+name+"@0.0.1", id)
		then := c.does(0, "explain", "purl:pkg:gem/"+name+"@0.0.1", id, "--as-of", between.UTC().Format(time.RFC3339Nano))
		if !strings.Contains(then, "no record of") || strings.Contains(now, "no record of") {
			t.Errorf("%s in %s: then\n%s\nnow\n%s", id, name, then, now)
		}
		break
	}
	c.says(2, "no advisory data", "scan", "purl:pkg:gem/rack@1.0.0", "--as-of", "2020-01-01")
}

func readRecords(t *testing.T, name string) map[string]map[string]any {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string]map[string]any{}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var rec map[string]any
		if err := json.NewDecoder(r).Decode(&rec); err != nil {
			t.Fatal(err)
		}
		r.Close()
		out[rec["id"].(string)] = rec
	}
	return out
}

// TestKillDuringImport kills the program at instants spread over an update:
// the database holds the old data or the new, and opens again.
func TestKillDuringImport(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	feeds := feedFolder(t)
	binary := filepath.Join(t.TempDir(), "tidewaiter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/tidewaiter").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	older, newer := filepath.Join(feeds, "osv/RubyGems/all.zip"), filepath.Join(feeds, "../updates/osv/RubyGems/all.zip")
	want := map[string][]string{"old": idsOf(readRecords(t, older)), "new": idsOf(readRecords(t, newer))}
	// how long does it take undisturbed?
	c := newTool(t)
	c.does(0, "feed", "import", "osv-rubygems="+older)
	start := time.Now()
	if err := exec.CommandContext(t.Context(), binary, "feed", "import", "osv-rubygems="+newer, "--data-dir", c.data).Run(); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(start)
	seen := map[string]int{}
	const rounds = 12
	for i := range rounds {
		c := newTool(t)
		c.does(0, "feed", "import", "osv-rubygems="+older)
		cmd := exec.CommandContext(t.Context(), binary, "feed", "import", "osv-rubygems="+newer, "--data-dir", c.data)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i+1) / rounds)
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		var records []struct{ ID, Change string }
		list := c.does(0, "feed", "diff", "--since", "2020-01-01", "--until", time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "--json")
		if err := json.Unmarshal([]byte(list), &records); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range records {
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		state := ""
		for name, w := range want {
			if slices.Equal(ids, w) {
				state = name
			}
		}
		if state == "" {
			t.Fatalf("killed after %v of %v: a mixture of %d records", whole*time.Duration(i+1)/rounds, whole, len(ids))
		}
		seen[state]++
		status := c.does(0, "feed", "status")
		if !strings.Contains(status, fmt.Sprintf("osv-rubygems  %d ", len(want[state]))) {
			t.Errorf("%s data, but the status says\n%s", state, status)
		}
		c.does(0, "feed", "import", "osv-rubygems="+newer) // and goes on
		c.says(0, "nothing new", "feed", "import", "osv-rubygems="+newer)
	}
	t.Logf("killed %d times within %v: %v", rounds, whole.Round(time.Millisecond), seen)
}

func idsOf(m map[string]map[string]any) []string {
	var out []string
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
