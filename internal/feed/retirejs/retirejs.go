// Package retirejs reads the repositories of retire.js: vulnerabilities of
// JavaScript libraries as they are found in web pages (jsrepository), and of npm
// packages (npmrepository).
package retirejs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Repository{}} }

// Repository is both repositories together. Entries have no identifier of their
// own: an advisory is named by its GHSA, else by its only CVE, else by component
// and what else identifies it there ("retire.js:jquery:retid:73"), at last by a
// digest of its text. Entries of one name are one advisory.
//
// A library without the name of an npm package is looked up in npm by the name
// that retire.js gives it; Affected.Note says so.
type Repository struct{}

var _ feed.Source = Repository{}

// Info implements [feed.Source].
func (Repository) Info() feed.Info {
	return feed.Info{
		Partial: []string{"npm"},
		Name:    "retirejs", Publisher: "RetireJS", Describes: "vulnerabilities of JavaScript libraries and npm packages",
		URL:     "https://raw.githubusercontent.com/RetireJS/retire.js/master/repository",
		Streams: []string{"npm"}, Licence: "Apache-2.0", Fresh: 14 * 24 * time.Hour, Priority: 40,
	}
}

// maxFile bounds a repository, which is a single JSON object.
const maxFile = 256 << 20

// names are the files of the repository of libraries, the best first.
var names = [...]string{"jsrepository-v6.json", "jsrepository-v5.json", "jsrepository-v4.json"}

// Fetch implements [feed.Source]. From is one of the files, or a folder or
// archive with them; of several forms of jsrepository the newest is read.
func (s Repository) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = feed.Items(func(out *feed.Output) error { return newReader(out).files(ctx, in.From) })
		return u, nil
	}
	base := strings.TrimSuffix(cmp.Or(in.URL, s.Info().URL), "/")
	get := func(name string) (*feed.Download, error) {
		return in.Client.Get(ctx, base+"/"+name, feed.Conditional{MaxBytes: maxFile})
	}
	// What is changed is both or none: the whole is always fetched.
	var library *feed.Download
	var err error
	for _, name := range names {
		library, err = get(name)
		if status := (*feed.StatusError)(nil); !errors.As(err, &status) || status.Code != http.StatusNotFound {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	packages, err := get("npmrepository.json")
	if err != nil {
		library.Close()
		return nil, err
	}
	u.State.Parts = map[string]string{"jsrepository": cmp.Or(library.ETag, library.LastModified), "npmrepository": cmp.Or(packages.ETag, packages.LastModified)}
	if p := state.Parts; p["jsrepository"] != "" && p["npmrepository"] != "" && p["jsrepository"] == u.State.Parts["jsrepository"] && p["npmrepository"] == u.State.Parts["npmrepository"] {
		return &feed.Update{Unchanged: true, State: u.State}, errors.Join(library.Close(), packages.Close())
	}
	u.Items = feed.Items(func(out *feed.Output) error {
		defer library.Close()
		defer packages.Close()
		r := newReader(out)
		for _, d := range []*feed.Download{library, packages} {
			if err := r.repository(feed.NewJSONReader(d, feed.MaxRecord)); err != nil {
				return fmt.Errorf("reading %s: %w", d.URL, err)
			}
		}
		r.flush()
		return nil
	})
	return u, nil
}

// reader gathers the entries of one name.
type reader struct {
	*feed.Output
	byID map[string]*gathered
}

type gathered struct {
	advisory.Advisory
	cves []string
}

func newReader(out *feed.Output) *reader {
	return &reader{out, map[string]*gathered{}}
}

// files reads what is there, of several forms of one repository the newest.
func (r *reader) files(ctx context.Context, from string) error {
	best, members, found := "", 0, false
	isLibrary := func(name string) bool { return strings.HasPrefix(path.Base(name), "jsrepository") }
	each := func(f func(m feed.Member) error) error {
		return r.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
			if path.Ext(m.Name) != ".json" {
				return nil
			}
			return f(m)
		})
	}
	err := each(func(m feed.Member) error {
		if members++; isLibrary(m.Name) && (best == "" || path.Base(m.Name) > path.Base(best)) {
			best = m.Name
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(func(m feed.Member) error {
		switch {
		case m.Name == best, path.Base(m.Name) == "npmrepository.json", members == 1:
			found = true
			return r.repository(feed.NewJSONReader(m, feed.MaxRecord))
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("there is no repository: neither jsrepository….json nor npmrepository.json")
	}
	if err == nil {
		r.flush()
	}
	return err
}

// component is one library or package.
type component struct {
	NPM             string          `json:"npmname"`
	PURL            string          `json:"basePurl"`
	Extractors      json.RawMessage `json:"extractors"` // how a library is recognised: it is none of npm
	Vulnerabilities []vulnerability `json:"vulnerabilities"`
}

type vulnerability struct {
	From        string      `json:"atOrAbove"`
	Below       string      `json:"below"`
	Excludes    []string    `json:"excludes"`
	Severity    string      `json:"severity"`
	CWE         []string    `json:"cwe"`
	Info        []string    `json:"info"`
	Details     string      `json:"details"`
	Identifiers identifiers `json:"identifiers"`
}

type identifiers struct {
	Summary  string   `json:"summary"`
	Advisory string   `json:"advisory"`
	CVE      []string `json:"CVE"`
	GHSA     string   `json:"githubID"`
	RetID    string   `json:"retid"`
	Issue    string   `json:"issue"`
	Bug      string   `json:"bug"`
	PR       string   `json:"PR"`
	Release  string   `json:"release"`
	OSVDB    []string `json:"osvdb"`
	Gist     string   `json:"gist"`
	Blog     string   `json:"blog"`
	Tenable  string   `json:"tenable"`
}

// repository reads one file: an object of components by name.
func (r *reader) repository(j *feed.JSONReader) error {
	for name, err := range j.Object() {
		if err != nil {
			return err
		}
		if name == "retire-example" { // for tests of retire.js itself
			continue
		}
		var c component
		switch err := j.Decode(&c); {
		case feed.IsJSONError(err):
			r.Bad(shorten(name), err)
		case err != nil:
			return err
		default:
			for i := range c.Vulnerabilities {
				if err := r.add(name, &c, &c.Vulnerabilities[i]); err != nil {
					r.Bad(fmt.Sprintf("%s, vulnerability %d", shorten(name), i+1), err)
				}
			}
		}
		if r.Over() {
			return nil
		}
	}
	return j.End()
}

func (r *reader) add(name string, c *component, v *vulnerability) error {
	if v.Below == "" && v.From == "" {
		return errors.New("it does not say which versions are vulnerable")
	}
	var cves []string
	for _, s := range v.Identifiers.CVE {
		if s = strings.TrimSpace(s); advisory.IsCVE(s) && !slices.Contains(cves, s) {
			cves = append(cves, s)
		}
	}
	id := v.identifier(name, cves)
	g := r.byID[id]
	severity := v.severity()
	if g == nil {
		g = &gathered{Advisory: advisory.Advisory{
			Source: "retirejs", ID: id, Summary: strings.TrimSpace(cmp.Or(v.Identifiers.Summary, v.Identifiers.Advisory)),
			Details: strings.TrimSpace(v.Details), Severities: severity,
		}}
		r.byID[id] = g
	}
	for _, s := range cves {
		if !slices.Contains(g.cves, s) {
			g.cves = append(g.cves, s)
		}
	}
	for _, s := range v.CWE {
		if strings.HasPrefix(s, "CWE-") && !slices.Contains(g.CWEs, s) {
			g.CWEs = append(g.CWEs, s)
		}
	}
	for _, u := range v.Info {
		if u = strings.TrimSpace(u); u != "" && !slices.ContainsFunc(g.References, func(r advisory.Reference) bool { return r.URL == u }) {
			g.References = append(g.References, advisory.Reference{Type: "WEB", URL: u})
		}
	}
	f := v.affected(name, c)
	if !slices.Equal(severity, g.Severities) {
		f.Severities = severity
	}
	if !slices.ContainsFunc(g.Affected, func(o advisory.Affected) bool { return same(&o, &f) }) {
		g.Affected = append(g.Affected, f)
	}
	return nil
}

// same recognises what both repositories say alike.
func same(a, b *advisory.Affected) bool {
	return a.Key == b.Key && slices.Equal(a.Intervals, b.Intervals) && a.Unaffected == b.Unaffected && slices.Equal(a.Severities, b.Severities)
}

// identifier names an entry; see [Repository].
func (v *vulnerability) identifier(component string, cves []string) string {
	i := &v.Identifiers
	if strings.HasPrefix(i.GHSA, "GHSA-") {
		return i.GHSA
	}
	if len(cves) == 1 {
		return cves[0]
	}
	for _, o := range [...]struct{ kind, value string }{
		{"retid", i.RetID}, {"issue", i.Issue}, {"bug", i.Bug}, {"PR", i.PR}, {"osvdb", strings.Join(i.OSVDB, "+")},
		{"tenable", i.Tenable}, {"gist", i.Gist}, {"release", i.Release}, {"blog", i.Blog},
	} {
		if o.value != "" {
			return "retire.js:" + component + ":" + o.kind + ":" + strings.Join(strings.Fields(o.value), "-")
		}
	}
	h := sha256.New()
	for _, s := range append([]string{component, i.Summary, i.Advisory, strings.Join(cves, " ")}, v.Info...) {
		fmt.Fprintf(h, "%q\n", s)
	}
	return "retire.js:" + component + ":" + hex.EncodeToString(h.Sum(nil)[:6])
}

func (v *vulnerability) severity() []advisory.Severity {
	l := advisory.LevelOf(v.Severity)
	if l == advisory.Unknown {
		return nil
	}
	return []advisory.Severity{{Source: "retirejs", Type: "LABEL", Label: l, Raw: v.Severity}}
}

// endless matches upper bounds that mean none: 99.999.99999, 999.999.999, 100, ~.
var endless = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(9{2,}\.9{2,}(\.9+)?|100|~)$`) })

func (v *vulnerability) affected(name string, c *component) advisory.Affected {
	f := advisory.Affected{Key: advisory.Key{Stream: "npm"}, Scheme: version.NPM, Fix: advisory.Fix{State: advisory.Fixed}}
	purl, isNPM := strings.CutPrefix(c.PURL, "pkg:npm/")
	switch {
	case c.NPM != "":
		f.Name = c.NPM
	case isNPM:
		f.Name = strings.Replace(purl, "%40", "@", 1)
	default:
		f.Name = name
		if len(c.Extractors) > 0 {
			// Packages of npm have no capitals, libraries do.
			f.Name = strings.ToLower(name)
			f.Note = fmt.Sprintf("the library that retire.js calls %s, which names no npm package for it", name)
		}
	}
	f.Name = advisory.Name("npm", f.Name)
	in := advisory.Interval{Introduced: bound(v.From), Fixed: bound(v.Below)}
	if in.Introduced == "0" {
		in.Introduced = ""
	}
	switch {
	case in.Fixed == "" || endless().MatchString(in.Fixed):
		in.Fixed, f.Fix.State = "", advisory.NotFixed
	case strings.Contains(in.Fixed, ".999"):
		f.Fix.State = advisory.NotFixed // the whole line, such as 2.999.999
	default:
		f.Fix.Versions = []string{in.Fixed}
	}
	f.Intervals = []advisory.Interval{in}
	f.Unaffected = strings.Join(v.Excludes, " || ")
	for _, s := range []string{in.Introduced, in.Fixed} {
		if _, err := version.Parse(version.NPM, s); s != "" && err != nil {
			f.Scheme = version.Generic // libraries have had versions such as 1.0.0.beta.3
		}
	}
	return f
}

// bound reads "1.3.0-*", all pre-releases of 1.3.0, as the first of them.
func bound(s string) string {
	s = strings.TrimSpace(s)
	if core, ok := strings.CutSuffix(s, "-*"); ok {
		return core + "-0"
	}
	return s
}

// flush gives all advisories, in order of name.
func (r *reader) flush() {
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		if r.Over() {
			return
		}
		g := r.byID[id]
		switch {
		case len(g.cves) == 1 && g.cves[0] != id:
			g.Aliases = g.cves
		case len(g.cves) > 1:
			slices.Sort(g.cves)
			g.Upstream = g.cves
		}
		slices.Sort(g.CWEs)
		slices.SortStableFunc(g.Affected, func(a, b advisory.Affected) int { return strings.Compare(a.Name, b.Name) })
		r.Yield(feed.Item{Advisory: &g.Advisory}, nil)
	}
}

func shorten(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
