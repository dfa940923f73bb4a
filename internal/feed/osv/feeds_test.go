package osv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// shared finds a file beside the repository.
func shared(t testing.TB, name ...string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	for dir, _ := filepath.Abs("."); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	p := filepath.Join(append([]string{root, "data"}, name...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("no real feeds: %v", err)
	}
	return p
}

func sourceOf(t testing.TB, name string) *source {
	t.Helper()
	for _, s := range Sources() {
		if s.Info().Name == name {
			return s.(*source)
		}
	}
	t.Fatalf("there is no source %q", name)
	return nil
}

// collect reads everything from a file or folder.
func collect(t testing.TB, s feed.Source, from string) (all map[string]*advisory.Advisory, bad []string, u *feed.Update) {
	t.Helper()
	u, err := s.Fetch(t.Context(), feed.Input{From: from}, feed.State{})
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, u)
}

func drain(t testing.TB, u *feed.Update) (map[string]*advisory.Advisory, []string, *feed.Update) {
	t.Helper()
	all := map[string]*advisory.Advisory{}
	var bad []string
	for it, err := range u.Items {
		if isBad(err) {
			bad = append(bad, err.Error())
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[it.Advisory.ID] != nil {
			t.Errorf("%s came twice", it.Advisory.ID)
		}
		all[it.Advisory.ID] = it.Advisory
	}
	return all, bad, u
}

// TestRealFeeds compares with counts that were taken of the files themselves:
// records, claims ("affected" entries with a package), withdrawn records, and
// records with a vector of CVSS.
func TestRealFeeds(t *testing.T) {
	tests := []struct {
		source, dir                                string
		records, claims, withdrawn, malicious, bad int
	}{
		{"osv-go", "Go", 3143, 4503, 9, 0, 0},
		{"osv-almalinux", "AlmaLinux", 4981, 47974, 0, 0, 0},
		{"osv-crates.io", "crates.io", 1080, 1080, 13, 65, 0},
		{"osv-pypi", "PyPI", 2376, 2376, 7, 0, 0},
		{"osv-rubygems", "RubyGems", 1057, 1104, 0, 0, 0},
		{"osv-npm", "npm", 3232, 3957, 0, 0, 2},
		{"osv-maven", "Maven", 4597, 7245, 1, 0, 0},
		{"osv-nuget", "NuGet", 583, 2004, 0, 0, 0},
		{"osv-wolfi", "Wolfi", 11538, 11538, 0, 0, 0},
		{"osv-debian", "Debian", 8905, 10173, 0, 0, 0}, // 285 more are of bulletins about no vulnerability
		{"osv-bitnami", "Bitnami", 7444, 7444, 0, 0, 1},
		{"osv-cleanstart", "CleanStart", 4109, 4109, 0, 0, 0},
		{"osv-julia", "Julia", 1703, 2017, 4, 0, 0},
		{"osv-hackage", "Hackage", 35, 44, 0, 0, 0},
		{"osv-opam", "opam", 26, 26, 0, 0, 0},
		{"osv-cran", "CRAN", 14, 14, 0, 0, 0},
		{"osv-packagist", "Packagist-drupal", 591, 591, 0, 0, 0},
		{"osv-drupal", "Packagist-drupal", 591, 591, 0, 0, 0},
		{"osv-psf", "PSF", 132, 0, 0, 0, 0},
		{"osv-homebrew", "Homebrew", 43, 43, 0, 0, 0},
		{"osv-kubernetes", "Kubernetes", 44, 47, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			all, bad, u := collect(t, sourceOf(t, tt.source), shared(t, "feeds", "osv", tt.dir, "all.zip"))
			claims, withdrawn, malicious, open := 0, 0, 0, 0
			for _, a := range all {
				claims += len(a.Affected)
				if !a.Withdrawn.IsZero() {
					withdrawn++
				}
				if a.Malicious {
					malicious++
				}
				for _, c := range a.Affected {
					if c.Status == advisory.StatusUndetermined {
						open++
					}
				}
			}
			for _, b := range bad[:min(len(bad), 5)] {
				t.Log(b)
			}
			if len(all) != tt.records || claims != tt.claims || withdrawn != tt.withdrawn || malicious != tt.malicious || len(bad) != tt.bad {
				t.Errorf("%d records, %d claims, %d withdrawn, %d malicious, %d bad, want %+v", len(all), claims, withdrawn, malicious, len(bad), tt)
			}
			if !u.Whole || u.State.Published.IsZero() {
				t.Errorf("Whole %v, published %v", u.Whole, u.State.Published)
			}
			t.Logf("%d claims cannot be compared", open)
		})
	}
}

// BenchmarkImport reads every real collection; the unit is unpacked JSON.
func BenchmarkImport(b *testing.B) {
	for name, dir := range map[string]string{"osv-almalinux": "AlmaLinux", "osv-pypi": "PyPI", "osv-bitnami": "Bitnami", "osv-maven": "Maven"} {
		b.Run(name, func(b *testing.B) {
			s, from := sourceOf(b, name), shared(b, "feeds", "osv", dir, "all.zip")
			size := int64(0)
			for m, err := range feed.Members(b.Context(), from, feed.Limits{}) {
				if err != nil {
					b.Fatal(err)
				}
				size += m.Size
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				u, err := s.Fetch(b.Context(), feed.Input{From: from}, feed.State{})
				if err != nil {
					b.Fatal(err)
				}
				for range u.Items {
				}
			}
		})
	}
}
