package match

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Scan is an inventory with everything that was found out about it: what
// every output format renders.
type Scan struct {
	Image *inventory.Image
	// Findings are sorted by risk: see [SortByRisk]. Package indexes
	// Image.Packages.
	Findings []Finding
	States   []PackageState
	Problems []string
	Distro   DistroState
	Feeds    []FeedState
	// Generation and At say what was known: the generation of the database
	// and the instant taken as now.
	Generation int64
	At         time.Time
	// VEX says of every statement that was supplied what it matched.
	VEX []StatementResult
	// Ignored says of every ignore rule how many findings it silenced.
	Ignored []IgnoreResult
}

// DistroState is what is known of the image's distribution as a whole.
type DistroState struct {
	Stream  string    `json:"stream,omitempty"`
	State   State     `json:"state,omitempty"` // "", unknown-distro, no-data, stale
	EOL     time.Time `json:"eol,omitzero"`
	Ended   bool      `json:"ended,omitempty"`        // its support has ended
	Extend  time.Time `json:"extendedUntil,omitzero"` // paid support
	Product string    `json:"product,omitempty"`      // endoflife.date's name and cycle
	Message string    `json:"message,omitempty"`
}

// FeedState is the state of one source at the time of a scan.
type FeedState struct {
	Source   string    `json:"source"`
	Records  int       `json:"records"`
	Revision string    `json:"revision,omitempty"`
	Checked  time.Time `json:"checked,omitzero"`
	Stale    bool      `json:"stale,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// StatementResult says what a VEX statement matched, or why nothing.
type StatementResult struct {
	Statement advisory.Statement `json:"statement"`
	Matched   int                `json:"matched"` // findings
	Message   string             `json:"message"`
}

// IgnoreResult says what an ignore rule did.
type IgnoreResult struct {
	Rule    string `json:"rule"`
	Matched int    `json:"matched"`
	Expired bool   `json:"expired,omitempty"`
}

// Package returns the package of a finding.
func (s *Scan) Package(f *Finding) *inventory.Package { return &s.Image.Packages[f.Package] }

// Counts counts the findings that are not suppressed, by severity.
func (s *Scan) Counts() map[advisory.Level]int {
	out := map[advisory.Level]int{}
	for i := range s.Findings {
		if s.Findings[i].Suppressed == "" {
			out[s.Findings[i].Severity]++
		}
	}
	return out
}

// Unjudged counts the packages that could not be judged, by state.
func (s *Scan) Unjudged() map[State]int {
	out := map[State]int{}
	for _, p := range s.States {
		out[p.State]++
	}
	return out
}

// SortByRisk puts first what somebody should act on first: not suppressed
// before suppressed, exploited, then fixable, then by severity, EPSS score,
// id and package.
func SortByRisk(findings []Finding, packages []inventory.Package) {
	order := make([]*Finding, len(findings)) // findings are large: they are moved once
	for i := range findings {
		order[i] = &findings[i]
	}
	slices.SortStableFunc(order, func(a, b *Finding) int {
		if d := boolFirst(a.Suppressed == "", b.Suppressed == ""); d != 0 {
			return d
		}
		if d := boolFirst(a.Exploited != nil, b.Exploited != nil); d != 0 {
			return d
		}
		if d := boolFirst(a.Fix.State == advisory.Fixed, b.Fix.State == advisory.Fixed); d != 0 {
			return d
		}
		if d := cmp.Compare(b.Severity.Rank(), a.Severity.Rank()); d != 0 {
			return d
		}
		if d := cmp.Compare(score(b.EPSS), score(a.EPSS)); d != 0 {
			return d
		}
		if d := strings.Compare(a.ID, b.ID); d != 0 {
			return d
		}
		return inventory.ComparePackages(&packages[a.Package], &packages[b.Package])
	})
	sorted := make([]Finding, len(findings))
	for i, f := range order {
		sorted[i] = *f
	}
	copy(findings, sorted)
}

func score(e *advisory.EPSS) float64 {
	if e == nil {
		return 0
	}
	return e.Score
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
