// Package nodesecwg reads the vulnerability database of the Node.js Security
// Working Group: vulnerabilities of Node.js itself, and the archive of those of
// npm packages that it collected until 2019.
package nodesecwg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Database{}} }

// Database is the database. Its files have numbers; the identifiers made of
// them are those the group gave: NSWG-COR-70 for vuln/core/70.json,
// NSWG-ECO-410 for vuln/npm/410.json. A version is affected when it satisfies
// what the file calls vulnerable and not what it calls patched. Node.js is
// looked up by its CPE, "nodejs:node.js".
type Database struct{}

var _ feed.Source = Database{}

// Info implements [feed.Source].
func (Database) Info() feed.Info {
	return feed.Info{
		Partial: []string{"cpe", "npm"},
		Name:    "nodejs-security-wg", Publisher: "Node.js Security Working Group", Describes: "vulnerabilities of Node.js, and of npm packages up to 2019",
		URL:     "https://github.com/nodejs/security-wg/archive/refs/heads/main.zip",
		Streams: []string{"cpe", "npm"}, Licence: "MIT", Fresh: 14 * 24 * time.Hour, Priority: 50,
	}
}

const maxFile = 4 << 20 // bytes of one advisory

// Fetch implements [feed.Source]. From is the repository, or its folder vuln, as
// a folder or archive: files core/NUMBER.json and npm/NUMBER.json.
func (s Database) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		seen := map[string]bool{}
		accept := func(name string) bool { _, _, ok := isAdvisory(name); return ok }
		files, err := out.Records(members, maxFile, accept, func(name string, raw []byte) error {
			parse := parsePackage
			number, core, _ := isAdvisory(name)
			if core {
				parse = parseCore
			}
			a, err := parse(number, raw)
			if err != nil {
				return err
			}
			if seen[a.ID] {
				return fmt.Errorf("another file is %s too", a.ID)
			}
			seen[a.ID] = true
			out.Yield(feed.Item{Advisory: a}, nil)
			return nil
		})
		if err == nil && files == 0 {
			err = errors.New("there is no advisory: neither core/NUMBER.json nor npm/NUMBER.json")
		}
		return err
	})
}

// isAdvisory tells core/70.json and npm/410.json from the lists of all of them
// (index.json) and the rest of the repository.
func isAdvisory(name string) (number string, core, ok bool) {
	folder, file := path.Split(name)
	number, ok = strings.CutSuffix(file, ".json")
	if _, err := strconv.ParseUint(number, 10, 32); err != nil || !ok {
		return "", false, false
	}
	switch path.Base(folder) {
	case "core":
		return number, true, true
	case "npm":
		return number, false, true
	}
	return "", false, false
}

// identify says what vulnerabilities the record is about: one is an alias,
// several are what it brings together. What is no CVE identifier is kept beside.
func identify(a *advisory.Advisory, cves []string) {
	var valid []string
	for _, c := range cves {
		switch c = strings.TrimSpace(c); {
		case advisory.IsCVE(c):
			if !slices.Contains(valid, c) {
				valid = append(valid, c)
			}
		case c != "":
			a.Related = append(a.Related, c)
		}
	}
	if len(valid) == 1 {
		a.Aliases = valid
	} else {
		a.Upstream = valid
	}
}

// parseCore reads a vulnerability of Node.js.
func parseCore(number string, raw []byte) (*advisory.Advisory, error) {
	var e struct {
		CVE         []string `json:"cve"`
		Ref         string   `json:"ref"`
		Vulnerable  string   `json:"vulnerable"`
		Patched     string   `json:"patched"`
		Overview    string   `json:"overview"`
		Description string   `json:"description"`
		Severity    string   `json:"severity"`
		Published   string   `json:"publish_date"`
		Where       []string `json:"affectedEnvironments"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	if strings.TrimSpace(e.Vulnerable) == "" {
		return nil, errors.New("it does not say what is vulnerable")
	}
	a := &advisory.Advisory{
		Source: "nodejs-security-wg", ID: "NSWG-COR-" + number, URL: e.Ref, Published: day(e.Published),
		Summary: strings.TrimSpace(e.Description), Details: strings.TrimSpace(e.Overview), References: links(e.Ref),
	}
	identify(a, e.CVE)
	if l := advisory.LevelOf(e.Severity); l != advisory.Unknown {
		a.Severities = []advisory.Severity{{Source: a.Source, Type: "LABEL", Label: l, Raw: e.Severity}}
	}
	f := affected(advisory.Key{Stream: "cpe", Name: "nodejs:node.js"}, e.Vulnerable, e.Patched)
	f.CPE = "cpe:2.3:a:nodejs:node.js:*:*:*:*:*:*:*:*"
	if len(e.Where) > 0 && !slices.Contains(e.Where, "all") {
		f.Note = "only on " + strings.Join(e.Where, ", ")
		if slices.Equal(e.Where, []string{"win32"}) {
			f.With = []string{"cpe:2.3:o:microsoft:windows:-:*:*:*:*:*:*:*"}
		}
	}
	a.Affected = []advisory.Affected{f}
	return a, nil
}

// parsePackage reads a vulnerability of an npm package.
func parsePackage(number string, raw []byte) (*advisory.Advisory, error) {
	var e struct {
		Title          string      `json:"title"`
		Overview       string      `json:"overview"`
		Updated        string      `json:"updated_at"`
		Published      string      `json:"publish_date"`
		Module         string      `json:"module_name"`
		CVEs           []string    `json:"cves"`
		Vulnerable     string      `json:"vulnerable_versions"`
		Patched        *string     `json:"patched_versions"`
		Recommendation string      `json:"recommendation"`
		References     []string    `json:"references"`
		Vector         string      `json:"cvss_vector"`
		Score          json.Number `json:"cvss_score"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	if e.Module == "" || strings.TrimSpace(e.Vulnerable) == "" {
		return nil, errors.New("it does not say what is vulnerable")
	}
	a := &advisory.Advisory{
		Source: "nodejs-security-wg", ID: "NSWG-ECO-" + number, Published: day(e.Published), Modified: day(e.Updated),
		Summary: strings.TrimSpace(e.Title), Details: strings.TrimSpace(e.Overview + "\n\n" + e.Recommendation), References: links(e.References...),
	}
	identify(a, e.CVEs)
	if s, err := feed.CVSS(a.Source, e.Vector); err == nil {
		a.Severities = []advisory.Severity{s}
	} else if score, err := e.Score.Float64(); err == nil && score > 0 && score <= 10 {
		a.Severities = []advisory.Severity{{Source: a.Source, Type: "CVSS_V3", Score: score, Label: advisory.LevelOfScore("CVSS_V3", score)}}
	}
	patched := ""
	if e.Patched != nil {
		patched = *e.Patched
	}
	a.Affected = []advisory.Affected{affected(advisory.Key{Stream: "npm", Name: advisory.Name("npm", e.Module)}, e.Vulnerable, patched)}
	return a, nil
}

func affected(k advisory.Key, vulnerable, patched string) advisory.Affected {
	f := advisory.Affected{Key: k, Scheme: version.NPM, Requirement: strings.TrimSpace(vulnerable), Unaffected: strings.TrimSpace(patched)}
	// "<0.0.0" is how npm wrote that there is no fix.
	if f.Unaffected == "" || f.Unaffected == "<0.0.0" {
		f.Unaffected, f.Fix.State = "", advisory.NotFixed
		return f
	}
	f.Fix.State = advisory.Fixed
	f.Fix.Versions = fixes(f.Unaffected)
	return f
}

// fixes are the versions with which the alternatives begin, in order: ^1.2.3,
// ~1.2.3, >=1.2.3 and 1.2.3. Those that say less are left out.
func fixes(requirement string) []string {
	var out []string
	for alternative := range strings.SplitSeq(requirement, "||") {
		alternative = strings.TrimSpace(alternative)
		for _, op := range []string{">=", "^", "~", "=", ""} {
			if rest, ok := strings.CutPrefix(alternative, op); ok {
				v, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
				if _, err := version.Parse(version.NPM, v); err == nil && !slices.Contains(out, v) {
					out = append(out, v)
				}
				break
			}
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		c, _ := version.Compare(version.NPM, a, b)
		return c
	})
	return out
}

func links(urls ...string) []advisory.Reference {
	var out []advisory.Reference
	for _, u := range urls {
		if u = strings.TrimSpace(u); strings.Contains(u, "://") {
			out = append(out, advisory.Reference{Type: "WEB", URL: u})
		}
	}
	return out
}

func day(s string) time.Time {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
