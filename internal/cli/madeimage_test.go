package cli

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layerTar makes the tar of a layer.
func layerTar(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := h.Uname // carries the content; names of users are not written
		h.Uname = ""
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil && h.Typeflag == tar.TypeReg {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// madeFile is a file of a layer, with its content.
func madeFile(name, content string, mode int64) tar.Header {
	return tar.Header{Name: name, Uname: content, Mode: mode}
}

// madeImage writes a docker archive of layers.
func madeImage(t testing.TB, layers ...[]byte) string {
	t.Helper()
	var diffs, names []string
	var files []tar.Header
	for i, l := range layers {
		sum := sha256.Sum256(l)
		diffs = append(diffs, "sha256:"+hex.EncodeToString(sum[:]))
		names = append(names, fmt.Sprintf("%d/layer.tar", i))
		files = append(files, madeFile(names[i], string(l), 0o644))
	}
	config, err := json.Marshal(map[string]any{"os": "linux", "architecture": "amd64", "config": map[string]any{}, "rootfs": map[string]any{"type": "layers", "diff_ids": diffs}})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"example.com/made:1"}, "Layers": names}})
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, madeFile("config.json", string(config), 0o644), madeFile("manifest.json", string(manifest), 0o644))
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(name, layerTar(t, files...), 0o600); err != nil {
		t.Fatal(err)
	}
	return "docker-archive:" + name
}

// run runs a command as a user would, without any configuration of theirs.
func run(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(append([]string{"--data-dir", t.TempDir()}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

type madeFact struct {
	Kind, Path string
	Data       json.RawMessage
}

// factsOf are the facts of a kind that sbom tells.
func factsOf(t testing.TB, kind string, args ...string) []madeFact {
	t.Helper()
	code, out, errs := run(t, append([]string{"sbom", "-o", "json"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var doc struct{ Image struct{ Facts []madeFact } }
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	var found []madeFact
	for _, f := range doc.Image.Facts {
		if f.Kind == kind {
			found = append(found, f)
		}
	}
	return found
}
