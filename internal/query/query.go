// Package query answers questions about images as tables: the queries of the
// first local scanner, and those that plugins bring.
package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Query answers one question. Implementations are safe for concurrent use.
type Query interface {
	Spec() Spec
	// Run answers the question about in.Images: one image, or as many as there
	// are where the Spec says All. What is missing of the input is an error
	// that says how to give it; what is doubtful about the answer is a warning
	// in the table. Every row has as many cells as there are columns.
	Run(ctx context.Context, in *Input) (Table, error)
}

// Spec describes a query.
type Spec struct {
	Name    string  `json:"name"`              // lower case, words joined by "-"
	Summary string  `json:"summary"`           // one line
	Params  []Param `json:"params,omitempty"`  // in the order they are given in
	All     bool    `json:"all,omitempty"`     // asked once about all images, otherwise about each
	Compare bool    `json:"compare,omitempty"` // needs an image to compare with
	Needs   Needs   `json:"needs,omitzero"`
	Plugin  string  `json:"plugin,omitempty"` // who brings it; "" for those that come with the program
}

// Param is a parameter of a query: a word of the command line.
type Param struct {
	Name     string `json:"name"`
	Help     string `json:"help"`
	Required bool   `json:"required,omitempty"`
	Repeated bool   `json:"repeated,omitempty"` // the last one only: takes all further words
}

// Needs says what must be known of an image besides its packages and files.
type Needs struct {
	Facts    bool `json:"facts,omitempty"`    // secrets, accounts, content matches …
	Findings bool `json:"findings,omitempty"` // Subject.Scan
	Verdict  bool `json:"verdict,omitempty"`  // Subject.Verdict
}

// Subject is an image that a query looks at.
type Subject struct {
	Name       string // as the user named it
	Image      *inventory.Image
	Scan       *match.Scan     // nil unless Needs.Findings
	Verdict    *policy.Verdict // nil unless Needs.Verdict
	Dockerfile policy.Dockerfile
}

// Input is what a query is asked.
type Input struct {
	Images  []Subject
	Compare *Subject // what Images are compared with; nil unless Spec.Compare
	Params  []string
}

// Table is an answer.
type Table struct {
	Columns  []string   `json:"columns"`
	Rows     [][]string `json:"rows"`
	Warnings []string   `json:"warnings,omitempty"`
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

func (t *Table) warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, fmt.Sprintf(format, args...))
}

// Validate reports a row with another number of cells than there are columns,
// and a table without columns.
func (t *Table) Validate() error {
	if len(t.Columns) == 0 {
		return fmt.Errorf("the answer has no columns")
	}
	for i, r := range t.Rows {
		if len(r) != len(t.Columns) {
			return fmt.Errorf("row %d of the answer has %d cells, there are %d columns", i+1, len(r), len(t.Columns))
		}
	}
	return nil
}

// Check reports what is wrong with an input for a query.
func (s *Spec) Check(in *Input) error {
	switch {
	case len(in.Images) == 0:
		return fmt.Errorf("query %s: name an image", s.Name)
	case !s.All && len(in.Images) > 1:
		return fmt.Errorf("query %s: is asked about one image at a time", s.Name)
	case s.Compare && in.Compare == nil:
		return fmt.Errorf("query %s: name the image to compare with", s.Name)
	}
	required, repeated := 0, false
	for _, p := range s.Params {
		if p.Required {
			required++
		}
		repeated = repeated || p.Repeated
	}
	switch {
	case len(in.Params) < required:
		return fmt.Errorf("query %s: needs %s", s.Name, s.Params[len(in.Params)].Name)
	case len(in.Params) > len(s.Params) && !repeated:
		return fmt.Errorf("query %s: takes %d parameters, not %d", s.Name, len(s.Params), len(in.Params))
	}
	return nil
}

// Usage is the parameters of a query as a help text shows them.
func (s *Spec) Usage() string {
	var words []string
	for _, p := range s.Params {
		w := strings.ToUpper(p.Name)
		if p.Repeated {
			w += "…"
		}
		if !p.Required {
			w = "[" + w + "]"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// ID is the short name of the image: twelve digits of its image id, else of
// its digest, "-" where it has neither.
func (s *Subject) ID() string {
	for _, d := range []inventory.Digest{s.Image.ConfigDigest, s.Image.Digest} {
		if _, hex, ok := strings.Cut(string(d), ":"); ok && len(hex) >= 12 {
			return hex[:12]
		}
	}
	return "-"
}

// Tags is the image's tags, else the name it was asked for by.
func (s *Subject) Tags() string {
	if len(s.Image.Tags) > 0 {
		return strings.Join(s.Image.Tags, ",")
	}
	return s.Name
}

// Doubts says why the image's findings may not be all there are.
func (s *Subject) Doubts() []string {
	var out []string
	if s.Scan == nil {
		return out
	}
	if m := s.Scan.Distro.Message; m != "" {
		out = append(out, s.Name+": "+m)
	}
	if n := len(s.Scan.States); n > 0 {
		out = append(out, fmt.Sprintf("%s: %d packages could not be judged", s.Name, n))
	}
	return out
}

// selects is the conventional filter: no word or "all" selects everything,
// else the words select by equality.
func selects(words []string, name string) bool {
	return everything(words) || slices.Contains(words, name)
}

// selectsFold is selects whatever the case.
func selectsFold(words []string, name string) bool {
	return everything(words) || slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, name) })
}

func everything(words []string) bool { return len(words) == 0 || slices.Contains(words, "all") }
