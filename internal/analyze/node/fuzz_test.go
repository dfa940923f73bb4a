package node

import (
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func FuzzInstalled(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"app/node_modules/a/package.json", "app/package.json", "app/.yarn/cache/a-npm-1.zip"}, sane, "testdata/root")
}

func FuzzLock(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{LockAnalyzer{}}, []string{"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"}, sane, "testdata/lock")
}

// sane checks what no content may break.
func sane(t testing.TB, r *inventory.Record) {
	t.Helper()
	for _, p := range r.Packages {
		if !validName(fullName(&p)) || p.Version != "" && !validVersion(p.Version) || p.Path == "" {
			t.Errorf("package %+v", p)
		}
	}
}
