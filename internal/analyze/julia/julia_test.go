package julia

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r,
		"pkg:julia/Dates?uuid=ade2ca70-3891-5945-98fb-dc099432e06a",
		"pkg:julia/JSON@0.21.4?uuid=682c06a0-de6a-54ab-a142-c8b1cf79cde6",
		"pkg:julia/LibCURL_jll@7.84.0%2B0?uuid=deac9b47-8bc7-5906-a0fe-35ac56dc84c0",
	)
	if p := analyzetest.Find(t, r, "JSON"); !slices.Equal(p.Depends, []string{"Dates", "Parsers"}) {
		t.Errorf("%+v", p)
	}
}

func TestLock(t *testing.T) {
	r := analyzetest.RunDir(t, Lock{}, "testdata/v1")
	analyzetest.Check(t, r, "pkg:julia/JSON@0.21.2?uuid=682c06a0-de6a-54ab-a142-c8b1cf79cde6 declared[]")
	if p := analyzetest.Find(t, r, "JSON"); !slices.Equal(p.Depends, []string{"Dates", "Mmap", "Parsers", "Unicode"}) {
		t.Errorf("%+v", p)
	}
	r = analyzetest.RunDir(t, Lock{}, "testdata/v2")
	analyzetest.Check(t, r,
		"pkg:julia/LibCURL_jll@7.84.0%2B0?uuid=deac9b47-8bc7-5906-a0fe-35ac56dc84c0 declared[]",
		"pkg:julia/Parsers@2.7.2?uuid=69de0a69-1ddd-5017-9359-2bf0b02dc9f0 declared[]",
		"pkg:julia/Unregistered@0.2.0?uuid=dcb67f36-efa0-11e8-0cef-2fc465ed98ae&vcs_url=git%2Bhttps:%2F%2Fgithub.com%2F00vareladavid%2FUnregistered.jl declared[]",
	)
	if p := analyzetest.Find(t, r, "Unregistered"); !slices.Equal(p.Depends, []string{"Example"}) {
		t.Errorf("%+v", p)
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"packages/JSON/93Ea8/Project.toml": analyze.Alone, "root/.julia/packages/JSON/93Ea8/test/Project.toml": analyze.Ignore,
		"app/Project.toml": analyze.Ignore, "app/packages/a/src/Project.toml": analyze.Ignore,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]analyze.Interest{
		"Manifest.toml": analyze.Alone, "app/Manifest-v1.11.toml": analyze.Alone, "root/.julia/packages/JSON/93Ea8/docs/Manifest.toml": analyze.Ignore,
		"packages/JSON/93Ea8/Manifest.toml": analyze.Ignore, "app/MyManifest.toml": analyze.Ignore, "app/packages/x/Manifest.toml": analyze.Alone,
	} {
		if got := (Lock{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Lock.Wants(%s) = %v, want %v", path, got, want)
		}
	}
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{"packages/JSON/93Ea8/Project.toml": {Data: []byte("x")}, "packages/A/93Ea8/Project.toml": {Data: []byte(`name = "A"`)}})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
}

func FuzzJulia(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"Manifest.toml", "packages/JSON/93Ea8/Project.toml"}, nil, "testdata")
}
