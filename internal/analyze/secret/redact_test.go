package secret

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestRedact(t *testing.T) {
	for value, want := range map[string]string{
		"":                                   "… (0 bytes)",
		"hunter2":                            "… (7 bytes)",
		"hunter22":                           "h… (8 bytes)",
		"ghp_" + strings.Repeat("x", 36):     "ghp_… (40 bytes)",
		"\x00\x01" + strings.Repeat("x", 40): "… (42 bytes)",
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----": "-----BEGIN EC PRIVATE KEY-----…",
	} {
		if got := Redact([]byte(value)); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// A preview is there when it was asked for, and only then.
func TestPreviewOnRequestOnly(t *testing.T) {
	const token = "ghp_" + "q8Zt4LmW0xVb7NcYp2RsKd5HaJ3uFgT1eXoP"
	files := fstest.MapFS{"app/.env": {Data: []byte("TOKEN=" + token + "\n")}}
	for _, preview := range []bool{false, true} {
		a := &Analyzer{Preview: preview}
		var out inventory.Record
		if err := a.Analyze(context.Background(), files, &out); err != nil {
			t.Fatal(err)
		}
		img := inventory.Image{Config: inventory.Config{Env: []string{"TOKEN=" + token}}}
		if err := (ImageAnalyzer{Analyzer: a}).AnalyzeImage(context.Background(), &img.Config, &img); err != nil {
			t.Fatal(err)
		}
		facts := append(out.Facts, img.Facts...)
		if len(facts) != 2 {
			t.Fatalf("%d facts", len(facts))
		}
		for _, f := range facts {
			var s Secret
			if err := json.Unmarshal(f.Data, &s); err != nil {
				t.Fatal(err)
			}
			if (s.Preview != "") != preview || strings.Contains(string(f.Data), token[:8]) {
				t.Errorf("preview %t: %s", preview, f.Data)
			}
		}
	}
	if analyze.KeyOf(&Analyzer{}) == analyze.KeyOf(&Analyzer{Preview: true}) {
		t.Error("records with previews and without pass for the same")
	}
}
