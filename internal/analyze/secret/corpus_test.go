package secret

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// layerOf returns the unpacked files of a layer of the corpus.
func layerOf(t testing.TB, layer string) string {
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set")
	}
	dir := filepath.Join(corpus, ".work", "layers", layer, "fs")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no such layer: ", err)
	}
	return dir
}

// each calls visit with the files of a folder as a walk over a layer would
// give them.
func each(t testing.TB, dir string, visit func(e analyze.Entry, read func() []byte)) {
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, analyze.SniffLen)
		n, _ := f.Read(head)
		rel := strings.TrimPrefix(p, dir+"/")
		visit(analyze.Entry{Path: rel, Mode: info.Mode(), Size: info.Size(), Kind: analyze.Sniff(rel, head[:n])}, func() []byte {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			return b
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type placed struct {
	path string
	Secret
}

func scanLayer(t *testing.T, layer string) (list []placed, files int, size int64, took time.Duration) {
	a := &Analyzer{}
	each(t, layerOf(t, layer), func(e analyze.Entry, read func() []byte) {
		if a.Wants(e) == analyze.Ignore {
			return
		}
		files++
		size += e.Size
		set := analyze.NewFileSet(analyze.NewFile(e, read()))
		var rec inventory.Record
		start := time.Now()
		if err := a.Analyze(t.Context(), set, &rec); err != nil {
			t.Fatal(err)
		}
		took += time.Since(start)
		for _, p := range rec.Problems {
			t.Errorf("%s: %s", p.Path, p.Message)
		}
		for _, f := range rec.Facts {
			var s Secret
			if err := json.Unmarshal(f.Data, &s); err != nil {
				t.Fatal(err)
			}
			list = append(list, placed{f.Path, s})
		}
	})
	return list, files, size, took
}

// TestPlanted finds what the corpus' builder planted, by its own list:
// ../shared/corpus/images.sh, se_files and se_delete.
func TestPlanted(t *testing.T) {
	type plant struct {
		path, category string
		line           int
		encrypted      bool
	}
	token, key, password := CategoryToken, CategoryPrivateKey, CategoryPassword
	for layer, plants := range map[string][]plant{
		"se-files": {
			{"root/.ssh/id_rsa", key, 1, false}, {"root/.ssh/id_ed25519", key, 1, false}, {"root/.ssh/id_enc", key, 1, true},
			{"app/config/server.key", key, 1, false}, {"app/config/ec.pem", key, 1, false},
			{"root/.aws/credentials", token, 2, false}, {"root/.aws/credentials", token, 3, false},
			{"root/.npmrc", token, 1, false},
			{"app/.env", token, 1, false}, {"app/.env", token, 2, false}, {"app/.env", token, 3, false}, {"app/.env", CategoryURL, 4, false},
			{"home/dev/.docker/config.json", password, 1, false},
			{"app/config/gcp.json", key, 1, false},
			{"root/.kube/config", token, 6, false},
			{"root/.netrc", password, 1, false},
			{"root/.git-credentials", "", 1, false},
			{"app/.git/config", token, 2, false},
		},
		// what is left of app/.env
		"se-delete": {{"app/.env", token, 1, false}, {"app/.env", token, 2, false}, {"app/.env", CategoryURL, 4, false}},
	} {
		t.Run(layer, func(t *testing.T) {
			got, _, _, _ := scanLayer(t, layer)
			missed := 0
			for _, p := range plants {
				i := slices.IndexFunc(got, func(g placed) bool {
					return g.path == p.path && g.Line == p.line && (g.Category == p.category || p.category == "") && g.Encrypted == p.encrypted && g.Confidence >= 0.5
				})
				if i < 0 {
					missed++
					t.Errorf("missed: %+v", p)
				} else {
					t.Logf("%-30s line %d  %-24s %.2f", p.path, p.line, got[i].Rule, got[i].Confidence)
					got = slices.Delete(got, i, i+1)
				}
			}
			t.Logf("%d of %d", len(plants)-missed, len(plants))
			for _, g := range got {
				t.Errorf("not planted: %+v", g)
			}
		})
	}
}

// TestFalse lists what is found in the layers where nothing was planted. The
// numbers are bounds: more than a handful of confident ones is a bad rule.
func TestFalse(t *testing.T) {
	for _, layer := range []string{"base", "slim", "node-debs", "node-app", "node-global", "py-debs", "py-venv", "java-debs", "java-app", "ruby-debs", "ruby-app", "go-debs"} {
		t.Run(layer, func(t *testing.T) {
			got, files, size, took := scanLayer(t, layer)
			rules := map[string]int{}
			sure := 0
			for _, g := range got {
				rules[g.Rule]++
				if g.Confidence >= 0.5 {
					sure++
					t.Logf("%.2f %-22s %s:%d %s", g.Confidence, g.Rule, g.path, g.Line, g.Name)
				}
			}
			var names []string
			for _, k := range slices.Sorted(maps.Keys(rules)) {
				names = append(names, fmt.Sprint(k, " ", rules[k]))
			}
			t.Logf("%d files, %.1f MB, %v (%.0f MB/s); %d findings, %d with confidence 0.5 or more; %s", files, float64(size)/1e6, took, float64(size)/1e6/took.Seconds(), len(got), sure, strings.Join(names, ", "))
			if sure > 8 {
				t.Errorf("%d confident findings", sure)
			}
			if os.Getenv("TIDEWAITER_LIST") != "" {
				for _, g := range got {
					t.Logf("%.2f %-22s %s:%d:%d %s", g.Confidence, g.Rule, g.path, g.Line, g.Column, g.Name)
				}
			}
		})
	}
}

// TestPlantedConfig finds what stands in the configuration of the corpus'
// image "secrets": ../shared/corpus/images.sh, img_secrets.
func TestPlantedConfig(t *testing.T) {
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set")
	}
	blobs, err := filepath.Glob(filepath.Join(corpus, "oci", "secrets", "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Skip("no image: ", err)
	}
	for _, b := range blobs {
		data, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Config struct {
				Env    []string
				Cmd    []string
				Labels map[string]string
			} `json:"config"`
			History []struct {
				CreatedBy  string `json:"created_by"`
				EmptyLayer bool   `json:"empty_layer"`
			} `json:"history"`
		}
		if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &file) != nil || len(file.Config.Env) == 0 {
			continue
		}
		config := &inventory.Config{Env: file.Config.Env, Cmd: file.Config.Cmd, Labels: file.Config.Labels}
		for _, h := range file.History {
			config.History = append(config.History, inventory.History{CreatedBy: h.CreatedBy, EmptyLayer: h.EmptyLayer})
		}
		img := &inventory.Image{}
		if err := (ImageAnalyzer{}).AnalyzeImage(t.Context(), config, img); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range img.Facts {
			var s Secret
			if err := json.Unmarshal(f.Data, &s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s.Where+":"+s.Name)
			t.Logf("%s:%s %s %.2f", s.Where, s.Name, s.Rule, s.Confidence)
		}
		want := []string{"env:DB_PASSWORD", "env:AWS_SECRET_ACCESS_KEY", "label:token"}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		return
	}
	t.Error("no configuration")
}
