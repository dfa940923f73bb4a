package cli

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter"
	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

func everyAnalyzer(t *testing.T) []analyze.Analyzer {
	t.Helper()
	searching, err := searchAnalyzers(&searches{contents: search{expressions: []string{"x"}}})
	if err != nil || len(searching) != 3 {
		t.Fatal(len(searching), err)
	}
	return slices.Concat(analyzers(), licenseAnalyzers(), digestAnalyzers(), factAnalyzers(), searching)
}

// The coverage page speaks of everything there is, and of nothing else by name.
func TestCoveragePageIsComplete(t *testing.T) {
	named := map[string]bool{}
	for _, line := range strings.Split(tidewaiter.Coverage, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, n := range regexp.MustCompile(`[A-Za-z0-9.-]+`).FindAllString(cells[1], -1) {
			named[n] = true
		}
	}
	for _, a := range everyAnalyzer(t) {
		if !named[a.Name()] {
			t.Errorf("docs/coverage.md does not speak of the analyzer %s", a.Name())
		}
	}
	for _, a := range imageAnalyzers(true) {
		if !named[a.Name()] {
			t.Errorf("docs/coverage.md does not speak of the analyzer %s", a.Name())
		}
	}
	for _, s := range sources() {
		if !named[s.Info().Name] {
			t.Errorf("docs/coverage.md does not speak of the source %s", s.Info().Name)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range everyAnalyzer(t) {
		if seen[a.Name()] {
			t.Errorf("two analyzers are named %s", a.Name())
		}
		seen[a.Name()] = true
	}
	clear(seen)
	for _, s := range sources() {
		if i := s.Info(); seen[i.Name] || i.Describes == "" || i.Fresh == 0 && i.URL != "" {
			t.Errorf("source %q is not described, has no bound of age, or occurs twice", i.Name)
		} else {
			seen[i.Name] = true
		}
	}
}
