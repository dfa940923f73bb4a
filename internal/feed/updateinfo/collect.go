package updateinfo

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// maxEntries bounds what is held of one publisher: packages of advisories.
const maxEntries = 20_000_000

// collection puts the updates of one publisher together: the same advisory
// stands in the repositories of every architecture, with other packages.
type collection struct {
	p       *publisher
	updates map[string]*merged
	modules map[string]string // see readModules
	text    map[string]string // names and versions, which come again and again
	entries int
	bad     func(record string, err error)
	err     error // the limit that was exceeded
}

type merged struct {
	update
	cves     []string
	packages []entry
}

// entry is one package in one stream.
type entry struct {
	stream, name, evr, module, from, arch string
}

// add takes an update in; false: a limit is exceeded, or the caller has enough.
func (c *collection) add(u *update) bool {
	switch mine, err := c.p.owns(u); {
	case err != nil:
		c.bad(shorten(firstOf(u.ID, u.Title, "an update")), err)
		return c.err == nil
	case !mine:
		return true
	}
	cves := u.cves()
	if u.Type != "security" && len(cves) == 0 {
		return true // a mended bug, a new package
	}
	m := c.updates[u.ID]
	if m == nil {
		m = &merged{update: *u}
		m.References, m.Packages, m.CWEs = nil, nil, nil
		c.updates[u.ID] = m
	}
	m.cves = append(m.cves, cves...)
	m.References = append(m.References, u.References...)
	m.CWEs = append(m.CWEs, u.CWEs...)
	if c.entries += len(cves) + len(u.References); c.entries > maxEntries {
		c.err = &feed.LimitError{What: c.p.info.Name, Limit: "packages and references of advisories", Most: maxEntries}
		return false
	}
	if m.Issued.IsZero() || !u.Issued.IsZero() && u.Issued.Before(m.Issued) {
		m.Issued = u.Issued
	}
	if u.Updated.After(m.Updated) {
		m.Updated = u.Updated
	}
	unknown := false
	for _, p := range u.Packages {
		if p.Name == "" || p.Version == "" {
			c.bad(u.ID, fmt.Errorf("a package %q has no name or version", shorten(p.Name)))
			continue
		}
		streams := c.p.streams(u, p)
		if len(streams) == 0 {
			unknown = true
		}
		for _, s := range streams {
			if c.entries++; c.entries > maxEntries {
				c.err = &feed.LimitError{What: c.p.info.Name, Limit: "packages and references of advisories", Most: maxEntries}
				return false
			}
			module := p.Module
			if module == "" && strings.Contains(p.Release, "module") {
				module = "?" + c.nevra(p)
			}
			m.packages = append(m.packages, entry{
				c.intern(s), c.intern(advisory.Name(s, p.Name)), c.intern(p.evr()), c.intern(module), c.intern(c.p.from(u, p)), c.intern(p.Arch),
			})
		}
	}
	if unknown {
		c.bad(u.ID, errors.New("a package of it belongs to no release that is known; what is said of it is left out"))
	}
	return c.err == nil
}

func (c *collection) nevra(p rpm) string {
	return p.Name + "-" + cmp.Or(p.Epoch, "0") + ":" + p.Version + "-" + p.Release + "." + p.Arch
}

func (c *collection) intern(s string) string {
	if v, ok := c.text[s]; ok {
		return v
	}
	s = strings.Clone(s)
	c.text[s] = s
	return s
}

// cves are the CVEs that the references name. Fedora names them in the titles
// of bugs, or only in its text.
func (u *update) cves() []string {
	var out []string
	add := func(s string) { out = append(out, cvesIn(s)...) }
	for _, r := range u.References {
		if strings.EqualFold(r.Type, "cve") {
			add(r.ID)
			continue
		}
		add(r.Title)
	}
	if len(out) == 0 && u.Type == "security" {
		add(u.Title)
		add(u.Details)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cvesIn finds the CVE identifiers in a text.
func cvesIn(s string) []string {
	var out []string
	for {
		i := strings.Index(s, "CVE-")
		if i < 0 {
			return out
		}
		s = s[i:]
		end := min(len(s), len("CVE-2000-"))
		for end < len(s) && '0' <= s[end] && s[end] <= '9' {
			end++
		}
		if advisory.IsCVE(s[:end]) {
			out = append(out, s[:end])
		}
		s = s[min(4, len(s)):]
	}
}

// advisories gives what was collected, by identifier.
func (c *collection) advisories(yield func(feed.Item, error) bool) {
	for _, id := range slices.Sorted(maps.Keys(c.updates)) {
		m := c.updates[id]
		delete(c.updates, id)
		if !yield(feed.Item{Advisory: c.advisory(m)}, nil) {
			return
		}
	}
}

func (c *collection) advisory(m *merged) *advisory.Advisory {
	slices.Sort(m.cves)
	m.cves = slices.Compact(m.cves)
	slices.Sort(m.CWEs)
	m.CWEs = slices.Compact(m.CWEs)
	a := &advisory.Advisory{
		Source: c.p.info.Name, ID: m.ID, Upstream: m.cves, Summary: m.Title, Details: firstOf(m.Details, m.Summary), CWEs: m.CWEs,
		Published: m.Issued, Modified: m.Updated, URL: m.URL,
	}
	switch strings.ToLower(m.Severity) {
	case "", "none", "unspecified", "n/a":
	default:
		a.Severities = append(a.Severities, advisory.Severity{Source: c.p.vendor, Type: "LABEL", Label: advisory.LevelOf(m.Severity), Raw: m.Severity})
	}
	if len(m.cves) == 1 && m.Vector != "" {
		if s, err := feed.CVSS(c.p.vendor, m.Vector); err == nil {
			a.Severities = append(a.Severities, s)
		}
	}
	seen := map[advisory.Reference]bool{}
	for _, r := range m.References {
		kind := "WEB"
		switch strings.ToLower(r.Type) {
		case "self", "brsa", "rhsa", "erratum", "ghsa":
			kind = "ADVISORY"
			if r.ID == m.ID || strings.EqualFold(r.Type, "self") {
				a.URL = firstOf(a.URL, r.Href)
			}
		case "bugzilla":
			kind = "REPORT"
		}
		ref := advisory.Reference{Type: kind, URL: r.Href}
		if r.Href != "" && !seen[ref] {
			seen[ref] = true
			a.References = append(a.References, ref)
		}
	}
	first := ""
	if len(m.packages) > 0 {
		first = m.packages[0].stream
	}
	a.URL = firstOf(a.URL, c.p.page(m.ID, first))
	a.Affected = c.affected(m, a)
	return a
}

// affected are the packages: one claim for each version, with its
// architectures. Sources count only where the stream has nothing else.
func (c *collection) affected(m *merged, a *advisory.Advisory) []advisory.Affected {
	binary := map[string]bool{}
	for i := range m.packages {
		e := &m.packages[i]
		if nevra, ok := strings.CutPrefix(e.module, "?"); ok {
			e.module = c.modules[nevra]
		}
		if !isSource(e.arch) {
			binary[e.stream] = true
		}
	}
	slices.SortFunc(m.packages, func(x, y entry) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.stream, y.stream), strings.Compare(x.module, y.module),
			strings.Compare(x.from, y.from), strings.Compare(x.arch, y.arch), strings.Compare(x.evr, y.evr))
	})
	var out []advisory.Affected
	for i := 0; i < len(m.packages); {
		j := i + 1
		for j < len(m.packages) && samePackage(m.packages[i], m.packages[j]) {
			j++
		}
		if !isSource(m.packages[i].arch) || !binary[m.packages[i].stream] {
			for _, evr := range fixes(m.packages[i:j]) {
				out = c.claim(out, m.packages[i], evr, a)
			}
		}
		i = j
	}
	return out
}

func samePackage(x, y entry) bool {
	x.evr, y.evr = "", ""
	return x == y
}

// fixes are the versions that mend one package. Of several the lowest does: the
// others are later builds of the same. Only where they belong to streams of
// modules that cannot be told apart all stand.
func fixes(same []entry) []string {
	var out []string
	for _, e := range same {
		if n := len(out); n == 0 || out[n-1] != e.evr {
			out = append(out, e.evr)
		}
	}
	if len(out) == 1 || same[0].module == "" && strings.Contains(same[0].evr, "module") && len(out) < 100 {
		return out
	}
	lowest := out[0]
	for _, v := range out[1:] {
		d, err := version.Compare(version.RPM, v, lowest)
		if err != nil {
			return out
		}
		if d < 0 {
			lowest = v
		}
	}
	return []string{lowest}
}

// claim adds a claim, or an architecture to the one that says the same.
func (c *collection) claim(out []advisory.Affected, e entry, evr string, a *advisory.Advisory) []advisory.Affected {
	if !isSource(e.arch) {
		for i := len(out) - 1; i >= 0 && out[i].Key == (advisory.Key{Stream: e.stream, Name: e.name}) && out[i].Module == e.module; i-- {
			if f := &out[i]; f.Intervals[0] == (advisory.Interval{Introduced: e.from, Fixed: evr}) && f.Names == advisory.Binary {
				if len(f.Arches) < 100 && !slices.Contains(f.Arches, e.arch) && e.arch != "" {
					f.Arches = append(f.Arches, e.arch)
				}
				return out
			}
		}
	}
	f := advisory.Affected{
		Key: advisory.Key{Stream: e.stream, Name: e.name}, Scheme: version.RPM, Module: e.module,
		Intervals: []advisory.Interval{{Introduced: e.from, Fixed: evr}},
		Fix:       advisory.Fix{State: advisory.Fixed, Versions: []string{evr}, Date: a.Published, Advisory: a.ID, URL: a.URL},
	}
	switch {
	case isSource(e.arch):
		f.Names = advisory.Source
	case e.arch != "":
		f.Arches = []string{e.arch}
	}
	return append(out, f)
}

func isSource(arch string) bool { return arch == "src" || arch == "nosrc" }

// publisher is what differs between the publishers.
type publisher struct {
	info     feed.Info
	vendor   string   // in severities
	prefixes []string // of its identifiers
	others   []string // prefixes of what is no concern of this source
	streams  func(u *update, p rpm) []string
	from     func(u *update, p rpm) string // the first affected version
	page     func(id, stream string) string
	get      func(n *network) error
}

// owns tells whether an update is one of this publisher's.
func (p *publisher) owns(u *update) (bool, error) {
	if u.ID == "" || len(u.ID) > 100 || strings.ContainsAny(u.ID, " \t\n<>\"") {
		return false, fmt.Errorf("%q is no identifier of an advisory", shorten(u.ID))
	}
	mine, other := longest(u.ID, p.prefixes), longest(u.ID, p.others)
	if mine+other > 0 {
		return mine > other, nil
	}
	return false, fmt.Errorf("%q is no identifier of an advisory of %s", shorten(u.ID), p.info.Publisher)
}

// longest is the length of the longest prefix that s has.
func longest(s string, prefixes []string) int {
	n := 0
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			n = max(n, len(p))
		}
	}
	return n
}

const day = 24 * time.Hour
