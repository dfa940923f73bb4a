package engine

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/match"
)

// IgnoreRule silences findings for a reason and, best, until a day.
type IgnoreRule struct {
	ID      string `yaml:"id"`      // vulnerability, "*" as in shell patterns; an alias will do
	Package string `yaml:"package"` // name or purl, as a shell pattern; "" means any
	Path    string `yaml:"path"`    // where it lies, as a shell pattern; "" means anywhere
	Reason  string `yaml:"reason"`  // required
	Expires string `yaml:"expires"` // a date, 2027-01-31: the last day it holds; "" means never

	until time.Time
}

// maxIgnoreFile bounds an ignore file.
const maxIgnoreFile = 16 << 20

// ReadIgnore reads an ignore file: a YAML list of rules. Everything that is
// wrong with it is reported at once.
func ReadIgnore(r io.Reader) ([]IgnoreRule, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxIgnoreFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxIgnoreFile {
		return nil, fmt.Errorf("ignore file has more than the limit of %d bytes", maxIgnoreFile)
	}
	var rules []IgnoreRule
	if err := yaml.Unmarshal(b, &rules); err != nil {
		return nil, fmt.Errorf("ignore file: %w", err)
	}
	var problems []error
	for i := range rules {
		r := &rules[i]
		if r.ID == "" && r.Package == "" && r.Path == "" {
			problems = append(problems, fmt.Errorf("rule %d says neither id nor package nor path", i+1))
		}
		if r.Reason == "" {
			problems = append(problems, fmt.Errorf("rule %d gives no reason", i+1))
		}
		for _, p := range []string{r.ID, r.Package, r.Path} {
			if _, err := path.Match(p, ""); err != nil {
				problems = append(problems, fmt.Errorf("rule %d: %q is no pattern", i+1, p))
			}
		}
		if r.Expires != "" {
			t, err := time.Parse(time.DateOnly, r.Expires)
			if err != nil {
				problems = append(problems, fmt.Errorf("rule %d: expires %q is no date such as 2027-01-31", i+1, r.Expires))
			}
			r.until = t.AddDate(0, 0, 1)
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("ignore file: %w", errors.Join(problems...))
	}
	return rules, nil
}

// ApplyIgnore suppresses what rules that have not expired ignore, and counts.
func ApplyIgnore(s *match.Scan, rules []IgnoreRule) {
	for _, r := range rules {
		res := match.IgnoreResult{Rule: r.String()}
		if !r.until.IsZero() && !s.At.Before(r.until) {
			res.Expired = true
			s.Ignored = append(s.Ignored, res)
			continue
		}
		for i := range s.Findings {
			f := &s.Findings[i]
			if f.Suppressed == "" && r.matches(s, f) {
				f.Suppressed = "ignored: " + r.Reason
				res.Matched++
			}
		}
		s.Ignored = append(s.Ignored, res)
	}
}

// rulesAbout leaves out rules that name other vulnerabilities.
func rulesAbout(rules []IgnoreRule, ids []string) []IgnoreRule {
	return slices.DeleteFunc(slices.Clone(rules), func(r IgnoreRule) bool {
		return r.ID != "" && !slices.ContainsFunc(ids, func(id string) bool { return glob(r.ID, id) })
	})
}

// String names the rule.
func (r IgnoreRule) String() string {
	s := r.ID
	if r.Package != "" {
		s += " in " + r.Package
	}
	if r.Path != "" {
		s += " at " + r.Path
	}
	return s + ": " + r.Reason
}

func (r IgnoreRule) matches(s *match.Scan, f *match.Finding) bool {
	p := s.Package(f)
	if r.ID != "" && !slices.ContainsFunc(append([]string{f.ID}, f.Aliases...), func(id string) bool { return glob(r.ID, id) }) {
		return false
	}
	if r.Package != "" && !glob(r.Package, p.Name) && !glob(r.Package, match.EcosystemName(p)) && !glob(r.Package, p.PURL()) {
		return false
	}
	if r.Path == "" {
		return true
	}
	for _, l := range p.Locations {
		if glob(r.Path, l.Path) || glob(r.Path, "/"+l.Path) {
			return true
		}
	}
	return false
}

func glob(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return err == nil && ok
}
