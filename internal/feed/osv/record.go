package osv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// wire is a record as it is written. What publishers add of their own is
// looked at later, and forgiven if it is odd.
type wire struct {
	ID         string          `json:"id"`
	Modified   string          `json:"modified"`
	Published  string          `json:"published"`
	Withdrawn  string          `json:"withdrawn"`
	Aliases    []string        `json:"aliases"`
	Related    []string        `json:"related"`
	Upstream   []string        `json:"upstream"`
	Summary    string          `json:"summary"`
	Details    string          `json:"details"`
	Severity   []wireSeverity  `json:"severity"`
	Affected   []wireAffected  `json:"affected"`
	References []wireReference `json:"references"`
	Specific   json.RawMessage `json:"database_specific"`

	specific databaseSpecific
}

type wireSeverity struct {
	Type   string      `json:"type"`
	Score  looseString `json:"score"`
	Source looseString `json:"source"`
}

type wireReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type wireAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
		PURL      string `json:"purl"`
	} `json:"package"`
	Severity  []wireSeverity  `json:"severity"`
	Ranges    []wireRange     `json:"ranges"`
	Versions  []string        `json:"versions"`
	Ecosystem json.RawMessage `json:"ecosystem_specific"`
	Database  json.RawMessage `json:"database_specific"`
}

type wireRange struct {
	Type   string      `json:"type"`
	Repo   string      `json:"repo"`
	Events []wireEvent `json:"events"`
}

type wireEvent struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

// looseString is a string, or a number written without quotes.
type looseString string

func (s *looseString) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	if !bytes.Equal(b, []byte("null")) {
		*s = looseString(b)
	}
	return nil
}

// parser makes advisories of records. It is used by one goroutine.
type parser struct {
	rules
	id        string  // of the record under way, for errors
	malicious bool    // so is that record
	doubts    []error // what is wrong with it although it is kept
	last      ecosystem
	versions  map[string]version.Version
}

func newParser(r rules) *parser { return &parser{rules: r} }

// maxID is the longest identifier, in bytes.
const maxID = 256

// parse reads one record. nil without an error: it is not one that counts here.
func (p *parser) parse(b []byte) (*advisory.Advisory, error) {
	p.id, p.doubts = "", nil
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, err
	}
	switch {
	case w.ID == "":
		return nil, errors.New("it has no id")
	case len(w.ID) > maxID:
		return nil, fmt.Errorf("its id is longer than %d bytes", maxID)
	}
	p.id = w.ID
	w.specific = readDatabaseSpecific(w.Specific)
	if p.accept != nil && !p.accept(&w) {
		return nil, nil
	}
	return p.advisory(&w)
}

func (p *parser) advisory(w *wire) (*advisory.Advisory, error) {
	p.malicious = w.malicious()
	a := &advisory.Advisory{
		Source: p.source, ID: w.ID, Summary: w.Summary, Details: w.Details,
		CWEs: w.specific.cwes(), URL: pageOf(w), Malicious: p.malicious,
	}
	var err error
	for _, d := range []struct {
		name, text string
		to         *time.Time
	}{{"modified", w.Modified, &a.Modified}, {"published", w.Published, &a.Published}, {"withdrawn", w.Withdrawn, &a.Withdrawn}} {
		if *d.to, err = readTime(d.text); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	// An identifier is never an alias of itself; what is one already is no
	// more than that.
	seen := map[string]bool{w.ID: true}
	a.Aliases = identifiers(w.Aliases, seen)
	a.Upstream = identifiers(w.Upstream, seen)
	a.Related = identifiers(w.Related, seen)
	if p.bundles {
		p.unbundle(a)
	}
	if a.Severities, err = p.severities(w.Severity, w.speaker(p.speaker)); err != nil {
		return nil, err
	}
	a.Severities = append(a.Severities, w.specific.severities(w.speaker(p.speaker))...)
	for _, r := range w.References {
		if r.URL != "" {
			a.References = append(a.References, advisory.Reference(r))
		}
	}
	err = p.claims(a, w)
	if p.bundles {
		errata(a)
	}
	return a, err
}

// unbundle moves the CVEs of a bulletin where they belong: older records list
// them as related, or as aliases, of which each would be one.
func (p *parser) unbundle(a *advisory.Advisory) {
	for _, from := range []*[]string{&a.Aliases, &a.Related} {
		*from = slices.DeleteFunc(*from, func(id string) bool {
			if !advisory.IsCVE(id) {
				return false
			}
			a.Upstream = append(a.Upstream, id)
			return true
		})
	}
	slices.Sort(a.Upstream)
}

// identifiers cleans a list: sorted, each once and in no other list, in the
// spelling their publishers use.
func identifiers(ids []string, seen map[string]bool) []string {
	var out []string
	for _, id := range ids {
		id = strings.TrimSpace(id)
		switch prefix, rest, _ := strings.Cut(id, "-"); prefix {
		case "cve", "ghsa":
			id = strings.ToUpper(prefix) + "-" + rest
		}
		if id == "" || len(id) > maxID || seen[id] {
			continue
		}
		seen[id] = true
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// readTime reads RFC 3339, or a day. Nothing, and the zero day that some tools
// write for it, is no time.
func readTime(s string) (time.Time, error) {
	if s == "" || strings.HasPrefix(s, "0001-01-01") {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		var dayErr error
		if t, dayErr = time.Parse(time.DateOnly, s); dayErr != nil {
			return time.Time{}, err
		}
	}
	return t.UTC(), nil
}

// claims makes what the record says of each package.
func (p *parser) claims(a *advisory.Advisory, w *wire) error {
	others := map[string]bool{}
	packages := 0
	for i := range w.Affected {
		f := &w.Affected[i]
		if f.Package.Name == "" && f.Package.Ecosystem == "" {
			continue // commits of a repository, of no package
		}
		packages++
		ecosystem, ok := p.ours(f.Package.Ecosystem)
		if !ok {
			others[f.Package.Ecosystem] = true
			continue
		}
		claim, err := p.claim(w, f, ecosystem)
		if err != nil {
			return fmt.Errorf("%s %s: %w", f.Package.Ecosystem, f.Package.Name, err)
		}
		a.Affected = append(a.Affected, claim)
	}
	if packages > 0 && len(a.Affected) == 0 && a.Withdrawn.IsZero() {
		names := make([]string, 0, len(others))
		for e := range others {
			names = append(names, e)
		}
		slices.Sort(names)
		return fmt.Errorf("it speaks of packages of %q only, of which this source does not", names)
	}
	return nil
}

// ours tells whether an ecosystem is one the source speaks of, and its name.
func (p *parser) ours(ecosystem string) (string, bool) {
	if slices.Contains(p.also, ecosystem) {
		return p.ecosystems[0], true
	}
	name, rest, colon := strings.Cut(ecosystem, ":")
	if p.ecosystems != nil {
		i := slices.IndexFunc(p.ecosystems, func(e string) bool { return strings.EqualFold(e, name) })
		if i < 0 {
			return "", false
		}
		name = p.ecosystems[i]
	}
	if colon {
		name += ":" + rest
	}
	_, _, ok := advisory.OSVStream(name)
	return name, ok
}

func (p *parser) claim(w *wire, f *wireAffected, ecosystem string) (advisory.Affected, error) {
	e, err := p.look(ecosystem)
	if err != nil {
		return advisory.Affected{}, err
	}
	name := strings.TrimSpace(f.Package.Name)
	if name == "" {
		return advisory.Affected{}, errors.New("a package has no name")
	}
	if e.stream == "swift" {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "https://"), ".git")
	}
	c := advisory.Affected{
		Key:   advisory.Key{Stream: e.stream, Name: advisory.Name(e.stream, name)},
		Names: p.names, Scheme: e.scheme, Repository: e.repository,
	}
	extra := readAffectedSpecific(f)
	if err := p.affectedVersions(&c, f, extra); errors.As(err, new(*contradiction)) {
		p.doubts = append(p.doubts, fmt.Errorf("%s %s: %w", f.Package.Ecosystem, short(name), err))
		note(&c, err.Error())
		if len(c.Intervals)+len(c.Versions) == 0 {
			c.Fix, c.Status = advisory.Fix{}, advisory.StatusUndetermined
		}
	} else if err != nil {
		return c, err
	} else if len(c.Intervals)+len(c.Versions) == 0 && !p.malicious {
		c.Status = advisory.StatusUndetermined
		note(&c, "it names no versions")
		if slices.ContainsFunc(f.Ranges, func(r wireRange) bool { return r.Type == "GIT" }) {
			c.Note = "it names commits only, which cannot be compared with versions"
		}
	}
	who := w.speaker(p.speaker)
	if c.Severities, err = p.severities(f.Severity, who); err != nil {
		return c, err
	}
	extra.apply(&c, who)
	return c, nil
}

// ecosystem is what an ecosystem's name stands for.
type ecosystem struct {
	name, stream, repository string
	scheme                   version.Scheme
}

// look finds out, once for claims of one ecosystem in a row.
func (p *parser) look(name string) (ecosystem, error) {
	if p.last.name == name && name != "" {
		return p.last, nil
	}
	e := ecosystem{name: name}
	e.stream, e.repository, _ = advisory.OSVStream(name)
	if id, release, ok := strings.Cut(e.stream, ":"); ok && id == "debian" {
		e.stream, _ = advisory.DistroStream(id, release, release)
	}
	ok := false
	if e.scheme, ok = version.SchemeOf(name); !ok {
		e.scheme, ok = version.SchemeOf(e.stream)
	}
	if !ok {
		return e, errors.New("nobody knows how its versions are ordered")
	}
	p.last = e
	return e, nil
}

func note(c *advisory.Affected, text string) {
	c.Note = cmp.Or(c.Note, "") + map[bool]string{true: "; "}[c.Note != ""] + text
}

// pageOf is the page of a record for people.
func pageOf(w *wire) string {
	switch prefix, _, _ := strings.Cut(w.ID, "-"); prefix {
	case "GHSA":
		return "https://github.com/advisories/" + w.ID
	case "RUSTSEC":
		return "https://rustsec.org/advisories/" + w.ID + ".html"
	case "GO":
		return "https://pkg.go.dev/vuln/" + w.ID
	}
	for _, r := range w.References {
		if r.Type == "ADVISORY" && (strings.Contains(r.URL, w.ID) || strings.Contains(r.URL, strings.ReplaceAll(w.ID, ":", "-"))) {
			return r.URL
		}
	}
	return "https://osv.dev/vulnerability/" + w.ID
}
