// Package rubysec reads ruby-advisory-db: advisories about gems and about Ruby
// itself, one YAML file each.
package rubysec

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Database{}} }

// Database is the database: one advisory for each identifier, with every gem
// and engine that a file of this name is about. What a file says of its package
// alone, its score, is in Affected.Severities where the files differ.
//
// A version is affected unless it satisfies one of patched_versions or one of
// unaffected_versions: both together are Affected.Unaffected, joined by "||".
type Database struct{}

var _ feed.Source = Database{}

// Info implements [feed.Source].
func (Database) Info() feed.Info {
	return feed.Info{
		Name: "rubysec", Publisher: "RubySec", Describes: "vulnerabilities of gems and of Ruby's implementations",
		URL:     "https://github.com/rubysec/ruby-advisory-db/archive/refs/heads/master.zip",
		Streams: []string{"gem", "cpe"}, Partial: []string{"cpe"}, Licence: "public domain, with parts under OSVDB's terms", Fresh: 7 * 24 * time.Hour, Priority: 60,
	}
}

const maxFile = 1 << 20 // bytes of one advisory

// Fetch implements [feed.Source]. From is the repository as a folder or archive:
// files NAME.yml below gems/ and rubies/.
func (s Database) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		r := reader{byID: map[string]*advisory.Advisory{}}
		files, err := out.Records(members, maxFile, isAdvisory, r.file)
		if err != nil {
			return err
		}
		if files == 0 {
			return errors.New("there is no advisory: no file NAME.yml below gems or rubies")
		}
		for _, id := range slices.Sorted(maps.Keys(r.byID)) {
			if !out.Yield(feed.Item{Advisory: finish(r.byID[id])}, nil) {
				break
			}
		}
		return nil
	})
}

// reader gathers the files of one identifier, which lie in several folders.
type reader struct{ byID map[string]*advisory.Advisory }

// isAdvisory tells files such as gems/rack/CVE-2024-25126.yml, below whatever
// folder, from the rest of the repository.
func isAdvisory(name string) bool {
	if path.Ext(name) != ".yml" {
		return false
	}
	switch parts := strings.Split(name, "/"); {
	case len(parts) == 1:
		return true // a single file
	case len(parts) >= 3:
		kind := parts[len(parts)-3]
		return (kind == "gems" || kind == "rubies") && !slices.ContainsFunc(parts, func(p string) bool { return p == "spec" || strings.HasPrefix(p, ".") })
	}
	return false
}

// entry is one file.
type entry struct {
	Gem         string   `yaml:"gem"`
	Engine      string   `yaml:"engine"`
	Platform    string   `yaml:"platform"`
	CVE         string   `yaml:"cve"`
	GHSA        string   `yaml:"ghsa"`
	OSVDB       string   `yaml:"osvdb"`
	URL         string   `yaml:"url"`
	Title       string   `yaml:"title"`
	Date        string   `yaml:"date"`
	Description string   `yaml:"description"`
	V2          float64  `yaml:"cvss_v2"`
	V3          float64  `yaml:"cvss_v3"`
	V4          float64  `yaml:"cvss_v4"`
	Patched     []string `yaml:"patched_versions"`
	Unaffected  []string `yaml:"unaffected_versions"`
	Related     struct {
		CVE  []string `yaml:"cve"`
		GHSA []string `yaml:"ghsa"`
		URL  []string `yaml:"url"`
	} `yaml:"related"`
}

func (r *reader) file(name string, raw []byte) error {
	var e entry
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&e); err != nil {
		return err
	}
	var ids []string
	if e.CVE != "" {
		ids = append(ids, "CVE-"+e.CVE)
	}
	if e.GHSA != "" {
		ids = append(ids, "GHSA-"+e.GHSA)
	}
	if e.OSVDB != "" {
		ids = append(ids, "OSVDB-"+e.OSVDB)
	}
	switch {
	case len(ids) == 0:
		return errors.New("it has no identifier: neither cve nor ghsa nor osvdb")
	case e.CVE != "" && !advisory.IsCVE(ids[0]):
		return fmt.Errorf("%.80q is no CVE identifier", ids[0])
	case e.Gem == "" && e.Engine == "":
		return errors.New("it names neither gem nor engine")
	}
	f := e.affected()
	a := r.byID[ids[0]]
	if a == nil {
		a = &advisory.Advisory{
			Source: "rubysec", ID: ids[0], Summary: strings.TrimSpace(e.Title), Details: strings.TrimSpace(e.Description), URL: e.URL,
			Severities: e.severities(),
		}
		r.byID[a.ID] = a
	} else if s := e.severities(); !slices.Equal(s, a.Severities) {
		f.Severities = s
	}
	a.Affected = append(a.Affected, f)
	a.Aliases = append(a.Aliases, ids[1:]...)
	for _, c := range e.Related.CVE {
		a.Related = append(a.Related, "CVE-"+strings.TrimPrefix(c, "CVE-"))
	}
	for _, g := range e.Related.GHSA {
		a.Related = append(a.Related, "GHSA-"+strings.TrimPrefix(g, "GHSA-"))
	}
	for _, u := range append([]string{e.URL}, e.Related.URL...) {
		if u != "" && !slices.ContainsFunc(a.References, func(r advisory.Reference) bool { return r.URL == u }) {
			a.References = append(a.References, advisory.Reference{Type: "WEB", URL: u})
		}
	}
	if t, err := time.Parse(time.DateOnly, e.Date); err == nil && (a.Published.IsZero() || t.Before(a.Published)) {
		a.Published = t
	}
	return nil
}

// finish brings what several files brought into one order.
func finish(a *advisory.Advisory) *advisory.Advisory {
	for _, list := range []*[]string{&a.Aliases, &a.Related} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(s string) bool { return s == a.ID })
	}
	slices.SortStableFunc(a.Affected, func(x, y advisory.Affected) int {
		return cmp.Or(strings.Compare(x.Stream, y.Stream), strings.Compare(x.Name, y.Name))
	})
	return a
}

// severities are the scores; the database has no vectors.
func (e *entry) severities() []advisory.Severity {
	var out []advisory.Severity
	for _, s := range []struct {
		kind  string
		score float64
	}{{"CVSS_V4", e.V4}, {"CVSS_V3", e.V3}, {"CVSS_V2", e.V2}} {
		if s.score > 0 && s.score <= 10 {
			out = append(out, advisory.Severity{Source: "rubysec", Type: s.kind, Score: s.score, Label: advisory.LevelOfScore(s.kind, s.score)})
		}
	}
	return out
}

func (e *entry) affected() advisory.Affected {
	f := advisory.Affected{
		Key: advisory.Key{Stream: "gem", Name: advisory.Name("gem", e.Gem)}, Scheme: version.Gem,
		Unaffected: strings.Join(slices.Concat(e.Patched, e.Unaffected), " || "),
		Fix:        advisory.Fix{State: advisory.NotFixed},
	}
	if e.Gem == "" {
		// Engines are found as programs, by NVD's names.
		vendor := map[string]string{"ruby": "ruby-lang", "rubinius": "rubini"}[e.Engine]
		f.Key = advisory.Key{Stream: "cpe", Name: cmp.Or(vendor, e.Engine) + ":" + e.Engine}
		f.CPE = "cpe:2.3:a:" + f.Name + ":*:*:*:*:*:*:*:*"
	}
	if len(e.Patched) > 0 {
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: fixes(e.Patched)}
	}
	if e.Platform != "" {
		f.Note = "only on the platform " + e.Platform
	}
	return f
}

// fixes are the lowest version of each requirement, in order: what a requirement
// such as "> 1.0" begins with is not known.
func fixes(patched []string) []string {
	type fix struct {
		text string
		v    version.Version
	}
	var all []fix
	for _, requirement := range patched {
		var low fix
		open := false
		for clause := range strings.SplitSeq(requirement, ",") {
			clause = strings.TrimSpace(clause)
			text := strings.TrimSpace(strings.TrimLeft(clause, "<>=~!"))
			v, err := version.Parse(version.Gem, text)
			switch op := strings.TrimSpace(strings.TrimSuffix(clause, text)); {
			case err != nil:
				open = true
			case op == ">":
				if low.text == "" || v.Compare(low.v) >= 0 {
					open = true
				}
			case op == ">=", op == "~>", op == "=", op == "":
				if low.text == "" || v.Compare(low.v) > 0 {
					low = fix{text, v}
				}
			}
		}
		if low.text != "" && !open {
			all = append(all, low)
		}
	}
	slices.SortStableFunc(all, func(a, b fix) int { return a.v.Compare(b.v) })
	var out []string
	for _, f := range all {
		if !slices.Contains(out, f.text) {
			out = append(out, f.text)
		}
	}
	return out
}
