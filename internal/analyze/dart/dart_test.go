package dart

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:pub/async@2.11.0")
	p := analyzetest.Find(t, r, "async")
	if p.Homepage != "https://github.com/dart-lang/async" || !strings.HasPrefix(p.Description, "Utility functions") || p.Files.Len() != 1 {
		t.Errorf("%+v", p)
	}
}

func TestLock(t *testing.T) {
	r := analyzetest.RunDir(t, Lock{}, "testdata/lock")
	analyzetest.Check(t, r,
		"pkg:pub/_fe_analyzer_shared@30.0.0 declared[]",
		"pkg:pub/async@2.11.0 declared[]",
		"pkg:pub/async@2.11.0 declared[]",
		"pkg:pub/internal_ui@0.3.0-dev.1?repository_url=pub.example.com%2Fteam declared[]",
		"pkg:pub/plugin@1.4.0?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fexample%2Fplugin.git%40e7ac0dd5a4ca7e0ed3f2aa0b4ec4cd3a5c1be2a9 declared[]",
		"pkg:pub/timing@0.1.1%2B3 declared[dev]",
	)
	for _, p := range r.Packages {
		if p.Name == "async" && p.Path == "pubspec.lock" && p.Hashes["sha256"] != "947bfcf187f74dbc5e146c9eb9c0f10c9f8b30743e341481c1e2ed3ecc18c20c" {
			t.Errorf("%+v", p)
		}
	}
}

func TestBroken(t *testing.T) {
	r := analyzetest.Run(t, Lock{}, fstest.MapFS{
		"pubspec.lock":                      {Data: []byte("nothing\n")},
		"a/.dart_tool/package_config.json":  {Data: []byte("{")},
		"b/hosted/pub.dev/x-1/pubspec.lock": {Data: []byte("nothing\n")},
	})
	if len(r.Packages) != 0 || len(r.Problems) != 2 {
		t.Errorf("%+v", r)
	}
}

func FuzzDart(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}, Lock{}}, []string{"pubspec.lock", ".dart_tool/package_config.json", "hosted/pub.dev/a-1/pubspec.yaml"}, nil, "testdata")
}
