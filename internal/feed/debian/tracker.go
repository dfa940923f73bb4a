package debian

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// maxEntries bounds what is held of the tracker's JSON: packages × CVEs × releases.
const maxEntries = 20_000_000

// trackerEntry is what the JSON says of one CVE in one package.
type trackerEntry struct {
	Description string          `json:"description"`
	Bug         json.RawMessage `json:"debianbug"`
	Releases    map[string]struct {
		Status string `json:"status"`
		Fixed  string `json:"fixed_version"`
		// Urgency is Debian's own judgement; a star after it says that it
		// was taken from the National Vulnerability Database.
		Urgency string  `json:"urgency"`
		NoDSA   *string `json:"nodsa"`
		Reason  string  `json:"nodsa_reason"` // "", "ignored", "postponed"
	} `json:"releases"`
}

// claim is the same of one release, kept small: the file is ordered by
// package, advisories are by CVE, so all of it is held until the end.
type claim struct {
	pkg, stream, status, fixed, urgency, note, reason string
}

type problem struct {
	description string
	bugs        []string
	claims      []claim
}

// readTracker reads the tracker's JSON and yields one advisory for every CVE
// and TEMP identifier, in their order.
func readTracker(r io.Reader, yield func(feed.Item, error) bool) error {
	t := tracker{problems: map[string]*problem{}, text: map[string]string{}, unknown: map[string]bool{}, Output: feed.NewOutput(yield)}
	if err := t.read(r); err != nil || t.Over() {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(t.problems)) {
		if !yield(feed.Item{Advisory: t.problems[id].advisory(id)}, nil) {
			return nil
		}
		delete(t.problems, id)
	}
	return nil
}

type tracker struct {
	*feed.Output
	problems map[string]*problem
	text     map[string]string // the same few words and versions again and again
	unknown  map[string]bool   // releases that nothing is known of
	claims   int
}

func (t *tracker) read(r io.Reader) error {
	in := feed.NewJSONReader(r, feed.MaxRecord)
	for pkg, err := range in.Object() {
		if err != nil {
			return err
		}
		for id, err := range in.Object() {
			if err != nil {
				return fmt.Errorf("package %q: %w", shorten(pkg), err)
			}
			var e trackerEntry
			switch err := in.Decode(&e); {
			case feed.IsJSONError(err):
				t.Bad(shorten(id)+" in "+shorten(pkg), err)
			case err != nil:
				return fmt.Errorf("package %q, %s: %w", shorten(pkg), shorten(id), err)
			default:
				if err := t.add(pkg, id, &e); err != nil {
					return err
				}
			}
			if t.Over() {
				return nil
			}
		}
	}
	return in.End()
}

func (t *tracker) add(pkg, id string, e *trackerEntry) error {
	if !strings.HasPrefix(id, "CVE-") && !strings.HasPrefix(id, "TEMP-") || len(id) > 100 || pkg == "" {
		t.Bad(shorten(id)+" in "+shorten(pkg), errors.New("neither a CVE nor a temporary identifier"))
		return nil
	}
	p := t.problems[id]
	if p == nil {
		p = &problem{}
		t.problems[strings.Clone(id)] = p
	}
	if p.description == "" {
		p.description = e.Description
	}
	if bug := strings.Trim(string(bytes.TrimSpace(e.Bug)), `"`); bug != "" && bug != "null" {
		if _, err := strconv.Atoi(bug); err == nil && !slices.Contains(p.bugs, bug) {
			p.bugs = append(p.bugs, bug)
		}
	}
	pkg = t.intern(advisory.Name("debian", pkg))
	for release, r := range e.Releases {
		stream, ok := streamOf(release)
		if !ok {
			if !t.unknown[release] && len(t.unknown) < 100 {
				t.unknown[release] = true
				t.Bad("release "+shorten(release), errors.New("no Debian release of that name is known; what is said of it is left out"))
			}
			continue
		}
		if r.Status != "resolved" && r.Status != "open" && r.Status != "undetermined" {
			t.Bad(fmt.Sprintf("%s in %s of %s", id, pkg, release), fmt.Errorf("the status %q is unknown", shorten(r.Status)))
			continue
		}
		if t.claims++; t.claims > maxEntries {
			return &feed.LimitError{What: "the security tracker", Limit: "entries", Most: maxEntries}
		}
		c := claim{
			pkg: pkg, stream: t.intern(stream), status: t.intern(r.Status), fixed: t.intern(r.Fixed),
			urgency: t.intern(strings.TrimRight(r.Urgency, "*")), reason: t.intern(r.Reason),
		}
		if r.NoDSA != nil {
			c.note = t.intern(*r.NoDSA)
			if c.reason == "" {
				c.reason = "no-dsa"
			}
		}
		p.claims = append(p.claims, c)
	}
	return nil
}

func (t *tracker) intern(s string) string {
	if v, ok := t.text[s]; ok {
		return v
	}
	t.text[s] = s
	return s
}

func (p *problem) advisory(id string) *advisory.Advisory {
	a := &advisory.Advisory{
		Source: "debian", ID: id, Details: p.description, URL: "https://security-tracker.debian.org/tracker/" + id,
	}
	slices.Sort(p.bugs)
	for _, bug := range p.bugs {
		a.References = append(a.References, advisory.Reference{Type: "REPORT", URL: "https://bugs.debian.org/" + bug})
	}
	slices.SortFunc(p.claims, func(x, y claim) int {
		if d := strings.Compare(x.pkg, y.pkg); d != 0 {
			return d
		}
		return strings.Compare(x.stream, y.stream)
	})
	a.Affected = make([]advisory.Affected, 0, len(p.claims))
	for _, c := range p.claims {
		a.Affected = append(a.Affected, c.affected())
	}
	return a
}

func (c claim) affected() advisory.Affected {
	a := advisory.Affected{Key: advisory.Key{Stream: c.stream, Name: c.pkg}, Names: advisory.Source, Scheme: version.Deb, Note: c.note}
	switch {
	case c.status == "undetermined":
		a.Status = advisory.StatusUndetermined
	case c.status == "resolved" && c.fixed == "0":
		a.Status = advisory.StatusNotAffected
	case c.status == "resolved" && c.fixed == "":
		a.Status, a.Fix.State, a.Note = advisory.StatusUndetermined, advisory.Fixed, "resolved, but in which version is not said"
	case c.status == "resolved":
		a.Intervals = []advisory.Interval{{Fixed: c.fixed}}
		a.Fix = advisory.Fix{State: advisory.Fixed, Versions: []string{c.fixed}}
	case c.urgency == "end-of-life":
		a.Fix.State = advisory.EndOfLife
	case c.reason == "ignored":
		a.Fix.State = advisory.WontFix
	case c.reason == "postponed":
		a.Fix.State = advisory.Deferred
	default:
		a.Fix.State = advisory.NotFixed
		if c.reason == "no-dsa" {
			a.Note = strings.TrimSuffix("no advisory of its own is planned: "+c.note, ": ")
		}
	}
	switch c.urgency {
	case "", "not yet assigned", "end-of-life":
	default:
		a.Severities = []advisory.Severity{{Source: "debian", Type: "LABEL", Label: advisory.LevelOf(c.urgency), Raw: c.urgency}}
	}
	return a
}

// streamOf turns a code name into a key stream.
func streamOf(release string) (string, bool) {
	n := advisory.DebianRelease(release)
	return "debian:" + n, n != ""
}

// shorten makes a text of the input fit for a message.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
