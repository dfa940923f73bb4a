package contentset

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// manifest has the form of those that UBI images carry.
const manifest = `{
    "metadata": {
        "icm_version": 1,
        "icm_spec": "https://raw.githubusercontent.com/containerbuildsystem/atomic-reactor/master/atomic_reactor/schemas/content_manifest.json",
        "image_layer_index": 4
    },
    "content_sets": [
        "rhel-8-for-x86_64-baseos-rpms",
        "rhel-8-for-x86_64-appstream-rpms"
    ],
    "image_contents": []
}`

func TestManifests(t *testing.T) {
	a := Analyzer{}
	for p, want := range map[string]analyze.Interest{
		"root/buildinfo/content_manifests/ubi8-container-8.5-200.json": analyze.Alone,
		"usr/share/buildinfo/content-sets.json":                        analyze.Alone,
		"usr/share/buildinfo/content_manifests/x.json":                 analyze.Alone,
		"root/buildinfo/labels.json":                                   analyze.Ignore,
		"root/buildinfo/content_manifests/deep/x.json":                 analyze.Ignore,
		"home/root/buildinfo/content_manifests/x.json":                 analyze.Ignore,
	} {
		if got := a.Wants(analyze.Entry{Path: p}); got != want {
			t.Errorf("Wants(%s) = %v", p, got)
		}
	}
	var out inventory.Record
	err := a.Analyze(t.Context(), fstest.MapFS{
		"root/buildinfo/content_manifests/ubi8-container-8.5-200.json": {Data: []byte(manifest)},
		"root/buildinfo/content_manifests/none.json":                   {Data: []byte(`{"metadata":{"icm_version":1},"content_sets":[],"image_contents":[]}`)},
		"usr/share/buildinfo/content-sets.json":                        {Data: []byte(`{"content_sets":["b","a","b",""],"from_dnf_hint":true}`)},
		"usr/share/buildinfo/content_manifests/broken.json":            {Data: []byte(`{"content_sets":`)},
		"usr/share/buildinfo/content_manifests/other.json":             {Data: []byte(`{"a":1}`)},
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out.Facts {
		got = append(got, f.Kind+" "+f.Path+" "+string(f.Data))
	}
	want := []string{
		`content-sets root/buildinfo/content_manifests/ubi8-container-8.5-200.json {"contentSets":["rhel-8-for-x86_64-appstream-rpms","rhel-8-for-x86_64-baseos-rpms"]}`,
		`content-sets usr/share/buildinfo/content-sets.json {"contentSets":["a","b"]}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
	if len(out.Problems) != 2 {
		t.Errorf("problems: %v", out.Problems)
	}
}

func TestLimits(t *testing.T) {
	for name, text := range map[string]string{
		"content sets":    `{"content_sets":[` + strings.Repeat(`"a",`, maxSets) + `"a"]}`,
		"bytes of a name": `{"content_sets":["` + strings.Repeat("a", maxName+1) + `"]}`,
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(manifest))
	f.Add([]byte(`{"content_sets":["b","a","b",""],"from_dnf_hint":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sets, err := parse(b)
		if err != nil && sets != nil {
			t.Error("sets with an error")
		}
		for i, s := range sets {
			if s == "" || i > 0 && sets[i-1] >= s {
				t.Errorf("sets %q are not in order", sets)
			}
		}
	})
}
