// Package match finds which advisories concern which packages, and says why.
// It is pure: advisories come through [Advisories], everything else is in the
// values it is given.
package match

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Advisories answers the one question matching has to ask. The answer holds
// every advisory that has one of the keys among its affected packages, each
// once, in an order that does not change between calls. It is complete or an
// error.
type Advisories interface {
	AdvisoriesFor(ctx context.Context, keys []advisory.Key) ([]advisory.Advisory, error)
}

// Coverage tells what data there is. A stream without data gives packages
// the state NoData: never "no vulnerability".
type Coverage interface {
	// Stream reports whether advisories of a stream are known at all, and
	// whether they are older than their source's bound.
	Stream(stream string) (known, stale bool)
}

// Input is what is matched.
type Input struct {
	Packages []inventory.Package
	Distro   *inventory.Distro
	Contents []Content // of images with Red Hat's packages
}

// Result is what matching found. Findings are sorted by package, then id.
type Result struct {
	Findings []Finding
	States   []PackageState // packages that could not be judged, in the order of the input
	Problems []string       // advisories that could not be compared, each once
}

// PackageState says why a package was not judged.
type PackageState struct {
	Package int    `json:"package"` // index in Input.Packages
	State   State  `json:"state"`
	Stream  string `json:"stream,omitempty"`
	Message string `json:"message,omitempty"`
}

// Finding is one vulnerability in one package.
type Finding struct {
	ID      string   `json:"id"` // CVE where one is known, else the publisher's own
	Aliases []string `json:"aliases,omitempty"`
	Package int      `json:"package"` // index in Input.Packages

	Severity  advisory.Level      `json:"severity"`         // the first publisher's that has one, by priority
	Scores    []advisory.Severity `json:"scores,omitempty"` // all publishers'
	Fix       advisory.Fix        `json:"fix,omitzero"`
	Summary   string              `json:"summary,omitempty"`
	URL       string              `json:"url,omitempty"`
	CWEs      []string            `json:"cwes,omitempty"`
	Published time.Time           `json:"published,omitzero"`

	Exploited *advisory.Exploited `json:"exploited,omitempty"` // set by whoever has the catalogue
	EPSS      *advisory.EPSS      `json:"epss,omitempty"`

	// Confidence is 1 unless the package or its identity is a guess.
	Confidence float64    `json:"confidence"`
	Evidence   []Evidence `json:"evidence"`
	// Suppressed says why the finding does not count: the package is owned by
	// an OS package, a VEX statement, the distribution's word. Its evidence
	// is kept.
	Suppressed string `json:"suppressed,omitempty"`
}

// Evidence is one step-by-step derivation: which record was compared with
// which version, and how that came out.
type Evidence struct {
	Source     string       `json:"source"`
	Advisory   string       `json:"advisory"`
	Key        advisory.Key `json:"key"`
	Names      string       `json:"names"` // binary or source: whose name and version
	Version    string       `json:"version"`
	Range      string       `json:"range"`
	Comparison string       `json:"comparison"`
	Affected   bool         `json:"affected"`
	Status     string       `json:"status,omitempty"` // the publisher's, when it is not "affected"
	Note       string       `json:"note,omitempty"`
	Product    string       `json:"product,omitempty"` // that the claim is about, as a CPE: of Red Hat's
	Origin     string       `json:"origin,omitempty"`  // and how it is known whether the package is of it
	Fix        advisory.Fix `json:"fix,omitzero"`
	URL        string       `json:"url,omitempty"`
	Modified   time.Time    `json:"modified,omitzero"`
}

// Options are the owner's choices.
type Options struct {
	// Priority ranks sources: where several speak of one package the highest
	// says severity and fix first. Sources of equal rank are in order of name.
	Priority func(source string) int
	Coverage Coverage // nil: everything is known and fresh
	// Replaces names sources whose records stand for those of another, by the
	// other's name: of a record with the same identifier nothing is heard where
	// theirs claims something, whatever it is about. Claiming finds those that
	// do.
	Replaces map[string]string
	Claiming func(ctx context.Context, source string, ids []string) (map[string]bool, error)
	// CVEs finds the CVEs of vulnerabilities that go by another name, such as
	// GHSA-…, as any source knows them; see the function of that name. nil: only
	// what the records compared say themselves.
	CVEs func(ctx context.Context, ids []string) (map[string]string, error)
}

// Find matches packages against advisories. The error is that of the look-up;
// what could not be compared is in the Result.
func Find(ctx context.Context, in Input, db Advisories, o Options) (Result, error) {
	q := Ask(in)
	all := make([]int, len(in.Packages))
	for i := range all {
		all[i] = i
	}
	answers, err := q.Answer(ctx, all, db, o)
	if err != nil {
		return Result{}, err
	}
	return q.Result(answers, o), nil
}

func stateMessage(s State, p *inventory.Package, d *inventory.Distro) string {
	switch s {
	case NoVersion:
		return "the package has no version to compare"
	case UnknownType:
		return fmt.Sprintf("no publisher is known to speak of packages of type %q", p.Type)
	case UnknownDistro:
		if p.Distro != "" {
			return fmt.Sprintf("no publisher is known to speak of the distribution %q", p.Distro)
		}
		if d == nil {
			return "the distribution is unknown"
		}
		return fmt.Sprintf("no publisher is known to speak of the distribution %q, version %q", d.ID, d.Version)
	}
	return ""
}

func coverageOf(i int, ls []lookup, c Coverage) (PackageState, bool) {
	if c == nil || len(ls) == 0 {
		return PackageState{}, true
	}
	stream := ls[0].key.Stream
	known, stale := c.Stream(stream)
	switch {
	case !known:
		return PackageState{i, NoData, stream, fmt.Sprintf("there is no advisory data for %q", stream)}, false
	case stale:
		return PackageState{i, Stale, stream, fmt.Sprintf("the advisory data for %q is older than its bound", stream)}, false
	}
	return PackageState{}, true
}

// claim is what one advisory says of one package.
type claim struct {
	advisory *advisory.Advisory
	affected *advisory.Affected
	replaced bool // another source's record stands for the advisory
}

// replaced finds, by source and identifier, the advisories that another source's
// records stand for.
func (o *Options) replaced(ctx context.Context, advisories []advisory.Advisory) (map[string]map[string]bool, error) {
	out := map[string]map[string]bool{}
	for source, by := range o.Replaces {
		var ids []string
		for i := range advisories {
			if a := &advisories[i]; a.Source == source {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) == 0 || o.Claiming == nil {
			continue
		}
		var err error
		if out[source], err = o.Claiming(ctx, by, ids); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Describe writes the affected versions of a claim for people.
func Describe(a *advisory.Affected) string {
	var parts []string
	for _, in := range a.Intervals {
		s := ""
		if in.Introduced != "" && in.Introduced != "0" {
			op := "≥ "
			if in.After {
				op = "> "
			}
			s = op + in.Introduced
		}
		switch {
		case in.Fixed != "":
			s = strings.TrimPrefix(s+", < "+in.Fixed, ", ")
		case in.LastAffected != "":
			s = strings.TrimPrefix(s+", ≤ "+in.LastAffected, ", ")
		case s == "":
			s = "every version"
		}
		parts = append(parts, s)
	}
	if a.Requirement != "" {
		parts = append(parts, a.Requirement)
	}
	if n := len(a.Versions); n > 0 {
		if n > 5 {
			parts = append(parts, fmt.Sprintf("= %s … (%d listed)", strings.Join(a.Versions[:5], ", "), n))
		} else {
			parts = append(parts, "= "+strings.Join(a.Versions, ", "))
		}
	}
	if len(parts) == 0 {
		parts = []string{"every version"}
	}
	out := strings.Join(parts, " | ")
	if a.Unaffected != "" {
		out += " but not " + a.Unaffected
	}
	return out
}
