package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// corpusImage is an image of the folder that TIDEWAITER_CORPUS names.
func corpusImage(t testing.TB, name string) string {
	t.Helper()
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set: no real images")
	}
	dir := filepath.Join(corpus, "oci", name)
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil {
		t.Skipf("the corpus has no image %s", name)
	}
	return "oci-dir:" + dir
}

// lowerImage writes an OCI layout of the n lowest layers of another, as the
// image that it was built on.
func lowerImage(t testing.TB, image string, n int) string {
	t.Helper()
	from, to := strings.TrimPrefix(image, "oci-dir:"), t.TempDir()
	read := func(digest string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(from, "blobs", strings.Replace(digest, ":", "/", 1)))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := os.MkdirAll(filepath.Join(to, "blobs", "sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) string {
		t.Helper()
		digest := sha(data)
		if err := os.WriteFile(filepath.Join(to, "blobs", strings.Replace(digest, ":", "/", 1)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		return digest
	}
	parse := func(data []byte) map[string]any {
		t.Helper()
		var out map[string]any
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	encode := func(v any) []byte {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	index, err := os.ReadFile(filepath.Join(from, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	top := parse(index)
	entry := top["manifests"].([]any)[0].(map[string]any)
	manifest := parse(read(entry["digest"].(string)))
	config := parse(read(manifest["config"].(map[string]any)["digest"].(string)))
	layers := manifest["layers"].([]any)[:n]
	for _, l := range layers {
		write(read(l.(map[string]any)["digest"].(string)))
	}
	manifest["layers"] = layers
	rootfs := config["rootfs"].(map[string]any)
	rootfs["diff_ids"] = rootfs["diff_ids"].([]any)[:n]
	config["history"] = config["history"].([]any)[:n]
	c := encode(config)
	manifest["config"].(map[string]any)["digest"], manifest["config"].(map[string]any)["size"] = write(c), len(c)
	m := encode(manifest)
	entry["digest"], entry["size"] = write(m), len(m)
	for name, data := range map[string][]byte{"index.json": encode(top), "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "oci-dir:" + to
}

// verdict runs check and reads its verdict.
func (c *command) verdict(args ...string) policy.Verdict {
	c.t.Helper()
	_, out, errs := c.run(append([]string{"check", "-o", "verdict-json"}, args...)...)
	var v policy.Verdict
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		c.t.Fatal(err, errs)
	}
	return v
}

// rows are a verdict's messages by rule.
func rowsByRule(v *policy.Verdict) map[string][]string {
	out := map[string][]string{}
	for i := range v.Rows {
		out[v.Rows[i].RuleID] = append(out[v.Rows[i].RuleID], v.Rows[i].Message)
	}
	return out
}

func unknownText(v *policy.Verdict) string {
	var out []string
	for i := range v.Unknowns {
		out = append(out, v.Unknowns[i].Gate+"/"+v.Unknowns[i].Trigger+": "+v.Unknowns[i].Message)
	}
	return strings.Join(out, "\n")
}
