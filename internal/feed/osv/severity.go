package osv

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// severities reads OSV's list: vectors, or words of a publisher.
func (p *parser) severities(in []wireSeverity, who string) ([]advisory.Severity, error) {
	var out []advisory.Severity
	for _, s := range in {
		score := strings.TrimSpace(string(s.Score))
		if len(score) > 1024 {
			return nil, fmt.Errorf("a severity exceeds the limit of 1024 bytes")
		}
		if score == "" {
			continue
		}
		by := who
		if s.Source != "" && len(s.Source) <= 100 {
			by = strings.ToLower(string(s.Source))
		}
		out = append(out, severity(by, s.Type, score))
	}
	return slices.Compact(out), nil
}

// severity reads one judgement. A vector that has no score stays as the
// publisher's words, for people to see.
func severity(who, typ, score string) advisory.Severity {
	if v, err := feed.CVSS(who, score); err == nil {
		return v
	}
	if n, err := strconv.ParseFloat(score, 64); err == nil && n >= 0 && n <= 10 && strings.HasPrefix(typ, "CVSS_V") {
		return advisory.Severity{Source: who, Type: typ, Score: n, Label: advisory.LevelOfScore(typ, n)}
	}
	if !strings.HasPrefix(typ, "CVSS_V") && typ != "" {
		who = strings.ToLower(typ) // OSV names the publisher: "Ubuntu"
	}
	return advisory.Severity{Source: who, Type: "LABEL", Label: advisory.LevelOf(score), Raw: score}
}

// speaker names who judges in a record.
func (w *wire) speaker(other string) string {
	prefix, _, _ := strings.Cut(w.ID, "-")
	switch prefix {
	case "GHSA":
		return "github"
	case "GO":
		return "go"
	case "PYSEC":
		return "pypa"
	case "RUSTSEC":
		return "rustsec"
	case "MAL":
		return "ossf"
	case "UBUNTU", "USN":
		return "ubuntu"
	case "DEBIAN", "DSA", "DLA":
		return "debian"
	case "ALPINE", "BREW":
		return strings.ToLower(prefix)
	}
	return other
}

// databaseSpecific is what collections add to a record.
type databaseSpecific struct {
	Severity looseWords `json:"severity"`
	CWEIDs   looseWords `json:"cwe_ids"`
	CWE      looseWords `json:"cwe"`
	CWEs     []struct {
		ID string `json:"cweId"`
	} `json:"cwes"`
	Reviewed *bool           `json:"github_reviewed"`
	Origins  json.RawMessage `json:"malicious-packages-origins"`
	V2       float64         `json:"cvss_v2"`
	V3       float64         `json:"cvss_v3"`
	V4       float64         `json:"cvss_v4"`
}

// looseWords is a word, a list of words, or anything else, which is ignored.
type looseWords []string

func (l *looseWords) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		if one != "" {
			*l = looseWords{one}
		}
		return nil
	}
	var many []string
	if json.Unmarshal(b, &many) == nil {
		*l = many
	}
	return nil
}

// readDatabaseSpecific forgives what is of another type than expected.
func readDatabaseSpecific(b json.RawMessage) (d databaseSpecific) {
	if len(b) > 2 {
		json.Unmarshal(b, &d) // fields of the right type are set all the same
	}
	return d
}

// cwes are the weaknesses: "CWE-79".
func (d *databaseSpecific) cwes() []string {
	var out []string
	add := func(id string) {
		id = strings.ToUpper(strings.TrimSpace(id))
		if n := strings.TrimPrefix(id, "CWE-"); n != "" && len(n) < 8 && strings.Trim(n, "0123456789") == "" {
			out = append(out, "CWE-"+n)
		}
	}
	for _, id := range slices.Concat(d.CWEIDs, d.CWE) {
		add(id)
	}
	for _, c := range d.CWEs {
		add(c.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *databaseSpecific) severities(who string) []advisory.Severity {
	var out []advisory.Severity
	for _, s := range []struct {
		typ   string
		score float64
	}{{"CVSS_V4", d.V4}, {"CVSS_V3", d.V3}, {"CVSS_V2", d.V2}} {
		if s.score > 0 && s.score <= 10 && !math.IsNaN(s.score) {
			out = append(out, advisory.Severity{Source: who, Type: s.typ, Score: s.score, Label: advisory.LevelOfScore(s.typ, s.score)})
		}
	}
	for _, word := range d.Severity {
		if word != "" && len(word) <= 100 {
			out = append(out, advisory.Severity{Source: who, Type: "LABEL", Label: advisory.LevelOf(word), Raw: word})
		}
	}
	return out
}

// malicious reports whether the package itself is the attack.
func (w *wire) malicious() bool {
	if strings.HasPrefix(w.ID, "MAL-") || len(w.specific.Origins) > 4 {
		return true
	}
	for i := range w.Affected {
		if strings.HasPrefix(w.ID, "GHSA-") && w.Summary == "Malware in "+w.Affected[i].Package.Name {
			return true
		}
		if slices.Contains(readCategories(w.Affected[i].Database), "malicious") {
			return true
		}
	}
	return false
}

// readCategories are RustSec's, which mark malicious crates.
func readCategories(b json.RawMessage) []string {
	if len(b) < 20 {
		return nil
	}
	var d struct {
		Categories looseWords `json:"categories"`
	}
	json.Unmarshal(b, &d)
	return d.Categories
}

// affectedSpecific is what publishers add to an affected package.
type affectedSpecific struct {
	BoundLost     bool            `json:"upper_bound_lost_in_source"`
	LastKnown     string          `json:"last_known_affected_version_range"`
	Informational string          `json:"informational"`
	Urgency       string          `json:"urgency"`
	Severity      looseWords      `json:"severity"`
	Status        string          `json:"status"`
	Custom        []wireRange     `json:"custom_ranges"`
	Modules       json.RawMessage `json:"modules"`
}

func readAffectedSpecific(f *wireAffected) (x affectedSpecific) {
	for _, b := range []json.RawMessage{f.Database, f.Ecosystem} {
		if len(b) > 2 {
			json.Unmarshal(b, &x) // what is of another type than expected is left out
		}
	}
	return x
}

// apply puts into c what does not concern versions.
func (x *affectedSpecific) apply(c *advisory.Affected, who string) {
	switch x.Informational {
	case "":
	case "unmaintained", "notice":
		// No vulnerability: RustSec tells about the state of a package.
		c.Status = advisory.StatusNotAffected
		c.Fix = advisory.Fix{}
		note(c, "informational: "+x.Informational)
	default:
		note(c, "informational: "+x.Informational) // "unsound": can be a vulnerability
	}
	switch x.Urgency {
	case "", "not yet assigned":
	case "end-of-life":
		c.Fix.State = advisory.EndOfLife
	default:
		c.Severities = append(c.Severities, advisory.Severity{Source: who, Type: "LABEL", Label: advisory.LevelOf(x.Urgency), Raw: x.Urgency})
	}
	for _, word := range x.Severity {
		if word != "" && len(word) <= 100 {
			c.Severities = append(c.Severities, advisory.Severity{Source: who, Type: "LABEL", Label: advisory.LevelOf(word), Raw: word})
		}
	}
	switch x.Status { // of Wolfi's and Chainguard's records
	case "fix-not-planned":
		c.Fix.State = advisory.WontFix
	case "pending-upstream-fix", "true-positive-determination":
		c.Fix.State = advisory.NotFixed
	case "analysis-not-planned":
		note(c, "not analysed by the publisher")
	}
	for _, r := range x.Custom {
		var parts []string
		for _, e := range r.Events {
			switch {
			case e.Introduced != "" && e.Introduced != "0":
				parts = append(parts, "from "+short(e.Introduced))
			case e.Fixed != "":
				parts = append(parts, "fixed in "+short(e.Fixed))
			}
		}
		if len(parts) > 0 {
			note(c, "in the project's own versions, which are not those of its modules: "+strings.Join(parts, ", "))
		}
	}
}

func short(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
